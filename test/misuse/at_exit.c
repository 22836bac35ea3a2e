/*
 * Misuse that no call of malloc() or free() comes across: of blocks that are never freed, and of freed ones that are
 * not used again. A check of the whole heap finds it, when the program ends. And what not even that can find.
 */
#define _GNU_SOURCE
#include "misuse.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* What a check calls a fault in a row of blocks depends on what else is overwritten. */
#define BESIDE (OVERFLOW | UNDERFLOW | CORRUPTED)
#define IN_FREE (AFTER_FREE | OVERFLOW | UNDERFLOW | CORRUPTED | BESIDE_HEAP)

/* Lengths and patterns in one number. */
#define BYTES(bytes, pattern) ((bytes) << 2 | (pattern))

static size_t bytes_of(int argument) {
  return (size_t)argument >> 2;
}

static enum pattern pattern_of(int argument) {
  return (enum pattern)(argument & 3);
}

/* ---- overflow ---- */

static void overflow_kept(size_t size, int argument) {
  char *block = take(size);
  take(size);
  damage(block + size, bytes_of(argument), pattern_of(argument));
}

static void overflow_last(size_t size, int argument) {
  take(size);
  overflow_kept(size, argument);
}

/* Of requests of all remainders modulo what sizes are rounded to. */
static void overflow_rounding(size_t size, int more) {
  overflow_kept(size + (size_t)more, BYTES(1, ZEROES));
}

static void overflow_aligned(size_t size, int argument) {
  char *block = adopt(memalign(256, size), size);
  take(size);
  damage(block + size, bytes_of(argument), pattern_of(argument));
}

static void overflow_resized(size_t size, int argument) {
  void *old = take(size * 4);
  take(size);
  forget(old);
  char *block = adopt(realloc(old, size), size);
  damage(block + size, bytes_of(argument), pattern_of(argument));
}

/* The program goes on, with other blocks. */
static void overflow_and_go_on(size_t size, int argument) {
  overflow_kept(size, argument);
  take(size);
  give(take(size * 2));
}

static const struct misuse kept_overflows[] = {
    {"kept-overflow-0", "a 0 right behind the block, as a string's end", BESIDE, ALL_SIZES,
     overflow_kept, BYTES(1, ZEROES)},
    {"kept-overflow-1", "one byte past the end", BESIDE, ALL_SIZES, overflow_kept,
     BYTES(1, FLIPPED)},
    {"kept-overflow-8", "8 bytes past the end", BESIDE, ALL_SIZES, overflow_kept,
     BYTES(8, LETTERS)},
    {"kept-overflow-31", "31 bytes past the end", BESIDE, ALL_SIZES, overflow_kept,
     BYTES(31, LETTERS)},
    {"kept-overflow-rounding-1", "malloc(size + 1), and a 0 right behind it", BESIDE, ALL_SIZES,
     overflow_rounding, 1},
    {"kept-overflow-rounding-4", "malloc(size + 4), and a 0 right behind it", BESIDE, ALL_SIZES,
     overflow_rounding, 4},
    {"kept-overflow-rounding-7", "malloc(size + 7), and a 0 right behind it", BESIDE, ALL_SIZES,
     overflow_rounding, 7},
    {"kept-overflow-rounding-8", "malloc(size + 8), and a 0 right behind it", BESIDE, ALL_SIZES,
     overflow_rounding, 8},
    {"kept-overflow-rounding-13", "malloc(size + 13), and a 0 right behind it", BESIDE, ALL_SIZES,
     overflow_rounding, 13},
    {"kept-overflow-of-last", "8 bytes past the last block", BESIDE, ALL_SIZES, overflow_last,
     BYTES(8, LETTERS)},
    {"kept-overflow-of-aligned", "one byte past a block from memalign()", BESIDE, ALL_SIZES,
     overflow_aligned, BYTES(1, FLIPPED)},
    {"kept-overflow-of-shrunk", "one byte past a block that realloc() has made smaller", BESIDE,
     ALL_SIZES, overflow_resized, BYTES(1, FLIPPED)},
    {"kept-overflow-and-go-on", "one byte past the end, and others are allocated and freed", BESIDE,
     ALL_SIZES, overflow_and_go_on, BYTES(1, FLIPPED)},
};

const struct misuse_class kept_overflow_class =
    CLASS("overflow of a block that is never freed", kept_overflows, AT_EXIT);

/* ---- underflow ---- */

static void underflow_kept(size_t size, int argument) {
  take(size);
  char *block = take(size);
  take(size);
  damage(block - bytes_of(argument), bytes_of(argument), pattern_of(argument));
}

static void underflow_first(size_t size, int argument) {
  char *block = take(size);
  take(size);
  damage(block - bytes_of(argument), bytes_of(argument), pattern_of(argument));
}

static void underflow_aligned(size_t size, int argument) {
  char *block = adopt(memalign(256, size), size);
  take(size);
  damage(block - bytes_of(argument), bytes_of(argument), pattern_of(argument));
}

static const struct misuse kept_underflows[] = {
    {"kept-underflow-1", "one byte before the block", BESIDE, ALL_SIZES, underflow_kept,
     BYTES(1, FLIPPED)},
    {"kept-underflow-8", "8 bytes before the block", BESIDE, ALL_SIZES, underflow_kept,
     BYTES(8, LETTERS)},
    {"kept-underflow-16", "16 bytes before the block", BESIDE, ALL_SIZES, underflow_kept,
     BYTES(16, ZEROES)},
    {"kept-underflow-of-first", "8 bytes before the first block of the heap", BESIDE, ALL_SIZES,
     underflow_first, BYTES(8, FLIPPED)},
    {"kept-underflow-of-aligned", "one byte before a block from memalign()", IN_FREE, ALL_SIZES,
     underflow_aligned, BYTES(1, FLIPPED)},
};

const struct misuse_class kept_underflow_class =
    CLASS("underflow of a block that is never freed", kept_underflows, AT_EXIT);

/* ---- write after free ---- */

/* A block in the middle of others that is freed, as `others` of them are. */
static char *freed_among(size_t size, int others) {
  void *before[20];
  void *behind[20];
  for (int i = 0; i < others; i++)
    before[i] = take(size);
  char *block = take(size);
  for (int i = 0; i < others; i++)
    behind[i] = take(size);
  take(size);
  for (int i = 0; i < others; i++)
    give(before[i]);
  give(block);
  for (int i = 0; i < others; i++)
    give(behind[i]);
  return block;
}

enum { FIRST, MIDDLE, LAST, ALL, PLACES = 3 };
enum { ALONE = 0, AMONG_1 = 1 << 2, AMONG_20 = 20 << 2 };

static void write_to_freed(size_t size, int argument) {
  char *block = freed_among(size, argument >> 2);
  switch (argument & PLACES) {
  case FIRST:
    damage(block, 1, FLIPPED);
    break;
  case MIDDLE:
    damage(block + size / 2, 1, FLIPPED);
    break;
  case LAST:
    damage(block + size - 1, 1, FLIPPED);
    break;
  default:
    damage(block, size, LETTERS);
    break;
  }
}

static void write_to_moved(size_t size, int argument) {
  (void)argument;
  char *block = take(size);
  take(size);
  forget(block);
  void *moved = realloc(block, size * 10);
  if (moved == block)
    impossible("realloc() has not moved the block");
  adopt(moved, size * 10);
  damage(block + size / 2, 1, FLIPPED);
}

static void write_to_tail(size_t size, int argument) {
  (void)argument;
  char *block = take(size * 20);
  take(size);
  forget(block);
  block = adopt(realloc(block, size), size);
  damage(block + size * 15, 1, FLIPPED);
}

#define WRITES(name, text, others)                                                                 \
  {"kept-freed-first-byte" name,                                                                   \
   "the first byte of a freed block" text,                                                         \
   IN_FREE,                                                                                        \
   ALL_SIZES,                                                                                      \
   write_to_freed,                                                                                 \
   FIRST + (others)},                                                                              \
      {"kept-freed-middle-byte" name,                                                              \
       "its middle byte" text,                                                                     \
       IN_FREE,                                                                                    \
       ALL_SIZES,                                                                                  \
       write_to_freed,                                                                             \
       MIDDLE + (others)},                                                                         \
      {"kept-freed-last-byte" name,                                                                \
       "its last byte" text,                                                                       \
       IN_FREE,                                                                                    \
       ALL_SIZES,                                                                                  \
       write_to_freed,                                                                             \
       LAST + (others)},                                                                           \
  {                                                                                                \
    "kept-freed-all" name, "all bytes become 'A'" text, IN_FREE, ALL_SIZES, write_to_freed,        \
        ALL + (others)                                                                             \
  }

static const struct misuse kept_freed[] = {
    WRITES("", "", ALONE),
    WRITES("-among-1", ", its neighbours are free, too", AMONG_1),
    WRITES("-among-20", ", 20 on each side are free, too", AMONG_20),
    {"kept-freed-moved", "the old place of a block that realloc() has moved", IN_FREE, ALL_SIZES,
     write_to_moved, 0},
    {"kept-freed-tail", "the tail that realloc() has cut off", IN_FREE, ALL_SIZES, write_to_tail,
     0},
};

const struct misuse_class kept_freed_class =
    CLASS("write after free, and the memory is not used again", kept_freed, AT_EXIT);

/* ---- writes that skip what stands beside a block ---- */

/* One byte, so far past the end. What is there was never handed out, or has been freed. */
static void write_far_past(size_t size, int distance) {
  char *block = take(size);
  damage(block + size + distance, 1, FLIPPED);
}

static void write_far_into_freed(size_t size, int distance) {
  char *block = take(size);
  void *behind = take(size * 8);
  take(size);
  give(behind);
  damage(block + size + distance, 1, FLIPPED);
}

static void write_far_before_first(size_t size, int distance) {
  char *block = take(size);
  take(size);
  damage(block - distance, 1, FLIPPED);
}

static const struct misuse far[] = {
    {"far-past-last", "the byte 31 bytes past the last block", IN_FREE, ALL_SIZES, write_far_past,
     31},
    {"far-past-last-200", "the byte 200 bytes past the last block", IN_FREE, ALL_SIZES,
     write_far_past, 200},
    {"far-before-first", "the byte 32 bytes before the heap's first block", IN_FREE, ALL_SIZES,
     write_far_before_first, 32},
    {"far-before-first-200", "the byte 200 bytes before the heap's first block", IN_FREE, ALL_SIZES,
     write_far_before_first, 200},
    {"far-into-freed", "the byte 40 bytes past a block, and the one behind was freed", IN_FREE,
     ALL_SIZES, write_far_into_freed, 40},
};

const struct misuse_class far_class =
    CLASS("write further away, into memory that is not in use", far, AT_EXIT);

/* Another live block's contents are nobody's business but the program's. */
static void write_into_live(size_t size, int distance) {
  char *block = take(size);
  char *behind = take(size * 8);
  damage(distance < 0 ? behind + distance : block + size + distance, 1, FLIPPED);
}

static const struct misuse lost[] = {
    {"lost-into-next", "the byte 63 bytes past a block: the next one's", ANY_FAULT, ALL_SIZES,
     write_into_live, 63},
    {"lost-into-previous", "the byte 64 bytes before a block: the previous one's", ANY_FAULT,
     ALL_SIZES & ~SIZE_8, write_into_live, -64},
};

const struct misuse_class lost_class =
    CLASS("write further away, into another block in use", lost, NEVER);

/* ---- strings without their end ---- */

/* Two blocks without a 0, one behind the other. */
static char *endless_string(size_t size, char **behind) {
  char *block = take(size);
  char *next = take(size);
  forget(block);
  forget(next);
  memset(block, 's', size);
  memset(next, 'n', size);
  *behind = next;
  return block;
}

static void string_ends(size_t size, int argument) {
  (void)argument;
  char *behind;
  char *text = endless_string(size, &behind);
  if (strlen(text) >= (size_t)(behind - text) && behind > text)
    exploited("a string without its end goes on in the next block");
}

static void string_ends_before_freed(size_t size, int argument) {
  (void)argument;
  char *behind;
  char *text = endless_string(size, &behind);
  free(behind);
  if (strlen(text) >= (size_t)(behind - text) && behind > text)
    exploited("a string without its end goes on in the next block");
}

static const struct misuse strings[] = {
    {"string-ends", "strlen() of a block without a 0: the next block is not reached", NO_FAULT,
     ALL_SIZES, string_ends, 0},
    {"string-ends-before-freed", "the same, and the next block was freed", NO_FAULT, ALL_SIZES,
     string_ends_before_freed, 0},
};

const struct misuse_class string_class =
    CLASS("string without its end: does not reach the next block", strings, NEVER);
