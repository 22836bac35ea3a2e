// The bars: what the allocators have to reach, and whether they do.
// Usage: import { bars, barTable } from './bars.mjs';
import { markdownTable } from 'markdown-table';
import { PEERS } from './builds.mjs';
import { hardenedBars } from './hardened.mjs';
import { OURS, TITLES, number } from './report.mjs';
import { Shares } from './share.mjs';
import { PARTS, partOf } from './workloads.mjs';

const SUBJECT = 'wasmalloc';

/**
 * One bar.
 *
 * @typedef {object} Bar
 * @property {string} what is measured
 * @property {number | undefined} value undefined where it was not measured
 * @property {number} must the most that it may be
 * @property {number} [goal]
 * @property {string} [note] where the value comes from
 */

/** The largest value of a list of `{ value, note }`. */
export function worst(list) {
  const known = list.filter(({ value }) => value !== undefined && !Number.isNaN(value));
  return known.reduce((a, b) => (a && a.value >= b.value ? a : b), undefined) ?? {};
}

/** The largest of the means in all engines. */
export function worstMean(results, tier, group, reference, subject = SUBJECT) {
  return worst(
    results.configs(tier).map((config) => ({
      value: results.timeMean(config, results.names(config, group), subject, reference),
      note: config,
    })),
  );
}

/** The same of the small workloads, with what nobody could do better than. */
function worstSmallMean(results, tier, reference) {
  const { value, note: config } = worstMean(results, tier, 'small', reference);
  if (!config) return {};
  const bound = results.timeBound(config, results.names(config, 'small'), reference);
  return {
    value,
    note: `${config}; the fastest in each, any allocator or the floor: ${figure(bound)}`,
  };
}

/** The largest ratio to the best of the peers. A difference inside the spread is none. */
function worstSingle(results, tier, group) {
  return worst(
    results.configs(tier).flatMap((config) =>
      results.names(config, group).map((name) => ({
        value: worst(
          PEERS.map((peer) => ({ value: results.timeRatio(config, name, SUBJECT, peer) })),
        ).value,
        note: `${TITLES.get(name)}, ${config}`,
      })),
    ),
  );
}

/** The largest of the engines, of what follows from the shares of all programs. */
function worstShare(shares, valueOf) {
  return worst(
    (shares?.engines ?? []).map((engine) => ({
      value: valueOf(engine, shares.names(engine)),
      note: engine,
    })),
  );
}

/** The programs' own time, and what the allocator takes of the whole. */
function shareBars(shares) {
  const bar = (what, must, goal, valueOf) => ({ what, must, goal, ...worstShare(shares, valueOf) });
  const worstOwn = worst(
    (shares?.engines ?? []).map((engine) => {
      const { name, ratio } = shares.worstOwn(engine, shares.names(engine), SUBJECT) ?? {};
      return { value: ratio, note: `${TITLES.get(name)}, ${engine}` };
    }),
  );
  return [
    bar("real programs' own time against the best peer's, mean", 1.03, 1, (engine, names) =>
      shares.ownMean(engine, names, SUBJECT),
    ),
    {
      what: "real programs' own time against the best peer's, worst",
      must: 1.1,
      goal: 1,
      ...worstOwn,
    },
    ...PARTS.map((part) =>
      bar(
        `real programs, ${part}: not saved of what an allocator that takes no time would save against dlmalloc`,
        0.5,
        0.2,
        (engine, names) =>
          1 -
          shares.saved(
            engine,
            names.filter((name) => partOf(name) === part),
            SUBJECT,
          ),
      ),
    ),
  ];
}

/** @returns {Bar[]} every row of the table in docs/benchmarks.md */
export function bars(results) {
  const { data } = results;
  const shares = data.shares && new Shares(data.shares);
  const list = [];
  const add = (what, must, goal, { value, note } = {}) =>
    list.push({ what, must, goal, value, note });

  for (const [tier, first, second] of [
    ['optimizing', [0.72, 0.55], [0.7, 0.55]],
    ['baseline', [0.3, 0.2], [0.65, 0.5]],
  ]) {
    const title = `small workloads, ${tier} tier, mean time against`;
    add(`${title} dlmalloc`, ...first, worstSmallMean(results, tier, 'dlmalloc'));
    add(`${title} mimalloc`, ...second, worstSmallMean(results, tier, 'mimalloc'));
  }
  add(
    'slowest small workload against the best peer',
    1.15,
    1,
    worstSingle(results, 'optimizing', 'small'),
  );
  for (const peer of ['dlmalloc', 'mimalloc']) {
    const { value, note } = worstMean(results, 'default', 'programs', peer);
    const { value: least } = worstShare(shares, (...all) => shares.meanWithout(...all, peer));
    add(`real programs, default flags, mean time against ${peer}`, 0.92, 0.84, {
      value,
      note: note && `${note}${least ? `; an allocator that takes no time: ${figure(least)}` : ''}`,
    });
  }
  add(
    'slowest real program against the best peer',
    1.05,
    1,
    worstSingle(results, 'default', 'programs'),
  );

  list.push(...shareBars(shares));

  const hasMemory = results.memoryNames.length > 0;
  const ratios = results.memoryNames.map((name) => ({
    value: results.memoryRatio(name, SUBJECT),
    note: TITLES.get(name),
  }));
  add('peak linear memory, mean against dlmalloc', 1, 0.9, {
    value: hasMemory ? results.memoryMean(SUBJECT) : undefined,
  });
  add("worst workload or program against dlmalloc's memory", 1.25, 1.05, worst(ratios));
  const fifty = results.memoryRatio('fifty', SUBJECT, 'emmalloc', 'heap');
  add("heap used by 50 small objects, against emmalloc's", 1, undefined, { value: fifty });

  const size = (use, level, name) => data.sizes?.[use]?.[level]?.[name];
  const [least, , most] = Object.keys(data.sizes ?? {});
  add('code added, malloc and free, -O2', 4000, 3000, { value: size(least, '-O2', SUBJECT) });
  add('code added, malloc and free, -Oz', 3000, 2200, { value: size(least, '-Oz', SUBJECT) });
  add('code added, with calloc, realloc and memalign, -O2', 5200, size(most, '-O2', 'emmalloc'), {
    value: size(most, '-O2', SUBJECT),
  });

  add('sizes at which a buffer does not grow into the free space behind', 0, undefined, {
    value: results.memory('in_place', SUBJECT, 'moved'),
  });
  for (const name of ['grow_twice', 'grow_64']) {
    const steps = results
      .configs('optimizing')
      .map((config) => ({ value: results.timeRatio(config, name, SUBJECT), note: config }));
    add(`${TITLES.get(name)}: a step's time against dlmalloc's`, 1.2, undefined, worst(steps));
  }
  add('slowest single call against the median', 100, undefined, {
    value: data.worst?.[SUBJECT]?.ratio,
    note: data.worst?.[SUBJECT]?.sequence,
  });

  const bins = worstMean(results, 'optimizing', 'small', 'emmalloc', 'bins');
  add(
    '4_bins: small workloads, optimizing tier, mean time against emmalloc',
    1 / 1.4,
    undefined,
    bins,
  );
  const [, middle] = Object.keys(data.sizes ?? {});
  add(
    "4_bins: code added, with calloc and realloc, -O2, against emmalloc's",
    size(middle, '-O2', 'emmalloc') ?? NaN,
    undefined,
    { value: size(middle, '-O2', 'bins') },
  );
  add(
    '2_linked: heap used, mean against the leanest other of the five',
    1,
    undefined,
    linked(results),
  );
  return [...list, ...hardenedBars(data.hardened)];
}

/** 2_linked against each of the others, on the workloads that it finishes. */
function linked(results) {
  const names = results.memoryNames.filter((name) => results.memory(name, 'linked') !== undefined);
  const others = OURS.filter((name) => name !== 'linked' && results.subjects.includes(name));
  return worst(
    others.map((other) => ({
      value: results.memoryMean('linked', other, 'heap', names),
      note: `against ${other}`,
    })),
  );
}

/** @param {Bar} bar */
export function verdict({ value, must, goal }) {
  if (value === undefined || Number.isNaN(value)) return 'not measured';
  if (value > must) return 'falls short';
  return goal === undefined || value <= goal ? 'pass' : 'pass (not the goal)';
}

/** With more digits than elsewhere: what misses a bar by little has to look like it. */
function figure(value) {
  if (value === undefined || Number.isNaN(value)) return '–';
  return value < 10 && value % 1 ? value.toFixed(3) : number(value);
}

/** All bars as a table. */
export function barTable(results, list = bars(results)) {
  return markdownTable(
    [
      ['bar', 'must be', 'goal', 'measured', '', 'where'],
      ...list.map((bar) => [
        bar.what,
        `≤ ${number(bar.must)}`,
        bar.goal === undefined ? '' : `≤ ${number(bar.goal)}`,
        figure(bar.value),
        verdict(bar),
        bar.note ?? '',
      ]),
    ],
    { align: ['l', 'r', 'r', 'r', 'l', 'l'] },
  );
}
