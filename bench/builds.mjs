// Compiles and links the programs of the benchmark, and keeps what it made in .cache/bench/.
// Usage: import { SUBJECTS, link } from './builds.mjs';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { PROJECT, binaryenTool, findEmscripten } from '../scripts/emscripten.mjs';
import { REPLAY_COMPILE, REPLAY_LINK } from '../scripts/build.mjs';
import { makeOnce, writeWhole } from '../scripts/files.mjs';
import { ensureSources } from '../scripts/sources.mjs';
import { ALLOCATORS, PEERS, PORT, VARIANTS, allocatorFlag, emcc, run } from '../scripts/run.mjs';
import { instrument } from './instrument.mjs';
import { FLOORS } from './workloads.mjs';

/** All that is measured: ours, then Emscripten's own. */
export const OURS = ALLOCATORS.map(({ name }) => name);
export const SUBJECTS = [...OURS, ...PEERS];

/** The allocator that records what it is asked for: what recording costs. */
const RECORDING = 'wasmalloc:trace=1';

/** wasmalloc, of which a program overwrites what it frees: the least that the hardened build can cost. */
export const OVERWRITING = 'overwriting';

/** And what may be measured if it is named. */
export const ALL_SUBJECTS = [...VARIANTS.map(({ name }) => name), RECORDING, OVERWRITING, ...PEERS];
export { PEERS };

/** The linker's flags for allocators that are none of these, by name. */
const OTHERS = new Map();

/** A flag that names a file, from where the user is: npm runs commands in the project's folder, and says where it was called. */
function withWholePath(flag) {
  const file = path.resolve(process.env.INIT_CWD ?? '', flag);
  return existsSync(file) ? file : flag;
}

/**
 * Makes another allocator known, or changes it.
 *
 * @param {string} name
 * @param {string[]} flags what the linker is given for it
 */
export function addSubject(name, flags) {
  if (ALL_SUBJECTS.includes(name) && !OTHERS.has(name))
    throw new Error(`there is an allocator '${name}' already`);
  if (!OTHERS.has(name)) ALL_SUBJECTS.push(name);
  OTHERS.set(name, flags.map(withWholePath));
}

/**
 * Gives the other allocators what they may lack; before they are linked.
 *
 * @param {string[]} [more] flags of the compiler, as the programs have them
 */
export async function completeOthers(more = []) {
  const lib = path.join(PROJECT, 'lib');
  for (const [name, flags] of OTHERS) {
    if (!flags.includes('-sMALLOC=none')) continue;
    const source = path.join(BENCH, 'fallback.c');
    const object = await compile({
      source,
      flags: [...more, `-I${lib}`],
      inputs: filesOf(lib),
    });
    if (!flags.includes(object)) OTHERS.set(name, [...flags, object]);
  }
}

/** The linker's flags for an allocator. */
export function flagsOf(subject) {
  return OTHERS.get(subject) ?? [allocatorFlag(subject)];
}

const CACHE = path.join(PROJECT, '.cache', 'bench');
const BENCH = import.meta.dirname;
const INSTRUMENT = path.join(BENCH, 'instrument.mjs');

/** Room for a first, slow compilation of SQLite on a busy machine. */
const TIMEOUT = 1_800_000;

// The compiler must not replace a call of malloc by something that it knows to be the same.
const COMPILE = ['-O2', '-fno-builtin-malloc', '-fno-builtin-calloc', '-fno-builtin-realloc'];
COMPILE.push('-fno-builtin-free', '-fno-builtin-memalign', '-Wall', '-Wextra');

const LINK = [
  '-sMODULARIZE',
  '-sEXPORT_ES6',
  '-sENVIRONMENT=node,web,worker',
  '-sALLOW_MEMORY_GROWTH',
  '-sABORTING_MALLOC=0',
];

/** C's functions that every allocator has, and that programs call all the time. */
export const ALLOCATION = ['malloc', 'calloc', 'realloc', 'free'];

/** How a program is linked for what is to be measured. */
const KINDS = {
  // As a user does.
  time: ['-O2', '-sMAXIMUM_MEMORY=2GB'],
  // The same, with a list of the functions. A function with a single caller would become part of that, and a
  // sample in it would look like the program's own: exported, it has two.
  share: [
    ...['-O2', '-sMAXIMUM_MEMORY=2GB', '--emit-symbol-map'],
    ...ALLOCATION.map((name) => `-Wl,--export-if-defined=${name}`),
  ],
  // Memory grows to what is asked for and no further. What an allocator asks for does not depend on
  // how well the program is optimized; -O1 links much faster.
  memory: ['-O1', '-sMAXIMUM_MEMORY=2GB', '-sINITIAL_HEAP=0', '-sMEMORY_GROWTH_LINEAR_STEP=65536'],
  // The same with threads; see leastMemory().
  threads: ['-O1', '-sMAXIMUM_MEMORY=2GB', '-sMEMORY_GROWTH_LINEAR_STEP=65536'],
  // Functions must not be inlined: the allocator's are known by their calls.
  transfers: ['-O1', '-sMAXIMUM_MEMORY=2GB'],
  // Little memory, so that it can be full; a second file counts the accesses to memory.
  worst: ['-O1', '-sMAXIMUM_MEMORY=80MB'],
};

/** Linear memory is in pages of so many bytes. */
const PAGE = 65536;

export function digest(...parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(typeof part === 'string' ? part : JSON.stringify(part));
  return hash.digest('hex').slice(0, 20);
}

const digests = new Map();

/** The digest of a file's content, read once. */
export function fileDigest(file) {
  if (!digests.has(file)) digests.set(file, digest(readFileSync(file, 'latin1')));
  return digests.get(file);
}

/**
 * What an allocator is made of. One of ours: all of lib/, the port and its recorder. Another: its flags, and the files
 * that they name. Emscripten's are in its version.
 */
function allocatorDigest(subject) {
  if (OTHERS.has(subject)) {
    const flags = OTHERS.get(subject);
    return digest(flags.map((flag) => (existsSync(flag) ? fileDigest(flag) : flag)));
  }
  const own = [...VARIANTS.map(({ name }) => name), OVERWRITING];
  if (!own.includes(subject.split(':')[0])) return '';
  const recorder = path.join(path.dirname(PORT), 'trace.js');
  return digest([...filesOf(path.join(PROJECT, 'lib')), PORT, recorder].map(fileDigest));
}

function filesOf(folder) {
  return readdirSync(folder).map((file) => path.join(folder, file));
}

// ---- a few jobs at a time ----

const waiting = [];
let idle = availableParallelism();

/** Does a job when a processor is free. What is timed must not run this way. */
export async function queued(job) {
  if (idle === 0) await new Promise((resolve) => waiting.push(resolve));
  else --idle;
  try {
    return await job();
  } finally {
    if (waiting.length) waiting.shift()();
    else ++idle;
  }
}

const made = new Map();

/** Makes a folder of the cache by `create`, unless it is there. It is complete or not there. */
export function cached(name, create) {
  if (!made.has(name)) {
    const folder = path.join(CACHE, name);
    made.set(name, existsSync(folder) ? folder : queued(() => makeOnce(folder, create)));
  }
  return made.get(name);
}

/**
 * Compiles a source.
 *
 * @param {{ source: string, flags?: string[], inputs?: string[] }} unit `inputs` are the other files
 *   that it is made of, as far as they can change
 * @returns {Promise<string>} the object file
 */
async function compile({ source, flags = [], inputs = [] }) {
  const { version } = findEmscripten();
  // Where the project is does not matter: no path of it may get into a program's data, which would
  // shift the heap.
  const args = [...COMPILE, ...flags, `-ffile-prefix-map=${PROJECT}=.`];
  const portable = args.map((arg) => arg.replaceAll(PROJECT, ''));
  const key = digest(version, portable, [source, ...inputs].map(fileDigest));
  const name = path.basename(source).replace(/\.\w+$/, '');
  const folder = await cached(`object-${name}-${key}`, (scratch) =>
    emcc(['-c', ...args, source, '-o', path.join(scratch, 'object.o')], { timeout: TIMEOUT }),
  );
  return path.join(folder, 'object.o');
}

/**
 * With threads, Emscripten has no INITIAL_HEAP. The least INITIAL_MEMORY is what the linker says when
 * it is given too little.
 *
 * @param {string[]} args of the linker
 * @returns {Promise<string>} the flag that comes to the same as an INITIAL_HEAP of 0
 */
async function leastMemory(args) {
  const tooLittle = 2 * PAGE;
  const error = await emcc([...args, `-sINITIAL_MEMORY=${tooLittle}`], { timeout: TIMEOUT }).then(
    () => new Error(`a program that needs no more than ${tooLittle} bytes`),
    (error) => error,
  );
  const needed = /initial memory too small, (\d+) bytes needed/.exec(error.message);
  if (!needed) throw error;
  return `-sINITIAL_MEMORY=${Math.ceil(Number(needed[1]) / PAGE) * PAGE}`;
}

/** What is compiled for a program. Where its sources come from Debian, they are fetched first. */
async function unitsOf({ units, source }) {
  if (!source) return units;
  const folderOf = await ensureSources();
  return units(folderOf(source));
}

/**
 * Links a program with an allocator.
 *
 * @param {{ name: string, units: object[] | Function, source?: string, flags?: string[], link?: string[] }} program
 *   `units` and `source` as in workloads.mjs; `flags` are those of the compiler that all its units need
 * @param {string} subject an allocator, of ours also with options of the port, as in `bins:trace=1`;
 *   `floor:KIND`; OVERWRITING; or 'count', which counts what is requested
 * @param {'time' | 'share' | 'memory' | 'threads' | 'transfers' | 'worst'} kind what is to be measured
 * @returns {Promise<string>} the module, made for `import`; for 'share', program.map and program.mjs.symbols
 *   beside it say which function comes from where
 */
export async function link(program, subject, kind) {
  const probe = { source: path.join(BENCH, 'probe.c'), flags: program.flags };
  const own = await unitsOf(program);
  const units = [...own, probe];
  let allocator = flagsOf(subject);
  if (subject.startsWith('floor:')) {
    const floor = `-DFLOOR=${FLOORS.indexOf(subject.slice('floor:'.length)) + 1}`;
    units.push({ source: path.join(BENCH, 'small', 'floors.c'), flags: [floor, '-fno-builtin'] });
    allocator = ['-sMALLOC=emmalloc'];
  } else if (subject === 'count') {
    units.push({ source: path.join(BENCH, 'count.c') });
    allocator = ['-sMALLOC=dlmalloc'];
  } else if (subject === OVERWRITING) {
    units.push({ source: path.join(BENCH, 'overwriting.c') });
    allocator = [allocatorFlag('wasmalloc')];
  }
  const objects = await Promise.all(units.map(compile));
  const args = [...LINK, ...KINDS[kind], ...(program.link ?? [])];
  const { version } = findEmscripten();
  const instrumented = kind === 'transfers' ? fileDigest(INSTRUMENT) : '';
  const key = digest(
    version,
    args,
    subject,
    allocatorDigest(subject),
    instrumented,
    objects.map(relative),
  );
  const name = `${program.name}-${subject.replace(':', '-')}-${kind}-${key}`;
  const folder = await cached(name, async (scratch) => {
    const driver = own.some(({ source }) => /\.(cpp|cc)$/.test(source)) ? ['-lc++'] : [];
    const output = path.join(scratch, 'program.mjs');
    const all = [...args, ...allocator, ...objects, ...driver, '-o', output];
    if (kind === 'threads') all.push(await leastMemory(all));
    if (kind === 'share') all.push(`-Wl,-Map=${path.join(scratch, 'program.map')}`);
    await emcc(all, { timeout: TIMEOUT });
    if (kind === 'transfers') {
      const module = path.join(scratch, 'program.wasm');
      writeFileSync(module, instrument(readFileSync(module)));
    }
    if (kind !== 'worst') return;
    const [wasm, counted] = ['program.wasm', 'counted.wasm'].map((each) =>
      path.join(scratch, each),
    );
    await run(binaryenTool('wasm-opt'), [
      '--all-features',
      '--instrument-memory',
      wasm,
      '-o',
      counted,
    ]);
  });
  return path.join(folder, 'program.mjs');
}

const REPLAYER = path.join(PROJECT, 'js', 'replay.c');

/** A module that replays traces, of an object file and all else that the linker needs. */
async function linkReplayer(name, key, rest) {
  const replayer = await compile({ source: REPLAYER, flags: REPLAY_COMPILE.slice(1) });
  const { version } = findEmscripten();
  const all = [...REPLAY_LINK, ...rest];
  const whole = digest(version, REPLAY_LINK, key, relative(replayer));
  const folder = await cached(`replay-${name}-${whole}`, (scratch) =>
    emcc([replayer, ...all, '-o', path.join(scratch, 'replay.wasm')], { timeout: TIMEOUT }),
  );
  return WebAssembly.compile(readFileSync(path.join(folder, 'replay.wasm')));
}

/**
 * A module that replays traces with an allocator that dist/ has none for.
 *
 * @param {string} subject
 * @returns {Promise<WebAssembly.Module>}
 */
export function replayerFor(subject) {
  return linkReplayer(subject, allocatorDigest(subject), flagsOf(subject));
}

/**
 * A module that replays traces with one of our allocators and shows its heap as it is, without tidying up
 * (bench/row.c); otherwise as the one in dist/.
 *
 * @param {string} subject
 * @returns {Promise<WebAssembly.Module>}
 */
export async function rowReplayerFor(subject) {
  const { file } = ALLOCATORS.find(({ name }) => name === subject);
  const lib = path.join(PROJECT, 'lib');
  const inputs = filesOf(lib);
  const flags = ['-std=c11', '-DNDEBUG', '-w', `-I${lib}`];
  const objects = await Promise.all([
    compile({
      source: path.join(BENCH, 'row.c'),
      flags: [...flags, `-DWASMALLOC_ALLOCATOR="${file}"`],
      inputs,
    }),
    compile({ source: path.join(lib, 'memory_wasm.c'), flags, inputs }),
  ]);
  const key = objects.map(relative);
  return linkReplayer(`${subject}-row`, key, [...objects, '-sMALLOC=none']);
}

function relative(file) {
  return path.relative(PROJECT, file);
}

/**
 * Sizes of code, from the cache where nothing has changed.
 *
 * @param {string[]} subjects
 * @param {unknown} what is measured
 * @param {(names: string[]) => Promise<Record<string, number>>} measure
 * @returns {Promise<Record<string, number>>} by allocator
 */
export async function rememberedSizes(subjects, what, measure) {
  const { version } = findEmscripten();
  const measuring = fileDigest(path.join(PROJECT, 'scripts', 'size.mjs'));
  const files = new Map(
    subjects.map((subject) => {
      const key = digest(version, measuring, what, subject, allocatorDigest(subject));
      return [subject, path.join(CACHE, `size-${subject}-${key}.json`)];
    }),
  );
  const missing = subjects.filter((subject) => !existsSync(files.get(subject)));
  if (missing.length)
    for (const [subject, size] of Object.entries(await measure(missing)))
      writeWhole(files.get(subject), JSON.stringify(size));
  const read = (subject) => JSON.parse(readFileSync(files.get(subject), 'utf8'));
  return Object.fromEntries(subjects.map((subject) => [subject, read(subject)]));
}
