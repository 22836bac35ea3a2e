/*
 * Four threads and the main thread take memory at the same time, so that linear memory grows several
 * times while others use it; then they check what they have, and give it back.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasmalloc.h>

enum { THREADS = 4, BLOCKS = 400, LARGEST = 60000 };

static atomic_int errors;

static size_t size_of(size_t i) {
  return i % 4 ? LARGEST - i * 100 : 50;
}

static void *work(void *argument) {
  char mark = (char)(size_t)argument;
  char *blocks[BLOCKS];
  for (size_t i = 0; i < BLOCKS; ++i) {
    blocks[i] = malloc(size_of(i));
    if (blocks[i])
      memset(blocks[i], mark, size_of(i));
    else
      ++errors;
  }
  for (size_t i = 0; i < BLOCKS; ++i) {
    for (size_t at = 0; blocks[i] && at < size_of(i); ++at)
      if (blocks[i][at] != mark) {
        ++errors;
        break;
      }
    free(blocks[i]);
  }
  return NULL;
}

int main(void) {
  size_t before = __builtin_wasm_memory_size(0);
  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; ++i)
    if (pthread_create(&threads[i], NULL, work, (void *)(i + 1)))
      return 1;
  work((void *)(size_t)(THREADS + 1));
  for (size_t i = 0; i < THREADS; ++i)
    pthread_join(threads[i], NULL);
  if (__builtin_wasm_memory_size(0) <= before)
    puts("memory has not grown");
  printf("%d errors, heap %s\n", errors, wasmalloc_check() ? "broken" : "sound");
  return 0;
}
