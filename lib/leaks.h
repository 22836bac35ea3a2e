/*
 * The leak report of the debug build: the blocks that the program holds when it ends, by where it allocated them.
 *
 * It comes after the check (at_exit.h). What was allocated before main does not count: it is the runtime's, or a static
 * object's.
 *
 * On the development machine there is none.
 */
#ifndef WASMALLOC_LEAKS_H
#define WASMALLOC_LEAKS_H

#ifdef __EMSCRIPTEN__

#include "at_exit.h"

#include <emscripten/emscripten.h>

/* For JavaScript: Module._wasmalloc_check(). */
EMSCRIPTEN_KEEPALIVE void *wasmalloc_check(void);

static bool started;

static bool program_runs(void) {
  return started;
}

/* Counts the blocks of each call stack, and returns how many there are. */
static size_t count_leaks(void) {
  size_t blocks = 0;
  for (struct block *block = (struct block *)heap.first; block && block < heap_end_block();
       block = block_next(block)) {
    if (block_state(block) != WASMALLOC_USED)
      continue;
    size_t bytes = asked_size(block);
    struct call_stack *stack = tail_stack((const char *)block_payload(block) + bytes);
    if (!stack)
      continue;
    ++stack->blocks;
    stack->bytes += bytes;
    ++blocks;
  }
  return blocks;
}

/* The stack with the most bytes, of those that were counted. */
static struct call_stack *largest_leak(void) {
  struct call_stack *largest = &unknown_stack;
  for (int i = 0; i < STACK_CHAINS; ++i)
    for (struct call_stack *stack = stacks.chain[i]; stack; stack = stack->next)
      if (stack->blocks && (!largest->blocks || stack->bytes > largest->bytes ||
                            (stack->bytes == largest->bytes && stack->blocks > largest->blocks)))
        largest = stack;
  return largest;
}

static void report_leaks(void) {
  check_at_exit();
  heap_lock();
  size_t blocks = count_leaks();
  heap_unlock();
  if (!blocks)
    return;
  char line[128];
  size_t all_bytes = 0;
  size_t all_blocks = blocks;
  bool any_file = false;
  while (blocks) {
    struct call_stack *stack = largest_leak();
    snprintf(line, sizeof(line),
             "wasmalloc: leak of %zu byte%s in %zu block%s, allocated from:", stack->bytes,
             stack->bytes == 1 ? "" : "s", stack->blocks, stack->blocks == 1 ? "" : "s");
    say(line);
    if (call_stack_print(stack, say))
      any_file = true;
    all_bytes += stack->bytes;
    blocks -= stack->blocks;
    stack->blocks = 0;
  }
  snprintf(line, sizeof(line), "wasmalloc: %zu byte%s leaked in %zu block%s", all_bytes,
           all_bytes == 1 ? "" : "s", all_blocks, all_blocks == 1 ? "" : "s");
  say(line);
  if (!any_file)
    say("wasmalloc: to see files and lines, compile with -g and link with -gsource-map");
}

AT_EXIT(report_leaks);

/* As late as a constructor can be. The stacks' first memory is taken here, so that it does not come between the first
 * blocks. */
__attribute__((constructor(65535))) static void start_program(void) {
  stack_memory(0);
  started = true;
}

#else

static bool program_runs(void) {
  return false;
}

#endif

#endif
