/* Writes past the end of a block that it never frees, and leaks another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *volatile kept;

int main(void) {
  kept = malloc(40);
  memset(kept, 'x', 41);
  kept = malloc(50);
  kept = NULL;
  puts("main is done");
  return 0;
}
