// No view goes stale, whoever makes the memory grow and whatever is kept in a variable.
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { InvalidArgumentError, StaleViewError, instantiate } from '../../js/index.js';
import { allocators } from './support.js';

const TYPES = {
  i8: Int8Array,
  u8: Uint8Array,
  i16: Int16Array,
  u16: Uint16Array,
  i32: Int32Array,
  u32: Uint32Array,
  i64: BigInt64Array,
  u64: BigUint64Array,
  f32: Float32Array,
  f64: Float64Array,
};

describe('live views', () => {
  for (const { name } of allocators) {
    it(`${name}: stay valid when the allocator makes the memory grow`, async () => {
      const heap = await instantiate(name);
      const { i32 } = heap;
      const address = heap.alloc(4);
      const block = heap.view(Int32Array, address, 4);
      const part = i32.subarray(address >>> 2, (address >>> 2) + 4);
      const { at, fill } = i32; // even a method that is kept
      i32[address >>> 2] = 1;
      const plain = new Int32Array(heap.memory.buffer);
      heap.alloc(1_000_000);
      assert.equal(plain.length, 0, 'a plain typed array is stale, so this test shows something');
      for (const view of [i32.subarray(address >>> 2), part, block]) assert.equal(view[0], 1);
      assert.equal(i32, heap.i32);
      assert.equal(i32[address >>> 2], 1);
      assert.equal(at(address >>> 2), 1);
      fill(3, address >>> 2, (address >>> 2) + 1);
      assert.deepEqual([block[0], part[0]], [3, 3]);
      block[1] = 5;
      assert.equal(heap.read(address, 2, Int32Array)[1], 5);
      assert.equal(i32.length * 4, heap.memory.buffer.byteLength);
    });

    it(`${name}: stay valid when another module makes it grow`, async () => {
      const memory = new WebAssembly.Memory({ initial: 2 });
      const heap = await instantiate(name, { memory });
      const address = heap.alloc(2);
      const views = Object.fromEntries(Object.keys(TYPES).map((key) => [key, heap[key]]));
      views.f64[address >>> 3] = 1.5;
      memory.grow(7);
      for (const [key, Type] of Object.entries(TYPES)) {
        const expected = heap.read(address, 8 / Type.BYTES_PER_ELEMENT, Type);
        const first = address / Type.BYTES_PER_ELEMENT;
        assert.deepEqual(views[key].slice(first, first + expected.length), expected, key);
        assert.equal(views[key].length, (9 * 65536) / Type.BYTES_PER_ELEMENT);
      }
    });
  }

  describe('are like typed arrays', () => {
    let heap, block;
    beforeEach(async () => {
      heap = await instantiate('bins');
      block = heap.view(Int32Array, heap.alloc(6), 6);
      block.set([5, 3, 1, 4, 2, 6]);
    });

    /** Makes the memory grow, and with it every plain typed array stale. */
    const grow = () => heap.memory.grow(1);

    it('in their properties', () => {
      for (const [key, Type] of Object.entries(TYPES)) {
        const view = heap[key];
        assert.ok(view instanceof Type);
        assert.equal(view.constructor, Type);
        assert.equal(view.BYTES_PER_ELEMENT, Type.BYTES_PER_ELEMENT);
        assert.equal(view.byteLength, heap.memory.buffer.byteLength);
        assert.equal(view.byteOffset, 0);
        assert.equal(Object.prototype.toString.call(view), `[object ${Type.name}]`);
      }
      assert.equal(block.length, 6);
      assert.equal(block.byteLength, 24);
      assert.deepEqual(Object.keys(block), ['0', '1', '2', '3', '4', '5']);
      assert.deepEqual({ ...block }, { 0: 5, 1: 3, 2: 1, 3: 4, 4: 2, 5: 6 });
      assert.ok(0 in block && !(6 in block) && !('nothing' in block));
      assert.deepEqual(Object.getOwnPropertyDescriptor(block, 0), {
        value: 5,
        writable: true,
        enumerable: true,
        configurable: true,
      });
      assert.equal(inspect(block), inspect(Int32Array.of(5, 3, 1, 4, 2, 6)));
    });

    it('in what lies beyond their ends', () => {
      assert.equal(block[6], undefined);
      assert.equal(block[-1], undefined);
      assert.equal(block['1.5'], undefined);
      block[6] = 9;
      assert.equal(block.length, 6);
    });

    it('in how values are converted', () => {
      block[0] = '7';
      block[1] = 2 ** 31;
      block[2] = 3.9;
      block[3] = undefined;
      assert.deepEqual([...block], [7, -(2 ** 31), 3, 0, 2, 6]);
      const wide = heap.view(BigUint64Array, block.byteOffset, 1);
      wide[0] = -1n;
      assert.equal(wide[0], 2n ** 64n - 1n);
      assert.throws(() => (wide[0] = 1), TypeError);
      assert.throws(() => (block[0] = 1n), TypeError);
    });

    it('in their methods', () => {
      assert.deepEqual([...block], [5, 3, 1, 4, 2, 6]);
      assert.deepEqual([...block.entries()][1], [1, 3]);
      assert.deepEqual([...block.keys()], [0, 1, 2, 3, 4, 5]);
      assert.deepEqual([...block.values()], [5, 3, 1, 4, 2, 6]);
      assert.equal(block.at(-1), 6);
      assert.equal(block.indexOf(4), 3);
      assert.equal(block.lastIndexOf(9), -1);
      assert.ok(block.includes(2));
      assert.equal(block.join('-'), '5-3-1-4-2-6');
      assert.equal(String(block), '5,3,1,4,2,6');
      assert.ok(block.every((x) => x > 0) && block.some((x) => x > 5));
      assert.equal(
        block.find((x) => x < 3),
        1,
      );
      assert.equal(
        block.findIndex((x) => x < 3),
        2,
      );
      assert.equal(
        block.findLast((x) => x < 3),
        2,
      );
      assert.equal(
        block.findLastIndex((x) => x < 3),
        4,
      );
      assert.equal(
        block.reduce((a, b) => a + b),
        21,
      );
      assert.equal(
        block.reduceRight((a, b) => `${a}${b}`, ''),
        '624135',
      );
      assert.deepEqual(block.slice(1, 3), Int32Array.of(3, 1));
      assert.deepEqual(
        block.map((x) => x * 2),
        Int32Array.of(10, 6, 2, 8, 4, 12),
      );
      assert.deepEqual(
        block.filter((x) => x > 4),
        Int32Array.of(5, 6),
      );
      if (block.toSorted) assert.deepEqual(block.toSorted(), Int32Array.of(1, 2, 3, 4, 5, 6));
      assert.equal(block.copyWithin(0, 4), block);
      assert.deepEqual([...block], [2, 6, 1, 4, 2, 6]);
      assert.equal(block.reverse(), block);
      assert.equal(block.sort(), block);
      assert.deepEqual([...block], [1, 2, 2, 4, 6, 6]);
      assert.equal(
        block.sort((a, b) => b - a),
        block,
      );
      assert.deepEqual([...block], [6, 6, 4, 2, 2, 1]);
      assert.equal(block.fill(7, 1, 3), block);
      block.set(Int32Array.of(8, 9), 4);
      assert.deepEqual([...block], [6, 7, 7, 2, 8, 9]);
      heap.i32.set(block.subarray(4), block.byteOffset / 4);
      assert.deepEqual([...block], [8, 9, 7, 2, 8, 9]);
      assert.equal(block.valueOf(), block);
    });

    it('in subarray', () => {
      const plain = Int32Array.of(5, 3, 1, 4, 2, 6);
      const ends = [undefined, 0, 1, 3, 6, 7, -1, -2, -9, 1.7, NaN];
      for (const begin of ends) {
        for (const end of ends) {
          const part = block.subarray(begin, end);
          assert.deepEqual([...part], [...plain.subarray(begin, end)], `${begin}, ${end}`);
          grow();
          assert.deepEqual([...part], [...plain.subarray(begin, end)], `${begin}, ${end}`);
        }
      }
      assert.equal(block.subarray(1).subarray(2)[0], 4);
    });

    it('and go on when the memory grows in the middle of a loop', () => {
      const seen = [];
      for (const value of block) {
        seen.push(value);
        grow();
      }
      assert.deepEqual(seen, [5, 3, 1, 4, 2, 6]);
      block.forEach((value, i, array) => {
        grow();
        array[i] = value + 1;
      });
      assert.deepEqual([...block], [6, 4, 2, 5, 3, 7]);
      assert.deepEqual(
        block.map((x) => (grow(), x)),
        Int32Array.of(6, 4, 2, 5, 3, 7),
      );
      block.sort((a, b) => (grow(), a - b));
      assert.deepEqual([...block], [2, 3, 4, 5, 6, 7]);
      assert.equal(
        block.reduce((a, b) => (grow(), a + b), 0),
        27,
      );
      block.set(block.map((x) => (grow(), -x)));
      assert.equal(block[0], -2);
      block[0] = { valueOf: () => (grow(), 11) };
      assert.equal(block[0], 11);
      block.set([{ valueOf: () => (grow(), 12) }], 1);
      assert.equal(block[1], 12);
    });

    it('but hand out nothing that could go stale', () => {
      assert.throws(() => block.buffer, StaleViewError);
      const leaks = [];
      for (const method of ['every', 'forEach', 'map', 'filter', 'find', 'some'])
        block[method]((value, i, array) => leaks.push(array) < 0);
      block.reduce((a, b, i, array) => leaks.push(array));
      leaks.push(block.fill(1), block.sort(), block.reverse(), block.copyWithin(0, 1));
      grow();
      for (const array of leaks) assert.equal(array, block);
    });

    it('and cannot be frozen, extended or changed in kind', () => {
      assert.throws(() => Object.freeze(block), TypeError);
      assert.throws(() => (block.name = 1), TypeError);
      assert.throws(() => Object.setPrototypeOf(block, null), TypeError);
      assert.throws(() => delete block[0], TypeError);
      assert.equal(Reflect.defineProperty(block, 0, { value: 3 }), true);
      assert.equal(block[0], 3);
      assert.throws(() => (heap.i32 = null), TypeError);
    });
  });
});

describe('heap.view', () => {
  let heap, address;
  beforeEach(async () => {
    heap = await instantiate('bins');
    address = heap.alloc(1000);
  });

  it('lends a plain typed array to a callback and answers its result', () => {
    const sum = heap.view(Uint32Array, address, 1000, (words) => {
      assert.ok(ArrayBuffer.isView(words));
      for (let i = 0; i < words.length; i++) words[i] = i;
      return words.reduce((a, b) => a + b);
    });
    assert.equal(sum, 499500);
    assert.equal(heap.u32[(address >>> 2) + 999], 999);
    assert.equal(
      heap.view(Uint8Array, address, 1, (bytes) => bytes),
      undefined,
    );
  });

  it('does not let the callback allocate, and gives back what it has', () => {
    const calls = [
      () => heap.alloc(1),
      () => heap.realloc(address, 5000),
      () => heap.malloc(1),
      () => heap.reallocBytes(address, 5000),
      () => heap.newString('x'),
    ];
    for (const call of calls)
      assert.throws(() => heap.view(Uint8Array, address, 1, call), StaleViewError);
    assert.ok(heap.alloc(1), 'afterwards it may');
    heap.view(Uint8Array, address, 1, () => heap.dealloc(address));
  });

  it('notices when something else made the memory grow', () => {
    assert.throws(
      () => heap.view(Uint8Array, address, 1, () => heap.memory.grow(1)),
      (error) => error instanceof StaleViewError && /grew/.test(error.message),
    );
  });

  it('refuses an asynchronous callback', () => {
    assert.throws(() => heap.view(Uint8Array, address, 1, async () => {}), StaleViewError);
  });

  it('passes on what the callback throws', () => {
    const error = new Error('mine');
    const thrower = () => {
      throw error;
    };
    assert.throws(() => heap.view(Uint8Array, address, 1, thrower), error);
    assert.ok(heap.alloc(1));
  });

  it('checks the type, the range and the alignment', () => {
    const end = heap.memory.buffer.byteLength;
    assert.equal(heap.view(Uint8Array, end, 0).length, 0);
    for (const bad of [
      () => heap.view(Array, address, 1),
      () => heap.view(undefined, address, 1),
      () => heap.view(Int32Array, address + 2, 1),
      () => heap.view(Int32Array, end - 4, 2),
      () => heap.view(Int32Array, -4, 2),
      () => heap.view(Int32Array, address, 1.5),
      () => heap.view(Int32Array, address, 1, 'no function'),
    ])
      assert.throws(bad, InvalidArgumentError);
  });
});
