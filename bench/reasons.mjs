// Why a heap is as large as it is: what is in it when it first is so large.
// Usage: import { heapAtPeak, reasonOf } from './reasons.mjs'; reasonOf(await heapAtPeak('wasmalloc', program))
import { piecesUpTo } from '../js/report/layout.js';
import { startReplay } from '../js/replay.js';
import { OURS, rowReplayerFor } from './builds.mjs';

/** Where a block's payload begins, after its head. */
const WORD = 4;

/** What wasmalloc_next_block() says of a block (lib/wasmalloc.h). */
const STATES = ['free', 'used', 'foreign', 'internal'];

/** Free blocks are told apart by powers of two. */
const powerOf = (size) => 2 ** Math.floor(Math.log2(size));

/** The live blocks in the order of their addresses: `{ address, size, usable }`. */
function liveBlocks({ exports, memory }, count) {
  const table = new Uint32Array(memory.buffer, exports.replay_blocks() >>> 0, 2 * (count + 1));
  const blocks = [];
  for (let number = 1; number <= count; ++number) {
    const [address, size] = table.subarray(2 * number);
    if (address) blocks.push({ address, size, usable: exports.replay_usable_size(number) >>> 0 });
  }
  return blocks.sort((a, b) => a.address - b.address);
}

/** The heap as the row of blocks that it is: `{ address, size, state }`, the address and the size of the payload. */
function* rowOf({ exports, memory }) {
  for (let isFirst = 1; ; isFirst = 0) {
    const walk = exports.row_next(isFirst) >>> 0;
    if (walk === 0) return;
    const [address, size, state] = new Uint32Array(memory.buffer, walk, 3);
    yield { address, size, state: STATES[state] };
  }
}

/**
 * What is in a heap, in bytes.
 *
 * @typedef {object} Parts
 * @property {number} heap all of it
 * @property {number} live what the program has asked for
 * @property {number} heads heads of live blocks, and what these have beyond what was asked for
 * @property {number} free free blocks, which can be merged and serve any request
 * @property {number} freeBlocks how many there are
 * @property {number} largestFree
 * @property {number} commonest the power of two whose free blocks have the most bytes, and
 * @property {number} inCommonest how many these are
 * @property {number} aside blocks that are not live and not free: those on quick lists
 * @property {number} asideBlocks how many there are
 * @property {number} runs what is in runs, or in other blocks of the allocator's own, and in no live object
 * @property {number} rest at the heap's ends, or not the allocator's
 */

/** @returns {Parts} */
function partsOf(instance, blocks) {
  const live = liveBlocks(instance, blocks);
  const heap = instance.exports.replay_heap_size() >>> 0;
  const sums = { free: 0, freeBlocks: 0, largestFree: 0, aside: 0, asideBlocks: 0, runs: 0 };
  const bySize = new Map();
  let [asked, heads, next] = [0, 0, 0];
  const count = ({ size, usable }) => {
    asked += size;
    heads += WORD + usable - size;
    return WORD + usable;
  };
  for (const { address, size, state } of rowOf(instance)) {
    const whole = WORD + size;
    if (state === 'free') {
      sums.free += whole;
      ++sums.freeBlocks;
      sums.largestFree = Math.max(sums.largestFree, size);
      bySize.set(powerOf(size), (bySize.get(powerOf(size)) ?? 0) + whole);
    } else if (state === 'internal') {
      sums.runs += whole;
      while (live[next]?.address < address + size) sums.runs -= count(live[next++]);
    } else if (live[next]?.address === address) {
      count(live[next++]);
    } else if (state === 'used') {
      sums.aside += whole;
      ++sums.asideBlocks;
    }
  }
  if (next !== live.length) throw new Error('a live block is in none of the row');
  const most = [...bySize].reduce((a, b) => (b[1] > a[1] ? b : a), [0, 0]);
  const rest = heap - asked - heads - sums.free - sums.aside - sums.runs;
  return { heap, live: asked, heads, ...sums, commonest: most[0], inCommonest: most[1], rest };
}

async function replayUpTo(instance, program, calls) {
  let state = { peakHeap: 0, peakCall: 0 };
  for (const { piece, isStop } of piecesUpTo(program.pieces, calls)) {
    if (piece.length) state = instance.run(piece, true);
    if (state.fault) throw new Error('a fault while replaying');
    if (isStop) break;
  }
  return state;
}

/**
 * Replays a program on one of our allocators until its heap is as large as it gets.
 *
 * @param {string} name of the allocator
 * @param {object} program as compileTrace() answers it
 * @param {{ memory?: number }} [options] as for replay()
 * @returns {Promise<Parts>}
 */
export async function heapAtPeak(name, program, options) {
  if (!OURS.includes(name)) throw new Error(`what is in a heap of ${name} is not known`);
  const modules = { [name]: await rowReplayerFor(name) };
  const start = () => startReplay(name, program, modules, { ...options, forLayout: true });
  const { peakHeap, peakCall } = await replayUpTo(await start(), program, []);
  const instance = await start();
  await replayUpTo(instance, program, [peakCall]);
  const parts = partsOf(instance, program.blocks);
  if (parts.heap !== peakHeap) throw new Error(`the heap has ${parts.heap} bytes, not ${peakHeap}`);
  return parts;
}

/** What can be the reason, with what is said of it. */
const REASONS = {
  heads: () => 'heads and rounding',
  free: ({ freeBlocks, commonest }) =>
    `free in ${freeBlocks.toLocaleString('en')} blocks, most of it in those of ${sizesOf(commonest)}`,
  aside: ({ asideBlocks }) => `put aside in ${asideBlocks.toLocaleString('en')} blocks`,
  runs: () => 'free in runs',
};

function sizesOf(power) {
  return power < 1024 ? `${power}–${2 * power - 1} B` : `${power / 1024}–${power / 512} KiB`;
}

/** @returns {{ text: string, part: string }[]} all that is not live, the largest part first */
export function reasonOf(parts) {
  return Object.entries(REASONS)
    .filter(([key]) => parts[key] > 0)
    .sort(([a], [b]) => parts[b] - parts[a])
    .map(([key, text]) => ({ part: key, text: text(parts) }));
}
