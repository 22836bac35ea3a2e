/*
 * A program that defines malloc and the others itself, around emscripten_builtin_malloc and so on, as a
 * leak checker or a profiler does.
 */
#define _GNU_SOURCE
#include <emscripten/heap.h>
#include <stdio.h>
#include <string.h>

#include "../c/names.h"
#include "fault.h"

/* Older headers do not declare these two. */
void *emscripten_builtin_calloc(size_t count, size_t size);
void *emscripten_builtin_realloc(void *block, size_t size);

static size_t allocated, freed;

void *malloc(size_t size) {
  allocated++;
  return emscripten_builtin_malloc(size);
}

void *calloc(size_t count, size_t size) {
  allocated++;
  return emscripten_builtin_calloc(count, size);
}

void *realloc(void *block, size_t size) {
  allocated += !block;
  return emscripten_builtin_realloc(block, size);
}

void *memalign(size_t alignment, size_t size) {
  allocated++;
  return emscripten_builtin_memalign(alignment, size);
}

void free(void *block) {
  freed += block != NULL;
  emscripten_builtin_free(block);
}

FAULT(wrap_malloc, "a program may define `malloc`, `calloc`, `realloc` and `free` around the "
                   "allocator's") {
  for (size_t size = 1; size <= (size_t)8 << 20; size *= 2) {
    unsigned char *block = malloc(size);
    EXPECT(block, "malloc(%zu) failed", size);
    memset(block, 5, size);
    block = realloc(block, 2 * size);
    EXPECT(block && block[0] == 5 && block[size - 1] == 5, "realloc(p, %zu)", 2 * size);
    unsigned char *zeroed = calloc(1, size);
    EXPECT(zeroed && !zeroed[0] && !zeroed[size - 1], "calloc(1, %zu)", size);
    free(zeroed);
    free(block);
  }
}

FAULT(wrap_count, "… and none of these calls another of them") {
  for (size_t size = 1; size <= (size_t)8 << 20; size *= 2) {
    size_t allocated_before = allocated;
    size_t freed_before = freed;
    void *block = realloc(malloc(size), 2 * size);
    void *zeroed = calloc(1, size);
    EXPECT(block && zeroed, "no memory for %zu bytes", size);
    free(zeroed);
    free(block);
    EXPECT(allocated == allocated_before + 2 && freed == freed_before + 2,
           "malloc, calloc, realloc of %zu bytes and 2 times free: %zu allocated, %zu freed", size,
           allocated - allocated_before, freed - freed_before);
  }
}

FAULT(wrap_libc, "… and the C library then calls these") {
  char *copy = strdup("a string of the C library");
  char *printed = NULL;
  EXPECT(copy && asprintf(&printed, "%s", copy) > 0 && printed, "strdup or asprintf failed");
  EXPECT(allocated >= 2, "strdup and asprintf: %zu calls of malloc", allocated);
  size_t before = freed;
  free(copy);
  free(printed);
  EXPECT(freed == before + 2, "%zu calls of free", freed - before);
}

FAULT(wrap_aligned, "… and `memalign`: aligned blocks can be enlarged and freed") {
  for (size_t alignment = 16; alignment <= 65536; alignment *= 4) {
    unsigned char *block = memalign(alignment, 1000);
    EXPECT(block && (uintptr_t)block % alignment == 0, "memalign(%zu, 1000) gave %p", alignment,
           (void *)block);
    memset(block, 7, 1000);
    block = realloc(block, 100000);
    EXPECT(block && block[0] == 7 && block[999] == 7, "realloc after memalign(%zu)", alignment);
    free(block);
    void *other = NULL;
    EXPECT(posix_memalign(&other, alignment, 1000) == 0 && (uintptr_t)other % alignment == 0,
           "posix_memalign(&p, %zu, 1000) gave %p", alignment, other);
    free(other);
    other = aligned_alloc(alignment, alignment);
    EXPECT(other && (uintptr_t)other % alignment == 0, "aligned_alloc(%zu, %zu) gave %p", alignment,
           alignment, other);
    free(other);
  }
}

/* emscripten#23080. */
__attribute__((weak)) void *emscripten_builtin_aligned_alloc(size_t alignment, size_t size);
__attribute__((weak)) int emscripten_builtin_posix_memalign(void **block, size_t alignment,
                                                            size_t size);
__attribute__((weak)) size_t emscripten_builtin_malloc_usable_size(void *block);

FAULT(wrap_all, "… and every function of the allocator has such a second name") {
  NEEDS(emscripten_builtin_aligned_alloc);
  NEEDS(emscripten_builtin_posix_memalign);
  NEEDS(emscripten_builtin_malloc_usable_size);
  void *block = emscripten_builtin_aligned_alloc(64, 640);
  EXPECT(block && emscripten_builtin_malloc_usable_size(block) >= 640, "aligned_alloc gave %p",
         block);
  free(block);
  EXPECT(emscripten_builtin_posix_memalign(&block, 64, 640) == 0 && (uintptr_t)block % 64 == 0,
         "posix_memalign gave %p", block);
  free(block);
}
