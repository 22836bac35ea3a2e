// Typed arrays over a WebAssembly memory that never go stale.
// Usage: liveView(memory, Int32Array, address, length)
//
// When a memory grows its ArrayBuffer is replaced, and every typed array over the old one is dead:
// its length is 0, reads give undefined and writes are lost, without any error. A live view is a
// proxy that looks the typed array up anew, for each access. Nothing that it hands out is bound to
// the buffer of the moment: not the result of subarray(), not an iterator, not what fill() returns,
// not what a callback gets.
import { StaleViewError } from './errors.js';

/** The typed arrays of a heap, by the names of its properties. */
export const VIEW_TYPES = {
  i8: Int8Array,
  u8: Uint8Array,
  i16: Int16Array,
  u16: Uint16Array,
  i32: Int32Array,
  u32: Uint32Array,
  i64: BigInt64Array,
  u64: BigUint64Array,
  f32: Float32Array,
  f64: Float64Array,
};

/** From a live view to what is behind it. */
const handlers = new WeakMap();

/**
 * The typed array of the moment behind a live view; anything else is returned as it is.
 * For use at once: whatever runs in between could make the memory grow.
 */
export function current(value) {
  return handlers.get(value)?.array() ?? value;
}

/**
 * Methods that call back or answer an iterator. What they call may allocate, so they have to read
 * element by element, which Array's methods do with anything that has a length.
 */
const ELEMENTWISE = new Set([
  'entries',
  'every',
  'find',
  'findIndex',
  'findLast',
  'findLastIndex',
  'forEach',
  'keys',
  'reduce',
  'reduceRight',
  'some',
  'values',
  Symbol.iterator,
]);

/** Methods that cannot simply be forwarded: of a view's handler, its proxy and the arguments. */
const SPECIAL = {
  // Array's methods answer an array where a typed array's answer a typed array.
  map: ({ Type }, view, ...args) => Type.from(Array.prototype.map.apply(view, args)),
  filter: ({ Type }, view, ...args) => Type.from(Array.prototype.filter.apply(view, args)),
  // The comparison may allocate: what is sorted is a copy.
  sort(handler, view, compare) {
    const sorted = handler.array().slice().sort(compare);
    handler.array().set(sorted);
    return view;
  },
  set(handler, _, source, offset) {
    const typed = current(source);
    const elements = ArrayBuffer.isView(typed) ? typed : handler.Type.from(typed);
    handler.array().set(elements, offset);
  },
  subarray({ memory, Type, ...handler }, view, begin, end) {
    const index = (value, missing) => {
      const integer = value === undefined ? missing : Math.trunc(value) || 0;
      return integer < 0 ? Math.max(view.length + integer, 0) : Math.min(integer, view.length);
    };
    const first = index(begin, 0);
    const length = Math.max(index(end, view.length) - first, 0);
    return liveView(memory, Type, handler.address + first * Type.BYTES_PER_ELEMENT, length);
  },
};

/** The names of elements, as a proxy sees them, begin with a digit; no method's name does. */
function isIndex(key) {
  return typeof key === 'string' && key.charCodeAt(0) <= 57 && key.charCodeAt(0) >= 48;
}

/** What the proxy of a view does; every trap asks array() for the typed array of the moment. */
class LiveView {
  #buffer;
  #array;
  #methods = new Map();

  constructor(memory, Type, address, length) {
    this.memory = memory;
    this.Type = Type;
    this.address = address;
    this.length = length;
  }

  array() {
    const { buffer } = this.memory;
    if (buffer !== this.#buffer) {
      const length = this.length ?? Math.floor(buffer.byteLength / this.Type.BYTES_PER_ELEMENT);
      this.#array = new this.Type(buffer, this.address, length);
      this.#buffer = buffer;
    }
    return this.#array;
  }

  /** A method that may be kept: it, too, looks the array up when it is called. */
  #method(key, native, view) {
    if (ELEMENTWISE.has(key)) return Array.prototype[key].bind(view);
    if (Object.hasOwn(SPECIAL, key)) return SPECIAL[key].bind(null, this, view);
    return (...args) => {
      const array = this.array();
      const result = Reflect.apply(native, array, args);
      return result === array ? view : result;
    };
  }

  get(_, key, view) {
    const array = this.array();
    if (isIndex(key)) return array[key];
    if (key === 'buffer') {
      throw new StaleViewError(
        'a live view has no buffer, since that is replaced when the memory grows: ' +
          'use heap.read() for a copy, or heap.view() with a callback',
      );
    }
    const value = array[key];
    if (typeof value !== 'function' || key === 'constructor') return value;
    if (!this.#methods.has(key)) this.#methods.set(key, this.#method(key, value, view));
    return this.#methods.get(key);
  }

  set(_, key, value) {
    if (!isIndex(key)) return false;
    // To convert the value may run code that allocates: so first that, then look the array up.
    const element = this.Type.name.startsWith('Big') ? BigInt.asIntN(64, value) : +value;
    this.array()[key] = element;
    return true;
  }

  has(_, key) {
    return key in this.array();
  }

  ownKeys() {
    return Reflect.ownKeys(this.array());
  }

  getOwnPropertyDescriptor(_, key) {
    return Reflect.getOwnPropertyDescriptor(this.array(), key);
  }

  defineProperty(_, key, descriptor) {
    return isIndex(key) && Reflect.defineProperty(this.array(), key, descriptor);
  }

  deleteProperty(_, key) {
    return Reflect.deleteProperty(this.array(), key);
  }

  preventExtensions() {
    return false;
  }

  setPrototypeOf() {
    return false;
  }
}

/**
 * A view of `memory` that is valid as long as the memory is.
 *
 * @param {WebAssembly.Memory} memory
 * @param {Function} Type one of VIEW_TYPES
 * @param {number} [address] in bytes, a multiple of the element's size
 * @param {number} [length] in elements; without it the view grows with the memory
 */
export function liveView(memory, Type, address = 0, length = undefined) {
  const handler = new LiveView(memory, Type, address, length);
  // The target is empty and extensible, so that no rule for proxies binds the handler. Only its
  // prototype is seen and, by console.log in Node, how it wants to be inspected.
  const target = new Type(0);
  const inspect = Symbol.for('nodejs.util.inspect.custom');
  Object.defineProperty(target, inspect, { value: () => handler.array(), configurable: true });
  const view = new Proxy(target, handler);
  handlers.set(view, handler);
  return view;
}
