// The workloads and programs of the benchmark: what there is to run, and how long.
// Usage: import { SMALL, EXTRA, PROGRAMS } from './workloads.mjs';

import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
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
 * The workloads with threads, of bench/threads/workloads.c. All threads together do so many passes.
 * `own`: each thread has its own blocks, and so the workload is also built without threads. They are
 * divided into parts as the real programs are: see `partOf`.
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
  threaded('strings', 'strings built by one, kept by another', 600, 200),
  threaded('ring', 'batches freed by the neighbour', 800, 200),
  threaded('crossing', '16–16,000 B, some freed by another', 500, 100),
  threaded('batches', 'batches on a shelf, 16–1,000 B', 800, 200),
  threaded('pool', 'a pool’s threads in three phases', 200, 40),
  threaded('shared-cache', 'a cache that all share', 1500, 200),
  threaded('server', 'a server’s threads in turn, 16 B–4 KiB', 1000, 1000),
  threaded('table', 'a server’s table handed on, 8–1,000 B', 900, 900),
  threaded('thread-churn', 'short threads in turn', 300, 300),
  threaded('neighbours', 'writes to small blocks dealt out', 400, 20),
  threaded('active-sharing', 'writes to one object a thread', 2500, 20),
  threaded('passive-sharing', 'the same, first dealt out', 2500, 20),
];

function threaded(name, title, passes, memoryPasses, more = {}) {
  return { group: 'threads', name, title, part: partOf(name), passes, memoryPasses, ...more };
}

/** The program of all workloads with threads, built with some flags. */
function threadedProgram(name, { flags, link = [], files = ['workloads.c', 'driver.c'] }) {
  const inThreads = (file) => path.join(BENCH, 'threads', file);
  const inputs = ['threads.h', 'transfers.h'].map(inThreads);
  const units = files.map((file) => ({ source: inThreads(file), inputs, flags }));
  return { name, units, flags, link: ['--no-entry', ...flags, ...link] };
}

const WITH_THREADS = {
  flags: ['-pthread'],
  // The runner says how many threads there will be.
  link: ['-sPTHREAD_POOL_SIZE=Module.threads', '-Wno-pthreads-mem-growth'],
};

/** With threads, and without; and with threads whose accesses to memory are counted. */
export const THREADED_PROGRAMS = {
  threads: threadedProgram('threads', WITH_THREADS),
  single: threadedProgram('single', { flags: [] }),
  counted: threadedProgram('counted', {
    flags: [...WITH_THREADS.flags, '-DCOUNTED'],
    link: [
      ...WITH_THREADS.link,
      '-sEXPORTED_FUNCTIONS=_malloc,_calloc,_realloc,_free',
      '-sINITIAL_MEMORY=64MB',
    ],
    files: ['workloads.c', 'driver.c', 'transfers.c'],
  }),
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
 * The real programs. Their sources come from packages of npm and of Debian (scripts/sources.mjs). What is
 * in bench/programs/ gives them something to do.
 *
 * @typedef {object} Program
 * @property {string} name
 * @property {string} title what the tables call it
 * @property {string} kind what it is or does
 * @property {'tune' | 'judge'} part see `partOf`
 * @property {object[] | ((folder: string) => object[])} units what is compiled (see builds.mjs); for
 *   Debian's packages, which are fetched when they are needed, by the folder where they are
 * @property {string} [source] the name of Debian's source package
 */

/** @type {Program[]} */
export const PROGRAMS = [
  program('sqlite', 'SQLite', 'a database', [
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
    { source: ours('sqlite.c'), flags: [`-I${SQLITE}`], inputs: [ours('random.h')] },
  ]),
  program('lua', 'Lua', 'an interpreter', [
    {
      source: ours('lua.c'),
      // Its hashes depend on the time unless told, and so would its memory.
      flags: [QUIET, '-Dluai_makeseed()=42', `-I${LUA}`, `--embed-dir=${ours('')}`],
      inputs: [...filesIn(LUA), ...filesIn(ours('lua'))],
    },
  ]),
  program('duktape', 'Duktape', 'a JavaScript engine', [
    { source: path.join(DUKTAPE, 'duktape.c'), flags: [QUIET] },
    {
      source: ours('duktape.c'),
      flags: [`-I${DUKTAPE}`, `--embed-dir=${ours('')}`],
      inputs: filesIn(ours('duktape')),
    },
  ]),
  program('tree-sitter', 'tree-sitter', 'a parser of C, while somebody types', [
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
  program('containers', 'C++ containers', 'C++ containers: a shop', [
    { source: ours('containers.cpp'), inputs: [ours('random.h')] },
  ]),
  debian('quickjs', 'QuickJS', 'a JavaScript engine', 'quickjs', (folder) =>
    library({
      files: ['quickjs.c', 'dtoa.c', 'libregexp.c', 'libunicode.c', 'cutils.c'],
      main: 'quickjs.c',
      folder,
      flags: ['-D_GNU_SOURCE', '-DEMSCRIPTEN', '-DCONFIG_VERSION="bench"'],
      more: [`--embed-dir=${ours('')}`],
    }),
  ),
  debian('squirrel', 'Squirrel', 'an interpreter for games', 'squirrel3', (folder) =>
    library({
      files: [
        ...allIn(folder, 'squirrel', /\.cpp$/),
        ...['aux', 'math', 'string', 'rex'].map((part) => `sqstdlib/sqstd${part}.cpp`),
      ],
      main: 'squirrel.cpp',
      folder,
      include: ['include', 'squirrel', 'sqstdlib'],
      // Its macro `type` must not be known in the standard headers.
      flags: ['-include', 'cmath', '-include', 'new'],
      more: [`--embed-dir=${ours('')}`],
    }),
  ),
  debian('jq', 'jq', 'a compiler and interpreter of queries', 'jq', (folder) =>
    library({
      files: [
        ...['builtin', 'bytecode', 'compile', 'execute', 'jv', 'jv_alloc', 'jv_aux', 'jv_dtoa'],
        ...['jv_dtoa_tsd', 'jv_file', 'jv_parse', 'jv_print', 'jv_unicode', 'lexer', 'linker'],
        ...['locfile', 'parser', 'util'],
      ].map((name) => `src/${name}.c`),
      main: 'jq.c',
      folder,
      include: ['src', ''],
      flags: ['-D_GNU_SOURCE', '-DIEEE_8087', '-DHAVE_MEMMEM', '-DHAVE_ALLOCA_H'],
    }),
  ),
  debian('cmark', 'cmark', 'Markdown to HTML', 'cmark', (folder) =>
    library({
      files: allIn(folder, 'src', /(?<!main)\.c$/),
      main: 'cmark.c',
      folder,
      include: ['src'],
    }),
  ),
  debian('libyaml', 'libyaml', 'YAML, read and written', 'libyaml', (folder) =>
    library({
      files: allIn(folder, 'src', /\.c$/),
      main: 'libyaml.c',
      folder,
      include: ['include'],
      flags: ['MAJOR', 'MINOR', 'PATCH', 'STRING'].map((part) => `-DYAML_VERSION_${part}=0`),
    }),
  ),
  debian('libxml2', 'libxml2', 'XML, XPath', 'libxml2', (folder) =>
    library({
      files: [
        ...['SAX2', 'buf', 'chvalid', 'dict', 'encoding', 'entities', 'error', 'globals', 'hash'],
        ...['list', 'parser', 'parserInternals', 'threads', 'tree', 'uri', 'valid', 'xmlIO'],
        ...['xmlmemory', 'xmlsave', 'xmlstring', 'xmlunicode', 'xpath'],
      ].map((name) => `${name}.c`),
      main: 'libxml2.c',
      folder,
      include: ['include', ''],
      flags: ['-D_GNU_SOURCE'],
    }),
  ),
  debian('tidy', 'HTML Tidy', 'HTML, cleaned up', 'tidy-html5', (folder) =>
    library({
      files: allIn(folder, 'src', /(?<!mappedio)\.c$/),
      main: 'tidy.c',
      folder,
      include: ['include'],
      flags: ['-DLIBTIDY_VERSION=""', '-DRELEASE_DATE=""', '-DHAS_FUTIME=0'],
    }),
  ),
  debian('nlohmann-json', 'nlohmann-json', 'JSON in C++, patched', 'nlohmann-json3', (folder) =>
    library({ main: 'nlohmann-json.cpp', folder, include: ['single_include'] }),
  ),
  debian('rapidjson', 'RapidJSON', 'JSON messages', 'rapidjson', (folder) =>
    library({ main: 'rapidjson.cpp', folder, include: ['include'] }),
  ),
  debian('minisat', 'MiniSat', 'a solver of formulas', 'minisat2', (folder) =>
    library({
      files: ['minisat/core/Solver.cc', 'minisat/utils/System.cc', 'minisat/utils/Options.cc'],
      main: 'minisat.cpp',
      folder,
      flags: ['-Wno-reserved-user-defined-literal'],
    }),
  ),
  debian('box2d', 'Box2D', 'physics of games', 'box2d', (folder) =>
    library({
      files: ['collision', 'common', 'dynamics'].flatMap((part) =>
        allIn(folder, `src/${part}`, /\.cpp$/),
      ),
      main: 'box2d.cpp',
      folder,
      include: ['include', 'src'],
    }),
  ),
  debian('leveldb', "LevelDB's memtable", "a database's writes in memory", 'leveldb', (folder) =>
    library({
      files: [
        ...['dbformat', 'memtable', 'write_batch'].map((name) => `db/${name}.cc`),
        ...['arena', 'coding', 'comparator', 'hash', 'logging', 'status'].map(
          (name) => `util/${name}.cc`,
        ),
        'table/iterator.cc',
      ],
      main: 'leveldb.cpp',
      folder,
      include: ['include', ''],
      flags: ['-DLEVELDB_PLATFORM_POSIX=1'],
    }),
  ),
  program(
    'requests',
    'requests',
    'a server that runs for long: states replaced, small records that stay',
    [{ source: ours('requests.c'), inputs: [ours('random.h')] }],
  ),
];

/**
 * The programs are divided into two parts, and so are the workloads with threads. Constants and policies of the allocators are chosen on
 * *tune* and on generated workloads only; *judge* says how they came out. The division is by a hash of
 * the name, so that nobody chose it: whether the first byte of its SHA-256 is even. It was the first
 * that was tried, and its parts are large enough: ten and eight. It stays as it is whatever the
 * results are, and says where a program belongs that is added.
 *
 * @param {string} name
 * @returns {'tune' | 'judge'}
 */
export function partOf(name) {
  return createHash('sha256').update(name).digest()[0] % 2 === 0 ? 'tune' : 'judge';
}

/** The parts, in the order of the tables. */
export const PARTS = ['tune', 'judge'];

function program(name, title, kind, units, more = {}) {
  return { group: 'programs', name, title, kind, part: partOf(name), units, link: MAIN, ...more };
}

/** A program whose sources are a Debian source package. */
function debian(name, title, kind, source, units) {
  return program(name, title, kind, units, { source });
}

/**
 * The units of a program that consists of somebody else's files and one of ours.
 *
 * @param {{ folder: string, files?: string[], main: string, include?: string[], flags?: string[],
 *   more?: string[] }} options `folder` has the sources, and in it are the `files` and the folders to
 *   `include`; what a package's configuration would make is in the folder of our program's name. `more`
 *   flags are our program's only.
 * @returns {object[]}
 */
function library({ folder, files = [], main, include = [''], flags = [], more = [] }) {
  const own = ours(path.parse(main).name);
  const folders = include.map((name) => path.join(folder, name));
  const ownFiles = existsSync(own) ? filesIn(own, { recursive: true }) : [];
  // The folder's name has the package's version: its headers do not change under it.
  const configuration = ownFiles.filter((file) => file.endsWith('.h'));
  return [
    ...files.map((file) => ({
      source: path.join(folder, file),
      flags: [QUIET, ...flags, `-I${own}`, ...folders.map((name) => `-I${name}`)],
      inputs: configuration,
    })),
    {
      source: ours(main),
      flags: [...flags, `-I${own}`, ...folders.map((name) => `-isystem${name}`), ...more],
      inputs: [ours('random.h'), ours('text.h'), ...ownFiles],
    },
  ];
}

/** The files of a folder in `folder` that are wanted, relative to that. */
function allIn(folder, name, wanted) {
  return filesIn(path.join(folder, name))
    .filter((file) => wanted.test(file))
    .map((file) => path.relative(folder, file))
    .toSorted();
}

/** A file of bench/programs/. */
function ours(file) {
  return path.join(import.meta.dirname, 'programs', file);
}

function filesIn(folder, options = {}) {
  return readdirSync(folder, { withFileTypes: true, ...options })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => path.join(parentPath, name));
}
