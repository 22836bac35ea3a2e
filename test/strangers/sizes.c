/* Many sizes at a time, 3,000 blocks that are replaced at random. Prints how far linear memory has grown, in KB. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BLOCKS = 3000 };

static unsigned state = 12345;

static unsigned number(void) {
  state = state * 1664525u + 1013904223u;
  return state >> 4;
}

int main(void) {
  static char *blocks[BLOCKS];
  for (int i = 0; i < 200000; i++) {
    unsigned which = number() % BLOCKS;
    size_t alignment = (size_t)16 << number() % 9;
    size_t size = number() % 5 == 0 ? 20000 + number() % 60000 : 100 + number() % 3000;
    free(blocks[which]);
#ifdef ALIGNED
    blocks[which] = memalign(alignment, size);
#else
    (void)alignment;
    blocks[which] = malloc(size);
#endif
    blocks[which][size - 1] = 1;
  }
  printf("%zu\n", (size_t)sbrk(0) >> 10);
}
