/*
 * What both interfaces share: the lock around an allocator's functions, and realloc.
 *
 * An interface includes its allocator first, then this, and defines the functions below.
 */
#ifndef WASMALLOC_INTERFACE_H
#define WASMALLOC_INTERFACE_H

#include "allocator.h"
#include "copy.h"

/* From the interface: its function that allocates, which takes the lock. NULL where there is no memory. The other one,
 * interface_release(), is declared in allocator.h. */
static void *interface_allocate(size_t bytes);

/* From the interface: what its functions have last told of an error, errno in C, and a way to put that back. A realloc
 * that finds room after all has told nothing. */
static inline int interface_error(void);
static inline void interface_set_error(int error);

/* In an allocator without boundary tags no block slides. */
#ifndef BLOCKS_SLIDE
#define BLOCKS_SLIDE false
#endif

/* For the functions that an allocator may take the lock in itself (allocator.h). */
static inline void lock_around(void) {
#ifndef LOCKS_ITSELF
  heap_lock();
#endif
}

static inline void unlock_around(void) {
#ifndef LOCKS_ITSELF
  heap_unlock();
#endif
}

/* How many bytes a payload has. */
static inline size_t payload_size(const void *payload) {
  lock_around();
  size_t size = heap_payload_size(payload);
  unlock_around();
  return size;
}

/* realloc: gives the payload another size, where it is, or else in another block, to which it is copied up to the smaller
 * of both sizes. NULL, and the block is as it was, if there is no memory. */
static inline void *resize_or_move(void *payload, size_t bytes) {
  void *resized = heap_resize(payload, bytes);
  if (resized)
    return resized;
  int error = BLOCKS_SLIDE ? interface_error() : 0;
  void *moved = interface_allocate(bytes);
  if (!moved) {
    if (BLOCKS_SLIDE && (moved = heap_resize(payload, bytes))) /* once more (allocator.h) */
      interface_set_error(error);
    return moved;
  }
  /* The copying needs no lock: both blocks are the caller's. */
  copy_payload(moved, payload, payload_size(payload)); /* it grows */
  interface_release(payload);
  return moved;
}

#endif
