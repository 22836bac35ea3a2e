// Misuse throws a named error that says what was wrong.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import createWabt from 'wabt';
import * as wasmalloc from '../../js/index.js';
import { allocators, project } from './support.js';

const { instantiate } = wasmalloc;

/** What assert.throws wants: an error of this class, and of WasmallocError, with such a message. */
function like(className, message) {
  return (error) => {
    assert.ok(error instanceof wasmalloc[className], `${error}`);
    assert.ok(error instanceof wasmalloc.WasmallocError && error instanceof Error);
    assert.equal(error.name, className);
    assert.match(error.message, message);
    return true;
  };
}

const NO_INTEGERS = [
  ...[1.5, NaN, Infinity, -Infinity, '4', null, undefined, 4n, -4n, {}, [4], true],
  ...[Symbol('4'), () => 4, Object.create(null), new Proxy({}, { get: () => assert.fail() })],
];

describe('errors of a heap', () => {
  for (const { name } of allocators) {
    describe(name, () => {
      let heap, address;
      before(async () => {
        heap = await instantiate(name);
        address = heap.alloc(4);
      });
      after(() => heap.check());

      it('a size that is negative or no integer', () => {
        for (const size of [-1, -(2 ** 31), ...NO_INTEGERS]) {
          const words = like(
            'InvalidArgumentError',
            /^words is .*must be an integer of at least 0$/,
          );
          const bytes = like(
            'InvalidArgumentError',
            /^bytes is .*must be an integer of at least 0$/,
          );
          assert.throws(() => heap.alloc(size), words);
          assert.throws(() => heap.realloc(address, size), words);
          assert.throws(() => heap.realloc(0, size), words);
          assert.throws(() => heap.malloc(size), bytes);
          assert.throws(() => heap.reallocBytes(address, size), bytes);
        }
        assert.equal(heap.stats().usedBlocks, 1, 'and nothing was allocated');
      });

      it('an address that is none', () => {
        for (const bad of [-8, 2 ** 32, ...NO_INTEGERS]) {
          const expected = like('InvalidArgumentError', /^address is .*must be an integer from 0/);
          assert.throws(() => heap.dealloc(bad), expected);
          assert.throws(() => heap.free(bad), expected);
          assert.throws(() => heap.realloc(bad, 1), expected);
          assert.throws(() => heap.reallocBytes(bad, 1), expected);
          assert.throws(() => heap.read(bad, 1), expected);
          assert.throws(() => heap.write(bad, [1]), expected);
          assert.throws(() => heap.readString(bad), expected);
        }
        assert.throws(() => heap.free(-8), like('InvalidArgumentError', /address >>> 0/));
      });

      it('an address at which no block can stand', () => {
        const { byteLength } = heap.memory.buffer;
        const cases = [
          [
            [address + 4, address + 1, 8 * 2 ** 28 + 2, 2 ** 32 - 1],
            /must be a block's, .* multiple of 8$/,
          ],
          [[byteLength, 2 ** 31, 2 ** 32 - 16], /must be a block's, and the memory ends at \d+$/],
          [[8, 16, 1024, 4096], /must be a block's, and the heap begins above \d+$/],
        ];
        for (const [addresses, message] of cases)
          for (const bad of addresses) {
            const expected = like('InvalidArgumentError', message);
            assert.throws(() => heap.dealloc(bad), expected);
            assert.throws(() => heap.free(bad), expected);
            assert.throws(() => heap.realloc(bad, 1), expected);
            assert.throws(() => heap.realloc(bad, 0), expected);
            assert.throws(() => heap.reallocBytes(bad, 1), expected);
          }
      });

      it('an address in page 0, where that is not the heap’s', async () => {
        const memory = new WebAssembly.Memory({ initial: 3 });
        new Uint8Array(memory.buffer).fill(0xa5);
        const shared = await instantiate(name, { memory });
        const expected = like('InvalidArgumentError', /the heap begins above \d+$/);
        for (const bad of [8, 65528, 65536]) assert.throws(() => shared.dealloc(bad), expected);
        // Where the memory ends is looked up anew once it has grown.
        shared.dealloc(shared.malloc(10 * 65536));
        memory.grow(10);
        shared.dealloc(shared.malloc(19 * 65536));
        shared.check();
      });

      it('a range that reaches beyond the memory', () => {
        const end = heap.memory.buffer.byteLength;
        const expected = like(
          'InvalidArgumentError',
          /reach beyond the memory, which ends at \d+$/,
        );
        assert.throws(() => heap.read(end - 3, 4), expected);
        assert.throws(() => heap.read(end - 8, 2, Float64Array), expected);
        assert.throws(() => heap.write(end - 1, [1, 2]), expected);
        assert.throws(() => heap.readString(end - 1, 2), expected);
        assert.throws(() => heap.read(0, 2 ** 40), expected);
        assert.equal(heap.read(end - 4, 4).length, 4);
      });

      it('a text that is none or has no end', () => {
        assert.throws(
          () => heap.newString(5),
          like('InvalidArgumentError', /^text is 5: it must be/),
        );
        const end = heap.memory.buffer.byteLength;
        const before = heap.read(end - 2, 2);
        heap.write(end - 2, [65, 65]);
        assert.throws(() => heap.readString(end - 2), like('InvalidArgumentError', /has no end/));
        heap.write(end - 2, before);
      });

      it('contents that are none', () => {
        for (const bad of ['text', 5, null, undefined, {}])
          assert.throws(
            () => heap.write(address, bad),
            like('InvalidArgumentError', /cannot write/),
          );
        for (const bad of [[Symbol('1')], [1n], [Object.create(null)]])
          assert.throws(
            () => heap.write(address, bad),
            like('InvalidArgumentError', /^cannot write the array: /),
          );
      });
    });
  }
});

/** A module that is an allocator by its exports, and traps when it is asked for anything. */
const TRAPS = `(module (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) unreachable)
  (func (export "realloc") (param i32 i32) (result i32) unreachable)
  (func (export "dealloc") (param i32) unreachable)
  (func (export "heap_next_block") (param i32) (result i32) unreachable)
  (func (export "heap_statistics") (result i32) i32.const 64)
  (func (export "heap_check") (result i32) unreachable))`;

describe('a trap', () => {
  it('has a name, whatever was called', async () => {
    const wabt = await createWabt();
    const { buffer } = wabt.parseWat('traps.wat', TRAPS).toBinary({});
    const heap = await instantiate('bins', { module: await WebAssembly.compile(buffer) });
    const expected = (message) => (error) => {
      assert.ok(error.cause instanceof WebAssembly.RuntimeError);
      assert.equal(error.address, null);
      return like('HeapCorruptionError', message)(error);
    };
    const alone = expected(/^the heap is corrupt: unreachable/);
    for (const act of [() => heap.alloc(1), () => heap.malloc(1), () => heap.newString('text')])
      assert.throws(act, alone);
    for (const act of [() => heap.check(), () => heap.stats(), () => heap.blocks()])
      assert.throws(act, alone);
    const ofBlock = expected(/^there is no block at 128, or the heap is corrupt: unreachable/);
    for (const act of [() => heap.dealloc(128), () => heap.free(128)]) assert.throws(act, ofBlock);
    for (const act of [() => heap.realloc(128, 1), () => heap.reallocBytes(128, 1)])
      assert.throws(act, ofBlock);
  });

  for (const { name } of allocators) {
    it(`has a name, or does not happen, where heads of ${name} are overwritten`, async () => {
      for (const act of ['dealloc', 'realloc', 'alloc'])
        for (const word of [0xffffffff, 0x7fffffff, 0xfffffff0, 0x80000001]) {
          const heap = await instantiate(name);
          const blocks = [4, 4, 4, 4, 4, 4].map((words) => heap.alloc(words));
          heap.dealloc(blocks[2]);
          heap.u32.fill(word, (blocks[1] >>> 2) - 2, (blocks[4] >>> 2) - 1);
          try {
            if (act === 'alloc') heap.alloc(400);
            else heap[act](blocks[3], 1000);
          } catch (error) {
            like('HeapCorruptionError', /heap is corrupt: /)(error);
          }
        }
    });
  }
});

describe('the names of errors', () => {
  const classes = Object.entries(wasmalloc).filter(([key]) => key.endsWith('Error'));

  it('are those of their classes, and stand where those of other errors do', () => {
    assert.equal(classes.length, 7);
    for (const [name, Class] of classes) {
      const error = new Class('text');
      assert.equal(error.name, name);
      assert.equal(String(error), `${name}: text`);
      assert.match(error.stack, new RegExp(`^${name}: text\n`));
      assert.ok(!Object.keys(error).includes('name'));
      error.name = 'another'; // as libraries do that wrap errors
      assert.equal(error.name, 'another');
    }
  });
});

describe('errors of instantiate', () => {
  const rejects = (options, className, message) =>
    assert.rejects(instantiate('bins', options), like(className, message));

  it('an unknown allocator: the message lists those that there are', async () => {
    const names = allocators.map(({ name }) => name).join(', ');
    const expected = like('UnknownAllocatorError', new RegExp(`there are: ${names}$`));
    for (const name of ['best', '', undefined, null, 4, 'toString', '../dist/bins'])
      await assert.rejects(instantiate(name), expected);
    assert.ok(new wasmalloc.UnknownAllocatorError() instanceof wasmalloc.InvalidArgumentError);
  });

  it('options that are none', async () => {
    for (const options of [null, 5, 'small'])
      await rejects(options, 'InvalidArgumentError', /^options is .*must be an object$/);
    await rejects({ inital: 2 }, 'InvalidArgumentError', /no option "inital"; there are: initial,/);
  });

  it('bad numbers of pages', async () => {
    for (const initial of [-1, 0, 1, 1.5, 65537, '2', null, NaN])
      await rejects({ initial }, 'InvalidArgumentError', /^initial is .* from 2 to 65536$/);
    for (const maximum of [-1, 1, 1.5, 65537, '2', null])
      await rejects({ maximum }, 'InvalidArgumentError', /^maximum is .* from 2 to 65536$/);
    const message = /^maximum is 4: it must be an integer from 5 to 65536$/;
    await rejects({ initial: 5, maximum: 4 }, 'InvalidArgumentError', message);
  });

  it('a bad memory', async () => {
    const memory = new WebAssembly.Memory({ initial: 2 });
    await rejects({ memory: {} }, 'InvalidArgumentError', /must be a WebAssembly.Memory$/);
    await rejects({ memory: null }, 'InvalidArgumentError', /must be a WebAssembly.Memory$/);
    await rejects({ memory, initial: 2 }, 'InvalidArgumentError', /not both$/);
    await rejects({ memory, maximum: 2 }, 'InvalidArgumentError', /not both$/);
    const small = new WebAssembly.Memory({ initial: 1 });
    await rejects({ memory: small }, 'InvalidArgumentError', /too small.* 2 pages/);
    const shared = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
    await rejects({ memory: shared }, 'InvalidArgumentError', /shared between threads/);
  });

  it('a memory that has a heap already', async () => {
    const memory = new WebAssembly.Memory({ initial: 2 });
    const first = instantiate('bins', { memory });
    await rejects({ memory }, 'InvalidArgumentError', /has a heap already/);
    await first;
    await rejects({ memory }, 'InvalidArgumentError', /has a heap already/);
    await assert.rejects(instantiate('linked', { memory }), /has a heap already/);
    const own = await instantiate('bins');
    await rejects({ memory: own.memory }, 'InvalidArgumentError', /has a heap already/);
  });

  it('a module that is none, or of the wrong kind', async () => {
    await rejects({ module: 5 }, 'InvalidArgumentError', /^module is 5: it must be/);
    const own = await WebAssembly.compile(readFileSync(path.join(project, 'dist/bins.wasm')));
    await rejects({ module: own, initial: 2 }, 'InvalidArgumentError', /brings its own memory/);
    await rejects({ module: own, url: 'file:///x' }, 'InvalidArgumentError', /not both$/);
    const bytes = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 2, 8, 1, 1, 97, 1, 98, 3, 127, 0);
    const foreign = await WebAssembly.compile(bytes);
    await rejects({ module: foreign }, 'LoadError', /^cannot instantiate bins: /);
  });

  it('a module that exports something else', async () => {
    const empty = await WebAssembly.compile(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
    await rejects({ module: empty }, 'LoadError', /is no allocator: .*alloc/);
  });

  it('a module that fails to load', async () => {
    await rejects({ url: 'no-url' }, 'InvalidArgumentError', /^url is "no-url": it must be/);
    const missing = new URL('missing.wasm', import.meta.url);
    await rejects({ url: missing }, 'LoadError', /^cannot load .*missing\.wasm: .*no such file/);
    await rejects({ url: import.meta.url }, 'LoadError', /^cannot load .*errors\.test\.js: /);
    const error = await instantiate('bins', { url: missing }).catch((e) => e);
    assert.equal(error.cause.code, 'ENOENT');
    const data = 'data:application/wasm;base64,bm90IHdhc20=';
    await rejects({ url: data }, 'LoadError', /^cannot load data:/);
  });

  it('a memory is free for another attempt after one that failed', async () => {
    const memory = new WebAssembly.Memory({ initial: 2 });
    await rejects({ memory, url: 'file:///nothing.wasm' }, 'LoadError', /^cannot load/);
    assert.equal((await instantiate('bins', { memory })).memory, memory);
  });

  it('but url and module work when they are right', async () => {
    const url = new URL('../../dist/linked.imported.wasm', import.meta.url);
    const heap = await instantiate('linked', { url, initial: 3 });
    assert.equal(heap.memory.buffer.byteLength, 3 * 65536);
    const module = await WebAssembly.compile(readFileSync(url));
    const memory = new WebAssembly.Memory({ initial: 2 });
    assert.equal((await instantiate('linked', { module, memory })).memory, memory);
    assert.equal((await instantiate('linked', { url: url.href })).memory.buffer.byteLength, 131072);
  });
});
