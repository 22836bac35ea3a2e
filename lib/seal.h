/*
 * What the hardened build writes into the heap: sealed words (plain.h has the others).
 *
 * Heads, links and tags lie between the blocks of the program, where an overflow or a write after free reaches
 * them. So each is a 64-bit word of a value and a code that proves who has written it:
 *
 *      63                  38 37          32 31                              3 2   0      (wasm32)
 *      +---------------------+--------------+---------------------------------+-----+
 *      | code                | slack        | size                            | SPU |     a head
 *      +---------------------+--------------+---------------------------------+-----+
 *      | code                | 0                                              | tag |     a tag, a link
 *      +---------------------+------------------------------------------------+-----+
 *
 * The code is computed of the value, of the word's address and of a secret that is drawn anew in every run:
 * multiplication by a secret odd factor spreads every bit of them over all bits above it, and the code is
 * the highest 26 of the product (24 on wasm64). Whoever cannot read the heap does no better than to guess: of 2^26 words one
 * passes. A word that is moved to another address does not pass, and an old one cannot be put back where it has
 * been, because every word that is no longer in use is overwritten with 0.
 *
 * A word is unsealed before its value is used, and the program stops if it is not one that was sealed here. So
 * no link or size that the allocator did not write is ever followed.
 *
 * Slack is the part of a used block's payload that was not asked for.
 */
#ifndef WASMALLOC_SEAL_H
#define WASMALLOC_SEAL_H

#include "compiler.h"
#include "memory.h"

#define WORD sizeof(uint64_t)

typedef uint64_t head_word, link_word, tag_word;

struct block {
  head_word head;
};

/* Of a value. Linear memory has at most 2^34 bytes on wasm64. */
#define HEAD_BITS (sizeof(size_t) == 8 ? 34 : 32)
#define SLACK_BITS 6
#define VALUE_BITS (HEAD_BITS + SLACK_BITS)
#define VALUE_MASK (((uint64_t)1 << VALUE_BITS) - 1)
#define HEAD_MASK (((uint64_t)1 << HEAD_BITS) - 1)

static struct {
  uint64_t factor; /* odd */
  uint64_t mask;
  uint64_t
      pattern; /* of slack: 8 bytes, each with its highest bit set, so that a 0 or a character shows */
} secret;

/* From hardened.c: ends the program with a message. `payload` is the block in question. */
RARE _Noreturn static void stop(const char *fault, const void *payload);

/* The word for a value of VALUE_BITS at most, with the code above them. */
static inline uint64_t seal(const void *word, uint64_t value) {
  uint64_t address =
      (uintptr_t)word * 0x9e3779b97f4a7c15u; /* 2^64 divided by the golden ratio: spreads it */
  uint64_t product = (value ^ address ^ secret.mask) * secret.factor;
  return (product & ~VALUE_MASK) | value;
}

/* Whether a word is one that was sealed here. */
static inline bool is_sealed(const uint64_t *word) {
  return seal(word, *word & VALUE_MASK) == *word;
}

/* The value of a word. */
static inline uint64_t unseal_here(const uint64_t *word) {
  if (!is_sealed(word))
    stop("heap corrupted", word + 1);
  return *word & VALUE_MASK;
}

/* The same, and sealing, for all but malloc's and free's fast ways: smaller. */
NOT_INLINED static uint64_t unseal(const uint64_t *word) {
  return unseal_here(word);
}

/* What is overwritten is free memory, and zero, or was sealed too: or somebody else has written there. */
static inline void check_old(const uint64_t *word) {
  if (*word)
    unseal(word);
}

NOT_INLINED static void write_sealed(uint64_t *word, uint64_t value) {
  check_old(word);
  *word = seal(word, value);
}

static inline size_t get_head(const struct block *block) {
  return (size_t)(unseal(&block->head) & HEAD_MASK);
}

/* A new head, without slack. */
static inline void set_head(struct block *block, size_t head) {
  write_sealed(&block->head, head);
}

/* Another size or other flags, for a head that get_head() has just read: the slack stays. */
NOT_INLINED static void change_head(struct block *block, size_t head) {
  block->head = seal(&block->head, (block->head & VALUE_MASK & ~HEAD_MASK) | head);
}

/* Of the value of a used block's head. */
static inline size_t value_size(uint64_t value) {
  return (size_t)(value & HEAD_MASK) & ~(size_t)(ALIGNMENT - 1);
}

static inline size_t value_slack(uint64_t value) {
  return (size_t)(value >> HEAD_BITS);
}

/* On the development machine an address has more bits than a value, but the highest are those of the whole heap. */
static inline struct free_block *link_target(const link_word *link, uint64_t value) {
  uintptr_t high = (uintptr_t)link & ~(uintptr_t)VALUE_MASK;
  return value ? (struct free_block *)(high | (uintptr_t)value) : NULL;
}

static inline struct free_block *get_link(const link_word *link) {
  return link_target(link, unseal(link));
}

static inline void set_link(link_word *link, struct free_block *block) {
  write_sealed(link, (uintptr_t)block & VALUE_MASK);
}

static inline size_t get_tag(const tag_word *tag) {
  return (size_t)unseal(tag);
}

static inline void set_tag(tag_word *tag, size_t size) {
  write_sealed(tag, size);
}

NOT_INLINED static void forget(void *word) {
  check_old(word);
  *(uint64_t *)word = 0;
}

#endif
