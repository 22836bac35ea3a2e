#!/usr/bin/env node
// Usage: node scripts/prove.mjs [--only TEXT] [--list] [--all] [--broken] [--json] [--help]
//
// Proves theorems about the C sources in lib/ with CBMC, a bounded model checker: test/prove/ has the
// theorems. Each is a C program of its own, which includes the shipped sources and is given to CBMC as
// wasm32 code. It is proved when no value of its variables breaks a claim, an access to memory or the bound
// of a loop, and when all that it says can be reached was reached.

import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

import { THEOREMS } from '../test/prove/theorems.mjs';
import { ensureCbmc } from './cbmc.mjs';
import { SetupError } from './debian.mjs';
import { PROJECT, onPath } from './emscripten.mjs';
import { run } from './run.mjs';

const LIB = path.join(PROJECT, 'lib');
const PROOFS = path.join(PROJECT, 'test', 'prove');

/** Pointers, bounds, shifts and signed overflow are checked by default. What no theorem calls proves nothing. */
const CHECKS = ['--unwinding-assertions', '--drop-unused-functions'];

const HELP = `Usage: npm run prove [-- options]

Proves theorems about lib/ with CBMC, and prints a line for each. Brings CBMC into .cache/cbmc/ on Debian
and its relatives when there is none on PATH.

  --only TEXT   only the theorems with this text in their name
  --all         also the slow ones, which take up to three minutes each
  --list        print their names and what they say, and do nothing else
  --broken      put the faults that are listed with the theorems into copies of the sources, one at a time,
                and see that the theorem fails
  --json        print one JSON array
  --help        print this`;

/** Deleted at the end, with all that is made in between. */
const temporary = mkdtempSync(path.join(tmpdir(), 'wasmalloc-prove-'));
process.on('exit', () => rmSync(temporary, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

let programs = 0;

/** A copy of lib/ with a theorem's changes, or lib/ itself if there are none. */
function libOf({ instead = {}, changes = [] }) {
  if (changes.length === 0 && Object.keys(instead).length === 0) return LIB;
  const lib = path.join(temporary, `lib-${++programs}`);
  cpSync(LIB, lib, { recursive: true });
  for (const { file, from, to } of changes) {
    const source = path.join(lib, file);
    const parts = readFileSync(source, 'utf8').split(from);
    if (parts.length !== 2) {
      throw new Error(
        `lib/${file} has ${parts.length - 1} times, and not once: ${from}\n` +
          'The source has changed: change test/prove/theorems.mjs, too.',
      );
    }
    writeFileSync(source, parts.join(to));
  }
  for (const [file, other] of Object.entries(instead)) {
    writeFileSync(path.join(lib, file), `#include "${other}"\n`);
  }
  return lib;
}

/** Preprocesses a theorem's program, and returns the path of the result. */
async function preprocess(theorem, defines) {
  const folder = path.join(temporary, String(++programs));
  mkdirSync(folder);
  const output = path.join(folder, 'theorem.i');
  const all = {
    __CPROVER__: '',
    WASMALLOC_FREESTANDING: '',
    ...(theorem.allocator && { ALLOCATOR: `"${theorem.allocator}"` }),
    ...theorem.defines,
    ...defines,
  };
  await run('cc', [
    ...['-E', '-nostdinc', `-I${path.join(PROOFS, 'libc')}`, `-I${PROOFS}`, `-I${libOf(theorem)}`],
    // The shipped configuration: at -Os 5_wasmalloc has no runs.
    ...['-O2', ...Object.entries(all).map(([name, value]) => `-D${name}=${value}`)],
    ...[path.join(PROOFS, theorem.file), '-o', output],
  ]);
  return output;
}

/** CBMC's messages: its exit code says whether there was a failure, which is not an error here. */
function callCbmc(cbmc, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(cbmc, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const kill = () => child.kill();
    process.once('exit', kill);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.off('exit', kill);
      try {
        resolve(JSON.parse(stdout));
      } catch {
        const command = [cbmc, ...args].join(' ');
        reject(new Error(`${command}\nended with ${signal ?? code}:\n${stdout}${stderr}`));
      }
    });
  });
}

function cbmcArguments(theorem, program) {
  const loops = Object.entries(theorem.loops ?? {}).map(([loop, bound]) => `${loop}:${bound}`);
  return [
    ...[program, `--${theorem.bits ?? 32}`, '--function', theorem.entry, '--json-ui', ...CHECKS],
    ...(theorem.unwind ? ['--unwind', String(theorem.unwind)] : []),
    ...(loops.length > 0 ? ['--unwindset', loops.join()] : []),
    ...(theorem.overflow ? ['--unsigned-overflow-check'] : []),
  ];
}

/** Calls CBMC, and picks what it found out of its messages; `undefined` is an error of ours. */
async function ask(cbmc, theorem, program, options, pick) {
  const messages = await callCbmc(cbmc, [...cbmcArguments(theorem, program), ...options]);
  const result = pick(messages);
  if (result !== undefined) return result;
  const texts = messages.map(({ messageText }) => messageText).filter(Boolean);
  throw new Error(`CBMC gave no result for ${theorem.name}:\n${texts.slice(-8).join('\n')}`);
}

/** The properties that CBMC looked at: `[{ property, description, status, sourceLocation, trace? }]`. */
function check(cbmc, theorem, program, options = []) {
  const pick = (messages) => messages.find(({ result }) => result)?.result;
  return ask(cbmc, theorem, program, options, pick);
}

/** The first property that fails, or null: faster than to look at all. */
function findFailure(cbmc, theorem, program) {
  return ask(cbmc, theorem, program, ['--stop-on-fail'], (messages) =>
    messages.some(({ cProverStatus }) => cProverStatus === 'success')
      ? null
      : messages
          .filter(({ status }) => status === 'failed')
          .map(({ description, trace = [] }) => ({
            description,
            sourceLocation: trace.at(-1)?.sourceLocation,
          }))[0],
  );
}

const REACHED = 'reached: ';

/**
 * Of a trace, what the theorem's own variables were at the end, and which functions of lib/ were called
 * last.
 */
function essentials(trace) {
  const values = new Map();
  const calls = [];
  for (const step of trace ?? []) {
    const { file = '', line } = step.sourceLocation ?? {};
    const ofTheorem = file.startsWith(PROOFS);
    if (step.stepType === 'function-call' && file.startsWith(LIB))
      calls.push(`${step.function.displayName}() called at ${path.basename(file)}:${line}`);
    if (step.stepType !== 'assignment' || step.hidden || !ofTheorem) continue;
    if (/return_value|^goto_symex|^__CPROVER|^memory/.test(step.lhs)) continue;
    values.delete(step.lhs);
    values.set(step.lhs, step.value?.data ?? step.value?.name);
  }
  const variables = [...values].filter(([, value]) => value !== undefined && value !== 'unknown');
  return [...variables.slice(-24).map(([name, value]) => `${name} = ${value}`), ...calls.slice(-6)];
}

function describeProperty({ description, sourceLocation = {} }) {
  const { file, line, function: name } = sourceLocation;
  return `${description} (${file ? `${path.basename(file)}:${line}` : name})`;
}

/**
 * Proves a theorem.
 *
 * @param {string} cbmc
 * @param {import('../test/prove/theorems.mjs').Theorem} theorem
 * @returns {Promise<{ proved: boolean, properties: number, reached: number, seconds: number,
 *   problems: string[] }>} `problems` says what failed, with the essential lines of a trace
 */
export async function prove(cbmc, theorem) {
  const start = performance.now();
  const program = await preprocess(theorem, {});
  const properties = await check(cbmc, theorem, program);
  const isReached = ({ description }) => description.startsWith(REACHED);
  const claims = properties.filter((property) => !isReached(property));
  const reached = properties.filter(isReached);
  const broken = claims.filter(({ status }) => status !== 'SUCCESS');
  const unreached = reached.filter(({ status }) => status !== 'FAILURE');
  const problems = [
    ...(reached.length === 0 ? ['the theorem does not say what can be reached'] : []),
    ...broken.map((property) => `fails: ${describeProperty(property)}`),
    // What comes after a failure need not be reached.
    ...(broken.length > 0 ? [] : unreached).map(
      ({ description }) => `never ${description}: the theorem says less than it seems to`,
    ),
  ];
  const failed = broken.find(({ status }) => status === 'FAILURE');
  if (failed) {
    const [again] = await check(cbmc, theorem, program, ['--trace', '--property', failed.property]);
    problems.push(...essentials(again.trace).map((line) => `  ${line}`));
  }
  const seconds = (performance.now() - start) / 1000;
  const proved = problems.length === 0;
  return { proved, properties: claims.length, reached: reached.length, seconds, problems };
}

/**
 * Tries to prove a theorem of sources that have a fault.
 *
 * @param {string} cbmc
 * @param {import('../test/prove/theorems.mjs').Theorem} theorem
 * @param {import('../test/prove/theorems.mjs').Mutation} mutation
 * @returns {Promise<{ noticed: boolean, by: string, seconds: number }>} `by` is the claim that failed
 */
export async function proveBroken(cbmc, theorem, mutation) {
  const start = performance.now();
  const changes = [...(theorem.changes ?? []), mutation];
  const program = await preprocess({ ...theorem, changes }, { WITHOUT_REACHED: '' });
  const failed = await findFailure(cbmc, theorem, program);
  const seconds = (performance.now() - start) / 1000;
  return { noticed: Boolean(failed), by: failed ? describeProperty(failed) : '', seconds };
}

/** Finds what proofs need. Throws an error that says what to install. */
export async function findProver() {
  if (!onPath('cc')) throw new SetupError('The proofs need cc on PATH: install gcc.');
  return (await ensureCbmc()).cbmc;
}

// ---------------------------------------------------------------------------------------------
// The command line

/** Does jobs, as many at a time as there are processors, and hands on what they return in their order. */
async function inOrder(jobs, done) {
  const started = [];
  const waiting = jobs.map((job, index) => [job, index]);
  const results = jobs.map(
    (_, index) => new Promise((resolve, reject) => (started[index] = { resolve, reject })),
  );
  results.forEach((result) => result.catch(() => {}));
  const worker = async () => {
    for (let next; (next = waiting.shift());) {
      const [job, index] = next;
      await job().then(started[index].resolve, started[index].reject);
    }
  };
  for (let i = 0; i < availableParallelism(); ++i) worker();
  for (const [index, result] of results.entries()) done(await result, index);
}

function table(word, name, seconds, rest) {
  return `${word.padEnd(8)} ${name.padEnd(44)} ${seconds.toFixed(1).padStart(6)} s  ${rest}`;
}

async function proveAll(cbmc, theorems, say) {
  const results = [];
  await inOrder(
    theorems.map((theorem) => () => prove(cbmc, theorem)),
    (result, index) => {
      const { name, says } = theorems[index];
      results.push({ name, says, ...result });
      say(table(result.proved ? 'proved' : 'FAILED', name, result.seconds, says));
      for (const problem of result.problems) say(`           ${problem}`);
    },
  );
  return { results, failures: results.filter(({ proved }) => !proved).length };
}

async function breakAll(cbmc, theorems, say) {
  const pairs = theorems.flatMap((theorem) =>
    (theorem.broken ?? []).map((mutation) => ({ theorem, mutation })),
  );
  const results = [];
  await inOrder(
    pairs.map(
      ({ theorem, mutation }) =>
        () =>
          proveBroken(cbmc, theorem, mutation),
    ),
    (result, index) => {
      const { theorem, mutation } = pairs[index];
      results.push({ name: theorem.name, mutation, ...result });
      const { file, from, to } = mutation;
      say(
        table(
          result.noticed ? 'noticed' : 'MISSED',
          theorem.name,
          result.seconds,
          `${file}: ${from} → ${to}${result.noticed ? `; fails: ${result.by}` : ''}`,
        ),
      );
    },
  );
  return { results, failures: results.filter(({ noticed }) => !noticed).length };
}

const OPTIONS = {
  only: { type: 'string' },
  all: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  broken: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
};

async function main() {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) return console.log(HELP);
  const theorems = THEOREMS.filter(
    ({ name, slow }) =>
      (values.only === undefined || name.includes(values.only)) && (values.all || !slow),
  );
  if (theorems.length === 0) {
    throw new SetupError(
      `No theorem has ${values.only} in its name${values.all ? '' : ', or only slow ones (--all)'}: ` +
        'see npm run prove -- --list --all.',
    );
  }
  if (values.list) {
    if (values.json) return console.log(JSON.stringify(theorems, null, 2));
    for (const { name, says, slow } of theorems)
      console.log(`${name.padEnd(44)} ${slow ? '(slow) ' : ''}${says}`);
    return;
  }
  const cbmc = await findProver();
  const say = values.json ? console.error : console.log;
  const { results, failures } = await (values.broken ? breakAll : proveAll)(cbmc, theorems, say);
  if (values.json) console.log(JSON.stringify(results, null, 2));
  else
    console.log(
      values.broken
        ? `${results.length - failures} faults noticed, ${failures} missed`
        : `${results.length - failures} theorems proved, ${failures} failed`,
    );
  if (failures > 0) process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  main().catch((error) => {
    // A mistake in this file deserves its stack; a reason not to go on is told in one message.
    const expected = error instanceof SetupError || error.code?.startsWith('ERR_PARSE_ARGS');
    console.error(expected ? error.message : error.stack);
    process.exitCode = 1;
  });
}
