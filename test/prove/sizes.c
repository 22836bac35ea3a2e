/*
 * Sizes of blocks and their bins: arithmetic, for every number there is. Nothing is bounded here: no loop, no
 * memory, all 2^32 sizes (and all 2^64 on wasm64), so that these are theorems in the full sense.
 */
#include "4_bins.c"
#include "prove.h"

/* The smallest block of each allocator, of which there are two: two words and four. */
void smallest_block(void) {
  size_t bytes = any_size(0, MAXIMUM_REQUEST);
  size_t minimum = nondet_bool() ? ALIGNMENT : MINIMUM_BLOCK;
  size_t size = block_size_for(bytes, minimum);
  claim(size % ALIGNMENT == 0, "it is a multiple of the alignment");
  claim(size >= minimum, "it is a block");
  claim(size >= WORD && size - WORD >= bytes, "it holds the head and the payload");
  claim(size == minimum || size - ALIGNMENT < bytes + WORD, "no smaller one does");
  claim(size <= SIZE_MAX / 2 + 1 + ALIGNMENT, "it leaves room to be added to");
  reached(size > minimum && bytes == MAXIMUM_REQUEST, "the largest request");
  reached(size == minimum, "a small request");
}

void bins_in_order(void) {
  size_t smaller = nondet_size();
  size_t larger = nondet_size();
  assume(smaller <= larger);
  claim(bin_of(smaller) <= bin_of(larger), "a larger size never has a smaller bin");
  claim(bin_of(larger) < BINS, "every size has a bin");
  reached(bin_of(smaller) == 1 && bin_of(larger) == BINS - 1, "the first and the last");
}

/* The smallest size in a bin: bin_of() backwards, written from its description and not from its code. */
static size_t least_size(uint32_t bin) {
  if (bin < LINEAR)
    return bin * ALIGNMENT;
  uint32_t power = (bin - LINEAR) / STEPS + LOG_LINEAR;
  size_t step = (bin - LINEAR) % STEPS;
  return (((size_t)1 << power) + (step << (power - LOG_STEPS))) * ALIGNMENT;
}

void bins_and_sizes(void) {
  uint32_t bin = nondet_word();
  assume(bin < BINS);
  claim(bin_of(least_size(bin)) == bin, "every bin has sizes, and the smallest leads back to it");
  claim(bin == 0 || bin_of(least_size(bin) - 1) == bin - 1, "all that are smaller have bins below");
  size_t size = nondet_size();
  claim(least_size(bin_of(size)) <= size, "a size is no smaller than its bin's smallest");
  claim(bin_of(size) == BINS - 1 || size < least_size(bin_of(size) + 1), "nor in the next bin");
  reached(bin >= LINEAR && bin_of(size) == bin, "a bin of many sizes");
}

void good_fit(void) {
  size_t request = nondet_size();
  size_t size = nondet_size();
  assume(request % ALIGNMENT == 0 && size % ALIGNMENT == 0);
  uint32_t bin = bin_of(request);
  if (bin < LINEAR)
    claim(bin_of(size) < bin || size >= request, "of the request's own bin every block will do");
  else
    claim(bin_of(size) <= bin || size > request, "of the bins above every block will do");
  if (bin >= LINEAR && bin_of(size) == bin)
    claim(size <= request || size - request <= request / STEPS,
          "two sizes in a bin differ by an eighth at most");
  reached(bin >= LINEAR && bin_of(size) == bin && size < request,
          "one in its own bin is too small");
}
