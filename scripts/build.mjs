#!/usr/bin/env node
// Builds dist/: the modules for JavaScript, two of each allocator, and the list of allocators.
// Usage: node scripts/build.mjs [--force] [--quiet]
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { PROJECT, binaryenTool, ensureEmscripten, llvmTool } from './emscripten.mjs';

const LIB = path.join(PROJECT, 'lib');
const DIST = path.join(PROJECT, 'dist');
const SCRATCH = path.join(PROJECT, '.cache');

const HELP = `Usage: npm run build [-- --force] [-- --quiet]

Builds, for each allocator of lib/allocators.json,
  dist/NAME.wasm            exports its memory, imports nothing
  dist/NAME.imported.wasm   imports env.memory, otherwise the same
and dist/allocators.js with its types. Does nothing when they are newer than the sources.

  --force  build even so
  --quiet  print nothing unless something is wrong
  --help   this text`;

/** What both builds of a module export, next to the memory; docs/architecture.md says what it means. */
export const EXPORTS = [
  'alloc',
  'realloc',
  'dealloc',
  'heap_next_block',
  'heap_statistics',
  'heap_check',
];

// An allocator brings functions that only the C interface uses.
const WARNINGS = ['-Wall', '-Wextra', '-Wno-unused-function'];
const COMPILE = ['-c', '-O2', ...WARNINGS, '-DWASMALLOC_FREESTANDING', '-mbulk-memory'];

// No function here needs more than a few dozen bytes of stack.
const LINK = ['--no-entry', '--gc-sections', '-z', 'stack-size=4096'];

const BUILDS = [
  // The stack comes first, so that running over its end traps instead of changing static data.
  { suffix: '', link: ['--stack-first', '--max-memory=4294967296'] },
  // Page 0 is for the static data of the other modules. No maximum, so that any memory fits.
  { suffix: '.imported', link: ['--import-memory', '--global-base=65536'] },
];

/** The rows of lib/allocators.json. */
export function readAllocators() {
  return JSON.parse(readFileSync(path.join(LIB, 'allocators.json'), 'utf8'));
}

/** Every file that a build writes. */
export function outputs() {
  const modules = readAllocators().flatMap(({ name }) =>
    BUILDS.map(({ suffix }) => `${name}${suffix}.wasm`),
  );
  return [...modules, 'allocators.js', 'allocators.d.ts'].map((file) => path.join(DIST, file));
}

function isFresh() {
  const time = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = readdirSync(LIB).map((file) => path.join(LIB, file));
  const newestSource = Math.max(...[...sources, import.meta.filename].map(time));
  return Math.min(...outputs().map(time)) > newestSource;
}

/** The list for js/index.js and for TypeScript: a browser cannot import the JSON file. */
function writeList(folder) {
  const rows = readAllocators().map(({ name, idea }) => ({ name, idea }));
  const names = rows.map(({ name }) => JSON.stringify(name));
  const origin = '// Made from lib/allocators.json by scripts/build.mjs.\n';
  writeFileSync(
    path.join(folder, 'allocators.js'),
    `${origin}export const allocators = ${JSON.stringify(rows, null, 2)};\n`,
  );
  writeFileSync(
    path.join(folder, 'allocators.d.ts'),
    `${origin}/** The name of an allocator. */
export type AllocatorName = ${names.join(' | ')};
/** The allocators, from the simplest to the general-purpose one. */
export declare const allocators: readonly { readonly name: AllocatorName; readonly idea: string }[];
`,
  );
}

/**
 * Brings dist/ up to date; installs the project's own Emscripten first where there is none.
 *
 * @param {{ force?: boolean, log?: (line: string) => void }} [options]
 * @returns {Promise<boolean>} whether there was anything to do
 */
export async function build({ force = false, log = () => {} } = {}) {
  if (!force && isFresh()) {
    log('dist/ is up to date.');
    return false;
  }
  const start = new Date();
  const emscripten = await ensureEmscripten();
  const env = { ...process.env, ...emscripten.env };
  const run = (program, args) => execFileSync(program, args, { env, cwd: LIB, stdio: 'inherit' });
  const wasmLd = llvmTool('wasm-ld', emscripten);
  const wasmOpt = binaryenTool('wasm-opt', emscripten);

  log(`Building dist/ with Emscripten ${emscripten.version}:`);
  mkdirSync(SCRATCH, { recursive: true });
  mkdirSync(DIST, { recursive: true });
  const folder = mkdtempSync(path.join(SCRATCH, 'build-'));
  const scratch = (file) => path.join(folder, file);
  // A file in dist/ is always complete, also when this is interrupted or runs twice at a time.
  // It is as old as the start of the build: a source that changes meanwhile is newer.
  const publish = (file) => {
    utimesSync(scratch(file), start, start);
    renameSync(scratch(file), path.join(DIST, file));
  };
  try {
    const memory = scratch('memory.o');
    run(emscripten.emcc, [...COMPILE, 'memory_wasm.c', '-o', memory]);
    for (const { name, file } of readAllocators()) {
      const object = scratch(`${name}.o`);
      const allocator = `-DWASMALLOC_ALLOCATOR="${file}"`;
      run(emscripten.emcc, [...COMPILE, allocator, 'word_interface.c', '-o', object]);
      for (const { suffix, link } of BUILDS) {
        const output = `${name}${suffix}.wasm`;
        const linked = scratch(`${name}${suffix}.linked.wasm`);
        run(wasmLd, [...LINK, ...link, object, memory, '-o', linked]);
        // The features that the code may use are read from the section that is stripped afterwards.
        const strip = ['--strip-debug', '--strip-producers', '--strip-target-features'];
        run(wasmOpt, ['-O2', ...strip, linked, '-o', scratch(output)]);
        publish(output);
        const size = statSync(path.join(DIST, output)).size;
        log(`  ${output.padEnd(24)} ${String(size).padStart(6)} bytes`);
      }
    }
    writeList(folder);
    publish('allocators.d.ts');
    publish('allocators.js');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return true;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const boolean = { type: 'boolean', default: false };
  try {
    const { values } = parseArgs({ options: { force: boolean, quiet: boolean, help: boolean } });
    if (values.help) console.log(HELP);
    else await build({ force: values.force, log: values.quiet ? undefined : console.log });
  } catch (error) {
    console.error(`build: ${error.message}`);
    process.exitCode = error.code?.startsWith('ERR_PARSE_ARGS') ? 2 : 1;
  }
}
