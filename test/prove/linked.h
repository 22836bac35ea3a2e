/*
 * An arbitrary heap of 2_linked: a row (row.h), whose free blocks are in one list sorted by address.
 */
#ifndef WASMALLOC_PROVE_LINKED_H
#define WASMALLOC_PROVE_LINKED_H

#include "row.h"

static void make_heap(void) {
  size_t unit = make_row();
  struct free_block **link = &free_list;
  for (size_t i = 0; i < BLOCKS; ++i)
    if (row[i].kind == FREE_BLOCK) {
      struct free_block *block = (struct free_block *)at_unit(row[i].unit);
      block->head = row[i].units * ALIGNMENT; /* no P: the head is the size */
      *link = block;
      link = &block->next;
    }
  *link = NULL;
  end_row(unit);
  make_memory();
}

static bool heap_is_sound(void) {
  if (!row_leads_to_end(false, 0))
    return false;
  size_t address = (size_t)free_list;
  size_t last = 0;
  for (size_t i = 0; i < MOST_BLOCKS && address; ++i) {
    size_t unit;
    if (address <= last || !tick_off(address, &unit) || *head_at(unit) % ALIGNMENT != 0)
      return false;
    last = address;
    address = memory[2 * unit + 2];
  }
  return !address && !free_units;
}

#endif
