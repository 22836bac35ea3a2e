#!/usr/bin/env node
// Measures the allocators: time, memory, code size; prints tables and bars, writes JSON.
// Usage: node bench/run.mjs [--quick] [--only NAME,…] [--allocators NAME,…] [--with NAME='FLAGS'] [--save] [--help]
import { existsSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { PROJECT, ensureEmscripten } from '../scripts/emscripten.mjs';
import { writeWhole } from '../scripts/files.mjs';
import { barTable } from './bars.mjs';
import { ALL_SUBJECTS, SUBJECTS, completeOthers } from './builds.mjs';
import { findEngines } from './engines.mjs';
import { HARDENED_PARTS, measureHardened } from './hardened.mjs';
import { SHARE_ENGINES, SHARE_SUBJECTS, measureShares, shareReport } from './share.mjs';
import { measureMemory, measureSizes, measureTimes, prepare } from './measure.mjs';
import { progressBar } from '../js/progress.js';
import { UsageError, WITH_HELP, WITH_OPTION, chooseSubjects, exitCodeOf } from './options.mjs';
import { names, positive } from './options.mjs';
import { REFERENCE, Results, countTable, memoryTable, sizeTable } from './report.mjs';
import { timeRatioTable, timeTable, worstTable } from './report.mjs';
import { fiveTable } from './five.mjs';
import { ensureSources, sourceVersions } from '../scripts/sources.mjs';
import { EXTRA, PARTS, PROGRAMS, SMALL } from './workloads.mjs';
import { searchWorst } from './worst.mjs';

/** The stored reference run. */
export const STORED = path.join(PROJECT, 'bench', 'results.json');

/** Where a run's results go unless told. */
const LATEST = path.join(PROJECT, '.cache', 'bench-results.json');

const GROUPS = {
  small: [...SMALL, ...EXTRA],
  programs: PROGRAMS,
  ...Object.fromEntries(PARTS.map((part) => [part, partsOf(part)])),
};
const WORKLOADS = [...GROUPS.small, ...PROGRAMS];
const KINDS = ['time', 'memory', 'size', 'worst', 'hardened', 'share'];

/** What is measured of the workloads that are chosen. */
const OF_WORKLOADS = ['time', 'memory', 'share'];

/** The part of each small workload that a quick run has. */
const QUICK_SCALE = 0.25;

/** What can be stored alone, and under which name. */
export const STORED_PARTS = { hardened: 'hardened', share: 'shares' };

export const HELP = `Usage: npm run bench [-- OPTIONS]

Measures the five allocators of wasmalloc and Emscripten's own: time in V8's optimizing and baseline
tier and as a user gets it, peak memory, code size; prints tables and which bars are passed.

  --quick             fewer rounds, operations and allocators, this Node and the normal build only,
                      and of the programs those whose sources need not be fetched: within five
                      minutes once all is linked
  --only NAME,…       what to run: small, programs, tune or judge (a part of those), or by name
                        ${list(SMALL)}
                        ${list(EXTRA)}
                        ${PARTS.map((part) => `${part}: ${list(partsOf(part))}`).join('\n                        ')}
                      and what to measure: time, memory, size (code), worst (the slowest single call),
                      hardened (what that build costs), share (of the programs' time, the
                      allocators', and their own against that with the best peer)
  --allocators NAME,… only these, and ${REFERENCE}, which all are compared with; all unless told, and
                      for shares and quick runs ${SHARE_SUBJECTS.join(' ')}
                        ${ALL_SUBJECTS.join(' ')}
${WITH_HELP}
  --engines NAME,…    of node, node22, node24, node26, chromium; unless told node, node24 and
                      chromium, and for shares ${SHARE_ENGINES.join(' and ')}
  --rounds N          7 unless told; 2 with --quick
  --output FILE       writes the results there (unless told: ${path.relative(PROJECT, LATEST)})
  --save              writes them to bench/results.json, the stored reference; with --only hardened
                      or --only share that part of it
  --help              this text`;

function partsOf(part) {
  return PROGRAMS.filter((program) => program.part === part);
}

/** The names of workloads, for a help text. */
export function list(workloads) {
  return workloads.map(({ name }) => name).join(' ');
}

export const OPTIONS = {
  quick: { type: 'boolean', default: false },
  only: { type: 'string' },
  allocators: { type: 'string' },
  with: WITH_OPTION,
  engines: { type: 'string' },
  rounds: { type: 'string' },
  output: { type: 'string' },
  save: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
};

/** What --only asks for: some workloads, and kinds of measurements. A quick run fetches no sources unless told. */
function choose(text = '', quick = false) {
  const known = [...Object.keys(GROUPS), ...WORKLOADS.map(({ name }) => name), ...KINDS];
  const only = names(text, known, 'workload or measurement');
  const asked = only.filter((name) => KINDS.includes(name));
  const chosen = only.filter((name) => !KINDS.includes(name));
  const workloads = WORKLOADS.filter(
    (workload) =>
      chosen.includes(workload.name) ||
      chosen.some((group) => GROUPS[group]?.includes(workload)) ||
      (chosen.length === 0 && !(quick && workload.source)),
  );
  if (asked.includes('share') && !workloads.some(({ group }) => group === 'programs'))
    throw new UsageError('--only share is of programs, and none is named');
  const runs = asked.filter((kind) => OF_WORKLOADS.includes(kind));
  if (runs.length === 0 && (chosen.length > 0 || asked.length === 0)) runs.push('time', 'memory');
  const rest =
    asked.length === 0 && chosen.length === 0
      ? ['size', 'worst', ...Object.keys(STORED_PARTS)]
      : asked;
  return { workloads, kinds: new Set([...runs, ...rest]), complete: only.length === 0 };
}

/** The npm packages that sources of the real programs come from. */
export const PACKAGES = ['better-sqlite3', 'lua-src', 'duktape', 'tree-sitter', 'tree-sitter-c'];

/** The versions of everything that a result depends on. */
export function versions(emscripten, engines, packages = []) {
  const read = (file) => JSON.parse(readFileSync(path.join(PROJECT, file), 'utf8'));
  return {
    wasmalloc: read('package.json').version,
    emscripten: emscripten.version,
    engines: Object.fromEntries(engines.map(({ name, version }) => [name, version])),
    sources: Object.fromEntries(
      packages.map((name) => [name, read(`node_modules/${name}/package.json`).version]),
    ),
    processor: cpus()[0]?.model.trim(),
  };
}

/** The versions of Debian's source packages that programs are compiled from, by package. */
export function versionsOf(workloads) {
  const installed = sourceVersions();
  const used = workloads.flatMap(({ source }) => (source ? [source] : []));
  return Object.fromEntries(used.toSorted().map((name) => [name, installed[name]]));
}

/** In a quick run only the tiers that have bars. */
function tiersOf(quick, engine, workload) {
  if (workload.group === 'programs') return ['default'];
  return quick && engine.tiers.length > 1 ? ['optimizing', 'baseline'] : engine.tiers;
}

/** Does a part of the work, which takes a while, and shows how far it is. */
export async function step(title, work) {
  const progress = progressBar(title);
  const result = await work(progress);
  progress(1);
  return result;
}

/** Writes what a run has measured, formatted as the stored references are. */
export async function writeResults(file, data) {
  const options = { ...(await resolveConfig(STORED)), parser: 'json' };
  writeWhole(file, await format(JSON.stringify(data), options));
}

/** The stored reference run. */
export function readReference() {
  if (!existsSync(STORED))
    throw new Error('there is no bench/results.json; `npm run bench -- --save` makes it');
  return JSON.parse(readFileSync(STORED, 'utf8'));
}

/**
 * Measures.
 *
 * @param {object} values of the options
 * @returns {Promise<object>} what is stored as JSON
 */
export async function measure(values) {
  const { workloads, kinds, complete } = choose(values.only, values.quick);
  const usual = values.quick ? SHARE_SUBJECTS : SUBJECTS;
  const { subjects, others } = chooseSubjects(values, { usual, known: () => ALL_SUBJECTS });
  const rounds = positive(values.rounds ?? (values.quick ? '2' : '7'), '--rounds');

  const emscripten = await ensureEmscripten();
  await completeOthers();
  if (workloads.some(({ source }) => source)) await ensureSources();
  const engineNames = values.engines?.split(',') ?? (values.quick ? ['node'] : undefined);
  const isShareOnly = [...kinds].every((kind) => kind === 'share');
  const engines = isShareOnly ? [] : await findEngines(engineNames);
  const sampled = kinds.has('share')
    ? await findEngines(engineNames?.filter((name) => name !== 'chromium') ?? SHARE_ENGINES)
    : [];
  if (engines.length + sampled.length === 0)
    throw new UsageError('there is no engine to measure with');
  const selection = { workloads, subjects, scale: values.quick ? QUICK_SCALE : 1 };
  const timed = { ...selection, workloads: workloads.filter(({ passes }) => passes !== 0) };
  const sampling = {
    ...selection,
    workloads: workloads.filter((workload) => PROGRAMS.includes(workload)),
    subjects: values.allocators ? subjects : [...SHARE_SUBJECTS, ...others],
  };
  const data = { date: new Date().toISOString().slice(0, 10), quick: values.quick, rounds };
  Object.assign(data, { complete: complete && !values.allocators && others.length === 0 });
  Object.assign(data, { versions: versions(emscripten, engines, PACKAGES), subjects });
  Object.assign(data.versions.sources, versionsOf(workloads));
  try {
    if (kinds.has('time') || kinds.has('memory')) {
      await step('building', async (progress) => {
        if (kinds.has('time')) await prepare(timed, 'time', progress);
        if (kinds.has('memory')) await prepare(selection, 'memory', progress);
      });
    }
    if (kinds.has('size'))
      data.sizes = await step('code size', (progress) => measureSizes(subjects, progress));
    if (kinds.has('memory'))
      data.memory = await step('memory', (progress) =>
        measureMemory(selection, {
          engine: engines[0],
          limit: values.quick ? 5000 : undefined,
          progress,
        }),
      );
    if (kinds.has('time'))
      data.times = await step('times', (progress) =>
        measureTimes(timed, {
          engines,
          rounds,
          progress,
          tiersOf: (engine, workload) => tiersOf(values.quick, engine, workload),
        }),
      );
    if (kinds.has('worst')) {
      const searched = values.quick ? subjects.filter((name) => name === 'wasmalloc') : subjects;
      data.worst = await step('slowest call', async (progress) => {
        const found = {};
        for (const [i, subject] of searched.entries())
          found[subject] = await searchWorst(subject, (part, what) =>
            progress((i + part) / searched.length, what),
          );
        return found;
      });
    }
    if (sampled.length > 0)
      data.shares = await step("the allocators' and the programs' own time", (progress) =>
        measureShares(sampling, { engines: sampled, rounds, progress }),
      );
    if (kinds.has('hardened') && !(values.quick && complete)) {
      const { scale } = selection;
      data.hardened = await measureHardened({ engine: engines[0], rounds, scale, step });
    }
  } finally {
    for (const engine of [...engines, ...sampled]) await engine.close();
  }
  return data;
}

/** All tables of a run. */
export function report(data) {
  const results = new Results(data);
  const parts = [];
  for (const config of results.configs()) {
    for (const group of ['small', 'programs']) {
      if (results.names(config, group).length === 0) continue;
      parts.push(`## ${config}`, timeTable(results, config, group));
      parts.push(timeRatioTable(results, config, group));
    }
  }
  if (data.memory) {
    parts.push('## memory', memoryTable(results), memoryTable(results, 'heap'));
    parts.push(countTable(results, 'lost', 'bytes lost'));
    parts.push(countTable(results, 'grows', 'calls of memory.grow'));
  }
  if (data.worst) parts.push('## slowest call', worstTable(results));
  if (data.sizes) parts.push('## code size', sizeTable(results));
  if (data.shares)
    parts.push("## the allocators' and the programs' own time", shareReport(results));
  if (data.hardened)
    parts.push('## hardened', ...Object.values(HARDENED_PARTS).map((part) => part(results)));
  parts.push('## the five', fiveTable(results), '## bars', barTable(results));
  return parts.join('\n\n');
}

async function main() {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) return console.log(HELP);
  const part = STORED_PARTS[values.only];
  if (values.save && (values.allocators || values.with.length || (values.only && !part)))
    throw new UsageError(
      `--save stores whole runs, or with --only a part: ${Object.keys(STORED_PARTS).join(', ')}`,
    );
  const data = await measure(values);
  const output = values.output ?? (values.save ? STORED : LATEST);
  const isPart = values.save && part;
  await writeResults(output, isPart ? { ...readReference(), [part]: data[part] } : data);
  console.log(report(data));
  console.log(`\nResults are in ${path.relative(process.cwd(), output)}.`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  main().catch((error) => {
    console.error(`bench: ${error.message}`);
    process.exitCode = exitCodeOf(error);
  });
}
