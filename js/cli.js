#!/usr/bin/env node
// The command line: where things are in the package, for build tools, and what is done with traces.
// Usage: npx wasmalloc --help
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { InvalidArgumentError, WasmallocError } from './errors.js';

const HELP = `Usage: npx wasmalloc OPTION
       npx wasmalloc COMMAND ...

  --port     prints the path of the Emscripten port:
             emcc app.c --use-port=$(npx wasmalloc --port):allocator=bins
  --cmake    prints the folder of the CMake package:
             emcmake cmake -Dwasmalloc_DIR=$(npx wasmalloc --cmake) ...
  --list     lists the allocators
  --version  prints the version
  --help     prints this text

  replay FILE    compares allocators on a trace that a program has recorded
  report FILE    makes a page from a trace: who holds the memory, and where
  map FILE       makes a picture of the heap from a trace

What a command takes: npx wasmalloc COMMAND --help`;

/** Each has a file that exports run(args). */
const COMMANDS = {
  replay: () => import('./commands/replay.js'),
  report: () => import('./commands/report.js'),
  map: () => import('./commands/map.js'),
};

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

/** Answers an option. */
function answer(args) {
  const options = Object.fromEntries(Object.keys(ANSWERS).map((key) => [key, { type: 'boolean' }]));
  const chosen = Object.keys(parseArgs({ args, options }).values);
  if (chosen.length !== 1) throw new InvalidArgumentError(`one option, not ${chosen.length}`);
  console.log(ANSWERS[chosen[0]]());
}

const [first, ...rest] = process.argv.slice(2);
const command = Object.hasOwn(COMMANDS, first ?? '') ? first : undefined;
try {
  if (command) await (await COMMANDS[command]()).run(rest);
  else answer(process.argv.slice(2));
} catch (error) {
  const isMisuse =
    error instanceof InvalidArgumentError || String(error.code).startsWith('ERR_PARSE_ARGS');
  if (!isMisuse && !(error instanceof WasmallocError)) throw error;
  const message = isMisuse ? error.message.split(/[.\n]/, 1)[0] : error.message;
  const help = `; see npx wasmalloc ${command ? `${command} ` : ''}--help`;
  console.error(`wasmalloc: ${message}${isMisuse ? help : ''}`);
  process.exitCode = isMisuse ? 2 : 1;
}
