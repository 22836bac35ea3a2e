#!/usr/bin/env node
// Usage: node scripts/digests.mjs [--only TEXT] [--help]
//
// Prints a digest of each module that is made of lib/: of a program linked with each allocator and each
// build, in each way that makes a difference to the code, and of dist/*.wasm. A change that is to leave the
// code as it is leaves every line as it is.
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { build, outputs } from './build.mjs';
import { ensureEmscripten } from './emscripten.mjs';
import { VARIANTS, allocatorFlag, emcc } from './run.mjs';

const HELP = `Usage: npm run digests [-- --only TEXT]

Prints the first 12 digits of the SHA-256 of each module, and last of all these lines together:
  a program that calls nearly all functions, at -O2 and -Oz; plain, with threads, with Wasm Workers, for
  wasm64; with each allocator and each build of lib/builds.json
  dist/*.wasm, which are built first if they are older than the sources
What it prints depends on the sources and on the version of Emscripten, and not on where the project is.

  --only TEXT   only modules with this text in their line, such as "wasmalloc" or "-O2 -pthread"
  --help        this text`;

const OPTIMIZATIONS = ['-O2', '-Oz'];

/** Ways to link, by the flags for them: lib/ is compiled differently for each. */
const KINDS = [[], ['-pthread'], ['-sWASM_WORKERS'], ['-sMEMORY64']];

// Results go through a volatile variable, or the compiler would leave the calls out.
const PROGRAM = `#define _GNU_SOURCE
#include <malloc.h>
#include <stdlib.h>
#include <wasmalloc.h>
void *pvalloc(size_t bytes);
int malloc_trim(size_t keep);
void *volatile sink;
volatile size_t count;
int main(int argc, char **argv) {
  sink = malloc((size_t)argc * 10);
  sink = calloc((size_t)argc, 8);
  sink = realloc(sink, (size_t)argc * 100);
  sink = reallocarray(sink, (size_t)argc, 100);
  void *block = NULL;
  count = (size_t)posix_memalign(&block, 64, (size_t)argc);
  free(block);
  sink = aligned_alloc(64, (size_t)argc * 64);
  sink = memalign((size_t)argc, 64);
  sink = valloc((size_t)argc);
  sink = pvalloc((size_t)argc);
  count = malloc_usable_size(sink);
  free(sink);
  malloc_trim((size_t)argc);
  count = (size_t)mallinfo().arena;
  struct wasmalloc_statistics statistics;
  wasmalloc_statistics(&statistics);
  count = statistics.heap_size;
  for (struct wasmalloc_block walk = {0}; wasmalloc_next_block(&walk);)
    count = walk.size;
  return wasmalloc_check() != NULL;
}
`;

const digestOf = (data) => createHash('sha256').update(data).digest('hex').slice(0, 12);

/** Links the program in one way, and returns its module. */
async function link(folder, name, flags) {
  await emcc([...flags, 'program.c', allocatorFlag(name), '-o', 'program.js'], { cwd: folder });
  return readFileSync(path.join(folder, 'program.wasm'));
}

/**
 * Prints the digests.
 *
 * @param {{ only?: string, log?: (line: string) => void }} [options] `only` those with this text in their line
 */
async function printDigests({ only = '', log = console.log } = {}) {
  const lines = [];
  const print = (label, data) => {
    lines.push(`${digestOf(data)}  ${label}`);
    log(lines.at(-1));
  };
  const folder = mkdtempSync(path.join(tmpdir(), 'wasmalloc-digests-'));
  try {
    writeFileSync(path.join(folder, 'program.c'), PROGRAM);
    for (const optimization of OPTIMIZATIONS) {
      for (const kind of KINDS) {
        for (const { name } of VARIANTS) {
          const flags = [optimization, ...kind];
          const label = [...flags, name].join(' ');
          if (label.includes(only)) print(label, await link(folder, name, flags));
        }
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  await build();
  for (const file of outputs().filter((output) => output.endsWith('.wasm'))) {
    const label = `dist/${path.basename(file)}`;
    if (label.includes(only)) print(label, readFileSync(file));
  }
  log(`${digestOf(lines.join('\n'))}  all ${lines.length}`);
}

const { values } = parseArgs({
  options: { only: { type: 'string' }, help: { type: 'boolean' } },
});
if (values.help) {
  console.log(HELP);
} else {
  try {
    await ensureEmscripten();
    await printDigests(values);
  } catch (error) {
    console.error(`digests: ${error.message}`);
    process.exitCode = 1;
  }
}
