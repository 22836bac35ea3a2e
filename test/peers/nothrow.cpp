/*
 * Requests that nobody can meet, by the operator new that does not throw.
 */
#include "fault.h"

#include <new>

// std::nothrow itself is in libc++, which is not linked.
static const std::nothrow_t quiet{};

static void refuses(std::size_t step) {
  const std::size_t size = SIZE_MAX - step;
  void *block = operator new(size, quiet);
  EXPECT(!block, "new of SIZE_MAX - %zu bytes: got %p", step, block);
  block = operator new[](size, quiet);
  EXPECT(!block, "new[] of SIZE_MAX - %zu bytes: got %p", step, block);
  for (std::size_t alignment = 16; alignment <= 65536; alignment *= 2) {
    block = operator new(size, std::align_val_t(alignment), quiet);
    EXPECT(!block, "new of SIZE_MAX - %zu bytes, alignment %zu: got %p", step, alignment, block);
  }
}

FAULT(nothrow_new_huge, "`new (std::nothrow)` gives null for sizes near `SIZE_MAX`") {
  for (std::size_t step = 0; step < 150000; step += step < 300 ? 1 : 617)
    refuses(step);
  for (std::size_t power = 512; power <= 65536; power *= 2) {
    for (std::size_t step = power - 20; step <= power + 20; step++)
      refuses(step);
  }
}
