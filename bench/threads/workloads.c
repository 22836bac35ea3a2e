/*
 * The workloads with threads.
 *
 * An operation is one call of malloc, realloc or free; in those about cache lines one write, and in
 * `shared_cache` one look-up. Every thread writes to the blocks that it allocates; whoever frees a block
 * checks it, and has to read it for that.
 */
#include "threads.h"
#include "transfers.h"

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

/* Phases: 10,000 of 8 to 64 bytes are allocated, and then all are freed; where it is counted 1,000. */
static unsigned own_phases_pass(struct thread *self) {
  enum { ALL = IS_COUNTED ? 1000 : 10000 };
  for (unsigned i = 0; i < ALL; ++i)
    self->objects[i] = make(self, random_between(self, 8, 64));
  for (unsigned i = 0; i < ALL; self->objects[i++] = NULL)
    dispose(self->objects[i]);
  return 2 * ALL;
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

static unsigned put_short(struct thread *self, struct queue *queue) {
  return put_batch(self, queue, BATCH, SHORT);
}

static unsigned put_long(struct thread *self, struct queue *queue) {
  return put_batch(self, queue, BATCH, LONG);
}

static unsigned take_batch(struct queue *queue, unsigned count) {
  for (unsigned i = 0; i < count; ++i)
    dispose(take(queue));
  publish(&queue->out, &queue->in);
  return count;
}

static unsigned take_messages(struct thread *self, struct queue *queue) {
  (void)self;
  return take_batch(queue, BATCH);
}

/* Of each pair of threads one works for the other, or one without a partner for itself. */
static inline bool is_alone(const struct thread *self) {
  return (self->index | 1) >= threads;
}

static inline bool produces(const struct thread *self) {
  return is_alone(self) || self->index % 2 == 0;
}

static inline bool consumes(const struct thread *self) {
  return is_alone(self) || self->index % 2 == 1;
}

typedef unsigned part_of_work(struct thread *self, struct queue *queue);

/* Every other thread only produces, and the one behind it only consumes: a batch at a time. A thread
 * without a partner does both in turn. Inlined, so that what they do is as well. */
__attribute__((always_inline)) static inline unsigned
produce_or_consume(struct thread *self, part_of_work *produce, part_of_work *consume) {
  struct queue *queue = &queues[self->index | 1];
  unsigned operations = 0;
  for (unsigned done = 0; done < STEPS; done += BATCH) {
    if (produces(self)) {
      while (queue_room(queue) < BATCH) {
        if (stop)
          return operations;
        wait_for(&queue->in, &queue->out);
      }
      operations += produce(self, queue);
    }
    if (consumes(self)) {
      look(&queue->out, &queue->in);
      while (queue_length(queue) < BATCH) {
        if (stop)
          return operations;
        wait_for(&queue->out, &queue->in);
      }
      operations += consume(self, queue);
    }
  }
  return operations;
}

/* One only allocates, and the other only frees. */
static unsigned producer_consumer_pass(struct thread *self) {
  return produce_or_consume(self, put_short, take_messages);
}

WORKLOAD(producer_consumer, .pass = producer_consumer_pass);

static unsigned long_messages_pass(struct thread *self) {
  return produce_or_consume(self, put_long, take_messages);
}

WORKLOAD(long_messages, .pass = long_messages_pass);

/* Strings built by one and kept by the other. A string grows piece by piece, its buffer by a half with
 * realloc, and is cut to its length when it is done: 16 bytes to 4 KiB, most of them short. */
static unsigned build_strings(struct thread *self, struct queue *queue) {
  unsigned operations = 0;
  for (unsigned i = 0; i < BATCH; ++i) {
    uint32_t length = random_skewed(self, 16, 8);
    uint32_t room = 24;
    uint32_t *string = make(self, room);
    for (; room < length; ++operations)
      string = resize(self, string, room += room / 2);
    put(queue, resize(self, string, length));
    operations += 2;
  }
  publish(&queue->in, &queue->out);
  return operations;
}

/* The other has 4,000 of them; a new one takes the place of any. */
static unsigned keep_strings(struct thread *self, struct queue *queue) {
  enum { KEPT = 4000 };
  unsigned operations = 0;
  for (unsigned i = 0; i < BATCH; ++i) {
    uint32_t **kept = &self->objects[random_number(self) % KEPT];
    if (*kept) {
      dispose(*kept);
      ++operations;
    }
    *kept = take(queue);
  }
  publish(&queue->out, &queue->in);
  return operations;
}

static unsigned strings_pass(struct thread *self) {
  return produce_or_consume(self, build_strings, keep_strings);
}

WORKLOAD(strings, .pass = strings_pass);

/* Each thread allocates for its right neighbour, and frees what its left neighbour allocated, in
 * batches. */
static unsigned ring_pass(struct thread *self) {
  enum { RING_BATCH = 100 };
  struct queue *own = &queues[self->index];
  struct queue *next = &queues[(self->index + 1) % threads];
  unsigned allocated = 0, freed = 0;
  /* Each pass does all of both, or the neighbour's last pass would wait for ever. */
  while ((allocated < STEPS || freed < STEPS) && !stop) {
    look(&next->in, &next->out);
    look(&own->out, &own->in);
    bool can_put = allocated < STEPS && queue_room(next) >= RING_BATCH;
    bool can_take = freed < STEPS && queue_length(own) >= RING_BATCH;
    if (can_put)
      allocated += put_batch(self, next, RING_BATCH, SHORT);
    if (can_take)
      freed += take_batch(own, RING_BATCH);
    if (can_put || can_take)
      continue;
    if (freed < STEPS)
      wait_for(&own->out, &own->in);
    else
      wait_for(&next->in, &next->out);
  }
  return allocated + freed;
}

WORKLOAD(ring, .pass = ring_pass);

/* Random sizes of 16 to 16,000 bytes: 300 live blocks of each thread, replaced one by one. Every fourth
 * is not freed by its thread but by the next one, which looks now and then whether any have come. */
static unsigned crossing_pass(struct thread *self) {
  enum { LIVE = 300, LEAST = 16, MOST = 16000, BETWEEN_LOOKS = 20, ON_THE_WAY = 100 };
  struct queue *own = &queues[self->index];
  struct queue *next = &queues[(self->index + 1) % threads];
  unsigned operations = 0;
  for (unsigned i = 0; i < STEPS; ++i) {
    uint32_t **object = &self->objects[random_number(self) % LIVE];
    if (*object && i % 4 == 0 && queue_room(next) > QUEUE - ON_THE_WAY) {
      put(next, *object);
      *object = NULL;
    }
    operations += replace(self, object, random_between(self, LEAST, MOST));
    if (i % BETWEEN_LOOKS != 0)
      continue;
    publish(&next->in, &next->out);
    look(&next->in, &next->out);
    look(&own->out, &own->in);
    operations += take_batch(own, queue_length(own));
  }
  return operations;
}

WORKLOAD(crossing, .pass = crossing_pass);

/* Batches of up to 200 blocks of 16 to 1,000 bytes lie on a few places, where every other thread lays
 * them down and any of the rest takes the first that it finds. */
enum { PLACES = 16 };

/* How many of the places are taken, for those who wait. */
static atomic_int laid_down;

static bool lay_down(uint32_t *chain, unsigned first) {
  for (unsigned i = 0; i < PLACES; ++i) {
    uint32_t *expected = NULL;
    if (atomic_compare_exchange_strong(&shelf[(first + i) % PLACES], &expected, chain)) {
      atomic_fetch_add(&laid_down, 1);
      wake(&laid_down);
      return true;
    }
  }
  return false;
}

static uint32_t *pick_up(unsigned first) {
  for (unsigned i = 0; i < PLACES; ++i) {
    uint32_t *chain = atomic_exchange(&shelf[(first + i) % PLACES], NULL);
    if (chain) {
      atomic_fetch_sub(&laid_down, 1);
      wake(&laid_down);
      return chain;
    }
  }
  return NULL;
}

static unsigned batches_pass(struct thread *self) {
  enum { BATCHES = 10, MOST = 200 };
  unsigned operations = 0;
  for (unsigned i = 0; i < BATCHES; ++i) {
    if (produces(self)) {
      uint32_t *chain = NULL;
      for (unsigned count = random_between(self, 1, MOST); count-- > 0; ++operations)
        chain = link_block(make(self, random_between(self, 16, 1000)), chain);
      while (!lay_down(chain, random_number(self))) {
        if (stop)
          return operations + dispose_chain(chain);
        wait_while(&laid_down, PLACES);
      }
    }
    if (consumes(self)) {
      uint32_t *chain;
      while (!(chain = pick_up(random_number(self)))) {
        if (stop)
          return operations;
        wait_while(&laid_down, 0);
      }
      operations += dispose_chain(chain);
    }
  }
  return operations;
}

WORKLOAD(batches, .pass = batches_pass);

/* ---- all together ---- */

/* A pool of threads goes through three phases, and whoever is free takes the next task: text is parsed
 * into small nodes, nodes become a few buffers, buffers are written out. What a phase leaves is mostly
 * freed by other threads in the next. */
enum { TASKS = 64, NODES = 50, NODES_PER_BUFFER = 10 };

static unsigned parse(struct thread *self, place *result) {
  uint32_t *nodes = NULL;
  for (unsigned i = 0; i < NODES; ++i)
    nodes = link_block(make(self, random_between(self, 16, 64)), nodes);
  *result = nodes;
  return NODES;
}

static unsigned transform(struct thread *self, place *result) {
  uint32_t *buffers = NULL;
  unsigned operations = 0;
  for (uint32_t *node = *result, *next; node; node = next, ++operations) {
    if (operations % NODES_PER_BUFFER == 0)
      buffers = link_block(make(self, random_between(self, 200, 2000)), buffers);
    next = next_block(node);
    dispose(node);
  }
  *result = buffers;
  return operations + NODES / NODES_PER_BUFFER;
}

static unsigned write_out(struct thread *self, place *result) {
  (void)self;
  uint32_t *buffers = *result;
  *result = NULL;
  return dispose_chain(buffers);
}

static unsigned pool_pass(struct thread *self) {
  static unsigned (*const phases[])(struct thread *, place *) = {parse, transform, write_out};
  enum { PHASES = sizeof phases / sizeof *phases };
  static atomic_uint next_task[PHASES];
  unsigned operations = 0;
  for (unsigned phase = 0; phase < PHASES; ++phase) {
    /* Nobody counts there now: all have come from the last phase. */
    if (self->index == 0)
      next_task[(phase + 1) % PHASES] = 0;
    for (unsigned task; (task = atomic_fetch_add(&next_task[phase], 1)) < TASKS;)
      operations += phases[phase](self, &shelf[task]);
    if (!meet())
      break;
  }
  return operations;
}

WORKLOAD(pool, .pass = pool_pass);

/* A cache that all threads share: 1,000 look-ups, mostly of the same few keys, among values of 32 to
 * 1,000 bytes. Who looks a value up has it for himself until he puts it back; where there is none, or
 * another key's, he makes it, and frees what was in its place. */
static unsigned shared_cache_pass(struct thread *self) {
  enum { KEYS = 8192, KEY = 2 };
  for (unsigned i = 0; i < STEPS; ++i) {
    uint32_t key = random_number(self) % (1 + random_number(self) % KEYS);
    place *where = &shelf[key % SHELF];
    uint32_t *value = atomic_exchange(where, NULL);
    if (value && value[KEY] == key) {
      check(value);
    } else {
      if (value)
        dispose(value);
      value = link_block(make(self, random_between(self, 32, 1000)), NULL);
      value[KEY] = key;
    }
    value = atomic_exchange(where, value);
    if (value)
      dispose(value); /* another thread was faster */
  }
  return STEPS;
}

WORKLOAD(shared_cache, .pass = shared_cache_pass);

/* ---- threads that come and go ---- */

/* A server, after P.-Å. Larson: 1000 blocks of 16 bytes to 4 KiB, replaced one by one by a thread that
 * ends after a while. The next thread goes on with what another has left. */
static unsigned server_pass(struct thread *self) {
  return replace_skewed(self, 1000, 16, 8);
}

WORKLOAD(server, .pass = server_pass, .passes_per_life = 50);

/* Another server: 5,000 blocks of 8 to 1,000 bytes, all sizes alike, replaced one by one; the table is
 * handed to a new thread again and again. */
static unsigned table_pass(struct thread *self) {
  enum { TABLE = 5000 };
  unsigned operations = 0;
  for (unsigned i = 0; i < STEPS; ++i) {
    uint32_t **object = &self->objects[random_number(self) % TABLE];
    operations += replace(self, object, random_between(self, 8, 1000));
  }
  return operations;
}

WORKLOAD(table, .pass = table_pass, .passes_per_life = 30);

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

/* Writes to some blocks in turn, again and again. The first word of each counts up, and back again,
 * before anybody checks the block. */
static inline void write_often(uint32_t **blocks, unsigned count, unsigned writes) {
  enum { MOST = 16 };
  uint32_t before[MOST];
  for (unsigned i = 0; i < count; ++i)
    before[i] = *blocks[i];
  for (unsigned write = 0; write < writes; ++write)
    for (unsigned i = 0; i < count; ++i)
      ++*(volatile uint32_t *)blocks[i];
  for (unsigned i = 0; i < count; ++i)
    if ((*blocks[i] -= writes) != before[i])
      fail(CONTENTS);
}

/* The first thread allocates small blocks and deals them out. Each thread writes to its own again and
 * again, frees them, allocates as many itself, and writes again. What is written twice to a cache line
 * by two threads costs more than malloc. */
static unsigned neighbours_pass(struct thread *self) {
  enum { EACH = 16, WRITES = IS_COUNTED ? 400 : 4000 };
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
    write_often(self->objects, EACH, WRITES);
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

/* One object of 8 bytes a thread, written to often, freed, and allocated again. */
static unsigned sharing_pass(struct thread *self) {
  enum { LIVES = 20, WRITES = 1000 };
  for (unsigned life = 0; life < LIVES; ++life) {
    write_often(self->objects, 1, WRITES);
    replace(self, self->objects, 8);
  }
  return LIVES * WRITES;
}

/* "Active false sharing" (Berger and others, 2000): each thread allocates its own, and the allocator
 * serves two threads from one cache line. */
static void active_sharing_start(struct thread *self) {
  self->objects[0] = make(self, 8);
}

WORKLOAD(active_sharing, .start = active_sharing_start, .pass = sharing_pass);

/* "Passive": the first objects come from one thread, which has them side by side. Whoever frees one
 * should not get it back, or the line is shared for ever. */
static void passive_sharing_start(struct thread *self) {
  if (self->index == 0)
    for (unsigned i = 0; i < threads; ++i)
      tables.threads[i].objects[0] = make(self, 8);
  meet();
}

WORKLOAD(passive_sharing, .start = passive_sharing_start, .pass = sharing_pass);
