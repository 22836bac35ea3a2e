/*
 * Writes past the end of a block, and before its beginning. They are to be found when the block is freed, at the
 * latest.
 */
#define _GNU_SOURCE
#include "misuse.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

/* Lengths and patterns in one number. */
#define BYTES(bytes, pattern) ((bytes) << 2 | (pattern))

static size_t bytes_of(int argument) {
  return (size_t)argument >> 2;
}

static enum pattern pattern_of(int argument) {
  return (enum pattern)(argument & 3);
}

static void free_damaged(void *block, size_t size) {
  give(block);
  too_late();
  use_heap(size);
}

/* ---- overflow ---- */

/* Behind an overflow of 1 MiB there is so much of the heap. */
static void take_memory_behind(const char *block, size_t size) {
  while ((size_t)((char *)sbrk(0) - block) < size + 2 * MIB)
    take(100000);
}

static void overflow(size_t size, int argument) {
  char *block = take(size);
  take(size);
  if (bytes_of(argument) >= MIB)
    take_memory_behind(block, size);
  damage(block + size, bytes_of(argument), pattern_of(argument));
  free_damaged(block, size);
}

/* Of a request that is so many bytes larger, and none of these is a multiple of what sizes are rounded to. */
static void overflow_rounding(size_t size, int more) {
  size += (size_t)more;
  char *block = take(size);
  take(size);
  damage(block + size, 1, FLIPPED);
  free_damaged(block, size);
}

/* What lies behind the last block may not even be the heap's. */
static void overflow_last(size_t size, int argument) {
  take(size);
  char *block = take(size);
  damage(block + size, bytes_of(argument), pattern_of(argument));
  free_damaged(block, size);
}

static void overflow_aligned(size_t size, int argument) {
  char *block = adopt(memalign(256, size), size);
  take(size);
  damage(block + size, bytes_of(argument), pattern_of(argument));
  free_damaged(block, size);
}

static void overflow_calloc(size_t size, int argument) {
  char *block = adopt(calloc(1, size), size);
  take(size);
  damage(block + size, bytes_of(argument), pattern_of(argument));
  free_damaged(block, size);
}

/* The block was larger: so many times, in halves. */
static void overflow_resized(size_t size, int halves) {
  void *old = take(size / 2 * (size_t)halves);
  take(size);
  forget(old);
  char *block = adopt(realloc(old, size), size);
  damage(block + size, 1, FLIPPED);
  free_damaged(block, size);
}

/* It is realloc() that gets the block. */
static void overflow_then_realloc(size_t size, int argument) {
  char *block = take(size);
  take(size);
  damage(block + size, bytes_of(argument), pattern_of(argument));
  forget(block);
  if (realloc(block, size * 10))
    too_late();
  use_heap(size);
}

/* The block behind has been freed. */
static void overflow_into_free(size_t size, int argument) {
  char *block = take(size);
  void *behind = take(size);
  take(size);
  give(behind);
  damage(block + size, bytes_of(argument), pattern_of(argument));
  free_damaged(block, size);
}

/* Nobody frees the block itself; the one behind is used on. */
static void overflow_into_freed_later(size_t size, int argument) {
  char *block = take(size);
  void *behind = take(size);
  take(size);
  damage(block + size, bytes_of(argument), pattern_of(argument));
  give(behind);
  use_heap(size);
  free_damaged(block, size);
}

/* What a fault behind the block may be called: what is there is the head of the next, too. */
#define BEHIND (OVERFLOW | UNDERFLOW | CORRUPTED)
#define BEHIND_FREE (BEHIND | AFTER_FREE)

#define OVERFLOWS(bytes)                                                                           \
  {                                                                                                \
      "overflow-" #bytes "-zeroes",                                                                \
      #bytes " bytes past the end become 0",                                                       \
      BEHIND,                                                                                      \
      ALL_SIZES,                                                                                   \
      overflow,                                                                                    \
      BYTES(bytes, ZEROES)},                                                                       \
      {"overflow-" #bytes "-ones",                                                                 \
       #bytes " bytes past the end become 0xff",                                                   \
       BEHIND,                                                                                     \
       ALL_SIZES,                                                                                  \
       overflow,                                                                                   \
       BYTES(bytes, ONES)},                                                                        \
      {"overflow-" #bytes "-letters",                                                              \
       #bytes " bytes past the end become 'A'",                                                    \
       BEHIND,                                                                                     \
       ALL_SIZES,                                                                                  \
       overflow,                                                                                   \
       BYTES(bytes, LETTERS)},                                                                     \
  {                                                                                                \
    "overflow-" #bytes "-flipped", #bytes " bytes past the end are inverted", BEHIND, ALL_SIZES,   \
        overflow, BYTES(bytes, FLIPPED)                                                            \
  }

#define ROUNDING(more)                                                                             \
  {                                                                                                \
    "overflow-rounding-" #more, "malloc(size + " #more "), and one byte past the end is inverted", \
        BEHIND, ALL_SIZES, overflow_rounding, more                                                 \
  }

static const struct misuse overflows[] = {
    OVERFLOWS(1),
    OVERFLOWS(2),
    OVERFLOWS(4),
    OVERFLOWS(8),
    OVERFLOWS(16),
    OVERFLOWS(32),
    {"overflow-mib-zeroes", "1 MiB past the end becomes 0", ANY_FAULT, ALL_SIZES, overflow,
     BYTES(1 << 20, ZEROES)},
    {"overflow-mib-letters", "1 MiB past the end becomes 'A'", ANY_FAULT, ALL_SIZES, overflow,
     BYTES(1 << 20, LETTERS)},
    {"overflow-mib-flipped", "1 MiB past the end is inverted", ANY_FAULT, ALL_SIZES, overflow,
     BYTES(1 << 20, FLIPPED)},
    ROUNDING(1),
    ROUNDING(2),
    ROUNDING(3),
    ROUNDING(4),
    ROUNDING(5),
    ROUNDING(6),
    ROUNDING(7),
    ROUNDING(8),
    ROUNDING(9),
    ROUNDING(10),
    ROUNDING(11),
    ROUNDING(12),
    ROUNDING(13),
    ROUNDING(14),
    ROUNDING(15),
    {"overflow-of-last-1", "one byte past the last block of the heap", BEHIND, ALL_SIZES,
     overflow_last, BYTES(1, FLIPPED)},
    {"overflow-of-last-32", "32 bytes past the last block of the heap", BEHIND, ALL_SIZES,
     overflow_last, BYTES(32, LETTERS)},
    {"overflow-of-aligned-1", "one byte past a block that memalign() has aligned", BEHIND,
     ALL_SIZES, overflow_aligned, BYTES(1, FLIPPED)},
    {"overflow-of-aligned-32", "32 bytes past a block that memalign() has aligned", BEHIND,
     ALL_SIZES, overflow_aligned, BYTES(32, LETTERS)},
    {"overflow-of-calloc", "one byte past a block from calloc()", BEHIND, ALL_SIZES,
     overflow_calloc, BYTES(1, FLIPPED)},
    {"overflow-of-shrunk", "one byte past the new end of a block that realloc() has made smaller",
     BEHIND, ALL_SIZES, overflow_resized, 4},
    {"overflow-of-slightly-shrunk",
     "one byte past the new end of a block that realloc() has made a little smaller", BEHIND,
     ALL_SIZES, overflow_resized, 3},
    {"overflow-of-grown", "one byte past the end of a block that realloc() has enlarged", BEHIND,
     ALL_SIZES, overflow_resized, 1},
    {"overflow-then-realloc", "one byte past the end, and realloc() to ten times the size", BEHIND,
     ALL_SIZES, overflow_then_realloc, BYTES(1, FLIPPED)},
    {"overflow-into-free-1", "one byte past the end, and the block behind is free", BEHIND_FREE,
     ALL_SIZES, overflow_into_free, BYTES(1, FLIPPED)},
    {"overflow-into-free-8", "8 bytes past the end, and the block behind is free", BEHIND_FREE,
     ALL_SIZES, overflow_into_free, BYTES(8, LETTERS)},
    {"overflow-into-free-32", "32 bytes past the end, and the block behind is free", BEHIND_FREE,
     ALL_SIZES, overflow_into_free, BYTES(32, FLIPPED)},
    {"overflow-into-freed-later", "32 bytes past the end, and the block behind is freed then",
     BEHIND_FREE, ALL_SIZES, overflow_into_freed_later, BYTES(32, LETTERS)},
};

const struct misuse_class overflow_class = CLASS("overflow", overflows, AT_FREE);

/* ---- underflow ---- */

/* A block before which there is so much of the heap that an underflow stays in it. */
static char *take_behind(size_t room, size_t size) {
  while ((size_t)((char *)sbrk(0) - heap_start) < room)
    take(100000);
  /* The last of them frees nothing: no hole is left where the block could go. */
  for (size_t i = 0; i < 200000; i++) {
    char *block = malloc(size);
    if (!block)
      break;
    if ((size_t)(block - heap_start) >= room)
      return adopt(block, size);
  }
  impossible("no block of %zu bytes has %zu bytes of the heap before it", size, room);
}

static void underflow(size_t size, int argument) {
  size_t bytes = bytes_of(argument);
  char *block;
  if (bytes >= MIB) {
    block = take_behind(MIB + MIB / 2, size);
  } else {
    take(size);
    block = take_behind(64, size);
  }
  take(size);
  damage(block - bytes, bytes, pattern_of(argument));
  free_damaged(block, size);
}

static void underflow_first(size_t size, int argument) {
  char *block = take(size);
  take(size);
  size_t bytes = bytes_of(argument);
  if ((size_t)(block - heap_start) < bytes)
    bytes = (size_t)(block - heap_start);
  damage(block - bytes, bytes, pattern_of(argument));
  free_damaged(block, size);
}

static void underflow_aligned(size_t size, int argument) {
  take(size);
  char *block = adopt(memalign(256, size), size);
  take(size);
  damage(block - bytes_of(argument), bytes_of(argument), pattern_of(argument));
  free_damaged(block, size);
}

static void underflow_then_realloc(size_t size, int argument) {
  take(size);
  char *block = take(size);
  take(size);
  damage(block - bytes_of(argument), bytes_of(argument), pattern_of(argument));
  forget(block);
  if (realloc(block, size * 10))
    too_late();
  use_heap(size);
}

#define BEFORE (UNDERFLOW | OVERFLOW | NO_BLOCK | CORRUPTED)

#define UNDERFLOWS(bytes)                                                                          \
  {"underflow-" #bytes "-zeroes",                                                                  \
   #bytes " bytes before the block become 0",                                                      \
   BEFORE,                                                                                         \
   ALL_SIZES,                                                                                      \
   underflow,                                                                                      \
   BYTES(bytes, ZEROES)},                                                                          \
      {"underflow-" #bytes "-ones",                                                                \
       #bytes " bytes before the block become 0xff",                                               \
       BEFORE,                                                                                     \
       ALL_SIZES,                                                                                  \
       underflow,                                                                                  \
       BYTES(bytes, ONES)},                                                                        \
      {"underflow-" #bytes "-letters",                                                             \
       #bytes " bytes before the block become 'A'",                                                \
       BEFORE,                                                                                     \
       ALL_SIZES,                                                                                  \
       underflow,                                                                                  \
       BYTES(bytes, LETTERS)},                                                                     \
  {                                                                                                \
    "underflow-" #bytes "-flipped", #bytes " bytes before the block are inverted", BEFORE,         \
        ALL_SIZES, underflow, BYTES(bytes, FLIPPED)                                                \
  }

static const struct misuse underflows[] = {
    UNDERFLOWS(1),
    UNDERFLOWS(2),
    UNDERFLOWS(4),
    UNDERFLOWS(8),
    UNDERFLOWS(16),
    UNDERFLOWS(32),
    {"underflow-mib-zeroes", "1 MiB before the block becomes 0", ANY_FAULT, ALL_SIZES, underflow,
     BYTES(1 << 20, ZEROES)},
    {"underflow-mib-letters", "1 MiB before the block becomes 'A'", ANY_FAULT, ALL_SIZES, underflow,
     BYTES(1 << 20, LETTERS)},
    {"underflow-mib-flipped", "1 MiB before the block is inverted", ANY_FAULT, ALL_SIZES, underflow,
     BYTES(1 << 20, FLIPPED)},
    {"underflow-of-first", "8 bytes before the first block of the heap", BEFORE, ALL_SIZES,
     underflow_first, BYTES(8, FLIPPED)},
    {"underflow-of-aligned-1", "one byte before a block that memalign() has aligned", BEFORE,
     ALL_SIZES, underflow_aligned, BYTES(1, FLIPPED)},
    {"underflow-of-aligned-32", "32 bytes before a block that memalign() has aligned", BEFORE,
     ALL_SIZES, underflow_aligned, BYTES(32, LETTERS)},
    {"underflow-then-realloc", "one byte before the block, and realloc() to ten times the size",
     BEFORE, ALL_SIZES, underflow_then_realloc, BYTES(1, FLIPPED)},
};

const struct misuse_class underflow_class = CLASS("underflow", underflows, AT_FREE);
