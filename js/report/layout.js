// Where each block stands in the heap of an allocator that a trace is replayed on.
// Usage: for await (const layout of layouts('bins', program, calls)) layout.forEachStretch((kind, start, size) => …)
import { HeapCorruptionError, LoadError } from '../errors.js';
import { TOO_LARGE, instructionWords, startReplay } from '../replay.js';

/** What a stretch of the heap is: asked for by the program; beyond what it has asked for; in no block. */
export const STRETCH = { used: 0, lost: 1, free: 2 };

/** A gap between two blocks that is smaller holds none: it is a head, or padding. */
const SMALLEST_FREE = 16;

/** It never uses again what is given back. */
const NEVER_REUSES = ['minimal'];

/** Blocks are sorted as numbers that hold a block's address, in units of 4 bytes, and its number. */
const MOST_BLOCKS = 2 ** 23;

/** Pieces of a program that end after so many calls each. */
export function* piecesUpTo(pieces, calls) {
  let done = 0;
  let next = 0;
  for (const piece of pieces) {
    let begin = 0;
    for (let at = 0; at < piece.length;) {
      while (calls[next] === done) {
        yield { piece: piece.subarray(begin, at), isStop: true };
        begin = at;
        ++next;
      }
      at += instructionWords(piece[at]);
      ++done;
    }
    yield { piece: piece.subarray(begin), isStop: false };
  }
  for (; calls[next] === done; ++next) yield { piece: new Uint32Array(0), isStop: true };
}

function check({ fault }, name) {
  if (!fault) return;
  if (fault === TOO_LARGE)
    throw new LoadError(`${name} would fill more memory than is allowed: --memory allows more`);
  throw new HeapCorruptionError(
    `${name} is broken: npx wasmalloc replay --allocators ${name} says how`,
    null,
  );
}

/** A heap at a moment. */
class Layout {
  #instance;
  #reuses;
  #sorted;
  size; // of the heap, in bytes

  constructor(instance, name, sorted) {
    this.#instance = instance;
    this.#reuses = !NEVER_REUSES.includes(name);
    this.#sorted = sorted;
    this.size = instance.exports.replay_heap_size() >>> 0;
  }

  /**
   * Calls back for each stretch, from the heap's beginning (0) to its end, with one of {@link STRETCH}. A block's used
   * part comes first.
   */
  forEachStretch(callback) {
    const { used, lost, free } = STRETCH;
    const { exports, heapBase } = this.#instance;
    const table = new Uint32Array(exports.memory.buffer, exports.replay_blocks() >>> 0);
    const numbers = this.#sortedBlocks(table);
    let end = 0;
    const gap = (start, isLast) => {
      const size = start - end;
      if (size <= 0) return;
      const isLost = size < SMALLEST_FREE || !(this.#reuses || isLast);
      callback(isLost ? lost : free, end, size);
    };
    for (const packed of numbers) {
      const number = packed % MOST_BLOCKS;
      const start = table[2 * number] - heapBase;
      const size = table[2 * number + 1];
      gap(start, false);
      if (size) callback(used, start, size);
      end = start + Math.max(size, exports.replay_usable_size(number) >>> 0);
      if (end > start + size) callback(lost, start + size, end - start - size);
    }
    gap(this.size, true);
  }

  #sortedBlocks(table) {
    let count = 0;
    for (let number = 1; number <= this.#instance.blocks; ++number)
      if (table[2 * number]) this.#sorted[count++] = (table[2 * number] / 4) * MOST_BLOCKS + number;
    return this.#sorted.subarray(0, count).sort();
  }
}

/**
 * Replays a program up to each of the given counts of calls, which are sorted, and answers the layout then; it is valid
 * until the next one is asked for.
 *
 * @param {string} name of the allocator
 * @param {Awaited<ReturnType<typeof import('../replay.js').compileTrace>>} program
 * @param {number[]} calls
 * @param {{ memory?: number, pulse?: Int32Array }} [options] as for startReplay()
 * @returns {AsyncGenerator<Layout>}
 */
export async function* layouts(name, program, calls, options = {}) {
  if (program.blocks >= MOST_BLOCKS)
    throw new LoadError(`the trace has ${program.blocks} live blocks: too many for a map`);
  const instance = {
    ...(await startReplay(name, program, {}, { ...options, forLayout: true })),
    blocks: program.blocks,
  };
  const sorted = new Float64Array(program.blocks);
  for (const { piece, isStop } of piecesUpTo(program.pieces, calls)) {
    if (piece.length) check(instance.run(piece, false), name);
    if (isStop) yield new Layout(instance, name, sorted);
  }
}

/** The largest that an allocator's heap gets, in bytes, and how many calls get no memory there. */
export async function measureHeap(name, program, options = {}) {
  const instance = await startReplay(name, program, {}, { ...options, forLayout: true });
  let state = { peakHeap: 0, failed: 0 };
  for (const piece of program.pieces) check((state = instance.run(piece, true)), name);
  return { peakHeap: state.peakHeap, failed: state.failed };
}
