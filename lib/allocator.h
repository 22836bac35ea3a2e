/*
 * The contract between an interface and an allocator.
 *
 * Each of 1_minimal.c ... 5_wasmalloc.c implements the functions below, and an interface
 * (c_interface.c, word_interface.c) includes one of them. They are static, so that the compiler can
 * merge an interface's function with the allocator's fast path.
 *
 * What every caller guarantees: a `payload` is an address that one of the allocating functions has
 * returned and that has not been released since; only one thread at a time is inside, which holds the lock
 * (lock.h). Some functions take it themselves, and are called without it, by any thread at any time: heap_resize() and
 * heap_allocate_aligned(), and if the allocator defines LOCKS_ITSELF heap_allocate(), heap_release() and
 * heap_payload_size() too.
 */
#ifndef WASMALLOC_ALLOCATOR_H
#define WASMALLOC_ALLOCATOR_H

#include "lock.h"
#include "memory.h"
#include "wasmalloc.h"

/* Not every interface calls every function. */
#define SOMETIMES_UNUSED __attribute__((unused))

/* A new block with a payload of at least `bytes`, aligned to ALIGNMENT; `bytes` may be 0, which
 * gives a block of its own all the same. NULL when there is no memory, or for more than
 * PTRDIFF_MAX. */
SOMETIMES_UNUSED static void *heap_allocate(size_t bytes);

/* The same, aligned to `alignment`, which is a power of two above ALIGNMENT. Takes the lock. */
SOMETIMES_UNUSED static void *heap_allocate_aligned(size_t alignment, size_t bytes);

/* Changes the size of the payload without another block, and returns where it stands now: in the same place, or lower,
 * if the block has grown into a free one before it. It keeps its contents up to the smaller of the two sizes. NULL, and
 * the block is as it was, if there is no room; there always is where the payload does not grow. A caller who then
 * finds no other block asks once more: an allocator with BLOCKS_SLIDE may have refused only because it prefers that the
 * payload moves. Takes the lock. */
SOMETIMES_UNUSED static void *heap_resize(void *payload, size_t bytes);

/* Gives the block back. */
SOMETIMES_UNUSED static void heap_release(void *payload);

/* How many bytes the payload really has: at least what was asked for. */
SOMETIMES_UNUSED static size_t heap_payload_size(const void *payload);

/* Gives memory at the end of the heap back to the memory layer, but for `keep` bytes. Returns
 * whether there was any. */
SOMETIMES_UNUSED static bool heap_trim(size_t keep);

/* wasmalloc_next_block() and wasmalloc_check() of wasmalloc.h. */
SOMETIMES_UNUSED static bool heap_next_block(struct wasmalloc_block *block);
SOMETIMES_UNUSED static const void *heap_check(void);

/* From the interface: its function that frees, which takes the lock. An allocator calls it, without the lock, for what it
 * has cut off a block: it has the code for that already, and in a program with threads a place where that can be put
 * aside. */
SOMETIMES_UNUSED static void interface_release(void *payload);

#endif
