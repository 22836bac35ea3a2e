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
 * Splitting, merging and the layout of blocks are those of 3_doubly (boundary_tags.h); the bins and
 * their bitmap are in bins.h.
 *
 * Cost: malloc and free take constant time, whatever the heap looks like. A request may pass over a
 * block that would fit exactly, if it is not the first in its bin.
 *
 * When to choose it: when 5_wasmalloc is too large, or when no call may take long.
 */
#include "bins.h"

static struct block *free_list_find(size_t size) {
  return bins_find(size);
}

static bool free_list_reclaim(void) {
  return false;
}

static void *heap_allocate(size_t bytes) {
  return tags_allocate(bytes);
}

static void heap_release(void *payload) {
  tags_release(payload);
}

static void *heap_allocate_aligned(size_t alignment, size_t bytes) {
  return tags_allocate_aligned(alignment, bytes);
}

static bool heap_resize(void *payload, size_t bytes) {
  return tags_resize(payload, bytes);
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
  return bins_check();
}
