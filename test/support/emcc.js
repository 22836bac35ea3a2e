// Runs compilers and programs for the tests.
// Usage: import { emcc, runModule, temporaryFolder, findNode24 } from '../support/emcc.js';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { PROJECT, compareVersions, findEmscripten, onPath } from '../../scripts/emscripten.mjs';
import {
  ALLOCATORS,
  PORT,
  VARIANTS,
  allocatorFlag,
  emcc,
  programFile,
  run,
} from '../../scripts/run.mjs';
import { findNode } from '../engines/index.js';

export { ALLOCATORS as allocators, PORT as port, PROJECT as project, VARIANTS as variants };
export { allocatorFlag, emcc, programFile, run };

/**
 * @param {string} version such as '4.0.0'
 * @returns {boolean} whether emcc is of this version or newer
 */
export function emscriptenIsAtLeast(version) {
  return compareVersions(findEmscripten().version, version) >= 0;
}

/**
 * Runs a program for Node.
 *
 * @param {string} file
 * @param {{ args?: string[], nodeFlags?: string[], node?: string, cwd?: string }} [options] `node` is
 *   another Node than this one
 * @returns {Promise<{ stdout: string, stderr: string }>} as {@link run}
 */
export async function runModule(file, { args = [], nodeFlags = [], node, cwd } = {}) {
  return run(node ?? process.execPath, [...nodeFlags, file, ...args], { cwd });
}

/**
 * @param {string[]} files a program's sources
 * @returns {string[]} linker flags: without them emcc takes every program for C++, and builds libc++ for it in
 *   each variant, which takes most of a minute
 */
export function languageFlags(files) {
  return files.every((file) => file.endsWith('.c')) ? ['-sDEFAULT_TO_CXX=0'] : [];
}

const folders = [];
process.on('exit', () =>
  folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })),
);

/**
 * Makes a new folder, which is deleted when the tests end.
 *
 * @param {string} [name] the beginning of its name
 * @returns {string}
 */
export function temporaryFolder(name = 'wasmalloc-') {
  const folder = mkdtempSync(path.join(tmpdir(), name));
  folders.push(folder);
  return folder;
}

/**
 * A Node that runs 64-bit modules.
 *
 * @returns {string} its path
 * @throws {Error} that says what to install
 */
export function findNode24() {
  const node = Number.parseInt(process.versions.node) >= 24 ? process.execPath : findNode(24);
  if (!node) throw new Error('wasm64 needs Node 24: run `npm ci`, or run the tests with Node 24');
  return node;
}

/**
 * A program that a test needs.
 *
 * @param {string} name
 * @returns {string} the name again: the system looks it up better than {@link onPath}, which also
 *   finds the folder `cmake` that stands beside emcc in Emscripten's own folder
 * @throws {Error} that says what to install
 */
export function findTool(name) {
  if (!onPath(name)) throw new Error(`this test needs ${name} on PATH: install ${name}`);
  return name;
}

/**
 * Whether this is the whole suite: WASMALLOC_TEST_ALL=1 in the environment, as `npm run test:all` sets it. What depends
 * on it is how many calls a fuzzer makes, how many ways to build are tried, and with how many allocators; files that
 * are there for the whole suite only are called `*.slow.test.js`.
 */
export const testAll = !!process.env.WASMALLOC_TEST_ALL;

/**
 * The allocators for one of many ways to build that differ in what is not an allocator's: the general-purpose one,
 * and the others take turns. Or all ({@link testAll}).
 *
 * @template {{ name: string }} T
 * @param {number} turn the number of the way
 * @param {T[]} [all] from whom
 * @returns {T[]}
 */
export function inTurn(turn, all = ALLOCATORS) {
  if (testAll) return all;
  const others = all.filter(({ name }) => name !== 'wasmalloc');
  const other = others[turn % others.length];
  return all.filter((allocator) => allocator.name === 'wasmalloc' || allocator === other);
}

const waiting = [];
let atWork = 0;

/**
 * Does a job when a processor is free, so that many can be asked for at once.
 *
 * @template T
 * @param {() => Promise<T>} job
 * @returns {Promise<T>} a failure counts only for who awaits it
 */
export function queued(job) {
  const result = new Promise((resolve, reject) => {
    waiting.push(() => job().then(resolve, reject));
  });
  result.catch(() => {});
  startNext();
  return result;
}

function startNext() {
  if (atWork >= availableParallelism() || waiting.length === 0) return;
  ++atWork;
  waiting
    .shift()()
    .finally(() => {
      --atWork;
      startNext();
    });
}

const plan = [];

/** So many planned jobs are started ahead of the one that is asked for. */
const AHEAD = 2 * availableParallelism();

/**
 * Plans a job that a test will ask for. It starts then, or when a test a little before it asks for its own:
 * so the processors are busy although tests come one by one. A job must not rely on a `before`.
 *
 * @template T
 * @param {() => Promise<T>} job
 * @returns {() => Promise<T>} asks for the result
 */
export function planned(job) {
  let result;
  const start = () => (result ??= queued(job));
  const place = plan.push(start);
  return () => {
    start();
    plan.slice(place, place + AHEAD).forEach((next) => next());
    return result;
  };
}
