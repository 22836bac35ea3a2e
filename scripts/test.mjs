#!/usr/bin/env node
// Runs the tests: the quick suite, or the whole one, the files that take longest first; or a third of what the quick
// suite leaves out, as far as there is time.
// Usage: node scripts/test.mjs [--all] [--turn N] [--until T] [--stop T] [--next-turn] [--weigh] [--help] [FILE …]
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { PROJECT } from './emscripten.mjs';
import { writeWhole } from './files.mjs';

const MOCHA = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');

/** Seconds of processor time by file: `{ quick, all }`; --weigh writes them. */
const WEIGHTS = path.join(PROJECT, 'test', 'weights.json');

/** Whose turn it is when there is no time for all. */
const TURN = path.join(PROJECT, '.ci', 'turn');

/** In so many turns all has run. */
const TURNS = 3;

/** So many files run at a time. */
const JOBS = 2;

/** The longest that a timer can wait, in milliseconds: 24 days. */
const LONGEST = 2 ** 31 - 1;

/** What a file weighs that has never been weighed, in seconds. */
const UNKNOWN = 60;

const HELP = `Usage: npm test
       npm run test:all
       npx mocha test/js/heap.test.js                          one file, as in the quick suite
       WASMALLOC_TEST_ALL=1 npx mocha test/fuzz/fuzz.test.js   one file, all of it

  --all        the whole suite, which has all of the quick one in it
  --turn N     a third of what the quick suite leaves out: the first, the second or the third, over and over
  --until T    no file is started after this time (seconds since 1970) that would not be ready then
  --stop T     files that are at work then are stopped
  --next-turn  does not test, but writes into .ci/turn whose turn is next: for the commit that is handed in
  --weigh      runs the files one by one and writes what they take into test/weights.json
  --help       this text`;

/** @returns {string[]} the files with tests, those for the whole suite only with `all` */
export function testFiles(all) {
  return readdirSync(path.join(PROJECT, 'test'), { recursive: true })
    .filter((file) => file.endsWith('.test.js') && !file.includes('node_modules'))
    .filter((file) => all || !isSlow(file))
    .map((file) => path.posix.join('test', file))
    .sort();
}

const isSlow = (file) => file.endsWith('.slow.test.js');

/** Whether there is more of a file in the whole suite: whoever asks for that imports one of these from test/support. */
function hasMore(file) {
  const asks = /\b(testAll|inTurn|describeInBrowsers)\b/;
  return isSlow(file) || asks.test(readFileSync(path.join(PROJECT, file), 'utf8'));
}

const readWeights = () => JSON.parse(readFileSync(WEIGHTS, 'utf8'));

/** @returns {(file: string) => number} */
function weigher(suite) {
  const weights = readWeights();
  return (file) => weights[file]?.[suite] ?? UNKNOWN;
}

/**
 * Deals files out, so that each share weighs about the same.
 *
 * @param {string[]} files
 * @param {number} count of shares
 * @param {(file: string) => number} weigh
 * @returns {string[][]} the shares, each sorted by file
 */
export function shares(files, count, weigh) {
  const all = Array.from({ length: count }, () => ({ weight: 0, files: [] }));
  for (const file of [...files].sort((a, b) => weigh(b) - weigh(a) || (a < b ? -1 : 1))) {
    const lightest = all.reduce((least, share) => (share.weight < least.weight ? share : least));
    lightest.files.push(file);
    lightest.weight += weigh(file);
  }
  return all.map((share) => share.files.sort());
}

const environment = (all) => ({ ...process.env, ...(all ? { WASMALLOC_TEST_ALL: '1' } : {}) });

/** The processes that have a group of their own: they must not outlive this one. */
const groups = new Set();

function endGroup(child) {
  groups.delete(child);
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error; // it has just ended
  }
}

function endGroupsOnSignals() {
  for (const [signal, code] of Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }))
    process.once(signal, () => {
      for (const child of groups) endGroup(child);
      process.exit(code);
    });
}

/** Runs a program to its end. Unless it has the terminal, it is in a group of processes that {@link endGroup} ends. */
function start(program, args, { all, stdio }) {
  const child = spawn(program, args, {
    cwd: PROJECT,
    env: environment(all),
    stdio,
    detached: stdio !== 'inherit',
  });
  if (stdio !== 'inherit') groups.add(child);
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      groups.delete(child);
      resolve({ code, signal });
    });
  });
  return { child, ended };
}

/** All files in one run of mocha. */
async function runTogether(files, all) {
  const weigh = weigher(all ? 'all' : 'quick');
  const ordered = [...files].sort((a, b) => weigh(b) - weigh(a));
  const args = [MOCHA, '--parallel', '--jobs', `${JOBS}`, ...ordered];
  const { code } = await start(process.execPath, args, { all, stdio: 'inherit' }).ended;
  process.exitCode = code ?? 1;
}

/** The last line of the reporter (test/support/reporter.cjs). */
function countsIn(output) {
  const lines = [...output.matchAll(/^(\d+) passed, (\d+) failed, (\d+) skipped$/gm)];
  return lines.at(-1)?.slice(1).map(Number);
}

/** Files one by one, two at a time, the longest first, as far as there is time. */
async function runInTime(files, { until, stop }) {
  const weigh = weigher('all');
  const total = [0, 0, 0];
  const waiting = [...files].sort((a, b) => weigh(b) - weigh(a));
  const left = [];
  const atWork = new Map();
  const now = () => Date.now() / 1000;

  const next = async () => {
    for (let file; (file = waiting.shift());) {
      // A weight is processor time, and a long file keeps two processors busy.
      if (now() + weigh(file) / JOBS > until) {
        left.push(`${file}: no time`);
        continue;
      }
      const stdio = ['ignore', 'pipe', 'pipe'];
      const { child, ended } = start(process.execPath, [MOCHA, file], { all: true, stdio });
      atWork.set(file, child);
      let output = '';
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text) => (output += text));
      const { code, signal } = await ended;
      const isStopped = !atWork.delete(file);
      console.log(`\n──── ${file}\n${output}`);
      if (isStopped) continue;
      const counts = countsIn(output);
      if (counts) counts.forEach((count, i) => (total[i] += count));
      if (!counts || (code !== 0 && counts[1] === 0)) {
        console.log(`${file} ended with ${signal ?? code}`);
        total[1] += 1;
      }
    }
  };

  const alarm = setTimeout(
    () => {
      for (const [file, child] of atWork) {
        left.push(`${file}: stopped`);
        atWork.delete(file);
        endGroup(child);
      }
    },
    Math.min(Math.max(0, stop - now()) * 1000, LONGEST),
  );
  await Promise.all(Array.from({ length: JOBS }, next));
  clearTimeout(alarm);
  if (left.length > 0) {
    console.log('Not run, for lack of time:');
    for (const text of left.sort()) console.log(`  ${text}`);
  }
  console.log(`${total[0]} passed, ${total[1]} failed, ${total[2]} skipped`);
  process.exitCode = total[1] > 0 ? 1 : 0;
}

/** What files take: one by one, so that each has the processors for itself; processor time is the same if not. */
async function weighAll(files, all) {
  for (const file of files) {
    // The shell tells what its children have taken.
    const script = '"$@"; code=$?; times; exit $code';
    const args = ['-c', script, 'sh', process.execPath, MOCHA, file];
    const { child, ended } = start('sh', args, { all, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
    const { code } = await ended;
    const [user, system] = [
      ...output
        .trimEnd()
        .split('\n')
        .at(-1)
        .matchAll(/(\d+)m([\d.]+)s/g),
    ].map(([, minutes, seconds]) => 60 * minutes + Number(seconds));
    const seconds = Math.ceil(user + system);
    console.log(
      `${String(seconds).padStart(5)} s  ${file}${code === 0 ? '' : `  (exit code ${code})`}`,
    );
    const known = new Set(testFiles(true));
    const weights = readWeights();
    weights[file] = { ...weights[file], [all ? 'all' : 'quick']: seconds };
    const rows = Object.entries(weights).filter(([name]) => known.has(name));
    const sorted = Object.fromEntries(rows.sort(([a], [b]) => (a < b ? -1 : 1)));
    writeWhole(WEIGHTS, `${JSON.stringify(sorted, null, 2)}\n`);
  }
}

async function main() {
  const boolean = { type: 'boolean', default: false };
  const string = { type: 'string' };
  const { values, positionals } = parseArgs({
    options: {
      all: boolean,
      turn: string,
      until: string,
      stop: string,
      'next-turn': boolean,
      weigh: boolean,
      help: boolean,
    },
    allowPositionals: true,
  });
  if (values.help) return console.log(HELP);
  if (values['next-turn']) {
    const turn = (Number(readFileSync(TURN, 'utf8')) % TURNS) + 1;
    writeWhole(TURN, `${turn}\n`);
    return console.log(`.ci/turn: ${turn} of ${TURNS}`);
  }
  const number = (name) => {
    const value = Number(values[name] ?? Infinity);
    if (!(value > 0)) throw new Error(`--${name} takes a number above 0, not ${values[name]}`);
    return value;
  };
  const { all } = values;
  const files = positionals.length > 0 ? positionals : testFiles(all);
  if (values.turn === undefined && !values.weigh) return runTogether(files, all);
  endGroupsOnSignals();
  if (values.weigh) return weighAll(files, all);
  const turn = number('turn');
  const part = (turn - 1) % TURNS;
  const dealt = shares(testFiles(true).filter(hasMore), TURNS, weigher('all'));
  const share = positionals.length > 0 ? positionals : dealt[part];
  console.log(`What the quick suite leaves out, part ${part + 1} of ${TURNS}:`);
  for (const file of share) console.log(`  ${file}`);
  await runInTime(share, { until: number('until'), stop: number('stop') });
}

if (process.argv[1] === import.meta.filename) {
  main().catch((error) => {
    console.error(`test: ${error.message}`);
    process.exitCode = 2;
  });
}
