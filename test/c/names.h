/*
 * The names of the functions under test.
 *
 * A program for WebAssembly is linked with the allocator under test, and so
 * the standard names are its names. On the development machine the allocator's
 * functions are called wasmalloc_malloc and so on (TEST_NATIVE), and this
 * header lets the tests go on using the standard names. It comes after every
 * system header, because it redefines what they declare.
 *
 * With TEST_OTHER_ALLOCATOR the tests are those that any allocator can be
 * held to: it stands for whatever malloc the program happens to be linked
 * with, which has neither wasmalloc's introspection nor C23's functions.
 */
#ifndef NAMES_H
#define NAMES_H

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef TEST_OTHER_ALLOCATOR
#include "../../lib/wasmalloc.h"
#endif

#ifdef TEST_NATIVE

#include "../../lib/memory_host.h"

void *wasmalloc_malloc(size_t size);
void *wasmalloc_calloc(size_t count, size_t size);
void *wasmalloc_realloc(void *block, size_t size);
void *wasmalloc_reallocarray(void *block, size_t count, size_t size);
void wasmalloc_free(void *block);
void wasmalloc_free_sized(void *block, size_t size);
void wasmalloc_free_aligned_sized(void *block, size_t alignment, size_t size);
void *wasmalloc_memalign(size_t alignment, size_t size);
void *wasmalloc_aligned_alloc(size_t alignment, size_t size);
int wasmalloc_posix_memalign(void **block, size_t alignment, size_t size);
void *wasmalloc_valloc(size_t size);
void *wasmalloc_pvalloc(size_t size);
size_t wasmalloc_malloc_usable_size(void *block);
struct mallinfo wasmalloc_mallinfo(void);
int wasmalloc_malloc_trim(size_t keep);
void wasmalloc_malloc_stats(void);

#define sbrk wasmalloc_sbrk
#define brk wasmalloc_brk
#define malloc wasmalloc_malloc
#define calloc wasmalloc_calloc
#define realloc wasmalloc_realloc
#define reallocarray wasmalloc_reallocarray
#define free wasmalloc_free
#define free_sized wasmalloc_free_sized
#define free_aligned_sized wasmalloc_free_aligned_sized
#define memalign wasmalloc_memalign
#define aligned_alloc wasmalloc_aligned_alloc
#define posix_memalign wasmalloc_posix_memalign
#define valloc wasmalloc_valloc
#define pvalloc wasmalloc_pvalloc
#define malloc_usable_size wasmalloc_malloc_usable_size
#define mallinfo() wasmalloc_mallinfo() /* with its parentheses: struct mallinfo stays */
#define malloc_trim wasmalloc_malloc_trim
#define malloc_stats wasmalloc_malloc_stats

#else

#ifdef TEST_OTHER_ALLOCATOR
#define IF_PRESENT __attribute__((weak))
#define HAS(function) ((function) != NULL)
#else
#define IF_PRESENT
#endif

/* What Emscripten's headers do not declare, or another allocator may not have. */
IF_PRESENT int malloc_trim(size_t keep);
IF_PRESENT void malloc_stats(void);
IF_PRESENT struct mallinfo mallinfo(void);
void *reallocarray(void *block, size_t count, size_t size);
IF_PRESENT void *valloc(size_t size);
IF_PRESENT void *pvalloc(size_t size);
IF_PRESENT void free_sized(void *block, size_t size);
IF_PRESENT void free_aligned_sized(void *block, size_t alignment, size_t size);

#endif

/* Whether a function that only wasmalloc is sure to have is there. */
#ifndef HAS
#define HAS(function) true
#endif

#endif
