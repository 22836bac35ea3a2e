/*
 * The contract (allocator.h) of an allocator that is nothing more than boundary tags and free lists:
 * 3_doubly and 4_bins include this at their end.
 */
#ifndef WASMALLOC_TAGS_CONTRACT_H
#define WASMALLOC_TAGS_CONTRACT_H

#include "boundary_tags.h"

/* Nothing is put aside: there is new memory, or none. */
NOT_INLINED static struct block *find_elsewhere(size_t size) {
  return grow_rest(size, true) ? rest.block : NULL;
}

static inline void *heap_allocate(size_t bytes) {
  return tags_allocate(bytes);
}

static void *heap_allocate_aligned(size_t alignment, size_t bytes) {
  return allocate_aligned_locked(alignment, bytes);
}

static void *heap_resize(void *payload, size_t bytes) {
  return resize_locked(tags_resize, payload, bytes);
}

static inline void heap_release(void *payload) {
  tags_release(payload);
}

static size_t heap_payload_size(const void *payload) {
  return tags_payload_size(payload);
}

static bool heap_trim(size_t keep) {
  return tags_trim(keep);
}

static bool heap_next_block(struct wasmalloc_block *block) {
  return block_walk(block);
}

static const void *heap_check(void) {
  return tags_check();
}

#endif
