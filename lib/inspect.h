/*
 * Statistics, made by a walk over all blocks: the same for every allocator.
 */
#ifndef WASMALLOC_INSPECT_H
#define WASMALLOC_INSPECT_H

#include "allocator.h"
#include "block.h"

/* The walk's next block, which lies higher than the one before: so every walk ends, whatever heads say. */
static bool next_higher_block(struct wasmalloc_block *walk) {
  const void *before = walk->address;
  bool found = heap_next_block(walk);
  trap_unless(!found || walk->address > before);
  return found;
}

/* Invariant of the result: heap_size = used_size + free_size + overhead_size, to the byte. */
static void inspect(struct wasmalloc_statistics *statistics) {
  struct wasmalloc_block block = {0};
  *statistics = (struct wasmalloc_statistics){0};
  while (next_higher_block(&block)) {
    switch (block.state) {
    case WASMALLOC_FREE:
      ++statistics->free_blocks;
      statistics->free_size += block.size;
      if (block.size > statistics->largest_free)
        statistics->largest_free = block.size;
      break;
    case WASMALLOC_USED:
      ++statistics->used_blocks;
      statistics->used_size += block.size;
      break;
    default:
      break;
    }
  }
  size_t size = heap_own_size();
  statistics->heap_size = size;
  statistics->peak_size = size > heap.peak_size ? size : heap.peak_size;
  statistics->overhead_size = statistics->heap_size - statistics->used_size - statistics->free_size;
}

#endif
