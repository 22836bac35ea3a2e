/*
 * The heap and linear memory: sbrk and brk in other hands, and growth.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "names.h"
#include "testing.h"

/* ---- sbrk and brk ---- */

/* Somebody else's memory, obtained before the heap has its first. */
enum { EARLY = 1237 };
static unsigned char *early;

__attribute__((constructor)) static void take_early(void) {
  early = sbrk(EARLY);
  if (early != (void *)-1) {
    fill(early, EARLY, EARLY);
  }
}

TEST(sbrk_zero, "sbrk(0) tells the break and does not move it") {
  char *first = sbrk(0);
  CHECK(first != (void *)-1, "sbrk(0) failed");
  CHECK(sbrk(0) == first, "%p and then %p", sbrk(0), (void *)first);
}

TEST(sbrk_raises,
     "sbrk(n) returns the old break and raises it by n at least; brk lowers it again") {
  for (size_t size = 1; size < 300000; size = size * 3 + 1) {
    char *before = sbrk(0);
    char *memory = sbrk((intptr_t)size);
    CHECK(memory == before, "sbrk(%zu) gave %p, the break was %p", size, (void *)memory,
          (void *)before);
    char *after = sbrk(0);
    CHECK(after >= before + size && after < before + size + 32, "sbrk(%zu) from %p to %p", size,
          (void *)before, (void *)after);
    fill(memory, size, size);
    CHECK(brk(before) == 0, "brk(%p)", (void *)before);
    CHECK(sbrk(0) == before, "the break is at %p", sbrk(0));
    CHECK(brk(after) == 0, "brk(%p)", (void *)after);
    CHECK(sbrk(0) == after, "the break is at %p", sbrk(0));
    CHECK(brk(before) == 0, "brk(%p)", (void *)before);
  }
}

TEST(sbrk_lowers, "sbrk(-n) gives back what sbrk(n) gave") {
  char *before = sbrk(0);
  char *memory = sbrk(4096);
  CHECK(memory == before, "%p and %p", (void *)memory, (void *)before);
  char *top = sbrk(-4096);
  CHECK(top == before + 4096, "sbrk(-4096) gave %p", (void *)top);
  CHECK(sbrk(0) == before, "the break is at %p, was at %p", sbrk(0), (void *)before);
}

TEST(sbrk_keeps_heap, "neither sbrk nor brk gives back memory of the heap") {
  enum { COUNT = 100, SIZE = 3000 };
  unsigned char *blocks[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    if (i % 10 == 5) {
      char *before = sbrk(0);
      errno = 0;
      CHECK(sbrk(-8192) == (void *)-1 && errno == ENOMEM, "sbrk(-8192), errno %d", errno);
      CHECK(brk(before - 8192) == -1, "brk");
      CHECK(sbrk(0) == before, "the break is at %p, was at %p", sbrk(0), (void *)before);
      /* What was taken above may be given back, and not a byte more. */
      CHECK(sbrk(4096) == before, "sbrk(4096)");
      CHECK(sbrk(-8192) == (void *)-1, "sbrk(-8192), of which 4096 bytes are the heap's");
      CHECK(sbrk(-4096) == before + 4096, "sbrk(-4096)");
    }
    blocks[i] = malloc(SIZE);
    CHECK(blocks[i], "malloc");
    fill(blocks[i], SIZE, i);
  }
  for (size_t i = 0; i < COUNT; i++) {
    CHECK(holds(blocks[i], SIZE, SIZE, i), "the contents of block %zu", i);
    free(blocks[i]);
  }
}

TEST(sbrk_fails, "an sbrk or brk that memory cannot meet fails with ENOMEM, the break unmoved") {
  SKIP_IF(!test_options.exhausts, "a request that cannot be met ends this program");
  SKIP_IF(test_options.maximum == 0, "needs a known maximum");
  char *before = sbrk(0);
  const intptr_t increments[] = {INTPTR_MAX,     INTPTR_MAX - 7, INTPTR_MAX - 65536,
                                 INTPTR_MAX / 2, INTPTR_MIN,     INTPTR_MIN + 64};
  for (size_t i = 0; i < sizeof increments / sizeof *increments; i++) {
    errno = 0;
    void *memory = sbrk(increments[i]);
    CHECK(memory == (void *)-1, "sbrk(%td) gave %p", (ptrdiff_t)increments[i], memory);
    CHECK(errno == ENOMEM, "errno is %d after sbrk(%td)", errno, (ptrdiff_t)increments[i]);
    CHECK(sbrk(0) == before, "the break is at %p, was at %p", sbrk(0), (void *)before);
  }
  const uintptr_t addresses[] = {0, 8, UINTPTR_MAX, UINTPTR_MAX - 70000};
  for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
    errno = 0;
    CHECK(brk((void *)addresses[i]) == -1, "brk(%p)", (void *)addresses[i]);
    CHECK(errno == ENOMEM, "errno is %d after brk(%p)", errno, (void *)addresses[i]);
    CHECK(sbrk(0) == before, "the break is at %p, was at %p", sbrk(0), (void *)before);
  }
}

#ifdef __EMSCRIPTEN__
#include <emscripten/heap.h>
#endif

TEST(sbrk_pointer, "emscripten_get_sbrk_ptr points at the break") {
#ifdef __EMSCRIPTEN__
  uintptr_t *pointer = emscripten_get_sbrk_ptr();
  CHECK(*pointer == (uintptr_t)sbrk(0), "%p and %p", (void *)*pointer, sbrk(0));
  void *memory = sbrk(16);
  CHECK(memory != (void *)-1, "sbrk(16)");
  CHECK(*pointer == (uintptr_t)sbrk(0), "%p and %p", (void *)*pointer, sbrk(0));
  CHECK(emscripten_get_sbrk_ptr() == pointer, "the pointer has moved");
  CHECK(brk(memory) == 0, "brk");
#else
  SKIP_IF(true, "only in Emscripten");
#endif
}

/* ---- foreign memory ---- */

enum { BLOCKS = 256, STRANGERS = 120 };

static struct {
  unsigned char *address;
  size_t size;
} live[BLOCKS], strangers[STRANGERS];

/* Whether no block of the walk other than a foreign one touches the strangers' memory. */
static void walk_past_strangers(void) {
#ifndef TEST_OTHER_ALLOCATOR
  struct wasmalloc_statistics statistics;
  wasmalloc_statistics(&statistics);
  size_t parts = statistics.used_size + statistics.free_size + statistics.overhead_size;
  CHECK(statistics.heap_size == parts, "the heap has %zu bytes, its parts %zu",
        statistics.heap_size, parts);
  uintptr_t first = 0;
  uintptr_t end = 0;
  for (struct wasmalloc_block block = {0}; wasmalloc_next_block(&block);) {
    end = (uintptr_t)block.address + block.size;
    if (!first) {
      first = (uintptr_t)block.address;
    }
    if (block.state == WASMALLOC_FOREIGN) {
      continue;
    }
    uintptr_t start = (uintptr_t)block.address;
    for (size_t i = 0; i < STRANGERS; i++) {
      uintptr_t theirs = (uintptr_t)strangers[i].address;
      CHECK(!theirs || theirs + strangers[i].size <= start || start + block.size <= theirs,
            "the block at %p, state %zu, %zu bytes, overlaps foreign memory at %p", block.address,
            block.state, block.size, (void *)theirs);
    }
  }
  size_t theirs = 0;
  for (size_t i = 0; i < STRANGERS; i++) {
    uintptr_t address = (uintptr_t)strangers[i].address;
    theirs += address > first && address < end ? strangers[i].size : 0;
  }
  CHECK(statistics.heap_size + theirs <= end - first + 64,
        "from %p to %p, the heap has %zu bytes, and others %zu", (void *)first, (void *)end,
        statistics.heap_size, theirs);
#endif
}

/* mallocs, frees and reallocs between calls of sbrk with sizes up to `most`. */
static void live_with_strangers(size_t most, bool odd) {
  uint64_t random = test_options.seed + most;
  memset(live, 0, sizeof live);
  memset(strangers, 0, sizeof strangers);
  for (size_t i = 0; i < STRANGERS; i++) {
    for (size_t step = 0; step < 60; step++) {
      size_t at = random_below(&random, BLOCKS);
      size_t size = random_below(&random, step % 20 ? 300 : 12000);
      unsigned char *block = live[at].address;
      size_t old = live[at].size;
      CHECK(!block || holds(block, old, old, at), "block %zu was overwritten", at);
      if (random_below(&random, 3) == 0) {
        free(block);
        live[at].address = NULL;
        continue;
      }
      unsigned char *moved = realloc(block, size);
      CHECK(moved, "realloc to %zu", size);
      CHECK(!block || holds(moved, old, old < size ? old : size, at), "block %zu", at);
      fill(moved, size, at);
      live[at].address = moved;
      live[at].size = size;
    }
    strangers[i].size = 1 + random_below(&random, most);
    if (odd) {
      strangers[i].size |= 1;
    }
    strangers[i].address = sbrk((intptr_t)strangers[i].size);
    CHECK(strangers[i].address != (void *)-1, "sbrk(%zu)", strangers[i].size);
    fill(strangers[i].address, strangers[i].size, i + 1000);
  }
  CHECK(heap_is_sound(), "among strangers");
  walk_past_strangers();
  for (size_t i = 0; i < STRANGERS; i++) {
    CHECK(holds(strangers[i].address, strangers[i].size, strangers[i].size, i + 1000),
          "foreign memory %zu, %zu bytes at %p, was overwritten", i, strangers[i].size,
          (void *)strangers[i].address);
  }
  for (size_t i = 0; i < BLOCKS; i++) {
    CHECK(!live[i].address || holds(live[i].address, live[i].size, live[i].size, i),
          "block %zu was overwritten", i);
    free(live[i].address);
  }
  CHECK(heap_is_sound(), "after freeing all");
  walk_past_strangers();
  malloc_trim(0);
  CHECK(heap_is_sound(), "after trimming");
  for (size_t i = 0; i < STRANGERS; i++) {
    CHECK(holds(strangers[i].address, strangers[i].size, strangers[i].size, i + 1000),
          "foreign memory %zu was overwritten", i);
  }
}

TEST(foreign_odd, "memory that others got by sbrk, in odd sizes, is never touched") {
  live_with_strangers(300, true);
}

TEST(foreign_large, "memory that others got by sbrk, in large pieces, is never touched") {
  live_with_strangers(20000, false);
}

TEST(foreign_early, "memory that others got by sbrk before the first malloc is never touched") {
  CHECK(early != (void *)-1, "sbrk(%d)", EARLY);
  CHECK(holds(early, EARLY, EARLY, EARLY), "it was overwritten");
}

TEST(foreign_at_the_end, "a block at the heap's end moves when foreign memory is behind it") {
  unsigned char *block = malloc(1000);
  CHECK(block, "malloc(1000)");
  fill(block, 1000, 1);
  unsigned char *end = sbrk(100);
  CHECK(end != (void *)-1, "sbrk(100)");
  fill(end, 100, 2);
  for (size_t size = 1000; size < 3000000; size *= 3) {
    block = realloc(block, size * 3);
    CHECK(block, "realloc to %zu", size * 3);
    CHECK(holds(block, size, size, 1), "contents after realloc to %zu", size * 3);
    fill(block, size * 3, 1);
    CHECK(holds(end, 100, 100, 2), "the foreign memory was overwritten");
  }
  free(block);
}

/* ---- growth ---- */

#ifdef TEST_NATIVE
static size_t memory_size(void) {
  return memory_host_size();
}
#elif defined(__wasm__)
static size_t memory_size(void) {
  return (size_t)__builtin_wasm_memory_size(0) * 65536;
}
#else
static size_t memory_size(void) {
  return 0;
}
#endif

TEST(growth, "memory grows when it must, and everything stays where it is") {
  SKIP_IF(memory_size() >= test_options.maximum, "memory is as large as it gets");
  enum { PART = 100000 };
  size_t size = memory_size();
  unsigned char *parts[400];
  size_t count = 0;
  while (count < 400 && memory_size() == size) {
    parts[count] = malloc(PART);
    CHECK(parts[count], "malloc(%d), block %zu", PART, count);
    fill(parts[count], PART, count);
    count++;
  }
  CHECK(memory_size() > size, "still %zu bytes after %zu blocks", size, count);
  while (count > 0) {
    count--;
    CHECK(holds(parts[count], PART, PART, count), "block %zu", count);
    free(parts[count]);
  }
}

TEST(growth_denied, "when growth is denied requests fail, and succeed again when it is allowed") {
#ifdef TEST_NATIVE
  SKIP_IF(test_options.never_frees, "never frees");
  enum { PART = 100000, PARTS = 100 };
  for (size_t allowed = 0; allowed < 4; allowed++) {
    unsigned char *parts[PARTS];
    size_t count = 0;
    size_t largest = 0;
    memory_host_allow_growths(allowed);
    for (size_t size = 4 << 20; size > 0; size /= 2) {
      errno = 0;
      while (count < PARTS && (parts[count] = malloc(size))) {
        fill(parts[count], size, count);
        largest = size > largest ? size : largest;
        count++;
      }
      CHECK(count == PARTS || errno == ENOMEM, "errno is %d", errno);
      CHECK(heap_is_sound(), "after %zu growths", allowed);
    }
    memory_host_allow_growths(SIZE_MAX);
    void *block = malloc(1 << 20);
    CHECK(block, "growth is allowed again");
    free(block);
    while (count > 0) {
      free(parts[--count]);
    }
    malloc_trim(0);
  }
#else
  SKIP_IF(true, "only in the simulated memory");
#endif
}
