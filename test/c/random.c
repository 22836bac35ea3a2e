/*
 * Random operations against a model of what the heap must hold.
 *
 * The model knows every live block, its size and what was written to it, and who owns which memory
 * (model.h). The seed on the command line makes a run that failed happen again.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "names.h"
#include "testing.h"

enum { BLOCKS = 3000, BATCH = 1000 };

/* What a run is made of: the weight of each operation, and the sizes. */
struct profile {
  size_t blocks;              /* as many may live at a time */
  size_t bytes;               /* as many, too */
  unsigned allocate, release; /* weights: malloc or calloc; free */
  unsigned reallocate, align;
  unsigned small; /* the sizes: of 100 so many up to 64 bytes, so many up to 512 … */
  unsigned medium;
  unsigned large;     /* … up to 8 KiB, the rest up to 64 KiB, and 1 of 500 up to 1 MiB */
  unsigned strangers; /* of 1000 operations so many are an sbrk by others */
  bool may_fail;      /* memory may be exhausted */
};

static struct {
  unsigned char *address;
  size_t size;
  uint64_t seed;
} live[BLOCKS];
static size_t live_count;
static size_t live_bytes;

static uint64_t state; /* of the random numbers */

/* Tells the model who owns the memory, and says whether that can be. */
static bool owns(const void *memory, size_t size, bool taken) {
  const char *fault = own(memory, size, taken);
  if (fault)
    test_failed(__FILE__, __LINE__, "no overlap", "%zu bytes at %p: %s", size, memory, fault);
  return !fault;
}

/* ---- the operations ---- */

static size_t random_size(const struct profile *profile) {
  size_t percent = random_below(&state, 100);
  if (random_below(&state, 500) == 0 && profile->bytes >= (size_t)4 << 20) {
    return random_below(&state, 1 << 20);
  }
  if (percent < profile->small) {
    return random_below(&state, 65);
  }
  if (percent < profile->small + profile->medium) {
    return random_below(&state, 513);
  }
  if (percent < profile->small + profile->medium + profile->large) {
    return random_below(&state, 8193);
  }
  return random_below(&state, 65537);
}

static bool contents_hold(size_t i, size_t kept, const void *address) {
  if (!holds(address, live[i].size, kept, live[i].seed)) {
    test_failed(__FILE__, __LINE__, "contents", "the block of %zu bytes at %p", live[i].size,
                (void *)live[i].address);
    return false;
  }
  return true;
}

/* Takes a block into the model. */
static bool adopt(size_t i, void *address, size_t size, size_t alignment) {
  if (!is_aligned(address, alignment)) {
    test_failed(__FILE__, __LINE__, "alignment", "%p is not aligned to %zu", address, alignment);
    return false;
  }
  if (!owns(address, size, true)) {
    return false;
  }
  live[i].address = address;
  live[i].size = size;
  live[i].seed = random_next(&state);
  live_bytes += size;
  fill(address, size, live[i].seed);
  return true;
}

static bool refused(const struct profile *profile, size_t size) {
  if (profile->may_fail && errno == ENOMEM) {
    return true;
  }
  test_failed(__FILE__, __LINE__, "memory", "no %zu bytes, with %zu in use; errno is %d", size,
              live_bytes, errno);
  return false;
}

static bool allocate(const struct profile *profile) {
  size_t size = random_size(profile);
  bool zeroed = random_below(&state, 4) == 0;
  errno = 0;
  unsigned char *block = zeroed ? calloc(size, 1) : malloc(size);
  if (!block) {
    return refused(profile, size);
  }
  for (size_t i = 0; zeroed && i < size; i++) {
    if (block[i] != 0) {
      test_failed(__FILE__, __LINE__, "calloc zeroes", "byte %zu of %zu", i, size);
      return false;
    }
  }
  return adopt(live_count++, block, size, _Alignof(max_align_t));
}

static bool allocate_aligned(const struct profile *profile) {
  size_t size = random_size(profile);
  size_t alignment = sizeof(void *) << random_below(&state, 9);
  void *block = NULL;
  errno = 0;
  if (random_below(&state, 2)) {
    block = memalign(alignment, size);
  } else {
    errno = posix_memalign(&block, alignment, size);
  }
  return block ? adopt(live_count++, block, size, alignment) : refused(profile, size);
}

static bool reallocate(const struct profile *profile) {
  size_t i = random_below(&state, live_count);
  size_t old = live[i].size;
  size_t size = random_below(&state, 2) ? random_size(profile) : old + random_below(&state, 200);
  if (size > old && live_bytes + size - old > profile->bytes) {
    return true;
  }
  errno = 0;
  void *block = realloc(live[i].address, size);
  if (!block) {
    return contents_hold(i, old, live[i].address) && refused(profile, size);
  }
  live_bytes -= old;
  return contents_hold(i, old < size ? old : size, block) && owns(live[i].address, old, false) &&
         adopt(i, block, size, _Alignof(max_align_t));
}

static bool release(size_t i) {
  if (!contents_hold(i, live[i].size, live[i].address) ||
      !owns(live[i].address, live[i].size, false)) {
    return false;
  }
  free(live[i].address);
  live_bytes -= live[i].size;
  live[i] = live[--live_count];
  return true;
}

/* What others have taken last: the model owns it, so that the allocator is caught with it. */
static char *taken;
static char *taken_end;

static bool take_by_sbrk(const struct profile *profile) {
  size_t size = 1 + random_below(&state, 200);
  char *memory = sbrk((intptr_t)size);
  if (memory == (void *)-1) {
    return refused(profile, size);
  }
  taken = memory;
  taken_end = sbrk(0);
  return owns(taken, (size_t)(taken_end - taken), true);
}

/* They lower the break. They may give back what they took last, if nothing is above; but not what lies below, whatever
 * they ask for, for that is the heap's. */
static bool lower_break(void) {
  char *before = sbrk(0);
  bool theirs = taken && taken_end == before;
  size_t size = theirs ? (size_t)(taken_end - taken) : 100000 + random_below(&state, 100000);
  bool lowered =
      random_below(&state, 2) ? sbrk(-(intptr_t)size) != (void *)-1 : brk(before - size) == 0;
  if (lowered != theirs) {
    test_failed(__FILE__, __LINE__, "sbrk", "the break is %s by %zu bytes",
                lowered ? "lowered" : "not lowered", size);
    return false;
  }
  taken = NULL;
  return !theirs || owns(taken_end - size, size, false);
}

static bool operate(const struct profile *profile) {
  if (random_below(&state, 1000) < profile->strangers) {
    return live_count > 0 && random_below(&state, 3) == 0 ? lower_break() : take_by_sbrk(profile);
  }
  bool full = live_count >= profile->blocks || live_bytes >= profile->bytes;
  unsigned sum = profile->allocate + profile->release + profile->reallocate + profile->align;
  unsigned choice = (unsigned)random_below(&state, sum);
  if (live_count > 0 && (full || choice < profile->release)) {
    return release(random_below(&state, live_count));
  }
  if (choice < profile->release + profile->align) {
    return allocate_aligned(profile);
  }
  if (live_count > 0 && choice < profile->release + profile->align + profile->reallocate) {
    return reallocate(profile);
  }
  return allocate(profile);
}

static void run(const struct profile *wanted, size_t operations) {
  struct profile profile = *wanted;
  if (test_options.never_frees) {
    /* Memory is used up by every operation: fewer of them, and no large ones. */
    operations /= 20;
    profile.bytes = (size_t)1 << 20;
  }
  state = test_options.seed;
  taken = NULL;
  live_count = 0;
  live_bytes = 0;
#ifdef TEST_NATIVE
  disown_all((uintptr_t)sbrk(0) - memory_host_size());
#else
  disown_all(0);
#endif
  for (size_t i = 0; i < operations; i++) {
    CHECK(operate(&profile), "operation %zu", i);
    if (i % BATCH == 0) {
      CHECK(heap_is_sound(), "after operation %zu", i);
    }
    /* Every now and then all is freed, or half of it, so that the heap is used anew. */
    size_t rare = random_below(&state, 20000);
    if (rare < 2) {
      size_t rest = rare == 0 ? 0 : live_count / 2;
      while (live_count > rest) {
        CHECK(release(random_below(&state, live_count)), "operation %zu", i);
      }
      if (rare == 0) {
        malloc_trim(random_below(&state, 100000));
      }
    }
  }
  while (live_count > 0) {
    CHECK(release(live_count - 1), "at the end");
  }
  CHECK(heap_is_sound(), "at the end");
}

TEST(random_small, "random operations with small blocks") {
  const struct profile profile = {.blocks = BLOCKS,
                                  .bytes = (size_t)4 << 20,
                                  .allocate = 50,
                                  .release = 45,
                                  .reallocate = 5,
                                  .small = 80,
                                  .medium = 18,
                                  .large = 2};
  run(&profile, test_options.operations);
}

TEST(random_mixed, "random operations with blocks of all sizes") {
  const struct profile profile = {.blocks = BLOCKS,
                                  .bytes = (size_t)12 << 20,
                                  .allocate = 45,
                                  .release = 40,
                                  .reallocate = 10,
                                  .align = 5,
                                  .small = 60,
                                  .medium = 25,
                                  .large = 13};
  run(&profile, test_options.operations);
}

TEST(random_realloc, "random operations, mostly realloc") {
  const struct profile profile = {.blocks = 300,
                                  .bytes = (size_t)8 << 20,
                                  .allocate = 15,
                                  .release = 10,
                                  .reallocate = 75,
                                  .small = 40,
                                  .medium = 35,
                                  .large = 23};
  run(&profile, test_options.operations / 4);
}

TEST(random_aligned, "random operations with aligned blocks") {
  const struct profile profile = {.blocks = 1000,
                                  .bytes = (size_t)8 << 20,
                                  .allocate = 20,
                                  .release = 45,
                                  .reallocate = 5,
                                  .align = 30,
                                  .small = 50,
                                  .medium = 40,
                                  .large = 10};
  run(&profile, test_options.operations / 4);
}

TEST(random_foreign, "random operations while others call sbrk") {
  const struct profile profile = {.blocks = BLOCKS,
                                  .bytes = (size_t)4 << 20,
                                  .allocate = 45,
                                  .release = 40,
                                  .reallocate = 10,
                                  .align = 5,
                                  .small = 60,
                                  .medium = 30,
                                  .large = 10,
                                  .strangers = 5};
  run(&profile, test_options.operations / 4);
}

TEST(random_exhausted, "random operations at the end of memory, with failures") {
  SKIP_IF(test_options.never_frees, "never frees");
  SKIP_IF(!test_options.exhausts, "a request that cannot be met ends this program");
  SKIP_IF(test_options.maximum == 0, "needs a known maximum");
  const struct profile profile = {.blocks = BLOCKS,
                                  .bytes = SIZE_MAX,
                                  .allocate = 45,
                                  .release = 40,
                                  .reallocate = 10,
                                  .align = 5,
                                  .small = 10,
                                  .medium = 10,
                                  .large = 10,
                                  .may_fail = true};
  /* Most of memory is taken, so that the operations live in what is left. */
  enum { LEFT = 3 << 20 };
  size_t most = test_options.maximum;
  void *most_of_it = NULL;
  while (most > LEFT && !(most_of_it = malloc(most - LEFT))) {
    most -= 1 << 18;
  }
  CHECK(most_of_it, "nearly all memory");
  run(&profile, test_options.operations / 8);
  free(most_of_it);
}
