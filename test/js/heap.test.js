// The word interface and its byte-sized sisters, as index.d.ts describes them.
import assert from 'node:assert/strict';
import { HeapCorruptionError, allocators, instantiate } from '../../js/index.js';
import { allocators as table, forEachHeap, frees } from './support.js';

const TOO_LARGE = [2 ** 29, 2 ** 30, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 40, 1e300];

describe('allocators', () => {
  it('lists the table of lib/allocators.json', () => {
    assert.deepEqual(
      allocators,
      table.map(({ name, idea }) => ({ name, idea })),
    );
  });
});

describe('a heap', () => {
  forEachHeap((name, options) => {
    let heap;
    beforeEach(async () => {
      heap = await instantiate(name, options());
    });
    afterEach(() => heap.check());

    const usedBlocks = () => heap.stats().usedBlocks;

    /** Fills a block with words that say where they are. */
    const fill = (address, words, salt = 0) => {
      for (let i = 0; i < words; i++) heap.u32[(address >>> 2) + i] = address + i + salt;
    };
    const intact = (at, words, address = at, salt = 0) => {
      for (let i = 0; i < words; i++)
        if (heap.u32[(at >>> 2) + i] !== address + i + salt) return false;
      return true;
    };

    it('knows its name', () => assert.equal(heap.name, name));

    describe('alloc', () => {
      it('gives blocks that are aligned to 8 bytes and do not overlap', () => {
        const sizes = [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 64, 100, 255, 256, 1000, 5000];
        const blocks = sizes.map((words) => ({ words, address: heap.alloc(words) }));
        for (const { address, words } of blocks) {
          assert.ok(address > 0);
          assert.equal(address % 8, 0);
          assert.ok(address + 4 * words <= heap.memory.buffer.byteLength);
          fill(address, words);
        }
        for (const { address, words } of blocks)
          assert.ok(intact(address, words), `${words} words`);
      });

      it('answers 0 for no words', () => {
        assert.equal(heap.alloc(0), 0);
        assert.equal(usedBlocks(), 0);
      });

      it('answers 0 for more than there can be', () => {
        for (const words of TOO_LARGE) assert.equal(heap.alloc(words), 0, `${words} words`);
        assert.equal(usedBlocks(), 0);
      });
    });

    describe('realloc', () => {
      it('keeps the contents when a block grows and shrinks', () => {
        let address = heap.alloc(3);
        fill(address, 3, 7);
        const first = address;
        heap.alloc(1); // in the way
        for (const words of [4, 50, 49, 1000, 70000, 900, 3]) {
          address = heap.realloc(address, words);
          assert.ok(address > 0);
          assert.equal(address % 8, 0);
          assert.ok(intact(address, 3, first, 7), `${words} words`);
        }
      });

      it('allocates when the address is 0', () => {
        const address = heap.realloc(0, 5);
        assert.ok(address > 0);
        assert.equal(usedBlocks(), 1);
        assert.equal(heap.realloc(0, 0), 0);
      });

      it('deallocates and answers 0 when there are no words', () => {
        assert.equal(heap.realloc(heap.alloc(5), 0), 0);
        assert.equal(usedBlocks(), frees(name) ? 0 : 1);
      });

      it('answers 0 and leaves the block as it was when there is no memory', () => {
        const address = heap.alloc(20);
        fill(address, 20);
        for (const words of TOO_LARGE) assert.equal(heap.realloc(address, words), 0);
        assert.ok(intact(address, 20));
        assert.ok(heap.blocks().some((b) => b.address === address && b.state === 'used'));
      });
    });

    describe('dealloc', () => {
      it('makes the block free', () => {
        const blocks = [3, 300, 30000].map((words) => heap.alloc(words));
        assert.equal(usedBlocks(), 3);
        for (const address of blocks) heap.dealloc(address);
        assert.equal(usedBlocks(), frees(name) ? 0 : 3);
      });

      it('does nothing for 0', () => {
        heap.dealloc(0);
        heap.free(0);
        assert.equal(usedBlocks(), 0);
      });

      if (frees(name)) {
        it('gives memory back that is then used again', () => {
          const pages = () => heap.memory.buffer.byteLength;
          heap.dealloc(heap.alloc(100000));
          const before = pages();
          for (let i = 0; i < 1000; i++) heap.dealloc(heap.alloc(100000 - i));
          assert.equal(pages(), before);
        });
      }
    });

    describe('malloc, reallocBytes and free', () => {
      it('count bytes', () => {
        for (const bytes of [1, 3, 4, 5, 1000, 4097]) {
          const address = heap.malloc(bytes);
          const block = heap.blocks().find((b) => b.address === address);
          assert.equal(block.state, 'used');
          assert.ok(block.size >= bytes);
          heap.free(address);
        }
      });

      it('give a block of its own for 0 bytes', () => {
        const [a, b] = [heap.malloc(0), heap.malloc(0)];
        assert.ok(a > 0 && b > 0 && a !== b);
        const c = heap.reallocBytes(a, 0);
        assert.ok(c > 0 && c !== b);
        heap.free(b);
        heap.free(c);
        assert.ok(usedBlocks() === 0 || !frees(name));
      });

      it('answer 0 for more than there can be', () => {
        const address = heap.malloc(10);
        for (const bytes of TOO_LARGE.map((words) => words * 4)) {
          assert.equal(heap.malloc(bytes), 0);
          assert.equal(heap.reallocBytes(address, bytes), 0);
        }
      });

      it('keep the contents', () => {
        const address = heap.malloc(5);
        heap.write(address, [1, 2, 3, 4, 5]);
        const moved = heap.reallocBytes(address, 50000);
        assert.deepEqual([...heap.read(moved, 5)], [1, 2, 3, 4, 5]);
        assert.ok(heap.reallocBytes(0, 3) > 0);
      });
    });

    describe('stats and blocks', () => {
      it('begin with nothing in use', () => {
        assert.equal(heap.stats().usedBlocks, 0);
        assert.deepEqual(
          heap.blocks().filter(({ state }) => state === 'used'),
          [],
        );
      });

      it('agree with each other', () => {
        const addresses = Array.from({ length: 200 }, (_, i) => heap.alloc(1 + ((i * 37) % 400)));
        for (const address of addresses.filter((_, i) => i % 3 === 0)) heap.dealloc(address);
        const stats = heap.stats();
        const blocks = heap.blocks();
        const sum = (list) => list.reduce((total, { size }) => total + size, 0);
        const [used, free] = ['used', 'free'].map((s) => blocks.filter(({ state }) => state === s));
        assert.equal(stats.usedBlocks, used.length);
        assert.equal(stats.usedSize, sum(used));
        assert.equal(stats.freeBlocks, free.length);
        assert.equal(stats.freeSize, sum(free));
        assert.equal(stats.largestFree, Math.max(0, ...free.map(({ size }) => size)));
        assert.equal(stats.heapSize, stats.usedSize + stats.freeSize + stats.overheadSize);
        assert.ok(stats.peakSize >= stats.heapSize);
        assert.deepEqual(
          used.map(({ address }) => address),
          addresses.filter((_, i) => !frees(name) || i % 3 !== 0).sort((a, b) => a - b),
        );
        blocks.reduce((end, { address, size }) => {
          assert.ok(address >= end, 'in the order of addresses, without overlap');
          return address + size;
        }, 0);
      });
    });

    describe('check', () => {
      it('answers undefined when the heap is sound', () => {
        heap.alloc(10);
        assert.equal(heap.check(), undefined);
      });

      it('throws when a block has been overrun', async () => {
        const victim = await instantiate(name, options());
        const blocks = [2000, 2000, 2000].map((words) => victim.alloc(words));
        const bytes = victim.blocks().find(({ address }) => address === blocks[0]).size;
        victim.check();
        const expected = (error) =>
          error instanceof HeapCorruptionError &&
          error.name === 'HeapCorruptionError' &&
          /corrupt/.test(error.message) &&
          (error.address === null || Number.isInteger(error.address));
        for (const byte of [0, 0xf0]) {
          victim.write(blocks[0] + bytes, new Uint8Array(8).fill(byte));
          assert.throws(() => victim.check(), expected);
          assert.throws(() => victim.stats(), expected);
          assert.throws(() => victim.blocks(), expected);
        }
      });
    });

    describe('read, write and strings', () => {
      it('copy bytes and elements', () => {
        const address = heap.malloc(64);
        heap.write(address, Float64Array.of(1.5, -2));
        assert.deepEqual(heap.read(address, 2, Float64Array), Float64Array.of(1.5, -2));
        heap.write(address + 1, [1, 2, 255]);
        assert.deepEqual(heap.read(address + 1, 3), Uint8Array.of(1, 2, 255));
        heap.write(address, new Uint8Array([9, 8, 7, 6]).buffer);
        assert.deepEqual([...heap.read(address, 2, Uint16Array)], [0x0809, 0x0607]);
        heap.write(address, new DataView(Uint8Array.of(1, 2, 3, 4).buffer, 1, 2));
        assert.deepEqual([...heap.read(address, 4)], [2, 3, 7, 6]);
        heap.write(address + 8, heap.u8.subarray(address, address + 4));
        assert.deepEqual([...heap.read(address + 8, 4)], [2, 3, 7, 6]);
      });

      it('give copies that the heap does not change', () => {
        const address = heap.malloc(4);
        heap.write(address, [1, 2, 3, 4]);
        const copy = heap.read(address, 4);
        heap.write(address, [0, 0, 0, 0]);
        assert.deepEqual([...copy], [1, 2, 3, 4]);
      });

      it('bring texts through', () => {
        for (const text of ['', 'plain', 'ünï → 😀', '\ufeffwith a mark']) {
          const address = heap.newString(text);
          assert.equal(heap.readString(address), text);
          assert.equal(heap.readString(address, 0), '');
          heap.free(address);
        }
      });
    });
  });
});
