// The script language: a list of requests to an allocator, one a line.
// Usage: const requests = readScript('a = alloc 24\nfree a')
//
//   a = alloc 24           a block of 24 bytes, called a; without a name it gets one
//   alloc 16..200          a random size; `seed 7` begins another row of random numbers
//   a = realloc a 48       changes the size; `realloc a 48` is the same
//   free a                 also: oldest, newest, random, all, or `every 2` of the blocks, from the oldest on
//   sbrk 64                other code takes 64 bytes of linear memory
//   repeat 5 { ... }       may hold others
//   # a comment
//
// A script is read as a whole before anything runs, for what it asks for does not depend on the allocator.

/** So many requests a script may make: all of them are drawn. */
export const MOST_REQUESTS = 600;

/** So large a block may be: linear memory here has 4 pages. */
export const LARGEST_SIZE = 1 << 18;

/** What is wrong with a script, and in which line. */
export class ScriptError extends Error {
  constructor(line, message) {
    super(`line ${line}: ${message}`);
    this.name = 'ScriptError';
    this.line = line;
  }
}

/** Words that cannot be a block's name. */
const WORDS = ['alloc', 'realloc', 'free', 'sbrk', 'repeat', 'seed'];
const CHOICES = ['oldest', 'newest', 'random', 'all', 'every'];

const COMMANDS =
  'a line is one of: a = alloc 24, a = realloc a 48, free a, sbrk 64, repeat 5 { … }';

/** Splits a script into words, each with its line; the end of a line is a word, too. */
function split(text) {
  const words = [];
  text.split('\n').forEach((row, index) => {
    const code = row.replace(/#.*/, '');
    for (const [word] of code.matchAll(/\d+\.\.\d+|[\p{L}_][\p{L}\d_]*|\d+|\S/gu))
      words.push({ word, line: index + 1 });
    words.push({ word: '\n', line: index + 1 });
  });
  return words;
}

/** Reads words into commands: `{ line, command, ... }`. */
class Reader {
  #position = 0;

  constructor(text) {
    this.words = split(text);
    this.lines = this.words.at(-1).line;
  }

  readAll() {
    return this.#commands(undefined);
  }

  get #next() {
    return this.words[this.#position] ?? { word: undefined, line: this.lines };
  }

  #take() {
    const next = this.#next;
    ++this.#position;
    return next;
  }

  #commands(opening) {
    const commands = [];
    for (;;) {
      const { word, line } = this.#next;
      if (word === undefined) {
        if (opening) throw new ScriptError(opening, 'repeat { has no } that ends it');
        return commands;
      }
      if (word === '\n' || word === ';') {
        this.#take();
      } else if (word === '}') {
        if (!opening) throw new ScriptError(line, 'this } ends nothing');
        this.#take();
        return commands;
      } else {
        commands.push(this.#command());
        const after = this.#next;
        if (after.word !== undefined && !['\n', ';', '}'].includes(after.word))
          throw new ScriptError(after.line, `${after.word} is too much here`);
      }
    }
  }

  #command() {
    const { word, line } = this.#take();
    switch (word) {
      case 'alloc':
        return { line, command: 'alloc', size: this.#size(line, 'alloc') };
      case 'realloc':
        return { line, command: 'realloc', name: this.#name(line), size: this.#size(line, word) };
      case 'free':
        return { line, command: 'free', ...this.#choice(line) };
      case 'sbrk':
        return { line, command: 'sbrk', size: this.#size(line, 'sbrk') };
      case 'seed':
        return { line, command: 'seed', seed: this.#number(line, 'seed takes a number') };
      case 'repeat': {
        const times = this.#number(line, 'repeat takes a number: repeat 5 { … }');
        this.#expect(line, '{', 'after repeat and its number comes {');
        return { line, command: 'repeat', times, commands: this.#commands(line) };
      }
      default:
        return this.#assignment(word, line);
    }
  }

  #assignment(name, line) {
    if (!/^[\p{L}_]/u.test(name) || CHOICES.includes(name))
      throw new ScriptError(line, `${name} is no command: ${COMMANDS}`);
    if (this.#next.word !== '=') throw new ScriptError(line, `${name} is no command: ${COMMANDS}`);
    this.#take();
    const { word } = this.#take();
    if (word === 'alloc') return { line, command: 'alloc', name, size: this.#size(line, 'alloc') };
    if (word !== 'realloc') throw new ScriptError(line, `after ${name} = comes alloc or realloc`);
    const old = this.#name(line);
    return { line, command: 'realloc', name: old, newName: name, size: this.#size(line, word) };
  }

  #expect(line, wanted, message) {
    while (this.#next.word === '\n') this.#take();
    if (this.#next.word !== wanted) throw new ScriptError(line, message);
    this.#take();
  }

  #number(line, message) {
    const { word } = this.#next;
    if (!/^\d+$/.test(word ?? '')) throw new ScriptError(line, message);
    this.#take();
    return Number(word);
  }

  /** A size in bytes, or two for any between them. */
  #size(line, command) {
    const { word } = this.#next;
    const parts = /^\d+(\.\.\d+)?$/.test(word ?? '') ? word.split('..').map(Number) : [];
    if (!parts.length)
      throw new ScriptError(
        line,
        `${command} needs a size in bytes: 24, or 16..200 for a random one`,
      );
    this.#take();
    const [least, most = least] = parts;
    if (least > most)
      throw new ScriptError(line, `${word} is empty: the smaller number comes first`);
    if (most > LARGEST_SIZE)
      throw new ScriptError(line, `${most} bytes are too many: at most ${LARGEST_SIZE}`);
    return [least, most];
  }

  #name(line) {
    const { word } = this.#next;
    if (!/^[\p{L}_]/u.test(word ?? '') || WORDS.includes(word) || CHOICES.includes(word))
      throw new ScriptError(line, 'realloc needs the name of a block and a size: realloc a 48');
    this.#take();
    return word;
  }

  #choice(line) {
    const { word } = this.#next;
    if (!/^[\p{L}_]/u.test(word ?? '') || WORDS.includes(word))
      throw new ScriptError(
        line,
        'free needs a name, or one of oldest, newest, random, all, every 2',
      );
    this.#take();
    if (word !== 'every') return CHOICES.includes(word) ? { choice: word } : { name: word };
    const step = this.#number(line, 'every takes a number: free every 2');
    if (step < 1) throw new ScriptError(line, 'every takes a number from 1 on');
    return { choice: 'every', step };
  }
}

/** Random numbers that are the same every time (xorshift, Marsaglia 2003). */
class Random {
  constructor(seed) {
    this.state = (seed * 2654435769 + 88172645) >>> 0 || 1;
  }

  /** A whole number from `least` to `most`. */
  between(least, most) {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x >>> 0;
    return least + (this.state % (most - least + 1));
  }
}

/** The n-th name that blocks get that have none: a, b, ... z, a1, b1, ... */
function letterName(n) {
  const round = Math.floor(n / 26);
  return String.fromCharCode(97 + (n % 26)) + (round || '');
}

/** Carries commands out, as far as that is possible without an allocator. */
class Expander {
  requests = [];
  #live = []; // the blocks there are, the oldest first: { block, name, line }
  #names = new Map(); // from a name to the block that was called so last
  #freedIn = new Map(); // from a name to the line in which its block was freed
  #random = new Random(1);
  #blocks = 0;

  constructor(taken) {
    this.taken = taken;
  }

  run(commands) {
    for (const command of commands) this[command.command](command);
  }

  #request(request) {
    if (this.requests.length === MOST_REQUESTS)
      throw new ScriptError(request.line, `these are more than ${MOST_REQUESTS} requests`);
    this.requests.push(request);
  }

  #size([least, most]) {
    return least === most ? least : this.#random.between(least, most);
  }

  #newName() {
    for (let n = 0; ; ++n) {
      const name = letterName(n);
      if (!this.#names.has(name) && !this.taken.has(name)) return name;
    }
  }

  #find(line, name) {
    const found = this.#names.get(name);
    if (found) return found;
    const freedIn = this.#freedIn.get(name);
    throw new ScriptError(
      line,
      freedIn ? `${name} was freed in line ${freedIn}` : `there is no block called ${name}`,
    );
  }

  #free(line, entry) {
    this.#live.splice(this.#live.indexOf(entry), 1);
    if (this.#names.get(entry.name) === entry) {
      this.#names.delete(entry.name);
      this.#freedIn.set(entry.name, line);
    }
    this.#request({ line, kind: 'free', block: entry.block, name: entry.name });
  }

  alloc({ line, name = this.#newName(), size }) {
    const entry = { block: this.#blocks++, name };
    this.#live.push(entry);
    this.#names.set(name, entry);
    this.#request({ line, kind: 'alloc', block: entry.block, name, bytes: this.#size(size) });
  }

  realloc({ line, name, newName = name, size }) {
    const entry = this.#find(line, name);
    this.#names.delete(name);
    entry.name = newName;
    this.#names.set(newName, entry);
    const bytes = this.#size(size);
    this.#request({ line, kind: 'realloc', block: entry.block, name: newName, bytes });
  }

  free({ line, name, choice, step = 1 }) {
    if (name !== undefined) return this.#free(line, this.#find(line, name));
    const live = [...this.#live];
    if (choice === 'all' || choice === 'every')
      return live.forEach((entry, index) => {
        if (index % step === 0) this.#free(line, entry);
      });
    if (!live.length) throw new ScriptError(line, `free ${choice}: there is no block`);
    if (choice === 'oldest') return this.#free(line, live[0]);
    if (choice === 'newest') return this.#free(line, live.at(-1));
    this.#free(line, live[this.#random.between(0, live.length - 1)]);
  }

  sbrk({ line, size }) {
    this.#request({ line, kind: 'sbrk', bytes: this.#size(size) });
  }

  seed({ seed }) {
    this.#random = new Random(seed);
  }

  repeat({ line, times, commands }) {
    if (times > MOST_REQUESTS)
      throw new ScriptError(line, `${times} times are too many: at most ${MOST_REQUESTS}`);
    for (let i = 0; i < times; ++i) this.run(commands);
  }
}

/** The names that a script gives. */
function namesIn(commands) {
  return commands.flatMap(({ command, commands: inner, name, newName }) => {
    if (inner) return namesIn(inner);
    return command === 'alloc' ? [name] : [newName];
  });
}

/**
 * Reads a script.
 *
 * @param {string} text
 * @returns {{ line: number, kind: 'alloc' | 'realloc' | 'free' | 'sbrk', block?: number, name?: string,
 *   bytes?: number }[]} the requests that it makes, in order; `block` numbers the blocks, and what alloc and
 *   realloc answer is its address from then on
 * @throws {ScriptError} where it cannot be read, or asks for what cannot be
 */
export function readScript(text) {
  const commands = new Reader(text).readAll();
  const expander = new Expander(new Set(namesIn(commands)));
  expander.run(commands);
  return expander.requests;
}

/**
 * The blocks that a program has after the first `count` requests.
 *
 * @returns {Map<number, string>} from a block's number to its name
 */
export function liveBlocks(requests, count = requests.length) {
  const live = new Map();
  for (const { kind, block, name } of requests.slice(0, count)) {
    if (kind === 'free') live.delete(block);
    else if (kind !== 'sbrk') live.set(block, name);
  }
  return live;
}
