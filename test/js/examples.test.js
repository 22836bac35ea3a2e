// The examples run and print what they promise.
import assert from 'node:assert/strict';
import path from 'node:path';
import { allocators, frees, project, run } from './support.js';

const example = (file, ...args) =>
  run(process.execPath, [path.join(project, 'examples', file), ...args]);

describe('examples', () => {
  for (const { name } of allocators) {
    it(`shared-memory, with ${name}`, () => {
      const { stdout } = example('shared-memory/run.js', name);
      const numbers = stdout.split('\n').map((line) => line.match(/: +(-?\d+)/)?.[1]);
      assert.deepEqual(numbers.slice(0, 3), ['705082704', '705082704', '100000']);
      assert.equal(numbers[3], frees(name) ? '0' : '100000');
    });
  }

  it('node', () => {
    const { stdout } = example('node/heap.js');
    assert.match(stdout, /^a text in linear memory\n42 1000\d+\n/);
    assert.match(stdout, /usedBlocks: 2/);
  });
});
