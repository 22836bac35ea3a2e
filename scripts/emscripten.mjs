// Usage: import { findEmscripten, ensureEmscripten, llvmTool } from './emscripten.mjs';
//
// Where is emcc? Every script that compiles asks here, and nowhere else: an `emcc` on PATH wins when
// it is new enough; otherwise the toolchain that `npm run toolchain` keeps in `.cache/toolchain/`.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The oldest Emscripten that this project links with. */
export const OLDEST_EMSCRIPTEN = '3.1.69';

/** The project's own folder. */
export const PROJECT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** The folder that `npm run toolchain` owns; git ignores it. */
export const TOOLCHAIN = path.join(PROJECT, '.cache', 'toolchain');

/** The unpacked toolchain; it counts only when {@link STAMP} says that it is complete. */
export const TOOLCHAIN_ROOT = path.join(TOOLCHAIN, 'root');

/** Written last by the installation: which version is here, and for which folder it was made. */
export const STAMP = path.join(TOOLCHAIN, 'installed.json');

/**
 * An Emscripten that can be called.
 *
 * @typedef {object} Emscripten
 * @property {string} emcc the C compiler driver
 * @property {string} emxx the C++ compiler driver (em++)
 * @property {string} emar the archiver
 * @property {string} emcmake the wrapper that configures CMake for Emscripten
 * @property {string} emConfig em-config, which prints one value of Emscripten's configuration
 * @property {string} version for example '6.0.5'
 * @property {Record<string, string>} env what a child needs on top of process.env
 * @property {'PATH' | 'project'} source where it was found
 * @property {string} llvmBin the folder of wasm-ld, llvm-nm, llvm-objcopy; see {@link llvmTool}
 * @property {string} binaryenBin the folder of wasm-opt
 */

/**
 * Compares two versions like '3.1.69' number by number.
 *
 * @param {string} a
 * @param {string} b
 * @returns {number} below, equal to or above zero as `a` is older than, equal to or newer than `b`
 */
export function compareVersions(a, b) {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  const differing = [0, 1, 2].find((i) => left[i] !== right[i]);
  return differing === undefined ? 0 : left[differing] - right[differing];
}

/**
 * Looks a program up on PATH.
 *
 * @param {string} name
 * @returns {string | undefined} its path, or undefined
 */
export function onPath(name) {
  return (process.env.PATH ?? '')
    .split(path.delimiter)
    .filter(Boolean)
    .map((folder) => path.join(folder, name))
    .find((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
}

/** The drivers live side by side, whoever installed them. */
function drivers(folder) {
  return {
    emcc: path.join(folder, 'emcc'),
    emxx: path.join(folder, 'em++'),
    emar: path.join(folder, 'emar'),
    emcmake: path.join(folder, 'emcmake'),
    emConfig: path.join(folder, 'em-config'),
  };
}

function firstLine(program, args) {
  const { status, stdout } = spawnSync(program, args, { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n', 1)[0].trim() : undefined;
}

const isTooOld = ({ version }) => compareVersions(version, OLDEST_EMSCRIPTEN) < 0;

/** @returns {Emscripten | undefined} the one on PATH, of whatever version */
function emscriptenOnPath() {
  const emcc = onPath('emcc');
  if (!emcc) return undefined;
  const version = firstLine(emcc, ['--version'])?.match(/\d+\.\d+\.\d+/)?.[0];
  if (!version) throw new Error(`${emcc} is on PATH, but \`emcc --version\` prints no version.`);
  const tools = drivers(path.dirname(emcc));
  const llvmBin = firstLine(tools.emConfig, ['LLVM_ROOT']) ?? '';
  const binaryenBin = path.join(firstLine(tools.emConfig, ['BINARYEN_ROOT']) ?? '', 'bin');
  return { ...tools, version, env: {}, source: 'PATH', llvmBin, binaryenBin };
}

/** The stamp, when the installation in this folder is complete; undefined otherwise. */
export function readStamp() {
  if (!existsSync(STAMP)) return undefined;
  const stamp = JSON.parse(readFileSync(STAMP, 'utf8'));
  // The programs carry the absolute path of their loader: a folder that has moved does not run.
  return stamp.root === TOOLCHAIN_ROOT && existsSync(TOOLCHAIN_ROOT) ? stamp : undefined;
}

/** What tells emcc which Python to take: `python3` may be a script that looks for one, at each start anew. */
function findPython() {
  const python = firstLine('python3', ['-c', 'import sys; print(sys.executable)']);
  return python ? { EMSDK_PYTHON: python } : {};
}

/** @returns {Emscripten} the project's own toolchain, taken to be complete */
export function projectEmscripten(version) {
  const folder = path.join(TOOLCHAIN_ROOT, 'emscripten');
  return {
    ...drivers(folder),
    version,
    env: {
      EM_CONFIG: path.join(folder, '.emscripten'),
      EM_NODE_JS: process.execPath,
      ...findPython(),
      // The folder's stamp says that all is there.
      EMCC_SKIP_SANITY_CHECK: '1',
    },
    source: 'project',
    llvmBin: path.join(TOOLCHAIN_ROOT, 'llvm', 'bin'),
    binaryenBin: path.join(TOOLCHAIN_ROOT, 'binaryen', 'bin'),
  };
}

let found;

/**
 * Finds an Emscripten that is new enough. Remembers what it found: ask as often as you like.
 *
 * @returns {Emscripten}
 * @throws {Error} that says what to do when there is none
 */
export function findEmscripten() {
  return (found ??= search());
}

function search() {
  const candidate = emscriptenOnPath();
  if (candidate && !isTooOld(candidate)) return candidate;
  const stamp = readStamp();
  if (stamp) return projectEmscripten(stamp.version);
  throw new Error(
    candidate
      ? `${candidate.emcc} is Emscripten ${candidate.version}; wasmalloc needs ` +
          `${OLDEST_EMSCRIPTEN} or newer. Put a newer one on PATH, or run \`npm run toolchain\`.`
      : 'There is no Emscripten: no emcc on PATH. ' +
          `Run \`npm run toolchain\`, or install Emscripten ${OLDEST_EMSCRIPTEN} or newer.`,
  );
}

/**
 * Finds an Emscripten, and installs the project's own one first when there is none.
 *
 * @returns {Promise<Emscripten>}
 */
export async function ensureEmscripten() {
  try {
    return findEmscripten();
  } catch {
    const { install } = await import('./toolchain.mjs');
    await install();
    return findEmscripten();
  }
}

/**
 * The path of an LLVM program. Debian's own packages name them with the version (`wasm-ld-21`).
 *
 * @param {string} name for example 'wasm-ld' or 'llvm-nm'
 * @param {Emscripten} [emscripten]
 * @returns {string}
 * @throws {Error} when this LLVM has no such program
 */
export function llvmTool(name, emscripten = findEmscripten()) {
  const plain = path.join(emscripten.llvmBin, name);
  if (existsSync(plain)) return plain;
  const versioned = readdirSync(emscripten.llvmBin)
    .filter((file) => file.startsWith(`${name}-`) && /^\d+$/.test(file.slice(name.length + 1)))
    .sort((a, b) => Number(b.slice(name.length + 1)) - Number(a.slice(name.length + 1)));
  if (versioned.length === 0) throw new Error(`There is no ${name} in ${emscripten.llvmBin}.`);
  return path.join(emscripten.llvmBin, versioned[0]);
}

/**
 * The path of a Binaryen program.
 *
 * @param {string} name for example 'wasm-opt'
 * @param {Emscripten} [emscripten]
 * @returns {string}
 * @throws {Error} when this Binaryen has no such program
 */
export function binaryenTool(name, emscripten = findEmscripten()) {
  const file = path.join(emscripten.binaryenBin, name);
  if (!existsSync(file)) throw new Error(`There is no ${name} in ${emscripten.binaryenBin}.`);
  return file;
}
