/*
 * Quick lists: the blocks that free puts aside. Shared by 5_wasmalloc.c and 5_wasmalloc_threads.c.
 *
 * free *defers* a small block: it stays marked used, and is put on the list of its size, where malloc finds it
 * (Weinstock and Wulf, "Quick Fit", 1988). Neither touches more than the list's first block:
 *
 *      class
 *      +---------+--------+
 *      | quick   | room   |
 *      +---------+--------+
 *         |
 *         v
 *      +------+------+- - - -+    +------+------+- - - -+    +------+------+- - - -+
 *      | head | next |       | -->| head | next |       | -->| head | NULL |       |
 *      +------+------+- - - -+    +------+------+- - - -+    +------+------+- - - -+
 *      freed last                                            freed first
 *
 * A list has *room* for some more, for blocks that are deferred merge with nothing and serve no other size. How large a
 * class is, and when its list is given room anew, is up to the allocator.
 *
 * Invariants: a deferred block or object is marked used, is on one list, and that is the list of its class.
 */
#ifndef WASMALLOC_QUICK_LISTS_H
#define WASMALLOC_QUICK_LISTS_H

#include "reclaim.h"

/* A list has room for so many blocks at most. */
#define MOST_ROOM 255

/* So many deferred blocks are released when memory is short. */
#define RELEASED 8

/* To copy a block of so many bytes takes longer than that. */
#define WORTH_CLEARING ((size_t)1 << 15)

/* The payload of a deferred block or object. */
struct deferred {
  struct deferred *next;
};

/* What malloc and free of small blocks need. Aligned so that the address is the size, shifted. */
struct size_class {
  _Alignas(4 * WORD) struct deferred *quick; /* the quick list */
  char *objects; /* the payload of the first object of the run in use (runs.h), or NULL */
  uint32_t free; /* bit i is set if object i of that run is free, and malloc's to take */
  uint8_t room;  /* so many more blocks may be put on the quick list */
  uint8_t most;  /* and so many when it is empty */
  uint16_t size; /* of an object of the run in use, head included */
};

/* From the allocator, before this is included: LAST_SURPLUS. A block that was the last object of a run may be larger than
 * its class says, but by less than LAST_SURPLUS and the step to the next class. */

/* From the allocator: the size of the smallest block that belongs to the class with an index. */
static inline size_t class_size(size_t index);

/* From the allocator: frees what was deferred. A block is merged, an object goes back to its run. */
static void release(struct block *block);

/* From the allocator: releases some of the quick list that a block is on if it is deferred, and says whether there
 * were any. */
static bool release_where_deferred(struct block *block);

/* Puts a freed block or object on its quick list, if that has room, and says whether it has. */
static inline bool defer(struct size_class *class, struct deferred *payload) {
  if (!class->room)
    return false;
  --class->room;
  payload->next = class->quick;
  class->quick = payload;
  return true;
}

/* Releases up to `count` blocks of a list, and says how many. */
RARE static size_t release_list(struct deferred **list, size_t count) {
  size_t released = 0;
  for (struct deferred *deferred; released < count && (deferred = *list); ++released) {
    *list = deferred->next;
    release(payload_block(deferred));
  }
  return released;
}

/* heap_resize() of a block. Where the block behind is in the way, it may only be deferred. A large block that has to
 * move clears up a little: where a lot is put aside that nobody asks for any more, it would else move again and again,
 * from one gap to the next larger. */
static inline void *resize_block(void *payload, size_t bytes, void **surplus) {
  struct block *tried = NULL;
  void *resized;
  while (!(resized = tags_resize(payload, bytes, surplus))) {
    struct block *next = block_next(payload_block(payload));
    if (next == tried || !release_where_deferred(next)) {
      if (bytes >= WORTH_CLEARING)
        free_list_reclaim(false);
      return NULL;
    }
    tried = next; /* it is still there, but may be free now */
  }
  return resized;
}

/* Checks a list of up to `most` deferred blocks of the class with an index: NULL or what is broken. */
static const void *list_check(const struct deferred *list, uint32_t index, size_t most) {
  size_t least = class_size(index);
  size_t surplus_end = class_size(index + 1) - least + LAST_SURPLUS;
  size_t deferred_blocks = 0;
  for (const struct deferred *deferred = list; deferred; deferred = deferred->next) {
    const struct block *block = payload_block((void *)deferred);
    if (deferred->next && !payload_may_be_at((uintptr_t)deferred->next))
      return deferred;
    size_t surplus = heap_payload_size(deferred) + WORD - least;
    if (block_is_free(block) || surplus >= surplus_end || ++deferred_blocks > most)
      return deferred;
  }
  return NULL;
}

#endif
