/*
 * The workloads with threads.
 *
 * An operation is one call of malloc, realloc or free, and in `neighbours` one write. Every thread writes to
 * the blocks that it allocates; whoever frees a block checks it, and has to read it for that.
 */
#include "threads.h"

/* The runner finds a workload by its function workload_NAME(). */
#define WORKLOAD(name, ...)                                                                        \
  EXPORT const struct workload *workload_##name(void) {                                            \
    static const struct workload workload = {__VA_ARGS__};                                         \
    return &workload;                                                                              \
  }                                                                                                \
  _Static_assert(1, "for the semicolon")

enum { STEPS = 1000 };

/* ---- each thread its own ---- */

/* Blocks of 8 to 256 bytes that live for a moment: eight at a time. */
static unsigned pairs_pass(struct thread *self) {
  unsigned operations = 0;
  for (unsigned i = 0; i < STEPS; ++i)
    operations += replace(self, &self->objects[i % 8], random_between(self, 8, 256));
  return operations;
}

WORKLOAD(pairs, .pass = pairs_pass);

/* 1000 of 64 bytes; the last allocated is the first freed. */
static unsigned own_lifo_pass(struct thread *self) {
  for (unsigned i = 0; i < STEPS; ++i)
    self->objects[i] = make(self, 64);
  for (unsigned i = STEPS; i-- > 0; self->objects[i] = NULL)
    dispose(self->objects[i]);
  return 2 * STEPS;
}

WORKLOAD(own_lifo, .pass = own_lifo_pass);

/* The first allocated is the first freed. */
static unsigned own_fifo_pass(struct thread *self) {
  for (unsigned i = 0; i < STEPS; ++i)
    self->objects[i] = make(self, 64);
  for (unsigned i = 0; i < STEPS; self->objects[i++] = NULL)
    dispose(self->objects[i]);
  return 2 * STEPS;
}

WORKLOAD(own_fifo, .pass = own_fifo_pass);

/* Phases: 10,000 of 8 to 64 bytes are allocated, and then all are freed. */
static unsigned own_phases_pass(struct thread *self) {
  for (unsigned i = 0; i < OBJECTS; ++i)
    self->objects[i] = make(self, random_between(self, 8, 64));
  for (unsigned i = 0; i < OBJECTS; self->objects[i++] = NULL)
    dispose(self->objects[i]);
  return 2 * OBJECTS;
}

WORKLOAD(own_phases, .pass = own_phases_pass);

/* 10,000 live objects of 16 to 256 bytes, replaced one by one. */
static void own_churn_start(struct thread *self) {
  for (unsigned i = 0; i < OBJECTS; ++i)
    self->objects[i] = make(self, random_between(self, 16, 256));
}

static unsigned own_churn_pass(struct thread *self) {
  unsigned operations = 0;
  for (unsigned i = 0; i < STEPS; ++i) {
    uint32_t **object = &self->objects[random_number(self) % OBJECTS];
    operations += replace(self, object, random_between(self, 16, 256));
  }
  return operations;
}

WORKLOAD(own_churn, .start = own_churn_start, .pass = own_churn_pass);

/* So many live objects of skewed sizes. */
static inline void make_skewed(struct thread *self, unsigned count, uint32_t least,
                               unsigned doublings) {
  for (unsigned i = 0; i < count; ++i)
    self->objects[i] = make(self, random_skewed(self, least, doublings));
}

/* They are replaced one by one. Inlined: the sizes are constants in the loop that is timed. */
__attribute__((always_inline)) static inline unsigned
replace_skewed(struct thread *self, unsigned count, uint32_t least, unsigned doublings) {
  unsigned operations = 0;
  for (unsigned i = 0; i < STEPS; ++i) {
    uint32_t **object = &self->objects[random_number(self) % count];
    operations += replace(self, object, random_skewed(self, least, doublings));
  }
  return operations;
}

/* 5,000 live objects of 16 bytes to 16 KiB, most of them small and a few large. */
enum { MIXED = 5000 };

static void own_mixed_start(struct thread *self) {
  make_skewed(self, MIXED, 16, 10);
}

static unsigned own_mixed_pass(struct thread *self) {
  return replace_skewed(self, MIXED, 16, 10);
}

WORKLOAD(own_mixed, .start = own_mixed_start, .pass = own_mixed_pass);

/* 2,000 live blocks of 512 bytes to 16 KiB: buffers, most of them of a few KiB. */
enum { BUFFERS = 2000 };

static void own_buffers_start(struct thread *self) {
  make_skewed(self, BUFFERS, 512, 5);
}

static unsigned own_buffers_pass(struct thread *self) {
  return replace_skewed(self, BUFFERS, 512, 5);
}

WORKLOAD(own_buffers, .start = own_buffers_start, .pass = own_buffers_pass);

/* 1,000 live vectors, replaced one by one. Each begins with 16 bytes, and grows by a half with realloc to between 64
 * bytes and 16 KiB. */
static unsigned own_growing_pass(struct thread *self) {
  unsigned operations = 0;
  for (unsigned i = 0; i < STEPS / 10; ++i) {
    uint32_t most = random_skewed(self, 64, 8);
    uint32_t size = 16;
    uint32_t **vector = &self->objects[random_number(self) % 1000];
    operations += replace(self, vector, size);
    for (; size < most; ++operations)
      *vector = resize(self, *vector, size += size / 2);
  }
  return operations;
}

WORKLOAD(own_growing, .pass = own_growing_pass);

/* ---- from thread to thread ---- */

/* So many blocks are put in, or taken out, before the other side hears of it. */
enum { BATCH = 50 };

/* Messages have 16 bytes to SHORT, or to LONG. */
enum { SHORT = 512, LONG = 4096 };

static uint32_t message_size(struct thread *self, uint32_t most) {
  return random_between(self, 16, most);
}

static unsigned put_batch(struct thread *self, struct queue *queue, unsigned count, uint32_t most) {
  for (unsigned i = 0; i < count; ++i)
    put(queue, make(self, message_size(self, most)));
  publish(&queue->in, &queue->out);
  return count;
}

static unsigned take_batch(struct queue *queue, unsigned count) {
  for (unsigned i = 0; i < count; ++i)
    dispose(take(queue));
  publish(&queue->out, &queue->in);
  return count;
}

/* Every other thread only allocates, and the one behind it only frees. A thread without a partner
 * does both in turn. */
static unsigned produce_or_consume(struct thread *self, uint32_t most) {
  struct queue *queue = &queues[self->index | 1];
  unsigned operations = 0;
  bool is_alone = (self->index | 1) >= threads;
  for (unsigned done = 0; done < STEPS; done += BATCH) {
    if (is_alone || self->index % 2 == 0) {
      while (queue_room(queue) < BATCH) {
        if (stop)
          return operations;
        wait_for(&queue->in, &queue->out);
      }
      operations += put_batch(self, queue, BATCH, most);
    }
    if (is_alone || self->index % 2 == 1) {
      look(&queue->out, &queue->in);
      while (queue_length(queue) < BATCH) {
        if (stop)
          return operations;
        wait_for(&queue->out, &queue->in);
      }
      operations += take_batch(queue, BATCH);
    }
  }
  return operations;
}

static unsigned producer_consumer_pass(struct thread *self) {
  return produce_or_consume(self, SHORT);
}

WORKLOAD(producer_consumer, .pass = producer_consumer_pass);

static unsigned long_messages_pass(struct thread *self) {
  return produce_or_consume(self, LONG);
}

WORKLOAD(long_messages, .pass = long_messages_pass);

/* Each thread allocates for its right neighbour, and frees what its left neighbour allocated, in
 * batches. */
static unsigned ring_pass(struct thread *self) {
  enum { RING_BATCH = 100 };
  struct queue *own = &queues[self->index];
  struct queue *next = &queues[(self->index + 1) % threads];
  unsigned allocated = 0, freed = 0;
  while (freed < STEPS && !stop) {
    look(&next->in, &next->out);
    if (allocated < STEPS && queue_room(next) >= RING_BATCH)
      allocated += put_batch(self, next, RING_BATCH, SHORT);
    look(&own->out, &own->in);
    if (queue_length(own) >= RING_BATCH)
      freed += take_batch(own, RING_BATCH);
    else if (allocated == STEPS || queue_room(next) < RING_BATCH)
      wait_for(&own->out, &own->in);
  }
  return allocated + freed;
}

WORKLOAD(ring, .pass = ring_pass);

/* ---- threads that come and go ---- */

/* A server, after P.-Å. Larson: 1000 blocks of 16 bytes to 4 KiB, replaced one by one by a thread that
 * ends after a while. The next thread goes on with what another has left. */
static unsigned server_pass(struct thread *self) {
  return replace_skewed(self, 1000, 16, 8);
}

WORKLOAD(server, .pass = server_pass, .passes_per_life = 50);

/* A thread frees the eight blocks that another left behind, allocates and frees 300 of its own and
 * leaves eight. */
static unsigned thread_churn_pass(struct thread *self) {
  enum { LEFT = 8, OWN = 300 };
  unsigned operations = 2 * OWN;
  for (unsigned i = LEFT; i < LEFT + OWN; ++i)
    self->objects[i] = make(self, message_size(self, SHORT));
  for (unsigned i = 0; i < LEFT; ++i)
    operations += replace(self, &self->objects[i], message_size(self, SHORT));
  for (unsigned i = LEFT; i < LEFT + OWN; self->objects[i++] = NULL)
    dispose(self->objects[i]);
  return operations;
}

WORKLOAD(thread_churn, .pass = thread_churn_pass, .passes_per_life = 1);

/* ---- cache lines ---- */

/* The first thread allocates small blocks and deals them out. Each thread writes to its own again and
 * again, frees them, allocates as many itself, and writes again. What is written twice to a cache line
 * by two threads costs more than malloc. */
static unsigned neighbours_pass(struct thread *self) {
  enum { EACH = 16, WRITES = 4000 };
  static uint32_t *dealt[EACH * MOST_THREADS];
  if (!meet())
    return 0;
  if (self->index == 0)
    for (unsigned i = 0; i < EACH * threads; ++i)
      dealt[i] = make(self, random_between(self, 8, 64));
  if (!meet())
    return 0;
  for (unsigned i = 0; i < EACH; ++i)
    self->objects[i] = dealt[i * threads + self->index];
  for (unsigned turn = 0;; ++turn) {
    uint32_t before[EACH];
    for (unsigned i = 0; i < EACH; ++i)
      before[i] = *self->objects[i];
    /* The first word counts up, and back again, before the block is checked. */
    for (unsigned writes = 0; writes < WRITES; ++writes)
      for (unsigned i = 0; i < EACH; ++i)
        ++*(volatile uint32_t *)self->objects[i];
    for (unsigned i = 0; i < EACH; ++i)
      if ((*self->objects[i] -= WRITES) != before[i])
        fail(CONTENTS);
    if (turn)
      break;
    for (unsigned i = 0; i < EACH; ++i)
      replace(self, &self->objects[i], random_between(self, 8, 64));
  }
  for (unsigned i = 0; i < EACH; self->objects[i++] = NULL)
    dispose(self->objects[i]);
  return 2 * EACH * WRITES;
}

WORKLOAD(neighbours, .pass = neighbours_pass);
