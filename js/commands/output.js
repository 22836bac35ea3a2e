// Where the command line writes to: files, pipes, devices, and what it says when that fails.
// Usage: print('text'); complain('what is wrong'); writeOutput('map.svg', text)
import { randomUUID } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  openSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { LoadError } from '../errors.js';
import { oneLine } from '../report/text.js';
import { reasonOf } from './reason.js';

const [STDOUT, STDERR] = [1, 2];

/** As many symbolic links as Linux follows. */
const MOST_LINKS = 40;

/** Writes all of it, although a pipe that is full takes none at times. */
function writeAll(descriptor, text) {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

/** Writes to standard output; who has stopped reading there, as `head` does, wants no more. */
function writeToStdout(text) {
  try {
    writeAll(STDOUT, text);
  } catch (error) {
    if (error.code !== 'EPIPE') throw cannotWrite('to standard output', error);
  }
}

/** Prints lines. */
export function print(text) {
  writeToStdout(`${text}\n`);
}

/** Prints one line to standard error. When even that is impossible nobody can be told. */
export function complain(message) {
  // On a terminal the cursor may stand behind what shows the progress.
  const begin = process.stderr.isTTY ? '\r\x1b[K' : '';
  try {
    writeAll(STDERR, `${begin}wasmalloc: ${oneLine(message)}\n`);
  } catch {
    // The exit code still tells.
  }
}

function cannotWrite(what, cause) {
  return new LoadError(`cannot write ${what}: ${reasonOf(cause)}`, { cause });
}

/** The number of the descriptor that a name stands for; undefined for all other names. */
function descriptorOf(file) {
  if (file === '-' || file === '/dev/stdout') return STDOUT;
  if (file === '/dev/stderr') return STDERR;
  const [, number] = /^\/(?:dev|proc\/self)\/fd\/(\d{1,9})$/.exec(file) ?? [];
  return number === undefined ? undefined : Number(number);
}

function linkOf(file) {
  try {
    return readlinkSync(file);
  } catch {
    return undefined; // it is none, or is not there
  }
}

/**
 * What a name stands for after all symbolic links: a `descriptor` that is open already, or the `file` with its `stats`,
 * which are undefined where there is none yet.
 */
function follow(name) {
  let file = name;
  for (let links = 0; links <= MOST_LINKS; ++links) {
    const descriptor = descriptorOf(file);
    if (descriptor !== undefined) return { descriptor };
    const link = linkOf(file);
    if (link === undefined) return { file, stats: statSync(file, { throwIfNoEntry: false }) };
    // The system resolves what is in the link: to do that here would be wrong where a folder is a link, too.
    file = path.isAbsolute(link) ? link : `${realpathSync(path.dirname(file))}${path.sep}${link}`;
  }
  throw new Error('too many symbolic links');
}

/**
 * Throws at once where the work would be in vain.
 *
 * @param {string} name
 * @param {{ dev: number, ino: number }} [input] of the file that is read, which must not be overwritten
 */
export function checkOutput(name, input) {
  try {
    if (name === '') throw new Error('that is no name');
    const { descriptor, file, stats } = follow(name);
    if (descriptor !== undefined) return;
    if (stats?.isDirectory() || /[/\\]$/.test(file)) throw new Error('that is a folder');
    if (stats) accessSync(file, constants.W_OK);
    if (stats && !stats.isFile()) return;
    if (stats && input && stats.dev === input.dev && stats.ino === input.ino)
      throw new Error('that is the trace');
    accessSync(path.dirname(path.resolve(file)), constants.W_OK);
  } catch (error) {
    throw cannotWrite(name, error);
  }
}

function writeAndClose(descriptor, text) {
  try {
    writeAll(descriptor, text);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Writes to what a name stands for: `-` is standard output; pipes and devices are written to, as what they are; of a
 * symbolic link the target is written. A file is either complete or as it was before; of several processes that write
 * it at once, the last one wins.
 */
export function writeOutput(name, text) {
  try {
    const { descriptor, file, stats } = follow(name);
    if (descriptor === STDOUT) writeToStdout(text);
    else if (descriptor !== undefined) writeAll(descriptor, text);
    else if (stats && !stats.isFile()) writeAndClose(openSync(file, 'w'), text);
    else replaceFile(file, stats, text);
  } catch (error) {
    if (error instanceof LoadError) throw error;
    throw cannotWrite(name, error);
  }
}

function replaceFile(file, before, text) {
  // A name of its own for each process; not made from the file's, which may be as long as a name can be.
  const unfinished = path.join(path.dirname(file), `.wasmalloc-${randomUUID()}.unfinished`);
  try {
    writeAndClose(openSync(unfinished, 'wx'), text);
    if (before) takeOver(unfinished, before);
    renameSync(unfinished, file);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
}

/** The owner, where that is allowed, and the rights of the file that is replaced. */
function takeOver(file, { uid, gid, mode }) {
  try {
    chownSync(file, uid, gid);
  } catch {
    // Then it belongs to who has written it.
  }
  chmodSync(file, mode & 0o7777);
}
