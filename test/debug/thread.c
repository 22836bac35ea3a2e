/* A thread that leaks, and ends before the program does. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void *volatile kept;

__attribute__((noinline)) static void keep(size_t bytes) {
  kept = malloc(bytes); /* leak of a thread */
  kept = NULL;
}

static void *work(void *argument) {
  keep(77);
  return argument;
}

int main(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, work, NULL))
    return 1;
  pthread_join(thread, NULL);
  puts("joined");
  return 0;
}
