/*
 * The bins of 4_bins and 5_wasmalloc by themselves. Lists, map and summary see nothing of a block but its
 * head and its links: so the blocks here are those three words, and may have any size up to 2^32, which
 * the blocks of a heap small enough for a model checker (step.c) cannot.
 */
#include "4_bins.c"
#include "prove.h"

void *memory_extend(const void *end, size_t bytes, size_t apart);
void *memory_break(void);
size_t memory_room(void);
bool memory_withdraw(const void *end, size_t bytes);

static struct free_block first_of[BINS];

/*
 * Any map and any summary that the invariants allow, which are all 2^224 sets of bins; in each bin that has
 * blocks one of any size that belongs there. No bound but that a second block is not looked at.
 */
void find_lowest(void) {
  for (uint32_t bin = 0; bin < BINS; ++bin) {
    bool mapped = nondet_bool();
    first_of[bin].head = nondet_size();
    bins.bin[bin] = mapped ? &first_of[bin] : NULL;
    bins.map[bin / MAP_BITS] |= (uint64_t)mapped << bin % MAP_BITS;
  }
  bins.summary = nondet_word() & (((uint32_t)1 << MAP_WORDS) - 1);
  for (uint32_t word = 0; word < MAP_WORDS; ++word)
    assume(!bins.map[word] || bins.summary >> word & 1);

  size_t size = nondet_size();
  assume(size % ALIGNMENT == 0);
  uint32_t own = bin_of(size);
  assume(bin_of(first_of[own].head) == own);
  bool own_will_do = bins.bin[own] && (own < LINEAR || first_of[own].head >= size);
  uint32_t other = nondet_word();
  assume(other < BINS && other > own);

  struct free_block *found = free_list_find(size);

  if (own_will_do) {
    claim(found == bins.bin[own], "a block in the request's own bin is taken first");
  } else if (found) {
    size_t bin = (size_t)(found - first_of);
    claim(bin > own && bin < BINS && bins.bin[bin] == found, "the first block of a bin above");
    claim(other >= bin || !bins.bin[other], "of the lowest that has any");
  } else {
    claim(!bins.bin[other], "none is found only if there is none");
  }
  uint32_t word = nondet_word();
  assume(word < MAP_WORDS);
  claim(!bins.map[word] || bins.summary >> word & 1, "the summary is still sound");
  reached(!own_will_do && found == &first_of[BINS - 1], "the last bin");
  reached(!found && bins.bin[1], "there are only smaller ones");
  reached(found && own == 40 && found == &first_of[200], "words of the map are skipped");
}

/* ---- the lists ---- */

/* So many may be listed; theorems.mjs says how many are. */
#ifndef LISTED
#define LISTED 3
#endif

/* Some blocks that may be listed, and the one that an operation adds. Each is an object of its own, which
 * CBMC can tell apart much faster than the parts of one. */
static struct free_block first_block, second_block, third_block, added_block;
static struct free_block *const blocks[LISTED + 1] = {&first_block, &second_block,
#if LISTED == 3
                                                      &third_block,
#endif
                                                      &added_block};
static bool listed[LISTED + 1];

static size_t number_of(const struct free_block *block) {
  return block == &first_block                  ? 0
         : block == &second_block               ? 1
         : block == &added_block                ? LISTED
         : LISTED == 3 && block == &third_block ? 2
                                                : LISTED + 1;
}

static void list_any(size_t number) {
  struct free_block *added = blocks[number];
  uint32_t bin = bin_of(added->head);
  struct free_block *first = bins.bin[bin];
  listed[number] = true;
  bins.map[bin / MAP_BITS] |= (uint64_t)1 << bin % MAP_BITS;
  if (!first || nondet_bool()) {
    added->previous = NULL;
    added->next = first;
    if (first)
      first->previous = added;
    bins.bin[bin] = added;
  } else { /* behind the first */
    added->previous = first;
    added->next = first->next;
    if (first->next)
      first->next->previous = added;
    first->next = added;
  }
}

/* Any lists of up to LISTED blocks: put at the front or behind the first, they come in every order. */
static void make_lists(void) {
  for (size_t i = 0; i <= LISTED; ++i) {
    size_t size = nondet_size();
    assume(size % ALIGNMENT == 0 && size >= MINIMUM_BLOCK);
    blocks[i]->head = size;
  }
  for (size_t i = 0; i < LISTED; ++i)
    if (nondet_bool())
      list_any(i);
  bins.summary = nondet_word() & (((uint32_t)1 << MAP_WORDS) - 1);
  for (uint32_t word = 0; word < MAP_WORDS; ++word)
    assume(!bins.map[word] || bins.summary >> word & 1);
}

/* Looks at one bin, which may be any: what can be said of it is true of all. */
static void check_lists(void) {
  uint32_t bin = nondet_word();
  assume(bin < BINS);
  bool mapped = bins.map[bin / MAP_BITS] >> bin % MAP_BITS & 1;
  claim(mapped == (bins.bin[bin] != NULL), "the map says which bins have blocks");
  claim(!mapped || bins.summary >> bin / MAP_BITS & 1, "the summary says which words have bits");
  struct free_block *previous = NULL;
  struct free_block *walk = bins.bin[bin];
  bool found[LISTED + 1] = {false};
  for (size_t i = 0; i <= LISTED && walk; ++i) {
    size_t number = number_of(walk);
    claim(number <= LISTED && listed[number] && !found[number],
          "a listed block is in a list, once");
    claim(bin_of(walk->head) == bin, "it is in the bin of its size");
    claim(walk->previous == previous, "and has a link back");
    found[number] = true;
    previous = walk;
    walk = walk->next;
  }
  claim(!walk, "the list ends");
  size_t number = any_size(0, LISTED);
  claim(found[number] == (listed[number] && bin_of(blocks[number]->head) == bin),
        "all listed blocks are in the lists");
}

void lists_put(void) {
  make_lists();
  size_t size = blocks[LISTED]->head;
  free_list_put(blocks[LISTED], size, NULL, 0);
  listed[LISTED] = true;
  check_lists();
  reached(listed[0] && bin_of(blocks[0]->head) == bin_of(size), "its list has blocks already");
}

/* In place of a listed block that it overlaps, at another address: the links move. */
void lists_replace(void) {
  make_lists();
  size_t number = any_size(0, LISTED - 1);
  assume(listed[number]);
  free_list_put(&added_block, added_block.head, blocks[number], blocks[number]->head);
  listed[number] = false;
  listed[LISTED] = true;
  check_lists();
  reached(bin_of(added_block.head) == bin_of(blocks[number]->head) && added_block.previous,
          "it stays in its bin, and is not the first there");
}

/* At the same address: only the size changes. */
void lists_resize(void) {
  make_lists();
  size_t number = any_size(0, LISTED - 1);
  size_t size = added_block.head;
  assume(listed[number]);
  free_list_put(blocks[number], size, blocks[number], blocks[number]->head);
  blocks[number]->head = size; /* the caller writes it */
  check_lists();
  reached(blocks[number]->next && listed[0] && listed[1], "others are in its new bin");
}

void lists_remove(void) {
  make_lists();
  size_t number = any_size(0, LISTED - 1);
  assume(listed[number]);
  free_list_remove(blocks[number]);
  listed[number] = false;
  check_lists();
  reached(blocks[number]->next && blocks[number]->previous, "from the middle");
  reached(!blocks[number]->next && !blocks[number]->previous, "the last of its bin");
}

void lists_take(void) {
  make_lists();
  size_t size = nondet_size();
  assume(size % ALIGNMENT == 0);
  size_t other = any_size(0, LISTED - 1);
  bool other_fits = listed[other] && blocks[other]->head == size && size < LINEAR * ALIGNMENT;
  struct free_block *taken = free_list_take(size);
  if (taken) {
    size_t number = number_of(taken);
    claim(number <= LISTED && listed[number] && taken->head == size, "a listed block of this size");
    listed[number] = false;
  }
  claim(taken || !other_fits, "there is none only if there is none of a small size");
  check_lists();
  reached(taken && taken->next, "others are left");
}
