/*
 * 5_wasmalloc: quick lists and runs over the heap of 4_bins.
 *
 * What is new. Most blocks of most programs are small, of few sizes, and short-lived: what is freed
 * will soon be asked for again. To merge such a block with its neighbours, and to split it off again
 * a moment later, is work for nothing, however constant the time. There are two ways around it here.
 *
 * Quick lists (Weinstock and Wulf, "Quick Fit", 1988). free *defers* a block of up to 1 KB: it stays
 * marked used, and is put on the list of its size, where malloc finds it. That is a handful of
 * instructions each. But blocks that are deferred do not merge and serve no other size, so a list has
 * *room* for few: more if the heap is large, fewer if the blocks are. Every free uses up some, and
 * malloc renews it when it finds the list empty, for then the blocks on it have been of use.
 *
 * Runs, for programs that allocate and free in mass. A size that proves popular gets its blocks many
 * at a time: a run is one block of the heap below, with up to 32 *objects* of the size in it and a
 * word that has a bit for each. What does not fit on the quick list goes there: free sets a bit, and
 * malloc takes over all bits that are set, to use them up one by one without touching the objects.
 * (Bits instead of lists: Evans, "A Scalable Concurrent malloc(3) Implementation for FreeBSD", 2006.)
 *
 *      class of 32 bytes
 *      +---------+------------+---------+---------+
 *      | quick   | free       | objects | runs    |
 *      +---------+------------+---------+---------+
 *         |        ...00110000  |         |
 *         v                     |         v
 *      +------+  +--------------|-----+  +--------------------+  +--------------------+
 *      | 32   |  | run in use   v     |  | run     ...0000101 |->| run     ...1111111 |-> the ring,
 *      +------+  |      +---+---+---+ |  |      +---+---+---+ |  |      +---+---+---+ |   back to
 *         |      |      | 0 | 1 | 2 | |  |      | 0 | 1 | 2 | |  |      | 0 | 1 | 2 | |   the first
 *         v      |      +---+---+---+ |  |      +---+---+---+ |  |      +---+---+---+ |
 *      +------+  +--------------------+  +--------------------+  +--------------------+
 *      | 32   |
 *      +------+
 *
 * Slabs, as this is called elsewhere, have a fault: a single survivor keeps all of its slab. Not here.
 * An object has a head of its own like any block, and so a run that is mostly free can be *dissolved*:
 * its objects become ordinary blocks, and those that are free are merged.
 *
 * Nothing is deferred without bound, and no call waits long:
 *
 *   - Where no free block is large enough some deferred blocks are released and some runs dissolved. As
 *     long as others are left the heap grows by no more than it must, and before linear memory grows
 *     this is tried several times (boundary_tags.h, find_elsewhere). That keeps the heap about as small
 *     as that of 4_bins.
 *   - A run is made of memory that is free anyway, unless there is none for even one block.
 *   - Few runs are wholly free and wait for use. The others are dissolved.
 *   - A block behind a free one is not deferred: to merge the two is worth more.
 *
 * Compiled for size, as for a program that is linked with -Oz, it has quick lists but no runs.
 *
 * Invariants: those of 4_bins. A deferred block or object is marked used, and is on the list of its
 * size. An object is used, or deferred, or its bit is set in its run's word or, if the run is in use,
 * in its class. A run that has free objects is in use or in the ring of its class, any other in none.
 *
 * Cost: malloc and free take constant time. A call that would have to grow linear memory, which takes an
 * engine up to 75 microseconds, first spends a part of that on releasing what is deferred.
 *
 * When to choose it: always, if in doubt.
 */
#define BINS_WITHOUT_CONTRACT
#include "4_bins.c"

#ifdef __OPTIMIZE_SIZE__
#define RUNS 0
#else
#define RUNS 1
#endif

/* Blocks of less than CLASSES units of ALIGNMENT have a class. */
#define CLASSES 129
#define LARGE (CLASSES * ALIGNMENT)
#define LARGEST_SMALL (LARGE - ALIGNMENT - WORD)

/* A quick list has room for this part of the heap, but for LEAST_ROOM blocks and no more than MOST_ROOM. */
#define ROOM_PART 512
#define LEAST_ROOM 4
#define MOST_ROOM 64

/* Blocks of less than RUN_CLASSES units come in runs, after so many that were allocated one by one. */
#define RUN_CLASSES 33
#define POPULAR 32

/* The first run of a size has LEAST_OBJECTS. After ALIKE runs the next have twice as many, until they have
 * MOST_OBJECTS. */
#define LEAST_OBJECTS 8
#define ALIKE 2
#define MOST_OBJECTS 32

/* So many runs may be wholly free: to dissolve them takes no longer than to grow linear memory. */
#define MOST_WHOLE 256

/* So many deferred blocks are released, or runs looked at, when memory is short. */
#define RELEASED 16

/*
 * The payload of the block that is a run. The block is marked internal. The objects follow:
 *
 *      |<--- RUN_HEADER --->|<- size ->|<- size ->|
 *      +------+-------------+----------+----------+- - - -+----------+------+
 *      | head | struct run  | object 0 | object 1 |       | the last | rest |
 *      +------+-------------+----------+----------+- - - -+----------+------+
 *
 * The word's low half has a bit for each object, which is set if it is free. Its high half counts down
 * to the moment when the run needs attention: one step per object that is freed. So free can do both by
 * one addition, and has one test for whatever may be the matter:
 *
 *      the run                                  its high half
 *      has only used objects, and is in no ring     1, and is put into the ring
 *      is in the ring                               the number of used objects, and is wholly free
 *      is in use                                    never reaches 0
 */
struct run {
  uint64_t word;
  struct run *next, *previous; /* in the ring */
  uint16_t size;               /* of an object, head included */
  uint16_t objects;            /* their number */
};

#define RUN_HEADER                                                                                 \
  ALIGN_UP(WORD + 2 * sizeof(struct run *) + sizeof(uint64_t) + 2 * sizeof(uint16_t))
#define COUNT(objects) ((uint64_t)(objects) << 32)
#define IN_USE COUNT(2 * MOST_OBJECTS)

/*
 * The head of an object. Its flags tell it from a block's, and its size is in the same place:
 *
 *      bit   31                16 15      11 10            3 2   0       (wasm32)
 *            +-------------------+----------+---------------+-----+
 *            | distance from run | number   | size          | SPU |
 *            +-------------------+----------+---------------+-----+
 *                                                            110
 */
#define NUMBER_SHIFT (sizeof(size_t) == 8 ? 12 : 11)
#define DISTANCE_SHIFT (NUMBER_SHIFT + 5)
#define OBJECT_SIZE (((size_t)1 << NUMBER_SHIFT) - ALIGNMENT)

_Static_assert(MOST_OBJECTS == LEAST_OBJECTS << 2 && MOST_OBJECTS == 1 << 5, "numbers fit");
_Static_assert((RUN_CLASSES - 1) * ALIGNMENT <= OBJECT_SIZE, "sizes fit");

/* The payload of a deferred block or object. */
struct deferred {
  struct deferred *next;
};

/* Aligned so that the address is the size, shifted. */
static struct size_class {
  _Alignas(8 * WORD) struct deferred *quick; /* the quick list */
  uint32_t free;    /* bit i is set if object i of the run in use is free, and malloc's to take */
  char *objects;    /* the payload of that run's first object, or NULL */
  struct run *runs; /* a ring of other runs that have free objects, or NULL */
  uint8_t room;     /* so many more blocks may be put on the quick list */
  uint8_t most;     /* and so many when it is empty */
  uint8_t waiting;  /* so many blocks were allocated one by one since a run was last tried */
  uint8_t made;     /* so many runs were made; counted as far as it matters */
} classes[CLASSES]; /* by size in units; there are no blocks below MINIMUM_BLOCK */

/* So many runs are in rings and wholly free. */
static uint32_t whole_runs;

/* The class that is to release something when memory is short. */
static uint32_t candidate;

/* Frees out of line: the fast paths of this allocator are others. */
NOT_INLINED static void release_block(struct block *block, size_t size) {
  release_block_here(block, size);
}

static inline struct size_class *class_of(size_t size) {
  return &classes[size / ALIGNMENT];
}

static inline bool is_object(const struct block *block) {
  return RUNS && block->head & SPECIAL;
}

static inline struct run *object_run(const struct block *object) {
  return (struct run *)((char *)object - (object->head >> DISTANCE_SHIFT));
}

static inline uint32_t object_number(const struct block *object) {
  return object->head >> NUMBER_SHIFT & (MOST_OBJECTS - 1);
}

static inline struct run *run_in_use(const struct size_class *class) {
  return class->objects ? (struct run *)(class->objects - RUN_HEADER) : NULL;
}

static inline uint32_t free_objects(const struct run *run) {
  return (uint32_t)run->word;
}

static inline bool is_whole(const struct run *run) {
  return run->word < COUNT(1);
}

/* ---- rings ---- */

/* Puts a run at the end of its ring. */
NOT_INLINED static void link_run(struct size_class *class, struct run *run) {
  struct run *first = class->runs;
  if (!first)
    class->runs = first = run->previous = run;
  struct run *last = first->previous;
  run->next = first;
  run->previous = last;
  first->previous = run;
  last->next = run;
}

NOT_INLINED static void unlink_run(struct size_class *class, struct run *run) {
  struct run *next = run->next;
  struct run *previous = run->previous;
  previous->next = next;
  next->previous = previous;
  if (class->runs == run)
    class->runs = next == run ? NULL : next;
  if (is_whole(run))
    --whole_runs;
}

/* Puts the run in use, if there is one, into the ring. */
static void retire_run(struct size_class *class) {
  struct run *run = run_in_use(class);
  if (!run)
    return;
  uint32_t free = class->free | free_objects(run);
  class->free = 0;
  class->objects = NULL;
  run->word = COUNT(1);
  if (free) {
    run->word = free | COUNT(run->objects - (uint32_t)__builtin_popcount(free));
    if (is_whole(run))
      ++whole_runs;
    link_run(class, run);
  }
}

/* ---- the life of a run ---- */

/* Makes blocks of the objects of a run, which is in no ring: used ones, and of each row of free ones and
 * of the header a free one. */
RARE static void dissolve(struct run *run) {
  struct block *row = payload_block(run);
  struct block *end = block_next(row);
  struct block *block = block_at(row, RUN_HEADER);
  uint32_t objects = run->objects;
  uint32_t free = free_objects(run);
  size_t size = run->size;
  for (uint32_t number = 0; number < objects; ++number, free >>= 1) {
    struct block *next = number + 1 == objects ? end : block_at(block, size);
    if (!(free & 1)) {
      block->head = (size_t)((char *)next - (char *)block) | USED | PREVIOUS_USED;
      if (row != block)
        release_block(row, (size_t)((char *)block - (char *)row));
      row = next; /* an object's head has PREVIOUS_USED set */
    }
    block = next;
  }
  if (row != end)
    release_block(row, (size_t)((char *)end - (char *)row));
}

/* Memory for a run for objects of `size` bytes: *objects of them, or fewer if there is not as much. NULL if
 * the blocks should rather be allocated one by one. */
static inline struct block *find_for_run(size_t size, uint32_t *objects) {
  for (;;) {
    size_t run_size = RUN_HEADER + *objects * size;
    struct block *block = find_free(run_size);
    if (block)
      return block;
    if (*objects == LEAST_OBJECTS) {
      /* The rest, which is too small, is to be used last. */
      block = find_free(size);
      return (block && block != rest.block) || free_list_reclaim(false) ? NULL
                                                                        : find_elsewhere(run_size);
    }
    *objects /= 2;
  }
}

/* Makes a run of free objects, if the size is popular and there is memory for one. */
RARE static struct run *make_run(struct size_class *class, size_t size) {
  if (++class->waiting < POPULAR)
    return NULL;
  class->waiting = 0;
  uint32_t objects = (uint32_t)LEAST_OBJECTS << class->made / ALIKE;
  struct block *block = find_for_run(size, &objects);
  if (!block)
    return NULL;
  class->waiting = POPULAR - 1; /* the next one may follow at once */
  if (class->made < 2 * ALIKE)
    ++class->made;

  /* Before a free block there is no other, and P is set. */
  block->head = cut_free(block, RUN_HEADER + objects * size) | SPECIAL | PREVIOUS_USED;
  struct run *run = block_payload(block);
  size_t distance = RUN_HEADER - WORD;
  for (uint32_t number = 0; number < objects; ++number, distance += size)
    ((struct block *)((char *)run + distance))->head = distance << DISTANCE_SHIFT |
                                                       (size_t)number << NUMBER_SHIFT | size |
                                                       SPECIAL | PREVIOUS_USED;
  run->size = (uint16_t)size;
  run->objects = (uint16_t)objects;
  run->word = UINT32_MAX >> (MOST_OBJECTS - objects);
  return run;
}

/* Gives malloc free objects, which it has run out of, and the quick list, which is empty, new room. Says
 * whether there are objects. */
static inline bool refill(struct size_class *class, size_t size) {
  if (!class->room) {
    size_t room = (size_t)(heap.end - heap.first) / ROOM_PART / size;
    class->room = class->most = (uint8_t)(room < LEAST_ROOM  ? LEAST_ROOM
                                          : room > MOST_ROOM ? MOST_ROOM
                                                             : room);
  }
  if (!RUNS || size >= RUN_CLASSES * ALIGNMENT)
    return false;
  struct run *run = run_in_use(class);
  if (!run || !free_objects(run)) {
    if (run)
      run->word = COUNT(1);
    class->objects = NULL;
    run = class->runs;
    if (run)
      unlink_run(class, run);
    else if (!(run = make_run(class, size)))
      return false;
    class->objects = (char *)run + RUN_HEADER;
  }
  class->free = free_objects(run);
  run->word = IN_USE;
  return true;
}

/* Looks after a run whose count has reached 0. The ring's first are the ones that have free objects since
 * the shortest time: most of theirs are used, and are likely to stay together. */
NOT_INLINED static void attend(struct run *run) {
  struct size_class *class = class_of(run->size);
  uint32_t free = free_objects(run);
  if ((free & (free - 1)) == 0) { /* a single one */
    run->word |= COUNT(run->objects - 1);
    link_run(class, run);
    class->runs = run;
  } else if (++whole_runs > MOST_WHOLE) {
    unlink_run(class, run);
    dissolve(run);
  }
}
KEEP_APART(attend);

static inline void free_object(struct block *object) {
  struct run *run = object_run(object);
  uint64_t word = (run->word | (uint32_t)1 << object_number(object)) - COUNT(1);
  run->word = word;
  if (word < COUNT(1))
    attend(run);
}

/* ---- when memory is short ---- */

static void release(struct block *block) {
  if (is_object(block))
    free_object(block);
  else
    release_block(block, block_size(block));
}

/* Releases up to `count` blocks of a quick list, and says how many. */
RARE static size_t release_quick(struct size_class *class, size_t count) {
  size_t released = 0;
  for (struct deferred *deferred; released < count && (deferred = class->quick); ++released) {
    class->quick = deferred->next;
    release(payload_block(deferred));
  }
  return released;
}

/* Looks at up to `count` runs of a class, the last of the ring first, and dissolves those of which at least
 * 1 / share is free. Says how many. */
RARE static size_t dissolve_runs(struct size_class *class, size_t count, uint32_t share) {
  size_t dissolved = 0;
  retire_run(class);
  for (size_t looked = 0; class->runs && looked < count; ++looked) {
    struct run *run = class->runs->previous;
    if ((uint32_t)__builtin_popcount(free_objects(run)) * share >= run->objects) {
      unlink_run(class, run);
      dissolve(run);
      ++dissolved;
      class->waiting = class->made = 0;
    } else {
      class->runs = run;
    }
  }
  return dissolved;
}

/* Releases up to `count` deferred blocks and runs, and says whether there were any. Goes on in the class
 * where it ended the last time. */
RARE static bool release_some(size_t count, uint32_t share) {
  size_t left = count;
  for (uint32_t visited = 0; visited < CLASSES; ++visited) {
    struct size_class *class = &classes[candidate];
    if (class->quick || class->objects || class->runs) {
      left -= release_quick(class, left);
      if (RUNS)
        left -= dissolve_runs(class, left, share);
      if (!left)
        break;
    }
    candidate = candidate ? candidate - 1 : CLASSES - 1;
  }
  return left < count;
}

static bool free_list_reclaim(bool all) {
  return all ? release_some(SIZE_MAX, MOST_OBJECTS) : release_some(RELEASED, 2);
}

/* ---- the contract ---- */

/* The first free object of the run in use, of which there is one. */
static inline void *take_object(struct size_class *class, size_t size) {
  uint32_t free = class->free;
  class->free = free & (free - 1);
  return class->objects + (size_t)__builtin_ctz(free) * size;
}

/* malloc, where neither the quick list nor the run in use has anything. */
NOT_INLINED static void *allocate_slowly(size_t bytes) {
  if (bytes > MAXIMUM_REQUEST)
    return NULL;
  size_t size = block_size_for(bytes, MINIMUM_BLOCK);
  if (size < LARGE) {
    struct size_class *class = class_of(size);
    if (refill(class, size))
      return take_object(class, size);
  }
  struct block *block = find_free(size);
  if (!block)
    return allocate_elsewhere(size);
  return use_block(block, cut_free(block, size));
}
KEEP_APART(allocate_slowly);

static inline void *heap_allocate(size_t bytes) {
  if (bytes <= LARGEST_SMALL) {
    size_t size = block_size_for(bytes, MINIMUM_BLOCK);
    struct size_class *class = class_of(size);
    struct deferred *deferred = class->quick;
    if (deferred) {
      class->quick = deferred->next;
      return deferred;
    }
    if (RUNS && class->free) {
      class->room = class->most;
      return take_object(class, size);
    }
  }
  return allocate_slowly(bytes);
}

/* Puts a freed block or object on its quick list, if that has room, and says whether it has. */
static inline bool defer(struct size_class *class, struct deferred *payload) {
  if (!class->room)
    return false;
  --class->room;
  payload->next = class->quick;
  class->quick = payload;
  return true;
}

/* Written so that an object, the most frequent, has the fewest tests to pass. */
static inline void heap_release(void *payload) {
  struct block *block = payload_block(payload);
  size_t head = block->head;
  if (is_object(block)) {
    if (!defer(class_of(head & OBJECT_SIZE), payload))
      free_object(block);
    return;
  }
  size_t size = head & ~(size_t)FLAGS;
  if (size < LARGE && head & PREVIOUS_USED && defer(class_of(size), payload))
    return;
  release_block(block, size);
}

static void *heap_allocate_aligned(size_t alignment, size_t bytes, void **surplus) {
  return tags_allocate_aligned(alignment, bytes, surplus);
}

static size_t heap_payload_size(const void *payload) {
  struct block *block = payload_block(payload);
  return (is_object(block) ? block->head & OBJECT_SIZE : block_size(block)) - WORD;
}

/* Releases a block if it is deferred, and says whether it was. */
RARE static bool release_if_deferred(struct block *block) {
  if (is_object(block) || block->head >= LARGE)
    return false;
  struct deferred **link = &class_of(block_size(block))->quick;
  while (*link && *link != block_payload(block))
    link = &(*link)->next;
  if (!*link)
    return false;
  *link = (*link)->next;
  release_block(block, block_size(block));
  return true;
}

/* Where the block behind is in the way, it may only be deferred. */
static bool heap_resize(void *payload, size_t bytes, void **surplus) {
  struct block *block = payload_block(payload);
  if (is_object(block))
    return bytes <= heap_payload_size(payload);
  while (!tags_resize(payload, bytes, surplus))
    if (!release_if_deferred(block_next(block)))
      return false;
  return true;
}

static bool heap_trim(size_t keep) {
  free_list_reclaim(true);
  return tags_trim(keep);
}

/* ---- the walk and the check ---- */

static void show_object(struct wasmalloc_block *walk, const struct run *run, uint32_t number) {
  walk->address = (char *)run + RUN_HEADER + (size_t)number * run->size;
  walk->size = run->size - WORD;
  walk->state = free_objects(run) >> number & 1 ? WASMALLOC_FREE : WASMALLOC_USED;
}

/* The walk looks at the heap as it is when nothing is deferred and no run is in use. In place of a run it
 * shows the objects. */
static bool heap_next_block(struct wasmalloc_block *walk) {
  if (!walk->address) {
    free_list_reclaim(true);
  } else if (block_state(payload_block(walk->address)) == WASMALLOC_INTERNAL) {
    struct block *object = payload_block(walk->address);
    struct run *run = object_run(object);
    uint32_t number = object_number(object) + 1;
    if (number < run->objects) {
      show_object(walk, run, number);
      return true;
    }
    walk->address = run;
  }
  if (!block_walk(walk))
    return false;
  if (walk->state == WASMALLOC_INTERNAL)
    show_object(walk, walk->address, 0);
  return true;
}

/* Numbers of runs, found in one way and counted down when they are found in another. */
struct run_counts {
  uint32_t linked; /* in the ring of their class */
  uint32_t whole;  /* of these */
};

/* Checks a run, and counts it if it should be in the ring of its class. */
static bool run_is_sound(const struct block *block, struct run_counts *counts) {
  const struct run *run = (const struct run *)(block + 1);
  size_t size = block_size(block);
  if (size < RUN_HEADER || run->size >= RUN_CLASSES * ALIGNMENT ||
      (size_t)run->objects * run->size > size - RUN_HEADER)
    return false;
  const struct size_class *class = class_of(run->size);
  uint32_t free = free_objects(run);
  uint32_t freed = (uint32_t)__builtin_popcount(free);
  uint32_t count = (uint32_t)(run->word >> 32);
  const struct block *object = (const struct block *)((const char *)run + RUN_HEADER - WORD);
  for (uint32_t number = 0; number < run->objects; ++number) {
    /* Not by object_run(): who knows where the head of a broken one leads. */
    size_t distance = (size_t)((const char *)object - (const char *)run);
    if (!is_object(object) || object->head >> DISTANCE_SHIFT != distance ||
        object_number(object) != number || (object->head & OBJECT_SIZE) != run->size)
      return false;
    object = (const struct block *)((const char *)object + run->size);
  }
  if (run == run_in_use(class))
    return (class->free & free) == 0 && count == (IN_USE >> 32) - freed;
  counts->linked += free != 0;
  counts->whole += is_whole(run);
  return count == (free ? run->objects - freed : 1);
}

/* Checks a quick list and a ring, and counts its runs down. NULL or what is broken. */
static const void *class_check(const struct size_class *class, struct run_counts *counts) {
  size_t size = (size_t)(class - classes) * ALIGNMENT;
  uint32_t deferred_blocks = 0;
  for (struct deferred *deferred = class->quick; deferred; deferred = deferred->next) {
    struct block *block = payload_block(deferred);
    if (deferred->next && !payload_may_be_at((uintptr_t)deferred->next))
      return deferred;
    /* What was the last object of a run that was dissolved may be a little larger. */
    size_t surplus = heap_payload_size(deferred) + WORD - size;
    if (block_is_free(block) || surplus >= MINIMUM_BLOCK || ++deferred_blocks > MOST_ROOM)
      return deferred;
  }
  const struct run *run = class->runs;
  if (run)
    do {
      /* Uncovered: the runs are sound one by one, and only a fault of the allocator itself would put one
       * into a ring where it does not belong. */
      if (run->size != size || !payload_may_be_at((uintptr_t)run->next) ||
          run->next->previous != run || !free_objects(run))
        return run;
      --counts->linked;
      run = run->next;
    } while (run != class->runs);
  return NULL;
}

static const void *heap_check(void) {
  const void *broken = tags_check();
  if (broken || !heap.first)
    return broken;
  struct run_counts counts = {0, 0};
  for (struct block *block = (struct block *)heap.first; block != heap_end_block();
       block = block_next(block))
    if (block_state(block) == WASMALLOC_INTERNAL && !run_is_sound(block, &counts))
      return block_payload(block);
  for (uint32_t index = 0; index < CLASSES && !broken; ++index)
    broken = class_check(&classes[index], &counts);
  /* Uncovered: only a fault of the allocator itself makes its variables wrong, and no heap has led to one. */
  bool counted = counts.linked == 0 && counts.whole == whole_runs;
  return broken || counted ? broken : (const void *)-1;
}
