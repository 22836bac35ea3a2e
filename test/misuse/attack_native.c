/*
 * The attacker's fuzz on the development machine.
 *
 *   attack ROUNDS [SEED]
 *
 * plays rounds, the first from SEED (1), the others from the numbers that follow it. Prints how each ended: a line for
 * each fault that the allocator has named, and one for the rounds that went on. A failure is one line with its seed,
 * and ends the program by SIGABRT; a call that does not end, by SIGVTALRM.
 */
#define _DEFAULT_SOURCE
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../lib/memory_host.h"
#include "../c/model.h"
#include "../fuzz/forget.h"
#include "attack.h"

char *heap_start;

static uint64_t seed;

/* Where the allocator's random numbers come from, so that a round can be repeated. */
int getentropy(void *buffer, size_t size) {
  static uint64_t state;
  state = ~seed;
  for (size_t i = 0; i < size; i++)
    ((unsigned char *)buffer)[i] = (unsigned char)random_next(&state);
  return 0;
}

void attack_failed(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "seed %" PRIu64 ", call %zu: ", seed, attack_calls);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  abort();
}

/* A crash, a report of a sanitizer, or a call that does not end. */
static void report(int number) {
  char line[96];
  int length = snprintf(line, sizeof line, "seed %" PRIu64 ", call %zu: signal %d\n", seed,
                        attack_calls, number);
  if (write(STDERR_FILENO, line, (size_t)length) != length)
    _exit(1);
  signal(number, SIG_DFL);
  raise(number);
}

#define STEPS_CALL attack_calls
#define STEPS_ENDLESS() report(SIGVTALRM)
#include "../fuzz/steps.h"

/* ---- how rounds have ended ---- */

static struct {
  const char *fault;
  uint64_t rounds;
} stops[16];

static jmp_buf stopped;

void attack_stopped(const char *fault, const void *block) {
  if (attack_is_absent(seed))
    attack_failed("%s (block %p), though nobody attacked", fault, block);
  size_t i = 0;
  while (stops[i].fault && strcmp(stops[i].fault, fault) != 0)
    i++;
  stops[i].fault = fault;
  stops[i].rounds++;
  longjmp(stopped, 1);
}

/* Above the break, too, there is nothing left of the last round. */
__attribute__((no_sanitize("address"))) static void clear_above_break(void) {
  for (char *at = wasmalloc_sbrk(0); at < attack_end; at++)
    *(volatile char *)at = 0;
}

static void new_heap(size_t maximum) {
  clear_above_break();
  memory_host_set_maximum(maximum);
  forget_heap();
  heap_start = memory_host_reset();
}

int main(int argc, char **argv) {
  uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
  seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
  if (rounds == 0) {
    fprintf(stderr, "usage: %s ROUNDS [SEED]\n", argv[0]);
    return 2;
  }
  const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    signal(signals[i], report);
  static volatile uint64_t went_on;
  for (uint64_t last = seed + rounds; seed < last; seed++) {
    /* Every second round has little memory, so that all that waits is needed now and then. */
    bool may_refuse = seed % 2;
    new_heap(may_refuse ? (size_t)128 << 10 : (size_t)64 << 20);
    if (setjmp(stopped) == 0) {
      attack_round(seed, may_refuse);
      went_on++;
    }
  }
  printf("%" PRIu64 " went on\n", went_on);
  for (size_t i = 0; stops[i].fault; i++)
    printf("%" PRIu64 " %s\n", stops[i].rounds, stops[i].fault);
  return 0;
}
