/*
 * Looks at the memory of the program that it is linked into: the same for all allocators, since all
 * of them get their memory from sbrk().
 */
#include <string.h>
#include <unistd.h>
#include <emscripten/emscripten.h>
#include <emscripten/heap.h>

extern char __heap_base;

/* Bytes that the allocator has taken so far. */
EMSCRIPTEN_KEEPALIVE size_t probe_heap_used(void) {
  return (size_t)((char *)sbrk(0) - &__heap_base);
}

/* Makes `bytes` bytes above the heap part of linear memory and of the process: the first access to a
 * page costs as much as many calls of malloc, and is no fault of the allocator's. The memory stays
 * zero, as allocators may expect. */
EMSCRIPTEN_KEEPALIVE void probe_touch(size_t bytes) {
  char *start = sbrk(0);
  size_t end = (size_t)start + bytes;
  if (end > emscripten_get_heap_size() && !emscripten_resize_heap(end))
    __builtin_trap();
  memset(start, 0, bytes);
}
