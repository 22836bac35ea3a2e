// Makes heaps. Usage: const heap = await instantiate('bins', { maximum: 100 });
// What the options mean is described in index.d.ts.
import { allocators } from '../dist/allocators.js';
import { checkInteger, show } from './check.js';
import { InvalidArgumentError, LoadError, UnknownAllocatorError } from './errors.js';
import { Heap } from './heap.js';
import { loadFrom, loadModule } from './load.js';

const MAXIMUM_PAGES = 65536;

/** Page 0 belongs to the other modules on the memory; the allocator's own data stand in page 1. */
const MINIMUM_PAGES = 2;

const EXPORTS = ['alloc', 'realloc', 'dealloc', 'heap_next_block', 'heap_statistics', 'heap_check'];

const OPTIONS = ['initial', 'maximum', 'memory', 'module', 'url'];

/** Two allocators on one memory would overwrite each other. */
const memoriesInUse = new WeakSet();

function checkOptions(options) {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidArgumentError(`options is ${show(options)}: it must be an object`);
  }
  const { initial, maximum, memory, module, url } = options;
  const unknown = Object.keys(options).find((key) => !OPTIONS.includes(key));
  if (unknown !== undefined) {
    throw new InvalidArgumentError(
      `there is no option ${show(unknown)}; there are: ${OPTIONS.join(', ')}`,
    );
  }
  if (initial !== undefined) checkInteger('initial', initial, MINIMUM_PAGES, MAXIMUM_PAGES);
  if (maximum !== undefined)
    checkInteger('maximum', maximum, initial ?? MINIMUM_PAGES, MAXIMUM_PAGES);
  if (memory !== undefined) checkMemory(memory, initial ?? maximum);
  if (module !== undefined && !(module instanceof WebAssembly.Module))
    throw new InvalidArgumentError(`module is ${show(module)}: it must be a WebAssembly.Module`);
  if (module !== undefined && url !== undefined)
    throw new InvalidArgumentError('give module or url, not both');
}

function checkMemory(memory, size) {
  if (!(memory instanceof WebAssembly.Memory))
    throw new InvalidArgumentError(`memory is ${show(memory)}: it must be a WebAssembly.Memory`);
  if (size !== undefined)
    throw new InvalidArgumentError('give memory, or initial and maximum, not both');
  if (!(memory.buffer instanceof ArrayBuffer))
    throw new InvalidArgumentError('memory is shared between threads: the allocators here are not');
  if (memoriesInUse.has(memory))
    throw new InvalidArgumentError(
      'memory has a heap already: two on one would overwrite each other',
    );
  if (memory.buffer.byteLength < MINIMUM_PAGES * 65536)
    throw new InvalidArgumentError(
      `memory is too small: it must have ${MINIMUM_PAGES} pages at least`,
    );
}

function absoluteUrl(url) {
  try {
    return new URL(url, globalThis.location?.href);
  } catch {
    throw new InvalidArgumentError(`url is ${show(url)}: it must be an absolute URL`);
  }
}

function createMemory(initial = MINIMUM_PAGES, maximum = MAXIMUM_PAGES) {
  try {
    return new WebAssembly.Memory({ initial, maximum });
  } catch (cause) {
    throw new LoadError(`cannot make a memory of ${initial} pages: ${cause.message}`, { cause });
  }
}

function checkExports(exports, name) {
  const missing = EXPORTS.find((key) => typeof exports[key] !== 'function');
  if (missing)
    throw new LoadError(`the module for ${name} is no allocator: it does not export ${missing}`);
}

/** Loads and instantiates the module; answers its memory, its exports, and an address that all blocks lie above. */
async function start(name, { initial, maximum, memory, module, url }) {
  const wantsMemory = (initial ?? maximum ?? memory) !== undefined;
  if (url !== undefined) module = await loadFrom(absoluteUrl(url));
  module ??= await loadModule(`${name}${wantsMemory ? '.imported' : ''}.wasm`);
  const importsMemory = WebAssembly.Module.imports(module).some(({ kind }) => kind === 'memory');
  if (wantsMemory && !importsMemory) {
    throw new InvalidArgumentError(
      'the module brings its own memory: initial, maximum and memory are for one that imports it',
    );
  }
  const imported = importsMemory ? (memory ?? createMemory(initial, maximum)) : undefined;
  try {
    const imports = imported ? { env: { memory: imported } } : {};
    const { exports } = await WebAssembly.instantiate(module, imports);
    checkExports(exports, name);
    // The record is static data, and the heap lies behind all of these.
    const lowest = exports.heap_statistics() >>> 0;
    return { exports, memory: imported ?? exports.memory, lowest };
  } catch (cause) {
    if (cause instanceof LoadError) throw cause;
    throw new LoadError(`cannot instantiate ${name}: ${cause.message}`, { cause });
  }
}

export async function instantiate(name, options = {}) {
  const names = allocators.map((allocator) => allocator.name);
  if (!names.includes(name)) {
    throw new UnknownAllocatorError(
      `there is no allocator ${show(name)}; there are: ${names.join(', ')}`,
    );
  }
  checkOptions(options);
  const { memory } = options;
  // At once, so that no second call slips in while the module loads.
  if (memory) memoriesInUse.add(memory);
  try {
    const instance = await start(name, options);
    memoriesInUse.add(instance.memory);
    return new Heap(name, instance.memory, instance.exports, instance.lowest);
  } catch (error) {
    memoriesInUse.delete(memory);
    throw error;
  }
}
