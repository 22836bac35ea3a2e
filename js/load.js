// Fetches and compiles the modules in dist/. Usage: await loadModule('bins.wasm')
import { LoadError } from './errors.js';

/** Compiled modules by address, so that a second heap of a kind costs an instantiation only. */
const compiled = new Map();

async function fetchBytes(url) {
  // Node's fetch knows no files.
  if (url.protocol === 'file:' && globalThis.process?.versions?.node) {
    const { readFile } = await import(
      /* webpackIgnore: true */ /* @vite-ignore */ 'node:fs/promises'
    );
    return readFile(url);
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`HTTP status ${response.status} ${response.statusText}`.trim());
  return response.arrayBuffer();
}

async function compileFrom(url) {
  try {
    return await WebAssembly.compile(await fetchBytes(url));
  } catch (cause) {
    compiled.delete(url.href); // the next call may have more luck
    throw new LoadError(`cannot load ${url.href}: ${cause.message}`, { cause });
  }
}

/**
 * @param {string | URL} file a file of dist/, or an absolute URL
 * @returns {Promise<WebAssembly.Module>}
 * @throws {LoadError}
 */
export function loadModule(file) {
  const url = new URL(file, new URL('../dist/', import.meta.url));
  if (!compiled.has(url.href)) compiled.set(url.href, compileFrom(url));
  return compiled.get(url.href);
}
