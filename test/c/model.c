#include "model.h"

#include <string.h>

/* splitmix64: any seed will do, 0 included. */
uint64_t random_next(uint64_t *state) {
  *state += 0x9E3779B97F4A7C15U;
  uint64_t mixed = *state;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9U;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
  return mixed ^ (mixed >> 31);
}

size_t random_below(uint64_t *state, size_t bound) {
  return (size_t)(random_next(state) % bound);
}

enum { WHOLE = 4096, STRIDE = 256 };

/* The pattern's word at an offset. */
static uint64_t word_at(size_t offset, uint64_t seed) {
  return (seed + offset) * 0x9E3779B97F4A7C15U;
}

/* Writes or compares the pattern's bytes from one offset to another. */
static bool visit(unsigned char *block, size_t from, size_t to, uint64_t seed, bool write) {
  while (from < to) {
    uint64_t word = word_at(from, seed);
    size_t length = to - from < sizeof word ? to - from : sizeof word;
    if (write) {
      memcpy(block + from, &word, length);
    } else if (memcmp(block + from, &word, length) != 0) {
      return false;
    }
    from += sizeof word;
  }
  return true;
}

/* Every place in a block of `size` bytes that carries the pattern and lies within `kept` bytes. */
static bool visit_all(unsigned char *block, size_t size, size_t kept, uint64_t seed, bool write) {
  size_t whole = size < WHOLE ? size : WHOLE;
  if (!visit(block, 0, whole < kept ? whole : kept, seed, write)) {
    return false;
  }
  for (size_t at = WHOLE; at + sizeof(uint64_t) <= size && at < kept; at += STRIDE) {
    size_t end = at + sizeof(uint64_t);
    if (!visit(block, at, end < kept ? end : kept, seed, write)) {
      return false;
    }
  }
  /* The last words, at the offsets of whole words, so that they agree with the words above. */
  size_t tail = size > WHOLE ? (size - sizeof(uint64_t)) & ~(sizeof(uint64_t) - 1) : size;
  return tail >= kept || visit(block, tail, kept < size ? kept : size, seed, write);
}

void fill(void *block, size_t size, uint64_t seed) {
  visit_all((unsigned char *)block, size, size, seed, true);
}

bool holds(const void *block, size_t size, size_t kept, uint64_t seed) {
  return visit_all((unsigned char *)(uintptr_t)block, size, kept, seed, false);
}

bool is_aligned(const void *block, size_t alignment) {
  return (uintptr_t)block % alignment == 0;
}

static uint32_t owned[OWNED_BYTES / GRAIN / 32];
static size_t highest_word; /* so many words of the map have been used */
static uintptr_t lowest;    /* the address of the first bit */

void disown_all(uintptr_t address) {
  memset(owned, 0, highest_word * sizeof *owned);
  highest_word = 0;
  lowest = address;
}

/* Goes through the words of the map that stand for the memory: all its bits must be `taken`, and are changed
 * if `change`. */
static const char *visit_owners(const void *memory, size_t size, bool taken, bool change) {
  size_t first = ((uintptr_t)memory - lowest) / GRAIN;
  size_t last = ((uintptr_t)memory - lowest + (size ? size : 1) + GRAIN - 1) / GRAIN;
  if ((uintptr_t)memory < lowest || last > OWNED_BYTES / GRAIN || last < first)
    return "it does not lie in the heap";
  for (size_t grain = first; grain < last;) {
    uint32_t bits = ~(uint32_t)0 << grain % 32;
    size_t word = grain / 32;
    grain = (word + 1) * 32;
    if (grain > last)
      bits &= ~(uint32_t)0 >> (grain - last);
    if ((owned[word] & bits) != (taken ? bits : 0))
      return taken ? "part of it belongs to nobody" : "it overlaps another block";
    if (change) {
      owned[word] ^= bits;
      if (word >= highest_word)
        highest_word = word + 1;
    }
  }
  return NULL;
}

const char *own(const void *memory, size_t size, bool taken) {
  return visit_owners(memory, size, !taken, true);
}

bool is_unowned(const void *memory, size_t size) {
  return !visit_owners(memory, size, false, false);
}
