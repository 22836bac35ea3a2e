#!/usr/bin/env node
// Builds dist/: the modules for JavaScript, two of each allocator, the modules that replay traces, and
// the lists and tables of both.
// Usage: node scripts/build.mjs [--force] [--quiet]
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { renameSync, rmSync } from 'node:fs';
import { statSync, utimesSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { PROJECT, binaryenTool, ensureEmscripten, llvmTool } from './emscripten.mjs';
import { buildReportPage, reportSources } from './report-page.mjs';
import { PEERS, PORT, allocatorFlag, emcc } from './run.mjs';

const LIB = path.join(PROJECT, 'lib');
const DIST = path.join(PROJECT, 'dist');
const SCRATCH = path.join(PROJECT, '.cache');

const HELP = `Usage: npm run build [-- --force] [-- --quiet]

Builds, for each allocator of lib/allocators.json,
  dist/NAME.wasm            exports its memory, imports nothing
  dist/NAME.imported.wasm   imports env.memory, otherwise the same
for these and for Emscripten's own allocators,
  dist/replay-NAME.wasm     replays a trace; no compiler is needed for that
and dist/report.html, the page of npx wasmalloc report without its data,
dist/allocators.js with its types, dist/replay-modules.js, dist/replay-licences.txt, and where the
modules are found:
  dist/files.js, dist/replay-files.js           an address for each, which bundlers recognize
  dist/embedded.js, dist/replay-embedded.js     the modules themselves, as base64
Does nothing when they are newer than the sources.

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

/** The driver of the modules that replay traces, and the notices for those of Emscripten's allocators. */
const REPLAY = path.join(PROJECT, 'js', 'replay.c');
const LICENCES = path.join(PROJECT, 'scripts', 'replay-licences.txt');

export const REPLAY_COMPILE = ['-c', '-O2', '-Wall', '-Wextra', '-fno-builtin'];
// Memory begins small and grows by what is asked for: so it tells what is needed.
export const REPLAY_LINK = [
  ...['-O2', '--no-entry', '-sSTANDALONE_WASM', '-sSTACK_SIZE=65536', '-sINITIAL_HEAP=0'],
  ...['-sALLOW_MEMORY_GROWTH', '-sMAXIMUM_MEMORY=4GB', '-sABORTING_MALLOC=0'],
];

/** A malloc that has nothing, which the compiler must not know: what the driver is without an allocator. */
const NO_MALLOC = `#include <stddef.h>
static void *volatile nothing;
void *malloc(size_t size) { return nothing; }
void *calloc(size_t count, size_t size) { return nothing; }
void *realloc(void *block, size_t size) { return nothing; }
void *memalign(size_t alignment, size_t size) { return nothing; }
void *sbrk(ptrdiff_t increment) { return nothing; }
void free(void *block) { nothing = block; }
size_t malloc_usable_size(void *block) { nothing = block; return 0; }
`;

/** The rows of lib/allocators.json. */
export function readAllocators() {
  return JSON.parse(readFileSync(path.join(LIB, 'allocators.json'), 'utf8'));
}

/** The modules for JavaScript. */
function moduleFiles() {
  return readAllocators().flatMap(({ name }) =>
    BUILDS.map(({ suffix }) => `${name}${suffix}.wasm`),
  );
}

/** Every file that a build writes. */
export function outputs() {
  const replay = [...readAllocators().map(({ name }) => name), ...PEERS].map(replayModule);
  const others = [
    ...['allocators.js', 'allocators.d.ts', 'files.js', 'embedded.js'],
    ...['replay-modules.js', 'replay-licences.txt', 'replay-files.js', 'replay-embedded.js'],
    'report.html',
  ];
  return [...moduleFiles(), ...replay, ...others].map((file) => path.join(DIST, file));
}

function replayModule(name) {
  return `replay-${name}.wasm`;
}

function isFresh() {
  const time = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = readdirSync(LIB).map((file) => path.join(LIB, file));
  sources.push(import.meta.filename, PORT, REPLAY, LICENCES);
  sources.push(...reportSources());
  const newestSource = Math.max(...sources.map(time));
  return Math.min(...outputs().map(time)) > newestSource;
}

/** Writes the two tables of modules by file name (addModules() in js/load.js): one for js/index.js, one for js/embedded.js. */
function publishTables(folder, publish, prefix, modules) {
  const write = (name, rows) => {
    const text = rows.map((row) => `  ${row},\n`).join('');
    writeFileSync(
      path.join(folder, `${prefix}${name}.js`),
      `// Made by scripts/build.mjs.\nexport const ${name} = {\n${text}};\n`,
    );
    publish(`${prefix}${name}.js`);
  };
  // Spelled out, so that bundlers see them; and functions, since not all that run this have an import.meta.url.
  const urlOf = (file) => `'${file}': () => new URL('./${file}', import.meta.url)`;
  write('files', modules.map(urlOf));
  const textOf = (file) => `'${file}': '${readFileSync(path.join(DIST, file), 'base64')}'`;
  write('embedded', modules.map(textOf));
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

/** Links the modules that replay traces, as many at a time as there are processors, and lists them. */
async function buildReplay(folder, publish, log) {
  const inFolder = { cwd: folder };
  await emcc([...REPLAY_COMPILE, REPLAY, '-o', 'replay.o'], inFolder);
  writeFileSync(path.join(folder, 'none.c'), NO_MALLOC);
  const names = [...readAllocators().map(({ name }) => name), ...PEERS];
  const sizes = {};
  const waiting = ['none', ...names];
  const linkNext = async () => {
    for (let name; (name = waiting.shift());) {
      const allocator = name === 'none' ? ['none.c', '-w', '-sMALLOC=none'] : [allocatorFlag(name)];
      const output = replayModule(name);
      await emcc([...REPLAY_LINK, 'replay.o', ...allocator, '-o', output], inFolder);
      sizes[name] = statSync(path.join(folder, output)).size;
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, linkNext));
  for (const name of names) {
    publish(replayModule(name));
    log(`  ${replayModule(name).padEnd(24)} ${String(sizes[name]).padStart(6)} bytes`);
  }
  const rows = names.map((name) => ({ name, code: sizes[name] - sizes.none }));
  writeFileSync(
    path.join(folder, 'replay-modules.js'),
    `// Made by scripts/build.mjs: the modules that replay traces, and the bytes of code of each allocator.
export const replayModules = ${JSON.stringify(rows, null, 2)};
`,
  );
  copyFileSync(LICENCES, path.join(folder, 'replay-licences.txt'));
  publish('replay-modules.js');
  publish('replay-licences.txt');
  publishTables(folder, publish, 'replay-', names.map(replayModule));
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
    await buildReplay(folder, publish, log);
    writeFileSync(scratch('report.html'), await buildReportPage());
    publish('report.html');
    const { size } = statSync(path.join(DIST, 'report.html'));
    log(`  ${'report.html'.padEnd(24)} ${String(size).padStart(6)} bytes`);
    publishTables(folder, publish, '', moduleFiles());
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
    process.exitCode = String(error.code).startsWith('ERR_PARSE_ARGS') ? 2 : 1;
  }
}
