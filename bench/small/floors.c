/*
 * Floors: for each small workload the cheapest code that could serve it.
 *
 * None of these is an allocator: each knows what the workload will do, never merges, never checks
 * and never gives anything back. They show how much of a time is the workload itself and the calls,
 * which no allocator can be faster than. FLOOR chooses one; bench/workloads.mjs says which goes with
 * which workload.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAME 1    /* one block, always the same */
#define STACK 2   /* the last allocated is the first freed */
#define CELLS 3   /* all blocks of one size */
#define BUFFER 4  /* one buffer that grows */
#define CLASSES 5 /* a list per size class, and the class before the block */
#define ARENA 6   /* all blocks are freed before the next is allocated */

#define NOT_INLINED __attribute__((noinline))
#define ROUND_UP(number, unit) (((number) + (unit)-1) & ~(size_t)((unit)-1))

/* The memory that the runner has grown beforehand; nobody else asks for any. */
static char *top;

static char *bump(size_t alignment, size_t bytes) {
  if (!top)
    top = sbrk(0);
  char *block = (char *)ROUND_UP((uintptr_t)top, alignment);
  top = block + ROUND_UP(bytes, 8);
  return block;
}

NOT_INLINED void *malloc(size_t bytes);
NOT_INLINED void free(void *block);

#if FLOOR == SAME

void *malloc(size_t bytes) {
  (void)bytes;
  static char *block;
  return block ? block : (block = bump(8, 1 << 16));
}

void free(void *block) {
  (void)block;
}

#elif FLOOR == STACK

void *malloc(size_t bytes) {
  return bump(8, bytes);
}

void free(void *block) {
  top = block;
}

#elif FLOOR == CELLS

static struct cell { struct cell *next; } * cells;

void *malloc(size_t bytes) {
  struct cell *cell = cells;
  if (!cell)
    return bump(8, bytes);
  cells = cell->next;
  return cell;
}

void free(void *block) {
  struct cell *cell = block;
  cell->next = cells;
  cells = cell;
}

#elif FLOOR == ARENA

static char *start;
static size_t live;

void *malloc(size_t bytes) {
  ++live;
  return bump(8, bytes);
}

void free(void *block) {
  if (!start)
    start = sbrk(0);
  (void)block;
  if (--live == 0)
    top = start;
}

#elif FLOOR == BUFFER

void *malloc(size_t bytes) {
  return bump(8, bytes);
}

void free(void *block) {
  top = block;
}

void *realloc(void *block, size_t bytes) {
  if (!block)
    return malloc(bytes);
  top = (char *)block + bytes;
  return block;
}

#elif FLOOR == CLASSES

struct block {
  struct block *next;
};

static struct block *lists[128 + 32];

static size_t *class_of(void *block) {
  return (size_t *)block - 1;
}

/* Eight bytes apart up to 1 KiB, powers of two above. */
static size_t size_class(size_t bytes) {
  return bytes <= 1016 ? (bytes + 7) / 8 : 128 + 32 - (size_t)__builtin_clz(bytes - 1);
}

static size_t class_size(size_t class) {
  return class < 128 ? class * 8 : (size_t)1 << (class - 128);
}

void *malloc(size_t bytes) {
  size_t class = size_class(bytes);
  struct block *block = lists[class];
  if (block) {
    lists[class] = block->next;
    return block;
  }
  char *fresh = bump(8, 8 + class_size(class)) + 8;
  *class_of(fresh) = class;
  return fresh;
}

void free(void *block) {
  if (!block)
    return;
  struct block **list = &lists[*class_of(block)];
  ((struct block *)block)->next = *list;
  *list = block;
}

void *realloc(void *block, size_t bytes) {
  if (!block)
    return malloc(bytes);
  size_t old = class_size(*class_of(block));
  if (bytes <= old)
    return block;
  void *moved = malloc(bytes);
  memcpy(moved, block, old);
  free(block);
  return moved;
}

/* The one workload that calls this does so for all its blocks and with one alignment. */
void *memalign(size_t alignment, size_t bytes) {
  size_t class = size_class(ROUND_UP(bytes, 64));
  struct block *block = lists[class];
  if (block) {
    lists[class] = block->next;
    return block;
  }
  bump(8, 8);
  char *fresh = bump(alignment, class_size(class));
  *class_of(fresh) = class;
  return fresh;
}

#endif

/* Memory that has not been used yet is zero. */
void *calloc(size_t count, size_t size) {
  char *old_top = top;
  char *block = malloc(count * size);
  return block < old_top ? memset(block, 0, count * size) : block;
}

#if FLOOR != BUFFER && FLOOR != CLASSES
void *realloc(void *block, size_t bytes) {
  return block ? block : malloc(bytes);
}
#endif

#if FLOOR != CLASSES
void *memalign(size_t alignment, size_t bytes) {
  return bump(alignment, bytes);
}
#endif
