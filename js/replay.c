/*
 * The driver that replays a trace on the allocator that it is linked with: dist/replay-NAME.wasm, one for each.
 *
 * JavaScript (js/replay.js) compiles the trace into a program of 32-bit words, and hands it over in pieces. An
 * instruction is a word with the kind of call in its lowest three bits and the block's number above them; the size
 * follows, but for free, and the alignment, for memalign only.
 *
 * The heap must be the allocator's alone. So the program is in static memory, and the table of blocks in memory that is
 * taken by sbrk() before the allocator's first; the heap is what the break rises to above that.
 *
 * Each block gets a mark at its beginning and one at its end, which tell its number and size. They are looked at when the
 * block is resized or given back. An allocator that hands out a piece of memory twice, or writes into a block, or
 * loses what realloc should keep, is found out so.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT(name) __attribute__((used, export_name(#name))) name

enum kind { MALLOC, CALLOC, REALLOC, MEMALIGN, FREE };

/* What can be wrong with an allocator; js/replay.js has the texts. */
enum fault { SOUND, OUTSIDE, MISALIGNED, NOT_ZERO, LOST, OVERWRITTEN };

struct block {
  unsigned char *address; /* NULL where there is none, or no memory was left for it */
  size_t size;
};

/* All in bytes, or counts; JavaScript reads it. */
static struct state {
  uint32_t live;        /* of the blocks that there are, what was asked for */
  uint32_t peak_live;   /* the most that ever was, */
  uint32_t heap_then;   /* and the heap at the first such moment */
  uint32_t peak_heap;   /* the largest that the heap has been */
  uint32_t failed;      /* so many calls have got no memory */
  uint32_t fault;       /* an enum fault; then nothing is replayed any more */
  uint32_t instruction; /* the first word of the faulty one, and where that is in the piece */
  uint32_t position;
} state;

static uint32_t program[1 << 18];
static struct block *blocks;
static uintptr_t heap_base;

/* ---- marks ---- */

static uint32_t mark_of(uint32_t number, size_t size) {
  return (number * 2654435761u) ^ (uint32_t)size;
}

static void put_marks(const struct block *block, uint32_t number) {
  uint32_t mark = mark_of(number, block->size);
  if (block->size >= 8)
    memcpy(block->address + block->size - 4, &mark, 4);
  if (block->size > 0)
    memcpy(block->address, &mark, block->size < 4 ? 1 : 4);
}

/* Whether the marks of a block with `size` bytes are there, as far as they are in the first `kept`. */
static bool has_marks(const unsigned char *address, size_t size, size_t kept, uint32_t number) {
  uint32_t mark = mark_of(number, size);
  if (size >= 8 && kept >= size && memcmp(address + size - 4, &mark, 4) != 0)
    return false;
  size_t length = size < 4 ? size > 0 : 4;
  return kept < length || memcmp(address, &mark, length) == 0;
}

/* ---- replaying ---- */

static uintptr_t heap_size(void) {
  return (uintptr_t)sbrk(0) - heap_base;
}

static enum fault check_new(const unsigned char *address, size_t size, size_t alignment) {
  uintptr_t start = (uintptr_t)address;
  if (start < heap_base || size > heap_size() || start - heap_base > heap_size() - size)
    return OUTSIDE;
  /* What is smaller than a word may be anywhere. */
  return size >= 8 && start % alignment ? MISALIGNED : SOUND;
}

static enum fault allocate(enum kind kind, struct block *block, uint32_t number, size_t size,
                           size_t alignment) {
  void *address = kind == MALLOC   ? malloc(size)
                  : kind == CALLOC ? calloc(1, size)
                                   : memalign(alignment, size);
  *block = (struct block){address, size};
  if (!address) {
    block->size = 0;
    state.failed += size > 0;
    return SOUND;
  }
  enum fault fault = check_new(address, size, kind == MEMALIGN ? alignment : 8);
  if (fault)
    return fault;
  if (kind == CALLOC && size > 0 && (block->address[0] || block->address[size - 1]))
    return NOT_ZERO;
  state.live += size;
  put_marks(block, number);
  return SOUND;
}

static enum fault resize(struct block *block, uint32_t number, size_t size) {
  if (!block->address)
    return allocate(MALLOC, block, number, size, 0);
  if (!has_marks(block->address, block->size, block->size, number))
    return OVERWRITTEN;
  /* Allocators differ in what they make of 0. */
  unsigned char *address = realloc(block->address, size ? size : 1);
  if (!address) {
    ++state.failed;
    return SOUND;
  }
  enum fault fault = check_new(address, size, 8);
  if (fault)
    return fault;
  if (!has_marks(address, block->size, size, number))
    return LOST;
  state.live += size - block->size;
  *block = (struct block){address, size};
  put_marks(block, number);
  return SOUND;
}

static enum fault release(struct block *block, uint32_t number) {
  if (!block->address)
    return SOUND;
  if (!has_marks(block->address, block->size, block->size, number))
    return OVERWRITTEN;
  free(block->address);
  state.live -= block->size;
  block->address = NULL;
  return SOUND;
}

static void measure(void) {
  uintptr_t heap = heap_size();
  if (heap > state.peak_heap)
    state.peak_heap = heap;
  if (state.live > state.peak_live) {
    state.peak_live = state.live;
    state.heap_then = heap;
  }
}

/* Where JavaScript puts the program, and how many words there is room for. */
uint32_t *EXPORT(replay_program)(void) {
  return program;
}

uint32_t EXPORT(replay_program_words)(void) {
  return sizeof program / sizeof *program;
}

/* Makes the table for blocks with numbers up to `last`. The heap begins `remainder` bytes above a multiple of the page,
 * as it did in the program that was recorded. Returns whether there was memory for that; once for each instance. */
int EXPORT(replay_start)(uint32_t last, uint32_t remainder) {
  uintptr_t start = ((uintptr_t)sbrk(0) + 15) & ~(uintptr_t)15;
  uint64_t table = ((uint64_t)last + 1) * sizeof *blocks;
  uint64_t end = start + table;
  end += (remainder - end) & 0xffff;
  end = (end + 15) & ~(uint64_t)15;
  if (end > PTRDIFF_MAX || sbrk((intptr_t)(end - (uintptr_t)sbrk(0))) == (void *)-1)
    return 0;
  blocks = (struct block *)start;
  memset(blocks, 0, (size_t)table);
  heap_base = (uintptr_t)sbrk(0);
  return 1;
}

/* Replays a piece of so many words, and returns the state. Only if `measured` the peaks are kept up to date. */
const struct state *EXPORT(replay_run)(uint32_t words, int measured) {
  for (uint32_t at = 0; at < words && !state.fault;) {
    uint32_t position = at;
    uint32_t instruction = program[at++];
    enum kind kind = instruction & 7;
    uint32_t number = instruction >> 3;
    struct block *block = &blocks[number];
    enum fault fault;
    if (kind == FREE)
      fault = release(block, number);
    else {
      size_t size = program[at++];
      size_t alignment = kind == MEMALIGN ? program[at++] : 0;
      fault = kind == REALLOC ? resize(block, number, size)
                              : allocate(kind, block, number, size, alignment);
      if (measured)
        measure();
    }
    if (fault) {
      state.fault = fault;
      state.instruction = instruction;
      state.position = position;
    }
  }
  return &state;
}

/* The table: for each number, from 0 on, the address (0 for none) and the size of the block. */
const struct block *EXPORT(replay_blocks)(void) {
  return blocks;
}

/* How many bytes the allocator has given to block `number`, which there must be: at least what was asked for. */
size_t EXPORT(replay_usable_size)(uint32_t number) {
  return malloc_usable_size(blocks[number].address);
}

/* Where the heap begins, and how large it is. */
uintptr_t EXPORT(replay_heap_base)(void) {
  return heap_base;
}

uintptr_t EXPORT(replay_heap_size)(void) {
  return heap_size();
}
