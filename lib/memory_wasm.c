/*
 * The memory layer for WebAssembly.
 *
 * Linked into an Emscripten program it is also the program's sbrk(), brk() and
 * emscripten_get_sbrk_ptr(): nothing else brings them once Emscripten's own
 * malloc is left out. Compiled with WASMALLOC_FREESTANDING it stands alone, for
 * modules without a libc.
 *
 * With threads the break is moved by compare-and-swap, so that sbrk() may be
 * called by any thread at any time without a lock.
 *
 * In V8 (11 to 13 at least) a thread hears of memory that another has grown only
 * at its next check for interrupts, in a loop or at the start of a function.
 * Until then memory.size tells it the old size, and memory.fill, memory.copy,
 * atomic accesses and, on wasm64, all others trap beyond it, though the grown
 * memory has been handed over properly. memory.grow by 0 pages makes it hear.
 */
#define _GNU_SOURCE /* sbrk() */
#include "memory.h"

#ifndef WASMALLOC_FREESTANDING
#include <emscripten/heap.h>
#include <errno.h>
#include <unistd.h>
#endif

#define PAGE ((size_t)65536) /* WebAssembly's unit of growth */

extern char __heap_base; /* from the linker: the first byte after static data and stack */

#ifdef __EMSCRIPTEN_SHARED_MEMORY__
typedef _Atomic(uintptr_t) break_type;
#else
typedef uintptr_t break_type;
#endif

#ifdef __PIC__
static break_type program_break; /* __heap_base is not known before relocation */
#else
static break_type program_break = (uintptr_t)&__heap_base;
#endif

static break_type *break_pointer(void) {
#ifdef __PIC__
  if (!program_break)
    program_break = (uintptr_t)&__heap_base;
#endif
  return &program_break;
}

/* Where the memory ends that the allocator has taken. What lies below may be in use: the break is not lowered
 * below this by anybody else, and if that happens all the same, through its pointer, nothing is handed out there.
 * So it is raised before the break is, and lowered after it. */
static break_type heap_end;

/* Replaces `old` by `new`, unless another thread has moved the break meanwhile. */
static bool move_break(uintptr_t old, uintptr_t new) {
#ifdef __EMSCRIPTEN_SHARED_MEMORY__
  return __c11_atomic_compare_exchange_strong(break_pointer(), &old, new, __ATOMIC_SEQ_CST,
                                              __ATOMIC_SEQ_CST);
#else
  (void)old;
  *break_pointer() = new;
  return true;
#endif
}

/* Grows linear memory so that it reaches to `end`, if that is possible. */
#ifdef WASMALLOC_FREESTANDING
static void grow(uintptr_t end) {
  /* Growing costs up to 75 microseconds in some engines, whatever the step: take an eighth more
   * than what there is where that can be had. */
  size_t pages = __builtin_wasm_memory_size(0);
  size_t needed = (end - 1) / PAGE + 1 - pages;
  size_t comfortable = pages / 8;
  if (comfortable <= needed || __builtin_wasm_memory_grow(0, comfortable) == (size_t)-1)
    __builtin_wasm_memory_grow(0, needed);
}
#else
static void grow(uintptr_t end) {
  emscripten_resize_heap(end);
}
#endif

/* Whether linear memory reaches to `end`. Counted in pages: at 4 GiB the end in bytes is 0. */
static bool reaches(uintptr_t end) {
  return (end - 1) / PAGE < __builtin_wasm_memory_size(0);
}

#ifdef __EMSCRIPTEN_SHARED_MEMORY__
void memory_catch_up(void) {
  if (!reaches(*break_pointer()))
    __builtin_wasm_memory_grow(0, 0);
}
#endif

/* The same, after growing it if need be. Whether growing has succeeded is seen by the result alone:
 * emscripten_resize_heap() says no where another thread has grown memory at the same moment, and yes,
 * on wasm64, to more than can be. */
static bool reach(uintptr_t end) {
  if (reaches(end))
    return true;
  grow(end);
  return reaches(end);
}

void *memory_extend(const void *end, size_t bytes, size_t apart) {
  uintptr_t old, start, new;
  do {
    old = *break_pointer();
    start = ALIGN_UP(old);
    if (start < (uintptr_t)end)
      start = (uintptr_t)end;
    new = start + (start == (uintptr_t)end ? bytes : apart);
    if (new < start || !reach(new)) {
      heap_end = (uintptr_t)end;
      return NULL;
    }
    heap_end = new;
  } while (!move_break(old, new));
  return (void *)start;
}

void *memory_break(void) {
  return (void *)(uintptr_t)*break_pointer();
}

size_t memory_room(void) {
  return __builtin_wasm_memory_size(0) * PAGE - *break_pointer();
}

bool memory_withdraw(const void *end, size_t bytes) {
  uintptr_t old = (uintptr_t)end;
  bool done = *break_pointer() == old && move_break(old, old - bytes);
  if (done)
    heap_end = old - bytes;
  return done;
}

#ifndef WASMALLOC_FREESTANDING

/* For SAFE_HEAP, which checks every access against the break, and for JavaScript. */
uintptr_t *emscripten_get_sbrk_ptr(void) {
  return (uintptr_t *)break_pointer();
}

/* The end of all memory that has been handed out, by what the break says. */
static uintptr_t end_of_use(uintptr_t program_break) {
  uintptr_t end = heap_end;
  return program_break < end ? end : program_break;
}

/* Whether the break cannot stand at an address: what lies above it is the program's own, or the heap's. */
static bool is_taken(uintptr_t address) {
  return address < (uintptr_t)&__heap_base || address < heap_end;
}

/*
 * Moves the break by `increment` bytes, rounded up to a multiple of ALIGNMENT, and returns where it
 * stood; (void *)-1 and ENOMEM when linear memory cannot grow so far, or when that would give back
 * memory that the heap has taken.
 *
 * In Emscripten an increment of 2 GiB and more, which is negative as an intptr_t on wasm32, may
 * mean that much more. It never means both: where the break is so high that the sum wraps around,
 * there is no room to grow by that much, and where it does not wrap, there is not that much to give
 * back.
 */
void *sbrk(intptr_t increment) {
  uintptr_t step = ALIGN_UP((uintptr_t)increment);
  uintptr_t old, start, new;
  do {
    old = *break_pointer();
    start = end_of_use(old);
    new = start + step;
    bool wrapped = new < start;
    if ((wrapped && increment > 0) || is_taken(new) || (!step && increment) || !reach(new)) {
      errno = ENOMEM;
      return (void *)-1;
    }
    if (new < start)
      CLEAR_ABOVE_BREAK(new, start - new);
  } while (!move_break(old, new));
  return (void *)start;
}

/* sbrk() for programs that count in 64 bits everywhere, as emscripten/heap.h declares it. */
int64_t _sbrk64(int64_t increment);
int64_t _sbrk64(int64_t increment) {
  if (increment != (intptr_t)increment) {
    errno = ENOMEM;
    return -1;
  }
  void *old = sbrk((intptr_t)increment);
  return old == (void *)-1 ? -1 : (int64_t)(uintptr_t)old;
}

/* Sets the break to `address`, rounded up to ALIGNMENT. Returns 0, or -1 and ENOMEM, as sbrk() does. */
int brk(void *address) {
  uintptr_t new = ALIGN_UP((uintptr_t)address);
  uintptr_t old;
  do {
    old = *break_pointer();
    if (is_taken(new) || !reach(new)) {
      errno = ENOMEM;
      return -1;
    }
    if (new < old)
      CLEAR_ABOVE_BREAK(new, old - new);
  } while (!move_break(old, new));
  return 0;
}

#endif
