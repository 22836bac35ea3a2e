/* A malloc that takes twice what it is asked for, around Emscripten's own: no allocator may need more than this one. */
#include <stddef.h>
#include <emscripten/heap.h>

void *malloc(size_t bytes) {
  return emscripten_builtin_malloc(2 * bytes + 16);
}
