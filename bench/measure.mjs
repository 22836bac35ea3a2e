// Measures: times in interleaved rounds, memory, code size.
// Usage: import { measureTimes, measureMemory, measureSizes } from './measure.mjs';
import { flagsOf, link, queued, rememberedSizes } from './builds.mjs';
import { SMALL_PROGRAM, THREADED_PROGRAMS } from './workloads.mjs';
import { codeSizes } from '../scripts/size.mjs';

/** A small workload that takes longer than this, in milliseconds, is ended. */
const TIME_LIMIT = 400;

/** A program that takes longer than this is too slow. dlmalloc needs half a second to two. */
const PROGRAM_LIMIT = 8000;

/** A program with threads has a limit of its own, and says so when it is stuck. */
const THREADS_LIMIT = 30_000;

/** The same for memory, where several run at a time. */
const MEMORY_LIMIT = 20_000;

/** Threads that take turns, several such runs at a time. */
const COUNTING_LIMIT = 120_000;

/** To know that an allocator is slow needs no precision: rounds for a workload that was ended, or that
 * takes more than so many times the reference's time. */
const ROUNDS_WHEN_SLOW = 2;
const SLOW = 4;

/** MiB of memory that are touched before the clock starts: more than anyone needs (mimalloc reserves
 * 64 to begin with), and for 1_minimal as much as there can well be. */
const TOUCHED = { usual: 112, large: 256, minimal: 512 };
const LARGE_WORKLOADS = ['huge', 'calloc8m'];

/** More threads than this have more blocks at a time than the usual memory has room for. */
const FEW_THREADS = 4;

function touchedFor({ name, threads = 1 }, subject, scale) {
  if (subject === 'minimal') return Math.max(TOUCHED.minimal * scale, TOUCHED.large);
  const isLarge = LARGE_WORKLOADS.includes(name) || threads > FEW_THREADS;
  return isLarge ? TOUCHED.large : TOUCHED.usual;
}

/**
 * What is to be measured.
 *
 * @typedef {object} Selection
 * @property {object[]} workloads of workloads.mjs
 * @property {string[]} subjects names of allocators
 * @property {number} scale the part of each small workload's passes that is run
 * @property {string} [reference] whose time says what is slow: dlmalloc's unless told
 */

export function moduleFor(workload, subject, kind) {
  const { group, threads } = workload;
  const program =
    group === 'small'
      ? SMALL_PROGRAM
      : group === 'threads'
        ? THREADED_PROGRAMS[kind === 'transfers' ? 'counted' : threads ? 'threads' : 'single']
        : workload;
  const variant = kind === 'memory' && group === 'threads' ? 'threads' : kind;
  return link(program, subject === 'floor' ? `floor:${workload.floor}` : subject, variant);
}

/** Links all that will be needed, a few at a time. */
export async function prepare({ workloads, subjects }, kind, progress) {
  const links = workloads.flatMap((workload) => {
    const counts = kind === 'memory' && workload.group !== 'threads';
    const more = counts ? ['count'] : workload.floor ? ['floor'] : [];
    return [...subjects, ...more].map((subject) => [workload, subject]);
  });
  let done = 0;
  await Promise.all(
    links.map(async ([workload, subject]) => {
      await moduleFor(workload, subject, kind);
      progress(++done / links.length, `linking ${workload.name} with ${subject}`);
    }),
  );
}

/**
 * The order of what is measured in rounds: each round runs everything with every allocator, the allocators one
 * after the other, so that all meet the same moods of the machine.
 *
 * @template T
 * @param {number} rounds
 * @param {T[]} plan what a round runs
 * @param {(item: T) => string[]} subjectsOf with which allocators
 * @returns {Generator<{ round: number, item: T, subject: string }>}
 */
export function* interleaved(rounds, plan, subjectsOf) {
  for (let round = 0; round < rounds; ++round)
    for (const item of plan) {
      const subjects = subjectsOf(item);
      // Nobody always comes first.
      const first = round % subjects.length;
      for (const subject of [...subjects.slice(first), ...subjects.slice(0, first)])
        yield { round, item, subject };
    }
}

/**
 * Times, in rounds: every workload with every allocator, in every tier of every engine.
 *
 * @param {Selection} selection
 * @param {{ engines: object[], rounds: number, tiersOf: (engine: object, workload: object) =>
 *   string[], progress: Function }} options
 * @returns {Promise<Record<string, Record<string, Record<string, object>>>>} by 'ENGINE TIER', or
 *   'ENGINE VARIANT' where workloads have variants, workload and allocator: `{ rounds, ended?, failed? }`, in nanoseconds per operation for small
 *   workloads and in milliseconds for programs
 */
export async function measureTimes(selection, { engines, rounds, tiersOf, progress }) {
  const { reference = 'dlmalloc' } = selection;
  const times = {};
  const outputs = {};
  const plan = [];
  for (const engine of engines)
    for (const workload of selection.workloads)
      for (const tier of tiersOf(engine, workload)) plan.push({ engine, tier, workload });
  const jobs = rounds * plan.length * (selection.subjects.length + 1);
  let done = 0;
  const subjectsOf = ({ workload }) => [
    ...selection.subjects,
    ...(workload.floor ? ['floor'] : []),
  ];
  for (const { round, item, subject } of interleaved(rounds, plan, subjectsOf)) {
    const { engine, tier, workload } = item;
    const config = `${engine.name} ${workload.variant ?? tier}`;
    const results = ((times[config] ??= {})[workload.name] ??= {});
    progress(done++ / jobs, `round ${round + 1}: ${config}, ${workload.name}, ${subject}`);
    const result = (results[subject] ??= { rounds: [] });
    // Who is too slow in one engine is in the others.
    result.failed ??= Object.values(times).some(
      (other) => other[workload.name]?.[subject]?.failed === 'too slow',
    )
      ? 'too slow'
      : undefined;
    if (
      result.failed ||
      (round >= ROUNDS_WHEN_SLOW && isSlow(workload, result, results[reference]))
    )
      continue;
    const module = await moduleFor(workload, subject, 'time');
    const job = timeJob(selection, workload, subject);
    const limit = workload.group === 'threads' ? THREADS_LIMIT : PROGRAM_LIMIT;
    const measured = await engine.run(tier, module, job, limit);
    if (measured.failed) result.failed = measured.failed;
    else result.rounds.push(measured.time);
    if (measured.ended) result.ended = measured.ended;
    if (measured.output !== undefined) {
      outputs[workload.name] ??= measured.output;
      if (outputs[workload.name] !== measured.output)
        throw new Error(`${workload.title} gives another output with ${subject} (${config})`);
    }
  }
  return times;
}

/** With threads, those that are ended are not always slower than the reference. */
function isSlow({ group }, { ended, rounds }, reference) {
  if (ended === 'time' && group !== 'threads') return true;
  return Math.min(...rounds) > SLOW * Math.min(...reference.rounds);
}

/** What an engine is asked to run for a time. */
export function timeJob({ scale }, workload, subject) {
  const { group, name, args, threads } = workload;
  if (group === 'programs') return { kind: 'time', group, name, args };
  const cycle = workload.cycle ?? 1;
  const passes = Math.max(Math.round((workload.passes * scale) / cycle), 1) * cycle;
  const touch = touchedFor(workload, subject, scale);
  return { kind: 'time', group, name, threads, passes, touch, limit: TIME_LIMIT };
}

/**
 * Memory with exact growth. Nothing of it depends on the machine, so one run is enough.
 *
 * @param {Selection} selection
 * @param {{ engine: object, limit?: number, tooSlow?: (workload: object, subject: string) => boolean,
 *   progress: Function }} options after `limit` milliseconds an allocator is too slow; for whom `tooSlow` says so it is
 *   not tried
 * @returns {Promise<Record<string, Record<string, object>>>} by workload and allocator: `linear` and
 *   `heap`, the peaks in bytes of linear memory (the workload's own tables not counted) and of what
 *   the allocator took, `lost`, the bytes of heap beyond the peak of what was requested, and `grows`,
 *   the number of memory.grow calls; or `failed`
 */
export async function measureMemory(
  { workloads, subjects },
  { engine, limit = MEMORY_LIMIT, tooSlow = () => false, progress },
) {
  const memory = {};
  let done = 0;
  const total = workloads.length * subjects.length;
  const measureOne = async (workload, subject) => {
    const { group, name, args } = workload;
    const job = { kind: 'memory', group, name, args, passes: workload.memoryPasses };
    const result = tooSlow(workload, subject)
      ? { failed: 'too slow' }
      : await moduleFor(workload, subject, 'memory').then((module) =>
          queued(() => engine.run('default', module, job, limit)),
        );
    progress(Math.min(++done / total, 0.99), `${name}, ${subject}`);
    return result;
  };
  await Promise.all(
    workloads.map(async (workload) => {
      const { name, title } = workload;
      const results = (memory[name] = {});
      const [{ live, output }, ...measurements] = await Promise.all(
        ['count', ...subjects].map((subject) => measureOne(workload, subject)),
      );
      for (const [i, subject] of subjects.entries()) {
        const { failed, linear, heap, grows, result, output: ownOutput } = measurements[i];
        if (!failed && ownOutput !== output)
          throw new Error(`${title} gives another output with ${subject}`);
        results[subject] = failed ? { failed } : { linear, heap, lost: heap - live, grows };
        if (result !== undefined && name === 'in_place') results[subject].moved = result;
      }
    }),
  );
  return memory;
}

/** So much less work than for a time is counted: some ten thousand operations. */
const COUNTED_PART = 1 / 30;

/**
 * What the threads of workloads cost each other. It is the same in every run, and so one is enough.
 *
 * @param {Selection} selection
 * @param {{ engine: object, progress: Function }} options
 * @returns {Promise<Record<string, Record<string, Record<string, object>>>>} by variant, workload and
 *   allocator: `operations`, and what was counted in them (bench/runner.mjs); or `failed`
 */
export async function measureTransfers({ workloads, subjects }, { engine, progress }) {
  const transfers = {};
  const total = workloads.length * subjects.length;
  let done = 0;
  const measureOne = async (workload, subject) => {
    const { group, name, threads, variant } = workload;
    const passes = Math.ceil(workload.passes * COUNTED_PART);
    const touch = touchedFor(workload, subject, COUNTED_PART);
    const job = { kind: 'transfers', group, name, threads, passes, touch };
    const module = await moduleFor(workload, subject, 'transfers');
    const result = await queued(() => engine.run('default', module, job, COUNTING_LIMIT));
    progress(Math.min(++done / total, 0.99), `${name}, ${variant}, ${subject}`);
    ((transfers[variant] ??= {})[name] ??= {})[subject] = result;
  };
  await Promise.all(
    workloads.flatMap((workload) => subjects.map((subject) => measureOne(workload, subject))),
  );
  return transfers;
}

const USES = {
  'malloc and free': ['sink = malloc((size_t)argc * 10);', 'free(sink);'],
  'with calloc and realloc': [
    'sink = malloc((size_t)argc * 10);',
    'sink = calloc((size_t)argc, 8);',
    'sink = realloc(sink, (size_t)argc * 100);',
    'free(sink);',
  ],
  'with calloc, realloc and memalign': [
    'sink = malloc((size_t)argc * 10);',
    'sink = calloc((size_t)argc, 8);',
    'sink = realloc(sink, (size_t)argc * 100);',
    'free(sink);',
    'sink = memalign(64, (size_t)argc * 100);',
  ],
};

/**
 * The memory of workloads with threads. What threads do at the same time is not always the same: of
 * several runs the largest counts.
 *
 * @param {Selection} selection
 * @param {{ engine: object, rounds: number, progress: Function }} options
 * @returns {Promise<Record<string, Record<string, Record<string, object>>>>} by variant, workload and
 *   allocator: `linear`, the peak in bytes of linear memory, or `failed`
 */
export async function measureThreadMemory({ workloads, subjects }, { engine, rounds, progress }) {
  const memory = {};
  const total = workloads.length * subjects.length * rounds;
  let done = 0;
  const measureOne = async (workload, subject) => {
    const { group, name, threads, memoryPasses: passes } = workload;
    const job = { kind: 'memory', group, name, threads, passes, limit: MEMORY_LIMIT / 2 };
    const module = await moduleFor(workload, subject, 'memory');
    const result = {};
    for (let round = 0; round < rounds && !result.failed; ++round) {
      const { linear, failed } = await queued(() =>
        engine.run('default', module, job, MEMORY_LIMIT),
      );
      progress(Math.min(++done / total, 0.99), `${name}, ${workload.variant}, ${subject}`);
      if (failed) result.failed = failed;
      else result.linear = Math.max(result.linear ?? 0, linear);
    }
    ((memory[workload.variant] ??= {})[name] ??= {})[subject] = result;
  };
  await Promise.all(
    workloads.flatMap((workload) => subjects.map((subject) => measureOne(workload, subject))),
  );
  return memory;
}

/**
 * The bytes of code that each allocator adds to a program.
 *
 * @param {string[]} subjects
 * @param {Function} progress
 * @param {{ uses?: string[], levels?: string[], more?: string[] }} [options] what the program calls, optimization
 *   levels, and more flags, such as '-pthread'
 * @returns {Promise<Record<string, Record<string, Record<string, number>>>>} by what the program
 *   calls, optimization level and allocator
 */
export async function measureSizes(subjects, progress, options = {}) {
  const { uses = Object.keys(USES), levels = ['-O2', '-Oz'], more = [] } = options;
  const sizes = {};
  let done = 0;
  const jobs = uses.flatMap((use) => levels.map((level) => [use, level]));
  for (const use of uses) sizes[use] = Object.fromEntries(levels.map((level) => [level, {}]));
  await Promise.all(
    jobs.map(([use, optimization]) =>
      queued(async () => {
        progress(done / jobs.length, `${use}, ${optimization}`);
        const program = `#include <malloc.h>
#include <stdlib.h>
void *volatile sink;
int main(int argc, char **argv) {
  ${USES[use].join('\n  ')}
  return 0;
}
`;
        // The program that it is compared with has no memalign: let that be a trap too.
        const flags = use.includes('memalign') ? ['-Wl,--unresolved-symbols=ignore-all'] : [];
        flags.push(...more);
        const measure = (names) => codeSizes({ names, optimization, flags, program, flagsOf });
        sizes[use][optimization] = await rememberedSizes(
          subjects,
          [optimization, program, ...more],
          measure,
        );
        ++done;
      }),
    ),
  );
  return sizes;
}
