/*
 * Wasm Workers in turn, ended without a word: the heap stays as large as it was after the first few.
 */
#include <emscripten/emscripten.h>
#include <emscripten/wasm_worker.h>
#include <stdio.h>
#include <stdlib.h>

#include <wasmalloc.h>

enum { WORKERS = 40, FIRST = 10, BLOCKS = 100 };

static _Alignas(16) char stack[65536];
static emscripten_wasm_worker_t worker;
static int ended;
static size_t used, size;

static void begin(void);

static void end(void) {
  emscripten_terminate_wasm_worker(worker);
  struct wasmalloc_statistics statistics;
  wasmalloc_statistics(&statistics);
  if (++ended == FIRST) {
    used = statistics.used_blocks;
    size = statistics.heap_size;
  }
  if (ended < WORKERS) {
    begin();
    return;
  }
  if (wasmalloc_check())
    printf("not ok the heap is sound\n");
  else if (statistics.used_blocks != used || statistics.heap_size != size)
    printf("not ok %zu blocks in %zu bytes, and %zu in %zu at first\n", statistics.used_blocks,
           statistics.heap_size, used, size);
  else
    printf("ok %d workers\n", WORKERS);
  emscripten_force_exit(0);
}

static void work(void) {
  for (size_t bytes = 0; bytes < BLOCKS; ++bytes)
    free(malloc(bytes));
  emscripten_wasm_worker_post_function_v(0, end);
}

static void begin(void) {
  worker = emscripten_create_wasm_worker(stack, sizeof stack);
  emscripten_wasm_worker_post_function_v(worker, work);
}

int main(void) {
  begin();
}
