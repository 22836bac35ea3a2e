/*
 * An allocator of which nothing is known but what allocator.h says: it remembers what it was asked for, and
 * gives or refuses anything. In interface.c it stands for all five.
 */
#ifndef WASMALLOC_PROVE_ANY_H
#define WASMALLOC_PROVE_ANY_H

#include "allocator.h"
#include "block.h"
#include "prove.h"

static bool asked;
static size_t asked_bytes, asked_alignment;

/* What it gives: only its address matters. */
static char given;

static void *heap_allocate_aligned(size_t alignment, size_t bytes) {
  asked = true;
  asked_bytes = bytes;
  asked_alignment = alignment;
  return bytes <= MAXIMUM_REQUEST && nondet_bool() ? &given : NULL;
}

static void *heap_allocate(size_t bytes) {
  return heap_allocate_aligned(ALIGNMENT, bytes);
}

#endif
