/*
 * The C library's functions over an allocator of which nothing is known but what allocator.h says: what they
 * compute before they ask it, and what they say when it refuses. For every number there is, as in sizes.c.
 */
#define WASMALLOC_ALLOCATOR "any.h"
#include "c_interface.c"

int errno;

/* ---- calloc ---- */

static const void *cleared;
static size_t cleared_bytes;

void *memset(void *to, int byte, size_t bytes) {
  claim(byte == 0, "with zeroes");
  cleared = to;
  cleared_bytes = bytes;
  return to;
}

/* Of any number of objects of up to 15 bytes: with more bits a multiplication is too much for CBMC. */
void calloc_product(void) {
  size_t count = nondet_size();
  size_t size = any_size(0, 15);
  uint64_t product = (uint64_t)count * size;
  errno = 0;
  const void *payload = wasmalloc_calloc(count, size);
  claim(asked == (product <= SIZE_MAX), "a product that does not fit is refused at once");
  claim(!asked || asked_bytes == product, "the allocator is asked for all of it");
  claim(!payload || (cleared == payload && cleared_bytes == product), "all of it is cleared");
  claim(payload || errno == ENOMEM, "a refusal is told");
  reached(payload && count > 1 && size > 1, "an array");
  reached(!asked && size == 3, "the product does not fit");
}

/* ---- alignment ---- */

void memalign_power(void) {
  size_t alignment = nondet_size();
  size_t bytes = nondet_size();
  errno = 0;
  const void *payload = wasmalloc_memalign(alignment, bytes);
  if (alignment > MAXIMUM_REQUEST) {
    claim(!asked && !payload && errno == EINVAL, "there is no such power of two");
  } else {
    claim(asked && asked_bytes == bytes, "the allocator is asked for this many bytes");
    claim(is_power_of_two(asked_alignment), "the alignment is a power of two");
    claim(asked_alignment >= alignment, "that is large enough");
    claim(asked_alignment == ALIGNMENT || asked_alignment / 2 < alignment, "the smallest such");
    claim(payload || errno == ENOMEM, "a refusal is told");
  }
  reached(asked_alignment == MAXIMUM_REQUEST + 1, "the largest alignment");
  reached(asked && asked_alignment > alignment, "no power of two");
}

void whole_pages(void) {
  size_t bytes = nondet_size();
  const void *payload = wasmalloc_pvalloc(bytes);
  if (bytes > MAXIMUM_REQUEST) {
    claim(!asked && !payload && errno == ENOMEM, "too large");
  } else {
    claim(asked && asked_alignment == PAGE_SIZE_OF_SYSTEM, "the alignment is a page");
    claim(asked_bytes % PAGE_SIZE_OF_SYSTEM == 0 && asked_bytes >= bytes &&
              asked_bytes - bytes < PAGE_SIZE_OF_SYSTEM,
          "the size is rounded up to whole pages, and does not overflow");
  }
  reached(asked && asked_bytes > MAXIMUM_REQUEST, "rounded beyond what can be had");
}
