/*
 * The main program of the faults.
 */
#define _GNU_SOURCE
#include "fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct fault *faults;

static char *first_break;

void fault_register(struct fault *fault) {
  fault->next = faults;
  faults = fault;
}

void fault_found(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("not ok: ", stdout);
  vprintf(format, arguments);
  putchar('\n');
  va_end(arguments);
  exit(1);
}

void fault_missing(const char *function) {
  printf("missing: %s\n", function);
  exit(1);
}

size_t bytes_taken(void) {
  return (size_t)((char *)sbrk(0) - first_break);
}

static bool is_called(const struct fault *fault, const char *name) {
  size_t i = 0;
  while (fault->name[i] && (name[i] == fault->name[i] || (name[i] == '-' && fault->name[i] == '_')))
    i++;
  return !fault->name[i] && !name[i];
}

int main(int argc, char **argv) {
  first_break = sbrk(0);
  for (struct fault *fault = faults; argc == 2 && fault; fault = fault->next) {
    if (is_called(fault, argv[1])) {
      fault->run();
      puts("ok");
      return 0;
    }
  }
  fprintf(stderr, "usage: one of\n");
  for (struct fault *fault = faults; fault; fault = fault->next)
    fprintf(stderr, "  %s\n", fault->name);
  return 2;
}
