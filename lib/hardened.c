/*
 * The hardened build: the heap of 4_bins, for programs that read what their enemies wrote.
 *
 * WebAssembly has no guard pages and puts everything where it was the last time. A write past the end of a block
 * hits the next block's head, and a write after free the links of a list; an allocator that follows what it
 * finds there writes wherever the attacker likes. This one notices, and ends the program.
 *
 *   1. Whatever the allocator writes into the heap is sealed (seal.h): what it reads there is what it wrote.
 *   2. Free memory is zero: free overwrites, and malloc looks. A write after free is found when the block
 *      is handed out again, and no data outlive their block. (calloc has nothing left to do.)
 *   3. What of a block was not asked for, its slack, is filled with a pattern that only this run knows. free
 *      looks at it, and at the head of the block behind: so every byte past the end is watched.
 *   4. free looks at its block's own head. It is sealed for this address, so no other address has one, and says
 *      whether the block is used, so that none is freed twice.
 *   5. A block knows what was asked for, and a free that names another size stops (sized.h).
 *   6. What no malloc and no free comes across is found when the program ends, if it does (at_exit.h).
 *   7. A freed block waits in a *quarantine* before it is handed out again, so that a pointer that was
 *      kept too long points at nothing for a while.
 *
 *      +------+----------------------+-------+------+-------------------+------+---------------------
 *      | head | payload, asked for   | slack | head | 0 0 0 0 0 0 0 0 0 | head | payload ...
 *      +------+----------------------+-------+------+-------------------+------+---------------------
 *      |<----------- used ------------------>|<---- in quarantine ----->|
 *
 * The quarantine is a queue for each small size, and one for all large blocks. It is also what makes this fast: as
 * in 5_wasmalloc's quick lists, what was freed serves the next request of its size without being merged and split.
 * But the block that has waited longest comes first, and never before some others of its size are behind it.
 * Queues hold up to 1/QUARANTINE_PART of the heap; the oldest blocks beyond that are released.
 *
 * Invariants: those of 4_bins. A block in quarantine is marked internal. Every byte of a free block or one
 * in quarantine is zero, but for heads, tags and links. So is memory above the break: who gives some back overwrites
 * it (memory.h).
 *
 * Cost: malloc and free take time in proportion to the block's size, to look at it and to overwrite it.
 *
 * When to choose it: when an attacker may choose the program's input.
 */
#ifndef WASMALLOC_HARDENED
#error "all sources of the hardened build are compiled with -DWASMALLOC_HARDENED"
#endif

#define BINS_WITHOUT_CONTRACT

/* What a payload leaves behind when it moves would have to be overwritten. */
#define BLOCKS_SLIDE false

/* malloc's blocks are zero. */
#define ALLOCATES_ZEROS

#include "4_bins.c"
#include "reclaim.h"

#include <unistd.h>
#ifdef __EMSCRIPTEN__
#include <emscripten/console.h>
#else
#include <stdio.h>
#endif

/* Small blocks have fewer than LARGE_UNITS units of ALIGNMENT, and a queue for each size. */
#define LARGE_UNITS 129
#define LARGE (LARGE_UNITS * ALIGNMENT)
#define LARGE_QUEUE LARGE_UNITS

/* So many bytes of a small size wait at least, but no more than MOST_WAITING blocks: then the first may be handed
 * out again. Of large blocks one waits. */
#define LEAST_WAITING 1024
#define MOST_WAITING 8

/* Of the heap, what may wait beyond that, and some more: a page, which is handed out again before linear memory
 * grows. */
#define QUARANTINE_PART 8
#define LEAST_ROOM 65536

/* So many blocks are released when memory is short. */
#define RELEASED 16

/* What is no longer than this is overwritten word by word: a call of memory.fill takes longer. */
#define SHORT 256

/* A block in quarantine. */
struct waiting {
  struct block block;
  link_word next; /* to the one that was freed after it; 0 if it is the last */
};

/* What was freed first, and last; NULL if nothing waits. */
struct queue {
  struct waiting *first, *last;
  size_t blocks;
};

static struct {
  struct queue queue[LARGE_UNITS + 1];
  size_t bytes;   /* of all that waits, heads included */
  uint32_t first; /* the queue that is asked first when memory is short */
} quarantine;

/* ---- faults ---- */

/* A line on stderr. Allocates nothing. */
SOMETIMES_UNUSED RARE static void say(const char *text) {
#ifdef __EMSCRIPTEN__
  _emscripten_err(text);
#else
  fprintf(stderr, "%s\n", text);
#endif
}

/* Tells what is wrong, and where. Ends the program, while it holds the lock. */
RARE _Noreturn static void stop(const char *fault, const void *payload) {
#ifdef WASMALLOC_STOP
  WASMALLOC_STOP(fault, payload);
#else
  static char text[96] = "wasmalloc: ";
  size_t length = 11;
  for (const char *from = fault; *from; ++from)
    text[length++] = *from;
  for (const char *from = " (block 0x"; *from; ++from)
    text[length++] = *from;
  int digit = (int)sizeof(payload) * 2;
  while (digit--)
    text[length++] = "0123456789abcdef"[(uintptr_t)payload >> digit * 4 & 15];
  text[length] = ')';
  say(text);
#endif
  heap_lock_forever();
  __builtin_trap();
}

/* The fault where a head is overwritten. */
#define HEAD_OVERWRITTEN "underflow, or overflow of the block before"

/* Which fault it is that no block that can be freed begins at an address. */
RARE static const char *fault_of(const void *payload) {
  if (!heap.first || !payload_may_be_at((uintptr_t)payload))
    return "free of what is no block";
  const struct block *end = heap_end_block();
  const struct block *block = (const struct block *)heap.first;
  while (block < end && block < payload_block(payload)) {
    if (!is_sealed(&block->head))
      return "heap corrupted";
    block = (const struct block *)((const char *)block + block_size(block));
  }
  return block == payload_block(payload) ? HEAD_OVERWRITTEN : "free of what is no block";
}

/* The value of the head of a payload that the program has passed: of a used block, or the program stops. */
static inline uint64_t used_value(const void *payload) {
  const head_word *head = &payload_block(payload)->head;
  if (!payload_may_be_at((uintptr_t)payload) || !is_sealed(head))
    stop(fault_of(payload), payload);
  uint64_t value = *head & VALUE_MASK;
  if ((value & (USED | SPECIAL)) != USED)
    stop(value & USED ? "free of what is no block" : "double free", payload);
  return value;
}

/* ---- slack ---- */

/* The bytes of a word that are slack if the last `bytes` of it are, up to 8. The last have the highest places. */
static inline uint64_t slack_mask(size_t bytes) {
  return ~(uint64_t)0 << (64 - 8 * bytes);
}

/* Fills the last bytes before the next block with the pattern, or with zeros again. */
static inline void fill_slack(const struct block *next, size_t slack, uint64_t pattern) {
  uint64_t *word = (uint64_t *)next;
  while (slack) {
    size_t bytes = slack < 8 ? slack : 8;
    uint64_t mask = slack_mask(bytes);
    --word;
    *word = (*word & ~mask) | (pattern & mask);
    slack -= bytes;
  }
}

/* Whether the head of the next block, and the slack before it, are as they were. */
static inline bool end_is_sound(const struct block *next, size_t slack) {
  const uint64_t *word = &next->head;
  uint64_t changed = 0;
  bool sound = is_sealed(word);
  while (slack) {
    size_t bytes = slack < 8 ? slack : 8;
    changed |= (*--word ^ secret.pattern) & slack_mask(bytes);
    slack -= bytes;
  }
  return sound && !changed;
}

/* Stops if more was written than a used block has, of which this is the head's value. */
static inline void check_end(struct block *block, uint64_t value) {
  if (!end_is_sound(block_at(block, value_size(value)), value_slack(value)))
    stop("overflow", block_payload(block));
}

/* used_value() and check_end(), for all but free. */
NOT_INLINED static uint64_t checked_value(const void *payload) {
  uint64_t value = used_value(payload);
  check_end(payload_block(payload), value);
  return value;
}

/* ---- memory that is zero ---- */

static inline void overwrite(void *from, size_t bytes) {
  if (bytes > SHORT) {
    __builtin_memset(from, 0, bytes);
    return;
  }
  uint64_t *word = from;
  for (; bytes >= 4 * WORD; bytes -= 4 * WORD, word += 4) {
    word[0] = word[1] = word[2] = word[3] = 0;
    __asm__("" : "+r"(word)); /* or the compiler makes a call of memory.fill of it */
  }
  for (; bytes; bytes -= WORD) {
    *word++ = 0;
    __asm__("" : "+r"(word));
  }
}

/* Stops if there is a byte that is not zero in free memory. `payload` is the block that it will be part of. */
static inline void check_zeros_here(const void *from, size_t bytes, const void *payload) {
  const uint64_t *word = from;
  uint64_t any = 0;
  for (; bytes >= 4 * WORD; bytes -= 4 * WORD, word += 4)
    any |= word[0] | word[1] | word[2] | word[3];
  for (; bytes; bytes -= WORD)
    any |= *word++;
  if (any)
    stop("write after free", payload);
}

NOT_INLINED static void check_zeros(const void *from, size_t bytes, const void *payload) {
  check_zeros_here(from, bytes, payload);
}

/* ---- the quarantine ---- */

static inline struct queue *queue_of(size_t size) {
  return &quarantine.queue[size < LARGE ? size / ALIGNMENT : LARGE_QUEUE];
}

/* So many blocks of a size are never handed out, nor released unless there is no other memory. */
static inline size_t least_waiting(size_t size) {
  return size <= LEAST_WAITING / MOST_WAITING ? MOST_WAITING
         : size < LEAST_WAITING               ? LEAST_WAITING / size
                                              : 1;
}

static inline void put(struct queue *queue, struct waiting *waiting, size_t size) {
  if (queue->blocks++) {
    if (queue->last->next)
      stop("write after free", &queue->last->next);
    queue->last->next = seal(&queue->last->next, (uintptr_t)waiting & VALUE_MASK);
  } else {
    queue->first = waiting;
  }
  queue->last = waiting;
  quarantine.bytes += size;
}

/* Takes the block that has waited longest, of which there is one: internal, and all zero. */
static inline struct block *take(struct queue *queue) {
  struct waiting *waiting = queue->first;
  if (--queue->blocks) {
    queue->first = (struct waiting *)link_target(&waiting->next, unseal_here(&waiting->next));
    waiting->next = 0;
  }
  return &waiting->block;
}

NOT_INLINED static void release_block(struct block *block) {
  release_block_here(block, block_size(block));
}

NOT_INLINED static void release_first(struct queue *queue) {
  struct block *block = take(queue);
  size_t size = block_size(block);
  quarantine.bytes -= size;
  check_zeros(block + 1, size - WORD, block + 1);
  release_block(block);
}

static bool free_list_reclaim(bool all) {
  size_t released = 0;
  uint32_t index = quarantine.first;
  do {
    struct queue *queue = &quarantine.queue[index];
    size_t kept = all ? 0 : least_waiting(index * ALIGNMENT);
    while (queue->blocks > kept && (all || released < RELEASED)) {
      release_first(queue);
      ++released;
    }
    if (released == RELEASED && !all)
      break;
    index = (index ? index : LARGE_QUEUE + 1) - 1;
  } while (index != quarantine.first);
  quarantine.first = index;
  return released != 0;
}

/* ---- the contract ---- */

/* A block that is as good as free becomes used: `bytes` of it were asked for. */
static inline void *hand_out(struct block *block, size_t size, size_t flags, size_t bytes) {
  size_t slack = size - WORD - bytes;
  block->head = seal(&block->head, size | flags | USED | (uint64_t)slack << HEAD_BITS);
  fill_slack(block_at(block, size), slack, secret.pattern);
  return block_payload(block);
}

/* A used block of the heap below, of which `bytes` were asked for. */
NOT_INLINED static void *hand_out_fresh(struct block *block, size_t bytes) {
  size_t head = get_head(block);
  size_t size = head & ~(size_t)FLAGS;
  check_zeros(block + 1, size - WORD, block + 1);
  return hand_out(block, size, head & PREVIOUS_USED, bytes);
}

/* So many bytes before the first block, and behind the last one, are looked at when the program ends. */
#define BESIDE_HEAP 256

#ifdef WASMALLOC_EXITS
/* Those before it: zeros that are nobody's. */
static const char *before_heap;
#endif

/* Before the first block. */
static inline void draw_secret(void) {
  if (secret.factor)
    return;
#ifdef WASMALLOC_EXITS
  before_heap = memory_extend(NULL, BESIDE_HEAP, BESIDE_HEAP);
#endif
  if (getentropy(&secret, sizeof(secret)))
    stop("no random numbers", NULL);
  secret.factor |= 1;
  secret.pattern |= 0x8080808080808080;
}

NOT_INLINED static void *allocate_below(size_t size, size_t bytes) {
  draw_secret();
  void *payload = allocate_block(size);
  return payload ? hand_out_fresh(payload_block(payload), bytes) : NULL;
}

static inline void *heap_allocate(size_t bytes) {
  if (bytes > MAXIMUM_REQUEST)
    return NULL;
  size_t size = block_size_for(bytes, MINIMUM_BLOCK);
  struct queue *queue = queue_of(size);
  if (size >= LARGE || queue->blocks <= least_waiting(size))
    return allocate_below(size, bytes);
  struct block *block = take(queue);
  size_t flags = (size_t)unseal_here(&block->head) & PREVIOUS_USED;
  quarantine.bytes -= size;
  check_zeros_here(block + 1, size - WORD, block + 1);
  return hand_out(block, size, flags, bytes);
}

static inline void heap_release(void *payload) {
  uint64_t value = used_value(payload);
  struct block *block = payload_block(payload);
  check_end(block, value);
  size_t size = value_size(value);
  overwrite(payload, size - WORD);
  block->head = seal(&block->head, ((size_t)value & PREVIOUS_USED) | size | SPECIAL);
  struct queue *queue = queue_of(size);
  put(queue, (struct waiting *)block, size);
  size_t room = (size_t)(heap.end - heap.first) / QUARANTINE_PART + LEAST_ROOM;
  /* One more than came: so what is too much becomes less, and no call takes long. */
  for (int released = 0;
       released < 2 && quarantine.bytes > room && queue->blocks > least_waiting(size); ++released)
    release_first(queue);
}

/* heap_allocate_aligned(), for whoever has the lock. */
RARE static void *allocate_aligned_sealed(size_t alignment, size_t bytes) {
  draw_secret();
  /* What is skipped must have room for a block. */
  if (alignment < MINIMUM_BLOCK)
    alignment = MINIMUM_BLOCK;
  void *surplus = NULL;
  void *payload = tags_allocate_aligned(alignment, bytes, &surplus);
  if (!payload)
    return NULL;
  /* What is left over has never been anybody's. */
  struct block *block = payload_block(payload);
  void *more = cut_surplus(block, block_size_for(bytes, MINIMUM_BLOCK));
  if (surplus)
    release_block(payload_block(surplus));
  if (more)
    release_block(payload_block(more));
  return hand_out_fresh(block, bytes);
}

SOMETIMES_UNUSED static void *heap_allocate_aligned(size_t alignment, size_t bytes) {
  heap_lock();
  void *payload = allocate_aligned_sealed(alignment, bytes);
  heap_unlock();
  return payload;
}

/* heap_resize(), for whoever has the lock, and releases the surplus. */
RARE static void *resize_sealed(void *payload, size_t bytes, void **surplus) {
  uint64_t value = checked_value(payload);
  struct block *block = payload_block(payload);
  size_t old = value_size(value);
  size_t slack = value_slack(value);
  fill_slack(block_at(block, old), slack, 0);
  /* What is cut off is as good as freed. */
  if (bytes < old - WORD) {
    size_t kept = (bytes + WORD - 1) & ~(WORD - 1);
    overwrite((char *)payload + kept, old - WORD - kept);
  }
  void *resized = tags_resize(payload, bytes, surplus);
  size_t head = get_head(block);
  size_t size = head & ~(size_t)FLAGS;
  if (size > old)
    check_zeros(block_at(block, old), size - old, payload);
  if (resized)
    slack = size - WORD - bytes;
  hand_out(block, size, head & PREVIOUS_USED, size - WORD - slack);
  return resized;
}

SOMETIMES_UNUSED static void *heap_resize(void *payload, size_t bytes) {
  return resize_locked(resize_sealed, payload, bytes);
}

static size_t heap_payload_size(const void *payload) {
  uint64_t value = checked_value(payload);
  return value_size(value) - WORD - value_slack(value);
}

/* Whether so many bytes were asked for. Whether there is a block at all is for free() to see: that is called next. */
static inline bool heap_has_size(const void *payload, size_t bytes) {
  if (!payload_may_be_at((uintptr_t)payload))
    return false;
  uint64_t value = payload_block(payload)->head & VALUE_MASK;
  return value_size(value) - WORD - value_slack(value) == bytes;
}

/* Stops at a payload that the program frees with another size, or alignment, than it has. */
RARE static void heap_check_sized(const void *payload, size_t alignment, size_t bytes) {
  if (heap_payload_size(payload) != bytes)
    stop("free with a wrong size", payload);
  if ((uintptr_t)payload & (alignment - 1))
    stop("free with a wrong alignment", payload);
}

static bool heap_trim(size_t keep) {
  free_list_reclaim(true);
  return tags_trim(keep);
}

/* The walk looks at the heap as it is when nothing waits. Slack belongs to nobody. */
static bool heap_next_block(struct wasmalloc_block *walk) {
  if (!walk->address)
    free_list_reclaim(true);
  if (!block_walk(walk))
    return false;
  walk->size -= value_slack(unseal(&payload_block(walk->address)->head));
  return true;
}

/* ---- the check ---- */

/* Whether all words of memory are zero. */
RARE static bool is_zero(const void *from, const void *to) {
  for (const uint64_t *word = from; word < (const uint64_t *)to; ++word)
    if (*word)
      return false;
  return true;
}

/* Whether the slack of a used block is as it was. Looks byte by byte, as end_is_sound() does not: the check reads
 * blocks that other threads write to, and what was asked for is theirs. */
RARE static bool slack_is_sound(struct block *block) {
  const unsigned char *byte = (const unsigned char *)block_next(block);
  size_t slack = value_slack(unseal(&block->head));
  for (size_t place = 0; place < slack; ++place)
    if (*--byte != (unsigned char)(secret.pattern >> (7 - place % 8) * 8))
      return false;
  return true;
}

/* Whether a block's own words are sealed, its slack is as it was, and free memory is zero. */
RARE static bool block_is_sound(struct block *block) {
  const struct free_block *links = (struct free_block *)block;
  struct block *next = block_next(block);
  switch (block_state(block)) {
  case WASMALLOC_USED:
    return slack_is_sound(block) && is_sealed(&next->head);
  case WASMALLOC_INTERNAL:
    return (links->next == 0 || is_sealed(&links->next)) && is_zero(&links->previous, next);
  case WASMALLOC_FREE:
    if (block == rest.block)
      return is_zero(block + 1, next);
    return is_sealed(&links->next) && is_sealed(&links->previous) &&
           is_zero(links + 1, previous_tag(next)) && is_sealed(previous_tag(next));
  default:
    return true;
  }
}

/* The payload of the first broken block of all, or NULL. Counts those in quarantine. Follows no word that is not
 * sealed, so that a broken heap can be looked at. */
RARE static const void *first_broken(size_t *waiting) {
  if (!heap.first)
    return NULL;
  struct block *end = heap_end_block();
  struct block *block;
  for (block = (struct block *)heap.first; block < end; block = block_next(block)) {
    if (!is_sealed(&block->head))
      return block_payload(block);
    size_t least = block_is_foreign(block) ? LEAST_FOREIGN : MINIMUM_BLOCK;
    if (block_size(block) < least || !block_is_sound(block))
      return block_payload(block);
    *waiting += block_state(block) == WASMALLOC_INTERNAL;
  }
  return block == end && is_sealed(&end->head) ? NULL : block_payload(end);
}

static const void *heap_check(void) {
  size_t waiting = 0;
  const void *broken = first_broken(&waiting);
  if (broken || !heap.first)
    return broken;
  for (uint32_t index = 0; index <= LARGE_QUEUE; ++index)
    waiting -= quarantine.queue[index].blocks;
  return waiting ? (const void *)-1 : tags_check();
}

#if defined(WASMALLOC_EXITS) && !defined(WASMALLOC_DEBUG)
#include "at_exit.h"
AT_EXIT(check_at_exit);
#endif
