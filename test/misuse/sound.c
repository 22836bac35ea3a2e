/*
 * Programs that must come to their end: what the hardened build promises of freed memory, and correct programs
 * that do odd things, which every allocator has to bear.
 */
#define _GNU_SOURCE
#include "misuse.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../c/model.h"

#define EXPECT(condition, ...)                                                                     \
  do {                                                                                             \
    if (!(condition))                                                                              \
      exploited(__VA_ARGS__);                                                                      \
  } while (0)

/* Not every allocator has it. */
__attribute__((weak)) int malloc_trim(size_t keep);

/* ---- what is left in freed memory, and when it is handed out again ---- */

#define SECRET "SECRETSECRETSECRET"
enum { TELLING = 6 }; /* so many bytes of it give it away */

static void *keep_secret(void *block, size_t size) {
  if (!block)
    impossible("there is no block of %zu bytes", size);
  for (size_t i = 0; i < size; i++)
    ((char *)block)[i] = SECRET[i % TELLING];
  return block;
}

/* Whoever reads freed memory finds nothing. */
static void look_for_secret(const char *block, size_t size) {
  for (size_t i = 0; i + TELLING <= size; i++)
    if (memcmp(block + i, SECRET, TELLING) == 0)
      exploited("byte %zu of %zu of a freed block still has what was written there", i, size);
}

static void secret_after_free(size_t size, int alignment) {
  char *block = keep_secret(alignment ? memalign((size_t)alignment, size) : malloc(size), size);
  take(size);
  free(block);
  look_for_secret(block, size);
}

static void secret_after_move(size_t size, int argument) {
  (void)argument;
  char *block = keep_secret(malloc(size), size);
  take(size);
  char *moved = realloc(block, size * 10);
  if (moved == block)
    impossible("realloc() has not moved the block");
  look_for_secret(block, size);
}

static void secret_after_shrink(size_t size, int argument) {
  (void)argument;
  char *block = keep_secret(malloc(size * 20), size * 20);
  take(size);
  char *shrunk = realloc(block, size);
  if (shrunk == block)
    look_for_secret(block + malloc_usable_size(block), size * 20 - malloc_usable_size(block));
  else
    look_for_secret(block, size * 20);
  free(shrunk);
  look_for_secret(block, size * 20);
}

/* lib/debug.c has it. */
#define FRESH ((char)0xcd)

/* The next owner of the memory finds nothing but zeroes, or what a debug build fills fresh blocks with. */
static void fresh_is_zero(size_t size, int argument) {
  (void)argument;
  static void *held[200];
  size_t count = size > 10000 ? 20 : 200;
  for (int round = 0; round < 3; round++) {
    for (size_t i = 0; i < count; i++) {
      char *block = held[i] = malloc(size);
      for (size_t j = 0; j < size; j++)
        EXPECT(!block[j] || block[j] == FRESH, "byte %zu of a fresh block of %zu is not zero", j,
               size);
      keep_secret(block, size);
    }
    for (size_t i = 0; i < count; i++)
      free(held[i]);
  }
}

static void not_at_once(size_t size, int argument) {
  (void)argument;
  void *block = take(size);
  take(size);
  give(block);
  EXPECT(take(size) != block, "the block that was just freed is handed out again");
}

static void not_the_last_eight(size_t size, int argument) {
  (void)argument;
  enum { COUNT = 8 };
  void *freed[COUNT];
  for (int i = 0; i < COUNT; i++)
    freed[i] = take(size);
  take(size);
  for (int i = 0; i < COUNT; i++)
    give(freed[i]);
  for (int i = 0; i < COUNT; i++) {
    void *block = take(size);
    for (int j = 0; j < COUNT; j++)
      EXPECT(block != freed[j], "one of the %d blocks freed last is handed out again", COUNT);
  }
}

static const struct misuse data[] = {
    {"data-after-free", "a freed block has nothing of what was in it", NO_FAULT, ALL_SIZES,
     secret_after_free, 0},
    {"data-after-free-of-aligned", "the same of one that memalign() had aligned", NO_FAULT,
     ALL_SIZES, secret_after_free, 256},
    {"data-after-move", "the same of one that realloc() has moved", NO_FAULT, ALL_SIZES,
     secret_after_move, 0},
    {"data-after-shrink", "the same of the tail that realloc() has cut off", NO_FAULT, ALL_SIZES,
     secret_after_shrink, 0},
    {"data-in-fresh", "a block from malloc() is zero, though the memory was used before", NO_FAULT,
     ALL_SIZES, fresh_is_zero, 0},
    {"not-reused-at-once", "the next block of the size is not the one that was just freed",
     NO_FAULT, ALL_SIZES, not_at_once, 0},
    {"not-reused-of-8", "the next 8 blocks of the size are none of the 8 that were just freed",
     NO_FAULT, SIZE_8 | SIZE_100, not_the_last_eight, 0},
};

const struct misuse_class data_class =
    CLASS("freed memory: nothing left, not reused at once", data, NEVER);

/* ---- correct programs ---- */

static void null_pointers(size_t size, int argument) {
  (void)argument;
  for (int i = 0; i < 100; i++)
    free(NULL);
  give(adopt(realloc(NULL, size), size));
  use_heap(size);
}

static void empty_blocks(size_t size, int argument) {
  (void)argument;
  void *empty[100];
  for (int i = 0; i < 100; i++) {
    empty[i] = malloc(0);
    take(size);
  }
  for (int i = 0; i < 100; i++) {
    /* May be NULL, and no two are the same otherwise. */
    for (int j = 0; j < i; j++)
      EXPECT(!empty[i] || empty[i] != empty[j], "malloc(0) gave a block twice");
  }
  for (int i = 0; i < 100; i++)
    free(empty[i]);
  use_heap(size);
}

/* realloc(p, 0) frees the block, or makes it as small as can be: both are usual. */
static void realloc_to_nothing(size_t size, int argument) {
  (void)argument;
  for (int i = 0; i < 1000; i++) {
    void *block = take(size);
    forget(block);
    free(realloc(block, 0));
  }
  use_heap(size);
}

static void aligned_blocks(size_t size, int argument) {
  (void)argument;
  for (size_t alignment = sizeof(void *); alignment <= 65536; alignment *= 2) {
    void *one = adopt(memalign(alignment, size), size);
    void *two = NULL;
    EXPECT(posix_memalign(&two, alignment, size) == 0, "posix_memalign failed");
    adopt(two, size);
    size_t multiple = (size + alignment - 1) & ~(alignment - 1);
    void *three = adopt(aligned_alloc(alignment, multiple), multiple);
    EXPECT(is_aligned(one, alignment) && is_aligned(two, alignment) && is_aligned(three, alignment),
           "a block is not aligned to %zu", alignment);
    give(two);
    forget(one);
    one = adopt(realloc(one, size * 2), size * 2);
    give(three);
    give(one);
  }
  use_heap(size);
}

static void aligned_at_random(size_t size, int argument) {
  (void)argument;
  void *blocks[60] = {NULL};
  uint64_t random = 1;
  for (int i = 0; i < 3000; i++) {
    void **block = &blocks[random_below(&random, 60)];
    if (*block)
      give(*block);
    size_t alignment = (size_t)8 << random_below(&random, 10);
    size_t wanted = random_below(&random, random_below(&random, 10) ? 2 * size : 10 * size);
    *block = adopt(memalign(alignment, wanted), wanted);
    EXPECT(is_aligned(*block, alignment), "a block is not aligned to %zu", alignment);
    if (random_below(&random, 4) == 0) {
      wanted = random_below(&random, 3 * size);
      forget(*block);
      *block = adopt(realloc(*block, wanted + 1), wanted + 1);
    }
  }
  use_heap(size);
}

/* Whatever malloc_usable_size() says may be written. */
static void usable_size(size_t size, int argument) {
  (void)argument;
  void *blocks[20];
  for (size_t i = 0; i < 20; i++) {
    void *block = malloc(size + i);
    if (i % 3 == 0)
      block = realloc(block, size + 5 * i);
    EXPECT(block, "there is no block");
    size_t usable = malloc_usable_size(block);
    EXPECT(usable >= size + i, "of %zu bytes %zu are usable", size + i, usable);
    blocks[i] = adopt(block, usable);
  }
  for (size_t i = 0; i < 20; i++)
    give(blocks[i]);
  use_heap(size);
}

static void calloc_is_zero(size_t size, int argument) {
  (void)argument;
  for (int i = 0; i < 100; i++) {
    char *block = calloc(size / 4, 4);
    for (size_t j = 0; j < size / 4 * 4; j++)
      EXPECT(!block[j], "byte %zu from calloc() is not zero", j);
    damage(block, size / 4 * 4, LETTERS);
    free(block);
    give(take(size));
  }
  use_heap(size);
}

/* Memory that others take from the same place is theirs. */
static void others_call_sbrk(size_t size, int argument) {
  (void)argument;
  char *theirs[10];
  void *ours[10];
  for (int i = 0; i < 10; i++) {
    theirs[i] = sbrk(1000 + 8 * i);
    EXPECT(theirs[i] != (void *)-1, "sbrk failed");
    memset(theirs[i], 'S', 1000);
    ours[i] = take(size);
  }
  for (int i = 0; i < 10; i++)
    give(ours[i]);
  use_heap(size);
  for (int i = 0; i < 10; i++)
    for (int j = 0; j < 1000; j++)
      EXPECT(theirs[i][j] == 'S', "memory from sbrk() has changed");
}

/* All bytes of a request, whatever it is modulo anything. */
static void every_size(size_t size, int argument) {
  (void)argument;
  void *blocks[200];
  for (size_t i = 0; i < 200; i++)
    blocks[i] = take(size + i);
  for (size_t i = 0; i < 200; i += 2)
    give(blocks[i]);
  for (size_t i = 200; i-- > 0;)
    if (i % 2)
      give(blocks[i]);
  use_heap(size);
}

static void growing_and_shrinking(size_t size, int argument) {
  (void)argument;
  unsigned char *block = malloc(1);
  size_t old = 1;
  block[0] = 0;
  uint64_t random = 1;
  for (int i = 0; i < 500; i++) {
    size_t wanted = 1 + random_below(&random, 3 * size);
    block = realloc(block, wanted);
    EXPECT(block, "realloc failed");
    for (size_t j = 0; j < old && j < wanted; j++)
      EXPECT(block[j] == (unsigned char)(j * 7), "realloc() has not kept byte %zu", j);
    for (size_t j = old; j < wanted; j++)
      block[j] = (unsigned char)(j * 7);
    old = wanted;
  }
  free(block);
  use_heap(size);
}

static void at_random(size_t size, int argument) {
  (void)argument;
  void *blocks[100] = {NULL};
  uint64_t random = 1;
  for (int i = 0; i < 5000; i++) {
    void **block = &blocks[random_below(&random, 100)];
    if (*block)
      give(*block);
    *block = take(random_below(&random, random_below(&random, 20) ? size : 4 * size));
  }
  use_heap(size);
}

/* The program's data are addresses, sizes and flags, as an allocator's are. */
static void looks_like_metadata(size_t size, int argument) {
  (void)argument;
  static uintptr_t *blocks[64];
  size_t words = size / sizeof(uintptr_t);
  for (int round = 0; round < 20; round++) {
    for (int i = 0; i < 64; i++)
      blocks[i] = malloc(size);
    for (int i = 0; i < 64; i++) {
      EXPECT(blocks[i], "malloc failed");
      for (size_t j = 0; j < words; j++)
        blocks[i][j] = j % 2 ? (uintptr_t)blocks[((size_t)i + j) % 64] - 8 : ((size + 8) | (j & 7));
    }
    for (int i = 0; i < 64; i++)
      free(blocks[i * 5 % 64]);
  }
  use_heap(size);
}

static void refused(size_t size, int argument) {
  (void)argument;
  void *block = take(size);
  EXPECT(!malloc(SIZE_MAX / 2), "malloc gave half of all memory");
  forget(block);
  EXPECT(!realloc(block, SIZE_MAX / 2), "realloc gave half of all memory");
  EXPECT(!calloc(SIZE_MAX / 64, 32), "calloc gave half of all memory");
  free(block);
  use_heap(size);
}

static void trimmed(size_t size, int argument) {
  (void)argument;
  for (int i = 0; i < 5; i++) {
    use_heap(size);
    if (malloc_trim)
      malloc_trim((size_t)i * 1000);
  }
}

/* The C library allocates, too. */
static void library(size_t size, int argument) {
  (void)argument;
  for (int i = 0; i < 100; i++) {
    char *text = take(size);
    forget(text);
    memset(text, 'x', size - 1);
    text[size - 1] = 0;
    char *copy = strdup(text);
    char *printed = NULL;
    EXPECT(asprintf(&printed, "%s%s", text, copy) == 2 * (int)size - 2, "asprintf failed");
    free(text);
    free(printed);
    free(copy);
    char *line = NULL;
    size_t room = 0;
    FILE *file = fmemopen((char[]){"a line\n"}, 7, "r");
    EXPECT(file && getline(&line, &room, file) == 7, "getline failed");
    fclose(file);
    free(line);
  }
  use_heap(size);
}

static const struct misuse correct[] = {
    {"null-pointers", "free(NULL), realloc(NULL, size)", NO_FAULT, ALL_SIZES, null_pointers, 0},
    {"empty-blocks", "malloc(0), free", NO_FAULT, ALL_SIZES, empty_blocks, 0},
    {"realloc-to-nothing", "realloc(p, 0)", NO_FAULT, ALL_SIZES, realloc_to_nothing, 0},
    {"aligned-blocks", "aligned blocks: freed, resized", NO_FAULT, ALL_SIZES, aligned_blocks, 0},
    {"aligned-at-random", "3,000 aligned blocks of random sizes, some of them resized", NO_FAULT,
     ALL_SIZES, aligned_at_random, 0},
    {"usable-size", "every byte that malloc_usable_size() allows is written", NO_FAULT, ALL_SIZES,
     usable_size, 0},
    {"calloc-is-zero", "calloc() of memory that was used before", NO_FAULT, ALL_SIZES,
     calloc_is_zero, 0},
    {"others-call-sbrk", "sbrk() between calls of malloc()", NO_FAULT, ALL_SIZES, others_call_sbrk,
     0},
    {"every-size", "sizes from size to size + 199, written to the last byte", NO_FAULT, ALL_SIZES,
     every_size, 0},
    {"growing-and-shrinking", "realloc() to 500 random sizes", NO_FAULT, ALL_SIZES,
     growing_and_shrinking, 0},
    {"at-random", "5,000 blocks of random sizes", NO_FAULT, ALL_SIZES, at_random, 0},
    {"looks-like-metadata", "blocks full of addresses and sizes", NO_FAULT, ALL_SIZES,
     looks_like_metadata, 0},
    {"refused", "requests that nobody can meet", NO_FAULT, ALL_SIZES, refused, 0},
    {"trimmed", "malloc_trim()", NO_FAULT, ALL_SIZES, trimmed, 0},
    {"library", "strdup(), asprintf(), getline()", NO_FAULT, ALL_SIZES, library, 0},
};

const struct misuse_class correct_class = CLASS("correct programs", correct, NEVER);
