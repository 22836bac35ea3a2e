// A cell of a heap's picture, as a byte: how much of it is used, and how much lost. The page reads what the command
// writes.
// Usage: sharesOf(cellByte(0.5, 0.1)).used

const LEVELS = 15;

/** The cell lies behind the heap. */
export const OUTSIDE = 0xff;

/** @param {number} used what is used, as a part of the cell; `lost` likewise, and all else is free */
export function cellByte(used, lost) {
  const usedLevel = Math.round(used * LEVELS);
  const lostLevel = Math.min(Math.round(lost * LEVELS), LEVELS - usedLevel);
  return (usedLevel << 4) | lostLevel;
}

/** The parts of a cell, which are 1 together. */
export function sharesOf(byte) {
  const used = byte >> 4;
  const lost = byte & 15;
  return { used: used / LEVELS, lost: lost / LEVELS, free: (LEVELS - used - lost) / LEVELS };
}

/** Each `factor` cells as one. */
export function coarser(cells, factor) {
  if (factor === 1) return cells;
  const result = new Uint8Array(Math.ceil(cells.length / factor));
  for (let i = 0; i < result.length; ++i) {
    const inside = cells.subarray(i * factor, (i + 1) * factor).filter((byte) => byte !== OUTSIDE);
    const mean = (part) =>
      inside.reduce((sum, byte) => sum + sharesOf(byte)[part], 0) / inside.length;
    result[i] = inside.length ? cellByte(mean('used'), mean('lost')) : OUTSIDE;
  }
  return result;
}
