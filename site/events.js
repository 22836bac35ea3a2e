// Says what a request did to the heap, from the rows of blocks before and after it.
// Usage: const { events, changes } = compare(before, after)

const isFree = ({ kind }) => kind === 'free' || kind === 'rest';

function overlapping(blocks, { start, size }) {
  return blocks.filter((block) => block.start < start + size && start < block.start + block.size);
}

const sizes = (blocks) => blocks.map(({ size }) => size).join(' + ');

/** One block of the row after the request, and what it was before. */
function compareBlock(before, block, found) {
  const old = overlapping(before.blocks, block);
  const same = old.length === 1 && old[0].start === block.start && old[0].size === block.size;
  if (same && old[0].kind === block.kind) return;
  found.changes.set(block.start, 'appeared');
  if (!old.length) return;

  const freed = old.some(({ kind }) => kind === 'used' || kind === 'deferred' || kind === 'object');
  if (isFree(block) && old.length > 1 && old.every(({ kind }) => kind !== 'internal')) {
    found.changes.set(block.start, 'merged');
    const inside = old.filter(({ start }) => start >= block.start);
    if (freed || inside.length > 1)
      found.events.push(`merged ${sizes(old)} into one free block of ${block.size}`);
  } else if (block.kind === 'deferred' && old[0].kind === 'used') {
    found.changes.set(block.start, 'freed');
    found.events.push(`deferred the block of ${block.size}: it waits on its quick list`);
  } else if (block.kind === 'object' && old[0].kind === 'used') {
    found.changes.set(block.start, 'freed');
    found.events.push(`freed an object of ${block.size}: set its bit in its run`);
  } else if (block.kind === 'lost' && old[0].kind === 'used') {
    found.changes.set(block.start, 'freed');
    found.events.push(`lost ${block.size} bytes: nobody can have them again`);
  } else if (isFree(block) && freed) {
    found.changes.set(block.start, 'freed');
    if (same) found.events.push(`freed the block of ${block.size}`);
  } else if (block.kind === 'used' && same) {
    found.events.push(
      {
        deferred: `took the block of ${block.size} from its quick list`,
        object: `took a free object of ${block.size} from a run`,
      }[old[0].kind] ?? `took the free block of ${block.size} as it was`,
    );
  } else if (block.kind === 'used' && old.length === 1 && old[0].size > block.size) {
    found.changes.set(block.start, 'split');
    const where = old[0].kind === 'rest' ? 'the rest' : `the block of ${old[0].size}`;
    if (old[0].kind !== 'used')
      found.events.push(`split ${where}: ${block.size} used, ${old[0].size - block.size} left`);
    else found.events.push(`cut the block of ${old[0].size} down to ${block.size}`);
  } else if (block.kind === 'used' && old[0].kind === 'used' && old[0].size < block.size) {
    found.events.push(`grew the block from ${old[0].size} to ${block.size} where it stands`);
  }
}

function runsIn({ blocks }) {
  return new Set(blocks.map(({ run }) => run).filter(Boolean));
}

/**
 * @param {{ first: number, end: number, blocks: object[] }} before what an allocator's reader made of memory
 * @param {{ first: number, end: number, blocks: object[] }} after
 * @returns {{ events: string[], changes: Map<number, string> }} `changes` says, for the
 *   blocks that are not as they were, by their address, how they came about
 */
export function compare(before, after) {
  const found = { events: [], changes: new Map() };
  if (!before.end && after.end)
    found.events.push(`the heap begins, with ${after.end - after.first} bytes`);
  else if (after.end > before.end)
    found.events.push(`the heap grew by ${after.end - before.end} bytes`);
  else if (after.end < before.end)
    found.events.push(`the heap shrank by ${before.end - after.end} bytes`);
  const [runsBefore, runsAfter] = [runsIn(before), runsIn(after)];
  for (const run of runsAfter)
    if (!runsBefore.has(run)) {
      const objects = after.blocks.filter((block) => block.run === run && block.number >= 0);
      found.events.push(`made a run: ${objects.length} objects of ${objects[0].size} bytes`);
    }
  for (const run of runsBefore)
    if (!runsAfter.has(run)) found.events.push('dissolved a run: its objects are blocks again');
  for (const block of after.blocks) compareBlock(before, block, found);
  return { ...found, events: [...new Set(found.events)] };
}
