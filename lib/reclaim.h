/*
 * Reclaiming: how an allocator that puts memory aside finds a block when none is free. For 5_wasmalloc and the hardened
 * build, over the boundary tags.
 *
 * What is put aside, on quick lists, in runs, in a quarantine, serves some requests faster, or later ones safer, but
 * not this one. To release all of it would take long, and lose what it is for; to release none would let the heap grow
 * for nothing. So it is released by and by, and more of it the more the heap's growth would cost.
 */
#ifndef WASMALLOC_RECLAIM_H
#define WASMALLOC_RECLAIM_H

#include "boundary_tags.h"

/* A heap of less than this is small: two pages, unless the allocator knows better. */
#ifndef SMALL_HEAP
#define SMALL_HEAP ((ptrdiff_t)2 << 16)
#endif

/* So often a little memory is reclaimed before linear memory grows for a block of `size` bytes. For a small one the
 * first time mostly does; for a large one it is as often as takes a fraction of what the program will do with it. */
#define RECLAIM_ROUNDS(size) (8 + (size) / 65536 * 128)

/* From the allocator: makes free blocks of a little of the memory that it has put aside, or of all; says
 * whether there was any. */
static bool free_list_reclaim(bool all);

/* The contract's find_elsewhere(). So that no call takes long only some of what was put aside is reclaimed, and as long
 * as there is more the heap grows by no more than it must. Before linear memory itself grows, which is for good, more is
 * reclaimed; and all there is where it cannot grow. A small heap rather grows, as long as linear memory does not have to:
 * little is put aside in it, and most calls would release some of that, only to put it aside again. */
NOT_INLINED static struct block *find_elsewhere(size_t size) {
  size_t rounds = heap.end - heap.first >= SMALL_HEAP;
  if (memory_room() < size - rest.size + 2 * ALIGNMENT)
    rounds = RECLAIM_ROUNDS(size);
  bool reclaimed = false;
  for (; rounds && (reclaimed = free_list_reclaim(false)); --rounds) {
    struct block *block = find_free(size);
    if (block)
      return block;
  }
  if (grow_rest(size, !reclaimed))
    return rest.block;
  return free_list_reclaim(true) ? find_free(size) : NULL;
}

#endif
