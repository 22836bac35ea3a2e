/*
 * QuickJS, a JavaScript engine, runs the scripts in bench/programs/quickjs/ in one runtime, each in a
 * context of its own, and prints what they print. Exits with 1 when one fails, out of memory included.
 */
#include <stdio.h>
#include "quickjs.h"

/* QuickJS wants a zero behind a script. */
/* clang-format off */
static const char shapes[] = {
#embed "quickjs/shapes.js"
  , 0
};
static const char interpreter[] = {
#embed "quickjs/interpreter.js"
  , 0
};
static const char queries[] = {
#embed "quickjs/queries.js"
  , 0
};
/* clang-format on */

static const struct {
  const char *name, *source;
  size_t length;
} scripts[] = {
    {"shapes", shapes, sizeof shapes - 1},
    {"interpreter", interpreter, sizeof interpreter - 1},
    {"queries", queries, sizeof queries - 1},
};

static JSValue print(JSContext *context, JSValueConst receiver, int count, JSValueConst *values) {
  (void)receiver;
  for (int i = 0; i < count; ++i) {
    const char *text = JS_ToCString(context, values[i]);
    printf("%s%s", i ? " " : "", text ? text : "");
    JS_FreeCString(context, text);
  }
  puts("");
  return JS_UNDEFINED;
}

/* Reports what a script threw. */
static int complain(JSContext *context) {
  JSValue error = JS_GetException(context);
  const char *text = JS_ToCString(context, error);
  puts(text ? text : "out of memory");
  return 1;
}

int main(void) {
  JSRuntime *runtime = JS_NewRuntime();
  if (!runtime) {
    puts("out of memory");
    return 1;
  }
  for (size_t i = 0; i < sizeof scripts / sizeof *scripts; ++i) {
    JSContext *context = JS_NewContext(runtime);
    if (!context) {
      puts("out of memory");
      return 1;
    }
    JSValue global = JS_GetGlobalObject(context);
    JS_SetPropertyStr(context, global, "print", JS_NewCFunction(context, print, "print", 1));
    JS_FreeValue(context, global);
    JSValue result = JS_Eval(context, scripts[i].source, scripts[i].length, scripts[i].name, 0);
    if (JS_IsException(result))
      return complain(context);
    JS_FreeValue(context, result);
    /* What the script left to do in promises. */
    for (JSContext *waiting; JS_IsJobPending(runtime);)
      if (JS_ExecutePendingJob(runtime, &waiting) < 0)
        return complain(waiting);
    JS_FreeContext(context);
  }
  JS_FreeRuntime(runtime);
  return 0;
}
