/*
 * A program that defines malloc and free itself, around emscripten_builtin_malloc and the others,
 * as a leak checker or a profiler does. All that the C library allocates must come through here
 * too.
 */
#define _GNU_SOURCE
#include <emscripten/heap.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../lib/wasmalloc.h"

static size_t mallocs, callocs, reallocs, frees;

void *malloc(size_t size) {
  mallocs++;
  return emscripten_builtin_malloc(size);
}

void *calloc(size_t count, size_t size) {
  callocs++;
  return emscripten_builtin_calloc(count, size);
}

void *realloc(void *block, size_t size) {
  reallocs++;
  return emscripten_builtin_realloc(block, size);
}

void free(void *block) {
  frees++;
  emscripten_builtin_free(block);
}

static int expect(const char *what, int holds) {
  if (!holds) {
    printf("not ok %s: %zu mallocs, %zu callocs, %zu reallocs, %zu frees\n", what, mallocs, callocs,
           reallocs, frees);
  }
  return holds;
}

int main(void) {
  unsigned char *block = malloc(100);
  unsigned char *zeroed = calloc(10, 10);
  if (!expect("malloc and calloc", block && zeroed && mallocs == 1 && callocs == 1)) {
    return 1;
  }
  memset(block, 5, 100);
  block = realloc(block, 100000);
  if (!expect("realloc", block && block[99] == 5 && reallocs == 1) ||
      !expect("only what the program called", mallocs == 1 && frees == 0)) {
    return 1;
  }
  free(block);
  free(zeroed);
  if (!expect("free", frees == 2)) {
    return 1;
  }

  /* What libc allocates. */
  char *copy = strdup("a string of libc's");
  if (!expect("strdup", copy && mallocs == 2 && strcmp(copy, "a string of libc's") == 0)) {
    return 1;
  }
  free(copy);
  char *printed = NULL;
  if (!expect("asprintf", asprintf(&printed, "%d %s", 42, "words") == 8 && printed &&
                              strcmp(printed, "42 words") == 0)) {
    return 1;
  }
  free(printed);

  /* Aligned memory is the allocator's own, and its free is the program's. */
  void *aligned = NULL;
  if (!expect("posix_memalign", posix_memalign(&aligned, 256, 1000) == 0 && aligned &&
                                    (uintptr_t)aligned % 256 == 0)) {
    return 1;
  }
  free(aligned);
  aligned = aligned_alloc(64, 640);
  if (!expect("aligned_alloc", aligned && (uintptr_t)aligned % 64 == 0)) {
    return 1;
  }
  free(aligned);
  if (!expect("the heap is sound", wasmalloc_check() == NULL)) {
    return 1;
  }
  printf("ok wrapped\n");
  return 0;
}
