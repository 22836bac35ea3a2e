#!/usr/bin/env node
// Searches for the slowest single call of an allocator: tries sequences of calls that were chosen to
// be hard, changes the hardest at random, and goes on from there.
// Usage: node bench/worst.mjs ALLOCATOR
//
// Slow means many accesses to memory, which can be counted exactly: the module is instrumented for
// that. Bulk copying does not count, nor a call that asks the engine to grow linear memory. The worst
// call is then timed as well, in a module that is not instrumented, where the minimum of several runs
// of the same sequence leaves nothing of the machine's moods.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureEmscripten } from '../scripts/emscripten.mjs';
import { link } from './builds.mjs';
import { randomNumbers } from './random.mjs';
import { WORST_PROGRAM } from './workloads.mjs';

/** Sequences that are tried, the chosen ones first. */
const TRIALS = 60;

/** A sequence ends after so many accesses: for allocators that search. */
const PATIENCE = 10_000_000;

const REPLAYS = 5;

/**
 * A stage of a sequence: allocates or frees many blocks.
 *
 * @typedef {object} Stage
 * @property {'fill' | 'free' | 'resize'} action
 * @property {[number, number]} [sizes] of what is allocated, in bytes
 * @property {number} [count] of allocations; it ends at NULL
 * @property {'all' | 'odd' | 'even' | 'sparse' | 'dense'} [which] of the live blocks
 * @property {'first' | 'last' | 'random'} [order] in which they are freed
 */

const fill = (count, least, most = least) => ({ action: 'fill', sizes: [least, most], count });
const free = (which, order = 'first') => ({ action: 'free', which, order });
const resize = (which, least, most = least) => ({ action: 'resize', which, sizes: [least, most] });

/** @type {Record<string, Stage[]>} */
const CHOSEN = {
  'holes between small blocks, then a large one': [
    fill(20000, 24),
    free('odd'),
    fill(10, 2000),
    fill(2, 300000),
  ],
  'many holes of almost the right size': [fill(3000, 1800, 2000), free('odd'), fill(200, 2040)],
  'many holes of one bin': [fill(2000, 4100, 4500), free('odd', 'random'), fill(300, 4600)],
  'all sizes, few survivors, then other sizes': [
    fill(10000, 8, 512),
    free('dense', 'random'),
    fill(2000, 600, 1000),
    fill(100, 20000),
  ],
  'many small blocks, all freed at random': [
    fill(40000, 16),
    free('all', 'random'),
    fill(100, 5000),
  ],
  'full memory': [fill(100000, 2000), fill(20000, 64), free('odd', 'random'), fill(10, 10000)],
  'full memory of small blocks': [
    fill(30, 2 << 20),
    fill(200000, 40, 200),
    free('odd'),
    fill(5, 3000),
    fill(5, 100000),
  ],
  'full memory of medium blocks': [
    fill(200000, 300, 1000),
    free('odd', 'random'),
    fill(5, 3000),
    fill(5, 100000),
  ],
  'medium blocks freed at random': [
    fill(60000, 300, 1000),
    free('even', 'random'),
    fill(20, 3000),
    fill(20, 40000),
  ],
  'growing among holes': [
    fill(3000, 100, 3000),
    free('odd', 'last'),
    resize('sparse', 3000, 6000),
    free('even'),
    fill(20, 100000),
  ],
  'sizes in turn': [16, 64, 256, 1000].flatMap((size) => [fill(3000, size), free('dense')]),
};

const pick = (list, random) => list[random(list.length)];

function randomStage(random) {
  const size = 8 << random(15);
  const sizes = [size, size + random(size + 1)];
  const which = pick(['all', 'odd', 'even', 'sparse', 'dense'], random);
  switch (random(5)) {
    case 0:
    case 1:
      return fill(Math.min(20000, 1 + random(4_000_000 / size)), ...sizes);
    case 2:
      return resize('sparse', ...sizes);
    default:
      return free(which, pick(['first', 'last', 'random'], random));
  }
}

/** Another sequence, not far from this. */
function mutate(stages, random) {
  const changed = stages.map((stage) => ({ ...stage }));
  const position = random(changed.length + 1);
  switch (random(4)) {
    case 0:
      changed.splice(position, 0, randomStage(random));
      break;
    case 1:
      changed.splice(position, 1, randomStage(random), randomStage(random));
      break;
    case 2:
      if (changed.length > 2) changed.splice(position, 1);
      break;
    default: {
      const stage = pick(changed, random);
      if (stage.sizes) stage.sizes = stage.sizes.map((size) => size + 8 * random(64));
      if (stage.count) stage.count = Math.min(stage.count * (1 + random(3)), 60000);
      if (stage.which) stage.which = pick(['all', 'odd', 'even', 'sparse', 'dense'], random);
    }
  }
  return changed;
}

const WHICH = {
  all: () => true,
  odd: (i) => i % 2 === 1,
  even: (i) => i % 2 === 0,
  sparse: (i) => i % 16 === 0,
  dense: (i) => i % 16 !== 0,
};

/**
 * Runs a sequence.
 *
 * @param {object} module with malloc, free and realloc
 * @param {Stage[]} stages
 * @param {(call: () => number, name: string) => number} measured calls, and says what it cost; it
 *   may throw to end the sequence
 */
function play(module, stages, measured) {
  const { _malloc: malloc, _free: release, _realloc: realloc } = module;
  const random = randomNumbers(20261123);
  let live = [];
  for (const { action, sizes, count, which, order } of stages) {
    const size = () => sizes[0] + random(sizes[1] - sizes[0] + 1);
    if (action === 'fill') {
      for (let i = 0; i < count; ++i) {
        const bytes = size();
        const block = measured(() => malloc(bytes), `malloc(${bytes})`);
        if (!block) break;
        live.push(block);
      }
    } else if (action === 'resize') {
      live = live.map((block, i) => {
        if (!WHICH[which](i)) return block;
        const bytes = size();
        // Copying does not count: only what grows or shrinks where it stands is measured.
        return measured(() => realloc(block, bytes), `realloc(${bytes})`, block) || block;
      });
    } else {
      const chosen = live.filter((_, i) => WHICH[which](i));
      live = live.filter((_, i) => !WHICH[which](i));
      if (order === 'last') chosen.reverse();
      if (order === 'random')
        for (let i = chosen.length - 1; i > 0; --i) {
          const other = random(i + 1);
          [chosen[i], chosen[other]] = [chosen[other], chosen[i]];
        }
      for (const block of chosen) measured(() => release(block), 'free');
    }
  }
}

function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

class Enough extends Error {}

/** Plays a sequence in a fresh instance of the instrumented module, and finds its worst call. */
async function count(factory, wasm, stages) {
  let accesses = 0;
  let grows = false;
  // Of the instrumentation's imports, load_ptr and store_ptr are called with each access, and give
  // the address back; the others pass a value on.
  const hook = (name) =>
    /^(load|store)_ptr$/.test(name)
      ? (id, bytes, offset, address) => (++accesses, address)
      : (id, value) => value;
  const module = await factory({
    instantiateWasm(imports, done) {
      const env = { ...imports.env };
      const resize = env.emscripten_resize_heap;
      env.emscripten_resize_heap = (size) => ((grows = true), resize(size));
      for (const { name } of WebAssembly.Module.imports(wasm)) env[name] ??= hook(name);
      const all = { ...imports, env };
      WebAssembly.instantiate(wasm, all).then((instance) => done(instance));
      return {};
    },
  });
  const costs = [];
  let total = 0;
  let worst = { accesses: 0 };
  let failed;
  try {
    play(module, stages, (call, name, before) => {
      accesses = 0;
      grows = false;
      const result = call();
      if (before !== undefined && result !== before) return result;
      const index = costs.push(accesses) - 1;
      if (!grows && accesses > worst.accesses) worst = { accesses, index, call: name };
      total += accesses;
      if (total > PATIENCE) throw new Enough();
      return result;
    });
  } catch (error) {
    if (!(error instanceof Enough)) failed = String(error.message ?? error);
  }
  return { ...worst, median: median(costs), calls: costs.length, failed };
}

/** Nanoseconds of the call with this index, and of the median call: of each the least of all runs. */
async function time(factory, stages, index, calls) {
  let least;
  for (let replay = 0; replay < REPLAYS; ++replay) {
    const module = await factory();
    const times = [];
    try {
      play(module, stages, (call, name, before) => {
        const start = performance.now();
        const result = call();
        const end = performance.now();
        if (before !== undefined && result !== before) return result;
        times.push(end - start);
        if (times.length >= calls) throw new Enough();
        return result;
      });
    } catch (error) {
      if (!(error instanceof Enough)) return undefined;
    }
    least = least ? least.map((value, i) => Math.min(value, times[i])) : times;
  }
  return { worst: Math.round(least[index] * 1e6), median: Math.round(median(least) * 1e6) };
}

/**
 * Searches.
 *
 * @param {string} subject an allocator
 * @param {(fraction: number, what: string) => void} [progress]
 * @returns {Promise<{ ratio: number, accesses: number, median: number, call: string,
 *   sequence: string, stages: Stage[], nanoseconds?: { worst: number, median: number } }>} the worst
 *   that was found; the times include the clock's
 */
export async function searchWorst(subject, progress = () => {}) {
  const file = await link(WORST_PROGRAM, subject, 'worst');
  const { default: factory } = await import(pathToFileURL(file).href);
  const counted = path.join(path.dirname(file), 'counted.wasm');
  const wasm = await WebAssembly.compile(readFileSync(counted));
  const random = randomNumbers(1);
  const tried = [];
  const trial = async (sequence, stages) => {
    progress(tried.length / TRIALS, `worst case: ${subject}, ${sequence}`);
    const found = await count(factory, wasm, stages);
    // An allocator that gives up early (mimalloc, in so little memory) has no worst call.
    const ratio = found.calls > 100 ? found.accesses / found.median : 0;
    tried.push({ sequence, stages, ...found, ratio });
    tried.sort((a, b) => b.ratio - a.ratio);
  };
  for (const [sequence, stages] of Object.entries(CHOSEN)) await trial(sequence, stages);
  while (tried.length < TRIALS) {
    const parent = tried[random(3)];
    const sequence = parent.sequence.replace(/, changed$/, '');
    await trial(`${sequence}, changed`, mutate(parent.stages, random));
  }
  const [{ stages, index, calls, ratio, ...worst }] = tried;
  if (!ratio) return { failed: 'not enough memory to search in' };
  const nanoseconds = await time(factory, stages, index, calls);
  const { accesses, call, sequence } = worst;
  return { ratio, accesses, median: worst.median, call, sequence, stages, nanoseconds };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await ensureEmscripten();
  const found = await searchWorst(process.argv[2] ?? 'wasmalloc', () => {});
  console.log(JSON.stringify(found, null, 2));
}
