/* Undefined behaviour for UBSan to find, beside a heap in use. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <wasmalloc.h>

int main(int argc, char **argv) {
  int *number = malloc(sizeof *number);
  (void)argv;
  *number = INT_MAX - 1 + argc;
  *number += argc;
  free(number);
  puts(wasmalloc_check() ? "broken" : "sound");
  return 0;
}
