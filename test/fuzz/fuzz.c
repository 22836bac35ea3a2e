/*
 * The calls, and the model that they are held against.
 *
 * The model knows every live block: its address, how large it really is, and what was written to it. After
 * each call it checks what the call owes (fuzz.h): a result is aligned, overlaps nothing, has the contents
 * it must have; a refusal has its errno and a reason; nothing else has changed. Every now and then, and at
 * the end, it looks at all blocks, at the allocator's own check, and at the walk over the heap, which must
 * show each live block, and account for every byte.
 *
 * With FUZZ_WORDS the calls go to the word interface instead.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../c/names.h"

#include "../c/model.h"
#include "fuzz.h"

uint64_t fuzz_calls;
bool fuzz_never_frees;

enum {
  BLOCKS = 16384,        /* so many may live at a time */
  CHECK_EVERY = 1024,    /* so many calls lie between two looks at everything */
  NOTHING = 0x5A5A,      /* an errno that no call sets */
  WORD = sizeof(size_t), /* the head of a block */
  STEP = 2 * WORD        /* what the break moves by */
};

#define WORD_ALIGNMENT _Alignof(max_align_t)
#define PAGE ((size_t)65536)
#define MAXIMUM_REQUEST ((size_t)PTRDIFF_MAX)

static struct live {
  unsigned char *address;
  size_t
      size; /* that can be used, which may be more than was asked for; all of it carries a pattern */
  uint64_t seed;
} live[BLOCKS];
static size_t live_count;

/* So many blocks have ever been made. */
static uint64_t made_count;

/* So often others have taken memory by sbrk(), and what they took last, in one stretch: that they may give back. */
static size_t foreign_count;
static unsigned char *foreign;
static size_t foreign_size;

static size_t largest_heap; /* that the statistics have told of */

/* Where blocks have been: most of it is free. */
enum { FREED = 64 };
static unsigned char *freed_lately[FREED];
static size_t freed_count;

static uint64_t calls_before;    /* fuzz_calls at the beginning of this run */
static uintptr_t lowest_address; /* that the heap can have */
static bool growth_is_refused;
static size_t last_size;
static uint64_t patterns; /* the state of the seeds for patterns */

/* ---- faults ---- */

__attribute__((format(printf, 1, 2), noreturn)) static void fault(const char *format, ...) {
  fprintf(stderr, "fault in call %" PRIu64 ": ", fuzz_calls - calls_before);
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  fflush(stderr);
  abort();
}

#define MUST(condition, ...)                                                                       \
  do {                                                                                             \
    if (!(condition))                                                                              \
      fault(__VA_ARGS__);                                                                          \
  } while (0)

/* ---- the bytes ---- */

static const uint8_t *next_byte;
static const uint8_t *last_byte;

static size_t take8(void) {
  return next_byte < last_byte ? *next_byte++ : 0;
}

static size_t take16(void) {
  size_t low = take8();
  return low | take8() << 8;
}

/* From 0 to bound - 1. */
static size_t take_below(size_t bound) {
  return (bound > 256 ? take16() : take8()) % bound;
}

/* A little more or less: -16 to 15. */
static size_t take_deviation(void) {
  return take8() % 32 - 16;
}

/* A size that is likely to meet a boundary of some allocator: of its classes and bins, of pages, of what
 * is left of memory, of what can be asked for at all. */
static size_t take_size(void) {
  switch (take8() % 24) {
  default:
    return take8();
  case 8:
  case 9:
  case 10:
  case 11:
    return last_size;
  case 12:
    return live_count ? live[take_below(live_count)].size : 0;
  case 13:
  case 14:
    return take8() * 8;
  case 15:
  case 16:
    return take16() % 4096;
  case 17:
    return take16();
  case 18:
    return take16() * 16;
  case 19:
    return ((size_t)1 << take8() % 22) + take_deviation();
  case 20:
    return take8() % 16 * PAGE + take_deviation();
  case 21:
    return platform_room(true) + take_deviation() * 8;
  case 22:
    return platform_room(false) + take_deviation() * 8;
  case 23: {
    static const size_t edges[] = {SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 4 * 3, SIZE_MAX / 16};
    return edges[take8() % 4] + take_deviation();
  }
  }
}

/* ---- the model ---- */

static size_t usable_size(const void *address);
static void free_block(void *address, size_t size, size_t choice);

static void expect_contents(const struct live *block, size_t kept, const void *address) {
  MUST(holds(address, block->size, kept, block->seed),
       "the contents of the %zu bytes at %p, now at %p", block->size, (void *)block->address,
       address);
}

static void expect_errno(int expected, const char *name) {
  MUST(errno == expected, "%s sets errno to %d, not to %d", name, errno, expected);
}

/* Takes the memory at `address` into the model, as block `i`, which may be a new one. */
static void adopt(size_t i, void *address, size_t size, size_t alignment, const char *name) {
  MUST(is_aligned(address, alignment), "%s gives %p, not aligned to %zu", name, address, alignment);
  size_t usable = usable_size(address);
  MUST(usable >= size, "%s gives %zu bytes instead of %zu", name, usable, size);
  const char *wrong = own(address, usable, true);
  MUST(!wrong, "%s gives %zu bytes at %p: %s", name, usable, address, wrong);
  made_count += i == live_count || live[i].address != address;
  live_count += i == live_count;
  live[i] = (struct live){address, usable, random_next(&patterns)};
  fill(address, usable, live[i].seed);
}

/* The memory that block `i` has had is no longer its own. */
static void disown(size_t i) {
  const char *wrong = own(live[i].address, live[i].size, false);
  MUST(!wrong, "%zu bytes at %p: %s", live[i].size, (void *)live[i].address, wrong);
}

static void look_at_everything(bool at_end);

/* What a refusal owes: ENOMEM, and a reason. */
static void refused(size_t size, size_t alignment, int error, const char *name) {
  MUST(error == ENOMEM, "%s refuses %zu bytes with errno %d", name, size, error);
  if (size > MAXIMUM_REQUEST || alignment > MAXIMUM_REQUEST - size)
    return;
  /* So much is certainly enough, wherever it begins and whatever its neighbours are. */
  size_t enough = size + alignment + 4 * WORD_ALIGNMENT + 64;
  MUST(growth_is_refused || platform_room(true) < enough,
       "%s refuses %zu bytes aligned to %zu, but memory can grow", name, size, alignment);
  MUST(platform_room(false) < enough, "%s refuses %zu bytes aligned to %zu, but memory is left",
       name, size, alignment);
#ifndef FUZZ_WORDS
  /* The walk may tidy up, which would hide a fault: look only now and then. */
  if (fuzz_calls % 8 == 0 && !fuzz_never_frees) {
    struct wasmalloc_statistics statistics;
    wasmalloc_statistics(&statistics);
    /* An eighth more, since that is how finely 4_bins sorts. */
    MUST(statistics.largest_free < enough + enough / 8,
         "%s refuses %zu bytes, but a block of %zu is free", name, size, statistics.largest_free);
  }
#endif
}

static void release(size_t i, size_t choice) {
  expect_contents(&live[i], live[i].size, live[i].address);
  disown(i);
  errno = NOTHING;
  free_block(live[i].address, live[i].size, choice);
  expect_errno(NOTHING, "free");
  freed_lately[freed_count++ % FREED] = live[i].address;
  live[i] = live[--live_count];
  ++fuzz_calls;
}

/* ---- the interfaces ---- */

#ifdef FUZZ_WORDS

void *word_alloc(size_t words);
void *word_realloc(void *address, size_t words);
void word_dealloc(void *address);
struct wasmalloc_block *word_next_block(struct wasmalloc_block *previous);
struct wasmalloc_statistics *word_statistics(void);
const void *word_check(void);

#define check_heap word_check
#define get_statistics(statistics) (*(statistics) = *word_statistics())

enum { WORD_BYTES = 4 };

/* Only what the caller asked for is known: an interface for compilers has no usable size. */
static size_t asked_for;

static size_t usable_size(const void *address) {
  (void)address;
  return asked_for;
}

static void free_block(void *address, size_t size, size_t choice) {
  (void)size;
  (void)choice;
  word_dealloc(address);
}

/* The walk's next block, as wasmalloc_next_block() has it. */
static bool next_block(struct wasmalloc_block *block) {
  static struct wasmalloc_block *record;
  record = word_next_block(block->address ? record : NULL);
  if (record)
    *block = *record;
  return record != NULL;
}

static void allocate(void) {
  size_t size = take_size();
  size_t words = size > SIZE_MAX - 16 ? size : size / WORD_BYTES; /* words, too, can be too many */
  ++fuzz_calls;
  errno = ENOMEM; /* which the word interface does not have */
  asked_for = words * WORD_BYTES;
  void *block = word_alloc(words);
  last_size = size;
  if (block) {
    MUST(words && words <= MAXIMUM_REQUEST / WORD_BYTES, "alloc(%zu) gives %p", words, block);
    adopt(live_count, block, words * WORD_BYTES, 8, "alloc");
  } else if (words && words <= MAXIMUM_REQUEST / WORD_BYTES) {
    refused(words * WORD_BYTES, 8, errno, "alloc");
  }
}

static void reallocate(size_t i) {
  size_t words = take_size() / WORD_BYTES;
  size_t size = words * WORD_BYTES;
  struct live old = live[i];
  ++fuzz_calls;
  errno = ENOMEM;
  asked_for = size;
  if (words)
    disown(i);
  else
    expect_contents(&old, old.size, old.address);
  void *block = word_realloc(old.address, words);
  if (!words) {
    MUST(!block, "realloc(p, 0) gives %p", block);
    disown(i);
    live[i] = live[--live_count];
  } else if (block) {
    expect_contents(&old, old.size < size ? old.size : size, block);
    adopt(i, block, size, 8, "realloc");
  } else {
    const char *wrong = own(old.address, old.size, true);
    MUST(!wrong, "%zu bytes at %p: %s", old.size, (void *)old.address, wrong);
    expect_contents(&old, old.size, old.address);
    refused(size, 8, errno, "realloc");
  }
}

static void call_something_else(void) {
  word_dealloc(NULL);
  MUST(!word_alloc(0) && !word_realloc(NULL, 0), "nothing is something");
  ++fuzz_calls;
}

#else

#define check_heap wasmalloc_check
#define get_statistics wasmalloc_statistics
#define next_block wasmalloc_next_block

static size_t usable_size(const void *address) {
  return malloc_usable_size((void *)(uintptr_t)address);
}

static void free_block(void *address, size_t size, size_t choice) {
  switch (choice % 8) {
  case 0:
    free_sized(address, size);
    break;
  case 1:
    free_aligned_sized(address, 1, size);
    break;
  default:
    free(address);
  }
}

/* A result of malloc's family: a block for the model, or a refusal. `error` is errno as the call left it, or
 * the result of posix_memalign(). */
static void answered(void *block, size_t size, size_t alignment, int error, const char *name) {
  last_size = size;
  if (!block) {
    refused(size, alignment, error, name);
    return;
  }
  MUST(size <= MAXIMUM_REQUEST, "%s gives %zu bytes", name, size);
  MUST(error == NOTHING || error == 0, "%s sets errno to %d", name, error);
  adopt(live_count, block, size, alignment, name);
}

static size_t take_alignment(void) {
  size_t choice = take8();
  if (choice < 200)
    return (size_t)1 << choice % 13;
  if (choice < 230)
    return (size_t)1 << choice % (sizeof(size_t) * 8);
  return take16() + (choice == 255 ? SIZE_MAX / 2 : 0); /* mostly no power of two */
}

/* calloc's and reallocarray's two factors for about so many bytes. */
static size_t split_product(size_t size, size_t *other) {
  size_t factor = take8();
  *other = factor ? size / factor : size;
  if (factor >= 250) { /* a product that is too large by far, or just */
    *other = SIZE_MAX / factor + factor - 252;
  }
  return factor;
}

static void allocate(void) {
  size_t size = take_size();
  ++fuzz_calls;
  errno = NOTHING;
  void *block = malloc(size);
  answered(block, size, WORD_ALIGNMENT, errno, "malloc");
}

static void allocate_zeroed(void) {
  size_t other;
  size_t factor = split_product(take_size(), &other);
  size_t product;
  bool overflows = __builtin_mul_overflow(factor, other, &product);
  ++fuzz_calls;
  errno = NOTHING;
  unsigned char *block = calloc(factor, other);
  if (overflows) {
    MUST(!block && errno == ENOMEM, "calloc(%zu, %zu) gives %p, errno %d", factor, other,
         (void *)block, errno);
    return;
  }
  for (size_t i = 0; block && i < product; ++i)
    MUST(block[i] == 0, "calloc: byte %zu of %zu is %d", i, product, block[i]);
  answered(block, product, WORD_ALIGNMENT, errno, "calloc");
}

static void allocate_aligned(void) {
  size_t alignment = take_alignment();
  size_t size = take_size();
  size_t choice = take8() % 8;
  bool is_power = alignment && (alignment & (alignment - 1)) == 0;
  size_t power = WORD_ALIGNMENT;
  while (power < alignment && power <= SIZE_MAX / 2)
    power *= 2;
  void *untouched = &live;
  void *block = untouched;
  ++fuzz_calls;
  errno = NOTHING;
  switch (choice) {
  case 0:
  case 1:
  case 2:
    block = memalign(alignment, size);
    if (alignment > MAXIMUM_REQUEST) {
      MUST(!block && errno == EINVAL, "memalign(%zu) gives %p, errno %d", alignment, block, errno);
      return;
    }
    answered(block, size, power, errno, "memalign");
    break;
  case 3:
  case 4:
    block = aligned_alloc(alignment, size);
    if (!is_power) {
      MUST(!block && errno == EINVAL, "aligned_alloc(%zu) gives %p, errno %d", alignment, block,
           errno);
      return;
    }
    answered(block, size, power, errno, "aligned_alloc");
    break;
  case 5: {
    int error = posix_memalign(&block, alignment, size);
    expect_errno(NOTHING, "posix_memalign");
    MUST((error == 0) == (block != untouched), "posix_memalign: %d, with %p", error, block);
    if (!is_power || alignment % sizeof(void *) != 0) {
      MUST(error == EINVAL, "posix_memalign: %d for the alignment %zu", error, alignment);
      return;
    }
    answered(error ? NULL : block, size, power, error, "posix_memalign");
    break;
  }
  case 6:
    block = valloc(size);
    answered(block, size, PAGE, errno, "valloc");
    break;
  default:
    block = pvalloc(size);
    answered(block, size > MAXIMUM_REQUEST ? size : (size + PAGE - 1) & ~(PAGE - 1), PAGE, errno,
             "pvalloc");
  }
}

static void reallocate(size_t i) {
  size_t size = take_size();
  size_t choice = take8();
  size_t factor = 1;
  size_t other = size;
  struct live old = live[i];
  if (choice % 4 == 0)
    factor = split_product(size, &other);
  bool overflows = __builtin_mul_overflow(factor, other, &size);
  disown(i);
  ++fuzz_calls;
  errno = NOTHING;
  void *block =
      choice % 4 == 0 ? reallocarray(old.address, factor, other) : realloc(old.address, size);
  last_size = size;
  if (block) {
    MUST(!overflows && size <= MAXIMUM_REQUEST, "realloc gives %zu bytes", size);
    expect_errno(NOTHING, "realloc");
    expect_contents(&old, old.size < size ? old.size : size, block);
    adopt(i, block, size, WORD_ALIGNMENT, "realloc");
    return;
  }
  const char *wrong = own(old.address, old.size, true);
  MUST(!wrong, "%zu bytes at %p: %s", old.size, (void *)old.address, wrong);
  expect_contents(&old, old.size, old.address);
  refused(overflows ? SIZE_MAX : size, WORD_ALIGNMENT, errno, "realloc");
}

static void call_something_else(void) {
  ++fuzz_calls;
  switch (take8() % 8) {
  case 0:
    errno = NOTHING;
    free(NULL);
    expect_errno(NOTHING, "free(NULL)");
    MUST(malloc_usable_size(NULL) == 0, "malloc_usable_size(NULL)");
    break;
  case 1: {
    errno = NOTHING;
    void *block = realloc(NULL, 24);
    answered(block, 24, WORD_ALIGNMENT, errno, "realloc(NULL)");
    break;
  }
  case 2: {
    struct mallinfo info = mallinfo();
    struct wasmalloc_statistics statistics;
    wasmalloc_statistics(&statistics);
    MUST((unsigned)info.arena == (unsigned)statistics.heap_size &&
             (unsigned)info.uordblks == (unsigned)statistics.used_size &&
             (unsigned)info.fordblks == (unsigned)statistics.free_size &&
             (unsigned)info.ordblks == (unsigned)statistics.free_blocks,
         "mallinfo: arena %zu, used %zu, free %zu", (size_t)info.arena, (size_t)info.uordblks,
         (size_t)info.fordblks);
    break;
  }
  case 3:
    look_at_everything(false);
    break;
  default: {
    void *before = sbrk(0);
    int trimmed = malloc_trim(take8() % 2 ? take8() : take16() * 4);
    MUST(trimmed == ((char *)sbrk(0) < (char *)before), "malloc_trim: %d, break from %p to %p",
         trimmed, before, sbrk(0));
  }
  }
}

#endif

/* ---- looking at everything ---- */

/* Walks over the heap: the live blocks, and nothing else, are used; what is free belongs to nobody; each byte
 * is in its place. */
static void walk(bool at_end) {
  struct wasmalloc_block block = {0};
  struct wasmalloc_block before = {0};
  size_t used = 0;
  size_t free_blocks = 0;
  while (next_block(&block)) {
    MUST((uintptr_t)block.address - WORD >= (uintptr_t)before.address + before.size,
         "the walk goes from %p, %zu bytes, to %p", before.address, before.size, block.address);
    if (block.state == WASMALLOC_FREE) {
      ++free_blocks;
      MUST(is_unowned(block.address, block.size),
           "the free block of %zu bytes at %p belongs to somebody", block.size, block.address);
      MUST(!at_end || !before.address || before.state != WASMALLOC_FREE || fuzz_never_frees,
           "the free blocks at %p and %p are not merged", before.address, block.address);
    } else if (block.state == WASMALLOC_USED) {
      ++used;
      MUST(fuzz_never_frees || !is_unowned(block.address, 1), "the walk shows a block at %p",
           block.address);
    } else {
      MUST(block.state == WASMALLOC_FOREIGN && foreign_count > 0, "a block of state %zu at %p",
           block.state, block.address);
    }
    before = block;
  }
  MUST(used == (fuzz_never_frees ? made_count : live_count),
       "the walk shows %zu used blocks, %zu are live", used, live_count);
  MUST(!at_end || fuzz_never_frees || free_blocks <= foreign_count + 1, "%zu free blocks are left",
       free_blocks);

  struct wasmalloc_statistics statistics;
  get_statistics(&statistics);
  size_t sum = statistics.used_size + statistics.free_size + statistics.overhead_size;
  if (statistics.heap_size > largest_heap)
    largest_heap = statistics.heap_size;
  MUST(statistics.peak_size >= largest_heap, "the heap has had %zu bytes, and %zu at its peak",
       largest_heap, statistics.peak_size);
  MUST(statistics.used_blocks == used && sum == statistics.heap_size,
       "the statistics: %zu blocks, %zu bytes of %zu", statistics.used_blocks, sum,
       statistics.heap_size);
  if (at_end && !fuzz_never_frees) {
    /* All that is not free is a head for each block, each part of the heap and its end. */
    MUST(statistics.overhead_size <= 3 * WORD_ALIGNMENT * (foreign_count + 1),
         "%zu bytes are lost in an empty heap", statistics.overhead_size);
  }
}

static void look_at_everything(bool at_end) {
  const void *broken = check_heap();
  MUST(!broken, "the heap's check finds a fault at %p", broken);
  for (size_t i = 0; i < live_count; ++i)
    expect_contents(&live[i], live[i].size, live[i].address);
  if (at_end || fuzz_calls % 4 == 0) {
    walk(at_end);
    broken = check_heap();
    MUST(!broken, "the heap's check finds a fault at %p after the walk", broken);
  }
}

/* ---- everybody else ---- */

/* Others take memory; the model owns it, so that the allocator is caught with it. */
static void take_by_sbrk(void) {
  size_t size = take8() * (take8() % 8 ? 1 : 97);
  ++fuzz_calls;
  unsigned char *memory = sbrk((intptr_t)size);
  if (memory == (void *)-1 || size == 0)
    return;
  size = (size_t)((unsigned char *)sbrk(0) - memory); /* it is rounded up */
  const char *wrong = own(memory, size, true);
  MUST(!wrong, "sbrk(%zu) gives %p: %s", size, (void *)memory, wrong);
  ++foreign_count;
  if (!foreign_size || memory != foreign + foreign_size) {
    foreign = memory;
    foreign_size = 0;
  }
  foreign_size += size;
}

/* Others lower the break: by a part of what they took last, which they may, or by more than that, which would be the
 * heap's memory. */
static void lower_break(void) {
  size_t size = take8() * (take8() % 4 ? 1 : 97) * STEP;
  size_t choice = take8() % 4;
  unsigned char *before = sbrk(0);
  size_t theirs = foreign_size && foreign + foreign_size == before ? foreign_size : 0;
  if (choice == 0)
    size = theirs;
  else if (choice == 1)
    size = theirs + STEP;
  ++fuzz_calls;
  errno = NOTHING;
  bool lowered = choice % 2 ? brk(before - size) == 0 : sbrk(-(intptr_t)size) != (void *)-1;
  unsigned char *after = sbrk(0);
  MUST(after == (lowered ? before - size : before), "the break goes from %p to %p for %zu bytes",
       (void *)before, (void *)after, size);
  if (size == 0)
    return;
  MUST(lowered == (size <= theirs), "the break is %s by %zu bytes, of which %zu are others'",
       lowered ? "lowered" : "not lowered", size, theirs);
  if (!lowered) {
    expect_errno(ENOMEM, "sbrk or brk");
    return;
  }
  const char *wrong = own(after, size, false);
  MUST(!wrong, "the %zu bytes at %p: %s", size, (void *)after, wrong);
  foreign_size -= size;
}

static void refuse_growth(void) {
  size_t growths = take8() % 8;
  growth_is_refused = growths < 4;
  platform_allow_growths(growth_is_refused ? growths : SIZE_MAX);
}

/* ---- damage ---- */

/* Where the allocator may keep something of its own; NULL if the place belongs to somebody now. */
static unsigned char *take_place(void) {
  size_t choice = take8() % 16;
  if (choice < 8 && live_count) {
    const struct live *block = &live[take_below(live_count)];
    if (choice == 0 && is_unowned(block->address + block->size, WORD))
      return block->address + block->size; /* the head behind */
    /* The head before a block, or what may lie before it: a tag, a run. */
    unsigned char *place = block->address - WORD;
    for (size_t more = choice > 3 ? take8() % 8 : 0; more && is_unowned(place - GRAIN, GRAIN);
         --more)
      place -= GRAIN;
    return place;
  }
  /* What was a payload: links. */
  unsigned char *freed = freed_lately[take8() % FREED];
  if (!freed)
    return NULL;
  unsigned char *place = freed + choice % 2 * WORD;
  return is_unowned(place, WORD) ? place : NULL;
}

/*
 * A program writes where it must not: over heads, links and tags. The allocator cannot be asked to survive
 * that, but its check can: it reads nothing that is not the heap's, and it ends. What it says is not
 * known, since not every byte matters. Afterwards the damage is undone.
 */
static void damage(void) {
  unsigned char *place = take_place();
  if ((uintptr_t)place < lowest_address || (uintptr_t)place + WORD > (uintptr_t)sbrk(0))
    return;
  size_t kept;
  memcpy(&kept, place, WORD);
  size_t word = kept;
  size_t choice = take8() % 8;
  if (choice < 4)
    word ^= (size_t)1 << take8() % (8 * WORD); /* a flag, a size, a bit of a link */
  else if (choice == 4)
    word ^= take8() % 8; /* the flags */
  else if (choice < 7)
    word = (uintptr_t)take_place() - WORD * (choice - 5); /* what could be a link */
  else
    word = take8();
  memcpy(place, &word, WORD);
  ++fuzz_calls;
  (void)check_heap();
  memcpy(place, &kept, WORD);
  const void *broken = check_heap();
  MUST(!broken, "the heap's check finds a fault at %p where there is none any more", broken);
}

/* ---- sequences of calls ---- */

static void allocate_if_possible(void) {
  if (live_count < BLOCKS)
    allocate();
}

/* Many blocks of the same size, as a program makes them that fills a table. */
static void allocate_many(void) {
  size_t count = take8() * (take8() % 4 + 1);
  const uint8_t *here = next_byte;
  for (size_t i = 0; i < count && live_count < BLOCKS; ++i) {
    next_byte = here;
    allocate();
  }
}

/* Frees every nth of the newest blocks: in the order of their making, or from the last to the first. */
static void free_many(void) {
  size_t count = take8() * (take8() % 8 + 1);
  size_t step = take8() % 8 + 1;
  bool forwards = take8() % 2;
  if (count > live_count)
    count = live_count;
  size_t first = live_count - count;
  /* What is freed leaves the end of the table to fill its place: from the last on nothing is missed. */
  if (!forwards) {
    for (size_t i = live_count; i > first + step; i -= step)
      release(i - 1, 2);
  } else {
    for (size_t i = first; i < live_count; i += step - 1 ? step - 1 : 1)
      release(i, 2);
  }
}

static void free_everything(void) {
  while (live_count)
    release(live_count - 1, 2);
}

static void free_one(void) {
  if (live_count) {
    size_t i = take_below(live_count);
    release(i, take8());
  }
}

static void call(void) {
  size_t choice = take8() % 64;
  if (choice < 24)
    allocate_if_possible();
  else if (choice < 42)
    free_one();
  else if (choice < 49) {
    if (live_count)
      reallocate(take_below(live_count));
  }
#ifndef FUZZ_WORDS
  else if (choice < 52) {
    if (live_count < BLOCKS)
      allocate_zeroed();
  } else if (choice < 56) {
    if (live_count < BLOCKS)
      allocate_aligned();
  }
#endif
  else if (choice < 58)
    allocate_many();
  else if (choice < 60)
    free_many();
  else if (choice < 61)
    take8() % 4 ? take_by_sbrk() : lower_break();
  else if (choice < 62)
    refuse_growth();
  else if (choice < 63) {
    if (live_count < BLOCKS)
      call_something_else();
  } else {
    size_t rare = take8() % 16;
    if (rare == 0)
      free_everything();
    else if (rare < 12)
      damage();
  }
}

uint64_t fuzz_run(const uint8_t *bytes, size_t size) {
  next_byte = bytes;
  last_byte = bytes + size;
  live_count = foreign_count = foreign_size = last_size = largest_heap = 0;
  made_count = freed_count = 0;
  memset(freed_lately, 0, sizeof freed_lately);
  growth_is_refused = false;
  patterns = size;
  calls_before = fuzz_calls;
  lowest_address = platform_reset(PAGE << take8() % 8);
  disown_all(lowest_address);

  uint64_t looked = fuzz_calls;
  while (next_byte < last_byte) {
    call();
    if (fuzz_calls - looked >= CHECK_EVERY) {
      looked = fuzz_calls;
      look_at_everything(false);
    }
  }
  free_everything();
#ifndef FUZZ_WORDS
  malloc_trim(0);
#endif
  look_at_everything(true);
  return fuzz_calls - calls_before;
}

uint64_t fuzz_seed(uint64_t seed, size_t size) {
  static uint8_t bytes[1 << 16];
  if (size > sizeof bytes)
    size = sizeof bytes;
  for (size_t i = 0; i < size; ++i)
    bytes[i] = (uint8_t)random_next(&seed);
  return fuzz_run(bytes, size);
}
