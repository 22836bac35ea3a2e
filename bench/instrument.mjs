// Has a module tell each access to its memory to functions of its own: what bench/threads/transfers.c counts.
// Usage: import { instrument } from './instrument.mjs'; writeFileSync(file, instrument(readFileSync(file)))
//
// wasm-opt can do it for loads and stores only. What threads do to each other is in atomic exchanges most of all, and
// in copies; and the functions that are called are the module's own here, not JavaScript's.

/** The allocator's functions: a call of one of them is told, and its end. */
const ALLOCATOR = ['malloc', 'calloc', 'realloc', 'memalign', 'free'];

/** What the functions' names begin with that are told, and that tell nothing themselves. */
const PREFIX = 'uncounted_';

/** What transfers.c is told of an access, beside its bytes. */
const WRITES = 16;
const IS_ATOMIC_CHANGE = 32;

// ---- reading ----

/** Reads a module, or a part of it. */
class Reader {
  constructor(bytes, at = 0, end = bytes.length) {
    Object.assign(this, { bytes, at, end });
  }

  byte() {
    return this.bytes[this.at++];
  }

  /** An unsigned number. Signed ones are as long. */
  number() {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  list(read) {
    return Array.from({ length: this.number() }, read);
  }

  name() {
    const length = this.number();
    this.at += length;
    return Buffer.from(
      this.bytes.buffer,
      this.bytes.byteOffset + this.at - length,
      length,
    ).toString();
  }

  limits() {
    const flags = this.byte();
    this.number();
    if (flags & 1) this.number();
  }
}

/** A number as it stands in a module: unsigned, or signed. */
function encoded(value, isSigned = false) {
  const bytes = [];
  const last = isSigned ? 63 : 127;
  for (; value > last; value = Math.floor(value / 128)) bytes.push((value & 127) | 128);
  return [...bytes, value];
}

// ---- instructions ----

const I32 = 0x7f;
const I64 = 0x7e;
const F32 = 0x7d;
const F64 = 0x7c;

const LOAD = 0x28;
const STORE = 0x36;
const LAST_STORE = 0x3e;
const CALL = 0x10;
const LOCAL_GET = 0x20;
const LOCAL_SET = 0x21;
const I32_CONST = 0x41;
const PREFIXED = 0xfc;
const ATOMIC = 0xfe;
const COPY = 10;
const FILL = 11;
const WAIT32 = 1;

/** The bytes of each load from i32.load on, and of each store; and a store's type. */
const LOADED = [4, 8, 4, 8, 1, 1, 2, 2, 1, 1, 2, 2, 4, 4];
const STORED = [4, 8, 4, 8, 1, 2, 1, 2, 4];
const STORED_TYPES = [I32, I64, F32, F64, I32, I32, I64, I64, I64];

/** The bytes and types of the seven of each kind of atomic access: load, store, add … exchange, compare. */
const ATOMIC_BYTES = [4, 8, 1, 2, 1, 2, 4];
const ATOMIC_TYPES = [I32, I64, I32, I32, I64, I64, I64];
const FIRST_ATOMIC = 0x10;
const [ATOMIC_LOADS, ATOMIC_STORES, EXCHANGES, COMPARES] = [0, 1, 7, 8];

/** How many numbers follow an instruction that is none of those with a case of their own. */
function operandsOf(code) {
  if (code === 0x11 || code === 0x13 || (code >= LOAD && code <= LAST_STORE)) return 2;
  const one = [0x0c, 0x0d, CALL, 0x12, 0x3f, 0x40, I32_CONST, 0x42, 0xd0, 0xd2];
  if (one.includes(code) || (code >= LOCAL_GET && code <= 0x26)) return 1;
  const none = [0x00, 0x01, 0x05, 0x0b, 0x0f, 0x1a, 0x1b, 0xd1];
  return none.includes(code) || (code >= 0x45 && code <= 0xc4) ? 0 : undefined;
}

/** The same for those that begin with PREFIXED. */
const PREFIXED_OPERANDS = [0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 1, 2, 1, 2, 1, 1, 1];

/** Reads an instruction: its code and the one behind a prefix, and its operands. */
function instruction(reader) {
  const code = reader.byte();
  if (code === 0x02 || code === 0x03 || code === 0x04) return { code, operands: [reader.number()] };
  if (code === 0x0e)
    return { code, operands: [...reader.list(() => reader.number()), reader.number()] };
  if (code === 0x1c) return { code, operands: reader.list(() => reader.byte()) };
  if (code === 0x43 || code === 0x44) {
    reader.at += code === 0x43 ? 4 : 8;
    return { code, operands: [] };
  }
  const isPrefixed = code === PREFIXED || code === ATOMIC;
  const second = isPrefixed ? reader.number() : undefined;
  const count =
    code === PREFIXED
      ? PREFIXED_OPERANDS[second]
      : code === ATOMIC
        ? second === 3
          ? 1
          : 2
        : operandsOf(code);
  if (count === undefined)
    throw new Error(`the instruction 0x${code.toString(16)} cannot be counted`);
  return { code, second, operands: Array.from({ length: count }, () => reader.number()) };
}

// ---- rewriting ----

const constant = (value) => [I32_CONST, ...encoded(value, true)];
const get = (local) => [LOCAL_GET, ...encoded(local)];
const set = (local) => [LOCAL_SET, ...encoded(local)];

/** What is called, by name, and who is of the allocator, by number. */
function calls(exported) {
  const numberOf = (name) => {
    const number = exported.get(PREFIX + name);
    if (number === undefined) throw new Error(`the module has no ${PREFIX}${name}`);
    return number;
  };
  return (name) => [CALL, ...encoded(numberOf(name))];
}

/** The types of the locals that a function gets more. */
const MORE_LOCALS = [I32, I32, I32, I64, I64, F32, F64];

/** The numbers of those of a type, in a function that has so many locals already. */
function moreLocals(type, count) {
  return MORE_LOCALS.flatMap((each, i) => (each === type ? [count + i] : []));
}

/** What stands instead of an instruction; undefined where it stays as it is. */
function counted({ code, second, operands }, own, { call, allocator, locals }) {
  const access = (offset, kind) => [...constant(offset), ...constant(kind), ...call('access')];
  const offset = operands[1];
  if (code === CALL && allocator.has(operands[0]))
    return [...call('enter'), ...own, ...call('leave')];
  if (code >= LOAD && code < STORE) return [...access(offset, LOADED[code - LOAD]), ...own];
  if (code >= STORE && code <= LAST_STORE) {
    const [value] = moreLocals(STORED_TYPES[code - STORE], locals);
    const told = access(offset, STORED[code - STORE] | WRITES);
    return [...set(value), ...told, ...get(value), ...own];
  }
  if (code === PREFIXED && (second === COPY || second === FILL)) {
    const [to, from, bytes] = moreLocals(I32, locals);
    const range = (start, isWrite) => [
      ...get(start),
      ...get(bytes),
      ...constant(isWrite),
      ...call('range'),
    ];
    return [
      ...[bytes, from, to].flatMap(set),
      ...(second === COPY ? range(from, 0) : []),
      ...range(to, 1),
      ...[to, from, bytes].flatMap(get),
      ...own,
    ];
  }
  if (code === ATOMIC && second === WAIT32) return [...constant(offset), ...call('wait')];
  if (code !== ATOMIC || second < FIRST_ATOMIC) return undefined;
  const kind = Math.floor((second - FIRST_ATOMIC) / ATOMIC_BYTES.length);
  const which = (second - FIRST_ATOMIC) % ATOMIC_BYTES.length;
  const bytes = ATOMIC_BYTES[which];
  const type = ATOMIC_TYPES[which];
  if (kind === ATOMIC_LOADS) return [...access(offset, bytes), ...own];
  const values = moreLocals(type, locals).slice(0, kind === COMPARES ? 2 : 1);
  const change = kind === ATOMIC_STORES ? WRITES : WRITES | IS_ATOMIC_CHANGE;
  const told = [
    ...values.toReversed().flatMap(set),
    ...access(offset, bytes | change),
    ...values.flatMap(get),
    ...own,
  ];
  if (type !== I32 || kind < EXCHANGES) return told;
  return [...told, ...values.flatMap(get), ...call(kind === COMPARES ? 'compared' : 'exchanged')];
}

/** A function's body with all accesses told. */
function countedBody(reader, end, { parameters, ...context }) {
  const groups = reader.list(() => [reader.number(), reader.byte()]);
  const locals = parameters + groups.reduce((sum, [count]) => sum + count, 0);
  const all = [...groups, ...MORE_LOCALS.map((type) => [1, type])];
  const bytes = [
    ...encoded(all.length),
    ...all.flatMap(([count, type]) => [...encoded(count), type]),
  ];
  while (reader.at < end) {
    const start = reader.at;
    const read = instruction(reader);
    const own = reader.bytes.subarray(start, reader.at);
    for (const byte of counted(read, own, { ...context, locals }) ?? own) bytes.push(byte);
  }
  return bytes;
}

/** The module's sections: `{ id, start, end }`, without their heads. */
function sectionsOf(bytes) {
  const reader = new Reader(bytes, 8);
  const sections = [];
  while (reader.at < reader.end) {
    const id = reader.byte();
    const size = reader.number();
    sections.push({ id, start: reader.at, end: reader.at + size });
    reader.at += size;
  }
  return sections;
}

/** The types of imported functions, by number; other imports have none. */
function importedFunctions(reader) {
  const types = reader.list(() => {
    reader.name();
    reader.name();
    const kind = reader.byte();
    if (kind === 0) return reader.number();
    if (kind === 1) reader.byte();
    if (kind === 1 || kind === 2) reader.limits();
    else reader.at += 2;
    return undefined;
  });
  return types.filter((type) => type !== undefined);
}

const SECTIONS = { types: 1, imports: 2, functions: 3, exports: 7, code: 10 };

/**
 * Has each load, store, atomic access, copy and fill of memory told to `uncounted_access` and the others of
 * bench/threads/transfers.c, which the module contains; their names say which functions are left as they are.
 *
 * @param {Uint8Array} bytes a module for wasm32 that exports the allocator's functions
 * @returns {Uint8Array}
 */
export function instrument(bytes) {
  const sections = sectionsOf(bytes);
  const section = (name) => {
    const { start, end } = sections.find(({ id }) => id === SECTIONS[name]);
    return new Reader(bytes, start, end);
  };
  const types = section('types');
  const parameters = types.list(() => {
    types.byte();
    const count = types.list(() => types.byte()).length;
    types.list(() => types.byte());
    return count;
  });
  const imported = importedFunctions(section('imports'));
  const functions = section('functions');
  const typeOf = functions.list(() => functions.number());
  const exports = section('exports');
  const exported = new Map(
    exports.list(() => {
      const name = exports.name();
      return [exports.byte() === 0 ? name : '', exports.number()];
    }),
  );
  const call = calls(exported);
  const allocator = new Set(ALLOCATOR.map((name) => exported.get(name)).filter(Boolean));
  const own = [...exported].filter(([name]) => name.startsWith(PREFIX));
  const uncounted = new Set(own.map(([, number]) => number));

  const code = section('code');
  const bodies = code
    .list(() => undefined)
    .map((_, i) => {
      const size = code.number();
      const start = code.at;
      const end = start + size;
      code.at = end;
      if (uncounted.has(imported.length + i)) return bytes.subarray(start, end);
      const reader = new Reader(bytes, start, end);
      return countedBody(reader, end, { call, allocator, parameters: parameters[typeOf[i]] });
    });
  const rewritten = [
    encoded(bodies.length),
    ...bodies.flatMap((body) => [encoded(body.length), body]),
  ].map((part) => Buffer.from(part));
  const size = rewritten.reduce((sum, { length }) => sum + length, 0);
  const parts = sections.flatMap(({ id, start, end }) =>
    id === SECTIONS.code
      ? [Buffer.from([id, ...encoded(size)]), ...rewritten]
      : [Buffer.from([id, ...encoded(end - start)]), bytes.subarray(start, end)],
  );
  return Buffer.concat([bytes.subarray(0, 8), ...parts]);
}
