// Reads the traces that programs write which were linked with `:trace=1` (docs/trace-format.md).
// Usage: const trace = await readTrace(file); for await (const batch of trace) …
// Every function is described in index.d.ts, beside its type.
import { builtin } from './builtin.js';
import { show } from './check.js';
import { InvalidArgumentError, LoadError, TraceError } from './errors.js';

/** The version of the format. */
export const TRACE_VERSION = 1;

/** What a trace begins with: "wmt", in a line that no text file has. */
export const SIGNATURE = [0x89, 0x77, 0x6d, 0x74, 0x0d, 0x0a, 0x1a, 0x0a];

/** The first four bytes of a block: "wblk". */
export const BLOCK_MARK = 0x6b6c6277;

/** The types of blocks. */
export const BLOCK_TYPES = { description: 1, stack: 2, events: 3, end: 4 };

/** The kinds of events, by number. The sixth is a realloc of nothing. */
export const EVENT_KINDS = ['malloc', 'calloc', 'realloc', 'memalign', 'free'];

const [REALLOC, MEMALIGN, FREE, REALLOC_NOTHING] = [2, 3, 4, 5];
const [FAILED, HAS_TIME, HAS_THREAD, HAS_HEAP, IN_BYTES] = [8, 16, 32, 64, 128];

const FILE_HEADER = SIGNATURE.length + 4;
const BLOCK_HEADER = 20;
const EVENTS_HEADER = 24;

/** The most bytes of content that a block may have. */
const LARGEST_CONTENT = 1 << 20;

/** Of a block: of the four words before the checksum, and of its content, padded with zeroes. */
export function checksum(header, content) {
  let sum = 0;
  const add = (word) => {
    sum = Math.imul(sum ^ word, 0x01000193);
    sum ^= sum >>> 15;
  };
  for (const word of header) add(word);
  const view = viewOf(content);
  const whole = content.length & ~3;
  for (let at = 0; at < whole; at += 4) add(view.getInt32(at, true));
  let rest = 0;
  for (let at = whole; at < content.length; ++at) rest |= content[at] << (8 * (at - whole));
  if (whole < content.length) add(rest);
  return sum >>> 0;
}

// ---- where the bytes come from ----

/**
 * Where the chunks come from: a function that answers them `again` and again, from the beginning, or what can be read
 * `once`.
 */
async function sourceOf(source) {
  if (typeof source === 'function') return { again: source };
  if (source instanceof ArrayBuffer) return { again: () => [new Uint8Array(source)] };
  if (ArrayBuffer.isView(source)) {
    const { buffer, byteOffset, byteLength } = source;
    return { again: () => [new Uint8Array(buffer, byteOffset, byteLength)] };
  }
  if (source instanceof Blob) return { again: () => chunksOf(source.stream()) };
  if (typeof source === 'string' || source instanceof URL) return fileSource(source);
  if (typeof source?.getReader === 'function') return { once: chunksOf(source) };
  if (source?.[Symbol.asyncIterator] || source?.[Symbol.iterator]) return { once: source };
  throw new InvalidArgumentError(
    `the trace is ${show(source)}: give a file's name, a Blob, bytes, or a stream or an iterable of them`,
  );
}

function fileSource(file) {
  const fs = builtin('node:fs');
  if (!fs) throw new InvalidArgumentError(`there are no files here to open ${file}: give a Blob`);
  const { createReadStream, statSync } = fs;
  const open = () => chunksOfFile(file, createReadStream(file, { highWaterMark: 1 << 18 }));
  return isPipe(file, statSync) ? { once: open() } : { again: open };
}

/** Whether it can be read only once. What cannot be looked at cannot be opened either, which says why. */
function isPipe(file, statSync) {
  try {
    return !statSync(file).isFile();
  } catch {
    return false;
  }
}

async function* chunksOfFile(file, stream) {
  try {
    yield* stream;
  } catch (cause) {
    throw new LoadError(`cannot read ${file}: ${cause.message}`, { cause });
  }
}

/** Not every browser's streams can be iterated over. */
async function* chunksOf(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel();
  }
}

/** Pieces of a wanted length out of chunks of any length. */
class ByteReader {
  #chunks;
  #pieces = []; // what has been read and not taken
  #available = 0;
  offset = 0; // of the next byte that is taken

  constructor(chunks) {
    this.#chunks = chunks[Symbol.asyncIterator]?.() ?? chunks[Symbol.iterator]();
  }

  /** The next `length` bytes, or, at the end of the file, as many as there are. */
  async take(length) {
    while (this.#available < length) {
      const { done, value } = await this.#chunks.next();
      if (done) break;
      if (!(value instanceof Uint8Array))
        throw new InvalidArgumentError(`a chunk of the trace is ${show(value)}: give bytes`);
      this.#pieces.push(value);
      this.#available += value.length;
    }
    const taken = Math.min(length, this.#available);
    this.#available -= taken;
    this.offset += taken;
    if (this.#pieces.length > 0 && this.#pieces[0].length >= taken) return this.#split(taken);
    const bytes = new Uint8Array(taken);
    for (let at = 0; at < taken;) {
      const piece = this.#split(Math.min(taken - at, this.#pieces[0].length));
      bytes.set(piece, at);
      at += piece.length;
    }
    return bytes;
  }

  /** The beginning of the first piece. */
  #split(length) {
    const [piece] = this.#pieces;
    if (length === piece.length) this.#pieces.shift();
    else this.#pieces[0] = piece.subarray(length);
    return piece.subarray(0, length);
  }

  async close() {
    await this.#chunks.return?.();
  }
}

// ---- blocks of the file ----

/** The blocks of a file, each as `{ type, offset, content }`; knows how many events have been read. */
class BlockReader {
  #bytes;
  #number = 0;
  events = 0;

  constructor(chunks) {
    this.#bytes = new ByteReader(chunks);
  }

  /** Throws; `what` is wrong in the block at `offset`. */
  fail(what, offset) {
    const message = `the trace ${what} at byte ${offset}; events before: ${this.events}`;
    throw new TraceError(message, offset, this.events);
  }

  #cutOff(begin) {
    const isInside = begin < this.#bytes.offset;
    this.fail(isInside ? 'is cut off, in the block that begins' : 'is cut off', begin);
  }

  async begin() {
    const header = await this.#bytes.take(FILE_HEADER);
    const isTrace = SIGNATURE.every((byte, i) => i >= header.length || header[i] === byte);
    if (!isTrace || header.length === 0)
      throw new TraceError('this is no trace of wasmalloc: it does not begin like one', 0, 0);
    if (header.length < FILE_HEADER) this.#cutOff(0);
    const version = viewOf(header).getUint32(SIGNATURE.length, true);
    if (version !== TRACE_VERSION)
      throw new TraceError(
        `the trace is of version ${version} of the format, and this reads version ${TRACE_VERSION}`,
        SIGNATURE.length,
        0,
      );
  }

  async next() {
    const { offset } = this.#bytes;
    const header = await this.#bytes.take(BLOCK_HEADER);
    if (header.length < BLOCK_HEADER) this.#cutOff(offset);
    const fields = viewOf(header);
    const words = [0, 4, 8, 12, 16].map((at) => fields.getUint32(at, true));
    const [mark, type, number, length, sum] = words;
    if (mark !== BLOCK_MARK || length > LARGEST_CONTENT) this.fail('is damaged', offset);
    const content = await this.#bytes.take(length);
    if (content.length < length) this.#cutOff(offset);
    if (checksum(words.slice(0, 4), content) !== sum) this.fail('is damaged', offset);
    if (number !== this.#number) this.fail(`lacks a block, number ${this.#number},`, offset);
    ++this.#number;
    return { type, offset, content };
  }

  /** Nothing may follow. */
  async finish() {
    const { offset } = this.#bytes;
    if ((await this.#bytes.take(1)).length) this.fail('goes on after its end', offset);
  }

  close() {
    return this.#bytes.close();
  }
}

function viewOf(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const decoder = new TextDecoder();

const isText = (value) => typeof value === 'string';
const isYesOrNo = (value) => typeof value === 'boolean';
const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
const isTime = (value) => Number.isFinite(value) && Math.abs(value) <= LATEST;
const orNothing = (isRight) => (value) => value === undefined || isRight(value);

/** The last moment that a Date can be, in milliseconds since 1970. */
const LATEST = 8.64e15;

/** The properties of the two JSON objects, and what each can be. All others are ignored. */
const DESCRIPTION = {
  allocator: isText,
  program: isText,
  pointerBytes: (value) => value === 4 || value === 8,
  heapBase: isCount,
  started: isTime,
  stacks: isYesOrNo,
  threads: isYesOrNo,
};
const END = {
  reason: isText,
  status: orNothing(Number.isSafeInteger),
  message: orNothing(isText),
  events: isCount,
};

/** What of an object the schema knows. */
function parseJson(reader, { content, offset }, schema) {
  let object;
  try {
    object = JSON.parse(decoder.decode(content));
  } catch {
    reader.fail('is damaged', offset);
  }
  if (typeof object !== 'object' || object === null || Array.isArray(object))
    reader.fail('is damaged', offset);
  const known = {};
  for (const [key, isRight] of Object.entries(schema)) {
    const value = Object.hasOwn(object, key) ? object[key] : undefined;
    if (!isRight(value)) reader.fail(`is damaged: ${key} is ${show(value)}`, offset);
    if (value !== undefined) known[key] = value;
  }
  return known;
}

/** The stacks of a trace have most of their frames in common: each is an object once. */
class StackParser {
  #frames = new Map(); // by line

  #frame(line) {
    let frame = this.#frames.get(line);
    if (!frame) {
      const [name, place = ''] = line.split('\t', 2);
      this.#frames.set(line, (frame = { name, place }));
    }
    return frame;
  }

  /** A block as the stack's id and its frames. */
  parse(reader, { content, offset }) {
    if (content.length < 4) reader.fail('is damaged', offset);
    const lines = decoder.decode(content.subarray(4)).split('\n');
    return [viewOf(content).getUint32(0, true), lines.map((line) => this.#frame(line))];
  }
}

// ---- events ----

/** Numbers of seven bits a byte. After one that has no end it stands behind all bytes. */
class Cursor {
  constructor(bytes, at) {
    this.bytes = bytes;
    this.at = at;
  }

  number() {
    let byte = this.bytes[this.at++];
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    for (let shift = 7; shift < 28; shift += 7) {
      byte = this.bytes[this.at++];
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return this.#large(value);
  }

  /** What does not fit into the 31 bits that a small integer has. */
  #large(value) {
    for (let weight = 2 ** 28; weight < 2 ** 70; weight *= 128) {
      const byte = this.bytes[this.at++];
      value += (byte & 0x7f) * weight;
      if (byte < 0x80) return value;
    }
    this.at = Infinity;
    return NaN;
  }

  difference() {
    const value = this.number();
    if (value < 2 ** 31) return (value >>> 1) ^ -(value & 1);
    return value % 2 ? -(value + 1) / 2 : value / 2;
  }
}

/** Which live block stands at which address, each with a small number that is used again after its end. */
class LiveBlocks {
  #numbers = new Map(); // by address, in units of 8 bytes, which are small integers
  #unused = [];
  #next = 1;

  /** Engines have maps of some millions of entries; answers whether there was room. */
  #put(key, number) {
    try {
      this.#numbers.set(key, number);
      return true;
    } catch {
      return false;
    }
  }

  /** The block at an address from now on; 0 where one stands already, -1 where there are too many. */
  add(address) {
    const key = address / 8;
    if (this.#numbers.has(key)) return 0;
    const number = this.#unused.length ? this.#unused.pop() : this.#next++;
    return this.#put(key, number) ? number : -1;
  }

  /** The block that ends, or 0 where there is none. */
  remove(address) {
    const number = this.find(address);
    if (number) {
      this.#numbers.delete(address / 8);
      this.#unused.push(number);
    }
    return number;
  }

  find(address) {
    return this.#numbers.get(address / 8) ?? 0;
  }

  /** Puts a block elsewhere; answers it, or what {@link add} answers. */
  move(block, from, to) {
    if (from === to) return block;
    if (this.#numbers.has(to / 8)) return 0;
    this.#numbers.delete(from / 8);
    return this.#put(to / 8, block) ? block : -1;
  }
}

/** The columns of a batch; index.d.ts says what they mean. */
const COLUMNS = {
  kind: Uint8Array,
  thread: Uint32Array,
  stack: Uint32Array,
  block: Uint32Array,
  size: Float64Array,
  alignment: Float64Array,
  address: Float64Array,
  previous: Float64Array,
  time: Float64Array,
  heap: Float64Array,
};

class Batch {
  length = 0;

  constructor() {
    this.resize(0);
  }

  resize(length) {
    if (!this.kind || this.kind.length < length)
      for (const [name, Type] of Object.entries(COLUMNS)) this[name] = new Type(length);
    this.length = length;
  }

  event(index) {
    const event = Object.fromEntries(Object.keys(COLUMNS).map((name) => [name, this[name][index]]));
    return { ...event, kind: EVENT_KINDS[event.kind] };
  }

  *[Symbol.iterator]() {
    for (let i = 0; i < this.length; ++i) yield this.event(i);
  }
}

/** The largest time, size of the heap and address that are exact. */
const LARGEST = Number.MAX_SAFE_INTEGER;

/**
 * Decodes a block of events into the batch. Where it throws, the batch has what stands before the fault.
 */
function decode({ content, offset }, batch, { blocks, hasStacks, reader }) {
  const header = viewOf(content);
  const count = content.length < EVENTS_HEADER ? Infinity : header.getUint32(0, true);
  batch.resize(0);
  // An event has two bytes at least.
  if (count * 2 > content.length) reader.fail('is damaged', offset);
  batch.resize(count);
  let thread = header.getUint32(4, true);
  let time = header.getFloat64(8, true);
  let heap = header.getFloat64(16, true);
  if (!(time >= 0 && time <= LARGEST && Math.abs(heap) <= LARGEST)) {
    batch.resize(0);
    reader.fail('is damaged', offset);
  }
  let address = 0;
  const cursor = new Cursor(content, EVENTS_HEADER);
  const fail = (i, what) => {
    batch.length = i;
    reader.events += i;
    reader.fail(`has an event that ${what}, in the block`, offset);
  };
  for (let i = 0; i < count; ++i) {
    const tag = content[cursor.at++];
    const kind = tag & 7;
    const unit = tag & IN_BYTES ? 1 : 8;
    if (tag & HAS_TIME) time += cursor.number();
    if (tag & HAS_THREAD) thread = cursor.number();
    if (tag & HAS_HEAP) heap += cursor.difference();
    const stack = hasStacks ? cursor.number() : 0;
    if (kind > REALLOC_NOTHING) fail(i, `is of an unknown kind, ${kind}`);

    let previous = 0;
    if (kind === REALLOC || kind === FREE) {
      address += cursor.difference() * unit;
      previous = address;
    }
    const alignment = kind === MEMALIGN ? cursor.number() : 0;
    const size = kind === FREE ? 0 : cursor.number();
    const hasResult = kind !== FREE && !(tag & FAILED);
    if (hasResult) address += cursor.difference() * unit;
    if (cursor.at > content.length) fail(i, 'has no end');
    if (time > LARGEST || Math.abs(heap) > LARGEST || thread > 2 ** 32 - 1 || stack > 2 ** 32 - 1)
      fail(i, 'has a number that is too large');
    if (hasResult && !(address > 0 && address <= LARGEST)) fail(i, `answers address ${address}`);

    let block = 0;
    if (kind === FREE) block = blocks.remove(previous);
    else if (kind === REALLOC) block = blocks.find(previous);
    if (hasResult) {
      block = block ? blocks.move(block, previous, address) : blocks.add(address);
      if (block === 0) fail(i, `answers address ${address}, where a block stands already`);
      if (block < 0) fail(i, 'is one live block too many for this reader');
    }

    batch.kind[i] = kind === REALLOC_NOTHING ? REALLOC : kind;
    batch.thread[i] = thread;
    batch.stack[i] = stack;
    batch.block[i] = block;
    batch.size[i] = size;
    batch.alignment[i] = alignment;
    batch.address[i] = hasResult ? address : 0;
    batch.previous[i] = previous;
    batch.time[i] = time;
    batch.heap[i] = heap;
  }
  if (cursor.at !== content.length) reader.fail('is damaged', offset);
  reader.events += count;
}

// ---- the trace ----

class Trace {
  #reopen; // answers the chunks anew
  #started; // or: a reader that has begun, for one iteration
  description;
  stacks = new Map();
  end = undefined;

  constructor(description, reopen, started) {
    this.description = description;
    this.#reopen = reopen;
    this.#started = started;
  }

  async #begin() {
    if (this.#reopen) return (await start(this.#reopen())).reader;
    const reader = this.#started;
    this.#started = undefined;
    if (!reader) throw new InvalidArgumentError('the trace is a stream, which can be read once');
    return reader;
  }

  async *[Symbol.asyncIterator]() {
    const reader = await this.#begin();
    const batch = new Batch();
    const stacks = new StackParser();
    const context = {
      blocks: new LiveBlocks(),
      hasStacks: this.description.stacks,
      reader,
    };
    try {
      for (;;) {
        const block = await reader.next();
        if (block.type === BLOCK_TYPES.events) {
          let fault;
          try {
            decode(block, batch, context);
          } catch (error) {
            fault = error;
          }
          if (batch.length) yield batch;
          if (fault) throw fault;
        } else if (block.type === BLOCK_TYPES.stack) {
          this.stacks.set(...stacks.parse(reader, block));
        } else if (block.type === BLOCK_TYPES.end) {
          this.end = parseJson(reader, block, END);
          await reader.finish();
          return;
        } else reader.fail(`has a block of an unknown type, ${block.type},`, block.offset);
      }
    } finally {
      await reader.close();
    }
  }
}

/** Begins to read; answers the reader and the description. */
async function start(chunks) {
  const reader = new BlockReader(chunks);
  try {
    await reader.begin();
    const block = await reader.next();
    if (block.type !== BLOCK_TYPES.description)
      reader.fail('does not begin with its description', block.offset);
    return { reader, description: parseJson(reader, block, DESCRIPTION) };
  } catch (error) {
    await reader.close();
    throw error;
  }
}

export async function readTrace(source) {
  const { again, once } = await sourceOf(source);
  const { reader, description } = await start(again ? again() : once);
  if (again) await reader.close();
  return new Trace(description, again, again ? undefined : reader);
}
