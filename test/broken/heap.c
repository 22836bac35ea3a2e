/*
 * A heap that somebody breaks: what broken.js calls, in WebAssembly.
 *
 * It fills a heap as a program does; JavaScript then overwrites words of it, or of the allocator's variables; and
 * then every function is called. What these answer is not looked at. They must end, with an answer or a trap.
 *
 * With threads, two take turns here, without one of the operating system: a thread is what its thread-local variables
 * say, and these are exchanged. So a seed stands for the same calls each time.
 */
#define _GNU_SOURCE
#include <emscripten.h>
#include <string.h>

#include "../c/model.h"
#include "../c/names.h"

enum { BLOCKS = 400, FREED = 64 };

static void *live[BLOCKS];
static void *freed[FREED];
static uint64_t state;

static size_t below(size_t bound) {
  return random_below(&state, bound);
}

/* ---- threads ---- */

#ifdef __EMSCRIPTEN_PTHREADS__
void __wasm_init_tls(void *base);

enum { THREADS = 2, MOST_TLS = 4096 };

static struct {
  char *base;                                /* of the thread's variables */
  _Alignas(16) unsigned char area[MOST_TLS]; /* where those of the second are */
  unsigned char kept[MOST_TLS];              /* and what they are while the other one is at work */
  bool begun;
} threads[THREADS];
static size_t current;

/* Goes on as another thread. */
static void switch_to(size_t thread) {
  size_t size = __builtin_wasm_tls_size();
  if (size > MOST_TLS)
    abort();
  if (!threads[0].base) {
    threads[0].base = __builtin_wasm_tls_base();
    threads[1].base = (char *)threads[1].area;
  }
  memcpy(threads[current].kept, threads[current].base, size);
  threads[current].begun = true;
  current = thread;
  __wasm_init_tls(threads[current].base);
  if (threads[current].begun)
    memcpy(threads[current].base, threads[current].kept, size);
}

/* Where the variables of the thread at work are. */
EMSCRIPTEN_KEEPALIVE double broken_thread(void) {
  return (double)(uintptr_t)__builtin_wasm_tls_base();
}

/* After a trap, before memory is put back as it was: a thread is at work. What is in memory now cannot be relied on. */
EMSCRIPTEN_KEEPALIVE void broken_set_thread(double thread) {
  __wasm_init_tls((char *)(uintptr_t)thread);
}

static void maybe_switch(void) {
  if (below(8) == 0)
    switch_to(below(THREADS));
}
#else
static void switch_to(size_t thread) {
  (void)thread;
}
EMSCRIPTEN_KEEPALIVE double broken_thread(void) {
  return 0;
}
EMSCRIPTEN_KEEPALIVE void broken_set_thread(double thread) {
  (void)thread;
}
static void maybe_switch(void) {}
#endif

/* ---- the calls ---- */

static size_t size_of_any_kind(void) {
  switch (below(16)) {
  case 0:
    return below(50000);
  case 1:
  case 2:
    return below(20000);
  case 3:
  case 4:
  case 5:
    return below(1100);
  default:
    return below(100);
  }
}

static void *remember(void *block) {
  if (block)
    memset(block, 0x5a, malloc_usable_size(block) < 16 ? malloc_usable_size(block) : 16);
  return block;
}

static void release(size_t i) {
  freed[below(FREED)] = live[i];
  free(live[i]);
  live[i] = NULL;
}

/* One call of an ordinary program. */
static void call(void) {
  size_t i = below(BLOCKS);
  maybe_switch();
  if (live[i] && below(4)) {
    if (below(4))
      release(i);
    else {
      void *moved = realloc(live[i], size_of_any_kind() + 1);
      live[i] = moved ? moved : live[i];
    }
    return;
  }
  void *block =
      below(16) ? malloc(size_of_any_kind()) : memalign((size_t)16 << below(8), size_of_any_kind());
  if (live[i])
    release(i);
  live[i] = remember(block);
}

/* Makes a heap. */
EMSCRIPTEN_KEEPALIVE void broken_prepare(double seed) {
  state = (uint64_t)seed;
  size_t calls = 20 + below(2000);
  for (size_t i = 0; i < calls; ++i) {
    call();
    if (below(500) == 0)
      sbrk((intptr_t)below(200)); /* somebody else */
  }
  /* A phase ends: whole runs, full lists. */
  if (below(2))
    for (size_t i = 0; i < BLOCKS; i += 1 + below(3))
      release(i);
  switch_to(0);
}

/* Where something of the allocator's may be: what lies before or behind a block, or in one that was freed. */
EMSCRIPTEN_KEEPALIVE double broken_place(double choice) {
  uint64_t random = (uint64_t)choice;
  char *block = random_below(&random, 2) ? live[random_below(&random, BLOCKS)]
                                         : freed[random_below(&random, FREED)];
  if (!block)
    return 0;
  ptrdiff_t words = (ptrdiff_t)random_below(&random, 6) - 3;
  return (double)(uintptr_t)(block + words * (ptrdiff_t)sizeof(size_t));
}

/* The first address of the heap, as good as, and the break. */
extern char __heap_base;
EMSCRIPTEN_KEEPALIVE double broken_first(void) {
  return (double)(uintptr_t)&__heap_base;
}
EMSCRIPTEN_KEEPALIVE double broken_end(void) {
  return (double)(uintptr_t)sbrk(0);
}

/* Calls everything: ordinary calls, and in between and at last what looks at the whole heap. */
EMSCRIPTEN_KEEPALIVE void broken_attack(double seed) {
  state = (uint64_t)seed;
  size_t calls = below(60);
  size_t rare = below(7);
  for (size_t i = 0; i < calls; ++i)
    call();
  for (size_t i = 0; i < 7; ++i) {
    maybe_switch();
    switch ((i + rare) % 7) {
    case 0: {
      struct wasmalloc_statistics statistics;
      wasmalloc_statistics(&statistics);
      break;
    }
    case 1: {
      struct wasmalloc_block block = {0};
      while (wasmalloc_next_block(&block))
        ;
      break;
    }
    case 2:
      wasmalloc_check();
      break;
    case 3:
      malloc_trim(below(100000));
      break;
    case 4:
      mallinfo();
      break;
    case 5:
      free(calloc(size_of_any_kind(), 1 + below(4)));
      break;
    default:
      free(aligned_alloc((size_t)16 << below(13), size_of_any_kind()));
    }
  }
  for (size_t i = 0; i < BLOCKS; ++i) {
    if (below(100) == 0 && live[i])
      live[i] = realloc(live[i], 1 + size_of_any_kind());
    if (live[i])
      release(i);
  }
  void *much = malloc((size_t)2 << 20); /* linear memory grows */
  malloc_trim(0);
  wasmalloc_check();
  free(much);
}
