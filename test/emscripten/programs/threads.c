/*
 * Four threads and the main thread allocate, fill, check and free, and free what another one has
 * allocated.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasmalloc.h>

enum { THREADS = 4, ROUNDS = 5000, SLOTS = 64 };

static _Thread_local unsigned seed;
static _Atomic(unsigned char *) shared[SLOTS];
static atomic_int errors;

static unsigned random_number(void) {
  return (seed = seed * 1664525 + 1013904223) >> 8;
}

/* A block begins with its size; all other bytes repeat the lowest byte of it. */
static void release(unsigned char *block) {
  unsigned size;
  if (!block)
    return;
  memcpy(&size, block, sizeof size);
  for (unsigned i = sizeof size; i < size; ++i)
    if (block[i] != (unsigned char)size)
      ++errors;
  free(block);
}

static void *work(void *argument) {
  seed = (unsigned)(size_t)argument;
  for (int i = 0; i < ROUNDS; ++i) {
    unsigned size = 8 + random_number() % 200;
    unsigned char *block = malloc(size);
    memcpy(block, &size, sizeof size);
    memset(block + sizeof size, (int)size, size - sizeof size);
    release(atomic_exchange(&shared[random_number() % SLOTS], block));
  }
  return NULL;
}

int main(void) {
  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; ++i)
    if (pthread_create(&threads[i], NULL, work, (void *)(i + 1)))
      return 1;
  work((void *)(size_t)(THREADS + 1));
  for (size_t i = 0; i < THREADS; ++i)
    pthread_join(threads[i], NULL);
  for (size_t i = 0; i < SLOTS; ++i)
    release(shared[i]);
  printf("%d errors, heap %s\n", errors, wasmalloc_check() ? "broken" : "sound");
  return 0;
}
