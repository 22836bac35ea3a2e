/*
 * A small test framework.
 *
 *   TEST(frees_nothing, "free(NULL) does nothing") { free(NULL); CHECK(...); }
 *
 * defines a test and adds it to the list; testing.c has the main program that
 * runs them all, or those named on the command line, and prints the name of
 * each source file and below it for each of its tests
 *
 *   file <name>
 *   run <description>
 *   ok <description>            or
 *   not ok <description>: <why> or
 *   skip <description>: <why>
 *
 * Every test begins with a heap that it may use up and ends with the heap as
 * it found it: the framework checks that no block is left behind and that the
 * heap is sound.
 */
#ifndef TESTING_H
#define TESTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"

struct test {
  const char *file;
  const char *description;
  void (*run)(void);
  struct test *next;
};

void test_register(struct test *test);

#define TEST(identifier, text)                                                                     \
  static void identifier(void);                                                                    \
  __attribute__((constructor)) static void register_##identifier(void) {                           \
    static struct test test = {__FILE__, (text), (identifier), NULL};                              \
    test_register(&test);                                                                          \
  }                                                                                                \
  static void identifier(void)

/* Ends the test: with a failure when the condition does not hold … */
#define CHECK(condition, ...)                                                                      \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      test_failed(__FILE__, __LINE__, #condition, __VA_ARGS__);                                    \
      return;                                                                                      \
    }                                                                                              \
  } while (0)

/* … or because it makes no sense for this allocator. */
#define SKIP_IF(condition, reason)                                                                 \
  do {                                                                                             \
    if (condition) {                                                                               \
      test_skipped(reason);                                                                        \
      return;                                                                                      \
    }                                                                                              \
  } while (0)

/* Says what was expected, for helper functions, which return false after it. Only the first counts.
 */
__attribute__((format(printf, 4, 5))) void
test_failed(const char *file, int line, const char *condition, const char *format, ...);
void test_skipped(const char *reason);

/* Whether the current test has failed: loops over helper functions look at it. */
bool test_has_failed(void);

/* What the command line says. */
struct test_options {
  bool never_frees; /* --never-frees: free gives nothing back, as in 1_minimal */
  bool slow;        /* --slow: an operation takes time in proportion to the number of free blocks */
  bool
      sealed; /* --sealed: on wasm32, too, the smallest block has 32 bytes, as in the hardened build */
  bool exhausts;     /* --no-exhaustion clears it: a request that cannot be met ends the program */
  uint64_t seed;     /* --seed=N */
  size_t operations; /* --operations=N: for each random test */
  size_t maximum;    /* --maximum=N: where linear memory ends, if the tests may rely on it */
};
extern struct test_options test_options;

/* The number of blocks in use, and whether the heap is sound; 0 and true for other allocators. */
size_t used_blocks(void);
bool heap_is_sound(void);

#endif
