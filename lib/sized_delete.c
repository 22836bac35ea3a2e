/*
 * C++'s sized deletes in the hardened build: the compiler says how large the object is that is deleted, and that
 * must be what operator new was asked for.
 *
 *     delete p                     -> operator delete(p, sizeof *p)
 *     delete[] p, with a cookie    -> operator delete[](p - cookie, cookie + count * sizeof *p)
 *     std::allocator::deallocate   -> operator delete(p, count * sizeof *p)
 *
 * libc++abi forgets the size and calls the delete without one, which calls free(). Here the size is looked at
 * first, as free_sized() does. It is an object file of its own, in C, and is linked only where a program has a
 * sized delete; all it defines is weak, as in libc++abi.
 *
 * A program may replace any of new, delete, malloc and free, and then the size says nothing about a block of ours: an
 * operator new may add a header to what it takes from malloc(), or have a pool. So a size that differs is a fault
 * only if
 *   - the deletes without a size are the ones below, and free() and malloc() are ours. Which they are is known when the
 *     program is linked, and the optimizer leaves the question out;
 *   - operator new allocates what it is asked for. There is no telling by its address, so it is asked
 *     for such a block. Only a size that is wrong costs that.
 * A program that replaces new has to replace delete, too; many that only count or log do not.
 */
#include "compiler.h"
#include "sized.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

void *emscripten_builtin_malloc(size_t bytes);
void *emscripten_builtin_aligned_alloc(size_t alignment, size_t bytes);
void emscripten_builtin_free(void *payload);
size_t emscripten_builtin_malloc_usable_size(void *payload);

/* A C++ function, by its mangled name: size_t is `m`, with 32-bit memory as well. */
#define MANGLED(name) __asm__(name)

/* The program may have no operator new: then it can only be misused. */
#define IF_LINKED __attribute__((weak))
void *operator_new(size_t) MANGLED("_Znwm") IF_LINKED;
void *operator_new_array(size_t) MANGLED("_Znam") IF_LINKED;
void *operator_new_aligned(size_t, size_t) MANGLED("_ZnwmSt11align_val_t") IF_LINKED;
void *operator_new_array_aligned(size_t, size_t) MANGLED("_ZnamSt11align_val_t") IF_LINKED;

/* ---- the deletes without a size, as libc++abi has them ---- */

/* Ours, and what the program has: the same unless it is replaced. */
#define REPLACEABLE(mangled, own) MANGLED(mangled) __attribute__((weak, alias(#own)))

void wasmalloc_delete(void *payload);
void operator_delete(void *) REPLACEABLE("_ZdlPv", wasmalloc_delete);
void wasmalloc_delete(void *payload) {
  free(payload);
}

void wasmalloc_delete_array(void *payload);
void operator_delete_array(void *) REPLACEABLE("_ZdaPv", wasmalloc_delete_array);
void wasmalloc_delete_array(void *payload) {
  operator_delete(payload);
}

void wasmalloc_delete_aligned(void *payload, size_t alignment);
void operator_delete_aligned(void *, size_t)
    REPLACEABLE("_ZdlPvSt11align_val_t", wasmalloc_delete_aligned);
void wasmalloc_delete_aligned(void *payload, size_t alignment) {
  (void)alignment;
  free(payload);
}

void wasmalloc_delete_array_aligned(void *payload, size_t alignment);
void operator_delete_array_aligned(void *, size_t)
    REPLACEABLE("_ZdaPvSt11align_val_t", wasmalloc_delete_array_aligned);
void wasmalloc_delete_array_aligned(void *payload, size_t alignment) {
  operator_delete_aligned(payload, alignment);
}

/* ---- whether a size counts ---- */

/* Whether two names mean the same function. The compiler would say no at once; the linker may make them one, and
 * wasm-opt then knows the answer. */
#define SAME(one, other) same((uintptr_t)(one), (uintptr_t)(other))

static inline bool same(uintptr_t one, uintptr_t other) {
  __asm__("" : "+r"(one));
  return one == other;
}

static inline bool allocates_from_us(void) {
  return SAME(malloc, emscripten_builtin_malloc) && SAME(free, emscripten_builtin_free) &&
         SAME(operator_delete, wasmalloc_delete);
}

static inline bool allocates_aligned_from_us(void) {
  return SAME(aligned_alloc, emscripten_builtin_aligned_alloc) &&
         SAME(free, emscripten_builtin_free) &&
         SAME(operator_delete_aligned, wasmalloc_delete_aligned);
}

/* Whether operator new, asked for that, has asked for a block of this size: it allocates one byte at least. */
static inline bool fits(const void *payload, size_t bytes) {
  return wasmalloc_has_size(payload, bytes) || (!bytes && wasmalloc_has_size(payload, 1));
}

/* The same of the aligned one, which passes a multiple of the alignment on to aligned_alloc(). */
static inline bool fits_aligned(const void *payload, size_t bytes, size_t alignment) {
  return wasmalloc_has_size(payload, (bytes + !bytes + alignment - 1) & -alignment) ||
         wasmalloc_has_size(payload, bytes);
}

/* Not that size. Stops, unless it is the program's operator new that allocates another. An operator new that is asked
 * for more than the block has could fail, and throw; the block is too small for it in any case. */
RARE static void doubt(void *payload, size_t bytes, void *(*allocate)(size_t)) {
  if (allocate && bytes <= emscripten_builtin_malloc_usable_size(payload)) {
    void *other = allocate(bytes);
    bool exact = fits(other, bytes);
    emscripten_builtin_free(other);
    if (!exact)
      return;
  }
  wasmalloc_check_sized(payload, 1, bytes);
}

RARE static void doubt_aligned(void *payload, size_t bytes, size_t alignment,
                               void *(*allocate)(size_t, size_t)) {
  if (allocate && bytes <= emscripten_builtin_malloc_usable_size(payload)) {
    void *other = allocate(bytes, alignment);
    bool exact = fits_aligned(other, bytes, alignment);
    emscripten_builtin_free(other);
    if (!exact)
      return;
  }
  wasmalloc_check_sized(payload, alignment, bytes);
}

static inline void check(void *payload, size_t bytes, void *(*allocate)(size_t)) {
  if (payload && !fits(payload, bytes))
    doubt(payload, bytes, allocate);
}

static inline void check_aligned(void *payload, size_t bytes, size_t alignment,
                                 void *(*allocate)(size_t, size_t)) {
  bool aligned = ((uintptr_t)payload & (alignment - 1)) == 0;
  if (payload && !(aligned && fits_aligned(payload, bytes, alignment)))
    doubt_aligned(payload, bytes, alignment, allocate);
}

/* ---- the deletes with a size ---- */

__attribute__((weak)) void delete_sized(void *, size_t) MANGLED("_ZdlPvm");
void delete_sized(void *payload, size_t bytes) {
  if (allocates_from_us())
    check(payload, bytes, operator_new);
  operator_delete(payload);
}

__attribute__((weak)) void delete_array_sized(void *, size_t) MANGLED("_ZdaPvm");
void delete_array_sized(void *payload, size_t bytes) {
  if (allocates_from_us() && SAME(operator_delete_array, wasmalloc_delete_array))
    check(payload, bytes, operator_new_array);
  operator_delete_array(payload);
}

__attribute__((weak)) void delete_sized_aligned(void *, size_t, size_t)
    MANGLED("_ZdlPvmSt11align_val_t");
void delete_sized_aligned(void *payload, size_t bytes, size_t alignment) {
  if (allocates_aligned_from_us())
    check_aligned(payload, bytes, alignment, operator_new_aligned);
  operator_delete_aligned(payload, alignment);
}

__attribute__((weak)) void delete_array_sized_aligned(void *, size_t, size_t)
    MANGLED("_ZdaPvmSt11align_val_t");
void delete_array_sized_aligned(void *payload, size_t bytes, size_t alignment) {
  if (allocates_aligned_from_us() &&
      SAME(operator_delete_array_aligned, wasmalloc_delete_array_aligned))
    check_aligned(payload, bytes, alignment, operator_new_array_aligned);
  operator_delete_array_aligned(payload, alignment);
}
