// Runs the same twice at once, in a copy of the project whose caches are empty.
// Usage: const { folder, runTwice } = copyProject()
import { cpSync, mkdtempSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { findEmscripten } from '../../scripts/emscripten.mjs';
import { project, run, temporaryFolder } from '../support/emcc.js';

const IN_STEP = pathToFileURL(path.join(project, 'test', 'support', 'in-step.mjs')).href;

const PARTS = ['bench', 'docs', 'emscripten', 'js', 'lib', 'report', 'scripts', 'site', 'test'];
const FILES = ['package.json', 'LICENSE', 'README.md', '.prettierrc'];

/**
 * Copies the project's sources into a new folder.
 *
 * @returns {{ folder: string, runTwice: (...args: string[]) =>
 *   Promise<{ stdout: string, stderr: string }[]> }} `runTwice` runs Node in it, with these arguments, in two
 *   processes in step (in-step.mjs); rejected when one of them fails
 */
export function copyProject() {
  const folder = temporaryFolder('wasmalloc-copy-');
  // Tests may be writing beside the sources.
  const filter = (from) =>
    !/node_modules|__pycache__|\.new-|\/tsc-/.test(path.relative(project, from));
  for (const part of [...PARTS, ...FILES])
    cpSync(path.join(project, part), path.join(folder, part), { recursive: true, filter });
  symlinkSync(path.join(project, 'node_modules'), path.join(folder, 'node_modules'));
  const { emcc, env } = findEmscripten();
  const PATH = `${path.dirname(emcc)}${path.delimiter}${process.env.PATH}`;
  const runTwice = (...args) => {
    const meeting = mkdtempSync(path.join(folder, 'meeting-'));
    const options = { cwd: folder, env: { ...env, PATH, IN_STEP: meeting } };
    const all = ['--import', IN_STEP, ...args];
    return Promise.all([1, 2].map(() => run(process.execPath, all, options)));
  };
  return { folder, runTwice };
}
