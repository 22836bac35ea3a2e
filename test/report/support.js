// What the tests of reports share: a program's trace, and its numbers by another way than the report's.
// Usage: import { command, program, countAll } from './support.js'
import { closeSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { capture, randomFrom } from '../js/support.js';
import { project } from '../support/emcc.js';
import { traceChunks } from '../support/trace.js';

/** Call stacks by id, from the innermost frame on; the first two differ only in where a call stands. */
export const STACKS = {
  1: 'allocate\twasm-function[5]:0x10\nparse\twasm-function[7]:0x20\nmain\twasm-function[9]:0x30',
  2: 'allocate\twasm-function[5]:0x10\nparse\twasm-function[7]:0x99\nmain\twasm-function[9]:0x30',
  3: 'grow\nparse\nmain',
  4: 'open <file> & "co"\nmain',
};

const KINDS = ['malloc', 'calloc', 'memalign'];

/**
 * A program that keeps more and more, gives most of it back, and forgets some.
 *
 * @param {number} count of events
 * @param {{ seed?: number, most?: number }} [options] blocks at the `most` at a time
 */
export function* program(count, { seed = 1, most = 400 } = {}) {
  const random = randomFrom(seed);
  const live = [];
  const free = [];
  let top = 65536;
  let time = 0;
  // Places of the recorded program's heap, all as large as the largest block: nothing depends on them.
  const place = () => free.pop() ?? (top += 8192);
  const take = () => {
    const i = random(live.length);
    const taken = live[i];
    live[i] = live.at(-1);
    live.pop();
    return taken;
  };
  for (let i = 0; i < count; ++i) {
    const chance = random(1000);
    if (chance % 4 === 0) time += chance;
    const event = { kind: 'free', size: 0, alignment: 0, address: 0, previous: 0 };
    const wish = (i < 0.6 * count ? most : most / 4) * Math.min(1, (3 * i) / count);
    const grows = live.length < wish || live.length === 0;
    const resizes = !grows && chance % 10 === 1;
    if (grows) event.kind = KINDS[Math.max(0, (chance % 12) - 9)];
    else {
      event.previous = take();
      free.push(event.previous);
      if (resizes) event.kind = 'realloc';
    }
    if (event.kind === 'memalign') event.alignment = 2 ** (3 + random(6));
    if (grows || resizes) {
      event.size = random(chance % 10 === 2 ? 8000 : 100);
      event.address = place();
      live.push(event.address);
    }
    event.time = time;
    event.thread = chance % 3;
    event.stack = 1 + ((chance >> 3) & 3);
    event.heap = 8192 * live.length;
    yield event;
  }
}

/** Plays the events with a map from addresses; answers what is live after each, and at the peak and the end. */
export function countAll(events) {
  const live = new Map();
  const after = [];
  let bytes = 0;
  let peak = { bytes: -1 };
  events.forEach((event, i) => {
    const before = live.get(event.previous);
    if (before) bytes -= before.size;
    live.delete(event.previous);
    if (event.address) {
      live.set(event.address, event);
      bytes += event.size;
    }
    after.push({ bytes, blocks: live.size });
    if (bytes > peak.bytes) peak = { bytes, event: i, blocks: [...live.values()] };
  });
  return { after, peak, end: { bytes, blocks: [...live.values()] } };
}

/** Bytes by a key. */
export function sumBy(blocks, keyOf) {
  const sums = {};
  for (const block of blocks) sums[keyOf(block)] = (sums[keyOf(block)] ?? 0) + block.size;
  return sums;
}

export function writeTraceFile(file, events, options) {
  const descriptor = openSync(file, 'w');
  for (const chunk of traceChunks(events, options)) writeSync(descriptor, chunk);
  closeSync(descriptor);
}

/** Runs npx wasmalloc, and answers what it has printed. */
export function command(args, { nodeFlags = [] } = {}) {
  const cli = path.join(project, 'js/cli.js');
  return capture(process.execPath, [...nodeFlags, cli, ...args]);
}
