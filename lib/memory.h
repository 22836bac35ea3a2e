/*
 * The memory layer: linear memory as the allocators see it.
 *
 *      0          __heap_base           break            size of memory     maximum
 *      | static data, stack | heap ...... | not yet handed out | not yet grown |
 *
 * The memory below the break has been handed out, to an allocator or to other
 * code of the program that calls sbrk(). An allocator raises the break when it
 * needs more; where other code has raised it in between, the new memory does
 * not continue the old.
 *
 * memory_wasm.c implements this for WebAssembly, memory_host.c simulates it on
 * the development machine.
 */
#ifndef WASMALLOC_MEMORY_H
#define WASMALLOC_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every payload, every growth and the break itself are aligned to this many bytes: at least to
 * alignof(max_align_t), and two words, which is what the layout of a block wants (block.h). */
#define ALIGNMENT (2 * sizeof(size_t))
#ifndef WASMALLOC_FREESTANDING
_Static_assert(ALIGNMENT % _Alignof(max_align_t) == 0, "malloc's results suit every type");
#endif

/* In the hardened build memory that is given back is overwritten: what is above the break is zero, unless
 * somebody has written where he should not. */
#ifdef WASMALLOC_HARDENED
#define CLEAR_ABOVE_BREAK(start, bytes) ((void)__builtin_memset((void *)(start), 0, bytes))
#else
#define CLEAR_ABOVE_BREAK(start, bytes) ((void)(start), (void)(bytes))
#endif

/* A size in bytes rounded up to a multiple of ALIGNMENT. The caller sees to it that it fits. */
#define ALIGN_UP(bytes) (((bytes) + (ALIGNMENT - 1)) & ~(ALIGNMENT - 1))

/*
 * Raises the break and returns where it stood, rounded up to ALIGNMENT: the
 * address of the new memory. When the break stands at `end`, so that the new
 * memory continues what ends there, it has `bytes` bytes, otherwise `apart`;
 * both are multiples of ALIGNMENT. Returns NULL, and changes nothing, when
 * linear memory cannot grow so far. Cost: constant, and a memory.grow now and
 * then.
 */
void *memory_extend(const void *end, size_t bytes, size_t apart);

/* Where the break stands. */
void *memory_break(void);

/* Bytes above the break that can be had without growing linear memory. */
size_t memory_room(void);

/* Lowers the break by `bytes` if it stands at `end`, and says whether it did. Linear memory never
 * shrinks; the next sbrk() of anybody gets these bytes. */
bool memory_withdraw(const void *end, size_t bytes);

/* Lets this thread use memory that another has grown; memory_wasm.c says why it could not. Whoever takes
 * the lock of what threads share calls it before anything else. Cost: constant, two loads. */
#ifdef __EMSCRIPTEN_SHARED_MEMORY__
void memory_catch_up(void);
#else
static inline void memory_catch_up(void) {}
#endif

#endif
