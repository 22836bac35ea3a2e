/*
 * A run with threads that is counted instead of timed. Of the threads only one runs at a time, and the
 * others wait for their turn; how many accesses to memory a turn has is a random number that is the same in
 * every run. So what the threads do to each other is the same on any machine.
 *
 * bench/instrument.mjs has each access to memory told to transfers.c, but for those of the functions named
 * UNCOUNTED: by what they are exported as it knows them.
 */
#ifndef BENCH_TRANSFERS_H
#define BENCH_TRANSFERS_H

#include <emscripten/emscripten.h>

#ifdef COUNTED

enum { IS_COUNTED = 1 };

#define UNCOUNTED(name) EMSCRIPTEN_KEEPALIVE __attribute__((noinline)) uncounted_##name
#define UNCOUNTED_CALL(name, ...) void uncounted_##name(__VA_ARGS__)

#else

enum { IS_COUNTED = 0 };

#define UNCOUNTED_CALL(name, ...)                                                                  \
  static inline void uncounted_##name(__VA_ARGS__) {}                                              \
  _Static_assert(1, "for the semicolon")

#endif

/* The main thread takes the turn, when no other has it, and has turns like the others until it lets them have
 * theirs, first the one of this number or the next that is there. */
UNCOUNTED_CALL(take_turn, void);
UNCOUNTED_CALL(give_turn, __attribute__((unused)) unsigned index);

/* There is a thread of this number from now on; by the main thread. */
UNCOUNTED_CALL(expect, __attribute__((unused)) unsigned index);

/* A thread waits for its first turn. Its last one ends when there is nothing left to do for it but to end,
 * and nobody has the turn until the main thread takes it: one thread ends at a time. */
UNCOUNTED_CALL(await_turn, __attribute__((unused)) unsigned index);
UNCOUNTED_CALL(leave_turn, void);

/* From here on counts what this thread does, or all of them do. */
UNCOUNTED_CALL(count, __attribute__((unused)) unsigned index);
UNCOUNTED_CALL(count_all, void);

#endif
