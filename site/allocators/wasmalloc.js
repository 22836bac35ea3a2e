import { follow, markRest, readRow, WORD } from '../memory.js';
import { readBins } from './bins.js';

const ALIGNMENT = 8;

/** The classes of small sizes: the quick list, and the run in use with the objects that malloc may take. */
function readClasses(memory, layout) {
  return Array.from({ length: layout.class_count }, (_, index) => {
    const at = layout.classes + layout.class_bytes * index;
    const payloads = follow(memory, memory.u32(at + layout.class_quick), (deferred) =>
      memory.u32(deferred),
    );
    const objects = memory.u32(at + layout.class_objects);
    return {
      size: index * ALIGNMENT,
      quick: payloads.map((payload) => payload - WORD),
      room: memory.u8(at + layout.class_room),
      inUse: objects ? objects - layout.run_header : 0,
      free: memory.u32(at + layout.class_free),
    };
  });
}

/** The runs in the ring of a class, which have free objects and wait for use. */
function readRing(memory, layout, index) {
  const first = memory.u32(layout.rings + layout.ring_bytes * index + layout.ring_runs);
  return follow(memory, first, (run) => memory.u32(run + layout.run_next));
}

/** The pieces of a block that is a run: its header, its objects, and what is left behind them. */
function readRun(memory, layout, block, classes) {
  const run = block.start + WORD;
  const size = memory.u16(run + layout.run_size);
  const objects = memory.u16(run + layout.run_objects);
  const used = layout.run_header + objects * size;
  const sizeClass = classes[size / ALIGNMENT];
  // Of a run that is being made nothing is known yet.
  if (!sizeClass || !objects || used > block.size) return [block];
  let free = memory.u32(run + layout.run_word);
  if (sizeClass.inUse === run) free |= sizeClass.free;
  const pieces = [{ ...block, size: layout.run_header, kind: 'internal', run }];
  for (let number = 0; number < objects; ++number)
    pieces.push({
      start: block.start + layout.run_header + number * size,
      size,
      kind: (free >>> number) & 1 ? 'object' : 'used',
      run,
      number,
    });
  if (used < block.size)
    pieces.push({ start: block.start + used, size: block.size - used, kind: 'internal', run });
  return pieces;
}

/** Quick lists, runs and bins. Looks without touching, where the public walk tidies up first. */
export function read(memory, layout) {
  const row = readRow(memory, layout);
  markRest(memory, layout, row.blocks);
  const classes = readClasses(memory, layout);
  const blocks = row.blocks.flatMap((block) =>
    block.kind === 'internal' ? readRun(memory, layout, block, classes) : [block],
  );
  const deferred = new Set(classes.flatMap(({ quick }) => quick));
  for (const block of blocks)
    if (deferred.has(block.start) && block.kind === 'used') block.kind = 'deferred';
  const objectsOf = (run) =>
    blocks
      .filter((block) => block.run === run && block.kind === 'object')
      .map(({ start }) => start);
  const lists = classes.flatMap(({ size, quick, room, inUse }, index) => {
    const ring = index < layout.ring_count ? readRing(memory, layout, index) : [];
    return [
      { name: `quick ${size}`, note: `room for ${room} more`, kind: 'quick', blocks: quick },
      ...(inUse ? [inUse] : []).map((run) => ({
        name: `run ${size}`,
        note: `in use, at ${run - WORD}`,
        kind: 'run',
        blocks: objectsOf(run),
        empty: 'all its objects are used',
      })),
      ...ring.map((run) => ({
        name: `run ${size}`,
        note: `waits, at ${run - WORD}`,
        kind: 'run',
        blocks: objectsOf(run),
      })),
    ].filter((list) => list.blocks.length || list.empty);
  });
  const bins = readBins(memory, layout);
  return { ...row, blocks, lists: [...lists, ...bins.lists], bits: bins.bits };
}
