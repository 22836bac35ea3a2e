// What a run of the benchmark with threads says: its tables and bars.
// Usage: import { THREAD_PARTS, threadReport, variantName } from './threads-report.mjs';
import { barTable, worst, worstMean } from './bars.mjs';
import { REASONS, Results, TITLES, apart, gainInTime, memoryTable, number } from './report.mjs';
import { rowsWithMeans, sizeTable, table, timeRatioTable, timeTable } from './report.mjs';
import { geometricMean } from './statistics.mjs';
import { THREADED } from './workloads.mjs';

const SUBJECT = 'wasmalloc';
const PEERS = ['dlmalloc', 'mimalloc'];

/** What a number of threads is called; 0 stands for the build without any. */
export function variantName(threads) {
  if (threads === 0) return 'without threads';
  return threads === 1 ? '1 thread' : `${threads} threads`;
}

/** The variants that were measured, with threads. */
function variants({ data }) {
  return data.threads.map(variantName);
}

/** The memory of one variant, as the results of a benchmark without threads. */
function memoryOf({ data }, variant) {
  return new Results({ subjects: data.subjects, memory: data.memory?.[variant] });
}

function peersOf(results) {
  return PEERS.filter((name) => results.subjects.includes(name));
}

/** The configurations of some variants, each with a line that says which it is. */
function configsOf(results, chosen = variants(results)) {
  return chosen.flatMap((variant) =>
    results.configs(variant).map((config) => {
      const engine = results.data.versions.engines[config.split(' ')[0]];
      return { config, heading: `${engine}, ${variant}:` };
    }),
  );
}

function times(results) {
  return configsOf(results).flatMap(({ config, heading }) => [
    heading,
    timeTable(results, config, 'threads'),
  ]);
}

/** The least of the rounds, and their median: what happens in some of them only is in the second. */
const STATISTICS = ['best', 'median'];

/** Of several numbers of threads the least that has any to disturb each other, and the most. */
function extremes({ data: { threads } }) {
  const several = threads.filter((count) => count > 1);
  return [...new Set([several.at(0), several.at(-1)])].filter(Boolean).map(variantName);
}

/** The ratios, workload by workload. */
function ratios(results) {
  return configsOf(results, extremes(results)).flatMap(({ config, heading }) => [
    heading,
    ...peersOf(results).flatMap((peer) =>
      STATISTICS.map((statistic) => timeRatioTable(results, config, 'threads', peer, statistic)),
    ),
  ]);
}

/** The means of all variants, those of *tune* and of *judge* apart, with the least and with the medians. */
function means(results) {
  const { subjects } = results;
  return peersOf(results).map((peer) => {
    const rows = configsOf(results).flatMap(({ config }) => {
      const names = results.names(config, 'threads');
      const groups = apart(names);
      if (groups.length > 1) groups.push({ title: 'all', names });
      return groups.map(({ title, names }) => [
        `${config}, ${title}`,
        ...subjects.map((subject) =>
          STATISTICS.map((statistic) =>
            number(results.timeMean(config, names, subject, peer, statistic)),
          ).join(', '),
        ),
      ]);
    });
    return table([[`mean time against ${peer}: of the least, of medians`, ...subjects], ...rows]);
  });
}

/** Whether the gains look learnt by heart, in each variant. */
function gains(results) {
  return configsOf(results).flatMap(({ config, heading }) => {
    const found = STATISTICS.map((statistic) =>
      gainInTime(results, config, 'threads', statistic),
    ).filter(Boolean);
    return found.length ? [`${heading} ${found.join('. ')}.`] : [];
  });
}

/** Counts are told for so many operations. */
const OPERATIONS = 100_000;

/** A table of counts: those that `columns` name, for so many operations, and their means. */
function countsTable(results, variant, head, columns) {
  const { subjects } = results;
  const measured = results.data.transfers[variant];
  const names = THREADED.map(({ name }) => name).filter((name) => measured[name]);
  const rates = (name, subject) => {
    const result = measured[name][subject];
    if (!result || result.failed) return undefined;
    return columns.map((column) => (result[column] / result.operations) * OPERATIONS);
  };
  const text = (figures) =>
    figures.map((figure) => Math.round(figure).toLocaleString('en')).join(' + ');
  const cell = (name, subject) => {
    const figures = rates(name, subject);
    return figures ? text(figures) : (REASONS[measured[name][subject]?.failed] ?? '–');
  };
  const mean = (part, subject) => {
    const all = part.flatMap((name) => [rates(name, subject)].filter(Boolean));
    if (all.length === 0) return '–';
    return text(columns.map((_, i) => all.reduce((sum, each) => sum + each[i], 0) / all.length));
  };
  return table([
    [head, ...subjects],
    ...rowsWithMeans(
      names,
      (name) => [TITLES.get(name), ...subjects.map((subject) => cell(name, subject))],
      (part) => subjects.map((subject) => mean(part, subject)),
      'mean',
    ),
  ]);
}

function transfers(results) {
  const per = `for ${OPERATIONS.toLocaleString('en')} operations`;
  return extremes(results)
    .filter((variant) => results.data.transfers?.[variant])
    .flatMap((variant) => [
      `${variant}:`,
      countsTable(results, variant, `transfers ${per}: the allocator’s + the objects’`, [
        'own',
        'objects',
      ]),
      countsTable(results, variant, `takings of a lock ${per}`, ['locks']),
    ]);
}

function memory(results) {
  return variants(results)
    .filter((variant) => results.data.memory?.[variant])
    .flatMap((variant) => [
      `${variant}:`,
      ...peersOf(results).map((peer) => memoryTable(memoryOf(results, variant), 'linear', peer)),
    ]);
}

/** The two configurations of one engine that say what it costs to build with threads. */
function priceConfigs(results) {
  return results
    .configs(variantName(0))
    .map((without) => [without.replace(variantName(0), variantName(1)), without])
    .filter(([one]) => results.data.times[one]);
}

/** A workload's time with one thread against that of the build without threads. */
function priceRatio(results, [one, without], name, subject) {
  const [a, b] = [one, without].map((config) => results.time(config, name, subject));
  return a && b ? a.best / b.best : undefined;
}

function price(results, configs, subject) {
  const ratios = results
    .names(configs[1], 'threads')
    .map((name) => ({ name, value: priceRatio(results, configs, name, subject) }))
    .filter(({ value }) => value !== undefined);
  return { ratios, mean: geometricMean(ratios.map(({ value }) => value)) };
}

function priceTables(results) {
  return priceConfigs(results).flatMap((configs) => {
    const { subjects } = results;
    const engine = results.data.versions.engines[configs[0].split(' ')[0]];
    const rows = results
      .names(configs[1], 'threads')
      .map((name) => [
        TITLES.get(name),
        ...subjects.map((subject) => number(priceRatio(results, configs, name, subject))),
      ]);
    const means = subjects.map((subject) => number(price(results, configs, subject).mean));
    return [
      `${engine}, ${variantName(1)} against the build ${variantName(0)}:`,
      table([['time', ...subjects], ...rows, ['**geometric mean**', ...means]]),
    ];
  });
}

/** How the mean of the ratios would be if none of them were limited. */
function plainMean(results, config, reference) {
  const ratios = results.timeRatios(config, results.names(config, 'threads'), SUBJECT, reference);
  return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
}

/** What 5_wasmalloc has not finished, whether its time or its memory was measured. */
function unfinished({ data }) {
  return [data.times, data.memory].flatMap((measured) =>
    Object.entries(measured ?? {}).flatMap(([variant, workloads]) =>
      Object.entries(workloads)
        .filter(([, subjects]) => subjects[SUBJECT]?.failed)
        .map(([name]) => `${TITLES.get(name)}, ${variant}`),
    ),
  );
}

/** @returns {import('./bars.mjs').Bar[]} */
export function threadBars(results) {
  const list = [];
  const add = (what, must, { value, note } = {}) => list.push({ what, must, value, note });
  const two = variantName(2);

  const failures = unfinished(results);
  const isMeasured = results.data.times || results.data.memory;
  add('workloads that are not finished', 0, {
    value: isMeasured ? failures.length : undefined,
    note: failures[0],
  });
  for (const [peer, must] of [
    ['mimalloc', 0.95],
    ['dlmalloc', 0.25],
  ]) {
    const { value, note } = worstMean(results, two, 'threads', peer);
    // Not limited to 1/4 … 4 as elsewhere: one lock for all threads really costs more than that.
    const plain = value === undefined ? undefined : plainMean(results, note, peer);
    add(`${two}: mean time against ${peer}`, must, {
      value: plain,
      note: plain === undefined ? note : `${note}; ${number(value)} with ratios limited to 1/4 … 4`,
    });
  }
  add(
    `${two}: slowest workload against mimalloc`,
    1.1,
    worst(
      results.configs(two).flatMap((config) =>
        results.names(config, 'threads').map((name) => ({
          value: results.timeRatio(config, name, SUBJECT, 'mimalloc'),
          note: `${TITLES.get(name)}, ${config}`,
        })),
      ),
    ),
  );
  add(
    `${variantName(1)} against the build ${variantName(0)}: mean time`,
    1.15,
    worst(
      priceConfigs(results).map((configs) => {
        const { ratios, mean } = price(results, configs, SUBJECT);
        const most = worst(ratios.map(({ name, value }) => ({ value, note: TITLES.get(name) })));
        return { value: mean, note: `at most ${number(most.value)}: ${most.note}` };
      }),
    ),
  );
  const [sizes] = Object.values(results.data.sizes ?? {});
  add('code added with -pthread, malloc, calloc, realloc and free, -O2', 7000, {
    value: sizes?.['-O2'][SUBJECT],
  });
  for (const [peer, must] of [
    ['dlmalloc', 1.1],
    ['mimalloc', 1],
  ]) {
    const measured = memoryOf(results, two);
    add(
      `${two}: most peak memory against ${peer}'s`,
      must,
      worst(
        measured.memoryNames.map((name) => ({
          value: measured.memoryRatio(name, SUBJECT, peer),
          note: TITLES.get(name),
        })),
      ),
    );
  }
  return list;
}

/** What can stand between the marks of the documentation, by name. */
export const THREAD_PARTS = {
  'threads-bars': (results) => barTable(results, threadBars(results)),
  'threads-means': (results) => [...means(results), ...gains(results)].join('\n\n'),
  'threads-times': (results) => times(results).join('\n\n'),
  'threads-ratios': (results) => ratios(results).join('\n\n'),
  'threads-transfers': (results) => transfers(results).join('\n\n'),
  'threads-price': (results) => priceTables(results).join('\n\n'),
  'threads-memory': (results) => memory(results).join('\n\n'),
  'threads-size': (results) => (results.data.sizes ? sizeTable(results) : ''),
};

/** All of it. */
export function threadReport(data) {
  const results = new Results(data);
  const { 'threads-bars': bars, ...tables } = THREAD_PARTS;
  return [...Object.values(tables), bars]
    .map((part) => part(results))
    .filter(Boolean)
    .join('\n\n');
}
