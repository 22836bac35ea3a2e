/*
 * What the compiler and wasm-opt are told about a function.
 */
#ifndef WASMALLOC_COMPILER_H
#define WASMALLOC_COMPILER_H

/* For what is called from several places: keeps the code small and fast paths short. */
#define NOT_INLINED __attribute__((noinline))

/* The same for what is called rarely: small is better than fast there. */
#ifdef __clang__
#define RARE __attribute__((noinline, minsize))
#else
#define RARE NOT_INLINED
#endif

/* For what malloc or free consist of. */
#define ALWAYS_INLINED __attribute__((always_inline)) inline

/* A loop over words of the heap may find anything there, for a program may have written where it should not. It must
 * not go on for ever: it ends here. (In WebAssembly address 0 is memory like any other, and ends nothing.) */
#define trap_unless(condition) ((condition) ? (void)0 : __builtin_trap())

/* For a loop that is not worth the code. */
#ifdef __clang__
#define NOT_UNROLLED _Pragma("clang loop unroll(disable)")
#else
#define NOT_UNROLLED
#endif

/* wasm-opt inlines a function that has only one caller, whatever its size. malloc and free must stay
 * short, above all for V8's baseline compiler, which does not optimize; that the address of a slow part
 * is taken keeps it apart. */
#ifdef __wasm__
#define KEEP_APART(function)                                                                       \
  __attribute__((used)) static const void *const kept_apart_##function = (const void *)function
#else
#define KEEP_APART(function) _Static_assert(1, "")
#endif

#endif
