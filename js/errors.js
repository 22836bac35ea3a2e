// The errors of this package. Usage: import { InvalidArgumentError } from './errors.js';

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
  address;

  constructor(message, address, options) {
    super(message, options);
    this.address = address;
  }
}

/** A trace is cut off or damaged, or no trace. What stands before the fault has been handed out. */
export class TraceError extends WasmallocError {
  /** The byte of the file at which the fault is: that at which a damaged block begins. */
  offset;
  /** How many events have been read before. */
  events;

  constructor(message, offset, events, options) {
    super(message, options);
    this.offset = offset;
    this.events = events;
  }
}

// A minifier gives the classes other names, but leaves these texts alone. They stand where those of JavaScript's own
// errors do.
for (const [name, { prototype }] of Object.entries({
  WasmallocError,
  InvalidArgumentError,
  UnknownAllocatorError,
  LoadError,
  StaleViewError,
  HeapCorruptionError,
  TraceError,
}))
  Object.defineProperty(prototype, 'name', { value: name, writable: true, configurable: true });
