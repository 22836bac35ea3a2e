// The parts of the documentation's pages that a run writes: between <!-- KIND:NAME --> and <!-- /KIND -->.
// Usage: import { readPart, writePart } from '../support/page.js';
import { readFileSync } from 'node:fs';
import { writeWhole } from '../../scripts/files.mjs';

function marked(part) {
  const [kind] = part.split(':');
  return new RegExp(`(<!-- ${part} -->\n)([^]*?)(<!-- /${kind} -->)`);
}

/**
 * @param {string} page the file
 * @param {string} part KIND:NAME
 * @returns {string} what stands there; '' if nothing does
 */
export function readPart(page, part) {
  return (readFileSync(page, 'utf8').match(marked(part))?.[2] ?? '').trim();
}

/**
 * Puts a text there.
 *
 * @param {string} page the file
 * @param {string} part KIND:NAME
 * @param {string} text
 * @throws {Error} when the page has no such part
 */
export function writePart(page, part, text) {
  const old = readFileSync(page, 'utf8');
  if (!marked(part).test(old)) throw new Error(`${page} has no part <!-- ${part} -->`);
  writeWhole(
    page,
    old.replace(marked(part), (all, start, before, end) => `${start}\n${text}\n\n${end}`),
  );
}
