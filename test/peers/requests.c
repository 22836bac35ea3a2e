/*
 * Requests that nobody can meet: sizes over PTRDIFF_MAX, up to SIZE_MAX, products that overflow, and
 * alignments that are none.
 */
#define _GNU_SOURCE
#include <string.h>

#include "../c/names.h"
#include "fault.h"

enum { OLD = 1000, PATTERN = 0x5A };

/* What the functions below are to enlarge. */
static unsigned char *old_block;

/* A function of the library with some size and alignment. NULL and errno, or a block. */
typedef void *request(size_t alignment, size_t size);

static void *call_malloc(size_t alignment, size_t size) {
  (void)alignment;
  return malloc(size);
}

static void *call_calloc(size_t alignment, size_t size) {
  (void)alignment;
  return size % 2 ? calloc(size, 1) : calloc(1, size);
}

static void *call_realloc(size_t alignment, size_t size) {
  (void)alignment;
  return realloc(size % 2 ? NULL : old_block, size);
}

static void *call_reallocarray(size_t alignment, size_t size) {
  (void)alignment;
  return reallocarray(old_block, size, 1);
}

static void *call_memalign(size_t alignment, size_t size) {
  return memalign(alignment, size);
}

static void *call_aligned_alloc(size_t alignment, size_t size) {
  return aligned_alloc(alignment, size);
}

/* Its result stands for errno here. */
static void *call_posix_memalign(size_t alignment, size_t size) {
  void *block = NULL;
  errno = posix_memalign(&block, alignment, size);
  return errno ? NULL : block;
}

static void *call_valloc(size_t alignment, size_t size) {
  (void)alignment;
  return valloc(size);
}

static void *call_pvalloc(size_t alignment, size_t size) {
  (void)alignment;
  return pvalloc(size);
}

static void refuses(request *call, size_t alignment, size_t size, bool tells) {
  errno = 0;
  void *block = call(alignment, size);
  EXPECT(!block, "%zu bytes (SIZE_MAX - %zu), alignment %zu: got %p", size, SIZE_MAX - size,
         alignment, block);
  EXPECT(!tells || errno == ENOMEM, "%zu bytes (SIZE_MAX - %zu), alignment %zu: errno is %d", size,
         SIZE_MAX - size, alignment, errno);
}

/* Asks for sizes close to both ends of what is over PTRDIFF_MAX, for those around which a rounding to a
 * power of two wraps, and for some in between. With `tells` errno has to be ENOMEM each time. */
static void refuses_all(request *call, bool takes_alignment, bool tells) {
  old_block = malloc(OLD);
  EXPECT(old_block, "malloc(%d) failed", OLD);
  memset(old_block, PATTERN, OLD);
  const size_t half = (size_t)PTRDIFF_MAX + 1;
  for (size_t alignment = sizeof(void *); alignment <= 65536; alignment *= 2) {
    for (size_t step = 0; step < 150000; step += step < 300 ? 1 : 617) {
      refuses(call, alignment, SIZE_MAX - step, tells);
      refuses(call, alignment, half + step, tells);
    }
    for (size_t power = 512; power <= 65536; power *= 2) {
      for (size_t step = power - 20; step <= power + 20; step++)
        refuses(call, alignment, SIZE_MAX - step, tells);
    }
    for (size_t part = 1; part < 16; part++)
      refuses(call, alignment, half + half / 16 * part, tells);
    if (!takes_alignment)
      break;
  }
  for (size_t i = 0; i < OLD; i++)
    EXPECT(old_block[i] == PATTERN, "byte %zu of the old block was overwritten", i);
  free(old_block);
  void *block = malloc(OLD);
  EXPECT(block, "malloc(%d) failed afterwards", OLD);
}

FAULT(malloc_huge, "`malloc` refuses sizes near `SIZE_MAX`") {
  refuses_all(call_malloc, false, false);
}

FAULT(malloc_huge_errno, "… and says `ENOMEM`") {
  refuses_all(call_malloc, false, true);
}

FAULT(calloc_huge, "`calloc` refuses sizes near `SIZE_MAX`") {
  refuses_all(call_calloc, false, false);
}

FAULT(calloc_huge_errno, "… and says `ENOMEM`") {
  refuses_all(call_calloc, false, true);
}

FAULT(realloc_huge, "`realloc` refuses sizes near `SIZE_MAX`, and the block stays") {
  refuses_all(call_realloc, false, false);
}

FAULT(realloc_huge_errno, "… and says `ENOMEM`") {
  refuses_all(call_realloc, false, true);
}

FAULT(reallocarray_huge, "`reallocarray` refuses sizes near `SIZE_MAX`, and the block stays") {
  refuses_all(call_reallocarray, false, false);
}

FAULT(reallocarray_huge_errno, "… and says `ENOMEM`") {
  refuses_all(call_reallocarray, false, true);
}

FAULT(memalign_huge, "`memalign` refuses sizes near `SIZE_MAX`") {
  refuses_all(call_memalign, true, false);
}

FAULT(memalign_huge_errno, "… and says `ENOMEM`") {
  refuses_all(call_memalign, true, true);
}

FAULT(aligned_alloc_huge, "`aligned_alloc` refuses sizes near `SIZE_MAX`") {
  refuses_all(call_aligned_alloc, true, false);
}

FAULT(aligned_alloc_huge_errno, "… and says `ENOMEM`") {
  refuses_all(call_aligned_alloc, true, true);
}

FAULT(posix_memalign_huge, "`posix_memalign` answers `ENOMEM` to sizes near `SIZE_MAX`") {
  refuses_all(call_posix_memalign, true, true);
}

FAULT(posix_memalign_huge_pointer, "… and leaves the pointer as it was") {
  for (size_t alignment = sizeof(void *); alignment <= 65536; alignment *= 2) {
    for (size_t step = 0; step < 300; step++) {
      void *pointer = &pointer;
      int error = posix_memalign(&pointer, alignment, SIZE_MAX - step);
      EXPECT(error, "alignment %zu, SIZE_MAX - %zu bytes: got %p", alignment, step, pointer);
      EXPECT(pointer == &pointer, "alignment %zu, SIZE_MAX - %zu bytes: wrote %p", alignment, step,
             pointer);
    }
  }
}

FAULT(valloc_huge, "`valloc` refuses sizes near `SIZE_MAX`") {
  NEEDS(valloc);
  refuses_all(call_valloc, false, false);
}

FAULT(pvalloc_huge, "`pvalloc` refuses sizes near `SIZE_MAX`") {
  NEEDS(pvalloc);
  refuses_all(call_pvalloc, false, false);
}

FAULT(pvalloc_huge_errno, "… and says `ENOMEM`") {
  NEEDS(pvalloc);
  refuses_all(call_pvalloc, false, true);
}

/* Two factors whose product does not fit, though what is left of it may look harmless. */
struct product {
  size_t count, size;
};

#define HALF ((size_t)1 << (sizeof(size_t) * 4)) /* its square is 1 more than SIZE_MAX */

static const struct product PRODUCTS[] = {
    {HALF, HALF},
    {HALF, HALF + 1},
    {HALF * 2, HALF / 2},
    {HALF * 4, HALF / 2},
    {HALF + 7, HALF + 9},
    {SIZE_MAX, 2},
    {SIZE_MAX, SIZE_MAX},
    {SIZE_MAX / 2 + 1, 2},
    {SIZE_MAX / 2 + 20, 2},
    {SIZE_MAX / 3 + 1, 3},
    {SIZE_MAX / 4 + 1, 4},
    {SIZE_MAX / 8 + 2, 8},
    {SIZE_MAX / 16 + 1, 16},
    {SIZE_MAX / 24 + 1, 24},
    {SIZE_MAX / 1000 + 1, 1000},
};

static void *call_calloc_product(size_t count, size_t size) {
  return calloc(count, size);
}

static void *call_reallocarray_product(size_t count, size_t size) {
  return reallocarray(NULL, count, size);
}

static void refuses_products(request *call, bool tells) {
  for (size_t i = 0; i < 2 * (sizeof PRODUCTS / sizeof *PRODUCTS); i++) {
    const struct product *product = &PRODUCTS[i / 2];
    size_t count = i % 2 ? product->size : product->count;
    size_t size = i % 2 ? product->count : product->size;
    errno = 0;
    void *block = call(count, size);
    EXPECT(!block, "%zu times %zu bytes: got %p", count, size, block);
    EXPECT(!tells || errno == ENOMEM, "%zu times %zu bytes: errno is %d", count, size, errno);
  }
}

FAULT(calloc_product, "`calloc` refuses a product that overflows") {
  refuses_products(call_calloc_product, false);
}

FAULT(calloc_product_errno, "… and says `ENOMEM`") {
  refuses_products(call_calloc_product, true);
}

FAULT(reallocarray_product, "`reallocarray` refuses a product that overflows, with `ENOMEM`") {
  refuses_products(call_reallocarray_product, true);
}

/* No powers of two. */
static const size_t IMPOSSIBLE[] = {
    3,   5,    6,    7,    9,     12,    20,           24,           33,
    100, 1000, 3000, 4097, 65535, 65537, SIZE_MAX / 2, SIZE_MAX - 7, SIZE_MAX};
enum { IMPOSSIBLE_COUNT = sizeof IMPOSSIBLE / sizeof *IMPOSSIBLE };

FAULT(posix_memalign_alignment, "`posix_memalign` answers `EINVAL` to an alignment that is none") {
  for (size_t i = 0; i < IMPOSSIBLE_COUNT; i++) {
    for (size_t size = 0; size < 5000; size = size * 7 + 1) {
      void *pointer = NULL;
      int error = posix_memalign(&pointer, IMPOSSIBLE[i], size);
      EXPECT(error == EINVAL, "alignment %zu, %zu bytes: %d", IMPOSSIBLE[i], size, error);
    }
  }
  void *zero = NULL;
  EXPECT(posix_memalign(&zero, 0, 100) == EINVAL, "alignment 0, 100 bytes: no EINVAL");
  /* Powers of two that are too small for a pointer are none for POSIX. */
  for (size_t alignment = 1; alignment < sizeof(void *); alignment *= 2) {
    void *pointer = NULL;
    int error = posix_memalign(&pointer, alignment, 100);
    EXPECT(error == EINVAL, "alignment %zu, 100 bytes: %d", alignment, error);
  }
}

FAULT(posix_memalign_alignment_pointer, "… and leaves the pointer as it was") {
  for (size_t i = 0; i < IMPOSSIBLE_COUNT; i++) {
    void *pointer = &pointer;
    int error = posix_memalign(&pointer, IMPOSSIBLE[i], 100);
    EXPECT(pointer == &pointer, "alignment %zu: returned %d and wrote %p", IMPOSSIBLE[i], error,
           pointer);
  }
}

FAULT(aligned_alloc_alignment, "`aligned_alloc` refuses an alignment that is none") {
  for (size_t i = 0; i < IMPOSSIBLE_COUNT; i++) {
    void *block = aligned_alloc(IMPOSSIBLE[i], 96);
    EXPECT(!block, "alignment %zu: got %p", IMPOSSIBLE[i], block);
  }
}

FAULT(aligned_alloc_alignment_errno, "… and says `EINVAL`") {
  for (size_t i = 0; i < IMPOSSIBLE_COUNT; i++) {
    errno = 0;
    void *block = aligned_alloc(IMPOSSIBLE[i], 96);
    EXPECT(!block, "alignment %zu: got %p", IMPOSSIBLE[i], block);
    EXPECT(errno == EINVAL, "alignment %zu: errno is %d", IMPOSSIBLE[i], errno);
  }
}

FAULT(aligned_alloc_zero, "`aligned_alloc` refuses the alignment 0") {
  for (size_t size = 0; size < 5000; size = size * 7 + 1) {
    void *block = aligned_alloc(0, size);
    EXPECT(!block, "%zu bytes: got %p", size, block);
  }
}
