/*
 * Threads that begin and end, one after the other: what they leave behind must not add up.
 *
 *   endings churn|handlers THREADS [ALLOCATOR]
 *
 * With `churn` each thread allocates, and frees what the one before it has allocated. With `handlers`
 * what ends a thread allocates and frees too: cleanup handlers, and destructors of keys that were set
 * before the thread's first malloc and after it, so that they are called before the allocator's own and
 * after it. Some of them set their key again, and are called again. In the end the main thread ends by
 * pthread_exit(), and what atexit() has registered still allocates.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "leeway.h"
#include "names.h"

enum { BLOCKS = 40 };

static int faults;
static atomic_int destructions;
static bool never_frees;

/* The blocks of the thread before. The threads take turns. */
static char *handed_on[BLOCKS];

static void fault(const char *what, size_t thread) {
  if (faults++ < 5) {
    printf("not ok %s, thread %zu\n", what, thread);
  }
}

/* The same of every thread: the heap need not be larger for one than for another. */
static size_t size_of(size_t block) {
  return 8 + block * 53 % 500 + (block % 10 == 0 ? block * 100 : 0);
}

static void take_turn(size_t thread) {
  for (size_t i = 0; i < BLOCKS; i++) {
    char *block = malloc(size_of(i));
    char *other = handed_on[i];
    if (other && (other[0] != (char)(i + 1) || other[7] != (char)(i + 1))) {
      fault("contents", thread);
    }
    free(other);
    memset(block, (int)i + 1, size_of(i));
    handed_on[i] = block;
  }
}

/* ---- what ends a thread ---- */

/* A key's destructor gets a block, and is called again with a new one, as often as the standard promises
 * (POSIX, pthread_key_create): in the last round ThreadSanitizer has already left the thread. */
#ifdef TEST_NATIVE
enum { CALLS = PTHREAD_DESTRUCTOR_ITERATIONS - 1 };
#else
enum { CALLS = PTHREAD_DESTRUCTOR_ITERATIONS };
#endif
static pthread_key_t early, late;

struct value {
  int calls;
  char text[60];
};

static void set(pthread_key_t key, int calls) {
  struct value *value = malloc(sizeof *value);
  value->calls = calls;
  strcpy(value->text, "set");
  pthread_setspecific(key, value);
}

static void destroy(pthread_key_t key, struct value *value) {
  void *blocks[20];
  for (size_t i = 0; i < 20; i++) {
    blocks[i] = malloc(i * 100);
  }
  if (strcmp(value->text, "set") != 0) {
    fault("a key's value", 0);
  }
  for (size_t i = 0; i < 20; i++) {
    free(blocks[i]);
  }
  atomic_fetch_add(&destructions, 1);
  int calls = value->calls;
  free(value);
  if (calls < CALLS) {
    set(key, calls + 1);
  }
}

static void destroy_early(void *value) {
  destroy(early, value);
}

static void destroy_late(void *value) {
  destroy(late, value);
}

static void clean_up(void *block) {
  free(block);
  free(calloc(3, 100));
}

static void *churn(void *number) {
  take_turn((size_t)(uintptr_t)number);
  return NULL;
}

static void *end_with_handlers(void *number) {
  size_t thread = (size_t)(uintptr_t)number;
  set(early, 1);
  pthread_cleanup_push(clean_up, malloc(100));
  take_turn(thread);
  set(late, 1);
  if (thread % 2) {
    pthread_exit(NULL); /* with the handler */
  }
  pthread_cleanup_pop(1);
  return NULL;
}

/* ---- the main thread ---- */

static size_t used_blocks(void) {
  struct wasmalloc_statistics statistics;
  wasmalloc_statistics(&statistics);
  return statistics.used_blocks;
}

static void at_exit(void) {
  for (size_t i = 0; i < BLOCKS; i++) {
    free(malloc(i * 50));
    free(handed_on[i]);
  }
  if (wasmalloc_check()) {
    fault("the heap is sound", 0);
  }
  if (faults == 0) {
    printf("ok threads that end\n");
  }
  fflush(stdout);
  _Exit(faults != 0);
}

int main(int argc, char **argv) {
  bool handlers = argc > 1 && strcmp(argv[1], "handlers") == 0;
  size_t threads = argc > 2 ? strtoul(argv[2], NULL, 10) : 100;
  const char *allocator = argc > 3 ? argv[3] : "";
  never_frees = strcmp(allocator, "minimal") == 0;
  if (never_frees && threads > 500) {
    threads = 500;
  }
  atexit(at_exit);
  /* One key has a lower number than the allocator's, the other a higher one. */
  pthread_key_create(&early, destroy_early);
  free(malloc(1));
  pthread_key_create(&late, destroy_late);

  size_t settled = threads / 4;
  char *end = NULL;
  size_t used = 0;
  for (size_t i = 0; i < threads; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, handlers ? end_with_handlers : churn, (void *)(uintptr_t)i)) {
      fault("pthread_create", i);
      break;
    }
    pthread_join(thread, NULL);
    char *now = sbrk(0);
    if (i == settled / 2) {
      /* To count releases what caches have put aside: then they settle once more. */
      used = used_blocks();
    } else if (i == settled) {
      end = now;
    } else if (i > settled && now > end + leeway_of(allocator) && !never_frees) {
      fault("the heap grows", i);
      break;
    }
  }
  if (!never_frees && used_blocks() != used) {
    printf("not ok %zu blocks are used, and not %zu\n", used_blocks(), used);
    faults++;
  }
  if (handlers && (size_t)atomic_load(&destructions) != threads * CALLS * 2) {
    fault("destructors called", (size_t)atomic_load(&destructions));
  }
#ifdef TEST_NATIVE
  exit(0); /* ThreadSanitizer has a thread of its own, which would keep the process alive */
#else
  pthread_exit(NULL);
#endif
}
