/*
 * The corpus as a module: the table of programs, and what they are made of.
 */
#define _GNU_SOURCE
#include "attack.h"
#include "misuse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../c/model.h"

/* ---- how long a program goes on ---- */

/* So often use_heap() allocates and frees a block, and so many bytes of them at most, but FEWEST blocks: many more
 * than any quarantine holds. */
enum { ROUNDS = 1000, FEWEST = 12 };
static const size_t bytes_of_rounds = (size_t)8 << 20;

/* So many blocks it then holds at a time, and so many bytes. */
enum { HELD = 300 };
static const size_t bytes_held = (size_t)4 << 20;

/* So many blocks of a size. */
static size_t at_most(size_t count, size_t bytes, size_t size) {
  size_t fit = bytes / (size + 1);
  return fit < FEWEST ? FEWEST : fit < count ? fit : count;
}

/* ---- the table ---- */

static const struct misuse_class *const classes[] = {
    &double_free_class,   &no_block_class,       &overflow_class,   &underflow_class,
    &after_free_class,    &links_class,          &heads_class,      &sized_class,
    &kept_overflow_class, &kept_underflow_class, &kept_freed_class, &far_class,
    &lost_class,          &mismatch_class,       &string_class,     &data_class,
    &correct_class,
};
enum { CLASSES = sizeof classes / sizeof *classes };

static const size_t misuse_sizes[] = {8, 100, 4096, 300000};
enum { SIZES = sizeof misuse_sizes / sizeof *misuse_sizes };

/* The words of the hardened build's messages, in the order of the bits. */
static const char *const words[] = {
    "double free",      "free of what is no block", "overflow",          "underflow",
    "write after free", "heap corrupted",           "free with a wrong", "write beside the heap"};

/* ---- what is exported ---- */

enum verdict {
  UNNOTICED,
  EXPLOITED,
  IMPOSSIBLE,
  RUNNING, /* if it stays at that, the program was stopped */
};

static volatile enum verdict verdict = RUNNING;
static volatile bool late;

/* When the program is, and whether it has done what it must not. */
static volatile enum moment moment;
static volatile bool misused;
static char explanation[200];

/* Freed memory that has been damaged, and whether it has been used again since. */
static struct {
  const char *address;
  size_t size;
  bool used_again;
} damaged;

/* The corpus as text, for JavaScript: a line each, fields divided by tabs. */
const char *misuse_list(void);
const char *misuse_list(void) {
  static char text[65536];
  size_t length = 0;
  for (size_t i = 0; i < CLASSES; i++) {
    for (size_t j = 0; j < classes[i]->count; j++) {
      const struct misuse *misuse = &classes[i]->programs[j];
#define APPEND(...)                                                                                \
  length += (size_t)snprintf(text + length, length < sizeof text ? sizeof text - length : 0,       \
                             __VA_ARGS__)
      APPEND("%s\t%s\t%s\t%d\t", misuse->name, classes[i]->name, misuse->text,
             (int)classes[i]->latest);
      for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (misuse->caught_as >> k & 1)
          APPEND("%s,", words[k]);
      APPEND("\t");
      for (size_t k = 0; k < SIZES; k++)
        if (misuse->sizes >> k & 1)
          APPEND("%zu,", misuse_sizes[k]);
      APPEND("\n");
      if (length >= sizeof text)
        impossible("the list of programs is longer than %zu bytes", sizeof text);
    }
  }
  return text;
}

/* Runs the program with this number, counted through all classes. Returns the verdict. */
int misuse_run(unsigned number, unsigned size);
int misuse_run(unsigned number, unsigned size) {
  size_t i = 0;
  while (number >= classes[i]->count)
    number -= (unsigned)classes[i++]->count;
  const struct misuse *misuse = &classes[i]->programs[number];
  misuse->run(size, misuse->argument);
  if (damaged.address && !damaged.used_again)
    snprintf(explanation, sizeof explanation, "the damaged memory has not been used again");
  return verdict = UNNOTICED;
}

/* Plays a round of the attacker's fuzz. Returns the verdict. */
int misuse_attack(double seed);
int misuse_attack(double seed) {
  if (attack_is_absent((uint64_t)seed))
    too_late(); /* or too early: nothing is to be stopped */
  attack_round((uint64_t)seed, false);
  return verdict = UNNOTICED;
}

/* For a program that did not return. */
int misuse_verdict(void);
int misuse_verdict(void) {
  return (int)verdict;
}

/* The runtime exits, as at the end of main(). Does not return. */
void misuse_exit(void);
void misuse_exit(void) {
  moment = AT_EXIT;
  verdict = RUNNING;
  exit(0);
}

int misuse_moment(void);
int misuse_moment(void) {
  return (int)moment;
}

bool misuse_is_late(void);
bool misuse_is_late(void) {
  return late;
}

const char *misuse_explanation(void);
const char *misuse_explanation(void) {
  return explanation;
}

/* ---- the end of a program ---- */

#define END(kind)                                                                                  \
  va_list arguments;                                                                               \
  va_start(arguments, format);                                                                     \
  vsnprintf(explanation, sizeof explanation, format, arguments);                                   \
  va_end(arguments);                                                                               \
  verdict = (kind);                                                                                \
  __builtin_trap()

void exploited(const char *format, ...) {
  END(EXPLOITED);
}

void impossible(const char *format, ...) {
  END(IMPOSSIBLE);
}

void attack_failed(const char *format, ...) {
  END(EXPLOITED);
}

void misuse_follows(void) {
  moment = AT_ONCE;
}

void too_late(void) {
  late = true;
  misused = true;
}

/* ---- live blocks ---- */

/* So many bytes at the beginning and at the end of a block have contents that are looked at. */
enum { EDGE = 64 };

static void fill_edges(char *block, size_t size, uint64_t seed) {
  size_t edge = size < EDGE ? size : EDGE;
  fill(block, edge, seed);
  fill(block + size - edge, edge, seed);
}

static bool holds_edges(const char *block, size_t size, uint64_t seed) {
  size_t edge = size < EDGE ? size : EDGE;
  /* Where the two overlap, the end has been written last. */
  size_t begin = size < 2 * EDGE ? size - edge : EDGE;
  return holds(block, edge, begin, seed) && holds(block + size - edge, edge, edge, seed);
}

extern char __heap_base; /* from the linker */
char *heap_start = &__heap_base;
uintptr_t victim[8] = {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88};
static const uintptr_t victim_before[8] = {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88};

static struct live {
  char *address;
  size_t size;
  uint64_t seed;
  bool damaged; /* by damage(): its contents are not to be relied on */
} live[2000];
static size_t live_count;

static bool overlap(const char *one, size_t size, const char *other, size_t other_size) {
  return one < other + other_size && other < one + size;
}

static struct live *find_live(const void *block) {
  for (size_t i = live_count; i-- > 0;)
    if (live[i].address == block)
      return &live[i];
  impossible("%p is no live block", block);
}

static void check_victim(void) {
  if (memcmp(victim, victim_before, sizeof victim) != 0)
    exploited("a variable of the program has changed");
}

void *adopt(void *block, size_t size) {
  check_victim();
  if (!block)
    exploited("there is no block of %zu bytes", size);
  if (!is_aligned(block, size < 8 ? 4 : 8)) /* what fits into the block */
    exploited("%p is not aligned", block);
  char *address = block;
  size_t extent = size ? size : 1;
  if (overlap(address, extent, (char *)victim, sizeof victim))
    exploited("a block lies over a variable of the program");
  if (address < heap_start || extent > (size_t)((char *)sbrk(0) - address))
    exploited("a block of %zu bytes lies at %p, outside the heap", size, block);
  for (size_t i = 0; i < live_count; i++)
    if (overlap(address, extent, live[i].address, live[i].size ? live[i].size : 1))
      exploited("a block of %zu bytes at %p overlaps one of %zu at %p", size, block, live[i].size,
                (void *)live[i].address);
  if (damaged.address && overlap(address, extent, damaged.address, damaged.size))
    damaged.used_again = true;
  if (live_count == sizeof live / sizeof *live)
    impossible("too many live blocks");
  static uint64_t seed;
  live[live_count++] = (struct live){address, size, ++seed, false};
  fill_edges(address, size, seed);
  return block;
}

void *take(size_t size) {
  return adopt(malloc(size), size);
}

static void check_contents(const struct live *block) {
  if (!block->damaged && !holds_edges(block->address, block->size, block->seed))
    exploited("the contents of the block of %zu bytes at %p have changed", block->size,
              (void *)block->address);
}

void forget(void *block) {
  struct live *found = find_live(block);
  check_contents(found);
  *found = live[--live_count];
}

void give(void *block) {
  forget(block);
  free(block);
}

static void check_all(void) {
  check_victim();
  for (size_t i = 0; i < live_count; i++)
    check_contents(&live[i]);
}

static void use(size_t size) {
  size_t rounds = at_most(ROUNDS, bytes_of_rounds, size);
  for (size_t i = 0; i < rounds; i++)
    give(take(size));
  static void *held[HELD];
  size_t count = at_most(HELD, bytes_held, size);
  for (size_t i = 0; i < count; i++)
    held[i] = take(size);
  for (size_t i = 0; i < count; i++)
    give(held[i]);
  check_all();
}

/* Takes all memory that is free, in large pieces and then in smaller ones, until the damaged memory is used again. */
static void use_up(void) {
  static void *held[4 * HELD];
  size_t count = 0;
  for (size_t size = (size_t)1 << 20; size >= 8; size /= 2) {
    void *before = sbrk(0);
    for (size_t i = 0; i < HELD / 2 && sbrk(0) == before && !damaged.used_again; i++)
      if (count < sizeof held / sizeof *held)
        held[count++] = take(size);
  }
  while (count > 0)
    give(held[--count]);
}

/* What was damaged may have become part of another small block, or wait where blocks of that size do. */
static void use_all_small_sizes(void) {
  enum { SMALL = 2048, TIMES = 100 };
  for (size_t size = 8; size <= SMALL && !damaged.used_again; size += 8)
    for (int i = 0; i < TIMES; i++)
      give(take(size));
}

/* Of memory that has been misused before. */
static void note_reuse(void) {
  if (misused)
    moment = AT_REUSE;
}

void use_heap(size_t size) {
  note_reuse();
  use(size);
  use(3 * size);
  if (damaged.address && !damaged.used_again) {
    use_all_small_sizes();
    use_up();
  }
  use(size);
}

void use_other_sizes(size_t size) {
  note_reuse();
  const size_t sizes[] = {24, 40, 200, 1000, 3000, 10000, 100000, 500000};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    if (sizes[i] / 2 < size && size < sizes[i] * 2)
      continue;
    void *held[64];
    size_t count = at_most(64, (size_t)3 << 20, sizes[i]);
    for (size_t round = 0; round < 2; round++) {
      for (size_t j = 0; j < count; j++)
        held[j] = take(sizes[i]);
      for (size_t j = 0; j < count; j++)
        give(held[j]);
    }
  }
  check_all();
}

/* ---- damage ---- */

static void hit(const char *address, size_t bytes) {
  bool is_free = true;
  bool is_allowed = false;
  for (size_t i = 0; i < live_count; i++) {
    if (address >= live[i].address && address + bytes <= live[i].address + live[i].size)
      is_allowed = true;
    if (overlap(address, bytes, live[i].address, live[i].size)) {
      live[i].damaged = true;
      is_free = false;
    }
  }
  if (!is_allowed) {
    misused = true;
    if (moment == AT_ONCE)
      moment = AT_FREE;
  }
  if (is_free) {
    damaged.address = address;
    damaged.size = bytes;
  }
}

void damage(void *address, size_t bytes, enum pattern pattern) {
  static const unsigned char values[] = {[ZEROES] = 0, [ONES] = 0xff, [LETTERS] = 'A'};
  volatile unsigned char *at = address;
  for (size_t i = 0; i < bytes; i++) {
    unsigned char flipped = (unsigned char)~at[i];
    bool changes = pattern != FLIPPED && values[pattern] != at[i];
    at[i] = changes ? values[pattern] : flipped;
  }
  hit(address, bytes);
}

void damage_word(void *address, uintptr_t word) {
  uintptr_t old;
  memcpy(&old, address, sizeof old);
  if (old == word)
    word = ~word;
  memcpy(address, &word, sizeof word);
  hit(address, sizeof word);
}
