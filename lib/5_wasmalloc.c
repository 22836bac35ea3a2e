/*
 * 5_wasmalloc: quick lists and runs over the heap of 4_bins.
 *
 * What is new. Most blocks of most programs are small, of few sizes, and short-lived: what is freed
 * will soon be asked for again. To merge such a block with its neighbours, and to split it off again
 * a moment later, is work for nothing, however constant the time. There are two ways around it here.
 *
 * Quick lists (Weinstock and Wulf, "Quick Fit", 1988). free *defers* a block of up to 1 KB: it stays
 * marked used, and is put on the list of its size, where malloc finds it. That is a handful of
 * instructions each. But blocks that are deferred do not merge and serve no other size, so a list has
 * *room* for few: more if the heap is large, fewer if the blocks are. Every free uses up some, and
 * malloc renews it when it finds the list empty, for then the blocks on it have been of use.
 *
 * Runs, for programs that allocate and free in mass. A size that proves popular gets its blocks many
 * at a time: a run is one block of the heap below, with up to 32 *objects* of the size in it and a
 * word that has a bit for each. What does not fit on the quick list goes there: free sets a bit, and
 * malloc takes over all bits that are set, to use them up one by one without touching the objects.
 * (Bits instead of lists: Evans, "A Scalable Concurrent malloc(3) Implementation for FreeBSD", 2006.)
 *
 *      class of 32 bytes
 *      +---------+------------+---------+---------+
 *      | quick   | free       | objects | runs    |
 *      +---------+------------+---------+---------+
 *         |        ...00110000  |         |
 *         v                     |         v
 *      +------+  +--------------|-----+  +--------------------+  +--------------------+
 *      | 32   |  | run in use   v     |  | run     ...0000101 |->| run     ...1111111 |-> the ring,
 *      +------+  |      +---+---+---+ |  |      +---+---+---+ |  |      +---+---+---+ |   back to
 *         |      |      | 0 | 1 | 2 | |  |      | 0 | 1 | 2 | |  |      | 0 | 1 | 2 | |   the first
 *         v      |      +---+---+---+ |  |      +---+---+---+ |  |      +---+---+---+ |
 *      +------+  +--------------------+  +--------------------+  +--------------------+
 *      | 32   |
 *      +------+
 *
 * Slabs, as this is called elsewhere, have a fault: a single survivor keeps all of its slab. Not here.
 * An object has a head of its own like any block, and so a run that is mostly free can be *dissolved*:
 * its objects become ordinary blocks, and those that are free are merged.
 *
 * Nothing is deferred without bound, and no call waits long:
 *
 *   - Where no free block is large enough some deferred blocks are released or a run is dissolved. As
 *     long as others are left the heap grows by no more than it must (boundary_tags.h, find_elsewhere).
 *     That keeps linear memory about as small as with 4_bins. Only a small heap, which has few blocks of
 *     each size, grows while linear memory has room.
 *   - A run is made of memory that is free anyway, unless there is none for even one block.
 *   - Few runs are wholly free and wait for use. The others are dissolved. (With threads all wait, see below.)
 *   - A small block behind a free one is not deferred: to merge the two is worth more.
 *
 * Compiled for size, as for a program that is linked with -Oz, it has quick lists but no runs.
 *
 * Invariants: those of 4_bins. A deferred block or object is marked used, and is on the list of its
 * size. An object is used, or deferred, or its bit is set in its run's word or, if the run is in use,
 * in its class. A run that has free objects is in use or in the ring of its class, any other in none.
 *
 * Threads. Each thread has a *cache*: quick lists, runs in use and rings of its own, for all but the largest sizes. A run
 * belongs to the cache that it was made for, and stays there. What is below, the heap of 4_bins, is for all, and
 * so is one lock.
 *
 *      thread A                               thread B                         what takes the lock
 *      +-----------------------------+        +---------------------------+
 *      | cache: lists, runs, rings   |        | cache                     |
 *      | mailboxes, one for each  <------------- objects of A's runs      |    nothing of that
 *      | class                       |        |                           |
 *      +-----------------------------+        +---------------------------+
 *             |                                    |                           a new run, a block that
 *      +----------------------------------------------------------------+      is not in one and not
 *      | the heap: blocks, bins, the rest                               |      deferred
 *      +----------------------------------------------------------------+
 *
 * malloc finds an object in its own cache. free looks at the head of an object: it says whose the run is. Its own
 * it frees. One of another thread's it puts into that thread's mailbox for the class, by one atomic exchange, and
 * does not touch the run. The owner looks there when it has no object of the class: whatever is in the
 * mailbox becomes its quick list at once (mailbox.h; Leijen, Zorn and de Moura, "Mimalloc: Free List Sharding
 * in Action", 2019, have a list for each page). Nobody waits for anybody but at the lock, and nobody
 * who has the lock waits.
 *
 * Larger blocks, of up to 18 KB, come in no runs, and are nobody's, but are deferred too. A list that has no room for
 * another goes to the *depot* as a whole, by one atomic exchange for the list that was there, and that is released. Where
 * a cache has no block of the size it takes the list from the depot, and if there is none some blocks from the heap: so
 * blocks that one thread allocates and another frees come back without the lock. (Lists that go from thread to thread
 * as a whole: Bonwick and Adams, "Magazines and Vmem", 2001.)
 *
 * A run that is wholly free stays with its cache, however many there are: a thread that frees all its objects mostly
 * wants as many again. But it is kept where others can find it: in no ring, but on the list of its class's whole runs,
 * or of those that will be dissolved.
 *
 * When a thread ends, its cache waits for the next thread that begins; when memory is short whoever has the lock
 * may empty it. Of another thread that goes on it may take the whole runs. The rest of what that has put aside is out of
 * reach, and there is a bound to it: the lists' room, runs that are partly free, and what others have given back to it,
 * which was in use before. So caches put less aside where linear memory may soon have to grow.
 *
 * Who may touch what, with threads:
 *
 *   - what is in a cache but for the mailboxes, and of a run its word and its links: the thread that has the
 *     cache, with or without the lock; if none has it, whoever has the lock. A cache changes hands under the lock.
 *   - a mailbox: everyone may put something into it. To take what is in it is for whom the cache is for. The depot is
 *     the mailboxes of first_cache that it has no use for itself: all may take from it. How both are ordered is said in
 *     mailbox.h.
 *   - a ring's whole runs: only whoever may use the cache puts some in. He takes one of them, and whoever has the lock
 *     takes all.
 *   - everything else: whoever has the lock. Taking it is an acquire, leaving it a release: what was
 *     written under it, or by the thread that left a cache, is there for the next.
 *   - a run's size, objects and cache are written under the lock before any object of it is handed out, and so are a
 *     cache's mark and the links of the list up to it, which free follows without the lock to find the owner of an
 *     object. What a thread does with a block before it hands it to another is the program's to order.
 *   - but free and realloc read the head of their block before they have the lock, while another thread, which has
 *     it, may change it: sets or clears P, or makes a block of an object whose run it dissolves. Of what they read they
 *     rely on the size, which stays (or grows, for the last object of a run), and free on the mark: only the owner
 *     dissolves its runs. If it does while another thread frees the object, a block comes into the
 *     mailbox. On a list either will do. Whatever else they know they ask again under the lock. So these accesses need
 *     no order (read_head(), set_head() in plain.h).
 *   - realloc also looks whether the block behind is used. Where a used block ends there is always a head, and what it
 *     said a moment ago decides only where the payload will be.
 *
 * Whoever has no cache, before a thread has been set up, while it ends, beside 1023 others, or in a Wasm Worker beside
 * threads, takes the lock for every call. In a program that has Wasm Workers alone all do, and share one cache.
 *
 * Cost: malloc and free take constant time. A call that would have to grow linear memory, which takes an
 * engine up to 75 microseconds, first spends a part of that on releasing what is deferred.
 *
 * When to choose it: always, if in doubt.
 */
#define BINS_WITHOUT_CONTRACT

/* Whether each thread has a cache of its own. A Wasm Worker cannot tell when it ends: where there are no
 * threads but those, they share one. */
#if defined(__EMSCRIPTEN_PTHREADS__) || defined(WASMALLOC_THREADS)
#define CACHES 1
#include <pthread.h>
/* The lock is taken now and then only. */
#define LOCKS_ITSELF
#define IF_CACHES(...) __VA_ARGS__
/* For what is called in several places with threads, and else in one. */
#define SHARED NOT_INLINED
/* For what is seldom called with threads, under the lock. */
#define SLOW RARE
/* No heap counts as small: caches keep most calls from it, and blocks that lie close together are faster. */
#define SMALL_HEAP ((ptrdiff_t)0)
#else
#define CACHES 0
#define IF_CACHES(...)
#define SHARED inline
#define SLOW NOT_INLINED
#endif

#include "4_bins.c"

#ifdef __OPTIMIZE_SIZE__
#define RUNS 0
#else
#define RUNS 1
#endif

/* Blocks of less than LARGE_UNITS units of ALIGNMENT are small, and have a class: one for each size.
 *
 * With threads each thread has classes of its own, and so many would take more memory than rounding does: there the first
 * 2 * STEPS are for one size each, and then STEPS for each power of two. A class begins with CLASS_UNITS units, and that
 * is one more than a power of two or a step of it: to ask for 1024 bytes is common, and a block has a head. What is
 * larger than an object of a run can be, but has less than MEDIUM_UNITS, is a medium block, and has a class too. */
#if CACHES
#define CLASSES 74
#define CLASS_UNITS(index)                                                                         \
  ((index) <= STEPS ? (index)                                                                      \
                    : ((size_t)(STEPS + ((index)-1) % STEPS) << (((index)-1) / STEPS - 1)) + 1)
#define LARGE_UNITS CLASS_UNITS(RUN_CLASSES)
#define MEDIUM_UNITS CLASS_UNITS(CLASSES)
#else
#define CLASSES 129
#define CLASS_UNITS(index) ((size_t)(index))
#define LARGE_UNITS CLASSES
#define MEDIUM_UNITS CLASSES
#endif
#define LARGE (LARGE_UNITS * ALIGNMENT)
#define MEDIUM (MEDIUM_UNITS * ALIGNMENT)

#define IS_MEDIUM(size) (CACHES && (size) >= LARGE)

/* The largest request that is served from a class: not all blocks of the last one are large enough for more. */
#define LARGEST_IN_CLASS (CLASS_UNITS(CLASSES - 1) * ALIGNMENT - WORD)

/* What a cache puts aside saves its thread the lock, and is of no use to others. So with threads a cache is generous
 * as long as linear memory has room for SPARE bytes before it has to grow, and frugal if not. */
#define SPARE ((size_t)1 << 16)

/* A quick list has room for LEAST_BYTES and a part of the heap, and one of medium blocks for one at least; or for
 * FRUGAL_BYTES. But none has for more than MOST_ROOM blocks. */
#define ROOM_PART 192
#define MEDIUM_PART 512
#define LEAST_BYTES (CACHES ? 4096 : 3072)
#define FRUGAL_BYTES 512
#define MOST_ROOM 255

/* So many medium blocks are put on a quick list that is empty, as far as there is room. */
#define BATCH 4

/* Blocks of the first RUN_CLASSES classes come in runs, after POPULAR that were allocated one by one. With threads
 * those of up to AT_ONCE bytes do from the first on, and so the several that lie in a cache line are all one thread's;
 * larger ones after MANY that were allocated one by one, so that few of a size do not take the memory of many. A
 * frugal cache makes none: what is free in a run serves one size of one thread. */
#define RUN_CLASSES (CACHES ? 34 : 33)
#define POPULAR 32
#define AT_ONCE (2 * STEPS * ALIGNMENT)
#define MANY 8

/* A run has so many objects, or as many as have so many bytes, and two. If there is no memory for that it has half as
 * many, or a quarter, but not fewer than half of LEAST_OBJECTS. */
#define MOST_OBJECTS 32
#define MOST_BYTES 2048
#define LEAST_OBJECTS 8

/* Without threads so many runs may be wholly free: to dissolve them takes no longer than to grow linear memory. */
#define MOST_WHOLE 256

/* A thread knows where so many other caches are, without a search. */
#define KNOWN 8

/* So many deferred blocks are released when memory is short, or a run is dissolved instead. Of each ring so many runs
 * are looked at. */
#define RELEASED 8
#define LOOKED_AT 4

/* To copy a block of so many bytes takes longer than that. */
#define WORTH_CLEARING ((size_t)1 << 15)

/*
 * The payload of the block that is a run. The block is marked internal. The objects follow:
 *
 *      |<--- RUN_HEADER --->|<- size ->|<- size ->|
 *      +------+-------------+----------+----------+- - - -+----------+------+
 *      | head | struct run  | object 0 | object 1 |       | the last | rest |
 *      +------+-------------+----------+----------+- - - -+----------+------+
 *
 * The word's low half has a bit for each object, which is set if it is free. Its high half counts down
 * to the moment when the run needs attention: one step per object that is freed. So free can do both by
 * one addition, and has one test for whatever may be the matter:
 *
 *      the run                                  its high half
 *      has only used objects, and is in no ring     1, and is put into the ring
 *      is in the ring                               the number of used objects, and is wholly free
 *      is in use                                    never reaches 0
 */
struct run {
  uint64_t word;
  struct run *next, *previous; /* in the ring; a list of whole runs has only `next` */
#if CACHES
  struct cache *cache;
#endif
  uint16_t size;    /* of an object, head included */
  uint16_t objects; /* their number */
};

#define RUN_HEADER ALIGN_UP(WORD + offsetof(struct run, objects) + sizeof(uint16_t))
#define COUNT(objects) ((uint64_t)(objects) << 32)
#define IN_USE COUNT(2 * MOST_OBJECTS)

/*
 * The head of an object. Its flags tell it from a block's, and its size is in the same place:
 *
 *      bit   31                16 15      11 10            3 2   0       (wasm32)
 *            +-------------------+----------+---------------+-----+
 *            | mark              | number   | size          | SPU |
 *            +-------------------+----------+---------------+-----+
 *                                                            110
 *
 * The mark is the distance from the run. With threads, where that is computed from the number and the size, it
 * is the cache's, and shares its place with the index of the class: so free knows whose the object is without touching
 * the run, and where it belongs without a logarithm.
 *
 *            31         22 21     16 15
 *            +------------+---------+--
 *            | mark       | class   |
 *            +------------+---------+--
 */
#define NUMBER_BITS 5
#define CLASS_BITS (CACHES ? 6 : 0)
#define NUMBER_SHIFT (sizeof(size_t) == 8 ? 12 : 11)
#define CLASS_SHIFT (NUMBER_SHIFT + NUMBER_BITS)
#define MARK_SHIFT (CLASS_SHIFT + CLASS_BITS)
#define OBJECT_SIZE (((size_t)1 << NUMBER_SHIFT) - ALIGNMENT)

_Static_assert(MOST_OBJECTS == 1 << NUMBER_BITS, "numbers fit");
_Static_assert(!CACHES || RUN_CLASSES <= 1 << CLASS_BITS, "indices fit");
_Static_assert(CLASS_UNITS(RUN_CLASSES) * ALIGNMENT <= OBJECT_SIZE, "sizes fit");

/* The payload of a deferred block or object. */
struct deferred {
  struct deferred *next;
};

#if CACHES
#include "mailbox.h"
#endif

/* What malloc and free of small blocks need. With threads it belongs to one of them. Aligned so that the
 * address is the size, shifted. */
struct size_class {
  _Alignas(4 * WORD) struct deferred *quick; /* the quick list */
  char *objects; /* the payload of the first object of the run in use, or NULL */
  uint32_t free; /* bit i is set if object i of that run is free, and malloc's to take */
  uint8_t room;  /* so many more blocks may be put on the quick list */
  uint8_t most;  /* and so many when it is empty */
  uint16_t size; /* of an object of the run in use, head included */
};

/* The other runs of a size, and how the next one is made. */
struct ring {
  _Alignas(4 * WORD) struct run *runs; /* those that have free objects, or NULL */
  /* So many blocks were allocated one by one; without threads, since a run was last tried. */
  uint32_t waiting;
#if CACHES
  bool made;     /* whether a run was, since one was last dissolved to have more memory */
  mailbox whole; /* runs that are wholly free, and in no ring */
#endif
};

/* Begins where a cache line does, so that no two threads write to the same. */
#define CACHE_ALIGNMENT (CACHES ? CACHE_LINE : 4 * WORD)

struct cache {
  /* There are no blocks below MINIMUM_BLOCK: the first two are never used. */
  _Alignas(CACHE_ALIGNMENT) struct size_class classes[CLASSES];
  /* Those of medium blocks stay empty. */
  struct ring rings[CACHES ? CLASSES : RUN_CLASSES];
#if !CACHES
  uint32_t whole_runs; /* so many runs are in rings and wholly free */
#else
  size_t mark;                /* in the heads of its objects; not 0. They go up along the list: */
  struct cache *next;         /* of all that were ever made */
  bool taken;                 /* by a thread */
  struct cache *known[KNOWN]; /* other caches, by their marks */
  /* Objects that others have freed, by class; first_cache's of medium blocks are the depot. */
  _Alignas(CACHE_LINE) mailbox returned[CLASSES];
#endif
};

static struct cache first_cache;

#if CACHES
static _Thread_local struct cache *own;
#endif

/* This thread's cache, or NULL. */
static inline struct cache *own_cache(void) {
#if CACHES
  return own;
#else
  return &first_cache;
#endif
}

/* All caches there are, from first_cache to NULL. That marks go up is why every walk along them ends. */
SLOW static struct cache *next_cache(const struct cache *cache) {
#if CACHES
  struct cache *next = cache->next;
  trap_unless(!next || next->mark > cache->mark);
  return next;
#else
  (void)cache;
  return NULL;
#endif
}

/* Whether this thread, which has the lock, may use a cache: it is its own, or no thread's; whether it has one;
 * whether linear memory may soon have to grow; and whether the heap may grow for a run although there are free
 * blocks: for the first of a size, with threads, where blocks one by one would take the lock for each. */
#if CACHES
static inline bool may_use(const struct cache *cache) {
  return cache == own || !cache->taken;
}
#define EXISTS(cache) (cache)
static inline bool is_frugal(void) {
  return memory_room() < SPARE;
}
static inline bool may_grow_for_run(const struct ring *ring) {
  return !ring->made;
}
#else
#define may_use(cache) true
#define EXISTS(cache) true
#define is_frugal() false
#define may_grow_for_run(ring) false
#endif

/* The class that is to release something when memory is short. */
static uint32_t candidate;

/* Frees out of line: the fast paths of this allocator are others. */
SLOW static void release_block(struct block *block, size_t size) {
  release_block_here(block, size);
}

/* The index of the class for a used block of so many units, and one: malloc takes from it for requests that the block is
 * large enough for. */
static inline size_t class_index(size_t units_less_one) {
#if CACHES
  uint32_t shift = 31 - LOG_STEPS - (uint32_t)__builtin_clz((unsigned)units_less_one | STEPS);
  return shift * STEPS + (units_less_one >> shift) + 1;
#else
  return units_less_one + 1;
#endif
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
#if CACHES
  /* Behind the class of a block that would be a unit too small. No block has less than two. */
  size_t units_less_one = (bytes + WORD - 1) / ALIGNMENT;
  return class_index(units_less_one - (units_less_one != 0)) + 1;
#else
  return block_size_for(bytes, MINIMUM_BLOCK) / ALIGNMENT;
#endif
}

/* The size of a block for a request: the smallest of its class. */
SHARED static size_t size_for(size_t bytes) {
  if (CACHES && bytes <= LARGEST_IN_CLASS)
    return class_size(request_index(bytes));
  return block_size_for(bytes, MINIMUM_BLOCK);
}

/* The index of the class of an object with such a head. */
static inline size_t object_index(size_t head) {
#if CACHES
  return head >> CLASS_SHIFT & (((size_t)1 << CLASS_BITS) - 1);
#else
  return (head & OBJECT_SIZE) / ALIGNMENT;
#endif
}

/* The two arrays have the same steps. */
static inline struct ring *ring_of(struct size_class *class) {
  return (struct ring *)((char *)class + offsetof(struct cache, rings));
}

static inline struct cache *run_cache(const struct run *run) {
#if CACHES
  return run->cache;
#else
  (void)run;
  return &first_cache;
#endif
}

static inline bool is_object(const struct block *block) {
  return RUNS && read_head(block) & SPECIAL;
}

static inline uint32_t object_number(const struct block *object) {
  return object->head >> NUMBER_SHIFT & (MOST_OBJECTS - 1);
}

static inline struct run *object_run(const struct block *object) {
#if CACHES
  size_t distance = RUN_HEADER - WORD + object_number(object) * (object->head & OBJECT_SIZE);
#else
  size_t distance = object->head >> MARK_SHIFT;
#endif
  return (struct run *)((char *)object - distance);
}

/* The class of a run: the heads of its objects know it. */
static inline struct size_class *run_class(const struct run *run) {
  const struct block *object = (const struct block *)((const char *)run + RUN_HEADER - WORD);
  return &run_cache(run)->classes[object_index(object->head)];
}

static inline struct run *run_in_use(const struct size_class *class) {
  return class->objects ? (struct run *)(class->objects - RUN_HEADER) : NULL;
}

static inline uint32_t free_objects(const struct run *run) {
  return (uint32_t)run->word;
}

static inline bool is_whole(const struct run *run) {
  return run->word < COUNT(1);
}

/* With threads whole runs are in no ring, and nobody counts them. */
static inline void count_whole(const struct run *run, uint32_t change) {
#if CACHES
  (void)run, (void)change;
#else
  if (is_whole(run))
    first_cache.whole_runs += change;
#endif
}

#if CACHES
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
#endif

/* ---- rings ---- */

/* Puts a run at the end of its ring. */
NOT_INLINED static void link_run(struct ring *ring, struct run *run) {
  struct run *first = ring->runs;
  if (!first)
    ring->runs = first = run->previous = run;
  struct run *last = first->previous;
  run->next = first;
  run->previous = last;
  first->previous = run;
  last->next = run;
}

NOT_INLINED static void unlink_run(struct ring *ring, struct run *run) {
  struct run *next = run->next;
  struct run *previous = run->previous;
  previous->next = next;
  next->previous = previous;
  if (ring->runs == run)
    ring->runs = next == run ? NULL : next;
  count_whole(run, (uint32_t)-1);
}

/* Puts the run in use, if there is one, into the ring. */
static void retire_run(struct size_class *class, struct ring *ring) {
  struct run *run = run_in_use(class);
  if (!run)
    return;
  uint32_t free = class->free | free_objects(run);
  class->free = 0;
  class->objects = NULL;
  run->word = COUNT(1);
  if (free) {
    run->word = free | COUNT(run->objects - (uint32_t)__builtin_popcount(free));
    count_whole(run, 1);
    link_run(ring, run);
  }
}

/* ---- the life of a run ---- */

/* Makes blocks of the objects of a run, which is in no ring: used ones, and of each row of free ones and
 * of the header a free one. */
RARE static void dissolve(struct run *run) {
  struct block *row = payload_block(run);
  struct block *end = block_next(row);
  struct block *block = block_at(row, RUN_HEADER);
  uint32_t objects = run->objects;
  uint32_t free = free_objects(run);
  size_t size = run->size;
  for (uint32_t number = 0; number < objects; ++number, free >>= 1) {
    struct block *next = number + 1 == objects ? end : block_at(block, size);
    if (!(free & 1)) {
      change_head(block, (size_t)((char *)next - (char *)block) | USED | PREVIOUS_USED);
      if (row != block)
        release_block(row, (size_t)((char *)block - (char *)row));
      row = next; /* an object's head has PREVIOUS_USED set */
    }
    block = next;
  }
  if (row != end)
    release_block(row, (size_t)((char *)end - (char *)row));
}

static inline size_t run_size(uint32_t objects, size_t size) {
  return RUN_HEADER + objects * size;
}

/* With threads there is a gap behind a run, so that the next block begins with a cache line, but for a word: what
 * another thread writes to it is then no trouble for the last object. */
#define MOST_GAP (CACHES ? CACHE_LINE - ALIGNMENT : 0)

static inline size_t gap_behind(const struct block *run, size_t size) {
#if CACHES
  return (WORD - (uintptr_t)run - size) & MOST_GAP;
#else
  (void)run, (void)size;
  return 0;
#endif
}

/* Memory for a run for objects of `size` bytes: *objects of them, or fewer if there is not as much. NULL if
 * the blocks should rather be allocated one by one. Where the heap has to grow it grows for all of them: a program
 * that fills memory would else be left with runs of the fewest. */
static inline struct block *find_for_run(const struct ring *ring, size_t size, uint32_t *objects) {
  (void)ring; /* without threads */
  uint32_t wanted = *objects;
  for (;;) {
    struct block *block = find_free(run_size(*objects, size) + MOST_GAP);
    if (block)
      return block;
    if (*objects <= LEAST_OBJECTS)
      break;
    *objects /= 2;
  }
  if (!may_grow_for_run(ring)) {
    /* The rest, which is too small, is to be used last. */
    struct block *block = find_free(size);
    if ((block && block != rest.block) || free_list_reclaim(false))
      return NULL;
  }
  *objects = wanted;
  return grow_rest(run_size(wanted, size) + MOST_GAP, true) ? rest.block : NULL;
}

/* What stands above the number in the head of an object of a class that lies so far behind its run. */
static inline size_t mark_at(const struct size_class *class, size_t distance) {
#if CACHES
  (void)distance;
  return own->mark << CLASS_BITS | (size_t)(class - own->classes);
#else
  (void)class;
  return distance;
#endif
}

/* Counts a block that is to be allocated, and says whether it should rather come in a run. */
static inline bool is_popular(struct ring *ring, size_t size) {
#if CACHES
  ++ring->waiting;
  return !is_frugal() && (size <= AT_ONCE || ring->waiting >= MANY);
#else
  (void)size;
  if (++ring->waiting < POPULAR)
    return false;
  ring->waiting = 0;
  return true;
#endif
}

/* Makes a run of free objects, if the size is popular and there is memory for one. */
RARE static struct run *make_run(struct size_class *class, size_t size) {
  struct ring *ring = ring_of(class);
  if (!is_popular(ring, size))
    return NULL;
  uint32_t objects = (uint32_t)(MOST_BYTES / size + 2);
  if (objects > MOST_OBJECTS)
    objects = MOST_OBJECTS;
  struct block *block = find_for_run(ring, size, &objects);
  if (!block)
    return NULL;
#if CACHES
  ring->made = true;
#else
  ring->waiting = POPULAR - 1; /* the next one may follow at once */
#endif

  /* Before a free block there is no other, and P is set. */
  size_t length = run_size(objects, size);
  set_head(block, cut_free(block, length + gap_behind(block, length)) | SPECIAL | PREVIOUS_USED);
  struct run *run = block_payload(block);
  size_t distance = RUN_HEADER - WORD;
  for (uint32_t number = 0; number < objects; ++number, distance += size)
    ((struct block *)((char *)run + distance))->head = mark_at(class, distance) << CLASS_SHIFT |
                                                       (size_t)number << NUMBER_SHIFT | size |
                                                       SPECIAL | PREVIOUS_USED;
#if CACHES
  run->cache = own;
#endif
  run->size = (uint16_t)size;
  run->objects = (uint16_t)objects;
  run->word = UINT32_MAX >> (MOST_OBJECTS - objects);
  return run;
}

/* Gives a quick list, which is empty, room. */
SHARED static void renew_room(struct size_class *class, size_t size) {
  size_t least = LEAST_BYTES + (IS_MEDIUM(size) ? size : 0);
  size_t part = IS_MEDIUM(size) ? MEDIUM_PART : ROOM_PART;
  size_t bytes = is_frugal() ? FRUGAL_BYTES : (size_t)(heap.end - heap.first) / part + least;
  size_t room = bytes / size;
  class->room = class->most = (uint8_t)(room > MOST_ROOM ? MOST_ROOM : room);
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
#if CACHES
    else
      run = take_whole(ring);
#endif
  }
  return run;
}

/* Gives all free objects of a run, which is in no ring, to malloc. */
static inline void use_run(struct size_class *class, struct run *run) {
  class->objects = (char *)run + RUN_HEADER;
  class->size = run->size;
  class->free = free_objects(run);
  run->word = IN_USE;
}

/* Looks after a run whose count has reached 0. The ring's first are the ones that have free objects since
 * the shortest time: most of theirs are used, and are likely to stay together. */
NOT_INLINED static void attend(struct run *run) {
  struct ring *ring = ring_of(run_class(run));
  uint32_t free = free_objects(run);
  if ((free & (free - 1)) == 0) { /* a single one */
    run->word |= COUNT(run->objects - 1);
    link_run(ring, run);
    ring->runs = run;
  } else {
#if CACHES
    unlink_run(ring, run);
    mailbox_put(&ring->whole, run_link(run));
#else
    if (++first_cache.whole_runs > MOST_WHOLE) {
      unlink_run(ring, run);
      dissolve(run);
    }
#endif
  }
}
KEEP_APART(attend);

/* Frees an object of a run that is this thread's to use. */
static inline void free_object(struct run *run, uint32_t number) {
  uint64_t word = (run->word | (uint32_t)1 << number) - COUNT(1);
  run->word = word;
  if (word < COUNT(1))
    attend(run);
}

#if CACHES
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
    if (index >= RUN_CLASSES)
      cache = &first_cache;
    class->quick = mailbox_take(&cache->returned[index]);
    class->room = class->most;
  }
}
#endif

/* ---- when memory is short ---- */

/* There are no more blocks than that: a list that goes on leads back to itself, for a block is on it twice. */
SLOW static size_t most_blocks(void) {
  return (size_t)(heap.end - heap.first) / ALIGNMENT;
}

SLOW static void release(struct block *block) {
  if (is_object(block)) {
    struct run *run = object_run(block);
#if CACHES
    if (!may_use(run->cache)) {
      give_back(run->cache, block_payload(block), block->head);
      return;
    }
#endif
    free_object(run, object_number(block));
  } else {
    release_block(block, block_size(block));
  }
}

/* Releases up to `count` blocks of a list, and says how many. */
RARE static size_t release_list(struct deferred **list, size_t count) {
  size_t released = 0;
  for (struct deferred *deferred; released < count && (deferred = *list); ++released) {
    *list = deferred->next;
    release(payload_block(deferred));
  }
  return released;
}

/* The same of a quick list. */
static inline size_t release_quick(struct size_class *class, size_t count) {
  size_t released = release_list(&class->quick, count);
#if CACHES
  class->room += (uint8_t)released;
#endif
  return released;
}

/* Looks at some runs of a ring, the last first, and dissolves one of which at least a half is free; or dissolves all,
 * until that is worth `count` blocks. Says how many it is worth. */
RARE static size_t dissolve_runs(struct ring *ring, size_t count, bool all) {
  size_t worth = 0;
  struct run *first = ring->runs;
  for (size_t looked_at = 0; first && (all ? worth < count : looked_at < LOOKED_AT); ++looked_at) {
    struct run *run = first->previous;
    if (all || (uint32_t)__builtin_popcount(free_objects(run)) >= run->word / COUNT(1)) {
      ring->runs = first;
      unlink_run(ring, run);
      dissolve(run);
#if CACHES
      ring->made = false;
#else
      ring->waiting = 0;
#endif
      worth += RELEASED;
      if (!all)
        return worth;
      first = ring->runs;
    } else {
      first = run;
    }
  }
  ring->runs = first;
  return worth;
}

/* Releases up to `count` deferred blocks of the class with this index, and if there are fewer a run, or all. Says how
 * many blocks that is worth. */
static inline size_t reclaim_from(struct cache *cache, uint32_t index, size_t count, bool all) {
  struct size_class *class = &cache->classes[index];
  size_t released = 0;
#if CACHES
  size_t last;
  do {
    take_back(cache, class);
    last = release_quick(class, count - released);
    released += last;
  } while (last && released < count);
#else
  released = release_quick(class, count);
#endif
  if (RUNS && released < count && index < RUN_CLASSES) {
    retire_run(class, ring_of(class));
    released += dissolve_runs(ring_of(class), count - released, all);
  }
  return released;
}

#if CACHES
/* Whole runs that were taken to be dissolved. A call dissolves a few of them. */
static struct deferred *condemned;

/* Dissolves whole runs of a ring, until with what has been released already that is worth `count` blocks. Those of another
 * thread only if linear memory may have to grow, or all are to be. Says how many blocks have been released then. */
static inline size_t dissolve_whole(const struct cache *cache, struct ring *ring, size_t released,
                                    size_t count, bool all) {
  if (!condemned && (all || cache == own || is_frugal()))
    condemned = mailbox_take(&ring->whole);
  while (condemned && released < count) {
    struct run *run = linked_run(condemned);
    condemned = condemned->next;
    dissolve(run);
    released += RELEASED;
  }
  return released;
}
#endif

/* Releases some deferred blocks or dissolves a run of which at least a half is free, or releases all blocks and
 * dissolves all runs of which anything is free. Goes on in the class where it ended the last time. */
RARE static bool free_list_reclaim(bool all) {
  size_t count = all ? most_blocks() : RELEASED;
  size_t released = 0;
  uint32_t index = candidate;
  for (uint32_t left = CLASSES; left; --left) {
#if CACHES
    for (struct cache *cache = &first_cache; cache && released < count; cache = next_cache(cache)) {
      if (may_use(cache))
        released += reclaim_from(cache, index, count - released, all);
      released = dissolve_whole(cache, &cache->rings[index], released, count, all);
    }
#else
    released += reclaim_from(&first_cache, index, count - released, all);
#endif
    if (released >= count)
      break;
    index = (index + 1) % CLASSES;
  }
  candidate = index;
  return released != 0;
}

/* A free block of the heap below, or NULL. */
SHARED static void *allocate_free(size_t size) {
  struct block *block = find_free(size);
  return block ? use_block(block, cut_free(block, size)) : NULL;
}

/* ---- the caches of threads ---- */

#if CACHES
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
#else
static inline struct cache *find_cache(void) {
  return &first_cache;
}
#endif

/* ---- the contract ---- */

/* The first free object of the run in use, of which there is one. */
static inline void *take_object(struct size_class *class) {
  uint32_t free = class->free;
  class->free = free & (free - 1);
  return class->objects + (size_t)__builtin_ctz(free) * class->size;
}

/* The first block of a quick list, or NULL. */
static inline void *take_deferred(struct size_class *class) {
  struct deferred *deferred = class->quick;
  if (deferred) {
    class->quick = deferred->next;
#if CACHES
    ++class->room;
#endif
  }
  return deferred;
}

/* Puts a freed block or object on its quick list, if that has room, and says whether it has. */
static inline bool defer(struct size_class *class, struct deferred *payload) {
  if (!class->room)
    return false;
  --class->room;
  payload->next = class->quick;
  class->quick = payload;
  return true;
}

#if CACHES
/* A block or an object of a class, from this thread's cache; or NULL. What others have given back comes last: where
 * many objects take turns, those of two threads seldom lie in one cache line. */
NOT_INLINED static void *find_own(struct cache *cache, struct size_class *class) {
  if (RUNS && !class->quick && !class->free) {
    struct run *run = find_run(class);
    if (run)
      use_run(class, run);
  }
  if (class->free)
    return take_object(class);
  take_back(cache, class);
  return take_deferred(class);
}
#endif

#if CACHES
/* A block for a class without runs, whose list is empty: some are put on it, so that the lock need not be taken for
 * every block. NULL if there is no room, or no memory at hand. */
RARE static void *allocate_batch(struct size_class *class, size_t size) {
  void *payload;
  for (uint32_t count = BATCH; count && class->room && (payload = allocate_free(size)); --count)
    defer(class, payload);
  return take_deferred(class);
}
#endif

/* A block of a class, where neither the quick list nor the run in use has one: of another run, or a deferred one. NULL if
 * it is to be a block of the heap below. */
NOT_INLINED static void *allocate_in_class(size_t size) {
  struct cache *cache = find_cache();
  if (!EXISTS(cache))
    return NULL;
  struct size_class *class = class_of(cache, size);
  bool comes_in_runs = RUNS && size <= class_size(RUN_CLASSES - 1);
  struct run *run = NULL;
#if CACHES
  void *payload = find_own(cache, class); /* the cache may be that of a thread that has ended */
  if (payload)
    return payload;
  renew_room(class, size);
#else
  if (!class->room)
    renew_room(class, size);
  if (comes_in_runs)
    run = find_run(class);
#endif
  if (comes_in_runs && !run)
    run = make_run(class, size);
  if (!run)
    return IF_CACHES(!comes_in_runs ? allocate_batch(class, size) :) NULL;
  use_run(class, run);
  return take_object(class);
}
/* With threads only what has the lock calls it, and there malloc is apart already. */
#if !CACHES
KEEP_APART(allocate_in_class);
#endif

/* A block of `size` bytes, or of `least` where memory is short, if this thread's cache has none. */
static inline void *allocate_locked(size_t size, size_t least) {
  void *payload = size < class_size(CLASSES - 1) + ALIGNMENT ? allocate_in_class(size) : NULL;
  if (!payload)
    payload = allocate_free(size);
  if (CACHES && !payload)
    payload = allocate_free(least);
  return payload ? payload : allocate_elsewhere(least);
}

SHARED static void *allocate_slowly(size_t bytes) {
  if (bytes > MAXIMUM_REQUEST)
    return NULL;
  size_t size = size_for(bytes);
  IF_CACHES(heap_lock();)
  void *payload = allocate_locked(size, block_size_for(bytes, MINIMUM_BLOCK));
  IF_CACHES(heap_unlock();)
  return payload;
}
#if CACHES
KEEP_APART(allocate_slowly);
#endif

#if CACHES
/* malloc, where neither the quick list nor the run in use has a block. */
static inline void *refill(struct cache *cache, struct size_class *class, size_t bytes) {
  void *payload = find_own(cache, class);
  return payload ? payload : allocate_slowly(bytes);
}
#endif

static inline void *heap_allocate(size_t bytes) {
  struct cache *cache = own_cache();
  if (EXISTS(cache) && bytes <= LARGEST_IN_CLASS) {
    struct size_class *class = &cache->classes[request_index(bytes)];
    void *payload = take_deferred(class);
    if (payload)
      return payload;
    if (RUNS && class->free) {
      if (!CACHES)
        class->room = class->most;
      return take_object(class);
    }
    IF_CACHES(if (RUNS) return refill(cache, class, bytes);)
  }
  return allocate_slowly(bytes);
}

#if CACHES
/* What whoever has the lock is to release. (A variable whose address is taken takes less code here than on the stack.) */
static struct deferred *surplus_list;

/* free, where a block has no class, which is NULL then, or its list has no room. A list of medium blocks goes to the
 * depot, with the block, and what was there is released in its place. */
NOT_INLINED static void release_slowly(struct size_class *class, struct deferred *payload) {
  size_t size = read_head(payload_block(payload)) & ~(size_t)FLAGS;
  struct deferred *list = payload;
  payload->next = NULL;
  if (class && IS_MEDIUM(size) && class->quick) {
    payload->next = class->quick;
    class->quick = NULL;
    class->room = class->most;
    list = mailbox_exchange(&first_cache.returned[class - own->classes], payload);
    if (!list)
      return;
  }
  heap_lock();
  surplus_list = list;
  release_list(&surplus_list, most_blocks());
  if (!class)
    find_cache();
  else if (!class->quick)
    renew_room(class, size);
  heap_unlock();
}
KEEP_APART(release_slowly);
#endif

/* Whether an object with such a head is in a run of this thread's cache. */
#if CACHES
static inline bool is_own(const struct cache *cache, size_t head) {
  return cache && head >> MARK_SHIFT == cache->mark;
}
#else
#define is_own(cache, head) true
#endif

/* Written so that an object, the most frequent, has the fewest tests to pass. */
static inline void heap_release(void *payload) {
  struct cache *cache = own_cache();
  struct block *block = payload_block(payload);
  size_t head = read_head(block);
  size_t size = head & ~(size_t)FLAGS;
  struct size_class *class = NULL;
  if (RUNS && head & SPECIAL) {
    if (is_own(cache, head)) {
      if (!defer(&cache->classes[object_index(head)], payload))
        free_object(object_run(block), object_number(block));
      return;
    }
#if CACHES
    if (cache) {
      give_back(find_owner(cache, head >> MARK_SHIFT), payload, head);
      return;
    }
#endif
  } else if (size < MEDIUM && (head & PREVIOUS_USED || IS_MEDIUM(size)) && EXISTS(cache)) {
    class = class_of(cache, size);
    if (defer(class, payload))
      return;
  }
#if CACHES
  release_slowly(class, payload);
#else
  release_block(block, size);
#endif
}

static void *heap_allocate_aligned(size_t alignment, size_t bytes, void **surplus) {
  return tags_allocate_aligned(alignment, bytes, surplus);
}

static size_t heap_payload_size(const void *payload) {
  size_t head = read_head(payload_block(payload));
  return (RUNS && head & SPECIAL ? head & OBJECT_SIZE : head & ~(size_t)FLAGS) - WORD;
}

/* Releases some of the quick list that a block is on if it is deferred, and says whether there were any. To find out
 * whether it is would take a search, each time that a block is resized; to release is work only for what was deferred
 * since, and the block is mostly among the first. */
RARE static bool release_where_deferred(struct block *block) {
  struct cache *cache = own_cache();
  size_t size = block->head & ~(size_t)FLAGS; /* an object's is too large, for it has the mark */
  if (!EXISTS(cache) || size >= MEDIUM || block == rest.block)
    return false;
  return release_quick(class_of(cache, size), RELEASED);
}

/* Where the block behind is in the way, it may only be deferred. A large block that has to move clears up a little:
 * where a lot is put aside that nobody asks for any more, it would else move again and again, from one gap to the next
 * larger. */
static inline void *resize_block(struct block *block, size_t bytes, void **surplus) {
  struct block *tried = NULL;
  void *payload;
  while (!(payload = tags_resize(block_payload(block), bytes, surplus))) {
    struct block *next = block_next(block);
    if (next == tried || !release_where_deferred(next)) {
      if (bytes >= WORTH_CLEARING)
        free_list_reclaim(false);
      return NULL;
    }
    tried = next; /* it is still there, but may be free now */
  }
  return payload;
}

static void *heap_resize(void *payload, size_t bytes, void **surplus) {
  struct block *block = payload_block(payload);
  size_t old = heap_payload_size(payload);
  if (is_object(block))
    return bytes <= old ? payload : NULL;
#if CACHES
  /* A block keeps a size that malloc could give it. Then nobody needs the lock to see that it may stay as it is. One of
   * another size, from when memory was short, may be smaller than that, but not than what is asked for. */
  size_t sufficient = bytes <= LARGEST_IN_CLASS ? size_for(bytes) - WORD : bytes;
  if (bytes <= old) {
    if ((ptrdiff_t)(old - sufficient) < (ptrdiff_t)MINIMUM_BLOCK)
      return payload;
  } else if (bytes <= LARGEST_IN_CLASS &&
             read_head(block_at(block, old + WORD)) & (USED | SPECIAL)) {
    /* To move within the cache is cheaper than to take the lock only to find out that there is no room. */
    return NULL;
  }
  bytes = sufficient;
#endif
  IF_CACHES(heap_lock();)
  payload = resize_block(block, bytes, surplus);
  IF_CACHES(heap_unlock();)
  return payload;
}

static bool heap_trim(size_t keep) {
  free_list_reclaim(true);
  return tags_trim(keep);
}

/* ---- the walk and the check ---- */

/* What is in the runs of other threads is theirs to know: their objects count as used. */
static void show_object(struct wasmalloc_block *walk, const struct run *run, uint32_t number) {
  walk->address = (char *)run + RUN_HEADER + (size_t)number * run->size;
  walk->size = run->size - WORD;
  walk->state =
      may_use(run_cache(run)) && free_objects(run) >> number & 1 ? WASMALLOC_FREE : WASMALLOC_USED;
}

/* Whether a block is a run. The other internal ones are caches. */
static bool is_run(struct block *block) {
  return block_state(block) == WASMALLOC_INTERNAL && ((struct run *)block_payload(block))->size;
}

/* The walk looks at the heap as it is when nothing is deferred and no run is in use. In place of a run it
 * shows the objects. What other threads have in their caches it shows as used. */
static bool heap_next_block(struct wasmalloc_block *walk) {
  if (!walk->address) {
    free_list_reclaim(true);
  } else {
    struct block *object = payload_block(walk->address);
    if (block_state(object) == WASMALLOC_INTERNAL && (!CACHES || object->head >> MARK_SHIFT)) {
      struct run *run = object_run(object);
      uint32_t number = object_number(object) + 1;
      if (number < run->objects) {
        show_object(walk, run, number);
        return true;
      }
      walk->address = run;
    }
  }
  if (!block_walk(walk))
    return false;
  if (is_run(payload_block(walk->address)))
    show_object(walk, walk->address, 0);
  return true;
}

/* Numbers of runs, found in one way and counted down when they are found in another. */
struct run_counts {
  uint32_t linked; /* in the ring of their class */
  uint32_t whole;  /* of these */
};

/* Checks a run, and counts it if it should be in the ring of its class. */
static bool run_is_sound(const struct block *block, struct run_counts *counts) {
  const struct run *run = (const struct run *)(block + 1);
  size_t size = block_size(block);
  if (size < RUN_HEADER || run->size > class_size(RUN_CLASSES - 1) ||
      (size_t)run->objects * run->size > size - RUN_HEADER)
    return false;
#if CACHES
  const struct cache *cache = &first_cache;
  while (cache && cache != run->cache)
    cache = next_cache(cache);
  if (!cache)
    return false;
  size_t mark = cache->mark << CLASS_BITS | class_index(run->size / ALIGNMENT - 1);
#endif
  const struct block *object = (const struct block *)((const char *)run + RUN_HEADER - WORD);
  for (uint32_t number = 0; number < run->objects; ++number) {
    /* Not by object_run(): who knows where the head of a broken one leads. */
#if !CACHES
    size_t mark = (size_t)((const char *)object - (const char *)run);
#endif
    if (!is_object(object) || object->head >> CLASS_SHIFT != mark ||
        object_number(object) != number || (object->head & OBJECT_SIZE) != run->size)
      return false;
    object = (const struct block *)((const char *)object + run->size);
  }
  if (!may_use(run_cache(run)))
    return true;
  uint32_t free = free_objects(run);
  uint32_t freed = (uint32_t)__builtin_popcount(free);
  uint32_t count = (uint32_t)(run->word >> 32);
  const struct size_class *class = class_of(run_cache(run), run->size);
  if (run == run_in_use(class))
    /* Uncovered: only a fault of the allocator itself makes its variables wrong. */
    return class->size == run->size && (class->free & free) == 0 && count == (IN_USE >> 32) - freed;
  counts->linked += free != 0;
  counts->whole += is_whole(run);
  return count == (free ? run->objects - freed : 1);
}

/* Checks a list of up to `most` deferred blocks of a class: NULL or what is broken. */
static const void *list_check(const struct deferred *list, uint32_t index, size_t most) {
  size_t least = class_size(index);
  /* The last object of a run that was dissolved may be larger than its class says. */
  size_t surplus_end = class_size(index + 1) - least + MOST_GAP + ALIGNMENT;
  size_t deferred_blocks = 0;
  for (const struct deferred *deferred = list; deferred; deferred = deferred->next) {
    const struct block *block = payload_block((void *)deferred);
    if (deferred->next && !payload_may_be_at((uintptr_t)deferred->next))
      return deferred;
    size_t surplus = heap_payload_size(deferred) + WORD - least;
    if (block_is_free(block) || surplus >= surplus_end || ++deferred_blocks > most)
      return deferred;
  }
  return NULL;
}

/* Checks a ring, and counts its runs down: NULL or what is broken. */
static const void *ring_check(const struct ring *ring, size_t size, struct run_counts *counts) {
  const struct run *run = ring->runs;
  if (run)
    do {
      /* Uncovered: the runs are sound one by one, and only a fault of the allocator itself would put one
       * into a ring where it does not belong. */
      if (run->size != size || !payload_may_be_at((uintptr_t)run->next) ||
          run->next->previous != run || !free_objects(run))
        return run;
      --counts->linked;
      run = run->next;
    } while (run != ring->runs);
  return NULL;
}

#if CACHES
/* Checks whole runs, and counts down those that were counted: NULL or what is broken. */
static const void *whole_check(struct deferred *link, struct run_counts *counts) {
  for (size_t left = most_blocks(); link; link = link->next, --left) {
    struct run *run = linked_run(link);
    /* Uncovered: like the rings. */
    if (!payload_may_be_at((uintptr_t)run) || !is_whole(run) || !left)
      return run;
    counts->linked -= may_use(run->cache);
    counts->whole -= may_use(run->cache);
  }
  return NULL;
}
#endif

/* What belongs to other threads is not looked at. */
static const void *heap_check(void) {
  const void *broken = tags_check();
  if (broken || !heap.first)
    return broken;
  struct run_counts counts = {0, 0};
  for (struct block *block = (struct block *)heap.first; block != heap_end_block();
       block = next_up(block))
    if (is_run(block) && !run_is_sound(block, &counts))
      return block_payload(block);
  for (struct cache *cache = &first_cache; cache; cache = next_cache(cache)) {
    if (!may_use(cache))
      continue;
    for (uint32_t index = 0; index < CLASSES && !broken; ++index) {
      broken = list_check(cache->classes[index].quick, index, CACHES ? most_blocks() : MOST_ROOM);
      if (!broken && index < RUN_CLASSES)
        broken = ring_check(&cache->rings[index], class_size(index), &counts);
#if CACHES
      if (!broken)
        broken = whole_check(cache->rings[index].whole, &counts);
#endif
    }
  }
#if CACHES
  if (!broken)
    broken = whole_check(condemned, &counts);
#else
  counts.whole -= first_cache.whole_runs;
#endif
  /* Uncovered: only a fault of the allocator itself makes its variables wrong, and no heap has led to one. */
  bool counted = counts.linked == 0 && counts.whole == 0;
  return broken || counted ? broken : (const void *)-1;
}
