/*
 * An allocator's module for the playground: the word interface as it is, and functions that tell where the
 * allocator's variables are and how its data are laid out, so that site/memory.js can read a picture of linear
 * memory. What one allocator has of its own is in allocators/NAME.h.
 */
#include "word_interface.c"

#define LAYOUT(name, value)                                                                        \
  EXPORT("layout_" #name) uintptr_t layout_##name(void);                                           \
  uintptr_t layout_##name(void) {                                                                  \
    return (uintptr_t)(value);                                                                     \
  }

LAYOUT(heap_first, &heap.first)
LAYOUT(heap_end, &heap.end)

#ifdef SITE_LAYOUT
#include SITE_LAYOUT
#endif
