/* In a program with threads a block's head is overwritten, and the block is freed. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *run(void *argument) {
  return argument;
}

int main(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, run, NULL);
  char *volatile first = malloc(100), *volatile second = malloc(100);
  if (second < first) {
    char *other = first;
    first = second;
    second = other;
  }
  memset(first, 0xff, (size_t)(second - first));
  free(second);
  puts("went on");
}
