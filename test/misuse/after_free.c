/*
 * Writes to freed blocks: any bytes, and such that an allocator which keeps links or heads there believes in them.
 * Then the program goes on until the block must have been used again.
 */
#define _GNU_SOURCE
#include "misuse.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* What the freed block has come to when it is written to, and what is written: in one number. */
enum { FRESH = 0, NOT_THE_LAST = 16, LONG_AGO = 32, MERGED = 48, STATES = 48 };

/* A block that has been freed, and is in that state. */
static char *freed_block(size_t size, int state) {
  void *left = take(size);
  char *block = take(size);
  void *right = take(size);
  take(size);
  if (state == MERGED)
    give(left);
  give(block);
  if (state != FRESH)
    give(right);
  if (state == NOT_THE_LAST) {
    for (int i = 0; i < 8; i++)
      give(take(size));
  } else if (state != FRESH) {
    use_heap(size);
    use_other_sizes(size);
  }
  return block;
}

/* ---- any bytes ---- */

enum {
  FIRST_BYTE,
  LAST_BYTE,
  MIDDLE_BYTE,
  FIRST_WORD,
  LAST_WORD,
  ALL_ZEROES,
  ALL_ONES,
  ALL_LETTERS,
  WHATS = 15
};

static void write_somewhere(char *block, size_t size, int what) {
  switch (what) {
  case FIRST_BYTE:
    damage(block, 1, FLIPPED);
    break;
  case LAST_BYTE:
    damage(block + size - 1, 1, FLIPPED);
    break;
  case MIDDLE_BYTE:
    damage(block + size / 2, 1, FLIPPED);
    break;
  case FIRST_WORD:
    damage(block, 8, LETTERS);
    break;
  case LAST_WORD:
    damage(block + size - 8, 8, LETTERS);
    break;
  case ALL_ZEROES:
    damage(block, size, ZEROES);
    break;
  case ALL_ONES:
    damage(block, size, ONES);
    break;
  case ALL_LETTERS:
    damage(block, size, LETTERS);
    break;
  }
}

static void write_after_free(size_t size, int argument) {
  char *block = freed_block(size, argument & STATES);
  write_somewhere(block, size, argument & WHATS);
  use_heap(size);
}

/* realloc() has moved the block, and the program goes on with the old address. */
static void write_to_moved(size_t size, int what) {
  char *block = take(size);
  take(size);
  forget(block);
  void *moved = realloc(block, size * 10);
  if (moved == block)
    impossible("realloc() has not moved the block");
  adopt(moved, size * 10);
  write_somewhere(block, size, what);
  use_heap(size);
}

static void write_to_aligned(size_t size, int what) {
  char *block = adopt(memalign(256, size), size);
  take(size);
  give(block);
  write_somewhere(block, size, what);
  use_heap(size);
}

/* In the tail that realloc() has cut off. */
static void write_to_tail(size_t size, int argument) {
  (void)argument;
  char *block = take(size * 20);
  take(size);
  forget(block);
  block = realloc(block, size);
  adopt(block, size);
  damage(block + size * 15, 1, FLIPPED);
  use_heap(size);
  use_heap(size * 16);
}

/* A fault in freed memory may be seen as one of the block before it, or of a head there. */
#define FREED_BYTES (AFTER_FREE | CORRUPTED)
#define MERGED_BYTES (AFTER_FREE | CORRUPTED | UNDERFLOW | OVERFLOW)

#define WRITES(name, text, words, state)                                                           \
  {"write-first-byte-" name, "the first byte, " text, words, ALL_SIZES,                            \
   write_after_free,         FIRST_BYTE + (state)},                                                \
      {"write-last-byte-" name, "the last byte, " text, words, ALL_SIZES,                          \
       write_after_free,        LAST_BYTE + (state)},                                              \
      {"write-middle-byte-" name, "the middle byte, " text, words, ALL_SIZES,                      \
       write_after_free,          MIDDLE_BYTE + (state)},                                          \
      {"write-first-word-" name, "the first 8 bytes, " text, words, ALL_SIZES,                     \
       write_after_free,         FIRST_WORD + (state)},                                            \
      {"write-last-word-" name, "the last 8 bytes, " text, words, ALL_SIZES,                       \
       write_after_free,        LAST_WORD + (state)},                                              \
      {"write-zeroes-" name, "all bytes become 0, " text, words, ALL_SIZES,                        \
       write_after_free,     ALL_ZEROES + (state)},                                                \
      {"write-ones-" name, "all bytes become 0xff, " text, words, ALL_SIZES, write_after_free,     \
       ALL_ONES + (state)},                                                                        \
  {                                                                                                \
    "write-letters-" name, "all bytes become 'A', " text, words, ALL_SIZES, write_after_free,      \
        ALL_LETTERS + (state)                                                                      \
  }

static const struct misuse writes[] = {
    WRITES("at-once", "just after the block was freed", FREED_BYTES, FRESH),
    WRITES("later", "after others were freed, too", FREED_BYTES, NOT_THE_LAST),
    WRITES("long-after", "long after the block was freed", MERGED_BYTES, LONG_AGO),
    WRITES("merged", "long after the block and its neighbours were freed", MERGED_BYTES, MERGED),
    {"write-to-moved", "the first byte of a block that realloc() has moved", FREED_BYTES, ALL_SIZES,
     write_to_moved, FIRST_BYTE},
    {"write-all-to-moved", "all bytes of a block that realloc() has moved", FREED_BYTES, ALL_SIZES,
     write_to_moved, ALL_LETTERS},
    {"write-to-aligned", "a byte of a freed block that memalign() had aligned", FREED_BYTES,
     ALL_SIZES, write_to_aligned, MIDDLE_BYTE},
    {"write-all-to-aligned", "all bytes of a freed block that memalign() had aligned", FREED_BYTES,
     ALL_SIZES, write_to_aligned, ALL_LETTERS},
    {"write-to-tail", "a byte in the tail that realloc() has cut off", MERGED_BYTES, ALL_SIZES,
     write_to_tail, 0},
};

const struct misuse_class after_free_class = CLASS("write after free", writes, AT_REUSE);

/* ---- links ---- */

enum { TO_VICTIM, TO_LIVE, TO_ITSELF, TO_FAKE, TO_STACK, TO_NOWHERE, TARGETS = 7, ALL_WORDS = 8 };

/* What looks like the head of a free or used chunk, in several allocators' ways, is built around it. */
static uintptr_t fake_chunk(size_t size) {
  char *host = take(size * 2 + 128);
  damage(host, size * 2 + 128, ZEROES);
  uintptr_t *fake = (uintptr_t *)(host + 64);
  uintptr_t chunk = (uintptr_t)(size + 4 + 7) & ~(uintptr_t)7;
  fake[-1] = chunk | 3;
  fake[-2] = chunk;
  fake[0] = (uintptr_t)fake;
  fake[1] = (uintptr_t)fake;
  memcpy((char *)fake + chunk - sizeof chunk, &chunk, sizeof chunk);
  return (uintptr_t)fake;
}

static void forge_links(size_t size, int argument) {
  uintptr_t on_stack[16] = {0};
  char *live = take(size);
  uintptr_t fake = fake_chunk(size); /* before the block is freed: it must not lie there */
  char *block = freed_block(size, argument & STATES);
  uintptr_t target;
  switch (argument & TARGETS) {
  case TO_VICTIM:
    target = (uintptr_t)victim;
    break;
  case TO_LIVE:
    target = (uintptr_t)live;
    break;
  case TO_ITSELF:
    target = (uintptr_t)block;
    break;
  case TO_FAKE:
    target = fake;
    break;
  case TO_STACK:
    target = (uintptr_t)on_stack;
    break;
  default:
    target = -(uintptr_t)4096;
    break;
  }
  size_t words = argument & ALL_WORDS ? size / sizeof target : 1;
  for (size_t i = 0; i < words; i++)
    damage_word(block + i * sizeof target, target);
  use_heap(size);
}

#define LINKS(name, text, target)                                                                  \
  {"link-to-" name, "the first word of a freed block becomes the address of " text,                \
   MERGED_BYTES,    ALL_SIZES,                                                                     \
   forge_links,     (target) + FRESH},                                                             \
      {"links-to-" name, "all words of a freed block become the address of " text,                 \
       MERGED_BYTES,     ALL_SIZES,                                                                \
       forge_links,      (target) + FRESH + ALL_WORDS},                                            \
      {"old-link-to-" name, "the same of one word, long after the block was freed",                \
       MERGED_BYTES,        ALL_SIZES,                                                             \
       forge_links,         (target) + MERGED},                                                    \
  {                                                                                                \
    "old-links-to-" name, "the same of all words, long after the block was freed", MERGED_BYTES,   \
        ALL_SIZES, forge_links, (target) + MERGED + ALL_WORDS                                      \
  }

static const struct misuse links[] = {
    LINKS("variable", "a variable", TO_VICTIM),
    LINKS("live", "a live block", TO_LIVE),
    LINKS("itself", "the block itself", TO_ITSELF),
    LINKS("fake", "what looks like a block, in a live one", TO_FAKE),
    LINKS("stack", "an array on the stack", TO_STACK),
    LINKS("nowhere", "memory that is not there", TO_NOWHERE),
};

const struct misuse_class links_class = CLASS("forged links", links, AT_REUSE);

/* ---- heads ---- */

enum {
  HEAD_ZERO,
  HEAD_ONES,
  HEAD_LARGER,
  HEAD_SMALLER,
  HEAD_FLAGS,
  HEAD_COPIED,
  KINDS = 7,
  OF_FREED = 8
};

/* Writes a head before a block, of one word or of two. */
static void forge_head(char *block, const char *other, size_t size, int kind) {
  uintptr_t head;
  memcpy(&head, block - sizeof head, sizeof head);
  switch (kind) {
  case HEAD_ZERO:
    damage(block - 8, 8, ZEROES);
    break;
  case HEAD_ONES:
    damage(block - 8, 8, ONES);
    break;
  case HEAD_LARGER:
    damage_word(block - sizeof head, head + size * 4 / 16 * 16 + 64);
    break;
  case HEAD_SMALLER:
    damage_word(block - sizeof head, head - 16);
    break;
  case HEAD_FLAGS:
    damage_word(block - sizeof head, head ^ 3);
    break;
  default:
    memcpy(&head, other - sizeof head, sizeof head);
    damage_word(block - sizeof head, head);
    memcpy(&head, other - 2 * sizeof head, sizeof head);
    damage_word(block - 2 * sizeof head, head);
    break;
  }
}

static void forge_heads(size_t size, int argument) {
  take(size);
  char *other = take(size * 3);
  char *block = take(size);
  char *behind = take(size);
  take(size);
  if (argument & OF_FREED) {
    give(block);
    forge_head(block, other, size, argument & KINDS);
    use_heap(size);
    return;
  }
  forge_head(block, other, size, argument & KINDS);
  give(block);
  too_late();
  give(behind);
  use_heap(size);
}

#define HEADS(name, text, kind)                                                                    \
  {"head-" name,                                                                                   \
   "the head of a live block " text,                                                               \
   UNDERFLOW | OVERFLOW | NO_BLOCK | CORRUPTED,                                                    \
   ALL_SIZES,                                                                                      \
   forge_heads,                                                                                    \
   kind},                                                                                          \
  {                                                                                                \
    "freed-head-" name, "the head of a freed block " text, ANY_FAULT & ~DOUBLE_FREE, ALL_SIZES,    \
        forge_heads, (kind) + OF_FREED                                                             \
  }

static const struct misuse heads[] = {
    HEADS("zero", "becomes 0", HEAD_ZERO),
    HEADS("ones", "becomes 0xff…", HEAD_ONES),
    HEADS("larger", "says that the block is larger", HEAD_LARGER),
    HEADS("smaller", "says that the block is smaller", HEAD_SMALLER),
    HEADS("flags", "has other flags", HEAD_FLAGS),
    HEADS("copied", "becomes a copy of another block's", HEAD_COPIED),
};

const struct misuse_class heads_class = CLASS("forged heads", heads, AT_REUSE);
