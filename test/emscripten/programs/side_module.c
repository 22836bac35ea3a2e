/* The side module: it has no allocator of its own. */
#include <stdlib.h>
#include <string.h>

#define TEN(n) n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7, n + 8, n + 9, n + 10
#define HUNDRED(n)                                                                                 \
  TEN(n), TEN(n + 10), TEN(n + 20), TEN(n + 30), TEN(n + 40), TEN(n + 50), TEN(n + 60),            \
      TEN(n + 70), TEN(n + 80), TEN(n + 90)

int side_data[1000] = {HUNDRED(0),   HUNDRED(100), HUNDRED(200), HUNDRED(300), HUNDRED(400),
                       HUNDRED(500), HUNDRED(600), HUNDRED(700), HUNDRED(800), HUNDRED(900)};

char *side_greeting(const char *name) {
  char *text = calloc(strlen(name) + 20, 1);
  text = realloc(strcat(text, "hello, "), 200);
  return strcat(text, name);
}

void side_release(char *text) {
  free(text);
}
