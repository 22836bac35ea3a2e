/*
 * How often 5_wasmalloc takes the lock in a program with threads. A thread replaces its blocks one by one, in
 * random order, or resizes them, or allocates and frees them all in turn, and the takings are counted: exact, where a
 * time would depend on the machine.
 *
 * Usage: locks. Prints a line for each range of sizes, and ends with 1 if there were too many.
 */
#include "../../lib/lock.h"

static unsigned long takings; /* so far */
static unsigned long counted; /* of a range */
#define heap_lock() (++takings, heap_lock())
#include "../../lib/c_interface.c"
#include "../../lib/memory_host.h"

enum { BLOCKS = 2000, REPLACED = 100000 };

static uint32_t random_below(uint32_t limit) {
  static uint32_t state = 1;
  state = state * 1664525 + 1013904223;
  return (uint32_t)((uint64_t)state * limit >> 32);
}

/* What becomes of a block: another in its place, another size, half as much again until it is replaced, or it is
 * freed once all are there. */
enum change { REPLACED_BY_ANOTHER, RESIZED, GROWN, FREED };

/* A thread has blocks of a range, and no others. */
struct range {
  const char *name;
  uint32_t least, most;  /* sizes in bytes */
  unsigned per_thousand; /* takings of the lock for 1000 blocks, at most */
  enum change change;
};

/* Words have 8 bytes here, and small blocks up to 1 KB. */
static const struct range ranges[] = {
    /* First, for while the heap is small lists have room for few. */
    {"small, all freed", 500, 1000, 50, FREED},
    {"small", 1, 1000, 20, REPLACED_BY_ANOTHER},
    {"around 3 KB", 2000, 4000, 30, REPLACED_BY_ANOTHER},
    {"medium", 1200, 32000, 20, REPLACED_BY_ANOTHER},
    {"small and medium", 1, 4000, 10, REPLACED_BY_ANOTHER},
    {"small, resized", 1, 1000, 20, RESIZED},
    {"medium, grown", 1200, 16000, 400, GROWN},
};

static void *replace_blocks(void *argument) {
  const struct range *range = argument;
  static void *blocks[BLOCKS];
  for (uint32_t step = 0; step < 2 * REPLACED; ++step) {
    if (step == REPLACED)
      counted = takings;
    void **block = &blocks[range->change == FREED ? step % BLOCKS : random_below(BLOCKS)];
    size_t size = range->least + random_below(range->most - range->least + 1);
    size_t grown = wasmalloc_malloc_usable_size(*block) / 2 * 3;
    if (range->change == FREED && *block) {
      wasmalloc_free(*block);
      *block = NULL;
    } else if (range->change == RESIZED) {
      *block = wasmalloc_realloc(*block, size);
    } else if (range->change == GROWN && grown && grown <= range->most) {
      *block = wasmalloc_realloc(*block, grown);
    } else {
      wasmalloc_free(*block);
      *block = wasmalloc_malloc(size);
    }
  }
  counted = takings - counted;
  for (uint32_t i = 0; i < BLOCKS; ++i) {
    wasmalloc_free(blocks[i]);
    blocks[i] = NULL;
  }
  return NULL;
}

int main(void) {
  /* As in a program whose linear memory does not have to grow any more: caches put aside less where it may. */
  enum { ROOM = 64 << 20 };
  wasmalloc_sbrk(ROOM);
  wasmalloc_sbrk(-ROOM);
  bool too_many = false;
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, replace_blocks, (void *)&ranges[i]) ||
        pthread_join(thread, NULL))
      return 2;
    unsigned long limit = (unsigned long)ranges[i].per_thousand * REPLACED / 1000;
    printf("%s %s: %lu of at most %lu\n", counted <= limit ? "ok" : "not ok", ranges[i].name,
           counted, limit);
    too_many |= counted > limit;
  }
  return too_many;
}
