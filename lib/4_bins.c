/*
 * 4_bins: segregated free lists, found by a bitmap.
 *
 * What is new. 3_doubly frees in constant time, but malloc still searches. Here the free blocks are
 * sorted into bins by size, and a bitmap tells which bins have blocks. To allocate is to compute a
 * bin's number and to find the next bit that is set, which takes a few instructions:
 *
 *      bin         1    2    3   ...   31   32   33        39   40   41       ...
 *      size        8   16   24        248  256  288  ...  480  512  576  ...        (wasm32)
 *                  |    |    |          |    |    |         |    |    |
 *      map         0    1    0   ...    0    0    1    0    0    1    0       ...
 *                       |                         |              |
 *                       v                         v              v
 *                     +----+                    +----+         +----+
 *                     | 16 |                    |296 |         |512 |
 *                     +----+                    +----+         +----+
 *                       |                         |
 *                     +----+                    +----+
 *                     | 16 |                    |288 |
 *                     +----+                    +----+
 *
 * Small sizes have a bin each. Above, a bin holds a range of sizes, eight ranges per power of two.
 * All blocks in a bin *above* that of the request are large enough, so the first of them will do:
 * there is nothing to search (good fit; Masmano, Ripoll, Crespo and Real, "TLSF: a New Dynamic
 * Memory Allocator for Real-Time Systems", 2004). In the request's own bin a block may be too
 * small; only the first is looked at, which keeps the time constant.
 *
 * Splitting, merging and the layout of blocks are those of 3_doubly (boundary_tags.h).
 *
 * Invariants: a block is in the bin of its size; a bit of the map is set if and only if its bin has
 * blocks; a word of the map that is not 0 has its bit in the summary.
 *
 * Cost: malloc and free take constant time, whatever the heap looks like. A request may pass over a
 * block that would fit exactly, if it is not the first in its bin.
 *
 * When to choose it: when 5_wasmalloc is too large, or when no call may take long.
 */
#include "boundary_tags.h"

/* Bins 0 to LINEAR - 1 hold one size each, counted in units of ALIGNMENT bytes. Then each power of
 * two is divided into STEPS bins. */
#define LINEAR 32
#define LOG_LINEAR 5
#define STEPS 8
#define LOG_STEPS 3
#define LOG_MAXIMUM_UNITS (sizeof(size_t) * 8 - (sizeof(size_t) == 8 ? 4 : 3))
#define BINS (LINEAR + STEPS * (LOG_MAXIMUM_UNITS - LOG_LINEAR))
#define MAP_BITS 64
#define MAP_WORDS ((BINS + MAP_BITS - 1) / MAP_BITS)

_Static_assert(BINS % MAP_BITS != 0,
               "behind the last bin's bit there is one more, which is never set");
_Static_assert(LINEAR == 1 << LOG_LINEAR && STEPS == 1 << LOG_STEPS, "the logarithms fit");
_Static_assert((size_t)1 << LOG_MAXIMUM_UNITS == SIZE_MAX / ALIGNMENT + 1, "every size has a bin");

static struct {
  uint32_t summary;             /* bit w: map[w] may be something else than 0 */
  uint64_t map[MAP_WORDS];      /* bit b % 64 of word b / 64: bin b has blocks */
  struct free_block *bin[BINS]; /* the first block of each, or NULL */
} bins;

/* The bin for blocks of `size` bytes. Monotone: a larger size never has a smaller bin. */
static inline uint32_t bin_of(size_t size) {
  size_t units = size / ALIGNMENT;
  if (units < LINEAR)
    return (uint32_t)units;
  /* units = 1xyz... in binary, with `log` digits behind the 1; xyz says which step. */
  uint32_t log =
      (uint32_t)(sizeof(size_t) * 8 - 1) -
      (uint32_t)(sizeof(size_t) == 8 ? __builtin_clzll(units) : __builtin_clz((unsigned)units));
  uint32_t step = (uint32_t)(units >> (log - LOG_STEPS)) & (STEPS - 1);
  return LINEAR + ((log - LOG_LINEAR) << LOG_STEPS) + step;
}

/* Takes the first block out of its bin; `next` is the second, or NULL. */
static inline void remove_first(uint32_t bin, struct free_block *next) {
  bins.bin[bin] = next;
  if (next)
    set_link(&next->previous, NULL);
  else
    bins.map[bin / MAP_BITS] &= ~((uint64_t)1 << bin % MAP_BITS);
}

static inline void remove_from(uint32_t bin, struct free_block *block) {
  struct free_block *next = get_link(&block->next);
  struct free_block *previous = get_link(&block->previous);
  forget(&block->next);
  forget(&block->previous);
  if (!previous) {
    remove_first(bin, next);
    return;
  }
  set_link(&previous->next, next);
  if (next)
    set_link(&next->previous, previous);
}

NOT_INLINED static void free_list_remove(struct free_block *block) {
  remove_from(bin_of(get_head((struct block *)block)), block);
}

/* Many a block that is cut or merged stays in its bin: then `block` takes over the links. */
ALWAYS_INLINED static void free_list_put(struct free_block *block, size_t size,
                                         struct free_block *old, size_t old_size) {
  uint32_t bin = bin_of(size);
  if (old_size) {
    uint32_t old_bin = bin_of(old_size);
    if (old_bin == bin) {
      if (old == block)
        return;
      struct free_block *next = get_link(&old->next);
      struct free_block *previous = get_link(&old->previous);
      forget(&old->next);
      forget(&old->previous);
      set_link(&block->next, next);
      set_link(&block->previous, previous);
      if (next)
        set_link(&next->previous, block);
      if (previous)
        set_link(&previous->next, block);
      else
        bins.bin[bin] = block;
      return;
    }
    remove_from(old_bin, old);
  }
  struct free_block *first = bins.bin[bin];
  set_link(&block->previous, NULL);
  set_link(&block->next, first);
  if (first)
    set_link(&first->previous, block);
  bins.bin[bin] = block;
  bins.map[bin / MAP_BITS] |= (uint64_t)1 << bin % MAP_BITS;
  bins.summary |= (uint32_t)1 << bin / MAP_BITS;
}

static inline struct free_block *free_list_take(size_t size) {
  size_t units = size / ALIGNMENT;
  if (units >= LINEAR || !(bins.map[0] >> units & 1))
    return NULL;
  struct free_block *block = bins.bin[units];
  remove_first((uint32_t)units, get_link(&block->next));
  forget(&block->next);
  forget(&block->previous);
  return block;
}

/* The first block in the request's own bin, or else in the next bin that has any. */
static inline struct free_block *free_list_find(size_t size) {
  uint32_t bin = bin_of(size);
  if (bin >= LINEAR) {
    struct free_block *block = bins.bin[bin];
    if (block && get_head((struct block *)block) >= size)
      return block;
    ++bin; /* there may be none, but it has a bit */
  }
  uint32_t word = bin / MAP_BITS;
  uint64_t bits = bins.map[word] >> bin % MAP_BITS << bin % MAP_BITS;
  while (!bits) {
    /* Two shifts, since a shift by 32 is undefined. */
    uint32_t words = bins.summary >> word >> 1;
    if (!words)
      return NULL;
    word += 1 + (uint32_t)__builtin_ctz(words);
    bits = bins.map[word];
    if (!bits)
      bins.summary &= ~((uint32_t)1 << word);
  }
  return bins.bin[word * MAP_BITS + (uint32_t)__builtin_ctzll(bits)];
}

/* Checks bins, map, summary and, with the blocks that they hold, the whole heap. */
static const void *free_list_check(size_t *listed) {
  for (uint32_t bin = 0; bin < BINS; ++bin) {
    uint32_t word = bin / MAP_BITS;
    bool mapped = bins.map[word] >> bin % MAP_BITS & 1;
    bool summarized = bins.summary >> word & 1;
    /* Uncovered: only a fault of the allocator itself makes its variables wrong. */
    if (mapped != (bins.bin[bin] != NULL) || (mapped && !summarized))
      return (void *)-1;
    struct free_block *previous = NULL;
    for (struct free_block *block = bins.bin[bin]; block;
         block = get_link(&block->next), ++*listed) {
      struct free_block *next = get_link(&block->next);
      if (!block_is_free((struct block *)block) || get_link(&block->previous) != previous ||
          bin_of(get_head((struct block *)block)) != bin || (next && !block_may_be_at(next)))
        return block_payload((struct block *)block);
      previous = block;
    }
  }
  return NULL;
}

/* 5_wasmalloc builds on the bins, with a contract of its own. */
#ifndef BINS_WITHOUT_CONTRACT
#include "tags_contract.h"
#endif
