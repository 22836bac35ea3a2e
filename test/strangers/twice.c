/* A block is freed twice; then the whole heap is looked at. */
#include <stdio.h>
#include <stdlib.h>
#include <wasmalloc.h>

int main(void) {
  char *volatile blocks[3];
  for (int i = 0; i < 3; i++)
    blocks[i] = malloc(40);
  free(blocks[1]);
  free(blocks[1]);
  puts(wasmalloc_check() ? "broken" : "sound");
}
