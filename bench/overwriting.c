/*
 * free for a program in which no data outlive their block, without any other promise of the hardened build: it
 * overwrites the block. (What realloc leaves behind when it moves a block stays.)
 */
#include <malloc.h>
#include <string.h>
#include <emscripten/heap.h>

void free(void *block) {
  if (block)
    memset(block, 0, malloc_usable_size(block));
  emscripten_builtin_free(block);
}
