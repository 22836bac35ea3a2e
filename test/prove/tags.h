/*
 * An arbitrary heap with boundary tags, for 3_doubly, 4_bins and 5_wasmalloc: a row (row.h), its tags, the
 * free blocks in lists of any order, and a rest of any size.
 *
 * With BLOCKS = 4 at most two free blocks are listed, so that to put each at the front or at the back of its
 * list makes every order.
 */
#ifndef WASMALLOC_PROVE_TAGS_H
#define WASMALLOC_PROVE_TAGS_H

#include "row.h"

#if BLOCKS > 4
#error "three free blocks have more orders than front and back make"
#endif

#ifdef BINS

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
#ifdef ALL_IS_KNOWN
  bins.summary = 1;
  return;
#endif
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

#ifdef ALL_IS_KNOWN /* to CBMC, about the blocks: then it is faster to look at all bins */

static bool lists_are_sound(void) {
  for (size_t bin = 0; bin <= ALL_UNITS; ++bin)
    if (!bin_is_sound(bin))
      return false;
  return !free_units;
}

#else

/* Looks at one bin, which may be any: what can be said of it is true of all. */
static bool lists_are_sound(void) {
  size_t bin = any_size(0, BINS - 1);
  if (!bin_is_sound(bin))
    return false;
  /* What is left belongs to other bins. */
  size_t unit = any_size(0, ALL_UNITS);
  return !(free_units >> unit & 1 && *head_at(unit) / ALIGNMENT == bin);
}

#endif

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

/* A heap of which nothing is known but that it is sound. */
static void make_heap(void) {
  bool last_is_used;
  size_t unit = make_row(&last_is_used);
  for (size_t i = 0; i < BLOCKS; ++i)
    if (row[i].kind == FREE_BLOCK) {
      list_any((struct free_block *)at_unit(row[i].unit), row[i].units);
      *tag_at(row[i].unit + row[i].units) = row[i].units * ALIGNMENT;
    }
  finish_lists();
  size_t units = any_size(0, UNITS);
  assume(units <= UNITS - unit);
  assume(units == 0 || (units >= LEAST_UNITS && last_is_used));
  rest.block = at_unit(unit);
  rest.size = units * ALIGNMENT;
  *head_at(unit) = rest.size | PREVIOUS_USED;
  end_row(unit + units);
  make_memory();
}

static bool heap_is_sound(void) {
  size_t unit;
  if (!is_unit((size_t)rest.block, &unit) || rest.size % ALIGNMENT != 0 ||
      unit + rest.size / ALIGNMENT != end_unit() ||
      (rest.size && *head_at(unit) != (rest.size | PREVIOUS_USED)) || !row_leads_to_end(true, unit))
    return false;
  if (rest.size)
    free_units &= ~((uint32_t)1 << unit);
  return lists_are_sound();
}

#endif
