// Divides the real programs' time into the allocator's, of which nobody could save more, and the programs' own, which
// depends on where blocks lie.
// Usage: import { measureShares, Shares, shareReport } from './share.mjs';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ALL_SUBJECTS, PEERS } from './builds.mjs';
import { interleaved, moduleFor, prepare, timeJob } from './measure.mjs';
import { allocatorFunctions, divide } from './profile.mjs';
import { REASONS, REFERENCE, TITLES } from './report.mjs';
import { number, percent, rowsWithSummaries, table, withSpread } from './report.mjs';
import { areEqual, geometricMean, summary } from './statistics.mjs';
import { PROGRAMS } from './workloads.mjs';

/** Who is measured unless told, for this and in quick runs. The other three of ours take minutes for some programs. */
export const SHARE_SUBJECTS = ['bins', 'wasmalloc', ...PEERS];

/** In which Nodes: growing memory is slow in one and fast in the other. */
export const SHARE_ENGINES = ['node', 'node26'];

/** The numbers of the allocator's functions in a module that was linked for this. */
function functionsOf(module) {
  const read = (file) => readFileSync(path.join(path.dirname(module), file), 'utf8');
  return allocatorFunctions(read('program.map'), read('program.mjs.symbols'));
}

/**
 * Samples where the real programs spend their time, in rounds.
 *
 * @param {{ workloads: object[], subjects: string[] }} selection programs, and names of allocators
 * @param {{ engines: object[], rounds: number, progress: Function }} options
 * @returns {Promise<object>} what is stored as JSON: `times` by engine, program and allocator, `{ rounds, own,
 *   allocator, failed? }`, the milliseconds of each round, and how many samples of all are whose; and how they were
 *   measured
 */
export async function measureShares(selection, { engines, rounds, progress }) {
  const { workloads, subjects } = selection;
  await prepare(selection, 'share', (part, what) => progress(0, what));
  const plan = engines.flatMap((engine) => workloads.map((program) => ({ engine, program })));
  const times = {};
  const functions = new Map(); // the allocator's, by module
  const jobs = rounds * plan.length * subjects.length;
  let done = 0;
  for (const { round, item, subject } of interleaved(rounds, plan, () => subjects)) {
    const { engine, program } = item;
    progress(done++ / jobs, `round ${round + 1}: ${engine.name}, ${program.name}, ${subject}`);
    const all = ((times[engine.name] ??= {})[program.name] ??= {});
    const result = (all[subject] ??= { rounds: [], own: 0, allocator: 0 });
    if (result.failed) continue;
    const module = await moduleFor(program, subject, 'share');
    const measured = await engine.sample(module, timeJob(selection, program, subject));
    if (measured.failed) {
      result.failed = measured.failed;
      continue;
    }
    if (!functions.has(module)) functions.set(module, functionsOf(module));
    const { own, allocator } = divide(measured.profile, functions.get(module));
    result.rounds.push(measured.time);
    result.own += own;
    result.allocator += allocator;
  }
  return {
    date: new Date().toISOString().slice(0, 10),
    engines: Object.fromEntries(engines.map(({ name, version }) => [name, version])),
    rounds,
    subjects,
    times,
  };
}

/** What was measured, and what follows from it. */
export class Shares {
  /** @param {object} data what `measureShares` has answered */
  constructor(data) {
    this.data = data;
  }

  get engines() {
    return Object.keys(this.data.times);
  }

  /** The allocators, in the usual order. */
  get subjects() {
    return ALL_SUBJECTS.filter((name) => this.data.subjects.includes(name));
  }

  /** The programs that were measured. */
  names(engine) {
    return PROGRAMS.map(({ name }) => name).filter((name) => this.data.times[engine][name]);
  }

  /** What was measured of a program with an allocator; undefined where that is nothing, or it has failed. */
  measured(engine, name, subject) {
    const result = this.data.times[engine][name][subject];
    return result?.rounds.length && !result.failed ? result : undefined;
  }

  /** `{ best, spread }` of a program's time, its own and the allocator's. */
  time(engine, name, subject) {
    const measured = this.measured(engine, name, subject);
    return measured && summary(measured.rounds);
  }

  /** The allocator's part of it, 0 to 1. */
  share(engine, name, subject) {
    const measured = this.measured(engine, name, subject);
    return measured && measured.allocator / (measured.allocator + measured.own);
  }

  /**
   * `{ best, spread }` of the rest. The samples of one round are too few to divide each by its own; and how well
   * those of all tell the part, by their standard error, counts for the spread.
   */
  own(engine, name, subject) {
    const measured = this.measured(engine, name, subject);
    if (!measured) return undefined;
    const { best, spread } = this.time(engine, name, subject);
    const part = 1 - this.share(engine, name, subject);
    const error = Math.sqrt((1 - part) / part / (measured.own + measured.allocator));
    return { best: best * part, spread: spread + error };
  }

  /** The least of it that there is with a peer. */
  leastOwn(engine, name) {
    const known = PEERS.flatMap((peer) => this.own(engine, name, peer) ?? []);
    return known.toSorted((a, b) => a.best - b.best)[0];
  }

  /** Its ratio to that: 1 when it is inside the spread; undefined without both. */
  ownRatio(engine, name, subject) {
    const [own, least] = [this.own(engine, name, subject), this.leastOwn(engine, name)];
    if (!own || !least) return undefined;
    return areEqual(own, least) ? 1 : own.best / least.best;
  }

  /** The geometric mean of the ratios of the measured minima. */
  ownMean(engine, names, subject) {
    return geometricMean(
      names.flatMap((name) => {
        const [own, least] = [this.own(engine, name, subject), this.leastOwn(engine, name)];
        return own && least ? [own.best / least.best] : [];
      }),
    );
  }

  /** The program with the largest ratio, `{ name, ratio }`. */
  worstOwn(engine, names, subject) {
    const ratios = names.flatMap((name) => {
      const ratio = this.ownRatio(engine, name, subject);
      return ratio === undefined ? [] : [{ name, ratio }];
    });
    return ratios.toSorted((a, b) => b.ratio - a.ratio)[0];
  }

  /** The mean time, against what it takes with an allocator, with one that takes no time. */
  meanWithout(engine, names, subject = REFERENCE) {
    const shares = names.map((name) => this.share(engine, name, subject));
    return geometricMean(shares.flatMap((share) => (share === undefined ? [] : [1 - share])));
  }

  /** The mean time against that with dlmalloc. */
  timeMean(engine, names, subject) {
    return geometricMean(
      names.flatMap((name) => {
        const [a, b] = [subject, REFERENCE].map((each) => this.time(engine, name, each));
        return a && b ? [a.best / b.best] : [];
      }),
    );
  }

  /** Of what an allocator that takes no time would save against dlmalloc, the part that this one saves. */
  saved(engine, names, subject) {
    return (1 - this.timeMean(engine, names, subject)) / (1 - this.meanWithout(engine, names));
  }
}

/** A table of all programs in an engine, by what stands in a cell and what sums up some. */
function shareTable(shares, engine, title, cell, summaries = {}) {
  const { subjects } = shares;
  const row = (name) => [
    TITLES.get(name),
    ...subjects.map((subject) => {
      const failed = shares.data.times[engine][name][subject]?.failed;
      return failed ? (REASONS[failed] ?? 'failed') : cell(name, subject);
    }),
  ];
  const cells = Object.entries(summaries).map(([what, value]) => [
    what,
    (names) => subjects.map((subject) => value(names, subject)),
  ]);
  return table([
    [title, ...subjects],
    ...rowsWithSummaries(shares.names(engine), row, Object.fromEntries(cells)),
  ]);
}

/** @returns {string} the tables for people, of each engine */
export function shareReport({ data }) {
  const shares = new Shares(data.shares);
  return shares.engines
    .flatMap((engine) => [
      `${shares.data.engines[engine]}:`,
      shareTable(
        shares,
        engine,
        "the program's own time against a peer's least",
        (name, subject) => {
          const ratio = shares.ownRatio(engine, name, subject);
          return ratio === 1 ? '=' : number(ratio);
        },
        {
          'geometric mean': (names, subject) => number(shares.ownMean(engine, names, subject)),
          worst: (names, subject) => number(shares.worstOwn(engine, names, subject)?.ratio),
        },
      ),
      shareTable(
        shares,
        engine,
        "the allocator's part of the time",
        (name, subject) => percent(shares.share(engine, name, subject)),
        {
          'mean time with one that takes none': (names, subject) =>
            number(shares.meanWithout(engine, names, subject)),
          'saved of what that would save against dlmalloc': (names, subject) =>
            percent(shares.saved(engine, names, subject)),
        },
      ),
      shareTable(shares, engine, "the program's own time, ms", (name, subject) => {
        const own = shares.own(engine, name, subject);
        return own ? withSpread(own) : '–';
      }),
    ])
    .join('\n\n');
}
