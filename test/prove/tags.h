/*
 * An arbitrary heap with boundary tags, for 3_doubly, 4_bins and 5_wasmalloc: a row (row.h), its tags, the
 * free blocks in lists of any order, and a rest of any size.
 *
 * With BLOCKS = 4 at most two free blocks are listed, so that to put each at the front or at the back of its
 * list makes every order.
 */
#ifndef WASMALLOC_PROVE_TAGS_H
#define WASMALLOC_PROVE_TAGS_H

#ifdef CLASSES
/* What was the last object of a run may be a little larger than the size whose list it is on. */
#define MAY_BE_DEFERRED(units) ((units)-LEAST_UNITS < CLASSES - LEAST_UNITS + 1)
#endif
#include "row.h"

/*
 * memmove(), of a payload that slides down: a loop over `memory` rather than over the payload, for CBMC is faster
 * where it knows the words that are written.
 */
static void *move_words(void *to, const void *from, size_t bytes) {
  claim(__CPROVER_same_object(to, memory) && __CPROVER_same_object(from, memory),
        "what moves is in the heap");
  size_t first = __CPROVER_POINTER_OFFSET(to) / WORD;
  size_t source = __CPROVER_POINTER_OFFSET(from) / WORD;
  size_t words = bytes / WORD;
  claim((size_t)to % WORD == 0 && (size_t)from % WORD == 0 && bytes % WORD == 0,
        "whole words move");
  claim(first <= source && source <= MEMORY_WORDS && words <= MEMORY_WORDS - source,
        "they move down, within the heap");
  for (size_t i = 0; i < MEMORY_WORDS; ++i)
    if (i - first < words)
      memory[i] = memory[i - first + source];
  return to;
}

#if BLOCKS > 4
#error "three free blocks have more orders than front and back make"
#endif

#if defined WASMALLOC_PROVE_LISTS_H

static void list_any(struct free_block *block, size_t units) {
  size_t unit = listed_unit(block);
  listed_units |= (uint32_t)1 << unit;
  listed_bytes[unit] = units * ALIGNMENT;
}

static void finish_lists(void) {}

static bool lists_are_sound(void) {
  size_t unit = any_size(0, ALL_UNITS);
  return listed_units == free_units &&
         (!(free_units >> unit & 1) || (*head_at(unit) & ~(size_t)FLAGS) == listed_bytes[unit]);
}

#elif defined BINS

/* Lists a block the way the invariants say, in no way of the allocator's own. */
static void list_any(struct free_block *block, size_t units) {
  size_t bin = units;
  struct free_block *first = bins.bin[bin];
  if (!first || nondet_bool()) {
    block->next = first;
    block->previous = NULL;
    if (first)
      first->previous = block;
    bins.bin[bin] = block;
  } else { /* of two blocks, the second */
    block->next = NULL;
    block->previous = first;
    first->next = block;
  }
  bins.map[0] |= (uint64_t)1 << bin;
}

/* The bit of a word of the map that has become 0 may still be set. */
static void finish_lists(void) {
  bins.summary = nondet_word() & (((uint32_t)1 << MAP_WORDS) - 1);
  assume(!bins.map[0] || bins.summary & 1);
}

/* Ticks off the blocks in a bin. */
static bool bin_is_sound(size_t bin) {
  bool mapped = bins.map[bin / MAP_BITS] >> bin % MAP_BITS & 1;
  bool summarized = bins.summary >> bin / MAP_BITS & 1;
  size_t address = (size_t)bins.bin[bin];
  if (mapped != (address != 0) || (mapped && !summarized))
    return false;
  size_t previous = 0;
  for (size_t i = 0; i < MOST_BLOCKS / 2 && address; ++i) {
    size_t unit;
    if (!tick_off(address, &unit) || *head_at(unit) / ALIGNMENT != bin ||
        memory[2 * unit + 3] != previous)
      return false;
    previous = address;
    address = memory[2 * unit + 2];
  }
  return !address;
}

/* Looks at one bin, which may be any: what can be said of it is true of all. */
static bool lists_are_sound(void) {
  size_t bin = any_size(0, BINS - 1);
  if (!bin_is_sound(bin))
    return false;
  /* What is left belongs to other bins. */
  size_t unit = any_size(0, ALL_UNITS);
  return !(free_units >> unit & 1 && *head_at(unit) / ALIGNMENT == bin);
}

#else

static void list_any(struct free_block *block, size_t units) {
  (void)units;
  struct free_block *before = nondet_bool() ? &list : list.previous;
  struct free_block *after = before->next;
  block->next = after;
  block->previous = before;
  before->next = after->previous = block;
}

static void finish_lists(void) {}

static bool lists_are_sound(void) {
  size_t address = (size_t)list.next;
  size_t previous = (size_t)&list;
  for (size_t i = 0; i < MOST_BLOCKS / 2 && address != (size_t)&list; ++i) {
    size_t unit;
    if (!tick_off(address, &unit) || memory[2 * unit + 3] != previous)
      return false;
    previous = address;
    address = memory[2 * unit + 2];
  }
  return address == (size_t)&list && (size_t)list.previous == previous && list.head == 0 &&
         !free_units;
}

#endif

/* ---- quick lists ---- */

#ifdef CLASSES

/* How many are on each. */
static uint8_t deferred_blocks[CLASSES];

static void defer_any(struct block *block, size_t units) {
  size_t surplus = nondet_bool();
  assume(units - surplus >= LEAST_UNITS && units - surplus < CLASSES);
  struct size_class *class = &cache.classes[units - surplus];
  struct deferred *deferred = block_payload(block);
  struct deferred *first = class->quick;
  ++deferred_blocks[units - surplus];
  if (!first || nondet_bool()) {
    deferred->next = first;
    class->quick = deferred;
  } else { /* behind the first: with that they come in every order */
    deferred->next = first->next;
    first->next = deferred;
  }
}

/* Any room that the numbers of blocks on the quick lists leave. */
static void finish_classes(void) {
  for (size_t units = LEAST_UNITS; units < CLASSES; ++units) {
    struct size_class *class = &cache.classes[units];
    class->most = (uint8_t)any_size(0, MOST_ROOM);
    class->room = (uint8_t)any_size(0, MOST_ROOM - deferred_blocks[units]);
  }
  candidate = (uint32_t)any_size(0, CLASSES - 1);
}

/* Takes the deferred blocks off the used ones. */
static bool classes_are_sound(void) {
  if (candidate >= CLASSES)
    return false;
  deferred_units = 0;
  for (size_t units = 0; units < CLASSES; ++units) {
    const struct size_class *class = &cache.classes[units];
    size_t address = (size_t) class->quick;
    size_t number = class->room;
    for (size_t i = 0; i < MOST_BLOCKS && address; ++i, ++number) {
      size_t unit;
      if (!tick_off_from(&used_units, address - WORD, &unit))
        return false;
      size_t head = *head_at(unit);
      if (head & SPECIAL || head / ALIGNMENT - units > 1)
        return false;
      deferred_units |= (uint32_t)1 << unit;
      address = memory[2 * unit + 2];
    }
    if (address || number > MOST_ROOM)
      return false;
  }
  return true;
}

#else

static void defer_any(struct block *block, size_t units) {
  (void)block;
  (void)units;
}

static void finish_classes(void) {}

static bool classes_are_sound(void) {
  return true;
}

#endif

/* A heap of which nothing is known but that it is sound; and any block, or none, was the last to grow. */
static void make_heap(void) {
  size_t unit = make_row();
  for (size_t i = 0; i < BLOCKS; ++i)
    if (row[i].kind == FREE_BLOCK) {
      list_any((struct free_block *)at_unit(row[i].unit), row[i].units);
      *tag_at(row[i].unit + row[i].units) = row[i].units * ALIGNMENT;
    } else if (row[i].kind == DEFERRED_BLOCK) {
      defer_any(at_unit(row[i].unit), row[i].units);
    }
  finish_lists();
  finish_classes();
  /* The block before the rest is used, even if the rest is empty: then the end's P, which growth hands on to
   * a foreign block, says so. */
  size_t units = any_size(0, UNITS);
  assume(units <= UNITS - unit && units != 1 && last_is_used);
  rest.block = at_unit(unit);
  rest.size = units * ALIGNMENT;
  end_row(unit + units);
  *head_at(unit) = rest.size | PREVIOUS_USED;
  last_grown = nondet_bool() ? NULL : block_payload(at_unit(any_size(0, UNITS)));
  make_memory();
}

static bool heap_is_sound(void) {
  size_t unit;
  if (!is_unit((size_t)rest.block, &unit) || rest.size % ALIGNMENT != 0 ||
      unit + rest.size / ALIGNMENT != end_unit() ||
      (*head_at(unit) & ~(size_t)USED) != (rest.size | PREVIOUS_USED) ||
      (rest.size && *head_at(unit) & USED) || !row_leads_to_end(true, unit) || !last_is_used)
    return false;
  if (rest.size)
    free_units &= ~((uint32_t)1 << unit);
  return lists_are_sound() && classes_are_sound();
}

#endif
