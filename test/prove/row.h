/*
 * An arbitrary small heap, for the theorems about one operation on it. The theorem's file includes the
 * allocator first.
 *
 * make_row() makes any row of BLOCKS blocks: any sizes and any order of used, free and foreign ones, as long
 * as the invariants of block.h allow it, with any contents. The heap lies in `memory`, which is an array of
 * words so that CBMC can tell them apart. Places in it are counted in units of ALIGNMENT:
 *
 *      memory   0      1      2      3      4      5      6
 *               +------+------+------+------+------+------+- - -
 *               |      | head | payload     |      | head |
 *               +------+------+------+------+------+------+- - -
 *      unit            0             1             2
 *
 * heap_is_sound() is heap_check() written a second time, for heaps of this size, by reading the words of the
 * array. It is independent of the shipped code, and CBMC is much faster with it; that heap_check() itself
 * accepts these heaps is a theorem of its own.
 *
 * The second half is memory.h as its contract says, at its worst: growth is refused at any time, others call
 * sbrk() at any time, and any number of bytes can be had without growing linear memory.
 */
#ifndef WASMALLOC_PROVE_ROW_H
#define WASMALLOC_PROVE_ROW_H

#include "prove.h"

/* Blocks before the rest, and units that they and the rest have at most. */
#ifndef BLOCKS
#define BLOCKS 4
#endif
#ifndef UNITS
#define UNITS 12
#endif

/* Units that the heap may grow by, foreign memory included. */
#ifndef GROWTH
#define GROWTH 0
#endif

/* Whether a block of so many units may be on a quick list, which only 5_wasmalloc has. */
#ifndef MAY_BE_DEFERRED
#define MAY_BE_DEFERRED(units) false
#endif

/* The rest is one more, and an operation adds three at most: two that it cuts off, and a foreign one. */
#ifndef MOST_BLOCKS
#define MOST_BLOCKS (BLOCKS + 4)
#endif
#define ALL_UNITS (UNITS + GROWTH)
#define LEAST_UNITS (MINIMUM_BLOCK / ALIGNMENT)

#define MEMORY_WORDS (2 * ALL_UNITS + 2)

static size_t memory[MEMORY_WORDS];

_Static_assert(ALL_UNITS < 32, "a set of units is a word");

enum kind { FREE_BLOCK, USED_BLOCK, FOREIGN_BLOCK, DEFERRED_BLOCK };

static struct {
  size_t unit;
  size_t units;
  enum kind kind;
} row[BLOCKS];

/* The blocks that row_leads_to_end() found, each by the bit of its first unit; and whether the block before
 * the rest, or the end, is used. */
static uint32_t used_units, free_units;
static bool last_is_used;

/* Those of the used blocks that are on quick lists, and are no longer among them. */
static uint32_t deferred_units;

static inline struct block *at_unit(size_t unit) {
  return (struct block *)(memory + 1 + 2 * unit);
}

static inline size_t *head_at(size_t unit) {
  return &memory[1 + 2 * unit];
}

/* The last word of the block before the unit. */
static inline size_t *tag_at(size_t unit) {
  return &memory[2 * unit];
}

/* Whether the number is the address of a block's head; its unit. */
static inline bool is_unit(size_t address, size_t *unit) {
  const void *head = (const void *)address;
  size_t distance = __CPROVER_POINTER_OFFSET(head) - WORD;
  *unit = distance / ALIGNMENT;
  return __CPROVER_same_object(head, memory) && distance % ALIGNMENT == 0 && *unit <= ALL_UNITS;
}

static inline size_t end_unit(void) {
  return (size_t)(heap.end - (char *)memory) / ALIGNMENT - 1;
}

/* Writes the heads (and for boundary tags the tags) of a row; returns the unit behind it. */
static size_t make_row(void) {
  __CPROVER_havoc_object(memory);
  heap.first = (char *)at_unit(0);
  size_t unit = 0;
  bool previous_used = true;
  for (size_t i = 0; i < BLOCKS; ++i) {
    size_t units = any_size(LEAST_UNITS, UNITS);
    assume(units <= UNITS - unit);
    enum kind kind = nondet_bool()   ? USED_BLOCK
                     : nondet_bool() ? FREE_BLOCK
                     : nondet_bool() ? FOREIGN_BLOCK
                                     : DEFERRED_BLOCK;
    assume(kind != FREE_BLOCK || previous_used);
    assume(kind != DEFERRED_BLOCK || MAY_BE_DEFERRED(units));
    row[i].unit = unit;
    row[i].units = units;
    row[i].kind = kind;
    *head_at(unit) = units * ALIGNMENT | (kind == FREE_BLOCK ? 0 : USED) |
                     (kind == FOREIGN_BLOCK ? SPECIAL : 0) | (previous_used ? PREVIOUS_USED : 0);
    previous_used = kind != FREE_BLOCK;
    unit += units;
  }
  last_is_used = previous_used;
  return unit;
}

static inline void end_row(size_t unit) {
  heap.end = (char *)at_unit(unit) + WORD;
  /* Nobody asks the end for its flags, but for P where the rest is empty (tags.h). */
  *head_at(unit) = nondet_size() & (USED | PREVIOUS_USED);
}

/* The walk, with boundary tags (but the rest has none) or without. Fills in the two sets. */
static bool row_leads_to_end(bool tags, size_t rest_unit) {
  size_t end = end_unit();
  size_t unit = 0;
  bool previous_used = true;
  last_is_used = true;
  used_units = free_units = 0;
  for (size_t i = 0; i < MOST_BLOCKS && unit != end; ++i) {
    size_t head = *head_at(unit);
    size_t units = (head & ~(size_t)FLAGS) / ALIGNMENT;
    if (units < LEAST_UNITS || units > end - unit)
      return false;
    bool used = head & (USED | SPECIAL);
    if (!used && !previous_used)
      return false;
    if (unit != rest_unit)
      last_is_used = used;
    if (tags && (head & PREVIOUS_USED ? true : false) != previous_used)
      return false;
    if (tags && !used && unit != rest_unit && *tag_at(unit + units) != units * ALIGNMENT)
      return false;
    if (used)
      used_units |= (uint32_t)1 << unit;
    else
      free_units |= (uint32_t)1 << unit;
    previous_used = used;
    unit += units;
  }
  return unit == end && *head_at(end) < ALIGNMENT;
}

/* Of a set of blocks, or of the free ones, takes the one at this address off; false if there is none. */
static bool tick_off_from(uint32_t *units, size_t address, size_t *unit) {
  if (!is_unit(address, unit) || !(*units >> *unit & 1))
    return false;
  *units &= ~((uint32_t)1 << *unit);
  return true;
}

static bool tick_off(size_t address, size_t *unit) {
  return tick_off_from(&free_units, address, unit);
}

/* ---- the witness: a used block that the operation is not about ---- */

static struct {
  size_t unit;
  size_t head;
  size_t *word; /* any of its payload */
  size_t contents;
} witness;

/* Any used or foreign block but number `other`. */
static bool choose_witness(size_t other) {
  size_t number = any_size(0, BLOCKS - 1);
  size_t word = nondet_size();
  if (number == other || row[number].kind == FREE_BLOCK || row[number].kind == DEFERRED_BLOCK)
    return false;
  size_t words = 2 * row[number].units - 1;
  assume(word < words);
  witness.unit = row[number].unit;
  witness.head = *head_at(witness.unit);
  witness.word = head_at(witness.unit) + 1 + word;
  witness.contents = *witness.word;
  return true;
}

/* It is as it was but for P, the flag that says what the block before is. */
static bool witness_is_unharmed(void) {
  return (used_units >> witness.unit & 1) &&
         ((*head_at(witness.unit) ^ witness.head) & ~(size_t)PREVIOUS_USED) == 0 &&
         *witness.word == witness.contents;
}

/* ---- memory.h ---- */

/* Where the break stands: so many units behind the beginning of `memory`. */
static size_t break_units;

/* Others take memory with sbrk(), if there is any. */
static void others_call_sbrk(void) {
  size_t units = nondet_size();
  if (units <= ALL_UNITS + 1 - break_units)
    break_units += units;
}

static void make_memory(void) {
  break_units = end_unit() + 1;
  others_call_sbrk();
}

void *memory_extend(const void *end, size_t bytes, size_t apart) {
  claim(bytes % ALIGNMENT == 0 && apart % ALIGNMENT == 0, "the memory layer is asked for units");
#if GROWTH == 0
  return NULL;
#endif
  others_call_sbrk(); /* even between the allocator's last look at the break and this */
  char *start = (char *)(memory + 2 * break_units);
  size_t units = (end == start ? bytes : apart) / ALIGNMENT;
  if (nondet_bool() || units > ALL_UNITS + 1 - break_units)
    return NULL;
  break_units += units;
  return start;
}

void *memory_break(void) {
  return memory + 2 * break_units;
}

size_t memory_room(void) {
  return nondet_size();
}

bool memory_withdraw(const void *end, size_t bytes) {
  claim(bytes % ALIGNMENT == 0, "whole units are given back");
  if (end != memory_break())
    return false;
  break_units -= bytes / ALIGNMENT;
  return true;
}

#endif
