// What a report tells about a trace: who held how much memory, and when.
// Usage: const analysis = await analyse('app.trace', { moments: spacedMoments(200) })
import { TraceError } from '../errors.js';
import { EVENT_KINDS, readTrace } from '../trace.js';

const FREE = EVENT_KINDS.indexOf('free');

/** As many points as a timeline has at most; half as many at least, when there are enough events. */
const POINTS = 800;

/** Holders of memory that are listed one by one; all others are one. */
const LISTED = 1000;

/** The first class of sizes ends with 16 bytes, each further one with twice as many as the one before. */
const FIRST_CLASS = 4;

/** The first class of lifetimes ends before 10 microseconds, each further one with ten times as many. */
export const LIFETIMES = [
  'under 10 µs',
  'to 100 µs',
  'to 1 ms',
  'to 10 ms',
  'to 100 ms',
  'to 1 s',
  'to 10 s',
  'to 100 s',
  'over 100 s',
  'to the end',
];

/** The class of blocks that are never given back. */
const FOR_EVER = LIFETIMES.length - 1;

function sizeClass(bytes) {
  return bytes <= 2 ** FIRST_CLASS ? 0 : Math.ceil(Math.log2(bytes)) - FIRST_CLASS;
}

function lifetimeClass(microseconds) {
  let index = 0;
  for (let end = 10; microseconds >= end && index < FOR_EVER - 1; end *= 10) ++index;
  return index;
}

// ---- the program's memory, event by event ----

/** What is known of each live block, by its number. */
const COLUMNS = {
  isLive: Uint8Array,
  size: Float64Array,
  born: Float64Array,
  thread: Uint32Array,
  stack: Uint32Array,
};

/** The blocks that the program holds, as the events say it. */
class LiveMemory {
  bytes = 0;
  blocks = 0;
  calls = 0; // those that have changed something: all but failed ones and frees of what is no block
  failed = 0;
  unknown = 0;
  onEnd; // is told of a block before it is given back

  constructor(onEnd = () => {}) {
    this.onEnd = onEnd;
    for (const [name, Type] of Object.entries(COLUMNS)) this[name] = new Type(1024);
  }

  #makeRoom(block) {
    for (const [name, Type] of Object.entries(COLUMNS)) {
      const larger = new Type(2 * block);
      larger.set(this[name]);
      this[name] = larger;
    }
  }

  apply(batch, i) {
    const block = batch.block[i];
    if (batch.kind[i] === FREE) {
      if (block === 0) {
        ++this.unknown;
        return;
      }
      this.onEnd(block, batch.time[i]);
      this.bytes -= this.size[block];
      this.isLive[block] = 0;
      --this.blocks;
    } else if (batch.address[i] === 0) {
      ++this.failed;
      return;
    } else {
      if (block >= this.isLive.length) this.#makeRoom(block);
      if (this.isLive[block]) this.bytes -= this.size[block];
      else {
        this.isLive[block] = 1;
        this.born[block] = batch.time[i];
        ++this.blocks;
      }
      this.size[block] = batch.size[i];
      this.thread[block] = batch.thread[i];
      this.stack[block] = batch.stack[i];
      this.bytes += batch.size[i];
    }
    ++this.calls;
  }

  forEachBlock(callback) {
    for (let block = 1; block < this.isLive.length; ++block)
      if (this.isLive[block]) callback(block);
  }
}

// ---- timelines ----

/** The largest values of some series in equal stretches of an axis of which the end is not known. */
class Timeline {
  #width = 1;
  #largest;
  #last;

  constructor(series) {
    this.#largest = Array.from({ length: series }, () => new Float64Array(POINTS).fill(-1));
    this.#last = Array.from({ length: series }, () => new Float64Array(POINTS).fill(-1));
  }

  add(x, ...values) {
    let index = Math.floor(x / this.#width);
    for (; index >= POINTS; index = Math.floor(x / this.#width)) this.#coarsen();
    for (let series = 0; series < values.length; ++series) {
      const largest = this.#largest[series];
      if (values[series] > largest[index]) largest[index] = values[series];
      this.#last[series][index] = values[series];
    }
  }

  /** Two stretches become one. */
  #coarsen() {
    this.#width *= 2;
    for (let i = 0; i < POINTS / 2; ++i) {
      const [left, right] = [2 * i, 2 * i + 1];
      for (const largest of this.#largest) largest[i] = Math.max(largest[left], largest[right]);
      for (const last of this.#last) last[i] = last[right] < 0 ? last[left] : last[right];
    }
    for (const values of [...this.#largest, ...this.#last]) values.fill(-1, POINTS / 2);
  }

  /** Where nothing has happened, all is as it was before. */
  finish(end) {
    const points = Math.min(POINTS, Math.floor(end / this.#width) + 1);
    const series = this.#largest.map((largest, which) => {
      let before = 0;
      return Array.from({ length: points }, (_, i) => {
        if (largest[i] < 0) return before;
        before = this.#last[which][i];
        return largest[i];
      });
    });
    return { width: this.#width, series };
  }
}

// ---- who holds memory ----

/** Groups the live blocks by who has asked for them: the stack, or else the thread and the class of sizes. */
function holdersOf(memory, hasStacks) {
  const groups = new Map();
  memory.forEachBlock((block) => {
    const size = memory.size[block];
    const key = hasStacks ? memory.stack[block] : memory.thread[block] * 256 + sizeClass(size);
    let group = groups.get(key);
    if (!group) groups.set(key, (group = { key, bytes: 0, blocks: 0 }));
    group.bytes += size;
    ++group.blocks;
  });
  return [...groups.values()].sort((a, b) => b.bytes - a.bytes || b.blocks - a.blocks);
}

/** Gives names to holders: lists of frames from the outermost on, as numbers of names that are kept once. */
class Names {
  list = [];
  #numbers = new Map();

  #number(name) {
    let number = this.#numbers.get(name);
    if (number === undefined) {
      number = this.list.push(name) - 1;
      this.#numbers.set(name, number);
    }
    return number;
  }

  #frames(key, stacks, hasStacks) {
    if (!hasStacks) return [`thread ${Math.floor(key / 256)}`, sizeRange(key % 256)];
    const frames = stacks.get(key);
    if (!frames?.length) return ['(no stack)'];
    return frames.map(({ name, place }) => (place ? `${name}\t${place}` : name)).reverse();
  }

  /** The largest holders, and the others as one. */
  describe(groups, stacks, hasStacks) {
    const rows = groups.slice(0, LISTED).map(({ key, bytes, blocks }) => ({
      frames: this.#frames(key, stacks, hasStacks).map((name) => this.#number(name)),
      bytes,
      blocks,
    }));
    const others = groups.slice(LISTED);
    if (others.length)
      rows.push({
        frames: [this.#number(`(${others.length} others)`)],
        bytes: others.reduce((sum, { bytes }) => sum + bytes, 0),
        blocks: others.reduce((sum, { blocks }) => sum + blocks, 0),
      });
    return rows;
  }
}

/** A class of sizes, for people. */
export function sizeRange(index) {
  const end = 2 ** (index + FIRST_CLASS);
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  const unit = Math.floor(Math.log2(end) / 10);
  const most = `${end / 1024 ** unit} ${units[unit] ?? 'bytes'}`;
  return index === 0 ? `up to ${most}` : `over ${end / 2 / 1024 ** unit} to ${most}`;
}

// ---- sizes and lifetimes ----

/** How many blocks, and bytes of them, have each size and lifetime. */
class Sizes {
  cells = new Map();
  requests = new Map();

  request(size) {
    const index = sizeClass(size);
    const sum = this.requests.get(index) ?? { index, calls: 0, bytes: 0 };
    ++sum.calls;
    sum.bytes += size;
    this.requests.set(index, sum);
  }

  /** @param {number | null} lifetime in microseconds; null for what is never given back */
  block(size, lifetime) {
    const x = sizeClass(size);
    const y = lifetime === null ? FOR_EVER : lifetimeClass(lifetime);
    const key = x * 16 + y;
    let cell = this.cells.get(key);
    if (!cell) this.cells.set(key, (cell = { size: x, lifetime: y, blocks: 0, bytes: 0 }));
    ++cell.blocks;
    cell.bytes += size;
  }
}

// ---- the whole ----

/** Goes through all events; answers the fault that has ended it before its end, if one did. */
async function forEachEvent(trace, callback) {
  let events = 0;
  try {
    for await (const batch of trace)
      for (let i = 0; i < batch.length; ++i) callback(batch, i, events++);
  } catch (error) {
    // What stands before is good.
    if (!(error instanceof TraceError) || events === 0) throw error;
    return error;
  }
  return undefined;
}

async function firstPass(trace, wantedTime) {
  const sizes = new Sizes();
  const memory = new LiveMemory((block, time) =>
    sizes.block(memory.size[block], time - memory.born[block]),
  );
  const timelines = { time: new Timeline(2), calls: new Timeline(2) };
  const kinds = EVENT_KINDS.map(() => 0);
  const threads = new Set();
  const first = { bytes: 0, blocks: 0, time: 0, heap: 0, event: -1, call: 0 };
  let peak = first;
  let peakHeap = 0;
  let mostBlocks = 0;
  let events = 0;
  let time = 0;
  let eventThen = -1;
  const fault = await forEachEvent(trace, (batch, i, event) => {
    memory.apply(batch, i);
    const kind = batch.kind[i];
    ++kinds[kind];
    if (kind !== FREE) sizes.request(batch.size[i]);
    if (!threads.has(batch.thread[i])) threads.add(batch.thread[i]);
    time = Math.max(time, batch.time[i]);
    const heap = batch.heap[i];
    const { bytes, blocks, calls } = memory;
    if (heap > peakHeap) peakHeap = heap;
    if (blocks > mostBlocks) mostBlocks = blocks;
    if (bytes > peak.bytes || event === 0)
      peak = { bytes, blocks, time: batch.time[i], heap, event, call: calls };
    if (batch.time[i] <= wantedTime) eventThen = event;
    timelines.time.add(batch.time[i], bytes, heap);
    timelines.calls.add(event, bytes, heap);
    events = event + 1;
  });
  memory.forEachBlock((block) => sizes.block(memory.size[block], null));
  const left = { bytes: memory.bytes, blocks: memory.blocks };
  return {
    fault,
    events,
    eventThen,
    kinds: Object.fromEntries(EVENT_KINDS.map((name, kind) => [name, kinds[kind]])),
    failed: memory.failed,
    unknown: memory.unknown,
    threads: threads.size,
    duration: time,
    peak,
    peakHeap,
    mostBlocks,
    left,
    requests: [...sizes.requests.values()].sort((a, b) => a.index - b.index),
    lifetimes: [...sizes.cells.values()].sort((a, b) => a.size - b.size || a.lifetime - b.lifetime),
    timelines: {
      time: timelines.time.finish(time),
      calls: timelines.calls.finish(Math.max(0, events - 1)),
    },
  };
}

/**
 * Reads a trace twice: to find the peak, and to look closer at it, at the end, and at moments between.
 *
 * @param {object} source of the trace, for readTrace() to read several times
 * @param {object} options
 * @param {(first: object) => number[]} options.moments the numbers of the events after which the memory is
 *   looked at, sorted, from what is known after the first reading
 * @param {number} [options.time] of which `moments` is told the last event before, as `eventThen`
 * @param {(fraction: number) => void} [options.onProgress]
 * @returns {Promise<object>} sizes in bytes, times in microseconds, events counted from 0; the program's memory at
 *   each of the `moments`; the `fault` if only the beginning of the trace could be read
 */
export async function analyse(source, { moments, time = -1, onProgress = () => {} }) {
  const trace = await readTrace(source);
  onProgress(0);
  const first = await firstPass(trace, time);
  const wanted = moments(first);
  const hasStacks = trace.description.stacks === true;
  const memory = new LiveMemory();
  const found = [];
  let atPeak = [];
  await forEachEvent(trace, (batch, i, event) => {
    memory.apply(batch, i);
    if (event === first.peak.event) atPeak = holdersOf(memory, hasStacks);
    while (wanted[found.length] === event) {
      const { bytes, blocks, calls } = memory;
      found.push({ event, call: calls, time: batch.time[i], heap: batch.heap[i], bytes, blocks });
    }
    if (event % 100_000 === 0) onProgress(0.5 + (0.5 * event) / first.events);
  });
  const names = new Names();
  const describe = (groups) => names.describe(groups, trace.stacks, hasStacks);
  const holders = { peak: describe(atPeak), end: describe(holdersOf(memory, hasStacks)) };
  return {
    ...first,
    fault: first.fault?.message ?? null,
    description: trace.description,
    end: trace.end ?? null,
    moments: found,
    holders: { names: names.list, ...holders },
  };
}

/** The numbers of so many events, equally spaced from the first to the last, and the peak's. */
export function spacedMoments(count) {
  return ({ events, peak }) => {
    const all = new Set([peak.event]);
    const steps = Math.min(count, events) - 1;
    for (let i = 0; i <= steps; ++i) all.add(steps ? Math.round((i * (events - 1)) / steps) : 0);
    return [...all].filter((event) => event >= 0).sort((a, b) => a - b);
  };
}
