// Replays a trace on allocators, and compares them.
// Usage: const result = await replay('app.trace', { rounds: 7 });
// Every function is described in index.d.ts, beside its type.
import { replayModules } from '../dist/replay-modules.js';
import { checkInteger, show } from './check.js';
import { InvalidArgumentError, LoadError, TraceError, UnknownAllocatorError } from './errors.js';
import { loadModule } from './load.js';
import { EVENT_KINDS, readTrace } from './trace.js';

const PAGE = 65536;
const MIB = 2 ** 20;

/** The page of which js/replay.c counts how many are filled. */
const PAGE_FILLED = 4096;

/** The allocator that the others are compared with: Emscripten's default. */
const REFERENCE = 'dlmalloc';

/** The words of an instruction, by its kind; js/replay.c says what they are. */
const [MALLOC, , REALLOC, MEMALIGN, FREE] = EVENT_KINDS.keys();

/** As many words as a module takes at a time; it has to be that many. */
const PIECE_WORDS = 1 << 18;

/** What js/replay.c finds out about an allocator, by number. */
const FAULTS = [
  undefined,
  'its result lies outside the heap',
  'its result is not aligned as it must be',
  'the memory is not all zero',
  'realloc has lost what was in the block',
  'what was in the block has been overwritten',
  'it would fill more memory than is allowed',
  'it has trapped',
];
/** Faults that are not found out in a call's result. */
export const TOO_LARGE = 6;
const TRAPPED = 7;

/** What a replay is for, by number, as js/replay.c has it. */
const [TIMED, MEASURED, LAID_OUT] = [0, 1, 2];

/**
 * What a replay tells another thread about itself, in shared memory: how many batches of calls it has begun, and whether it
 * is in one of them.
 */
export const PULSE = ['batches', 'inCall'];
const [BATCHES, IN_CALL] = PULSE.keys();

/** So many MiB of memory may be filled, unless told; and all that there are. */
export const [MEMORY, LARGEST_MEMORY] = [640, 4096];

/** After so many bytes of memories that are no longer used, a collection of garbage is worth its time. */
const MUCH_GARBAGE = 2 ** 26;

/** The fields of struct state in js/replay.c. */
const STATE = [
  'live',
  'peakLive',
  'heapThen',
  'peakHeap',
  'failed',
  'fault',
  'instruction',
  'position',
  'filled',
  'calls',
  'peakCall',
];

export const replayAllocators = replayModules.map(({ name }) => name);

// ---- the program ----

/** What js/replay.c replays. Its pieces can be used by several threads. */
export class Program {
  pieces = [];
  #piece = new Uint32Array(PIECE_WORDS);
  #used = 0;

  add(...words) {
    if (this.#used + words.length > PIECE_WORDS) this.finish();
    for (const word of words) this.#piece[this.#used++] = word;
  }

  finish() {
    if (this.#used) {
      const bytes = 4 * this.#used;
      // Where pages share no memory between threads it is not there.
      const { SharedArrayBuffer: Shared = ArrayBuffer } = globalThis;
      const piece = new Uint32Array(new Shared(bytes));
      piece.set(this.#piece.subarray(0, this.#used));
      this.pieces.push(piece);
    }
    this.#used = 0;
  }
}

/** Alignments that allocators understand in the same way. */
function powerOfTwo(alignment) {
  let power = 8;
  while (power < alignment && power < 2 ** 31) power *= 2;
  return power;
}

export async function compileTrace(source) {
  const trace = await readTrace(source);
  const program = new Program();
  const counts = { events: 0, calls: 0, failed: 0, unknown: 0 };
  const threads = new Set();
  let highest = 0;
  let recordedHeap = 0;
  let live = new Uint8Array(1024);
  let fault;
  const compile = (batch, i) => {
    const block = batch.block[i];
    const kind = batch.kind[i];
    threads.add(batch.thread[i]);
    recordedHeap = Math.max(recordedHeap, batch.heap[i]);
    if (kind === FREE) {
      if (block) {
        program.add(FREE | (block << 3));
        live[block] = 0;
      } else ++counts.unknown;
    } else if (batch.address[i] === 0) {
      // It has changed nothing, and another allocator might have memory for it: then it would be lost.
      ++counts.failed;
    } else {
      if (block >= live.length) {
        const larger = new Uint8Array(2 * block);
        larger.set(live);
        live = larger;
      }
      const code = kind === REALLOC && !live[block] ? MALLOC : kind;
      live[block] = 1;
      highest = Math.max(highest, block);
      const words = [code | (block << 3), Math.min(batch.size[i], 2 ** 32 - 1)];
      if (kind === MEMALIGN) words.push(powerOfTwo(batch.alignment[i]));
      program.add(...words);
    }
  };
  try {
    for await (const batch of trace) {
      for (let i = 0; i < batch.length; ++i) compile(batch, i);
      counts.events += batch.length;
    }
  } catch (error) {
    if (!(error instanceof TraceError) || counts.events === 0) throw error;
    fault = error;
  }
  program.finish();
  counts.calls = counts.events - counts.failed - counts.unknown;
  return {
    ...counts,
    description: trace.description,
    threads: threads.size,
    blocks: highest,
    recordedHeap,
    fault,
    pieces: program.pieces,
  };
}

// ---- one replay ----

function checkName(name, names) {
  if (names.includes(name)) return;
  throw new UnknownAllocatorError(
    `there is no allocator ${show(name)} to replay with; there are: ${names.join(', ')}`,
  );
}

/** Engines don't know that of a memory some pages are filled, and may keep many that are not used any more. */
let garbage = 0;

export function collectGarbage() {
  if (garbage < MUCH_GARBAGE) return;
  globalThis.gc?.();
  garbage = 0;
}

export async function startReplay(name, program, modules = {}, options = {}) {
  const { memory = MEMORY, forLayout = false, pulse = new Int32Array(PULSE.length) } = options;
  checkName(name, [...replayAllocators, ...Object.keys(modules)]);
  const module = modules[name] ?? (await loadModule(`replay-${name}.wasm`));
  // It needs no system: what it imports is what it would tell or ask one.
  const imports = {};
  for (const { module: from, name: what } of WebAssembly.Module.imports(module))
    (imports[from] ??= {})[what] = () => 0;
  collectGarbage();
  const { exports } = await WebAssembly.instantiate(module, imports);
  exports._initialize();
  const remainder = program.description.heapBase % PAGE;
  if (!exports.replay_start(program.blocks, remainder, memory))
    throw new LoadError(`cannot make a table of ${program.blocks} blocks for ${name}`);
  const buffer = exports.replay_program() >>> 0;
  let filled = 0;
  return {
    exports,
    memory: exports.memory,
    heapBase: exports.replay_heap_base() >>> 0,
    /** Replays a piece, or as much as can be done in `limit` milliseconds; answers the state and the time. */
    run(piece, measured, limit = Infinity) {
      new Uint32Array(exports.memory.buffer, buffer, piece.length).set(piece);
      const mode = forLayout ? LAID_OUT : measured ? MEASURED : TIMED;
      const before = exports.memory.buffer.byteLength;
      const start = performance.now();
      let time = 0;
      let at = 0;
      let hasTrapped = false;
      try {
        pulse[IN_CALL] = 1;
        do {
          ++pulse[BATCHES];
          at = exports.replay_run(at, piece.length, mode) >>> 0;
          time = performance.now() - start;
        } while (at < piece.length && time <= limit);
      } catch (error) {
        if (!(error instanceof WebAssembly.RuntimeError)) throw error;
        hasTrapped = true;
      } finally {
        pulse[IN_CALL] = 0;
      }
      const address = exports.replay_state() >>> 0;
      const values = new Uint32Array(exports.memory.buffer, address, STATE.length);
      const state = Object.fromEntries(STATE.map((field, i) => [field, values[i]]));
      if (hasTrapped) state.fault = TRAPPED;
      // A pass that is timed fills no more than the one that has been measured.
      const grown = exports.memory.buffer.byteLength - before;
      garbage +=
        mode === TIMED ? Math.min(grown, memory * MIB) : PAGE_FILLED * (state.filled - filled);
      filled = state.filled;
      return { ...state, time, tooSlow: !state.fault && at < piece.length };
    },
  };
}

/** The faulty call, for people. */
function faultOf({ fault, instruction, position }, pieces, number) {
  const kind = EVENT_KINDS[instruction & 7];
  // Instructions have different lengths: count them from the beginning.
  let calls = 0;
  pieces.slice(0, number + 1).forEach((piece, i) => {
    const end = i === number ? position : piece.length;
    for (let at = 0; at < end; ++calls) at += instructionWords(piece[at]);
  });
  return { call: calls + 1, kind, what: FAULTS[fault] };
}

/** How many words an instruction has, from its first one. */
export function instructionWords(first) {
  const kind = first & 7;
  if (kind === FREE) return 1;
  return kind === MEMALIGN ? 3 : 2;
}

/** Where a replay takes too long to be waited for, not even its state is known. */
export function lostRun(time) {
  return { ...NOTHING, time, tooSlow: true, tooLarge: null, fault: null };
}

/** Every field as it is before the first call. */
const NOTHING = Object.fromEntries(STATE.map((field) => [field, 0]));

/**
 * Runs the whole program once, or as far as it comes in `limit` milliseconds; answers the last state, the
 * time, the fault if there is one, and whether it was too slow, or would have needed too much memory.
 */
export async function runOnce(name, program, { measured, limit, modules, ...options }) {
  const instance = await startReplay(name, program, modules, options);
  const result = { ...NOTHING, time: 0, tooSlow: false, tooLarge: null };
  for (const [i, piece] of program.pieces.entries()) {
    const time = result.time;
    Object.assign(result, instance.run(piece, measured, limit - time));
    result.time += time;
    if (result.tooSlow) break;
    if (result.fault) {
      const fault = faultOf(result, program.pieces, i);
      if (result.fault !== TOO_LARGE) return { ...result, fault };
      const { call, kind } = fault;
      return { ...result, fault: null, tooLarge: { call, kind } };
    }
  }
  return { ...result, fault: null };
}

// ---- all of them ----

function quantile(sorted, fraction) {
  const position = (sorted.length - 1) * fraction;
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  return below + (above - below) * (position % 1);
}

/** Median, and how far the rounds lie apart: from the lower quartile to the upper one, as a part of it. */
function summary(times) {
  const sorted = times.toSorted((a, b) => a - b);
  const median = quantile(sorted, 0.5);
  const spread = (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / median;
  return { median, spread: Math.max(spread || 0, 0.01), rounds: times };
}

function resultOf(name, measured, times) {
  const { peakLive, heapThen, peakHeap, failed, fault, tooSlow, tooLarge } = measured;
  const code = replayModules.find((row) => row.name === name)?.code ?? null;
  return {
    name,
    time: times.length ? summary(times) : null,
    ratio: null,
    peakHeap,
    peakPages: Math.ceil(peakHeap / PAGE),
    peakLive,
    fragmentation: heapThen ? 1 - peakLive / heapThen : 0,
    code,
    failed,
    fault,
    tooSlow,
    tooLarge,
  };
}

/** The best by a number, those that are its equals first, and all others. */
function bestBy(results, value, areEqual) {
  const sorted = results.toSorted((a, b) => value(a) - value(b));
  const [best] = sorted;
  return { best, equals: sorted.slice(1).filter((other) => areEqual(best, other)) };
}

function advise(results) {
  const sound = results.filter(({ time, failed }) => time && !failed);
  if (sound.length === 0) return null;
  const names = ({ best, equals }) => [best, ...equals].map(({ name }) => name);
  const withinSpread = (a, b) =>
    b.time.median / a.time.median <= 1 + Math.max(a.time.spread, b.time.spread);
  return {
    speed: names(bestBy(sound, ({ time }) => time.median, withinSpread)),
    memory: names(
      bestBy(
        sound,
        ({ peakHeap }) => peakHeap,
        (a, b) => a.peakPages === b.peakPages,
      ),
    ),
    size: names(
      bestBy(
        sound,
        ({ code }) => code,
        (a, b) => a.code === b.code,
      ),
    ),
  };
}

/** Throws if they are not what {@link replay} takes. */
export function checkOptions({ rounds, limit, memory, allocators, modules = {}, onProgress }) {
  checkInteger('rounds', rounds, 1, 1000);
  checkInteger('limit', limit, 1);
  checkInteger('memory', memory, 1, LARGEST_MEMORY);
  if (!Array.isArray(allocators) || allocators.length === 0)
    throw new InvalidArgumentError(`allocators is ${show(allocators)}: it must be a list of names`);
  if (typeof onProgress !== 'function')
    throw new InvalidArgumentError(`onProgress is ${show(onProgress)}: it must be a function`);
  const names = [...replayAllocators, ...Object.keys(modules)];
  for (const name of allocators) checkName(name, names);
}

export async function replay(source, options = {}) {
  const { rounds = 7, limit = 60, memory = MEMORY, allocators = replayAllocators } = options;
  // The command line has another way to run an allocator.
  const { modules = {}, onProgress = () => {}, run = runOnce } = options;
  checkOptions({ rounds, limit, memory, allocators, modules, onProgress });
  const names = [...new Set(allocators)];
  onProgress(0, 'reading the trace');
  const program = await compileTrace(source);
  const steps = names.length * (rounds + 1);
  let done = 0;
  const measured = new Map();
  const times = new Map(names.map((name) => [name, []]));
  const left = new Map(names.map((name) => [name, limit * 1000]));
  const runNext = async (name, isMeasured) => {
    const options = { measured: isMeasured, limit: left.get(name), modules, memory };
    const result = await run(name, program, options);
    left.set(name, left.get(name) - result.time);
    return result;
  };
  // First where the peaks are: that also gives the engine time to optimize each module.
  for (const name of names) {
    onProgress(done++ / steps, name);
    measured.set(name, await runNext(name, true));
  }
  for (let round = 0; round < rounds; ++round) {
    // To and fro, so that none always comes after the same one.
    for (const name of round % 2 ? names.toReversed() : names) {
      onProgress(done++ / steps, `round ${round + 1}: ${name}`);
      const { fault, tooSlow, tooLarge, time } = measured.get(name);
      if (fault || tooSlow || tooLarge) continue;
      // One that has used up its time keeps what it has: of the first pass, if need be.
      const next = left.get(name) > time ? await runNext(name, false) : { tooSlow: true };
      if (next.fault) measured.get(name).fault = next.fault;
      else if (!next.tooSlow) times.get(name).push(next.time);
      else if (times.get(name).length === 0) times.get(name).push(time);
    }
  }
  onProgress(1);
  const results = names.map((name) => resultOf(name, measured.get(name), times.get(name)));
  const reference = results.find(({ name }) => name === REFERENCE)?.time;
  if (reference)
    for (const result of results)
      if (result.time) result.ratio = result.time.median / reference.median;
  const { events, calls, failed, unknown, threads, recordedHeap, description, fault } = program;
  return {
    trace: {
      events,
      calls,
      failed,
      unknown,
      threads,
      recordedHeap,
      allocator: description.allocator,
      program: description.program,
      fault: fault?.message ?? null,
    },
    rounds,
    allocators: results,
    advice: calls ? advise(results) : null,
  };
}
