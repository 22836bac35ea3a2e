/*
 * The fuzzer as a module. A new instance is a new heap: wasm.mjs makes one for each sequence.
 */
#define _GNU_SOURCE
#include <emscripten/heap.h>
#include <unistd.h>

#include "fuzz.h"

#define PAGE ((size_t)65536)

static uintptr_t base;
static size_t maximum; /* an address */
static size_t allowed_growths = SIZE_MAX;

uintptr_t platform_reset(size_t bytes) {
  base = (uintptr_t)sbrk(0);
  maximum = (base + bytes + PAGE - 1) & ~(PAGE - 1);
  return base;
}

void platform_allow_growths(size_t growths) {
  allowed_growths = growths;
}

size_t platform_room(bool growing) {
  size_t top = growing ? maximum : __builtin_wasm_memory_size(0) * PAGE;
  return top - (uintptr_t)sbrk(0);
}

/* From Emscripten: JavaScript's views of the memory are made anew. */
void emscripten_notify_memory_growth(size_t memory);

/* In place of Emscripten's own: grows by no more than is asked for, and no further than it may. */
bool emscripten_resize_heap(size_t size) {
  if (size > maximum || allowed_growths == 0)
    return false;
  if (allowed_growths != SIZE_MAX)
    --allowed_growths;
  size_t pages = (size - 1) / PAGE + 1 - __builtin_wasm_memory_size(0);
  if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1)
    return false;
  emscripten_notify_memory_growth(0);
  return true;
}

/* Numbers that JavaScript has without BigInt. Returns the number of calls. */
double fuzz_sequence(double seed, unsigned size, bool never_frees);
double fuzz_sequence(double seed, unsigned size, bool never_frees) {
  fuzz_never_frees = never_frees;
  return (double)fuzz_seed((uint64_t)seed, size);
}

/* What has been done so far, for a sequence that has ended with a trap. */
double fuzz_calls_made(void);
double fuzz_calls_made(void) {
  return (double)fuzz_calls;
}
