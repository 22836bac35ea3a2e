// Heaps whose words are overwritten at random: nothing that is called then may go on for ever.
// Usage: import { BUILDS, breakHeaps } from './broken.js';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import {
  ALLOCATORS,
  BUILDS as OTHERS,
  allocatorFlag,
  emcc,
  programFile,
} from '../../scripts/run.mjs';

const HERE = import.meta.dirname;

const SOURCES = [path.join(HERE, 'heap.c'), path.join(HERE, '..', 'c', 'model.c')];

const LINK = [
  ...['-O1', '--no-entry', '-sMODULARIZE', '-sEXPORT_ES6', '-sENVIRONMENT=node,worker'],
  ...[
    '-sALLOW_MEMORY_GROWTH',
    '-sINITIAL_MEMORY=2MB',
    '-sMAXIMUM_MEMORY=64MB',
    '-sABORTING_MALLOC=0',
  ],
  ...['-sGROWABLE_ARRAYBUFFERS=0', '-sEXPORTED_RUNTIME_METHODS=stackSave,stackRestore,HEAPU8'],
];

/** What is broken: each allocator as it is, for programs with threads, and for size; the hardened and debug builds. */
export const BUILDS = [
  ...ALLOCATORS.flatMap(({ name }) => [
    { name, allocator: name, flags: [] },
    { name: `${name}, threads`, allocator: name, flags: ['-pthread', '-Wno-pthreads-mem-growth'] },
    { name: `${name}, -Oz`, allocator: name, flags: ['-Oz'] },
  ]),
  ...OTHERS.flatMap(({ name }) => [
    { name, allocator: name, flags: [] },
    { name: `${name}, threads`, allocator: name, flags: ['-pthread', '-Wno-pthreads-mem-growth'] },
  ]),
];

/**
 * Where the allocator's variables are, by the linker's map. Not the lock: whoever waits for it waits for another
 * thread, which will leave it.
 */
function findVariables(map) {
  const places = [];
  for (const line of readFileSync(map, 'utf8').split('\n')) {
    const [, address, size, name] =
      /^ *(\w+) +\w+ +(\w+) .*libwasmalloc-.*\(\.(?:bss|data)\.([\w.]+)\)$/.exec(line) ?? [];
    if (name && name !== 'heap_lock_state')
      places.push({ address: Number.parseInt(address, 16), size: Number.parseInt(size, 16), name });
  }
  return places;
}

/** Links the program. Returns its path and where the allocator's variables are. */
async function build({ name, allocator, flags }, folder) {
  const program = programFile(folder, name.replaceAll(/\W+/g, '-'), 'mjs');
  const map = `${program}.map`;
  await emcc([
    ...SOURCES,
    ...LINK,
    ...flags,
    `-Wl,-Map=${map}`,
    allocatorFlag(allocator),
    '-o',
    program,
  ]);
  if (!existsSync(map)) throw new Error(`the linker has written no map ${map}`);
  const places = findVariables(map);
  if (!places.some((place) => /^(heap|program_break)/.test(place.name)))
    throw new Error(`the linker's map ${map} names no variable of the allocator`);
  return { program, places };
}

/** A case takes some milliseconds at most, or a second where gigabytes are asked for. It hangs if this process has been
 * at work for so many microseconds meanwhile: processor time, for the machine may be busy. */
const MOST_WORK = 60_000_000;

/** How often that is looked at, in milliseconds. */
const LOOK = 500;

/** So many cases a thread tries: what is shared between threads is not freed as long as one may still use it, and a
 * module that has grown is replaced. */
const SHARE = 2000;

/**
 * Breaks many heaps of a build.
 *
 * @param {{ name: string, allocator: string, flags: string[] }} which of {@link BUILDS}
 * @param {{ folder: string, cases: number, from?: number, seed?: number }} options `folder` for the program; the
 *   cases have the numbers from `from` on, and with `seed` each stands for the same calls every time
 * @returns {Promise<{ answered: number, trapped: number }>} how many cases ended how
 * @throws {Error} that names the case that does not end
 */
export async function breakHeaps(which, { folder, cases, from = 0, seed = 1 }) {
  const built = await build(which, folder);
  const counts = { answered: 0, trapped: 0 };
  for (let done = 0; done < cases; done += SHARE) {
    const share = { from: from + done, cases: Math.min(SHARE, cases - done), seed };
    const { answered, trapped } = await breakInThread(which, { ...built, ...share });
    counts.answered += answered;
    counts.trapped += trapped;
  }
  return counts;
}

/** {@link breakHeaps} in a thread that can be ended. */
function breakInThread(which, data) {
  const progress = new SharedArrayBuffer(4);
  const counter = new Int32Array(progress);
  const worker = new Worker(path.join(HERE, 'worker.js'), { workerData: { ...data, progress } });
  let last;
  let worked = 0;
  return new Promise((resolve, reject) => {
    const fail = (what) => {
      const number = Atomics.load(counter, 0);
      const again = `node test/broken/run.mjs --build '${which.name}' --from ${number} --cases 1 --seed ${data.seed}`;
      reject(new Error(`${which.name}: case ${number} of seed ${data.seed} ${what}: ${again}`));
    };
    const watch = setInterval(() => {
      const { user, system } = process.cpuUsage();
      const number = Atomics.load(counter, 0);
      if (number !== last) [last, worked] = [number, user + system];
      else if (user + system - worked > MOST_WORK) fail('does not end');
    }, LOOK);
    worker.on('message', resolve).on('error', (error) => fail(`throws ${error.stack}`));
    worker.on('exit', () => clearInterval(watch));
  }).finally(() => worker.terminate());
}
