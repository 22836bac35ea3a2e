/*
 * 2_linked: one linked list of free blocks, sorted by address.
 *
 * What is new. Blocks are given back. A free block needs no payload, so its payload holds a link to
 * the next free block; the list costs nothing. It is kept in the order of addresses:
 *
 *      free_list --------.              .--------------------------.
 *                        v              |                          v
 *      +------+---------++------+------+-------++------+---------++------+------+------++-----+
 *      | used | payload || free | next |       || used | payload || free | next |      || end |
 *      +------+---------++------+------+-------++------+---------++------+------+------++-----+
 *                                                                           |
 *                                                                           `--> NULL
 *
 *   - To allocate, take the first block in the list that is large enough (first fit) and split off
 *     what is not needed, if that makes a block of its own.
 *   - To release, find the two free blocks between which the block lies, and merge with either if
 *     it touches (coalesce).
 *
 * First fit in the order of addresses keeps the low end of the heap full and the large free blocks
 * at its high end: of the simple policies it is the one that fragments least (Wilson, Johnstone,
 * Neely and Boles, "Dynamic Storage Allocation: A Survey and Critical Review", 1995, section 3).
 * Used blocks carry one word, the smallest block is two words: no general allocator needs less.
 *
 * Invariants: the list is strictly ascending; it holds all free blocks; no two of them touch.
 *
 * Cost: malloc and free walk the list: time in proportion to the number of free blocks.
 *
 * When to choose it: for a small heap with few blocks, where every byte of memory and of code
 * counts.
 */
#include "allocator.h"
#include "block.h"

/* A free block, and the smallest block that there can be. */
struct free_block {
  size_t head;
  struct free_block *next;
};

#define MINIMUM_BLOCK sizeof(struct free_block)

/* What is left of a block that is larger than needed becomes a block of its own if it has at least
 * this many bytes, a multiple of ALIGNMENT. Small remainders use every byte, but fill the list. */
#ifndef LINKED_MINIMUM_REMAINDER
#define LINKED_MINIMUM_REMAINDER MINIMUM_BLOCK
#endif

_Static_assert(MINIMUM_BLOCK == ALIGNMENT, "a block of every possible size can be free");
_Static_assert(LINKED_MINIMUM_REMAINDER >= MINIMUM_BLOCK, "a remainder has to hold a link");

static struct free_block *free_list;

static inline struct block *as_block(struct free_block *block) {
  return (struct block *)block;
}

/* Whether `second` begins where `first` ends. */
static inline bool touches(struct free_block *first, void *second) {
  return (void *)block_next(as_block(first)) == second;
}

/* The first link that leads to a block at `address` or behind it, or to one of `size` bytes or more; or the last
 * link, which is NULL. Links lead up, or have been overwritten: so every walk ends. */
NOT_INLINED static struct free_block **find(const void *address, size_t size) {
  struct free_block **link = &free_list;
  struct free_block *block;
  while ((block = *link) && (const void *)block < address && block->head < size) {
    link = &block->next;
    trap_unless((uintptr_t)*link - 1 >= (uintptr_t)block);
  }
  return link;
}

/* The link behind which a block at `address` belongs. */
static inline struct free_block **find_link(const void *address) {
  return find(address, SIZE_MAX);
}

/* The link to the first block that is large enough, or the last link, which is NULL. */
static inline struct free_block **find_fit(size_t size) {
  return find((const void *)UINTPTR_MAX, size);
}

/* The block that holds the link, or NULL for the list's head. */
static struct free_block *link_owner(struct free_block **link) {
  return link == &free_list
             ? NULL
             : (struct free_block *)((char *)link - offsetof(struct free_block, next));
}

/* Puts a block of `size` bytes into the list and merges it with the free blocks that it touches. */
NOT_INLINED static void insert(struct free_block *block, size_t size) {
  struct free_block **link = find_link(block);
  struct free_block *previous = link_owner(link);
  struct free_block *next = *link;
  block->head = size;
  if (next && touches(block, next)) {
    block->head += next->head;
    next = next->next;
  }
  block->next = next;
  if (previous && touches(previous, block)) {
    previous->head += block->head;
    previous->next = next;
  } else {
    *link = block;
  }
}

/*
 * Takes the block, which *link leads to, out of the list and makes its first `size` bytes a used block.
 * The remainder stays in the list, in the same place.
 */
NOT_INLINED static struct block *take(struct free_block **link, struct free_block *block,
                                      size_t size) {
  size_t remainder = block->head - size;
  if (remainder >= LINKED_MINIMUM_REMAINDER) {
    struct free_block *rest = (struct free_block *)block_at(as_block(block), size);
    rest->head = remainder;
    rest->next = block->next;
    *link = rest;
    block->head = size;
  } else {
    *link = block->next;
  }
  block->head |= USED;
  return as_block(block);
}

/* Adds a block to the heap such that a free block of `size` bytes is at its end. `last` is the last
 * block in the list, or NULL. */
NOT_INLINED static bool grow(struct free_block *last, size_t size) {
  size_t at_end = last && touches(last, heap_end_block()) ? last->head : 0;
  struct block *block = heap_extend_exactly(size - at_end, size);
  if (!block)
    return false;
  insert((struct free_block *)block, block_size(block));
  return true;
}

/* heap_allocate() without a limit. */
static inline void *allocate(size_t bytes) {
  size_t size = block_size_for(bytes, MINIMUM_BLOCK);
  struct free_block **link = find_fit(size);
  if (!*link) {
    if (!grow(link_owner(link), size))
      return NULL;
    link = find_fit(size);
    trap_unless(*link); /* it is there now */
  }
  return block_payload(take(link, *link, size));
}

static void *heap_allocate(size_t bytes) {
  return bytes > MAXIMUM_REQUEST ? NULL : allocate(bytes);
}

static void heap_release(void *payload) {
  struct block *block = payload_block(payload);
  insert((struct free_block *)block, block_size(block));
}

/* heap_resize(), for whoever has the lock. */
static void *resize_block(void *payload, size_t bytes) {
  if (bytes > MAXIMUM_REQUEST)
    return NULL;
  struct block *block = payload_block(payload);
  size_t size = block_size_for(bytes, MINIMUM_BLOCK);
  size_t old = block_size(block);
  if (size > old) {
    /* Grow into the free block behind, or into new memory if nothing else lies before the heap's end. */
    size_t missing = size - old;
    struct free_block *next = (struct free_block *)block_next(block);
    size_t behind = block_is_free(as_block(next)) ? next->head : 0;
    if (behind < missing) {
      bool at_end = block_at(as_block(next), behind) == heap_end_block();
      if (!at_end || heap.end != memory_break() || !grow(behind ? next : NULL, missing))
        return NULL;
      /* The new memory is elsewhere if another thread has called sbrk() in between. (Uncovered: with one
       * thread that never happens.) */
      if (!block_is_free(as_block(next)) || next->head < missing)
        return NULL;
    }
    block->head += block_size(take(find_link(next), next, missing));
  } else if (old - size >= LINKED_MINIMUM_REMAINDER) {
    block->head -= old - size;
    struct block *cut = block_next(block);
    insert((struct free_block *)cut, old - size);
  }
  return payload;
}

/* Allocates more than needed and gives back what lies before the aligned address and behind the
 * end. */
static void *allocate_aligned_block(size_t alignment, size_t bytes) {
  if (exceeds_maximum(alignment, bytes))
    return NULL;
  char *payload = allocate(bytes + alignment);
  if (!payload)
    return NULL;
  struct block *block = payload_block(payload);
  size_t skipped = -(size_t)payload & (alignment - 1);
  if (skipped) {
    struct block *aligned = block_at(block, skipped);
    aligned->head = (block_size(block) - skipped) | USED;
    insert((struct free_block *)block, skipped);
    block = aligned;
  }
  resize_block(block_payload(block), bytes); /* what it cannot cut off stays */
  return block_payload(block);
}

static void *heap_allocate_aligned(size_t alignment, size_t bytes) {
  heap_lock();
  void *payload = allocate_aligned_block(alignment, bytes);
  heap_unlock();
  return payload;
}

static void *heap_resize(void *payload, size_t bytes) {
  heap_lock();
  payload = resize_block(payload, bytes);
  heap_unlock();
  return payload;
}

static size_t heap_payload_size(const void *payload) {
  return block_size(payload_block(payload)) - WORD;
}

static bool heap_trim(size_t keep) {
  struct free_block *last = link_owner(find_link(heap.end));
  if (!last || !touches(last, heap_end_block()) || keep > last->head)
    return false;
  size_t surplus = last->head - ALIGN_UP(keep);
  if (surplus == 0 || !heap_shrink(surplus))
    return false;
  if (surplus == last->head)
    *find_link(last) = NULL;
  else
    last->head -= surplus;
  heap_end_block()->head = USED | PREVIOUS_USED;
  return true;
}

static bool heap_next_block(struct wasmalloc_block *block) {
  return block_walk(block);
}

static const void *heap_check(void) {
  size_t free_blocks;
  const void *broken = block_check(MINIMUM_BLOCK, &free_blocks);
  if (broken)
    return broken;
  for (struct free_block *block = free_list; block; block = block->next) {
    const struct free_block *next = block->next;
    if (free_blocks-- == 0 || !block_is_free(as_block(block)) ||
        (next && (!block_may_be_at(next) || next <= block || touches(block, block->next))))
      return block_payload(as_block(block));
  }
  return free_blocks == 0 ? NULL : (void *)-1;
}
