/*
 * What a heap must be able to do again and again, in a memory that grows to 64 MiB: be trimmed, be
 * described, be reused, and let buffers grow.
 */
#define _GNU_SOURCE
#include <string.h>

#include "../c/names.h"
#include "fault.h"

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)

static void *must_malloc(size_t size) {
  void *block = malloc(size);
  EXPECT(block, "malloc(%zu) failed with %zu bytes taken", size, bytes_taken());
  return block;
}

static size_t next_random(void) {
  static uint32_t state = 1;
  state = state * 1664525 + 1013904223;
  return state >> 8;
}

/* Writes a pattern that depends on the block, or looks whether it is still there. */
static void fill(unsigned char *block, size_t size, size_t tag) {
  for (size_t i = 0; i < size; i++)
    block[i] = (unsigned char)(tag + i);
}

static void expect_filled(const unsigned char *block, size_t size, size_t tag) {
  for (size_t i = 0; i < size; i++)
    EXPECT(block[i] == (unsigned char)(tag + i), "byte %zu of a block of %zu is damaged", i, size);
}

FAULT(small_alignment, "blocks of 0 to 64 bytes are aligned for every type") {
  for (size_t size = 0; size <= 64; size++) {
    for (int i = 0; i < 100; i++) {
      void *block = must_malloc(size);
      EXPECT((uintptr_t)block % _Alignof(max_align_t) == 0, "malloc(%zu) gave %p", size, block);
    }
  }
}

/* ---- malloc_trim and mallinfo ---- */

enum { COUNT = 200 };

static unsigned char *blocks[COUNT];
static size_t sizes[COUNT];

/* Allocates and fills those blocks of 0 to 5,000 bytes that are not there. */
static void allocate_all(void) {
  for (size_t i = 0; i < COUNT; i++) {
    if (blocks[i])
      continue;
    sizes[i] = next_random() % 5000;
    blocks[i] = must_malloc(sizes[i]);
    fill(blocks[i], sizes[i], i);
  }
}

/* Frees every block, or every second one, and looks at its contents first. */
static void free_blocks(size_t step) {
  for (size_t i = 0; i < COUNT; i += step) {
    expect_filled(blocks[i], sizes[i], i);
    free(blocks[i]);
    blocks[i] = NULL;
  }
}

FAULT(trim, "after `malloc_trim(0)` ordinary use goes on") {
  NEEDS(malloc_trim);
  for (int round = 0; round < 20; round++) {
    allocate_all();
    free_blocks(2);
    free(must_malloc(300000));
    for (int time = 0; time < 2; time++) {
      int trimmed = malloc_trim(0);
      EXPECT(trimmed == 0 || trimmed == 1, "malloc_trim(0) returned %d", trimmed);
    }
    allocate_all();
    free_blocks(1);
    malloc_trim(0);
    for (size_t size = 1; size <= 200000; size *= 3) {
      unsigned char *block = must_malloc(size);
      fill(block, size, size);
      expect_filled(block, size, size);
      free(block);
    }
  }
}

FAULT(mallinfo_sum,
      "`mallinfo`: used and free memory fit into the arena, and that into the memory taken") {
  NEEDS(mallinfo);
  allocate_all();
  free_blocks(2);
  struct mallinfo info = mallinfo();
  size_t sum = (size_t)info.uordblks + (size_t)info.fordblks;
  EXPECT(sum <= (size_t)info.arena, "uordblks %zu + fordblks %zu > arena %zu",
         (size_t)info.uordblks, (size_t)info.fordblks, (size_t)info.arena);
  EXPECT((size_t)info.arena <= bytes_taken(), "arena %zu, and %zu bytes have been taken",
         (size_t)info.arena, bytes_taken());
}

FAULT(mallinfo_counts, "`mallinfo`: after known allocations so much more is in use") {
  NEEDS(mallinfo);
  enum { SIZE = 1000 };
  must_malloc(SIZE); /* whatever the allocator sets up */
  size_t before = (size_t)mallinfo().uordblks;
  for (size_t i = 0; i < COUNT; i++)
    must_malloc(SIZE);
  size_t more = (size_t)mallinfo().uordblks - before;
  EXPECT(more >= COUNT * SIZE && more <= COUNT * (SIZE + 64),
         "%d bytes more in use: uordblks + %zu", COUNT * SIZE, more);
}

/* ---- memory that has been freed ---- */

struct node {
  struct node *next;
};

/* mallocs blocks of `size` bytes until there are no more; frees them all. */
static size_t fill_up(size_t size) {
  struct node *list = NULL;
  size_t count = 0;
  for (struct node *node = malloc(size); node; node = malloc(size)) {
    node->next = list;
    list = node;
    count++;
  }
  while (list) {
    struct node *next = list->next;
    free(list);
    list = next;
  }
  return count;
}

FAULT(reuse_small, "a heap full of blocks of 24 bytes, all freed, has a block of 20 MiB") {
  size_t count = fill_up(24);
  EXPECT(malloc(20 * MIB), "not after %zu blocks of 24 bytes", count);
}

FAULT(reuse_medium, "a heap full of blocks of 1,000 bytes, all freed, has a block of 20 MiB") {
  size_t count = fill_up(1000);
  EXPECT(malloc(20 * MIB), "not after %zu blocks of 1000 bytes", count);
}

/* ---- aligned blocks ---- */

FAULT(aligned_large, "32 MiB aligned to 1 MiB take no more than 34 MiB") {
  EXPECT(memalign(MIB, 32 * MIB), "memalign failed");
  EXPECT(bytes_taken() <= 34 * MIB, "%zu bytes were taken", bytes_taken());
}

/* emscripten#21277: a program that has 2 MiB in use at a time was given 2 GB. */
FAULT(aligned_churn, "aligned blocks that come and go do not take more and more memory") {
  enum { LIVE = 1000, ROUNDS = 200000 };
  static void *live[LIVE];
  size_t taken = 0; /* after half of the rounds */
  for (size_t round = 0; round < ROUNDS; round++) {
    size_t i = next_random() % LIVE;
    free(live[i]);
    size_t alignment = (size_t)16 << next_random() % 3; /* 16, 32, 64 */
    size_t size = alignment * (1 + next_random() % (next_random() % 16 ? 40 : 1000));
    live[i] = aligned_alloc(alignment, size);
    EXPECT(live[i], "aligned_alloc(%zu, %zu) failed with %zu bytes taken", alignment, size,
           bytes_taken());
    if (round == ROUNDS / 2)
      taken = bytes_taken();
  }
  EXPECT(bytes_taken() <= taken / 2 * 3,
         "%zu bytes were taken after half of the rounds, %zu in the end", taken, bytes_taken());
}

/* ---- buffers that grow ---- */

static void stays_in_place(unsigned char *buffer, size_t size, size_t largest) {
  while (size < largest) {
    size *= 2;
    unsigned char *grown = realloc(buffer, size);
    EXPECT(grown, "realloc to %zu bytes failed", size);
    EXPECT(grown == buffer, "realloc to %zu bytes moved it", size);
  }
}

FAULT(grow_into_free,
      "a buffer doubled by `realloc` stays where it is if free memory lies behind") {
  unsigned char *large = must_malloc(16 * MIB);
  must_malloc(100);
  free(large);
  stays_in_place(must_malloc(64 * KIB), 64 * KIB, 8 * MIB);
}

FAULT(grow_at_end, "… and if nothing lies behind: the memory grows") {
  stays_in_place(must_malloc(64 * KIB), 64 * KIB, 16 * MIB);
}

/* emscripten#3661: among other blocks no buffer can stay in place. */
FAULT(grow_among_others, "buffers that grow by turns, again and again, take no more than 2.5 times "
                         "what is in use") {
  enum { BUFFERS = 8, STEPS = 14 };
  const size_t largest = (size_t)64 << STEPS;
  for (int round = 0; round < 20; round++) {
    void *buffers[BUFFERS];
    void *others[BUFFERS * STEPS];
    size_t other = 0;
    for (size_t i = 0; i < BUFFERS; i++)
      buffers[i] = must_malloc(64);
    for (size_t size = 128; size <= largest; size *= 2) {
      for (size_t i = 0; i < BUFFERS; i++) {
        buffers[i] = realloc(buffers[i], size);
        EXPECT(buffers[i], "realloc to %zu bytes failed in round %d", size, round);
        others[other++] = must_malloc(40);
      }
    }
    EXPECT(bytes_taken() <= BUFFERS * largest / 2 * 5, "round %d: %zu bytes were taken for %zu",
           round, bytes_taken(), BUFFERS * largest);
    for (size_t i = 0; i < BUFFERS; i++)
      free(buffers[i]);
    while (other > 0)
      free(others[--other]);
  }
}

/* ---- C23 ---- */

FAULT(frees_sized, "`free_sized` is there, and frees") {
  NEEDS(free_sized);
  for (size_t i = 0; i < 100000; i++) {
    size_t size = i % 5000;
    free_sized(must_malloc(size), size);
  }
  free_sized(NULL, 0);
}

FAULT(frees_aligned_sized, "`free_aligned_sized` is there, and frees") {
  NEEDS(free_aligned_sized);
  for (size_t i = 0; i < 100000; i++) {
    size_t size = 64 * (i % 80);
    void *block = aligned_alloc(64, size);
    EXPECT(block, "aligned_alloc(64, %zu) failed", size);
    free_aligned_sized(block, 64, size);
  }
  free_aligned_sized(NULL, 64, 0);
}
