/*
 * Double free, and free of what is no block.
 */
#define _GNU_SOURCE
#include "misuse.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- double free ---- */

/* What a block is that was freed: freed before, or, when that is long ago, nothing. */
#define FREED (DOUBLE_FREE | NO_BLOCK)

/* The misuse itself: the block has been freed already. */
static void free_again(void *block, size_t size) {
  misuse_follows();
  free(block);
  too_late();
  use_heap(size);
}

static void at_once(size_t size, int argument) {
  (void)argument;
  void *block = take(size);
  take(size);
  give(block);
  free_again(block, size);
}

/* So many others are freed in between. */
static void after_others(size_t size, int others) {
  void *other[100];
  void *block = take(size);
  for (int i = 0; i < others; i++)
    other[i] = take(size);
  take(size);
  give(block);
  for (int i = 0; i < others; i++)
    give(other[i]);
  free_again(block, size);
}

/* The neighbours on both sides are freed, allocated again and freed again. */
static void after_neighbours(size_t size, int argument) {
  (void)argument;
  void *left = take(size);
  void *block = take(size);
  void *right = take(size);
  take(size);
  give(block);
  give(left);
  give(right);
  left = take(size / 2);
  right = take(size * 2);
  give(left);
  give(right);
  free_again(block, size);
}

/* Long ago, and all its neighbours are free. */
static void after_merge(size_t size, int argument) {
  (void)argument;
  void *left = take(size);
  void *block = take(size);
  void *right = take(size);
  give(left);
  give(block);
  give(right);
  use_heap(size);
  use_other_sizes(size);
  free_again(block, size);
}

/* Where the allocator gives the second owner the same block, that one loses it. */
static void after_allocation(size_t size, int argument) {
  (void)argument;
  void *block = take(size);
  take(size);
  give(block);
  take(size);
  free_again(block, size);
}

/* The block may have been cut up meanwhile. */
static void after_split(size_t size, int argument) {
  (void)argument;
  void *block = take(size);
  take(size);
  give(block);
  take(size / 2);
  take(size / 4);
  free_again(block, size);
}

/* realloc() of a freed block: to so many times its size, in fourths. */
static void by_realloc(size_t size, int fourths) {
  void *block = take(size);
  take(size);
  give(block);
  if (realloc(block, size / 4 * (size_t)fourths))
    too_late();
  use_heap(size);
}

static void by_usable_size(size_t size, int argument) {
  (void)argument;
  void *block = take(size);
  take(size);
  give(block);
  malloc_usable_size(block);
  too_late();
  use_heap(size);
}

/* A block that realloc() must move, because another is behind it. */
static void *moved_by_realloc(size_t size) {
  void *block = take(size);
  take(size);
  forget(block);
  void *moved = realloc(block, size * 10);
  if (moved == block)
    impossible("realloc() has not moved the block");
  adopt(moved, size * 10);
  return block;
}

static void of_moved(size_t size, int argument) {
  (void)argument;
  free_again(moved_by_realloc(size), size);
}

static void realloc_of_moved(size_t size, int argument) {
  (void)argument;
  void *block = moved_by_realloc(size);
  if (realloc(block, size * 10))
    too_late();
  use_heap(size);
}

/* A block that realloc() has made smaller. */
static void of_shrunk(size_t size, int argument) {
  (void)argument;
  void *block = take(size * 4);
  take(size);
  forget(block);
  block = realloc(block, size);
  free(block);
  free_again(block, size);
}

/* The first block of the heap, with nothing before it. */
static void of_first(size_t size, int argument) {
  (void)argument;
  void *block = malloc(size);
  take(size);
  free(block);
  free_again(block, size);
}

/* The last one, with nothing but fresh memory behind it: the two become one in many an allocator. */
static void of_last(size_t size, int argument) {
  (void)argument;
  take(size);
  void *block = take(size);
  give(block);
  free_again(block, size);
}

static void of_aligned(size_t size, int alignment) {
  void *block = adopt(memalign((size_t)alignment, size), size);
  take(size);
  give(block);
  free_again(block, size);
}

/* Two are freed by turns: no list begins with the block that is freed again. */
static void by_turns(size_t size, int argument) {
  (void)argument;
  void *one = take(size);
  void *other = take(size);
  take(size);
  give(one);
  give(other);
  free(one);
  too_late();
  free(other);
  use_heap(size);
}

/* The program has written to the freed block before: marks that an allocator has left there are gone. */
static void after_write(size_t size, int argument) {
  (void)argument;
  void *block = take(size);
  take(size);
  give(block);
  damage(block, size, LETTERS);
  free_again(block, size);
}

static const struct misuse double_frees[] = {
    {"double-free-at-once", "free(p), free(p)", FREED, ALL_SIZES, at_once, 0},
    {"double-free-after-1", "one other block is freed in between", FREED, ALL_SIZES, after_others,
     1},
    {"double-free-after-8", "8 other blocks are freed in between", FREED, ALL_SIZES, after_others,
     8},
    {"double-free-after-30", "30 other blocks are freed in between", FREED, ALL_SIZES, after_others,
     30},
    {"double-free-after-100", "100 other blocks are freed in between", FREED,
     SIZE_8 | SIZE_100 | SIZE_4096, after_others, 100},
    {"double-free-by-turns", "free(p), free(q), free(p), free(q)", FREED, ALL_SIZES, by_turns, 0},
    {"double-free-after-neighbours", "both neighbours are used again in between", FREED, ALL_SIZES,
     after_neighbours, 0},
    {"double-free-after-merge", "long ago; the block has been merged with its neighbours", FREED,
     ALL_SIZES, after_merge, 0},
    {"double-free-after-allocation", "another block of the size is allocated in between", FREED,
     ALL_SIZES, after_allocation, 0},
    {"double-free-after-split", "smaller blocks are allocated in between", FREED, ALL_SIZES,
     after_split, 0},
    {"double-free-after-write", "the freed block is overwritten in between", FREED | AFTER_FREE,
     ALL_SIZES, after_write, 0},
    {"double-free-by-realloc-larger", "free(p), realloc(p, 2 * size)", FREED, ALL_SIZES, by_realloc,
     8},
    {"double-free-by-realloc-smaller", "free(p), realloc(p, size / 2)", FREED, ALL_SIZES,
     by_realloc, 2},
    {"double-free-by-realloc-same", "free(p), realloc(p, size)", FREED, ALL_SIZES, by_realloc, 4},
    {"double-free-by-usable-size", "free(p), malloc_usable_size(p)", FREED, ALL_SIZES,
     by_usable_size, 0},
    {"double-free-of-moved", "q = realloc(p, …), free(p)", FREED, ALL_SIZES, of_moved, 0},
    {"double-free-of-moved-by-realloc", "q = realloc(p, …), realloc(p, …)", FREED, ALL_SIZES,
     realloc_of_moved, 0},
    {"double-free-of-shrunk", "p = realloc(p, size / 4), free(p), free(p)", FREED, ALL_SIZES,
     of_shrunk, 0},
    {"double-free-of-first", "the first block of the heap", FREED, ALL_SIZES, of_first, 0},
    {"double-free-of-last", "the last block of the heap", FREED, ALL_SIZES, of_last, 0},
    {"double-free-of-aligned-64", "p = memalign(64, size), free(p), free(p)", FREED, ALL_SIZES,
     of_aligned, 64},
    {"double-free-of-aligned-4096", "p = memalign(4096, size), free(p), free(p)", FREED, ALL_SIZES,
     of_aligned, 4096},
};

const struct misuse_class double_free_class = CLASS("double free", double_frees, AT_ONCE);

/* ---- what is no block ---- */

enum { FREE = 0, REALLOC = 100, USABLE_SIZE = 200 };

enum {
  MIDDLE = 32,
  STACK,
  STATIC,
  CONSTANT,
  FUNCTION_POINTER,
  SMALL_INTEGER,
  BEYOND_MEMORY,
  LAST_ADDRESS,
  PAST_THE_BREAK,
  BEFORE_THE_HEAP,
  IN_FREED,
  COPIED_HEAD,
  IN_ZEROES,
  IN_ONES,
};

static char static_data[64] = "static data";
static const char constant_data[64] = "data that nobody may write to";

static void nobody(void) {}

/* Kinds below MIDDLE are offsets into a block. */
static void *make_up(int kind, size_t size) {
  char *block = take(size);
  take(size);
  switch (kind) {
  case MIDDLE:
    return block + (size / 2 & ~(size_t)7);
  case STATIC:
    return static_data + 16 - (uintptr_t)static_data % 16;
  case CONSTANT:
    return (char *)constant_data + 16 - (uintptr_t)constant_data % 16;
  case FUNCTION_POINTER:
    return (void *)(uintptr_t)nobody;
  case SMALL_INTEGER:
    return (void *)8;
  case BEYOND_MEMORY:
    return (void *)(__builtin_wasm_memory_size(0) * 65536 + 65536);
  case LAST_ADDRESS:
    return (void *)-(uintptr_t)16;
  case PAST_THE_BREAK:
    return (char *)sbrk(0) + 64;
  case BEFORE_THE_HEAP:
    return heap_start - 64;
  case IN_FREED: {
    char *freed = take(size);
    take(size);
    give(freed);
    return freed + (size / 2 & ~(size_t)7);
  }
  case COPIED_HEAD: {
    char *host = take(size + 256);
    damage(host, size + 256, ZEROES);
    memcpy(host + 64 - 32, block - 32, 32); /* what stands before a block of the size */
    return host + 64;
  }
  case IN_ZEROES:
  case IN_ONES:
    damage(block, size, kind == IN_ONES ? ONES : ZEROES);
    return block + (size > 64 ? 64 : size / 2);
  default:
    return block + kind;
  }
}

static void free_no_block(size_t size, int argument) {
  int function = argument / 100 * 100;
  void *made_up;
  _Alignas(16) char on_stack[64];
  if (argument % 100 == STACK) {
    take(size);
    memset(on_stack, 0, sizeof on_stack);
    made_up = on_stack + 16;
  } else {
    made_up = make_up(argument % 100, size);
  }
  if (function == FREE) {
    free(made_up);
    too_late();
  } else if (function == REALLOC) {
    if (realloc(made_up, 2 * size))
      too_late();
  } else {
    malloc_usable_size(made_up);
    too_late();
  }
  use_heap(size);
}

/* The three functions with one kind of pointer. */
#define NO_BLOCKS(name, text, words, sizes, kind)                                                  \
  {"free-of-" name, "free() of " text, words, sizes, free_no_block, FREE + (kind)},                \
      {"realloc-of-" name, "realloc() of " text, words, sizes, free_no_block, REALLOC + (kind)}, { \
    "usable-size-of-" name, "malloc_usable_size() of " text, words, sizes, free_no_block,          \
        USABLE_SIZE + (kind)                                                                       \
  }

/* A pointer into a block looks as if the head before it had been overwritten. */
#define INTERIOR (NO_BLOCK | UNDERFLOW)

static const struct misuse no_blocks[] = {
    NO_BLOCKS("interior-1", "p + 1", INTERIOR, ALL_SIZES, 1),
    NO_BLOCKS("interior-4", "p + 4", INTERIOR, ALL_SIZES, 4),
    NO_BLOCKS("interior-8", "p + 8", INTERIOR, ALL_SIZES, 8),
    NO_BLOCKS("interior-16", "p + 16", INTERIOR, ALL_SIZES & ~SIZE_8, 16),
    NO_BLOCKS("middle", "the middle of a block", INTERIOR, ALL_SIZES & ~SIZE_8, MIDDLE),
    NO_BLOCKS("middle-of-zeroes", "an address in a block full of zeroes", INTERIOR, ALL_SIZES,
              IN_ZEROES),
    NO_BLOCKS("middle-of-ones", "an address in a block full of 0xff", INTERIOR, ALL_SIZES, IN_ONES),
    NO_BLOCKS("middle-of-freed", "the middle of a freed block", INTERIOR | DOUBLE_FREE,
              ALL_SIZES & ~SIZE_8, IN_FREED),
    NO_BLOCKS("copied-head", "an address in a block, behind a copy of what stands before another",
              INTERIOR, ALL_SIZES, COPIED_HEAD),
    NO_BLOCKS("stack", "an array on the stack", INTERIOR, ONE_SIZE, STACK),
    NO_BLOCKS("static", "a static array", INTERIOR, ONE_SIZE, STATIC),
    NO_BLOCKS("constant", "a constant", INTERIOR, ONE_SIZE, CONSTANT),
    NO_BLOCKS("function", "a function's address", INTERIOR, ONE_SIZE, FUNCTION_POINTER),
    NO_BLOCKS("integer", "the number 8", INTERIOR, ONE_SIZE, SMALL_INTEGER),
    NO_BLOCKS("beyond-memory", "an address that memory does not reach to", INTERIOR, ONE_SIZE,
              BEYOND_MEMORY),
    NO_BLOCKS("last-address", "the last address that is aligned", INTERIOR, ONE_SIZE, LAST_ADDRESS),
    NO_BLOCKS("past-the-break", "an address behind the heap", INTERIOR, ONE_SIZE, PAST_THE_BREAK),
    NO_BLOCKS("before-the-heap", "an address before the heap", INTERIOR, ONE_SIZE, BEFORE_THE_HEAP),
};

const struct misuse_class no_block_class = CLASS("free of no block", no_blocks, AT_ONCE);
