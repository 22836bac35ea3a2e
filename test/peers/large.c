/*
 * A memory of 4 GiB. Only a few bytes of each MiB are written to, so that the machine need not have as
 * much.
 */
#define _GNU_SOURCE
#include <emscripten/heap.h>
#include <string.h>

#include "../c/names.h"
#include "fault.h"

#define MIB ((size_t)1 << 20)

enum { PART = 1 << 20, MOST = 4200 };

static unsigned char *parts[MOST];

/* Takes blocks of nearly a MiB until there are no more, and says how many. */
static size_t take_all(void) {
  size_t count = 0;
  while (count < MOST && (parts[count] = malloc(PART - 64))) {
    memcpy(parts[count], &count, sizeof count);
    memcpy(parts[count] + PART - 100, &count, sizeof count);
    count++;
  }
  return count;
}

FAULT(first_small, "the first `malloc(100)` takes no more than 1 MiB of memory") {
  EXPECT(malloc(100), "malloc(100) failed");
  EXPECT(bytes_taken() <= MIB, "%zu bytes were taken", bytes_taken());
}

FAULT(large_all, "of a memory of 4 GiB 99 % can be used") {
  size_t count = take_all();
  EXPECT(count >= emscripten_get_heap_max() / 100 * 99 / PART, "%zu blocks of a MiB", count);
  for (size_t i = 0; i < count; i++) {
    EXPECT(memcmp(parts[i], &i, sizeof i) == 0 && memcmp(parts[i] + PART - 100, &i, sizeof i) == 0,
           "block %zu of %zu was overwritten", i, count);
  }
}

/* The heap's end is near the end of all addresses on wasm32: what is added to it wraps. */
FAULT(large_huge, "when 4 GiB are in use, sizes near `SIZE_MAX` are refused") {
  size_t count = take_all();
  EXPECT(count > 0, "malloc(%d) failed", PART - 64);
  for (size_t step = 0; step < 200000; step += step < 64 ? 1 : 1021) {
    const size_t size = SIZE_MAX - step;
    EXPECT(!malloc(size), "malloc(SIZE_MAX - %zu)", step);
    EXPECT(!calloc(1, size), "calloc(1, SIZE_MAX - %zu)", step);
    EXPECT(!realloc(parts[count - 1], size), "realloc(p, SIZE_MAX - %zu)", step);
    EXPECT(!memalign(65536, size), "memalign(65536, SIZE_MAX - %zu)", step);
    EXPECT(!aligned_alloc(32, size), "aligned_alloc(32, SIZE_MAX - %zu)", step);
  }
}
