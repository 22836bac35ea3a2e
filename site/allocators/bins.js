import { follow, markRest, readRow, WORD } from '../memory.js';

const ALIGNMENT = 8;
const LINEAR = 32;
const STEPS = 8;

/** The sizes that belong to a bin, from the smallest to the one behind the largest (lib/4_bins.c). */
export function binSizes(bin) {
  const least = (index) => {
    if (index < LINEAR) return index * ALIGNMENT;
    const power = Math.floor((index - LINEAR) / STEPS);
    return ((STEPS + ((index - LINEAR) % STEPS)) << power) * (LINEAR / STEPS) * ALIGNMENT;
  };
  return [least(bin), least(bin + 1)];
}

function sizesOf(bin) {
  const [least, beyond] = binSizes(bin);
  return beyond - least === ALIGNMENT ? `${least}` : `${least}–${beyond - ALIGNMENT}`;
}

/** The bins that have blocks, and the map with a bit for each. */
export function readBins(memory, layout) {
  const lists = [];
  for (let bin = 0; bin < layout.bins; ++bin) {
    const blocks = follow(memory, memory.u32(layout.bin + WORD * bin), (block) =>
      memory.u32(block + WORD),
    );
    if (blocks.length)
      lists.push({ name: `bin ${bin}`, note: sizesOf(bin), kind: 'free', double: true, blocks });
  }
  const bits = Array.from(
    { length: layout.bins },
    (_, bin) => (memory.u32(layout.map + WORD * (bin >>> 5)) >>> (bin & 31)) & 1,
  );
  return { lists, bits };
}

/** Bins by size. */
export function read(memory, layout) {
  const row = readRow(memory, layout);
  markRest(memory, layout, row.blocks);
  return { ...row, ...readBins(memory, layout) };
}
