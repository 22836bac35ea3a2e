/*
 * The word interface to an allocator, for compilers that emit WebAssembly and for JavaScript: sizes
 * count 32-bit words, addresses are addresses in linear memory, and 0 means none.
 *
 * Written once for all five. The file includes the allocator's (WASMALLOC_ALLOCATOR, see
 * docs/architecture.md).
 */
#include WASMALLOC_ALLOCATOR
#include "inspect.h"
#include "interface.h"

#ifdef __wasm__
#define EXPORT(name) __attribute__((export_name(name)))
#else
#define EXPORT(name)
#endif

#define WORD_SIZE sizeof(uint32_t)
#define MAXIMUM_WORDS (MAXIMUM_REQUEST / WORD_SIZE)

/*
 * A new block of `words` 32-bit words, aligned to 8 bytes. 0 for no words, when there is no memory,
 * and when the bytes do not fit the address space.
 */
EXPORT("alloc") NOT_INLINED void *word_alloc(size_t words);
void *word_alloc(size_t words) {
  return words - 1 < MAXIMUM_WORDS ? heap_allocate(words * WORD_SIZE) : NULL;
}

/* Gives the block at `address` back. Does nothing for 0. */
EXPORT("dealloc") NOT_INLINED void word_dealloc(void *address);
void word_dealloc(void *address) {
  if (address)
    heap_release(address);
}

static void *interface_allocate(size_t bytes) {
  return word_alloc(bytes / WORD_SIZE);
}

/* A result of 0 says it all. */
static inline int interface_error(void) {
  return 0;
}

static inline void interface_set_error(int error) {
  (void)error;
}

static void interface_release(void *payload) {
  word_dealloc(payload);
}

/*
 * Changes the size of the block at `address` to `words` 32-bit words, and returns its address,
 * which may be a new one; the contents are kept up to the smaller of both sizes. Allocates if
 * `address` is 0, deallocates and returns 0 if `words` is 0. Returns 0 as well when there is no
 * memory: then the block is as it was.
 */
EXPORT("realloc") void *word_realloc(void *address, size_t words);
void *word_realloc(void *address, size_t words) {
  if (!address)
    return word_alloc(words);
  if (!words) {
    word_dealloc(address);
    return NULL;
  }
  return words <= MAXIMUM_WORDS ? resize_or_move(address, words * WORD_SIZE) : NULL;
}

/* The three functions of wasmalloc.h, in a form that JavaScript can call: a record stays in memory
 * of the module's own, and its address is returned. */

EXPORT("heap_next_block") struct wasmalloc_block *word_next_block(struct wasmalloc_block *previous);
struct wasmalloc_block *word_next_block(struct wasmalloc_block *previous) {
  static struct wasmalloc_block block;
  if (!previous)
    block.address = NULL;
  return next_higher_block(&block) ? &block : NULL;
}

EXPORT("heap_statistics") struct wasmalloc_statistics *word_statistics(void);
struct wasmalloc_statistics *word_statistics(void) {
  static struct wasmalloc_statistics statistics;
  inspect(&statistics);
  return &statistics;
}

EXPORT("heap_check") const void *word_check(void);
const void *word_check(void) {
  return heap_check();
}
