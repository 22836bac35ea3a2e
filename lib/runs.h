/*
 * Runs: blocks of one size, many at a time. Shared by 5_wasmalloc.c and 5_wasmalloc_threads.c.
 *
 * A run is one block of the heap, marked internal, with up to 32 *objects* in it. Each has a head of its own, so that
 * free can tell what it is given:
 *
 *      |<--- RUN_HEADER --->|<- size ->|<- size ->|
 *      +------+-------------+----------+----------+- - - -+----------+------+
 *      | head | struct run  | object 0 | object 1 |       | the last | rest |
 *      +------+-------------+----------+----------+- - - -+----------+------+
 *
 * The run's word has in its low half a bit for each object, which is set if it is free. Its high half counts down
 * to the moment when the run needs attention: one step per object that is freed. So free can do both by
 * one addition, and has one test for whatever may be the matter:
 *
 *      the run                                  its high half
 *      has only used objects, and is in no ring     1, and is put into the ring
 *      is in the ring                               the number of used objects, and is wholly free
 *      is in use                                    never reaches 0
 *
 * malloc takes from the run that is *in use*, whose free objects it has taken over into the class; the others with free
 * objects wait in the *ring* of their class. A run that is mostly free can be *dissolved*: its objects become ordinary
 * blocks, and those that are free are merged.
 *
 * The head of an object. Its flags tell it from a block's, and its size is in the same place:
 *
 *      bit   31                16 15      11 10            3 2   0       (wasm32)
 *            +-------------------+----------+---------------+-----+
 *            | label             | number   | size          | SPU |
 *            +-------------------+----------+---------------+-----+
 *                                                            110
 *
 * What the label says is up to the allocator, which finds by it where the object belongs.
 *
 * Compiled for size there are no runs.
 *
 * Invariants: an object is used, or deferred, or its bit is set in its run's word or, if the run is in use,
 * in its class. A run that has free objects is in use or in the ring of its class, any other in none. (With threads one
 * that is wholly free is elsewhere: 5_wasmalloc_threads.c.)
 */
#ifndef WASMALLOC_RUNS_H
#define WASMALLOC_RUNS_H

#include "quick_lists.h"

#ifdef __OPTIMIZE_SIZE__
#define RUNS 0
#else
#define RUNS 1
#endif

/* A run has so many objects, or as many as have so many bytes, and two. If there is no memory for that it has half as
 * many, or a quarter, but not fewer than half of LEAST_OBJECTS. */
#define MOST_OBJECTS 32
#define MOST_BYTES 2048
#define LEAST_OBJECTS 8

/* Of each ring so many runs are looked at when memory is short. */
#define LOOKED_AT 4

/*
 * From the allocator, before this is included: two structures, which may have more fields.
 *
 *      struct run, the payload of the block that is a run:
 *        uint64_t word;               as above
 *        struct run *next, *previous; in the ring
 *        uint16_t size;               of an object, head included
 *        uint16_t objects;            their number; the last field
 *
 *      struct ring, the other runs of a size than the one in use, and how the next one is made:
 *        struct run *runs;            those that have free objects, or NULL
 */

#define RUN_HEADER ALIGN_UP(WORD + offsetof(struct run, objects) + sizeof(uint16_t))
#define COUNT(objects) ((uint64_t)(objects) << 32)
#define IN_USE COUNT(2 * MOST_OBJECTS)

#define NUMBER_BITS 5
#define NUMBER_SHIFT (sizeof(size_t) == 8 ? 12 : 11)
#define LABEL_SHIFT (NUMBER_SHIFT + NUMBER_BITS)
#define OBJECT_SIZE (((size_t)1 << NUMBER_SHIFT) - ALIGNMENT)

_Static_assert(MOST_OBJECTS == 1 << NUMBER_BITS, "numbers fit");

/* From the allocator: makes `size` bytes, which are in no list, a free block, and merges it. */
static void release_block(struct block *block, size_t size);

/* From the allocator: the ring of a class. */
static inline struct ring *ring_of(struct size_class *class);

/* From the allocator: told that a run comes into its ring, and that it has left it. */
static inline void enters_ring(const struct run *run);
static inline void leaves_ring(const struct run *run);

/* From the allocator: told that a run of a ring was dissolved, to have more memory. */
static inline void has_dissolved(struct ring *ring);

/* From the allocator: looks after a run whose count has reached 0. */
static void attend(struct run *run);

/* The head of an object. */
static inline size_t object_head(size_t label, uint32_t number, size_t size) {
  return label << LABEL_SHIFT | (size_t)number << NUMBER_SHIFT | size | SPECIAL | PREVIOUS_USED;
}

static inline bool is_object(const struct block *block) {
  return RUNS && read_head(block) & SPECIAL;
}

static inline uint32_t object_number(const struct block *object) {
  return object->head >> NUMBER_SHIFT & (MOST_OBJECTS - 1);
}

static inline const struct block *first_object(const struct run *run) {
  return (const struct block *)((const char *)run + RUN_HEADER - WORD);
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
NOT_INLINED static void link_run(struct ring *ring, struct run *run) {
  struct run *first = ring->runs;
  if (!first)
    ring->runs = first = run->previous = run;
  struct run *last = first->previous;
  run->next = first;
  run->previous = last;
  first->previous = run;
  last->next = run;
}

NOT_INLINED static void unlink_run(struct ring *ring, struct run *run) {
  struct run *next = run->next;
  struct run *previous = run->previous;
  previous->next = next;
  next->previous = previous;
  if (ring->runs == run)
    ring->runs = next == run ? NULL : next;
  leaves_ring(run);
}

/* ---- the run in use ---- */

/* Gives all free objects of a run, which is in no ring, to malloc. */
static inline void use_run(struct size_class *class, struct run *run) {
  class->objects = (char *)run + RUN_HEADER;
  class->size = run->size;
  class->free = free_objects(run);
  run->word = IN_USE;
}

/* The first free object of the run in use, of which there is one. */
static inline void *take_object(struct size_class *class) {
  uint32_t free = class->free;
  class->free = free & (free - 1);
  return class->objects + (size_t)__builtin_ctz(free) * class->size;
}

/* Puts the run in use, if there is one, into the ring. */
static void retire_run(struct size_class *class, struct ring *ring) {
  struct run *run = run_in_use(class);
  if (!run)
    return;
  uint32_t free = class->free | free_objects(run);
  class->free = 0;
  class->objects = NULL;
  run->word = COUNT(1);
  if (free) {
    run->word = free | COUNT(run->objects - (uint32_t)__builtin_popcount(free));
    enters_ring(run);
    link_run(ring, run);
  }
}

/* Frees an object of a run. */
static inline void free_object(struct run *run, uint32_t number) {
  uint64_t word = (run->word | (uint32_t)1 << number) - COUNT(1);
  run->word = word;
  if (word < COUNT(1))
    attend(run);
}

/* ---- the life of a run ---- */

static inline size_t run_size(uint32_t objects, size_t size) {
  return RUN_HEADER + objects * size;
}

/* The number of objects of `size` bytes that a run should have. */
static inline uint32_t objects_for(size_t size) {
  uint32_t objects = (uint32_t)(MOST_BYTES / size + 2);
  return objects > MOST_OBJECTS ? MOST_OBJECTS : objects;
}

/* A run of free objects, which is in no ring. */
static inline void begin_run(struct run *run, size_t size, uint32_t objects) {
  run->size = (uint16_t)size;
  run->objects = (uint16_t)objects;
  run->word = UINT32_MAX >> (MOST_OBJECTS - objects);
}

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
      change_head(block, (size_t)((char *)next - (char *)block) | USED | PREVIOUS_USED);
      if (row != block)
        release_block(row, (size_t)((char *)block - (char *)row));
      row = next; /* an object's head has PREVIOUS_USED set */
    }
    block = next;
  }
  if (row != end)
    release_block(row, (size_t)((char *)end - (char *)row));
}

/* Looks at some runs of a ring, the last first, and dissolves one of which at least a half is free; or dissolves all,
 * until that is worth `count` blocks. Says how many it is worth. */
RARE static size_t dissolve_runs(struct ring *ring, size_t count, bool all) {
  size_t worth = 0;
  struct run *first = ring->runs;
  for (size_t looked_at = 0; first && (all ? worth < count : looked_at < LOOKED_AT); ++looked_at) {
    struct run *run = first->previous;
    if (all || (uint32_t)__builtin_popcount(free_objects(run)) >= run->word / COUNT(1)) {
      ring->runs = first;
      unlink_run(ring, run);
      dissolve(run);
      has_dissolved(ring);
      worth += RELEASED;
      if (!all)
        return worth;
      first = ring->runs;
    } else {
      first = run;
    }
  }
  ring->runs = first;
  return worth;
}

/* ---- the walk and the check ---- */

/* Whether a block is a run. What else is internal begins with zeros. */
static bool is_run(struct block *block) {
  return block_state(block) == WASMALLOC_INTERNAL && ((struct run *)block_payload(block))->size;
}

/* Numbers of runs, found in one way and counted down when they are found in another. */
struct run_counts {
  uint32_t linked; /* in the ring of their class */
  uint32_t whole;  /* of these */
};

/* Checks a ring, and counts its runs down: NULL or what is broken. */
static const void *ring_check(const struct ring *ring, size_t size, struct run_counts *counts) {
  const struct run *run = ring->runs;
  if (run)
    do {
      /* Uncovered: the runs are sound one by one, and only a fault of the allocator itself would put one
       * into a ring where it does not belong. */
      if (run->size != size || !payload_may_be_at((uintptr_t)run->next) ||
          run->next->previous != run || !free_objects(run))
        return run;
      --counts->linked;
      run = run->next;
    } while (run != ring->runs);
  return NULL;
}

#endif
