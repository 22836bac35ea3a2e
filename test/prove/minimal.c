/*
 * The step for 1_minimal: a row of blocks (row.h), of which the free ones are lost, as aligned allocation
 * leaves them before a used one; and growth.
 */
#include "1_minimal.c"

#define MINIMUM_BLOCK ALIGNMENT
#include "row.h"

static void make_heap(void) {
  end_row(make_row());
  assume(last_is_used);
  make_memory();
}

/* What holds after every operation. */
static bool witnessed;

static void begin(void) {
  make_heap();
  witnessed = choose_witness(BLOCKS);
}

static void end(const void *payload, size_t bytes) {
  claim(row_leads_to_end(false, end_unit()) && last_is_used, "the row of blocks leads to the end");
  claim(!witnessed || witness_is_unharmed(), "the other blocks are unharmed");
  if (!payload)
    return;
  size_t unit;
  claim(is_unit((size_t)payload - WORD, &unit) && (used_units >> unit & 1), "a used block");
  claim(heap_payload_size(payload) >= bytes, "it is large enough");
  claim(!witnessed || unit != witness.unit, "it is not another's");
}

void minimal_allocate(void) {
  begin();
  size_t bytes = nondet_size();
  const void *payload = heap_allocate(bytes);
  end(payload, bytes);
  reached(payload && witnessed, "the heap grows");
  reached(!payload, "it does not");
}

void minimal_allocate_aligned(void) {
  begin();
  size_t bytes = nondet_size();
  size_t alignment = (size_t)1 << any_size(4, 31);
  const void *payload = heap_allocate_aligned(alignment, bytes);
  end(payload, bytes);
  claim((size_t)payload % alignment == 0, "it is aligned");
  reached(payload && witnessed && free_units, "something is lost");
}
