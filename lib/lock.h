/*
 * The one lock that guards the heap of a program with threads. Without threads it is nothing.
 *
 * The lock is Drepper's mutex of three states ("Futexes Are Tricky", 2011, section 6):
 *
 *      0 free     1 held     2 held, and somebody may be waiting
 *
 * A thread that finds it held spins for a while, since a call of malloc is shorter than the way
 * into the engine and back, and then waits; but a browser's main thread is not allowed to wait, so
 * it goes on spinning. That always ends: whoever holds the lock never waits for another thread.
 */
#ifndef WASMALLOC_LOCK_H
#define WASMALLOC_LOCK_H

#if defined(__EMSCRIPTEN_SHARED_MEMORY__) || defined(WASMALLOC_THREADS)

#include "compiler.h"
#include "memory.h"

#include <stdatomic.h>
#include <stdbool.h>

#ifdef __EMSCRIPTEN_SHARED_MEMORY__

#ifdef __EMSCRIPTEN_PTHREADS__
/* Emscripten's: false on a browser's main thread, in an audio worklet, and before the thread is set
 * up. */
int _emscripten_thread_supports_atomics_wait(void);
#else
/* A Wasm Worker has no thread state that could be asked: spin. */
#define _emscripten_thread_supports_atomics_wait() 0
#endif

/* Waits until *lock is not 2, at most a millisecond: a wake-up can never be missed for good. */
static void wait_for_lock(atomic_int *lock) {
  if (_emscripten_thread_supports_atomics_wait())
    __builtin_wasm_memory_atomic_wait32((int *)lock, 2, 1000000);
}

static void wake_one(atomic_int *lock) {
  __builtin_wasm_memory_atomic_notify((int *)lock, 1);
}

#else /* the development machine */

#include <sched.h>

static void wait_for_lock(atomic_int *lock) {
  (void)lock;
  sched_yield();
}

static void wake_one(atomic_int *lock) {
  (void)lock;
}

#endif

/* About as long as the heap is held at most, a few microseconds. To wait takes ten times as long and more, for both
 * sides. The proofs do with less. */
#ifndef MOST_SPINS
#define MOST_SPINS 1000
#endif

static atomic_int heap_lock_state;

#ifdef WASMALLOC_HARDENED
/* The heap is broken: whoever waits for it, or will, ends as well. A thread that stops tells the others by the main
 * thread, which may just be waiting here. */
static atomic_bool heap_is_lost;

static void heap_lock_forever(void) {
  atomic_store(&heap_is_lost, true);
}

static void trap_if_lost(void) {
  if (atomic_load(&heap_is_lost))
    __builtin_trap();
}
#else
static void trap_if_lost(void) {}
#endif

/* Has nothing to remember while it waits: V8 11.3 (Node 20) forgets in its baseline tier what was in registers
 * before a wait. */
RARE static void heap_lock_slowly(void) {
  for (int spins = 0; spins < MOST_SPINS; ++spins) {
    int expected = 0;
    if (atomic_load_explicit(&heap_lock_state, memory_order_relaxed) == 0 &&
        atomic_compare_exchange_strong(&heap_lock_state, &expected, 1))
      return;
  }
  while (atomic_exchange(&heap_lock_state, 2) != 0) {
    trap_if_lost();
    wait_for_lock(&heap_lock_state);
  }
}
KEEP_APART(heap_lock_slowly);

/* What takes the lock only now and then keeps it out of its way, and small. */
#ifdef LOCKS_ITSELF
#define LOCK_FUNCTION NOT_INLINED

static bool lock_at_once(void) {
  return false;
}
#else
#define LOCK_FUNCTION inline

static inline bool lock_at_once(void) {
  int expected = 0;
  return atomic_compare_exchange_strong(&heap_lock_state, &expected, 1);
}
#endif

LOCK_FUNCTION static void heap_lock(void) {
  if (!lock_at_once())
    heap_lock_slowly();
  memory_catch_up(); /* what the lock guards may lie in memory that another thread has grown */
}

LOCK_FUNCTION static void heap_unlock(void) {
  if (atomic_exchange(&heap_lock_state, 0) == 2)
    wake_one(&heap_lock_state);
}

#else

static inline void heap_lock(void) {}
static inline void heap_unlock(void) {}
#ifdef WASMALLOC_HARDENED
static inline void heap_lock_forever(void) {}
#endif

#endif

#endif
