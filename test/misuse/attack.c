#define _GNU_SOURCE
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attack.h"

#include "../c/model.h"
#include "../c/names.h"

/* The program has so many live blocks at most, and remembers so many that it has freed. */
enum { LIVE = 64, FREED = 64 };

/* What happens in a round. */
enum { CALLS_BEFORE = 150, CALLS_AFTER = 1000, MOST_WRITES = 6, MOST_BYTES = 64, MOST_APART = 16 };

size_t attack_calls;
char *attack_end;

static struct live {
  char *address; /* NULL: there is none */
  size_t size;
  uint64_t contents; /* the pattern's seed */
  bool hit;          /* by the attack: the contents are not to be relied on */
} live[LIVE];

static struct freed {
  char *address;
  size_t size;
} freed[FREED];
static size_t freed_count;

static uint64_t state;

static size_t below(size_t bound) {
  return random_below(&state, bound);
}

/* Most blocks are small. */
static size_t any_size(void) {
  switch (below(32)) {
  case 0:
    return below(20000);
  case 1:
  case 2:
    return below(3000);
  case 3:
  case 4:
  case 5:
    return below(600);
  default:
    return below(120);
  }
}

static bool overlap(const char *one, size_t size, const char *other, size_t other_size) {
  return one < other + other_size && other < one + size;
}

/* ---- ordinary calls ---- */

static void check_contents(const struct live *block) {
  if (!block->hit && !holds(block->address, block->size, block->size, block->contents))
    attack_failed("the contents of the block of %zu bytes at %p have changed", block->size,
                  (void *)block->address);
}

/* A block that the allocator has handed out. */
static void receive(struct live *slot, void *block, size_t size, size_t alignment) {
  char *address = block;
  size_t extent = size ? size : 1;
  if (!is_aligned(block, alignment))
    attack_failed("%p is not aligned to %zu", block, alignment);
  if (address < heap_start || extent > (size_t)((char *)sbrk(0) - address))
    attack_failed("a block of %zu bytes at %p lies outside the heap", size, block);
  for (size_t i = 0; i < LIVE; i++)
    if (live[i].address && overlap(address, extent, live[i].address, live[i].size + !live[i].size))
      attack_failed("a block of %zu bytes at %p overlaps one of %zu at %p", size, block,
                    live[i].size, (void *)live[i].address);
  *slot = (struct live){address, size, random_next(&state), false};
}

static void check_zero(const struct live *block) {
  for (size_t i = 0; i < block->size; i++)
    if (block->address[i])
      attack_failed("byte %zu of a fresh block of %zu at %p is not zero", i, block->size,
                    (void *)block->address);
}

static void fill_block(struct live *block) {
  fill(block->address, block->size, block->contents);
}

static void allocate(struct live *slot, bool may_refuse) {
  size_t size = any_size();
  size_t alignment = 2 * sizeof(void *);
  void *block;
  switch (below(12)) {
  case 0:
    block = calloc(1, size);
    break;
  case 1:
    alignment = (size_t)16 << below(8);
    block = memalign(alignment, size);
    break;
  default:
    block = malloc(size);
    break;
  }
  if (!block) {
    if (!may_refuse)
      attack_failed("%zu bytes were refused", size);
    return;
  }
  receive(slot, block, size, alignment);
  check_zero(slot);
  fill_block(slot);
}

static void remember(const struct live *block) {
  freed[freed_count++ % FREED] = (struct freed){block->address, block->size};
}

static void release(struct live *slot) {
  check_contents(slot);
  struct live block = *slot;
  remember(&block);
  slot->address = NULL;
  free(block.address);
}

static void resize(struct live *slot, bool may_refuse) {
  check_contents(slot);
  struct live old = *slot;
  size_t size = 1 + any_size();
  slot->address = NULL;
  char *block = realloc(old.address, size);
  if (!block) {
    if (!may_refuse)
      attack_failed("%zu bytes were refused to realloc()", size);
    *slot = old;
    return;
  }
  if (block != old.address)
    remember(&old);
  receive(slot, block, size, 2 * sizeof(void *));
  size_t kept = size < old.size ? size : old.size;
  if (!old.hit && !holds(block, old.size, kept, old.contents))
    attack_failed("realloc() from %zu to %zu bytes has changed the contents", old.size, size);
  fill_block(slot);
}

static void call(bool may_refuse) {
  struct live *slot = &live[below(LIVE)];
  if (!slot->address)
    allocate(slot, may_refuse);
  else if (below(8) == 0)
    resize(slot, may_refuse);
  else
    release(slot);
  if (below(200) == 0 && HAS(malloc_trim))
    malloc_trim(below(2) ? 0 : below(10000));
}

/* ---- the attack ---- */

/* Not the sanitizer's business: the attacker writes where he likes. */
__attribute__((no_sanitize("address"))) static void write_byte(char *address, char byte) {
  *(volatile char *)address = byte;
}

static char any_byte(size_t kind, size_t i) {
  static uintptr_t word;
  switch (kind) {
  case 0:
    return 0;
  case 1:
    return (char)0xff;
  case 2: /* addresses of live blocks, where words are */
    if (i % sizeof word == 0)
      word = (uintptr_t)live[below(LIVE)].address - 8 * below(3);
    return (char)(word >> i % sizeof word * 8);
  case 3: /* small numbers */
    return i % 8 < 2 ? (char)below(256) : 0;
  default:
    return (char)below(256);
  }
}

static void attack(void) {
  char *at;
  if (below(2) && freed_count) {
    const struct freed *block = &freed[below(freed_count < FREED ? freed_count : FREED)];
    at = block->address + below(block->size + 1);
  } else {
    const struct live *block = &live[below(LIVE)];
    if (!block->address)
      return;
    at = block->address + block->size + (below(2) ? 0 : below(MOST_APART));
  }
  size_t bytes = 1 + below(below(2) ? 8 : MOST_BYTES);
  size_t kind = below(8);
  for (size_t i = 0; i < bytes; i++)
    write_byte(at + i, any_byte(kind, i));
  if (at + bytes > attack_end)
    attack_end = at + bytes;
  for (size_t i = 0; i < LIVE; i++)
    if (live[i].address && overlap(at, bytes, live[i].address, live[i].size))
      live[i].hit = true;
}

bool attack_is_absent(uint64_t seed) {
  return seed % 8 == 0 || seed % 8 == 3; /* with much memory, and with little */
}

size_t attack_round(uint64_t seed, bool may_refuse) {
  state = seed;
  attack_calls = 0;
  freed_count = 0;
  memset(live, 0, sizeof live);
  for (size_t i = below(CALLS_BEFORE); i-- > 0;)
    call(may_refuse);
  for (size_t i = 1 + below(MOST_WRITES); i-- > 0 && !attack_is_absent(seed);)
    attack();
  for (; attack_calls < CALLS_AFTER; attack_calls++)
    call(may_refuse);
  for (size_t i = 0; i < LIVE; i++)
    if (live[i].address)
      release(&live[i]);
  return attack_calls;
}
