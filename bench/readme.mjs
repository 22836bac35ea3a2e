#!/usr/bin/env node
// Brings the tables and the picture of the documentation up to date with the stored reference run.
// Usage: node bench/readme.mjs [--from FILE] [--check] [--help]
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { PROJECT } from '../scripts/emscripten.mjs';
import { writeWhole } from '../scripts/files.mjs';
import { barTable } from './bars.mjs';
import { brokenPromises, figures, fiveTable } from './five.mjs';
import { STORED_TRACES } from './memory.mjs';
import { TRACE_PARTS, TraceResults } from './memory-report.mjs';
import { plot } from './plot.mjs';
import { Results, countTable, memoryTable, programTable, sizeTable, table } from './report.mjs';
import { timeRatioTable, timeTable, worstTable } from './report.mjs';
import { HARDENED_PARTS } from './hardened.mjs';
import { shareReport } from './share.mjs';
import { STORED, STORED_PARTS } from './run.mjs';
import { THREAD_PARTS } from './threads-report.mjs';
import { STORED_THREADS } from './threads.mjs';

const HELP = `Usage: npm run bench:readme [-- OPTIONS]

Writes docs/space-time.svg, and in README.md and docs/*.md what stands between <!-- bench:NAME --> and
<!-- /bench -->, from bench/results.json, bench/threads.json and bench/memory.json. Where the measurements do not bear out a word of the table of
five, the table says so, and the exit code is 1.

  --from FILE          takes the results from there
  --threads-from FILE  and those with threads from there
  --memory-from FILE   and those of memory by traces
  --check              writes nothing; fails when something is not up to date
  --help               this text`;

const FILES = ['README.md', 'docs/benchmarks.md', 'docs/security.md'];
const PICTURE = 'docs/space-time.svg';

/** What can stand between the marks, by name. */
const PARTS = {
  five: (results, file) => fiveTable(results, file.startsWith('docs/') ? '../' : ''),
  bars: (results) => barTable(results),
  versions: versionTable,
  'small-optimizing': (results) => times(results, 'optimizing', 'small'),
  'small-baseline': (results) => times(results, 'baseline', 'small'),
  'small-default': (results) => times(results, 'default', 'small'),
  programs: (results) => times(results, 'default', 'programs'),
  'program-list': (results) => programTable(results),
  memory: (results) => memoryTable(results),
  heap: (results) => memoryTable(results, 'heap'),
  lost: (results) => countTable(results, 'lost', 'bytes lost'),
  grows: (results) => countTable(results, 'grows', 'calls of memory.grow'),
  size: (results) => sizeTable(results),
  worst: (results) => worstTable(results),
  share: shareReport,
  ...HARDENED_PARTS,
};

/** The same, from the results of the benchmark with threads, and from those of memory by traces. */
const OF_THREADS = { 'threads-versions': versionTable, ...THREAD_PARTS };
const OF_TRACES = TRACE_PARTS;

function times(results, tier, group) {
  return results
    .configs(tier)
    .filter((config) => results.names(config, group).length > 0)
    .flatMap((config) => {
      const engine = results.data.versions.engines[config.split(' ')[0]];
      return [
        `${engine}:`,
        timeRatioTable(results, config, group),
        timeTable(results, config, group),
      ];
    })
    .join('\n\n');
}

function versionTable({ data }) {
  const { wasmalloc, emscripten, engines, sources, processor } = data.versions;
  const rows = [
    ['date', data.date],
    ['rounds', `${data.rounds}${data.quick ? ' (a quick run)' : ''}`],
    ['processor', processor],
    ['wasmalloc', wasmalloc],
    ['Emscripten', emscripten],
    ['engines', Object.values(engines).join(', ')],
    ...Object.entries(sources),
  ];
  return table([['', ''], ...rows]);
}

/** The file's text with all its marked parts renewed. */
function renew(file, results, threadResults, traceResults) {
  const text = readFileSync(path.join(PROJECT, file), 'utf8');
  return text.replace(
    /(<!-- bench:([\w-]+) -->\n)[^]*?(<!-- \/bench -->)/g,
    (_, start, name, end) => {
      const all = { ...PARTS, ...OF_THREADS, ...OF_TRACES };
      if (!all[name])
        throw new Error(`${file}: no part '${name}'; there are: ${Object.keys(all).join(' ')}`);
      const source =
        name in OF_THREADS ? threadResults : name in OF_TRACES ? traceResults : results;
      const text = all[name](source, file);
      return `${start}\n${text}\n\n${end}`;
    },
  );
}

function picture(results) {
  const [, sizes] = Object.values(results.data.sizes);
  const points = results.subjects.map((name) => ({
    name,
    ...figures(results, name),
    code: sizes['-O2'][name],
  }));
  return plot(points.filter(({ space, time }) => space && time));
}

/** The results of a whole run of `command`. */
function read(file, command, Kind = Results) {
  if (!existsSync(file))
    throw new Error(`there is no ${file}; \`npm run ${command} -- --save\` makes the reference`);
  const results = new Kind(JSON.parse(readFileSync(file, 'utf8')));
  if (!results.data.complete) throw new Error(`${file} has not the results of a whole run`);
  return results;
}

async function main() {
  const { values } = parseArgs({
    options: {
      from: { type: 'string', default: STORED },
      'threads-from': { type: 'string', default: STORED_THREADS },
      'memory-from': { type: 'string', default: STORED_TRACES },
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(HELP);
  const results = read(values.from, 'bench');
  for (const [name, part] of Object.entries(STORED_PARTS))
    if (!results.data[part])
      throw new Error(`${values.from} lacks \`npm run bench -- --only ${name} --save\``);
  const threadResults = read(values['threads-from'], 'bench:threads');
  const traceResults = read(values['memory-from'], 'bench:memory', TraceResults);
  const texts = FILES.filter((file) => existsSync(path.join(PROJECT, file))).map((file) => [
    file,
    renew(file, results, threadResults, traceResults),
  ]);
  texts.push([PICTURE, await picture(results)]);
  for (const [file, text] of texts) {
    const target = path.join(PROJECT, file);
    if (existsSync(target) && readFileSync(target, 'utf8') === text) continue;
    if (values.check) {
      console.error(`${file} is not up to date: npm run bench:readme`);
      process.exitCode = 1;
    } else {
      writeWhole(target, text);
      console.log(`${file} is up to date now.`);
    }
  }
  for (const { text } of brokenPromises(results)) {
    console.error(`the table of five is not borne out (docs/benchmarks.md): ${text}`);
    process.exitCode = 1;
  }
}

main().catch((error) => {
  console.error(`bench:readme: ${error.message}`);
  process.exitCode = 1;
});
