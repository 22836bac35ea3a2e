// Fault injection: builds the programs and lets every allocation, and every growth of linear memory,
// fail once. For faults.test.js and run.mjs; what happens inside a program is in inject.c.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { SQLITE, compileSqlite } from '../../scripts/sqlite.mjs';
import { emcc, port, programFile, queued, temporaryFolder } from '../support/emcc.js';

const SOURCES = import.meta.dirname;

const WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Werror'];

const LINK = [
  '-O1',
  '-sMODULARIZE',
  '-sEXPORT_ES6',
  '-sENVIRONMENT=node,worker',
  '-sALLOW_MEMORY_GROWTH', // by inject.c's own emscripten_resize_heap()
  '-sINITIAL_HEAP=0',
  '-sSTACK_SIZE=256KB',
  '-sEXPORTED_RUNTIME_METHODS=UTF8ToString,HEAPU8',
  '--no-entry',
];

/** The programs: `source`, what to compile and link it with, and further `objects`. */
export const PROGRAMS = {
  sqlite: {
    source: 'sqlite.c',
    flags: [`-isystem${SQLITE}`],
    objects: [() => once('sqlite3.o', compileSqlite)],
  },
  containers: { source: 'containers.cpp', flags: ['-std=c++20', '-fwasm-exceptions'] },
  'containers-js-exceptions': { source: 'containers.cpp', flags: ['-std=c++20', '-fexceptions'] },
};

/** What fails, and whether it is the nth only or all from the nth on. */
export const MODES = {
  allocation: { target: 'allocation', all: false, title: 'the nth allocation fails' },
  allocations: { target: 'allocation', all: true, title: 'all allocations fail from the nth on' },
  growth: { target: 'growth', all: false, title: 'the nth growth is refused' },
  growths: { target: 'growth', all: true, title: 'growth is refused from the nth on' },
};

/** One run that takes so long, in milliseconds, does not end. */
const PATIENCE = 600_000;

// ---- building ----

let folder;
let objectFiles = 0;
const jobs = new Map();

/** Makes something once, when a processor is free. */
function once(name, job) {
  if (!jobs.has(name)) jobs.set(name, queued(job));
  return jobs.get(name);
}

/** Compiles a source of this folder. */
function compile(source, flags) {
  return once([source, ...flags].join(' '), async () => {
    folder ??= temporaryFolder('wasmalloc-faults-');
    const object = path.join(folder, `${++objectFiles}-${source}.o`);
    const input = path.join(SOURCES, source);
    const all = ['-O2', ...WARNINGS, ...flags, `--use-port=${port}`];
    await emcc(['-c', ...all, input, '-o', object]);
    return object;
  });
}

/**
 * Builds a program.
 *
 * @param {string} program a name of {@link PROGRAMS}
 * @param {string} allocator
 * @returns {Promise<{ file: string, module: WebAssembly.Module }>} the JavaScript file, and the module
 */
export async function build(program, allocator) {
  const { source, flags, objects = [] } = PROGRAMS[program];
  const inputs = await Promise.all([
    // Or the compiler makes one of the functions that it defines out of another.
    compile('inject.c', ['-std=c11', '-fno-builtin']),
    compile(source, flags),
    ...objects.map((make) => make()),
  ]);
  return once(`${program} ${allocator}`, async () => {
    const file = programFile(folder, `${program}-${allocator}`, 'mjs');
    const exceptions = flags.filter((flag) => flag.endsWith('exceptions'));
    const libraries = source.endsWith('.cpp') ? ['-lc++', '-lc++abi'] : [];
    const use = `--use-port=${port}:allocator=${allocator}`;
    await emcc([...LINK, ...exceptions, ...inputs, ...libraries, use, '-o', file]);
    // Compiled once, it is shared by all threads.
    const module = await WebAssembly.compile(readFileSync(file.replace(/mjs$/, 'wasm')));
    return { file, module };
  });
}

// ---- injecting ----

/**
 * Lets one allocation or growth after the other fail.
 *
 * @param {string} program a name of {@link PROGRAMS}
 * @param {string} allocator
 * @param {string} mode a name of {@link MODES}
 * @param {{ from?: number, to?: number, step?: number, flaw?: string, stopAtFirst?: boolean }} [options] the
 *   first and the last number to fail, and the way from one to the next, all unless told; a flaw that the
 *   program is to have; whether to stop at the first fault
 * @returns {Promise<{ total: number, injected: number, told: number,
 *   faults: Record<string, number>, failures: { number: number, kinds: string[], text: string }[] }>}
 *   how many there are, and how many of them have been made to fail; in how many of these runs the
 *   program was told, and did not do without; how often each fault was found, and the first of them
 */
export async function inject(program, allocator, mode, options = {}) {
  const built = await build(program, allocator);
  return queued(() => work(built, allocator, mode, options));
}

function work(built, allocator, mode, options) {
  const { from = 1, to = Infinity, step = 1, flaw = 'none', stopAtFirst = false } = options;
  const current = new Int32Array(new SharedArrayBuffer(4));
  const neverFrees = allocator === 'minimal';
  const task = { mode: MODES[mode], from, to, step, neverFrees, flaw, stopAtFirst, current };
  return new Promise((resolve, reject) => {
    const workerData = { ...built, ...task };
    const worker = new Worker(new URL('worker.js', import.meta.url), { workerData });
    // It cannot say how far it has come any more: all that is known is where it has ended.
    const fail = (text) => {
      const number = Atomics.load(current, 0);
      const failures = [{ number, kinds: ['trap'], text }];
      resolve({ injected: number, told: 0, faults: { trap: 1 }, failures });
    };
    let last = 0;
    let since = Date.now();
    const watch = setInterval(() => {
      const number = Atomics.load(current, 0);
      if (number !== last) since = Date.now();
      last = number;
      if (Date.now() - since < PATIENCE) return;
      fail('the program does not end');
      worker.terminate();
    }, 1000);
    worker.on('message', resolve);
    worker.on('error', reject);
    worker.on('exit', (code) => {
      clearInterval(watch);
      fail(`the thread has ended with ${code}`);
    });
  });
}

/**
 * Counts the faults of some results of {@link inject} together.
 *
 * @param {{ faults: Record<string, number> }[]} results
 * @returns {{ traps: number, leaks: number, brokenHeaps: number, others: number }} a program that does
 *   not end counts as a trap
 */
export function countFaults(results) {
  const counts = { traps: 0, leaks: 0, brokenHeaps: 0, others: 0 };
  const columns = { trap: 'traps', leak: 'leaks', 'broken heap': 'brokenHeaps' };
  for (const { faults } of results)
    for (const [kind, count] of Object.entries(faults)) counts[columns[kind] ?? 'others'] += count;
  return counts;
}
