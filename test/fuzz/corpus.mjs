// The stored inputs: a file for each allocator, with a line of base64 for each input, so that a change of
// the corpus can be read as one.
// Usage: import { readCorpus, unpackCorpus, writeCorpus } from './corpus.mjs';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { PROJECT } from '../../scripts/emscripten.mjs';
import { writeWhole } from '../../scripts/files.mjs';

const FOLDER = path.join(PROJECT, 'test', 'fuzz', 'corpus');
const fileOf = (label) => path.join(FOLDER, `${label}.txt`);

/**
 * @param {string} label the allocator's name, with `-words` behind it for the word interface
 * @returns {Buffer[]} the inputs, or none if nothing is stored
 */
export function readCorpus(label) {
  if (!existsSync(fileOf(label))) return [];
  const lines = readFileSync(fileOf(label), 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => Buffer.from(line, 'base64'));
}

/**
 * Writes the inputs into a folder, which holds nothing else afterwards.
 *
 * @param {string} label as above
 * @param {string} folder
 * @returns {string[]} their files
 */
export function unpackCorpus(label, folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return readCorpus(label).map((bytes, i) => {
    const file = path.join(folder, `${i}`);
    writeFileSync(file, bytes);
    return file;
  });
}

/**
 * Stores other inputs instead, the shortest first.
 *
 * @param {string} label as above
 * @param {Buffer[]} inputs
 */
export function writeCorpus(label, inputs) {
  const lines = inputs.map((bytes) => bytes.toString('base64')).filter(Boolean);
  writeWhole(
    fileOf(label),
    `${lines.sort((a, b) => a.length - b.length || (a < b ? -1 : 1)).join('\n')}\n`,
  );
}
