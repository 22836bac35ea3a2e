// The attacker's fuzz on the development machine: builds it and runs it. For misuse.test.js and run.mjs.
import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { onPath } from '../../scripts/emscripten.mjs';
import { KINDS, WARNINGS, definesOf, gatherVariables } from '../fuzz/build.mjs';
import { project, queued, run, temporaryFolder } from '../support/emcc.js';

const here = (name) => path.join(project, 'test', 'misuse', name);
const lib = (name) => path.join(project, 'lib', name);

/** What all sources are compiled with. */
const DEFINES = ['-DTEST_NATIVE', ...definesOf('hardened')];

/** What the allocator is compiled with besides: the header comes before the source that says _GNU_SOURCE itself. */
const ALLOCATOR = ['-D_GNU_SOURCE=', '-include', here('attack.h')];

/** What is missing here; '' if nothing is. */
export function whyNoAttack() {
  const missing = ['cc', 'objcopy'].filter((tool) => !onPath(tool));
  return missing.length > 0
    ? `needs ${missing.join(' and ')} on PATH: install gcc and binutils`
    : '';
}

let folder;
const programs = new Map();

/** The program, 'fast' or 'sanitized'. */
function build(kind) {
  if (!programs.has(kind))
    programs.set(
      kind,
      queued(() => compile(kind)),
    );
  return programs.get(kind);
}

async function compile(kind) {
  folder ??= temporaryFolder('wasmalloc-attack-');
  const own = path.join(folder, kind);
  mkdirSync(own);
  const { compiler, flags, lib: more } = KINDS[kind];
  const object = path.join(own, 'allocator.o');
  const allocator = [...DEFINES, ...ALLOCATOR, '-c', lib('c_interface.c'), '-o', object];
  await run(compiler, ['-std=c11', ...flags, ...more, ...allocator]);
  await gatherVariables(object);
  const program = path.join(own, 'attack');
  const sources = [
    ...['attack.c', 'attack_native.c'].map(here),
    path.join(project, 'test', 'c', 'model.c'),
    lib('memory_host.c'),
  ];
  const rest = [...DEFINES, ...sources, object, '-o', program, '-lpthread'];
  await run(compiler, [...WARNINGS, ...flags, ...rest]);
  return program;
}

/** So many milliseconds has a process, and one more for each round. */
const PATIENCE = 1_200_000;

/** A share of the rounds: one process. */
async function play(program, rounds, seed) {
  const { stdout } = await run(program, [`${rounds}`, `${seed}`], {
    timeout: PATIENCE + rounds,
  });
  return Object.fromEntries(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.match(/^(\d+) (.+)$/))
      .map(([, count, end]) => [end, Number(count)]),
  );
}

/**
 * Plays rounds of the attacker's fuzz with the hardened build.
 *
 * @param {{ rounds: number, seed?: number, kind?: 'fast' | 'sanitized' }} options `seed` is that of the first
 *   round, 1 unless told; 'sanitized' is with AddressSanitizer and UndefinedBehaviorSanitizer
 * @returns {Promise<Record<string, number>>} how many rounds ended how: 'went on', or the fault that was named
 * @throws {Error} when a round ended in another way; the message has its seed
 */
export async function attack({ rounds, seed = 1, kind = 'fast' }) {
  const program = await build(kind);
  const share = Math.ceil(rounds / availableParallelism());
  const jobs = [];
  for (let done = 0; done < rounds; done += share)
    jobs.push(queued(() => play(program, Math.min(share, rounds - done), seed + done)));
  const total = {};
  for (const ends of await Promise.all(jobs))
    for (const [end, count] of Object.entries(ends)) total[end] = (total[end] ?? 0) + count;
  return total;
}
