/*
 * Duktape, a JavaScript engine, runs the scripts in bench/programs/duktape/, each in a heap of its
 * own, and prints what they print. Exits with 1 when one fails, out of memory included.
 */
#include <stdio.h>
#include "duktape.h"

/* clang-format off */
static const char objects[] = {
#embed "duktape/objects.js"
};
static const char text[] = {
#embed "duktape/text.js"
};
static const char json[] = {
#embed "duktape/json.js"
};
/* clang-format on */

static const struct {
  const char *source;
  size_t length;
} scripts[] = {{objects, sizeof objects}, {text, sizeof text}, {json, sizeof json}};

static duk_ret_t print(duk_context *context) {
  duk_push_string(context, " ");
  duk_insert(context, 0);
  duk_join(context, duk_get_top(context) - 1);
  puts(duk_safe_to_string(context, -1));
  return 0;
}

int main(void) {
  for (size_t i = 0; i < sizeof scripts / sizeof *scripts; ++i) {
    duk_context *context = duk_create_heap_default();
    if (!context) {
      puts("out of memory");
      return 1;
    }
    duk_push_c_function(context, print, DUK_VARARGS);
    duk_put_global_string(context, "print");
    if (duk_peval_lstring(context, scripts[i].source, scripts[i].length)) {
      puts(duk_safe_to_string(context, -1));
      return 1;
    }
    duk_destroy_heap(context);
  }
  return 0;
}
