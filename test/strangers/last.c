/* The last block of the heap grows after another has grown, so it should rather move; but there is no memory to move to,
 * and enough to stay. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { MEGABYTE = 1 << 20 };

int main(void) {
  char *first = malloc(MEGABYTE), *hole = malloc(MEGABYTE), *last = malloc(5 * MEGABYTE);
  last[5 * MEGABYTE - 1] = 1;
  free(hole);
  char *grown = realloc(first, 2 * MEGABYTE);
  errno = 0;
  char *stayed = realloc(last, 9 * MEGABYTE);
  printf("%s, %s, errno %d\n", grown == first ? "in place" : "moved",
         stayed == last && stayed[5 * MEGABYTE - 1] == 1 ? "in place"
         : stayed                                        ? "moved"
                                                         : "no memory",
         errno);
}
