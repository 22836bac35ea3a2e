import { follow, readRow, WORD } from '../memory.js';

/** One list through the free blocks, in the order of addresses. */
export function read(memory, layout) {
  const blocks = follow(memory, memory.u32(layout.free_list), (block) => memory.u32(block + WORD));
  return {
    ...readRow(memory, layout),
    lists: [{ name: 'free_list', kind: 'free', blocks, empty: 'no block is free' }],
  };
}
