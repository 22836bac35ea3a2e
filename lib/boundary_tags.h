/*
 * Boundary tags: how a block finds the neighbour before it. Shared by 3_doubly, 4_bins and
 * 5_wasmalloc.
 *
 * The size in a block's head leads to the next block. To get to the previous one as quickly, a free
 * block repeats its size in its last word, right before the head of its neighbour (Knuth, "The Art
 * of Computer Programming", vol. 1, section 2.5, algorithm C). A used block does not: the
 * neighbour's flag PREVIOUS_USED says that there is nothing to read, and the word belongs to the
 * payload (as in Lea's dlmalloc).
 *
 *      used                                   free
 *      +------------+-----------------------+ +------------+------+----------+-----+------+
 *      | size  U=1  | payload               | | size  U=0  | next | previous | ... | size |
 *      |            |                       | |      P=1   |      |          |     |      |
 *      +------------+-----------------------+ +------------+------+----------+-----+------+
 *                                               ^                                  ^
 *                    P of the block behind is 1 |       P of the block behind is 0 |
 *
 * So a free block has four words at least, and that is the smallest block there is: a used block of
 * that size has a payload of three words.
 *
 * An allocator supplies the free lists by the functions declared below, and gets the rest from here.
 *
 * The last block of the heap, if it is free, is in no list. It is *the rest*, taken only when no
 * other block fits, so that the heap's used end stays low. (Lea calls it top, others the
 * wilderness.)
 *
 * Invariants: a block's P says whether the block before it is used; no two free blocks are
 * neighbours (so P of a free block is always 1); every free block but the rest is in the lists.
 */
#ifndef WASMALLOC_BOUNDARY_TAGS_H
#define WASMALLOC_BOUNDARY_TAGS_H

#include "allocator.h"
#include "block.h"

struct free_block {
  size_t head;
  struct free_block *next;
  struct free_block *previous;
};

#define MINIMUM_BLOCK (4 * WORD)

/* From the allocator: puts a free block, whose size is in its head, into the lists; takes it out.
 */
static void free_list_insert(struct free_block *block);
static void free_list_remove(struct free_block *block);

/* From the allocator: a free block of at least `size` bytes, taken out of the lists, or NULL. */
static struct block *free_list_find(size_t size);

/* From the allocator: checks the lists' own invariants and adds to *listed the number of their blocks.
 * NULL, or the payload of a broken block, or (void *)-1. */
static const void *free_list_check(size_t *listed);

/* From the allocator: makes free blocks of some memory that it has put aside. False if there is
 * none. */
static bool free_list_reclaim(void);

/* ---- tags ---- */

static inline bool previous_is_used(const struct block *block) {
  return block->head & PREVIOUS_USED;
}

/* The tag at the end of the block before this one, which is free. */
static inline size_t *previous_tag(struct block *block) {
  return (size_t *)block - 1;
}

/* The block before this one, which is free. */
static inline struct block *block_previous(struct block *block) {
  return (struct block *)((char *)block - *previous_tag(block));
}

/* Whether a free block is the rest: the last of the heap. */
static inline bool is_rest(struct block *block) {
  return block_next(block) == heap_end_block();
}

/* The size of the rest, or 0 when the last block is not free. */
static inline size_t rest_size(void) {
  return heap.end && !previous_is_used(heap_end_block()) ? *previous_tag(heap_end_block()) : 0;
}

/* Takes a free block out of the lists, where it is if it is not the rest. */
static void unlist(struct block *block) {
  if (!is_rest(block))
    free_list_remove((struct free_block *)block);
}

/* Makes `size` bytes at `block` a free block, and lists it if it is not the rest. Its neighbours
 * are not free. */
static inline void make_free(struct block *block, size_t size) {
  struct block *next = block_at(block, size);
  block->head = size | PREVIOUS_USED;
  next->head &= ~(size_t)PREVIOUS_USED;
  *previous_tag(next) = size;
  if (next != heap_end_block())
    free_list_insert((struct free_block *)block);
}

/* Makes `size` bytes at `block`, which are in no list, free. Neighbours that are free are merged
 * with them: that the tags lead to both at once is what they are for. */
NOT_INLINED static void release_block(struct block *block, size_t size) {
  struct block *next = block_at(block, size);
  if (block_is_free(next)) {
    unlist(next);
    size += block_size(next);
  }
  if (!previous_is_used(block)) {
    block = block_previous(block);
    free_list_remove((struct free_block *)block);
    size += block_size(block);
  }
  make_free(block, size);
}

/* Makes the first `size` bytes of a stretch of `available` bytes, which begins at `block` and is in
 * no list, a used block; what is left is free if it makes a block, and is part of the used one if
 * not. */
static inline void use_block(struct block *block, size_t size, size_t available) {
  size_t remainder = available - size;
  if (remainder < MINIMUM_BLOCK) {
    size = available;
    block_at(block, size)->head |= PREVIOUS_USED;
  } else {
    make_free(block_at(block, size), remainder);
  }
  block->head = size | USED | (block->head & PREVIOUS_USED);
}

/* Grows the heap until the rest has `size` bytes at least, and returns it, or NULL. */
RARE static struct block *grow_rest(size_t size) {
  size_t old_size = rest_size();
  struct block *rest = old_size ? block_previous(heap_end_block()) : NULL;
  struct block *block = heap_extend(size - old_size, size);
  if (!block || !rest)
    return block;
  if (block_next(rest) == block) {
    rest->head += block_size(block);
    return rest;
  }
  /* A new part of the heap: a foreign block follows what was the rest. */
  free_list_insert((struct free_block *)rest);
  return block;
}

/* A free block of at least `size` bytes that is in no list, where the lists have none; or NULL. The
 * rest, then memory that was put aside, but that only a few times so that no call takes long, and at
 * last new memory. */
NOT_INLINED static struct block *find_elsewhere(size_t size) {
  for (int tries = 0;; ++tries) {
    if (rest_size() >= size)
      return block_previous(heap_end_block());
    if (tries == 4 || !free_list_reclaim())
      return grow_rest(size);
    struct block *block = free_list_find(size);
    if (block)
      return block;
  }
}

/* ---- parts of the contract (allocator.h) that follow from the tags alone ---- */

SOMETIMES_UNUSED static void *tags_allocate(size_t bytes) {
  if (bytes > MAXIMUM_REQUEST)
    return NULL;
  size_t size = block_size_for(bytes, MINIMUM_BLOCK);
  struct block *block = free_list_find(size);
  if (!block && !(block = find_elsewhere(size)))
    return NULL;
  use_block(block, size, block_size(block));
  return block_payload(block);
}

SOMETIMES_UNUSED static void tags_release(void *payload) {
  struct block *block = payload_block(payload);
  release_block(block, block_size(block));
}

SOMETIMES_UNUSED static bool tags_resize(void *payload, size_t bytes) {
  if (bytes > MAXIMUM_REQUEST)
    return false;
  struct block *block = payload_block(payload);
  size_t size = block_size_for(bytes, MINIMUM_BLOCK);
  size_t available = block_size(block);
  struct block *next = block_next(block);
  if (size > available) {
    size_t behind = block_is_free(next) ? block_size(next) : 0;
    if (available + behind < size) {
      /* New memory helps if all that lies between here and the end of the heap is free. */
      if (block_at(next, behind) != heap_end_block() || heap.end != memory_break())
        return false;
      struct block *rest = grow_rest(size - available);
      if (!rest)
        return false;
      behind = block_size(rest);
      if (rest != next) {
        /* Another thread has called sbrk() in between: a new part of the heap, no continuation. */
        make_free(rest, behind);
        return false;
      }
    } else {
      unlist(next);
    }
    use_block(block, size, available + behind);
  } else if (available - size >= MINIMUM_BLOCK) {
    block->head -= available - size;
    struct block *rest = block_next(block);
    rest->head = USED | PREVIOUS_USED;
    release_block(rest, available - size);
  }
  return true;
}

/* Allocates more than needed and gives back what lies before the aligned address and behind the
 * end. */
SOMETIMES_UNUSED static void *tags_allocate_aligned(size_t alignment, size_t bytes) {
  if (alignment <= ALIGNMENT)
    return tags_allocate(bytes);
  if (bytes > MAXIMUM_REQUEST || alignment > (MAXIMUM_REQUEST - bytes) / 2)
    return NULL;
  /* The bytes that are skipped must make a block: there may be one alignment more of them. */
  char *payload = tags_allocate(bytes + alignment + MINIMUM_BLOCK);
  if (!payload)
    return NULL;
  struct block *block = payload_block(payload);
  size_t skipped = -(size_t)payload & (alignment - 1);
  if (skipped) {
    if (skipped < MINIMUM_BLOCK)
      skipped += alignment;
    struct block *aligned = block_at(block, skipped);
    aligned->head = (block_size(block) - skipped) | USED | PREVIOUS_USED;
    release_block(block, skipped);
    block = aligned;
  }
  tags_resize(block_payload(block), bytes);
  return block_payload(block);
}

SOMETIMES_UNUSED static size_t tags_payload_size(const void *payload) {
  return block_size(payload_block(payload)) - WORD;
}

SOMETIMES_UNUSED static bool tags_trim(size_t keep) {
  size_t size = rest_size();
  if (keep > size)
    return false;
  size_t kept = ALIGN_UP(keep);
  if (kept && kept < MINIMUM_BLOCK)
    kept = MINIMUM_BLOCK;
  if (kept >= size)
    return false;
  struct block *rest = block_previous(heap_end_block());
  if (!heap_shrink(size - kept))
    return false;
  heap_end_block()->head = USED | PREVIOUS_USED;
  if (kept)
    make_free(rest, kept);
  return true;
}

/* Checks the lists, the row of blocks and its tags. */
SOMETIMES_UNUSED static const void *tags_check(void) {
  size_t listed = 0;
  const void *broken = free_list_check(&listed);
  if (broken)
    return broken;
  size_t free_blocks;
  broken = block_check(MINIMUM_BLOCK, &free_blocks);
  if (broken)
    return broken;
  if (!heap.first)
    return NULL;
  bool used = true;
  for (struct block *block = (struct block *)heap.first;; block = block_next(block)) {
    if (previous_is_used(block) != used || (!used && block_is_free(block)))
      return block_payload(block);
    if (block == heap_end_block())
      break;
    used = !block_is_free(block);
    if (!used && *previous_tag(block_next(block)) != block_size(block))
      return block_payload(block);
  }
  return free_blocks == listed + (rest_size() != 0) ? NULL : (void *)-1;
}

#endif
