// Turns results into tables: for the terminal and, the same text, for the documentation.
// Usage: import { Results, timeTable, … } from './report.mjs';
import { markdownTable } from 'markdown-table';
import { areEqual, geometricMean, summary } from './statistics.mjs';
import { ALL_SUBJECTS, OURS } from './builds.mjs';
import { EXTRA, PARTS, PROGRAMS, SMALL, THREADED, partOf } from './workloads.mjs';

const ALL = [...SMALL, ...EXTRA, ...PROGRAMS, ...THREADED];
const TITLES = new Map(ALL.map(({ name, title }) => [name, title]));
const SMALL_NAMES = SMALL.map(({ name }) => name);
const PROGRAM_NAMES = PROGRAMS.map(({ name }) => name);
const THREADED_NAMES = THREADED.map(({ name }) => name);
const NAMES = { small: SMALL_NAMES, programs: PROGRAM_NAMES, threads: THREADED_NAMES };

/** What is divided into *tune* and *judge*, and what it is. */
const DIVIDED = { programs: PROGRAM_NAMES, workloads: THREADED_NAMES };

/** Whose gain over whom is compared on the two parts. */
const LEARNER = { subject: 'wasmalloc', base: 'bins' };

/** Of the gain on *tune* at least this part is left on *judge*, or it looks as if *tune* was learnt by heart. */
const KEPT = 2 / 3;

/** What all ratios are against, unless another is named. */
export const REFERENCE = 'dlmalloc';

/** Measurements, and what follows from them. */
export class Results {
  /** @param {object} data what `npm run bench` writes as JSON */
  constructor(data) {
    this.data = data;
  }

  /** The allocators that were measured, in the usual order, and then others. */
  get subjects() {
    const { subjects } = this.data;
    const others = subjects.filter((name) => !ALL_SUBJECTS.includes(name));
    return [...ALL_SUBJECTS.filter((name) => subjects.includes(name)), ...others];
  }

  /** The names of the workloads of a group that were measured in a configuration. */
  names(config, group) {
    return NAMES[group].filter((name) => this.data.times?.[config]?.[name]);
  }

  /** The configurations that were measured: 'ENGINE TIER', those of one tier where it is given. With
   * threads, 'ENGINE VARIANT'. */
  configs(tier) {
    return Object.keys(this.data.times ?? {}).filter((name) => !tier || name.endsWith(` ${tier}`));
  }

  /** `{ best, spread, median, modes, ended }` of a workload, or undefined when there is no time. */
  time(config, name, subject) {
    const result = this.data.times?.[config]?.[name]?.[subject];
    if (!result?.rounds.length || result.failed) return undefined;
    return { ...summary(result.rounds), ended: result.ended };
  }

  /** The ratio of two allocators' times: 1 when it is inside the spread; undefined without both. */
  timeRatio(config, name, subject, reference = REFERENCE) {
    const [a, b] = [subject, reference].map((each) => this.time(config, name, each));
    if (!a || !b) return undefined;
    return areEqual(a, b) ? 1 : a.best / b.best;
  }

  /** The ratios of the measured minima, or medians, of the workloads for which there are both. */
  timeRatios(config, names, subject, reference = REFERENCE, statistic = 'best') {
    return names.flatMap((name) => {
      const [a, b] = [subject, reference].map((each) => this.time(config, name, each));
      return a && b ? [a[statistic] / b[statistic]] : [];
    });
  }

  /** Their geometric mean, each between 1/4 and 4. */
  timeMean(config, names, subject, reference = REFERENCE, statistic = 'best') {
    return geometricMean(this.timeRatios(config, names, subject, reference, statistic));
  }

  /** The allocators and, where there is one, the floor. */
  timed(config, names) {
    const hasFloor = names.some((name) => this.data.times[config][name].floor);
    return hasFloor ? [...this.subjects, 'floor'] : this.subjects;
  }

  /** The same mean for whatever is the fastest in each workload, any allocator or the floor. */
  timeBound(config, names, reference = REFERENCE) {
    const ratios = names.flatMap((name) => {
      const known = this.timed(config, names).flatMap((subject) => {
        const time = this.time(config, name, subject);
        return time && !time.ended ? [time.best] : [];
      });
      const base = this.time(config, name, reference);
      return base && known.length ? [Math.min(...known) / base.best] : [];
    });
    return geometricMean(ratios);
  }

  /** Bytes: `what` is 'linear', 'heap', 'lost' or 'grows'; undefined when it did not finish. */
  memory(name, subject, what = 'linear') {
    return this.data.memory?.[name]?.[subject]?.[what];
  }

  /** The workloads and programs whose memory was measured, but for those of single bars. */
  get memoryNames() {
    return Object.values(NAMES)
      .flat()
      .filter((name) => this.data.memory?.[name]);
  }

  memoryRatio(name, subject, reference = REFERENCE, what = 'linear') {
    const [a, b] = [subject, reference].map((each) => this.memory(name, each, what));
    return a === undefined || b === undefined ? undefined : a / b;
  }

  memoryMean(subject, reference = REFERENCE, what = 'linear', names = this.memoryNames) {
    const ratios = names.map((name) => this.memoryRatio(name, subject, reference, what));
    return geometricMean(ratios.filter((ratio) => ratio !== undefined));
  }
}

/**
 * The names of workloads in the groups that the tables print apart, each with a title for its mean: those
 * of *tune* and of *judge*, and before them all that is not divided.
 */
export function apart(names) {
  const isDivided = (name) => Object.values(DIVIDED).some((all) => all.includes(name));
  const rest = names.filter((name) => !isDivided(name));
  const parts = PARTS.map((part) => ({
    title: part,
    names: names.filter((name) => isDivided(name) && partOf(name) === part),
  }));
  return [{ title: 'workloads', names: rest }, ...parts].filter((group) => group.names.length);
}

/**
 * The rows of a table: those of *tune* and *judge* apart where there are any, each group with what sums it up.
 *
 * @param {string[]} names of workloads
 * @param {(name: string) => string[]} row
 * @param {Record<string, (names: string[]) => string[]>} summaries by title
 * @returns {string[][]}
 */
export function rowsWithSummaries(names, row, summaries) {
  const summed = (part, ending = '') =>
    Object.entries(summaries).map(([title, cells]) => [`**${title}${ending}**`, ...cells(part)]);
  const groups = apart(names);
  if (groups.every(({ title }) => !PARTS.includes(title)))
    return [...names.map(row), ...summed(names)];
  return [
    ...groups.flatMap((group) => [
      ...group.names.map(row),
      ...summed(group.names, `, ${group.title}`),
    ]),
    ...(groups.length > 1 ? summed(names) : []),
  ];
}

/** The same with a single summary. */
export function rowsWithMeans(names, row, mean, kind = 'geometric mean') {
  return rowsWithSummaries(names, row, { [kind]: mean });
}

/**
 * What 5_wasmalloc has gained over 4_bins on *tune* and on *judge*, and whether that looks learnt by heart: a
 * gain on *tune* of which less than two thirds are left on *judge*, or a loss that is more than half as large again.
 *
 * @param {string} what is gained
 * @param {(names: string[], subject: string, base: string) => number} mean of the ratios
 * @param {string[]} names of workloads
 * @returns {string | undefined} a sentence; undefined where one of the parts was not measured
 */
export function learntByHeart(what, mean, names) {
  const { subject, base } = LEARNER;
  const [kind, known] =
    Object.entries(DIVIDED).find(([, all]) => names.some((name) => all.includes(name))) ?? [];
  if (!kind) return undefined;
  const all = PARTS.map((part) => known.filter((name) => partOf(name) === part));
  const parts = all.map((part) => part.filter((name) => names.includes(name)));
  const [tune, judge] = parts.map((own) => 1 - mean(own, subject, base));
  if (Number.isNaN(tune) || Number.isNaN(judge)) return undefined;
  const gains = [tune, judge]
    .map(
      (gain, i) =>
        `*${PARTS[i]}* ${percent(gain)} (${parts[i].length} of ${all[i].length} ${kind})`,
    )
    .join(', ');
  // A loss on *tune* may be as much larger on *judge* as a gain may be less.
  const least = tune > 0 ? tune * KEPT : tune / KEPT;
  const remark = judge < least ? ' — learnt by heart?' : '';
  return `Gain of ${subject} over ${base}, ${what}: ${gains}${remark}`;
}

export function percent(part) {
  if (part === undefined || Number.isNaN(part)) return '–';
  return `${(part * 100).toFixed(1)} %`;
}

/** A table and, where there is one, the remark beneath it. */
function withRemark(text, remark) {
  return remark ? `${text}\n\n${remark}` : text;
}

/** A table of rows; the first column is text, the others are numbers. */
export function table(rows) {
  const align = rows[0].map((_, column) => (column === 0 ? 'l' : 'r'));
  return markdownTable(rows, { align });
}

/** Three digits that count. */
export function number(value) {
  if (value === undefined || Number.isNaN(value)) return '–';
  if (value >= 100 || value === 0) return Math.round(value).toLocaleString('en');
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Bytes, for people. */
export function bytes(value) {
  if (value === undefined) return '–';
  return value < 10_000 ? `${value} B` : `${Math.round(value / 1024).toLocaleString('en')} KiB`;
}

/** What stands where there is no number. */
export const REASONS = {
  'out of memory': 'no memory',
  'too slow': 'too slow',
  'wrong contents': 'wrong contents',
  stuck: 'stuck',
};

/** A time with its spread. */
export function withSpread({ best, spread }) {
  return `${number(best)} ±${Math.round(spread * 100)} %`;
}

/** A time and its spread; with threads the least of the rounds, their median and, where there are two, both modes. */
function timeWithSpread({ best, spread, median, modes }, group) {
  if (group !== 'threads') return withSpread({ best, spread });
  return `${number(best)}, ${number(median)}${modes ? ` (${modes.map(number).join(' or ')})` : ''}`;
}

/** What the times of a group are. */
const UNITS = { programs: 'ms', threads: 'ns per operation: least, median (modes)' };

/** The times of a configuration with their spreads. Ended early: `≥`, the rest would be slower. */
export function timeTable(results, config, group) {
  const names = results.names(config, group);
  const subjects = results.timed(config, names);
  const cell = (name, subject) => {
    const time = results.time(config, name, subject);
    const failed = results.data.times[config][name][subject]?.failed;
    if (!time) return REASONS[failed] ?? (failed ? 'failed' : '–');
    const limit = time.ended === 'time' ? '≥ ' : '';
    return `${limit}${timeWithSpread(time, group)}`;
  };
  return table([
    [UNITS[group] ?? 'ns per operation', ...subjects],
    ...apart(names)
      .flatMap((group) => group.names)
      .map((name) => [TITLES.get(name), ...subjects.map((subject) => cell(name, subject))]),
  ]);
}

/** What a table of times has: the least, unless another statistic of the rounds. */
function nameOfTime(statistic) {
  return statistic === 'best' ? 'time' : `${statistic} time`;
}

/** A gain in time, by the mean of the least or of the medians. */
export function gainInTime(results, config, group, statistic = 'best') {
  return learntByHeart(
    nameOfTime(statistic),
    (part, ...pair) => results.timeMean(config, part, ...pair, statistic),
    results.names(config, group),
  );
}

/**
 * The same against dlmalloc, or another. The ratios are those of the least of the rounds, and `=` where it is
 * inside the spread; or those of medians: with threads the least hides what happens in some rounds only.
 */
export function timeRatioTable(results, config, group, reference = REFERENCE, statistic = 'best') {
  const names = results.names(config, group);
  const subjects = results.timed(config, names);
  const mean = (part, subject) => results.timeMean(config, part, subject, reference, statistic);
  const cell = (name, subject) => {
    if (statistic !== 'best')
      return number(results.timeRatios(config, [name], subject, reference, statistic)[0]);
    const ratio = results.timeRatio(config, name, subject, reference);
    return ratio === 1 && subject !== reference ? '=' : number(ratio);
  };
  const text = table([
    [`${nameOfTime(statistic)} against ${reference}`, ...subjects],
    ...rowsWithMeans(
      names,
      (name) => [TITLES.get(name), ...subjects.map((subject) => cell(name, subject))],
      (part) => subjects.map((subject) => number(mean(part, subject))),
    ),
  ]);
  return withRemark(text, gainInTime(results, config, group, statistic));
}

/** Peak linear memory against dlmalloc's or another's, and the heap used. */
export function memoryTable(results, what = 'linear', reference = REFERENCE) {
  const { subjects } = results;
  const heads = { linear: 'peak linear memory', heap: 'heap used', lost: 'bytes lost' };
  const cell = (name, subject) =>
    REASONS[results.data.memory[name][subject]?.failed] ??
    number(results.memoryRatio(name, subject, reference, what));
  const own = (name) => bytes(results.memory(name, reference, what));
  const others = subjects.filter((subject) => subject !== reference);
  const row = (name) => [
    TITLES.get(name),
    own(name),
    ...others.map((subject) => cell(name, subject)),
  ];
  const mean = (names) => [
    '',
    ...others.map((subject) => number(results.memoryMean(subject, reference, what, names))),
  ];
  const names = results.memoryNames;
  const text = table([
    [`${heads[what]} against ${reference}`, reference, ...others],
    ...rowsWithMeans(names, row, mean),
  ]);
  return withRemark(
    text,
    learntByHeart(
      heads[what],
      (part, subject, base) => results.memoryMean(subject, base, what, part),
      names,
    ),
  );
}

/** The real programs, *tune* before *judge*, and the heap of each at its peak where it was measured. */
export function programTable(results) {
  const shown = [REFERENCE, LEARNER.base, LEARNER.subject];
  const rows = PARTS.flatMap((part) =>
    PROGRAMS.filter((program) => program.part === part).map(({ name, title, kind }) => [
      title,
      part,
      kind,
      ...shown.map((subject) => bytes(results.memory(name, subject, 'heap'))),
    ]),
  );
  return markdownTable(
    [['program', 'part', 'what it is', ...shown.map((subject) => `heap, ${subject}`)], ...rows],
    { align: ['l', 'l', 'l', 'r', 'r', 'r'] },
  );
}

/** Numbers of memory.grow calls, or bytes lost, as they are. */
export function countTable(results, what, head) {
  return table([
    [head, ...results.subjects],
    ...apart(results.memoryNames)
      .flatMap(({ names }) => names)
      .map((name) => [
        TITLES.get(name),
        ...results.subjects.map((subject) => {
          const value = results.memory(name, subject, what);
          return value === undefined ? '–' : value.toLocaleString('en');
        }),
      ]),
  ]);
}

/** The bytes of code that each allocator adds. */
export function sizeTable(results) {
  const rows = Object.entries(results.data.sizes).flatMap(([use, levels]) =>
    Object.entries(levels).map(([level, sizes]) => [
      `${use}, ${level}`,
      ...results.subjects.map((subject) => sizes[subject]?.toLocaleString('en') ?? '–'),
    ]),
  );
  return table([['bytes of code added', ...results.subjects], ...rows]);
}

/** The slowest single calls that were found. */
export function worstTable(results) {
  const rows = results.subjects
    .filter((subject) => results.data.worst[subject])
    .map((subject) => {
      const found = results.data.worst[subject];
      if (found.failed) return [subject, '–', '–', '–', '–', found.failed];
      const { ratio, accesses, median, call, sequence, nanoseconds } = found;
      const time = nanoseconds ? `${number(nanoseconds.worst / 1000)} µs` : '–';
      return [subject, number(ratio), `${accesses} / ${median}`, time, call, sequence];
    });
  return markdownTable(
    [['allocator', 'ratio', 'accesses: worst / median', 'time', 'call', 'sequence'], ...rows],
    { align: ['l', 'r', 'r', 'r', 'l', 'l'] },
  );
}

export { OURS, TITLES };
