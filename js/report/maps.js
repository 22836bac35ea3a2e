// The heaps of allocators over time, small enough for a page.
// Usage: const map = await mapHeap('bins', program, { calls, cells: 16384 })
import { deflateRawSync } from 'node:zlib';
import { OUTSIDE, cellByte } from './cells.js';
import { STRETCH, layouts, measureHeap } from './layout.js';

/** The smallest cell, in bytes. */
const SMALLEST_CELL = 8;

/** A heap's bytes by kind, in cells of equal size; how much there is of each kind; and the gaps. */
class Picture {
  constructor(cells, cellBytes) {
    this.cellBytes = cellBytes;
    this.kinds = [new Float64Array(cells), new Float64Array(cells)]; // used, lost
  }

  take(layout) {
    const { cellBytes, kinds } = this;
    kinds.forEach((bytes) => bytes.fill(0));
    const sums = [0, 0, 0];
    let [largest, gaps] = [0, 0];
    layout.forEachStretch((kind, start, size) => {
      sums[kind] += size;
      if (kind === STRETCH.free) {
        ++gaps;
        if (size > largest) largest = size;
        return;
      }
      const bytes = kinds[kind];
      const end = start + size;
      const first = Math.floor(start / cellBytes);
      const last = Math.floor((end - 1) / cellBytes);
      if (first === last) bytes[first] += size;
      else {
        bytes[first] += (first + 1) * cellBytes - start;
        bytes.fill(cellBytes, first + 1, last);
        bytes[last] += end - last * cellBytes;
      }
    });
    const [used, lost, free] = sums;
    return { heap: layout.size, used, lost, free, largest, gaps };
  }

  encode(heap, target) {
    const { cellBytes, kinds } = this;
    const [used, lost] = kinds;
    for (let i = 0; i < target.length; ++i) {
      const size = Math.min(cellBytes, heap - i * cellBytes);
      if (size <= 0) {
        target[i] = OUTSIDE;
        continue;
      }
      target[i] = cellByte(used[i] / size, lost[i] / size);
    }
  }
}

/** The smallest power of two that is no smaller. */
function powerOfTwo(value) {
  return 2 ** Math.max(0, Math.ceil(Math.log2(value)));
}

/**
 * Replays a program on an allocator, and draws its heap after each of the given counts of calls.
 *
 * @param {string} name
 * @param {object} program
 * @param {{ calls: number[], cells: number, memory?: number, pulse?: Int32Array,
 *   onProgress?: (fraction: number) => void }} options about as many `cells`; the others as for startReplay()
 * @returns {Promise<object>} `pictures`: a byte for each cell, one picture after the other, each but the first
 *   as the difference (exclusive or) to the one before, compressed by deflate, in base64; and numbers about each
 */
export async function mapHeap(name, program, { calls, cells, onProgress = () => {}, ...options }) {
  const { peakHeap, failed } = await measureHeap(name, program, options);
  const cellBytes = Math.max(SMALLEST_CELL, powerOfTwo(peakHeap / (1.5 * cells)));
  const count = Math.max(1, Math.ceil(peakHeap / cellBytes));
  const picture = new Picture(count, cellBytes);
  const pictures = new Uint8Array(count * calls.length);
  const numbers = [];
  let before;
  const current = new Uint8Array(count);
  for await (const layout of layouts(name, program, calls, options)) {
    const index = numbers.length;
    numbers.push(picture.take(layout));
    picture.encode(layout.size, current);
    const target = pictures.subarray(index * count, (index + 1) * count);
    target.set(current);
    if (before) for (let i = 0; i < count; ++i) target[i] ^= before[i];
    before = current.slice();
    onProgress((index + 1) / calls.length);
  }
  const columns = Object.fromEntries(
    ['heap', 'used', 'lost', 'free', 'largest', 'gaps'].map((key) => [
      key,
      numbers.map((row) => row[key]),
    ]),
  );
  const compressed = deflateRawSync(pictures, { level: 9 }).toString('base64');
  return { name, cellBytes, cells: count, peakHeap, failed, ...columns, pictures: compressed };
}
