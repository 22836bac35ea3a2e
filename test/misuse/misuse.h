/*
 * A corpus of programs that misuse the heap, and some that only look as if they did.
 *
 * Each is a function of a few lines, which is run in a fresh instance of the module for one size of its blocks.
 * Who starts it sees what comes of it (worker.js): the allocator stops the program, with a message or without;
 * the program crashes, or never ends; it comes to the end and nobody has noticed anything; or the helpers below
 * notice that the heap does not keep what it owes to an innocent part of the program, which is then exploited.
 */
#ifndef MISUSE_H
#define MISUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the message of a stop may call the fault: one bit each, the words themselves are in misuse.c. A fault
 * often fits two words: the head before a block is also what lies behind the block before. */
enum {
  DOUBLE_FREE = 1,
  NO_BLOCK = 2,
  OVERFLOW = 4,
  UNDERFLOW = 8,
  AFTER_FREE = 16,
  CORRUPTED = 32,
  ANY_FAULT = 63,
  WRONG_SIZE = 64, /* or alignment */
  BESIDE_HEAP = 128,
  /* A program that must come to its end, and find everything as it should be. */
  NO_FAULT = 0,
};

/* The sizes that a program is run with: one bit each, misuse_sizes[] has the numbers. */
enum { SIZE_8 = 1, SIZE_100 = 2, SIZE_4096 = 4, SIZE_300000 = 8, ALL_SIZES = 15 };

/* For what has nothing to do with the size of a block. */
#define ONE_SIZE SIZE_100

struct misuse {
  const char *name;
  const char *text; /* what the program does */
  unsigned caught_as;
  unsigned sizes;
  void (*run)(size_t size, int argument);
  int argument; /* where programs differ in a number only */
};

/* When a program is stopped: in the call that is the misuse; when a block that was written to is freed or resized,
 * or its neighbour; when the memory is used again; when the program ends. */
enum moment { AT_ONCE, AT_FREE, AT_REUSE, AT_EXIT, NEVER };

/* Programs of one kind: a row of the table. */
struct misuse_class {
  const char *name;
  const struct misuse *programs;
  size_t count;
  enum moment
      latest; /* what the hardened build promises: of AT_EXIT and NEVER only that which it says */
};

#define CLASS(name, programs, latest)                                                              \
  { name, programs, sizeof(programs) / sizeof(*(programs)), latest }

extern const struct misuse_class double_free_class, no_block_class, overflow_class, underflow_class,
    after_free_class, links_class, heads_class, sized_class, kept_overflow_class,
    kept_underflow_class, kept_freed_class, far_class, lost_class, mismatch_class, string_class,
    data_class, correct_class;

/* ---- the innocent part of the program ---- */

/* Allocates a block, fills it, and remembers that it is live: no other block may overlap it, and its contents
 * have to stay. Notices when malloc() gives no block, or one that cannot be. */
void *take(size_t size);

/* The same for a block that comes from another function. Returns it. */
void *adopt(void *block, size_t size);

/* Checks that the contents of a live block are still there, and frees it. */
void give(void *block);

/* The block is live no longer: the program has freed it, or means to. */
void forget(void *block);

/* Uses the heap as any program may that goes on for a while: so often that a block which has been freed
 * must have been used again. All live blocks have to bear it. */
void use_heap(size_t size);

/* The same with blocks of other sizes than this, so that what has been freed of this size is let go of and merged
 * with its free neighbours. */
void use_other_sizes(size_t size);

/* ---- the other part ---- */

enum pattern { ZEROES, ONES, LETTERS, FLIPPED };

/* Writes bytes where they do not belong. Each of them changes: where the pattern has the byte that is there
 * already, it is flipped. Live blocks that are hit need not keep their contents. */
void damage(void *address, size_t bytes, enum pattern pattern);

/* The same, with a word of a machine address's size. */
void damage_word(void *address, uintptr_t word);

/* What comes now is the misuse, whatever has been written before. */
void misuse_follows(void);

/* From here on it is too late: the allocator should have stopped the program by now. Whether an earlier
 * stop was in time is the promise of the hardened build alone. */
void too_late(void);

/* Ends the program: the heap has done what it must not. Or the corpus has: a program could not be set up. */
__attribute__((format(printf, 1, 2), noreturn)) void exploited(const char *format, ...);
__attribute__((format(printf, 1, 2), noreturn)) void impossible(const char *format, ...);

/* The first address that the heap may have. */
extern char *heap_start;

/* A variable that no block may overlap and nobody writes to. */
extern uintptr_t victim[8];

#ifdef __cplusplus
}
#endif

#endif
