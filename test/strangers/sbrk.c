/* Somebody else lowers the break, by every way there is: no live block is handed out a second time. */
#define _GNU_SOURCE
#include <emscripten/heap.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int64_t _sbrk64(int64_t increment); /* Emscripten's, which no header declares */

enum { COUNT = 800, SIZE = 3000, LOWERED = 8192 };

static unsigned char *blocks[COUNT];

static void allocate(int from, int to) {
  for (int i = from; i < to; i++) {
    blocks[i] = malloc(SIZE);
    memset(blocks[i], i, SIZE);
  }
}

static int is_refused(int failed) {
  return failed && errno == ENOMEM;
}

int main(void) {
  allocate(0, 100);
  char *before = sbrk(0);
  int refused = is_refused(sbrk(-LOWERED) == (void *)-1);
  allocate(100, 200);
  refused += is_refused(brk((char *)sbrk(0) - LOWERED) == -1);
  allocate(200, 300);
  refused += is_refused(_sbrk64(-LOWERED) == -1);
  allocate(300, 400);
  /* What was taken may be given back. */
  void *mine = sbrk(LOWERED);
  int given_back = sbrk(-LOWERED) == (char *)mine + LOWERED && sbrk(0) == mine;
  allocate(400, 500);
  /* Through its pointer nobody can refuse. */
  uintptr_t *program_break = emscripten_get_sbrk_ptr();
  *program_break -= LOWERED;
  allocate(500, 600);
  *program_break = (uintptr_t)before;
  char *theirs = sbrk(LOWERED);
  memset(theirs, 0xff, LOWERED);
  allocate(600, COUNT);
  int overwritten = 0;
  for (int i = 0; i < COUNT; i++) {
    int sound = 1;
    for (int j = 0; j < SIZE; j++)
      sound &= blocks[i][j] == (i & 255);
    overwritten += !sound;
  }
  for (int j = 0; j < LOWERED; j++)
    overwritten += theirs[j] != (char)0xff;
  printf("%d refused, %d given back, %d overwritten\n", refused, given_back, overwritten);
}
