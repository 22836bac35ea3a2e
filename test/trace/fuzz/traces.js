// Traces as nobody has recorded them: valid ones that are changed, and files of anything in blocks with right checksums.
// Usage: const bytes = strangeTrace(seed)
import { BLOCK_TYPES, EVENT_KINDS, SIGNATURE } from '../../../js/trace.js';
import { randomFrom } from '../../js/support.js';
import { fileBlock, fileHeader, traceChunks } from '../../support/trace.js';

/** Numbers at which something changes. */
const EDGES = [
  ...[
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    15,
    16,
    17,
    31,
    32,
    63,
    64,
    127,
    128,
    255,
    256,
    4095,
    4096,
    65535,
    65536,
    2 ** 20,
  ],
  ...[30, 31, 32, 33, 40, 47, 52, 53].flatMap((bits) => [2 ** bits - 1, 2 ** bits, 2 ** bits + 1]),
  ...[2 ** 31 - 65536, 2 ** 32 - 100, 2 ** 63, 2 ** 64],
];

/** Values that a JSON object can have by mistake. */
const VALUES = [
  ...[null, true, false, 0, -1, 1.5, 1e308, 4, 8, 2 ** 53, '', 'x', 'bins', '1', [], [1], {}],
  ...['\u0000\u001b[31m\u2028', '\ud800', '<script>', '"&\'', 'ä'.repeat(3000), { toString: 1 }],
];

const encoder = new TextEncoder();

/** Makes choices, the same ones for the same seed. */
class Choice {
  constructor(seed) {
    this.below = randomFrom(seed);
  }

  of(list) {
    return list[this.below(list.length)];
  }

  /** One in so many. */
  rarely(times) {
    return this.below(times) === 0;
  }

  size() {
    if (this.rarely(12)) return this.of(EDGES);
    return this.below(2 ** (1 + this.below(this.rarely(6) ? 31 : 12)));
  }

  bytes(length) {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}

/** What a program could have done; of a size that is rarely large. */
function events(choice) {
  const live = [];
  let top = 65536;
  let time = 0;
  return Array.from({ length: choice.below(choice.rarely(10) ? 3000 : 200) }, () => {
    time += choice.rarely(3) ? choice.below(2 ** choice.below(24)) : 0;
    const common = { time, thread: choice.below(3), stack: choice.below(4), heap: top };
    const kind = choice.of(EVENT_KINDS);
    const previous = live.length ? live.splice(choice.below(live.length), 1)[0] : 0;
    if (kind === 'free') return { ...common, kind, previous: previous || 8 };
    if (previous && kind !== 'realloc') live.push(previous);
    const event = {
      ...common,
      kind,
      size: choice.size(),
      address: choice.rarely(20) ? 0 : (top += 8192),
    };
    if (kind === 'memalign')
      event.alignment = choice.rarely(9) ? choice.size() : 2 ** choice.below(17);
    if (kind === 'realloc') event.previous = previous;
    if (event.address) live.push(event.address);
    else if (event.previous) live.push(event.previous);
    return event;
  });
}

/** The blocks of a valid trace, as `[type, content]`. */
function validBlocks(choice) {
  const stacks = { 1: 'malloc\tplace\nmain', 2: 'größe\n\tx', 3: '' };
  const [, ...blocks] = traceChunks(events(choice), {
    description: { stacks: choice.rarely(2) },
    stacks,
    perBlock: 1 + choice.below(300),
    end: choice.rarely(9) ? null : {},
  });
  return blocks.map((bytes) => [new DataView(bytes.buffer).getUint32(4, true), bytes.slice(20)]);
}

// ---- changes ----

/** Changes an object that is written as JSON. */
function changeJson(choice, content) {
  if (choice.rarely(5)) return encoder.encode(JSON.stringify(choice.of(VALUES)));
  let object = {};
  try {
    object = { ...JSON.parse(new TextDecoder().decode(content)) };
  } catch {
    // It has been changed before.
  }
  const keys = Object.keys(object);
  const key =
    keys.length && !choice.rarely(8) ? choice.of(keys) : choice.of(['__proto__', 'x', '']);
  if (choice.rarely(3)) delete object[key];
  else
    Object.defineProperty(object, key, {
      value: choice.of(VALUES),
      enumerable: true,
      configurable: true,
    });
  const text = JSON.stringify(object);
  // An object may have a key twice.
  const twice = choice.rarely(6)
    ? text.replace(/\}$/, `,${JSON.stringify(key)}:${JSON.stringify(choice.of(VALUES))}}`)
    : text;
  const deep = choice.rarely(20)
    ? twice.replace(/\}$/, `,"deep":${'['.repeat(9999)}${']'.repeat(9999)}}`)
    : twice;
  return encoder.encode(deep);
}

/** Changes the fixed fields before the events. */
function changeHeader(choice, content) {
  const changed = content.slice();
  if (changed.length < 24) return changed;
  const view = new DataView(changed.buffer);
  const strange = [NaN, Infinity, -Infinity, -1, 1e308, 5e-324, 2 ** 53, ...EDGES];
  if (choice.rarely(2)) view.setFloat64(choice.of([8, 16]), choice.of(strange), true);
  else view.setUint32(choice.of([0, 4]), choice.of(EDGES), true);
  return changed;
}

/** Changes bytes, takes some out, puts some in. */
function changeBytes(choice, content) {
  const bytes = [...content];
  for (let i = 1 + choice.below(4); i > 0; --i) {
    const at = choice.below(bytes.length + 1);
    const way = choice.below(5);
    if (way === 0) bytes.splice(at, choice.below(9));
    else if (way === 1) bytes.splice(at, 0, ...choice.bytes(choice.below(12)));
    else if (at < bytes.length)
      bytes[at] = choice.rarely(2) ? choice.of([0, 127, 128, 255]) : choice.below(256);
  }
  return Uint8Array.from(bytes);
}

function changeBlock(choice, [type, content]) {
  if (choice.rarely(12)) return [choice.below(6), content];
  const isJson = type === BLOCK_TYPES.description || type === BLOCK_TYPES.end;
  if (isJson && !choice.rarely(4)) return [type, changeJson(choice, content)];
  if (type === BLOCK_TYPES.events && choice.rarely(4)) return [type, changeHeader(choice, content)];
  return [type, changeBytes(choice, content)];
}

function changeOrder(choice, blocks) {
  const at = choice.below(blocks.length);
  const other = choice.below(blocks.length);
  if (choice.rarely(3)) blocks.splice(at, 1);
  else if (choice.rarely(2)) blocks.splice(at, 0, blocks[other]);
  else [blocks[at], blocks[other]] = [blocks[other], blocks[at]];
}

// ---- from nothing ----

/** Numbers of seven bits a byte, some with no end. */
function anyNumber(choice) {
  const bytes = [];
  let value = BigInt(Math.floor(choice.size()));
  for (; value > 127n; value >>= 7n) bytes.push(Number(value & 127n) | 128);
  if (choice.rarely(40)) bytes.push(...Array.from({ length: choice.below(12) }, () => 255));
  return [...bytes, Number(value)];
}

/** Events that need not be possible. */
function anyEvents(choice) {
  const header = new Uint8Array(24);
  const count = choice.below(choice.rarely(20) ? 2000 : 60);
  new DataView(header.buffer).setUint32(0, count, true);
  const bytes = Array.from({ length: count }, () => {
    const kind = choice.rarely(60) ? choice.below(8) : choice.below(6);
    const flags = choice.rarely(4) ? choice.below(32) << 3 : 0;
    const fields = ((flags >> 4) & 1) + ((flags >> 5) & 1) + ((flags >> 6) & 1);
    const own = [2, 2, 3, 3, 1, 2][kind] ?? 2;
    return [kind | flags, ...Array.from({ length: fields + own }, () => anyNumber(choice)).flat()];
  });
  return [BLOCK_TYPES.events, Uint8Array.from([...header, ...bytes.flat()])];
}

function anyBlock(choice) {
  const way = choice.below(6);
  if (way < 3) return anyEvents(choice);
  if (way === 3) return [choice.below(6), choice.bytes(choice.below(200))];
  if (way === 4) return [BLOCK_TYPES.stack, choice.bytes(choice.below(40))];
  return [BLOCK_TYPES.end, encoder.encode(JSON.stringify(choice.of(VALUES)))];
}

function anyBlocks(choice) {
  const [description] = validBlocks(choice);
  const blocks = Array.from({ length: 1 + choice.below(6) }, () => anyBlock(choice));
  return choice.rarely(5) ? blocks : [description, ...blocks];
}

// ---- the file ----

/** A file from its blocks, each with its number and a checksum that is right. */
function fileOf(blocks) {
  const parts = blocks.map(([type, content], number) => fileBlock(type, number, content));
  return Uint8Array.from([fileHeader(), ...parts].flatMap((part) => [...part]));
}

/** Mostly as it was: the checksums are not mended. */
function damage(choice, bytes) {
  if (choice.rarely(3)) return bytes.subarray(0, choice.below(bytes.length + 1));
  return changeBytes(choice, bytes);
}

/** A file that begins like a trace, or at least nearly: the same one for the same seed. */
export function strangeTrace(seed) {
  const choice = new Choice(seed);
  if (choice.rarely(40)) return Uint8Array.from([...SIGNATURE, ...choice.bytes(choice.below(99))]);
  if (choice.rarely(40)) return fileHeader(choice.of(EDGES));
  let blocks = choice.rarely(3) ? anyBlocks(choice) : validBlocks(choice);
  for (let changes = choice.below(4); changes > 0 && blocks.length; --changes) {
    const at = choice.below(blocks.length);
    if (choice.rarely(5)) changeOrder(choice, blocks);
    else blocks[at] = changeBlock(choice, blocks[at]);
  }
  const bytes = fileOf(blocks);
  return choice.rarely(12) ? damage(choice, bytes) : bytes;
}
