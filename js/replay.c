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

/* What can be wrong with an allocator; js/replay.js has the texts. TOO_LARGE is no fault of its: to go on would take
 * more memory than the replay may fill. */
enum fault { SOUND, OUTSIDE, MISALIGNED, NOT_ZERO, LOST, OVERWRITTEN, TOO_LARGE };

/* What a replay is for: for the time that it takes; for the peaks; for where the blocks are, with no need of zeroes. */
enum mode { TIMED, MEASURED, LAID_OUT };

struct block {
  unsigned char *address; /* NULL where there is none, or no memory was left for it */
  size_t size;
};

/* All in bytes, or counts; JavaScript reads it. */
static struct state {
  uint32_t live;      /* of the blocks that there are, what was asked for */
  uint32_t peak_live; /* the most that ever was, */
  uint32_t heap_then; /* and the heap at the first such moment */
  uint32_t peak_heap; /* the largest that the heap has been */
  uint32_t failed;    /* so many calls have got no memory */
  uint32_t fault;     /* an enum fault; then nothing is replayed any more */
  uint32_t
      instruction; /* the first word of the faulty one, and where that is in the piece; unless TIMED, of */
  uint32_t position;  /* the one at work, which tells where an allocator has trapped */
  uint32_t filled;    /* so many pages of memory have been written to; unless TIMED */
  uint32_t calls;     /* so many have been replayed; unless TIMED */
  uint32_t peak_call; /* and so many when the heap was first as large as peak_heap */
} state;

static uint32_t program[1 << 18];
static struct block *blocks;
static uintptr_t heap_base;
static enum mode mode;

/* ---- how much memory is filled ---- */

/* A page of linear memory is none of the computer's memory until something is written there: a program may ask for much
 * and use little. What a replay writes to, it must not write to much of: a trace of a few bytes can ask for 4 GiB of zeroes. */
#define PAGE_SHIFT 12

static uint32_t filled_pages[(1u << (32 - PAGE_SHIFT)) / 32];
static uint32_t most_filled; /* pages */

static uint32_t pages_of(size_t size) {
  return (uint32_t)(size >> PAGE_SHIFT) + 1;
}

/* How many of the pages that hold these bytes, one at least, have not been filled; marks them if `fills`. */
static uint32_t count_new_pages(const void *start, size_t size, bool fills) {
  uint32_t count = 0;
  size_t last = ((uintptr_t)start + size - 1) >> PAGE_SHIFT;
  for (size_t page = (uintptr_t)start >> PAGE_SHIFT; page <= last; ++page) {
    uint32_t bit = 1u << page % 32;
    count += !(filled_pages[page / 32] & bit);
    if (fills)
      filled_pages[page / 32] |= bit;
  }
  return count;
}

static void fill(const void *start, size_t size) {
  if (mode != TIMED && size > 0)
    state.filled += count_new_pages(start, size, true);
}

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
  fill(block->address, block->size < 4 ? block->size : 4);
  if (block->size >= 8)
    fill(block->address + block->size - 4, 4);
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

/* Zeroes for a block that calloc would have to fill beyond what is allowed: not before it is known where it is. */
static enum fault zero_carefully(void *address, size_t size) {
  if (state.filled + count_new_pages(address, size, false) > most_filled)
    return TOO_LARGE;
  memset(address, 0, size);
  return SOUND;
}

static enum fault allocate(enum kind kind, struct block *block, uint32_t number, size_t size,
                           size_t alignment) {
  /* The block of a calloc stands where that of a malloc would. */
  bool is_careful =
      kind == CALLOC && mode == MEASURED && state.filled + pages_of(size) > most_filled;
  if (kind == CALLOC && (is_careful || mode == LAID_OUT))
    kind = MALLOC;
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
  if (is_careful && (fault = zero_carefully(address, size)))
    return fault;
  if (kind == CALLOC || is_careful)
    fill(address, size);
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
  size_t kept = size < block->size ? size : block->size;
  if (mode != TIMED && state.filled + pages_of(kept) > most_filled)
    return TOO_LARGE;
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
  if (address != block->address)
    fill(address, kept);
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
  if (heap > state.peak_heap) {
    state.peak_heap = heap;
    state.peak_call = state.calls;
  }
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
 * as it did in the program that was recorded. So many MiB of memory may be filled, if the replay is not TIMED: that
 * comes after one that has gone well. Returns whether there was memory for the table; once for each instance. */
int EXPORT(replay_start)(uint32_t last, uint32_t remainder, uint32_t mebibytes) {
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
  most_filled = mebibytes << (20 - PAGE_SHIFT);
  state.filled = pages_of((size_t)table);
  return 1;
}

/* A batch of instructions is so much work: so many of them, or fewer that have many bytes to zero or to copy. */
#define BATCH 64
#define WORK_SHIFT 14

/* Replays a batch of the instructions from word `at` of the program to word `end`, and returns the word that it has come
 * to, so that the caller can look at the clock; `end` after a fault. Unless TIMED, the peaks are kept up to date. */
uint32_t EXPORT(replay_run)(uint32_t at, uint32_t end, enum mode what_for) {
  mode = what_for;
  size_t work = 0;
  while (at < end && work < BATCH) {
    uint32_t position = at;
    uint32_t instruction = program[at++];
    enum kind kind = instruction & 7;
    uint32_t number = instruction >> 3;
    struct block *block = &blocks[number];
    enum fault fault;
    ++work;
    if (mode != TIMED) {
      state.instruction = instruction;
      state.position = position;
      ++state.calls;
    }
    if (kind == FREE)
      fault = release(block, number);
    else {
      size_t size = program[at++];
      size_t alignment = kind == MEMALIGN ? program[at++] : 0;
      if (kind == CALLOC || kind == REALLOC)
        work += size >> WORK_SHIFT;
      fault = kind == REALLOC ? resize(block, number, size)
                              : allocate(kind, block, number, size, alignment);
      if (mode != TIMED) {
        measure();
        if (!fault && state.filled > most_filled)
          fault = TOO_LARGE;
      }
    }
    if (fault) {
      state.fault = fault;
      state.instruction = instruction;
      state.position = position;
      return end;
    }
  }
  return at;
}

const struct state *EXPORT(replay_state)(void) {
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
