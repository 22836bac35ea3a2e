// Reads a picture of linear memory: the row of blocks (lib/block.h).
// Usage: const { blocks } = readRow(memory, layout)

export const WORD = 4;
const FLAGS = 7;
const SPECIAL = 4;
const USED = 1;

/** So many blocks or links are followed at most, should a picture be of a heap that is being changed. */
const MOST = 20_000;

/** The bytes of linear memory, up to the break. What lies beyond reads as 0. */
export class Memory {
  #bytes;
  #data;

  constructor(bytes) {
    this.#bytes = bytes;
    this.#data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get end() {
    return this.#bytes.length;
  }

  has(address, length = WORD) {
    return address >= 0 && address + length <= this.#bytes.length;
  }

  u8(address) {
    return this.has(address, 1) ? this.#data.getUint8(address) : 0;
  }

  u16(address) {
    return this.has(address, 2) ? this.#data.getUint16(address, true) : 0;
  }

  u32(address) {
    return this.has(address) ? this.#data.getUint32(address, true) : 0;
  }
}

/**
 * Follows links until one is 0, leads out of memory, or was met before.
 *
 * @param {Memory} memory
 * @param {number} first
 * @param {(address: number) => number} next
 * @returns {number[]}
 */
export function follow(memory, first, next) {
  const met = new Set();
  for (let at = first; at && memory.has(at) && !met.has(at) && met.size < MOST; at = next(at))
    met.add(at);
  return [...met];
}

const KINDS = ['free', 'used', 'internal', 'foreign'];

/** A block's size, head included, and whose it is, as its head says. */
export function readHead(memory, start) {
  const head = memory.u32(start);
  const kind = KINDS[(head & SPECIAL ? 2 : 0) + (head & USED)];
  return { start, size: (head & ~FLAGS) >>> 0, kind };
}

/**
 * The heap as a row of blocks. While an allocator is at work the row may not be whole for a moment: what
 * cannot be read is one block of the kind `unknown`.
 *
 * @returns {{ first: number, end: number, blocks: { start: number, size: number, kind: string }[] }} from
 *   the first block to the address behind the end's head; `start` is where a block's head is
 */
export function readRow(memory, layout) {
  const first = memory.u32(layout.heap_first);
  const end = Math.min(memory.u32(layout.heap_end), memory.end);
  const blocks = [];
  if (!first || !end) return { first: 0, end: 0, blocks };
  const last = end - WORD;
  let at = first;
  while (at < last && blocks.length < MOST) {
    const block = readHead(memory, at);
    if (!block.size || at + block.size > last) break;
    blocks.push(block);
    at += block.size;
  }
  if (at < last) blocks.push({ start: at, size: last - at, kind: 'unknown' });
  return { first, end, blocks };
}

/** What there is to see of an allocator that is known no better. */
export function readPlain(memory, layout) {
  return { ...readRow(memory, layout), lists: [] };
}

/**
 * Marks the block that is the rest (lib/boundary_tags.h), which is free and in no list.
 */
export function markRest(memory, layout, blocks) {
  const start = memory.u32(layout.rest_block);
  const rest = blocks.find((block) => block.start === start && block.kind === 'free');
  if (rest && rest.size === memory.u32(layout.rest_size)) rest.kind = 'rest';
}
