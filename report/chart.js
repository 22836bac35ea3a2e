// What all charts share: how Plot draws them, and a line that shows the moment of the maps.
// Usage: const chart = new Chart(label, (width) => ({ marks, … }))
import * as Plot from '@observablehq/plot';
import { element, whenWidthChanges } from './dom.js';

const UNITS = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** An axis of bytes with round numbers of its unit: options for Plot. */
export function byteAxis(largest) {
  const unit = Object.keys(UNITS).findLast((name) => UNITS[name] <= Math.max(1, largest / 2));
  return {
    transform: (bytes) => bytes / UNITS[unit],
    label: unit,
    grid: true,
    nice: true,
    zero: true,
  };
}

/** An axis of time: options for Plot, and what they divide by. */
export function timeAxis(duration) {
  const [divisor, label] =
    duration >= 2_000_000
      ? [1_000_000, 'seconds']
      : duration >= 2000
        ? [1000, 'milliseconds']
        : [1, 'µs'];
  return { divisor, label };
}

export class Chart {
  #box;
  #marker = element('div', { class: 'marker', hidden: true });
  #plot;
  #options;
  #x;
  #redraw = () => {};

  /**
   * @param {string} label says what is drawn, for those who do not see it
   * @param {() => object} options of Plot.plot
   * @param {(x: number) => void} [onPick] is told where somebody has clicked, in units of the axis
   */
  constructor(label, options, onPick = undefined) {
    this.#options = options;
    this.#box = element('div', { class: onPick ? 'chart pickable' : 'chart' });
    this.label = label;
    whenWidthChanges(this.#box, (width) => {
      this.#redraw = () => this.#draw(width);
      this.#redraw();
    });
    if (onPick)
      this.#box.addEventListener('click', (event) => {
        const { left } = this.#box.getBoundingClientRect();
        onPick(this.#plot.scale('x').invert(event.clientX - left));
      });
  }

  get element() {
    return this.#box;
  }

  draw() {
    this.#redraw();
  }

  #draw(width) {
    this.#plot = Plot.plot({
      width,
      marginRight: 24,
      marginTop: 26,
      style: { background: 'none', fontSize: '12.5px', overflow: 'visible' },
      ...this.#options(width),
    });
    this.#plot.setAttribute('role', 'img');
    this.#plot.setAttribute('aria-label', this.label);
    this.#box.replaceChildren(this.#plot, this.#marker);
    this.#place();
  }

  /** Shows a place on the x axis. */
  mark(x) {
    this.#x = x;
    this.#place();
  }

  #place() {
    this.#marker.hidden = this.#x === undefined;
    if (this.#x === undefined || !this.#plot) return;
    this.#marker.style.left = `${this.#plot.scale('x').apply(this.#x)}px`;
  }
}
