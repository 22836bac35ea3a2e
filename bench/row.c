/*
 * Shows the heap of one of the five allocators as it is: a row of blocks. wasmalloc_next_block() tidies up first, and
 * what the allocator had put aside is then free like all else. Linked with js/replay.c in place of the port, and compiled
 * like it, for bench/reasons.mjs.
 */
#include "c_interface.c"

/* Moves on to the next block, or to the first one; NULL after the last. */
const struct wasmalloc_block *row_next(bool first) __attribute__((used, export_name("row_next")));
const struct wasmalloc_block *row_next(bool first) {
  static struct wasmalloc_block block;
  if (first)
    block.address = NULL;
  return block_walk(&block) ? &block : NULL;
}
