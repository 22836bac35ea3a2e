// Growth, exhaustion and recovery, and addresses above 2 GiB.
import assert from 'node:assert/strict';
import { instantiate } from '../../js/index.js';
import { allocators, frees, randomFrom } from './support.js';

const PAGE = 65536;
const GIB = 2 ** 30;

/** Where the heap ends. */
function endOf(heap) {
  const last = heap.blocks().at(-1);
  return last.address + last.size;
}

/** Allocates until nothing is left, not even for one word. */
function exhaust(heap, sizes) {
  const blocks = [];
  for (const words of [...sizes, 1]) {
    for (let address; (address = heap.alloc(words));) blocks.push(address);
  }
  return blocks;
}

function shuffle(list, random) {
  for (let i = list.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [list[i], list[j]] = [list[j], list[i]];
  }
  return list;
}

describe('the memory', () => {
  for (const { name } of allocators) {
    describe(name, () => {
      it('is as large as it was asked to be, and grows to the maximum', async () => {
        const heap = await instantiate(name, { initial: 3, maximum: 20 });
        assert.equal(heap.memory.buffer.byteLength, 3 * PAGE);
        assert.equal(heap.alloc((20 * PAGE) / 4), 0, 'more than the maximum');
        assert.ok(heap.alloc((15 * PAGE) / 4));
        assert.ok(heap.memory.buffer.byteLength <= 20 * PAGE);
        heap.check();
      });

      it('leaves page 0 to other modules when it is imported', async () => {
        const heap = await instantiate(name, { initial: 2, maximum: 60 });
        exhaust(heap, [5000, 300, 7]);
        assert.ok(heap.read(0, PAGE).every((byte) => byte === 0));
        assert.ok(heap.blocks()[0].address > PAGE);
      });

      it('may hold anything before: the allocator clears what it needs', async () => {
        const memory = new WebAssembly.Memory({ initial: 10 });
        new Uint8Array(memory.buffer).fill(0xa5);
        const heap = await instantiate(name, { memory });
        const blocks = [1, 20, 500, 100000].map((words) => heap.alloc(words));
        assert.ok(blocks.every((address) => address > PAGE));
        heap.check();
        for (const address of blocks) heap.dealloc(address);
        heap.check();
        assert.ok(heap.read(0, PAGE).every((byte) => byte === 0xa5));
      });

      it('is the heap’s where somebody else made it grow', async () => {
        const memory = new WebAssembly.Memory({ initial: 2, maximum: 300 });
        const heap = await instantiate(name, { memory });
        const before = heap.alloc(100);
        heap.i32[before >>> 2] = 1;
        memory.grow(100);
        const large = heap.alloc((90 * PAGE) / 4);
        assert.ok(large);
        assert.equal(memory.buffer.byteLength, 102 * PAGE, 'no further growth was needed');
        memory.grow(1);
        assert.ok(heap.alloc((20 * PAGE) / 4));
        assert.equal(heap.i32[before >>> 2], 1);
        heap.check();
      });

      it('is used to the last bytes, and all of it is there again afterwards', async () => {
        const maximum = 40;
        const heap = await instantiate(name, { initial: 2, maximum });
        const random = randomFrom(1);
        for (let round = 0; round < 3; round++) {
          const blocks = exhaust(heap, [3000, 1000, 77, 20, 3]);
          heap.check();
          assert.equal(heap.memory.buffer.byteLength, maximum * PAGE);
          assert.ok(maximum * PAGE - endOf(heap) <= 16, `the heap ends at ${endOf(heap)}`);
          assert.equal(heap.alloc(1), 0);
          assert.equal(heap.realloc(blocks[0], 100000), 0);
          if (!frees(name)) return;

          for (const address of shuffle(blocks, random)) heap.dealloc(address);
          heap.check();
          assert.equal(heap.stats().usedBlocks, 0);
          const all = heap.stats().heapSize - 64;
          const address = heap.alloc(Math.floor(all / 4));
          assert.ok(address, `one block of ${all} bytes`);
          heap.check();
          heap.dealloc(address);
        }
      });

      if (frees(name)) {
        it('is found at its very end, behind a smaller block of nearly that size', async () => {
          const heap = await instantiate(name, { initial: 2, maximum: 2 });
          const smaller = heap.alloc(579);
          heap.alloc(1);
          let filler, last;
          for (let words = PAGE / 4; !last; words -= 2) {
            heap.dealloc(filler ?? 0);
            filler = heap.alloc(words);
            last = filler && heap.alloc(601);
          }
          assert.equal(heap.alloc(100), 0, 'nothing is left');
          for (const words of [601, 598]) {
            heap.dealloc(last);
            heap.dealloc(smaller);
            assert.equal(heap.alloc(words), last, `${words} words`);
            heap.check();
            assert.equal(heap.alloc(579), smaller);
            heap.check();
          }
        });
      }

      it('is usable above 2 GiB', async () => {
        const heap = await instantiate(name, { initial: 40000, maximum: 40000 });
        const { i32, f64 } = heap;
        const blocks = [];
        for (let address; (address = heap.alloc(GIB / 16));) blocks.push(address);
        const high = blocks.at(-1);
        assert.ok(high > 2 * GIB, `${high}`);
        assert.equal(blocks.length, 9, 'blocks of 256 MiB');
        i32[high >>> 2] = 42;
        heap.f64[(high + 8) / 8] = 1.5;
        assert.equal(f64[(high + 8) >>> 3], 1.5);
        assert.equal(i32.at(high / 4), 42);
        assert.equal(heap.view(Int32Array, high, 4)[0], 42);
        assert.equal(heap.read(high, 1, Int32Array)[0], 42);
        assert.deepEqual(
          heap.blocks().flatMap(({ address, state }) => (state === 'used' ? address : [])),
          blocks,
        );

        const small = heap.newString('far above');
        assert.ok(small > 2 * GIB);
        assert.equal(heap.readString(small), 'far above');
        const grown = heap.realloc(small, 1000);
        assert.ok(grown > 2 * GIB);
        assert.equal(heap.readString(grown), 'far above');
        heap.check();
        for (const address of [grown, ...blocks]) heap.dealloc(address);
        heap.check();
        if (!frees(name)) return;
        assert.equal(heap.stats().usedBlocks, 0);
        assert.equal(heap.alloc(GIB / 16), blocks[0]);
      });

      it('grows to 4 GiB', async () => {
        const heap = await instantiate(name);
        const { u8 } = heap;
        const size = 1.75 * GIB;
        const [a, b] = [heap.malloc(size), heap.malloc(size)];
        assert.ok(a && b > size);
        const last = b + size - 1;
        u8[last] = 7;
        assert.deepEqual([...heap.read(last, 1)], [7]);
        for (const words of [2 ** 24, 2 ** 20, 2 ** 16, 2 ** 14, 2 ** 10, 64, 1])
          while (heap.alloc(words));
        assert.equal(heap.memory.buffer.byteLength, 4 * GIB);
        assert.ok(4 * GIB - endOf(heap) <= 32, `the heap ends at ${endOf(heap)}`);
        assert.equal(u8.length, 4 * GIB);
        heap.check();
        heap.dealloc(b);
        assert.ok(heap.alloc(1000) || !frees(name));
        heap.check();
      });
    });
  }
});
