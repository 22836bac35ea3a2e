// The trace that a command reads: from a file, a pipe or a device, which is opened once.
// Usage: const input = await openTrace('app.trace'); try { await readTrace(input.again) } finally { await input.close() }
import { fstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { LoadError } from '../errors.js';
import { reasonOf } from './reason.js';

/** As many bytes are read at a time. */
const CHUNK = 1 << 18;

/** What comes from a pipe is kept where it is read several times: so many bytes at most. */
const MOST_KEPT = 2 ** 28;

/** Names of standard input. */
const STDIN = new Set(['-', '/dev/stdin', '/dev/fd/0', '/proc/self/fd/0']);

function isFile(descriptor) {
  const stats = fstatSync(descriptor);
  return stats.isFile() || stats.isDirectory();
}

/** A regular file, from its beginning each time, whatever stands under its name by now. */
async function* chunksOfFile(handle) {
  for (let position = 0; ;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** What can be read only once, so that it can be read again. */
class Kept {
  #source;
  #chunks = [];
  #bytes = 0;

  constructor(source) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async *chunks() {
    for (let i = 0; ; ++i) {
      if (i === this.#chunks.length && !(await this.#readOn())) return;
      yield this.#chunks[i];
    }
  }

  async #readOn() {
    const { done, value } = await this.#source.next();
    if (done) return false;
    this.#chunks.push(value);
    this.#bytes += value.length;
    if (this.#bytes > MOST_KEPT)
      throw new Error(`more than ${MOST_KEPT / 2 ** 20} MiB from a pipe: write it to a file first`);
    return true;
  }
}

/** Says which file it is that cannot be read. */
async function* namingFile(name, chunks) {
  try {
    yield* chunks;
  } catch (cause) {
    throw cannotRead(name, cause);
  }
}

function cannotRead(name, cause) {
  return new LoadError(
    `cannot read ${name === '-' ? 'standard input' : name}: ${reasonOf(cause)}`,
    { cause },
  );
}

/**
 * Opens a trace.
 *
 * @param {string} name `-` is standard input
 * @returns {Promise<{ stats?: import('node:fs').Stats, once: unknown, again: () => AsyncIterable<Uint8Array>, close:
 *   () => Promise<void> }>} its `stats` if it is a file; sources for `readTrace()`, one of which is to be chosen: to be
 *   read once, or as often as needed
 */
export async function openTrace(name) {
  let handle;
  try {
    if (STDIN.has(name) && !isFile(0))
      return fromStream(name, process.stdin, async () => process.stdin.destroy());
    handle = await open(name === '-' ? '/dev/stdin' : name, 'r');
    const stats = await handle.stat();
    if (stats.isDirectory()) throw new Error('that is a folder');
    if (!stats.isFile())
      return fromStream(
        name,
        handle.createReadStream({ highWaterMark: CHUNK, autoClose: false }),
        () => handle.close(),
      );
    const again = () => namingFile(name, chunksOfFile(handle));
    return { stats, once: again, again, close: () => handle.close() };
  } catch (error) {
    await handle?.close();
    throw cannotRead(name, error);
  }
}

function fromStream(name, stream, close) {
  let kept;
  return {
    once: namingFile(name, stream),
    again: () => namingFile(name, (kept ??= new Kept(stream)).chunks()),
    close,
  };
}
