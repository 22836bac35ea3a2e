// The statistics of the benchmark.
// Usage: import { summary, geometricMean, clamp } from './statistics.mjs';

/** No ratio counts for more than this in a mean: what one does badly once must not carry it. */
const LIMIT = 4;

/**
 * The statistic of several rounds is their minimum: what disturbs a run only ever makes it longer.
 * Its spread says how well the minimum repeats: how far the lower quartile of the rounds lies above
 * it, as a fraction of it. At least 1 %, which is what the clock and the start of a process do.
 *
 * @param {number[]} rounds
 * @returns {{ best: number, spread: number }}
 */
export function summary(rounds) {
  const sorted = rounds.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) / 4;
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  const quartile = below + (above - below) * (position % 1);
  return { best: sorted[0], spread: Math.max(quartile / sorted[0] - 1, 0.01) };
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
