/*
 * How far the break may rise once a program's threads have settled.
 */
#ifndef LEEWAY_H
#define LEEWAY_H

#include <stddef.h>
#include <string.h>

/* What order the threads' own memory comes back in differs a little; a block of 16 bytes that each of 2,000 threads
 * leaves behind is more. In the hardened build freed blocks wait, and the stacks of threads, 64 KiB each, are
 * some of them: now and then one more waits than ever before. A block that each of 20,000 threads leaves behind,
 * which has 32 bytes there, is more than that. */
static inline ptrdiff_t leeway_of(const char *allocator) {
  return strcmp(allocator, "hardened") == 0 ? 393216 : 16384;
}

#endif
