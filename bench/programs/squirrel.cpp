/*
 * Squirrel, a language for games, runs the scripts in bench/programs/squirrel/, each in a machine of its
 * own, and prints what they print. Exits with 1 when one fails.
 */
#include <cstdarg>
#include <cstdio>
#include "squirrel.h"
#include "sqstdaux.h"
#include "sqstdmath.h"
#include "sqstdstring.h"

namespace {

/* clang-format off */
constexpr char actors[] = {
#embed "squirrel/actors.nut"
};
constexpr char texts[] = {
#embed "squirrel/texts.nut"
};
/* clang-format on */

constexpr struct {
  const char *name, *source;
  SQInteger length;
} scripts[] = {{"actors", actors, sizeof actors}, {"texts", texts, sizeof texts}};

void print(HSQUIRRELVM, const SQChar *format, ...) {
  va_list values;
  va_start(values, format);
  std::vprintf(format, values);
  va_end(values);
}

} // namespace

int main() {
  for (const auto &script : scripts) {
    HSQUIRRELVM machine = sq_open(1024);
    sq_setprintfunc(machine, print, print);
    sqstd_seterrorhandlers(machine);
    sq_pushroottable(machine);
    sqstd_register_mathlib(machine);
    sqstd_register_stringlib(machine);
    if (SQ_FAILED(sq_compilebuffer(machine, script.source, script.length, script.name, SQTrue)))
      return 1;
    sq_pushroottable(machine);
    if (SQ_FAILED(sq_call(machine, 1, SQFalse, SQTrue)))
      return 1;
    sq_close(machine);
  }
  return 0;
}
