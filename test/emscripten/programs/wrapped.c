/*
 * A program that puts its own malloc, calloc, realloc and free around the allocator's. With
 * -DPARTLY only malloc and free.
 */
#include <emscripten/heap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasmalloc.h>

/* Older headers do not declare these two. */
void *emscripten_builtin_calloc(size_t count, size_t size);
void *emscripten_builtin_realloc(void *pointer, size_t size);

static int allocated, freed;

void *malloc(size_t size) {
  ++allocated;
  return emscripten_builtin_malloc(size);
}

void free(void *pointer) {
  freed += pointer != NULL;
  emscripten_builtin_free(pointer);
}

#ifndef PARTLY
void *calloc(size_t count, size_t size) {
  ++allocated;
  return emscripten_builtin_calloc(count, size);
}

void *realloc(void *pointer, size_t size) {
  allocated += pointer == NULL;
  return emscripten_builtin_realloc(pointer, size);
}
#endif

int main(void) {
  free(strdup("libc calls malloc"));
  char *grown = realloc(malloc(10), 100000);
  char *zeroed = calloc(10, 10);
  char *aligned = aligned_alloc(64, 64);
  strcpy(grown, "grown");
  printf("%s %d %d\n", grown, zeroed[99], (int)((size_t)aligned % 64));
  free(grown);
  free(zeroed);
  free(aligned);
  printf("wrapped: %d %d, heap %s\n", allocated >= 2, freed >= 4,
         wasmalloc_check() ? "broken" : "sound");
  return 0;
}
