#!/usr/bin/env node
// Runs the corpus of programs that misuse the heap, with our builds and Emscripten's allocators.
// Usage: npm run misuse [-- options], see --help.
import path from 'node:path';
import { parseArgs } from 'node:util';
import { markdownTable } from 'markdown-table';
import { progressBar } from '../../js/progress.js';
import { PROJECT, ensureEmscripten } from '../../scripts/emscripten.mjs';
import { choose } from '../support/choose.js';
import { readPart, writePart } from '../support/page.js';
import { attack, whyNoAttack } from './attack.js';
import { BUILDS, attackModule, brokenPromises, runCorpus, summarize } from './misuse.js';

const NAMES = BUILDS.map(({ name }) => name);

/** What compiles and links for 64-bit memory. */
const MEMORY64 = ['-sMEMORY64', '-Wno-experimental'];

const HELP = `Usage: npm run misuse [-- options]

Runs small programs that misuse the heap, each for blocks of several sizes, and prints when a build stops
those of each class. The exit code is 1 when a build that promises to stop them does not, or a correct program fails.

  --builds NAMES    only these, divided by commas: ${NAMES.join(' ')}
  -g, --grep TEXT   only programs with this in their name or class; says what became of each
  --sizes NUMBERS   only for blocks of these sizes, divided by commas: 8, 100, 4096, 300000
  --memory64        in 64-bit memory (needs Node 24)
  --write           writes the tables into docs/security.md
  --check           writes nothing; fails when they are not up to date there
  --json            prints the results as JSON
  --help            this text

  --attack          plays the attacker's fuzz instead, with the hardened build on the development machine
  --rounds N        so many rounds of it (10000)
  --seed N          the seed of the first (1)
  --sanitize        with AddressSanitizer and UndefinedBehaviorSanitizer
  --wasm            in WebAssembly`;

/** The page with the tables. */
const PAGE = path.join(PROJECT, 'docs', 'security.md');

/**
 * The text of the page's tables.
 *
 * @param {object} corpus from {@link runCorpus}, all of it
 * @param {string} version of Emscripten
 * @returns {string}
 */
export function misuseTables(corpus, version) {
  const tables = summarize(corpus).map(({ head, rows }) =>
    markdownTable([head, ...rows], { align: head.map((cell, i) => (i === 0 ? 'l' : 'r')) }),
  );
  return [`Emscripten ${version}:`, ...tables].join('\n\n');
}

/** The tables that the page has, with the version of Emscripten that they are about. */
export function readTables() {
  const text = readPart(PAGE, 'misuse:table');
  return { text, version: text.match(/Emscripten ([\d.]+):/)?.[1] };
}

function printRuns({ programs, results }) {
  for (const program of programs) {
    console.log(`${program.name}: ${program.text}`);
    for (const [build, runs] of Object.entries(results))
      for (const run of runs.filter(({ program: name }) => name === program.name)) {
        const { size, outcome, when, late, detail } = run;
        const how = `${outcome}${when ? ` ${when}` : ''}${late && program.words.length ? ', late' : ''}`;
        console.log(`  ${build.padEnd(13)} ${String(size).padStart(6)} ${how}: ${detail}`);
      }
  }
}

function printTables(corpus) {
  for (const { head, rows } of summarize(corpus)) {
    const widths = head.map((cell, i) => Math.max(...[head, ...rows].map((row) => row[i].length)));
    for (const row of [head, ...rows])
      console.log(
        row.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('  '),
      );
    console.log();
  }
}

function number(option, text) {
  if (!/^[1-9]\d{0,14}$/.test(text))
    throw new Error(`--${option} takes a whole number from 1 on, not ${text}`);
  return Number(text);
}

async function fuzz({ rounds: roundsText, seed: seedText, sanitize, wasm, json }) {
  const rounds = number('rounds', roundsText);
  const seed = number('seed', seedText);
  const build = BUILDS.find(({ name }) => name === 'hardened');
  if (!wasm && whyNoAttack()) throw new Error(`--attack ${whyNoAttack()}, or use --wasm`);
  const ends = wasm
    ? await attackModule({ rounds, seed, build })
    : await attack({ rounds, seed, kind: sanitize ? 'sanitized' : 'fast' });
  if (json) return console.log(JSON.stringify({ rounds, seed, ends }, null, 2));
  for (const [end, count] of Object.entries(ends).sort(([, a], [, b]) => b - a))
    console.log(`${String(count).padStart(String(rounds).length)} ${end}`);
}

async function main() {
  const { values } = parseArgs({
    options: {
      builds: { type: 'string' },
      grep: { type: 'string', short: 'g' },
      sizes: { type: 'string' },
      memory64: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      attack: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '10000' },
      seed: { type: 'string', default: '1' },
      sanitize: { type: 'boolean', default: false },
      wasm: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(HELP);
  if (values.attack) return fuzz(values);
  const named = choose(BUILDS, values.builds?.split(','), 'build');
  const builds = values.memory64 ? named.map((build) => ({ ...build, compile: MEMORY64 })) : named;
  const sizes = values.sizes?.split(',').map((text) => number('sizes', text));
  const partial = values.builds || values.grep || values.sizes || values.memory64;
  if ((values.write || values.check) && partial)
    throw new Error(
      '--write and --check need all builds and all programs: leave the other options out',
    );
  const { version } = await ensureEmscripten();
  const onProgress = progressBar('misuse');
  const text = values.grep;
  const wanted = ({ name, class: kind }) => !text || name.includes(text) || kind.includes(text);
  const corpus = await runCorpus({ builds, choose: wanted, sizes, onProgress });
  onProgress(1);
  if (corpus.programs.length === 0) throw new Error(`no program has '${text}' in its name`);
  if (Object.values(corpus.results).every((runs) => runs.length === 0))
    throw new Error(`no program runs with --sizes ${values.sizes}; there are 8, 100, 4096, 300000`);
  if (values.json) console.log(JSON.stringify({ emscripten: version, ...corpus }, null, 2));
  else if (text) printRuns(corpus);
  else printTables(corpus);
  if (values.write) {
    writePart(PAGE, 'misuse:table', misuseTables(corpus, version));
    console.error('docs/security.md is up to date now.');
  }
  const failures = brokenPromises(corpus, builds);
  if (values.check) {
    const page = readTables();
    if (page.version !== version)
      failures.push(`docs/security.md is about Emscripten ${page.version}, and this is ${version}`);
    else if (page.text !== misuseTables(corpus, version))
      failures.push('docs/security.md is not up to date: npm run misuse -- --write');
  }
  for (const line of failures) console.error(line);
  process.exitCode = failures.length > 0 ? 1 : 0;
}

if (process.argv[1] === import.meta.filename) {
  main().catch((error) => {
    console.error(`misuse: ${error.message}`);
    process.exitCode = 1;
  });
}
