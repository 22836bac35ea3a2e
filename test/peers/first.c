/*
 * A program linked with Emscripten's default flags: 16 MiB of memory, which does not grow.
 */
#define _GNU_SOURCE
#include <string.h>

#include "../c/names.h"
#include "fault.h"

FAULT(first_default, "the first `malloc` of a program with Emscripten's default memory works") {
  unsigned char *block = malloc(100);
  EXPECT(block, "malloc(100) failed");
  memset(block, 1, 100);
}
