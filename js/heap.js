// A heap: one instance of an allocator's module and its memory, with checks around its exports.
// Usage: new Heap('bins', memory, exports), which instantiate() in index.js does.
import { checkAddress, checkInteger, show } from './check.js';
import { HeapCorruptionError, InvalidArgumentError, StaleViewError } from './errors.js';
import { VIEW_TYPES, current, liveView } from './views.js';

/** More words than an i32 can say; more than there can be anyway. */
const TOO_MANY_WORDS = 2 ** 32;

/** Every block's address is a multiple of it. */
const ALIGNMENT = 8;

/** What heap_check() answers for a fault that is not in a block. */
const NO_BLOCK = 2 ** 32 - 1;

/** The fields of struct wasmalloc_statistics (lib/wasmalloc.h), in order. */
const STATISTICS = [
  'heapSize',
  'peakSize',
  'usedBlocks',
  'usedSize',
  'freeBlocks',
  'freeSize',
  'largestFree',
  'overheadSize',
];

/** The states of a block (enum wasmalloc_state), by number. */
const STATES = ['free', 'used', 'foreign', 'internal'];

const TYPES = Object.values(VIEW_TYPES);
const TYPE_NAMES = TYPES.map((Type) => Type.name).join(', ');

/** As many words as hold `bytes`, and at least one: malloc(0) is a block of its own. */
function wordsFor(bytes) {
  checkInteger('bytes', bytes, 0);
  return Math.max(1, Math.ceil(bytes / 4));
}

/** The bytes of a typed array, a live view, a DataView, an ArrayBuffer or a list of numbers. */
function bytesOf(source) {
  const data = current(source);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (ArrayBuffer.isView(data))
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (Array.isArray(data)) {
    try {
      return Uint8Array.from(data);
    } catch (cause) {
      throw new InvalidArgumentError(`cannot write the array: ${cause.message}`, { cause });
    }
  }
  throw new InvalidArgumentError(
    `cannot write ${show(source)}: give a typed array, a DataView, an ArrayBuffer or an array`,
  );
}

/** An error that the module has thrown; instead of a trap, one that says what it means. */
function explained(cause, what) {
  return cause instanceof WebAssembly.RuntimeError
    ? new HeapCorruptionError(`${what}: ${cause.message}`, null, { cause })
    : cause;
}

function corruptAt(address) {
  return new HeapCorruptionError(`the heap is corrupt: the block at ${address} is broken`, address);
}

export class Heap {
  #name;
  #memory;
  #exports;
  #lowest; // no block's address is below
  #end = 0; // the memory is at least as large: it never shrinks
  #borrowed = 0; // callbacks of view() that are running

  constructor(name, memory, exports, lowest = 0) {
    this.#name = name;
    this.#memory = memory;
    this.#exports = exports;
    this.#lowest = lowest;
    for (const [property, Type] of Object.entries(VIEW_TYPES))
      this[property] = liveView(memory, Type);
    Object.freeze(this);
  }

  get name() {
    return this.#name;
  }

  get memory() {
    return this.#memory;
  }

  get exports() {
    return this.#exports;
  }

  // ---- allocating ----

  alloc(words) {
    checkInteger('words', words, 0);
    this.#mayGrow('alloc');
    try {
      return words < TOO_MANY_WORDS ? this.#exports.alloc(words) >>> 0 : 0;
    } catch (cause) {
      throw explained(cause, 'the heap is corrupt');
    }
  }

  realloc(address, words) {
    this.#checkBlock(address);
    checkInteger('words', words, 0);
    this.#mayGrow('realloc');
    try {
      return words < TOO_MANY_WORDS ? this.#exports.realloc(address, words) >>> 0 : 0;
    } catch (cause) {
      throw explained(cause, `there is no block at ${address}, or the heap is corrupt`);
    }
  }

  dealloc(address) {
    this.#checkBlock(address);
    try {
      this.#exports.dealloc(address);
    } catch (cause) {
      throw explained(cause, `there is no block at ${address}, or the heap is corrupt`);
    }
  }

  /** Throws where it is plain that no block stands there. Only a walk over the heap would tell for sure. */
  #checkBlock(address) {
    checkAddress(address);
    if (address === 0) return;
    let reason;
    if (address % ALIGNMENT !== 0) reason = `its address is a multiple of ${ALIGNMENT}`;
    else if (address < this.#lowest) reason = `the heap begins above ${this.#lowest}`;
    else if (address >= this.#end) {
      this.#end = this.#memory.buffer.byteLength;
      if (address >= this.#end) reason = `the memory ends at ${this.#end}`;
    }
    if (reason)
      throw new InvalidArgumentError(`address is ${address}: it must be a block's, and ${reason}`);
  }

  malloc(bytes) {
    return this.alloc(wordsFor(bytes));
  }

  reallocBytes(address, bytes) {
    return this.realloc(address, wordsFor(bytes));
  }

  free(address) {
    this.dealloc(address);
  }

  // ---- contents ----

  read(address, length, Type = Uint8Array) {
    this.#checkRange(address, length, Type);
    const end = address + length * Type.BYTES_PER_ELEMENT;
    return new Type(this.#memory.buffer.slice(address, end));
  }

  write(address, source) {
    const bytes = bytesOf(source);
    this.#checkRange(address, bytes.length, Uint8Array);
    new Uint8Array(this.#memory.buffer).set(bytes, address);
  }

  readString(address, length = undefined) {
    if (length === undefined) {
      this.#checkRange(address, 0, Uint8Array);
      const end = new Uint8Array(this.#memory.buffer).indexOf(0, address);
      if (end < 0) throw new InvalidArgumentError(`the text at address ${address} has no end`);
      length = end - address;
    }
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.read(address, length));
  }

  newString(text) {
    if (typeof text !== 'string') {
      throw new InvalidArgumentError(`text is ${show(text)}: it must be a string`);
    }
    const bytes = new TextEncoder().encode(text);
    const address = this.malloc(bytes.length + 1);
    if (address) {
      this.write(address, bytes);
      this.write(address + bytes.length, [0]);
    }
    return address;
  }

  view(Type, address, length, callback = undefined) {
    this.#checkRange(address, length, Type);
    if (address % Type.BYTES_PER_ELEMENT !== 0) {
      throw new InvalidArgumentError(
        `address is ${address}: for an ${Type.name} it must be a multiple of ${Type.BYTES_PER_ELEMENT}`,
      );
    }
    if (callback === undefined) return liveView(this.#memory, Type, address, length);
    if (typeof callback !== 'function') {
      throw new InvalidArgumentError(`callback is ${show(callback)}: it must be a function`);
    }
    return this.#lend(new Type(this.#memory.buffer, address, length), callback);
  }

  /** Calls back with a plain typed array, and sees to it that it cannot go stale meanwhile. */
  #lend(array, callback) {
    let result;
    ++this.#borrowed;
    try {
      result = callback(array);
    } finally {
      --this.#borrowed;
    }
    if (array.buffer !== this.#memory.buffer) {
      throw new StaleViewError(
        'the memory grew during the callback of heap.view(): writes may be lost',
      );
    }
    if (typeof result?.then === 'function') {
      throw new StaleViewError('the callback of heap.view() must not be asynchronous');
    }
    return result === array ? undefined : result;
  }

  #mayGrow(what) {
    if (this.#borrowed) {
      throw new StaleViewError(
        `heap.${what}() during a callback of heap.view(): the memory may grow and leave the view stale`,
      );
    }
  }

  #checkRange(address, length, Type) {
    if (!TYPES.includes(Type)) {
      throw new InvalidArgumentError(
        `the type is ${show(Type?.name ?? Type)}: it must be one of ${TYPE_NAMES}`,
      );
    }
    checkAddress(address);
    checkInteger('length', length, 0);
    const size = this.#memory.buffer.byteLength;
    const end = address + length * Type.BYTES_PER_ELEMENT;
    if (end > size) {
      throw new InvalidArgumentError(
        `addresses ${address} to ${end} reach beyond the memory, which ends at ${size}`,
      );
    }
  }

  // ---- looking inside ----

  stats() {
    this.check();
    const address = this.#inspect(() => this.#exports.heap_statistics());
    const values = new Uint32Array(this.#memory.buffer, address, STATISTICS.length);
    return Object.fromEntries(STATISTICS.map((name, i) => [name, values[i]]));
  }

  blocks() {
    this.check(); // the walk over a broken heap may leave blocks out
    const blocks = [];
    let record = 0;
    while ((record = this.#inspect(() => this.#exports.heap_next_block(record)))) {
      const [address, size, state] = new Uint32Array(this.#memory.buffer, record, 3);
      blocks.push({ address, size, state: STATES[state] });
    }
    return blocks;
  }

  check() {
    const fault = this.#inspect(() => this.#exports.heap_check());
    if (fault === 0) return;
    throw fault === NO_BLOCK
      ? new HeapCorruptionError('the heap is corrupt: the fault is not in a block', null)
      : corruptAt(fault);
  }

  /** Following broken links may lead out of memory, which traps. */
  #inspect(action) {
    try {
      return action() >>> 0;
    } catch (cause) {
      throw explained(cause, 'the heap is corrupt');
    }
  }
}
