// Runs compilers and programs for the tests.
// Usage: import { emcc, runModule, temporaryFolder, findNode24 } from '../support/emcc.js';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { compareVersions, findEmscripten, onPath } from '../../scripts/emscripten.mjs';
import { findNode } from '../engines/index.js';

/** The project's folder. */
export const project = fileURLToPath(new URL('../..', import.meta.url));

/** The Emscripten port. */
export const port = path.join(project, 'emscripten', 'wasmalloc.py');

/** The table of allocators: `[{ name, file, idea }, …]`. */
export const allocators = JSON.parse(
  readFileSync(path.join(project, 'lib', 'allocators.json'), 'utf8'),
);

/**
 * Runs a program to its end.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd?: string, env?: object, timeout?: number }} [options] `env` comes on top of this
 *   process's; `timeout` in milliseconds, four minutes unless told
 * @returns {Promise<{ stdout: string, stderr: string }>} rejected when the exit code is not 0: the
 *   error's message has the command and all that it printed
 */
export function run(program, args, { cwd, env, timeout = 240_000 } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      timeout,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) return resolve({ stdout, stderr });
      const command = [program, ...args].join(' ');
      const error = new Error(`${command}\nended with ${signal ?? code}:\n${stdout}${stderr}`);
      reject(Object.assign(error, { code, signal, stdout, stderr }));
    });
  });
}

/**
 * Runs emcc, or em++ when an argument names a C++ file.
 *
 * @param {string[]} args
 * @param {{ cwd?: string, env?: object }} [options]
 * @returns {Promise<{ stdout: string, stderr: string }>} as {@link run}
 */
export async function emcc(args, { cwd, env } = {}) {
  const emscripten = findEmscripten();
  const driver = args.some((arg) => /\.(cc|cpp)$/.test(arg)) ? emscripten.emxx : emscripten.emcc;
  return run(driver, args, { cwd, env: { ...emscripten.env, ...env } });
}

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
  return run(node ?? process.execPath, [...nodeFlags, file, ...args], { cwd, timeout: 120_000 });
}

/**
 * Makes a new folder, which is deleted when the tests end.
 *
 * @param {string} [name] the beginning of its name
 * @returns {string}
 */
export function temporaryFolder(name = 'wasmalloc-') {
  const folder = mkdtempSync(path.join(tmpdir(), name));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
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
 * @returns {string} its path
 * @throws {Error} that says what to install
 */
export function findTool(name) {
  const tool = onPath(name);
  if (!tool) throw new Error(`this test needs ${name} on PATH: install ${name}`);
  return tool;
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
