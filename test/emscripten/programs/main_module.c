/* The main module of a program with a side module: one allocator serves both. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasmalloc.h>

char *side_greeting(const char *name);
void side_release(char *text);
extern int side_data[1000];

int main(void) {
  char *greeting = side_greeting("main");
  puts(greeting);
  free(greeting);
  side_release(strdup("from main"));
  for (int i = 0; i < 1000; ++i) {
    if (side_data[i] != i + 1)
      printf("the side module's data have been overwritten at %d\n", i);
    free(malloc((size_t)i * 10));
  }
  puts(wasmalloc_check() ? "broken" : "sound");
  return 0;
}
