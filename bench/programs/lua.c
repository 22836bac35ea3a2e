/*
 * Lua runs the scripts in bench/programs/lua/, each in a state of its own, and prints what they
 * print. Exits with 1 when one fails, out of memory included.
 */
#include <stdio.h>

/* All of Lua in one unit, as its own onelua.c does it. */
#define LUA_CORE
#define LUA_LIB
#include "lprefix.h"
#include "lapi.c"
#include "lcode.c"
#include "lctype.c"
#include "ldebug.c"
#include "ldo.c"
#include "ldump.c"
#include "lfunc.c"
#include "lgc.c"
#include "llex.c"
#include "lmem.c"
#include "lobject.c"
#include "lopcodes.c"
#include "lparser.c"
#include "lstate.c"
#include "lstring.c"
#include "ltable.c"
#include "ltm.c"
#include "lundump.c"
#include "lvm.c"
#include "lzio.c"
#include "lauxlib.c"
#include "lbaselib.c"
#include "lbitlib.c"
#include "lcorolib.c"
#include "ldblib.c"
#include "liolib.c"
#include "lmathlib.c"
#include "loadlib.c"
#include "loslib.c"
#include "lstrlib.c"
#include "ltablib.c"
#include "lutf8lib.c"
#include "linit.c"

/* clang-format off */
static const char trees[] = {
#embed "lua/trees.lua"
};
static const char text[] = {
#embed "lua/text.lua"
};
static const char records[] = {
#embed "lua/records.lua"
};
static const char closures[] = {
#embed "lua/closures.lua"
};
static const char numbers[] = {
#embed "lua/numbers.lua"
};
/* clang-format on */

static const struct {
  const char *name, *source;
  size_t length;
} scripts[] = {
    {"trees", trees, sizeof trees},       {"text", text, sizeof text},
    {"records", records, sizeof records}, {"closures", closures, sizeof closures},
    {"numbers", numbers, sizeof numbers},
};

int main(void) {
  for (size_t i = 0; i < sizeof scripts / sizeof *scripts; ++i) {
    lua_State *state = luaL_newstate();
    if (!state) {
      puts("out of memory");
      return 1;
    }
    luaL_openlibs(state);
    if (luaL_loadbuffer(state, scripts[i].source, scripts[i].length, scripts[i].name) ||
        lua_pcall(state, 0, 0, 0)) {
      puts(lua_tostring(state, -1));
      return 1;
    }
    lua_close(state);
  }
  return 0;
}
