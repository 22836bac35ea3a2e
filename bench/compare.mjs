#!/usr/bin/env node
// Compares a new run of the benchmark with the stored reference, and fails on a regression.
// Usage: node bench/compare.mjs [--new FILE] [OPTIONS OF bench/run.mjs] [--help]
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { OURS } from './builds.mjs';
import { differences } from './exact.mjs';
import { REFERENCE, Results, TITLES } from './report.mjs';
import { OPTIONS, measure, readReference } from './run.mjs';

const HELP = `Usage: npm run bench:compare [-- --new FILE] [-- OPTIONS]

Runs the benchmark (OPTIONS are those of \`npm run bench\`) and compares the five allocators with
bench/results.json. Times are compared as ratios to ${REFERENCE}'s in the same run, so the two runs
may come from different machines. A time is a regression when its ratio has grown by more than the
spreads of the four measurements together; it is then measured twice more, and counts if it stays.
Code size and memory are compared as in \`npm run bench:exact\`. Exits with 1 on a regression.

  --new FILE  compares this file, which \`npm run bench\` wrote, and measures nothing
  --help      this text`;

/** A mean has no spread of its own; it repeats better than this. */
const MEAN_TOLERANCE = 1.05;

/**
 * The times that have become worse.
 *
 * @param {Results} before
 * @param {Results} after
 * @returns {{ key: string, text: string, name?: string }[]}
 */
function regressions(before, after) {
  const found = [];
  const subjects = OURS.filter((name) =>
    [before, after].every((run) => run.subjects.includes(name)),
  );
  for (const config of after.configs().filter((each) => before.configs().includes(each)))
    for (const subject of subjects) {
      for (const group of ['small', 'programs']) {
        // Programs that are new are in no mean of the reference's.
        const names = before.names(config, group);
        const measured = after.names(config, group);
        if (names.length === 0 || names.some((name) => !measured.includes(name))) continue;
        const [old, now] = [before, after].map((run) => run.timeMean(config, names, subject));
        if (now > old * MEAN_TOLERANCE)
          found.push({
            key: `${config} ${group} ${subject}`,
            text: `${subject}: mean of ${group}, ${config}: ${old.toFixed(2)} → ${now.toFixed(2)}`,
          });
      }
      for (const name of Object.keys(after.data.times[config])) {
        const times = [before, after].map((run) =>
          [subject, REFERENCE].map((each) => run.time(config, name, each)),
        );
        if (times.flat().some((time) => !time || time.ended)) continue;
        const [old, now] = times.map(([ours, theirs]) => ours.best / theirs.best);
        const slack = times.flat().reduce((product, { spread }) => product * (1 + spread), 1);
        if (now > old * slack)
          found.push({
            key: `${config} ${name} ${subject}`,
            text: `${subject}: ${TITLES.get(name)}, ${config}: ${old.toFixed(2)} → ${now.toFixed(2)}`,
            name,
          });
      }
    }
  return found;
}

/** Adds the rounds of a second run to those of a first. */
function merge(first, second) {
  for (const [config, workloads] of Object.entries(second.times ?? {}))
    for (const [name, subjects] of Object.entries(workloads))
      for (const [subject, { rounds }] of Object.entries(subjects))
        first.times[config]?.[name]?.[subject]?.rounds.push(...rounds);
}

async function main() {
  const { values } = parseArgs({ options: { ...OPTIONS, new: { type: 'string' } } });
  if (values.help) return console.log(HELP);
  const before = new Results(readReference());
  const data = values.new ? JSON.parse(readFileSync(values.new, 'utf8')) : await measure(values);
  const after = new Results(data);
  let found = regressions(before, after);
  for (let again = 0; again < 2 && found.length && !values.new; ++again) {
    const names = new Set(found.flatMap(({ name }) => name ?? []));
    if (names.size === 0) break;
    console.error(`Measuring again: ${[...names].join(', ')}`);
    merge(data, await measure({ ...values, only: ['time', ...names].join() }));
    found = regressions(before, after);
  }
  const exact =
    data.sizes || data.memory ? differences(before.data, { sizes: {}, memory: {}, ...data }) : [];
  const worse = [...found, ...exact.filter((difference) => difference.worse)];
  for (const { text } of worse) console.log(`worse: ${text}`);
  if (worse.length === 0) console.log('Nothing is worse than in the reference.');
  process.exitCode = worse.length ? 1 : 0;
}

main().catch((error) => {
  console.error(`bench:compare: ${error.message}`);
  process.exitCode = 1;
});
