/*
 * Counts the bytes that a program has requested and not freed: what a perfect allocator would need.
 * They are the same with every allocator, so one run counts for all. Stands around Emscripten's own
 * malloc, and keeps the size of each block in front of it.
 */
#include <malloc.h>
#include <stddef.h>
#include <string.h>
#include <emscripten/emscripten.h>
#include <emscripten/heap.h>

/* As large as the largest alignment that the programs ask for, so that the block behind has it. */
#define HEADER 64

static size_t live, peak;

EMSCRIPTEN_KEEPALIVE size_t probe_peak(void) {
  return peak;
}

static size_t *size_of(void *block) {
  return (size_t *)((char *)block - HEADER);
}

static void *count(char *raw, size_t bytes) {
  if (!raw)
    return NULL;
  live += bytes;
  if (live > peak)
    peak = live;
  *size_of(raw + HEADER) = bytes;
  return raw + HEADER;
}

void *memalign(size_t alignment, size_t bytes) {
  if (alignment > HEADER)
    __builtin_trap();
  return count(emscripten_builtin_memalign(HEADER, HEADER + bytes), bytes);
}

void *malloc(size_t bytes) {
  return count(emscripten_builtin_malloc(HEADER + bytes), bytes);
}

void *calloc(size_t number, size_t size) {
  size_t bytes = number * size;
  return count(emscripten_builtin_calloc(1, HEADER + bytes), bytes);
}

void free(void *block) {
  if (!block)
    return;
  live -= *size_of(block);
  emscripten_builtin_free(size_of(block));
}

void *realloc(void *block, size_t bytes) {
  if (!block)
    return malloc(bytes);
  live -= *size_of(block);
  return count(emscripten_builtin_realloc(size_of(block), HEADER + bytes), bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
  return memalign(alignment, bytes);
}

int posix_memalign(void **result, size_t alignment, size_t bytes) {
  *result = memalign(alignment, bytes);
  return *result ? 0 : 12; /* ENOMEM */
}
