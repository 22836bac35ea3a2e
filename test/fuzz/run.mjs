#!/usr/bin/env node
// Usage: npm run fuzz [-- options], see --help.
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { PROJECT } from '../../scripts/emscripten.mjs';
import { ALLOCATORS, run } from '../../scripts/run.mjs';
import { queued, temporaryFolder } from '../support/emcc.js';
import { buildFuzzer, traitsOf, whyNotGuided } from './build.mjs';
import { unpackCorpus, writeCorpus } from './corpus.mjs';
import { measureCoverage } from './coverage.mjs';
import { findMutants } from './mutate.mjs';

/** What outlives a run: found inputs and faults. libFuzzer names them by their content. */
const KEPT = path.join(PROJECT, '.cache', 'fuzz');

/** What does not: another run may be at work. */
const FOLDER = temporaryFolder('wasmalloc-fuzz-');

const HELP = `Usage: npm run fuzz [-- options]

Makes calls from bytes, and checks each of them against a model. Without options it goes on from the stored
corpus, guided by coverage (libFuzzer), a minute for each allocator.

  --minutes N       so long for each allocator; as many at a time as there are processors
  --calls N         N calls from random bytes instead: the same ones every time, with any C compiler
  --seed N          where those begin (1)
  --sanitize        with AddressSanitizer and UndefinedBehaviorSanitizer; libFuzzer always has them
  --words           the word interface instead of the C library's
  --mutants         plants bugs, one after the other, and says after how many calls each is found
  --coverage        which branches of lib/ the stored corpus reaches
  --merge           adds what has been found since to the stored corpus: as few inputs as reach the same code
  --allocator NAME  only this one (may be repeated)
  --json            the result as JSON
  --help            print this

What a run has found stays under .cache/fuzz/. A fault is told with the call and the file that leads to it.`;

/** Something the reader of the message can act on. */
class UsageError extends Error {}

function readOptions() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string' },
      calls: { type: 'string' },
      seed: { type: 'string', default: '1' },
      sanitize: { type: 'boolean' },
      words: { type: 'boolean', default: false },
      mutants: { type: 'boolean' },
      coverage: { type: 'boolean' },
      merge: { type: 'boolean' },
      allocator: { type: 'string', multiple: true },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  const names = ALLOCATORS.map(({ name }) => name);
  values.allocators = values.allocator ?? names;
  const unknown = values.allocators.find((name) => !names.includes(name));
  if (unknown)
    throw new UsageError(`no allocator is called ${unknown}: there are ${names.join(', ')}`);
  for (const name of ['minutes', 'calls', 'seed']) {
    const text = values[name];
    if (text !== undefined && !(Number(text) > 0)) {
      throw new UsageError(`--${name} takes a number above 0, not ${text}`);
    }
  }
  return values;
}

const say = (text) => process.stderr.write(`${text}\n`);
const labelOf = (allocator, words) => (words ? `${allocator}-words` : allocator);

/** Does a job for each allocator, as many at a time as there are processors. */
function forEachAllocator({ allocators }, job) {
  return Promise.all(allocators.map((allocator) => queued(() => job(allocator))));
}

/** Calls from random bytes. */
async function fuzzBySeeds(options) {
  const { words, calls, seed, sanitize } = options;
  return forEachAllocator(options, async (allocator) => {
    const kind = sanitize ? 'sanitized' : 'fast';
    const program = await buildFuzzer({ allocator, kind, words, folder: FOLDER });
    const args = [`--calls=${calls}`, `--seed=${seed}`, ...traitsOf(allocator)];
    try {
      const { stdout } = await run(program, args, { timeout: 86_400_000 });
      return { allocator, calls: Number.parseInt(stdout), fault: null };
    } catch (error) {
      return { allocator, fault: error.stderr || error.message };
    }
  });
}

/** The stored corpus as libFuzzer wants it: a folder with a file for each input. */
function storedCorpus(label) {
  const folder = path.join(FOLDER, `${label}-stored`);
  unpackCorpus(label, folder);
  return folder;
}

/** libFuzzer, from the stored corpus and what earlier runs have found. */
async function fuzzGuided(options) {
  const reason = await whyNotGuided();
  if (reason) throw new UsageError(`${reason}; --calls N needs a C compiler only`);
  const { words, minutes = '1' } = options;
  return forEachAllocator(options, async (allocator) => {
    const label = labelOf(allocator, words);
    const program = await buildFuzzer({ allocator, kind: 'guided', words, folder: FOLDER });
    const found = path.join(KEPT, `${label}-found`);
    mkdirSync(found, { recursive: true });
    const seconds = Math.ceil(Number(minutes) * 60);
    const fault = path.join(KEPT, `${label}-fault-`);
    say(`${label}: ${seconds} s`);
    const args = [
      ...[`-max_total_time=${seconds}`, '-max_len=2048', '-timeout=1200', '-print_final_stats=1'],
      ...[`-artifact_prefix=${fault}`, found, storedCorpus(label)],
      // What comes behind these is not libFuzzer's to understand.
      ...['-ignore_remaining_args=1', ...traitsOf(allocator)],
    ];
    try {
      const { stderr } = await run(program, args, { timeout: 86_400_000 });
      const executions = Number(/number_of_executed_units:\s*(\d+)/.exec(stderr)?.[1]);
      const [covered] = [...stderr.matchAll(/ cov: (\d+)/g)]
        .slice(-1)
        .map(([, text]) => Number(text));
      return { allocator, executions, covered, fault: null };
    } catch (error) {
      const text = error.stderr ?? error.message;
      const lines = text
        .split('\n')
        .filter((line) => /fault in|ERROR|runtime error|Test unit/.test(line));
      return { allocator, fault: lines.join('\n') || text.slice(-2000) };
    }
  });
}

/** The stored corpus becomes the fewest inputs that reach all that it and the found ones reach. */
async function mergeCorpus(options) {
  const { words } = options;
  return forEachAllocator(options, async (allocator) => {
    const label = labelOf(allocator, words);
    const program = await buildFuzzer({ allocator, kind: 'merging', words, folder: FOLDER });
    const merged = path.join(FOLDER, `${label}-merged`);
    const found = path.join(KEPT, `${label}-found`);
    rmSync(merged, { recursive: true, force: true });
    [merged, found].forEach((folder) => mkdirSync(folder, { recursive: true }));
    await run(
      program,
      [
        ...['-set_cover_merge=1', '-max_len=2048', merged, storedCorpus(label), found],
        ...['-ignore_remaining_args=1', ...traitsOf(allocator)],
      ],
      { timeout: 3_600_000 },
    );
    const inputs = readdirSync(merged).map((name) => readFileSync(path.join(merged, name)));
    writeCorpus(label, inputs);
    return {
      allocator,
      inputs: inputs.length,
      bytes: inputs.reduce((sum, { length }) => sum + length, 0),
    };
  });
}

function printTable(rows) {
  for (const row of rows) {
    const { allocator, fault, ...figures } = row;
    const text = Object.entries(figures).map(
      ([name, value]) => `${value?.toLocaleString('en')} ${name}`,
    );
    console.log(
      `${fault ? 'FAULT' : 'ok   '} ${allocator.padEnd(10)} ${fault ? fault.trim() : text.join(', ')}`,
    );
  }
}

async function main() {
  const options = readOptions();
  if (options.help) return console.log(HELP);
  mkdirSync(KEPT, { recursive: true });
  if (options.mutants) {
    const rows = await findMutants({
      ...options,
      folder: path.join(FOLDER, 'mutants'),
      start: queued,
      say,
    });
    if (options.json) console.log(JSON.stringify(rows, null, 2));
    const missed = rows.filter(({ calls }) => calls === null);
    console.log(`${rows.length - missed.length} of ${rows.length} mutants found`);
    if (missed.length > 0) process.exitCode = 1;
    return;
  }
  if (options.coverage) {
    const result = await measureCoverage({
      ...options,
      folder: path.join(FOLDER, 'coverage'),
      start: queued,
      say,
    });
    if (options.json) console.log(JSON.stringify(result, null, 2));
    else console.log(result.text);
    return;
  }
  const job = options.merge ? mergeCorpus : options.calls ? fuzzBySeeds : fuzzGuided;
  say(`${options.allocators.length} allocators, ${availableParallelism()} at a time`);
  const rows = await job(options);
  if (options.json) console.log(JSON.stringify(rows, null, 2));
  else printTable(rows);
  if (rows.some(({ fault }) => fault)) process.exitCode = 1;
}

main().catch((error) => {
  const expected = error instanceof UsageError || error.code?.startsWith?.('ERR_PARSE_ARGS');
  console.error(`fuzz: ${expected ? error.message : error.stack}`);
  process.exitCode = expected ? 2 : 1;
});
