/*
 * A memory of 4 GiB: all of it can be used, addresses above 2 GiB are like any other, and sizes
 * that would wrap are refused when it is full as well.
 *
 *   large ALLOCATOR
 *
 * Linked with -sMAXIMUM_MEMORY=4GB. Only a word in every MiB is written to.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "names.h"

enum { PART = 1 << 20, MOST = 4200 };

static unsigned char *parts[MOST];

static int expect(const char *what, int holds) {
  if (!holds) {
    printf("not ok %s; the break is at %p\n", what, sbrk(0));
  }
  return holds;
}

static void mark(size_t i) {
  memcpy(parts[i], &i, sizeof i);
  memcpy(parts[i] + PART - 100, &i, sizeof i);
}

static int is_marked(size_t i) {
  return memcmp(parts[i], &i, sizeof i) == 0 && memcmp(parts[i] + PART - 100, &i, sizeof i) == 0;
}

int main(int argc, char **argv) {
  int never_frees = argc > 1 && strcmp(argv[1], "minimal") == 0;
  size_t count = 0;
  while (count < MOST && (parts[count] = malloc(PART - 64))) {
    mark(count);
    count++;
  }
  /* Emscripten lets memory grow to 4 GiB less one page. */
  if (!expect("4 GiB can be used", count >= 4090 && errno == ENOMEM) ||
      !expect("addresses above 2 GiB", (uintptr_t)parts[count - 1] > 0xF0000000U) ||
      !expect("the heap is sound", wasmalloc_check() == NULL)) {
    return 1;
  }
  for (size_t i = 0; i < count; i++) {
    if (!expect("contents", is_marked(i))) {
      return 1;
    }
  }
  for (size_t less = 0; less < 200000; less += less < 64 ? 1 : 1021) {
    if (!expect("malloc near SIZE_MAX", !malloc(SIZE_MAX - less)) ||
        !expect("realloc near SIZE_MAX", !realloc(parts[count - 1], SIZE_MAX - less)) ||
        !expect("memalign near SIZE_MAX", !memalign(65536, SIZE_MAX - less)) ||
        !expect("aligned_alloc near SIZE_MAX", !aligned_alloc(32, SIZE_MAX - less)) ||
        !expect("calloc over PTRDIFF_MAX", !calloc(1, (size_t)PTRDIFF_MAX + 1 + less)) ||
        !expect("malloc near PTRDIFF_MAX", !malloc((size_t)PTRDIFF_MAX - less)) ||
        !expect("realloc near PTRDIFF_MAX", !realloc(parts[0], (size_t)PTRDIFF_MAX - less)) ||
        !expect("memalign near PTRDIFF_MAX", !memalign(4096, (size_t)PTRDIFF_MAX - less))) {
      return 1;
    }
  }
  if (never_frees) {
    printf("ok %zu blocks of a MiB\n", count);
    return 0;
  }

  /* Every second block, so that nothing merges; then realloc across and above 2 GiB. */
  for (size_t i = 0; i < count; i += 2) {
    free(parts[i]);
  }
  for (size_t i = 1; i < count; i += 2) {
    unsigned char *shrunk = realloc(parts[i], PART / 2);
    if (!expect("realloc", shrunk && memcmp(shrunk, &i, sizeof i) == 0)) {
      return 1;
    }
    parts[i] = shrunk;
  }
  if (!expect("the heap is sound after realloc", wasmalloc_check() == NULL)) {
    return 1;
  }
  for (size_t i = 1; i < count; i += 2) {
    if (!expect("contents after realloc", memcmp(parts[i], &i, sizeof i) == 0)) {
      return 1;
    }
    free(parts[i]);
  }
  struct wasmalloc_statistics statistics;
  wasmalloc_statistics(&statistics);
  if (!expect("no block is left", statistics.used_blocks == 0) ||
      !expect("the heap has nearly 4 GiB", statistics.peak_size > 4090U * PART)) {
    return 1;
  }

  /* One block of nearly half of it, twice. */
  unsigned char *half = malloc((size_t)PTRDIFF_MAX - 100000);
  unsigned char *other = malloc((size_t)PTRDIFF_MAX - 40000000);
  if (!expect("two blocks of nearly 2 GiB", half && other)) {
    return 1;
  }
  half[PTRDIFF_MAX - 100001] = 1;
  other[PTRDIFF_MAX - 40000001] = 2;
  if (!expect("the heap is sound with them", wasmalloc_check() == NULL)) {
    return 1;
  }
  free(half);
  free(other);
  if (!expect("trim", malloc_trim(0) == 1 || statistics.heap_size == 0) ||
      !expect("the heap is sound after trim", wasmalloc_check() == NULL)) {
    return 1;
  }
  printf("ok %zu blocks of a MiB\n", count);
  return 0;
}
