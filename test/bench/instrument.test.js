// What is told of a module's accesses to memory, and that it still does what it did.
import assert from 'node:assert/strict';
import loadWabt from 'wabt';
import { instrument } from '../../bench/instrument.mjs';

/** The functions that are told, which pass it on, and a call of each kind of access. */
const SOURCE = `(module
  (import "test" "told" (func $told (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "uncounted_access") (param i32 i32 i32) (result i32)
    (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
    (call $told (local.get 0) (local.get 1) (local.get 2))
    (local.get 0))
  (func (export "uncounted_range") (param i32 i32 i32)
    (call $told (local.get 0) (local.get 1) (local.get 2)))
  (func (export "uncounted_exchanged") (param i32 i32) (result i32)
    (call $told (i32.const -1) (local.get 0) (local.get 1))
    (local.get 0))
  (func (export "uncounted_compared") (param i32 i32 i32) (result i32)
    (call $told (local.get 0) (local.get 1) (local.get 2))
    (local.get 0))
  (func (export "uncounted_enter") (call $told (i32.const -2) (i32.const 0) (i32.const 0)))
  (func (export "uncounted_leave") (call $told (i32.const -3) (i32.const 0) (i32.const 0)))
  (func (export "uncounted_wait") (param i32 i32 i64 i32) (result i32) (i32.const 0))
  (func $malloc (export "malloc") (param i32) (result i32) (i32.load offset=8 (local.get 0)))
  (func (export "run") (param $p i32) (result f64)
    (local $sum f64)
    (i32.store offset=8 (local.get $p) (i32.const 300))
    (f64.store offset=200 (local.get $p) (f64.const 0.5))
    (local.set $sum (f64.convert_i32_u (call $malloc (local.get $p))))
    (drop (i32.atomic.rmw.xchg offset=16 (local.get $p) (i32.const 1)))
    (drop (i32.atomic.rmw.cmpxchg offset=16 (local.get $p) (i32.const 1) (i32.const 2)))
    (memory.copy (i32.add (local.get $p) (i32.const 64)) (local.get $p) (i32.const 24))
    (memory.fill (local.get $p) (i32.const 1) (i32.const 8))
    (local.set $sum (f64.add (local.get $sum) (f64.convert_i32_u (i32.load8_u offset=80 (local.get $p)))))
    (block (br_table 0 0 (i32.const 5)))
    (f64.add (local.get $sum) (f64.load offset=200 (local.get $p)))))`;

async function assembled() {
  const wabt = await loadWabt();
  const features = { threads: true, bulk_memory: true };
  return wabt.parseWat('test.wat', SOURCE, features).toBinary({}).buffer;
}

async function run(bytes) {
  const told = [];
  const imports = { test: { told: (...what) => told.push(what) } };
  const { instance } = await WebAssembly.instantiate(bytes, imports);
  const result = instance.exports.run(1000);
  const memory = new Uint8Array(instance.exports.memory.buffer, 4).slice();
  return { told, result, memory };
}

describe('an instrumented module', () => {
  it('tells of each access, what it is and where, and of calls of the allocator', async () => {
    const { told } = await run(instrument(await assembled()));
    const [WRITE, CHANGE] = [16, 48];
    assert.deepEqual(told, [
      [1000, 8, 4 | WRITE],
      [1000, 200, 8 | WRITE],
      [-2, 0, 0],
      [1000, 8, 4],
      [-3, 0, 0],
      [1000, 16, 4 | CHANGE],
      [-1, 0, 1],
      [1000, 16, 4 | CHANGE],
      [1, 1, 2],
      [1000, 24, 0],
      [1064, 24, 1],
      [1000, 8, 1],
      [1000, 80, 1],
      [1000, 200, 8],
    ]);
  });

  it('does what it did', async () => {
    const bytes = await assembled();
    const [before, after] = [await run(bytes), await run(instrument(bytes))];
    assert.equal(before.result, 302.5);
    assert.equal(after.result, before.result);
    assert.deepEqual(after.memory, before.memory);
    assert.deepEqual(before.told, []);
  });

  it('is refused where an instruction is unknown', async () => {
    const bytes = (await assembled()).slice();
    // drop, in the code; i32.const 5 of the br_table becomes no instruction at all.
    const at = Buffer.from(bytes).lastIndexOf(Buffer.from([0x41, 5, 0x0e]));
    bytes[at] = 0xff;
    assert.throws(() => instrument(bytes), /the instruction 0xff cannot be counted/);
  });
});
