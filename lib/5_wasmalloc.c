/*
 * 5_wasmalloc: quick lists over the heap of 4_bins.
 *
 * What is new. Most blocks of most programs are small, of few sizes, and short-lived: what is freed
 * will soon be asked for again. To merge such a block with its neighbours, and to split it off again
 * a moment later, is work for nothing, however constant the time. So free *defers* it: the block stays
 * marked used, and is put on the quick list of its size, where malloc finds it (Weinstock and Wulf,
 * "Quick Fit", 1988).
 *
 *      quick     2      3      4      5           32
 *      size      16     24     32     40    ...   256    (wasm32)
 *                |             |      |
 *                v             v      v
 *              +----+        +----+ +----+
 *              | 16 |        | 32 | | 40 |      malloc takes the first, free puts one in front:
 *              +----+        +----+ +----+      a handful of instructions each
 *                |                    |
 *              +----+               +----+
 *              | 16 |               | 40 |
 *              +----+               +----+
 *
 * Nothing is free of charge: blocks that are deferred do not merge, and serve no other size. An
 * allocator that defers without bound fragments its heap, and one that releases everything at once
 * when memory is short makes one call wait for all. Here what is deferred is bounded at every moment:
 *
 *   - A quick list has *room* for so many blocks, more if the heap is large, fewer if the blocks are.
 *     Every free uses up some, and where there is none left it releases blocks as in 4_bins: a program
 *     that tears down a large structure does not pass it through the lists. malloc renews the room when
 *     it finds the list empty, for then the blocks on it have been of use.
 *   - Medium blocks are deferred as well, on lists of their own, but at most a fixed part of the heap. When
 *     that is used up, blocks of sizes that may be out of use are released.
 *   - A small block behind a free one is not deferred: to merge the two is worth more.
 *   - Where no free block is large enough some deferred blocks are released. As long as others are left
 *     the heap grows by no more than it must, and before linear memory grows all are (boundary_tags.h,
 *     find_elsewhere). That is what keeps the heap as small as that of 4_bins.
 *
 * memalign, too, looks on the lists first: the block that comes next may lie right.
 *
 * Invariants: those of 4_bins; a deferred block is marked used, and has exactly the size of its list; a
 * quick list has no more blocks than the room that it was given; the bytes in medium lists are counted.
 *
 * Cost: malloc and free take constant time. A call that has to grow linear memory, which takes an engine
 * up to 75 microseconds, first releases what is deferred, and that is bounded so as to take less.
 *
 * When to choose it: always, if in doubt.
 */
#define BINS_WITHOUT_CONTRACT
#include "4_bins.c"

/* The payload of a deferred block. */
struct deferred {
  struct deferred *next;
};

/* Small blocks have less than SIZES units of ALIGNMENT. */
#define SIZES 33
#define LARGEST_SMALL ((SIZES - 1) * ALIGNMENT - WORD)

/* Above that, blocks of up to MEDIUM_SIZES more units are medium. */
#define MEDIUM_SIZES 96
#define MEDIUM (SIZES * ALIGNMENT)
#define LARGE (MEDIUM + MEDIUM_SIZES * ALIGNMENT)

/* A quick list has room for this part of the heap, but for LEAST_ROOM blocks and no more than MOST_ROOM. */
#define ROOM_PART 512
#define LEAST_ROOM 4
#define MOST_ROOM 64

/* At most this part of the heap is in medium blocks that are deferred, and at most so many bytes: to
 * release them all takes no longer than to grow linear memory. */
#define DEFERRED_PART 32
#define MOST_DEFERRED ((size_t)256 << 10)

/* So many deferred blocks are released when memory is short. */
#define RELEASED 16

static struct {
  struct deferred *list[SIZES]; /* by size in units; there are none below MINIMUM_BLOCK */
  uint8_t room[SIZES];          /* how many more blocks free may put on the list */
} quick;

static struct {
  struct deferred *list[MEDIUM_SIZES]; /* by size in units above MEDIUM */
  size_t bytes;                        /* in all of them */
  uint32_t oldest;                     /* the list that was shortened last */
} medium;

/* The list that is next to be shortened when memory is short: a quick list, or one of medium blocks. */
static uint32_t candidate;

/* Releases up to `count` blocks of a list, and says how many. */
RARE static size_t release_deferred(struct deferred **list, size_t count) {
  size_t released = 0;
  for (struct deferred *block; released < count && (block = *list); ++released) {
    *list = block->next;
    struct block *used = payload_block(block);
    size_t size = block_size(used);
    if (size >= MEDIUM)
      medium.bytes -= size;
    release_block(used, size);
  }
  return released;
}

/* Releases up to `count` deferred blocks, and says whether there were any. */
RARE static bool release_some(size_t count) {
  size_t left = count;
  for (uint32_t lists = 0; left && lists < SIZES + MEDIUM_SIZES; ++lists) {
    candidate = candidate ? candidate - 1 : SIZES + MEDIUM_SIZES - 1;
    left -= release_deferred(
        candidate < SIZES ? &quick.list[candidate] : &medium.list[candidate - SIZES], left);
  }
  return left < count;
}

static bool free_list_reclaim(bool all) {
  return release_some(all ? SIZE_MAX : RELEASED);
}

/* Gives the quick list for blocks of `size` bytes, which is empty, new room. (With a division: kept out
 * of malloc's way.) */
RARE static void renew(uint8_t *room, size_t size) {
  size_t blocks = (size_t)(heap.end - heap.first) / ROOM_PART / size;
  *room = (uint8_t)(blocks < LEAST_ROOM ? LEAST_ROOM : blocks > MOST_ROOM ? MOST_ROOM : blocks);
}
KEEP_APART(renew);

/* ---- the contract ---- */

/* malloc, where the quick list has nothing. */
NOT_INLINED static void *allocate_slowly(size_t bytes) {
  size_t size = block_size_for(bytes, MINIMUM_BLOCK);
  if (bytes <= LARGEST_SMALL) {
    uint8_t *room = &quick.room[size / ALIGNMENT];
    if (!*room)
      renew(room, size);
  } else if (bytes > MAXIMUM_REQUEST) {
    return NULL;
  } else if (size < LARGE) {
    struct deferred **list = &medium.list[(size - MEDIUM) / ALIGNMENT];
    struct deferred *block = *list;
    if (block) {
      *list = block->next;
      medium.bytes -= size;
      return block;
    }
  }
  return allocate_block(size);
}
KEEP_APART(allocate_slowly);

static inline void *heap_allocate(size_t bytes) {
  if (bytes <= LARGEST_SMALL) {
    size_t size = block_size_for(bytes, MINIMUM_BLOCK);
    struct deferred **list = &quick.list[size / ALIGNMENT];
    struct deferred *block = *list;
    if (block) {
      *list = block->next;
      return block;
    }
  }
  return allocate_slowly(bytes);
}

/* Defers the release of a medium block. If too much of the heap is deferred already it is released, and
 * some others with it, of sizes that may be out of use. */
NOT_INLINED static void defer_medium(struct block *block, size_t size) {
  size_t bytes = medium.bytes + size;
  if (bytes > (size_t)(heap.end - heap.first) / DEFERRED_PART || bytes > MOST_DEFERRED) {
    medium.oldest = (medium.oldest + 1) % MEDIUM_SIZES;
    release_deferred(&medium.list[medium.oldest], 2);
    release_block(block, size);
    return;
  }
  medium.bytes = bytes;
  struct deferred **list = &medium.list[(size - MEDIUM) / ALIGNMENT];
  struct deferred *deferred = block_payload(block);
  deferred->next = *list;
  *list = deferred;
}
KEEP_APART(defer_medium);

static inline void heap_release(void *payload) {
  struct block *block = payload_block(payload);
  size_t size = block_size(block);
  if (size < LARGE && (size >= MEDIUM || previous_is_used(block))) {
    if (size >= MEDIUM) {
      defer_medium(block, size);
      return;
    }
    uint8_t *room = &quick.room[size / ALIGNMENT];
    struct deferred **list = &quick.list[size / ALIGNMENT];
    if (*room) {
      --*room;
      struct deferred *deferred = payload;
      deferred->next = *list;
      *list = deferred;
      return;
    }
    if (*list)
      release_deferred(list, RELEASED / 2);
  }
  release_block_here(block, size);
}

static void *heap_allocate_aligned(size_t alignment, size_t bytes, void **surplus) {
  /* A program that aligns blocks does so again and again: the next deferred one may lie right. */
  if (bytes <= LARGE - ALIGNMENT - WORD) {
    size_t size = block_size_for(bytes, MINIMUM_BLOCK);
    struct deferred *block =
        size < MEDIUM ? quick.list[size / ALIGNMENT] : medium.list[(size - MEDIUM) / ALIGNMENT];
    if (block && ((size_t)block & (alignment - 1)) == 0)
      return heap_allocate(bytes);
  }
  return tags_allocate_aligned(alignment, bytes, surplus);
}

static size_t heap_payload_size(const void *payload) {
  return tags_payload_size(payload);
}

static bool heap_resize(void *payload, size_t bytes, void **surplus) {
  return tags_resize(payload, bytes, surplus);
}

static bool heap_trim(size_t keep) {
  release_some(SIZE_MAX);
  return tags_trim(keep);
}

/* The walk and the check look at the heap as it is when nothing is deferred. */
static bool heap_next_block(struct wasmalloc_block *walk) {
  if (!walk->address)
    release_some(SIZE_MAX);
  return block_walk(walk);
}

static const void *heap_check(void) {
  release_some(SIZE_MAX);
  return tags_check();
}
