/*
 * The failures, and the checks: malloc and the rest, and the growth of linear memory.
 *
 * Every block that anybody gets comes through here: the program's, libc's, and those of operator new
 * and of thrown exceptions. So the number of blocks in use is known, whatever the heap says about
 * itself, and the two are compared: at the moment of a failure, and after the run.
 */
#define _GNU_SOURCE
#include "inject.h"

#include <emscripten/emscripten.h>
#include <emscripten/heap.h>
#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasmalloc.h>

#define PAGE ((size_t)65536)

/* Older headers do not declare these. */
void *emscripten_builtin_calloc(size_t count, size_t size);
void *emscripten_builtin_realloc(void *block, size_t bytes);
void *emscripten_builtin_aligned_alloc(size_t alignment, size_t bytes);
int emscripten_builtin_posix_memalign(void **result, size_t alignment, size_t bytes);
size_t emscripten_builtin_malloc_usable_size(void *block);
void emscripten_notify_memory_growth(size_t memory);

/* What is to fail. */
static struct {
  enum target target;
  bool all;
  uint32_t number;
  enum flaw flaw;
} plan;

/* What has happened in this run. */
static struct {
  uint32_t allocations;
  uint32_t growths;
  uint32_t injected;
  uint32_t told;
  uint32_t answers;
  unsigned faults;
  char explanation[256]; /* of the first */
} run;

/* The blocks since the program was started, all runs together. Those that did not come through here,
 * which libc takes for the environment before main(), are counted when the first run begins. */
static size_t created, released;
static bool others_are_counted;

static bool never_frees;

/* ---- reports ---- */

static void report_arguments(enum fault fault, const char *format, va_list arguments) {
  if (!run.faults)
    vsnprintf(run.explanation, sizeof run.explanation, format, arguments);
  run.faults |= fault;
}

__attribute__((format(printf, 2, 3))) static void report(enum fault fault, const char *format,
                                                         ...) {
  va_list arguments;
  va_start(arguments, format);
  report_arguments(fault, format, arguments);
  va_end(arguments);
}

/* ---- the heap against the books ---- */

/* The number of blocks that the heap must hold. Their sizes nobody promises: in 5_wasmalloc a block
 * in use may become a little larger. */
static size_t expected_blocks(void) {
  return never_frees ? created : created - released;
}

static void check_heap(const char *when) {
  /* A second time is no use, and a broken heap cannot be walked. */
  if (run.faults & BROKEN_HEAP)
    return;
  void *broken = wasmalloc_check();
  if (broken) {
    report(BROKEN_HEAP, "%s the heap check stops at %p", when, broken);
    return;
  }
  struct wasmalloc_statistics statistics;
  wasmalloc_statistics(&statistics);
  size_t blocks = 0, size = 0;
  for (struct wasmalloc_block block = {0}; wasmalloc_next_block(&block);) {
    if (block.state == WASMALLOC_USED) {
      ++blocks;
      size += block.size;
    }
  }
  if (statistics.used_blocks != expected_blocks() || blocks != expected_blocks())
    report(BROKEN_HEAP,
           "%s %zu blocks are in use, but the statistics say %zu and the walk finds %zu", when,
           expected_blocks(), statistics.used_blocks, blocks);
  else if (statistics.used_size != size)
    report(BROKEN_HEAP, "%s the statistics say %zu bytes are in use, and the walk finds %zu", when,
           statistics.used_size, size);
}

/* ---- failures ---- */

/* Whether what comes now, with this number, fails. The heap is looked at when the first one does. */
static bool is_due(enum target target, uint32_t number) {
  if (plan.target != target || (plan.all ? number < plan.number : number != plan.number))
    return false;
  if (++run.injected == 1 && target == ALLOCATION)
    check_heap("when the allocation fails");
  return true;
}

static bool refuses(void) {
  if (!is_due(ALLOCATION, ++run.allocations))
    return false;
  errno = ENOMEM;
  return true;
}

/* By this the allocator grows linear memory. Where growth is what fails it gets what it asks for and no
 * more, so that growing is as frequent as it can be; otherwise an eighth more, which takes less time. */
bool emscripten_resize_heap(size_t size) {
  if (is_due(GROWTH, ++run.growths))
    return false;
  size_t pages = __builtin_wasm_memory_size(0);
  size_t needed = (size - 1) / PAGE + 1 - pages;
  size_t more = plan.target != ALLOCATION || needed > pages / 8 ? needed : pages / 8;
  if (__builtin_wasm_memory_grow(0, more) == (size_t)-1)
    return false;
  emscripten_notify_memory_growth(0);
  return true;
}

/* ---- malloc and the rest ---- */

/* What is noted before the allocator is asked. */
struct question {
  int error;
  uint32_t injected;
};

static struct question ask(void) {
  struct question question = {errno, run.injected};
  errno = 0;
  return question;
}

/* The allocator has said no: only because a growth was refused meanwhile, and with ENOMEM. */
static void check_refusal(struct question question, int error) {
  if (run.injected == question.injected)
    report(WRONG_ERRNO, "NULL for allocation %u, though nothing was refused", run.allocations);
  else if (error != ENOMEM)
    report(WRONG_ERRNO, "NULL for allocation %u with error %d, not ENOMEM", run.allocations, error);
  check_heap("when the allocator gives NULL");
}

static void *answer(struct question question, void *block) {
  if (block) {
    errno = question.error;
    ++created;
  } else {
    if (program_has(SILENT))
      errno = 0;
    check_refusal(question, errno);
  }
  return block;
}

void *malloc(size_t bytes) {
  if (refuses())
    return NULL;
  struct question question = ask();
  return answer(question, emscripten_builtin_malloc(bytes));
}

void *calloc(size_t count, size_t size) {
  if (refuses())
    return NULL;
  struct question question = ask();
  return answer(question, emscripten_builtin_calloc(count, size));
}

void *aligned_alloc(size_t alignment, size_t bytes) {
  if (refuses())
    return NULL;
  struct question question = ask();
  return answer(question, emscripten_builtin_aligned_alloc(alignment, bytes));
}

void *memalign(size_t alignment, size_t bytes) {
  if (refuses())
    return NULL;
  struct question question = ask();
  return answer(question, emscripten_builtin_memalign(alignment, bytes));
}

int posix_memalign(void **result, size_t alignment, size_t bytes) {
  int old_errno = errno;
  if (refuses()) {
    errno = old_errno;
    return ENOMEM;
  }
  struct question question = ask();
  int error = emscripten_builtin_posix_memalign(result, alignment, bytes);
  errno = old_errno;
  if (error)
    check_refusal(question, error);
  else
    ++created;
  return error;
}

void free(void *block) {
  if (!block)
    return;
  ++released;
  emscripten_builtin_free(block);
}

void *realloc(void *block, size_t bytes) {
  if (!block)
    return malloc(bytes);
  if (refuses())
    return NULL;
  size_t old_size = emscripten_builtin_malloc_usable_size(block);
  uint32_t old_contents = plan.target == GROWTH ? add_to_digest(0, block, old_size) : 0;
  struct question question = ask();
  void *resized = emscripten_builtin_realloc(block, bytes);
  if (!resized) {
    check_refusal(question, errno);
    if (emscripten_builtin_malloc_usable_size(block) < old_size ||
        (plan.target == GROWTH && add_to_digest(0, block, old_size) != old_contents))
      report(WRONG_ERRNO, "allocation %u: realloc gives NULL and has changed the block",
             run.allocations);
    return NULL;
  }
  errno = question.error;
  if (resized != block) {
    ++created;
    ++released;
  }
  return resized;
}

/* The names by which parts of libc call them. */
void *__libc_malloc(size_t bytes) __attribute__((alias("malloc")));
void *__libc_calloc(size_t count, size_t size) __attribute__((alias("calloc")));
void *__libc_realloc(void *block, size_t bytes) __attribute__((alias("realloc")));
void __libc_free(void *block) __attribute__((alias("free")));

/* ---- for the program ---- */

bool program_is_told(void) {
  ++run.told;
  if (!run.injected)
    report(WRONG_ERROR, "the program is out of memory, though nothing was refused");
  return !plan.all;
}

void program_fails(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  report_arguments(WRONG_ERROR, format, arguments);
  va_end(arguments);
}

uint32_t add_to_digest(uint32_t digest, const void *bytes, size_t count) {
  const unsigned char *next = bytes;
  for (size_t i = 0; i < count; ++i)
    digest = (digest ^ next[i]) * 16777619u + 1; /* as Fowler, Noll and Vo do, nearly */
  return digest;
}

bool program_has(enum flaw flaw) {
  return plan.flaw == flaw;
}

/* Makes the block's size wrong, and leaves the flags alone: the program can go on, and end. */
void damage(void *block) {
  ((size_t *)block)[-1] += (size_t)1 << 28;
}

/* ---- for faults.js ---- */

static void count_others(void) {
  struct wasmalloc_statistics statistics;
  wasmalloc_statistics(&statistics);
  created += statistics.used_blocks - expected_blocks();
  others_are_counted = true;
}

/* Says how many blocks are left, and which is the last of them, as far as that is to be seen. */
static void report_leak(size_t blocks) {
  if (never_frees) {
    report(LEAK, "blocks that have not been given back: %zu", blocks);
    return;
  }
  struct wasmalloc_block last = {0};
  for (struct wasmalloc_block block = {0}; wasmalloc_next_block(&block);)
    if (block.state == WASMALLOC_USED)
      last = block;
  report(LEAK, "blocks that are left: %zu, the last with %zu bytes at %p", blocks, last.size,
         last.address);
}

EMSCRIPTEN_KEEPALIVE unsigned inject_run(enum target target, bool all, uint32_t number,
                                         uint32_t answers, bool frees_nothing, enum flaw flaw) {
  never_frees = frees_nothing;
  if (!others_are_counted)
    count_others();
  memset(&run, 0, sizeof run);
  size_t held = created - released;
  plan.target = target;
  plan.all = all;
  plan.number = number;
  plan.flaw = flaw;
  enum outcome outcome = program_run(&run.answers);
  plan.target = NOTHING;

  check_heap("after the run");
  size_t left = created - released - held;
  if (left && !(run.faults & BROKEN_HEAP))
    report_leak(left);
  if (outcome == FAILED && !run.faults)
    report(WRONG_ERROR, "the program has failed and says nothing");
  if (outcome == OUT_OF_MEMORY && !(run.told && all))
    report(WRONG_ERROR, "the program has stopped, though there is memory");
  if (outcome == COMPLETE && answers && run.answers != answers)
    report(WRONG_ANSWER, "the answers are %08x, not %08x", run.answers, answers);
  return run.faults;
}

EMSCRIPTEN_KEEPALIVE uint32_t inject_allocations(void) {
  return run.allocations;
}

EMSCRIPTEN_KEEPALIVE uint32_t inject_growths(void) {
  return run.growths;
}

EMSCRIPTEN_KEEPALIVE uint32_t inject_injected(void) {
  return run.injected;
}

EMSCRIPTEN_KEEPALIVE uint32_t inject_told(void) {
  return run.told;
}

EMSCRIPTEN_KEEPALIVE uint32_t inject_answers(void) {
  return run.answers;
}

EMSCRIPTEN_KEEPALIVE const char *inject_explanation(void) {
  return run.explanation;
}
