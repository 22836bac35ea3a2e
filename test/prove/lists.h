/*
 * Free lists of which nothing is known but what boundary_tags.h says: they stand for 4_bins.c in theorems
 * about what is built on the bins. What a list holds is a set here, and of the blocks that would do any is
 * found, or none though there are some. The bins keep this contract: that is what bins.c proves.
 *
 * The lists trust their caller, and each claim here says in what.
 */
#ifndef WASMALLOC_PROVE_LISTS_H
#define WASMALLOC_PROVE_LISTS_H

#include "boundary_tags.h"
#include "prove.h"

/* A heap has fewer units than a word has bits (row.h). */
#define MOST_UNITS 32

/* The blocks that are listed, each by the bit of its first unit; and with how many bytes. */
static uint32_t listed_units;
static size_t listed_bytes[MOST_UNITS];

/* Whether a block was not found that would have done. */
static bool was_missed;

static inline size_t listed_unit(const struct free_block *block) {
  return (size_t)((const char *)block - heap.first) / ALIGNMENT;
}

static inline bool is_listed(size_t unit, size_t bytes) {
  return unit < MOST_UNITS && (listed_units >> unit & 1) && listed_bytes[unit] == bytes;
}

static void free_list_put(struct free_block *block, size_t size, struct free_block *old,
                          size_t old_size) {
  claim(size % ALIGNMENT == 0 && size >= MINIMUM_BLOCK, "what is listed is large enough");
  if (old_size) {
    size_t old_unit = listed_unit(old);
    claim(is_listed(old_unit, old_size), "what is replaced is listed, with the size that is told");
    claim((old->head & ~(size_t)FLAGS) == old_size, "and has its head still");
    listed_units &= ~((uint32_t)1 << old_unit);
  }
  size_t unit = listed_unit(block);
  claim(unit < MOST_UNITS && !(listed_units >> unit & 1), "no block is listed twice");
  listed_units |= (uint32_t)1 << unit;
  listed_bytes[unit] = size;
  block->next = (struct free_block *)nondet_size();
  block->previous = (struct free_block *)nondet_size();
}

static void free_list_remove(struct free_block *block) {
  size_t unit = listed_unit(block);
  claim(is_listed(unit, block->head & ~(size_t)FLAGS), "what is removed is listed with its size");
  listed_units &= ~((uint32_t)1 << unit);
}

/* Any listed block of `least` to `most` bytes, or NULL. */
static struct free_block *find_any(size_t least, size_t most) {
  size_t unit = nondet_size();
  if (unit < MOST_UNITS && (listed_units >> unit & 1) && listed_bytes[unit] >= least &&
      listed_bytes[unit] <= most)
    return (struct free_block *)(heap.first + unit * ALIGNMENT);
  was_missed = true;
  return NULL;
}

static inline struct free_block *free_list_take(size_t size) {
  struct free_block *block = find_any(size, size);
  if (block)
    free_list_remove(block);
  return block;
}

static inline struct free_block *free_list_find(size_t size) {
  return find_any(size, SIZE_MAX);
}

#ifndef BINS_WITHOUT_CONTRACT
#include "tags_contract.h"
#endif

#endif
