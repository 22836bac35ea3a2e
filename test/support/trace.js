// Writes traces as docs/trace-format.md says, for tests that know what must come out of them.
// Usage: writeTrace([{ kind: 'malloc', size: 10, address: 1024 }, …])
import { BLOCK_MARK, BLOCK_TYPES, EVENT_KINDS, SIGNATURE } from '../../js/trace.js';
import { TRACE_VERSION, checksum } from '../../js/trace.js';

const DESCRIPTION = {
  allocator: 'bins',
  program: 'test',
  pointerBytes: 4,
  heapBase: 1024,
  started: 0,
  stacks: false,
  threads: false,
};

function number(value) {
  const bytes = [];
  let rest = BigInt(value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
}

function difference(value) {
  return number(value < 0 ? -2 * value - 1 : 2 * value);
}

/** One event's bytes; `last` is what the event before has left behind. */
function encode(event, last, hasStacks) {
  const { kind, size = 0, alignment = 0, address = 0, previous = 0 } = event;
  const { time = last.time, thread = last.thread, heap = last.heap, stack = 0 } = event;
  const isFree = kind === 'free';
  const inBytes = [last.address, previous, address].some((each) => each % 8 !== 0);
  const addressAfter = (next) => {
    const step = difference((next - last.address) / (inBytes ? 1 : 8));
    last.address = next;
    return step;
  };
  const tag =
    (kind === 'realloc' && !previous ? 5 : EVENT_KINDS.indexOf(kind)) |
    (!isFree && !address ? 8 : 0) |
    (time === last.time ? 0 : 16) |
    (thread === last.thread ? 0 : 32) |
    (heap === last.heap ? 0 : 64) |
    (inBytes ? 128 : 0);
  const bytes = [
    tag,
    ...(time === last.time ? [] : number(time - last.time)),
    ...(thread === last.thread ? [] : number(thread)),
    ...(heap === last.heap ? [] : difference(heap - last.heap)),
    ...(hasStacks ? number(stack) : []),
    ...(previous ? addressAfter(previous) : []),
    ...(kind === 'memalign' ? number(alignment) : []),
    ...(isFree ? [] : number(size)),
    ...(!isFree && address ? addressAfter(address) : []),
  ];
  Object.assign(last, { time, thread, heap });
  return bytes;
}

/** A block of the file. */
export function fileBlock(type, blockNumber, content) {
  const bytes = new Uint8Array(20 + content.length);
  const view = new DataView(bytes.buffer);
  const header = [BLOCK_MARK, type, blockNumber, content.length];
  header.push(checksum(header, Uint8Array.from(content)));
  header.forEach((field, i) => view.setUint32(4 * i, field, true));
  bytes.set(content, 20);
  return bytes;
}

/** The beginning of a file. */
export function fileHeader(version = TRACE_VERSION) {
  const bytes = new Uint8Array(12);
  bytes.set(SIGNATURE);
  new DataView(bytes.buffer).setUint32(8, version, true);
  return bytes;
}

const json = (value) => new TextEncoder().encode(JSON.stringify(value));

/**
 * The chunks of a trace, one after the other.
 *
 * @param {Iterable<object>} events as the reader answers them; what is left out of one is 0, or as in the event before
 * @param {{ description?: object, stacks?: Record<number, string>, end?: object | null, perBlock?: number }} [options]
 *   `description` over that of an ordinary program; texts of `stacks` by id; `end` null for a program that was killed;
 *   events `perBlock`
 */
export function* traceChunks(events, { description, stacks = {}, end, perBlock = 1000 } = {}) {
  const whole = { ...DESCRIPTION, ...description };
  let blocks = 0;
  const block = (type, content) => fileBlock(type, blocks++, content);
  yield fileHeader();
  yield block(BLOCK_TYPES.description, json(whole));
  for (const [id, text] of Object.entries(stacks)) {
    const content = new Uint8Array([0, 0, 0, 0, ...new TextEncoder().encode(text)]);
    new DataView(content.buffer).setUint32(0, id, true);
    yield block(BLOCK_TYPES.stack, content);
  }
  let total = 0;
  let last = { time: 0, thread: 0, heap: 0, address: 0 };
  let header, bytes, count;
  const begin = () => {
    header = new DataView(new ArrayBuffer(24));
    header.setUint32(4, last.thread, true);
    header.setFloat64(8, last.time, true);
    header.setFloat64(16, last.heap, true);
    last.address = 0;
    bytes = [];
    count = 0;
  };
  const finish = () => {
    header.setUint32(0, count, true);
    total += count;
    return block(BLOCK_TYPES.events, new Uint8Array([...new Uint8Array(header.buffer), ...bytes]));
  };
  begin();
  for (const event of events) {
    bytes.push(...encode(event, last, whole.stacks));
    if (++count < perBlock) continue;
    yield finish();
    begin();
  }
  if (count) yield finish();
  if (end !== null)
    yield block(BLOCK_TYPES.end, json({ reason: 'exit', status: 0, events: total, ...end }));
}

/** A whole trace; takes what {@link traceChunks} takes. */
export function writeTrace(events, options) {
  return Uint8Array.from([...traceChunks(events, options)].flatMap((chunk) => [...chunk]));
}
