#!/usr/bin/env node
// Runs every known fault of the allocators that Emscripten ships, with those three and with our five.
// Usage: node test/peers/run.mjs [--allocator NAME] [--fault NAME] [--write] [--json] [--help]
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { markdownTable } from 'markdown-table';
import { progressBar } from '../../js/progress.js';
import { PROJECT, ensureEmscripten } from '../../scripts/emscripten.mjs';
import {
  ALLOCATORS,
  PEERS,
  allocatorFlag,
  capture,
  emcc,
  programFile,
} from '../../scripts/run.mjs';
import { choose } from '../support/choose.js';
import { emscriptenIsAtLeast, findNode24, queued } from '../support/emcc.js';
import { readPart, writePart } from '../support/page.js';

const HELP = `Usage: node test/peers/run.mjs [options]

Runs the known faults of Emscripten's allocators with these three and with our five, on wasm32 and
wasm64, and prints who passes. The exit code is 1 when one of ours does not.

  --allocator NAME  only this one; can be given several times
  --fault NAME      only this one; can be given several times
  --write           writes the table into docs/faults.md
  --json            prints the results as JSON
  --help            this text, and the names of allocators and faults`;

/** The page with the table. */
const PAGE = path.join(PROJECT, 'docs', 'faults.md');

/** Ours, and Emscripten's. */
const SUBJECTS = [...ALLOCATORS.map(({ name }) => name), ...PEERS];

/** The sizes of a pointer: emcc's flags, and the Node that runs such programs. */
const WIDTHS = {
  wasm32: { flags: [], node: () => process.execPath },
  wasm64: { flags: ['-sMEMORY64', '-Wno-experimental'], node: findNode24 },
};

/** Before Emscripten 4 a 64-bit memory does not grow in Node 24. */
const usableWidths = () => (emscriptenIsAtLeast('4.0.0') ? Object.keys(WIDTHS) : ['wasm32']);

/**
 * The programs: their sources, beside fault.c, and the linker's flags. What a program's memory is can
 * only be said when it is linked.
 */
const PROGRAMS = {
  limited: {
    sources: ['requests.c', 'nothrow.cpp', 'heap.c'],
    flags: ['-sALLOW_MEMORY_GROWTH', '-sMAXIMUM_MEMORY=64MB'],
  },
  first: { sources: ['first.c'], flags: [] },
  large: { sources: ['large.c'], flags: ['-sALLOW_MEMORY_GROWTH', '-sMAXIMUM_MEMORY=4GB'] },
  wrapped: { sources: ['wrapped.c'], flags: ['-sALLOW_MEMORY_GROWTH'] },
};

/** Seconds of the processor's time, after which a fault's program is taken not to end. The slowest needs a tenth of it. */
const PATIENCE = 20;

/** What starts a program that has so much time. */
const PATIENTLY = ['-c', `ulimit -S -t ${PATIENCE} && exec "$@"`, 'sh'];

/**
 * What an allocator that is not general-purpose does not promise, with the reason. It must refuse then: a
 * trap is a fault all the same.
 */
const NOT_PROMISED = {
  minimal: {
    'reuse-small': 'it never frees',
    'reuse-medium': 'it never frees',
    'aligned-churn': 'it never frees',
    'grow-among-others': 'it never frees',
    'frees-sized': 'it never frees',
    'frees-aligned-sized': 'it never frees',
    'grow-into-free': 'none of its blocks grows',
    'grow-at-end': 'none of its blocks grows',
  },
};

/**
 * @param {string} allocator
 * @param {string} fault
 * @returns {string | undefined} why this allocator need not pass
 */
export function whyNotPromised(allocator, fault) {
  return NOT_PROMISED[allocator]?.[fault];
}

const sources = fileURLToPath(new URL('.', import.meta.url));

/** The faults that a source defines. */
function readFaults(file, program) {
  const text = readFileSync(path.join(sources, file), 'utf8');
  const found = [...text.matchAll(/^FAULT\((\w+),\s*((?:"[^"]*"\s*)+)\)/gm)];
  if (found.length !== text.match(/^FAULT\(/gm)?.length)
    throw new Error(`${file} has a FAULT(name, "text") that this script does not read`);
  return found.map(([, name, strings]) => ({
    name: name.replaceAll('_', '-'),
    text: [...strings.matchAll(/"([^"]*)"/g)].map(([, part]) => part).join(''),
    program,
  }));
}

/** All faults, in the order of the table: `{ name, text, program }`. */
export const FAULTS = Object.entries(PROGRAMS).flatMap(([program, { sources: files }]) =>
  files.flatMap((file) => readFaults(file, program)),
);

/** What in a text matches, not too long. */
const excerpt = (text, pattern) => text.match(pattern)?.[0].trim().slice(0, 200);

/**
 * What became of a fault's program.
 *
 * @returns {{ outcome: 'pass' | 'wrong' | 'missing' | 'trap' | 'abort' | 'hangs', detail: string }}
 */
function judge({ stdout, stderr, code, signal }) {
  if (code === 0 && stdout === 'ok\n') return { outcome: 'pass', detail: '' };
  const said = stdout.match(/^(not ok|missing): (.*)$/m);
  if (said) return { outcome: said[1] === 'missing' ? 'missing' : 'wrong', detail: said[2] };
  const aborted = excerpt(stderr, /Aborted\(.*$/m);
  if (aborted) return { outcome: 'abort', detail: aborted };
  const trapped = excerpt(stderr, /RuntimeError: .*$/m);
  if (trapped) return { outcome: 'trap', detail: trapped };
  if (signal === 'SIGXCPU') return { outcome: 'hangs', detail: `for ${PATIENCE} seconds` };
  throw new Error(`a program ended with ${signal ?? code} and no verdict:\n${stdout}${stderr}`);
}

/**
 * Compiles the programs, links them with each allocator, and runs the faults, each in a process of its
 * own.
 *
 * @param {{ allocators?: string[], faults?: object[],
 *   onProgress?: (fraction: number, what?: string) => void }} [options] all of them unless told
 * @returns {Promise<Record<string, Record<string, Record<string, { outcome: string, detail: string }>>>>}
 *   by allocator, width and name of the fault
 */
export async function runFaults({
  allocators = SUBJECTS,
  faults = FAULTS,
  onProgress = () => {},
} = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), 'wasmalloc-peers-'));
  const widths = usableWidths();
  let done = 0;
  const count = allocators.length * widths.length * faults.length;
  const objects = new Map();

  /** The object file of a source: compiled once for each width. */
  function compile(file, width) {
    const object = path.join(folder, `${file}-${width}.o`);
    if (!objects.has(object)) {
      const kind = file.endsWith('.c') ? '-std=c11' : '-std=c++17';
      // The compiler must not know what malloc is: it would leave out calls that look useless.
      const flags = ['-O2', kind, '-fno-builtin', '-Wall', '-Wextra', '-Werror'];
      const input = ['-DTEST_OTHER_ALLOCATOR', '-c', path.join(sources, file), '-o', object];
      const job = () => emcc([...flags, ...WIDTHS[width].flags, ...input]);
      objects.set(
        object,
        queued(job).then(() => object),
      );
    }
    return objects.get(object);
  }

  async function link(program, allocator, width) {
    const { sources: files, flags } = PROGRAMS[program];
    const compiled = await Promise.all(['fault.c', ...files].map((file) => compile(file, width)));
    const output = programFile(folder, `${program}-${allocator}-${width}`);
    // operator new is in libc++abi; libc++, which emcc would build as well, is not needed.
    const cxx = ['-sDEFAULT_TO_CXX=0', '-lc++abi'];
    const options = ['-O1', '-sEXIT_RUNTIME', ...cxx, ...flags, ...WIDTHS[width].flags];
    await queued(() => emcc([...compiled, ...options, allocatorFlag(allocator), '-o', output]));
    return output;
  }

  async function runOne({ name }, script, allocator, width) {
    const run = await queued(() =>
      capture('sh', [...PATIENTLY, WIDTHS[width].node(), script, name]),
    );
    onProgress(++done / count, `${allocator}, ${width}`);
    return [name, judge(run)];
  }

  async function runAll(allocator, width) {
    const runs = Object.keys(PROGRAMS).map(async (program) => {
      const wanted = faults.filter((fault) => fault.program === program);
      if (wanted.length === 0) return [];
      const script = await link(program, allocator, width);
      return Promise.all(wanted.map((fault) => runOne(fault, script, allocator, width)));
    });
    return Object.fromEntries((await Promise.all(runs)).flat());
  }

  try {
    const results = {};
    const jobs = allocators.flatMap((allocator) => {
      results[allocator] = {};
      return widths.map(async (width) => {
        results[allocator][width] = await runAll(allocator, width);
      });
    });
    const failed = (await Promise.allSettled(jobs)).find(({ status }) => status === 'rejected');
    if (failed) throw failed.reason;
    return results;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether an outcome is no fault, though the allocator does not do what the others do. */
const isExcused = (allocator, name, outcome) =>
  outcome === 'wrong' && whyNotPromised(allocator, name) !== undefined;

/** What a cell of the table says: one word where both widths agree, else both. */
function cell(results, allocator, name) {
  const words = Object.values(results[allocator]).map((byName) => {
    const { outcome } = byName[name];
    return isExcused(allocator, name, outcome) ? '—' : outcome;
  });
  return [...new Set(words)].join(' / ');
}

/**
 * The table of the page.
 *
 * @param {object} results of all allocators and faults
 * @param {string} version of Emscripten
 * @returns {string}
 */
export function faultTable(results, version) {
  const head = ['a sound allocator', ...SUBJECTS];
  const rows = FAULTS.map(({ name, text }) => [
    text,
    ...SUBJECTS.map((allocator) => cell(results, allocator, name)),
  ]);
  const totals = SUBJECTS.map((allocator) => {
    const passed = Object.values(results[allocator]).flatMap((byName) =>
      Object.values(byName).filter(({ outcome }) => outcome === 'pass'),
    );
    return String(passed.length);
  });
  const most = FAULTS.length * usableWidths().length;
  rows.push([`passed, of ${most}`, ...totals]);
  return `Emscripten ${version}:\n\n${markdownTable([head, ...rows])}`;
}

/** The table that the page has, with the version of Emscripten that it is about. */
export function readTable() {
  const text = readPart(PAGE, 'faults:table');
  return { text, version: text.match(/Emscripten ([\d.]+):/)?.[1] };
}

/**
 * The faults that ours do not pass though they should, one line each.
 *
 * @param {object} results of {@link runFaults}
 * @returns {string[]}
 */
export function failuresOfOurs(results) {
  return Object.entries(results)
    .filter(([allocator]) => !PEERS.includes(allocator))
    .flatMap(([allocator, byWidth]) =>
      Object.entries(byWidth).flatMap(([width, byName]) =>
        Object.entries(byName)
          .filter(
            ([name, { outcome }]) => outcome !== 'pass' && !isExcused(allocator, name, outcome),
          )
          .map(
            ([name, { outcome, detail }]) =>
              `${allocator}, ${width}: ${name}: ${outcome} ${detail}`,
          ),
      ),
    );
}

function print(results, faults) {
  for (const [allocator, byWidth] of Object.entries(results)) {
    for (const [width, byName] of Object.entries(byWidth)) {
      const failed = faults.filter(({ name }) => byName[name].outcome !== 'pass');
      console.log(
        `${allocator}, ${width}: ${faults.length - failed.length} of ${faults.length} pass`,
      );
      for (const { name } of failed) {
        const { outcome, detail } = byName[name];
        const reason = whyNotPromised(allocator, name);
        console.log(`  ${outcome.padEnd(7)} ${name}: ${detail}${reason ? ` (${reason})` : ''}`);
      }
    }
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      allocator: { type: 'string', multiple: true },
      fault: { type: 'string', multiple: true },
      write: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    const names = FAULTS.map(({ name, text }) => `  ${name.padEnd(32)} ${text}`).join('\n');
    return console.log(`${HELP}\n\nAllocators: ${SUBJECTS.join(' ')}\n\nFaults:\n${names}`);
  }
  const allocators = choose(SUBJECTS, values.allocator, 'allocator');
  const faults = choose(FAULTS, values.fault, 'fault');
  if (values.write && (values.allocator || values.fault))
    throw new Error('--write needs all allocators and all faults: leave the other options out');
  const { version } = await ensureEmscripten();
  const onProgress = progressBar('faults');
  const results = await runFaults({ allocators, faults, onProgress });
  onProgress(1);
  if (values.json) console.log(JSON.stringify({ emscripten: version, results }, null, 2));
  else print(results, faults);
  if (values.write) {
    writePart(PAGE, 'faults:table', faultTable(results, version));
    console.error('docs/faults.md is up to date now.');
  }
  const failures = failuresOfOurs(results);
  for (const line of failures) console.error(line);
  process.exitCode = failures.length > 0 ? 1 : 0;
}

if (process.argv[1] === import.meta.filename) {
  main().catch((error) => {
    console.error(`faults: ${error.message}`);
    process.exitCode = 1;
  });
}
