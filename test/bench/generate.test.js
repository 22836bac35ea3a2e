// The programs that the benchmark generates are the same every time, and what their names say.
import assert from 'node:assert/strict';
import { GENERATED, LARGEST_HEAP, LIFETIMES, SIZES, SMALLEST_HEAP } from '../../bench/generate.mjs';
import { generate } from '../../bench/generate.mjs';
import { readTraceReference } from '../../bench/memory.mjs';
import { fraction, randomNumbers } from '../../bench/random.mjs';
import { instructions } from '../support/program.js';

const MEAN = 400;
const SAMPLES = 50_000;

/** Some sizes of a distribution, smallest first. */
function sample(name, seed = 1) {
  const nextSize = SIZES[name](randomNumbers(seed), MEAN);
  return Array.from({ length: SAMPLES }, () => Math.max(1, Math.floor(nextSize()))).sort(
    (a, b) => a - b,
  );
}

const sum = (values) => values.reduce((total, value) => total + value, 0);
const median = (sorted) => sorted[sorted.length >> 1];

/** The smallest program with a pattern of lifetimes, and what is seen while it goes on. */
function observe(lifetimes) {
  const heaps = GENERATED.filter((each) => each.lifetimes === lifetimes && !each.grows);
  const generated = heaps.reduce((a, b) => (a.bytes < b.bytes ? a : b));
  const live = new Map(); // size and birth, by block
  const seen = { bytes: [], ages: [], lifo: 0, frees: 0 };
  let [bytes, births] = [0, 0];
  for (const { kind, block, size } of instructions(generate(generated))) {
    if (kind === 'free') {
      const { birth, size: own } = live.get(block);
      ++seen.frees;
      seen.lifo += [...live.keys()].at(-1) === block;
      seen.ages.push(births - birth);
      live.delete(block);
      bytes -= own;
    } else {
      live.set(block, { size, birth: ++births });
      bytes += size;
    }
    seen.bytes.push(bytes);
  }
  seen.ages.sort((a, b) => a - b);
  return { ...seen, peak: Math.max(...seen.bytes), births };
}

/** The lowest that a series gets after it was high and before it is high again, each time. */
function valleys(series, high, low) {
  const found = [];
  let lowest;
  for (const value of series) {
    if (value >= high) {
      if (lowest < low) found.push(lowest);
      lowest = value;
    } else if (lowest !== undefined) lowest = Math.min(lowest, value);
  }
  return found;
}

/** How much is live after each time that many blocks were freed one after the other. */
function endsOfFreeing(series) {
  let freed = 0;
  return series.filter((value, i) => {
    freed = value < series[i - 1] ? freed + 1 : 0;
    return freed > 10 && series[i + 1] > value;
  });
}

describe('generated programs', () => {
  it('are 200: every distribution with every pattern, and as many heaps of each size', () => {
    assert.equal(GENERATED.length, 200);
    const pairs = new Set(GENERATED.map(({ sizes, lifetimes }) => `${sizes} ${lifetimes}`));
    assert.equal(pairs.size, Object.keys(SIZES).length * Object.keys(LIFETIMES).length);
    for (let least = SMALLEST_HEAP; least < LARGEST_HEAP; least *= 10) {
      const { length } = GENERATED.filter(({ bytes }) => bytes >= least && bytes < 10 * least);
      assert.ok(Math.abs(length - 50) <= 2, `${length} from ${least} bytes on`);
    }
    // No kind has the small heaps for itself, or the blocks that grow.
    for (const [kind, all] of Object.entries({ sizes: SIZES, lifetimes: LIFETIMES }))
      for (const name of Object.keys(all)) {
        const members = GENERATED.filter((each) => each[kind] === name);
        const part = (condition) => members.filter(condition).length / members.length;
        assert.ok(Math.abs(part(({ bytes }) => bytes < 1e6) - 1 / 2) < 0.1, name);
        assert.ok(Math.abs(part(({ grows }) => grows) - 1 / 3) < 0.1, name);
      }
  });

  it('are the same every time, and as large as they say', () => {
    const small = GENERATED.filter(({ bytes }) => bytes < 2e5);
    for (const generated of small) {
      const { pieces, peakLive, calls } = generate(generated);
      assert.ok(
        peakLive / generated.bytes > 0.8 && peakLive / generated.bytes < 1.6,
        generated.name,
      );
      assert.ok(calls >= 10_000);
      if (generated.number % 10 === 0) assert.deepEqual(generate(generated).pieces, pieces);
    }
    const stored = new Map(readTraceReference().generated.map((row) => [row.number, row.live]));
    for (const generated of small)
      assert.equal(generate(generated).peakLive, stored.get(generated.number), generated.name);
  });

  it('never free what is not live, and number blocks as the replay wants it', () => {
    for (const generated of GENERATED.filter(({ bytes }) => bytes < 3e4)) {
      const live = new Map();
      let [bytes, peak, highest] = [0, 0, 0];
      const program = generate(generated);
      for (const { kind, block, size } of instructions(program)) {
        assert.equal(live.has(block), kind !== 'malloc', `${generated.name}: ${kind}`);
        bytes += (size ?? 0) - (live.get(block) ?? 0);
        if (kind === 'free') live.delete(block);
        else live.set(block, size);
        assert.ok(kind === 'free' || (size >= 1 && size <= generated.bytes / 8));
        peak = Math.max(peak, bytes);
        highest = Math.max(highest, block);
      }
      assert.deepEqual([peak, highest], [program.peakLive, program.blocks]);
    }
  });

  for (const name of Object.keys(SIZES))
    it(`have sizes with the mean that was asked for: ${name}`, () => {
      const means = [1, 2, 3].map((seed) => sum(sample(name, seed)) / SAMPLES);
      for (const mean of means) assert.ok(Math.abs(mean / MEAN - 1) < 0.04, `${mean}`);
    });

  it('have sizes that are what their name says', () => {
    const all = Object.fromEntries(Object.keys(SIZES).map((name) => [name, sample(name)]));
    const part = (name, condition) => all[name].filter(condition).length / SAMPLES;
    assert.ok(median(all.skewed) < MEAN / 1.8 && all.skewed.at(-1) > 20 * MEAN);
    assert.ok(Math.abs(median(all.uniform) / MEAN - 1) < 0.04 && all.uniform.at(-1) < 2 * MEAN);
    for (const limit of [0.5, 1, 1.5])
      assert.ok(Math.abs(part('uniform', (size) => size < limit * MEAN) - limit / 2) < 0.02);
    const isLarge = (size) => size > 2 * MEAN;
    assert.ok(Math.abs(part('bimodal', isLarge) - 0.1) < 0.01);
    assert.ok(sum(all.bimodal.filter(isLarge)) > 0.7 * sum(all.bimodal));
    assert.equal(
      part('bimodal', (size) => size > 0.4 * MEAN && size < 3 * MEAN),
      0,
    );
    assert.ok(new Set(all.many).size > 1000);
    for (let least = all.many[0]; least < all.many.at(-1) / 2.1; least *= 2) {
      const doubling = part('many', (size) => size >= least && size < 2 * least);
      assert.ok(Math.abs(doubling - 1 / 6) < 0.02, `${doubling} from ${least} on`);
    }
    const few = new Set(all.few);
    assert.ok(few.size >= 2 && few.size <= 6, `${few.size}`);
    assert.ok([...few].every((size) => size % 4 === 0));
  });

  it('have lifetimes that are what their name says', () => {
    const all = Object.fromEntries(Object.keys(LIFETIMES).map((name) => [name, observe(name)]));
    const { stack, random, phases, generations, ratchets, replaced } = all;
    assert.equal(stack.lifo, stack.frees);
    for (const { lifo, frees } of [random, phases, ratchets]) assert.ok(lifo < 0.1 * frees);

    // Once it is full it stays so, and a block lives as long as another: exponentially.
    const full = random.bytes.slice(random.bytes.findIndex((bytes) => bytes > 0.9 * random.peak));
    assert.ok(Math.min(...full) > 0.6 * random.peak);
    const mean = sum(random.ages) / random.ages.length;
    assert.ok(Math.abs(median(random.ages) / mean - Math.LN2) < 0.15);

    assert.ok(valleys(phases.bytes, 0.8 * phases.peak, 0.2 * phases.peak).length >= 3);

    assert.ok(median(generations.ages) < 0.02 * generations.births);
    assert.ok(generations.ages.at(-1) > 0.2 * generations.births);

    // Each round ends higher than the one before, up to two thirds of the heap.
    const ends = endsOfFreeing(ratchets.bytes).slice(0, 11);
    assert.deepEqual(
      ends,
      ends.toSorted((x, y) => x - y),
    );
    assert.ok(ends[0] < 0.1 * ratchets.peak && ends.at(-1) > 0.6 * ratchets.peak);

    // While a state is replaced there is about half of the heap, or a little more than that twice.
    const low = valleys(replaced.bytes, 0.85 * replaced.peak, 0.7 * replaced.peak);
    assert.ok(low.length >= 3 && low.every((bytes) => bytes > 0.3 * replaced.peak));
  });
});

describe('numbers at random', () => {
  it('are the same from the same seed, and spread evenly', () => {
    const [a, b, c] = [7, 7, 8].map(randomNumbers);
    const draw = (random) => Array.from({ length: 1000 }, () => fraction(random));
    const [first, second, other] = [a, b, c].map(draw);
    assert.deepEqual(first, second);
    assert.notDeepEqual(first, other);
    assert.ok(first.every((value) => value >= 0 && value < 1));
    assert.ok(Math.abs(sum(first) / 1000 - 0.5) < 0.05);
  });
});
