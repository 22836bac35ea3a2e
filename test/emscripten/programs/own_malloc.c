/* A program with a malloc of its own, which asks the memory layer only, and <memory.h> of libc. */
#include <memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *malloc(size_t size) {
  return sbrk((intptr_t)size);
}

void free(void *pointer) {
  (void)pointer;
}

int main(void) {
  char *first = malloc(100), *second = malloc(100);
  memset(second, 'x', 100);
  printf("%d %c\n", second - first >= 100, second[99]);
  return 0;
}
