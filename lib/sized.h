/*
 * Blocks that are freed with their size: the hardened build looks whether it is the right one. Between c_interface.c,
 * which has the allocator, and trace.c and sized_delete.c.
 */
#ifndef WASMALLOC_SIZED_H
#define WASMALLOC_SIZED_H

#include <stdbool.h>
#include <stddef.h>

#ifdef WASMALLOC_HARDENED

/* Whether so many bytes were asked for. Stops at nothing, not even where no block is: free() does. Cost: constant, a load. */
bool wasmalloc_has_size(const void *payload, size_t bytes);

/* Stops the program if `payload` is not a block of that many bytes, or not aligned so. */
void wasmalloc_check_sized(const void *payload, size_t alignment, size_t bytes);

#else

static inline void wasmalloc_check_sized(const void *payload, size_t alignment, size_t bytes) {
  (void)payload;
  (void)alignment;
  (void)bytes;
}

#endif

#endif
