/*
 * Counts what threads cost each other: transfers.h.
 *
 * A cache line, 64 bytes, is *transferred* when a thread reads it or writes to it that has no copy of it as
 * it is: another thread has written to it last, and this one has not looked at it since. That is when a
 * processor has to fetch it from another. A line that nobody has written to is in no cache yet, and counts
 * for nothing.
 *
 * Who makes the access says whose transfer it is: the allocator, from the start of malloc, calloc, realloc,
 * memalign or free to its end; or the program outside, to what lies in the heap, its objects. The program's
 * own tables and queues are the same with all allocators and not counted.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "transfers.h"

extern char __heap_base;

/* Lines of as much memory as any counted run has. */
enum { LINE = 64, LINES = 1 << 23 };

/* The threads that have a copy of a line as it is, a bit for each: the one that has written to it last, and
 * those that have read it since. 0: nobody has ever written to it. */
static uint32_t holders[LINES];

/* What is counted. bench/runner.mjs has the same order. */
enum count {
  OWN,     /* transfers of the allocator */
  OBJECTS, /* and of the program's objects */
  ATOMICS, /* read-modify-writes of the allocator */
  TAKINGS, /* of a lock */
  ACCESSES,
  COUNTS
};

static double counts[COUNTS];

double UNCOUNTED(result)(enum count which);
double UNCOUNTED(result)(enum count which) {
  return counts[which];
}

/* ---- turns ---- */

/* The most threads: a bit of a word for each of them and one for the main thread, whose number is the last. */
enum { MOST_COUNTED = 31, MAIN = MOST_COUNTED, NUMBERS };

/* Accesses in a turn, at the mean: about as long as a line takes from one processor to another. */
enum { TURN = 100 };

static struct numbered {
  _Alignas(2 * LINE) atomic_int may_go;
  bool is_there;
  bool counts;
  unsigned depth; /* calls of the allocator that it is in */
} numbered[NUMBERS];

static _Atomic(pthread_t) running; /* who has the turn, or NULL */
static unsigned current;           /* its number */
static unsigned left;              /* of its accesses */

/* A thread has ended, and the main thread has not seen to it yet. */
static bool is_ending;

/* Who has the turn has it only for a call of the allocator, while a thread is ending: that thread, or the
 * main thread that joins it. Its lock may be held by a thread that waits for a turn. */
static bool is_borrowed;

#define ALWAYS_INLINE __attribute__((always_inline)) static inline

/* Only who has the turn counts, and only it reads or writes what stands above. A thread that starts or has
 * ended has none: what it does then nobody waits for. */
ALWAYS_INLINE bool has_turn(void) {
  pthread_t self = pthread_self();
  return self && self == atomic_load_explicit(&running, memory_order_relaxed);
}

ALWAYS_INLINE void begin_turn(unsigned index) {
  static uint32_t random = 2463534242u;
  random ^= random << 13;
  random ^= random >> 17;
  random ^= random << 5;
  left = 1 + random % (2 * TURN - 1);
  current = index;
  running = pthread_self();
}

/* The instruction has a function of its own for the same reason as in driver.c. */
void UNCOUNTED(sleep)(atomic_int *word, int value, int64_t nanoseconds);
void UNCOUNTED(sleep)(atomic_int *word, int value, int64_t nanoseconds) {
  __builtin_wasm_memory_atomic_wait32((int *)word, value, nanoseconds);
}

void UNCOUNTED(await_turn)(unsigned index) {
  while (!numbered[index].may_go)
    uncounted_sleep(&numbered[index].may_go, 0, -1);
  numbered[index].may_go = 0;
  begin_turn(index);
}

/* The next thread has its turn. */
ALWAYS_INLINE void pass_turn(unsigned index) {
  running = NULL;
  while (!numbered[index].is_there)
    index = (index + 1) % NUMBERS;
  numbered[index].may_go = 1;
  __builtin_wasm_memory_atomic_notify((int *)&numbered[index].may_go, 1);
}

/* The turn ends. Those that are there have theirs one after the other. */
void UNCOUNTED(yield)(void);
void UNCOUNTED(yield)(void) {
  unsigned own = current;
  pass_turn((own + 1) % NUMBERS);
  uncounted_await_turn(own);
}

void UNCOUNTED(expect)(unsigned index) {
  numbered[index].is_there = true;
}

void UNCOUNTED(take_turn)(void) {
  uncounted_expect(MAIN);
  begin_turn(MAIN);
}

void UNCOUNTED(give_turn)(unsigned index) {
  numbered[MAIN].is_there = false;
  is_ending = false;
  pass_turn(index);
}

void UNCOUNTED(leave_turn)(void) {
  while (is_ending || numbered[MAIN].is_there)
    uncounted_yield();
  numbered[current].is_there = false;
  is_ending = true;
  running = NULL;
}

/* ---- counting ---- */

void UNCOUNTED(count)(unsigned index) {
  numbered[index].counts = true;
}

void UNCOUNTED(count_all)(void) {
  for (unsigned i = 0; i < NUMBERS; ++i)
    numbered[i].counts = true;
}

ALWAYS_INLINE void count(enum count which) {
  if (numbered[current].counts)
    ++counts[which];
}

ALWAYS_INLINE void look_at_line(size_t line, bool is_write) {
  if (line >= LINES)
    __builtin_trap();
  uint32_t self = UINT32_C(1) << current;
  uint32_t all = holders[line];
  if (all && !(all & self)) {
    if (numbered[current].depth > 0)
      count(OWN);
    else if (line >= (size_t)&__heap_base / LINE)
      count(OBJECTS);
  }
  holders[line] = is_write ? self : all ? all | self : 0;
}

ALWAYS_INLINE void look_at(size_t start, size_t bytes, bool is_write) {
  count(ACCESSES);
  for (size_t line = start / LINE; line <= (start + bytes - 1) / LINE; ++line)
    look_at_line(line, is_write);
}

/* What instrument.mjs says of an access: the bytes, and these. */
enum { WRITES = 16, IS_ATOMIC_CHANGE = 32, BYTES = 15 };

/* Comes before each access. The turn ends before it, never between the count and the access. */
char *UNCOUNTED(access)(char *base, size_t offset, unsigned kind);
char *UNCOUNTED(access)(char *base, size_t offset, unsigned kind) {
  if (has_turn()) {
    if (left-- == 0)
      uncounted_yield();
    look_at((size_t)base + offset, kind & BYTES, kind & WRITES);
    if (kind & IS_ATOMIC_CHANGE && numbered[current].depth > 0)
      count(ATOMICS);
  }
  return base;
}

/* Before many bytes are copied or filled. */
void UNCOUNTED(range)(size_t start, size_t bytes, bool is_write);
void UNCOUNTED(range)(size_t start, size_t bytes, bool is_write) {
  if (has_turn() && bytes)
    look_at(start, bytes, is_write);
}

/* A lock is taken where the allocator changes a word from 0 to a small number, as locks have it; where other
 * words are changed by an exchange, to a pointer. */
enum { SMALL = 256 };

/* After an exchange: what was there, and what is. */
uint32_t UNCOUNTED(exchanged)(uint32_t old, uint32_t new);
uint32_t UNCOUNTED(exchanged)(uint32_t old, uint32_t new) {
  if (has_turn() && numbered[current].depth > 0 && old == 0 && new != 0 && new < SMALL)
    count(TAKINGS);
  return old;
}

/* The same after a compare-and-exchange, which has changed nothing where it found something unexpected. */
uint32_t UNCOUNTED(compared)(uint32_t old, uint32_t expected, uint32_t new);
uint32_t UNCOUNTED(compared)(uint32_t old, uint32_t expected, uint32_t new) {
  return old == expected ? uncounted_exchanged(old, new) : old;
}

/* Around each call of the allocator. */
void UNCOUNTED(enter)(void);
void UNCOUNTED(enter)(void) {
  if (!has_turn()) {
    if (!is_ending || running)
      return;
    uncounted_take_turn();
    is_borrowed = true;
  }
  ++numbered[current].depth;
}

void UNCOUNTED(leave)(void);
void UNCOUNTED(leave)(void) {
  if (!has_turn() || --numbered[current].depth > 0 || !is_borrowed || current != MAIN)
    return;
  numbered[MAIN].is_there = false;
  is_borrowed = false;
  running = NULL;
}

/* Instead of memory.atomic.wait32: the others have to do something first. */
int UNCOUNTED(wait)(char *base, int value, int64_t nanoseconds, size_t offset);
int UNCOUNTED(wait)(char *base, int value, int64_t nanoseconds, size_t offset) {
  atomic_int *word = (atomic_int *)(base + offset);
  if (!has_turn())
    uncounted_sleep(word, value, nanoseconds);
  else if (*word == value)
    uncounted_yield();
  return 0;
}
