/*
 * Makes every call that is recorded, and prints what it has called: what must be in the trace, line by line. Nothing of
 * the C library that is called here allocates by itself before all is printed.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Emscripten has it, but does not declare it. */
void *pvalloc(size_t size);

static char lines[100000];
static size_t used;

/* `volatile`, so that the compiler cannot leave a pair of calls out. */
static void *volatile last;

static void note(const char *kind, size_t size, size_t alignment, void *previous, void *result) {
  used += (size_t)snprintf(lines + used, sizeof lines - used, "%s %zu %zu %zu %zu\n", kind, size,
                           alignment, (size_t)previous, (size_t)result);
}

static void *noted(const char *kind, size_t size, size_t alignment, void *previous, void *result) {
  note(kind, size, alignment, previous, result);
  return last = result;
}

static void give_back(void *block) {
  note("free", 0, 0, block, NULL);
  free(block);
}

int main(void) {
  void *a = noted("malloc", 10, 0, NULL, malloc(10));
  void *b = noted("calloc", 15, 0, NULL, calloc(3, 5));
  void *a_before = a;
  a = noted("realloc", 1000, 0, a_before, realloc(a_before, 1000));
  void *c = noted("realloc", 5, 0, NULL, realloc(NULL, 5));
  void *c_before = c;
  c = noted("realloc", 12000, 0, c_before, reallocarray(c_before, 3000, 4));
  void *d = noted("memalign", 100, 64, NULL, memalign(64, 100));
  void *e = noted("memalign", 128, 32, NULL, aligned_alloc(32, 128));
  void *f = NULL;
  int error = posix_memalign(&f, 256, 77);
  noted("memalign", 77, 256, NULL, error ? NULL : f);
  void *g = noted("memalign", 10, 65536, NULL, valloc(10));
  void *h = noted("memalign", 65536, 65536, NULL, pvalloc(10));
  void *i = noted("malloc", 0, 0, NULL, malloc(0));
  /* What fails. */
  noted("malloc", (size_t)PTRDIFF_MAX, 0, NULL, malloc(PTRDIFF_MAX));
  noted("calloc", SIZE_MAX, 0, NULL, calloc(SIZE_MAX / 2, 3));
  noted("realloc", SIZE_MAX, 0, b, reallocarray(b, SIZE_MAX / 2, 3));
  noted("memalign", 8, 3, NULL, aligned_alloc(3, 8));
  free(NULL); /* is no event */
  void *all[] = {i, h, g, f, e, d, c, b, a};
  for (size_t k = 0; k < sizeof all / sizeof *all; ++k)
    give_back(all[k]);
  /* More than a block of the file holds. */
  for (size_t k = 0; k < 20000; ++k)
    free(last = malloc(k % 1000));
  fputs(lines, stdout);
  return 0;
}
