/*
 * The standard headers, as far as the shipped sources include them, in place of the development machine's: a
 * proof sees the types of wasm32 (or wasm64, with 64-bit pointers) whatever machine it runs on. In both, long
 * is as wide as a pointer.
 */
#ifndef WASMALLOC_PROVE_STDDEF_H
#define WASMALLOC_PROVE_STDDEF_H

typedef unsigned long size_t;
typedef long ptrdiff_t;

#define NULL ((void *)0)
#define offsetof(type, member) __builtin_offsetof(type, member)

#endif
