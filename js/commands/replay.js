// npx wasmalloc replay: compares allocators on a trace.
// Usage: node js/cli.js replay --help
import { progressBar } from '../progress.js';
import { checkOptions, replay, replayAllocators } from '../replay.js';
import { nameText } from '../report/text.js';
import { MEMORY_OPTION, mebibytes, withTrace } from './common.js';
import { onlyFile, parse, wholeNumber } from './options.js';
import { complain, print } from './output.js';

const HELP = `Usage: npx wasmalloc replay FILE [--rounds N] [--limit SECONDS] [--memory MIB]
                             [--allocators NAME,NAME...] [--json]

Replays a trace, which a program records that is linked with --use-port=...:trace=1, on each allocator,
and says which to take. First where the peaks are, then N rounds for the times, one allocator after the
other in each. What is in the blocks is checked meanwhile: a broken allocator is named.
FILE is - for standard input.

  --rounds N         so many rounds (7 unless told)
  --limit SECONDS    and no longer than so for each allocator (60 unless told)
  --memory MIB       and fill no more memory than so (640 unless told)
  --allocators LIST  of these only: ${replayAllocators.join(', ')}
  --json             prints the result for machines: sizes in bytes, times in milliseconds
  -h, --help         prints this text`;

const KIB = 1024;

function number(value) {
  return value.toLocaleString('en-US', { maximumFractionDigits: 0 });
}

function percent(fraction) {
  return `${(fraction * 100).toFixed(1)} %`;
}

/** The table: the first column to the left, all others to the right. */
function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const pad = (cell, column) =>
    column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]);
  return rows.map((row) => row.map(pad).join('   ')).join('\n');
}

function rowOf({ name, time, ratio, peakHeap, peakPages, peakLive, fragmentation, code }) {
  return [
    name,
    time ? `${time.median.toFixed(2)} ± ${percent(time.spread / 2)}` : '-',
    ratio ? ratio.toFixed(2) : '-',
    `${number(peakHeap / KIB)} (${peakPages})`,
    number(peakLive / KIB),
    percent(fragmentation),
    number(code),
  ];
}

const HEADS = [
  '',
  'time, ms',
  'ratio',
  'heap, KiB (pages)',
  'live, KiB',
  'fragmentation',
  'code, bytes',
];

/** Those that are as good as the first, for a sentence. */
function equals(names) {
  const others = names.slice(1);
  return others.length ? ` (${others.join(', ')}: no difference)` : '';
}

/** What taking this one costs otherwise, if that is much. */
function price(result, results) {
  const least = Math.min(...results.filter(({ fault }) => !fault).map(({ peakHeap }) => peakHeap));
  const times = result.peakHeap / least;
  return times > 1.5 ? `, which needs ${times.toFixed(1)} times the least memory` : '';
}

function sentences({ advice, allocators }) {
  if (!advice) return ['No allocator has replayed the whole trace.'];
  const find = (names) => allocators.find(({ name }) => name === names[0]);
  return Object.entries(advice).map(
    ([what, names]) =>
      `For ${what}, take ${names[0]}${price(find(names), allocators)}${equals(names)}.`,
  );
}

/** What must be known about the figures. */
function notes({ trace, allocators }, memory) {
  const lines = [];
  if (trace.threads > 1)
    lines.push(
      `The trace has ${trace.threads} threads: one replays the calls of all, in their order.`,
    );
  if (trace.failed)
    lines.push(`Calls that had failed in the program are left out: ${trace.failed}.`);
  if (trace.unknown)
    lines.push(`Frees of blocks that the trace does not know are left out: ${trace.unknown}.`);
  for (const { name, failed, fault, tooSlow, tooLarge } of allocators) {
    if (fault)
      lines.push(`${name} is BROKEN: ${fault.what} (call ${fault.call}, a ${fault.kind}).`);
    if (tooSlow) lines.push(`${name} is too slow: its time was up before the end of the trace.`);
    if (tooLarge)
      lines.push(
        `${name} has not been replayed to the end: call ${tooLarge.call}, a ${tooLarge.kind}, would fill more than ${memory} MiB of memory (--memory allows more).`,
      );
    if (failed) lines.push(`${name} has run out of memory: calls that failed: ${failed}.`);
  }
  return lines;
}

/** The result of replay(), for people; `memory` is what it was allowed. */
export function textOf(result, memory) {
  const { trace, rounds, allocators } = result;
  const ofProgram = `${nameText(trace.program)}, recorded with ${nameText(trace.allocator)}`;
  const events = `${number(trace.events)} events of ${ofProgram}`;
  if (trace.calls === 0)
    return [`${events}: there is nothing to replay.`, ...notes(result, memory)].join('\n');
  return [
    `${events}; ${rounds} rounds`,
    `\n${table([HEADS, ...allocators.map(rowOf)])}\n`,
    ...sentences(result),
    ...notes(result, memory),
  ].join('\n');
}

/** Where there is no result for an allocator, the exit code is 1. */
export async function run(args) {
  const { values, positionals } = parse(args, {
    rounds: { type: 'string', default: '7' },
    limit: { type: 'string', default: '60' },
    memory: MEMORY_OPTION,
    allocators: { type: 'string', default: replayAllocators.join(',') },
    json: { type: 'boolean', default: false },
  });
  if (values.help) return print(HELP);
  const file = onlyFile(positionals, 'replay');
  const options = {
    rounds: wholeNumber('rounds', values.rounds),
    limit: wholeNumber('limit', values.limit),
    memory: mebibytes(values.memory),
    allocators: values.allocators.split(','),
    onProgress: progressBar('replay'),
  };
  checkOptions(options);
  const result = await withTrace(file, (input, threads) =>
    replay(input.once, { ...options, run: threads.run }),
  );
  if (result.trace.fault) complain(`${file}: ${result.trace.fault}; they have been replayed`);
  print(values.json ? JSON.stringify(result, null, 2) : textOf(result, options.memory));
  if (result.allocators.some(({ fault }) => fault)) process.exitCode = 1;
}
