/*
 * Usage: node growth.js MEGABYTES
 *
 * Takes so many megabytes in pieces of one, or as many as there are, writes to all of them, gives
 * all back and takes the half of it in one piece.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasmalloc.h>

#define MEGABYTE ((size_t)1 << 20)

static void *volatile kept; /* or the compiler leaves out a malloc that nobody looks at */

int main(int argc, char **argv) {
  size_t wanted = argc > 1 ? (size_t)atoi(argv[1]) : 0, had = 0;
  char **pieces = calloc(wanted, sizeof *pieces);
  while (had < wanted && (pieces[had] = malloc(MEGABYTE - 64)))
    memset(pieces[had], (int)had, MEGABYTE - 64), ++had;
  if (had < wanted)
    printf("no more: %s\n", errno == ENOMEM ? "ENOMEM" : "but errno says nothing");
  for (size_t i = 0; i < had; ++i) {
    if (pieces[i][0] != (char)i || pieces[i][MEGABYTE - 65] != (char)i)
      printf("piece %zu has changed\n", i);
    free(pieces[i]);
  }
  kept = malloc(had / 2 * MEGABYTE);
  printf("%s, half of it again: %s\n", had >= (wanted < 64 ? wanted : 10) ? "enough" : "too little",
         kept ? "yes" : "no");
  kept = malloc((size_t)-1 / 2 + 1);
  if (kept || errno != ENOMEM)
    printf("more than PTRDIFF_MAX\n");
  printf("%s\n", wasmalloc_check() ? "broken" : "sound");
  return 0;
}
