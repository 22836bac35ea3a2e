// Files and folders that are complete or not there, however many processes make them at once: each is written
// beside its place, under a name of its own, and then renamed. Who loses the race has lost nothing.
// Usage: import { makeOnce, replaceFolder, writeWhole } from './files.mjs';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** A new folder beside a place, from which a rename to the place is one step. */
function scratchBeside(place) {
  mkdirSync(path.dirname(place), { recursive: true });
  return mkdtempSync(`${place}.new-`);
}

/** Renames a folder; answers false where there is one already, which stays. */
function renameToFree(folder, place) {
  try {
    renameSync(folder, place);
    return true;
  } catch (error) {
    if (error.code === 'ENOTEMPTY' || error.code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Writes a file. Of several processes the last one wins.
 *
 * @param {string} file
 * @param {string | Uint8Array} content
 */
export function writeWhole(file, content) {
  const scratch = scratchBeside(file);
  const unfinished = path.join(scratch, path.basename(file));
  try {
    writeFileSync(unfinished, content);
    renameSync(unfinished, file);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * Makes a folder of a cache, unless it is there. Its name must say all that its content depends on: of several
 * processes that make it at once the first one wins.
 *
 * @param {string} folder
 * @param {(scratch: string) => Promise<unknown>} create fills a folder, which is empty
 * @returns {Promise<string>} the folder
 */
export async function makeOnce(folder, create) {
  if (existsSync(folder)) return folder;
  const scratch = scratchBeside(folder);
  try {
    await create(scratch);
    renameToFree(scratch, folder);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return folder;
}

/**
 * Makes a folder in place of one that may be there. Of several processes the last one wins.
 *
 * @param {string} folder
 * @param {(scratch: string) => Promise<unknown>} create fills a folder, which is empty
 */
export async function replaceFolder(folder, create) {
  const scratch = scratchBeside(folder);
  const made = path.join(scratch, 'new');
  try {
    mkdirSync(made);
    await create(made);
    // A folder is not replaced in one step: the old one goes out of the way, as often as another one comes.
    for (let i = 0; !renameToFree(made, folder); ++i) {
      try {
        renameSync(folder, path.join(scratch, `old-${i}`));
      } catch (error) {
        if (error.code !== 'ENOENT') throw error; // another process was faster
      }
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
