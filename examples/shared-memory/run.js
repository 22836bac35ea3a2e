// Two modules, one memory, one allocator: list.wat gets its elements from the heap that JavaScript uses.
// Usage: node examples/shared-memory/run.js [allocator]
import { readFileSync } from 'node:fs';
import createWabt from 'wabt';
import { instantiate } from 'wasmalloc';

// 2 pages at first, 1,000 (62.5 MiB) at most.
const heap = await instantiate(process.argv[2] ?? 'bins', { initial: 2, maximum: 1000 });

// Assemble the client and link it. The calls do not pass through JavaScript.
const wabt = await createWabt();
const text = readFileSync(new URL('list.wat', import.meta.url), 'utf8');
const { buffer } = wabt.parseWat('list.wat', text).toBinary({});
const { memory, exports } = heap;
const { alloc, dealloc } = exports;
const { instance } = await WebAssembly.instantiate(buffer, { env: { memory, alloc, dealloc } });
const list = instance.exports;

// This view is made while the memory has 2 pages, and used when it has many more.
const words = heap.u32;

const count = 100_000;
for (let value = 1; value <= count; value++) list.push(value);
console.log(`sum, by the client:     ${list.sum()}`);

let sum = 0;
for (let element = words[16 >>> 2]; element; element = words[element >>> 2])
  sum = (sum + words[(element >>> 2) + 1]) | 0;
console.log(`sum, by JavaScript:     ${sum}`);

const { usedBlocks, heapSize } = heap.stats();
console.log(`blocks in use:          ${usedBlocks}, in a heap of ${heapSize} bytes`);

list.clear();
heap.check();
console.log(`blocks after clear():   ${heap.stats().usedBlocks}`);
