// Heaps that a program has broken: no call goes on for ever.
// Usage: npx mocha test/broken; for more heaps: npm run broken -- --help
// In the environment WASMALLOC_TEST_SEED=N breaks others, and WASMALLOC_TEST_ALL=1 breaks 10,000 of each build, of all builds.
import assert from 'node:assert/strict';
import { temporaryFolder, testAll } from '../support/emcc.js';
import { BUILDS, breakHeaps } from './broken.js';

const seed = Number(process.env.WASMALLOC_TEST_SEED ?? 1);

/** What is broken in the quick suite. */
const QUICK = [
  ...['minimal', 'linked', 'doubly', 'bins', 'wasmalloc', 'wasmalloc, -Oz', 'hardened', 'debug'],
  ...['wasmalloc, threads', 'bins, threads'],
];

const CASES = testAll ? 10_000 : 2_000;

describe('broken heaps', function () {
  this.timeout(3_600_000);

  it('are tried with builds that there are', () => {
    const names = BUILDS.map(({ name }) => name);
    assert.deepEqual(
      QUICK.filter((name) => !names.includes(name)),
      [],
    );
  });

  const folder = temporaryFolder();
  for (const build of BUILDS.filter(({ name }) => testAll || QUICK.includes(name))) {
    it(`${build.name}: ${CASES} end`, async () => {
      const { answered, trapped } = await breakHeaps(build, { folder, cases: CASES, seed });
      assert.equal(answered + trapped, CASES);
      // Or they would not be broken at all, or nothing be called.
      assert.ok(answered > CASES / 100 && trapped > CASES / 100, `${answered}, ${trapped}`);
    });
  }
});
