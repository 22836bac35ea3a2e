// Runs requests on an allocator's module with hooks, and remembers what linear memory was like.
// Usage: const run = await Simulation.run(await loadAllocator('bins', read), requests)
import { Heap } from '../js/heap.js';
import { Memory } from './memory.js';

const PAGE = 65536;

/** So far linear memory may grow: a heap that is to be looked at is small, and memory that runs out a lesson. */
const MAXIMUM_PAGES = 4;

/** Makes a request, of a block at `address` if it has one, and returns what the allocator answers. */
function ask(heap, request, address) {
  switch (request.kind) {
    case 'alloc':
      return heap.malloc(request.bytes);
    case 'realloc':
      return heap.reallocBytes(address, request.bytes);
    case 'free':
      heap.free(address);
      return 0;
    case 'sbrk': {
      const bytes = Math.ceil(request.bytes / 8) * 8;
      return heap.exports.memory_extend(0, bytes, bytes) >>> 0;
    }
    default:
      throw new Error(`there is no request ${request.kind}`);
  }
}

/**
 * Loads an allocator of the playground.
 *
 * @param {string} name
 * @param {(file: string) => Promise<ArrayBuffer | Uint8Array>} read reads a file of modules/
 * @returns {Promise<{ name: string, module: WebAssembly.Module, tables: object }>} `tables` are those of
 *   scripts/instrument.mjs
 */
export async function loadAllocator(name, read) {
  const [code, json] = await Promise.all([read(`${name}.wasm`), read(`${name}.json`)]);
  return {
    name,
    module: await WebAssembly.compile(code),
    tables: JSON.parse(new TextDecoder().decode(json)),
  };
}

const NO_HOOKS = { step() {}, enter() {}, leave() {}, value() {} };

/**
 * A module at work.
 *
 * @param {object} allocator from {@link loadAllocator}
 * @param {object} [picture] one of {@link Simulation}'s, with which linear memory begins
 * @param {object} [hooks] what the module calls at each statement
 * @returns {Promise<Heap>}
 */
export async function openHeap({ name, module }, picture, hooks = NO_HOOKS) {
  const pages = picture?.pages ?? 1;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: MAXIMUM_PAGES });
  const { exports } = await WebAssembly.instantiate(module, { env: { memory }, site: hooks });
  if (picture) new Uint8Array(memory.buffer).set(picture.bytes);
  return new Heap(name, memory, exports);
}

/** A picture of linear memory, as far as it has been handed out. All that an allocator knows is in there. */
function takePicture(heap) {
  const { buffer } = heap.memory;
  const end = heap.exports.memory_break() >>> 0;
  return { bytes: new Uint8Array(buffer.slice(0, end)), pages: buffer.byteLength / PAGE };
}

/** Follows one request, statement by statement. */
class Recorder {
  steps = []; // what each was about to run: { step, frames, changes }
  #frames = []; // the functions that are running: { name, values }
  #words; // linear memory as it was when the last statement began
  #looking = false; // to ask the module where the break is runs statements, too

  constructor(tables, picture) {
    this.tables = tables;
    this.#words = new Uint32Array(picture.bytes.slice().buffer);
    this.hooks = {
      step: (step) => this.#step(step),
      enter: (index) => this.#enter(index),
      leave: () => this.#leave(),
      value: (variable, value) => this.#value(variable, value),
    };
  }

  /** What has changed in linear memory since the last time: pairs of a word's number and its value. */
  #changes() {
    this.#looking = true;
    const end = this.heap.exports.memory_break() >>> 2;
    this.#looking = false;
    const now = new Uint32Array(this.heap.memory.buffer, 0, end);
    const changes = [];
    if (end !== this.#words.length) {
      const longer = new Uint32Array(end);
      longer.set(this.#words.subarray(0, end));
      this.#words = longer;
    }
    const words = this.#words;
    for (let i = 0; i < end; ++i) {
      if (now[i] === words[i]) continue;
      changes.push(i, now[i]);
      words[i] = now[i];
    }
    return { changes, end };
  }

  #enter(index) {
    if (!this.#looking) this.#frames.push({ name: this.tables.functions[index], values: {} });
  }

  #leave() {
    if (!this.#looking) this.#frames.pop();
  }

  #step(step) {
    if (this.#looking) return;
    // Only the innermost function's variables change: the others' frames are shared between steps.
    const frames = this.#frames.map((frame) => ({ ...frame }));
    this.steps.push({ step, frames, ...this.#changes() });
  }

  #value(variable, value) {
    if (this.#looking) return;
    const { name, pointer } = this.tables.variables[variable];
    const frame = this.#frames.at(-1);
    frame.values = {
      ...frame.values,
      [name]: { value: Number(BigInt.asUintN(64, value)), pointer },
    };
  }
}

/** What an allocator did when it was asked. */
export class Simulation {
  /** A picture before each request, and one after the last. */
  pictures = [];
  /** For each request what came back, and how many statements ran. */
  results = [];
  #recordings = new Map();

  /**
   * Runs requests from an empty heap on.
   *
   * @param {object} allocator from {@link loadAllocator}
   * @param {object[]} requests from readScript()
   */
  static async run(allocator, requests) {
    const simulation = new Simulation();
    simulation.allocator = allocator;
    simulation.requests = requests;
    let statements = 0;
    const heap = await openHeap(allocator, undefined, {
      ...NO_HOOKS,
      step: () => ++statements,
    });
    simulation.layout = Object.fromEntries(
      Object.entries(heap.exports)
        .filter(([name]) => name.startsWith('layout_'))
        .map(([name, value]) => [name.slice('layout_'.length), value() >>> 0]),
    );
    const addresses = [];
    simulation.pictures.push(takePicture(heap));
    for (const request of requests) {
      statements = 0;
      const before = addresses[request.block] ?? 0;
      const answer = ask(heap, request, before);
      if (request.block !== undefined && (answer || request.kind !== 'realloc'))
        addresses[request.block] = answer;
      simulation.results.push({ before, answer, statements });
      simulation.pictures.push(takePicture(heap));
    }
    return simulation;
  }

  /** What the program knows after the first `count` requests: names by address, and what it has freed. */
  programView(count) {
    const names = new Map();
    const freed = new Set();
    for (let i = 0; i < count; ++i) {
      const { kind, name, bytes } = this.requests[i];
      const { before, answer } = this.results[i];
      if (kind === 'sbrk') continue;
      if (kind === 'free' || (kind === 'realloc' && answer && before !== answer)) {
        names.delete(before);
        if (before) freed.add(before);
      }
      if (answer) {
        names.set(answer, { name, bytes });
        freed.delete(answer);
      }
    }
    return { names, freed };
  }

  /** Linear memory after the first `count` requests. */
  memoryAfter(count) {
    return new Memory(this.pictures[count].bytes);
  }

  /**
   * How the allocator met a request, statement by statement. It runs again for that, on linear memory as it was.
   *
   * @param {number} index the request's
   * @returns {Promise<{ step: number, frames: object[], changes: number[], end: number }[]>} before each
   *   statement: its number in the tables, the functions that were running with their variables, and what
   *   had changed in linear memory since the one before, as pairs of a word's number and its value
   */
  record(index) {
    if (!this.#recordings.has(index)) this.#recordings.set(index, this.#record(index));
    return this.#recordings.get(index);
  }

  async #record(index) {
    const picture = this.pictures[index];
    const recorder = new Recorder(this.allocator.tables, picture);
    recorder.heap = await openHeap(this.allocator, picture, recorder.hooks);
    ask(recorder.heap, this.requests[index], this.results[index].before);
    return recorder.steps;
  }

  /** Linear memory while a request is met, when so many statements of its recording have run. */
  memoryDuring(index, recording, statements) {
    if (statements >= recording.length) return this.memoryAfter(index + 1);
    const { bytes } = this.pictures[index];
    const words = new Uint32Array(Math.max(...recording.map(({ end }) => end), bytes.length >>> 2));
    words.set(new Uint32Array(bytes.buffer, 0, bytes.length >>> 2));
    for (const { changes } of recording.slice(0, statements + 1))
      for (let i = 0; i < changes.length; i += 2) words[changes[i]] = changes[i + 1];
    return new Memory(new Uint8Array(words.buffer, 0, recording[statements].end * 4));
  }
}
