// Draws heaps as SVG: rows of memory to scale, from the first address to the last.
// Usage: const picture = new MapPicture(); picture.add(await drawHeap('bins', program, options)); const svg = picture.toSvg('app at the peak')
import { STRETCH, layouts } from './layout.js';
import { sizeText } from './text.js';

const [WIDTH, GUTTER, MARGIN] = [1000, 74, 16];
const [ROW, GAP] = [10, 2];
const MOST_ROWS = 64;
const SMALLEST_ROW = 256; // bytes

/** With more stretches they are put together, in so many cells of a row; a cell has one of each kind at most. */
const MOST_STRETCHES = 20_000;
const CELLS_IN_ROW = 128;

const KINDS = Object.keys(STRETCH);

const LABELS = {
  used: 'used: what the program has asked for',
  lost: 'lost: heads, padding, rounding',
  free: 'free, or the allocator’s own data',
};

/** The same colours as in the report's page. */
const STYLE = `
  .paper { fill: #fbfaf7 } text { fill: #1c2430; font: 13px system-ui, sans-serif }
  .soft { fill: #5a6675; font-size: 11.5px } .address { text-anchor: end }
  .name { font: bold 15px ui-monospace, monospace }
  .used { fill: #2f6fb3 } .lost { fill: #d9581a } .free { fill: #d9f0e7 }
  .marks { fill: none; stroke: #0a8f6d; stroke-width: 1.2; opacity: .55 } .slash { stroke: #ffffff; opacity: .8 }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #14181d } text { fill: #e6e9ee } .soft { fill: #a1acba }
    .used { fill: #4f97dd } .lost { fill: #ff9a66 } .free { fill: #17332b }
    .marks { stroke: #3fc79f } .slash { stroke: #14181d }
  }`;

/** Each heap has them once more, so that they are not stretched as its bytes are. */
const PATTERNS = `<defs>
<pattern id="lost" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="marks slash" d="M0,0v6"/></pattern>
<pattern id="free" width="6" height="6" patternUnits="userSpaceOnUse"><path class="marks" d="M3,2.4v1.2"/></pattern>
</defs>`;

function escape(text) {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** The bytes in a row, a power of two. */
function rowBytes(size) {
  let bytes = SMALLEST_ROW;
  while (size / bytes > MOST_ROWS) bytes *= 2;
  return bytes;
}

/** All stretches, each as kind, start and length. */
function listStretches(layout) {
  const stretches = [];
  layout.forEachStretch((...stretch) => stretches.push(stretch));
  return stretches;
}

/** Puts stretches together: in each cell first what is used, then what is lost, then what is free. */
function coarsen(layout, cellBytes) {
  const cells = Array.from({ length: Math.ceil(layout.size / cellBytes) }, () => [0, 0, 0]);
  layout.forEachStretch((kind, start, length) => {
    for (let at = start; at < start + length;) {
      const index = Math.floor(at / cellBytes);
      const end = Math.min(start + length, (index + 1) * cellBytes);
      cells[index][kind] += end - at;
      at = end;
    }
  });
  return cells.flatMap((sums, index) => {
    let at = index * cellBytes;
    return sums
      .map((length, kind) => [kind, (at += length) - length, length])
      .filter(([, , length]) => length);
  });
}

/** A path of rectangles for each kind, in which a unit to the right is a byte, and down a pixel. */
function paths(stretches, bytes) {
  const parts = KINDS.map(() => []);
  for (const [kind, start, length] of stretches)
    for (let at = start; at < start + length;) {
      const row = Math.floor(at / bytes);
      const end = Math.min(start + length, (row + 1) * bytes);
      const width = end - at;
      parts[kind].push(`M${at - row * bytes},${row * (ROW + GAP)}h${width}v${ROW}h-${width}z`);
      at = end;
    }
  return parts.map((rectangles) => rectangles.join(''));
}

/**
 * A heap at a moment, in its place in the picture.
 *
 * @param {string} name
 * @param {{ size: number, forEachStretch: (callback: (kind: number, start: number, length: number) => void) => void }} layout
 * @param {number} index of the heap in the picture, from 0 on
 */
function heapPart(name, layout, index) {
  const { size } = layout;
  const bytes = rowBytes(size);
  const cellBytes = bytes / CELLS_IN_ROW;
  const sums = KINDS.map(() => 0);
  let count = 0;
  layout.forEachStretch((kind, _, length) => {
    sums[kind] += length;
    ++count;
  });
  const isCoarse = count > MOST_STRETCHES;
  const drawn = isCoarse ? coarsen(layout, cellBytes) : listStretches(layout);
  const rows = Math.max(1, Math.ceil(size / bytes));
  const scale = (WIDTH - GUTTER - MARGIN) / bytes;
  const text = KINDS.map((kind, i) => `${kind} ${sizeText(sums[i])}`).join(', ');
  const shapes = paths(drawn, bytes).map((d, kind) => {
    const data = `data-kind="${KINDS[kind]}" data-bytes="${sums[kind]}"`;
    const fill = `<path class="${KINDS[kind]}" ${data} d="${d}"/>`;
    if (kind === STRETCH.used) return fill;
    // The pattern is not to be stretched as the bytes are.
    return `${fill}<path fill="url(#${KINDS[kind]}-${index})" d="${d}"/>`;
  });
  const addresses = Array.from({ length: rows }, (_, row) =>
    row % 4
      ? ''
      : `<text class="soft address" x="${GUTTER - 8}" y="${34 + row * (ROW + GAP) + 9}">${sizeText(row * bytes)}</text>`,
  ).join('');
  const cell = isCoarse ? `; in cells of ${sizeText(cellBytes)}` : '';
  return {
    height: 34 + rows * (ROW + GAP) + 18,
    markup: `<g data-heap="${name}" data-size="${size}" data-row-bytes="${bytes}">
<defs>
<pattern id="lost-${index}" href="#lost" patternTransform="scale(${1 / scale} 1) rotate(45)"/>
<pattern id="free-${index}" href="#free" patternTransform="scale(${1 / scale} 1)"/>
</defs>
<text class="name" x="${MARGIN}" y="18">${name}</text>
<text x="${MARGIN + 110}" y="18">heap ${sizeText(size)}: ${text}<tspan class="soft">${cell}</tspan></text>
${addresses}
<g transform="translate(${GUTTER} 34) scale(${scale} 1)">${shapes.join('')}</g>
</g>`,
  };
}

function legend(y) {
  const items = KINDS.map(
    (kind, i) =>
      `<rect class="${kind}" x="${MARGIN + i * 290}" y="${y - 11}" width="14" height="14"/>` +
      (i
        ? `<rect fill="url(#${kind})" x="${MARGIN + i * 290}" y="${y - 11}" width="14" height="14"/>`
        : '') +
      `<text class="soft" x="${MARGIN + i * 290 + 21}" y="${y}">${LABELS[kind]}</text>`,
  );
  return items.join('');
}

/**
 * Replays a program, and draws a heap of the picture.
 *
 * @param {string} name of the allocator
 * @param {object} program
 * @param {{ call: number, index: number, memory?: number, pulse?: Int32Array }} options after which call; the number of
 *   the heap in the picture, from 0 on; the others as for startReplay()
 * @returns {Promise<{ markup: string, height: number }>} for {@link MapPicture}
 */
export async function drawHeap(name, program, { call, index, ...options }) {
  const { value: layout } = await layouts(name, program, [call], options).next();
  return heapPart(name, layout, index);
}

/** A picture that heaps are added to. */
export class MapPicture {
  #parts = [];
  #height = 62;

  /** Adds a heap, below those that there are. */
  add({ markup, height }) {
    this.#parts.push(`<g transform="translate(0 ${this.#height})">${markup}</g>`);
    this.#height += height;
  }

  /** SVG, for light and dark pages. */
  toSvg(title) {
    const height = this.#height;
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>${escape(title)}</title>
<style>${STYLE}
</style>
${PATTERNS}
<rect class="paper" width="${WIDTH}" height="${height}"/>
<text x="${MARGIN}" y="24">${escape(title)}</text>
${legend(48)}
${this.#parts.join('\n')}
</svg>
`;
  }
}
