/*
 * What ISO C, POSIX and C23 say about malloc, calloc, realloc, free and the rest of the family, as
 * long as there is memory.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "names.h"
#include "testing.h"

enum { NATURAL = _Alignof(max_align_t), MANY = 4097 };

static unsigned char *blocks[MANY];

/* Whether `size` bytes from `memory` on are all zero. */
static bool is_zero(const void *memory, size_t size) {
  const unsigned char *bytes = memory;
  return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/* ---- malloc and free ---- */

TEST(malloc_zero, "malloc(0) gives a unique pointer that can be freed") {
  enum { COUNT = 50 };
  for (int i = 0; i < COUNT; i++) {
    blocks[i] = malloc(i % 2 ? 0 : 1);
    CHECK(blocks[i], "call %d", i);
    CHECK(is_aligned(blocks[i], NATURAL), "%p", (void *)blocks[i]);
    for (int j = 0; j < i; j++) {
      CHECK(blocks[j] != blocks[i], "calls %d and %d both gave %p", j, i, (void *)blocks[i]);
    }
  }
  for (int i = 0; i < COUNT; i++) {
    free(blocks[i]);
  }
}

TEST(malloc_alignment, "every pointer for sizes 0 to 4096 is aligned for every type") {
  for (size_t size = 0; size < MANY; size++) {
    blocks[size] = malloc(size);
    CHECK(blocks[size], "malloc(%zu)", size);
    CHECK(is_aligned(blocks[size], NATURAL), "malloc(%zu) gave %p", size, (void *)blocks[size]);
    fill(blocks[size], size, size);
  }
  for (size_t size = 0; size < MANY; size++) {
    CHECK(holds(blocks[size], size, size, size), "the block of %zu bytes was overwritten", size);
    free(blocks[size]);
  }
}

TEST(malloc_alignment_repeated, "many blocks of one small size are all aligned and apart") {
  for (size_t size = 0; size <= 40; size++) {
    for (size_t i = 0; i < 100; i++) {
      blocks[i] = malloc(size);
      CHECK(blocks[i], "malloc(%zu)", size);
      CHECK(is_aligned(blocks[i], NATURAL), "malloc(%zu) gave %p", size, (void *)blocks[i]);
      fill(blocks[i], size, i);
    }
    for (size_t i = 0; i < 100; i++) {
      CHECK(holds(blocks[i], size, size, i), "block %zu of %zu bytes was overwritten", i, size);
      free(blocks[i]);
    }
  }
}

TEST(malloc_large, "large blocks around powers of two are aligned and writable to the last byte") {
  for (size_t power = 4096; power <= (size_t)2 << 20; power *= 2) {
    for (size_t size = power - 17; size <= power + 17; size++) {
      unsigned char *block = malloc(size);
      CHECK(block, "malloc(%zu)", size);
      CHECK(is_aligned(block, NATURAL), "malloc(%zu) gave %p", size, (void *)block);
      fill(block, size, size);
      CHECK(holds(block, size, size, size), "the block of %zu bytes", size);
      free(block);
      if (test_options.never_frees && power > 65536) {
        break;
      }
    }
  }
}

TEST(free_null, "free(NULL) does nothing") {
  size_t before = used_blocks();
  free(NULL);
  CHECK(used_blocks() == before, "%zu blocks before, %zu after", before, used_blocks());
}

TEST(free_errno, "free leaves errno alone") {
  const size_t sizes[] = {0, 1, 24, 300, 5000, 70000, (size_t)2 << 20};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    void *block = malloc(sizes[i]);
    CHECK(block, "malloc(%zu)", sizes[i]);
    errno = 1234;
    free(block);
    CHECK(errno == 1234, "%d after free of %zu bytes", errno, sizes[i]);
  }
  errno = 1234;
  free(NULL);
  CHECK(errno == 1234, "%d after free(NULL)", errno);
}

TEST(free_orders, "blocks can be freed in any order and their memory used again") {
  enum { COUNT = 400 };
  uint64_t random = test_options.seed;
  for (int round = 0; round < 12; round++) {
    size_t sizes[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
      sizes[i] = random_below(&random, round % 2 ? 100 : 2000);
      blocks[i] = malloc(sizes[i]);
      CHECK(blocks[i], "malloc(%zu)", sizes[i]);
      fill(blocks[i], sizes[i], i);
    }
    for (size_t step = 0; step < COUNT; step++) {
      /* Forwards, backwards, the odd ones first, or in strides. 147 and 400 have no common factor.
       */
      size_t i = step;
      switch (round % 4) {
      case 1:
        i = COUNT - 1 - step;
        break;
      case 2:
        i = step < COUNT / 2 ? 2 * step + 1 : 2 * (step - COUNT / 2);
        break;
      case 3:
        i = step * 147 % COUNT;
        break;
      default:
        break;
      }
      CHECK(holds(blocks[i], sizes[i], sizes[i], i), "block %zu in round %d", i, round);
      free(blocks[i]);
    }
    CHECK(heap_is_sound(), "in round %d", round);
  }
}

TEST(free_reuse, "freed memory is used again: a million blocks fit into little memory") {
  SKIP_IF(test_options.never_frees, "never frees");
  size_t rounds = test_options.operations * 5;
  char *before = sbrk(0);
  for (size_t i = 0; i < rounds; i++) {
    void *small = malloc(i % 300);
    void *large = malloc(3000 + i % 1000);
    CHECK(small && large, "round %zu", i);
    free(small);
    free(large);
  }
  char *after = sbrk(0);
  CHECK(after - before < 1 << 20, "the heap grew by %td bytes", after - before);
}

TEST(free_sized_frees, "free_sized and free_aligned_sized free a block, and take NULL") {
  SKIP_IF(!HAS(free_sized), "has no free_sized");
  for (size_t size = 0; size < 3000; size += 7) {
    void *block = malloc(size);
    CHECK(block, "malloc(%zu)", size);
    free_sized(block, size);
    block = calloc(1, size);
    CHECK(block, "calloc(1, %zu)", size);
    free_sized(block, size);
    for (size_t alignment = sizeof(void *); alignment <= 256; alignment *= 2) {
      block = aligned_alloc(alignment, size);
      CHECK(block, "aligned_alloc(%zu, %zu)", alignment, size);
      free_aligned_sized(block, alignment, size);
    }
  }
  errno = 1234;
  free_sized(NULL, 0);
  free_aligned_sized(NULL, 64, 0);
  CHECK(errno == 1234, "errno is %d", errno);
}

/* ---- realloc ---- */

TEST(realloc_null, "realloc(NULL, n) is malloc(n)") {
  for (size_t size = 0; size < 1000; size++) {
    blocks[size] = realloc(NULL, size);
    CHECK(blocks[size], "realloc(NULL, %zu)", size);
    CHECK(is_aligned(blocks[size], NATURAL), "%p", (void *)blocks[size]);
    fill(blocks[size], size, size);
  }
  for (size_t size = 0; size < 1000; size++) {
    CHECK(holds(blocks[size], size, size, size), "the block of %zu bytes", size);
    free(blocks[size]);
  }
}

TEST(realloc_zero, "realloc(p, 0) gives a unique pointer that can be freed") {
  const size_t sizes[] = {0, 1, 40, 700, 9000, 300000};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    size_t before = used_blocks();
    void *block = malloc(sizes[i]);
    void *other = malloc(sizes[i]);
    CHECK(block && other, "malloc(%zu)", sizes[i]);
    void *small = realloc(block, 0);
    CHECK(small, "realloc of %zu bytes to 0", sizes[i]);
    CHECK(small != other && is_aligned(small, NATURAL), "%p", small);
#ifndef TEST_OTHER_ALLOCATOR
    CHECK(used_blocks() >= before + 2, "%zu blocks, %zu before", used_blocks(), before);
#else
    (void)before;
#endif
    void *larger = realloc(small, 100);
    CHECK(larger, "realloc from 0 bytes to 100");
    free(larger);
    free(other);
  }
}

static const size_t SIZES[] = {0,    1,    7,    8,     15,    16,     24,     33,
                               64,   100,  256,  500,   1000,  1024,   2040,   4000,
                               4096, 5000, 9000, 17000, 65536, 100000, 150001, 300000};
enum { SIZE_COUNT = sizeof SIZES / sizeof *SIZES };

/* realloc from every size to every size, with or without a block right behind. */
static void realloc_all(bool fenced) {
  for (size_t i = 0; i < SIZE_COUNT; i++) {
    for (size_t j = 0; j < SIZE_COUNT; j++) {
      size_t from = SIZES[i];
      size_t to = SIZES[j];
      size_t kept = from < to ? from : to;
      unsigned char *block = malloc(from);
      unsigned char *fence = fenced ? malloc(64) : NULL;
      CHECK(block && (fence || !fenced), "malloc(%zu)", from);
      fill(block, from, from);
      if (fence) {
        fill(fence, 64, 5);
      }
      unsigned char *moved = realloc(block, to);
      CHECK(moved, "realloc from %zu to %zu", from, to);
      CHECK(is_aligned(moved, NATURAL), "%p", (void *)moved);
      CHECK(holds(moved, from, kept, from), "contents after realloc from %zu to %zu", from, to);
      fill(moved, to, to);
      CHECK(!fence || holds(fence, 64, 64, 5), "the next block, after %zu to %zu", from, to);
      free(moved);
      free(fence);
    }
  }
}

TEST(realloc_contents, "realloc keeps the contents from any size to any size") {
  realloc_all(false);
}

TEST(realloc_moves, "realloc keeps the contents when the next block is in the way") {
  realloc_all(true);
}

TEST(realloc_back_and_forth, "realloc keeps the contents over growing, shrinking and growing") {
  uint64_t random = test_options.seed;
  enum { COUNT = 60 };
  size_t sizes[COUNT] = {0};
  memset(blocks, 0, sizeof blocks);
  for (int step = 0; step < 4000; step++) {
    size_t i = random_below(&random, COUNT);
    size_t size = random_below(&random, random_below(&random, 4) ? 600 : 20000);
    unsigned char *block = realloc(blocks[i], size);
    CHECK(block, "realloc from %zu to %zu", sizes[i], size);
    size_t kept = sizes[i] < size ? sizes[i] : size;
    CHECK(holds(block, sizes[i], kept, i), "block %zu from %zu to %zu", i, sizes[i], size);
    blocks[i] = block;
    sizes[i] = size;
    fill(block, size, i);
  }
  for (size_t i = 0; i < COUNT; i++) {
    free(blocks[i]);
  }
}

TEST(realloc_stays, "a block that need not grow stays where it is, whatever its size") {
  for (size_t size = 100; size <= 20000; size += 300) {
    /* Sizes that are multiples of the alignment, which malloc need not have. */
    unsigned char *block = memalign(64, size);
    void *behind = malloc(size);
    CHECK(block && behind, "two blocks of %zu bytes", size);
    size_t usable = malloc_usable_size(block);
    for (size_t less = 0; less <= 32; less += 8)
      CHECK(realloc(block, usable - less) == block, "realloc from %zu to %zu bytes", usable,
            usable - less);
    free(behind);
    free(block);
  }
}

TEST(realloc_step_by_step, "a buffer that grows byte by byte and by doubling keeps its contents") {
  unsigned char *buffer = NULL;
  size_t most = test_options.never_frees ? 3000 : 20000;
  for (size_t size = 1; size <= most; size++) {
    buffer = realloc(buffer, size);
    CHECK(buffer, "realloc to %zu", size);
    buffer[size - 1] = (unsigned char)(size * 7);
  }
  for (size_t size = most; size < (size_t)2 << 20; size *= 2) {
    buffer = realloc(buffer, size);
    CHECK(buffer, "realloc to %zu", size);
  }
  for (size_t size = 1; size <= most; size++) {
    CHECK(buffer[size - 1] == (unsigned char)(size * 7), "byte %zu", size - 1);
  }
  free(buffer);
}

TEST(realloc_two_buffers, "two buffers that grow in turn keep their contents") {
  unsigned char *buffer[2] = {NULL, NULL};
  size_t size = 1;
  for (size_t step = 0; step < 200; step++) {
    for (size_t i = 0; i < 2; i++) {
      unsigned char *larger = realloc(buffer[i], size + 77);
      CHECK(larger, "realloc from %zu to %zu", size, size + 77);
      CHECK(step == 0 || holds(larger, size, size, i), "buffer %zu after step %zu", i, step);
      fill(larger, size + 77, i);
      buffer[i] = larger;
    }
    size += 77;
  }
  free(buffer[0]);
  free(buffer[1]);
}

TEST(reallocarray_contents, "reallocarray keeps the contents, and takes NULL and zeros") {
  unsigned char *block = reallocarray(NULL, 13, 11);
  CHECK(block, "reallocarray(NULL, 13, 11)");
  fill(block, 143, 1);
  block = reallocarray(block, 1300, 11);
  CHECK(block, "reallocarray(p, 1300, 11)");
  CHECK(holds(block, 143, 143, 1), "contents");
  block = reallocarray(block, 3, 7);
  CHECK(block, "reallocarray(p, 3, 7)");
  CHECK(holds(block, 143, 21, 1), "contents");
  block = reallocarray(block, 0, 7);
  CHECK(block, "reallocarray(p, 0, 7)");
  block = reallocarray(block, 7, 0);
  CHECK(block, "reallocarray(p, 7, 0)");
  free(block);
}

/* ---- calloc ---- */

TEST(calloc_zeroes, "calloc zeroes memory that was used before") {
  for (int round = 0; round < 2; round++) {
    for (size_t i = 0; i < SIZE_COUNT; i++) {
      blocks[i] = malloc(SIZES[i]);
      CHECK(blocks[i], "malloc(%zu)", SIZES[i]);
      memset(blocks[i], 0xAA, SIZES[i]);
    }
    for (size_t i = 0; i < SIZE_COUNT; i++) {
      free(blocks[i]);
    }
    for (size_t i = 0; i < SIZE_COUNT; i++) {
      blocks[i] = calloc(SIZES[i], 1);
      CHECK(blocks[i], "calloc(%zu, 1)", SIZES[i]);
      CHECK(is_aligned(blocks[i], NATURAL), "%p", (void *)blocks[i]);
      CHECK(is_zero(blocks[i], SIZES[i]), "calloc(%zu, 1)", SIZES[i]);
      memset(blocks[i], 0xBB, SIZES[i]);
    }
    for (size_t i = 0; i < SIZE_COUNT; i++) {
      free(blocks[i]);
    }
  }
}

TEST(calloc_products, "calloc(n, m) zeroes n times m bytes, for every n and m") {
  for (size_t count = 0; count < 40; count++) {
    for (size_t size = 0; size < 40; size++) {
      unsigned char *dirty = malloc(count * size);
      CHECK(dirty, "malloc(%zu)", count * size);
      memset(dirty, 0xCC, count * size);
      free(dirty);
      unsigned char *block = calloc(count, size);
      CHECK(block, "calloc(%zu, %zu)", count, size);
      CHECK(is_zero(block, count * size), "calloc(%zu, %zu)", count, size);
      free(block);
    }
  }
}

TEST(calloc_after_trim, "calloc zeroes memory that went back to the system and came again") {
  SKIP_IF(!HAS(malloc_trim), "has no malloc_trim");
  enum { LARGE = 3 << 20 };
  for (int round = 0; round < 2; round++) {
    unsigned char *block = malloc(LARGE);
    CHECK(block, "malloc");
    memset(block, 0xDD, LARGE);
    free(block);
    malloc_trim(0);
    block = calloc(1, LARGE + (size_t)round * 4096);
    CHECK(block, "calloc");
    CHECK(is_zero(block, LARGE), "in round %d", round);
    memset(block, 0xDD, LARGE);
    free(block);
  }
}

TEST(calloc_after_foreign, "calloc zeroes memory that somebody else gave back by brk") {
  enum { LARGE = 1 << 20, PART = 64 << 10 };
  char *start = sbrk(LARGE);
  CHECK(start != (void *)-1, "sbrk");
  memset(start, 0xEE, LARGE);
  CHECK(brk(start) == 0, "brk");
  size_t count = 0;
  /* Until blocks lie beyond what was given back, so that all of it has been handed out. */
  for (bool beyond = false; !beyond && count < 500; count++) {
    blocks[count] = calloc(PART, 1);
    CHECK(blocks[count], "calloc");
    CHECK(is_zero(blocks[count], PART), "block %zu at %p", count, (void *)blocks[count]);
    beyond = (uintptr_t)blocks[count] > (uintptr_t)start + LARGE;
  }
  while (count > 0) {
    free(blocks[--count]);
  }
}

/* ---- aligned memory ---- */

/* One of the three functions that allocate aligned memory. */
static void *aligned(int function, size_t alignment, size_t size) {
  void *block = NULL;
  switch (function) {
  case 0:
    return memalign(alignment, size);
  case 1:
    return aligned_alloc(alignment, size);
  default:
    return posix_memalign(&block, alignment < sizeof(void *) ? sizeof(void *) : alignment, size)
               ? NULL
               : block;
  }
}

static const char *const ALIGNED[] = {"memalign", "aligned_alloc", "posix_memalign"};
static const size_t ALIGNED_SIZES[] = {0, 1, 7, 8, 24, 100, 1000, 4096, 70000};
enum { ALIGNED_SIZE_COUNT = sizeof ALIGNED_SIZES / sizeof *ALIGNED_SIZES };

TEST(aligned_all, "memalign, aligned_alloc and posix_memalign: every alignment from 1 to 65536") {
  for (int function = 0; function < 3; function++) {
    for (size_t alignment = 1; alignment <= 65536; alignment *= 2) {
      for (size_t i = 0; i < ALIGNED_SIZE_COUNT; i++) {
        size_t size = ALIGNED_SIZES[i];
        unsigned char *block = aligned(function, alignment, size);
        CHECK(block, "%s(%zu, %zu)", ALIGNED[function], alignment, size);
        CHECK(is_aligned(block, alignment) && is_aligned(block, NATURAL), "%s(%zu, %zu) gave %p",
              ALIGNED[function], alignment, size, (void *)block);
        fill(block, size, alignment);
        blocks[i] = block;
      }
      for (size_t i = 0; i < ALIGNED_SIZE_COUNT; i++) {
        size_t size = ALIGNED_SIZES[i];
        CHECK(holds(blocks[i], size, size, alignment), "%s(%zu, %zu)", ALIGNED[function], alignment,
              size);
        free(blocks[i]);
      }
    }
  }
}

TEST(aligned_realloc, "aligned memory can be realloc'ed, and its contents stay") {
  for (int function = 0; function < 3; function++) {
    for (size_t alignment = 1; alignment <= 65536; alignment *= 2) {
      for (size_t i = 0; i < ALIGNED_SIZE_COUNT; i++) {
        size_t from = ALIGNED_SIZES[i];
        size_t to = i % 2 ? from * 2 + 10 : from / 2;
        unsigned char *block = aligned(function, alignment, from);
        CHECK(block, "%s(%zu, %zu)", ALIGNED[function], alignment, from);
        fill(block, from, alignment);
        block = realloc(block, to);
        CHECK(block, "realloc from %zu to %zu", from, to);
        CHECK(is_aligned(block, NATURAL), "%p", (void *)block);
        CHECK(holds(block, from, from < to ? from : to, alignment), "%s(%zu, %zu)",
              ALIGNED[function], alignment, from);
        free(block);
      }
    }
  }
}

TEST(aligned_mixed, "aligned blocks between others: none overlaps, the gaps are used") {
  enum { COUNT = 600 };
  uint64_t random = test_options.seed;
  size_t sizes[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    size_t alignment = (size_t)1 << random_below(&random, 13);
    sizes[i] = random_below(&random, 300);
    blocks[i] = i % 3 ? malloc(sizes[i]) : memalign(alignment, sizes[i]);
    CHECK(blocks[i], "block %zu", i);
    CHECK(i % 3 || is_aligned(blocks[i], alignment), "memalign(%zu, %zu) gave %p", alignment,
          sizes[i], (void *)blocks[i]);
    fill(blocks[i], sizes[i], i);
  }
  CHECK(heap_is_sound(), "after allocating");
  for (size_t i = 0; i < COUNT; i++) {
    size_t at = i * 7 % COUNT; /* 7 and 600 have no common factor */
    CHECK(holds(blocks[at], sizes[at], sizes[at], at), "block %zu", at);
    free(blocks[at]);
  }
}

TEST(memalign_rounds_up, "memalign rounds an alignment up to the next power of two, as in glibc") {
  const size_t alignments[] = {0, 3, 5, 6, 7, 9, 24, 33, 100, 1000, 4097};
  for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++) {
    size_t power = 1;
    while (power < alignments[i]) {
      power *= 2;
    }
    void *block = memalign(alignments[i], 100);
    CHECK(block, "memalign(%zu, 100)", alignments[i]);
    CHECK(is_aligned(block, power) && is_aligned(block, NATURAL), "memalign(%zu, 100) gave %p",
          alignments[i], block);
    fill(block, 100, i);
    free(block);
  }
}

TEST(valloc_pages, "valloc and pvalloc give whole pages") {
  SKIP_IF(!HAS(valloc) || !HAS(pvalloc), "has no valloc");
  const size_t page = 4096;
  const size_t sizes[] = {0, 1, 4095, 4096, 4097, 20000};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    void *block = valloc(sizes[i]);
    CHECK(block, "valloc(%zu)", sizes[i]);
    CHECK(is_aligned(block, page), "valloc(%zu) gave %p", sizes[i], block);
    fill(block, sizes[i], i);
    free(block);
    block = pvalloc(sizes[i]);
    CHECK(block, "pvalloc(%zu)", sizes[i]);
    CHECK(is_aligned(block, page), "pvalloc(%zu) gave %p", sizes[i], block);
    size_t whole = (sizes[i] + page - 1) / page * page;
    CHECK(malloc_usable_size(block) >= whole, "pvalloc(%zu) has %zu bytes", sizes[i],
          malloc_usable_size(block));
    fill(block, whole, i);
    free(block);
  }
}

/* ---- malloc_usable_size ---- */

TEST(usable_size, "malloc_usable_size: at least what was asked for, all of it writable") {
  CHECK(malloc_usable_size(NULL) == 0, "malloc_usable_size(NULL) is %zu", malloc_usable_size(NULL));
  enum { COUNT = 2000 };
  size_t usable[COUNT];
  for (size_t size = 0; size < COUNT; size++) {
    blocks[size] = size % 5 ? malloc(size) : memalign(64, size);
    CHECK(blocks[size], "malloc(%zu)", size);
    usable[size] = malloc_usable_size(blocks[size]);
    CHECK(usable[size] >= size, "%zu for %zu", usable[size], size);
    CHECK(malloc_usable_size(blocks[size]) == usable[size], "it changed");
    memset(blocks[size], (int)(size % 251), usable[size]);
  }
  CHECK(heap_is_sound(), "after writing all of it");
  for (size_t size = 0; size < COUNT; size++) {
    for (size_t at = 0; at < usable[size]; at++) {
      CHECK(blocks[size][at] == size % 251, "byte %zu of %zu", at, size);
    }
    free(blocks[size]);
  }
}

TEST(usable_size_realloc, "realloc to the usable size and back keeps the contents") {
  for (size_t size = 0; size < 2000; size += 3) {
    unsigned char *block = malloc(size);
    CHECK(block, "malloc(%zu)", size);
    fill(block, size, size);
    size_t usable = malloc_usable_size(block);
    block = realloc(block, usable);
    CHECK(block && holds(block, size, size, size), "realloc from %zu to %zu", size, usable);
    fill(block, usable, size);
    block = realloc(block, size);
    CHECK(block && holds(block, usable, size, size), "realloc from %zu to %zu", usable, size);
    free(block);
  }
}

/* ---- Emscripten's own names ---- */

#ifdef __EMSCRIPTEN__
#include <emscripten/heap.h>
#define ONLY_EMSCRIPTEN
#else
#define emscripten_builtin_malloc malloc
#define emscripten_builtin_calloc calloc
#define emscripten_builtin_realloc realloc
#define emscripten_builtin_memalign memalign
#define emscripten_builtin_free free
#define ONLY_EMSCRIPTEN SKIP_IF(true, "only in Emscripten")
#endif

TEST(builtins, "emscripten_builtin_malloc and the others work together with the standard names") {
  ONLY_EMSCRIPTEN;
  for (size_t size = 0; size < 3000; size += 13) {
    unsigned char *first = emscripten_builtin_malloc(size);
    unsigned char *second = emscripten_builtin_calloc(size, 3);
    unsigned char *third = emscripten_builtin_memalign(256, size);
    unsigned char *fourth = malloc(size);
    CHECK(first && second && third && fourth, "%zu bytes", size);
    CHECK(is_aligned(third, 256), "%p", (void *)third);
    CHECK(is_zero(second, size * 3), "calloc(%zu, 3)", size);
    fill(first, size, 1);
    fill(third, size, 3);
    fill(fourth, size, 4);
    first = realloc(first, size * 2);
    fourth = emscripten_builtin_realloc(fourth, size * 2);
    CHECK(first && holds(first, size, size, 1), "realloc of %zu bytes", size);
    CHECK(fourth && holds(fourth, size, size, 4), "builtin realloc of %zu bytes", size);
    CHECK(holds(third, size, size, 3), "memalign of %zu bytes", size);
    free(first);
    emscripten_builtin_free(second);
    free(third);
    emscripten_builtin_free(fourth);
  }
  emscripten_builtin_free(NULL);
}

TEST(builtins_impossible, "emscripten_builtin_malloc and the others refuse impossible sizes") {
  ONLY_EMSCRIPTEN;
  const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 8, SIZE_MAX - 65536, (size_t)PTRDIFF_MAX + 1};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    errno = 0;
    CHECK(!emscripten_builtin_malloc(sizes[i]), "malloc(%zu)", sizes[i]);
    CHECK(errno == ENOMEM, "errno is %d", errno);
    CHECK(!emscripten_builtin_calloc(sizes[i], 1), "calloc(%zu, 1)", sizes[i]);
    CHECK(!emscripten_builtin_calloc(sizes[i], 16), "calloc(%zu, 16)", sizes[i]);
    CHECK(!emscripten_builtin_realloc(NULL, sizes[i]), "realloc(NULL, %zu)", sizes[i]);
    CHECK(!emscripten_builtin_memalign(64, sizes[i]), "memalign(64, %zu)", sizes[i]);
  }
}
