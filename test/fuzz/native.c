/*
 * The fuzzer on the development machine.
 *
 *   fuzz [--never-frees] [--calls=N] [--seed=N] [--bytes=N] [FILE ...]
 *
 * makes N calls at least, from random bytes: sequence after sequence of --bytes each, the first from --seed,
 * the others from the numbers that follow it. Or makes the calls that the files stand for. Prints the number of
 * calls. A fault is one line, which says in which call of which sequence; the program ends by SIGABRT then, and by
 * SIGVTALRM in a call that does not end.
 *
 * With FUZZ_LIBFUZZER it is a target for libFuzzer instead.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../lib/memory_host.h"
#include "forget.h"
#include "fuzz.h"

static size_t maximum;
static char *base;

uintptr_t platform_reset(size_t bytes) {
  maximum = bytes;
  memory_host_set_maximum(bytes);
  forget_heap();
  base = memory_host_reset();
  return (uintptr_t)base;
}

void platform_allow_growths(size_t growths) {
  memory_host_allow_growths(growths);
}

size_t platform_room(bool growing) {
  size_t top = growing ? maximum : memory_host_size();
  return top - (size_t)((char *)wasmalloc_sbrk(0) - base);
}

#ifdef FUZZ_LIBFUZZER

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
  for (int i = 1; i < *argc; ++i)
    fuzz_never_frees |= strcmp((*argv)[i], "--never-frees") == 0;
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  fuzz_run(bytes, size);
  return 0;
}

#else

static uint64_t sequences;

/* However a run ends, it says how far it has come. */
static void report(int number) {
  char line[96];
  int length = snprintf(line, sizeof line,
                        "ended by signal %d after %" PRIu64 " calls, in sequence %" PRIu64 "\n",
                        number, fuzz_calls, sequences);
  if (write(STDERR_FILENO, line, (size_t)length) != length)
    _exit(1);
  signal(number, SIG_DFL);
  raise(number);
}

#define STEPS_CALL fuzz_calls
#define STEPS_ENDLESS() report(SIGVTALRM)
#include "steps.h"

/* The number after `name=`, or false when the argument is another. */
static bool number_after(const char *argument, const char *name, uint64_t *number) {
  size_t length = strlen(name);
  if (strncmp(argument, name, length) != 0 || argument[length] != '=')
    return false;
  *number = strtoull(argument + length + 1, NULL, 10);
  return true;
}

static bool run_file(const char *name) {
  static uint8_t bytes[1 << 16];
  FILE *file = fopen(name, "rb");
  if (!file) {
    perror(name);
    return false;
  }
  size_t size = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  fuzz_run(bytes, size);
  return true;
}

int main(int argc, char **argv) {
  uint64_t calls = 1000000;
  uint64_t seed = 1;
  uint64_t bytes = 2048;
  bool files = false;
  int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM, SIGTERM};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; ++i)
    signal(signals[i], report);
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "--never-frees") == 0) {
      fuzz_never_frees = true;
    } else if (argv[i][0] != '-') {
      files = true;
      ++sequences;
      if (!run_file(argv[i]))
        return 1;
    } else if (!number_after(argv[i], "--calls", &calls) &&
               !number_after(argv[i], "--seed", &seed) &&
               !number_after(argv[i], "--bytes", &bytes)) {
      fprintf(stderr, "unknown option: %s\n", argv[i]);
      return 2;
    }
  }
  for (; !files && fuzz_calls < calls; ++seed) {
    sequences = seed;
    fuzz_seed(seed, (size_t)bytes);
  }
  printf("%" PRIu64 " calls\n", fuzz_calls);
  return 0;
}

#endif
