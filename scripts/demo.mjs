#!/usr/bin/env node
// Usage: node scripts/demo.mjs [--rounds N] [--json] [--help]
//
// The main job on real input: SQLite, linked once with each allocator, does the same work in a
// database in memory. Checks that all give the same answers and prints what each took.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { PROJECT, ensureEmscripten } from './emscripten.mjs';
import { ALLOCATORS, PEERS, allocatorFlag, emcc, run } from './run.mjs';
import { SQLITE, compileSqlite } from './sqlite.mjs';

const PROGRAM = path.join(PROJECT, 'bench', 'programs', 'sqlite.c');

// Memory starts small and grows by single pages, so that its size says what was needed.
const LINK = [
  '-O2',
  '-sALLOW_MEMORY_GROWTH',
  '-sABORTING_MALLOC=0',
  '-sINITIAL_HEAP=65536',
  '-sMEMORY_GROWTH_LINEAR_STEP=65536',
  '-sENVIRONMENT=node',
  '-sEXIT_RUNTIME',
];

const HELP = `Usage: npm run demo [-- --rounds N] [-- --json]

Compiles SQLite, links it with each allocator, runs the same work in each, N times in turn (9 unless
told), checks that all give the same answers, and prints a table: the shortest time, and how far the
longest is above it; peak linear memory; size of the WebAssembly file.`;

function say(text) {
  process.stderr.write(`${text}\n`);
}

/** Links the objects with an allocator, and returns the program's file. */
async function link(name, objects, folder) {
  const file = path.join(folder, `${name}.cjs`);
  await emcc([...LINK, allocatorFlag(name), ...objects, '-o', file]);
  return file;
}

/** One run of a program: its answers, milliseconds, bytes of linear memory; or how it failed. */
async function measure(file) {
  try {
    const { stdout } = await run(process.execPath, [file], { timeout: 600_000 });
    const lines = stdout.trimEnd().split('\n');
    const [, time, memory] = lines.pop().split(' ').map(Number);
    return { answers: lines.join('\n'), time, memory };
  } catch (error) {
    const line = error.stdout?.trimEnd().split('\n').pop();
    return { failure: line?.includes('out of memory') ? 'out of memory' : `failed: ${line}` };
  }
}

/** Runs each program once per round, in turn, so that all meet the same moods of the machine. */
async function race(programs, rounds) {
  const results = Object.fromEntries(programs.map(({ name }) => [name, []]));
  for (let round = 1; round <= rounds; ++round) {
    for (const { name, file } of programs) {
      say(`round ${round} of ${rounds}: ${name}`);
      results[name].push(await measure(file));
    }
  }
  return results;
}

/** Puts the rounds of one allocator together. */
function summarize(name, file, rounds) {
  const failure = rounds.find((round) => round.failure)?.failure;
  const size = statSync(file.replace(/cjs$/, 'wasm')).size;
  if (failure) return { name, failure, size };
  const times = rounds.map(({ time }) => time);
  return {
    name,
    time: Math.min(...times),
    spread: Math.max(...times) / Math.min(...times) - 1,
    memory: rounds[0].memory,
    size,
    answers: rounds[0].answers,
    agrees: rounds.every(({ answers }) => answers === rounds[0].answers),
  };
}

function print(rows) {
  const reference = rows.find(({ name }) => name === 'dlmalloc');
  say('');
  console.log('allocator    time          against   peak linear   against     wasm size');
  console.log('             (ms, least)   dlmalloc  memory (KiB)  dlmalloc    (bytes)');
  for (const row of rows) {
    const size = String(row.size).padStart(11);
    if (row.failure) {
      console.log(`${row.name.padEnd(12)} ${row.failure.padEnd(52)}${size}`);
      continue;
    }
    const time = `${row.time.toFixed(0)} +${(row.spread * 100).toFixed(0)} %`.padEnd(13);
    const relativeTime = (row.time / reference.time).toFixed(2).padStart(7);
    const memory = String(row.memory / 1024).padStart(12);
    const relativeMemory = (row.memory / reference.memory).toFixed(2).padStart(9);
    console.log(
      `${row.name.padEnd(12)} ${time} ${relativeTime}   ${memory} ${relativeMemory}${size}`,
    );
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '9' },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return console.log(HELP);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds takes a whole number from 1 on, not ${values.rounds}`);
  const { version } = await ensureEmscripten();
  const library = await compileSqlite(say);
  // A folder of this run's own: another one may be at work.
  const folder = mkdtempSync(path.join(tmpdir(), 'wasmalloc-demo-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const main = path.join(folder, 'main.o');
  await emcc(['-c', '-O2', `-I${SQLITE}`, PROGRAM, '-o', main]);
  const programs = [];
  for (const name of [...ALLOCATORS.map((row) => row.name), ...PEERS]) {
    say(`linking with ${name}`);
    programs.push({ name, file: await link(name, [library, main], folder) });
  }
  const results = await race(programs, rounds);
  const rows = programs.map(({ name, file }) => summarize(name, file, results[name]));
  const [reference] = rows.filter(({ name }) => name === 'dlmalloc');
  const wrong = rows.filter(
    (row) => !row.failure && (!row.agrees || row.answers !== reference.answers),
  );

  if (values.json)
    console.log(JSON.stringify({ emscripten: version, node: process.version, rows }, null, 2));
  else print(rows);
  if (wrong.length)
    throw new Error(`answers differ from dlmalloc's: ${wrong.map(({ name }) => name).join(', ')}`);
  const failed = rows.filter(({ name, failure }) => failure && name !== 'minimal');
  if (failed.length)
    throw new Error(failed.map(({ name, failure }) => `${name}: ${failure}`).join('; '));
  const same = rows.filter((row) => !row.failure).length;
  if (!values.json)
    console.log(`\nAll ${same} gave the same ${lineCount(reference)} lines of answers.`);
}

function lineCount({ answers }) {
  return answers.split('\n').length;
}

main().catch((error) => {
  console.error(`demo: ${error.message}`);
  process.exitCode = 1;
});
