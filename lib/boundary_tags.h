/*
 * Boundary tags: how a block finds the neighbour before it. Shared by 3_doubly, 4_bins and
 * 5_wasmalloc.
 *
 * The size in a block's head leads to the next block. To get to the previous one as quickly, a free
 * block repeats its size in its last word, right before the head of its neighbour (Knuth, "The Art
 * of Computer Programming", vol. 1, section 2.5, algorithm C). A used block does not: the
 * neighbour's flag PREVIOUS_USED says that there is nothing to read, and the word belongs to the
 * payload (as in Lea's dlmalloc).
 *
 *      used                                   free
 *      +------------+-----------------------+ +------------+------+----------+-----+------+
 *      | size  U=1  | payload               | | size  U=0  | next | previous | ... | size |
 *      |            |                       | |      P=1   |      |          |     |      |
 *      +------------+-----------------------+ +------------+------+----------+-----+------+
 *                                               ^                                  ^
 *                    P of the block behind is 1 |       P of the block behind is 0 |
 *
 * So a free block has four words at least, and that is the smallest block there is: a used block of
 * that size has a payload of three words.
 *
 * An allocator supplies the free lists by the functions declared below, and gets the rest from here.
 *
 * The free stretch at the end of the heap is *the rest*. It is in no list, and taken only when no
 * other block fits, so that the heap's used end stays low. (Lea calls it top, others the
 * wilderness.) Two variables know it, so that to cut a block off, or to give one back to it, takes
 * neither a list nor a tag:
 *
 *      +--------+--------+--------+- - - - - - - - - - - - - - - - - - -+-----+
 *      | used   | free   | used   | rest                                | end |
 *      +--------+--------+--------+- - - - - - - - - - - - - - - - - - -+-----+
 *                                 ^
 *                                 rest.block            |<- rest.size ->|
 *
 * Invariants: a block's P says whether the block before it is used; no two free blocks are neighbours
 * (so P of a free block is always 1), and before the rest there is a used one even if the rest is empty;
 * every free block but the rest is in the lists; the rest ends at the heap's end, and has no bytes or
 * MINIMUM_BLOCK at least. Nobody asks the end for its P as long as the rest has bytes; but the end of an
 * empty rest has P set, for growth hands it on to the block that it makes of the end (block.h).
 */
#ifndef WASMALLOC_BOUNDARY_TAGS_H
#define WASMALLOC_BOUNDARY_TAGS_H

#include "allocator.h"
#include "block.h"

struct free_block {
  head_word head;
  link_word next;
  link_word previous;
};

#define MINIMUM_BLOCK (4 * WORD)

/* A foreign block may be smaller in the hardened build, whose words are large: it has two, and what somebody took by
 * sbrk(). That the other blocks are not is checked there (hardened.c). */
#define LEAST_FOREIGN (2 * WORD + ALIGNMENT)

/* What most programs align to that align blocks at all. */
#define CACHE_LINE 64

/* Whether a block that grows may slide into the free one before it, and should rather move away from the end of the
 * heap where blocks grow in turn (should_move). */
#ifndef BLOCKS_SLIDE
#define BLOCKS_SLIDE true
#endif

/* From the allocator: lists a free block of `size` bytes, in place of `old`, which is listed with
 * `old_size` bytes, or of none if that is 0. The two overlap, and may be at the same address: `old` has its
 * head still, and that of `block` is written afterwards. */
static void free_list_put(struct free_block *block, size_t size, struct free_block *old,
                          size_t old_size);

/* From the allocator: takes a block, whose size is in its head, out of the lists. */
static void free_list_remove(struct free_block *block);

/* From the allocator: a block of exactly `size` bytes, taken out of the lists, if one is at hand at
 * once; else NULL. */
static inline struct free_block *free_list_take(size_t size);

/* From the allocator: a listed block of at least `size` bytes, or NULL. */
static struct free_block *free_list_find(size_t size);

/* From the allocator: checks the lists' own invariants and adds to *listed the number of their blocks.
 * NULL, or the payload of a broken block, or (void *)-1. */
static const void *free_list_check(size_t *listed);

/* From the allocator: a free block of at least `size` bytes, listed or the rest, where there was none: the heap has
 * grown, or memory that was put aside is free again. NULL if there is no memory. */
static struct block *find_elsewhere(size_t size);

static struct {
  struct block *block;
  size_t size;
} rest;

/* ---- tags ---- */

static inline bool previous_is_used(const struct block *block) {
  return get_head(block) & PREVIOUS_USED;
}

/* The tag at the end of the block before this one, which is free and listed. */
static inline tag_word *previous_tag(struct block *block) {
  return (tag_word *)block - 1;
}

static inline void set_previous_used(struct block *block) {
  change_head(block, get_head(block) | PREVIOUS_USED);
}

static inline void set_previous_free(struct block *block) {
  change_head(block, get_head(block) & ~(size_t)PREVIOUS_USED);
}

/* Makes `size` bytes at `block` a listed free block, in place of `old`, which they overlap, if
 * `old_size` is not 0. The neighbours are the caller's to mend. */
NOT_INLINED static void list_block(struct block *block, size_t size, struct block *old,
                                   size_t old_size) {
  free_list_put((struct free_block *)block, size, (struct free_block *)old, old_size);
  set_head(block, size | PREVIOUS_USED);
  set_tag(previous_tag(block_at(block, size)), size);
}

static inline void set_rest(struct block *block, size_t size) {
  rest.block = block;
  rest.size = size;
  set_head(block, size | PREVIOUS_USED);
}

/*
 * Makes `size` bytes at `block`, which are in no list, free. Neighbours that are free are merged with
 * them: that the tags lead to both at once is what they are for. One neighbour's place in the lists is
 * kept where that can be.
 */
ALWAYS_INLINED static void release_block_here(struct block *block, size_t size) {
  struct block *next = block_at(block, size);
  struct block *listed = NULL; /* of the merged blocks, the one that stays listed */
  size_t listed_size = 0;      /* 0: there is none */
  if (!previous_is_used(block)) {
    listed_size = get_tag(previous_tag(block));
    listed = (struct block *)((char *)block - listed_size);
    forget(previous_tag(block));
    forget(block);
    block = listed;
    size += listed_size;
  }
  if (next == rest.block) {
    if (listed_size)
      free_list_remove((struct free_block *)listed);
    if (rest.size)
      forget(next);
    set_rest(block, size + rest.size);
    return;
  }
  if (!block_is_free(next)) {
    set_previous_free(next);
    list_block(block, size, listed, listed_size);
    return;
  }
  size_t next_size = block_size(next);
  if (listed_size) {
    free_list_remove((struct free_block *)next);
  } else {
    listed = next;
    listed_size = next_size;
  }
  list_block(block, size + next_size, listed, listed_size);
  forget(next);
}

/* Cuts `size` bytes off the beginning of the rest. What is left stays free if it makes a block. If not it is cut off
 * too: returns how many bytes it really was. The caller writes the head of what was cut off. */
static inline size_t cut_rest(size_t size) {
  if (rest.size - size < MINIMUM_BLOCK)
    size = rest.size;
  set_rest(block_at(rest.block, size), rest.size - size);
  return size;
}

/* The same of a free block, which is listed or the rest. */
NOT_INLINED static size_t cut_free(struct block *block, size_t size) {
  if (block == rest.block)
    return cut_rest(size);
  size_t available = block_size(block);
  if (available - size < MINIMUM_BLOCK) {
    free_list_remove((struct free_block *)block);
    struct block *next = block_at(block, available);
    forget(previous_tag(next));
    set_previous_used(next);
    return available;
  }
  list_block(block_at(block, size), available - size, block, available);
  return size;
}

/* Grows the heap until the rest has `size` bytes at least, or some more if it may be comfortable, and
 * says whether it could. */
RARE static bool grow_rest(size_t size, bool comfortable) {
  char *end = heap.end; /* where the rest ends */
  struct block *block = heap_extend(size - rest.size, size, comfortable);
  if (!block)
    return false;
  size_t more = block_size(block);
  if (block_payload(block) == end) {
    if (rest.size)
      forget(block);
    set_rest(rest.block, rest.size + more);
    return true;
  }
  /* A new part of the heap: a foreign block follows what was the rest. */
  if (rest.size) {
    list_block(rest.block, rest.size, NULL, 0);
    set_previous_free(payload_block(end));
  }
  set_rest(block, more);
  return true;
}

/* A free block of `size` bytes or more, listed or the rest; or NULL. */
static struct block *find_free(size_t size) {
  struct block *block = (struct block *)free_list_find(size);
  return block || rest.size < size ? block : rest.block;
}

/* Makes `size` bytes at `block`, which have been cut off, a used block. */
static inline void *use_block(struct block *block, size_t size) {
  set_head(block, size | USED | PREVIOUS_USED); /* before a free block there is no other */
  return block_payload(block);
}

/* The payload of a used block of `size` bytes or a little more, where no free one is large enough; or NULL. */
RARE static void *allocate_elsewhere(size_t size) {
  struct block *block = find_elsewhere(size);
  return block ? use_block(block, cut_free(block, size)) : NULL;
}
KEEP_APART(allocate_elsewhere);

/* The same, from the lists or the rest if they have a block. */
static inline void *allocate_block(size_t size) {
  struct block *block = (struct block *)free_list_take(size);
  if (block) {
    struct block *next = block_at(block, size);
    forget(previous_tag(next));
    set_previous_used(next);
    return use_block(block, size);
  }
  block = (struct block *)free_list_find(size);
  if (block)
    return use_block(block, cut_free(block, size));
  if (rest.size < size)
    return allocate_elsewhere(size);
  block = rest.block;
  return use_block(block, cut_rest(size));
}

SOMETIMES_UNUSED static inline void *tags_allocate(size_t bytes) {
  if (bytes > MAXIMUM_REQUEST)
    return NULL;
  return allocate_block(block_size_for(bytes, MINIMUM_BLOCK));
}

SOMETIMES_UNUSED static inline void tags_release(void *payload) {
  struct block *block = payload_block(payload);
  release_block_here(block, block_size(block));
}

/* Cuts off what a used block has beyond `size` bytes, if that makes a block: that is used too, and the
 * caller's to release. Its payload, or NULL. */
static void *cut_surplus(struct block *block, size_t size) {
  size_t surplus = block_size(block) - size;
  if (surplus < MINIMUM_BLOCK)
    return NULL;
  set_head(block, get_head(block) - surplus);
  struct block *cut = block_at(block, size);
  set_head(cut, surplus | USED | PREVIOUS_USED);
  return block_payload(cut);
}

/* The payload that was the last to grow without another block; or NULL. */
static const void *last_grown;

/*
 * Whether the last block of the heap, which has `old` bytes and lacks `missing`, should move rather than have the heap
 * grow, even though there is no other room:
 *
 *      +---------+---------+                  +---------+---------+-------------------+
 *      | A       | B       | end     -->      | A       | free    | B                 | end
 *      +---------+---------+                  +---------+---------+-------------------+
 *
 * If blocks that grow take turns, A comes next, and would have to move as long as B is in its way: when each has doubled
 * once, that leaves a hole for nothing. So B moves, if another block was the last to grow. One that grows alone stays, and
 * so does one that grows by little: to copy it each time would cost more. What B leaves can be had for no more than
 * one growth, and whoever asks a second time, as there was no memory to move to, is not told to move.
 */
static inline bool should_move(const void *payload, size_t old, size_t missing) {
  bool move = missing > old / 2 && last_grown && last_grown != payload;
  if (move)
    last_grown = NULL;
  return move;
}

/* Whether a block is free and has so many bytes. */
static inline bool has_room(const struct block *block, size_t size) {
  return block_is_free(block) && get_head(block) >= size;
}

/*
 * The contract's heap_resize(). A block that grows takes what it needs from the free block behind it; if that
 * is too small, from the free block before it too, and its payload moves down:
 *
 *      |<-- before -->|<----- old ----->|<-- behind -->|
 *      +--------------+-----------------+--------------+------
 *      | free         | used            | free         | used
 *      +--------------+-----------------+--------------+------
 *      | used                                  | surplus, or free
 *      +---------------------------------------+--------------
 *      |<--------------- size ---------------->|
 *
 * So buffers that grow in turn use the holes that they leave. Only then, at the end of the heap, does the heap
 * grow, by what is missing.
 */
SOMETIMES_UNUSED static void *tags_resize(void *payload, size_t bytes, void **surplus) {
  if (bytes > MAXIMUM_REQUEST)
    return NULL;
  struct block *block = payload_block(payload);
  size_t size = block_size_for(bytes, MINIMUM_BLOCK);
  size_t old = block_size(block);
  if (size > old) {
    struct block *next = block_next(block);
    size_t before = 0;
    size_t missing = size - old;
    if (!has_room(next, missing)) {
      if (BLOCKS_SLIDE && !previous_is_used(block)) {
        before = get_tag(previous_tag(block));
        missing = missing > before ? missing - before : 0;
      }
      if (missing && !has_room(next, missing)) {
        /* At the end of the heap new memory helps, if it continues the rest. If not it has become a rest of its own,
         * which must be a block's size. (Another thread may call sbrk() at any time. Uncovered.) */
        if (next != rest.block || (BLOCKS_SLIDE && should_move(payload, old, missing)) ||
            !grow_rest(missing < MINIMUM_BLOCK ? MINIMUM_BLOCK : missing, true) ||
            next != rest.block)
          return NULL;
      }
    }
    if (missing) {
      size_t cut = cut_free(next, missing);
      forget(next);
      set_head(block, get_head(block) + cut);
    }
    if (before) {
      size_t all = before + block_size(block);
      block = (struct block *)((char *)block - before);
      free_list_remove((struct free_block *)block);
      payload = __builtin_memmove(block_payload(block), payload, old - WORD);
      set_head(block, all | USED | PREVIOUS_USED);
    }
    last_grown = payload;
  }
  *surplus = cut_surplus(block, size);
  return payload;
}

/*
 * Makes a used block of `size` bytes in the free stretch of `available` bytes at `block`, such that its
 * payload is aligned; NULL if there is no room:
 *
 *      |<-- skipped -->|<--- size --->|
 *      +---------------+--------------+---------------+
 *      | free          | used         | free          |
 *      +---------------+--------------+---------------+
 *      |<----------------- available ---------------->|
 *
 * The stretch has `size` bytes at least. It is listed, or it is the rest. What is left behind the block is a used one too: *surplus,
 * the caller's to release, or NULL.
 */
RARE static void *take_aligned(struct block *block, size_t alignment, size_t size, void **surplus) {
  size_t available = block_size(block);
  size_t skipped = -(size_t)block_payload(block) & (alignment - 1);
  if (skipped && skipped < MINIMUM_BLOCK)
    skipped += alignment;
  if (available - size < skipped)
    return NULL;
  struct block *used = block_at(block, skipped);
  if (!skipped) {
    set_head(used, cut_free(block, size) | USED | PREVIOUS_USED);
  } else if (block == rest.block) {
    set_rest(used, available - skipped);
    set_head(used, cut_rest(size) | USED);
    list_block(block, skipped, NULL, 0);
  } else {
    list_block(block, skipped, block, available);
    set_head(used, (available - skipped) | USED);
    forget(previous_tag(block_next(used)));
    set_previous_used(block_next(used));
    *surplus = cut_surplus(used, size);
  }
  return block_payload(used);
}

SOMETIMES_UNUSED static void *tags_allocate_aligned(size_t alignment, size_t bytes,
                                                    void **surplus) {
  if (exceeds_maximum(alignment, bytes))
    return NULL;
  size_t size = block_size_for(bytes, MINIMUM_BLOCK);
  /* So that behind the block another one may be as aligned, with no gap between. */
  if (alignment <= CACHE_LINE)
    size = (size + alignment - 1) & ~(alignment - 1);
  /* A block of the size itself may do, if it is where it should be; a larger one always does. */
  size_t sufficient = size + alignment + MINIMUM_BLOCK;
  struct block *block = find_free(size);
  void *payload = block ? take_aligned(block, alignment, size, surplus) : NULL;
  if (!payload && ((block = find_free(sufficient)) || (block = find_elsewhere(sufficient))))
    payload = take_aligned(block, alignment, size, surplus);
  return payload;
}

/* Frees what tags_resize() or tags_allocate_aligned() has left over, if it has. */
SOMETIMES_UNUSED static inline void release_surplus(void *surplus) {
  if (surplus)
    interface_release(surplus);
}

/* The contract's heap_resize(), of tags_resize() or of what an allocator makes of it. */
ALWAYS_INLINED static void *resize_locked(void *(*resize)(void *, size_t, void **), void *payload,
                                          size_t bytes) {
  void *surplus = NULL;
  heap_lock();
  payload = resize(payload, bytes, &surplus);
  heap_unlock();
  release_surplus(surplus);
  return payload;
}

/* The contract's heap_allocate_aligned(). */
SOMETIMES_UNUSED static void *allocate_aligned_locked(size_t alignment, size_t bytes) {
  void *surplus = NULL;
  heap_lock();
  void *payload = tags_allocate_aligned(alignment, bytes, &surplus);
  heap_unlock();
  release_surplus(surplus);
  return payload;
}

SOMETIMES_UNUSED static size_t tags_payload_size(const void *payload) {
  return block_size(payload_block(payload)) - WORD;
}

SOMETIMES_UNUSED static bool tags_trim(size_t keep) {
  if (keep > rest.size)
    return false;
  size_t kept = ALIGN_UP(keep);
  if (kept && kept < MINIMUM_BLOCK)
    kept = MINIMUM_BLOCK;
  if (kept >= rest.size || !heap_shrink(rest.size - kept))
    return false;
  set_head(heap_end_block(), USED | PREVIOUS_USED);
  set_rest(rest.block, kept);
  return true;
}

/* Checks the lists, the row of blocks and its tags. */
SOMETIMES_UNUSED static const void *tags_check(void) {
  size_t listed = 0;
  const void *broken = free_list_check(&listed);
  if (broken)
    return broken;
  size_t free_blocks;
  broken = block_check(LEAST_FOREIGN, &free_blocks);
  if (broken)
    return broken;
  if (!heap.first)
    return NULL;
  struct block *end = heap_end_block();
  /* Uncovered: only a fault of the allocator itself makes its variables wrong. */
  if (block_at(rest.block, rest.size) != end ||
      (rest.size && get_head(rest.block) != (rest.size | PREVIOUS_USED)))
    return block_payload(rest.block);
  bool used = true;
  for (struct block *block = (struct block *)heap.first; block != end; block = block_next(block)) {
    if (previous_is_used(block) != used || (!used && block_is_free(block)))
      return block_payload(block);
    used = !block_is_free(block);
    if (!used && block != rest.block &&
        get_tag(previous_tag(block_next(block))) != block_size(block))
      return block_payload(block);
  }
  return free_blocks == listed + (rest.size != 0) ? NULL : (void *)-1;
}

#endif
