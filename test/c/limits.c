/*
 * Requests that cannot be met: sizes that no memory has, products that overflow, alignments that
 * are none. All are refused with NULL and errno, whatever the memory.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "names.h"
#include "testing.h"

/* A function called with a size, and perhaps an alignment. */
struct function {
  const char *name;
  void *(*call)(size_t alignment, size_t size);
};

static void *old_block; /* what the functions below realloc */

static void *call_malloc(size_t alignment, size_t size) {
  (void)alignment;
  return malloc(size);
}

static void *call_calloc(size_t alignment, size_t size) {
  (void)alignment;
  return calloc(size, 1);
}

static void *call_calloc_one(size_t alignment, size_t size) {
  (void)alignment;
  return calloc(1, size);
}

static void *call_realloc_null(size_t alignment, size_t size) {
  (void)alignment;
  return realloc(NULL, size);
}

static void *call_realloc(size_t alignment, size_t size) {
  (void)alignment;
  return realloc(old_block, size);
}

static void *call_reallocarray(size_t alignment, size_t size) {
  (void)alignment;
  return reallocarray(old_block, size, 1);
}

static void *call_reallocarray_one(size_t alignment, size_t size) {
  (void)alignment;
  return reallocarray(NULL, 1, size);
}

static void *call_valloc(size_t alignment, size_t size) {
  (void)alignment;
  return valloc(size);
}

static void *call_pvalloc(size_t alignment, size_t size) {
  (void)alignment;
  return pvalloc(size);
}

static void *call_memalign(size_t alignment, size_t size) {
  return memalign(alignment, size);
}

static void *call_aligned_alloc(size_t alignment, size_t size) {
  return aligned_alloc(alignment, size);
}

/* Its result stands for errno here, so that the callers can treat it like the others. */
static void *call_posix_memalign(size_t alignment, size_t size) {
  void *untouched = &old_block;
  int error = posix_memalign(&untouched, alignment, size);
  errno = error;
  if (error && untouched != &old_block) {
    test_failed(__FILE__, __LINE__, "the pointer is untouched", "posix_memalign(%zu, %zu)",
                alignment, size);
  }
  return error ? NULL : untouched;
}

static const struct function SIZED[] = {
    {"malloc", call_malloc},
    {"calloc(n, 1)", call_calloc},
    {"calloc(1, n)", call_calloc_one},
    {"realloc(NULL, n)", call_realloc_null},
    {"realloc(p, n)", call_realloc},
    {"reallocarray(p, n, 1)", call_reallocarray},
    {"reallocarray(NULL, 1, n)", call_reallocarray_one},
    {"valloc", call_valloc},
    {"pvalloc", call_pvalloc},
};

static const struct function ALIGNED[] = {
    {"memalign", call_memalign},
    {"aligned_alloc", call_aligned_alloc},
    {"posix_memalign", call_posix_memalign},
};

/* Expects NULL, ENOMEM and an untouched old block. */
static void refuses(const struct function *function, size_t alignment, size_t size) {
  if ((function->call == call_valloc && !HAS(valloc)) ||
      (function->call == call_pvalloc && !HAS(pvalloc))) {
    return;
  }
  errno = 0;
  void *block = function->call(alignment, size);
  CHECK(!block, "%s of %zu (SIZE_MAX - %zu) bytes, alignment %zu, gave %p", function->name, size,
        SIZE_MAX - size, alignment, block);
  CHECK(errno == ENOMEM, "errno is %d after %s of %zu bytes, alignment %zu", errno, function->name,
        size, alignment);
}

static void refuses_everywhere(size_t size) {
  for (size_t i = 0; i < sizeof SIZED / sizeof *SIZED; i++) {
    refuses(&SIZED[i], 1, size);
  }
  for (size_t i = 0; i < sizeof ALIGNED / sizeof *ALIGNED; i++) {
    for (size_t alignment = sizeof(void *); alignment <= 65536; alignment *= 2) {
      refuses(&ALIGNED[i], alignment, size);
    }
  }
}

enum { OLD = 1000 };

static bool begin(void) {
  old_block = malloc(OLD);
  if (!old_block) {
    test_failed(__FILE__, __LINE__, "malloc", "%d bytes", OLD);
    return false;
  }
  fill(old_block, OLD, 17);
  return true;
}

static void end(void) {
  CHECK(holds(old_block, OLD, OLD, 17), "the old block's contents");
  free(old_block);
  old_block = NULL;
}

TEST(near_size_max, "sizes near SIZE_MAX are refused with ENOMEM by every function") {
  if (!begin()) {
    return;
  }
  for (size_t less = 0; less < 150000 && !test_has_failed(); less += less < 300 ? 1 : 617) {
    refuses_everywhere(SIZE_MAX - less);
  }
  for (size_t power = 512; power <= 65536 && !test_has_failed(); power *= 2) {
    for (size_t less = power - 20; less <= power + 20; less++) {
      refuses_everywhere(SIZE_MAX - less);
    }
  }
  if (!test_has_failed()) {
    end();
  }
}

TEST(over_ptrdiff_max, "sizes over PTRDIFF_MAX are refused with ENOMEM by every function") {
  if (!begin()) {
    return;
  }
  const size_t most = PTRDIFF_MAX;
  for (size_t more = 1; more < 150000 && !test_has_failed(); more += more < 300 ? 1 : 617) {
    refuses_everywhere(most + more);
  }
  refuses_everywhere(most / 2 * 3);
  refuses_everywhere(most / 4 * 7);
  if (!test_has_failed()) {
    end();
  }
}

TEST(over_memory, "sizes up to PTRDIFF_MAX that memory does not have are refused with ENOMEM") {
  SKIP_IF(!test_options.exhausts, "a request that cannot be met ends this program");
  SKIP_IF(test_options.maximum == 0, "needs a known maximum");
  if (!begin()) {
    return;
  }
  const size_t most = PTRDIFF_MAX;
  for (size_t less = 0; less < 70000 && !test_has_failed(); less += less < 30 ? 1 : 4099) {
    refuses_everywhere(most - less);
  }
  for (size_t size = test_options.maximum; size < most / 2 && !test_has_failed(); size *= 2) {
    refuses_everywhere(size);
    refuses_everywhere(size + size / 3);
  }
  if (!test_has_failed()) {
    end();
  }
}

TEST(huge_alignments, "huge alignments are refused, whatever the size") {
  SKIP_IF(!test_options.exhausts, "a request that cannot be met ends this program");
  SKIP_IF(test_options.maximum == 0, "needs a known maximum");
  if (!begin()) {
    return;
  }
  for (size_t alignment = SIZE_MAX / 2 + 1; alignment >= test_options.maximum; alignment /= 2) {
    const size_t sizes[] = {1, 8, 1000, PTRDIFF_MAX, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
      for (size_t j = 0; j < sizeof ALIGNED / sizeof *ALIGNED; j++) {
        errno = 0;
        void *block = ALIGNED[j].call(alignment, sizes[i]);
#ifdef TEST_NATIVE
        /* The simulated memory may happen to hold such an address. */
        if (block) {
          CHECK(is_aligned(block, alignment), "%s(%zu, %zu) gave %p", ALIGNED[j].name, alignment,
                sizes[i], block);
          free(block);
          continue;
        }
#endif
        CHECK(!block, "%s(%zu, %zu) gave %p", ALIGNED[j].name, alignment, sizes[i], block);
        CHECK(errno == ENOMEM || errno == EINVAL, "errno is %d after %s(%zu, %zu)", errno,
              ALIGNED[j].name, alignment, sizes[i]);
      }
    }
  }
  end();
}

TEST(products, "calloc and reallocarray refuse products that overflow, with ENOMEM") {
  if (!begin()) {
    return;
  }
  const size_t half = (size_t)1 << (sizeof(size_t) * 4); /* its square is 1 more than SIZE_MAX */
  const size_t pairs[][2] = {
      {half, half},
      {half + 1, half - 1}, /* SIZE_MAX itself */
      {half, half + 1},
      {half * 2, half / 2},
      {half * 4, half / 2},
      {half + 7, half + 9},
      {SIZE_MAX, 2},
      {SIZE_MAX, SIZE_MAX},
      {SIZE_MAX / 2 + 1, 2},
      {SIZE_MAX / 2 + 2, 2},
      {SIZE_MAX / 3 + 1, 3},
      {SIZE_MAX / 4 + 1, 4},
      {SIZE_MAX / 8 + 1, 8},
      {SIZE_MAX / 8 + 2, 8},
      {SIZE_MAX / 16 + 1, 16},
      {SIZE_MAX / 24 + 1, 24},
      {SIZE_MAX / 1000 + 1, 1000},
      {SIZE_MAX / 2, 2},
      {(size_t)PTRDIFF_MAX / 2 + 1, 2},
      {(size_t)PTRDIFF_MAX / 8 + 1, 8},
  };
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    for (size_t j = 0; j < 2; j++) {
      size_t count = pairs[i][j];
      size_t size = pairs[i][1 - j];
      errno = 0;
      void *block = calloc(count, size);
      CHECK(!block, "calloc(%zu, %zu) gave %p", count, size, block);
      CHECK(errno == ENOMEM, "errno is %d after calloc(%zu, %zu)", errno, count, size);
      errno = 0;
      block = reallocarray(NULL, count, size);
      CHECK(!block, "reallocarray(NULL, %zu, %zu) gave %p", count, size, block);
      CHECK(errno == ENOMEM, "errno is %d after reallocarray(%zu, %zu)", errno, count, size);
      errno = 0;
      block = reallocarray(old_block, count, size);
      CHECK(!block, "reallocarray(p, %zu, %zu) gave %p", count, size, block);
      CHECK(errno == ENOMEM, "errno is %d after reallocarray(%zu, %zu)", errno, count, size);
    }
  }
  end();
}

TEST(realloc_fails, "realloc that fails leaves the block as it was: address, contents, size") {
  const size_t sizes[] = {0, 1, 24, 200, 3000, 70000};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    size_t size = sizes[i];
    unsigned char *block = malloc(size);
    CHECK(block, "malloc(%zu)", size);
    fill(block, size, size);
    size_t usable = malloc_usable_size(block);
    size_t count = used_blocks();
    errno = 0;
    CHECK(!realloc(block, SIZE_MAX - 64), "realloc(p, SIZE_MAX - 64)");
    CHECK(errno == ENOMEM, "errno is %d", errno);
    CHECK(!realloc(block, (size_t)PTRDIFF_MAX + 1), "realloc(p, PTRDIFF_MAX + 1)");
    if (test_options.exhausts && test_options.maximum > 0) {
      CHECK(!realloc(block, test_options.maximum), "realloc(p, maximum)");
      CHECK(!realloc(block, PTRDIFF_MAX - 100), "realloc(p, PTRDIFF_MAX - 100)");
    }
    CHECK(malloc_usable_size(block) == usable, "%zu bytes, were %zu", malloc_usable_size(block),
          usable);
    CHECK(used_blocks() == count, "%zu blocks, were %zu", used_blocks(), count);
    CHECK(holds(block, size, size, size), "contents of %zu bytes", size);
    block = realloc(block, size + 100);
    CHECK(block && holds(block, size, size, size), "realloc afterwards");
    free(block);
  }
}

TEST(posix_memalign_invalid, "posix_memalign refuses a bad alignment with EINVAL") {
  const size_t alignments[] = {
      0,       1, 2, 3, 5, 6, 7, 9, 12, 20, 24, 33, 100, 1000, 4097, SIZE_MAX / 2, SIZE_MAX - 7,
      SIZE_MAX};
  for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++) {
    const size_t sizes[] = {0, 1, 100, 5000, SIZE_MAX};
    for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++) {
      void *untouched = &untouched;
      errno = 1234;
      int error = posix_memalign(&untouched, alignments[i], sizes[j]);
      CHECK(error == EINVAL, "posix_memalign(&p, %zu, %zu) returned %d", alignments[i], sizes[j],
            error);
      CHECK(untouched == &untouched, "posix_memalign(&p, %zu, %zu) wrote %p", alignments[i],
            sizes[j], untouched);
      CHECK(errno == 1234, "posix_memalign(&p, %zu, %zu) set errno to %d", alignments[i], sizes[j],
            errno);
    }
  }
}

TEST(posix_memalign_memory, "posix_memalign without memory returns ENOMEM, the pointer untouched") {
  for (size_t alignment = sizeof(void *); alignment <= 65536; alignment *= 2) {
    void *untouched = &untouched;
    errno = 1234;
    int error = posix_memalign(&untouched, alignment, SIZE_MAX - alignment);
    CHECK(errno == 1234, "alignment %zu set errno to %d", alignment, errno);
    CHECK(error == ENOMEM, "alignment %zu returned %d", alignment, error);
    CHECK(untouched == &untouched, "alignment %zu wrote %p", alignment, untouched);
  }
}

TEST(aligned_alloc_invalid, "aligned_alloc refuses an impossible alignment with EINVAL") {
  const size_t alignments[] = {
      0, 3, 5, 6, 7, 9, 12, 20, 24, 100, 1000, 3000, 4097, SIZE_MAX / 2, SIZE_MAX - 7, SIZE_MAX};
  for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++) {
    errno = 0;
    void *block = aligned_alloc(alignments[i], 96);
    CHECK(!block, "aligned_alloc(%zu, 96) gave %p", alignments[i], block);
    CHECK(errno == EINVAL, "errno is %d after aligned_alloc(%zu, 96)", errno, alignments[i]);
  }
}

TEST(memalign_invalid, "memalign refuses an alignment over the largest power of two with EINVAL") {
  const size_t alignments[] = {SIZE_MAX / 2 + 2, SIZE_MAX - 4096, SIZE_MAX};
  for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++) {
    errno = 0;
    void *block = memalign(alignments[i], 96);
    CHECK(!block, "memalign(%zu, 96) gave %p", alignments[i], block);
    CHECK(errno == EINVAL, "errno is %d after memalign(%zu, 96)", errno, alignments[i]);
  }
}
