// The known faults of Emscripten's allocators: ours have none of them, and docs/faults.md says truly who
// has which.
// Usage: npx mocha test/peers/peers.test.js [-g 'part of a name']
import assert from 'node:assert/strict';
import { ensureEmscripten } from '../../scripts/emscripten.mjs';
import { allocators, testAll } from '../support/emcc.js';
import { FAULTS, failuresOfOurs, faultTable, readTable } from './run.mjs';
import { runFaults, whyNotPromised } from './run.mjs';

describe('faults of the shipped allocators', function () {
  // The smaller allocators have the same interface.
  const ours = allocators.filter(({ name }) => testAll || name === 'wasmalloc');
  let results;
  let version;
  before('build and run', async () => {
    ({ version } = await ensureEmscripten());
    const tried = testAll ? {} : { allocators: ours.map(({ name }) => name) };
    results = await runFaults(tried);
  });

  for (const { name: allocator } of ours) {
    describe(allocator, () => {
      for (const { name, text } of FAULTS) {
        const reason = whyNotPromised(allocator, name);
        it(`${name}: ${text}${reason ? `: not promised, ${reason}` : ''}`, function () {
          const only = Object.entries(results[allocator]).map(([width, byName]) => [
            width,
            { [name]: byName[name] },
          ]);
          assert.deepEqual(failuresOfOurs({ [allocator]: Object.fromEntries(only) }), []);
          if (reason) this.skip();
        });
      }
    });
  }

  // It is of all allocators, those of Emscripten too.
  if (!testAll) return;
  it('are in the table of docs/faults.md as they are', function () {
    const page = readTable();
    if (page.version !== version) {
      this.test.title += `: not compared, this is Emscripten ${version}, the page's ${page.version}`;
      this.skip();
    }
    const hint = 'if that is meant: node test/peers/run.mjs --write';
    assert.equal(page.text, faultTable(results, version), hint);
  });
});
