#!/usr/bin/env node
// Measures what does not depend on the machine, code size, memory and the number of memory.grow
// calls, and compares it with the stored reference. Exits with 1 when something has become worse.
// Usage: node bench/exact.mjs [--all] [--only NAME,…] [--save] [--help]
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { ensureEmscripten } from '../scripts/emscripten.mjs';
import { ensureSources } from '../scripts/sources.mjs';
import { OURS, SUBJECTS } from './builds.mjs';
import { findEngines } from './engines.mjs';
import { HARDENED } from './hardened.mjs';
import { measureMemory, measureSizes, prepare } from './measure.mjs';
import { names } from './options.mjs';
import { STORED, list, readReference, step, versionsOf, writeResults } from './run.mjs';
import { EXTRA, PROGRAMS, SMALL } from './workloads.mjs';

const HELP = `Usage: npm run bench:exact [-- --all --only NAME,… --save]

Measures code size, peak memory and the number of memory.grow calls of the five allocators, and the
code size of the hardened build, and compares them with bench/results.json. They are the same in
every run and on every machine, so any difference comes from a change of the code. Lists the
differences; exits with 1 when one is for the worse. \`npm run bench -- --save\` makes a new reference.

  --all          Emscripten's own allocators too
  --only NAME,…  the memory of these workloads and programs, and nothing else
                   ${list(SMALL)}
                   ${list(EXTRA)}
                   ${list(PROGRAMS)}
  --save         what was measured becomes the reference; the times in it stay those of an earlier run
  --help         this text`;

/**
 * Memory may differ by one page: static data, which another version of a library may change by a few
 * bytes, lie below the heap and shift it against the pages.
 */
const TOLERANCE = { linear: 65536, heap: 65536, grows: 1, size: 0 };

const WORKLOADS = [...SMALL, ...EXTRA, ...PROGRAMS];

/** Workloads that take little time and tell most: for the quick suite. */
const QUICK = ['churn', 'random', 'doubling', 'vectors', 'grow_twice', 'fifty', 'in_place'];

/**
 * Measures.
 *
 * @param {{ all?: boolean, quick?: boolean, only?: string[] }} [options] `all`: of Emscripten's allocators too;
 *   `quick`: some workloads and code sizes; `only`: the memory of these workloads
 * @returns {Promise<object>} as `npm run bench` stores it: `sizes` and `memory`, and `sizes` of `hardened`; and
 *   `versions` of the sources from Debian's packages
 */
export async function measureExactly({ all = false, quick = false, only } = {}) {
  await ensureEmscripten();
  const subjects = all ? SUBJECTS : OURS;
  const chosen = only ?? (quick ? QUICK : WORKLOADS.map(({ name }) => name));
  const workloads = WORKLOADS.filter(({ name }) => chosen.includes(name));
  if (workloads.some(({ source }) => source)) await ensureSources();
  const selection = { subjects, workloads };
  const sizesOf = quick ? { uses: ['malloc and free'], levels: ['-O2'] } : {};
  // Who was too slow for the reference is not compared.
  const stored = readReference().memory ?? {};
  const tooSlow = ({ name }, subject) => stored[name]?.[subject]?.failed === 'too slow';
  const [engine] = await findEngines(['node']);
  await step('building', (progress) => prepare(selection, 'memory', progress));
  const memory = await step('memory', (progress) =>
    measureMemory(selection, { engine, tooSlow, progress }),
  );
  const versions = { sources: versionsOf(workloads) };
  if (only) return { subjects, versions, memory };
  return {
    subjects,
    versions,
    memory,
    sizes: await step('code size', (progress) => measureSizes(subjects, progress, sizesOf)),
    hardened: quick
      ? {}
      : {
          sizes: await step('code size (hardened)', (progress) =>
            measureSizes([HARDENED], progress),
          ),
        },
  };
}

/** The code sizes that were measured, of the hardened build too, each beside the reference's, by allocator. */
function codeOf(measured, reference) {
  return [(run) => run, (run) => run.hardened].flatMap((part) =>
    Object.entries(part(measured)?.sizes ?? {}).flatMap(([use, levels]) =>
      Object.entries(levels).map(([level, now]) => ({
        use,
        level,
        old: part(reference)?.sizes?.[use]?.[level],
        now,
      })),
    ),
  );
}

/** Whether a program is compiled from another version than the reference's, and so needs other memory. */
function isOtherSource(name, measured, reference) {
  const { source } = WORKLOADS.find((workload) => workload.name === name) ?? {};
  return measured.versions?.sources[source] !== reference.versions?.sources[source];
}

/**
 * What differs from the reference by more than the tolerance.
 *
 * @param {object} reference what bench/results.json holds
 * @param {object} measured
 * @returns {{ text: string, worse: boolean }[]}
 */
export function differences(reference, measured) {
  const found = [];
  const compare = (what, tolerance, old, now) => {
    if (old === undefined || Math.abs(now - old) <= tolerance) return;
    found.push({ text: `${what}: ${old} → ${now}`, worse: now > old });
  };
  for (const { use, level, old, now } of codeOf(measured, reference))
    for (const [subject, size] of Object.entries(now))
      compare(`${subject}: code, ${use}, ${level}`, TOLERANCE.size, old?.[subject], size);
  for (const subject of measured.subjects) {
    for (const [name, results] of Object.entries(measured.memory)) {
      if (isOtherSource(name, measured, reference)) continue;
      const old = reference.memory?.[name]?.[subject];
      const now = results[subject];
      // Who is too slow on one machine may not be on another.
      if (!old || (old.failed && now.failed)) continue;
      if ([old.failed, now.failed].includes('too slow')) continue;
      if (old.failed || now.failed) {
        const [before, after] = [old, now].map(({ failed }) => failed ?? 'done');
        found.push({ text: `${subject}: ${name}: ${before} → ${after}`, worse: !!now.failed });
        continue;
      }
      for (const [what, words] of [
        ['linear', 'linear memory'],
        ['heap', 'heap used'],
        ['grows', 'calls of memory.grow'],
        ['moved', 'buffers that moved'],
      ]) {
        if (now[what] === undefined) continue;
        compare(`${subject}: ${name}: ${words}`, TOLERANCE[what] ?? 0, old[what], now[what]);
      }
    }
  }
  return found;
}

/** Puts what was measured into the reference, but for what only took too long. */
export function merge(reference, measured) {
  for (const { old, now } of codeOf(measured, reference)) Object.assign(old, now);
  for (const [name, results] of Object.entries(measured.memory))
    for (const [subject, result] of Object.entries(results)) {
      const known = (reference.memory[name] ??= {});
      if (result.failed !== 'too slow' || !known[subject]) known[subject] = result;
    }
  Object.assign(reference.versions.sources, measured.versions.sources);
}

async function main() {
  const boolean = { type: 'boolean', default: false };
  const options = { all: boolean, only: { type: 'string' }, save: boolean, help: boolean };
  const { values } = parseArgs({ options });
  if (values.help) return console.log(HELP);
  const reference = readReference();
  const { version } = await ensureEmscripten();
  if (version !== reference.versions.emscripten)
    console.log(
      `The reference was made with Emscripten ${reference.versions.emscripten}, and this is ` +
        `${version}: sizes may differ for that.`,
    );
  const known = WORKLOADS.map(({ name }) => name);
  const only = values.only && names(values.only, known, 'workload');
  const measured = await measureExactly({ all: values.all, only });
  const found = differences(reference, measured);
  for (const { text, worse } of found) console.log(`${worse ? 'worse ' : 'better'}  ${text}`);
  if (found.length === 0) console.log('All as in the reference.');
  if (values.save) {
    merge(reference, measured);
    await writeResults(STORED, reference);
  } else if (found.some(({ worse }) => worse)) {
    process.exitCode = 1;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  main().catch((error) => {
    console.error(`bench:exact: ${error.message}`);
    process.exitCode = 1;
  });
}
