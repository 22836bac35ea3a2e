/*
 * A text that grows: the documents that programs of this folder read. It belongs to the program, and
 * grows as most programs' buffers do.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
  char *bytes;
  size_t length, room;
} text_t;

/* Adds to the text, as printf would write it; ends the program when memory is full. */
__attribute__((format(printf, 2, 3))) static inline void add(text_t *text, const char *format,
                                                             ...) {
  for (;;) {
    size_t left = text->room - text->length;
    va_list values;
    va_start(values, format);
    int length = vsnprintf(text->bytes ? text->bytes + text->length : NULL, left, format, values);
    va_end(values);
    if ((size_t)length < left) {
      text->length += (size_t)length;
      return;
    }
    text->room = 2 * text->room + (size_t)length + 256;
    text->bytes = (char *)realloc(text->bytes, text->room);
    if (!text->bytes) {
      puts("out of memory");
      exit(1);
    }
  }
}

/* For the next document. The room stays. */
static inline void empty(text_t *text) {
  text->length = 0;
}

#endif
