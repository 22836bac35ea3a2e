/*
 * The public header, for programs: #include <wasmalloc.h>.
 *
 * It stands in a folder of its own because lib/, beside the real one, has a memory.h, which must not
 * take the place of the C library's <memory.h>.
 */
#include "../../lib/wasmalloc.h"
