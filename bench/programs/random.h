/*
 * What the programs of this folder make their input from: the same numbers in every run (Marsaglia's
 * xorshift), and words.
 */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdint.h>

static inline uint32_t random_number(void) {
  static uint32_t state = 2463534242u;
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

static inline uint32_t random_below(uint32_t limit) {
  return random_number() % limit;
}

static inline const char *random_word(void) {
  static const char *const words[] = {
      "allocate", "arena", "bin",    "block",  "boundary", "bucket", "cell",  "chunk",
      "coalesce", "fit",   "free",   "header", "heap",     "list",   "merge", "page",
      "payload",  "pool",  "region", "slab",   "split",    "tag",    "the",   "trim"};
  return words[random_below(sizeof words / sizeof *words)];
}

#endif
