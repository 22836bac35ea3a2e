/*
 * Starts the threads of a workload (threads.h), tells them when to begin, and has the clock.
 */
#include <unistd.h>
#ifdef __EMSCRIPTEN_PTHREADS__
#include <emscripten/threading.h>
#endif
#include "threads.h"
#include "transfers.h"

struct tables tables;

_Static_assert(sizeof tables % PAGE == 0, "whole pages");

/* Bytes of linear memory, without the benchmark's own. */
EXPORT size_t bench_memory(void) {
  return __builtin_wasm_memory_size(0) * PAGE - sizeof tables;
}

unsigned threads;
atomic_int stop;

/* So many passes the threads share before the clock starts, and each does two more; or only one where
 * accesses are counted. */
enum { WARM_UP = 10 };

/* ---- waiting ---- */

/* In V8 11.3, that of Node 20, code of the baseline compiler loses what is in registers while it waits:
 * the instruction has to be in a function of its own, where nothing is left to do. */
__attribute__((noinline)) void sleep_while(atomic_int *word, int value, int64_t nanoseconds) {
#ifdef __EMSCRIPTEN_PTHREADS__
  __builtin_wasm_memory_atomic_wait32((int *)word, value, nanoseconds);
#else
  (void)word, (void)value, (void)nanoseconds;
#endif
}

/* wasm-opt would inline it all the same where there is one caller. */
__attribute__((used)) static void (*const kept_apart)(atomic_int *, int, int64_t) = sleep_while;

/* ---- the end ---- */

/* A run ends early when it takes too long, or uses more memory than has been touched before. */
enum early { NOT, TIME, MEMORY };

static struct {
  double milliseconds;
  char *memory;
} limits;

static atomic_int early;

EXPORT int bench_ended(void) {
  return early;
}

static void end_early(enum early why) {
  early = (int)why;
  stop = 1;
}

/* Threads that have ended. The main thread sleeps here. */
static atomic_int endings;

static void count_up(atomic_int *counter) {
  atomic_fetch_add(counter, 1);
  wake(counter);
}

static atomic_int failure;

EM_JS(void, throw_failure, (int reason),
      { throw new Error([ '', 'out of memory', 'wrong contents', 'stuck' ][reason]); });

/* The main thread tells the runner. Any other tells the main thread, and stays where it is. */
_Noreturn void fail(enum failure reason) {
#ifdef __EMSCRIPTEN_PTHREADS__
  if (!emscripten_is_main_runtime_thread()) {
    failure = (int)reason;
    stop = 1;
    count_up(&endings);
    for (;;)
      sleep_while(&failure, (int)reason, -1);
  }
#endif
  throw_failure((int)reason);
  __builtin_unreachable();
}

/* ---- a thread ---- */

static void start_work(struct thread *self) {
  if (self->workload->start)
    self->workload->start(self);
  unsigned passes = IS_COUNTED ? 1 : WARM_UP / threads + 2;
  for (unsigned pass = 0; pass < passes; ++pass)
    self->workload->pass(self);
}

static void work(struct thread *self) {
  double start = emscripten_get_now();
  for (unsigned pass = 0; pass < self->passes && !stop; ++pass) {
    self->operations += self->workload->pass(self);
    if (emscripten_get_now() - start > limits.milliseconds)
      end_early(TIME);
    else if ((char *)sbrk(0) > limits.memory)
      end_early(MEMORY);
  }
}

#ifdef __EMSCRIPTEN_PTHREADS__

static atomic_int ready, go;

static void start_together(struct thread *self) {
  start_work(self);
  if (IS_COUNTED) { /* in turns, and the main thread has none */
    meet();
    uncounted_count(self->index);
    return;
  }
  count_up(&ready);
  while (!go)
    wait_while(&go, 0);
}

static void end(void *argument) {
  struct thread *self = argument;
  uncounted_leave_turn();
  self->has_ended = 1;
  count_up(&endings);
}

/* A thread that is counted ends after the allocator has heard of its end: by a destructor of its own, which
 * is made after all others. */
static void end_last(struct thread *self) {
  static bool is_made;
  static pthread_key_t key;
  if (!is_made && pthread_key_create(&key, end))
    fail(NO_MEMORY);
  is_made = true;
  pthread_setspecific(key, self);
}

static void *thread_main(void *argument) {
  struct thread *self = argument;
  uncounted_await_turn(self->index);
  if (!self->workload->passes_per_life)
    start_together(self);
  work(self);
  if (IS_COUNTED)
    end_last(self);
  else
    end(self);
  return NULL;
}

static void begin(struct thread *thread) {
  if (pthread_create(&thread->handle, NULL, thread_main, thread))
    fail(NO_MEMORY);
  uncounted_expect(thread->index);
}

/* Lets the main thread sleep until a counter of threads is no longer `value`. If nothing happens for
 * long after the run should have ended, there is something wrong. */
static void await(atomic_int *counter, int value) {
  const double too_long = limits.milliseconds + 5000;
  double start = emscripten_get_now();
  while (*counter == value && !failure) {
    sleep_while(counter, value, 100000000);
    if (emscripten_get_now() - start > too_long)
      fail(STUCK);
  }
  if (failure)
    fail((enum failure)failure);
}

static void await_all(atomic_int *counter) {
  for (int value; (value = *counter) < (int)threads;)
    await(counter, value);
}

/* All threads from the beginning to the end. Returns the milliseconds. */
static double run_together(void) {
  ready = go = endings = 0;
  for (unsigned i = 0; i < threads; ++i)
    begin(&tables.threads[i]);
  await_all(&ready);
  double start = emscripten_get_now();
  go = 1;
  wake(&go);
  await_all(&endings);
  double time = emscripten_get_now() - start;
  for (unsigned i = 0; i < threads; ++i) {
    pthread_join(tables.threads[i].handle, NULL);
    tables.threads[i].has_ended = 0;
  }
  return time;
}

/* So many threads in turn: whenever one ends, another begins where an earlier one left off. */
static double run_lives(unsigned lives) {
  static uint32_t **spare = tables.objects[MOST_THREADS];
  unsigned running = threads, begun = threads;
  double start = emscripten_get_now();
  endings = 0;
  uncounted_take_turn();
  for (unsigned i = 0; i < threads; ++i)
    begin(&tables.threads[i]);
  uncounted_give_turn(0);
  for (int seen = 0; running; ++seen) {
    await(&endings, seen);
    struct thread *thread = tables.threads;
    while (!thread->has_ended)
      ++thread;
    thread->has_ended = 0;
    pthread_join(thread->handle, NULL);
    uncounted_take_turn();
    uint32_t **left = thread->objects;
    thread->objects = spare;
    spare = left;
    if (emscripten_get_now() - start > limits.milliseconds)
      end_early(TIME);
    if (begun < lives && !stop) {
      begin(thread);
      ++begun;
    } else {
      --running;
    }
    if (running)
      uncounted_give_turn(thread->index);
  }
  return emscripten_get_now() - start;
}

/* Threads that have come to the meeting, and the meetings so far. */
static atomic_int arrived, turn;

bool meet(void) {
  int this_turn = turn;
  if (atomic_fetch_add(&arrived, 1) == (int)threads - 1) {
    arrived = 0;
    count_up(&turn);
  }
  while (turn == this_turn && !stop)
    wait_while(&turn, this_turn);
  return !stop;
}

#else

bool meet(void) {
  return true;
}

static double run_together(void) {
  start_work(tables.threads);
  double start = emscripten_get_now();
  work(tables.threads);
  return emscripten_get_now() - start;
}

#endif

/* ---- the runner's functions ---- */

/* So much shorter is a thread's life where it is counted. */
enum { SHORTER = 10 };

static unsigned at_least(unsigned least, unsigned value) {
  return value < least ? least : value;
}

/* Of all threads in the last run. */
EXPORT double bench_operations(void) {
  uint64_t operations = 0;
  for (unsigned i = 0; i < threads; ++i)
    operations += tables.threads[i].operations;
  return (double)operations;
}

/*
 * Runs a workload with so many threads, which share so many passes: the work does not grow with the
 * threads, as far as each can have a part of it. Returns the nanoseconds that an operation takes one
 * thread: where threads do not disturb each other, and each has a processor, they are the same for any
 * number of them.
 */
EXPORT double bench_run(const struct workload *workload, unsigned count, unsigned passes,
                        double milliseconds, size_t memory) {
  threads = count;
  limits.milliseconds = milliseconds;
  limits.memory = (char *)sbrk(0) + memory;
  stop = early = failure = 0;
  unsigned life = workload->passes_per_life;
  if (IS_COUNTED && life) /* there is less to do: let as many threads do it */
    life = at_least(1, life / SHORTER);
  for (unsigned i = 0; i < threads; ++i) {
    struct thread *thread = &tables.threads[i];
    thread->workload = workload;
    thread->index = i;
    if (!thread->objects) {
      thread->objects = tables.objects[i];
      thread->random = 2463534242u + i * 2654435761u;
    }
    thread->passes = life ? life : at_least(1, passes / threads);
    thread->operations = 0;
  }
  double time;
#ifdef __EMSCRIPTEN_PTHREADS__
  arrived = 0;
  if (life) {
    run_lives(threads);
    stop = early = 0; /* what takes too long is measured all the same */
    uncounted_count_all();
    for (unsigned i = 0; i < threads; ++i)
      tables.threads[i].operations = 0;
    time = run_lives(at_least(threads, passes / life));
  } else if (IS_COUNTED) {
    time = run_lives(threads);
  } else
#endif
    time = run_together();
  return time * 1e6 * threads / bench_operations();
}

/* Frees what the workload has left, and so checks it. */
EXPORT void bench_finish(void) {
  for (unsigned i = 0; i < MOST_THREADS; ++i)
    for (struct queue *queue = &queues[i]; queue->out.done != queue->in.done;)
      dispose(take(queue));
  for (unsigned row = 0; row <= MOST_THREADS; ++row)
    for (unsigned i = 0; i < OBJECTS; ++i)
      if (tables.objects[row][i]) {
        dispose(tables.objects[row][i]);
        tables.objects[row][i] = NULL;
      }
  for (unsigned i = 0; i < SHELF; ++i)
    dispose_chain(atomic_exchange(&shelf[i], NULL));
}
