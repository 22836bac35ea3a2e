/*
 * The check of the hardened and the debug build when the program ends: of all blocks, those in quarantine too.
 *
 * It finds what no free and no malloc has come across: an overflow of a block that is never freed, a write to
 * one that was freed and has not been handed out again.
 *
 * It comes when all handlers of atexit() and all destructors of static objects have run: it is registered before
 * them, and they run in reverse order. So it comes only where the runtime exits (Emscripten's EXIT_RUNTIME); a
 * program that goes on for ever may call wasmalloc_check() when it likes.
 *
 * And it looks at some bytes before the heap and behind it, which nobody should have written to either.
 *
 * Cost: a look at each head, at the slack, and at all of free memory.
 */
#ifndef WASMALLOC_AT_EXIT_H
#define WASMALLOC_AT_EXIT_H

#include <stdlib.h>

/* Has a function called at exit: registered before any other constructor can register one. */
#define AT_EXIT(function)                                                                          \
  __attribute__((constructor(101))) static void register_##function(void) {                        \
    atexit(function);                                                                              \
  }                                                                                                \
  _Static_assert(1, "")

/* Stops for a broken block. A head that is overwritten belongs to one block and lies behind another: if there is
 * nothing wrong before it, it is its own block's fault. */
RARE _Noreturn static void stop_for(const void *broken) {
  if (broken == (const void *)-1)
    stop("heap corrupted", NULL);
  struct block *block = payload_block(broken);
  if (is_sealed(&block->head)) {
    if (block_state(block) != WASMALLOC_USED)
      stop("write after free", broken);
    if (!slack_is_sound(block))
      stop("overflow", broken);
    block = block_next(block);
  }
  stop(HEAD_OVERWRITTEN, block_payload(block));
}

/* Whether there are only zeros where nobody should have written. */
static bool is_untouched(const char *from, size_t bytes) {
  return !from || is_zero(from, from + bytes);
}

/* All that is above the break is zero (memory.h), and to look at it the program takes it: with SAFE_HEAP it may not
 * be read otherwise, and another thread may be about to take it. */
static void check_beside_heap(void) {
  size_t room = memory_room() & ~(ALIGNMENT - 1);
  size_t bytes = room < BESIDE_HEAP ? room : BESIDE_HEAP;
  if (!is_untouched(before_heap, BESIDE_HEAP) ||
      !is_untouched(memory_extend(heap.end, bytes, bytes), bytes))
    stop("write beside the heap", NULL);
}

/* The lists need no look: all their words lie in free blocks, and are sealed. */
static void check_at_exit(void) {
  heap_lock();
#ifdef WASMALLOC_DEBUG
  const void *broken = heap_check(); /* looks at tails, too, and prints what it finds */
#else
  size_t waiting = 0;
  const void *broken = first_broken(&waiting);
#endif
  if (broken)
    stop_for(broken);
  check_beside_heap();
  heap_unlock();
}

#endif
