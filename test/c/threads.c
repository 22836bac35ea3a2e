/*
 * Several threads at once, the main thread among them: they allocate, resize and free, and pass blocks
 * to each other.
 *
 *   threads [OPERATIONS] [ALLOCATOR]
 *
 * Every block carries its size, its owner and a seed in its first words and a pattern over all the rest,
 * so that whoever gets it can check it, whichever thread it came from: two blocks that overlap spoil each
 * other. A model beside the heap counts how much there is of each thread's, live in whosever hands; it
 * must come out as what is found in the end, and as nothing when all of that has been freed.
 *
 * Some threads end in the middle, and leave blocks behind.
 */
#define _GNU_SOURCE
#include <pthread.h>
#ifdef __EMSCRIPTEN__
#include <emscripten/threading.h>
#endif
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "names.h"

enum { THREADS = 4, SLOTS = 512, ROUNDS = 3, KEPT = 64 };

/* Of each round the threads, and behind them the main thread. */
enum { OWNERS = ROUNDS * (THREADS + 1) };

struct message {
  size_t size; /* of the whole block, as far as it has been written */
  uint32_t owner;
  uint32_t seed;
};

/* Blocks on their way from one thread to another. */
static _Atomic(struct message *) slots[SLOTS];

/* Blocks that a thread had to itself when it ended. */
static struct message *kept[OWNERS * KEPT];

/* The model: what each thread has allocated and nobody has freed. */
static struct {
  atomic_size_t blocks;
  atomic_size_t bytes;
} live[OWNERS];

static atomic_int faults;
static size_t operations = 50000;
static bool never_frees;

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

/* Every eighth block is used up to the last byte that it has. */
static size_t size_to_use(struct message *message, size_t size, uint32_t *state) {
  if (next(state) % 8) {
    return size;
  }
  size_t usable = malloc_usable_size(message);
  if (usable < size) {
    fault("usable size", message);
  }
  return usable;
}

static struct message *create(uint32_t owner, uint32_t *state) {
  uint32_t kind = next(state) % 50;
  size_t limit = kind == 0 ? 20000 : kind < 5 ? 3000 : 300;
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
  case 1: {
    size_t alignment = (size_t)16 << next(state) % 6;
    message = memalign(alignment, size);
    if ((uintptr_t)message % alignment != 0) {
      fault("alignment", message);
    }
    break;
  }
  default:
    message = malloc(size);
    break;
  }
  if (!message) {
    fault("no memory", NULL);
    return NULL;
  }
  message->size = size_to_use(message, size, state);
  message->owner = owner;
  message->seed = next(state);
  write_from(message, sizeof *message);
  atomic_fetch_add(&live[owner].blocks, 1);
  atomic_fetch_add(&live[owner].bytes, message->size);
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
  moved->size = size_to_use(moved, size, state);
  write_from(moved, sizeof *moved);
  atomic_fetch_add(&live[moved->owner].bytes, moved->size - old);
  return moved;
}

static void release(struct message *message) {
  check(message, message->size);
  atomic_fetch_sub(&live[message->owner].blocks, 1);
  atomic_fetch_sub(&live[message->owner].bytes, message->size);
  free(message);
}

static void inspect(void) {
  if (wasmalloc_check()) {
    fault("the heap is sound", wasmalloc_check());
  }
  /* A joined thread may still be in its last instructions when its stack is freed. SAFE_HEAP stops it if the stack is
   * above the break then. */
#ifndef KEEP_BREAK
  malloc_trim(0);
#endif
  struct wasmalloc_statistics statistics;
  wasmalloc_statistics(&statistics);
  if (statistics.largest_free > statistics.free_size ||
      statistics.used_size + statistics.free_size > statistics.heap_size) {
    fault("statistics", NULL);
  }
}

static void *work(void *argument) {
  uint32_t owner = (uint32_t)(uintptr_t)argument;
  uint32_t state = owner * 2654435761U + 1;
  struct message **mine = &kept[owner * KEPT];
  /* The first thread of a round ends in the middle. */
  size_t end = owner % (THREADS + 1) == 0 ? operations / 2 : operations;
  for (size_t i = 0; i < end; i++) {
    struct message *message = create(owner, &state);
    if (!message) {
      break;
    }
    if (next(&state) % 4 == 0) {
      message = resize(message, &state);
    }
    /* One of its own comes back, or somebody else's, or nothing. */
    if (next(&state) % 4 == 0) {
      struct message **place = &mine[next(&state) % KEPT];
      struct message *other = *place;
      *place = message;
      message = other;
    } else {
      message = atomic_exchange(&slots[next(&state) % SLOTS], message);
    }
    if (message) {
      check(message, message->size);
      if (next(&state) % 4 == 0) {
        message = resize(message, &state);
      }
      release(message);
    }
    if (i % 5000 == 0) {
      inspect();
    }
    if (i % 1000 == 0 && sbrk(24) == (void *)-1) {
      fault("sbrk", NULL);
    }
  }
  return NULL;
}

static void *do_nothing(void *argument) {
  return argument;
}

/* Starts threads, takes part if `work_here` is set, and waits for them. */
static bool run(void *(*function)(void *), uint32_t first_owner, bool work_here) {
  pthread_t threads[THREADS];
  for (uint32_t i = 0; i < THREADS; i++) {
    if (pthread_create(&threads[i], NULL, function, (void *)(uintptr_t)(first_owner + i))) {
      fault("pthread_create", NULL);
      return false;
    }
  }
  if (work_here) {
    work((void *)(uintptr_t)(first_owner + THREADS));
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
  }
  return true;
}

static size_t used_blocks(void) {
  struct wasmalloc_statistics statistics;
  wasmalloc_statistics(&statistics);
  return statistics.used_blocks;
}

/* So many blocks may be in the cache of a thread that is not ours, and count as used: where the program's main()
 * runs in a thread, that is the runtime's. */
static size_t aside(void) {
#ifdef __EMSCRIPTEN__
  return emscripten_is_main_runtime_thread() ? 0 : 64;
#else
  return 0;
#endif
}

/* What is in slots and what threads have kept is what the model says, thread by thread. */
static void compare_with_model(void) {
  size_t blocks[OWNERS] = {0};
  size_t bytes[OWNERS] = {0};
  for (size_t i = 0; i < SLOTS + OWNERS * KEPT; i++) {
    const struct message *message = i < SLOTS ? atomic_load(&slots[i]) : kept[i - SLOTS];
    if (message) {
      blocks[message->owner]++;
      bytes[message->owner] += message->size;
    }
  }
  for (size_t owner = 0; owner < OWNERS; owner++) {
    if (blocks[owner] != atomic_load(&live[owner].blocks) ||
        bytes[owner] != atomic_load(&live[owner].bytes)) {
      fault("the model", NULL);
    }
  }
}

/* Frees what is left of the threads that have ended: every second block, or all. */
static void release_left(size_t step) {
  for (size_t i = 0; i < SLOTS; i += step) {
    struct message *message = atomic_exchange(&slots[i], NULL);
    if (message) {
      release(message);
    }
  }
  for (size_t i = 0; i < OWNERS * KEPT; i += step) {
    if (kept[i]) {
      release(kept[i]);
      kept[i] = NULL;
    }
  }
}

/* All free memory between two blocks that are not free is one block. */
static void look_for_pieces(void) {
  struct wasmalloc_block block = {0};
  size_t before = WASMALLOC_USED;
  while (wasmalloc_next_block(&block)) {
    if (before == WASMALLOC_FREE && block.state == WASMALLOC_FREE) {
      fault("two free neighbours", block.address);
    }
    before = block.state;
  }
}

int main(int argc, char **argv) {
  int argument = 1;
  if (argc > argument && argv[argument][0] >= '0' && argv[argument][0] <= '9') {
    operations = strtoul(argv[argument++], NULL, 10);
  }
  if (argc > argument && strcmp(argv[argument], "minimal") == 0) {
    never_frees = true;
    operations /= 8;
  }

  /* What the C library has allocated once there have been threads stays. */
  if (!run(do_nothing, 0, false)) {
    return 1;
  }
  size_t used = used_blocks();
  for (uint32_t round = 0; round < ROUNDS; round++) {
    if (!run(work, round * (THREADS + 1), true)) {
      return 1;
    }
    inspect();
    compare_with_model();
    if (!never_frees && used_blocks() + aside() < used) {
      fault("used blocks", NULL);
    }
    release_left(2);
  }
  release_left(1);
  compare_with_model();
  inspect();
  if (!never_frees) {
    size_t left = used_blocks();
    if (left > used + aside() || left + aside() < used) {
      printf("not ok %zu blocks are used, and not %zu\n", left, used);
      atomic_fetch_add(&faults, 1);
    }
    look_for_pieces();
  }
  if (atomic_load(&faults) == 0) {
    printf("ok %d threads\n", THREADS);
  }
  return atomic_load(&faults) != 0;
}
