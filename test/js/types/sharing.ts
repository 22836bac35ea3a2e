// What needs TypeScript's own types for WebAssembly, which come with lib "dom".
import { instantiate } from 'wasmalloc';

const memory = new WebAssembly.Memory({ initial: 2 });
const module = await WebAssembly.compileStreaming(fetch('bins.wasm'));
const heap = await instantiate('bins', { memory, module });
const same: WebAssembly.Memory = heap.memory;
const { alloc } = heap.exports;
await WebAssembly.instantiateStreaming(fetch('client.wasm'), { env: { memory: same, alloc } });

// @ts-expect-error no memory
await instantiate('bins', { memory: new ArrayBuffer(8) });
