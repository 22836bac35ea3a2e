// Draws a heap: rows of blocks to scale, the links between free ones, and what a statement has to do with them.
// Usage: heapPicture({ heap, width, ... }) is a lit-html template
import { html, svg } from 'lit-html';

const GUTTER = 58; // for the rows' addresses
const ROW = 38; // a row's height
const GAP = 28; // between rows, for arrows and pointers
const TOP = 24; // for arrows above the first row
const MOST_ROWS = 8;
const NARROW = 520; // pixels; there rows are shorter, and twice as many
const HEAD = 4;
const SMALLEST_ROW = 128;
const WIDTH_OF_LETTER = 7.4;

/** What a block can be, in the words of the page. */
export const KINDS = {
  used: 'used by the program',
  free: 'free, in a list',
  rest: 'the rest: free, in no list',
  deferred: 'deferred: freed, on a quick list',
  object: 'free object of a run',
  internal: 'the allocator’s own data',
  foreign: 'foreign: other code’s memory',
  lost: 'lost: freed, but never given back',
  unknown: 'being changed',
};

/** The bytes in a row: so many that the rows are not too many, nor the blocks too thin. */
function rowBytes(size, width) {
  const narrow = width < NARROW;
  let bytes = narrow ? SMALLEST_ROW / 2 : SMALLEST_ROW;
  while (size / bytes > (narrow ? 2 * MOST_ROWS : MOST_ROWS)) bytes *= 2;
  return bytes;
}

/** Turns addresses into places. */
class Scale {
  constructor({ first, end }, width) {
    this.first = first;
    this.bytes = rowBytes(end - first, width);
    this.pixels = (width - GUTTER - 2) / this.bytes;
    this.rows = Math.max(1, Math.ceil((end - first) / this.bytes));
    this.height = TOP + this.rows * (ROW + GAP);
  }

  row(address) {
    return Math.floor((address - this.first) / this.bytes);
  }

  x(address) {
    return GUTTER + ((address - this.first) % this.bytes) * this.pixels;
  }

  y(row) {
    return TOP + row * (ROW + GAP);
  }

  /** The rectangles that a stretch covers, one for each row that it is in. */
  pieces(start, size) {
    const pieces = [];
    for (let at = start; at < start + size;) {
      const row = this.row(at);
      const end = Math.min(start + size, this.first + (row + 1) * this.bytes);
      pieces.push({
        x: this.x(at),
        y: this.y(row),
        width: (end - at) * this.pixels,
        begins: at === start,
        ends: end === start + size,
      });
      at = end;
    }
    return pieces;
  }
}

const widest = (pieces) => pieces.reduce((a, b) => (b.width > a.width ? b : a));

/** A rectangle that is open where the block goes on in another row. */
function outline({ x, y, width, begins, ends }) {
  const inset = Math.min(1, width / 8);
  const left = x + (begins ? inset : 0);
  const right = x + width - (ends ? inset : 0);
  const rim = begins ? 'v' : 'm';
  const wall = ends ? 'v' : 'm';
  return wall === 'v'
    ? `M${left},${y} H${right} v${ROW} H${left} ${rim === 'v' ? `V${y}` : ''}`
    : `M${right},${y} H${left} ${rim === 'v' ? `v${ROW}` : `m0,${ROW}`} H${right}`;
}

function label(pieces, lines) {
  const { x, y, width } = widest(pieces);
  const fitting = lines.filter((line) => line && line.length * WIDTH_OF_LETTER + 4 <= width);
  const step = 15;
  const begin = y + ROW / 2 + 4.5 - ((fitting.length - 1) * step) / 2;
  return fitting.map(
    (line, index) =>
      svg`<text class=${index ? 'size' : 'name'} x=${x + width / 2} y=${begin + index * step}>${line}</text>`,
  );
}

function drawBlock(scale, block, { selected, change }, onSelect) {
  const pieces = scale.pieces(block.start, block.size);
  const head = scale.pieces(block.start, Math.min(HEAD, block.size));
  const name = block.name ?? '';
  const asked = block.bytes === undefined ? '' : `, ${block.bytes} asked for`;
  const title = `${name ? `${name}: ` : ''}${block.size} bytes at ${block.start}${asked}, ${KINDS[block.kind]}`;
  return svg`<g
    class="block ${block.kind} ${selected ? 'selected' : ''} ${change ? `changed ${change}` : ''}"
    data-start=${block.start}
    data-size=${block.size}
    data-kind=${block.kind}
    @click=${() => onSelect?.(block)}
  >
    <title>${title}</title>
    ${pieces.map((p) => svg`<rect class="fill" x=${p.x} y=${p.y} width=${p.width} height=${ROW}></rect>`)}
    ${pieces.map((p) => svg`<rect class="pattern" x=${p.x} y=${p.y} width=${p.width} height=${ROW}></rect>`)}
    ${head.map((p) => svg`<rect class="head" x=${p.x} y=${p.y} width=${p.width} height=${ROW}></rect>`)}
    ${pieces.map((p) => svg`<path class="outline" d=${outline(p)}></path>`)}
    ${label(pieces, [name, String(block.size)])}
  </g>`;
}

/** Where an arrow to or from a block ends. */
function anchor(scale, block) {
  const { x, y, width } = scale.pieces(block.start, block.size)[0];
  return { x: x + width / 2, y };
}

function drawLink(scale, from, to, kind) {
  const a = anchor(scale, from);
  const b = anchor(scale, to);
  if (a.y === b.y) {
    // Above the row; what leads forwards and what leads backwards do not lie on each other.
    const rise = Math.min(GAP - 6, 8 + Math.abs(b.x - a.x) / 12);
    const shift = b.x > a.x ? 3 : -3;
    return svg`<path class="link ${kind}" d="M${a.x + shift},${a.y} C${a.x + shift},${a.y - rise * 1.3} ${b.x - shift},${b.y - rise * 1.3} ${b.x - shift},${b.y}"></path>`;
  }
  const down = b.y > a.y;
  const start = a.y + (down ? ROW : 0);
  const end = b.y + (down ? 0 : ROW);
  const bend = (down ? 1 : -1) * Math.max(22, Math.abs(end - start) / 3);
  return svg`<path class="link ${kind}" d="M${a.x},${start} C${a.x},${start + bend} ${b.x},${end - bend} ${b.x},${end}"></path>`;
}

function drawLinks(scale, { blocks, lists }) {
  const at = new Map(blocks.map((block) => [block.start, block]));
  return lists
    .filter(({ kind }) => kind !== 'run')
    .flatMap((list) =>
      list.blocks.slice(1).map((start, index) => {
        const from = at.get(list.blocks[index]);
        const to = at.get(start);
        return from && to ? drawLink(scale, from, to, list.kind) : undefined;
      }),
    );
}

/** Moves labels of one row, which are in order, apart and back into the picture. */
function spread(labels, left, right) {
  let edge = left;
  for (const label of labels) {
    label.x = Math.max(label.x, edge);
    edge = label.x + label.width + 3;
  }
  edge = right;
  for (const label of [...labels].reverse()) {
    label.x = Math.min(label.x, edge - label.width);
    edge = label.x - 3;
  }
}

/** Variables that point into the heap, below the row. */
function drawPointers(scale, { first, end }, pointers) {
  const byAddress = new Map();
  for (const { name, address } of pointers)
    if (address >= first && address < end)
      byAddress.set(address, [...(byAddress.get(address) ?? []), name]);
  const labels = [...byAddress]
    .sort(([a], [b]) => a - b)
    .map(([address, names]) => {
      const text = names.join(', ');
      const tip = scale.x(address);
      const row = scale.row(address);
      return { address, text, tip, row, x: tip - 6, width: text.length * 6.7 + 10 };
    });
  for (let row = 0; row < scale.rows; ++row)
    spread(
      labels.filter((label) => label.row === row),
      GUTTER,
      GUTTER + scale.bytes * scale.pixels,
    );
  return labels.map(({ address, text, tip, row, x, width }) => {
    const y = scale.y(row) + ROW;
    return svg`<g class="pointer" data-pointer=${text} data-address=${address}>
      <path d="M${tip},${y - 4} l-4,7 h8 z M${tip},${y + 3} L${x + 8},${y + 8}"></path>
      <rect x=${x} y=${y + 7} width=${width} height="16" rx="8"></rect>
      <text x=${x + width / 2} y=${y + 19}>${text}</text>
    </g>`;
  });
}

function drawWritten(scale, { first, end }, words) {
  return words
    .filter((address) => address >= first - HEAD && address < end)
    .slice(0, 200)
    .flatMap((address) => (address < first ? [] : scale.pieces(address, 4)))
    .map(
      ({ x, y, width }) =>
        svg`<rect class="written" x=${x + 0.5} y=${y - 3} width=${Math.max(2, width - 1)} height=${ROW + 6}></rect>`,
    );
}

/**
 * @param {{ heap: { first: number, end: number, blocks: object[], lists: object[] }, width: number,
 *   changes?: Map<number, string>, pointers?: { name: string, address: number }[], written?: number[],
 *   selected?: number, onSelect?: (block: object) => void, title: string }} options
 */
export function heapPicture(options) {
  const { heap, width, changes = new Map(), pointers = [], written = [], selected } = options;
  if (!heap.first)
    return html`<p class="empty-heap">The heap is empty: nothing has been asked for yet.</p>`;
  const scale = new Scale(heap, width);
  const end = scale.pieces(heap.end - HEAD, HEAD);
  return html`<svg
    class="heap"
    role="img"
    aria-label=${options.title}
    width=${width}
    height=${scale.height}
    viewBox="0 0 ${width} ${scale.height}"
  >
    ${Array.from(
      { length: scale.rows },
      (_, row) =>
        svg`<text class="address" x=${GUTTER - 8} y=${scale.y(row) + ROW / 2 + 4}>${heap.first + row * scale.bytes}</text>`,
    )}
    ${heap.blocks.map((block) =>
      drawBlock(
        scale,
        block,
        { selected: block.start + HEAD === selected, change: changes.get(block.start) },
        options.onSelect,
      ),
    )}
    ${end.map((p) => svg`<rect class="end" x=${p.x} y=${p.y} width=${p.width} height=${ROW}><title>the heap’s end</title></rect>`)}
    ${drawWritten(scale, heap, written)} ${drawLinks(scale, heap)}
    ${drawPointers(scale, heap, pointers)}
  </svg>`;
}
