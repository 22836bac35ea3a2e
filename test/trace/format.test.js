// The format of a trace, and what its reader says of one that is damaged.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { LoadError, TraceError, readTrace } from '../../js/index.js';
import { BLOCK_TYPES, EVENT_KINDS } from '../../js/trace.js';
import { randomFrom } from '../js/support.js';
import { temporaryFolder } from '../support/emcc.js';
import { fileBlock, fileHeader, traceChunks, writeTrace } from '../support/trace.js';

/** Fields of an event that a call leaves out. */
const NOTHING = { stack: 0, size: 0, alignment: 0, address: 0, previous: 0 };

/** Where no block stands. */
const NOWHERE = 2 ** 40 + 3;

/** Another one each time, unless the environment has a SEED; messages say it, for the failure to be repeated. */
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32));

/** Events as a program could make them, with all that the format can hold; `block` says which is meant. */
function randomEvents(random, count) {
  const live = new Map(); // address by number
  const free = [];
  let numbers = 0;
  let heap = 4096;
  let time = 0;
  const address = () => {
    const unit = random(50) ? 8 : 1;
    const most = random(4) ? 2 ** 12 : 2 ** 29;
    for (;;) {
      const found = (random(most) + 1) * unit;
      if (![...live.values()].includes(found)) return found;
    }
  };
  const size = () => [random(100), random(100_000), 2 ** 31 + random(2 ** 31), 2 ** 40][random(4)];
  const add = (event) => {
    if (!random(8)) return { ...event, block: 0, address: 0 };
    const block = free.pop() ?? ++numbers;
    live.set(block, event.address);
    return { ...event, block };
  };
  return Array.from({ length: count }, () => {
    time += random(3) * random(2 ** random(30));
    heap += (random(3) - 1) * 8;
    const common = { ...NOTHING, thread: random(3), stack: random(3), time, heap };
    const kind = EVENT_KINDS[random(EVENT_KINDS.length)];
    const block = [...live.keys()][random(live.size || 1)];
    const previous = live.get(block);
    if (kind === 'free') {
      if (!previous || !random(20)) return { ...common, kind, block: 0, previous: NOWHERE };
      live.delete(block);
      free.push(block);
      return { ...common, kind, block, previous };
    }
    const event = { ...common, kind, size: size(), address: address() };
    if (kind === 'memalign') event.alignment = 2 ** random(17);
    if (kind !== 'realloc' || !previous || !random(5)) return add(event);
    if (!random(5)) return { ...event, block, previous, address: 0 };
    live.set(block, event.address);
    return { ...event, block, previous };
  });
}

/** All events that can be read, and the error that ended it, if one did. */
async function readAll(source) {
  const events = [];
  let trace;
  try {
    trace = await readTrace(source);
    for await (const batch of trace) events.push(...batch);
    return { events, trace };
  } catch (error) {
    return { events, trace, error };
  }
}

const description = { stacks: true, threads: true, allocator: 'linked' };
const stacks = { 1: 'malloc\tplace\nmain', 2: 'größe (int)\tapp.wasm:0x12\n\tx' };

describe('the format of a trace', () => {
  it('holds every event as it was, in blocks of any length', async () => {
    for (const perBlock of [1, 7, 1000]) {
      const events = randomEvents(randomFrom(seed), 600);
      const bytes = writeTrace(events, { description, stacks, perBlock, end: { status: 3 } });
      const { events: read, trace, error } = await readAll(bytes);
      assert.ifError(error);
      assert.deepEqual(read, events, `SEED=${seed}`);
      assert.deepEqual(trace.end, { reason: 'exit', status: 3, events: 600 });
      assert.equal(trace.description.allocator, 'linked');
      assert.deepEqual(trace.stacks.get(2), [
        { name: 'größe (int)', place: 'app.wasm:0x12' },
        { name: '', place: 'x' },
      ]);
    }
  });

  it('can be read from all kinds of sources, and again from those that allow it', async () => {
    const events = randomEvents(randomFrom(1), 50);
    const bytes = writeTrace(events, { description });
    const file = path.join(temporaryFolder(), 'a.trace');
    writeFileSync(file, bytes);
    const pieces = function* (length) {
      for (let i = 0; i < bytes.length; i += length) yield bytes.subarray(i, i + length);
    };
    const sources = [
      ...[() => [bytes], () => pieces(100)],
      ...[file, pathToFileURL(file), bytes, bytes.buffer, Buffer.from(bytes), new Blob([bytes])],
      ...[new Blob([bytes]).stream(), pieces(1), [...pieces(100)]],
      (async function* () {
        yield* pieces(7);
      })(),
    ];
    for (const source of sources) assert.deepEqual((await readAll(source)).events, events);
    const twice = await readTrace(file);
    for (let i = 0; i < 2; ++i) {
      const read = [];
      for await (const batch of twice) read.push(...batch);
      assert.deepEqual(read, events);
    }
  });

  it('refuses what is no source, and says what cannot be read', async () => {
    for (const source of [undefined, null, 5, {}, [5], [[1]]])
      await assert.rejects(readTrace(source), { name: 'InvalidArgumentError' });
    await assert.rejects(readTrace('/nowhere/a.trace'), (error) => {
      assert(error instanceof LoadError);
      return /^cannot read \/nowhere\/a\.trace: ENOENT/.test(error.message);
    });
    const once = await readTrace([...traceChunks([])].values());
    for await (const batch of once) assert.fail(batch);
    const again = async () => {
      for await (const batch of once) assert.fail(batch);
    };
    await assert.rejects(again(), /can be read once/);
  });

  it('takes little memory for many events', async () => {
    const count = 400_000;
    function* events() {
      for (let i = 0; i < count; ++i)
        yield i % 2 ? { kind: 'free', previous: 64 } : { kind: 'malloc', size: i, address: 64 };
    }
    let read = 0;
    let largest = 0;
    let highest = 0;
    for await (const batch of await readTrace(traceChunks(events(), { perBlock: 5000 }))) {
      read += batch.length;
      largest = Math.max(largest, batch.kind.length);
      for (let i = 0; i < batch.length; ++i) highest = Math.max(highest, batch.block[i]);
    }
    assert.equal(read, count);
    assert.equal(largest, 5000);
    assert.equal(highest, 1);
  });
});

describe('a trace that is damaged', () => {
  const events = randomEvents(randomFrom(7), 300);
  const bytes = writeTrace(events, { description, stacks, perBlock: 50 });

  /** Where the blocks begin. */
  const blocks = [];
  for (let at = 12; at < bytes.length;) {
    blocks.push(at);
    at += 20 + new DataView(bytes.buffer).getUint32(at + 12, true);
  }
  const blockAt = (place) => blocks.findLast((begin) => begin <= place) ?? 0;

  it('is read up to where it is cut off, which the error says', async () => {
    const places = new Set([...blocks, ...blocks.map((begin) => begin + 19)]);
    const random = randomFrom(seed);
    for (let i = 0; i < 200; ++i) places.add(random(bytes.length));
    for (const place of places) {
      if (place === 0) continue;
      const { events: read, error } = await readAll(bytes.subarray(0, place));
      assert(error instanceof TraceError, `cut at ${place}`);
      assert.match(
        error.message,
        /^the trace is cut off(, in the block that begins)? at byte \d+; /,
      );
      assert.equal(error.offset, place < 12 ? 0 : blockAt(place));
      assert.equal(error.events, read.length);
      assert.deepEqual(read, events.slice(0, read.length));
    }
  });

  it('is read up to the block with the wrong byte', async () => {
    const random = randomFrom(seed);
    const places = Array.from({ length: 400 }, () => [random(bytes.length), 1 + random(255)]);
    for (const [place, change] of places) {
      const damaged = bytes.slice();
      damaged[place] ^= change;
      const { events: read, error } = await readAll(damaged);
      assert(error instanceof TraceError, `byte ${place} changed by ${change}`);
      if (place >= 12) assert.equal(error.offset, blockAt(place));
      assert.match(error.message, /byte \d+; events before: \d+$|no trace|version/);
      assert.equal(error.events, read.length);
      assert.deepEqual(read, events.slice(0, read.length));
    }
  });

  it('lacks a block, has one twice, or goes on after its end', async () => {
    const parts = blocks.map((begin, i) => bytes.subarray(begin, blocks[i + 1] ?? bytes.length));
    const header = bytes.subarray(0, 12);
    const messages = async (source, message) => {
      const { error } = await readAll(source);
      assert(error instanceof TraceError);
      assert.match(error.message, message);
    };
    await messages(
      [header, ...parts.toSpliced(4, 1)],
      /^the trace lacks a block, number 4, at byte/,
    );
    await messages([header, ...parts.toSpliced(4, 0, parts[4])], /lacks a block, number 5,/);
    await messages([header, ...parts.slice(1)], /lacks a block, number 0,/);
    await messages([bytes, parts[0]], /goes on after its end at byte \d+; events before: 300$/);
  });

  it('is none, or one of another version', async () => {
    const rejects = (source, message) =>
      assert.rejects(readTrace(source), (error) => {
        assert(error instanceof TraceError);
        return message.test(error.message);
      });
    await rejects(new Uint8Array(), /^this is no trace of wasmalloc/);
    await rejects(new TextEncoder().encode('some text of any length'), /^this is no trace/);
    await rejects(
      fileHeader(2),
      /^the trace is of version 2 of the format, and this reads version 1$/,
    );
    await rejects(
      [fileHeader(), fileBlock(BLOCK_TYPES.end, 0, [123, 125])],
      /does not begin with its/,
    );
    await rejects(
      [fileHeader(), fileBlock(BLOCK_TYPES.description, 0, [123])],
      /is damaged at byte 12/,
    );
  });

  it('contradicts itself', async () => {
    const first = { kind: 'malloc', size: 1, address: 64 };
    const { events: read, error } = await readAll(writeTrace([first, first]));
    assert.equal(read.length, 1);
    assert(error instanceof TraceError);
    assert.match(error.message, /answers address 64, where a block stands already/);
    assert.equal(error.events, 1);
    const unknown = writeTrace([]);
    assert.match((await readAll(unknown)).trace.end.reason, /^exit$/);
    const [header, start] = [...traceChunks([])];
    const strange = [header, start, fileBlock(9, 1, [])];
    assert.match((await readAll(strange)).error.message, /block of an unknown type, 9, at byte/);
    const content = new Uint8Array(26);
    content[0] = 1;
    content[24] = 7;
    const kind = [header, start, fileBlock(BLOCK_TYPES.events, 1, content)];
    assert.match(
      (await readAll(kind)).error.message,
      /an event that is of an unknown kind, 7, in the/,
    );
    for (const [count, length] of [
      [2, 26],
      [0, 25],
      [1, 26],
    ]) {
      const short = new Uint8Array(length).fill(0xff, 25);
      short[0] = count;
      const broken = [header, start, fileBlock(BLOCK_TYPES.events, 1, short)];
      assert.match((await readAll(broken)).error.message, /is damaged at byte|has no end/);
    }
  });

  it('says of itself what cannot be', async () => {
    const [header, start] = [...traceChunks([])];
    const right = JSON.parse(new TextDecoder().decode(start.subarray(20)));
    const json = (value) => new TextEncoder().encode(JSON.stringify(value));
    const described = (value) => [header, fileBlock(BLOCK_TYPES.description, 0, json(value))];
    const rejects = (source, message) =>
      assert.rejects(readTrace(source), (error) => {
        assert(error instanceof TraceError);
        return message.test(error.message);
      });
    for (const value of [null, 1, 'text', [], true])
      await rejects(described(value), /^the trace is damaged at byte 12; events before: 0$/);
    for (const key of Object.keys(right)) {
      await rejects(
        described({ ...right, [key]: undefined }),
        new RegExp(`is damaged: ${key} is undefined at byte 12`),
      );
      for (const value of [null, {}, [], -1, 1.5e300, key === 'program' ? 5 : 'text'])
        if (!(key === 'allocator' && value === 'text') && !(key === 'started' && value === -1))
          await rejects(described({ ...right, [key]: value }), new RegExp(`damaged: ${key} is `));
    }
    const { description } = await readTrace(described({ ...right, later: [[[]]] }));
    assert.deepEqual(description, right);
    for (const end of [null, 5, {}, { reason: 1, events: 0 }, { reason: 'exit', events: -1 }]) {
      const { error } = await readAll([header, start, fileBlock(BLOCK_TYPES.end, 1, json(end))]);
      assert.match(error.message, /is damaged/);
      assert(error instanceof TraceError);
    }
  });

  it('has numbers that cannot be', async () => {
    const [header, start] = [...traceChunks([])];
    const withHeader = (change) => {
      const content = new Uint8Array([...new Uint8Array(24), 0, 8, 64]);
      const view = new DataView(content.buffer);
      view.setUint32(0, 1, true);
      change(view);
      return readAll([header, start, fileBlock(BLOCK_TYPES.events, 1, content)]);
    };
    assert.equal((await withHeader(() => {})).events.length, 1);
    for (const number of [NaN, Infinity, -Infinity, 1e300]) {
      const errors = [
        (await withHeader((view) => view.setFloat64(8, number, true))).error,
        (await withHeader((view) => view.setFloat64(16, number, true))).error,
      ];
      for (const error of errors) assert.match(error.message, /is damaged at byte/);
    }
    assert.match(
      (await withHeader((view) => view.setFloat64(8, -1, true))).error.message,
      /damaged/,
    );
    // An address of 0 or below, as the result of a call that has not failed.
    for (const address of [0, 1]) {
      const { error } = await withHeader((view) => view.setUint8(26, address));
      assert.match(error.message, /an event that answers address -?\d+, in the block/);
    }
    // A number of more than ten bytes.
    const endless = new Uint8Array([...new Uint8Array(24), 0, ...new Array(12).fill(0xff), 1, 64]);
    endless[0] = 1;
    const { error } = await readAll([header, start, fileBlock(BLOCK_TYPES.events, 1, endless)]);
    assert.match(error.message, /an event that has no end/);
    const short = await readAll([header, start, fileBlock(BLOCK_TYPES.stack, 1, [1, 2, 3])]);
    assert.match(short.error.message, /is damaged/);
  });
});
