// Compiles the modules of this package and others. Usage: await loadFrom(new URL('…/bins.wasm'))
import { builtin } from './builtin.js';
import { LoadError } from './errors.js';

/** Compiled modules by where they come from, so that a second heap of a kind costs an instantiation only. */
const compiled = new Map();

async function fetchBytes(url) {
  // Node's fetch knows no files.
  const fs = url.protocol === 'file:' ? builtin('node:fs') : undefined;
  if (fs) return fs.promises.readFile(url);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`HTTP status ${response.status} ${response.statusText}`.trim());
  return response.arrayBuffer();
}

async function compileFrom(where, getBytes) {
  try {
    return await WebAssembly.compile(await getBytes());
  } catch (cause) {
    compiled.delete(where); // the next call may have more luck
    throw new LoadError(`cannot load ${where}: ${cause.message}`, { cause });
  }
}

function compileOnce(where, getBytes) {
  if (!compiled.has(where)) compiled.set(where, compileFrom(where, getBytes));
  return compiled.get(where);
}

/**
 * @param {URL} url
 * @returns {Promise<WebAssembly.Module>}
 * @throws {LoadError}
 */
export function loadFrom(url) {
  return compileOnce(url.href, () => fetchBytes(url));
}

/**
 * @param {string} name by which the module is known afterwards
 * @param {string} base64 its bytes
 * @returns {Promise<WebAssembly.Module>}
 * @throws {LoadError}
 */
export function loadEmbedded(name, base64) {
  return compileOnce(name, () => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)));
}
