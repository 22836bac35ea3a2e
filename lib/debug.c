/*
 * The debug build: the hardened build, for whoever looks for a bug.
 *
 * What is new. Each block ends with a *tail*, a word behind what was asked for: where the block was allocated.
 *
 *      +------+----------------------+------+-------+------+---------------------
 *      | head | payload, asked for   | tail | slack | head | payload ...
 *      +------+----------------------+------+-------+------+---------------------
 *                                        |
 *                                        v
 *                                     call stack (call_stack.h)
 *
 * It is sealed as heads are, so it also watches the bytes right behind the payload. At exit the blocks that the
 * program still holds are counted by their call stacks: the leaks (leaks.h).
 *
 * Fresh memory is filled with FRESH, so that a program that takes it for zero gets no zero. Freed memory is zero:
 * that is what the hardened build watches (hardened.c).
 *
 * The check tells what it finds: the first block that is broken, its neighbours, and the bytes at that place.
 *
 * Invariants: those of the hardened build. Every used block has a sealed tail, whose value is a call stack's
 * address, or 0.
 *
 * Cost: that of a call stack for each block.
 *
 * When to choose it: while you look for a bug.
 */
#include "allocator.h"

/* The hardened build's own names for the contract, which is kept below. */
#define heap_allocate hardened_allocate
#define heap_allocate_aligned hardened_allocate_aligned
#define heap_resize hardened_resize
#define heap_release hardened_release
#define heap_payload_size hardened_payload_size
#define heap_trim hardened_trim
#define heap_next_block hardened_next_block
#define heap_check hardened_check
#define heap_has_size hardened_has_size
#define heap_check_sized hardened_check_sized
#define slack_is_sound hardened_slack_is_sound
#define WASMALLOC_DEBUG
#ifdef __EMSCRIPTEN__
#define WASMALLOC_EXITS /* the port sees to it */
#endif
#include "hardened.c"
#undef heap_allocate
#undef heap_allocate_aligned
#undef heap_resize
#undef heap_release
#undef heap_payload_size
#undef heap_trim
#undef heap_next_block
#undef heap_check
#undef heap_has_size
#undef heap_check_sized
#undef slack_is_sound

#include "call_stack.h"

#include <stdio.h>
#include <string.h>

/* Blocks are not zero here: calloc has something to do. */
#undef ALLOCATES_ZEROS

/* Every byte of fresh memory. */
#define FRESH 0xcd

/* From leaks.h: whether blocks are the program's by now, and not the runtime's. */
static bool program_runs(void);

/* ---- tails ---- */

/* A tail is behind what was asked for, wherever that ends. */
static inline bool tail_is_sound(const char *tail) {
  uint64_t word;
  memcpy(&word, tail, WORD);
  return seal(tail, word & VALUE_MASK) == word;
}

static inline struct call_stack *tail_stack(const char *tail) {
  uint64_t word;
  memcpy(&word, tail, WORD);
  return (struct call_stack *)(uintptr_t)(word & VALUE_MASK);
}

/* Fills what is fresh, the payload from `old` bytes on, and says where it was allocated: here. */
static void mark(char *payload, size_t old, size_t bytes) {
  if (bytes > old)
    memset(payload + old, FRESH, bytes - old);
  const struct call_stack *stack = program_runs() ? call_stack_here() : NULL;
  uint64_t word = seal(payload + bytes, (uintptr_t)stack);
  memcpy(payload + bytes, &word, WORD);
}

/* What was asked for, of a payload that the program has passed. Stops if it is none, or if more was written. */
static size_t checked_size(const void *payload) {
  size_t size = hardened_payload_size(payload) - WORD;
  if (!tail_is_sound((const char *)payload + size))
    stop("overflow", payload);
  return size;
}

/* ---- the contract ---- */

/* More would not have room for a tail. */
#define MOST_BYTES (MAXIMUM_REQUEST - WORD)

static void *heap_allocate(size_t bytes) {
  void *payload = bytes > MOST_BYTES ? NULL : hardened_allocate(bytes + WORD);
  if (payload)
    mark(payload, 0, bytes);
  return payload;
}

static void *heap_allocate_aligned(size_t alignment, size_t bytes) {
  heap_lock();
  void *payload = bytes > MOST_BYTES ? NULL : allocate_aligned_sealed(alignment, bytes + WORD);
  if (payload)
    mark(payload, 0, bytes);
  heap_unlock();
  return payload;
}

static void *heap_resize(void *payload, size_t bytes) {
  void *surplus = NULL;
  heap_lock();
  size_t old = checked_size(payload);
  payload = bytes > MOST_BYTES ? NULL : resize_sealed(payload, bytes + WORD, &surplus);
  if (payload)
    mark(payload, old, bytes);
  /* It has no tail, so it is no block for the interface's function. */
  if (surplus)
    hardened_release(surplus);
  heap_unlock();
  return payload;
}

static void heap_release(void *payload) {
  checked_size(payload);
  hardened_release(payload);
}

static size_t heap_payload_size(const void *payload) {
  return checked_size(payload);
}

static inline bool heap_has_size(const void *payload, size_t bytes) {
  return hardened_has_size(payload, bytes + WORD);
}

/* Looks at the tail first: an overflow is named as such. */
RARE static void heap_check_sized(const void *payload, size_t alignment, size_t bytes) {
  checked_size(payload);
  hardened_check_sized(payload, alignment, bytes + WORD);
}

static bool heap_trim(size_t keep) {
  return hardened_trim(keep);
}

/* Of a free block too, a tail is not for the program. */
static bool heap_next_block(struct wasmalloc_block *walk) {
  bool found = hardened_next_block(walk);
  if (found && (walk->state == WASMALLOC_USED || walk->state == WASMALLOC_FREE))
    walk->size -= WORD;
  return found;
}

/* ---- the check ---- */

/* What was asked for, of a used block whose head is sealed. */
static size_t asked_size(const struct block *block) {
  return block_size(block) - WORD - value_slack(unseal(&block->head)) - WORD;
}

/* Whether what lies behind the payload of a used block is as it was. */
static bool slack_is_sound(struct block *block) {
  return tail_is_sound((const char *)block_payload(block) + asked_size(block)) &&
         hardened_slack_is_sound(block);
}

/* The payload of the first used block whose tail is broken, in a heap that is sound otherwise. */
static const void *first_broken_tail(void) {
  if (!heap.first)
    return NULL;
  for (struct block *block = (struct block *)heap.first; block < heap_end_block();
       block = block_next(block)) {
    if (block_state(block) == WASMALLOC_USED && !slack_is_sound(block))
      return block_payload(block);
  }
  return NULL;
}

/* The bytes from 16 before `place` to 32 behind it, as far as they are in the heap. */
static void print_bytes(const char *place) {
  const char *from = place - 16 < heap.first ? heap.first : place - 16;
  const char *to = place + 32 > heap.end ? heap.end : place + 32;
  for (; from < to; from += 16) {
    char line[128];
    int length = snprintf(line, sizeof(line), "    %p:", (const void *)from);
    for (int i = 0; i < 16 && from + i < to; ++i)
      length += snprintf(line + length, sizeof(line) - (size_t)length, "%c%02x",
                         from + i == place ? '>' : ' ', (unsigned char)from[i]);
    say(line);
  }
}

/* A line about a block. `what` is how it is related to the broken one. */
static void print_block(const char *what, struct block *block) {
  static const char *const states[] = {"free", "used", "foreign", "freed, waits"};
  char line[128];
  if (block == heap_end_block()) {
    snprintf(line, sizeof(line), "  %s: the end of the heap, %p", what, block_payload(block));
  } else if (!is_sealed(&block->head)) {
    snprintf(line, sizeof(line), "  %s: %p, its head is overwritten", what, block_payload(block));
  } else {
    size_t state = block_state(block);
    size_t size = state == WASMALLOC_USED ? asked_size(block) : block_size(block) - WORD;
    snprintf(line, sizeof(line), "  %s: %p, %zu bytes, %s", what, block_payload(block), size,
             states[state]);
  }
  say(line);
}

/* The first byte of a free block that is not zero though it should be, behind its links. */
static const char *first_written(struct block *block) {
  const char *end = (const char *)block_next(block);
  const char *byte = (const char *)block + WORD;
  if (block_state(block) == WASMALLOC_FREE && block != rest.block) {
    byte = (const char *)((struct free_block *)block + 1);
    end -= WORD;
  } else if (block_state(block) == WASMALLOC_INTERNAL) {
    byte += WORD;
  }
  while (byte < end && !*byte)
    ++byte;
  return byte < end ? byte : (const char *)block + WORD;
}

/* Prints what heap_check() has found. */
static void print_broken(const void *payload) {
  char line[128];
  if (payload == (const void *)-1) {
    say("wasmalloc: the heap is broken, but no block is: the allocator's variables do not fit it");
    return;
  }
  struct block *broken = payload_block(payload);
  struct block *previous = NULL;
  struct block *block = (struct block *)heap.first;
  while (block < broken && is_sealed(&block->head) && block_size(block)) {
    previous = block;
    block = block_next(block);
  }
  const char *fault;
  const char *place = (const char *)broken;
  struct block *next = NULL;
  if (!is_sealed(&broken->head)) {
    fault = "its head was overwritten: underflow, or overflow of the block before";
  } else if (broken == heap_end_block()) {
    fault = "the end of the heap is not where it should be";
  } else {
    next = block_next(broken);
    if (block_state(broken) == WASMALLOC_USED) {
      place = (const char *)payload + asked_size(broken);
      fault = "overflow: what lies behind it was overwritten";
      if (tail_is_sound(place) && !is_sealed(&next->head)) {
        place = (const char *)next;
        fault = "the head behind it was overwritten: overflow, or underflow of the next block";
      }
    } else {
      place = first_written(broken);
      fault = "it was written to after it was freed";
    }
  }
  snprintf(line, sizeof(line), "wasmalloc: block %p is broken: %s", payload, fault);
  say(line);
  if (previous)
    print_block("before it", previous);
  print_block("the block", broken);
  if (next)
    print_block("behind it", next);
  print_bytes(place);
}

static const void *heap_check(void) {
  const void *broken = hardened_check();
  if (!broken)
    broken = first_broken_tail();
  if (broken)
    print_broken(broken);
  return broken;
}

#include "leaks.h"
