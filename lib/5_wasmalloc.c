/*
 * 5_wasmalloc: quick lists and runs over the heap of 4_bins.
 *
 * What is new. Most blocks of most programs are small, of few sizes, and short-lived: what is freed
 * will soon be asked for again. To merge such a block with its neighbours, and to split it off again
 * a moment later, is work for nothing, however constant the time. There are two ways around it here.
 *
 * Quick lists (quick_lists.h; Weinstock and Wulf, "Quick Fit", 1988). free *defers* a block of up to 1 KB: it stays
 * marked used, and is put on the list of its size, where malloc finds it. That is a handful of
 * instructions each. But blocks that are deferred do not merge and serve no other size, so a list has
 * *room* for few: more if the heap is large, fewer if the blocks are. Every free uses up some, and
 * malloc renews it when it finds the list empty, for then the blocks on it have been of use.
 *
 * Runs (runs.h), for programs that allocate and free in mass. A size that proves popular gets its blocks many
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
 *   - Where no free block is large enough some deferred blocks are released or a run is dissolved. As
 *     long as others are left the heap grows by no more than it must (reclaim.h).
 *     That keeps linear memory about as small as with 4_bins. Only a small heap, which has few blocks of
 *     each size, grows while linear memory has room.
 *   - A run is made of memory that is free anyway, unless there is none for even one block.
 *   - Few runs are wholly free and wait for use. The others are dissolved.
 *   - A small block behind a free one is not deferred: to merge the two is worth more.
 *
 * Compiled for size, as for a program that is linked with -Oz, it has quick lists but no runs.
 *
 * Invariants: those of 4_bins, of quick_lists.h and of runs.h.
 *
 * Cost: malloc and free take constant time. A call that would have to grow linear memory, which takes an
 * engine up to 75 microseconds, first spends a part of that on releasing what is deferred.
 *
 * When to choose it: always, if in doubt.
 */
#define BINS_WITHOUT_CONTRACT

/* In a program with threads each has lists and runs of its own: that is another file, in place of all below. A Wasm
 * Worker cannot tell when it ends: where there are no threads but those, they share what is here, and the lock. */
#if defined(__EMSCRIPTEN_PTHREADS__) || defined(WASMALLOC_THREADS)
#include "5_wasmalloc_threads.c"
#else

#include "4_bins.c"

/* Blocks of less than CLASSES units of ALIGNMENT are small, and have a class: one for each size. */
#define CLASSES 129
#define LARGE (CLASSES * ALIGNMENT)

/* The largest request that is served from a class. */
#define LARGEST_IN_CLASS ((CLASSES - 1) * ALIGNMENT - WORD)

/* A quick list has room for LEAST_BYTES and a part of the heap. */
#define ROOM_PART 192
#define LEAST_BYTES 3072

/* Blocks of the first RUN_CLASSES classes come in runs, after POPULAR that were allocated one by one. */
#define RUN_CLASSES 33
#define POPULAR 32

/* So many runs may be wholly free: to dissolve them takes no longer than to grow linear memory. */
#define MOST_WHOLE 256

/* The last object of a run may be so much larger, when it becomes a block: by what was too small for one. */
#define LAST_SURPLUS ALIGNMENT

/* What a run knows of itself (runs.h). */
struct run {
  uint64_t word;
  struct run *next, *previous; /* in the ring */
  uint16_t size;               /* of an object, head included */
  uint16_t objects;            /* their number */
};

/* The other runs of a size, and how the next one is made. */
struct ring {
  _Alignas(4 * WORD) struct run *runs; /* those that have free objects, or NULL */
  uint32_t
      popularity; /* so many blocks, allocated one by one, speak for a run: one is tried at POPULAR */
};

#include "runs.h"

_Static_assert(OBJECT_SIZE >= RUN_CLASSES * ALIGNMENT, "sizes fit");

/* All that is put aside. */
static struct cache {
  /* By size in units. There are no blocks below MINIMUM_BLOCK: the first two are never used. */
  struct size_class classes[CLASSES];
  struct ring rings[RUN_CLASSES];
  uint32_t whole_runs; /* so many runs are in rings and wholly free */
} cache;

/* The class that is to release something when memory is short. */
static uint32_t candidate;

/* Frees out of line: the fast paths of this allocator are others. */
NOT_INLINED static void release_block(struct block *block, size_t size) {
  release_block_here(block, size);
}

static inline struct size_class *class_of(size_t size) {
  return &cache.classes[size / ALIGNMENT];
}

static inline size_t class_size(size_t index) {
  return index * ALIGNMENT;
}

/* ---- runs ---- */

/* The label of an object is its distance from the run. */
static inline struct run *object_run(const struct block *object) {
  return (struct run *)((char *)object - (object->head >> LABEL_SHIFT));
}

/* The class of an object with such a head. */
static inline struct size_class *object_class(size_t head) {
  return class_of(head & OBJECT_SIZE);
}

/* The two arrays have the same steps. */
static inline struct ring *ring_of(struct size_class *class) {
  return (struct ring *)((char *)class + offsetof(struct cache, rings));
}

static inline void enters_ring(const struct run *run) {
  if (is_whole(run))
    ++cache.whole_runs;
}

static inline void leaves_ring(const struct run *run) {
  if (is_whole(run))
    --cache.whole_runs;
}

static inline void has_dissolved(struct ring *ring) {
  ring->popularity = 0;
}

/* Memory for a run for objects of `size` bytes: *objects of them, or fewer if there is not as much. NULL if
 * the blocks should rather be allocated one by one. Where the heap has to grow it grows for all of them: a program
 * that fills memory would else be left with runs of the fewest. */
static inline struct block *find_for_run(size_t size, uint32_t *objects) {
  uint32_t wanted = *objects;
  for (;;) {
    struct block *block = find_free(run_size(*objects, size));
    if (block)
      return block;
    if (*objects <= LEAST_OBJECTS)
      break;
    *objects /= 2;
  }
  /* The rest, which is too small, is to be used last. */
  struct block *block = find_free(size);
  if ((block && block != rest.block) || free_list_reclaim(false))
    return NULL;
  *objects = wanted;
  return grow_rest(run_size(wanted, size), true) ? rest.block : NULL;
}

/* Counts a block that is to be allocated, and says whether it should rather come in a run. */
static inline bool is_popular(struct ring *ring) {
  if (++ring->popularity < POPULAR)
    return false;
  ring->popularity = 0;
  return true;
}

/* Makes a run of free objects, if the size is popular and there is memory for one. */
RARE static struct run *make_run(struct size_class *class, size_t size) {
  struct ring *ring = ring_of(class);
  if (!is_popular(ring))
    return NULL;
  uint32_t objects = objects_for(size);
  struct block *block = find_for_run(size, &objects);
  if (!block)
    return NULL;
  ring->popularity = POPULAR - 1; /* the next one may follow at once */
  /* Before a free block there is no other, and P is set. */
  set_head(block, cut_free(block, run_size(objects, size)) | SPECIAL | PREVIOUS_USED);
  struct run *run = block_payload(block);
  size_t distance = RUN_HEADER - WORD;
  for (uint32_t number = 0; number < objects; ++number, distance += size)
    ((struct block *)((char *)run + distance))->head = object_head(distance, number, size);
  begin_run(run, size, objects);
  return run;
}

/* A run with free objects, which is in no ring, or NULL. There is no longer one in use. */
static inline struct run *find_run(struct size_class *class) {
  struct run *run = run_in_use(class);
  if (!run || !free_objects(run)) {
    struct ring *ring = ring_of(class);
    if (run)
      run->word = COUNT(1);
    class->objects = NULL;
    run = ring->runs;
    if (run)
      unlink_run(ring, run);
  }
  return run;
}

/* The ring's first are the runs that have free objects since the shortest time: most of theirs are used, and are likely
 * to stay together. */
NOT_INLINED static void attend(struct run *run) {
  struct ring *ring = ring_of(object_class(first_object(run)->head));
  uint32_t free = free_objects(run);
  if ((free & (free - 1)) == 0) { /* a single one */
    run->word |= COUNT(run->objects - 1);
    link_run(ring, run);
    ring->runs = run;
  } else if (++cache.whole_runs > MOST_WHOLE) {
    unlink_run(ring, run);
    dissolve(run);
  }
}
KEEP_APART(attend);

/* ---- when memory is short ---- */

/* There are no more blocks than that. */
NOT_INLINED static size_t most_blocks(void) {
  return (size_t)(heap.end - heap.first) / ALIGNMENT;
}

NOT_INLINED static void release(struct block *block) {
  if (is_object(block))
    free_object(object_run(block), object_number(block));
  else
    release_block(block, block_size(block));
}

/* Releases up to `count` blocks of a quick list, and says how many. */
static inline size_t release_quick(struct size_class *class, size_t count) {
  return release_list(&class->quick, count);
}

/* Releases up to `count` deferred blocks of the class with this index, and if there are fewer a run, or all. Says how
 * many blocks that is worth. */
static inline size_t reclaim_from(uint32_t index, size_t count, bool all) {
  struct size_class *class = &cache.classes[index];
  size_t released = release_quick(class, count);
  if (RUNS && released < count && index < RUN_CLASSES) {
    retire_run(class, ring_of(class));
    released += dissolve_runs(ring_of(class), count - released, all);
  }
  return released;
}

/* Releases some deferred blocks or dissolves a run of which at least a half is free, or releases all blocks and
 * dissolves all runs of which anything is free. Goes on in the class where it ended the last time. */
RARE static bool free_list_reclaim(bool all) {
  size_t count = all ? most_blocks() : RELEASED;
  size_t released = 0;
  uint32_t index = candidate;
  for (uint32_t left = CLASSES; left; --left) {
    released += reclaim_from(index, count - released, all);
    if (released >= count)
      break;
    index = (index + 1) % CLASSES;
  }
  candidate = index;
  return released != 0;
}

/* To find out whether the block is deferred would take a search, each time that a block is resized; to release is work
 * only for what was deferred since, and the block is mostly among the first. */
RARE static bool release_where_deferred(struct block *block) {
  size_t size = block->head & ~(size_t)FLAGS; /* an object's is too large, for it has the label */
  if (size >= LARGE || block == rest.block)
    return false;
  return release_quick(class_of(size), RELEASED);
}

/* ---- malloc ---- */

/* The first block of a quick list, or NULL. The list gets no room for it: renew_room() gives it some when it is empty. */
static inline void *take_deferred(struct size_class *class) {
  struct deferred *deferred = class->quick;
  if (deferred)
    class->quick = deferred->next;
  return deferred;
}

/* Gives a quick list, which is empty, room. */
static inline void renew_room(struct size_class *class, size_t size) {
  size_t room = ((size_t)(heap.end - heap.first) / ROOM_PART + LEAST_BYTES) / size;
  class->room = class->most = (uint8_t)(room > MOST_ROOM ? MOST_ROOM : room);
}

/* A block of a class, where neither the quick list nor the run in use has one: of another run. NULL if it is to be a
 * block of the heap below. */
NOT_INLINED static void *allocate_in_class(size_t size) {
  struct size_class *class = class_of(size);
  if (!class->room)
    renew_room(class, size);
  bool comes_in_runs = RUNS && size <= class_size(RUN_CLASSES - 1);
  struct run *run = comes_in_runs ? find_run(class) : NULL;
  if (comes_in_runs && !run)
    run = make_run(class, size);
  if (!run)
    return NULL;
  use_run(class, run);
  return take_object(class);
}
KEEP_APART(allocate_in_class);

static inline void *allocate_slowly(size_t bytes) {
  if (bytes > MAXIMUM_REQUEST)
    return NULL;
  size_t size = block_size_for(bytes, MINIMUM_BLOCK);
  void *payload = size < LARGE ? allocate_in_class(size) : NULL;
  if (payload)
    return payload;
  struct block *block = find_free(size);
  return block ? use_block(block, cut_free(block, size)) : allocate_elsewhere(size);
}

static inline void *heap_allocate(size_t bytes) {
  if (bytes <= LARGEST_IN_CLASS) {
    struct size_class *class = class_of(block_size_for(bytes, MINIMUM_BLOCK));
    void *payload = take_deferred(class);
    if (payload)
      return payload;
    if (RUNS && class->free) {
      class->room = class->most;
      return take_object(class);
    }
  }
  return allocate_slowly(bytes);
}

static void *heap_allocate_aligned(size_t alignment, size_t bytes) {
  return allocate_aligned_locked(alignment, bytes);
}

/* ---- free ---- */

/* Written so that an object, the most frequent, has the fewest tests to pass. */
static inline void heap_release(void *payload) {
  struct block *block = payload_block(payload);
  size_t head = read_head(block);
  size_t size = head & ~(size_t)FLAGS;
  if (RUNS && head & SPECIAL) {
    if (!defer(object_class(head), payload))
      free_object(object_run(block), object_number(block));
    return;
  }
  if (size < LARGE && head & PREVIOUS_USED && defer(class_of(size), payload))
    return;
  release_block(block, size);
}

/* ---- realloc ---- */

static size_t heap_payload_size(const void *payload) {
  size_t head = read_head(payload_block(payload));
  return (RUNS && head & SPECIAL ? head & OBJECT_SIZE : head & ~(size_t)FLAGS) - WORD;
}

static void *heap_resize(void *payload, size_t bytes) {
  struct block *block = payload_block(payload);
  size_t old = heap_payload_size(payload);
  if (is_object(block))
    return bytes <= old ? payload : NULL;
  return resize_locked(resize_block, payload, bytes);
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
  } else {
    struct block *object = payload_block(walk->address);
    if (block_state(object) == WASMALLOC_INTERNAL) {
      struct run *run = object_run(object);
      uint32_t number = object_number(object) + 1;
      if (number < run->objects) {
        show_object(walk, run, number);
        return true;
      }
      walk->address = run;
    }
  }
  if (!block_walk(walk))
    return false;
  if (is_run(payload_block(walk->address)))
    show_object(walk, walk->address, 0);
  return true;
}

/* Checks a run, and counts it if it should be in the ring of its class. */
static bool run_is_sound(const struct block *block, struct run_counts *counts) {
  const struct run *run = (const struct run *)(block + 1);
  size_t size = block_size(block);
  if (size < RUN_HEADER || run->size > class_size(RUN_CLASSES - 1) ||
      (size_t)run->objects * run->size > size - RUN_HEADER)
    return false;
  const struct block *object = first_object(run);
  for (uint32_t number = 0; number < run->objects; ++number) {
    /* Not by object_run(): who knows where the head of a broken one leads. */
    size_t distance = (size_t)((const char *)object - (const char *)run);
    if (!is_object(object) || object->head >> LABEL_SHIFT != distance ||
        object_number(object) != number || (object->head & OBJECT_SIZE) != run->size)
      return false;
    object = (const struct block *)((const char *)object + run->size);
  }
  uint32_t free = free_objects(run);
  uint32_t freed = (uint32_t)__builtin_popcount(free);
  uint32_t count = (uint32_t)(run->word >> 32);
  const struct size_class *class = class_of(run->size);
  if (run == run_in_use(class))
    /* Uncovered: only a fault of the allocator itself makes its variables wrong. */
    return class->size == run->size && (class->free & free) == 0 && count == (IN_USE >> 32) - freed;
  counts->linked += free != 0;
  counts->whole += is_whole(run);
  return count == (free ? run->objects - freed : 1);
}

static const void *heap_check(void) {
  const void *broken = tags_check();
  if (broken || !heap.first)
    return broken;
  struct run_counts counts = {0, 0};
  for (struct block *block = (struct block *)heap.first; block != heap_end_block();
       block = next_up(block))
    if (is_run(block) && !run_is_sound(block, &counts))
      return block_payload(block);
  for (uint32_t index = 0; index < CLASSES && !broken; ++index) {
    broken = list_check(cache.classes[index].quick, index, MOST_ROOM);
    if (!broken && index < RUN_CLASSES)
      broken = ring_check(&cache.rings[index], class_size(index), &counts);
  }
  counts.whole -= cache.whole_runs;
  /* Uncovered: only a fault of the allocator itself makes its variables wrong, and no heap has led to one. */
  bool counted = counts.linked == 0 && counts.whole == 0;
  return broken || counted ? broken : (const void *)-1;
}

#endif
