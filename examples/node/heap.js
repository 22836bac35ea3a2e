// A heap in Node: allocate, use, look inside, give back.
// Usage: node examples/node/heap.js
import { instantiate } from 'wasmalloc';

const heap = await instantiate('bins');

const numbers = heap.alloc(4); // four 32-bit words; the result is an address, or 0
heap.i32[numbers >>> 2] = 42;

const text = heap.newString('a text in linear memory');
console.log(heap.readString(text));

// A view stays valid when the memory grows.
const view = heap.view(Int32Array, numbers, 4);
heap.free(heap.malloc(100_000_000));
console.log(view[0], heap.memory.buffer.byteLength);

console.log(heap.stats());
for (const { address, size, state } of heap.blocks()) console.log(address, size, state);

heap.dealloc(numbers);
heap.free(text);
heap.check(); // throws when the heap is corrupt
