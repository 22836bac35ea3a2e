#ifndef WASMALLOC_PROVE_STDATOMIC_H
#define WASMALLOC_PROVE_STDATOMIC_H

/* As far as lock.h uses it: lock.c has the rest. */
typedef int atomic_int;
enum { memory_order_relaxed };

#endif
