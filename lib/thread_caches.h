/*
 * The caches of threads: what is in one, how its runs are made, how an object comes back to it from another thread, and
 * how a thread comes by a cache and leaves it. For 5_wasmalloc_threads.c, which says who may touch what.
 *
 * All caches that were ever made are in a list, each with its *mark*, which is in the heads of its objects:
 *
 *      first_cache       made for the second thread     for the third, which has ended
 *      +----------+      +----------+                   +----------+
 *      | mark 1   |      | mark 2   |                   | mark 3   |
 *      | taken    |      | taken    |                   |          |
 *      | next     |----->| next     |------------------>| NULL     |
 *      +----------+      +----------+                   +----------+
 *      static            blocks of the heap, marked internal
 *
 * Invariants: marks go up along the list, and a cache stays in its place for ever. A cache that is taken is the `own` of
 * one thread, any other of none.
 */
#ifndef WASMALLOC_THREAD_CACHES_H
#define WASMALLOC_THREAD_CACHES_H

#include "boundary_tags.h"

#include <pthread.h>

/* From the allocator: a free block of the heap, or NULL. */
static void *allocate_free(size_t size);

/* Each thread has classes of its own, and one for each size would take more memory than rounding does: the first
 * 2 * STEPS are for one size each, and then STEPS for each power of two. A class begins with CLASS_UNITS units of
 * ALIGNMENT, and that is one more than a power of two or a step of it: to ask for 1024 bytes is common, and a block has
 * a head. Blocks of less than LARGE are small. What is larger, and so than an object of a run can be, but less than
 * MEDIUM, is a medium block, and has a class too. */
#define CLASSES 74
#define CLASS_UNITS(index)                                                                         \
  ((index) <= STEPS ? (index)                                                                      \
                    : ((size_t)(STEPS + ((index)-1) % STEPS) << (((index)-1) / STEPS - 1)) + 1)
#define LARGE (CLASS_UNITS(RUN_CLASSES) * ALIGNMENT)
#define MEDIUM (CLASS_UNITS(CLASSES) * ALIGNMENT)

/* The largest request that is served from a class: not all blocks of the last one are large enough for more. */
#define LARGEST_IN_CLASS (CLASS_UNITS(CLASSES - 1) * ALIGNMENT - WORD)

/* What a cache puts aside saves its thread the lock, and is of no use to others. So it is generous
 * as long as linear memory has room for SPARE bytes before it has to grow, and frugal if not. */
#define SPARE ((size_t)1 << 16)

/* Blocks of the first RUN_CLASSES classes come in runs. Those of up to AT_ONCE bytes do from the first on, and so the
 * several that lie in a cache line are all one thread's; larger ones after MANY that were allocated one by one, so that
 * few of a size do not take the memory of many. A frugal cache makes none: what is free in a run serves one size of one
 * thread. */
#define RUN_CLASSES 34
#define AT_ONCE ((size_t)2 * STEPS * ALIGNMENT)
#define MANY 8

/* There is a gap behind a run, so that the next block begins with a cache line, but for a word: what
 * another thread writes to it is then no trouble for the last object. */
#define MOST_GAP (CACHE_LINE - ALIGNMENT)

/* The last object of a run may be so much larger, when it becomes a block: by the gap, and by what was too small for a
 * block. */
#define LAST_SURPLUS (MOST_GAP + ALIGNMENT)

/* A thread knows where so many other caches are, without a search. */
#define KNOWN 8

#include "quick_lists.h"

#include "mailbox.h"

/* What a run knows of itself (runs.h). */
struct run {
  uint64_t word;
  struct run *next, *previous; /* in the ring; a list of whole runs has only `next` */
  struct cache *cache;         /* whose it is */
  uint16_t size;               /* of an object, head included */
  uint16_t objects;            /* their number */
};

/* The other runs of a size, and how the next one is made. */
struct ring {
  _Alignas(4 * WORD) struct run *runs; /* those that have free objects, or NULL */
  uint32_t popularity;                 /* so many blocks were allocated one by one */
  bool made;     /* whether a run was, since one was last dissolved to have more memory */
  mailbox whole; /* runs that are wholly free, and in no ring */
};

#include "runs.h"

/*
 * The label in the head of an object is the mark of the cache whose it is, and the index of its class. So free knows
 * whose the object is without touching the run, and where it belongs without a logarithm.
 *
 *      bit   31         22 21     16 15      11 10            3 2   0       (wasm32)
 *            +------------+---------+----------+---------------+-----+
 *            | mark       | class   | number   | size          | SPU |
 *            +------------+---------+----------+---------------+-----+
 *                                                               110
 */
#define CLASS_BITS 6
#define MARK_SHIFT (LABEL_SHIFT + CLASS_BITS)

_Static_assert(RUN_CLASSES <= 1 << CLASS_BITS, "indices fit");
_Static_assert(CLASS_UNITS(RUN_CLASSES) * ALIGNMENT <= OBJECT_SIZE, "sizes fit");

/* What is one thread's, as long as it has it. Begins where a cache line does, so that no two threads write to the same. */
/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): for that it is padded */
struct cache {
  /* There are no blocks below MINIMUM_BLOCK: the first two are never used. */
  _Alignas(CACHE_LINE) struct size_class classes[CLASSES];
  struct ring rings[CLASSES]; /* those of medium blocks stay empty */
  size_t mark;                /* in the heads of its objects; not 0. They go up along the list: */
  struct cache *next;         /* of all that were ever made */
  bool taken;                 /* by a thread */
  struct cache *known[KNOWN]; /* other caches, by their marks */
  /* Objects that others have freed, by class. */
  _Alignas(CACHE_LINE) mailbox returned[RUN_CLASSES];
};

static struct cache first_cache;

/* The depot: lists of medium blocks that had no room on a thread's quick list, for whoever has none. By class; those of
 * small blocks stay empty. */
static _Alignas(CACHE_LINE) mailbox depot[CLASSES];

/* This thread's cache, or NULL. */
static _Thread_local struct cache *own;

/* All caches there are, from first_cache to NULL. That marks go up is why every walk along them ends. */
RARE static struct cache *next_cache(const struct cache *cache) {
  struct cache *next = cache->next;
  trap_unless(!next || next->mark > cache->mark);
  return next;
}

/* Whether this thread, which has the lock, may use a cache: it is its own, or no thread's. */
static inline bool may_use(const struct cache *cache) {
  return cache == own || !cache->taken;
}

/* Whether linear memory may soon have to grow. */
static inline bool is_frugal(void) {
  return memory_room() < SPARE;
}

/* ---- classes ---- */

/* The index of the class for a used block of so many units, and one: malloc takes from it for requests that the block is
 * large enough for. */
static inline size_t class_index(size_t units_less_one) {
  uint32_t shift = 31 - LOG_STEPS - (uint32_t)__builtin_clz((unsigned)units_less_one | STEPS);
  return (size_t)shift * STEPS + (units_less_one >> shift) + 1;
}

static inline struct size_class *class_of(struct cache *cache, size_t size) {
  return &cache->classes[class_index(size / ALIGNMENT - 1)];
}

/* The size of the smallest block that belongs to a class. */
static inline size_t class_size(size_t index) {
  return CLASS_UNITS(index) * ALIGNMENT;
}

/* The index of the class for a request of up to LARGEST_IN_CLASS bytes. All blocks in it are large enough. */
static inline size_t request_index(size_t bytes) {
  /* Behind the class of a block that would be a unit too small. No block has less than two. */
  size_t units_less_one = (bytes + WORD - 1) / ALIGNMENT;
  return class_index(units_less_one - (units_less_one != 0)) + 1;
}

/* The index of the class of an object with such a head. */
static inline size_t object_index(size_t head) {
  return head >> LABEL_SHIFT & (((size_t)1 << CLASS_BITS) - 1);
}

/* The label of an object of a class of this thread's cache. */
static inline size_t own_label(const struct size_class *class) {
  return own->mark << CLASS_BITS | (size_t)(class - own->classes);
}

/* The two arrays have the same steps. */
static inline struct ring *ring_of(struct size_class *class) {
  return (struct ring *)((char *)class + offsetof(struct cache, rings));
}

/* ---- runs ---- */

static inline struct run *object_run(const struct block *object) {
  size_t distance = RUN_HEADER - WORD + object_number(object) * (object->head & OBJECT_SIZE);
  return (struct run *)((char *)object - distance);
}

/* The class of a run: the heads of its objects know it. */
static inline struct size_class *run_class(const struct run *run) {
  return &run->cache->classes[object_index(first_object(run)->head)];
}

/* Nobody counts runs that are wholly free. */
static inline void enters_ring(const struct run *run) {
  (void)run;
}

static inline void leaves_ring(const struct run *run) {
  (void)run;
}

static inline void has_dissolved(struct ring *ring) {
  ring->made = false;
}

/* Whole runs are linked by `next`. */
static inline struct deferred *run_link(struct run *run) {
  return (struct deferred *)&run->next;
}

static inline struct run *linked_run(struct deferred *link) {
  return (struct run *)((char *)link - offsetof(struct run, next));
}

/* A whole run of a cache that is this thread's to use, or NULL. */
static inline struct run *take_whole(struct ring *ring) {
  struct deferred *whole = mailbox_take(&ring->whole);
  if (!whole)
    return NULL;
  mailbox_put_back(&ring->whole, whole->next);
  return linked_run(whole);
}

static inline size_t gap_behind(const struct block *run, size_t size) {
  return (WORD - (uintptr_t)run - size) & MOST_GAP;
}

/* Memory for a run for objects of `size` bytes: *objects of them, or fewer if there is not as much. NULL if
 * the blocks should rather be allocated one by one. Where the heap has to grow it grows for all of them: a program
 * that fills memory would else be left with runs of the fewest. For the first run of a size it grows although there are
 * free blocks: one by one they would take the lock for each. */
static inline struct block *find_for_run(const struct ring *ring, size_t size, uint32_t *objects) {
  uint32_t wanted = *objects;
  for (;;) {
    struct block *block = find_free(run_size(*objects, size) + MOST_GAP);
    if (block)
      return block;
    if (*objects <= LEAST_OBJECTS)
      break;
    *objects /= 2;
  }
  if (ring->made) {
    /* The rest, which is too small, is to be used last. */
    struct block *block = find_free(size);
    if ((block && block != rest.block) || free_list_reclaim(false))
      return NULL;
  }
  *objects = wanted;
  return grow_rest(run_size(wanted, size) + MOST_GAP, true) ? rest.block : NULL;
}

/* Counts a block that is to be allocated, and says whether it should rather come in a run. */
static inline bool is_popular(struct ring *ring, size_t size) {
  ++ring->popularity;
  return !is_frugal() && (size <= AT_ONCE || ring->popularity >= MANY);
}

/* Makes a run of free objects, if the size is popular and there is memory for one. */
RARE static struct run *make_run(struct size_class *class, size_t size) {
  struct ring *ring = ring_of(class);
  if (!is_popular(ring, size))
    return NULL;
  uint32_t objects = objects_for(size);
  struct block *block = find_for_run(ring, size, &objects);
  if (!block)
    return NULL;
  ring->made = true;
  /* Before a free block there is no other, and P is set. */
  size_t length = run_size(objects, size);
  set_head(block, cut_free(block, length + gap_behind(block, length)) | SPECIAL | PREVIOUS_USED);
  struct run *run = block_payload(block);
  size_t distance = RUN_HEADER - WORD;
  for (uint32_t number = 0; number < objects; ++number, distance += size)
    ((struct block *)((char *)run + distance))->head = object_head(own_label(class), number, size);
  run->cache = own;
  begin_run(run, size, objects);
  return run;
}

/* A run with free objects, which is in no ring, or NULL. There is no longer one in use. */
static inline struct run *find_run(struct size_class *class) {
  struct run *run = run_in_use(class);
  if (!run || !free_objects(run)) {
    struct ring *ring = ring_of(class);
    if (run)
      run->word = COUNT(1);
    class->objects = NULL;
    run = ring->runs;
    if (run)
      unlink_run(ring, run);
    else
      run = take_whole(ring);
  }
  return run;
}

/* The ring's first are the runs that have free objects since the shortest time: most of theirs are used, and are likely
 * to stay together. */
NOT_INLINED static void attend(struct run *run) {
  struct ring *ring = ring_of(run_class(run));
  uint32_t free = free_objects(run);
  if ((free & (free - 1)) == 0) { /* a single one */
    run->word |= COUNT(run->objects - 1);
    link_run(ring, run);
    ring->runs = run;
  } else {
    unlink_run(ring, run);
    mailbox_put(&ring->whole, run_link(run));
  }
}
KEEP_APART(attend);

/* ---- objects of other threads ---- */

/* The cache with a mark. Those before it in the list were there before this thread was given one of its objects. */
static inline struct cache *find_owner(struct cache *cache, size_t mark) {
  struct cache **known = &cache->known[mark % KNOWN];
  struct cache *owner = *known;
  if (!owner || owner->mark != mark) {
    owner = &first_cache;
    while (owner->mark != mark) {
      owner = next_cache(owner);
      trap_unless(owner); /* no cache has made this object: its head was overwritten */
    }
    *known = owner;
  }
  return owner;
}

/* Gives an object back to the cache of its run. Its head may have changed since it was read. */
static inline void give_back(struct cache *owner, struct deferred *object, size_t head) {
  mailbox_put(&owner->returned[object_index(head)], object);
}

/* Replaces a quick list that is empty by what others have given back, or by a list from the depot. It has all its room
 * beside that. */
NOT_INLINED static void take_back(struct cache *cache, struct size_class *class) {
  if (!class->quick) {
    size_t index = (size_t)(class - cache->classes);
    class->quick = mailbox_take((index < RUN_CLASSES ? cache->returned : depot) + index);
    class->room = class->most;
  }
}

/* ---- the beginning and the end of threads ---- */

/* Whether this thread ends. */
static _Thread_local bool ended;

static size_t caches_made;

/* Knows a thread's cache, so that leave_cache() is called when the thread ends. */
static pthread_key_t cache_key;

/* Leaves the cache of a thread that ends, with all that is in it, to the next that begins, and to all when
 * memory is short. What else is called to end the thread does without. */
static void leave_cache(void *value) {
  struct cache *cache = value;
  heap_lock();
  cache->taken = false;
  own = NULL;
  ended = true;
  heap_unlock();
}

/* Makes a cache, behind the last that was made; NULL if there is no memory, or no mark. */
static struct cache *make_cache(struct cache *last) {
  if (caches_made == SIZE_MAX >> MARK_SHIFT)
    return NULL;
  size_t size = sizeof(struct cache) + CACHE_LINE;
  char *payload = allocate_free(size);
  if (!payload && !(payload = allocate_elsewhere(size)))
    return NULL;
  /* Like a run it is internal, but its first words are 0 (is_run()). */
  struct block *block = payload_block(payload);
  set_head(block, block->head ^ (USED | SPECIAL));
  __builtin_memset(payload, 0, size - WORD);
  last->next = (struct cache *)(payload + (-(uintptr_t)payload & (CACHE_LINE - 1)));
  return last->next;
}

#ifdef __EMSCRIPTEN__
/* Emscripten's, in programs that have Wasm Workers: not 0 in one. It is ended without a word, and older versions give
 * it no keys. */
__attribute__((weak)) uint32_t emscripten_wasm_worker_self_id(void);

static inline bool is_wasm_worker(void) {
  return emscripten_wasm_worker_self_id && emscripten_wasm_worker_self_id();
}
#else
static inline bool is_wasm_worker(void) {
  return false;
}
#endif

/* This thread's cache. NULL if it cannot have one: there is no memory, or the thread ends, or it is a Wasm
 * Worker. */
RARE static struct cache *find_cache(void) {
  struct cache *cache = own;
  if (!cache) {
    if (ended || !pthread_self() || is_wasm_worker() ||
        (caches_made == 0 && pthread_key_create(&cache_key, leave_cache)))
      return NULL;
    struct cache *last = &first_cache;
    for (cache = &first_cache; cache && cache->taken; cache = next_cache(cache))
      last = cache;
    if (!cache && !(cache = make_cache(last)))
      return NULL;
    if (!cache->mark)
      cache->mark = ++caches_made;
    cache->taken = true;
    own = cache;
    pthread_setspecific(cache_key, cache);
  }
  return cache;
}

#endif
