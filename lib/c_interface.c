/*
 * The C library's interface to an allocator: malloc and all that belongs to it.
 *
 * Written once for all five. The file includes the allocator's (WASMALLOC_ALLOCATOR, see
 * docs/architecture.md), so that malloc and the allocator's fast path become one function.
 *
 * What a function promises is what ISO C23 and POSIX.1-2024 say, and where they leave it open:
 *   - malloc(0) gives a block of its own, and so does realloc(p, 0);
 *   - memalign() with an alignment that is no power of two takes the next one, as glibc does;
 *   - a request that cannot be met sets errno to ENOMEM, an impossible alignment to EINVAL;
 *   - free() leaves errno alone.
 *
 * In Emscripten each function has a strong name, emscripten_builtin_malloc and so on, and the usual
 * one as a weak alias: a program may define a malloc of its own around the strong one. On the
 * development machine the names are wasmalloc_malloc and so on, and so they are with
 * WASMALLOC_WRAPPED, for a file that publishes functions around them (trace.c).
 */
#define _GNU_SOURCE
#include WASMALLOC_ALLOCATOR
#include "inspect.h"
#include "interface.h"
#include "sized.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__EMSCRIPTEN__) && !defined(WASMALLOC_WRAPPED)
#define FUNCTION(name) emscripten_builtin_##name
#define PUBLISH_AS(alias_name, name)                                                               \
  extern __typeof__(FUNCTION(name)) alias_name                                                     \
      __attribute__((weak, alias("emscripten_builtin_" #name)));
#else
#define FUNCTION(name) wasmalloc_##name
#define PUBLISH_AS(alias_name, name)
#endif
#define PUBLISH(name) PUBLISH_AS(name, name)

/* Linear memory is handed out in these steps: what valloc() aligns to. */
#define PAGE_SIZE_OF_SYSTEM ((size_t)65536)

__attribute__((noinline, cold)) static void *fail(int error) {
  errno = error;
  return NULL;
}

static inline bool is_power_of_two(size_t number) {
  return number != 0 && (number & (number - 1)) == 0;
}

/* ---- ISO C ---- */

NOT_INLINED void *FUNCTION(malloc)(size_t bytes);
void *FUNCTION(malloc)(size_t bytes) {
  lock_around();
  void *payload = heap_allocate(bytes);
  unlock_around();
  return payload ? payload : fail(ENOMEM);
}
PUBLISH(malloc)
PUBLISH_AS(__libc_malloc, malloc)

NOT_INLINED void FUNCTION(free)(void *payload);
void FUNCTION(free)(void *payload) {
  if (!payload)
    return;
  lock_around();
  heap_release(payload);
  unlock_around();
}
PUBLISH(free)
PUBLISH_AS(__libc_free, free)

static void *interface_allocate(size_t bytes) {
  return FUNCTION(malloc)(bytes);
}

static inline int interface_error(void) {
  return errno;
}

static inline void interface_set_error(int error) {
  errno = error;
}

static void interface_release(void *payload) {
  FUNCTION(free)(payload);
}

size_t FUNCTION(malloc_usable_size)(void *payload);
size_t FUNCTION(malloc_usable_size)(void *payload) {
  return payload ? payload_size(payload) : 0;
}
PUBLISH(malloc_usable_size)

void *FUNCTION(calloc)(size_t count, size_t size);
void *FUNCTION(calloc)(size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes))
    return fail(ENOMEM);
  void *payload = FUNCTION(malloc)(bytes);
#ifndef ALLOCATES_ZEROS
  if (payload)
    memset(payload, 0, bytes);
#endif
  return payload;
}
PUBLISH(calloc)
PUBLISH_AS(__libc_calloc, calloc)

void *FUNCTION(realloc)(void *payload, size_t bytes);
void *FUNCTION(realloc)(void *payload, size_t bytes) {
  return payload ? resize_or_move(payload, bytes) : FUNCTION(malloc)(bytes);
}
PUBLISH(realloc)
PUBLISH_AS(__libc_realloc, realloc)

/* A block whose alignment is a power of two. */
static void *allocate_aligned(size_t alignment, size_t bytes) {
  if (alignment <= ALIGNMENT)
    return FUNCTION(malloc)(bytes);
  void *payload = heap_allocate_aligned(alignment, bytes);
  return payload ? payload : fail(ENOMEM);
}

void *FUNCTION(aligned_alloc)(size_t alignment, size_t bytes);
void *FUNCTION(aligned_alloc)(size_t alignment, size_t bytes) {
  return is_power_of_two(alignment) ? allocate_aligned(alignment, bytes) : fail(EINVAL);
}
PUBLISH(aligned_alloc)

/* C23: free for a caller who knows the size, of which only the hardened build makes use. */
#ifdef WASMALLOC_HARDENED
bool wasmalloc_has_size(const void *payload, size_t bytes) {
  memory_catch_up();
  return heap_has_size(payload, bytes);
}

void wasmalloc_check_sized(const void *payload, size_t alignment, size_t bytes) {
  bool aligned = ((uintptr_t)payload & (alignment - 1)) == 0;
  if (!payload || (aligned && wasmalloc_has_size(payload, bytes)))
    return;
  heap_lock();
  heap_check_sized(payload, alignment, bytes);
  heap_unlock();
}
#endif

void FUNCTION(free_sized)(void *payload, size_t bytes);
void FUNCTION(free_sized)(void *payload, size_t bytes) {
  wasmalloc_check_sized(payload, 1, bytes);
  FUNCTION(free)(payload);
}
PUBLISH(free_sized)

void FUNCTION(free_aligned_sized)(void *payload, size_t alignment, size_t bytes);
void FUNCTION(free_aligned_sized)(void *payload, size_t alignment, size_t bytes) {
  wasmalloc_check_sized(payload, alignment, bytes);
  FUNCTION(free)(payload);
}
PUBLISH(free_aligned_sized)

/* ---- POSIX, BSD and GNU ---- */

int FUNCTION(posix_memalign)(void **result, size_t alignment, size_t bytes);
int FUNCTION(posix_memalign)(void **result, size_t alignment, size_t bytes) {
  if (!is_power_of_two(alignment) || alignment % sizeof(void *) != 0)
    return EINVAL;
  int old_errno = errno;
  void *payload = allocate_aligned(alignment, bytes);
  errno = old_errno; /* POSIX: the error is returned instead */
  if (!payload)
    return ENOMEM;
  *result = payload;
  return 0;
}
PUBLISH(posix_memalign)

void *FUNCTION(memalign)(size_t alignment, size_t bytes);
void *FUNCTION(memalign)(size_t alignment, size_t bytes) {
  if (alignment > MAXIMUM_REQUEST)
    return fail(EINVAL);
  size_t power = ALIGNMENT;
  while (power < alignment)
    power *= 2;
  return allocate_aligned(power, bytes);
}
PUBLISH(memalign)

void *FUNCTION(valloc)(size_t bytes);
void *FUNCTION(valloc)(size_t bytes) {
  return allocate_aligned(PAGE_SIZE_OF_SYSTEM, bytes);
}
PUBLISH(valloc)

/* valloc() of whole pages. */
void *FUNCTION(pvalloc)(size_t bytes);
void *FUNCTION(pvalloc)(size_t bytes) {
  if (bytes > MAXIMUM_REQUEST)
    return fail(ENOMEM);
  return allocate_aligned(PAGE_SIZE_OF_SYSTEM,
                          (bytes + PAGE_SIZE_OF_SYSTEM - 1) & ~(PAGE_SIZE_OF_SYSTEM - 1));
}
PUBLISH(pvalloc)

void *FUNCTION(reallocarray)(void *payload, size_t count, size_t size);
void *FUNCTION(reallocarray)(void *payload, size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes))
    return fail(ENOMEM);
  return FUNCTION(realloc)(payload, bytes);
}
PUBLISH(reallocarray)

/* Lowers the break, but for `keep` bytes of free memory at the end of the heap. Returns 1 if that
 * released any, else 0. */
int FUNCTION(malloc_trim)(size_t keep);
int FUNCTION(malloc_trim)(size_t keep) {
  heap_lock();
  bool trimmed = heap_trim(keep);
  heap_unlock();
  return trimmed;
}
PUBLISH(malloc_trim)

/* ---- looking into the heap ---- */

void wasmalloc_statistics(struct wasmalloc_statistics *statistics) {
  heap_lock();
  inspect(statistics);
  heap_unlock();
}

bool wasmalloc_next_block(struct wasmalloc_block *block) {
  heap_lock();
  bool found = next_higher_block(block);
  heap_unlock();
  return found;
}

void *wasmalloc_check(void) {
  heap_lock();
  const void *broken = heap_check();
  heap_unlock();
  return (void *)broken;
}

struct mallinfo FUNCTION(mallinfo)(void);
struct mallinfo FUNCTION(mallinfo)(void) {
  struct wasmalloc_statistics statistics;
  wasmalloc_statistics(&statistics);
  struct mallinfo info = {0};
  /* The fields are int on some systems: larger heaps are reported modulo 2^32, as everywhere. */
  __typeof__(info.arena) *fields[] = {&info.arena, &info.ordblks, &info.usmblks, &info.uordblks,
                                      &info.fordblks};
  size_t values[] = {statistics.heap_size, statistics.free_blocks, statistics.peak_size,
                     statistics.used_size, statistics.free_size};
  for (size_t i = 0; i < sizeof(values) / sizeof(*values); ++i)
    *fields[i] = (__typeof__(info.arena))values[i];
  return info;
}
PUBLISH(mallinfo)

/* Prints the statistics to stderr, sizes in bytes. */
void FUNCTION(malloc_stats)(void);
void FUNCTION(malloc_stats)(void) {
  struct wasmalloc_statistics statistics;
  wasmalloc_statistics(&statistics);
  fprintf(stderr, "heap size     = %10zu (at its peak %zu)\n", statistics.heap_size,
          statistics.peak_size);
  fprintf(stderr, "in use        = %10zu in %zu blocks\n", statistics.used_size,
          statistics.used_blocks);
  fprintf(stderr, "free          = %10zu in %zu blocks (the largest %zu)\n", statistics.free_size,
          statistics.free_blocks, statistics.largest_free);
  fprintf(stderr, "overhead      = %10zu\n", statistics.overhead_size);
}
PUBLISH(malloc_stats)
