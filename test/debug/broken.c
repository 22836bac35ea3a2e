/* Breaks blocks, and asks for a check from C and from JavaScript. Prints a line of words for each case: the place in
 * the heap is told by the program, so that the test knows which address the report has to name. */
#include <emscripten.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasmalloc.h>

static void check(const char *what, const void *expected) {
  void *broken = wasmalloc_check();
  void *from_javascript = (void *)EM_ASM_PTR({ return Module['_wasmalloc_check'](); });
  printf("%s %s %s %p\n", what, broken == expected ? "C" : "-",
         from_javascript == expected ? "JavaScript" : "-", expected);
}

static int all_are(const unsigned char *bytes, size_t count, unsigned char value) {
  for (size_t i = 0; i < count; i++)
    if (bytes[i] != value)
      return 0;
  return 1;
}

int main(void) {
  unsigned char *first = malloc(100);
  unsigned char *second = malloc(50);
  unsigned char *third = malloc(200);
  printf("blocks %p %p\n", (void *)first, (void *)third);
  check("sound", NULL);

  unsigned char old = second[50];
  second[50] ^= 0x20;
  check("overflow", second);
  second[50] = old;

  old = second[-1];
  second[-1] ^= 0x20;
  check("underflow", first);
  second[-1] = old;

  unsigned char *larger = realloc(second, 5000);
  unsigned char *zeroed = calloc(70, 1);
  unsigned char *aligned = aligned_alloc(256, 512);
  printf("fill %d %d %d %d\n", all_are(first, 100, 0xcd), all_are(larger + 50, 4950, 0xcd),
         all_are(zeroed, 70, 0), all_are(aligned, 512, 0xcd));

  memset(third, 'x', 200);
  free(third);
  printf("freed %d\n", all_are(third + 8, 192, 0));
  third[60] = 7;
  check("freed", third);
  third[60] = 0;
  check("sound", NULL);

  free(first);
  free(larger);
  free(zeroed);
  free(aligned);
  return 0;
}
