/*
 * wasmalloc: looking into the heap from a C or C++ program.
 *
 * The allocators themselves need no header: they are malloc, free and the
 * rest of <stdlib.h> and <malloc.h>. What is declared here works the same
 * with each of the five.
 */
#ifndef WASMALLOC_H
#define WASMALLOC_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a stretch of the heap is at the moment. */
enum wasmalloc_state {
  WASMALLOC_FREE = 0,     /* can be allocated */
  WASMALLOC_USED = 1,     /* belongs to the program */
  WASMALLOC_FOREIGN = 2,  /* somebody else's memory, obtained by sbrk() between two growths */
  WASMALLOC_INTERNAL = 3, /* the allocator's own data */
};

/* One block, as the walk reports it. `address` is the payload: what malloc returned. */
struct wasmalloc_block {
  void *address;
  size_t size;  /* bytes of the payload */
  size_t state; /* an enum wasmalloc_state */
};

/* All sizes in bytes. */
struct wasmalloc_statistics {
  size_t heap_size;     /* from the heap's first byte to its last, foreign memory not counted */
  size_t peak_size;     /* the largest that heap_size has been */
  size_t used_blocks;   /* number of blocks that the program holds */
  size_t used_size;     /* their payloads together */
  size_t free_blocks;   /* number of free blocks */
  size_t free_size;     /* their payloads together */
  size_t largest_free;  /* the largest of them */
  size_t overhead_size; /* the rest: heads, padding, the allocator's own data */
};

/*
 * Walks the heap in the order of addresses. Start with a block whose address
 * is NULL; each call moves it on to the next block and returns true, or
 * returns false when there is none left. The heap must not change meanwhile.
 * Constant time per call, except the first, which may tidy up. With threads, what others have put aside for
 * themselves is shown as used (5_wasmalloc).
 */
bool wasmalloc_next_block(struct wasmalloc_block *block);

/* Fills in *statistics. Takes time in proportion to the number of blocks. */
void wasmalloc_statistics(struct wasmalloc_statistics *statistics);

/*
 * Checks every invariant of the heap. Returns NULL when all hold, else the
 * address of the first block that breaks one ((void *)-1 when the fault is
 * not in a block). Takes time in proportion to the number of blocks. With threads, what others have put aside for
 * themselves is not looked at (5_wasmalloc). In the hardened build it finds overflow, underflow and writes after free
 * that no free() or malloc() has come across yet. The debug build also prints that block, its neighbours and the bytes
 * around, to stderr, and exports the function to JavaScript, as Module._wasmalloc_check().
 */
void *wasmalloc_check(void);

#ifdef __cplusplus
}
#endif

#endif
