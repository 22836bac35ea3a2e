/*
 * The block, the heap as a row of blocks, and how the heap grows. Shared by all five allocators.
 *
 * A block is a head of one word and a payload. The head holds the block's size in bytes, head
 * included. Sizes are multiples of ALIGNMENT (8 on wasm32), so the low bits of the head are free to
 * hold flags. The payload must be aligned, so the head stands one word before an aligned address:
 *
 *      ...4        ...8                                          ...4
 *      +-----------+---------------------------------------------+-----------
 *      | size  SPU | payload                                     | size  SPU ...
 *      +-----------+---------------------------------------------+-----------
 *      |<------------------------- size ------------------------>|
 *
 *      P  PREVIOUS_USED   the block before is not free (boundary_tags.h; elsewhere nobody asks)
 *      S  SPECIAL         and
 *      U  USED            together say whose the block is:
 *
 *           S U
 *           0 0   free
 *           0 1   used: the program's
 *           1 1   foreign: not ours (below)
 *           1 0   internal: the allocator's own data
 *
 * Following the sizes leads from the heap's first block over all others to the end, which is marked
 * by a head of its own, of size 0:
 *
 *      heap.first                                                            heap.end
 *      |                                                                            |
 *      v                                                                            v
 *      +----------+----------+--------------------+-------+---------+---------------+
 *      | block    | block    | foreign            | block | block   | end: 0 | USED |
 *      +----------+----------+--------------------+-------+---------+---------------+
 *
 * When the heap grows and the new memory continues the old one, the end's head becomes the head of
 * a block that covers what is new. When somebody else has called sbrk() in between, it becomes the
 * head of a foreign block, which covers their memory and is never touched. Either keeps the end's P.
 *
 * Invariants: the sizes lead exactly to the end; foreign blocks are not free, and the end has no size,
 * so that nothing is ever merged with them.
 */
#ifndef WASMALLOC_BLOCK_H
#define WASMALLOC_BLOCK_H

#include "allocator.h"
#include "compiler.h"
#ifdef WASMALLOC_HARDENED
#include "seal.h"
#else
#include "plain.h"
#endif

enum { USED = 1, PREVIOUS_USED = 2, SPECIAL = 4, FLAGS = USED | PREVIOUS_USED | SPECIAL };

_Static_assert(FLAGS < ALIGNMENT, "the flags lie below the size");

static struct {
  char *first; /* the first block, or NULL before the first growth */
  char *end;   /* the address after the end's head; aligned */
  size_t
      peak_size; /* the largest that the heap was before it was trimmed, foreign blocks not counted */
} heap;

static inline size_t block_size(const struct block *block) {
  return get_head(block) & ~(size_t)FLAGS;
}

static inline bool block_is_free(const struct block *block) {
  return (get_head(block) & (USED | SPECIAL)) == 0;
}

static inline bool block_is_foreign(const struct block *block) {
  return (get_head(block) & (USED | SPECIAL)) == (USED | SPECIAL);
}

static inline void *block_payload(struct block *block) {
  return (char *)block + WORD;
}

static inline struct block *payload_block(const void *payload) {
  return (struct block *)((char *)payload - WORD);
}

/* The block that begins `bytes` after this one does. */
static inline struct block *block_at(struct block *block, size_t bytes) {
  return (struct block *)((char *)block + bytes);
}

static inline struct block *block_next(struct block *block) {
  return block_at(block, block_size(block));
}

static inline struct block *heap_end_block(void) {
  return (struct block *)(heap.end - WORD);
}

/* block_next() for a walk over the heap: it goes up, and no further than to the end. */
SOMETIMES_UNUSED static struct block *next_up(struct block *block) {
  size_t size = block_size(block);
  trap_unless(size != 0 && size <= (size_t)((char *)heap_end_block() - (char *)block));
  return block_at(block, size);
}

/* The largest request that any function serves, and the size of a block for a request. */
#define MAXIMUM_REQUEST ((size_t)PTRDIFF_MAX)

/* Whether an aligned request is too large. A C++ library rounds the size up to a multiple of the alignment first, which
 * may make it one byte more than the largest. What passes can be added up without overflow. */
SOMETIMES_UNUSED static inline bool exceeds_maximum(size_t alignment, size_t bytes) {
  return bytes > MAXIMUM_REQUEST + 1 || alignment > MAXIMUM_REQUEST;
}

static inline size_t block_size_for(size_t bytes, size_t minimum) {
  size_t size = ALIGN_UP(bytes + WORD);
  return size > minimum ? size : minimum;
}

/*
 * Grows the heap by a block of `size` bytes, or of `more` if the new memory continues the old one
 * (an allocator that has a free block at the end needs only what is missing). Returns the block,
 * marked used and in no list, or NULL.
 */
static struct block *heap_extend_exactly(size_t more, size_t size) {
  char *start = memory_extend(heap.end, more, size + 2 * WORD);
  if (!start)
    return NULL;

  struct block *block;
  if (start == heap.end) {
    block = heap_end_block();
    size = more;
  } else {
    /* A new part: its first head stands one word behind its start, its end one word before its end,
     * which is what the two words above are for. */
    block = (struct block *)(start + WORD);
    set_head(block, PREVIOUS_USED);
    if (heap.first) {
      struct block *end = heap_end_block();
      set_head(end, get_head(end) | (size_t)((char *)block - (char *)end) | SPECIAL | USED);
    } else {
      heap.first = (char *)block;
    }
  }
  set_head(block, get_head(block) | size | USED);
  heap.end = (char *)block + size + WORD;
  set_head(heap_end_block(), USED | PREVIOUS_USED);
  return block;
}

/*
 * The same for at least so many bytes. So that not every small request has to come here the heap grows
 * by 1/32 or more if it may be comfortable, as far as that is possible without growing linear memory:
 * peak memory is the more precious.
 */
SOMETIMES_UNUSED RARE static struct block *heap_extend(size_t more, size_t size, bool comfortable) {
  size_t room = memory_room();
  size_t wish = (size_t)(heap.end - heap.first) / 32 + 128;
  wish = (wish < room ? wish : room) & ~(ALIGNMENT - 1);
  if (comfortable && wish > more + ALIGNMENT)
    more = wish - ALIGNMENT;
  return heap_extend_exactly(more, size);
}

/* The size of the heap, foreign blocks not counted. */
SOMETIMES_UNUSED static size_t heap_own_size(void) {
  if (!heap.first)
    return 0;
  size_t size = (size_t)(heap.end - heap.first);
  struct block *end = heap_end_block();
  for (struct block *block = (struct block *)heap.first; block != end; block = next_up(block))
    if (block_is_foreign(block))
      size -= block_size(block) - WORD;
  return size;
}

/*
 * Lowers the end of the heap by `bytes`, the tail of the last block, which is free and keeps the
 * rest, if the heap's end is the break. The last block's own head is the caller's to mend. Takes time in
 * proportion to the number of blocks.
 */
SOMETIMES_UNUSED static bool heap_shrink(size_t bytes) {
  size_t size = heap_own_size();
  struct block *end = heap_end_block();
  size_t head = get_head(end);
  forget(end); /* what is above the break should be zero */
  if (!memory_withdraw(heap.end, bytes)) {
    set_head(end, head);
    return false;
  }
  if (size > heap.peak_size)
    heap.peak_size = size;
  heap.end -= bytes;
  return true;
}

/* ---- the walk ---- */

static size_t block_state(const struct block *block) {
  size_t head = get_head(block);
  if (head & SPECIAL)
    return head & USED ? WASMALLOC_FOREIGN : WASMALLOC_INTERNAL;
  return head & USED ? WASMALLOC_USED : WASMALLOC_FREE;
}

/* heap_next_block() for a heap that is nothing but a row of blocks. */
static bool block_walk(struct wasmalloc_block *walk) {
  struct block *block =
      walk->address ? next_up(payload_block(walk->address)) : (struct block *)heap.first;
  if (!block || block == heap_end_block()) /* the heap is empty, or the end is reached */
    return false;
  walk->address = block_payload(block);
  walk->size = block_size(block) - WORD;
  walk->state = block_state(block);
  return true;
}

/* Whether a payload, or a block, could begin at the address: a check follows no link that leads elsewhere.
 * Counted in integers, for the address may be any. */
SOMETIMES_UNUSED static bool payload_may_be_at(uintptr_t address) {
  return address - WORD >= (uintptr_t)heap.first &&
         address - WORD < (uintptr_t)heap.end - ALIGNMENT && address % ALIGNMENT == 0;
}

SOMETIMES_UNUSED static bool block_may_be_at(const void *address) {
  return payload_may_be_at((uintptr_t)address + WORD);
}

/*
 * The checks that hold for every row of blocks: sizes are multiples of ALIGNMENT, no smaller than
 * `minimum`, and lead to the end. Counts the free blocks, for comparison with an allocator's lists.
 * Returns NULL, or the payload of the first block that is broken.
 */
static const void *block_check(size_t minimum, size_t *free_blocks) {
  *free_blocks = 0;
  if (!heap.first)
    return NULL;
  struct block *end = heap_end_block();
  for (struct block *block = (struct block *)heap.first; block != end; block = block_next(block)) {
    size_t size = block_size(block);
    if (size % ALIGNMENT != 0 || size < minimum || size > (size_t)((char *)end - (char *)block))
      return block_payload(block);
    if (block_is_free(block))
      ++*free_blocks;
  }
  return block_size(end) == 0 ? NULL : block_payload(end);
}

#endif
