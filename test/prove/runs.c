/*
 * The runs of 5_wasmalloc: their words, their rings, their end.
 *
 * The heap is a block, a run of OBJECTS objects of OBJECT_BYTES, and what may be behind it:
 *
 *      +----------------+--------+----+----+- - - -+----+---+----------------+-----------------+-----+
 *      | used or free   | header | 0  | 1  |       |    |   | used or free   | used            | end |
 *      +----------------+--------+----+----+- - - -+----+---+----------------+-----------------+-----+
 *                                                           | or the rest, which may be empty  | end |
 *
 * Everything about it that can differ does: which objects are free, which are malloc's to take, whether it is
 * in use, in the ring of its class, or in none, what its neighbours are. Its sizes are fixed. The free lists
 * are any that keep the contract (lists.h). dissolve(), which has a theorem of its own, is replaced by a note that
 * it was called in the theorem about its caller (theorems.mjs).
 */
#include "5_wasmalloc.c"

#ifndef OBJECTS
#define OBJECTS 8
#endif
#ifndef OBJECT_BYTES
#define OBJECT_BYTES 16
#endif

/* What may be left over behind the last object; and the units of each part. */
#define SURPLUS_UNITS 1
#define HEADER_UNITS (RUN_HEADER / ALIGNMENT)
#define OBJECT_UNITS (OBJECT_BYTES / ALIGNMENT)
#define RUN_UNITS (HEADER_UNITS + OBJECTS * OBJECT_UNITS + SURPLUS_UNITS)
#define UNITS (RUN_UNITS + 3 * LEAST_UNITS)
#define MOST_BLOCKS (OBJECTS + 5)
#include "tags.h"

enum {
  RUN_UNIT = LEAST_UNITS,
  BEHIND_UNIT = RUN_UNIT + RUN_UNITS,
  LAST_UNIT = BEHIND_UNIT + LEAST_UNITS
};

#define ALL_OBJECTS (UINT32_MAX >> (32 - OBJECTS))

static struct run *run;
static struct size_class *class;
static struct ring *ring;

static inline size_t object_unit(uint32_t number) {
  return RUN_UNIT + HEADER_UNITS + (size_t)number * OBJECT_UNITS;
}

static inline void *object_payload(uint32_t number) {
  return block_payload(at_unit(object_unit(number)));
}

/* What the block before the run is, and the one behind it. */
enum neighbour { IS_USED, IS_FREE, IS_REST };

static void make_neighbour(size_t unit, enum neighbour kind) {
  *head_at(unit) = LEAST_UNITS * ALIGNMENT | PREVIOUS_USED | (kind == IS_USED ? USED : 0);
  if (kind == IS_FREE) {
    list_any((struct free_block *)at_unit(unit), LEAST_UNITS);
    *tag_at(unit + LEAST_UNITS) = LEAST_UNITS * ALIGNMENT;
  }
}

/* The heap in the picture, but for the run's word. */
static void make_run_heap(enum neighbour before, enum neighbour behind) {
  __CPROVER_havoc_object(memory);
  heap.first = (char *)at_unit(0);
  make_neighbour(0, before);
  *head_at(RUN_UNIT) = RUN_UNITS * ALIGNMENT | SPECIAL | (before == IS_USED ? PREVIOUS_USED : 0);
  if (behind == IS_REST) {
    rest.block = at_unit(BEHIND_UNIT);
    rest.size = nondet_bool() ? LEAST_UNITS * ALIGNMENT : 0;
    end_row(BEHIND_UNIT + rest.size / ALIGNMENT);
  } else {
    make_neighbour(BEHIND_UNIT, behind);
    *head_at(LAST_UNIT) = LEAST_UNITS * ALIGNMENT | USED | (behind == IS_USED ? PREVIOUS_USED : 0);
    rest.block = at_unit(UNITS);
    rest.size = 0;
    end_row(UNITS);
  }
  rest.block->head = rest.size | PREVIOUS_USED;

  run = block_payload(at_unit(RUN_UNIT));
  /* size and objects: written as one word, which CBMC can see through */
  *(size_t *)&run->size = OBJECT_BYTES | (size_t)OBJECTS << 16;
  for (uint32_t number = 0; number < OBJECTS; ++number)
    *head_at(object_unit(number)) = (RUN_HEADER - WORD + number * OBJECT_BYTES) << LABEL_SHIFT |
                                    (size_t)number << NUMBER_SHIFT | OBJECT_BYTES | SPECIAL |
                                    PREVIOUS_USED;
  class = class_of(OBJECT_BYTES);
  ring = ring_of(class);
}

/* ---- dissolve ---- */

static enum neighbour any_neighbour(enum neighbour last) {
  return (enum neighbour)any_size(IS_USED, last);
}

void dissolve_run(void) {
  enum neighbour before = any_neighbour(IS_FREE);
  enum neighbour behind = any_neighbour(IS_REST);
  make_run_heap(before, behind);
  uint32_t free = nondet_word() & ALL_OBJECTS;
  run->word = free;
  uint32_t number = nondet_word();
  size_t word = any_size(1, 2 * OBJECT_UNITS - 1);
  assume(number < OBJECTS);
  size_t unit = object_unit(number);
  size_t contents = head_at(unit)[word];

  dissolve(run);

  claim(heap_is_sound(), "the invariants hold");
  bool used = used_units >> unit & 1;
  claim(used == !(free >> number & 1), "the used objects are used blocks, and no others");
  size_t surplus = number == OBJECTS - 1 ? SURPLUS_UNITS * ALIGNMENT : 0;
  claim(!used || (*head_at(unit) & ~(size_t)PREVIOUS_USED) == (OBJECT_BYTES + surplus | USED),
        "each has the size that it had, and the last what was left over");
  claim(!used || head_at(unit)[word] == contents, "their contents are as they were");
  claim(!(used_units >> RUN_UNIT & 1), "the header is free");
  reached(free == ALL_OBJECTS && before == IS_FREE && behind == IS_FREE, "all are merged");
  reached(free == 0 && before == IS_USED && behind == IS_REST, "nothing but the header is free");
}

/* ---- words, counts and rings ---- */

/* Another run of the class, of which only the links matter. */
static struct run other_run;

enum place { NOWHERE, IN_RING, BEING_USED };

static enum place place;
static uint32_t run_free, class_free, whole_before;
static bool others;

static uint32_t number_of_bits(uint32_t set) {
  return (uint32_t)__builtin_popcount(set);
}

/* Any word that the invariants allow, wherever the run is; and perhaps another one in the ring. */
static void make_run_state(void) {
  make_run_heap(IS_USED, IS_USED);
  cache.whole_runs = whole_before = (uint32_t)any_size(0, MOST_WHOLE);
  place = nondet_bool() ? IN_RING : nondet_bool() ? BEING_USED : NOWHERE;
  run_free = nondet_word() & ALL_OBJECTS;
  class_free = nondet_word() & ALL_OBJECTS;
  others = nondet_bool();
  if (others) {
    other_run.next = other_run.previous = &other_run;
    other_run.size = OBJECT_BYTES;
    other_run.word = 1 | COUNT(OBJECTS - 1);
    ring->runs = &other_run;
  }
  if (place == BEING_USED) {
    assume((class_free & run_free) == 0);
    class->free = class_free;
    class->objects = object_payload(0);
    class->size = OBJECT_BYTES;
    run->word = run_free | COUNT(2 * MOST_OBJECTS - number_of_bits(run_free));
  } else if (place == IN_RING) {
    assume(run_free);
    class_free = 0;
    run->word = run_free | COUNT(OBJECTS - number_of_bits(run_free));
    run->next = run->previous = run;
    if (others) {
      run->next = run->previous = &other_run;
      other_run.next = other_run.previous = run;
    }
    if (!others || nondet_bool())
      ring->runs = run;
  } else {
    run_free = class_free = 0;
    run->word = COUNT(1);
  }
}

/* The invariants; `free` and `of_class` are the objects that should be free now. */
static void check_run(uint32_t free, uint32_t of_class) {
  struct run_counts counts = {0, 0};
  claim(run_is_sound(at_unit(RUN_UNIT), &counts), "run_is_sound() says so");
  bool in_use = class->objects == object_payload(0);
  claim(free_objects(run) == free && (in_use ? class->free : 0) == of_class,
        "the free objects are free, and no others");
  uint32_t count = (uint32_t)(run->word >> 32);
  claim(count == (in_use ? 2 * MOST_OBJECTS - number_of_bits(free)
                  : free ? OBJECTS - number_of_bits(free)
                         : 1),
        "the count is what it should be");
  bool linked = !in_use && free;
  struct run *first = ring->runs;
  claim(!first == (!linked && !others), "the ring is empty if no run has free objects");
  if (linked && others)
    claim(run->next == &other_run && run->previous == &other_run && other_run.next == run &&
              other_run.previous == run && (first == run || first == &other_run),
          "a ring of two");
  else if (linked)
    claim(first == run && run->next == run && run->previous == run, "a ring of one");
  else if (others)
    claim(first == &other_run && other_run.next == &other_run && other_run.previous == &other_run,
          "a ring of the other");
}

static bool dissolved;

#ifdef DISSOLVE_BY_CONTRACT
static void dissolve(struct run *last) {
  claim(last == run && is_whole(run) && !dissolved, "this run, which is whole");
  dissolved = true;
  run->word = COUNT(1); /* none of its objects is free any more, so it should be in no ring */
}
#endif

/* free, of an object that does not fit on the quick list. */
void free_one_object(void) {
  make_run_state();
  uint32_t number = nondet_word();
  assume(number < OBJECTS && !((run_free | class_free) >> number & 1));
  struct block *object = at_unit(object_unit(number));
  claim(object_run(object) == run && object_number(object) == number &&
            (object->head & OBJECT_SIZE) == OBJECT_BYTES,
        "the head leads to the run, the number and the size");
  free_object(run, number);
  uint32_t free = run_free | (uint32_t)1 << number;
  check_run(dissolved ? 0 : free, class_free);
  bool whole = place != BEING_USED && free == ALL_OBJECTS;
  claim(dissolved == (whole && whole_before == MOST_WHOLE), "it is dissolved if there are many");
  claim(cache.whole_runs == whole_before + (whole && !dissolved),
        "a run that has become whole is counted");
  claim(place != NOWHERE || ring->runs == run, "the run that has just got one is the ring's first");
  reached(whole && !dissolved && others, "it has become whole");
  reached(dissolved && others, "it is dissolved");
  reached(place == NOWHERE && others, "it is put into the ring");
  reached(place == BEING_USED && class_free, "it is in use");
}

/* malloc, from the run in use. */
void take_one_object(void) {
  make_run_state();
  assume(place == BEING_USED && class_free);
  void *payload = take_object(class);
  struct block *object = payload_block(payload);
  uint32_t number = object_number(object);
  claim(number < OBJECTS && payload == object_payload(number) && object_run(object) == run,
        "an object of the run");
  claim(class_free >> number & 1, "it was free");
  check_run(run_free, class_free & ~((uint32_t)1 << number));
  reached(number == OBJECTS - 1, "the last one");
}

/* malloc, when the run in use has nothing: takes over its other objects, or the next run of the ring. */
void find_next_run(void) {
  make_run_state();
  assume(class_free == 0 && (place == NOWHERE || !others));
  struct run *found = find_run(class);
  if (found)
    use_run(class, found);
  claim((found != NULL) == (run_free != 0 || (others && place == NOWHERE)),
        "there are objects if there were any");
  if (others)
    claim(class->objects == (char *)&other_run + RUN_HEADER && class->free == 1 && !ring->runs,
          "the other run is taken");
  else
    check_run(0, run_free);
  reached(place == IN_RING && found, "from the ring");
  reached(place == BEING_USED && found, "from the run in use");
  reached(place == BEING_USED && !found, "it has no more");
}

/* When memory is short, the run in use goes back to the ring. */
void retire_class(void) {
  make_run_state();
  retire_run(class, ring);
  check_run(run_free | class_free, 0);
  reached(place == BEING_USED && class_free && run_free && others, "it has objects of both kinds");
  reached(place == BEING_USED && !class_free && !run_free, "it has none");
}
