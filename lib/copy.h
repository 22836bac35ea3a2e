/*
 * The copying of a payload that moves.
 */
#ifndef WASMALLOC_COPY_H
#define WASMALLOC_COPY_H

#include <stddef.h>

#include "compiler.h"

/* Copies so many bytes. V8 leaves WebAssembly for the instruction memory.copy, and in the time that this takes the loop
 * copies some hundred bytes: most blocks that grow are shorter than that. */
static inline void copy_payload(void *to, const void *from, size_t bytes) {
#ifndef __OPTIMIZE_SIZE__
  enum { STEP = 8, FEW = 256 };
  /* Uncovered: in the hardened build a block may have fewer bytes than a step. */
  if (bytes >= STEP && bytes <= FEW) {
    /* From the end; what is left over at the beginning overlaps what has been copied. */
    NOT_UNROLLED
    do {
      bytes -= STEP;
      __builtin_memcpy((char *)to + bytes, (const char *)from + bytes, STEP);
    } while (bytes > STEP);
    __builtin_memcpy(to, from, STEP);
    return;
  }
#endif
  __builtin_memcpy(to, from, bytes);
}

#endif
