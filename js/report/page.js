// The page of a report.
// Usage: const html = await reportPage('app.trace', { allocators: ['bins'], onProgress })
import { readFileSync } from 'node:fs';
import { WasmallocError } from '../errors.js';
import { compileTrace } from '../replay.js';
import { LIFETIMES, analyse, sizeRange, spacedMoments } from './analysis.js';
import { mapHeap } from './maps.js';
import { nameText } from './text.js';

/** The page without its data: dist/report.html, which scripts/build.mjs makes of report/. */
const TEMPLATE = new URL('../../dist/report.html', import.meta.url);
const PLACE_FOR_DATA = '"the data"';

/** Moments that have a picture; fewer when there are many blocks, which have to be sorted for each. */
const MOST_MOMENTS = 200;
const FEWEST_MOMENTS = 20;
const BLOCKS_TO_SORT = 15_000_000;

/** Cells of all pictures together: each is a byte before compression. */
const CELLS = 8_000_000;
const [FEWEST_CELLS, MOST_CELLS] = [2048, 16384];

function momentsFor(first) {
  const affordable = Math.floor(BLOCKS_TO_SORT / Math.max(1, first.mostBlocks));
  return spacedMoments(Math.max(FEWEST_MOMENTS, Math.min(MOST_MOMENTS, affordable)))(first);
}

function cellsFor(moments, allocators) {
  const affordable = 2 ** Math.floor(Math.log2(CELLS / (moments * allocators)));
  return Math.max(FEWEST_CELLS, Math.min(MOST_CELLS, affordable));
}

/** A heap, or why there is none. */
async function mapOrReason(map, name, program, options) {
  try {
    return await map(name, program, options);
  } catch (error) {
    if (!(error instanceof WasmallocError)) throw error;
    return { name, reason: error.message };
  }
}

/**
 * @param {object} source of the trace, for readTrace() to read several times
 * @param {{ allocators: string[], memory?: number, map?: typeof mapHeap, onProgress?: (fraction: number, what?: string) => void }} options the allocators to
 *   draw the heap of
 * @returns {Promise<{ html: string, fault: string | null }>} `fault` says why the trace could only be read in part
 */
export async function reportPage(
  source,
  { allocators, memory, map = mapHeap, onProgress = () => {} },
) {
  const steps = 2 + allocators.length;
  const data = await analyse(source, {
    moments: momentsFor,
    onProgress: (fraction) => onProgress(fraction / steps, 'reading'),
  });
  const calls = data.moments.map(({ call }) => call);
  const cells = cellsFor(calls.length, allocators.length);
  onProgress(1 / steps, 'compiling');
  const program = await compileTrace(source);
  const heaps = [];
  for (const [i, name] of allocators.entries()) {
    const report = (fraction) => onProgress((2 + i + fraction) / steps, name);
    report(0);
    heaps.push(await mapOrReason(map, name, program, { calls, cells, memory, onProgress: report }));
  }
  const classes = Math.max(0, ...data.requests.map(({ index }) => index)) + 1;
  const sizeNames = Array.from({ length: classes }, (_, index) => sizeRange(index));
  // Nothing in the text may end the element that it is in.
  const { program: longName, allocator } = data.description;
  const description = {
    ...data.description,
    program: nameText(longName),
    allocator: nameText(allocator),
  };
  const json = JSON.stringify({
    ...data,
    description,
    sizeNames,
    lifetimeNames: LIFETIMES,
    heaps,
  }).replaceAll('<', '\\u003c');
  onProgress(1);
  const template = readFileSync(TEMPLATE, 'utf8');
  return { html: template.replace(PLACE_FOR_DATA, () => json), fault: data.fault };
}
