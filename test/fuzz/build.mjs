// Builds the fuzzer.
// Usage: import { buildFuzzer, canGuide } from './build.mjs';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { PROJECT, onPath } from '../../scripts/emscripten.mjs';
import { VARIANTS, emcc, run } from '../../scripts/run.mjs';

const LIB = path.join(PROJECT, 'lib');
const here = (name) => path.join(PROJECT, 'test', 'fuzz', name);
const MODEL = path.join(PROJECT, 'test', 'c', 'model.c');

export const WARNINGS = ['-std=c11', '-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Werror'];
const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];

const LIBFUZZER = {
  compiler: 'clang',
  flags: ['-O1', '-g', '-DFUZZ_LIBFUZZER'],
  lib: ['-fsanitize=fuzzer-no-link'],
  link: ['-fsanitize=fuzzer'],
};

/** Counts the steps of a call, so that one without an end is noticed (native.c). */
const WATCHED = ['-fsanitize-coverage=trace-pc'];

/** What a fuzzer of each kind is compiled with: the compiler, its flags, and those of `lib/` besides. */
export const KINDS = {
  fast: { compiler: 'cc', flags: ['-O2', '-g'], lib: WATCHED },
  // Of these hundreds are built.
  mutant: { compiler: 'cc', flags: ['-O1'], lib: WATCHED },
  sanitized: { compiler: 'cc', flags: ['-O1', '-g', ...SANITIZERS], lib: WATCHED },
  // The code for programs with threads, called by one. What would be a thread's own is an ordinary variable, so
  // that it is forgotten with the heap.
  threaded: {
    compiler: 'cc',
    flags: ['-O1', '-g', ...SANITIZERS],
    lib: [...WATCHED, '-DWASMALLOC_THREADS', '-D_Thread_local='],
  },
  // The counters are variables too: they must not be forgotten with the heap.
  coverage: { compiler: 'cc', flags: ['-O0', '-g'], lib: ['--coverage'], keepsState: true },
  // Guided by coverage. And the same for the merging of a corpus: fast, and with every branch still there.
  guided: { ...LIBFUZZER, flags: [...LIBFUZZER.flags, ...SANITIZERS] },
  merging: { ...LIBFUZZER, flags: [...LIBFUZZER.flags, '-O0'] },
};

/**
 * What forget.h calls the sections of the allocator's variables. All of them have to be there: a variable
 * anywhere else would survive from one heap to the next.
 */
const SECTIONS = {
  '.bss': 'allocator_zeroed',
  '.data': 'allocator_data',
  '.data.rel.local': 'allocator_links',
};

/** What `lib/` is compiled with for an allocator. */
export function definesOf(allocator) {
  const { file, define } = VARIANTS.find(({ name }) => name === allocator);
  return [`-DWASMALLOC_ALLOCATOR="${file}"`, ...(define ? [`-D${define}`] : [])];
}

/**
 * Puts an allocator's variables where forget.h finds them.
 *
 * @param {string} object file, which is changed
 */
export async function gatherVariables(object) {
  const renamed = Object.entries(SECTIONS).flatMap((names) => [
    '--rename-section',
    names.join('='),
  ]);
  await run('objcopy', [...renamed, object]);
}

/** The source with the interface that is to be fuzzed. */
const interfaceSource = (lib, words) => path.join(lib, `${words ? 'word' : 'c'}_interface.c`);

/** Compiles the sources that allocators share, at most once per folder, kind and build of the memory layer. */
const shared = new Map();

function compileShared({ allocator, folder, kind, words }) {
  const { define } = VARIANTS.find(({ name }) => name === allocator);
  const key = [folder, kind, words, define].join();
  if (!shared.has(key)) {
    const { compiler, flags } = KINDS[kind];
    const sources = [here('fuzz.c'), here('native.c'), MODEL, path.join(LIB, 'memory_host.c')];
    const prefix = [kind, ...(words ? ['words'] : []), ...(define ? [define] : [])].join('-');
    const defines = ['-DTEST_NATIVE', ...(words ? ['-DFUZZ_WORDS'] : [])];
    if (define) defines.push(`-D${define}`);
    const compile = async (source) => {
      const object = path.join(folder, `${prefix}-${path.basename(source, '.c')}.o`);
      await run(compiler, [...WARNINGS, ...flags, ...defines, '-c', source, '-o', object]);
      return object;
    };
    shared.set(key, Promise.all(sources.map(compile)));
  }
  return shared.get(key);
}

/**
 * Builds a fuzzer for the development machine.
 *
 * @param {{ allocator: string, kind: 'fast' | 'mutant' | 'sanitized' | 'threaded' | 'coverage' |
 *   'guided' | 'merging', folder: string,
 *   lib?: string, words?: boolean, shared?: string }} options `folder` gets the program; `lib` is the
 *   folder with the allocator's sources, if they are not the project's own; `words`: the word interface;
 *   `shared` gets what does not depend on the allocator, if another folder than `folder`
 * @returns {Promise<string>} the program
 */
export async function buildFuzzer({
  allocator,
  kind,
  folder,
  lib = LIB,
  words = false,
  shared: sharedFolder = folder,
}) {
  mkdirSync(folder, { recursive: true });
  const { compiler, flags, lib: more = [], link = [], keepsState } = KINDS[kind];
  const program = path.join(folder, `${kind}-${words ? 'words-' : ''}${allocator}`);
  const [objects] = await Promise.all([
    compileShared({ allocator, folder: sharedFolder, kind, words }),
    run(
      compiler,
      [
        '-std=c11',
        ...flags,
        ...more,
        ...definesOf(allocator),
        '-c',
        interfaceSource(lib, words),
        '-o',
        `${program}.o`,
      ],
      { cwd: folder },
    ),
  ]);
  if (!keepsState) await gatherVariables(`${program}.o`);
  await run(compiler, [
    ...flags,
    ...more,
    ...link,
    ...objects,
    `${program}.o`,
    '-o',
    program,
    '-lpthread',
  ]);
  return program;
}

/** The options that a fuzzer needs to know its allocator by. */
export const traitsOf = (allocator) => (allocator === 'minimal' ? ['--never-frees'] : []);

/**
 * Builds the fuzzer as a module for Node (wasm.c, wasm.js).
 *
 * @param {{ allocator: string, folder: string, words?: boolean, flags?: string[] }} options
 * @returns {Promise<string>} the module
 */
export async function buildModule({ allocator, folder, words = false, flags = [] }) {
  mkdirSync(folder, { recursive: true });
  const program = path.join(folder, `${words ? 'words-' : ''}${allocator}.mjs`);
  await emcc([
    // The compiler would take it for granted that malloc leaves errno alone.
    ...['-fno-builtin', '-std=c11', '-O2', '-g1', ...definesOf(allocator), `-I${LIB}`],
    ...(words ? ['-DFUZZ_WORDS'] : []),
    // Else emcc would build libc++.
    '-sDEFAULT_TO_CXX=0',
    ...['-sMALLOC=none', '-sALLOW_MEMORY_GROWTH', '-sMAXIMUM_MEMORY=256MB', '-sINITIAL_HEAP=65536'],
    ...[
      '-sENVIRONMENT=node',
      '-sMODULARIZE',
      '-sEXPORTED_FUNCTIONS=_fuzz_sequence,_fuzz_calls_made',
    ],
    ...flags,
    ...[
      here('fuzz.c'),
      here('wasm.c'),
      MODEL,
      interfaceSource(LIB, words),
      path.join(LIB, 'memory_wasm.c'),
    ],
    ...['-o', program],
  ]);
  return program;
}

/**
 * @returns {Promise<string>} why a fuzzer that is guided by coverage cannot be built here; '' if it can
 */
export async function whyNotGuided() {
  if (!onPath('clang'))
    return 'needs clang on PATH, with libFuzzer (Debian: clang, libclang-rt-dev)';
  try {
    const empty = ['-x', 'c', '/dev/null', '-o', '/dev/null'];
    await run('clang', ['-fsanitize=fuzzer', '-Wl,--unresolved-symbols=ignore-all', ...empty]);
    return '';
  } catch {
    return "clang's libFuzzer is missing (Debian: libclang-rt-dev, or libclang-common-dev)";
  }
}
