// The table of five: what each allocator is for, with the words that the project promises and the
// numbers that have to bear them out.
// Usage: import { fiveTable, brokenPromises } from './five.mjs';
import { markdownTable } from 'markdown-table';
import { ALLOCATORS } from '../scripts/run.mjs';
import { OURS, REFERENCE } from './report.mjs';
import { SMALL } from './workloads.mjs';

/** What is promised for each: the word for space, the word for time. */
const PROMISES = {
  minimal: ['terrible', 'best'],
  linked: ['best', 'terrible'],
  doubly: ['good', 'medium'],
  bins: ['good', 'good'],
  wasmalloc: ['great', 'great'],
};

/** Two allocators this close to each other are equal in this table. */
const TIE = 1.02;

/**
 * When a number against dlmalloc's may carry a word. `others` are the numbers of the other four,
 * `emmalloc` is emmalloc's. docs/benchmarks.md says the same in words.
 */
const WORDS = {
  space: {
    best: (value, others) => others.every((other) => value <= other * TIE),
    great: (value) => value <= 1,
    good: (value) => value <= 1.1,
    terrible: (value, others) => value > 1.5 && others.every((other) => value > other),
  },
  time: {
    best: (value, others) => others.every((other) => value <= other * TIE),
    great: (value) => value < 1 / TIE,
    good: (value, others, emmalloc) => value <= emmalloc * TIE,
    medium: (value) => value <= 2.5,
    terrible: (value, others) => value > 2 && others.every((other) => value > other),
  },
};

const CORE = SMALL.filter(({ core }) => core).map(({ name }) => name);

/** The configuration that the table's times are from: the optimizing tier of the first engine. */
function configuration(results) {
  return results.configs('optimizing')[0];
}

/**
 * Space and time of an allocator against dlmalloc's: peak linear memory over all workloads and
 * programs, and time over the workloads of malloc and free.
 */
export function figures(results, subject) {
  const config = configuration(results);
  const names = results.names(config, 'small').filter((name) => CORE.includes(name));
  const value = (number) => (Number.isNaN(number) ? undefined : number);
  return {
    space: value(results.memoryMean(subject)),
    time: value(results.timeMean(config, names, subject)),
  };
}

/** As `figures`, but on what 2_linked finishes where it is compared with the others. */
function spaceBesides(results, subject) {
  const names = results.memoryNames.filter(
    (name) => results.memory(name, 'linked', 'heap') !== undefined,
  );
  return results.memoryMean(subject, REFERENCE, 'heap', names);
}

/**
 * What the numbers do not bear out.
 *
 * @returns {{ name: string, what: 'space' | 'time', text: string }[]}
 */
export function brokenPromises(results) {
  const measured = OURS.filter((name) => PROMISES[name] && results.subjects.includes(name));
  const all = new Map(measured.map((name) => [name, figures(results, name)]));
  return measured.flatMap((name) =>
    ['space', 'time'].flatMap((what, index) => {
      const word = PROMISES[name][index];
      // The leanest is found by the heap used, since linear memory moves in steps of 64 KiB.
      const figure = (each) =>
        what === 'space' && word === 'best' ? spaceBesides(results, each) : all.get(each)[what];
      const value = figure(name);
      if (value === undefined) return [];
      const others = measured.filter((other) => other !== name).map(figure);
      const emmalloc = figures(results, 'emmalloc')[what];
      if (WORDS[what][word](value, others, emmalloc)) return [];
      const rest = others.map((other) => other?.toFixed(2)).join(', ');
      const text = `${name}: ${what} ${value.toFixed(2)} is not '${word}' (the others: ${rest})`;
      return [{ name, what, text }];
    }),
  );
}

/**
 * The table. Where the numbers do not bear out a word it says so.
 *
 * @param {object} results
 * @param {string} [folder] the way from the page to the project's folder, for links
 */
export function fiveTable(results, folder = '') {
  const size = (name) => Object.values(results.data.sizes ?? {})[1]?.['-O2'][name];
  const broken = brokenPromises(results);
  const cell = (name, what, word, value) => {
    if (value === undefined) return word ?? '–';
    const isBroken = broken.some((each) => each.name === name && each.what === what);
    const promise = word ? `${isBroken ? 'not yet ' : ''}${word}: ` : '';
    return `${promise}${value.toFixed(2)}×`;
  };
  const rows = ALLOCATORS.filter(({ name }) => results.subjects.includes(name)).map(
    ({ name, file, idea }) => {
      const { space, time } = figures(results, name);
      const [spaceWord, timeWord] = PROMISES[name] ?? [];
      const bytes = size(name)?.toLocaleString('en');
      return [
        `[\`${name}\`](${folder}lib/${file})`,
        idea,
        bytes ? `${bytes} B` : '–',
        cell(name, 'space', spaceWord, space),
        cell(name, 'time', timeWord, time),
      ];
    },
  );
  return markdownTable([['allocator', 'idea', 'code', 'space', 'time'], ...rows], {
    align: ['l', 'l', 'r', 'l', 'l'],
  });
}
