/*
 * 1_minimal: an allocator that never deallocates.
 *
 * The idea. Memory is handed out from the bottom to the top, and the break (memory.h) tells how
 * far: to allocate is to move it. Nothing is ever given back, so there is nothing to search, to
 * split or to merge: the simplest allocator there is, and the one that needs the most memory.
 *
 *      heap.first                                               heap.end, the break
 *      |                                                        |
 *      v                                                        v
 *      +------+---------+------+---------------+------+---------+-----+
 *      | head | payload | head | payload       | head | payload | end | --> grows
 *      +------+---------+------+---------------+------+---------+-----+
 *
 * A block has a head (block.h) only so that realloc knows how much to copy.
 *
 * Cost: malloc and free take constant time. Space: the sum of all requests ever made.
 *
 * When to choose it: for a program that runs once, allocates less than there is, and ends: a
 * command line tool, a parser called once per instance of the module.
 */
#include "allocator.h"
#include "block.h"

/* heap_allocate() without a limit. */
static inline void *allocate(size_t bytes) {
  size_t size = block_size_for(bytes, ALIGNMENT);
  struct block *block = heap_extend_exactly(size, size);
  return block ? block_payload(block) : NULL;
}

static void *heap_allocate(size_t bytes) {
  return bytes > MAXIMUM_REQUEST ? NULL : allocate(bytes);
}

/* Allocates so much that there is an aligned address in it, and loses what lies before. */
static void *heap_allocate_aligned(size_t alignment, size_t bytes) {
  if (exceeds_maximum(alignment, bytes))
    return NULL;
  heap_lock();
  char *payload = allocate(bytes + alignment);
  heap_unlock();
  if (!payload)
    return NULL;
  struct block *block = payload_block(payload);
  size_t skipped = -(size_t)payload & (alignment - 1);
  if (skipped) {
    struct block *lost = block;
    block = block_at(lost, skipped);
    block->head = lost->head - skipped;
    lost->head = skipped | PREVIOUS_USED;
  }
  return block_payload(block);
}

/* No block can grow. */
static void *heap_resize(void *payload, size_t bytes) {
  return bytes <= heap_payload_size(payload) ? payload : NULL;
}

static void heap_release(void *payload) {
  (void)payload;
}

static size_t heap_payload_size(const void *payload) {
  return block_size(payload_block(payload)) - WORD;
}

static bool heap_trim(size_t keep) {
  (void)keep;
  return false;
}

static bool heap_next_block(struct wasmalloc_block *block) {
  return block_walk(block);
}

static const void *heap_check(void) {
  size_t free_blocks;
  return block_check(ALIGNMENT, &free_blocks);
}
