#!/usr/bin/env node
// The command line: where things are in the package, for build tools.
// Usage: npx wasmalloc --help
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const HELP = `Usage: npx wasmalloc OPTION

  --port     prints the path of the Emscripten port:
             emcc app.c --use-port=$(npx wasmalloc --port):allocator=bins
  --cmake    prints the folder of the CMake package:
             emcmake cmake -Dwasmalloc_DIR=$(npx wasmalloc --cmake) ...
  --list     lists the allocators
  --version  prints the version
  --help     prints this text`;

const place = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const json = (path) => JSON.parse(readFileSync(place(path), 'utf8'));

/** What each option prints. */
const ANSWERS = {
  port: () => place('emscripten/wasmalloc.py'),
  cmake: () => place('emscripten/cmake'),
  list: () =>
    json('lib/allocators.json')
      .map(({ name, idea }) => `${name.padEnd(10)} ${idea}`)
      .join('\n'),
  version: () => json('package.json').version,
  help: () => HELP,
};

function fail(message) {
  console.error(`wasmalloc: ${message}; see npx wasmalloc --help`);
  process.exitCode = 2;
}

try {
  const options = Object.fromEntries(Object.keys(ANSWERS).map((key) => [key, { type: 'boolean' }]));
  const chosen = Object.keys(parseArgs({ options }).values);
  if (chosen.length === 1) console.log(ANSWERS[chosen[0]]());
  else fail(`one option, not ${chosen.length}`);
} catch (error) {
  if (!error.code?.startsWith('ERR_PARSE_ARGS')) throw error;
  fail(error.message.split(/[.\n]/, 1)[0]);
}
