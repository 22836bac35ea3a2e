// Hands strange traces to all that reads traces: each must get an answer, or an error that the command line prints as one
// line.
// Usage: node test/trace/fuzz/run.js [--seed SEED] [--count COUNT] [--keep FILE]
// Prints the seed of each trace before it is tried: the last one is that of a trace that is never finished. `--keep` writes
// the first of the traces to a file, for `npx wasmalloc replay FILE`.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { textOf } from '../../../js/commands/replay.js';
import { WasmallocError, compileTrace, readTrace, replay } from '../../../js/index.js';
import { allocators, replayAllocators } from '../../../js/index.js';
import { reportPage } from '../../../js/report/page.js';
import { mapPicture, parseMoment } from '../../../js/report/picture.js';
import { ReplayThreads } from '../../../js/commands/threads.js';
import { strangeTrace } from './traces.js';

/** So many MiB may a replay fill: as by default with few seeds, since that takes time. */
const memoryFor = (seed) => (seed % 500 === 0 ? 640 : 16);

const MOMENTS = ['peak', 'end', '50%', '0us', '3ms'];

/** No MiB more than this takes all of it, whatever the traces ask for. */
const MOST_MEMORY = 1000;

/** As in the commands, but for a patience of so many milliseconds. */
const threads = new ReplayThreads({ patience: 5000 });

const isOurs = (name) => allocators.some((allocator) => allocator.name === name);

const turn = (list, seed) => list[seed % list.length];

/** The job's answer; undefined if it has answered with an error that it may answer with. */
async function answerOf(job) {
  try {
    return await job();
  } catch (error) {
    if (!(error instanceof WasmallocError)) throw error;
    assert.ok(error.message.length < 400, `a message of ${error.message.length} characters`);
    return undefined;
  }
}

async function readAll(bytes) {
  const trace = await readTrace(bytes);
  let events = 0;
  for await (const batch of trace)
    for (const { size, alignment, address, previous, time, heap, block } of batch) {
      for (const number of [size, alignment, address, previous, time, heap, block])
        assert.ok(Number.isFinite(number), `event ${events} has ${number}`);
      assert.ok(address >= 0 && time >= 0 && size >= 0);
      ++events;
    }
  return events;
}

/** Nothing that is no number, and no character that XML lacks. */
function checkPicture({ svg }) {
  assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
  // eslint-disable-next-line no-control-regex
  assert.doesNotMatch(svg, /[\u0000-\u0008\u000b-\u001f\ufffe\uffff]|\p{Cs}/u);
}

/** What the page gets: JSON has null for what is no number. */
function checkPage({ html }) {
  const [, json] = /<script type="application\/json"[^>]*>(.*?)<\/script>/s.exec(html);
  const data = JSON.parse(json);
  const numbers = (value, path) => {
    if (path === '.fault' || path === '.end') return;
    assert.notEqual(value, null, path);
    if (typeof value === 'object')
      for (const [key, part] of Object.entries(value)) numbers(part, `${path}.${key}`);
  };
  numbers(data, '');
  assert.ok(!Number.isNaN(new Date(data.description.started).getTime()));
}

function checkText(result, memory) {
  const text = textOf(result, memory);
  assert.doesNotMatch(text, /NaN|Infinity|undefined/);
  for (const { name, fault } of result.allocators.filter(({ name }) => isOurs(name)))
    assert.equal(fault, null, `${name} is broken: ${JSON.stringify(fault)}`);
}

/** What the commands make of a trace. */
const COMMANDS = {
  async replay(bytes, options) {
    const result = await replay(bytes, { ...options, rounds: 1, limit: 5, run: threads.run });
    checkText(result, options.memory);
  },
  async map(bytes, options, seed) {
    const moment = parseMoment(turn(MOMENTS, seed));
    checkPicture(await mapPicture(bytes, { ...options, moment, draw: threads.draw }));
  },
  async report(bytes, options) {
    checkPage(await reportPage(bytes, { ...options, map: threads.map }));
  },
};

/** One command each time; to make pages takes longest. */
function commandFor(seed) {
  const turns = Math.floor(seed / replayAllocators.length);
  if (turns % 8 === 7) return COMMANDS.report;
  return turns % 2 ? COMMANDS.map : COMMANDS.replay;
}

async function tryAll(seed) {
  const bytes = strangeTrace(seed);
  const options = { memory: memoryFor(seed), allocators: [turn(replayAllocators, seed)] };
  const events = await answerOf(() => readAll(bytes));
  const program = await answerOf(() => compileTrace(bytes));
  if (events !== undefined) assert.equal(program.events, events);
  await answerOf(() => commandFor(seed)(bytes, options, seed));
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '1' },
    keep: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (values.help) {
  console.log(`Usage: node test/trace/fuzz/run.js [options]

Hands strange traces to all that reads traces: each must get an answer, or an error that is one line.

  --seed N     begins with the trace that this stands for (1)
  --count N    tries so many (1)
  --keep FILE  writes the first of them to a file, for npx wasmalloc replay FILE
  --help       prints this`);
  process.exit();
}
const first = Number(values.seed);
if (values.keep) writeFileSync(values.keep, strangeTrace(first));
for (let seed = first; seed < first + Number(values.count); ++seed) {
  console.log(`seed ${seed}`);
  try {
    await tryAll(seed);
  } catch (error) {
    console.log(error.stack);
    process.exit(1);
  }
  const needed = process.resourceUsage().maxRSS / 1024;
  if (needed > MOST_MEMORY) {
    console.log(`${Math.round(needed)} MiB of memory`);
    process.exit(1);
  }
}
await threads.close();
console.log('sound');
