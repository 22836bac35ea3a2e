/*
 * A thread grows memory while the main thread is in one long instruction, so that the engine cannot
 * tell it. Nevertheless the main thread writes to the end of what has been grown, as a program does
 * to a block from malloc.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void memory_catch_up(void); /* lib/memory.h */

enum { PAGE = 65536, GROWTHS = 200 };

static char large[4 << 20];
static _Atomic(char *) end;
static atomic_bool done;

static void *grow(void *argument) {
  for (int i = 0; i < GROWTHS; ++i) {
    char *grown = sbrk(PAGE);
    if (grown == (char *)-1)
      break;
    end = grown + PAGE;
    usleep(100);
  }
  done = true;
  return argument;
}

int main(void) {
  end = (char *)sbrk(PAGE) + PAGE;
  pthread_t thread;
  if (pthread_create(&thread, NULL, grow, NULL))
    return 1;
  for (int round = 0; !done; ++round) {
    memset(large, round, sizeof large);
    __asm__ volatile("" ::"r"(large) : "memory");
    char *here = end;
    memory_catch_up();
    memset(here - 8 - round % 8, 1, (size_t)(8 + round % 8));
  }
  pthread_join(thread, NULL);
  puts("written");
  return 0;
}
