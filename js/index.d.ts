/**
 * Five memory allocators for WebAssembly, ready to use from JavaScript.
 *
 * ```js
 * import { instantiate } from 'wasmalloc';
 *
 * const heap = await instantiate('bins');
 * const address = heap.alloc(4); // four 32-bit words
 * heap.i32[address >>> 2] = 42;
 * heap.dealloc(address);
 * ```
 *
 * Units: a *word* is 4 bytes, a *page* is 64 KiB, an *address* counts bytes from the beginning of the
 * memory. Addresses are numbers from 0 to 2^32 - 1, never negative; 0 stands for no block. To get from
 * an address to the index of an element write `address >>> 2`, or `address / 4`: `address >> 2` is
 * negative above 2 GiB.
 *
 * @packageDocumentation
 */

import type { AllocatorName } from '../dist/allocators.js';

export { allocators, type AllocatorName } from '../dist/allocators.js';

/** The types of elements that a heap can be viewed as. */
export type ViewType =
  | Int8ArrayConstructor
  | Uint8ArrayConstructor
  | Int16ArrayConstructor
  | Uint16ArrayConstructor
  | Int32ArrayConstructor
  | Uint32ArrayConstructor
  | BigInt64ArrayConstructor
  | BigUint64ArrayConstructor
  | Float32ArrayConstructor
  | Float64ArrayConstructor;

/** The typed arrays that a heap can be viewed as. */
export type TypedArray =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

/*
 * WebAssembly's own types come with lib "dom" or "webworker". A program for Node may have neither; then
 * these are as much of them as it needs.
 */
type Memory = typeof globalThis extends { WebAssembly: { Memory: { prototype: infer M } } }
  ? M
  : { readonly buffer: ArrayBuffer; grow(pages: number): number };
type Module = typeof globalThis extends { WebAssembly: { Module: { prototype: infer M } } }
  ? M
  : object;

type AnyLiveView<A = TypedArray> = A extends TypedArray ? LiveView<A> : never;

type Replaced =
  'buffer' | 'subarray' | 'set' | 'fill' | 'reverse' | 'sort' | 'copyWithin' | 'forEach';

/**
 * A typed array over the heap that never goes stale: it can be kept in a variable for as long as the
 * heap is used, and reads and writes the right bytes after the memory has grown, whoever made it grow.
 * `subarray`, the iterators and the array that a callback gets are live views too; `slice`, `map` and
 * `filter` make copies, as they always do.
 *
 * It is a proxy. Therefore:
 * - one access costs some hundred nanoseconds, where a plain typed array needs one. For a hot loop
 *   use {@link Heap.view} with a callback, or {@link Heap.read} and {@link Heap.write};
 * - `fill`, `set`, `slice`, `indexOf` and the other methods without a callback run at full speed once
 *   they are called; those with a callback pay for each element;
 * - it has no `buffer` (asking for it throws a {@link StaleViewError}), and engine functions that want
 *   a real typed array, such as `TextDecoder.decode`, refuse it: give them {@link Heap.read}'s copy;
 * - as with any typed array a read beyond the end gives `undefined`, and a write there does nothing.
 */
export type LiveView<A extends TypedArray> = Omit<A, Replaced> & {
  /** A live view of a part, as long as the part is now. */
  subarray(begin?: number, end?: number): LiveView<A>;
  /** Copies elements into the view. */
  set(source: ArrayLike<A[number]>, offset?: number): void;
  fill(value: A[number], start?: number, end?: number): LiveView<A>;
  copyWithin(target: number, start: number, end?: number): LiveView<A>;
  reverse(): LiveView<A>;
  sort(compare?: (a: A[number], b: A[number]) => number): LiveView<A>;
  forEach(
    callback: (value: A[number], index: number, array: LiveView<A>) => void,
    self?: unknown,
  ): void;
};

/** How {@link instantiate} gets its module and its memory. All are optional. */
export interface InstantiateOptions {
  /**
   * Pages (of 64 KiB) that the memory has at first, from 2 to 65536. Page 0 is then left to other
   * modules on the same memory. Default, when only `maximum` is given: 2.
   */
  initial?: number;
  /** Pages that the memory may grow to, from `initial` to 65536. Default: 65536, which is 4 GiB. */
  maximum?: number;
  /**
   * A memory of your own, of 2 pages at least, to be shared with other modules. Page 0 (addresses 0 to
   * 65535) is theirs; from page 1 on all belongs to the heap, also what anybody adds with
   * `memory.grow`. There can be one heap on a memory. Not together with `initial` and `maximum`.
   */
  memory?: Memory;
  /** The module, compiled already: one of `wasmalloc/dist/*.wasm`, as a bundler may hand it over. */
  module?: Module;
  /** Where to fetch the module from instead of this package's `dist/`: an absolute URL. */
  url?: string | URL;
}

/**
 * Makes a heap: instantiates an allocator's module.
 *
 * Without `initial`, `maximum` and `memory` the module brings a memory of its own, of 1 page, which
 * grows up to 4 GiB and is the heap from the bottom to the top. With any of them the build that imports
 * its memory is used (`dist/NAME.imported.wasm`), which is otherwise the same. A module given with
 * `module` or `url` must be of that kind too.
 *
 * Modules are fetched and compiled once, and instantiated anew with each call.
 *
 * @param name one of {@link allocators}
 * @throws {@link UnknownAllocatorError} when there is no such allocator
 * @throws {@link InvalidArgumentError} when an option is not as described there
 * @throws {@link LoadError} when the module cannot be fetched, compiled or instantiated, or the memory
 *   not be made
 */
export function instantiate(name: AllocatorName, options?: InstantiateOptions): Promise<Heap>;

/** One allocator at work on one memory. */
export interface Heap {
  /** The allocator's name. */
  readonly name: AllocatorName;
  /** The memory, for other modules to import. Its `buffer` is replaced when it grows. */
  readonly memory: Memory;
  /**
   * The module's own functions, for other modules to import: calls go from WebAssembly to WebAssembly,
   * with no JavaScript between. Called from JavaScript they check nothing, and addresses above 2 GiB
   * are negative.
   */
  readonly exports: HeapExports;

  /** The whole memory as signed bytes. Index: the address. See {@link LiveView}, also for the cost. */
  readonly i8: LiveView<Int8Array>;
  /** The whole memory as bytes. Index: the address. */
  readonly u8: LiveView<Uint8Array>;
  /** The whole memory as signed 16-bit integers. Index: `address >>> 1`. */
  readonly i16: LiveView<Int16Array>;
  /** The whole memory as unsigned 16-bit integers. Index: `address >>> 1`. */
  readonly u16: LiveView<Uint16Array>;
  /** The whole memory as signed 32-bit integers. Index: `address >>> 2`. */
  readonly i32: LiveView<Int32Array>;
  /** The whole memory as unsigned 32-bit integers. Index: `address >>> 2`. */
  readonly u32: LiveView<Uint32Array>;
  /** The whole memory as signed 64-bit integers (bigint). Index: `address >>> 3`. */
  readonly i64: LiveView<BigInt64Array>;
  /** The whole memory as unsigned 64-bit integers (bigint). Index: `address >>> 3`. */
  readonly u64: LiveView<BigUint64Array>;
  /** The whole memory as 32-bit floating-point numbers. Index: `address >>> 2`. */
  readonly f32: LiveView<Float32Array>;
  /** The whole memory as 64-bit floating-point numbers. Index: `address >>> 3`. */
  readonly f64: LiveView<Float64Array>;

  /**
   * Allocates a block, aligned to 8 bytes. Its contents are undefined.
   *
   * @param words the size in 32-bit words: an integer, 0 or more
   * @returns the address; 0 for no words, and when there is no memory
   * @throws {@link InvalidArgumentError} when `words` is no such integer
   * @throws {@link StaleViewError} during a callback of {@link Heap.view}
   * @throws {@link HeapCorruptionError} when the allocator traps, which it does only in a heap that is broken
   */
  alloc(words: number): number;
  /**
   * Changes the size of a block. The contents are kept up to the smaller of both sizes.
   *
   * @param address a block, or 0 to allocate
   * @param words the new size in 32-bit words, or 0 to deallocate
   * @returns the address, which may be a new one; 0 for no words; 0 when there is no memory, and then
   *   the block is as it was
   * @throws {@link InvalidArgumentError} {@link StaleViewError} {@link HeapCorruptionError} as {@link Heap.alloc} and
   *   {@link Heap.dealloc}
   */
  realloc(address: number, words: number): number;
  /**
   * Gives a block back. An address at which no block can stand is refused. Any other that is not a block's, or no
   * longer, breaks the heap, as in C: to tell, the whole heap would have to be walked, as {@link Heap.blocks} and
   * {@link Heap.check} do.
   *
   * @param address a block, or 0 to do nothing
   * @throws {@link InvalidArgumentError} when `address` is no integer from 0 to 2^32 - 1, no multiple of 8, below the
   *   heap (such as in page 0 of a memory that is imported), or beyond the memory
   * @throws {@link HeapCorruptionError} when the allocator traps, as it may, but need not, where there is no block
   */
  dealloc(address: number): void;
  /**
   * Allocates a block like C's malloc: `alloc(max(1, ceil(bytes / 4)))`.
   *
   * @param bytes the size in bytes; 0 gives a block of its own too
   * @returns the address, or 0 when there is no memory
   * @throws as {@link Heap.alloc}
   */
  malloc(bytes: number): number;
  /**
   * Changes the size of a block to so many bytes: `realloc(address, max(1, ceil(bytes / 4)))`.
   *
   * @returns the address, which may be a new one; 0 when there is no memory, and then the block is as
   *   it was
   * @throws as {@link Heap.realloc}
   */
  reallocBytes(address: number, bytes: number): number;
  /** Gives a block back: the same as {@link Heap.dealloc}. */
  free(address: number): void;

  /**
   * Copies out of the memory, at the speed of a memory copy.
   *
   * @param address in bytes; need not be aligned
   * @param length in elements
   * @param type the elements; `Uint8Array` by default
   * @throws {@link InvalidArgumentError} when the range reaches beyond the memory
   */
  read(address: number, length: number): Uint8Array;
  read<T extends ViewType>(address: number, length: number, type: T): InstanceType<T>;
  /**
   * Copies bytes into the memory, at the speed of a memory copy.
   *
   * @param address in bytes; need not be aligned
   * @param source an array's numbers are one byte each; of all others the bytes are taken as they are
   * @throws {@link InvalidArgumentError} when the range reaches beyond the memory, or `source` is none of these
   */
  write(
    address: number,
    source: ArrayBufferView | ArrayBuffer | AnyLiveView | readonly number[],
  ): void;
  /**
   * Reads a text in UTF-8.
   *
   * @param address in bytes
   * @param length in bytes; without it the text ends before the first byte that is 0
   * @throws {@link InvalidArgumentError} when the text reaches beyond the memory
   */
  readString(address: number, length?: number): string;
  /**
   * Allocates a block and writes a text there, in UTF-8 with a 0 at the end.
   *
   * @returns the address, to be given back with {@link Heap.free}; or 0 when there is no memory
   * @throws as {@link Heap.malloc}
   */
  newString(text: string): number;

  /**
   * A live view of a part of the memory, such as one block.
   *
   * @param type the elements
   * @param address in bytes, a multiple of the element's size
   * @param length in elements
   * @throws {@link InvalidArgumentError} when the range reaches beyond the memory or is not aligned
   */
  view<T extends ViewType>(type: T, address: number, length: number): LiveView<InstanceType<T>>;
  /**
   * The fast way: calls back with a plain typed array, for a loop at full speed. The array is for the
   * callback only: do not keep it. While the callback runs the heap refuses to allocate, since that
   * might make the memory grow and leave the array stale.
   *
   * @returns what the callback returns
   * @throws {@link InvalidArgumentError} as above
   * @throws {@link StaleViewError} when the callback allocates, when something else made the memory
   *   grow meanwhile, or when the callback is asynchronous
   */
  view<T extends ViewType, R>(
    type: T,
    address: number,
    length: number,
    callback: (array: InstanceType<T>) => R,
  ): R;

  /**
   * Statistics of the heap, which is checked first. Takes time in proportion to the number of blocks.
   *
   * @throws {@link HeapCorruptionError} as {@link Heap.check}
   */
  stats(): HeapStatistics;
  /**
   * All blocks, in the order of addresses. Takes time in proportion to their number.
   *
   * @throws {@link HeapCorruptionError} when the heap cannot be walked
   */
  blocks(): HeapBlock[];
  /**
   * Checks every invariant of the heap. Takes time in proportion to the number of blocks.
   *
   * @throws {@link HeapCorruptionError} when one does not hold: the program has written where it should
   *   not, or has given a block back twice
   */
  check(): void;
}

/** What an allocator's module exports, as WebAssembly sees it. Sizes count 32-bit words. */
export interface HeapExports {
  /** The memory, where the module brings its own. */
  readonly memory?: Memory;
  readonly alloc: (words: number) => number;
  readonly realloc: (address: number, words: number) => number;
  readonly dealloc: (address: number) => void;
  /** Walks the heap: 0 starts; answers a record (address, size, state), to be passed on, or 0. */
  readonly heap_next_block: (record: number) => number;
  /** The address of a record of statistics. */
  readonly heap_statistics: () => number;
  /** 0 when the heap is sound, else the address of the first broken block, or -1. */
  readonly heap_check: () => number;
}

/** Numbers about a heap; sizes are in bytes. heapSize = usedSize + freeSize + overheadSize. */
export interface HeapStatistics {
  /** From the heap's first byte to its last; foreign memory is not counted. */
  heapSize: number;
  /** The largest that heapSize has been. */
  peakSize: number;
  /** Number of blocks that the program holds. */
  usedBlocks: number;
  /** Their payloads together. */
  usedSize: number;
  /** Number of free blocks. */
  freeBlocks: number;
  /** Their payloads together. */
  freeSize: number;
  /** The largest of them. */
  largestFree: number;
  /** The rest: heads, padding, the allocator's own data. */
  overheadSize: number;
}

/** A stretch of the heap. */
export interface HeapBlock {
  /** The payload: what `alloc` returned. */
  address: number;
  /** Bytes of the payload; can be more than was asked for. */
  size: number;
  /**
   * `used`: belongs to the program; `free`: can be allocated; `foreign`: somebody else's memory between
   * two parts of the heap; `internal`: the allocator's own data.
   */
  state: 'free' | 'used' | 'foreign' | 'internal';
}

/** The base of all errors that this package throws. */
export class WasmallocError extends Error {}

/** An argument is not what the function takes; the message says which one and what it takes. */
export class InvalidArgumentError extends WasmallocError {}

/** There is no allocator of this name; the message lists those that there are. */
export class UnknownAllocatorError extends InvalidArgumentError {}

/** A module could not be fetched, compiled or instantiated, or its memory not be made. */
export class LoadError extends WasmallocError {}

/** A view was used in a way that could leave it stale. */
export class StaleViewError extends WasmallocError {}

/** The heap's own data are broken: the program has written where it should not. */
export class HeapCorruptionError extends WasmallocError {
  /** The address of the first broken block, or null when the fault is not in a block. */
  readonly address: number | null;
  constructor(message: string, address: number | null, options?: ErrorOptions);
}

/** A trace is cut off or damaged, or no trace. What stands before the fault has been handed out. */
export class TraceError extends WasmallocError {
  /** The byte of the file at which the fault is: that at which a damaged block begins. */
  readonly offset: number;
  /** How many events have been read before. */
  readonly events: number;
  constructor(message: string, offset: number, events: number, options?: ErrorOptions);
}

// ---- traces ----

/** The calls that a trace records; the number in {@link TraceBatch.kind} is the place in this list, from 0 on. */
export type TraceEventKind = 'malloc' | 'calloc' | 'realloc' | 'memalign' | 'free';

/** One call of a program's. */
export interface TraceEvent {
  kind: TraceEventKind;
  /** The number of the thread; 0 is the main thread. */
  thread: number;
  /** The id of its stack in {@link Trace.stacks}, or 0. */
  stack: number;
  /**
   * A number for the block that the call is about: the same from its malloc to its free, realloc included, and
   * afterwards given to another block. The numbers begin with 1 and are not larger than the greatest count of
   * blocks that have been live at once, so that an array can hold what is known of the live blocks. 0 when there is
   * none: an allocation has failed, or a free is of an address where no block stands. A realloc that has failed
   * has the number of the block, which is as it was.
   */
  block: number;
  /** What was asked for, in bytes; of calloc the product. 0 for free. */
  size: number;
  /** The alignment that was asked for; 0 but for memalign. */
  alignment: number;
  /** The result, in bytes from the beginning of memory; 0 when the call has failed, and for free. */
  address: number;
  /** The block that was given back or resized: what free and realloc were called with; otherwise 0. */
  previous: number;
  /** Microseconds from the beginning; docs/trace-format.md says how exact. */
  time: number;
  /** The size of the program's heap after the call, in bytes: from the heap's base to the break. */
  heap: number;
}

/**
 * Some events in a row, as columns: the kind of the third is `batch.kind[2]`. The arrays may be longer than
 * `length`, and are written to again for the next batch: copy what is to be kept.
 */
export interface TraceBatch extends Iterable<TraceEvent> {
  /** How many events. */
  readonly length: number;
  readonly kind: Uint8Array;
  readonly thread: Uint32Array;
  readonly stack: Uint32Array;
  readonly block: Uint32Array;
  readonly size: Float64Array;
  readonly alignment: Float64Array;
  readonly address: Float64Array;
  readonly previous: Float64Array;
  readonly time: Float64Array;
  readonly heap: Float64Array;
  /** One of them as an object, which is slower. */
  event(index: number): TraceEvent;
}

/** A frame of a call stack. */
export interface TraceFrame {
  /** The function's name, or what the engine calls it where the program has none. */
  name: string;
  /** Where that is in the program, as the engine says it; may be empty. */
  place: string;
}

/** A trace, which `for await` reads from its beginning to its end. */
export interface Trace extends AsyncIterable<TraceBatch> {
  /** What the file says about itself. */
  readonly description: {
    readonly allocator: string;
    readonly program: string;
    readonly pointerBytes: 4 | 8;
    readonly heapBase: number;
    /** When the program began, in milliseconds since 1970. */
    readonly started: number;
    readonly stacks: boolean;
    readonly threads: boolean;
  };
  /** The stacks that have been met so far, by id; frames from the innermost on. */
  readonly stacks: ReadonlyMap<number, readonly TraceFrame[]>;
  /** How the program has ended; undefined until the whole trace has been read. */
  readonly end:
    | {
        readonly reason: 'exit' | 'abort' | 'exception';
        readonly status?: number;
        readonly message?: string;
        readonly events: number;
      }
    | undefined;
}

/**
 * Opens a trace, as a program writes it that was linked with `:trace=1`.
 *
 * ```js
 * import { readTrace } from 'wasmalloc';
 *
 * const trace = await readTrace('app.trace');
 * let total = 0;
 * for await (const batch of trace)
 *   for (let i = 0; i < batch.length; ++i) total += batch.size[i];
 * ```
 *
 * Reads as it goes: what is in memory at a time is a batch of some thousand events, the stacks, and a small record for
 * each live block. A trace of ten million events takes a few seconds.
 *
 * @param source a file's name or URL (Node), a Blob or File, bytes, or a function that answers an iterable of bytes each
 *   time it is called: these can be iterated over again, from the beginning; or a stream or an iterable of bytes, or the
 *   name of a pipe, which can be read once
 * @throws {@link TraceError} when that is no trace; and from the iteration, after all events that could be read, when
 *   the file is cut off or damaged
 * @throws {@link LoadError} when the file cannot be read
 * @throws {@link InvalidArgumentError} when the source is none of these, or a name where there are no files
 */
export function readTrace(
  source:
    | string
    | URL
    | Blob
    | ArrayBuffer
    | ArrayBufferView
    | ReadableStream<Uint8Array>
    | Iterable<Uint8Array>
    | AsyncIterable<Uint8Array>
    | (() => Iterable<Uint8Array> | AsyncIterable<Uint8Array>),
): Promise<Trace>;

// ---- replaying ----

/** The allocators that a trace can be replayed on: the five of this package, then Emscripten's own three. */
export const replayAllocators: readonly string[];

/** What a trace asks of an allocator, compiled; about 8 bytes an event. */
export interface ReplayProgram {
  /** Events of the trace, and how many of them are replayed. */
  readonly events: number;
  readonly calls: number;
  /** Calls that had failed in the program, and frees of blocks that the trace does not know: left out. */
  readonly failed: number;
  readonly unknown: number;
  /** How many threads made the calls; one replays them all, in the order of the file. */
  readonly threads: number;
  /** The greatest number of a block. */
  readonly blocks: number;
  /** The largest that the program's own heap was, in bytes. */
  readonly recordedHeap: number;
  readonly description: Trace['description'];
  /** If the trace is cut off or damaged, the error; what stands before is here. */
  readonly fault?: TraceError;
  /** Pieces for {@link ReplayInstance.run}, in this order. */
  readonly pieces: readonly Uint32Array[];
}

/**
 * Reads a whole trace into memory, in the form that is replayed.
 *
 * @throws as {@link readTrace}, but of a damaged trace only if not a single event can be read
 */
export function compileTrace(source: Parameters<typeof readTrace>[0]): Promise<ReplayProgram>;

/** An allocator at work on a trace. */
export interface ReplayInstance {
  /** The module's functions (js/replay.c): `replay_blocks()` is the table of addresses and sizes by block number. */
  readonly exports: Record<string, (...args: number[]) => number>;
  readonly memory: Memory;
  /** The address where the heap begins. */
  readonly heapBase: number;
  /**
   * Replays a piece. `measured`: whether the peaks are kept up to date, which takes a little time. Sizes are in
   * bytes, the time in milliseconds; a fault that is not 0 ends the replay, and so does a `limit` of milliseconds, after
   * which it was `tooSlow`.
   */
  run(
    piece: Uint32Array,
    measured: boolean,
    limit?: number,
  ): {
    time: number;
    tooSlow: boolean;
    live: number;
    peakLive: number;
    heapThen: number;
    peakHeap: number;
    failed: number;
    fault: number;
    instruction: number;
    position: number;
  };
}

/**
 * Makes an instance for one replay.
 *
 * @param name one of {@link replayAllocators}, or of `modules`
 * @param program the instance has room for its blocks
 * @param modules others, by name, which are linked as scripts/build.mjs does it
 * @param options `memory`: a replay that is measured stops with a fault where it would fill more MiB than that, 640 unless
 *   told; `forLayout`: where the blocks stand is all that is wanted, so that no memory has to be zeroed
 * @throws {@link UnknownAllocatorError} {@link LoadError}
 */
export function startReplay(
  name: string,
  program: ReplayProgram,
  modules?: Record<string, Module>,
  options?: { memory?: number; forLayout?: boolean },
): Promise<ReplayInstance>;

/** How {@link replay} works. All are optional. */
export interface ReplayOptions {
  /** How often each allocator is timed, after a first pass that is not. Default: 7. */
  rounds?: number;
  /** Seconds that each allocator gets altogether. Default: 60. */
  limit?: number;
  /**
   * MiB of memory that a replay may fill. Default: 640. What the program asked for and the replay does not write to, is
   * not counted.
   */
  memory?: number;
  /** Names, from {@link replayAllocators} and `modules`. Default: all that are in the package. */
  allocators?: readonly string[];
  /** As for {@link startReplay}. */
  modules?: Record<string, Module>;
  /** Is told how far it is, from 0 to 1, and at what. */
  onProgress?: (fraction: number, what?: string) => void;
}

/** What one allocator has made of the trace. Sizes are in bytes. */
export interface ReplayResult {
  name: string;
  /**
   * Milliseconds: the median of the rounds, and their spread, from the lower quartile to the upper one as a part of
   * the median; null if the trace could not be replayed to its end.
   */
  time: { median: number; spread: number; rounds: number[] } | null;
  /** The median against that of dlmalloc; null without it. */
  ratio: number | null;
  /** The most that the allocator took of linear memory, also in pages of 64 KiB. */
  peakHeap: number;
  peakPages: number;
  /** The most that was asked for and not given back. */
  peakLive: number;
  /** What of the heap was not asked for at that moment: 1 - live / heap. */
  fragmentation: number;
  /** What the allocator adds to a module; null for one that is not in the package. */
  code: number | null;
  /** So many calls got no memory. */
  failed: number;
  /** What the allocator has done wrong, and in which call (from 1 on); null if nothing. */
  fault: { call: number; kind: TraceEventKind; what: string } | null;
  /** Whether it did not come to the end in its time. */
  tooSlow: boolean;
  /** The call (from 1 on) that would have filled more memory than is allowed; null if there was none. */
  tooLarge: { call: number; kind: TraceEventKind } | null;
}

/**
 * Replays a trace on several allocators and compares them. Every block is marked, and the marks are looked at when it is
 * resized or given back.
 *
 * @returns what is known of the trace; the results, in the order of `allocators`; and which to take, the best first
 *   with those that cannot be told from it, or null if there is none
 * @throws as {@link compileTrace}; {@link InvalidArgumentError} and {@link UnknownAllocatorError} for the options
 */
export function replay(
  source: Parameters<typeof readTrace>[0],
  options?: ReplayOptions,
): Promise<{
  trace: {
    events: number;
    calls: number;
    failed: number;
    unknown: number;
    threads: number;
    recordedHeap: number;
    allocator: string;
    program: string;
    /** What is wrong with the file, if something is. */
    fault: string | null;
  };
  rounds: number;
  allocators: ReplayResult[];
  advice: Record<'speed' | 'memory' | 'size', string[]> | null;
}>;
