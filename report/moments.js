// The moment that the page shows: all parts follow it.
// Usage: moments.onChange((moment, index) => …); moments.show(3)

export class Moments {
  #listeners = [];
  index = 0;

  constructor(list, peakEvent) {
    this.list = list;
    this.peak = Math.max(
      0,
      list.findIndex(({ event }) => event === peakEvent),
    );
    this.index = this.peak;
  }

  get current() {
    return this.list[this.index];
  }

  onChange(listener) {
    this.#listeners.push(listener);
  }

  show(index) {
    this.index = Math.max(0, Math.min(this.list.length - 1, index));
    for (const listener of this.#listeners) listener(this.current, this.index);
  }

  /** @param {(moment: object) => number} distance */
  showNearest(distance) {
    const distances = this.list.map(distance);
    this.show(distances.indexOf(Math.min(...distances)));
  }
}
