// Makes programs that never were: what they ask of an allocator, from a distribution of sizes, a pattern of lifetimes
// and the size of the heap. The same in every run.
// Usage: import { GENERATED, generate } from './generate.mjs'; const program = generate(GENERATED[17]);
//
// The distributions and patterns are chosen to be different from each other, not to be like any program: an allocator
// that is tuned to a few of them is found out by the others.
import { EVENT_KINDS } from '../js/trace.js';
import { Program } from '../js/replay.js';
import { fraction, randomNumbers } from './random.mjs';

const [MALLOC, , REALLOC, , FREE] = EVENT_KINDS.keys();

/** The most and the fewest blocks that a heap is made for: beyond, the blocks get larger or smaller. */
const MOST_BLOCKS = 15_000;
const FEWEST_BLOCKS = 60;

/** No block is larger than this part of its heap. */
const LARGEST_PART = 1 / 8;

/** Allocations, for each block of the full heap; and the fewest in all, so that a small heap is busy, too. */
const TURNOVER = 5;
const FEWEST_ALLOCATIONS = 10_000;

/** From the smallest heap to the largest, in bytes. */
export const [SMALLEST_HEAP, LARGEST_HEAP] = [1e4, 1e8];

/** How many programs there are. */
const COUNT = 200;

/** The mean size of a block, before the number of blocks is looked at. */
const [SMALLEST_MEAN, LARGEST_MEAN] = [24, 512];

/** Numbers between two others, each power as likely as the next. */
function between(random, least, most) {
  return least * Math.exp(fraction(random) * Math.log(most / least));
}

/** A number from the normal distribution (Box and Muller), up to six standard deviations from 0. */
function normal(random) {
  const radius = Math.sqrt(-2 * Math.log(1 - fraction(random)));
  return radius * Math.cos(2 * Math.PI * fraction(random));
}

/** The size of a structure: a whole number of words. */
function inWords(size) {
  return 4 * Math.max(1, Math.round(size / 4));
}

/**
 * Distributions of sizes, by name: each answers a function for the next size, given a mean. What has bytes in it, such as
 * a text, can have any size; structures consist of words.
 *
 * @type {Record<string, (random: Function, mean: number) => () => number>}
 */
export const SIZES = {
  /** Most are small, and a few are very large: logarithms of the normal distribution. */
  skewed(random, mean) {
    const spread = 1.2;
    const middle = mean * Math.exp(-(spread ** 2) / 2);
    return () => {
      const size = middle * Math.exp(spread * normal(random));
      return random(2) ? inWords(size) : size;
    };
  },

  /** All sizes up to twice the mean. */
  uniform: (random, mean) => () => 1 + random(Math.round(2 * mean) - 1),

  /** Nine small ones for one large one, which has most of the memory. */
  bimodal: (random, mean) => () => {
    const center = random(10) ? mean / 4 : mean * 7.75;
    return inWords(center * (0.5 + fraction(random)));
  },

  /** Every power as likely as the next, over six doublings. */
  many(random, mean) {
    const least = (mean * Math.log(64)) / 63;
    return () => between(random, least, 64 * least);
  },

  /** Three to six structures. One is the commonest, the second half as common, and so on. */
  few(random, mean) {
    const kinds = Array.from({ length: 3 + random(4) }, () => between(random, 1, 16));
    const weights = kinds.map((_, i) => 1 / (i + 1));
    const sum = (values) => values.reduce((total, value) => total + value, 0);
    const own = sum(kinds.map((kind, i) => kind * weights[i])) / sum(weights);
    const sizes = kinds.map((kind) => inWords((kind * mean) / own));
    return () => {
      let at = fraction(random) * sum(weights);
      const index = weights.findIndex((weight) => (at -= weight) < 0);
      return sizes.at(index);
    };
  },
};

/** A block that grows does so by doubling, this often. */
const DOUBLINGS = 3;

/** A program that has phases has so many at least. */
const FEWEST_PHASES = 4;

/** So many blocks grow at a time. */
const GROWING = 8;

/** Writes a program down, and knows what is live. */
class Writer {
  #program = new Program();
  #sizes = [0]; // of blocks, by number; 0 where there is none
  #unused = [];
  #growing = []; // `{ number, size, birth }`
  #births = [0]; // the allocation that a block is from, by number
  allocations = 0;
  calls = 0;
  live = 0;
  peak = 0;

  constructor({ random, nextSize, bytes, grows }) {
    Object.assign(this, { random, nextSize, grows, most: bytes * LARGEST_PART });
  }

  #set(number, size) {
    this.live += size - this.#sizes[number];
    this.#sizes[number] = size;
    this.peak = Math.max(this.peak, this.live);
  }

  #call(kind, number, ...size) {
    this.#program.add(kind | (number << 3), ...size);
    ++this.calls;
  }

  /** One that grows doubles, or is ready. */
  #growOne() {
    if (this.#growing.length === 0) return;
    const index = this.random(this.#growing.length);
    const { number, size, birth } = this.#growing[index];
    // It may have been given back meanwhile.
    const before = this.#births[number] === birth ? this.#sizes[number] : 0;
    const after = Math.min(2 * before, size);
    if (after > before) {
      this.#call(REALLOC, number, after);
      this.#set(number, after);
    }
    if (after === size || before === 0) this.#growing.splice(index, 1);
  }

  /** Allocates a block of the next size, or of another, and answers its number. */
  allocate(nextSize = this.nextSize) {
    const { random } = this;
    this.#growOne();
    const size = Math.max(1, Math.floor(Math.min(nextSize(), this.most)));
    const number = this.#unused.pop() ?? this.#sizes.push(0) - 1;
    this.#births[number] = ++this.allocations;
    const grows = this.grows && this.#growing.length < GROWING && random(10) === 0;
    const first = grows ? Math.max(1, size >> DOUBLINGS) : size;
    this.#call(MALLOC, number, first);
    this.#set(number, first);
    if (first < size) this.#growing.push({ number, size, birth: this.allocations });
    return number;
  }

  free(number) {
    this.#call(FREE, number);
    this.#set(number, 0);
    this.#unused.push(number);
  }

  finish() {
    this.#program.finish();
    const { pieces } = this.#program;
    return { pieces, blocks: this.#sizes.length - 1, calls: this.calls, peakLive: this.peak };
  }
}

/** Takes one of a list out, at random; the last one gets its place. */
function takeOne(list, random) {
  const index = random(list.length);
  const taken = list[index];
  const last = list.pop();
  if (index < list.length) list[index] = last;
  return taken;
}

/**
 * Patterns of lifetimes, by name: each makes calls until so many `allocations` have been made, and has up to about
 * `bytes` live at the most.
 *
 * @type {Record<string, (heap: Writer, plan: { random: Function, bytes: number, allocations: number, sizes: Function,
 *   mean: number }) => void>}
 */
export const LIFETIMES = {
  /** What is allocated last is freed first; the stack goes up and down, the first time as high as ever. */
  stack(heap, { random, bytes, allocations }) {
    const stack = [];
    let target = bytes;
    while (heap.allocations < allocations) {
      while (heap.live < target) stack.push(heap.allocate());
      target = bytes * fraction(random);
      while (heap.live > target) heap.free(stack.pop());
      target += (bytes - target) * fraction(random);
    }
  },

  /** A full heap, of which one block after the other is replaced, whichever it may be. */
  random(heap, { random, bytes, allocations }) {
    const blocks = [];
    while (heap.allocations < allocations) {
      if (heap.live < bytes) blocks.push(heap.allocate());
      else heap.free(takeOne(blocks, random));
    }
  },

  /** Each phase fills the heap with sizes of its own and then frees all but one block in fifty. */
  phases(heap, { random, bytes, allocations, sizes, mean }) {
    const blocks = [];
    for (let phase = 0; phase < FEWEST_PHASES || heap.allocations < allocations; ++phase) {
      const nextSize = sizes(random, mean * between(random, 1 / 2, 4));
      while (heap.live < bytes) {
        blocks.push(heap.allocate(nextSize));
        if (random(4) === 0) heap.free(takeOne(blocks, random));
      }
      for (let left = Math.ceil(blocks.length / 50); blocks.length > left;)
        heap.free(takeOne(blocks, random));
    }
  },

  /** Six blocks in ten die at once, two before long; two stay, until the heap is full. */
  generations(heap, { random, bytes, allocations }) {
    const [young, middle] = [12, Math.max(24, allocations / 50)];
    const deaths = new Map(); // blocks by the allocation after which they die
    const old = [];
    while (heap.allocations < allocations) {
      const number = heap.allocate();
      const kind = random(10);
      if (kind < 2) old.push(number);
      else {
        const mean = kind < 4 ? middle : young;
        const death = heap.allocations + Math.ceil(-Math.log(1 - fraction(random)) * mean) + 1;
        deaths.set(death, [...(deaths.get(death) ?? []), number]);
      }
      for (const dying of deaths.get(heap.allocations) ?? []) heap.free(dying);
      deaths.delete(heap.allocations);
      while (heap.live > bytes && old.length) heap.free(takeOne(old, random));
    }
  },

  /** Each round frees what it has allocated but for some blocks anywhere in it, until the heap is full of these. */
  ratchets(heap, { random, bytes, allocations }) {
    const rounds = 12;
    const base = (round) => (bytes * (2 / 3) * round) / rounds;
    while (heap.allocations < allocations) {
      let kept = [];
      for (let round = 0; round < rounds && heap.allocations < allocations; ++round) {
        const own = [];
        while (heap.live < base(round) + bytes / 3) own.push(heap.allocate());
        while (heap.live > base(round + 1)) heap.free(takeOne(own, random));
        kept = kept.concat(own);
      }
      for (const number of kept) heap.free(number);
    }
  },

  /** A large state is made anew while the old one is there, with some scratch memory, and then the old one is freed. */
  replaced(heap, { random, bytes, allocations }) {
    const scratch = [];
    let state = [];
    while (heap.allocations < allocations) {
      const next = [];
      const target = heap.live + (bytes / 2) * (0.8 + 0.2 * fraction(random));
      while (heap.live < target) {
        next.push(heap.allocate());
        if (random(4) === 0) scratch.push(heap.allocate());
        if (scratch.length > 16) heap.free(takeOne(scratch, random));
      }
      for (const number of state) heap.free(number);
      state = next;
    }
  },
};

/** The golden ratio's fraction: its multiples fill an interval evenly, and so do those of every thirtieth. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** Bytes, as the name of a program has them. */
function sizeName(bytes) {
  const [unit, name] = bytes < 1e6 ? [1e3, 'KB'] : [1e6, 'MB'];
  return `${Number((bytes / unit).toPrecision(2))} ${name}`;
}

/**
 * @typedef {object} Generated
 * @property {number} number which of them it is; what is at random in it follows from that
 * @property {string} name
 * @property {keyof typeof SIZES} sizes
 * @property {keyof typeof LIFETIMES} lifetimes
 * @property {number} bytes that are live at the most, about
 * @property {boolean} grows whether one block in ten grows to its size by realloc
 */

/** Every distribution with every pattern in turn, the sizes of heaps spread over all of that. @type {Generated[]} */
export const GENERATED = Array.from({ length: COUNT }, (_, number) => {
  const kinds = [Object.keys(SIZES), Object.keys(LIFETIMES)];
  const sizes = kinds[0][number % kinds[0].length];
  const lifetimes = kinds[1][Math.floor(number / kinds[0].length) % kinds[1].length];
  const height = ((number + 0.5) * GOLDEN) % 1;
  const exponent = height * Math.log(LARGEST_HEAP / SMALLEST_HEAP);
  const bytes = Math.round(SMALLEST_HEAP * Math.exp(exponent));
  const name = `${number}: ${sizes}, ${lifetimes}, ${sizeName(bytes)}`;
  const turn = number + Math.floor(number / (kinds[0].length * kinds[1].length));
  return { number, name, sizes, lifetimes, bytes, grows: turn % 3 === 2 };
});

/**
 * Makes a program.
 *
 * @param {Generated} generated
 * @returns {object} as compileTrace() answers it, and the most that is live in it: `peakLive`
 */
export function generate({ number, sizes, lifetimes, bytes, grows }) {
  const random = randomNumbers(Math.imul(number + 1, 0x9e3779b1));
  const wish = between(random, SMALLEST_MEAN, LARGEST_MEAN);
  const mean = Math.min(Math.max(wish, bytes / MOST_BLOCKS), bytes / FEWEST_BLOCKS);
  // Static data end anywhere, and the heap begins there.
  const heapBase = 1024 + 16 * random(4096);
  const allocations = Math.max(FEWEST_ALLOCATIONS, Math.round((TURNOVER * bytes) / mean));
  const nextSize = SIZES[sizes](random, mean);
  const heap = new Writer({ random, nextSize, bytes, grows });
  LIFETIMES[lifetimes](heap, { random, bytes, allocations, sizes: SIZES[sizes], mean });
  return { ...heap.finish(), mean, description: { heapBase } };
}
