/*
 * What a malloc that is linked by -sMALLOC=none may lack: sbrk() and its kin, which come with Emscripten's own malloc, and
 * malloc_usable_size(), which js/replay.c exports. All weak: an allocator that brings its own has those.
 */
#include <malloc.h>
#include <stddef.h>

#pragma weak sbrk
#pragma weak _sbrk64
#pragma weak brk
#pragma weak emscripten_get_sbrk_ptr
#pragma weak malloc_usable_size

#include "memory_wasm.c"

/* No figure of the benchmark depends on it. */
size_t malloc_usable_size(void *payload) {
  (void)payload;
  return 0;
}
