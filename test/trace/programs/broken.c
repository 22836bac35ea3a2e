/*
 * Allocators that are wrong in one way each, chosen by BROKEN, for the replay to find out. Otherwise a malloc that goes
 * on and on, with the size in front of the block.
 */
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OUTSIDE = 1, MISALIGNED, NOT_ZERO, LOST, OVERWRITTEN, FULL, TRAPS, HANGS };

#define HEADER 16

static unsigned char *take(size_t bytes) {
  static size_t calls;
  ++calls;
  if (BROKEN == OUTSIDE && calls == 100)
    return (unsigned char *)sbrk(0) + 64;
  if (BROKEN == FULL && calls >= 100)
    return NULL;
  if (BROKEN == TRAPS && calls == 100)
    __builtin_trap();
  for (volatile int forever = BROKEN == HANGS && calls == 100; forever;)
    ;
  unsigned char *block =
      (unsigned char *)sbrk((intptr_t)(2 * HEADER + ((bytes + 15) & ~(size_t)15))) + HEADER;
  memcpy(block - HEADER, &bytes, sizeof bytes);
  return BROKEN == MISALIGNED && calls >= 100 ? block + 4 : block;
}

static unsigned char *latest; /* of malloc's blocks */

void *malloc(size_t bytes) {
  return latest = take(bytes);
}

void *calloc(size_t count, size_t size) {
  unsigned char *block = take(count * size);
  if (block && BROKEN == NOT_ZERO)
    block[count * size - 1] = 1;
  return block;
}

void *memalign(size_t alignment, size_t bytes) {
  uintptr_t start = (uintptr_t)take(alignment + bytes);
  return (void *)((start + alignment - 1) & -alignment);
}

void *realloc(void *old, size_t bytes) {
  size_t size;
  memcpy(&size, (unsigned char *)old - HEADER, sizeof size);
  unsigned char *block = take(bytes);
  if (block && BROKEN != LOST)
    memcpy(block, old, size < bytes ? size : bytes);
  return block;
}

void free(void *block) {
  if (BROKEN == OVERWRITTEN && latest && block != latest)
    *latest ^= 1;
}
