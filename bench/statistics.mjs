// The statistics of the benchmark.
// Usage: import { summary, modes, geometricMean, clamp } from './statistics.mjs';

/** No ratio counts for more than this in a mean: what one does badly once must not carry it. */
const LIMIT = 4;

/** Two groups of rounds are apart where the least of one is so many times the greatest of the other. */
const APART = 1.5;

/** And so many rounds make a group: one alone may have been disturbed. */
const LEAST_GROUP = 2;

function median(sorted) {
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/**
 * Whether rounds fall into two groups, as they do with threads: where two of them meet in a cache line a
 * round takes several times as long, and whether they meet depends on where the system puts them. The
 * groups are divided at the largest step from one to the next of the rounds in order.
 *
 * @param {number[]} rounds
 * @returns {[number, number] | undefined} the median of each group; undefined where there is only one
 */
export function modes(rounds) {
  const sorted = rounds.toSorted((a, b) => a - b);
  let division = 0;
  let largest = APART;
  for (let i = LEAST_GROUP; i <= sorted.length - LEAST_GROUP; ++i) {
    const step = sorted[i] / sorted[i - 1];
    if (step > largest) [division, largest] = [i, step];
  }
  return division ? [median(sorted.slice(0, division)), median(sorted.slice(division))] : undefined;
}

/**
 * The statistic of several rounds is their minimum: what disturbs a run only ever makes it longer.
 * Its spread says how well the minimum repeats: how far the lower quartile of the rounds lies above
 * it, as a fraction of it. At least 1 %, which is what the clock and the start of a process do.
 *
 * With threads this hides what happens in some rounds only, and the median and the modes say it.
 *
 * @param {number[]} rounds
 * @returns {{ best: number, spread: number, median: number, modes?: [number, number] }}
 */
export function summary(rounds) {
  const sorted = rounds.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) / 4;
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  const quartile = below + (above - below) * (position % 1);
  return {
    best: sorted[0],
    spread: Math.max(quartile / sorted[0] - 1, 0.01),
    median: median(sorted),
    modes: modes(sorted),
  };
}

/** A ratio as it counts in a mean: between 1/4 and 4. */
export function clamp(ratio) {
  return Math.min(Math.max(ratio, 1 / LIMIT), LIMIT);
}

/**
 * The geometric mean of ratios, each clamped.
 *
 * @param {number[]} ratios
 * @returns {number} NaN when there are none
 */
export function geometricMean(ratios) {
  const logarithms = ratios.map((ratio) => Math.log(clamp(ratio)));
  return Math.exp(logarithms.reduce((sum, value) => sum + value, 0) / logarithms.length);
}

/**
 * Whether the difference between two measurements is within their spreads.
 *
 * @param {{ best: number, spread: number }} a
 * @param {{ best: number, spread: number }} b
 * @returns {boolean}
 */
export function areEqual(a, b) {
  const [less, more] = a.best < b.best ? [a, b] : [b, a];
  return more.best / less.best <= 1 + Math.max(less.spread, more.spread);
}
