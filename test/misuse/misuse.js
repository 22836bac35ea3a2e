// The corpus of programs that misuse the heap, and the attacker's fuzz, as a module: builds it with an allocator and
// runs it. For misuse.test.js and run.mjs.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { BUILDS as OUR_BUILDS, PEERS, allocatorFlag } from '../../scripts/run.mjs';
import { emcc, languageFlags, project, queued, temporaryFolder } from '../support/emcc.js';

const COMPILE = [
  ...['-O2', '-std=c11'],
  ...['-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Werror'],
];

/** The compiler must not know what malloc and free are: it would leave out most of the corpus. */
const CORPUS = [...COMPILE, '-fno-builtin'];

const here = (name) => path.join(import.meta.dirname, name);

/** The sources, and what each is compiled with. */
const SOURCES = [
  ...['misuse.c', 'free.c', 'overflow.c', 'after_free.c', 'sound.c'].map((name) => [
    here(name),
    CORPUS,
  ]),
  [here('attack.c'), [...CORPUS, '-DTEST_OTHER_ALLOCATOR']],
  [path.join(project, 'test', 'c', 'model.c'), COMPILE],
];

/** What the module exports of misuse.c. */
const EXPORTED = ['list', 'run', 'attack', 'verdict', 'is_late', 'explanation'];

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

/** A program that takes so long, in milliseconds, does not end: an idle machine needs a quarter of a second. */
const PATIENCE = 60_000;

/**
 * What the corpus is run with: a name, the linker's flags, whether it is ours, and whether it promises to stop all
 * that the corpus does.
 */
export const BUILDS = [
  { name: 'wasmalloc', ours: true },
  ...OUR_BUILDS.map(({ name }) => ({ name, ours: true, promises: true })),
  ...PEERS.map((name) => ({ name })),
].map((build) => ({ ...build, link: [allocatorFlag(build.name)] }));

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
 * @returns {Promise<{ file: string, module: WebAssembly.Module }>} the JavaScript file, and the module
 */
async function link({ name, link: flags, compile: more = [] }) {
  const inputs = await Promise.all(
    SOURCES.map(([source, own]) => compile(source, [...own, ...more])),
  );
  const file = path.join(folder, `${name.replaceAll(/\W+/g, '-')}.mjs`);
  await queued(() => emcc([...LINK, ...inputs, ...more, ...flags, '-o', file]));
  return { file, module: await WebAssembly.compile(readFileSync(file.replace(/mjs$/, 'wasm'))) };
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
    const [name, kind, text, words, sizes] = line.split('\t');
    return {
      number,
      name,
      class: kind,
      text,
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
    let alarm;
    await new Promise((resolve, reject) => {
      const take = (result) => {
        results.push(result);
        onResult();
        if (results.length === runs.length || result.outcome === 'hangs') return resolve();
        clearTimeout(alarm);
        alarm = setTimeout(hang, PATIENCE);
      };
      const hang = () =>
        take({ outcome: 'hangs', detail: `for ${PATIENCE / 1000} seconds`, late: false });
      alarm = setTimeout(hang, 5 * PATIENCE); // the thread has to start, too
      worker.on('message', take).on('error', reject);
    }).finally(() => {
      clearTimeout(alarm);
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
 *   `text`, `words` that a stop may give as its reason, `sizes`), and by build a record for each run: `program`
 *   (its name), `size`, `outcome` ('stopped' | 'crashed' | 'exploited' | 'hangs' | 'unnoticed'), the `word`
 *   of a hardened build's message, `late` (the misuse had been done before it was stopped), `detail`
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

/** Whether a program came to the end that it should have: stopped in time for the right reason, or by itself. */
export function isAsPromised({ words }, { outcome, word, late }) {
  if (words.length === 0) return outcome === 'unnoticed';
  return outcome === 'stopped' && !late && words.some((each) => word?.startsWith(each));
}

/** Whether a program was stopped, for whatever reason, or came to its end if it is correct. */
function isGood({ words }, { outcome }) {
  return outcome === (words.length === 0 ? 'unnoticed' : 'stopped');
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
  return builds.flatMap(({ name, ours, promises }) =>
    results[name]
      .filter((run) => {
        const program = byName.get(run.program);
        return (promises || (ours && program.class === CORRECT)) && !isAsPromised(program, run);
      })
      .map(({ program, size, outcome, late, detail }) => {
        const { words } = byName.get(program);
        const wanted = words.length > 0 ? ` (expected: ${words.join(' or ')})` : '';
        const how = `${outcome}${late ? ' too late' : ''}: ${detail}${wanted}`;
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

/**
 * The two tables of the page: what each build stops, by class, and what becomes of the rest.
 *
 * @param {{ programs: object[], results: Record<string, object[]> }} corpus from {@link runCorpus}
 * @returns {{ head: string[], rows: string[][] }[]}
 */
export function summarize({ programs, results }) {
  const byName = new Map(programs.map((program) => [program.name, program]));
  const builds = Object.keys(results);
  const runsOf = (build, test) => results[build].filter((run) => test(byName.get(run.program)));
  const rows = [...new Set(programs.map(({ class: kind }) => kind))].map((kind) => {
    const counts = builds.map((build) => {
      const runs = runsOf(build, (program) => program.class === kind);
      return { good: runs.filter((run) => isGood(byName.get(run.program), run)).length, of: runs };
    });
    const count = programs.filter((program) => program.class === kind).length;
    return [
      kind,
      String(count),
      String(counts[0].of.length),
      ...counts.map(({ good }) => `${good}`),
    ];
  });
  const misused = (build) => runsOf(build, ({ words }) => words.length > 0);
  const all = misused(builds[0]).length;
  const rest = Object.entries(REST).map(([outcome, text]) => [
    text,
    ...builds.map((build) => `${misused(build).filter((run) => run.outcome === outcome).length}`),
  ]);
  const stopped = builds.map(
    (build) => `${misused(build).filter(({ outcome }) => outcome === 'stopped').length}`,
  );
  return [
    { head: ['class', 'programs', 'runs', ...builds], rows },
    { head: [`of ${all} runs`, ...builds], rows: [['stopped', ...stopped], ...rest] },
  ];
}
