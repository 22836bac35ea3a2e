// What the benchmark says of the allocators' part of a program's time.
import assert from 'node:assert/strict';
import { PROGRAMS } from '../../bench/workloads.mjs';
import { measureShares, meanWithout } from '../../bench/share.mjs';
import { ensureEmscripten } from '../../scripts/emscripten.mjs';
import { testAll } from '../support/emcc.js';

describe("the allocators' part of a program's time", () => {
  // Lua is linked nine times for it.
  if (testAll)
    it('is more than nothing and less than a half for Lua, with every allocator', async function () {
      await ensureEmscripten();
      const programs = PROGRAMS.filter(({ name }) => name === 'lua');
      const { lua } = await measureShares({ rounds: 1, progress: () => {}, programs });
      for (const [subject, share] of Object.entries(lua))
        assert.ok(share > 0 && share < 0.5, `${subject}: ${share}`);
    });

  it('is what an allocator that takes no time would save', () => {
    const shares = { a: { dlmalloc: 0.1 }, b: { dlmalloc: 0.3 } };
    assert.ok(Math.abs(meanWithout(shares, 'dlmalloc') ** 2 - 0.9 * 0.7) < 1e-9);
  });
});
