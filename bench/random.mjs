// Numbers at random that are the same in every run.
// Usage: import { randomNumbers, fraction } from './random.mjs';

/**
 * @param {number} seed
 * @returns {(limit: number) => number} the next whole number from 0 to `limit` - 1
 */
export function randomNumbers(seed) {
  let state = seed | 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

const STEPS = 2 ** 30;

/** The next number of such a generator as one from 0 to just below 1. */
export function fraction(random) {
  return random(STEPS) / STEPS;
}
