// Compiles the modules of this package, and others. Usage: await loadModule('bins.wasm')
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

/** The tables of this package's modules that have been handed over, by the files' names. */
const tables = new Set();

/**
 * Says where some of this package's modules are: at an address, or in a text. What no table has is looked for in dist/.
 *
 * @param {Record<string, string | (() => URL)>} table base64, or a function that answers an address, by file name
 */
export function addModules(table) {
  tables.add(table);
}

/** The address of a file in dist/. Bundlers do not see it, and are not to: they would look for all that may be there. */
function besideThis(file) {
  return new URL(file, import.meta.url.replace(/js\/[^/]*$/, 'dist/'));
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

/**
 * @param {string} file one of dist/, such as 'bins.wasm'
 * @returns {Promise<WebAssembly.Module>}
 * @throws {LoadError}
 */
export function loadModule(file) {
  const source = [...tables].find((table) => Object.hasOwn(table, file))?.[file];
  if (typeof source === 'string') return compileOnce(file, () => bytesOf(source));
  return loadFrom(source ? source() : besideThis(file));
}
