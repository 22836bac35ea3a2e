/*
 * 3_doubly: a doubly linked list of free blocks, with boundary tags.
 *
 * What is new. 2_linked walks its list on every free, to find the neighbours of the block. With
 * boundary tags (boundary_tags.h, to be read first) the block itself leads to both of them, and
 * since the list is doubly linked, a neighbour can be taken out of it without knowing where in the
 * list it is. So the list needs no order, and free takes constant time.
 *
 *      list --> +------+------+----------+     +------+------+----------+
 *               | free | next | previous | <-> | free | next | previous | <-> ... back to list
 *               +------+------+----------+     +------+------+----------+
 *
 * The list is a ring through `list`, a free block of size 0, so that no end needs a case of its
 * own.
 *
 * A block that is released goes to the front, since a block of its size is likely to be asked for
 * next, and it is still in the cache. malloc takes the first block in the list that is large enough,
 * or one that fits better and comes soon after it.
 *
 * Cost: free takes constant time; malloc time in proportion to the number of free blocks.
 *
 * When to choose it: to read it on the way to 4_bins; or where few blocks are free at a time.
 */
#include "boundary_tags.h"

/* Having found a block that is large enough, look at so many more for one that fits better. None is
 * fast, but splits large blocks for small requests, which may double the heap. */
#define FURTHER 16

static struct free_block list = {0, &list, &list};

/* The list knows nothing of sizes: of a block that is cut or merged only the links move. */
ALWAYS_INLINED static void free_list_put(struct free_block *block, size_t size,
                                         struct free_block *old, size_t old_size) {
  (void)size;
  struct free_block *next = old_size ? old->next : list.next;
  struct free_block *previous = old_size ? old->previous : &list;
  block->next = next;
  block->previous = previous;
  next->previous = previous->next = block;
}

NOT_INLINED static void free_list_remove(struct free_block *block) {
  block->next->previous = block->previous;
  block->previous->next = block->next;
}

/* To know whether there is one takes a search. */
static inline struct free_block *free_list_take(size_t size) {
  (void)size;
  return NULL;
}

static inline struct free_block *free_list_find(size_t size) {
  struct free_block *best = NULL;
  struct free_block *previous = &list;
  int further = FURTHER;
  for (struct free_block *block = list.next; block != &list && further; block = block->next) {
    trap_unless(block->previous ==
                previous); /* or the walk might never come back to the beginning */
    if (block->head >= size && (!best || block->head < best->head))
      best = block;
    further -= best != NULL;
    previous = block;
  }
  return best;
}

static const void *free_list_check(size_t *listed) {
  struct free_block *previous = &list;
  for (struct free_block *block = list.next; block != &list; block = block->next, ++*listed) {
    if (!block_may_be_at(block))
      return previous == &list ? (void *)-1 : block_payload((struct block *)previous);
    if (!block_is_free((struct block *)block) || block->previous != previous)
      return block_payload((struct block *)block);
    previous = block;
  }
  return list.previous == previous ? NULL : (void *)-1;
}

#include "tags_contract.h"
