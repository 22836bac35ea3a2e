/*
 * What the workloads of the benchmark with threads (workloads.c) have in common: the threads, the
 * blocks, the queues. driver.c starts the threads and has the clock.
 *
 * The same workloads are also built without -pthread, for the price of threads: then there is one
 * thread, the program's own, and it never waits.
 */
#ifndef BENCH_THREADS_H
#define BENCH_THREADS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <emscripten/emscripten.h>
#ifdef __EMSCRIPTEN_PTHREADS__
#include <pthread.h>
#endif

/* Functions that the runner calls. */
#define EXPORT EMSCRIPTEN_KEEPALIVE

enum { MOST_THREADS = 64, OBJECTS = 10000 };

/* Why a run fails. The runner (bench/runner.mjs) has the words. */
enum failure { NONE, NO_MEMORY, CONTENTS, STUCK };

/* Ends the run: it has failed. */
_Noreturn void fail(enum failure reason);

/* ---- threads ---- */

struct thread;

struct workload {
  /* What has to be there before the clock starts. May be NULL. */
  void (*start)(struct thread *self);
  /* A stretch of the work. Returns how many operations that were. */
  unsigned (*pass)(struct thread *self);
  /* After so many passes a thread ends, and a new one takes over its objects. 0: never. */
  unsigned passes_per_life;
};

/* Far enough apart for no two to share a cache line, nor a pair of lines that come together. */
#define APART _Alignas(128)

struct thread {
  APART const struct workload *workload;
  unsigned index;     /* 0 … threads - 1 */
  uint32_t **objects; /* room for OBJECTS of them */
  uint32_t random;
  uint16_t tag; /* of the last block that it made */
  unsigned passes;
  uint64_t operations;
  atomic_int has_ended;
#ifdef __EMSCRIPTEN_PTHREADS__
  pthread_t handle;
#endif
};

/* How many threads the run has. */
extern unsigned threads;

/* Whether the run ends early: no thread waits for another any more. */
extern atomic_int stop;

/* ---- random numbers ---- */

/* Marsaglia's xorshift. */
static inline uint32_t random_number(struct thread *self) {
  uint32_t state = self->random;
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return self->random = state;
}

static inline uint32_t random_between(struct thread *self, uint32_t least, uint32_t most) {
  return least + random_number(self) % (most - least + 1);
}

/* From `least` to `least << doublings`; each doubling of the size is half as frequent. */
static inline uint32_t random_skewed(struct thread *self, uint32_t least, unsigned doublings) {
  uint32_t random = random_number(self);
  uint32_t size = least << __builtin_ctz(random | 1u << (doublings - 1));
  return size + (random >> doublings) % size;
}

/* ---- blocks ---- */

/* Of at least 8 bytes and less than 64 KiB. The first word has the size and a tag, the last word the
 * complement of the first. */
static inline uint32_t *last_word(uint32_t *block, uint32_t first) {
  return &block[(first >> 16) / sizeof *block - 1];
}

static inline uint32_t *mark(struct thread *self, uint32_t *block, uint32_t size) {
  uint32_t first = size << 16 | ++self->tag;
  *(volatile uint32_t *)block = first;
  *(volatile uint32_t *)last_word(block, first) = ~first;
  return block;
}

static inline uint32_t *make(struct thread *self, uint32_t size) {
  uint32_t *block = malloc(size);
  if (!block)
    fail(NO_MEMORY);
  return mark(self, block, size);
}

static inline uint32_t check(uint32_t *block) {
  uint32_t first = *block;
  if (*last_word(block, first) != ~first)
    fail(CONTENTS);
  return first;
}

/* A block is given another size. */
static inline uint32_t *resize(struct thread *self, uint32_t *block, uint32_t size) {
  uint32_t old = check(block);
  block = realloc(block, size);
  if (!block)
    fail(NO_MEMORY);
  if (*block != old)
    fail(CONTENTS);
  return mark(self, block, size);
}

/* The block is no longer sound when it is freed: who else has got the same will notice. */
static inline void dispose(uint32_t *block) {
  check(block);
  *(volatile uint32_t *)block = 0;
  free(block);
}

/* Blocks of at least 12 bytes can be linked: the second word of each leads to the next. */
static inline uint32_t *next_block(const uint32_t *block) {
  return (uint32_t *)(uintptr_t)block[1];
}

static inline uint32_t *link_block(uint32_t *block, uint32_t *next) {
  block[1] = (uint32_t)(uintptr_t)next;
  return block;
}

/* Frees a chain of blocks. Returns how many there were. */
static inline unsigned dispose_chain(uint32_t *block) {
  unsigned count = 0;
  for (uint32_t *next; block; block = next, ++count) {
    next = next_block(block);
    dispose(block);
  }
  return count;
}

/* Puts another block in the place of one, or of none. Returns how many operations that were. */
static inline unsigned replace(struct thread *self, uint32_t **object, uint32_t size) {
  uint32_t *old = *object;
  if (old)
    dispose(old);
  *object = make(self, size);
  return old ? 2 : 1;
}

/* ---- waiting ---- */

/* So often a thread looks before it sleeps: some ten microseconds. In a counted run nothing comes of it
 * before it ends its turn. */
#ifdef COUNTED
enum { SPINS = 1 };
#else
enum { SPINS = 5000 };
#endif

/* Sleeps until somebody wakes those who wait for *word, for so many nanoseconds at most, unless it is
 * not `value`. Only in a build with threads there is ever a reason to. */
void sleep_while(atomic_int *word, int value, int64_t nanoseconds);

/* Waits, not for long, until *word is no longer `value`. */
static inline void wait_while(atomic_int *word, int value) {
  for (int spins = 0; spins < SPINS; ++spins)
    if (atomic_load_explicit(word, memory_order_relaxed) != value)
      return;
  sleep_while(word, value, 1000000);
}

static inline void wake(atomic_int *word) {
#ifdef __EMSCRIPTEN_PTHREADS__
  __builtin_wasm_memory_atomic_notify((int *)word, INT32_MAX);
#else
  (void)word;
#endif
}

/* Waits for all threads. False when the run ends early. */
bool meet(void);

/* ---- queues ---- */

/*
 * Blocks on their way from one thread to another. The numbers of those that were put in and taken out
 * only grow; each side publishes its own now and then, and has a copy of the other's that it renews
 * when it has to, so that the queue costs little next to malloc and free.
 */
enum { QUEUE = 1024 };

struct queue {
  APART uint32_t *blocks[QUEUE];
  APART struct side {
    unsigned done;         /* blocks put in, or taken out */
    unsigned other;        /* what the other side had done when this one looked */
    atomic_int published;  /* what the other side may know of `done` */
    atomic_int is_waiting; /* for what the other side publishes */
  } in;
  APART struct side out;
};

static inline void publish(struct side *side, struct side *other) {
  atomic_store(&side->published, (int)side->done);
  if (atomic_load(&other->is_waiting))
    wake(&side->published);
}

/* How many blocks can be put in, as far as is known. */
static inline unsigned queue_room(struct queue *queue) {
  return QUEUE - (queue->in.done - queue->in.other);
}

/* How many can be taken out. */
static inline unsigned queue_length(struct queue *queue) {
  return queue->out.other - queue->out.done;
}

static inline void look(struct side *side, struct side *other) {
  side->other = (unsigned)atomic_load(&other->published);
}

/* Waits a while for what the other side does. */
static inline void wait_for(struct side *side, struct side *other) {
  atomic_store(&side->is_waiting, 1);
  wait_while(&other->published, (int)side->other);
  atomic_store(&side->is_waiting, 0);
  look(side, other);
}

static inline void put(struct queue *queue, uint32_t *block) {
  queue->blocks[queue->in.done++ % QUEUE] = block;
}

static inline uint32_t *take(struct queue *queue) {
  return queue->blocks[queue->out.done++ % QUEUE];
}

/* ---- a shelf ---- */

/* Where any thread lays a block down and any other takes it, one place each: more places than a workload
 * needs. What is taken by an atomic exchange nobody else has. */
enum { SHELF = 2048 };

typedef _Atomic(uint32_t *) place;

/* ---- the benchmark's own data ---- */

/* Whole pages, so that the runner can subtract them from the memory that the workload needs and is left
 * with what it would need without. */
#define PAGE 65536

extern struct tables {
  _Alignas(PAGE) struct queue queues[MOST_THREADS]; /* the ones that lead to each thread */
  struct thread threads[MOST_THREADS];
  /* One row more than there are threads: what a thread leaves goes to the next that starts. */
  uint32_t *objects[MOST_THREADS + 1][OBJECTS];
  APART place shelf[SHELF];
} tables;

#define queues tables.queues
#define shelf tables.shelf

#endif
