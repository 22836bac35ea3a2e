// Runs one workload or program in this engine and measures it: in Node (node-runner.mjs) and in a
// browser alike, so nothing of either is used here.
// Usage: import { runSmall, runProgram } from './runner.mjs';

const MIB = 1 << 20;

/** Counts the calls of memory.grow: Emscripten's are made by its JavaScript. */
function countGrowth() {
  const counter = { calls: 0 };
  const { grow } = WebAssembly.Memory.prototype;
  WebAssembly.Memory.prototype.grow = function (pages) {
    ++counter.calls;
    return grow.call(this, pages);
  };
  return counter;
}

/**
 * The time of a small workload, in memory that has been touched before.
 *
 * @param {Function} factory of the module
 * @param {{ name: string, passes: number, touch: number, limit: number }} job `touch` in MiB; after
 *   `limit` milliseconds, or when the touched memory is used up, the workload ends early
 * @returns {Promise<{ time: number, ended?: string }>} nanoseconds per operation
 */
async function timeSmall(factory, { name, passes, touch, limit }) {
  const module = await factory();
  const pass = module[`_${name}_pass`];
  // Below the end of the touched memory by more than a pass allocates.
  const room = module._probe_heap_used() + (touch - 24) * MIB;
  module._probe_touch(touch * MIB);
  module[`_${name}_start`]?.();
  let operations = 0;
  let ended;
  const start = performance.now();
  for (let i = 0; i < passes && !ended; ++i) {
    operations += pass();
    if (performance.now() - start > limit) ended = 'time';
    else if (module._probe_heap_used() > room) ended = 'memory';
  }
  const time = ((performance.now() - start) * 1e6) / operations;
  return { time, ended };
}

/**
 * The memory of a small workload.
 *
 * @param {Function} factory of the module, linked for exact growth
 * @param {{ name: string, passes: number }} job
 * @returns {Promise<{ linear: number, heap: number, grows: number, live?: number,
 *   result: number }>} bytes; `result` is what the last pass returned
 */
async function memoryOfSmall(factory, { name, passes }) {
  const growth = countGrowth();
  const module = await factory();
  let heap = 0;
  let result;
  module[`_${name}_start`]?.();
  for (let i = 0; i < passes; ++i) {
    result = module[`_${name}_pass`]();
    heap = Math.max(heap, module._probe_heap_used());
  }
  return {
    linear: module.wasmMemory.buffer.byteLength - module._table_size(),
    heap,
    grows: growth.calls,
    live: module._probe_peak?.(),
    result,
  };
}

/** What is counted, in the order of bench/threads/transfers.c. */
const COUNTS = ['own', 'objects', 'atomics', 'locks', 'accesses'];

/**
 * A workload with threads: its time, in memory that has been touched before, what is counted there
 * (bench/threads/transfers.c), or its memory.
 *
 * @param {Function} factory of the module
 * @param {{ kind: string, name: string, threads: number, passes: number, touch: number,
 *   limit: number }} job as for the small workloads
 * @returns {Promise<{ time: number, ended?: string } | { linear: number } | object>} nanoseconds per
 *   operation, or bytes, or `operations` and COUNTS
 */
async function runThreads(factory, { kind, name, threads, passes, touch, limit }) {
  const module = await factory({ threads });
  const workload = module[`_workload_${name.replaceAll('-', '_')}`]();
  const isTimed = kind === 'time';
  if (touch) module._probe_touch(touch * MIB);
  const room = isTimed ? (touch - 24) * MIB : 2 ** 31 - 1;
  const time = module._bench_run(workload, Math.max(threads, 1), passes, limit ?? Infinity, room);
  const counts = COUNTS.map((name, i) => [name, module._uncounted_result?.(i)]);
  const ended = [undefined, 'time', 'memory'][module._bench_ended()];
  const linear = module._bench_memory();
  module._bench_finish();
  if (isTimed) return { time, ended };
  if (kind === 'transfers')
    return { operations: module._bench_operations(), ...Object.fromEntries(counts) };
  return ended ? { failed: 'too slow' } : { linear };
}

/**
 * Runs a job.
 *
 * @param {Function} factory the default export of a module that emcc made
 * @param {{ kind: 'time' | 'memory', group: 'small' | 'programs' | 'threads', name: string }} job
 * @returns {Promise<object>} what was measured, or `{ failed }` with the reason
 */
export async function runJob(factory, job) {
  try {
    if (job.group === 'programs') return await runProgram(factory, job);
    if (job.group === 'threads') return await runThreads(factory, job);
    return await (job.kind === 'time' ? timeSmall : memoryOfSmall)(factory, job);
  } catch (error) {
    return { failed: reason(error) };
  }
}

function reason(error) {
  const message = String(error?.message ?? error);
  return /unreachable|out of memory|OOM|memory access/i.test(message) ? 'out of memory' : message;
}

/** What depends on the machine otherwise: C programs allocate memory for their environment. */
const ENVIRONMENT = { _: './this.program', LANG: 'C.UTF-8' };

/** A program: its output, its time from the start of main to the end, its memory. */
async function runProgram(factory, { args = [] }) {
  const growth = countGrowth();
  const lines = [];
  const module = await factory({
    print: (line) => lines.push(line),
    printErr: () => {},
    preRun: ({ ENV }) => Object.assign(ENV, ENVIRONMENT),
  });
  const start = performance.now();
  const status = module.callMain(args);
  const time = performance.now() - start;
  if (status !== 0) return { failed: lines.at(-1) || `status ${status}` };
  return {
    time,
    linear: module.wasmMemory.buffer.byteLength,
    heap: module._probe_heap_used(),
    grows: growth.calls,
    live: module._probe_peak?.(),
    // Lines with a '#' are for people: times and the like.
    output: lines.filter((line) => !line.startsWith('#')).join('\n'),
  };
}
