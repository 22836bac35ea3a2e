// Random operations against a model: what is allocated, where, and with which contents.
// Usage: SEED=123 mocha test/js/random.test.js repeats a run
import assert from 'node:assert/strict';
import { instantiate } from '../../js/index.js';
import { testAll } from '../support/emcc.js';
import { frees, forEachHeap, seeded } from './support.js';

const OPERATIONS = testAll ? 40_000 : 10_000;
const BATCH = 1000;

/** How many words; how many blocks at most; and the maximum, in pages, of an imported memory, which is
 * so small that it is used up again and again. */
const MIXES = {
  small: { size: (random) => 1 + random(16), limit: 3000, maximum: 3 },
  mixed: {
    size: (random) => 1 + random([8, 64, 500, 5000][random(4)]),
    limit: 2000,
    maximum: 60,
  },
  // Blocks of similar size, so that many share a bin.
  similar: { size: (random) => 500 + random(200), limit: 120, maximum: 4 },
  large: { size: (random) => 1 + random(60_000), limit: 300, maximum: 200 },
};

/** The model of one heap. */
class Model {
  blocks = []; // { address, words, salt }

  constructor(heap, random, size) {
    this.heap = heap;
    this.random = random;
    this.size = size;
  }

  /** Every word says which block this is. */
  fill(block) {
    const words = new Uint32Array(this.heap.memory.buffer, block.address, block.words);
    words.fill(block.salt);
  }

  /** Looks at the first word and the last, and now and then at all of them. */
  isIntact({ address, words, salt }, count = words) {
    const contents = new Uint32Array(this.heap.memory.buffer, address, count);
    if (contents[0] !== salt || contents[count - 1] !== salt) return false;
    return this.random(50) > 0 || contents.every((word) => word === salt);
  }

  add(address, words) {
    assert.equal(address % 8, 0, 'alignment');
    const block = { address, words, salt: this.random(2 ** 32) };
    this.fill(block);
    this.blocks.push(block);
  }

  /** Takes a block out, at random. */
  take() {
    const index = this.random(this.blocks.length);
    const block = this.blocks[index];
    this.blocks[index] = this.blocks.at(-1);
    this.blocks.pop();
    assert.ok(this.isIntact(block), `contents of the block at ${block.address}`);
    return block;
  }

  /** When a request is refused there must be no free block that is clearly large enough. */
  refuse(words) {
    if (!frees(this.heap.name)) return;
    const { largestFree } = this.heap.stats();
    assert.ok(largestFree < words * 5 + 64, `no ${words} words, but ${largestFree} bytes are free`);
  }

  step(limit) {
    const { heap, random } = this;
    const choice = this.blocks.length === 0 ? 0 : this.blocks.length >= limit ? 99 : random(100);
    if (choice < 50) {
      const words = this.size(random);
      const address = heap.alloc(words);
      if (address) this.add(address, words);
      else this.refuse(words);
    } else if (choice < 65) {
      const block = this.take();
      const words = this.size(random);
      const address = heap.realloc(block.address, words);
      if (!address) {
        this.blocks.push(block); // as it was, which is looked at when it is taken again
        this.refuse(words);
        return;
      }
      const kept = { ...block, address };
      assert.ok(this.isIntact(kept, Math.min(words, block.words)), 'contents after realloc');
      this.add(address, words);
    } else {
      heap.dealloc(this.take().address);
    }
  }

  /** Compares everything; takes time. */
  compare(name) {
    const { heap } = this;
    heap.check();
    const used = heap.blocks().filter(({ state }) => state === 'used');
    const sizes = new Map(used.map(({ address, size }) => [address, size]));
    for (const { address, words } of this.blocks)
      assert.ok(sizes.get(address) >= words * 4, `the block at ${address} is in the list`);
    if (frees(name)) assert.equal(used.length, this.blocks.length, 'number of blocks');
    const sorted = this.blocks.toSorted
      ? this.blocks.toSorted((a, b) => a.address - b.address)
      : [...this.blocks].sort((a, b) => a.address - b.address);
    sorted.reduce((end, { address, words }) => {
      assert.ok(address >= end, `the block at ${address} overlaps the one before`);
      return address + words * 4;
    }, 0);
    assert.ok(this.blocks.every((block) => this.isIntact(block)));
  }
}

describe(`${OPERATIONS} random operations against a model`, () => {
  forEachHeap((name, options) => {
    for (const [title, { size, limit, maximum }] of Object.entries(MIXES)) {
      it(`${title} blocks`, async () => {
        const { initial } = options();
        const heap = await instantiate(name, initial ? { initial, maximum } : {});
        seeded((random) => {
          const model = new Model(heap, random, size);
          const operations = frees(name) ? OPERATIONS : OPERATIONS / 10;
          for (let i = 0; i < operations; i++) {
            model.step(limit);
            if (i % BATCH === 0) model.compare(name);
          }
          while (model.blocks.length > 0) heap.dealloc(model.take().address);
          model.compare(name);
          if (frees(name)) assert.equal(heap.stats().usedBlocks, 0);
        });
      });
    }
  });
});
