// The workloads and programs of the benchmark: what there is to run, and how long.
// Usage: import { SMALL, EXTRA, PROGRAMS } from './workloads.mjs';

import { readdirSync } from 'node:fs';
import path from 'node:path';

const BENCH = import.meta.dirname;

/** The kinds of floors, in the order of their numbers in bench/small/floors.c. */
export const FLOORS = ['SAME', 'STACK', 'CELLS', 'BUFFER', 'CLASSES', 'ARENA'];

/**
 * @typedef {object} Workload
 * @property {string} name the prefix of its functions in bench/small/workloads.c
 * @property {string} title what the tables call it
 * @property {number} passes how often the function runs for its time: some 40 ms with dlmalloc
 * @property {number} memoryPasses and for its memory: until the peak is reached
 * @property {string} floor the kind of floor that can serve it
 * @property {number} [cycle] of so many passes each does another part of the work: only whole cycles
 *   can be compared
 * @property {boolean} [core] whether it consists of malloc and free of mostly small blocks only: no
 *   allocator's time is then that of copying, zeroing or reaching memory
 */

const CORE = { core: true };

/** @type {Workload[]} */
export const SMALL = [
  small('pair', 'a 32-byte pair', 4000, 10, 'SAME', CORE),
  small('lifo', '1000 in LIFO order', 3000, 10, 'STACK', CORE),
  small('fifo', '1000 in FIFO order', 3000, 10, 'ARENA', CORE),
  small('churn', 'churn, 10,000 × 16–1024 B', 400, 100, 'CLASSES', CORE),
  small('skewed', 'skewed mix, 8 B–16 KiB', 1200, 200, 'CLASSES', CORE),
  small('random', 'random with realloc, 1 B–10 KB', 300, 100, 'CLASSES'),
  small('doubling', 'realloc doubling to 1 MiB', 40000, 10, 'BUFFER'),
  small('vectors', '16 vectors in turn', 6000, 10, 'CLASSES'),
  small('large', 'blocks of 4–256 KiB', 2000, 100, 'CLASSES'),
  small('huge', 'blocks of 256 KiB–4 MiB', 10000, 30, 'CLASSES'),
  small('memalign', 'memalign(64), 16–1024 B', 400, 100, 'CLASSES'),
  small('calloc48', 'calloc of 48 B', 2000, 10, 'CELLS'),
  small('calloc4k', 'calloc of 4 KiB', 5000, 10, 'CELLS'),
  small('calloc8m', 'calloc of 8 MiB', 10, 5, 'CELLS', { cycle: 10 }),
  // Two times filled and drained. For the memory once filled: 2_linked needs minutes to drain it.
  small('drain', '200,000 × 24 B, random drain', 200, 50, 'ARENA', { cycle: 100, ...CORE }),
  small('phases', 'phase change', 424, 424, 'CLASSES', { cycle: 424, ...CORE }),
];

/** Workloads of single bars, which are in no mean. @type {Workload[]} */
export const EXTRA = [
  small('grow_twice', 'a buffer doubling, among others', 20000, 10),
  small('grow_64', 'a buffer growing by 64 B, among others', 1000, 2),
  small('fifty', '50 small objects', 0, 1),
  small('in_place', 'growing into the free space behind', 0, 1),
];

function small(name, title, passes, memoryPasses, floor, more = {}) {
  return { group: 'small', name, title, passes, memoryPasses, floor, ...more };
}

/** All small workloads are in one program; `link` of builds.mjs takes it. */
export const SMALL_PROGRAM = {
  name: 'small',
  units: [{ source: path.join(BENCH, 'small', 'workloads.c') }],
  link: ['--no-entry', '-sEXPORTED_RUNTIME_METHODS=wasmMemory'],
};

/**
 * The workloads with threads, of bench/threads/workloads.c. `own`: each thread has its own blocks, and
 * so the workload is also built without threads.
 */
export const THREADED = [
  threaded('pairs', 'own blocks of 8–256 B, eight live', 1500, 20, { own: true }),
  threaded('own-lifo', 'own 1000 × 64 B in LIFO order', 1500, 20, { own: true }),
  threaded('own-fifo', 'own 1000 × 64 B in FIFO order', 1500, 20, { own: true }),
  threaded('own-phases', 'own 10,000 × 8–64 B, then all freed', 100, 20, { own: true }),
  threaded('own-churn', 'own churn, 10,000 × 16–256 B', 600, 100, { own: true }),
  threaded('own-mixed', 'own skewed mix, 16 B–16 KiB', 800, 200, { own: true }),
  threaded('own-buffers', 'own blocks of 512 B–16 KiB', 500, 200, { own: true }),
  threaded('own-growing', 'own vectors, grown by realloc', 800, 200, { own: true }),
  threaded('producer-consumer', 'one allocates, another frees', 1500, 200),
  threaded('long-messages', 'one allocates up to 4 KiB, another frees', 600, 200),
  threaded('ring', 'batches freed by the neighbour', 800, 200),
  threaded('server', 'a server’s threads in turn, 16 B–4 KiB', 1000, 1000),
  threaded('thread-churn', 'short threads in turn', 300, 300),
  threaded('neighbours', 'writes to small blocks dealt out', 400, 20),
];

function threaded(name, title, passes, memoryPasses, more = {}) {
  return { group: 'threads', name, title, passes, memoryPasses, ...more };
}

/** The program of all workloads with threads, built with some flags. */
function threadedProgram(name, flags, link) {
  const header = path.join(BENCH, 'threads', 'threads.h');
  const units = ['workloads.c', 'driver.c'].map((file) => ({
    source: path.join(BENCH, 'threads', file),
    inputs: [header],
    flags,
  }));
  return { name, units, flags, link: ['--no-entry', ...flags, ...link] };
}

/** With threads, and without. */
export const THREADED_PROGRAMS = {
  threads: threadedProgram(
    'threads',
    ['-pthread'],
    // The runner says how many threads there will be.
    ['-sPTHREAD_POOL_SIZE=Module.threads', '-Wno-pthreads-mem-growth'],
  ),
  single: threadedProgram('single', [], []),
};

/** What the search for the worst call needs: nothing but an allocator. */
export const WORST_PROGRAM = {
  name: 'worst',
  units: [],
  link: ['--no-entry', '-sEXPORTED_FUNCTIONS=_malloc,_free,_realloc'],
};

const SOURCES = path.join(import.meta.dirname, '..', 'node_modules');
const LUA = path.join(SOURCES, 'lua-src', 'src');
const TREE_SITTER = path.join(SOURCES, 'tree-sitter', 'vendor', 'tree-sitter', 'lib');
const TREE_SITTER_C = path.join(SOURCES, 'tree-sitter-c', 'src');
const SQLITE = path.join(SOURCES, 'better-sqlite3', 'deps', 'sqlite3');
const DUKTAPE = path.join(SOURCES, 'duktape', 'lib', 'duktape', 'src');

const MAIN = ['-sEXPORTED_RUNTIME_METHODS=wasmMemory,callMain,ENV', '-sINVOKE_RUN=0'];

/** Somebody else's code: its warnings are not for us. */
const QUIET = '-w';

/**
 * The real programs; their sources come from npm packages, unchanged. What is in bench/programs/
 * gives them something to do.
 */
export const PROGRAMS = [
  program('sqlite', 'SQLite', [
    {
      source: path.join(SQLITE, 'sqlite3.c'),
      // Without lookaside, SQLite's own small allocator, every allocation is malloc's.
      flags: [
        QUIET,
        '-DSQLITE_THREADSAFE=0',
        '-DSQLITE_OMIT_LOAD_EXTENSION',
        '-DSQLITE_DEFAULT_LOOKASIDE=0,0',
      ],
    },
    { source: ours('sqlite.c'), flags: [`-I${SQLITE}`] },
  ]),
  program('lua', 'Lua', [
    {
      source: ours('lua.c'),
      // Its hashes depend on the time unless told, and so would its memory.
      flags: [QUIET, '-Dluai_makeseed()=42', `-I${LUA}`, `--embed-dir=${ours('')}`],
      inputs: [...filesIn(LUA), ...filesIn(ours('lua'))],
    },
  ]),
  program('duktape', 'Duktape', [
    { source: path.join(DUKTAPE, 'duktape.c'), flags: [QUIET] },
    {
      source: ours('duktape.c'),
      flags: [`-I${DUKTAPE}`, `--embed-dir=${ours('')}`],
      inputs: filesIn(ours('duktape')),
    },
  ]),
  program('tree-sitter', 'tree-sitter', [
    {
      source: path.join(TREE_SITTER, 'src', 'lib.c'),
      flags: [
        QUIET,
        `-I${path.join(TREE_SITTER, 'include')}`,
        `-I${path.join(TREE_SITTER, 'src')}`,
      ],
      inputs: filesIn(path.join(TREE_SITTER, 'src')),
    },
    { source: path.join(TREE_SITTER_C, 'parser.c'), flags: [QUIET, `-I${TREE_SITTER_C}`] },
    {
      source: ours('tree-sitter.c'),
      flags: [`-I${path.join(TREE_SITTER, 'include')}`, `--embed-dir=${LUA}`],
      inputs: filesIn(LUA),
    },
  ]),
  program('containers', 'C++ containers', [{ source: ours('containers.cpp') }]),
];

function program(name, title, units) {
  return { group: 'programs', name, title, units, link: MAIN };
}

/** A file of bench/programs/. */
function ours(file) {
  return path.join(import.meta.dirname, 'programs', file);
}

function filesIn(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => path.join(folder, name));
}
