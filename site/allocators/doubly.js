import { follow, markRest, readRow, WORD } from '../memory.js';

/** A ring through a block of size 0, which is a variable. */
export function read(memory, layout) {
  const row = readRow(memory, layout);
  markRest(memory, layout, row.blocks);
  const next = (block) => memory.u32(block + WORD);
  const toEnd = (block) => (block === layout.list ? 0 : block);
  const blocks = follow(memory, toEnd(next(layout.list)), (block) => toEnd(next(block)));
  return {
    ...row,
    lists: [
      { name: 'list', kind: 'free', double: true, blocks, empty: 'no block is free but the rest' },
    ],
  };
}
