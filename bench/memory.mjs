#!/usr/bin/env node
// Measures memory by traces: the end of the heap at its peak, in bytes, for all programs of the benchmark and for 200
// that are generated, with all allocators; and says what fills the heaps that are worst.
// Usage: node bench/memory.mjs [--quick] [--only NAME,…] [--with NAME='FLAGS'] [--json] [--save] [--help]
//
// What is replayed is WebAssembly, not native code: of the size of a block its head and its links are a large part, and
// Emscripten's allocators are made for pointers of four bytes. The replayers of dist/ have all eight as programs have them,
// make some million calls a second, and are exact: the heap of a program is measured to the byte that its own is.
// Times are not measured, so that all processors can be used. Memory grows by single pages here, and V8 takes each time as a
// reason to collect garbage: with node --single-threaded-gc that takes a quarter of the time.
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { ReplayThreads } from '../js/commands/threads.js';
import { replayAllocators } from '../js/replay.js';
import { build } from '../scripts/build.mjs';
import { PROJECT, ensureEmscripten } from '../scripts/emscripten.mjs';
import { ensureSources } from '../scripts/sources.mjs';
import {
  ALL_SUBJECTS,
  OURS,
  OVERWRITING,
  SUBJECTS,
  completeOthers,
  replayerFor,
} from './builds.mjs';
import { GENERATED, generate } from './generate.mjs';
import { TraceResults, traceReport } from './memory-report.mjs';
import {
  UsageError,
  WITH_HELP,
  WITH_OPTION,
  chooseSubjects,
  exitCodeOf,
  names,
} from './options.mjs';
import { heapAtPeak } from './reasons.mjs';
import { recordedProgram } from './record.mjs';
import { REFERENCE } from './report.mjs';
import { PACKAGES, step, versions, versionsOf, writeResults } from './run.mjs';
import { PROGRAMS } from './workloads.mjs';

/** The stored reference run. */
export const STORED_TRACES = path.join(PROJECT, 'bench', 'memory.json');

/** Where a run's results go unless told. */
const LATEST = path.join(PROJECT, '.cache', 'bench-memory.json');

/** The allocator that has to explain itself. */
const EXPLAINED = 'wasmalloc';

/** A replay that takes longer is ended, in milliseconds. None does, unless an allocator hangs. */
const LIMIT = 60_000;

/** So many MiB may a replay fill: 1_minimal needs room for all that a program has ever asked for. */
const MEMORY = 1024;

/**
 * What would take minutes is left out, by what it is and not by the clock, so that a table is the same everywhere. Two
 * search through the free blocks, and 1_minimal grows without end: the most bytes of a heap that is generated for them,
 * and the most blocks at a time.
 */
const LEFT_OUT = {
  minimal: { bytes: 1e6, blocks: Infinity },
  linked: { bytes: 1e6, blocks: 15_000 },
  doubly: { bytes: 1e7, blocks: Infinity },
};

function isLeftOut(name, { bytes = 0 }, { blocks }) {
  const most = LEFT_OUT[name] ?? { bytes: Infinity, blocks: Infinity };
  return bytes > most.bytes || blocks > most.blocks;
}

/** Heaps in a quick run, in bytes. */
const QUICK_HEAPS = 1e6;

/** What can be replayed: the others are programs' doings. */
const replayable = () => ALL_SUBJECTS.filter((name) => !name.includes(':') && name !== OVERWRITING);

const GROUPS = { programs: PROGRAMS, generated: GENERATED };

const HELP = `Usage: npm run bench:memory [-- OPTIONS]

Replays what programs ask of their allocator, all allocators one after the other: the programs of the
benchmark, which are recorded once, and ${GENERATED.length} that are generated, with heaps from 10 KB to 100 MB.
Prints the end of the heap at its peak, which is exact and the same on every machine, and what is in
the ten heaps of ${EXPLAINED} that are worst. Takes two minutes once all is compiled and recorded.

  --quick             of the programs those whose sources npm has brought, and of those that are
                      generated only heaps of up to 1 MB
  --only NAME,…       programs, generated, or by name
                        ${PROGRAMS.map(({ name }) => name).join(' ')}
                      and by number, from 0 to ${GENERATED.length - 1}
  --allocators NAME,… only these, and ${REFERENCE}, which all are compared with
                        ${replayable().join(' ')}
${WITH_HELP}
  --json              prints the results for machines
  --output FILE       writes the results there (unless told: ${path.relative(PROJECT, LATEST)})
  --save              writes them to bench/memory.json, the stored reference
  --help              this text`;

const OPTIONS = {
  quick: { type: 'boolean', default: false },
  only: { type: 'string' },
  allocators: { type: 'string' },
  with: WITH_OPTION,
  json: { type: 'boolean', default: false },
  output: { type: 'string' },
  save: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
};

/** A quick run fetches no sources, and has only small ones of the generated programs. */
const isLeftOutOfQuick = ({ source, bytes }) => source || bytes > QUICK_HEAPS;

/** What --only asks for; of the generated ones no more than a quick run has, unless by number. */
function choose(text = '', quick = false) {
  const nameOf = ({ name, number }) => (number === undefined ? name : String(number));
  const all = Object.values(GROUPS).flat().map(nameOf);
  const only = names(text, [...Object.keys(GROUPS), ...all], 'program');
  return Object.entries(GROUPS).flatMap(([group, members]) =>
    members.filter(
      (member) =>
        only.includes(nameOf(member)) ||
        ((only.length === 0 || only.includes(group)) && !(quick && isLeftOutOfQuick(member))),
    ),
  );
}

const isGenerated = ({ number }) => number !== undefined;

/** A program as it is replayed. */
export async function programOf(trace) {
  return isGenerated(trace) ? generate(trace) : recordedProgram(trace);
}

/** Why there is no figure, in the words of the benchmark. */
function whyNot({ fault, failed, tooSlow, tooLarge }) {
  if (fault) return `broken: ${fault.what} (call ${fault.call}, a ${fault.kind})`;
  if (tooSlow) return 'too slow';
  return failed || tooLarge ? 'out of memory' : undefined;
}

/** Replays a program on some allocators: `{ live, heaps }`, a figure of bytes or the reason for none, for each. */
async function replayOn(subjects, trace, threads, modules) {
  const program = await programOf(trace);
  const heaps = [];
  let live;
  for (const name of subjects) {
    if (isLeftOut(name, trace, program)) {
      heaps.push('left out');
      continue;
    }
    const result = await threads.run(name, program, {
      measured: true,
      limit: LIMIT,
      memory: MEMORY,
      modules: modules[name] ? { [name]: modules[name] } : {},
    });
    const failed = whyNot(result);
    heaps.push(failed ?? result.peakHeap);
    if (!failed) live = result.peakLive;
  }
  return { live, heaps };
}

/** Does all jobs, as many at a time as there are processors; each gets the number of its lane. */
async function inLanes(jobs, work) {
  const waiting = [...jobs];
  const lane = async (_, number) => {
    for (let job; (job = waiting.shift());) await work(job, number);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, lane));
}

/**
 * Replays.
 *
 * @param {object[]} traces of PROGRAMS and GENERATED
 * @param {string[]} subjects names of allocators
 * @param {(fraction: number, what: string) => void} progress
 * @returns {Promise<{ programs: object[], generated: object[] }>} of each trace its `name`, or `number`, how much is
 *   `live` at the most, and the `heaps` with the allocators, in their order: bytes, or why there is no figure
 */
export async function measureTraces(traces, subjects, progress = () => {}) {
  const missing = subjects.filter((name) => !replayAllocators.includes(name));
  const modules = Object.fromEntries(
    await Promise.all(missing.map(async (name) => [name, await replayerFor(name)])),
  );
  const results = new Map();
  // The largest first, so that no lane has to wait for another at the end.
  const jobs = traces.toSorted((a, b) => (b.bytes ?? Infinity) - (a.bytes ?? Infinity) || 0);
  const lanes = Array.from({ length: availableParallelism() }, () => new ReplayThreads());
  try {
    await inLanes(jobs, async (trace, lane) => {
      results.set(trace, await replayOn(subjects, trace, lanes[lane], modules));
      progress(results.size / traces.length, trace.name);
    });
  } finally {
    await Promise.all(lanes.map((lane) => lane.close()));
  }
  const rows = (group, fields) =>
    traces
      .filter((trace) => group.includes(trace))
      .map((trace) => ({ ...fields(trace), ...results.get(trace) }));
  return {
    programs: rows(PROGRAMS, ({ name }) => ({ name })),
    generated: rows(GENERATED, ({ number }) => ({ number })),
  };
}

/** What fills the worst heaps of an allocator, worst first. */
async function explain(results, subject, progress) {
  const worst = results.worst(subject);
  const found = [];
  for (const { trace, ratio } of worst) {
    progress(found.length / worst.length, trace.name);
    const parts = await heapAtPeak(subject, await programOf(trace), { memory: MEMORY });
    const which = isGenerated(trace) ? { number: trace.number } : { name: trace.name };
    found.push({ ...which, ratio, parts });
  }
  return found;
}

/**
 * Measures.
 *
 * @param {object} values of the options
 * @returns {Promise<object>} what is stored as JSON
 */
export async function measure(values) {
  const { subjects } = chooseSubjects(values, { usual: SUBJECTS, known: replayable });
  const traces = choose(values.only, values.quick);
  const emscripten = await ensureEmscripten();
  await completeOthers();
  await build();
  if (traces.some(({ source }) => source)) await ensureSources();
  const programs = traces.filter((trace) => !isGenerated(trace));
  await step('recording', async (progress) => {
    let done = 0;
    await Promise.all(
      programs.map(async (program) => {
        await recordedProgram(program);
        progress(++done / programs.length, program.name);
      }),
    );
  });
  const data = {
    date: new Date().toISOString().slice(0, 10),
    complete:
      traces.length === Object.values(GROUPS).flat().length && subjects.join() === SUBJECTS.join(),
    versions: versions(emscripten, [], PACKAGES),
    subjects,
    ...(await step('replaying', (progress) => measureTraces(traces, subjects, progress))),
  };
  Object.assign(data.versions.sources, versionsOf(programs));
  if (OURS.includes(EXPLAINED) && subjects.includes(EXPLAINED))
    data.worst = await step('reasons', (progress) =>
      explain(new TraceResults(data), EXPLAINED, progress),
    );
  return data;
}

/** The stored reference run. */
export function readTraceReference() {
  if (!existsSync(STORED_TRACES))
    throw new Error('there is no bench/memory.json; `npm run bench:memory -- --save` makes it');
  return JSON.parse(readFileSync(STORED_TRACES, 'utf8'));
}

async function main() {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) return console.log(HELP);
  const isPart = values.quick || values.only || values.allocators || values.with.length;
  if (values.save && isPart)
    throw new UsageError(
      '--save stores whole runs only: without --quick, --only, --allocators, --with',
    );
  const data = await measure(values);
  const output = values.output ?? (values.save ? STORED_TRACES : LATEST);
  await writeResults(output, data);
  const results = new TraceResults(data);
  if (values.json) console.log(JSON.stringify(data, null, 2));
  else {
    console.log(traceReport(results));
    console.log(`\nResults are in ${path.relative(process.cwd(), output)}.`);
  }
  for (const line of results.broken) {
    console.error(line);
    process.exitCode = 1;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  main().catch((error) => {
    console.error(`bench:memory: ${error.message}`);
    process.exitCode = exitCodeOf(error);
  });
}
