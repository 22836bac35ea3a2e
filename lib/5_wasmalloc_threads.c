/*
 * 5_wasmalloc with threads: each has quick lists and runs of its own.
 *
 * What is new, to who has read 5_wasmalloc.c. Each thread has a *cache*: quick lists, runs in use and rings of its own,
 * for all but the largest sizes. A run belongs to the cache that it was made for, and stays there. What is below, the
 * heap of 4_bins, is for all, and so is one lock.
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
 * Who may touch what. The owner is the thread that has the cache. A cache changes hands under the lock.
 *
 *                                  the owner,             whoever has            anyone,
 *                                  without the lock       the lock               without the lock
 *      a cache  classes, rings     reads, writes          if no thread has it    -
 *               ring: whole (1)    puts one, takes one    takes all              -
 *               known              reads, writes          -                      -
 *               mark, next (2)     reads                  writes once            reads
 *               taken              -                      reads, writes          -
 *               returned (1)       takes all              if no thread has it    puts one
 *      the depot (1)               -                      -                      takes a list, exchanges it
 *      a run    word, next,        reads, writes          if no thread has       -
 *               previous                                  its cache
 *               size, objects,     reads                  writes once            -
 *               cache (2)
 *      a head   of a used block    reads                  reads, writes          reads (3)
 *               or an object
 *      own, ended                  of the thread itself   -                      -
 *      all else: blocks, bins,     -                      reads, writes          -
 *      the rest, condemned, ...
 *
 * Taking the lock is an acquire, leaving it a release: what was written under it, or by the thread that left a cache, is
 * there for the next. What a thread does with a block before it hands it to another is the program's to order.
 *
 *   (1) Mailboxes: mailbox.h says how they are ordered.
 *   (2) They are written before any object of the run is handed out, and so are the links of the list up to the cache,
 *       which free follows without the lock to find the owner of an object.
 *   (3) free and realloc read the head of their block before they have the lock, while another thread, which has
 *       it, may change it: sets or clears P, or makes a block of an object whose run it dissolves. Of what they read they
 *       rely on the size, which stays (or grows, for the last object of a run), and free on the mark: only the owner
 *       dissolves its runs. If it does while another thread frees the object, a block comes into the
 *       mailbox. On a list either will do. Whatever else they know they ask again under the lock. So these accesses need
 *       no order (read_head(), set_head() in plain.h). realloc also looks whether the block behind is used. Where a used
 *       block ends there is always a head, and what it said a moment ago decides only where the payload will be.
 *
 * Whoever has no cache, before a thread has been set up, while it ends, beside 1023 others, or in a Wasm Worker beside
 * threads, takes the lock for every call.
 *
 * Invariants: those of 4_bins, of quick_lists.h and of runs.h; but a run that is wholly free is in no ring.
 *
 * Cost: as 5_wasmalloc.c. Few calls take the lock.
 */
#include <pthread.h>

/* The lock is taken now and then only (allocator.h). */
#define LOCKS_ITSELF

/* No heap counts as small: caches keep most calls from it, and blocks that lie close together are faster. */
#define SMALL_HEAP ((ptrdiff_t)0)

#include "4_bins.c"
#include "thread_caches.h"

/* A quick list has room for LEAST_BYTES and a part of the heap, and one of medium blocks for one at least; or for
 * FRUGAL_BYTES. */
#define ROOM_PART 192
#define MEDIUM_PART 512
#define LEAST_BYTES 4096
#define FRUGAL_BYTES 512

/* So many medium blocks are put on a quick list that is empty, as far as there is room. */
#define BATCH 4

/* The class that is to release something when memory is short. */
static uint32_t candidate;

/* Whole runs that were taken to be dissolved. A call dissolves a few of them. */
static struct deferred *condemned;

/* Frees out of line: the fast paths of this allocator are others. */
RARE static void release_block(struct block *block, size_t size) {
  release_block_here(block, size);
}

/* ---- when memory is short ---- */

/* There are no more blocks than that: a list that goes on leads back to itself, for a block is on it twice. */
RARE static size_t most_blocks(void) {
  return (size_t)(heap.end - heap.first) / ALIGNMENT;
}

RARE static void release(struct block *block) {
  if (is_object(block)) {
    struct run *run = object_run(block);
    if (!may_use(run->cache))
      give_back(run->cache, block_payload(block), block->head);
    else
      free_object(run, object_number(block));
  } else {
    release_block(block, block_size(block));
  }
}

/* Releases up to `count` blocks of a quick list, and says how many. */
static inline size_t release_quick(struct size_class *class, size_t count) {
  size_t released = release_list(&class->quick, count);
  class->room += (uint8_t)released;
  return released;
}

/* Releases up to `count` deferred blocks of the class with this index, those too that others have given back, and if
 * there are fewer a run, or all. Says how many blocks that is worth. */
static inline size_t reclaim_from(struct cache *cache, uint32_t index, size_t count, bool all) {
  struct size_class *class = &cache->classes[index];
  size_t released = 0;
  size_t last;
  do {
    take_back(cache, class);
    last = release_quick(class, count - released);
    released += last;
  } while (last && released < count);
  if (RUNS && released < count && index < RUN_CLASSES) {
    retire_run(class, ring_of(class));
    released += dissolve_runs(ring_of(class), count - released, all);
  }
  return released;
}

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

/* Releases some deferred blocks or dissolves a run of which at least a half is free, or releases all blocks and
 * dissolves all runs of which anything is free. Goes on in the class where it ended the last time. */
RARE static bool free_list_reclaim(bool all) {
  size_t count = all ? most_blocks() : RELEASED;
  size_t released = 0;
  uint32_t index = candidate;
  for (uint32_t left = CLASSES; left; --left) {
    for (struct cache *cache = &first_cache; cache && released < count; cache = next_cache(cache)) {
      if (may_use(cache))
        released += reclaim_from(cache, index, count - released, all);
      released = dissolve_whole(cache, &cache->rings[index], released, count, all);
    }
    if (released >= count)
      break;
    index = (index + 1) % CLASSES;
  }
  candidate = index;
  return released != 0;
}

/* To find out whether the block is deferred would take a search, each time that a block is resized; to release is work
 * only for what was deferred since, and the block is mostly among the first. */
RARE static bool release_where_deferred(struct block *block) {
  struct cache *cache = own;
  size_t size = block->head & ~(size_t)FLAGS; /* an object's is too large, for it has the label */
  if (!cache || size >= MEDIUM || block == rest.block)
    return false;
  return release_quick(class_of(cache, size), RELEASED);
}

/* ---- malloc ---- */

/* The first block of a quick list, or NULL. The list has room for another in its place. */
static inline void *take_deferred(struct size_class *class) {
  struct deferred *deferred = class->quick;
  if (deferred) {
    class->quick = deferred->next;
    ++class->room;
  }
  return deferred;
}

/* Gives a quick list, which is empty, room. */
NOT_INLINED static void renew_room(struct size_class *class, size_t size) {
  size_t least = LEAST_BYTES + (size >= LARGE ? size : 0);
  size_t part = size >= LARGE ? MEDIUM_PART : ROOM_PART;
  size_t bytes = is_frugal() ? FRUGAL_BYTES : (size_t)(heap.end - heap.first) / part + least;
  size_t room = bytes / size;
  class->room = class->most = (uint8_t)(room > MOST_ROOM ? MOST_ROOM : room);
}

/* The size of a block for a request: the smallest of its class. */
NOT_INLINED static size_t size_for(size_t bytes) {
  if (bytes <= LARGEST_IN_CLASS)
    return class_size(request_index(bytes));
  return block_size_for(bytes, MINIMUM_BLOCK);
}

/* A free block of the heap below, or NULL. */
NOT_INLINED static void *allocate_free(size_t size) {
  struct block *block = find_free(size);
  return block ? use_block(block, cut_free(block, size)) : NULL;
}

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

/* A block for a class without runs, whose list is empty: some are put on it, so that the lock need not be taken for
 * every block. NULL if there is no room, or no memory at hand. */
RARE static void *allocate_batch(struct size_class *class, size_t size) {
  void *payload;
  for (uint32_t count = BATCH; count && class->room && (payload = allocate_free(size)); --count)
    defer(class, payload);
  return take_deferred(class);
}

/* A block of a class, where neither the quick list nor the run in use has one: of another run, or a deferred one. NULL if
 * it is to be a block of the heap below. */
NOT_INLINED static void *allocate_in_class(size_t size) {
  struct cache *cache = find_cache();
  if (!cache)
    return NULL;
  struct size_class *class = class_of(cache, size);
  bool comes_in_runs = RUNS && size <= class_size(RUN_CLASSES - 1);
  void *payload = find_own(cache, class); /* the cache may be that of a thread that has ended */
  if (payload)
    return payload;
  renew_room(class, size);
  struct run *run = comes_in_runs ? make_run(class, size) : NULL;
  if (!run)
    return comes_in_runs ? NULL : allocate_batch(class, size);
  use_run(class, run);
  return take_object(class);
}

/* A block of `size` bytes, or of `least` where memory is short, if this thread's cache has none. */
static inline void *allocate_locked(size_t size, size_t least) {
  void *payload = size < class_size(CLASSES - 1) + ALIGNMENT ? allocate_in_class(size) : NULL;
  if (!payload)
    payload = allocate_free(size);
  if (!payload)
    payload = allocate_free(least);
  return payload ? payload : allocate_elsewhere(least);
}

NOT_INLINED static void *allocate_slowly(size_t bytes) {
  if (bytes > MAXIMUM_REQUEST)
    return NULL;
  size_t size = size_for(bytes);
  heap_lock();
  void *payload = allocate_locked(size, block_size_for(bytes, MINIMUM_BLOCK));
  heap_unlock();
  return payload;
}
KEEP_APART(allocate_slowly);

/* malloc, where neither the quick list nor the run in use has a block. */
static inline void *refill(struct cache *cache, struct size_class *class, size_t bytes) {
  void *payload = find_own(cache, class);
  return payload ? payload : allocate_slowly(bytes);
}

static inline void *heap_allocate(size_t bytes) {
  struct cache *cache = own;
  if (cache && bytes <= LARGEST_IN_CLASS) {
    struct size_class *class = &cache->classes[request_index(bytes)];
    void *payload = take_deferred(class);
    if (payload)
      return payload;
    if (RUNS && class->free)
      return take_object(class);
    if (RUNS)
      return refill(cache, class, bytes);
  }
  return allocate_slowly(bytes);
}

static void *heap_allocate_aligned(size_t alignment, size_t bytes) {
  return allocate_aligned_locked(alignment, bytes);
}

/* ---- free ---- */

/* free, where a block has no class, which is NULL then, or its list has no room. A list of medium blocks goes to the
 * depot, with the block, and what was there is released in its place. */
NOT_INLINED static void release_slowly(struct size_class *class, struct deferred *payload) {
  size_t size = read_head(payload_block(payload)) & ~(size_t)FLAGS;
  struct deferred *list = payload;
  payload->next = NULL;
  if (class && size >= LARGE && class->quick) {
    payload->next = class->quick;
    class->quick = NULL;
    class->room = class->most;
    list = mailbox_exchange(&depot[class - own->classes], payload);
    if (!list)
      return;
  }
  heap_lock();
  release_list(&list, most_blocks());
  if (!class)
    find_cache();
  else if (!class->quick)
    renew_room(class, size);
  heap_unlock();
}
KEEP_APART(release_slowly);

/* Whether an object with such a head is in a run of this thread's cache. */
static inline bool is_own(const struct cache *cache, size_t head) {
  return cache && head >> MARK_SHIFT == cache->mark;
}

/* Written so that an object, the most frequent, has the fewest tests to pass. */
static inline void heap_release(void *payload) {
  struct cache *cache = own;
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
    if (cache) {
      give_back(find_owner(cache, head >> MARK_SHIFT), payload, head);
      return;
    }
  } else if (size < MEDIUM && (head & PREVIOUS_USED || size >= LARGE) && cache) {
    class = class_of(cache, size);
    if (defer(class, payload))
      return;
  }
  release_slowly(class, payload);
}

/* ---- realloc ---- */

static size_t heap_payload_size(const void *payload) {
  size_t head = read_head(payload_block(payload));
  return (RUNS && head & SPECIAL ? head & OBJECT_SIZE : head & ~(size_t)FLAGS) - WORD;
}

static void *heap_resize(void *payload, size_t bytes) {
  struct block *block = payload_block(payload);
  size_t old = heap_payload_size(payload);
  if (is_object(block))
    return bytes <= old ? payload : NULL;
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
  return resize_locked(resize_block, payload, sufficient);
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
      may_use(run->cache) && free_objects(run) >> number & 1 ? WASMALLOC_FREE : WASMALLOC_USED;
}

/* The walk looks at the heap as it is when nothing is deferred and no run is in use. In place of a run it
 * shows the objects. What other threads have in their caches it shows as used. */
static bool heap_next_block(struct wasmalloc_block *walk) {
  if (!walk->address) {
    free_list_reclaim(true);
  } else {
    struct block *object = payload_block(walk->address);
    /* A cache is internal, too, and has no mark in its head. */
    if (block_state(object) == WASMALLOC_INTERNAL && object->head >> MARK_SHIFT) {
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

/* Checks a run, and counts it if it should be in the ring of its class, or among the whole ones. */
static bool run_is_sound(const struct block *block, struct run_counts *counts) {
  const struct run *run = (const struct run *)(block + 1);
  size_t size = block_size(block);
  if (size < RUN_HEADER || run->size > class_size(RUN_CLASSES - 1) ||
      (size_t)run->objects * run->size > size - RUN_HEADER)
    return false;
  const struct cache *cache = &first_cache;
  while (cache && cache != run->cache)
    cache = next_cache(cache);
  if (!cache)
    return false;
  size_t label = cache->mark << CLASS_BITS | class_index(run->size / ALIGNMENT - 1);
  const struct block *object = first_object(run);
  for (uint32_t number = 0; number < run->objects; ++number) {
    /* Not by object_run(): who knows where the head of a broken one leads. */
    if (!is_object(object) || object->head >> LABEL_SHIFT != label ||
        object_number(object) != number || (object->head & OBJECT_SIZE) != run->size)
      return false;
    object = (const struct block *)((const char *)object + run->size);
  }
  if (!may_use(run->cache))
    return true;
  uint32_t free = free_objects(run);
  uint32_t freed = (uint32_t)__builtin_popcount(free);
  uint32_t count = (uint32_t)(run->word >> 32);
  const struct size_class *class = class_of(run->cache, run->size);
  if (run == run_in_use(class))
    /* Uncovered: only a fault of the allocator itself makes its variables wrong. */
    return class->size == run->size && (class->free & free) == 0 && count == (IN_USE >> 32) - freed;
  counts->linked += free != 0;
  counts->whole += is_whole(run);
  return count == (free ? run->objects - freed : 1);
}

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
      broken = list_check(cache->classes[index].quick, index, most_blocks());
      if (!broken && index < RUN_CLASSES)
        broken = ring_check(&cache->rings[index], class_size(index), &counts);
      if (!broken)
        broken = whole_check(cache->rings[index].whole, &counts);
    }
  }
  if (!broken)
    broken = whole_check(condemned, &counts);
  /* Uncovered: only a fault of the allocator itself makes its variables wrong, and no heap has led to one. */
  bool counted = counts.linked == 0 && counts.whole == 0;
  return broken || counted ? broken : (const void *)-1;
}
