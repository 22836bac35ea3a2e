/*
 * Call stacks: who called malloc. For the debug build.
 *
 * WebAssembly has no frame pointers to follow. But JavaScript's engines tell the stack as text, a line for each
 * function, of WebAssembly or JavaScript:
 *
 *          at app.wasm.grow(int) (wasm://wasm/app.wasm-0012cc2a:wasm-function[26]:0x9f3)     V8
 *      grow(int)@http://127.0.0.1/app.wasm:wasm-function[26]:0x9f3                           Firefox
 *          at callMain (file:///app.js:6335:22)
 *
 * A frame's *place* is the offset into the module, or, with the highest bit set, a hash of the line of
 * JavaScript. A source map leads from the offset to the file and the line, but only when somebody asks, for that is
 * slow; it is Emscripten that does it (emscripten_pc_get_file()).
 *
 * Each stack is stored once, and each frame, in memory of its own, which never comes back:
 *
 *      block's tail ---> stack: blocks, bytes, depth, | frame 0 | frame 1 | ...
 *                                                          |         |
 *                                                          v         v
 *                                         frame: place, "grow(int)"  frame: place, "main"
 *
 * On the development machine there are none.
 *
 * Cost: a stack is some 20 microseconds, in the lock.
 */
#ifndef WASMALLOC_CALL_STACK_H
#define WASMALLOC_CALL_STACK_H

#include "compiler.h"
#include "memory.h"

#ifdef __EMSCRIPTEN__

#include <emscripten/em_js.h>
#include <stdio.h>

/* Emscripten's, for its own sanitizers: where an offset into the module comes from. NULL and 0 if that is not known.
 * The text is a block of theirs, valid until the next call. */
const char *emscripten_pc_get_file(uintptr_t offset);
int emscripten_pc_get_line(uintptr_t offset);
int emscripten_pc_get_column(uintptr_t offset);

enum { MOST_FRAMES = 16, STACK_CHAINS = 1024 };

/* The memory for stacks and frames is had in pieces of this size. */
#define STACK_MEMORY ((size_t)65536)

#define OF_JAVASCRIPT 0x80000000u

struct frame {
  struct frame *next; /* in the list of all */
  uint32_t place;
  char text[]; /* the function's name; of JavaScript, also where it is */
};

struct call_stack {
  struct call_stack *next; /* in its chain */
  size_t blocks, bytes;    /* of what was allocated here and is not freed: for who counts */
  uint32_t hash;
  int depth;
  const struct frame *frame[]; /* the innermost first */
};

static struct {
  struct call_stack *chain[STACK_CHAINS]; /* by hash */
  struct frame *frames;
  char *memory, *end; /* what is left of the last piece */
} stacks;

/* In place of a stack for which there was no memory. */
static struct call_stack unknown_stack;

/* clang-format off */

/* Addresses are passed as double: so they are numbers in JavaScript, however wide they are. No backslashes and no
 * ??= here: C would take them, the one as an escape and the other as a trigraph. */

EM_JS_DEPS(wasmalloc_call_stack, "$stringToUTF8,$lengthBytesUTF8");

/* Stores the places of the `most` innermost frames, the allocator's own left out, and returns how many there are; or -1
 * where Emscripten's runtime allocates what it needs for threads, which it does not always free. */
EM_JS(int, wasmalloc_call_stack, (double places, int most), {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 64;
  const { stack } = new Error();
  Error.stackTraceLimit = limit;
  // What was made of texts: most calls come from where earlier ones came from. Bounded, for there may be many.
  const known = (wasmalloc_call_stack.known ||= new Map());
  let frames = known.get(stack);
  if (frames === undefined) {
    const all = [];
    let inside = -1;
    for (const line of stack.split('\n')) {
      const [, name, where] =
        /^ +at (.*) [(](.*)[)]$/.exec(line) ?? /^ +at ()(.*)$/.exec(line) ?? /^(.*?)@(.*)$/.exec(line) ?? [];
      if (!where || where.startsWith('node:')) continue;
      const wasm = /(wasm-function.[0-9]+.):(0x[0-9a-f]+)/.exec(where);
      if (wasm) {
        const text = name.replace(/^.*?[.]wasm[.]/, "") || wasm[1];
        all.push({ place: Number(wasm[2]), text });
        if (inside < 0) inside = all.length;
      } else {
        const text = (name || '(anonymous)') + ' ' + where;
        let hash = 0;
        for (const character of text) hash = (Math.imul(hash, 31) + character.charCodeAt(0)) | 0;
        all.push({ place: (hash | 0x80000000) >>> 0, text });
      }
    }
    // Without offsets: what is above this very function.
    if (inside < 0) inside = 1 + all.findLastIndex(({ text }) => text.includes('wasmalloc_call_stack'));
    const own = /^(emscripten_builtin_.*|call_stack_here|mark|heap_(allocate|resize|allocate_aligned)|allocate_aligned|(m|c|re)alloc|reallocarray|(posix_)?memalign|aligned_alloc|p?valloc)$/;
    while (inside < all.length && own.test(all[inside].text)) ++inside;
    const runtime = /^(__pthread_create|em_task_queue_create|get_or_add_tasks_for_thread|_emscripten_(thread_mailbox_init|run_js_on_main_thread|proxy_main))$/;
    const isRuntime = inside < all.length && runtime.test(all[inside].text);
    frames = isRuntime ? null : all.slice(inside, inside + most);
    if (known.size >= 10000) known.clear();
    known.set(stack, frames);
  }
  if (!frames) return -1;
  frames.forEach(({ place }, i) => (HEAPU32[places / 4 + i] = place));
  wasmalloc_call_stack.frames = frames;
  return frames.length;
});

/* The bytes of a frame's text, of those that this thread stored last, with the 0 at its end. */
EM_JS(int, wasmalloc_frame_length, (int index), {
  return lengthBytesUTF8(wasmalloc_call_stack.frames[index].text) + 1;
});

EM_JS(void, wasmalloc_frame_text, (int index, double text, int bytes), {
  stringToUTF8(wasmalloc_call_stack.frames[index].text, text, bytes);
});

/* clang-format on */

/* Memory for good, or NULL. */
static void *stack_memory(size_t bytes) {
  bytes = ALIGN_UP(bytes);
  if (!stacks.memory || bytes > (size_t)(stacks.end - stacks.memory)) {
    char *piece = bytes > STACK_MEMORY ? NULL : memory_extend(NULL, STACK_MEMORY, STACK_MEMORY);
    if (!piece)
      return NULL;
    stacks.memory = piece;
    stacks.end = piece + STACK_MEMORY;
  }
  void *memory = stacks.memory;
  stacks.memory += bytes;
  return memory;
}

/* The frame of that place, which is the index-th of those that were stored last, or NULL. */
static const struct frame *frame_of(uint32_t place, int index) {
  for (struct frame *frame = stacks.frames; frame; frame = frame->next)
    if (frame->place == place)
      return frame;
  int bytes = wasmalloc_frame_length(index);
  struct frame *frame = stack_memory(sizeof(struct frame) + (size_t)bytes);
  if (!frame)
    return NULL;
  frame->next = stacks.frames;
  frame->place = place;
  wasmalloc_frame_text(index, (double)(uintptr_t)frame->text, bytes);
  stacks.frames = frame;
  return frame;
}

/* The stack of whoever has called the allocator, for good; NULL if that is the runtime. Called in the lock. */
NOT_INLINED static struct call_stack *call_stack_here(void) {
  uint32_t places[MOST_FRAMES];
  int depth = wasmalloc_call_stack((double)(uintptr_t)places, MOST_FRAMES);
  if (depth < 0)
    return NULL;
  uint32_t hash = 2166136261u; /* FNV-1a, by words */
  for (int i = 0; i < depth; ++i)
    hash = (hash ^ places[i]) * 16777619u;
  struct call_stack **chain = &stacks.chain[(hash ^ hash >> 16) % STACK_CHAINS];
  for (struct call_stack *stack = *chain; stack; stack = stack->next) {
    bool same = stack->hash == hash && stack->depth == depth;
    for (int i = 0; same && i < depth; ++i)
      same = stack->frame[i]->place == places[i];
    if (same)
      return stack;
  }
  struct call_stack *stack =
      stack_memory(sizeof(struct call_stack) + (size_t)depth * sizeof(struct frame *));
  if (!stack)
    return &unknown_stack;
  *stack = (struct call_stack){.next = *chain, .hash = hash, .depth = depth};
  for (int i = 0; i < depth; ++i) {
    stack->frame[i] = frame_of(places[i], i);
    if (!stack->frame[i])
      return &unknown_stack;
  }
  return *chain = stack;
}

/* Writes a line for each frame. Returns whether a file is known for any. Allocates: not in the lock. */
static bool call_stack_print(const struct call_stack *stack, void (*say)(const char *)) {
  bool any = false;
  char line[1024];
  if (!stack->depth)
    say("    (nobody knows where)");
  for (int i = 0; i < stack->depth; ++i) {
    const struct frame *frame = stack->frame[i];
    int length = snprintf(line, sizeof(line) / 2, "    #%d %s", i, frame->text);
    if (length >= (int)sizeof(line) / 2)
      length = sizeof(line) / 2 - 1;
    if (!(frame->place & OF_JAVASCRIPT)) {
      const char *file = emscripten_pc_get_file(frame->place);
      int number = emscripten_pc_get_line(frame->place);
      if (file && number) {
        any = true;
        snprintf(line + length, sizeof(line) - (size_t)length, " %s:%d:%d", file, number,
                 emscripten_pc_get_column(frame->place));
      } else {
        snprintf(line + length, sizeof(line) - (size_t)length, " (wasm offset 0x%x)",
                 (unsigned)frame->place);
      }
    }
    say(line);
  }
  return any;
}

#else

struct call_stack;

static inline struct call_stack *call_stack_here(void) {
  return NULL;
}

#endif

#endif
