// A program that uses every declaration of the package; tsc --strict must accept it.
import {
  HeapCorruptionError,
  InvalidArgumentError,
  LoadError,
  StaleViewError,
  TraceError,
  UnknownAllocatorError,
  WasmallocError,
  allocators,
  compileTrace,
  instantiate,
  readTrace,
  replay,
  replayAllocators,
  startReplay,
} from 'wasmalloc';
import type {
  AllocatorName,
  Heap,
  HeapBlock,
  HeapExports,
  HeapStatistics,
  InstantiateOptions,
  LiveView,
  ReplayOptions,
  Trace,
  TraceBatch,
  TraceEvent,
} from 'wasmalloc';

const names: AllocatorName[] = allocators.map(({ name }) => name);
const ideas: string[] = allocators.map(({ idea }) => idea);

const options: InstantiateOptions = { initial: 2, maximum: 100 };
const heap: Heap = await instantiate('bins', options);
const own: Heap = await instantiate(names[0] ?? 'linked');
await instantiate('linked', { memory: own.memory });
await instantiate('linked', { url: new URL('https://example.org/linked.wasm') });

let address: number = heap.alloc(4);
address = heap.realloc(address, 8);
heap.dealloc(address);
address = heap.reallocBytes(heap.malloc(10), 20);
heap.free(address);

const words: LiveView<Int32Array> = heap.i32;
words[0] = 1;
const first: number | undefined = words[0];
const part: LiveView<Int32Array> = words.subarray(1, 2);
const copy: Int32Array = words.slice(0, 4);
const wide: bigint | undefined = heap.i64[0];
heap.u64[0] = 5n;
heap.f32.set([1, 2], 4);
heap.u8.set(heap.u8.subarray(0, 4), 8);
heap.u64.set([1n]);
for (const value of part
  .fill(1)
  .reverse()
  .sort((a, b) => a - b))
  console.log(value.toFixed());
const total: number = words.reduce((a, b) => a + b);
const block: LiveView<Float64Array> = heap.view(Float64Array, 8, 4);
const sum: number = heap.view(Uint32Array, 4, 4, (array) => array.length + array[0]!);
const nothing: void = heap.view(Uint8Array, 4, 4, (array) => void array.fill(0));

const bytes: Uint8Array = heap.read(0, 4);
const numbers: Int16Array = heap.read(0, 4, Int16Array);
heap.write(0, numbers);
heap.write(0, [1, 2]);
heap.write(0, bytes.buffer as ArrayBuffer);
heap.write(0, part);
const text: string = heap.readString(heap.newString('text'));
heap.readString(0, 4);

const stats: HeapStatistics = heap.stats();
const blocks: HeapBlock[] = heap.blocks();
const state: 'free' | 'used' | 'foreign' | 'internal' | undefined = blocks[0]?.state;
heap.check();

const { alloc, dealloc }: HeapExports = heap.exports;
dealloc(alloc(4));
const pages: number = heap.memory.buffer.byteLength / 65536;

try {
  await instantiate('bins');
} catch (error) {
  if (error instanceof HeapCorruptionError) console.log(error.address?.toFixed());
  const classes = [InvalidArgumentError, LoadError, StaleViewError, UnknownAllocatorError];
  if (classes.some((type) => error instanceof type)) console.log((error as WasmallocError).message);
}

// What must not compile.
// @ts-expect-error an unknown allocator
await instantiate('best');
// @ts-expect-error an unknown option
await instantiate('bins', { inital: 2 });
// @ts-expect-error a size that is no number
heap.alloc('4');
// @ts-expect-error a live view has no buffer
heap.i32.buffer;
// @ts-expect-error a live view is no typed array to the engine
new TextDecoder().decode(heap.u8);
// @ts-expect-error a number where a bigint is needed
heap.i64[0] = 5;
// @ts-expect-error views cannot be replaced
heap.i32 = words;
// @ts-expect-error no view of that kind
heap.view(Array, 0, 1);

export { copy, wide, total, block, sum, nothing, text, stats, state, pages, ideas, own, first };

const trace: Trace = await readTrace('app.trace');
await readTrace(new Blob([new Uint8Array(4)]));
await readTrace([new Uint8Array(4)]);
let requested = 0;
const follow = (batch: TraceBatch) => {
  for (let i = 0; i < batch.length; ++i) requested += batch.size[i] ?? 0;
};
try {
  for await (const batch of trace) {
    follow(batch);
    for (const event of batch) if (event.kind === 'free') requested -= event.previous;
    const last: TraceEvent = batch.event(batch.length - 1);
    const name: string | undefined = trace.stacks.get(last.stack)?.[0]?.name;
    console.log(name, trace.description.allocator, trace.end?.reason);
  }
} catch (error) {
  if (error instanceof TraceError) console.log(error.offset, error.events);
}

const choice: ReplayOptions = { rounds: 3, allocators: [replayAllocators[0] ?? 'bins'] };
const compared = await replay('app.trace', choice);
const best: string | undefined = compared.advice?.speed[0];
const program = await compileTrace('app.trace');
const instance = await startReplay(best ?? 'bins', program);
for (const piece of program.pieces) console.log(instance.run(piece, true).peakHeap);
console.log(compared.allocators.map(({ name, time, fault }) => [name, time?.median, fault?.what]));
