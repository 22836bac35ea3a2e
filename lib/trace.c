/*
 * The recorder: malloc and all that belongs to it, around an allocator of which every call is written into a trace
 * (docs/trace-format.md), for `--use-port=…/wasmalloc.py:trace=1`.
 *
 * Linked beside c_interface.c, which then calls its functions wasmalloc_malloc and so on (WASMALLOC_WRAPPED).
 * Because it publishes the strong names, too, it also sees what the C library allocates itself: the environment, the
 * stacks of threads, the blocks behind a malloc of the program's own.
 *
 * Events are encoded into one buffer, in static memory: recording takes nothing from the heap. JavaScript
 * (emscripten/trace.js) looks at the clock, and writes the buffer out when it is full and when the program ends.
 * It does the latter without calling into the module, which may have trapped: therefore the fields below hold
 * at any moment what has been completed.
 *
 * With threads one lock guards the buffer, and its order is that of the events. A block is recorded after malloc has
 * answered it, and before free gets it; a realloc is both at once, so that the lock is held while it works. So whoever
 * gets an address that has been free has recorded it later than who gave it back.
 */
#define _GNU_SOURCE
#include "compiler.h"
#include "lock.h"
#include "sized.h"

#include <emscripten/heap.h>
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* What a block of events in the file begins with. */
struct events_header {
  uint32_t count;
  uint32_t thread;
  double time;
  double heap;
};

enum state { NOT_BEGUN, RECORDING, OVER };

/* emscripten/trace.js knows this layout. */
struct trace {
  uint32_t state;
  uint32_t used;   /* bytes of the buffer, header included, that are complete events */
  double events;   /* how many have been written before those in the buffer */
  uint32_t blocks; /* of the file so far */
  uint32_t stacks; /* so many stacks have got an id */
  int32_t file;    /* what JavaScript writes to: a file's descriptor, or -1 */
  uint32_t name;   /* a random number, for threads in a browser to find their recorder */
  uint64_t lock;   /* its address, or 0 */
  struct events_header header;
  unsigned char buffer[65536];
};

static struct trace trace;

/* ---- JavaScript's part ---- */

/* Opens the file, or what there is in its place, and says whether that was possible. */
int wasmalloc_trace_open(struct trace *trace, const char *allocator, const void *heap_base,
                         unsigned flags);

enum flags { HAS_STACKS = 1, HAS_THREADS = 2, HAS_64_BITS = 4 };

/* Writes the events in the buffer to the file. */
void wasmalloc_trace_write(struct trace *trace);

/* Writes them and the end, if JavaScript will not do that later on: when a program in a browser returns. */
void wasmalloc_trace_end(struct trace *trace);

/* Microseconds since 1970. */
double wasmalloc_trace_now(void);

/* The id of the stack of the calls that have led here, whose text is in the file already. */
unsigned wasmalloc_trace_stack(struct trace *trace);

/* ---- encoding ---- */

enum kind { MALLOC, CALLOC, REALLOC, MEMALIGN, FREE, REALLOC_NOTHING };
enum { FAILED = 8, TIME = 16, THREAD = 32, HEAP = 64, IN_BYTES = 128 };

/* More bytes than any event has. */
#define LONGEST_EVENT 96

/* The clock is looked at for every event up to every so many, the faster they come the rarer. */
#define MOST_PER_LOOK 16

extern char __heap_base;

/* Of the last event that was recorded. */
static double begun; /* when the first was, in microseconds since 1970 */
static double last_time;
static uint32_t last_thread;
static size_t last_heap;
static uintptr_t last_address;

static uint32_t events_per_look = 1;
static uint32_t events_to_look = 1;

static const volatile uintptr_t *program_break;

RARE static unsigned char *put_large(unsigned char *at, uint64_t number) {
  for (; number > 127; number >>= 7)
    *at++ = (unsigned char)(number | 128);
  *at++ = (unsigned char)number;
  return at;
}

/* Seven bits a byte, and in all bytes but the last the eighth set. How many there are of a number is not to be
 * foreseen, and a branch that is foreseen wrongly costs more than all the rest: so there is one for the rare numbers of
 * more than 28 bits only. Writes four bytes, whichever of them count. */
static inline unsigned char *put_number(unsigned char *at, uint64_t number) {
  if (__builtin_expect(number >> 28 != 0, 0))
    return put_large(at, number);
  uint32_t bits = (uint32_t)number;
  uint32_t spread =
      (bits & 0x7f) | (bits & 0x3f80) << 1 | (bits & 0x1fc000) << 2 | (bits & 0xfe00000) << 3;
  uint32_t more = (31 - (uint32_t)__builtin_clz(bits | 1)) / 7; /* bytes but the last */
  spread |= 0x808080 & ((1u << more * 8) - 1);
  __builtin_memcpy(at, &spread, 4);
  return at + more + 1;
}

/* What signed numbers become: 0, -1, 1, -2 … are 0, 1, 2, 3 … */
static inline uint64_t zigzag(int64_t difference) {
  return ((uint64_t)difference << 1) ^ (uint64_t)(difference >> 63);
}

/* The address, as its difference to the one before. */
static inline unsigned char *put_address(unsigned char *at, uintptr_t address, bool in_bytes) {
  int64_t difference = (int64_t)address - (int64_t)last_address;
  last_address = address;
  return put_number(at, zigzag(in_bytes ? difference : difference / 8));
}

static void begin_block(void) {
  trace.used = sizeof trace.header;
  trace.header = (struct events_header){0, last_thread, last_time, (double)last_heap};
  last_address = 0;
}

RARE static void write_block(void) {
  wasmalloc_trace_write(&trace);
  trace.events += trace.header.count;
  begin_block();
}

RARE static void begin(void) {
  unsigned flags = 0;
#ifdef WASMALLOC_TRACE_STACKS
  flags |= HAS_STACKS;
#endif
#ifdef __EMSCRIPTEN_SHARED_MEMORY__
  flags |= HAS_THREADS;
  trace.lock = (uintptr_t)&heap_lock_state;
#endif
  if (sizeof(void *) == 8)
    flags |= HAS_64_BITS;
  begun = wasmalloc_trace_now();
  program_break = emscripten_get_sbrk_ptr();
  begin_block();
  int opened = wasmalloc_trace_open(&trace, WASMALLOC_NAME, &__heap_base, flags);
  trace.state = opened ? RECORDING : OVER;
}

/* Puts the time into the event, if it has changed. */
RARE static unsigned char *look_at_clock(unsigned char *at, unsigned char *tag) {
  double passed = wasmalloc_trace_now() - begun - last_time;
  events_per_look = passed > events_per_look          ? 1
                    : events_per_look < MOST_PER_LOOK ? events_per_look * 2
                                                      : MOST_PER_LOOK;
  events_to_look = events_per_look;
  /* Clocks of two threads may differ a little: time never goes back. */
  if (passed < 1)
    return at;
  uint64_t whole = (uint64_t)passed;
  last_time += (double)whole;
  *tag |= TIME;
  return put_number(at, whole);
}

#ifdef __EMSCRIPTEN_SHARED_MEMORY__
static uint32_t threads;
static _Thread_local uint32_t number_of_thread; /* from 1 on; 0 where it has none yet */

/* The main thread, which is there before all others, has number 0. */
static uint32_t this_thread(void) {
  /* While a thread is being set up it has no variables of its own. */
  if (!__builtin_wasm_tls_base())
    return 0;
  if (number_of_thread == 0)
    number_of_thread = ++threads;
  return number_of_thread - 1;
}
#else
static uint32_t this_thread(void) {
  return 0;
}
#endif

/* Under the lock. Fields that a kind of event does not have are 0; so is the result of a call that has failed. */
ALWAYS_INLINED static void record(enum kind kind, const void *previous, size_t alignment,
                                  size_t size, const void *result) {
  if (trace.state != RECORDING) {
    if (trace.state == NOT_BEGUN)
      begin();
    if (trace.state == OVER)
      return;
  }
  if (trace.used > sizeof trace.header + sizeof trace.buffer - LONGEST_EVENT)
    write_block();
  unsigned char *tag = (unsigned char *)&trace.header + trace.used;
  unsigned char *at = tag + 1;
  bool has_result = kind != FREE && result;
  uintptr_t low = last_address | (uintptr_t)previous | (uintptr_t)result;
  bool in_bytes = low % 8 != 0;
  *tag = (unsigned char)(kind | (kind != FREE && !result ? FAILED : 0) | (in_bytes ? IN_BYTES : 0));
  if (--events_to_look == 0)
    at = look_at_clock(at, tag);
  uint32_t thread = this_thread();
  if (thread != last_thread) {
    *tag |= THREAD;
    at = put_number(at, thread);
    last_thread = thread;
  }
  size_t heap = *program_break - (uintptr_t)&__heap_base;
  if (heap != last_heap) {
    *tag |= HEAP;
    at = put_number(at, zigzag((int64_t)heap - (int64_t)last_heap));
    last_heap = heap;
  }
#ifdef WASMALLOC_TRACE_STACKS
  at = put_number(at, wasmalloc_trace_stack(&trace));
#endif
  if (kind == REALLOC || kind == FREE)
    at = put_address(at, (uintptr_t)previous, in_bytes);
  if (kind == MEMALIGN)
    at = put_number(at, alignment);
  if (kind != FREE)
    at = put_number(at, size);
  if (has_result)
    at = put_address(at, (uintptr_t)result, in_bytes);
  ++trace.header.count;
  trace.used = (uint32_t)(at - (unsigned char *)&trace.header);
}

/* What consists of record() stays a function of its own, which the engine gets to optimize even if a program calls
 * malloc from one loop alone. */
NOT_INLINED static void record_malloc(size_t size, const void *result) {
  heap_lock();
  record(MALLOC, NULL, 0, size, result);
  heap_unlock();
}
KEEP_APART(record_malloc);

NOT_INLINED static void record_other(enum kind kind, size_t alignment, size_t size,
                                     const void *result) {
  heap_lock();
  record(kind, NULL, alignment, size, result);
  heap_unlock();
}
KEEP_APART(record_other);

NOT_INLINED static void record_free(const void *previous) {
  heap_lock();
  record(FREE, previous, 0, 0, NULL);
  heap_unlock();
}
KEEP_APART(record_free);

/* ---- the C library's functions ---- */

#define FUNCTION(name) emscripten_builtin_##name
#define PUBLISH_AS(alias_name, name)                                                               \
  extern __typeof__(FUNCTION(name)) alias_name                                                     \
      __attribute__((weak, alias("emscripten_builtin_" #name)));
#define PUBLISH(name) PUBLISH_AS(name, name)

/* As c_interface.c defines them. */
__typeof__(malloc) wasmalloc_malloc;
__typeof__(free) wasmalloc_free;
__typeof__(calloc) wasmalloc_calloc;
__typeof__(realloc) wasmalloc_realloc;
__typeof__(aligned_alloc) wasmalloc_aligned_alloc;
__typeof__(posix_memalign) wasmalloc_posix_memalign;
__typeof__(memalign) wasmalloc_memalign;
void *wasmalloc_valloc(size_t bytes);
void *wasmalloc_pvalloc(size_t bytes);
size_t wasmalloc_malloc_usable_size(void *payload);
int wasmalloc_malloc_trim(size_t keep);
struct mallinfo wasmalloc_mallinfo(void);
void wasmalloc_malloc_stats(void);

void *FUNCTION(malloc)(size_t bytes);
void *FUNCTION(malloc)(size_t bytes) {
  void *result = wasmalloc_malloc(bytes);
  record_malloc(bytes, result);
  return result;
}
PUBLISH(malloc)
PUBLISH_AS(__libc_malloc, malloc)

void FUNCTION(free)(void *payload);
void FUNCTION(free)(void *payload) {
  if (!payload)
    return;
  record_free(payload);
  wasmalloc_free(payload);
}
PUBLISH(free)
PUBLISH_AS(__libc_free, free)

void *FUNCTION(calloc)(size_t count, size_t size);
void *FUNCTION(calloc)(size_t count, size_t size) {
  void *result = wasmalloc_calloc(count, size);
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes))
    bytes = SIZE_MAX;
  record_other(CALLOC, 0, bytes, result);
  return result;
}
PUBLISH(calloc)
PUBLISH_AS(__libc_calloc, calloc)

NOT_INLINED static void *resize(void *payload, size_t bytes) {
  heap_lock();
  void *result = wasmalloc_realloc(payload, bytes);
  record(payload ? REALLOC : REALLOC_NOTHING, payload, 0, bytes, result);
  heap_unlock();
  return result;
}
KEEP_APART(resize);

void *FUNCTION(realloc)(void *payload, size_t bytes);
void *FUNCTION(realloc)(void *payload, size_t bytes) {
  return resize(payload, bytes);
}
PUBLISH(realloc)
PUBLISH_AS(__libc_realloc, realloc)

void *FUNCTION(reallocarray)(void *payload, size_t count, size_t size);
void *FUNCTION(reallocarray)(void *payload, size_t count, size_t size) {
  size_t bytes;
  /* Fails, with the right errno. */
  return resize(payload, __builtin_mul_overflow(count, size, &bytes) ? SIZE_MAX : bytes);
}
PUBLISH(reallocarray)

void *FUNCTION(memalign)(size_t alignment, size_t bytes);
void *FUNCTION(memalign)(size_t alignment, size_t bytes) {
  void *result = wasmalloc_memalign(alignment, bytes);
  record_other(MEMALIGN, alignment, bytes, result);
  return result;
}
PUBLISH(memalign)

void *FUNCTION(aligned_alloc)(size_t alignment, size_t bytes);
void *FUNCTION(aligned_alloc)(size_t alignment, size_t bytes) {
  void *result = wasmalloc_aligned_alloc(alignment, bytes);
  record_other(MEMALIGN, alignment, bytes, result);
  return result;
}
PUBLISH(aligned_alloc)

int FUNCTION(posix_memalign)(void **result, size_t alignment, size_t bytes);
int FUNCTION(posix_memalign)(void **result, size_t alignment, size_t bytes) {
  int error = wasmalloc_posix_memalign(result, alignment, bytes);
  record_other(MEMALIGN, alignment, bytes, error ? NULL : *result);
  return error;
}
PUBLISH(posix_memalign)

/* What valloc() aligns to: the page of linear memory. */
#define PAGE ((size_t)65536)

void *FUNCTION(valloc)(size_t bytes);
void *FUNCTION(valloc)(size_t bytes) {
  void *result = wasmalloc_valloc(bytes);
  record_other(MEMALIGN, PAGE, bytes, result);
  return result;
}
PUBLISH(valloc)

void *FUNCTION(pvalloc)(size_t bytes);
void *FUNCTION(pvalloc)(size_t bytes) {
  void *result = wasmalloc_pvalloc(bytes);
  record_other(MEMALIGN, PAGE, result ? (bytes + PAGE - 1) & ~(PAGE - 1) : bytes, result);
  return result;
}
PUBLISH(pvalloc)

void FUNCTION(free_sized)(void *payload, size_t bytes);
void FUNCTION(free_sized)(void *payload, size_t bytes) {
  wasmalloc_check_sized(payload, 1, bytes);
  FUNCTION(free)(payload);
}
PUBLISH(free_sized)

void FUNCTION(free_aligned_sized)(void *payload, size_t alignment, size_t bytes);
void FUNCTION(free_aligned_sized)(void *payload, size_t alignment, size_t bytes) {
  wasmalloc_check_sized(payload, alignment, bytes);
  FUNCTION(free)(payload);
}
PUBLISH(free_aligned_sized)

/* ---- what is not recorded ---- */

size_t FUNCTION(malloc_usable_size)(void *payload);
size_t FUNCTION(malloc_usable_size)(void *payload) {
  return wasmalloc_malloc_usable_size(payload);
}
PUBLISH(malloc_usable_size)

int FUNCTION(malloc_trim)(size_t keep);
int FUNCTION(malloc_trim)(size_t keep) {
  return wasmalloc_malloc_trim(keep);
}
PUBLISH(malloc_trim)

struct mallinfo FUNCTION(mallinfo)(void);
struct mallinfo FUNCTION(mallinfo)(void) {
  return wasmalloc_mallinfo();
}
PUBLISH(mallinfo)

void FUNCTION(malloc_stats)(void);
void FUNCTION(malloc_stats)(void) {
  wasmalloc_malloc_stats();
}
PUBLISH(malloc_stats)

/* A program that allocates nothing has a trace, too. The port asks for this function by its name, since nothing else of
 * this file is needed then. Of all constructors the first, unless others have such priorities. */
__attribute__((constructor(101))) void wasmalloc_trace_begin(void);
__attribute__((constructor(101))) void wasmalloc_trace_begin(void) {
  heap_lock();
  if (trace.state == NOT_BEGUN)
    begin();
  heap_unlock();
}

/* Of all destructors, and of what atexit() has been given, the last. */
__attribute__((destructor(1))) static void end(void) {
  wasmalloc_trace_end(&trace);
}
