#!/usr/bin/env node
// Usage: node scripts/size.mjs [--json]
//
// Prints how many bytes each allocator adds to a WebAssembly program that uses malloc, calloc,
// realloc and free: the size of the program, less that of the same program with functions that only
// trap. README.md has the figures from `npm run bench:readme`, which calls codeSizes().
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ensureEmscripten } from './emscripten.mjs';
import { ALLOCATORS, PEERS, allocatorFlag, emcc } from './run.mjs';

/** What each may add, in bytes at -O2. A sixth allocator has no bound until it is given one. */
const BOUNDS = { minimal: 700, linked: 1500, doubly: 2000, bins: 2800, wasmalloc: 5000 };

// Results go through a volatile variable, or the compiler would leave the calls out.
const PROGRAM = `#include <stdlib.h>
void *volatile sink;
int main(int argc, char **argv) {
  sink = malloc((size_t)argc * 10);
  sink = calloc((size_t)argc, 8);
  sink = realloc(sink, (size_t)argc * 100);
  free(sink);
  return 0;
}
`;

const TRAPS = `#include <stddef.h>
void *malloc(size_t size) { __builtin_trap(); }
void *calloc(size_t count, size_t size) { __builtin_trap(); }
void *realloc(void *block, size_t size) { __builtin_trap(); }
void free(void *block) { __builtin_trap(); }
`;

// For a program with threads: the C library allocates itself, and what it does behind a trap would be left out.
const BUMP = `#include <stddef.h>
#include <stdint.h>
static char *volatile next;
__attribute__((noinline)) void *emscripten_builtin_memalign(size_t alignment, size_t size) {
  char *block = (char *)(((uintptr_t)next + alignment - 1) & -alignment);
  next = block + size;
  return block;
}
__attribute__((noinline)) void *emscripten_builtin_malloc(size_t size) {
  return emscripten_builtin_memalign(16, size);
}
__attribute__((noinline)) void emscripten_builtin_free(void *block) { next = block; }
void *malloc(size_t size) { return emscripten_builtin_malloc(size); }
void *calloc(size_t count, size_t size) { return emscripten_builtin_malloc(count * size); }
void *realloc(void *block, size_t size) { return emscripten_builtin_malloc(size); }
void free(void *block) { emscripten_builtin_free(block); }
`;

/**
 * Measures the code that allocators add to a program.
 *
 * @param {{ names?: string[], optimization?: string, flags?: string[], program?: string,
 *   flagsOf?: (name: string) => string[] }} [options] `names` of allocators, all of ours and of Emscripten's unless
 *   told; `optimization` such as '-O2'; further `flags`, such as '-pthread'; another C `program`; the linker's flags
 *   for an allocator
 * @returns {Promise<Record<string, number>>} bytes of WebAssembly by name
 */
export async function codeSizes({
  names = [...ALLOCATORS.map(({ name }) => name), ...PEERS],
  optimization = '-O2',
  flags = [],
  program = PROGRAM,
  flagsOf = (name) => [allocatorFlag(name)],
} = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), 'wasmalloc-size-'));
  try {
    writeFileSync(path.join(folder, 'program.c'), program);
    writeFileSync(path.join(folder, 'least.c'), flags.includes('-pthread') ? BUMP : TRAPS);
    const link = async (output, ...args) => {
      const file = path.join(folder, `${output}.js`);
      await emcc([optimization, ...flags, 'program.c', ...args, '-o', file], { cwd: folder });
      return statSync(path.join(folder, `${output}.wasm`)).size;
    };
    const without = await link('least', 'least.c', '-fno-builtin', '-sMALLOC=none');
    const sizes = {};
    for (const name of names) sizes[name] = (await link(name, ...flagsOf(name))) - without;
    return sizes;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The bounds that do not hold, one line each. */
export function brokenBounds(sizes) {
  return Object.entries(BOUNDS)
    .filter(([name, bound]) => sizes[name] > bound)
    .map(([name, bound]) => `${name} adds ${sizes[name]} bytes, and may add ${bound}`);
}

async function main() {
  const { values } = parseArgs({
    options: { json: { type: 'boolean' }, help: { type: 'boolean' } },
  });
  if (values.help) {
    console.log(`Usage: npm run size [-- --json]

Prints the bytes of code that each allocator adds to a program that uses malloc, calloc, realloc
and free, at -O2 and -Oz. Ends with exit code 1 when one adds more than it may.`);
    return;
  }
  await ensureEmscripten();
  const sizes = {
    '-O2': await codeSizes(),
    '-Oz': await codeSizes({ optimization: '-Oz' }),
  };
  if (values.json) {
    console.log(JSON.stringify(sizes, null, 2));
  } else {
    console.log('bytes added to a program     -O2     -Oz   at most (-O2)');
    for (const [name, size] of Object.entries(sizes['-O2'])) {
      const columns = [size, sizes['-Oz'][name]].map((bytes) => String(bytes).padStart(8));
      console.log(
        `${name.padEnd(24)}${columns.join('')}${String(BOUNDS[name] ?? '').padStart(12)}`,
      );
    }
  }
  const broken = brokenBounds(sizes['-O2']);
  for (const line of broken) console.error(line);
  process.exitCode = broken.length ? 1 : 0;
}

if (process.argv[1] === import.meta.filename) {
  main().catch((error) => {
    console.error(`size: ${error.message}`);
    process.exitCode = 1;
  });
}
