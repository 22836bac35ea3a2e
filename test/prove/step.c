/*
 * One operation on an arbitrary sound heap: each theorem here is the induction step for the invariants.
 * Compiled once for each allocator but 1_minimal (minimal.c), once for boundary tags with free lists of which
 * nothing is known but their contract (lists.h), and for the quick lists of 5_wasmalloc (quick.c).
 *
 * Proved: whatever the operation's arguments, afterwards the invariants hold; a used block that the
 * operation is not about (the witness: any of them) is where it was, as large as it was, and has the same
 * word at any place of its payload; the result is what lib/allocator.h promises. No access leaves the heap:
 * CBMC checks every one, and what is not the heap's is not in `memory`.
 *
 * Bounds: up to BLOCKS blocks and the rest, or two new ones, in UNITS units of 8 bytes: the theorem's line in
 * theorems.mjs says how many. An operation looks at one block, its two neighbours, the rest, and neighbours
 * in a list, so that four blocks and the rest in any order have every shape of these. What they leave out:
 * lists of more than two blocks, and blocks too large for the bins of a single size. The theorems about the
 * bins alone (bins.c) have blocks of all sizes.
 */
#include <stddef.h>

/* memmove() in words, which is much less for CBMC than in bytes (tags.h). */
static void *move_words(void *to, const void *from, size_t bytes);
#define __builtin_memmove move_words

#include ALLOCATOR

#ifdef WASMALLOC_BOUNDARY_TAGS_H
#include "tags.h"
#else
#include "linked.h"
#endif

/* The unit of a payload. */
static inline bool payload_unit(const void *payload, size_t *unit) {
  return is_unit((size_t)payload - WORD, unit);
}

static inline size_t size_at(size_t unit) {
  return *head_at(unit) & ~(size_t)FLAGS;
}

static bool is_used_block(size_t unit) {
  return used_units >> unit & 1 && !(*head_at(unit) & SPECIAL);
}

/* What holds after every operation; `number` is the block that it is about, or BLOCKS. */
static bool witnessed;

static void begin(size_t number) {
  witnessed = choose_witness(number);
}

static void end(void) {
  claim(heap_is_sound(), "the invariants hold");
  claim(!witnessed || witness_is_unharmed(), "the other blocks are unharmed");
}

/* Any used block. */
static size_t any_used_block(void) {
  size_t number = any_size(0, BLOCKS - 1);
  assume(row[number].kind == USED_BLOCK);
  return number;
}

/* The heaps of these theorems are the ones that the shipped check accepts. */
void check_accepts(void) {
  make_heap();
  claim(heap_is_sound(), "the heap that is made is sound");
  claim(!heap_check(), "heap_check() accepts it");
  reached(free_units == 0, "no block is free");
}

void release_step(void) {
  make_heap();
  size_t number = any_used_block();
  begin(number);
  size_t unit = row[number].unit;
  heap_release(block_payload(at_unit(unit)));
  end();
  claim(!(used_units >> unit & 1), "the block is free");
  bool before = number > 0 && row[number - 1].kind == FREE_BLOCK;
  bool after = number + 1 < BLOCKS && row[number + 1].kind == FREE_BLOCK;
  reached(witnessed && before && after, "both neighbours are free");
  reached(witnessed && !before && !after, "neither is");
}

/* Whether there was a free block of this many bytes. */
static bool row_has(size_t size) {
  bool found = false;
  for (size_t i = 0; i < BLOCKS; ++i)
    found |= row[i].kind == FREE_BLOCK && row[i].units * ALIGNMENT >= size;
#ifdef WASMALLOC_BOUNDARY_TAGS_H
  found |= rest.size >= size;
#endif
  return found;
}

/* What is true of every new block; returns its unit. */
static size_t check_new_block(const void *payload, size_t bytes) {
  size_t unit;
  claim(payload_unit(payload, &unit) && is_used_block(unit), "the result is a used block");
  claim(size_at(unit) - WORD >= bytes, "it is large enough");
  claim(!witnessed || unit != witness.unit, "it is not another's");
  return unit;
}

void allocate_step(void) {
  make_heap();
  size_t bytes = nondet_size();
  size_t size = block_size_for(bytes, MINIMUM_BLOCK);
  bool fits = bytes <= MAXIMUM_REQUEST && row_has(size);
  size_t end_before = end_unit();
  begin(BLOCKS);
  void *payload = heap_allocate(bytes);
  end();
#ifdef WASMALLOC_PROVE_LISTS_H
  fits = fits && !was_missed;
#endif
  claim(payload || !fits, "it fails only if there is no block large enough");
  if (payload) {
    size_t unit = check_new_block(payload, bytes);
    claim(size_at(unit) - size < MINIMUM_BLOCK, "it is no larger than it must be");
  }
  reached(witnessed && fits, "a free block is taken");
  reached(!payload, "it fails");
#if GROWTH
  reached(payload && end_unit() != end_before, "the heap grows");
#else
  claim(end_unit() == end_before, "the heap does not grow");
#endif
}

/* What is cut off a block stays a used one, for the interface to free. 2_linked makes a free block of it itself. */
static void *surplus;

static void interface_release(void *payload) {
  claim(!surplus, "one block at most is left over");
  surplus = payload;
}

void allocate_aligned_step(void) {
  make_heap();
  size_t bytes = nondet_size();
  size_t alignment = (size_t)1 << any_size(4, 31);
  begin(BLOCKS);
  void *payload = heap_allocate_aligned(alignment, bytes);
  end();
  if (payload) {
    check_new_block(payload, bytes);
    claim((size_t)payload % alignment == 0, "it is aligned");
  }
  if (surplus) {
    check_new_block(surplus, 0);
    claim(payload && surplus != payload, "the surplus is another block");
  }
#ifdef WASMALLOC_BOUNDARY_TAGS_H
  reached(witnessed && payload && surplus, "there is a surplus");
#endif
  reached(!payload, "it fails");
}

void resize_step(void) {
  make_heap();
  size_t number = any_used_block();
  size_t unit = row[number].unit;
  size_t old_head = *head_at(unit);
  size_t old_bytes = size_at(unit) - WORD;
  size_t word = any_size(0, 2 * UNITS); /* any of its payload */
  assume(word < old_bytes / WORD);
  size_t contents = head_at(unit)[1 + word];
  size_t bytes = nondet_size();
  size_t end_before = end_unit();
#ifdef WASMALLOC_BOUNDARY_TAGS_H
  const void *last_grown_before = last_grown;
#endif
  begin(number);
  const void *resized = heap_resize(block_payload(at_unit(unit)), bytes);
  end();
  size_t place = unit;
  if (resized) {
    place = check_new_block(resized, bytes);
  } else {
    claim(is_used_block(unit), "the block is where it was");
    claim(*head_at(unit) == old_head && !surplus, "it is as it was");
  }
  bool slid = place != unit;
  claim(!slid || (bytes > old_bytes && number > 0 && row[number - 1].kind == FREE_BLOCK &&
                  place == row[number - 1].unit),
        "it only slides as it grows, and only into the free block before");
  bool cut = resized && bytes < (word + 1) * WORD;
  claim(cut || head_at(place)[1 + word] == contents, "the contents are kept");
  size_t behind = place + size_at(place) / ALIGNMENT;
  if (surplus) {
    size_t left_over = check_new_block(surplus, 0);
    claim(resized && (bytes < old_bytes || slid), "only what is cut off is left over");
    claim(left_over == behind, "and it is behind the block");
    behind += size_at(left_over) / ALIGNMENT;
  }
#ifdef WASMALLOC_BOUNDARY_TAGS_H
  claim(behind >= unit + row[number].units, "what the block had is its own or left over");
  bool refused_once = !resized && last_grown != last_grown_before;
  claim(!refused_once || !last_grown, "it is told to move once only");
#endif
  reached(witnessed && resized && bytes > old_bytes, "it grows");
#ifdef WASMALLOC_BOUNDARY_TAGS_H
  reached(witnessed && slid && behind == unit + row[number].units, "it slides");
  reached(slid && behind > unit + row[number].units, "and takes a block behind it too");
#endif
#ifdef WASMALLOC_BOUNDARY_TAGS_H
  reached(witnessed && surplus, "there is a surplus");
#else
  claim(behind >= unit + row[number].units || !(*head_at(behind) & USED),
        "what is cut off is free");
  reached(witnessed && !(*head_at(behind) & USED) && bytes < old_bytes, "something is cut off");
#endif
  reached(!resized && bytes <= MAXIMUM_REQUEST, "it fails");
#if GROWTH
  reached(end_unit() != end_before, "the heap grows");
  reached(slid && end_unit() != end_before, "the heap grows, and the block slides");
  reached(refused_once, "the block should rather move");
#else
  claim(end_unit() == end_before, "the heap does not grow");
#endif
}

void trim_step(void) {
  make_heap();
  size_t keep = nondet_size();
  size_t end_before = end_unit();
  begin(BLOCKS);
  bool trimmed = heap_trim(keep);
  end();
  claim(trimmed == (end_unit() != end_before) && end_unit() <= end_before,
        "it says whether the heap shrank");
  reached(witnessed && trimmed && keep, "something is kept");
  reached(!trimmed, "there is nothing to trim");
}
