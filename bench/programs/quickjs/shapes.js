// Objects of classes, closures and typed arrays: particles in a grid, which come and go.
/* global print */
'use strict';

let seed = 42;
const random = (limit) => {
  seed = (seed * 1103515245 + 12345) % 2147483648;
  return seed % limit;
};

class Particle {
  #age = 0;
  constructor(x, y) {
    this.place = { x, y };
    this.trail = [];
  }
  get old() {
    return this.#age > 6;
  }
  move(grid) {
    this.trail.push({ ...this.place });
    if (this.trail.length > 5) this.trail.shift();
    this.place.x = (this.place.x + random(7) - 3 + grid.size) % grid.size;
    this.place.y = (this.place.y + random(7) - 3 + grid.size) % grid.size;
    ++this.#age;
  }
}

class Spark extends Particle {
  constructor(x, y, name) {
    super(x, y);
    Object.assign(this, { name, kind: Symbol(name) });
  }
}

class Grid {
  constructor(size) {
    this.size = size;
    this.cells = new Map();
    this.counts = new Uint16Array(size * size);
  }
  add(particle) {
    const key = `${particle.place.x}:${particle.place.y}`;
    if (!this.cells.has(key)) this.cells.set(key, new Set());
    this.cells.get(key).add(particle);
    ++this.counts[particle.place.y * this.size + particle.place.x];
  }
  *all() {
    for (const cell of this.cells.values()) yield* cell;
  }
}

let grid = new Grid(24);
for (let i = 0; i < 240; ++i) grid.add(new Particle(random(24), random(24)));
let died = 0;
for (let step = 0; step < 9; ++step) {
  const next = new Grid(24);
  for (const particle of grid.all()) {
    particle.move(grid);
    if (particle.old) ++died;
    else next.add(particle);
  }
  for (let i = 0; i < 40; ++i) next.add(new Spark(random(24), random(24), `s${step}-${i}`));
  grid = next;
}
const names = [...grid.all()].filter((each) => each instanceof Spark).map(({ name }) => name);
print(died, names.length, names.sort().slice(0, 4).join(' '), Math.max(...grid.counts));
