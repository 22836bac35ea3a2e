// The tables of memory by traces: for the terminal and, the same text, for the documentation.
// Usage: import { TraceResults, traceReport, TRACE_PARTS } from './memory-report.mjs';
import { markdownTable } from 'markdown-table';
import { GENERATED, LARGEST_HEAP, LIFETIMES, SIZES, SMALLEST_HEAP } from './generate.mjs';
import { reasonOf } from './reasons.mjs';
import { REASONS, REFERENCE, bytes, number, table } from './report.mjs';
import { geometricMean } from './statistics.mjs';
import { PARTS, PROGRAMS } from './workloads.mjs';

/** So many heaps are explained. */
const WORST = 10;

/** Measurements, and what follows from them. */
export class TraceResults {
  /** @param {object} data what `npm run bench:memory` writes as JSON */
  constructor(data) {
    this.data = data;
    const rows = (list, find) =>
      list.flatMap(({ live, heaps, ...which }) => {
        const trace = find(which);
        return trace ? [{ trace, live, heaps }] : [];
      });
    this.programs = rows(data.programs, ({ name }) => PROGRAMS.find((each) => each.name === name));
    this.generated = rows(data.generated, ({ number }) => GENERATED[number]);
  }

  /** The allocators, the one that all are compared with first. */
  get subjects() {
    return [REFERENCE, ...this.data.subjects.filter((name) => name !== REFERENCE)];
  }

  /** Bytes; or, where there is no figure, the reason. */
  heap(row, subject) {
    return row.heaps[this.data.subjects.indexOf(subject)];
  }

  /** Against dlmalloc's; undefined without both. */
  ratio(row, subject) {
    const [a, b] = [subject, REFERENCE].map((name) => this.heap(row, name));
    return typeof a === 'number' && typeof b === 'number' ? a / b : undefined;
  }

  ratios(rows, subject) {
    return rows.map((row) => this.ratio(row, subject)).filter((ratio) => ratio !== undefined);
  }

  /** The rows whose ratio is the largest: `{ trace, ratio }`. */
  worst(subject, count = WORST) {
    return [...this.programs, ...this.generated]
      .map((row) => ({ trace: row.trace, ratio: this.ratio(row, subject) }))
      .filter(({ ratio }) => ratio !== undefined)
      .sort((a, b) => b.ratio - a.ratio)
      .slice(0, count);
  }

  /** A line for each allocator that is broken. */
  get broken() {
    return this.subjects.flatMap((subject) => {
      const found = [...this.programs, ...this.generated].find((row) =>
        /^broken/.test(this.heap(row, subject)),
      );
      return found ? [`${subject} is ${this.heap(found, subject)}, in ${found.trace.name}`] : [];
    });
  }
}

/** A program's title, or what a generated one is. */
const titleOf = ({ title, name }) => title ?? name;

/** Programs that allocators may be tuned with, and those that judge them, if there are both; and all. */
function partsOf(rows) {
  const parts = PARTS.map((part) => ({
    name: `*${part}*`,
    rows: rows.filter(({ trace }) => trace.part === part),
  }));
  return [...(parts.every((part) => part.rows.length > 0) ? parts : []), { name: 'all', rows }];
}

/** The programs: dlmalloc's heap, and all others against it. */
function programTable(results) {
  const [, ...others] = results.subjects;
  const cell = (row, subject) => {
    const heap = results.heap(row, subject);
    return typeof heap === 'number' ? number(results.ratio(row, subject)) : wordFor(heap);
  };
  const rows = results.programs.map((row) => [
    titleOf(row.trace),
    bytes(results.heap(row, REFERENCE)),
    number(row.live / results.heap(row, REFERENCE)),
    ...others.map((subject) => cell(row, subject)),
  ]);
  const parts = partsOf(results.programs);
  const means = parts.map(({ name, rows }) => [
    `**geometric mean${parts.length > 1 ? `, ${name}` : ''}**`,
    '',
    number(geometricMean(rows.map((row) => row.live / results.heap(row, REFERENCE)))),
    ...others.map((subject) => number(geometricMean(results.ratios(rows, subject)))),
  ]);
  const worst = others.map((subject) => number(maximum(results.ratios(results.programs, subject))));
  return table([
    [`heap’s end at its peak against ${REFERENCE}`, REFERENCE, 'requested', ...others],
    ...rows,
    ...means,
    ['**worst**', '', '', ...worst],
  ]);
}

const LEFT_OUT = { 'left out': '–' };

function wordFor(reason) {
  return { ...REASONS, ...LEFT_OUT }[reason] ?? 'broken';
}

function maximum(values) {
  return values.length ? Math.max(...values) : undefined;
}

/** The generated programs by the size of the heap and by kind: mean and worst. */
function generatedTable(results) {
  const [, ...others] = results.subjects;
  const { generated } = results;
  const groups = [];
  for (let least = SMALLEST_HEAP; least < LARGEST_HEAP; least *= 10)
    groups.push([
      `heaps of ${heapName(least)} to ${heapName(10 * least)}`,
      ({ bytes }) => bytes >= least && bytes < 10 * least,
    ]);
  for (const name of Object.keys(SIZES))
    groups.push([`sizes: ${name}`, ({ sizes }) => sizes === name]);
  for (const name of Object.keys(LIFETIMES))
    groups.push([`lifetimes: ${name}`, ({ lifetimes }) => lifetimes === name]);
  groups.push(['**all**', () => true]);
  const cell = (ratios, all) => {
    if (ratios.length === 0) return '–';
    const text = `${number(geometricMean(ratios))} (${number(maximum(ratios))})`;
    return ratios.length < all ? `${text} of ${ratios.length}` : text;
  };
  return table([
    [`generated programs, against ${REFERENCE}: mean (worst)`, 'programs', ...others],
    ...groups
      .map(([name, isIn]) => [name, generated.filter(({ trace }) => isIn(trace))])
      .filter(([, rows]) => rows.length > 0)
      .map(([name, rows]) => [
        name,
        rows.length,
        ...others.map((subject) => {
          const ratios = results.ratios(rows, subject);
          return cell(ratios, rows.length);
        }),
      ])
      .map((cells) => cells.map(String)),
  ]);
}

function heapName(size) {
  return size < 1e6 ? `${size / 1e3} KB` : `${size / 1e6} MB`;
}

/** The worst heaps, and what is in them. */
function worstTable({ data: { worst } }) {
  const share = (part, whole) => `${Math.round((part / whole) * 100)} %`;
  const rows = worst.map(({ name, number: index, ratio, parts }) => {
    const trace =
      name === undefined ? GENERATED[index] : PROGRAMS.find((each) => each.name === name);
    const [first] = reasonOf(parts);
    const { heap } = parts;
    return [
      titleOf(trace ?? { name }),
      number(ratio),
      bytes(heap),
      ...['live', 'heads', 'free', 'aside', 'runs'].map((part) => share(parts[part], heap)),
      first ? `${share(parts[first.part], heap)} ${first.text}` : '–',
    ];
  });
  const heads = [
    'live',
    'heads, rounding',
    'free',
    'put aside',
    'free in runs',
    'the largest part of the rest',
  ];
  return markdownTable([['the worst', 'ratio', 'heap', ...heads], ...rows], {
    align: ['l', ...Array.from({ length: heads.length + 1 }, () => 'r'), 'l'],
  });
}

/** @type {Record<string, (results: TraceResults) => string>} parts of the documentation, by name */
export const TRACE_PARTS = {
  'traces-programs': programTable,
  'traces-generated': generatedTable,
  'traces-worst': worstTable,
};

/** All tables of a run. */
export function traceReport(results) {
  const parts = [];
  if (results.programs.length) parts.push('## programs', programTable(results));
  if (results.generated.length) parts.push('## generated programs', generatedTable(results));
  if (results.data.worst?.length)
    parts.push('## the worst of wasmalloc, at the peak of the heap', worstTable(results));
  return parts.join('\n\n');
}
