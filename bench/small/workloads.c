/*
 * The small workloads: one idea each.
 *
 * A workload NAME has a function NAME_pass(), which does a stretch of its work and returns how many
 * operations that were, and, where something has to be there before the clock starts, a function
 * NAME_start(). The runner (bench/runner.mjs) calls start once and pass as often as
 * bench/workloads.mjs says, so the loops here stay short: an engine replaces a function by its
 * optimized version only when it is called anew.
 *
 * An operation is one call of malloc, calloc, realloc, memalign or free. Each new block is written
 * to at its beginning, as any program would; what else a program does with its memory costs the same
 * with every allocator and is left out. All random numbers are the same in every run.
 */
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <emscripten/emscripten.h>

/* Functions that the runner calls. */
#define EXPORT EMSCRIPTEN_KEEPALIVE

/* The workloads' own data: whole pages, so that the runner can subtract them from the memory that
 * the workload needs and is left with what it would need without. */
#define PAGE 65536
#define OBJECTS 200000
#define SURVIVORS 8000

static struct {
  _Alignas(PAGE) char *objects[OBJECTS];
  uint32_t order[OBJECTS];
  char *survivors[SURVIVORS];
} tables;

_Static_assert(sizeof tables % PAGE == 0, "whole pages");

EXPORT size_t table_size(void) {
  return sizeof tables;
}

#define objects tables.objects

/* Marsaglia's xorshift. */
static uint32_t random_number(void) {
  static uint32_t state = 2463534242u;
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

static uint32_t random_between(uint32_t least, uint32_t most) {
  return least + random_number() % (most - least + 1);
}

/* What a program does when it gets memory: it checks and writes. */
static char *written(void *block) {
  if (!block)
    __builtin_trap();
  *(volatile char *)block = 1;
  return block;
}

static void fill(unsigned count, size_t (*size)(void)) {
  for (unsigned i = 0; i < count; ++i)
    objects[i] = written(malloc(size()));
}

/* Replaces one object after another, chosen at random, by a new one. */
static inline unsigned replace(unsigned times, unsigned count, size_t (*size)(void)) {
  for (unsigned i = 0; i < times; ++i) {
    char **object = &objects[random_number() % count];
    free(*object);
    *object = written(malloc(size()));
  }
  return 2 * times;
}

/* ---- small blocks in simple orders ---- */

/* One block of 32 bytes, allocated and freed: the least that an allocator can do. */
EXPORT unsigned pair_pass(void) {
  for (unsigned i = 0; i < 1000; ++i)
    free(written(malloc(32)));
  return 2000;
}

/* The last allocated is the first freed, as a recursive program does. */
EXPORT unsigned lifo_pass(void) {
  for (unsigned i = 0; i < 1000; ++i)
    objects[i] = written(malloc(64));
  for (unsigned i = 1000; i-- > 0;)
    free(objects[i]);
  return 2000;
}

/* The first allocated is the first freed, as a queue does. */
EXPORT unsigned fifo_pass(void) {
  for (unsigned i = 0; i < 1000; ++i)
    objects[i] = written(malloc(64));
  for (unsigned i = 0; i < 1000; ++i)
    free(objects[i]);
  return 2000;
}

/* ---- random lives and sizes ---- */

static size_t churn_size(void) {
  return random_between(16, 1024);
}

/* 10,000 live objects of 16 to 1024 bytes, replaced one by one. */
EXPORT void churn_start(void) {
  fill(10000, churn_size);
}

EXPORT unsigned churn_pass(void) {
  return replace(1000, 10000, churn_size);
}

/* From 8 bytes to 16 KiB; each doubling of the size is half as frequent. */
static size_t skewed_size(void) {
  uint32_t random = random_number();
  uint32_t least = 8u << __builtin_ctz(random | 1u << 10);
  return least + (random >> 11) % least;
}

/* 5,000 live objects, most of them small and a few large, as in most programs. */
EXPORT void skewed_start(void) {
  fill(5000, skewed_size);
}

EXPORT unsigned skewed_pass(void) {
  return replace(1000, 5000, skewed_size);
}

/* Up to 1,000 blocks of 1 byte to 10 KB, which come, go and change their size. */
EXPORT unsigned random_pass(void) {
  for (unsigned i = 0; i < 1000; ++i) {
    uint32_t random = random_number();
    char **object = &objects[(random >> 1) % 1000];
    if (*object && random % 2) {
      free(*object);
      *object = NULL;
    } else {
      *object = written(realloc(*object, random_between(1, 10240)));
    }
  }
  return 1000;
}

/* ---- growing buffers ---- */

/* One buffer that doubles from 16 bytes to 1 MiB. */
EXPORT unsigned doubling_pass(void) {
  char *buffer = NULL;
  unsigned operations = 0;
  for (size_t size = 16; size <= 1 << 20; size *= 2, ++operations)
    buffer = written(realloc(buffer, size));
  free(buffer);
  return operations + 1;
}

/* 16 vectors that grow in turn from 16 bytes to 32 KiB, each step as std::vector does it: a new
 * block, then the old one goes. (The copying is left out.) */
EXPORT unsigned vectors_pass(void) {
  enum { VECTORS = 16 };
  unsigned operations = 0;
  for (size_t size = 16; size <= 32768; size *= 2) {
    for (unsigned i = 0; i < VECTORS; ++i) {
      char *larger = written(malloc(size));
      free(objects[i]);
      objects[i] = larger;
    }
    operations += 2 * VECTORS;
  }
  for (unsigned i = 0; i < VECTORS; ++i) {
    free(objects[i]);
    objects[i] = NULL;
  }
  return operations;
}

/* ---- large blocks ---- */

static size_t large_size(void) {
  return random_between(4 << 10, 256 << 10);
}

/* 64 live blocks of 4 to 256 KiB, replaced one by one. */
EXPORT void large_start(void) {
  fill(64, large_size);
}

EXPORT unsigned large_pass(void) {
  return replace(100, 64, large_size);
}

static size_t huge_size(void) {
  return random_between(256 << 10, 4 << 20);
}

/* 16 live blocks of 256 KiB to 4 MiB, replaced one by one. */
EXPORT void huge_start(void) {
  fill(16, huge_size);
}

EXPORT unsigned huge_pass(void) {
  return replace(10, 16, huge_size);
}

/* ---- alignment and zeroes ---- */

/* 1,000 live blocks of 16 to 1024 bytes, aligned to cache lines. */
EXPORT void memalign_start(void) {
  for (unsigned i = 0; i < 1000; ++i)
    objects[i] = written(memalign(64, churn_size()));
}

EXPORT unsigned memalign_pass(void) {
  for (unsigned i = 0; i < 1000; ++i) {
    char **object = &objects[random_number() % 1000];
    free(*object);
    *object = written(memalign(64, churn_size()));
  }
  return 2000;
}

static inline unsigned calloc_and_free(unsigned count, size_t size) {
  for (unsigned i = 0; i < count; ++i)
    objects[i] = written(calloc(1, size));
  for (unsigned i = 0; i < count; ++i)
    free(objects[i]);
  return 2 * count;
}

/* 1,000 zeroed objects of 48 bytes. */
EXPORT unsigned calloc48_pass(void) {
  return calloc_and_free(1000, 48);
}

/* 64 zeroed pages of 4 KiB. */
EXPORT unsigned calloc4k_pass(void) {
  return calloc_and_free(64, 4096);
}

/* Two zeroed tables of 8 MiB: in the first pass from fresh memory, then from used. */
EXPORT unsigned calloc8m_pass(void) {
  return calloc_and_free(2, 8 << 20);
}

/* ---- many objects ---- */

/* 200,000 objects of 24 bytes, then freed in random order: a graph that is torn down. */
EXPORT void drain_start(void) {
  for (unsigned i = 0; i < OBJECTS; ++i) {
    uint32_t other = random_number() % (i + 1);
    tables.order[i] = tables.order[other];
    tables.order[other] = i;
  }
}

EXPORT unsigned drain_pass(void) {
  static unsigned done; /* the first half of the work fills, the second drains */
  enum { STEP = 4000 };
  if (done < OBJECTS)
    for (unsigned i = 0; i < STEP; ++i)
      objects[tables.order[done + i]] = written(malloc(24));
  else
    for (unsigned i = 0; i < STEP; ++i)
      free(objects[done - OBJECTS + i]);
  done = (done + STEP) % (2 * OBJECTS);
  return STEP;
}

/* Twelve phases, each of which fills 2 MiB with objects of one size and leaves every 64th behind:
 * the survivors are in the way of the next. At the end they go too. */
EXPORT unsigned phases_pass(void) {
  static const uint16_t sizes[] = {16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768};
  enum { PHASES = sizeof sizes / sizeof *sizes, STEP = 2048 };
  static unsigned phase, done, survivors;
  unsigned operations = 0;
  if (phase == PHASES) {
    for (; survivors; ++operations)
      free(tables.survivors[--survivors]);
    phase = 0;
    return operations;
  }
  unsigned count = (1 << 21) / sizes[phase];
  for (; operations < STEP && done < 2 * count; ++operations, ++done) {
    if (done < count)
      objects[done] = written(malloc(sizes[phase]));
    else if ((done - count) % 64)
      free(objects[done - count]);
    else
      tables.survivors[survivors++] = objects[done - count];
  }
  if (done == 2 * count) {
    ++phase;
    done = 0;
  }
  return operations;
}

/* ---- for single bars ---- */

/* A program with 50 small objects. */
EXPORT unsigned fifty_pass(void) {
  for (unsigned i = 0; i < 50; ++i)
    objects[i] = written(malloc(8 + i % 8 * 8));
  return 50;
}

/* Keeps 64 small objects coming and going beside a buffer that grows. */
static void others(void) {
  static unsigned next;
  char **object = &objects[next++ % 64];
  free(*object);
  *object = written(malloc(24 + next % 5 * 16));
}

/* A buffer that doubles, with other allocations in between and old ones around it. The time is
 * per step: one realloc and the other allocation. */
EXPORT unsigned grow_twice_pass(void) {
  char *buffer = NULL;
  unsigned steps = 0;
  for (size_t size = 16; size <= 1 << 20; size *= 2, ++steps) {
    buffer = written(realloc(buffer, size));
    others();
  }
  free(buffer);
  return steps;
}

/* The same, 64 bytes more at each step, up to 64 KiB. */
EXPORT unsigned grow_64_pass(void) {
  char *buffer = NULL;
  unsigned steps = 0;
  for (size_t size = 64; size <= 65536; size += 64, ++steps) {
    buffer = written(realloc(buffer, size));
    others();
  }
  free(buffer);
  return steps;
}

/*
 * Whether a buffer grows in place when the space behind it is free: a buffer of so many bytes grows
 * into the block behind, which has been freed. Returns for how many sizes, from 512 bytes to 64 KiB, it
 * moved instead.
 */
EXPORT unsigned in_place_pass(void) {
  unsigned failures = 0;
  for (size_t size = 512; size <= 65536; size = size * 5 / 4) {
    char *buffer = written(malloc(size));
    char *behind = written(malloc(size));
    char *guard = written(malloc(size));
    free(behind);
    /* Only if the blocks really lie in this order, and nothing is between. */
    if (guard > behind && behind > buffer && (size_t)(behind - buffer) < size + 64) {
      char *larger = written(realloc(buffer, size + size / 2));
      failures += larger != buffer;
      buffer = larger;
    }
    free(buffer);
    free(guard);
  }
  return failures;
}
