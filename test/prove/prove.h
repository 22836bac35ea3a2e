/*
 * The words that theorems are written in.
 *
 * A theorem is a function without arguments. It makes a state and arguments of which nothing is known but
 * what it assumes, calls the shipped source, and claims what must hold then. CBMC turns all of it into one
 * formula, and either finds values that break a claim or proves that there are none. It also proves what
 * nobody has to write down: no access outside an object, no undefined shift, no signed overflow, and that
 * no loop runs more often than it was unwound.
 *
 * A proof from assumptions that contradict each other proves nothing. So each theorem says what can be
 * *reached* under its own; scripts/prove.mjs demands that CBMC finds values for every one of these.
 */
#ifndef WASMALLOC_PROVE_H
#define WASMALLOC_PROVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef __CPROVER__
/* For a compiler that only looks for mistakes. */
void __CPROVER_assume(bool condition);
void __CPROVER_assert(bool condition, const char *text);
void __CPROVER_havoc_object(void *object);
bool __CPROVER_same_object(const void *one, const void *other);
size_t __CPROVER_POINTER_OFFSET(const void *address);
#endif

/* Functions that have no body: their results may be anything. */
size_t nondet_size(void);
uint32_t nondet_word(void);
uint64_t nondet_long(void);
bool nondet_bool(void);

#define assume(condition) __CPROVER_assume(condition)
#define claim(condition, text) __CPROVER_assert(condition, text)
#ifndef WITHOUT_REACHED
#define reached(condition, text) __CPROVER_assert(!(condition), "reached: " text)
#else
#define reached(condition, text) (void)(condition)
#endif

/* Any number from `least` to `most`. */
static inline size_t any_size(size_t least, size_t most) {
  size_t size = nondet_size();
  assume(size >= least && size <= most);
  return size;
}

#endif
