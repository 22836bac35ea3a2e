// Plants the bugs of mutants.mjs, one at a time, and lets the fuzzer look for them.
// Usage: import { findMutants, mutantsOf } from './mutate.mjs';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { PROJECT } from '../../scripts/emscripten.mjs';
import { run } from '../../scripts/run.mjs';
import { buildFuzzer, traitsOf } from './build.mjs';
import { FILES, MUTANTS } from './mutants.mjs';

/** After so many calls a mutant counts as missed. */
const CALLS = 2_000_000;

/** The signal by which the fuzzer ends in a call that does not end. */
const HANGS = `${constants.signals.SIGVTALRM}`;

/** The mutants that change an allocator. */
export const mutantsOf = (allocator) =>
  MUTANTS.filter(({ file, not }) => FILES[allocator].includes(file) && !not.includes(allocator));

/**
 * Makes a copy of lib/ with a bug in it.
 *
 * @param {{ file: string, from: string, to: string }} bug what stands in the file once, and what replaces it
 * @param {string} folder for the copy
 */
export function plant({ file, from, to }, folder) {
  rmSync(folder, { recursive: true, force: true });
  cpSync(path.join(PROJECT, 'lib'), folder, { recursive: true });
  const source = readFileSync(path.join(folder, file), 'utf8');
  const places = source.split(from).length - 1;
  if (places !== 1) {
    throw new Error(`mutants.mjs: ${file} has this ${places} times instead of once:\n${from}`);
  }
  writeFileSync(
    path.join(folder, file),
    source.replace(from, () => to),
  );
}

/** How many calls it took to find a mutant, and how it showed itself; null if it was not found. */
async function look(allocator, mutant, folder) {
  const lib = path.join(folder, 'lib');
  plant(mutant, lib);
  const program = await buildFuzzer({
    allocator,
    kind: 'mutant',
    folder,
    lib,
    shared: path.dirname(folder),
  });
  try {
    await run(program, [`--calls=${CALLS}`, ...traitsOf(allocator)]);
    return { calls: null, shows: 'not at all' };
  } catch ({ stderr }) {
    const calls = Number(/ended by signal \d+ after (\d+) calls/.exec(stderr)?.[1]);
    const [, fault] = /^fault in call \d+: (.*)/m.exec(stderr) ?? [];
    const [, signal] = /ended by signal (\d+)/.exec(stderr) ?? [];
    return { calls, shows: fault ?? (signal === HANGS ? 'hangs' : `signal ${signal}`) };
  }
}

/**
 * @param {{ allocators: string[], folder: string, start: <T>(job: () => Promise<T>) => Promise<T>,
 *   every?: number, say?: (text: string) => void }} options `folder` is for the programs; `start` begins a job when
 *   it is its turn; of so many mutants one is planted; `say` is told of each result
 * @returns {Promise<{ allocator: string, file: string, bug: string, calls: number | null,
 *   shows: string }[]>}
 */
export async function findMutants({ allocators, folder, start, every = 1, say = () => {} }) {
  const jobs = allocators.flatMap((allocator) =>
    mutantsOf(allocator)
      .map((mutant, i) => ({ allocator, mutant, i }))
      .filter(({ i }) => i % every === 0),
  );
  return Promise.all(
    jobs.map(({ allocator, mutant, i }) =>
      start(async () => {
        const own = path.join(folder, `${allocator}-${i}`);
        mkdirSync(own, { recursive: true });
        const { calls, shows } = await look(allocator, mutant, own);
        rmSync(own, { recursive: true, force: true });
        const { file, bug } = mutant;
        const found = calls === null ? 'MISSED' : `${calls.toLocaleString('en')} calls`;
        say(`${allocator.padEnd(10)} ${found.padStart(15)}  ${bug} (${file}): ${shows}`);
        return { allocator, file, bug, calls, shows };
      }),
    ),
  );
}
