/*
 * What a model of the heap is made of: random numbers, patterns that are written into blocks, and a
 * map that says which memory is taken.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A generator of random numbers with its state in the caller's hands. */
uint64_t random_next(uint64_t *state);
size_t random_below(uint64_t *state, size_t bound);

/*
 * Writes a pattern that depends on the seed into a block, and checks that the
 * first `kept` bytes of it are still there. In a large block that is the
 * beginning, the end and a word in every 256 bytes, to save time.
 */
void fill(void *block, size_t size, uint64_t seed);
bool holds(const void *block, size_t size, size_t kept, uint64_t seed);

bool is_aligned(const void *block, size_t alignment);

/*
 * Who owns what: a bit for every GRAIN bytes of memory says whether they are taken, so that a block that
 * overlaps another is found at once.
 */
enum { GRAIN = 8, OWNED_BYTES = 320 << 20 };

/* Forgets all owners. The map covers the OWNED_BYTES from `lowest` on. */
void disown_all(uintptr_t lowest);

/* Marks memory as taken (or as free again). NULL, or what is wrong: part of it was taken already (was free),
 * or it does not lie where memory is. Memory of 0 bytes counts as 1: it has an address of its own. */
const char *own(const void *memory, size_t size, bool taken);

/* Whether all of the memory is free, according to the map. */
bool is_unowned(const void *memory, size_t size);

#endif
