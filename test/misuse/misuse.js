// The corpus of programs that misuse the heap, and the attacker's fuzz, as a module: builds it with an allocator and
// runs it. For misuse.test.js and run.mjs.
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { BUILDS as OUR_BUILDS, PEERS, allocatorFlag } from '../../scripts/run.mjs';
import {
  emcc,
  languageFlags,
  programFile,
  project,
  queued,
  temporaryFolder,
} from '../support/emcc.js';

const COMPILE = ['-O2', '-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Werror'];

/** The compiler must not know what malloc and free are: it would leave out most of the corpus. */
const CORPUS = [...COMPILE, '-fno-builtin'];

const C = '-std=c11';

const here = (name) => path.join(import.meta.dirname, name);

/** The sources, and what each is compiled with. */
const SOURCES = [
  ...['misuse.c', 'free.c', 'overflow.c', 'after_free.c', 'at_exit.c', 'sound.c'].map((name) => [
    here(name),
    [...CORPUS, C],
  ]),
  [here('sized.cpp'), [...CORPUS, '-std=c++20']],
  [here('attack.c'), [...CORPUS, C, '-DTEST_OTHER_ALLOCATOR']],
  [path.join(project, 'test', 'c', 'model.c'), [...COMPILE, C]],
];

/** What the module exports of misuse.c. */
const EXPORTED = ['list', 'run', 'attack', 'exit', 'verdict', 'moment', 'is_late', 'explanation'];

const LINK = [
  '-O2',
  ...languageFlags(SOURCES.map(([source]) => source)),
  '-sMODULARIZE',
  '-sEXPORT_ES6',
  '-sENVIRONMENT=node,worker',
  '-sALLOW_MEMORY_GROWTH',
  '-sMAXIMUM_MEMORY=256MB',
  `-sEXPORTED_FUNCTIONS=${EXPORTED.map((name) => `_misuse_${name}`)}`,
  '-sEXPORTED_RUNTIME_METHODS=UTF8ToString',
  '--no-entry',
];

/**
 * A program that takes so long, in milliseconds of this process's processor time for each of the threads that share
 * it, does not end: the slowest need a twentieth of it.
 */
const PATIENCE = 5_000;

/** Milliseconds of processor time that this process has taken. */
function processorTime() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Calls a function when so much processor time has gone, however busy the machine is. Returns what calls it off. */
function afterProcessorTime(milliseconds, callback) {
  const end = processorTime() + milliseconds * availableParallelism();
  const timer = setInterval(() => {
    if (processorTime() < end) return;
    clearInterval(timer);
    callback();
  }, milliseconds / 5);
  return () => clearInterval(timer);
}

/** The build that does not exit unless it is told to. */
const EXITING = { name: 'hardened-exit', of: 'hardened', more: ['-sEXIT_RUNTIME'] };

/**
 * What the corpus is run with: a name, the linker's flags, whether it is ours, whether it promises to stop what
 * the corpus does, and whether it looks once more when the program ends.
 */
export const BUILDS = [
  { name: 'wasmalloc', ours: true },
  ...OUR_BUILDS.flatMap(({ name }) => (name === EXITING.of ? [{ name }, EXITING] : [{ name }])).map(
    (build) => ({ ...build, ours: true, promises: true, exits: build.name !== EXITING.of }),
  ),
  ...PEERS.map((name) => ({ name })),
].map(({ of, more = [], ...build }) => ({
  ...build,
  link: [allocatorFlag(of ?? build.name), ...more],
}));

/** When a program of a class is stopped at the latest, as misuse.h has it; the last is never. */
const MOMENTS = ['at once', 'at free', 'at reuse', 'at exit', 'never'];

/** The class that each of our builds has to bear. */
const CORRECT = 'correct programs';

let folder;
const objects = new Map();

/** Compiles a source, once for each set of flags. */
function compile(source, flags) {
  const key = [source, ...flags].join(' ');
  if (!objects.has(key)) {
    folder ??= temporaryFolder('wasmalloc-misuse-');
    const object = path.join(folder, `${objects.size}-${path.basename(source)}.o`);
    const job = () => emcc([...flags, '-c', source, '-o', object]);
    objects.set(
      key,
      queued(job).then(() => object),
    );
  }
  return objects.get(key);
}

/**
 * Links the corpus with a build's allocator.
 *
 * @param {{ name: string, link: string[], compile?: string[] }} build
 * @returns {Promise<{ file: string, module: WebAssembly.Module, exits: boolean }>} the JavaScript file, the
 *   module, and whether a program is to be ended when it has nothing more to do
 */
async function link({ name, link: flags, compile: more = [], exits = false }) {
  const inputs = await Promise.all(
    SOURCES.map(([source, own]) => compile(source, [...own, ...more])),
  );
  const file = programFile(folder, name.replaceAll(/\W+/g, '-'), 'mjs');
  await queued(() => emcc([...LINK, ...inputs, ...more, ...flags, '-o', file]));
  const module = await WebAssembly.compile(readFileSync(file.replace(/mjs$/, 'wasm')));
  return { file, module, exits };
}

/** The programs, as the module lists them. */
async function list({ file, module }) {
  const { default: create } = await import(pathToFileURL(file));
  const instance = await create({
    instantiateWasm(imports, receive) {
      receive(new WebAssembly.Instance(module, imports), module);
      return {};
    },
  });
  const lines = instance.UTF8ToString(Number(instance._misuse_list())).trimEnd().split('\n');
  const parts = (text) => text.split(',').filter((part) => part);
  return lines.map((line, number) => {
    const [name, kind, text, latest, words, sizes] = line.split('\t');
    return {
      number,
      name,
      class: kind,
      text,
      latest: MOMENTS[latest],
      words: parts(words),
      sizes: parts(sizes).map(Number),
    };
  });
}

/** Runs programs, one after the other, in a thread that is ended when one of them does not end by itself. */
async function runInThreads(linked, runs, onResult) {
  const results = [];
  while (results.length < runs.length) {
    const worker = new Worker(new URL('worker.js', import.meta.url), {
      workerData: { ...linked, runs: runs.slice(results.length) },
    });
    let cancel = () => {};
    await new Promise((resolve, reject) => {
      const take = (result) => {
        results.push(result);
        onResult();
        if (results.length === runs.length || result.outcome === 'hangs') return resolve();
        cancel();
        cancel = afterProcessorTime(PATIENCE, hang);
      };
      const hang = () =>
        take({ outcome: 'hangs', detail: `for ${PATIENCE / 1000} seconds`, late: false });
      cancel = afterProcessorTime(2 * PATIENCE, hang); // the thread has to start, too
      worker.on('message', take).on('error', reject);
    }).finally(() => {
      cancel();
      worker.removeAllListeners('message');
      return worker.terminate();
    });
  }
  return results;
}

/** So many programs a thread runs, that all processors have work until the end. */
const SHARE = 150;

/**
 * Builds the corpus and runs it.
 *
 * @param {{ builds?: object[], choose?: (program: object) => boolean, sizes?: number[],
 *   onProgress?: (fraction: number, what?: string) => void }} [options] all of {@link BUILDS}, all programs and all
 *   sizes unless told
 * @returns {Promise<{ programs: object[], results: Record<string, object[]> }>} the programs (`name`, `class`,
 *   `text`, when it is to be stopped at the `latest`, `words` that a stop may give as its reason, `sizes`), and by build a
 *   record for each run: `program` (its name), `size`, `outcome` ('stopped' | 'crashed' | 'exploited' | 'hangs' |
 *   'unnoticed'), the `word` of a hardened build's message, `when` it was stopped, `late` (that was too late), `detail`
 */
export async function runCorpus({
  builds = BUILDS,
  choose = () => true,
  sizes,
  onProgress = () => {},
} = {}) {
  let programs;
  let done = 0;
  const results = Object.fromEntries(builds.map(({ name }) => [name, []]));
  const runBuild = async (build) => {
    const linked = await link(build);
    programs ??= (await list(linked)).filter(choose);
    const runs = programs.flatMap((program) =>
      program.sizes
        .filter((size) => !sizes || sizes.includes(size))
        .map((size) => ({ program, size })),
    );
    const shares = [];
    for (let i = 0; i < runs.length; i += SHARE) shares.push(runs.slice(i, i + SHARE));
    const outcomes = await Promise.all(
      shares.map((share) => {
        const jobs = share.map(({ program: { number }, size }) => ['run', number, size]);
        const progress = () => onProgress(++done / (runs.length * builds.length), build.name);
        return queued(() => runInThreads(linked, jobs, progress));
      }),
    );
    results[build.name] = outcomes
      .flat()
      .map((outcome, i) => ({ program: runs[i].program.name, size: runs[i].size, ...outcome }));
  };
  await Promise.all(builds.map(runBuild));
  const impossible = Object.entries(results).flatMap(([build, all]) =>
    all.filter(({ outcome }) => outcome === 'impossible').map((run) => ({ build, ...run })),
  );
  for (const { build, program, size, detail } of impossible)
    throw new Error(`${build}: ${program} of ${size} bytes could not be set up: ${detail}`);
  return { programs, results };
}

/** So many rounds of the fuzz a thread plays. */
const ROUNDS = 1000;

/**
 * Plays rounds of the attacker's fuzz with a build, as attack() of attack.js does on the development machine.
 *
 * @param {{ rounds: number, seed?: number, build: object }} options
 * @returns {Promise<Record<string, number>>} how many rounds ended how: 'went on', or the fault that was named
 * @throws {Error} when a round ended in another way; the message has its seed
 */
export async function attackModule({ rounds, seed = 1, build }) {
  const linked = await link(build);
  const seeds = Array.from({ length: rounds }, (_, i) => seed + i);
  const shares = [];
  for (let i = 0; i < rounds; i += ROUNDS) shares.push(seeds.slice(i, i + ROUNDS));
  const play = (share) =>
    runInThreads(
      linked,
      share.map((each) => ['attack', each]),
      () => {},
    );
  const results = await Promise.all(shares.map((share) => queued(() => play(share))));
  const ends = {};
  for (const [i, { outcome, word, late, detail }] of results.flat().entries()) {
    const end = outcome === 'unnoticed' ? 'went on' : word;
    if (!end || (word && late))
      throw new Error(
        `seed ${seeds[i]}: ${outcome}${late ? ', though nobody attacked' : ''}: ${detail}`,
      );
    ends[end] = (ends[end] ?? 0) + 1;
  }
  return ends;
}

/**
 * Whether a program came to the end that it should have with a build that promises it: stopped in time for the right
 * reason, or by itself. Nothing is promised of what only a look at the program's end can find if there is none, and of
 * what nobody can find.
 */
export function isAsPromised({ words, latest }, { outcome, word, when, late }, { exits }) {
  if (words.length === 0) return outcome === 'unnoticed';
  if (latest === 'never' || (latest === 'at exit' && !exits)) return true;
  const inTime = !late && MOMENTS.indexOf(when) <= MOMENTS.indexOf(latest);
  return outcome === 'stopped' && inTime && words.some((each) => word?.startsWith(each));
}

/**
 * What our builds do not do though they should, one line each: those that promise it stop every misuse, and
 * correct programs run with all of them.
 *
 * @param {{ programs: object[], results: Record<string, object[]> }} corpus from {@link runCorpus}
 * @param {object[]} builds
 * @returns {string[]}
 */
export function brokenPromises({ programs, results }, builds) {
  const byName = new Map(programs.map((program) => [program.name, program]));
  return builds.flatMap(({ name, ours, promises, exits }) =>
    results[name]
      .filter((run) => {
        const program = byName.get(run.program);
        const counts = promises || (ours && program.class === CORRECT);
        return counts && !isAsPromised(program, run, { exits });
      })
      .map(({ program, size, outcome, when, late, detail }) => {
        const { words, latest } = byName.get(program);
        const wanted = words.length > 0 ? ` (expected ${latest}: ${words.join(' or ')})` : '';
        const how = `${outcome}${when ? ` ${when}` : ''}${late ? ', too late' : ''}: ${detail}${wanted}`;
        return `${name}: ${program} of ${size} bytes: ${how}`;
      }),
  );
}

/** What becomes of a program that is not stopped, in the order of the table. */
const REST = {
  exploited: 'went on, and blocks overlapped or data of the program changed',
  crashed: 'crashed later, for another reason',
  hangs: 'did not end',
  unnoticed: 'nobody noticed anything',
};

/** When runs are stopped, in the order of time: 'at free 3, never 1'. Without numbers if it is the same for all. */
function whenStopped(runs) {
  const counts = MOMENTS.map((moment) => [
    moment,
    runs.filter(({ outcome, when }) => (outcome === 'stopped' ? when : 'never') === moment).length,
  ]).filter(([, count]) => count > 0);
  return counts.length === 1
    ? counts[0][0]
    : counts.map(([moment, count]) => `${moment} ${count}`).join(', ');
}

/**
 * The tables of the page: when each build stops the programs of a class; how many of those that are not to be stopped
 * end as they should; and what becomes of the rest.
 *
 * @param {{ programs: object[], results: Record<string, object[]> }} corpus from {@link runCorpus}
 * @returns {{ head: string[], rows: string[][] }[]}
 */
export function summarize({ programs, results }) {
  const byName = new Map(programs.map((program) => [program.name, program]));
  const builds = Object.keys(results);
  const runsOf = (build, test) => results[build].filter((run) => test(byName.get(run.program)));
  const rowsOf = (isMisuse, cell) => {
    const chosen = programs.filter(({ words }) => words.length > 0 === isMisuse);
    return [...new Set(chosen.map(({ class: kind }) => kind))].map((kind) => {
      const all = builds.map((build) => runsOf(build, (program) => program.class === kind));
      const count = chosen.filter((program) => program.class === kind).length;
      return [kind, String(count), String(all[0].length), ...all.map(cell)];
    });
  };
  const head = ['programs', 'runs', ...builds];
  const misused = (build) => runsOf(build, ({ words }) => words.length > 0);
  const all = misused(builds[0]).length;
  const counts = (test) => builds.map((build) => `${misused(build).filter(test).length}`);
  const rest = Object.entries(REST).map(([outcome, text]) => [
    text,
    ...counts((run) => run.outcome === outcome),
  ]);
  return [
    { head: ['misuse is stopped', ...head], rows: rowsOf(true, whenStopped) },
    {
      head: ['ends as it should', ...head],
      rows: rowsOf(
        false,
        (runs) => `${runs.filter(({ outcome }) => outcome === 'unnoticed').length}`,
      ),
    },
    {
      head: [`of ${all} runs with misuse`, ...builds],
      rows: [['stopped', ...counts(({ outcome }) => outcome === 'stopped')], ...rest],
    },
  ];
}
