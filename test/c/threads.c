/*
 * Several threads at once: they malloc, realloc and free, and pass blocks to each other.
 *
 *   threads [OPERATIONS] [ALLOCATOR]
 *
 * Every block carries its size and a seed in its first words and a pattern behind them, so that
 * whoever gets it can check it, whichever thread it came from.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "names.h"

enum { THREADS = 4, SLOTS = 512, ROUNDS = 3 };

struct message {
  size_t size; /* of the whole block */
  uint32_t seed;
};

/* Blocks on their way from one thread to another. */
static _Atomic(struct message *) slots[SLOTS];
static atomic_int faults;
static size_t operations = 50000;

static uint32_t next(uint32_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

static void fault(const char *what, const void *block) {
  if (atomic_fetch_add(&faults, 1) < 5) {
    printf("not ok %s: %p\n", what, block);
  }
}

static unsigned char byte_at(const struct message *message, size_t at) {
  return (unsigned char)(message->seed + at * 31);
}

static void write_from(struct message *message, size_t start) {
  unsigned char *bytes = (unsigned char *)message;
  for (size_t at = start; at < message->size; at++) {
    bytes[at] = byte_at(message, at);
  }
}

static void check(const struct message *message, size_t size) {
  const unsigned char *bytes = (const unsigned char *)message;
  for (size_t at = sizeof *message; at < size; at++) {
    if (bytes[at] != byte_at(message, at)) {
      fault("contents", message);
      return;
    }
  }
}

static struct message *create(uint32_t *state) {
  size_t limit = next(state) % 50 == 0 ? 20000 : 300;
  size_t size = sizeof(struct message) + next(state) % limit;
  struct message *message = NULL;
  switch (next(state) % 8) {
  case 0:
    message = calloc(1, size);
    for (size_t at = 0; message && at < size; at++) {
      if (((unsigned char *)message)[at]) {
        fault("calloc zeroes", message);
        break;
      }
    }
    break;
  case 1:
    message = memalign(64, size);
    if ((uintptr_t)message % 64 != 0) {
      fault("alignment", message);
    }
    break;
  default:
    message = malloc(size);
    break;
  }
  if (!message) {
    fault("no memory", NULL);
    return NULL;
  }
  message->size = size;
  message->seed = next(state);
  write_from(message, sizeof *message);
  return message;
}

static struct message *resize(struct message *message, uint32_t *state) {
  size_t old = message->size;
  size_t size = sizeof *message + next(state) % 2000;
  struct message *moved = realloc(message, size);
  if (!moved) {
    fault("no memory", message);
    return message;
  }
  check(moved, old < size ? old : size);
  moved->size = size;
  write_from(moved, sizeof *moved);
  return moved;
}

static void *work(void *argument) {
  uint32_t state = (uint32_t)(uintptr_t)argument * 2654435761U + 1;
  for (size_t i = 0; i < operations; i++) {
    struct message *message = create(&state);
    if (!message) {
      break;
    }
    if (next(&state) % 4 == 0) {
      message = resize(message, &state);
    }
    /* Somebody else's block comes back, or nothing. */
    message = atomic_exchange(&slots[next(&state) % SLOTS], message);
    if (message) {
      check(message, message->size);
      free(message);
    }
    if (i % 5000 == 0) {
      if (wasmalloc_check()) {
        fault("the heap is sound", wasmalloc_check());
      }
      malloc_trim(0);
    }
    if (i % 1000 == 0 && sbrk(24) == (void *)-1) {
      fault("sbrk", NULL);
    }
  }
  return NULL;
}

int main(int argc, char **argv) {
  int argument = 1;
  if (argc > argument && argv[argument][0] >= '0' && argv[argument][0] <= '9') {
    operations = strtoul(argv[argument++], NULL, 10);
  }
  if (argc > argument && strcmp(argv[argument], "minimal") == 0) {
    operations /= 4; /* it keeps every block that was ever made */
  }
  for (uintptr_t round = 0; round < ROUNDS; round++) {
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
      if (pthread_create(&threads[i], NULL, work, (void *)(round * THREADS + i))) {
        fault("pthread_create", NULL);
        return 1;
      }
    }
    for (int i = 0; i < THREADS; i++) {
      pthread_join(threads[i], NULL);
    }
  }
  for (size_t i = 0; i < SLOTS; i++) {
    struct message *message = atomic_load(&slots[i]);
    if (message) {
      check(message, message->size);
      free(message);
    }
  }
  if (wasmalloc_check()) {
    fault("the heap is sound", wasmalloc_check());
  }
  if (atomic_load(&faults) == 0) {
    printf("ok %d threads\n", THREADS);
  }
  return atomic_load(&faults) != 0;
}
