// What the benchmark measures without a clock must be as in the stored reference, or better.
import assert from 'node:assert/strict';
import { differences, measureExactly } from '../../bench/exact.mjs';
import { readReference } from '../../bench/run.mjs';
import { testAll } from '../support/emcc.js';
import { ensureReference } from './support.js';

describe('the benchmark', () => {
  it('finds code size, memory and memory.grow calls no worse than in the reference', async function () {
    // The first time SQLite and the others are compiled and linked five times each.
    const reference = readReference();
    await ensureReference(this, reference);
    const found = differences(reference, await measureExactly({ quick: !testAll }));
    const worse = found.filter((difference) => difference.worse).map(({ text }) => text);
    assert.deepEqual(worse, [], 'if this is meant, make a new reference: npm run bench -- --save');
  });
});
