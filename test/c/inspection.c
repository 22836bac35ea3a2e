/*
 * Looking into the heap: wasmalloc_next_block, wasmalloc_statistics and wasmalloc_check against
 * what the tests know to be there; mallinfo, malloc_stats, malloc_trim.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "names.h"
#include "testing.h"

enum { COUNT = 700 };

/* Whether the program has blocks that are not the tests': a thread's data, a sanitizer's. */
#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__EMSCRIPTEN_PTHREADS__) || __has_feature(undefined_behavior_sanitizer)
#define SYSTEM_ALLOCATES true
#else
#define SYSTEM_ALLOCATES false
#endif

/* The tests' own list of live blocks. */
static struct {
  unsigned char *address;
  size_t size;
} live[COUNT];

/* Fills the list with blocks from every function, sizes up to 5000 bytes. */
static bool allocate_all(void) {
  uint64_t random = test_options.seed;
  for (size_t i = 0; i < COUNT; i++) {
    size_t size = random_below(&random, random_below(&random, 3) ? 200 : 5000);
    void *block = NULL;
    switch (i % 4) {
    case 0:
      block = calloc(size, 1);
      break;
    case 1:
      block = memalign((size_t)8 << random_below(&random, 8), size);
      break;
    case 2:
      block = realloc(malloc(size / 2), size);
      break;
    default:
      block = malloc(size);
      break;
    }
    if (!block) {
      test_failed(__FILE__, __LINE__, "block", "no memory for %zu bytes", size);
      return false;
    }
    live[i].address = block;
    live[i].size = size;
    fill(block, size, i);
  }
  return true;
}

static bool free_one(size_t i) {
  if (live[i].address) {
    if (!holds(live[i].address, live[i].size, live[i].size, i)) {
      test_failed(__FILE__, __LINE__, "holds", "block %zu was overwritten", i);
      return false;
    }
    free(live[i].address);
    live[i].address = NULL;
  }
  return true;
}

static void free_all(void) {
  for (size_t i = 0; i < COUNT; i++) {
    CHECK(free_one(i), "block %zu", i);
  }
}

#ifndef TEST_OTHER_ALLOCATOR

/* The walk against the list, and the statistics against the walk, to the byte. */
static void compare(void) {
  struct wasmalloc_statistics statistics;
  wasmalloc_statistics(&statistics);
  struct wasmalloc_statistics sums = {0};
  struct wasmalloc_block block = {0};
  uintptr_t end = 0;
  size_t found = 0;
  while (wasmalloc_next_block(&block)) {
    uintptr_t address = (uintptr_t)block.address;
    CHECK(address >= end, "a block at %p begins before the end of the one before it",
          block.address);
    end = address + block.size;
    CHECK(end >= address, "the block at %p has %zu bytes", block.address, block.size);
    CHECK(block.state <= WASMALLOC_INTERNAL, "the block at %p has state %zu", block.address,
          block.state);
    if (block.state == WASMALLOC_FREE) {
      sums.free_blocks++;
      sums.free_size += block.size;
      sums.largest_free = block.size > sums.largest_free ? block.size : sums.largest_free;
    } else if (block.state == WASMALLOC_USED) {
      sums.used_blocks++;
      sums.used_size += block.size;
    }
    for (size_t i = 0; i < COUNT; i++) {
      uintptr_t mine = (uintptr_t)live[i].address;
      if (!mine || mine + live[i].size < address || mine > end) {
        continue;
      }
      if (mine == address) {
        CHECK(block.state == WASMALLOC_USED, "block %zu at %p is reported in state %zu", i,
              block.address, block.state);
        CHECK(block.size >= live[i].size, "block %zu of %zu bytes is reported with %zu", i,
              live[i].size, block.size);
        CHECK(block.size == malloc_usable_size(block.address), "block %zu is reported with %zu", i,
              block.size);
        found++;
      } else {
        CHECK(mine >= end || mine + live[i].size <= address,
              "block %zu at %p overlaps the reported one at %p", i, (void *)live[i].address,
              block.address);
      }
    }
  }
  size_t expected = 0;
  for (size_t i = 0; i < COUNT; i++) {
    expected += live[i].address != NULL;
  }
  CHECK(found == expected, "%zu of %zu blocks reported", found, expected);
  CHECK(sums.used_blocks >= found, "%zu blocks in use", sums.used_blocks);
  CHECK(statistics.used_blocks == sums.used_blocks, "%zu and %zu", statistics.used_blocks,
        sums.used_blocks);
  CHECK(statistics.used_size == sums.used_size, "%zu and %zu", statistics.used_size,
        sums.used_size);
  CHECK(statistics.free_blocks == sums.free_blocks, "%zu and %zu", statistics.free_blocks,
        sums.free_blocks);
  CHECK(statistics.free_size == sums.free_size, "%zu and %zu", statistics.free_size,
        sums.free_size);
  CHECK(statistics.largest_free == sums.largest_free, "%zu and %zu", statistics.largest_free,
        sums.largest_free);
  size_t sum = statistics.used_size + statistics.free_size + statistics.overhead_size;
  CHECK(statistics.heap_size == sum, "the heap has %zu bytes, its parts %zu", statistics.heap_size,
        sum);
  CHECK(statistics.overhead_size <= statistics.heap_size, "overhead %zu", statistics.overhead_size);
  CHECK(statistics.peak_size >= statistics.heap_size, "peak %zu, now %zu", statistics.peak_size,
        statistics.heap_size);
  CHECK(heap_is_sound(), "after the walk");
}

TEST(walk_reports_all, "the walk reports every live block, and the statistics add up to the byte") {
  compare();
  if (!allocate_all()) {
    return;
  }
  compare();
  for (size_t i = 0; i < COUNT && !test_has_failed(); i += 3) {
    free_one(i);
    if (i % 30 == 0) {
      compare();
    }
  }
  for (size_t i = 1; i < COUNT && !test_has_failed(); i += 3) {
    unsigned char *block = realloc(live[i].address, live[i].size + 500);
    CHECK(block, "realloc to %zu", live[i].size + 500);
    CHECK(holds(block, live[i].size, live[i].size, i), "block %zu", i);
    live[i].address = block;
    live[i].size += 500;
    fill(block, live[i].size, i);
  }
  compare();
  free_all();
  compare();
}

TEST(statistics_empty, "after everything is freed the statistics are what they were") {
  SKIP_IF(test_options.never_frees, "never frees");
  struct wasmalloc_statistics before;
  struct wasmalloc_statistics after;
  wasmalloc_statistics(&before);
  if (!allocate_all()) {
    return;
  }
  wasmalloc_statistics(&after);
  CHECK(after.used_blocks == before.used_blocks + COUNT, "%zu blocks in use, %zu before",
        after.used_blocks, before.used_blocks);
  size_t heap_size = after.heap_size;
  free_all();
  wasmalloc_statistics(&after);
  CHECK(after.used_blocks == before.used_blocks, "%zu blocks in use, %zu before", after.used_blocks,
        before.used_blocks);
  CHECK(after.used_size == before.used_size, "%zu bytes in use, %zu before", after.used_size,
        before.used_size);
  /* What was one block is one again, at the latest when it is asked for. */
  void *block = malloc(before.largest_free);
  CHECK(block, "malloc(%zu)", before.largest_free);
  wasmalloc_statistics(&after);
  CHECK(after.heap_size <= heap_size, "the heap grew from %zu to %zu for a block of %zu", heap_size,
        after.heap_size, before.largest_free);
  free(block);
}

TEST(statistics_no_block, "used_blocks is 0 before the first malloc and after the last free") {
  SKIP_IF(test_options.never_frees, "never frees");
  /* Other tests have freed all that they had, and the C library has nothing. */
  size_t count = used_blocks();
  void *block = malloc(10);
  CHECK(block, "malloc(10)");
  CHECK(used_blocks() == count + 1, "%zu", used_blocks());
  free(block);
  CHECK(used_blocks() == count, "%zu", used_blocks());
  CHECK(count == 0 || SYSTEM_ALLOCATES, "%zu", count);
}

TEST(statistics_constant, "looking does not change anything") {
  if (!allocate_all()) {
    return;
  }
  for (size_t i = 0; i < COUNT; i += 2) {
    free_one(i);
  }
  struct wasmalloc_statistics first;
  struct wasmalloc_statistics second;
  wasmalloc_statistics(&first);
  for (struct wasmalloc_block block = {0}; wasmalloc_next_block(&block);) {
    CHECK(block.address, "a block at NULL");
  }
  CHECK(heap_is_sound(), "after the walk");
  (void)mallinfo();
  wasmalloc_statistics(&second);
  CHECK(memcmp(&first, &second, sizeof first) == 0, "%zu bytes in use, %zu before",
        second.used_size, first.used_size);
  free_all();
}

TEST(statistics_peak, "peak_size is the largest heap_size that there was") {
  struct wasmalloc_statistics before;
  struct wasmalloc_statistics after;
  wasmalloc_statistics(&before);
  size_t size = before.largest_free + 100000;
  unsigned char *block = malloc(size);
  CHECK(block, "malloc(%zu)", size);
  wasmalloc_statistics(&after);
  CHECK(after.heap_size > before.heap_size, "%zu bytes, %zu before", after.heap_size,
        before.heap_size);
  CHECK(after.peak_size >= after.heap_size, "peak %zu, size %zu", after.peak_size, after.heap_size);
  size_t peak = after.peak_size;
  free(block);
  malloc_trim(0);
  wasmalloc_statistics(&after);
  CHECK(after.peak_size == peak, "%zu, was %zu", after.peak_size, peak);
}

/* Overwrites what lies between two blocks, which is at least a head. */
static void damage_heads(size_t size, size_t count) {
  static unsigned char *block[200];
  for (size_t i = 0; i < count; i++) {
    block[i] = malloc(size);
    CHECK(block[i], "malloc(%zu)", size);
  }
  CHECK(heap_is_sound(), "before");
  int damaged = 0;
  for (size_t i = 0; i + 1 < count; i++) {
    unsigned char *end = block[i] + malloc_usable_size(block[i]);
    if (block[i + 1] < end || block[i + 1] - end > 64) {
      continue;
    }
    unsigned char saved[64];
    size_t length = (size_t)(block[i + 1] - end);
    memcpy(saved, end, length);
    memset(end, 0xFF, length);
    void *broken = wasmalloc_check();
    memcpy(end, saved, length);
    CHECK(broken || length == 0, "%zu bytes overwritten behind %p", length, (void *)block[i]);
    CHECK(heap_is_sound(), "after the repair");
    damaged += length > 0;
  }
  CHECK(damaged > 0, "no two of %zu blocks were neighbours", count);
  for (size_t i = 0; i < count; i++) {
    free(block[i]);
  }
}

TEST(check_finds_damage, "wasmalloc_check finds an overwritten block head") {
  damage_heads(3000, 8);
}

TEST(check_finds_damage_among_many,
     "wasmalloc_check finds it among many blocks of one small size") {
  damage_heads(20, 200);
}

TEST(survivors, "what is freed between survivors serves blocks of another size") {
  SKIP_IF(test_options.never_frees, "never frees");
  enum { SMALL = 6400, SURVIVES = 64, OTHERS = 1600 };
  static void *small[SMALL];
  static void *other[OTHERS];
  struct wasmalloc_statistics before;
  struct wasmalloc_statistics after;
  for (size_t i = 0; i < SMALL; i++) {
    small[i] = malloc(24);
    CHECK(small[i], "malloc(24)");
  }
  wasmalloc_statistics(&before);
  for (size_t i = 0; i < SMALL; i++) {
    if (i % SURVIVES) {
      free(small[i]);
    }
  }
  /* A gap is 63 * 32 bytes long and has room for 19 blocks: 1900 in all. */
  for (size_t i = 0; i < OTHERS; i++) {
    other[i] = malloc(96);
    CHECK(other[i], "malloc(96)");
  }
  CHECK(heap_is_sound(), "with %d survivors", SMALL / SURVIVES);
  wasmalloc_statistics(&after);
  CHECK(after.heap_size <= before.heap_size + before.heap_size / 64, "%zu bytes, %zu before",
        after.heap_size, before.heap_size);
  for (size_t i = 0; i < SMALL; i += SURVIVES) {
    free(small[i]);
  }
  for (size_t i = 0; i < OTHERS; i++) {
    free(other[i]);
  }
}

#endif

TEST(mallinfo_consistent,
     "mallinfo: the parts fit the whole, move with the heap, and stay with it") {
  SKIP_IF(!HAS(mallinfo), "has no mallinfo");
  struct mallinfo before = mallinfo();
  struct mallinfo again = mallinfo();
  CHECK(memcmp(&before, &again, sizeof before) == 0, "two calls differ: uordblks %zu and %zu",
        (size_t)before.uordblks, (size_t)again.uordblks);
  if (!allocate_all()) {
    return;
  }
  size_t sum = 0;
  for (size_t i = 0; i < COUNT; i++) {
    sum += live[i].size;
  }
  struct mallinfo during = mallinfo();
  again = mallinfo();
  CHECK(memcmp(&during, &again, sizeof during) == 0, "two calls differ: uordblks %zu and %zu",
        (size_t)during.uordblks, (size_t)again.uordblks);
  CHECK((size_t)during.uordblks >= (size_t)before.uordblks + sum,
        "uordblks rose from %zu to %zu with %zu bytes", (size_t)before.uordblks,
        (size_t)during.uordblks, sum);
  CHECK((size_t)during.uordblks + (size_t)during.fordblks <= (size_t)during.arena,
        "%zu + %zu > %zu", (size_t)during.uordblks, (size_t)during.fordblks, (size_t)during.arena);
  free_all();
  struct mallinfo after = mallinfo();
  CHECK((size_t)after.uordblks + (size_t)after.fordblks <= (size_t)after.arena, "%zu + %zu > %zu",
        (size_t)after.uordblks, (size_t)after.fordblks, (size_t)after.arena);
  if (!test_options.never_frees) {
    CHECK((size_t)after.uordblks <= (size_t)during.uordblks - sum,
          "uordblks fell from %zu to %zu with %zu bytes", (size_t)during.uordblks,
          (size_t)after.uordblks, sum);
    CHECK((size_t)after.fordblks <= (size_t)after.arena, "%zu > %zu", (size_t)after.fordblks,
          (size_t)after.arena);
  }
}

TEST(mallinfo_one_block, "mallinfo: one block more is its size more") {
  SKIP_IF(!HAS(mallinfo), "has no mallinfo");
  SKIP_IF(test_options.never_frees, "never frees");
  const size_t slack = 4096; /* an allocator may tidy up meanwhile */
  for (size_t size = 10000; size <= 1000000; size *= 10) {
    struct mallinfo before = mallinfo();
    void *block = malloc(size);
    CHECK(block, "malloc(%zu)", size);
    struct mallinfo during = mallinfo();
    free(block);
    struct mallinfo after = mallinfo();
    size_t rise = (size_t)during.uordblks - (size_t)before.uordblks;
    CHECK(rise + slack >= size && rise <= size + size / 4 + slack,
          "uordblks rose by %zu for %zu bytes", rise, size);
    CHECK((size_t)after.uordblks <= (size_t)before.uordblks + slack, "uordblks is %zu, was %zu",
          (size_t)after.uordblks, (size_t)before.uordblks);
  }
}

/* The tests in JavaScript look at what it prints to stderr. */
TEST(malloc_stats_prints, "malloc_stats prints statistics to stderr and changes nothing") {
  SKIP_IF(!HAS(malloc_stats), "has no malloc_stats");
  void *block = malloc(100);
  CHECK(block, "malloc(100)");
  malloc_stats();
  malloc_stats();
  CHECK(heap_is_sound(), "after malloc_stats");
  free(block);
}

TEST(trim_and_go_on, "malloc_trim returns 0 or 1, and ordinary use goes on after it") {
  SKIP_IF(!HAS(malloc_trim), "has no malloc_trim");
  for (int round = 0; round < 6; round++) {
    if (!allocate_all()) {
      return;
    }
    for (size_t i = 0; i < COUNT; i++) {
      if (i % 2 || round % 2) {
        free_one(i);
      }
    }
    void *last = malloc(300000);
    CHECK(last, "malloc(300000)");
    free(last);
    size_t keep = (size_t)(round / 2) * 50000;
    int trimmed = malloc_trim(keep);
    CHECK(trimmed == 0 || trimmed == 1, "malloc_trim(%zu) returned %d", keep, trimmed);
    CHECK(heap_is_sound(), "after malloc_trim(%zu)", keep);
    CHECK(malloc_trim(keep) == 0, "a second malloc_trim(%zu) had something to do", keep);
    trimmed = malloc_trim(SIZE_MAX);
    CHECK(trimmed == 0, "malloc_trim(SIZE_MAX) returned %d", trimmed);
    free_all();
    for (size_t size = 1; size <= 200000; size *= 3) {
      void *block = malloc(size);
      CHECK(block, "malloc(%zu) after malloc_trim", size);
      fill(block, size, size);
      free(block);
    }
  }
}

TEST(trim_lowers_the_break, "when all is freed and trimmed, the break is as low as it was") {
  SKIP_IF(!HAS(malloc_trim), "has no malloc_trim");
  SKIP_IF(test_options.never_frees, "never frees");
  malloc_trim(0);
  char *before = sbrk(0);
  if (!allocate_all()) {
    return;
  }
  void *large = malloc((size_t)2 << 20);
  CHECK(large, "malloc(2 MiB)");
  char *during = sbrk(0);
  CHECK(during > before, "the break stayed at %p", (void *)during);
  free(large);
  free_all();
  malloc_trim(0);
  char *after = sbrk(0);
  CHECK(after <= before + 4096, "the break was at %p, rose to %p, and is at %p", (void *)before,
        (void *)during, (void *)after);
}
