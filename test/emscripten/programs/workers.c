/*
 * Wasm workers, which are threads without pthreads, allocate and free at the same time.
 */
#include <emscripten/wasm_worker.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasmalloc.h>

enum { WORKERS = 3, ROUNDS = 5000, BLOCKS = 32 };

static atomic_int errors;
static int running = WORKERS;

static void finished(void) {
  if (--running == 0) {
    printf("%d errors, heap %s\n", errors, wasmalloc_check() ? "broken" : "sound");
    emscripten_terminate_all_wasm_workers();
  }
}

static void work(void) {
  unsigned char *blocks[BLOCKS] = {0};
  unsigned mark = (unsigned)emscripten_wasm_worker_self_id();
  for (unsigned i = 0; i < ROUNDS; ++i) {
    unsigned char **slot = &blocks[i * 7 % BLOCKS];
    if (*slot && (*slot)[3] != (unsigned char)mark)
      ++errors;
    free(*slot);
    *slot = malloc(8 + i % 100);
    memset(*slot, (int)mark, 8);
  }
  for (int i = 0; i < BLOCKS; ++i)
    free(blocks[i]);
  emscripten_wasm_worker_post_function_v(EMSCRIPTEN_WASM_WORKER_ID_PARENT, finished);
}

int main(void) {
  for (int i = 0; i < WORKERS; ++i)
    emscripten_wasm_worker_post_function_v(emscripten_malloc_wasm_worker(65536), work);
  return 0;
}
