// Replays in threads of their own, one for each allocator: a call of an allocator that takes too long, or never comes
// back, can be ended there.
// Usage: const threads = new ReplayThreads(); await threads.draw('bins', program, options); await threads.close()
import { Worker } from 'node:worker_threads';
import * as errors from '../errors.js';
import { PULSE, lostRun } from '../replay.js';

/** How often the threads are looked at, in milliseconds. */
const LOOK = 100;

/** So many milliseconds may a batch of calls take where there is no other limit. */
const PATIENCE = 30_000;

/** A replay stops by itself when its time is up: so many milliseconds later it is ended. */
const GRACE = 500;

const [BATCHES, IN_CALL] = PULSE.keys();

/** A thread that does one job at a time. */
class Thread {
  #pulse = new Int32Array(new SharedArrayBuffer(4 * PULSE.length));
  #worker;
  hasEnded = false;

  constructor() {
    this.#worker = new Worker(new URL('./thread.js', import.meta.url), {
      workerData: { pulse: this.#pulse },
    });
    this.#worker.on('exit', () => (this.hasEnded = true));
    // It is told to who waits for a job.
    this.#worker.on('error', () => {});
  }

  /**
   * @param {object} message for the thread
   * @param {(fraction: number) => void} onProgress
   * @param {(pulse: Int32Array) => unknown} look is called every now and then: what it answers, unless undefined, is
   *   the result, and the thread is ended
   */
  async do(message, onProgress, look) {
    const worker = this.#worker;
    const settled = Promise.withResolvers?.() ?? withResolvers();
    const onMessage = ({ progress, result, error }) => {
      if (progress !== undefined) onProgress(progress);
      else if (error) settled.reject(revive(error));
      else settled.resolve(result);
    };
    const onExit = (code) => settled.reject(new Error(`a thread has ended, with ${code}`));
    worker.on('message', onMessage).once('error', settled.reject).once('exit', onExit);
    const timer = setInterval(() => {
      const answer = look(this.#pulse);
      if (answer === undefined) return;
      clearInterval(timer);
      settled.resolve(this.end().then(() => answer));
    }, LOOK);
    worker.postMessage(message);
    try {
      return await settled.promise;
    } finally {
      clearInterval(timer);
      worker.off('message', onMessage).off('error', settled.reject).off('exit', onExit);
    }
  }

  async end() {
    this.hasEnded = true;
    await this.#worker.terminate();
  }
}

function withResolvers() {
  const result = {};
  result.promise = new Promise((resolve, reject) => Object.assign(result, { resolve, reject }));
  return result;
}

/** What a thread has thrown: the classes of this package's errors do not get through. */
function revive({ name, message, stack }) {
  const Type = Object.hasOwn(errors, name) ? errors[name] : Error;
  return Object.assign(new Type(message), { stack });
}

export class ReplayThreads {
  #threads = new Map(); // by allocator
  #patience;

  constructor({ patience = PATIENCE } = {}) {
    this.#patience = patience;
  }

  #do(job, name, { description, blocks, pieces }, options, look) {
    if (this.#threads.get(name)?.hasEnded !== false) this.#threads.set(name, new Thread());
    const { onProgress = () => {}, ...others } = options;
    const message = { job, name, program: { description, blocks, pieces }, options: others };
    return this.#threads.get(name).do(message, onProgress, look);
  }

  /** Answers an error when a batch of calls has begun long ago. */
  #overdue(name) {
    let batches;
    let since;
    return (pulse) => {
      if (!pulse[IN_CALL] || pulse[BATCHES] !== batches) {
        batches = pulse[BATCHES];
        since = performance.now();
      } else if (performance.now() - since > this.#patience)
        return new errors.LoadError(`${name} does not come back from a call of the trace`);
      return undefined;
    };
  }

  async #doOrThrow(job, name, program, options) {
    const result = await this.#do(job, name, program, options, this.#overdue(name));
    if (result instanceof Error) throw result;
    return result;
  }

  /** As runOnce() of js/replay.js; what goes on for long after its limit is too slow. */
  run = (name, program, options) => {
    let end;
    return this.#do('run', name, program, options, (pulse) => {
      // Its time begins when the module is there.
      if (pulse[IN_CALL]) end ??= performance.now() + options.limit + GRACE;
      return performance.now() > end ? lostRun(options.limit) : undefined;
    });
  };

  /** As mapHeap() of js/report/maps.js. */
  map = (name, program, options) => this.#doOrThrow('map', name, program, options);

  /** As drawHeap() of js/report/map-svg.js. */
  draw = (name, program, options) => this.#doOrThrow('draw', name, program, options);

  async close() {
    await Promise.all([...this.#threads.values()].map((thread) => thread.end()));
  }
}
