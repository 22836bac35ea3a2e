/*
 * Theorems about lib/lock.h, for two threads and every order in which their steps can come: CBMC's own
 * threads, with sequentially consistent memory.
 *
 * The waiting and waking are modelled here, without the time-out that the shipped code has for safety: a
 * thread that would be left asleep for ever is found.
 *
 * What changes nothing need not be looked at more often than once. A thread that finds the lock held while
 * it spins leaves memory as it was, and so does one that may not wait and finds a 2, which it replaces by a 2.
 * So of the spins only the last one counts here, and who may not wait goes on when there is no 2.
 */
#include "prove.h"

#define __EMSCRIPTEN_SHARED_MEMORY__
#define __EMSCRIPTEN_PTHREADS__

#include <stdatomic.h>

#define MOST_SPINS 2

static __CPROVER_thread_local int self;
static __CPROVER_thread_local unsigned spins;

/* The lock. All functions know it: of CBMC's threads none may have a pointer to what is shared. */
static atomic_int heap_lock_state;

static int exchange_lock(int value) {
  __CPROVER_atomic_begin();
  int old = heap_lock_state;
  heap_lock_state = value;
  __CPROVER_atomic_end();
  return old;
}
#define atomic_exchange(lock, value) exchange_lock(value)

static bool lock_if_free(int value) {
  __CPROVER_atomic_begin();
  int old = heap_lock_state;
  if (old == 0)
    heap_lock_state = value;
  __CPROVER_atomic_end();
  return old == 0;
}
#define atomic_compare_exchange_strong(lock, expected, value) lock_if_free(value)

static int spin(void) {
  return ++spins % MOST_SPINS == 0 ? heap_lock_state : 1;
}
#define atomic_load_explicit(lock, order) spin()

/* The engine's: who sleeps, and who has come to the end and will wake nobody. */
static bool asleep[2], finished[2], waits[2];

static void wait_while_two(void) {
  bool sleeps;
  __CPROVER_atomic_begin();
  sleeps = heap_lock_state == 2;
  if (sleeps) {
    claim(!finished[1 - self], "nobody goes to sleep whom nobody will wake");
    asleep[self] = true;
  }
  __CPROVER_atomic_end();
  if (sleeps) {
    bool woken;
    __CPROVER_atomic_begin();
    woken = !asleep[self];
    __CPROVER_atomic_end();
    assume(woken);
    reached(true, "a thread sleeps and is woken");
  }
}
#define __builtin_wasm_memory_atomic_wait32(lock, value, nanoseconds) wait_while_two()

static void wake_other(void) {
  __CPROVER_atomic_begin();
  asleep[1 - self] = false;
  __CPROVER_atomic_end();
}
#define __builtin_wasm_memory_atomic_notify(lock, count) wake_other()

#include "lock.h"

/* A browser's main thread may not wait. */
int _emscripten_thread_supports_atomics_wait(void) {
  if (!waits[self])
    assume(heap_lock_state != 2);
  return waits[self];
}

/* ---- two threads ---- */

static int inside;
static int caught_up[2]; /* number of turns */

/* Memory that the other thread grows after this would not be seen. */
void memory_catch_up(void) {
  claim(inside == 0, "nobody is inside while one who has the lock catches up");
  ++caught_up[self];
}

static void take_turns(int number) {
  self = number;
  for (int turn = 0; turn < TURNS; ++turn) {
    spins = 0;
    heap_lock();
    claim(inside == 0, "nobody else is inside");
    claim(caught_up[number] == turn + 1, "who is inside has caught up");
    inside = 1;
    claim(heap_lock_state != 0, "the lock is not free while it is held");
    inside = 0;
    heap_unlock();
  }
  __CPROVER_atomic_begin();
  claim(!asleep[1 - number], "nobody is left asleep");
  finished[number] = true;
  reached(finished[1 - number], "both threads come to their end");
  __CPROVER_atomic_end();
}

void two_threads(void) {
  waits[0] = nondet_bool();
  waits[1] = true;
__CPROVER_ASYNC_1:
  take_turns(1);
  take_turns(0);
}
