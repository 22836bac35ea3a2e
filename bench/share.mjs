// How much of the real programs' time is the allocator's: what nobody could save more of.
// Usage: import { measureShares, shareTable, meanWithout } from './share.mjs';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run } from '../scripts/run.mjs';
import { PEERS, link } from './builds.mjs';
import { TITLES, number, table } from './report.mjs';
import { geometricMean } from './statistics.mjs';
import { PROGRAMS, WORST_PROGRAM } from './workloads.mjs';

const SUBJECTS = ['bins', 'wasmalloc', ...PEERS];

/** Microseconds between two samples. A program runs for some hundred milliseconds. */
const INTERVAL = 200;

const RUNNER = path.join(import.meta.dirname, 'node-runner.mjs');

/** What every module has, and no allocator. */
const BARE_PROGRAM = {
  name: 'bare',
  units: [],
  link: ['--no-entry', '-sEXPORTED_FUNCTIONS=_probe_heap_used'],
};

/** A program whose functions' names are in a file of their own: its code is as without it. */
async function linkWithNames(program, subject) {
  const module = await link(program, subject, 'time', ['--emit-symbol-map']);
  const symbols = readFileSync(`${module}.symbols`, 'utf8');
  return {
    module,
    names: new Map(
      symbols
        .trim()
        .split('\n')
        .map((line) => line.split(':')),
    ),
  };
}

/** The names of an allocator's functions. */
async function namesOf(subject) {
  const [all, bare] = await Promise.all(
    [WORST_PROGRAM, BARE_PROGRAM].map((program) => linkWithNames(program, subject)),
  );
  const others = new Set(bare.names.values());
  return new Set([...all.names.values()].filter((name) => !others.has(name)));
}

/** Counts the samples of a program's run in a profile, and those of them that are in certain functions. */
function count({ nodes }, isCounted) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const totals = { all: 0, counted: 0 };
  const visit = ({ hitCount, callFrame, children = [] }) => {
    totals.all += hitCount;
    if (isCounted(callFrame.functionName)) totals.counted += hitCount;
    for (const child of children) visit(byId.get(child));
  };
  for (const node of nodes) if (node.callFrame.functionName === 'callMain') visit(node);
  return totals;
}

/** The part of a program's time that is spent in the allocator's own functions. */
async function shareOf({ name, args }, { module, names }, allocator, rounds) {
  const isAllocator = (functionName) =>
    allocator.has(names.get(/^wasm-function\[(\d+)\]$/.exec(functionName)?.[1]) ?? functionName);
  const job = JSON.stringify({ kind: 'time', group: 'programs', name, args });
  const folder = mkdtempSync(path.join(tmpdir(), 'wasmalloc-share-'));
  try {
    const flags = ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-interval=${INTERVAL}`];
    for (let round = 0; round < rounds; ++round)
      await run(process.execPath, [...flags, RUNNER, module, job]);
    const profiles = readdirSync(folder).map((file) =>
      count(JSON.parse(readFileSync(path.join(folder, file), 'utf8')), isAllocator),
    );
    const sum = (what) => profiles.reduce((total, profile) => total + profile[what], 0);
    return sum('counted') / sum('all');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Samples the real programs where a program is in its time.
 *
 * @param {{ rounds: number, progress: Function, programs?: object[] }} options
 * @returns {Promise<Record<string, Record<string, number>>>} by program and allocator: the part, 0 to 1, of the time
 *   from the start of `main` to its end that the allocator's own functions take. Copying, and what the processor
 *   waits for because of where blocks lie, are the program's.
 */
export async function measureShares({ rounds, progress, programs = PROGRAMS }) {
  const shares = {};
  let done = 0;
  for (const subject of SUBJECTS) {
    const allocator = await namesOf(subject);
    for (const program of programs) {
      progress(done++ / (SUBJECTS.length * programs.length), `${program.name}, ${subject}`);
      const named = await linkWithNames(program, subject);
      (shares[program.name] ??= {})[subject] = await shareOf(program, named, allocator, rounds);
    }
  }
  return shares;
}

/** The mean time, against what it takes with an allocator, with one that takes no time. */
export function meanWithout(shares, subject) {
  return geometricMean(Object.values(shares).map((program) => 1 - program[subject]));
}

/** @returns {string} the table for people */
export function shareTable({ data: { shares } }) {
  const percent = (part) => `${number(part * 100)} %`;
  const [first] = Object.values(shares);
  const subjects = SUBJECTS.filter((name) => name in first);
  return table([
    ["the allocator's part of the time", ...subjects],
    ...Object.entries(shares).map(([name, program]) => [
      TITLES.get(name),
      ...subjects.map((subject) => percent(program[subject])),
    ]),
    [
      '**mean time with one that takes none**',
      ...subjects.map((subject) => number(meanWithout(shares, subject))),
    ],
  ]);
}
