// Finds the code blocks of the documentation.
// Usage: for (const { file, line, language, text, mark } of allBlocks()) …
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { lexer } from 'marked';
import { PROJECT } from '../../scripts/emscripten.mjs';

/** What stands above a block that is not run, or not checked at all, and says why. */
const MARK = /^<!-- (not run|unchecked): (.+) -->\s*$/;

const NOT_OURS = new Set(['node_modules', '.cache', '.git', 'build', 'dist']);

/**
 * @typedef {object} Block
 * @property {string} file from the project's folder
 * @property {number} line of the file at which it begins
 * @property {string} language '' where it says none
 * @property {string} text
 * @property {{ kind: 'not run' | 'unchecked', reason: string } | undefined} mark
 */

/**
 * @param {string} file for the blocks' `file`
 * @param {string} text Markdown
 * @returns {Block[]} fenced and indented ones, also those in lists and quotations, and what HTML has of them
 */
export function blocksOf(file, text) {
  const blocks = [];
  let line = 1;
  const visit = (tokens) => {
    let mark;
    for (const token of tokens) {
      const isHtml = token.type === 'html';
      if (token.type === 'code')
        blocks.push({ file, line, language: token.lang ?? '', text: token.text, mark });
      else if (isHtml && /<pre\b/i.test(token.raw))
        blocks.push({ file, line, language: 'HTML', text: token.raw, mark });
      const [, kind, reason] = (isHtml && token.raw.trim().match(MARK)) || [];
      if (kind) mark = { kind, reason };
      else if (token.type !== 'space') mark = undefined;
      for (const children of [token.tokens, token.items]) if (children) visit(children);
      // What stands in a list has the line of the list.
      if (tokens === all) line += token.raw.split('\n').length - 1;
    }
  };
  const all = lexer(text);
  visit(all);
  return blocks;
}

/** The comments of a file of declarations, as Markdown, each where it stands in the file. */
function commentsOf(text) {
  let lines = '';
  let inside = false;
  for (const line of text.split('\n')) {
    if (/^\s*\/\*\*/.test(line)) inside = !line.includes('*/');
    else if (/\*\/\s*$/.test(line)) inside = false;
    else if (inside) lines += line.replace(/^\s*\* ?/, '');
    lines += '\n';
  }
  return lines;
}

/** The pages below a folder of the project. */
function pagesIn(folder) {
  return readdirSync(path.join(PROJECT, folder), { withFileTypes: true }).flatMap((entry) => {
    const file = path.posix.join(folder, entry.name);
    if (entry.isDirectory()) return NOT_OURS.has(entry.name) ? [] : pagesIn(file);
    return file.endsWith('.md') ? [file] : [];
  });
}

/** @returns {Block[]} of every page of the project, and of the declarations of its interface */
export function allBlocks() {
  const read = (file) => readFileSync(path.join(PROJECT, file), 'utf8');
  const declarations = 'js/index.d.ts';
  return [
    ...pagesIn('').flatMap((file) => blocksOf(file, read(file))),
    ...blocksOf(declarations, commentsOf(read(declarations))),
  ];
}
