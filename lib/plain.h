/*
 * What an allocator writes into the heap: words, as they are. The hardened build has seal.h instead.
 */
#ifndef WASMALLOC_PLAIN_H
#define WASMALLOC_PLAIN_H

#include "memory.h"

#define WORD sizeof(size_t)

/* The head of a block. */
typedef size_t head_word;

struct block {
  head_word head;
};

/*
 * The head of a block is read without the lock by a thread that frees it or resizes the block before it, when another
 * thread may just be changing it: 5_wasmalloc_threads.c says why that does no harm. Only the one must be told that the other
 * may happen. On the development machine that is an atomic access without order. In WebAssembly a word is never torn
 * and such a race has a meaning, so a plain access will do; atomic ones have an order there, and cost.
 */
static inline size_t read_head(const struct block *block) {
#ifdef WASMALLOC_THREADS
  return __atomic_load_n(&block->head, __ATOMIC_RELAXED);
#elif defined(__EMSCRIPTEN_SHARED_MEMORY__)
  return *(const volatile size_t *)&block->head;
#else
  return block->head;
#endif
}

/* A new head; in the hardened build it would make a difference whether a block gets one or the one it has changes. */
static inline void set_head(struct block *block, size_t head) {
#ifdef WASMALLOC_THREADS
  __atomic_store_n(&block->head, head, __ATOMIC_RELAXED);
#else
  block->head = head;
#endif
}

static inline void change_head(struct block *block, size_t head) {
  set_head(block, head);
}

/* The head of a block that no other thread can change now. */
static inline size_t get_head(const struct block *block) {
  return block->head;
}

/* A link from one free block to another, or NULL. */
typedef struct free_block *link_word;

static inline struct free_block *get_link(const link_word *link) {
  return *link;
}

static inline void set_link(link_word *link, struct free_block *block) {
  *link = block;
}

/* The tag of a free block: its size, once more. */
typedef size_t tag_word;

static inline size_t get_tag(const tag_word *tag) {
  return *tag;
}

static inline void set_tag(tag_word *tag, size_t size) {
  *tag = size;
}

/* A word that has become a part of a payload, or of free memory. Here it may stay as it is. */
static inline void forget(void *word) {
  (void)word;
}

#endif
