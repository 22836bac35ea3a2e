/*
 * Exhaustion: until malloc returns NULL, and full recovery after it.
 *
 * The last file of the suite: a heap that never frees is of no use after it.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "names.h"
#include "testing.h"

/* Where linear memory ends when it has grown as far as it can. The simulated one of the development
 * machine begins at its first break, which the program has seen when it started. */
#ifdef TEST_NATIVE
static uintptr_t memory_start;

__attribute__((constructor(101))) static void remember_start(void) {
  memory_start = (uintptr_t)sbrk(0);
}

static uintptr_t last_address(void) {
  return memory_start + test_options.maximum;
}
#else
static uintptr_t last_address(void) {
  return test_options.maximum;
}
#endif

/* The largest size that malloc can serve now, found by halving. */
static size_t largest_block(void) {
  size_t possible = 0;
  size_t impossible = test_options.maximum + 1;
  while (impossible - possible > 1) {
    size_t size = possible + (impossible - possible) / 2;
    void *block = malloc(size);
    if (block) {
      possible = size;
    } else {
      impossible = size;
    }
    free(block);
  }
  return possible;
}

struct node {
  struct node *next;
  uintptr_t tag; /* says which block this is, and that nobody has written to it */
};

static struct node *push(struct node *list, void *block) {
  struct node *node = block;
  node->next = list;
  node->tag = ~(uintptr_t)node;
  return node;
}

/* Frees every node, or every second one first, and says how many had lost their tag. */
static size_t free_list(struct node *list, bool alternate) {
  size_t damaged = 0;
  struct node *kept = NULL;
  for (bool even = true; list; even = !even) {
    struct node *next = list->next;
    damaged += list->tag != ~(uintptr_t)list;
    if (alternate && even) {
      list->next = kept;
      kept = list;
    } else {
      free(list);
    }
    list = next;
  }
  return kept ? damaged + free_list(kept, false) : damaged;
}

/* Turns a list round. */
static struct node *reversed(struct node *list) {
  struct node *result = NULL;
  while (list) {
    struct node *next = list->next;
    list->next = result;
    result = list;
    list = next;
  }
  return result;
}

enum order { BACKWARD, FORWARD, ALTERNATE };

/* mallocs blocks of about `size` bytes until there is no more, frees them, and expects that the
 * largest block of the beginning is to be had again. */
static void exhaust_and_recover(size_t size, size_t variation, enum order order) {
  uint64_t random = test_options.seed;
  size_t largest = largest_block();
  struct node *list = NULL;
  size_t count = 0;
  size_t sum = 0;
  for (;;) {
    size_t bytes = size + (variation ? random_below(&random, variation) : 0);
    errno = 0;
    void *block = malloc(bytes);
    if (!block) {
      CHECK(errno == ENOMEM, "errno is %d after %zu blocks", errno, count);
      break;
    }
    list = push(list, block);
    count++;
    sum += bytes;
  }
  CHECK(sum > largest / 5 * (test_options.sealed ? 1 : 2),
        "%zu blocks with %zu bytes, where one of %zu had been possible", count, sum, largest);
  CHECK(heap_is_sound(), "after %zu blocks", count);
  if (order == FORWARD) {
    list = reversed(list);
  }
  size_t damaged = free_list(list, order == ALTERNATE);
  CHECK(damaged == 0, "%zu of %zu blocks were overwritten", damaged, count);
  CHECK(heap_is_sound(), "after freeing %zu blocks", count);
  void *again = malloc(largest);
  CHECK(again, "after %zu blocks of %zu bytes a block of %zu bytes cannot be had again", count,
        size, largest);
  free(again);
}

#define EXHAUST(identifier, text, size, variation, order)                                          \
  TEST(identifier, text) {                                                                         \
    SKIP_IF(test_options.never_frees, "never frees");                                              \
    SKIP_IF(!test_options.exhausts, "a request that cannot be met ends this program");             \
    SKIP_IF(test_options.maximum == 0, "needs a known maximum");                                   \
    exhaust_and_recover(size, variation, order);                                                   \
  }

EXHAUST(exhaust_huge, "recovers after exhaustion by blocks of a megabyte", 1 << 20, 0, BACKWARD)
EXHAUST(exhaust_large, "recovers after exhaustion by blocks of about 40,000 bytes", 30000, 20000,
        ALTERNATE)
EXHAUST(exhaust_pages, "recovers after exhaustion by blocks of 4096 bytes", 4096, 0, FORWARD)
EXHAUST(exhaust_medium, "recovers after exhaustion by blocks of 1000 bytes, freed backwards", 1000,
        0, BACKWARD)
EXHAUST(exhaust_small, "recovers after exhaustion by blocks of 24 bytes", 24, 0, FORWARD)
EXHAUST(exhaust_smallest, "recovers after exhaustion by the smallest blocks, freed backwards",
        sizeof(struct node), 0, BACKWARD)
EXHAUST(exhaust_mixed, "recovers after exhaustion by blocks of 16 to 3000 bytes",
        sizeof(struct node), 3000, FORWARD)
EXHAUST(exhaust_alternate, "recovers after exhaustion when every second block is freed first",
        test_options.slow ? 5000 : 100, test_options.slow ? 5000 : 300, ALTERNATE)

TEST(exhaust_one_freed, "at exhaustion a freed block can be had again at once") {
  SKIP_IF(test_options.never_frees, "never frees");
  SKIP_IF(!test_options.exhausts, "a request that cannot be met ends this program");
  SKIP_IF(test_options.maximum == 0, "needs a known maximum");
  enum { SIZE = 30000 };
  struct node *list = NULL;
  for (void *block = malloc(SIZE); block; block = malloc(SIZE)) {
    list = push(list, block);
  }
  for (int round = 0; round < 100; round++) {
    struct node *first = list;
    list = list->next;
    free(first);
    void *again = malloc(SIZE);
    CHECK(again, "in round %d", round);
    list = push(list, again);
  }
  CHECK(free_list(list, false) == 0, "a block was overwritten");
}

/* What must hold when there is no memory left for a block of `size` bytes. `block` is smaller, and
 * what is free behind it, which is smaller than `size` too, does not help it to grow to twice that.
 */
static void refuse_all(unsigned char *block, size_t size) {
  errno = 0;
  CHECK(!calloc(1, size) && errno == ENOMEM, "calloc, errno %d", errno);
  errno = 0;
  CHECK(!calloc(size, 1) && errno == ENOMEM, "calloc, errno %d", errno);
  errno = 0;
  CHECK(!realloc(NULL, size) && errno == ENOMEM, "realloc(NULL, n), errno %d", errno);
  errno = 0;
  CHECK(!realloc(block, 2 * size) && errno == ENOMEM, "realloc, errno %d", errno);
  errno = 0;
  CHECK(!reallocarray(block, size, 2) && errno == ENOMEM, "reallocarray, errno %d", errno);
  errno = 0;
  CHECK(!memalign(64, size) && errno == ENOMEM, "memalign, errno %d", errno);
  errno = 0;
  CHECK(!aligned_alloc(64, size) && errno == ENOMEM, "aligned_alloc, errno %d", errno);
  if (HAS(valloc) && HAS(pvalloc)) {
    errno = 0;
    CHECK(!valloc(size) && errno == ENOMEM, "valloc, errno %d", errno);
    errno = 0;
    CHECK(!pvalloc(size) && errno == ENOMEM, "pvalloc, errno %d", errno);
  }
  void *untouched = block;
  int error = posix_memalign(&untouched, 64, size);
  CHECK(error == ENOMEM && untouched == block, "posix_memalign returned %d", error);
}

TEST(exhaust_functions, "at exhaustion every function fails with ENOMEM and nothing is lost") {
  SKIP_IF(!test_options.exhausts, "a request that cannot be met ends this program");
  SKIP_IF(test_options.maximum == 0, "needs a known maximum");
  enum { SIZE = 20000, OLD = 1000 };
  size_t largest = test_options.never_frees ? 0 : largest_block();
  unsigned char *block = malloc(OLD);
  CHECK(block, "malloc(%d)", OLD);
  fill(block, OLD, 99);
  struct node *list = NULL;
  for (void *more = malloc(SIZE); more; more = malloc(SIZE)) {
    list = push(list, more);
  }
  refuse_all(block, SIZE);
  refuse_all(block, SIZE * 10);
  CHECK(holds(block, OLD, OLD, 99), "the old block's contents");
  CHECK(heap_is_sound(), "at exhaustion");
  unsigned char *smaller = realloc(block, 10);
  CHECK(smaller && holds(smaller, OLD, 10, 99), "realloc to a smaller size");
  free(smaller);
  CHECK(free_list(list, false) == 0, "a block was overwritten");
  if (!test_options.never_frees) {
    void *again = malloc(largest);
    CHECK(again, "a block of %zu bytes cannot be had again", largest);
    free(again);
  }
}

TEST(exhaust_to_the_last_byte, "memory is used up to its last byte") {
  SKIP_IF(!test_options.exhausts, "a request that cannot be met ends this program");
  SKIP_IF(test_options.maximum == 0, "needs a known maximum");
  size_t largest = test_options.never_frees ? 0 : largest_block();
  struct node *list = NULL;
  size_t sum = 0;
  for (size_t size = (size_t)1 << 20; size >= sizeof(struct node); size /= 2) {
    for (void *block = malloc(size); block; block = malloc(size)) {
      list = push(list, block);
      sum += size;
    }
  }
  uintptr_t end = (uintptr_t)sbrk(0);
  CHECK(end <= last_address() && last_address() - end < 64, "the break is at %p, memory ends at %p",
        (void *)end, (void *)last_address());
  CHECK(sum >= largest - largest / 50, "%zu bytes in blocks, where one of %zu had been possible",
        sum, largest);
  CHECK(heap_is_sound(), "at exhaustion");
  CHECK(free_list(list, false) == 0, "a block was overwritten");
  CHECK(heap_is_sound(), "after freeing all");
  if (!test_options.never_frees) {
    void *again = malloc(largest);
    CHECK(again, "a block of %zu bytes cannot be had again", largest);
    free(again);
  }
}
