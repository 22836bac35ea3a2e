/*
 * The memory layer of the development machine: linear memory, simulated.
 *
 * One range of addresses is reserved at the first use. "Linear memory" is its beginning, which
 * grows in pages of 64 KiB up to a maximum that a test sets; the kernel supplies what is really
 * touched. Under AddressSanitizer all that lies above the break is poisoned, so that an allocator
 * that strays there is caught.
 */
#define _DEFAULT_SOURCE /* mmap's MAP_ANONYMOUS and MAP_NORESERVE */
#include "memory.h"
#include "memory_host.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

#define PAGE ((size_t)65536)

static struct {
  char *base;          /* address 0 of the simulation, or NULL before the first use */
  size_t break_offset; /* the break, counted from base, as all that follows */
  size_t
      heap_end;   /* where the memory ends that the allocator has taken: the break is never below */
  size_t size;    /* of linear memory, a multiple of PAGE */
  size_t maximum; /* that size may reach */
  size_t growths; /* so far */
  size_t allowed_growths; /* still to be granted; SIZE_MAX: all */
  pthread_mutex_t mutex;  /* guards the rest: other threads call sbrk() as they like */
} memory = {.size = PAGE,
            .maximum = (size_t)256 << 20,
            .allowed_growths = SIZE_MAX,
            .mutex = PTHREAD_MUTEX_INITIALIZER};

static void lock_memory(void) {
  pthread_mutex_lock(&memory.mutex);
  if (memory.base)
    return;
  /* Twice as much, so that the base can be a multiple of what is reserved: then an allocator, which only
   * looks at an address's low bits, does the same in every run. */
  void *range = mmap(NULL, 2 * MEMORY_HOST_RESERVED, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) {
    perror("wasmalloc: cannot reserve the simulated linear memory");
    abort();
  }
  memory.base = (char *)range + (-(uintptr_t)range & (MEMORY_HOST_RESERVED - 1));
  ASAN_POISON_MEMORY_REGION(memory.base, MEMORY_HOST_RESERVED);
}

static void unlock_memory(void) {
  pthread_mutex_unlock(&memory.mutex);
}

static bool grow(size_t needed) {
  size_t size = (needed + PAGE - 1) & ~(PAGE - 1);
  if (size > memory.maximum || memory.allowed_growths == 0)
    return false;
  if (memory.allowed_growths != SIZE_MAX)
    --memory.allowed_growths;
  ++memory.growths;
  memory.size = size;
  return true;
}

/* What is above the break is no longer anybody's. */
static void give_back(const char *start, size_t bytes) {
  CLEAR_ABOVE_BREAK(start, bytes);
  ASAN_POISON_MEMORY_REGION(start, bytes);
}

/* Moves the break and says whether it could. The caller holds the mutex. */
static bool set_break(size_t offset) {
  if (offset > MEMORY_HOST_RESERVED || (offset > memory.size && !grow(offset)))
    return false;
  if (offset > memory.break_offset)
    ASAN_UNPOISON_MEMORY_REGION(memory.base + memory.break_offset, offset - memory.break_offset);
  else
    give_back(memory.base + offset, memory.break_offset - offset);
  memory.break_offset = offset;
  return true;
}

void *memory_extend(const void *end, size_t bytes, size_t apart) {
  lock_memory();
  char *old = memory.base + memory.break_offset;
  size_t step = old == end ? bytes : apart;
  bool done = step <= MEMORY_HOST_RESERVED && set_break(memory.break_offset + step);
  if (done)
    memory.heap_end = memory.break_offset;
  unlock_memory();
  return done ? old : NULL;
}

void *memory_break(void) {
  lock_memory();
  void *address = memory.base + memory.break_offset;
  unlock_memory();
  return address;
}

size_t memory_room(void) {
  lock_memory();
  size_t room = memory.size - memory.break_offset;
  unlock_memory();
  return room;
}

bool memory_withdraw(const void *end, size_t bytes) {
  lock_memory();
  bool done = memory.base + memory.break_offset == end && set_break(memory.break_offset - bytes);
  if (done)
    memory.heap_end = memory.break_offset;
  unlock_memory();
  return done;
}

void *wasmalloc_sbrk(intptr_t increment) {
  void *result = (void *)-1;
  lock_memory();
  char *old = memory.base + memory.break_offset;
  size_t step = ALIGN_UP((size_t)increment);
  size_t target = memory.break_offset + step;
  bool carried = increment > 0 ? target <= memory.break_offset : target > memory.break_offset;
  if (!carried && target >= memory.heap_end && set_break(target))
    result = old;
  else
    errno = ENOMEM;
  unlock_memory();
  return result;
}

int wasmalloc_brk(void *address) {
  lock_memory();
  uintptr_t target = ALIGN_UP((uintptr_t)address);
  bool done = target >= (uintptr_t)memory.base + memory.heap_end &&
              set_break(target - (uintptr_t)memory.base);
  if (!done)
    errno = ENOMEM;
  unlock_memory();
  return done ? 0 : -1;
}

void memory_host_set_maximum(size_t bytes) {
  memory.maximum = bytes < MEMORY_HOST_RESERVED ? bytes : MEMORY_HOST_RESERVED;
}

void memory_host_allow_growths(size_t growths) {
  memory.allowed_growths = growths;
}

size_t memory_host_growths(void) {
  return memory.growths;
}

size_t memory_host_size(void) {
  return memory.size;
}

void *memory_host_reset(void) {
  lock_memory();
  set_break(0);
  memory.heap_end = 0;
  memory.size = PAGE;
  memory.growths = 0;
  memory.allowed_growths = SIZE_MAX;
  unlock_memory();
  return memory.base;
}
