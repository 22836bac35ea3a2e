#!/usr/bin/env node
// The command line: where things are in the package, for build tools, and what is done with traces.
// Usage: npx wasmalloc --help
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { debuglog } from 'node:util';
import { parse } from './commands/options.js';
import { complain, print } from './commands/output.js';
import { InvalidArgumentError, WasmallocError } from './errors.js';

const HELP = `Usage: npx wasmalloc OPTION
       npx wasmalloc COMMAND ...

  --port     prints the path of the Emscripten port:
             emcc app.c --use-port=$(npx wasmalloc --port):allocator=bins
  --cmake    prints the folder of the CMake package:
             emcmake cmake -Dwasmalloc_DIR=$(npx wasmalloc --cmake) ...
  --list     lists the allocators
  --version  prints the version
  -h, --help prints this text

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
  const named = Object.keys(ANSWERS).filter((key) => key !== 'help');
  const options = Object.fromEntries(named.map((key) => [key, { type: 'boolean' }]));
  const { values, positionals } = parse(args, options);
  if (positionals.length)
    throw new InvalidArgumentError(
      `there is no command "${positionals[0]}"; there are: ${Object.keys(COMMANDS).join(', ')}`,
    );
  const chosen = Object.keys(values).filter((key) => values[key]);
  if (chosen.length !== 1)
    throw new InvalidArgumentError(`give a command or one option, not ${chosen.length} options`);
  print(ANSWERS[chosen[0]]());
}

/** Says in one line what is wrong; answers the exit code. */
function explain(error, command) {
  if (error instanceof InvalidArgumentError) {
    complain(`${error.message}; see npx wasmalloc ${command ? `${command} ` : ''}--help`);
    return 2;
  }
  if (error instanceof WasmallocError) complain(error.message);
  else {
    // A fault of this program.
    const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    complain(
      `${what}; that should not be: NODE_DEBUG=wasmalloc in the environment says where it is`,
    );
    debuglog('wasmalloc')(error?.stack);
  }
  return 1;
}

// Progress that cannot be shown is no reason to stop.
process.stderr.on('error', () => {});
const [first, ...rest] = process.argv.slice(2);
const command = Object.hasOwn(COMMANDS, first ?? '') ? first : undefined;
try {
  if (command) await (await COMMANDS[command]()).run(rest);
  else answer(process.argv.slice(2));
} catch (error) {
  process.exitCode = explain(error, command);
}
