#!/usr/bin/env node
// Measures the allocators in programs with threads: time, memory, code size, and how often threads have to wait for each
// other's cache lines and for a lock; prints tables and bars, writes JSON.
// Usage: node bench/threads.mjs [--quick] [--only NAME,…] [--threads N,…] [--allocators NAME,…] [--with NAME='FLAGS'] [--save] [--help]
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';
import { PROJECT, ensureEmscripten } from '../scripts/emscripten.mjs';
import { SUBJECTS, completeOthers } from './builds.mjs';
import { findEngines } from './engines.mjs';
import {
  measureSizes,
  measureThreadMemory,
  measureTimes,
  measureTransfers,
  moduleFor,
  prepare,
} from './measure.mjs';
import { progressBar } from '../js/progress.js';
import { REFERENCE } from './report.mjs';
import { UsageError, WITH_HELP, WITH_OPTION, chooseSubjects, exitCodeOf } from './options.mjs';
import { names, positive } from './options.mjs';
import { list, step, versions, writeResults } from './run.mjs';
import { threadReport, variantName } from './threads-report.mjs';
import { PARTS, THREADED, THREADED_PROGRAMS } from './workloads.mjs';

/** The stored reference run. */
export const STORED_THREADS = path.join(PROJECT, 'bench', 'threads.json');

/** What can be stored alone: it does not depend on the machine. */
const STORED_PART = 'transfers';

/** Where a run's results go unless told. */
const LATEST = path.join(PROJECT, '.cache', 'bench-threads.json');

/** As many as bench/threads/threads.h has room for. */
const MOST_THREADS = 64;

const KINDS = ['time', 'memory', 'size', 'transfers'];
const WORKLOADS = THREADED.map(({ name }) => name);

/** Numbers of threads: as many as processors, and more; in a quick run two of them. */
const THREADS = [1, 2, 4, 8, 16];
const QUICK_THREADS = [2, 4];

/** What a quick run measures unless told: the reference, the best peer, and two of ours. */
const QUICK_SUBJECTS = ['bins', 'wasmalloc', 'dlmalloc', 'mimalloc'];

/** Transfers are counted with so many threads at the most: as many as bench/threads/transfers.c has room for. */
const MOST_COUNTED = 31;

/** Memory is measured with so many threads at the most: beyond it is that of the threads' own blocks, so many times. */
const MEMORY_THREADS = 2;

/** Memory depends a little on which thread comes first: so many runs. */
const MEMORY_ROUNDS = 5;

/** After so many threads started and joined in turn, memory must not grow any more. */
const SETTLED = 1000;

const HELP = `Usage: npm run bench:threads [-- OPTIONS]

Measures the allocators in programs with threads (-pthread): time in V8's optimizing tier, peak
memory, code size, and what a build with threads costs a program with one; counts transfers of cache
lines and takings of locks, which are the same on every machine; prints tables and which bars are
passed. Takes about an hour.

  --quick             within three minutes: ${QUICK_THREADS.join(' and ')} threads, one round, fewer operations, and unless
                      told ${QUICK_SUBJECTS.join(', ')}
  --rounds N          7 unless told
  --threads N,…       numbers of threads, ${THREADS.join(',')} unless told; all threads of a run share the same work
  --only NAME,…       which workloads: tune or judge (a part of them), or by name
                        ${PARTS.map((part) => `${part}: ${list(partsOf(part))}`).join('\n                        ')}
                      and what to measure: time, memory, size (code), transfers (and locks)
  --allocators NAME,… only these, and ${REFERENCE}, which all are compared with
                        ${SUBJECTS.join(' ')}
${WITH_HELP}
  --engines NAME,…    of node, node22, node24; node unless told
  --output FILE       writes the results there (unless told: ${path.relative(PROJECT, LATEST)})
  --save              writes them to bench/threads.json, the stored reference; with --only transfers that
                      part of it
  --churn N           instead of all that, starts and joins N threads in turn, with --allocators or
                      wasmalloc, and fails when memory grows after the first ${SETTLED.toLocaleString('en')}
  --help              this text`;

const OPTIONS = {
  quick: { type: 'boolean', default: false },
  rounds: { type: 'string' },
  threads: { type: 'string' },
  only: { type: 'string' },
  allocators: { type: 'string' },
  with: WITH_OPTION,
  engines: { type: 'string', default: 'node' },
  output: { type: 'string' },
  save: { type: 'boolean', default: false },
  churn: { type: 'string' },
  help: { type: 'boolean', default: false },
};

function partsOf(part) {
  return THREADED.filter((workload) => workload.part === part);
}

function threadCounts({ threads, quick }) {
  const counts =
    threads?.split(',').map((each) => positive(each, '--threads')) ??
    (quick ? QUICK_THREADS : THREADS);
  if (Math.max(...counts) > MOST_THREADS)
    throw new UsageError(`--threads wants no more than ${MOST_THREADS}`);
  return [...new Set(counts)].sort((a, b) => a - b);
}

/** Workloads with different numbers of threads; for 1 also without any, where that is possible. */
export function variantsOf(workloads, counts) {
  return workloads.flatMap((workload) =>
    [...(workload.own && counts.includes(1) ? [0] : []), ...counts].map((threads) => ({
      ...workload,
      threads,
      variant: variantName(threads),
    })),
  );
}

function isComplete(values) {
  const { only, allocators, threads, quick } = values;
  return !only && !allocators && !threads && !quick && values.with.length === 0;
}

/** The stored reference run. */
export function readThreadReference() {
  return JSON.parse(readFileSync(STORED_THREADS, 'utf8'));
}

/** Measures. Returns what is stored as JSON. */
async function measure(values) {
  const only = names(
    values.only ?? '',
    [...PARTS, ...WORKLOADS, ...KINDS],
    'workload or measurement',
  );
  const chosen = THREADED.filter(({ name, part }) => only.includes(name) || only.includes(part));
  const asked = only.filter((name) => KINDS.includes(name));
  // Who names workloads does not ask for the size of code.
  const usual = chosen.length ? KINDS.filter((kind) => kind !== 'size') : KINDS;
  const kinds = asked.length ? asked : usual;
  const { subjects } = chooseSubjects(values, {
    usual: values.quick ? QUICK_SUBJECTS : SUBJECTS,
    known: () => SUBJECTS,
  });
  const rounds = positive(values.rounds ?? (values.quick ? '1' : '7'), '--rounds');
  const threads = threadCounts(values);

  const emscripten = await ensureEmscripten();
  await completeOthers(THREADED_PROGRAMS.threads.flags);
  const engines = await findEngines(values.engines.split(','));
  if (engines.length === 0) throw new UsageError('there is no engine to measure with');
  const workloads = chosen.length ? chosen : THREADED;
  const timed = {
    workloads: variantsOf(workloads, threads),
    subjects,
    scale: values.quick ? 0.5 : 1,
  };
  const filled = {
    ...timed,
    workloads: timed.workloads.filter(({ threads }) => threads && threads <= MEMORY_THREADS),
  };
  const counted = {
    ...timed,
    workloads: timed.workloads.filter(({ threads }) => threads > 1 && threads <= MOST_COUNTED),
  };
  const data = {
    date: new Date().toISOString().slice(0, 10),
    quick: values.quick,
    rounds,
    complete: isComplete(values),
    versions: versions(emscripten, engines),
    subjects,
    threads,
  };
  try {
    await step('building', async (progress) => {
      if (kinds.includes('time')) await prepare(timed, 'time', progress);
      if (kinds.includes('memory')) await prepare(filled, 'memory', progress);
      if (kinds.includes('transfers')) await prepare(counted, 'transfers', progress);
    });
    if (kinds.includes('size'))
      data.sizes = await step('code size', (progress) =>
        measureSizes(subjects, progress, { uses: ['with calloc and realloc'], more: ['-pthread'] }),
      );
    if (kinds.includes('memory'))
      data.memory = await step('memory', (progress) =>
        measureThreadMemory(filled, {
          engine: engines[0],
          rounds: values.quick ? 1 : MEMORY_ROUNDS,
          progress,
        }),
      );
    if (kinds.includes('transfers'))
      data.transfers = await step('transfers', (progress) =>
        measureTransfers(counted, { engine: engines[0], progress }),
      );
    if (kinds.includes('time'))
      data.times = await step('times', (progress) =>
        measureTimes(timed, { engines, rounds, progress, tiersOf: () => ['optimizing'] }),
      );
  } finally {
    for (const engine of engines) await engine.close();
  }
  return data;
}

/**
 * Starts and joins threads in turn. Each frees what the one before has left, allocates, frees, and
 * leaves something to the next.
 *
 * @returns {Promise<string>} what is wrong, or ''
 */
async function churn(subject, total) {
  const workload = { group: 'threads', name: 'thread-churn', threads: 1 };
  const file = await moduleFor(workload, subject, 'memory');
  const { default: factory } = await import(pathToFileURL(file).href);
  const module = await factory({ threads: 1 });
  const progress = progressBar(subject);
  const start = performance.now();
  let settled;
  let done = 0;
  while (done < total) {
    const lives = Math.min(SETTLED, total - done);
    // One more warms up.
    module._bench_run(module._workload_thread_churn(), 1, lives - 1, Infinity, 2 ** 31 - 1);
    done += lives;
    settled ??= module._bench_memory();
    progress(Math.min(done / total, 0.99), `${done.toLocaleString('en')} threads`);
    // Workers send messages.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const seconds = (performance.now() - start) / 1000;
  progress(1);
  module._bench_finish();
  const memory = module._bench_memory();
  console.log(
    `${subject}: ${total.toLocaleString('en')} threads in ${seconds.toFixed(1)} s, ` +
      `${Math.round((seconds / total) * 1e6)} µs each; ${memory / 1024} KiB of linear memory`,
  );
  if (memory === settled) return '';
  return (
    `${subject}: linear memory grew from ${settled / 1024} KiB after ` +
    `${SETTLED.toLocaleString('en')} threads to ${memory / 1024} KiB`
  );
}

async function main() {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) return console.log(HELP);
  if (values.churn) {
    const total = positive(values.churn, '--churn');
    await ensureEmscripten();
    for (const subject of names(values.allocators ?? 'wasmalloc', SUBJECTS, 'allocator')) {
      const wrong = await churn(subject, total);
      if (!wrong) continue;
      console.error(`bench:threads: ${wrong}`);
      process.exitCode = 1;
    }
    return;
  }
  const isPart = values.only === STORED_PART;
  if (values.save && !isComplete(isPart ? { ...values, only: undefined } : values))
    throw new UsageError(
      '--save stores whole runs only: without --allocators, --with, --threads, --quick, and of ' +
        `--only with ${STORED_PART}`,
    );
  const data = await measure(values);
  const output = values.output ?? (values.save ? STORED_THREADS : LATEST);
  await writeResults(
    output,
    values.save && isPart ? { ...readThreadReference(), transfers: data.transfers } : data,
  );
  console.log(threadReport(data));
  console.log(`\nResults are in ${path.relative(process.cwd(), output)}.`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  main().catch((error) => {
    console.error(`bench:threads: ${error.message}`);
    process.exitCode = exitCodeOf(error);
  });
}
