// What the hardened build costs beside the normal one: time, memory, code size.
// Usage: import { measureHardened, HARDENED_PARTS, hardenedBars } from './hardened.mjs';
import { OVERWRITING } from './builds.mjs';
import { measureMemory, measureSizes, measureTimes, prepare } from './measure.mjs';
import { Results, memoryTable, number, sizeTable, timeRatioTable, timeTable } from './report.mjs';
import { PROGRAMS, SMALL } from './workloads.mjs';

const NORMAL = 'wasmalloc';
export const HARDENED = 'hardened';

/** Floors are for the allocators that are compared with each other. */
const WORKLOADS = [...SMALL, ...PROGRAMS].map((workload) => ({ ...workload, floor: undefined }));

function tierOf({ group }) {
  return group === 'programs' ? 'default' : 'optimizing';
}

/**
 * Measures the two builds in rounds of their own, in one engine: what is compared with the others in every engine and
 * tier is the normal build.
 *
 * @param {{ engine: object, rounds: number, scale: number, step: Function }} options `step` of run.mjs
 * @returns {Promise<object>} what is stored as JSON, as a run of the whole benchmark
 */
export async function measureHardened({ engine, rounds, scale, step }) {
  const subjects = [NORMAL, HARDENED];
  const timed = {
    workloads: WORKLOADS,
    subjects: [...subjects, OVERWRITING],
    scale,
    reference: NORMAL,
  };
  const selection = { ...timed, subjects };
  await step('building (hardened)', async (progress) => {
    await prepare(timed, 'time', progress);
    await prepare(selection, 'memory', progress);
  });
  return {
    date: new Date().toISOString().slice(0, 10),
    engine: engine.version,
    rounds,
    subjects: timed.subjects,
    sizes: await step('code size (hardened)', (progress) => measureSizes(subjects, progress)),
    memory: await step('memory (hardened)', (progress) =>
      measureMemory(selection, { engine, progress }),
    ),
    times: await step('times (hardened)', (progress) =>
      measureTimes(timed, {
        engines: [engine],
        rounds,
        progress,
        tiersOf: (_, workload) => [tierOf(workload)],
      }),
    ),
  };
}

function times({ data: { hardened } }, tier, group) {
  const results = new Results(hardened);
  const [config] = results.configs(tier);
  return [
    `${hardened.engine}, ${tier} tier, ${hardened.rounds} rounds, ${hardened.date}:`,
    timeRatioTable(results, config, group, NORMAL),
    timeTable(results, config, group),
  ].join('\n\n');
}

/** Without the program that only overwrites: neither its memory nor its code is of interest. */
function ofBuilds({ data: { hardened } }) {
  return new Results({ ...hardened, subjects: [NORMAL, HARDENED] });
}

/** @type {Record<string, (results: Results) => string>} parts of the documentation, by name, from a whole run */
export const HARDENED_PARTS = {
  'hardened-small': (results) => times(results, 'optimizing', 'small'),
  'hardened-programs': (results) => times(results, 'default', 'programs'),
  'hardened-memory': (results) => memoryTable(ofBuilds(results), 'linear', NORMAL),
  'hardened-size': (results) => sizeTable(ofBuilds(results)),
};

/**
 * The bars of the hardened build.
 *
 * @param {object} [data] what measureHardened() has returned
 * @returns {import('./bars.mjs').Bar[]}
 */
export function hardenedBars(data) {
  const results = new Results({ subjects: [], ...data });
  const mean = (tier, group, subject) => {
    const [config] = results.configs(tier);
    return config && results.timeMean(config, results.names(config, group), subject, NORMAL);
  };
  const least = (tier, group) =>
    data && `to overwrite what is freed takes ${number(mean(tier, group, OVERWRITING))}`;
  const timeBar = (title, tier, group) => ({
    what: `${HARDENED}: ${title}, mean time against ${NORMAL}`,
    value: mean(tier, group, HARDENED),
    must: 1.5,
    note: least(tier, group),
  });
  const [, , all] = Object.values(data?.sizes ?? {});
  return [
    timeBar('small workloads, optimizing tier', 'optimizing', 'small'),
    timeBar('real programs, default flags', 'default', 'programs'),
    {
      what: `${HARDENED}: peak linear memory, mean against ${NORMAL}`,
      value: data && results.memoryMean(HARDENED, NORMAL),
      must: 1.3,
    },
    {
      what: `${HARDENED}: code added, with calloc, realloc and memalign, -O2`,
      value: all?.['-O2'][HARDENED],
      must: 9000,
    },
  ];
}
