// The heap of one allocator, drawn on a canvas.
// Usage: const pane = new HeapPane(heap, pictures); pane.show(0, { cellBytes, bytes })
import { OUTSIDE, coarser, sharesOf } from '../js/report/cells.js';
import { countText, sizeText } from '../js/report/text.js';
import { element, whenWidthChanges } from './dom.js';

const SMALLEST_CELL = 4; // pixels
const LARGEST_CELL = 14;
const MOST_HEIGHT = 560;
const GUTTER = 64; // for addresses

function style(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name);
}

function pattern(context, name, size, draw) {
  const tile = new OffscreenCanvas(size, size);
  const inTile = tile.getContext('2d');
  inTile.strokeStyle = inTile.fillStyle = style(name);
  draw(inTile);
  return context.createPattern(tile, 'repeat');
}

/** A heap, drawn as cells, at one of the moments. */
export class HeapPane {
  #heap;
  #all;
  #canvas = element('canvas', { tabindex: 0, role: 'img' });
  #readout = element('p', { class: 'status', 'aria-live': 'polite' }, ' ');
  #sums = element('p', { class: 'sums' });
  #scale;
  #width = 0;
  #cells; // that are drawn now
  #grid;
  #cursor = -1;
  #index = 0;
  element;

  constructor(heap, all) {
    this.#heap = heap;
    this.#all = all;
    const box = element('div', { class: 'map' }, this.#canvas);
    this.element = element(
      'article',
      { class: 'pane', 'data-heap': heap.name },
      element('header', {}, element('h3', {}, heap.name), this.#sums),
      box,
      this.#readout,
      heap.failed
        ? element(
            'p',
            { class: 'note' },
            `${countText(heap.failed)} calls got no memory: the heap was full.`,
          )
        : undefined,
    );
    whenWidthChanges(box, (width) => {
      this.#width = width;
      this.draw();
    });
    this.#canvas.addEventListener('mousemove', ({ offsetX, offsetY }) =>
      this.#point(offsetX, offsetY),
    );
    this.#canvas.addEventListener('mouseleave', () => this.#select(-1));
    this.#canvas.addEventListener('blur', () => this.#select(-1));
    this.#canvas.addEventListener('keydown', (event) => this.#onKey(event));
  }

  get name() {
    return this.#heap.name;
  }

  get cellBytes() {
    return this.#heap.cellBytes;
  }

  get peakHeap() {
    return this.#heap.peakHeap;
  }

  /** @param {{ cellBytes: number, bytes: number }} scale so many bytes in a cell, and as many to be drawn in all */
  show(index, scale) {
    this.#index = index;
    this.#scale = scale;
    this.draw();
  }

  draw() {
    if (!this.#width || !this.#scale) return;
    const { cells, heap, used, lost, free } = this.#heap;
    const first = this.#index * cells;
    this.#cells = coarser(
      this.#all.subarray(first, first + cells),
      this.#scale.cellBytes / this.#heap.cellBytes,
    );
    this.#layOut();
    this.#paint();
    const i = this.#index;
    const text = `${sizeText(used[i])} used, ${sizeText(lost[i])} lost, ${sizeText(free[i])} free`;
    this.#sums.replaceChildren(element('b', {}, sizeText(heap[i])), ` heap: ${text}`);
    this.#canvas.setAttribute(
      'aria-label',
      `The heap of ${this.#heap.name}, ${sizeText(heap[i])}: ${text}. Arrow keys move from cell to cell.`,
    );
    this.#select(this.#cursor);
  }

  /** As many columns, a power of two, as give cells that can be seen, and a picture that is not too high. */
  #layOut() {
    const count = Math.max(1, Math.ceil(this.#scale.bytes / this.#scale.cellBytes));
    const width = this.#width - GUTTER;
    let columns = 16;
    while (
      columns * 2 * SMALLEST_CELL <= width &&
      (width / columns > LARGEST_CELL * 1.6 ||
        Math.ceil(count / columns) * Math.min(width / columns, LARGEST_CELL) > MOST_HEIGHT)
    )
      columns *= 2;
    const rows = Math.ceil(count / columns);
    const height = Math.max(2, Math.min(width / columns, LARGEST_CELL, MOST_HEIGHT / rows));
    this.#grid = { columns, rows, width: width / columns, height };
  }

  #paint() {
    const { columns, rows, width, height } = this.#grid;
    const ratio = window.devicePixelRatio || 1;
    const canvas = this.#canvas;
    canvas.width = Math.round(this.#width * ratio);
    canvas.height = Math.round((rows * height + 2) * ratio);
    canvas.style.height = `${rows * height + 2}px`;
    const context = canvas.getContext('2d');
    context.scale(ratio, ratio);
    const fills = {
      used: style('--used'),
      lost: style('--lost-map'),
      free: style('--free-map'),
      outside: style('--faint'),
    };
    const patterns = {
      free: pattern(context, '--free-line', 6, (tile) => tile.fillRect(2, 2, 1.2, 1.2)),
      lost: pattern(context, '--card', 5, (tile) => {
        tile.lineWidth = 1;
        tile.beginPath();
        tile.moveTo(-1, 6);
        tile.lineTo(6, -1);
        tile.stroke();
      }),
    };
    // Edges on whole pixels, so that no seams are seen.
    const snap = (value) => Math.round(value * ratio) / ratio;
    const fill = (kind, left, top, right, bottom) => {
      context.fillStyle = fills[kind];
      context.fillRect(left, top, right - left, bottom - top);
      // On a thin line a pattern would hide the colour.
      if (!patterns[kind] || bottom - top < 3) return;
      context.fillStyle = patterns[kind];
      context.fillRect(left, top, right - left, bottom - top);
    };
    const own = Math.ceil(this.#heap.peakHeap / this.#scale.cellBytes);
    this.#cells.forEach((byte, index) => {
      if (index >= own) return;
      const x = GUTTER + (index % columns) * width;
      const y = Math.floor(index / columns) * height;
      const [left, right, top, bottom] = [x, x + width, y, y + height].map(snap);
      if (byte === OUTSIDE) {
        fill('outside', left, top, right, bottom);
        return;
      }
      // Side by side what is used and what is free, and below what is lost.
      const { used, lost, free } = sharesOf(byte);
      const floor = snap(bottom - lost * height);
      const middle = free > 0 ? snap(left + (used / (used + free)) * width) : right;
      if (middle > left) fill('used', left, top, middle, floor);
      if (middle < right) fill('free', middle, top, right, floor);
      if (floor < bottom) fill('lost', left, floor, right, bottom);
    });
    this.#labelRows(context);
  }

  #labelRows(context) {
    const { columns, rows, height } = this.#grid;
    const every = Math.max(1, 2 ** Math.ceil(Math.log2(22 / height)));
    context.fillStyle = style('--soft');
    context.font = '11.5px system-ui, sans-serif';
    context.textAlign = 'right';
    context.textBaseline = 'top';
    for (let row = 0; row < rows && row * height < rows * height - 11; row += every)
      context.fillText(sizeText(row * columns * this.#scale.cellBytes), GUTTER - 8, row * height);
  }

  #point(x, y) {
    const { columns, width, height } = this.#grid;
    const column = Math.floor((x - GUTTER) / width);
    if (column < 0 || column >= columns) this.#select(-1);
    else this.#select(Math.floor(y / height) * columns + column);
  }

  #onKey(event) {
    const { columns } = this.#grid;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = this.#cursor < 0 ? 0 : this.#cursor + step;
    if (next >= 0 && next < this.#cells.length) this.#select(next);
  }

  /** Says what is in a cell, and frames it. */
  #select(index) {
    const before = this.#cursor;
    this.#cursor = index < this.#cells?.length ? index : -1;
    if (before >= 0 && before !== this.#cursor) this.#paint();
    const byte = this.#cells?.[this.#cursor] ?? OUTSIDE;
    if (this.#cursor < 0 || byte === OUTSIDE) {
      this.#readout.textContent = this.#cursor < 0 ? ' ' : 'behind the heap';
      return;
    }
    const { columns, width, height } = this.#grid;
    const context = this.#canvas.getContext('2d');
    context.strokeStyle = style('--mark');
    context.lineWidth = 2;
    context.strokeRect(
      GUTTER + (this.#cursor % columns) * width,
      Math.floor(this.#cursor / columns) * height,
      width,
      height,
    );
    const { used, lost, free } = sharesOf(byte);
    const percent = (share) => `${Math.round(share * 100)} %`;
    const { cellBytes } = this.#scale;
    this.#readout.textContent = `bytes ${countText(this.#cursor * cellBytes)} to ${countText((this.#cursor + 1) * cellBytes - 1)} of the heap: ${percent(used)} used, ${percent(lost)} lost, ${percent(free)} free`;
  }
}
