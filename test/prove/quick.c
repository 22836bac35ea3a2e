/*
 * The quick lists of 5_wasmalloc: the step (step.c) for a heap in which any blocks are deferred, and theorems
 * about what releases them when memory is short.
 *
 * Proved of the sources as they are compiled for size, without runs (runs.c has these), over free lists that
 * are any that keep the contract (lists.h), and with fewer classes: so that a heap small enough for CBMC has
 * blocks that are too large for any.
 *
 * What is rare is replaced by its contract where a theorem is about its caller (theorems.mjs says where), and
 * has a theorem of its own:
 *
 *   - find_elsewhere() leaves a sound heap, and returns what find_free() would find in it: what malloc does
 *     then it does in any sound heap. It calls free_list_reclaim() and grow_rest(), and either keeps the heap
 *     sound: release_quick_step here, the theorems with growth in step.c.
 *   - free_list_reclaim() leaves a sound heap.
 *   - release_where_deferred() leaves a sound heap, the block before as it was, and is followed by another round
 *     of resizing, or by none.
 */
#include "step.c"

#ifdef FIND_ELSEWHERE_BY_CONTRACT
static struct block *find_elsewhere(size_t size) {
  return find_free(size);
}
#endif

#ifdef FREE_LIST_RECLAIM_BY_CONTRACT
static bool free_list_reclaim(bool all) {
  (void)all;
  return nondet_bool();
}
#endif

#ifdef RELEASE_WHERE_DEFERRED_BY_CONTRACT
static bool release_where_deferred(struct block *block) {
  (void)block;
  return false;
}
#endif

/* The block of a list that malloc takes first. */
void allocate_deferred_step(void) {
  make_heap();
  size_t bytes = any_size(0, LARGEST_IN_CLASS);
  size_t size = block_size_for(bytes, MINIMUM_BLOCK);
  const struct deferred *deferred = class_of(size)->quick;
  assume(deferred);
  begin(BLOCKS);
  void *payload = heap_allocate(bytes);
  end();
  claim(payload == deferred, "the first of the list is taken");
  check_new_block(payload, bytes);
  reached(witnessed && class_of(size)->quick, "there are more");
}

/* Some blocks of any one list. */
void release_quick_step(void) {
  make_heap();
  struct size_class *class = &cache.classes[any_size(LEAST_UNITS, CLASSES - 1)];
  const struct deferred *first = class->quick;
  size_t count = nondet_size();
  begin(BLOCKS);
  size_t released = release_quick(class, count);
  end();
  claim(released <= count, "no more than was asked for");
  claim(released == count || !class->quick, "less only if the list is empty");
  claim(!count || !first || released, "there was one");
  reached(witnessed && released && class->quick, "some");
  reached(witnessed && released && !class->quick, "all");
}

/* The block behind the one that is resized. */
void release_where_deferred_step(void) {
  make_heap();
  size_t number = any_used_block();
  struct block *block = at_unit(row[number].unit);
  size_t behind = row[number].unit + row[number].units;
  size_t word = any_size(0, 2 * UNITS); /* any of its payload, and its head */
  assume(word < 2 * row[number].units);
  size_t contents = head_at(row[number].unit)[word];
  begin(number);
  bool released = release_where_deferred(block_next(block));
  end();
  /* The block before that one may have been on the same list. */
  size_t kept = word ? ~(size_t)0 : ~(size_t)PREVIOUS_USED;
  claim(((head_at(row[number].unit)[word] ^ contents) & kept) == 0,
        "the block before is as it was");
  claim(is_used_block(row[number].unit), "and is used");
  bool free_behind = !((used_units | deferred_units) >> behind & 1);
  reached(witnessed && released && free_behind, "it was deferred");
  reached(witnessed && released && !free_behind, "others of its size were");
  reached(witnessed && !released && deferred_units >> behind & 1, "it is larger than its class");
}
