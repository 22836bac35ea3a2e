/*
 * Lets an allocator forget its heap, on the development machine: for tests that begin with a new one many times.
 */
#ifndef FORGET_H
#define FORGET_H

#include <stdlib.h>

/*
 * The allocator's variables, which the build gathers in sections of their own (build.mjs), so that all of
 * them can be put back to what they were before the first call. Not every allocator has each.
 */
#define DECLARE_SECTION(name)                                                                      \
  __attribute__((weak)) extern char __start_##name[];                                              \
  __attribute__((weak)) extern char __stop_##name[]
#define SECTION(name)                                                                              \
  { __start_##name, __stop_##name, NULL }

DECLARE_SECTION(allocator_zeroed);
DECLARE_SECTION(allocator_data);
DECLARE_SECTION(allocator_links);

/* A plain loop, hidden from AddressSanitizer, which guards the space between variables. */
__attribute__((no_sanitize("address"))) static void copy(char *to, const char *from, size_t size) {
  for (size_t i = 0; i < size; ++i)
    ((volatile char *)to)[i] = from[i];
}

/* Before the first call of the allocator, it only remembers what the variables were. */
static void forget_heap(void) {
  static struct section {
    char *start;
    char *end;
    char *initial; /* a copy, made before the first call */
  } sections[] = {SECTION(allocator_zeroed), SECTION(allocator_data), SECTION(allocator_links)};
  for (size_t i = 0; i < sizeof sections / sizeof *sections; ++i) {
    struct section *section = &sections[i];
    size_t size = (size_t)(section->end - section->start);
    if (section->initial) {
      copy(section->start, section->initial, size);
    } else if (size) {
      section->initial = malloc(size);
      if (!section->initial)
        abort();
      copy(section->initial, section->start, size);
    }
  }
}

#endif
