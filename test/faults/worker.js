// A worker thread of faults.js: runs one program again and again, while one allocation after the
// other fails, or one growth of linear memory after the other, and posts what came of it.
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { FAULTS, FLAWS, TARGETS } from './codes.js';

const { file, module, mode, from, to, step, neverFrees, flaw, stopAtFirst, current } = workerData;

/** No more than so many failures are described. */
const DESCRIBED = 20;

const { default: create } = await import(pathToFileURL(file));

/** A new instance of the program, with a memory of its own. */
function instantiate() {
  return create({
    instantiateWasm(imports, receive) {
      receive(new WebAssembly.Instance(module, imports), module);
      return {};
    },
    // What the program would print before it ends for good is in the exception too.
    printErr() {},
  });
}

/**
 * Instances that have not run yet. All that a program knows is in its memory, so one that has ended as
 * it should becomes a new one when the memory that it began with is put back; what it has grown by it
 * keeps. That is much faster than an instance, and than new memory for an allocator that never frees.
 *
 * To go on with the old one would not do: where exceptions find no memory they come from a small pool
 * of libc++abi's own, and its list of free pieces gets a cycle when one is freed that lies before a
 * free one which is not the list's first (fallback_free() of Emscripten 6.0.5, whatever the allocator).
 * It takes a thousand runs without memory to get there, and then free goes round for ever.
 */
class Instances {
  #instance;
  #beginning;

  async next() {
    if (this.#instance) {
      this.#instance.HEAPU8.set(this.#beginning);
    } else {
      this.#instance = await instantiate();
      this.#beginning = this.#instance.HEAPU8.slice();
    }
    return this.#instance;
  }

  /** The last one is of no more use: something is wrong with it, or memory must be small again. */
  discard() {
    this.#instance = undefined;
  }
}

/** The reference: the answers of a run without failures. */
let answers = 0;

/** Runs the program once. `kinds` says what is wrong with the run: names of {@link FAULTS}. */
function runOnce(instance, { target = 'nothing', all = false } = {}, number = 0) {
  const code = FLAWS.indexOf(flaw);
  let faults;
  try {
    faults = instance._inject_run(TARGETS.indexOf(target), all, number, answers, neverFrees, code);
  } catch (error) {
    return { kinds: ['trap'], text: String(error?.message ?? error), injected: 1, told: 0 };
  }
  return {
    kinds: FAULTS.filter((name, bit) => faults & (1 << bit)),
    text: instance.UTF8ToString(instance._inject_explanation()),
    injected: instance._inject_injected(),
    told: instance._inject_told(),
  };
}

/** How many allocations and growths there are; the program must do without failures what it shall. */
async function rehearse() {
  const instance = await instantiate();
  const { kinds, text } = runOnce(instance);
  if (kinds.length > 0) throw new Error(`without any failure: ${text}`);
  answers = instance._inject_answers();
  return { allocation: instance._inject_allocations(), growth: instance._inject_growths() };
}

/** One failure after the other. */
async function injectAll(total) {
  const result = { total, injected: 0, told: 0, faults: {}, failures: [] };
  const note = (number, kinds, text) => {
    for (const kind of kinds) result.faults[kind] = (result.faults[kind] ?? 0) + 1;
    if (kinds.length > 0 && result.failures.length < DESCRIBED)
      result.failures.push({ number, kinds, text });
  };
  const grows = mode.target === 'growth';
  const instances = new Instances();
  for (let number = Math.max(from, 1); number <= Math.min(to, total); number += step) {
    Atomics.store(current, 0, number);
    const instance = await instances.next();
    const { kinds, text, injected, told } = runOnce(instance, mode, number);
    note(number, kinds, text);
    if (injected > 0) ++result.injected;
    else if (kinds.length === 0) note(number, ['missed'], 'the program has not come to it');
    if (told > 0) ++result.told;
    if (grows && kinds.length === 0) {
      // Memory is to be had again.
      const after = runOnce(instance);
      note(number, after.kinds, `the run after it: ${after.text}`);
    }
    if (grows || kinds.length > 0) instances.discard();
    if (stopAtFirst && result.failures.length > 0) break;
  }
  return result;
}

const counts = await rehearse();
parentPort.postMessage(await injectAll(counts[mode.target]));
