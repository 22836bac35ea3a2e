/*
 * 5_wasmalloc: slabs for small objects over the heap of 4_bins.
 *
 * What is new. Most blocks of most programs are small, of few sizes, and short-lived. For them even a
 * constant number of steps is too many: to split a block, to merge it again and to keep the bins up
 * takes some twenty memory accesses, many of them in other cache lines. Here the objects of a small
 * size are cut out of one larger block, a slab, once, and are then passed between two lists:
 *
 *      malloc takes from              free puts back
 *      the quick list of the size     on the list of the object's slab
 *
 *      quick[size] --> o --> o --> o        slab --> o --> o
 *                      ^                              |
 *                      `---- when it is empty --------'
 *
 * Both are a few instructions without a search. When a quick list is empty it takes over the whole
 * list of a slab at once. (The idea of slabs: Bonwick, "The Slab Allocator", 1994; of a list per slab
 * and of taking it over: Leijen, Zorn and de Moura, "Mimalloc: Free List Sharding in Action", 2019.
 * Lists per slab keep neighbours together, where one list per size would, after a while, lead all over
 * memory.)
 *
 * A slab costs memory in two ways: by objects that were cut and are never asked for, and by free
 * objects that cannot serve another size. Other allocators hold on to both until the last object of
 * the slab is released, so a few survivors pin it. Here a slab is only a manner of speaking: every
 * object in it has a head and lies in the row as a block would.
 *
 *      slab: one block of the heap
 *      +------+--------------------++------+--------++------+--------++------+--------++- - -
 *      | size | free, countdown,   || head | object || head | object || head | object ||
 *      | S=1  | next, previous ... ||      |        ||      |        ||      |        ||
 *      +------+--------------------++------+--------++------+--------++------+--------++- - -
 *             ^                                     ^
 *             |<-------- offset, in the head ------>|
 *
 *      An object's head: offset from the slab to the object << 3 | S=1
 *
 *   - free finds the slab by the offset in the object's head: nothing needs to be aligned, and no
 *     table has to tell what a page is used for.
 *   - When memory is short, a slab of which half is free *dissolves*: its used objects get the head
 *     of an ordinary used block, and the stretches between them become free blocks. What survives is
 *     in nobody's way then.
 *   - A size gets a slab only after some blocks of it have been allocated as in 4_bins, and the more
 *     slabs a size has the larger are the next: a program with few objects pays for few.
 *
 * The life of a slab:
 *
 *                          an object is freed             all are free, and it is not the only one
 *         .-- taken over ----------------------> listed ------------------------------------> released
 *         |       ^                              |    |
 *      new slab   `--- malloc takes its list ----'    `-- memory is short, half is free --> dissolved
 *
 * Only at the two events of the upper line free has to do more than to put the object on the list. One
 * counter tells: countdown, the number of frees until the next of them.
 *
 * Medium blocks, for which slabs would be too large, are deferred: free puts a few of each size on the
 * quick list of that size, still marked used, where malloc finds them again (quick lists: Weinstock
 * and Wulf, "Quick Fit", 1988). When memory is short they are released as in 4_bins.
 *
 * Invariants: those of 4_bins, with slabs as blocks that are neither free nor the program's (S=1,
 * U=0); an object is on its slab's list, or on the quick list of its size, or the program's; a slab is
 * in the ring of its size (listed) if and only if its own list is not empty.
 *
 * Cost: constant time, except that cutting or dissolving a slab takes time in proportion to its
 * objects, 64 at most.
 *
 * When to choose it: always, if in doubt.
 */
#define BINS_WITHOUT_CONTRACT
#include "4_bins.c"

/* The payload of an object on a list, or of a deferred block. */
struct object {
  struct object *next;
};

/* The payload of a slab's block. The first object's head follows it. */
struct slab {
  struct object *free; /* objects freed since malloc took the list over */
  size_t countdown;    /* frees until free has to look at the slab */
  struct slab *next;   /* in the ring of the size's slabs, if listed */
  struct slab *previous;
  uint16_t units;   /* size of an object with its head, in units of ALIGNMENT */
  uint8_t capacity; /* number of objects */
  bool listed;      /* if so, countdown leads to when all are free; if not, to the next free */
};

/* Objects, with their heads, have the size of a block, so that a slab can dissolve into blocks:
 * MINIMUM_BLOCK at least, and up to SIZES - 1 units of ALIGNMENT. */
#define SIZES 33
#define LARGEST_SMALL ((SIZES - 1) * ALIGNMENT - WORD)

/* Above that, blocks of up to MEDIUM_SIZES more units are medium. */
#define MEDIUM_SIZES 96
#define MEDIUM (SIZES * ALIGNMENT)
#define LARGE (MEDIUM + MEDIUM_SIZES * ALIGNMENT)

/* At most this part of the heap is deferred. */
#define DEFERRED_PART 32

/* So many deferred blocks are released at a time. */
#define RELEASED 8

/* An object's head: its offset in the slab, and flags. */
#define OFFSET_SHIFT 3

/* So many blocks of a size are allocated without a slab. */
#define COLD 16

/* A slab has FEWEST objects, and more the more slabs of the size there are, but not above MOST and
 * not above LARGEST_SLAB bytes of objects. Where there is no room for so many, LEAST will do. */
#define LEAST 4
#define FEWEST 8
#define MOST 64
#define LARGEST_SLAB (512 * WORD)

/* From the beginning of a slab's block to that of its first object, and from payload to payload. */
#define SLAB_HEADER (WORD + sizeof(struct slab))

_Static_assert(SLAB_HEADER % ALIGNMENT == 0, "objects are aligned");
_Static_assert(SLAB_HEADER >= MINIMUM_BLOCK, "what is left of a dissolved slab makes a block");
_Static_assert(LARGEST_SLAB / ((SIZES - 1) * ALIGNMENT) >= FEWEST, "the limits do not contradict");
_Static_assert(FLAGS < 1 << OFFSET_SHIFT, "the flags lie below the offset");

static struct {
  /* Free objects by their size with head, in units of ALIGNMENT. The first lists, of sizes below
   * MINIMUM_BLOCK, hold objects of that size, so that malloc need not compare. */
  struct object *quick[SIZES];
  /* By size, the ring of the listed slabs: here is the first, the one that has been listed for the
   * longest time. It has had the most time to collect free objects: malloc takes its list over next. */
  struct slab *slabs[SIZES];
  uint8_t warmth[SIZES]; /* blocks allocated without a slab, up to COLD */
  uint32_t count[SIZES]; /* of slabs */
} small;

static struct {
  struct object *list[MEDIUM_SIZES]; /* deferred blocks, by their size in units above MEDIUM */
  size_t bytes;                      /* in all of them */
  uint32_t oldest;                   /* the list that was shortened last */
} medium;

/* What is next to be looked at when memory is short: the slabs of a size, or a list of deferred
 * blocks. */
static uint32_t candidate;

static inline struct object *block_object(struct block *block) {
  return (struct object *)block_payload(block);
}

static inline bool is_object(const struct block *block) {
  return block->head & SPECIAL;
}

static inline struct slab *object_slab(const void *payload) {
  return (struct slab *)((char *)payload - (payload_block(payload)->head >> OFFSET_SHIFT));
}

/* ---- the rings of slabs ---- */

RARE static void ring_remove(struct slab *slab) {
  struct slab **first = &small.slabs[slab->units];
  struct slab *next = slab->next;
  next->previous = slab->previous;
  slab->previous->next = next;
  if (*first == slab)
    *first = next == slab ? NULL : next;
}

static inline void ring_append(struct slab *slab) {
  struct slab **first = &small.slabs[slab->units];
  struct slab *next = *first;
  if (next) {
    slab->previous = next->previous;
  } else {
    *first = next = slab;
    slab->previous = slab;
  }
  slab->next = next;
  slab->previous->next = slab;
  next->previous = slab;
}

/* ---- the life of a slab ---- */

/* Makes a slab for objects of `units`. All of them are on its list; it is on no ring. NULL when
 * there is no memory. */
RARE static struct slab *cut_slab(size_t units) {
  size_t object_size = units * ALIGNMENT;
  size_t capacity = FEWEST + 2 * (size_t)small.count[units];
  if (capacity > MOST)
    capacity = MOST;
  if (capacity > LARGEST_SLAB / object_size)
    capacity = LARGEST_SLAB / object_size;

  /* Rather a small slab than a larger heap. */
  struct block *block = find_free(SLAB_HEADER + capacity * object_size);
  size_t least = SLAB_HEADER + LEAST * object_size;
  if (!block && !(block = find_free(least)) && !(block = find_elsewhere(least)))
    return NULL;
  size_t most = (block_size(block) - SLAB_HEADER) / object_size;
  if (capacity > most)
    capacity = most;
  size_t size = cut_free(block, SLAB_HEADER + capacity * object_size);
  block->head = size | SPECIAL | PREVIOUS_USED;

  struct slab *slab = block_payload(block);
  slab->units = (uint16_t)units;
  slab->capacity = (uint8_t)capacity;
  slab->listed = false;
  struct object **link = &slab->free;
  size_t offset = SLAB_HEADER;
  for (; capacity; --capacity) {
    struct block *object = block_at(block, offset);
    object->head = offset << OFFSET_SHIFT | SPECIAL;
    *link = block_object(object);
    link = &(*link)->next;
    offset += object_size;
  }
  *link = NULL;
  ++small.count[units];
  return slab;
}

/* Gives a slab back, all objects of which are on its list. */
RARE static void release_slab(struct slab *slab) {
  ring_remove(slab);
  --small.count[slab->units];
  struct block *block = payload_block(slab);
  release_block(block, block_size(block));
}

/*
 * Called by free when the countdown has come to 0.
 *
 * If `object` is the first that comes back since malloc took the slab's list over, it goes to the quick
 * list if that is empty: where blocks come and go at random, most slabs are full but for an object or
 * two, and to list each for these would be a waste.
 */
NOT_INLINED static void slab_event(struct slab *slab, struct object *object) {
  if (slab->listed) {
    if (slab->next != slab)
      release_slab(slab); /* but the last of a size stays: to cut it anew would be a waste */
    return;
  }
  struct object **quick = &small.quick[slab->units];
  if (!*quick) {
    *quick = object;
    slab->free = NULL;
    slab->countdown = 1;
    return;
  }
  ring_append(slab);
  slab->listed = true;
  slab->countdown = slab->capacity - (size_t)1;
}

/* Puts an object back on its slab's list. */
static inline void release_object(struct object *object) {
  struct slab *slab = object_slab(object);
  object->next = slab->free;
  slab->free = object;
  if (--slab->countdown == 0)
    slab_event(slab, object);
}

/*
 * Turns a slab that is on a ring into ordinary blocks:
 *
 *      +------+------++------+------++------+------++------+------++------+------+
 *      | slab        || head | free || head | used || head | free || head | free |
 *      +------+------++------+------++------+------++------+------++------+------+
 *
 *      +------+---------------------++------+------++------+---------------------+
 *      | free |                     || used |      || free |                     |
 *      +------+---------------------++------+------++------+---------------------+
 */
RARE static void dissolve(struct slab *slab) {
  ring_remove(slab);
  --small.count[slab->units];
  for (struct object *object = slab->free, *next; object; object = next) {
    next = object->next;
    payload_block(object)->head = PREVIOUS_USED; /* without S: this tells it from the used ones */
  }
  struct block *run = payload_block(slab); /* where the free stretch begins that ends at `block` */
  size_t object_size = slab->units * ALIGNMENT;
  size_t objects = slab->capacity;
  struct block *end = block_next(run);
  struct block *block = block_at(run, SLAB_HEADER);
  for (; objects; --objects) {
    struct block *next = objects == 1 ? end : block_at(block, object_size);
    if (block->head & SPECIAL) {
      block->head = (size_t)((char *)next - (char *)block) | USED | PREVIOUS_USED;
      if (run != block)
        release_block(run, (size_t)((char *)block - (char *)run));
      run = next;
    }
    block = next;
  }
  if (run != end)
    release_block(run, (size_t)((char *)end - (char *)run));
}

/* Dissolves the first slab in the ring of a size, if half of it is free. If not it comes last, and
 * another is first. */
RARE static bool dissolve_first(size_t units) {
  struct slab **first = &small.slabs[units];
  if (!*first)
    return false;
  if ((*first)->countdown > (*first)->capacity / 2u) {
    *first = (*first)->next;
    return false;
  }
  dissolve(*first);
  return true;
}

/* Releases up to `count` deferred blocks of a list, and says whether there were any. */
RARE static bool release_deferred(size_t list, size_t count) {
  struct object *object = medium.list[list];
  if (!object)
    return false;
  size_t size = MEDIUM + list * ALIGNMENT;
  do {
    struct object *next = object->next;
    medium.bytes -= size;
    release_block(payload_block(object), size);
    object = next;
  } while (object && --count);
  medium.list[list] = object;
  return true;
}

/* Dissolves a slab, or releases some deferred blocks, and says whether there were any. */
RARE static bool reclaim_some(void) {
  for (size_t lists = 0; lists < SIZES + MEDIUM_SIZES; ++lists) {
    size_t list = candidate;
    candidate = list + 1 < SIZES + MEDIUM_SIZES ? (uint32_t)list + 1 : 0;
    if (list < SIZES ? dissolve_first(list) : release_deferred(list - SIZES, RELEASED))
      return true;
  }
  return false;
}

/* Empties all quick lists, and releases the slabs that are then seen to be unused. */
RARE static void settle(void) {
  for (size_t units = 0; units < SIZES; ++units) {
    struct object *object = small.quick[units];
    while (object) {
      struct object *next = object->next;
      small.quick[units] = object; /* for slab_event(): it is not empty */
      struct block *block = payload_block(object);
      if (is_object(block))
        release_object(object);
      else
        release_block(block, block_size(block)); /* its slab has dissolved meanwhile */
      object = next;
    }
    small.quick[units] = NULL;
    struct slab *slab = small.slabs[units];
    if (slab && slab->countdown == 0)
      release_slab(slab);
  }
  for (size_t list = 0; list < MEDIUM_SIZES; ++list)
    release_deferred(list, SIZE_MAX);
}

static bool free_list_reclaim(size_t size, bool heap_can_grow) {
  if (!heap_can_grow)
    settle();
  for (int tries = 0; find_free(size) == NULL; ++tries)
    if ((heap_can_grow && tries == 4) || !reclaim_some())
      return false;
  return true;
}

/* ---- the contract ---- */

/* malloc, where the quick list has nothing. */
NOT_INLINED static void *allocate_slowly(size_t bytes) {
  size_t size = block_size_for(bytes, MINIMUM_BLOCK);
  if (bytes <= LARGEST_SMALL) {
    size_t units = size / ALIGNMENT;
    struct slab *slab = small.slabs[units];
    if (slab) {
      ring_remove(slab);
      slab->listed = false;
    } else if (small.warmth[units] < COLD) {
      ++small.warmth[units];
    } else {
      slab = cut_slab(units);
    }
    if (slab) {
      struct object *object = slab->free;
      slab->free = NULL;
      slab->countdown = 1;
      small.quick[ALIGN_UP(bytes + WORD) / ALIGNMENT] = object->next;
      return object;
    }
  } else if (bytes > MAXIMUM_REQUEST) {
    return NULL;
  } else if (size < LARGE) {
    struct object **list = &medium.list[(size - MEDIUM) / ALIGNMENT];
    struct object *object = *list;
    if (object) {
      *list = object->next;
      medium.bytes -= size;
      return object;
    }
  }
  return allocate_block(size);
}
KEEP_APART(allocate_slowly);

static inline void *heap_allocate(size_t bytes) {
  if (bytes <= LARGEST_SMALL) {
    struct object **quick = &small.quick[ALIGN_UP(bytes + WORD) / ALIGNMENT];
    struct object *object = *quick;
    if (object) {
      *quick = object->next;
      return object;
    }
  }
  return allocate_slowly(bytes);
}

/* Defers the release of a medium block: it goes on the list of its size. If too much of the heap is
 * deferred already it is released, and some others with it, of sizes that may be out of use. */
NOT_INLINED static void defer(struct block *block, size_t size) {
  size_t bytes = medium.bytes + size;
  if (bytes > (size_t)(heap.end - heap.first) / DEFERRED_PART) {
    medium.oldest = (medium.oldest + 1) % MEDIUM_SIZES;
    release_deferred(medium.oldest, 2);
    release_block(block, size);
    return;
  }
  medium.bytes = bytes;
  struct object **list = &medium.list[(size - MEDIUM) / ALIGNMENT];
  struct object *object = block_object(block);
  object->next = *list;
  *list = object;
}
KEEP_APART(defer);

static inline void heap_release(void *payload) {
  struct block *block = payload_block(payload);
  if (is_object(block)) {
    release_object(payload);
    return;
  }
  size_t size = block_size(block);
  if (size - MEDIUM < LARGE - MEDIUM)
    defer(block, size);
  else
    release_block(block, size);
}

static void *heap_allocate_aligned(size_t alignment, size_t bytes, void **surplus) {
  /* A program that aligns blocks does so again and again: a deferred one may be where it should be. */
  size_t size = block_size_for(bytes, MINIMUM_BLOCK);
  if (bytes > LARGEST_SMALL && bytes <= LARGE - ALIGNMENT - WORD) {
    struct object *object = medium.list[(size - MEDIUM) / ALIGNMENT];
    if (object && ((size_t)object & (alignment - 1)) == 0)
      return allocate_slowly(bytes);
  }
  return tags_allocate_aligned(alignment, bytes, surplus);
}

static size_t heap_payload_size(const void *payload) {
  return is_object(payload_block(payload)) ? object_slab(payload)->units * ALIGNMENT - WORD
                                           : tags_payload_size(payload);
}

/* An object cannot grow; one that shrinks stays where it is. */
static bool heap_resize(void *payload, size_t bytes, void **surplus) {
  return is_object(payload_block(payload)) ? bytes <= heap_payload_size(payload)
                                           : tags_resize(payload, bytes, surplus);
}

static bool heap_trim(size_t keep) {
  settle();
  for (size_t units = 0; units < SIZES; ++units)
    for (size_t slabs = small.count[units]; slabs; --slabs)
      dissolve_first(units);
  return tags_trim(keep);
}

/* ---- the walk and the check ---- */

/* Lets the objects' heads tell which are in use (U=1). The quick lists are empty. */
static void mark_objects(struct slab *slab) {
  struct block *block = block_at(payload_block(slab), SLAB_HEADER);
  for (size_t i = 0; i < slab->capacity; ++i, block = block_at(block, slab->units * ALIGNMENT))
    block->head |= USED;
  for (struct object *object = slab->free; object; object = object->next)
    payload_block(object)->head &= ~(size_t)USED;
}

static bool report_object(struct wasmalloc_block *walk, struct block *block) {
  walk->address = block_payload(block);
  walk->size = heap_payload_size(walk->address);
  walk->state = block->head & USED ? WASMALLOC_USED : WASMALLOC_FREE;
  return true;
}

/* A slab is reported as an internal block, which is its own data, and then one block for each
 * object. */
static bool heap_next_block(struct wasmalloc_block *walk) {
  if (walk->address) {
    struct block *block = payload_block(walk->address);
    if (walk->state == WASMALLOC_INTERNAL) {
      mark_objects(walk->address);
      return report_object(walk, block_at(block, SLAB_HEADER));
    }
    if (walk->state != WASMALLOC_FOREIGN && is_object(block)) {
      struct slab *slab = object_slab(walk->address);
      struct block *slab_block = payload_block(slab);
      size_t object_size = slab->units * ALIGNMENT;
      struct block *next = block_at(block, object_size);
      if (next != block_at(slab_block, SLAB_HEADER + slab->capacity * object_size))
        return report_object(walk, next);
      walk->address = slab; /* all its objects are done: go on with the block behind the slab */
    }
  } else {
    settle();
  }
  bool found = block_walk(walk);
  if (found && walk->state == WASMALLOC_INTERNAL)
    walk->size = sizeof(struct slab);
  return found;
}

/* Whether the slab's fields agree with each other and with the objects on its list. */
static bool slab_is_sound(struct slab *slab, size_t units) {
  struct block *block = payload_block(slab);
  size_t object_size = units * ALIGNMENT;
  if (slab->units != units || slab->next->previous != slab ||
      block_state(block) != WASMALLOC_INTERNAL || slab->capacity < LEAST ||
      block_size(block) < SLAB_HEADER + slab->capacity * object_size)
    return false;
  size_t listed = 0;
  for (struct object *object = slab->free; object; object = object->next)
    if (object_slab(object) != slab || ++listed > slab->capacity)
      return false;
  return slab->listed && listed && slab->countdown == slab->capacity - listed;
}

static const void *heap_check(void) {
  settle();
  for (size_t units = 0; units < SIZES; ++units) {
    struct slab *slab = small.slabs[units];
    if (!slab)
      continue;
    do {
      if (!slab_is_sound(slab, units))
        return slab;
      slab = slab->next;
    } while (slab != small.slabs[units]);
  }
  return tags_check();
}
