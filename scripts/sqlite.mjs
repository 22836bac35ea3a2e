// SQLite, whose sources come with a package, compiled once for all who link it.
// Usage: import { SQLITE, compileSqlite } from './sqlite.mjs';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { PROJECT, findEmscripten } from './emscripten.mjs';
import { makeOnce } from './files.mjs';
import { emcc } from './run.mjs';

/** The folder with its sources. */
export const SQLITE = path.join(PROJECT, 'node_modules', 'better-sqlite3', 'deps', 'sqlite3');

// Without lookaside, SQLite's own small allocator, every allocation is malloc's.
const COMPILE = [
  '-O2',
  '-DSQLITE_THREADSAFE=0',
  '-DSQLITE_OMIT_LOAD_EXTENSION',
  '-DSQLITE_DEFAULT_LOOKASIDE=0,0',
];

/**
 * Compiles SQLite, which takes about half a minute, unless that has been done with the same compiler and flags.
 *
 * @param {(line: string) => void} [say] is told when it begins
 * @returns {Promise<string>} the object file
 */
export async function compileSqlite(say = () => {}) {
  const source = path.join(SQLITE, 'sqlite3.c');
  if (!existsSync(source)) throw new Error('the sources of SQLite are missing: run `npm ci`');
  const digest = createHash('sha256')
    .update(JSON.stringify([findEmscripten().version, COMPILE]))
    .update(readFileSync(source));
  const name = `sqlite3-${digest.digest('hex').slice(0, 16)}`;
  const folder = await makeOnce(path.join(PROJECT, '.cache', 'objects', name), (scratch) => {
    say('compiling sqlite3.c (about half a minute)');
    return emcc(['-c', ...COMPILE, source, '-o', path.join(scratch, 'sqlite3.o')]);
  });
  return path.join(folder, 'sqlite3.o');
}
