// What the tests of the JavaScript package share.
// Usage: import { allocators, never, seeded } from './support.js'
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../support/emcc.js';

/** The project's folder. */
export const project = fileURLToPath(new URL('../..', import.meta.url));

/** The rows of the table of allocators: name, file, idea. */
export const allocators = JSON.parse(
  readFileSync(path.join(project, 'lib/allocators.json'), 'utf8'),
);

/** Whether an allocator reuses what is given back. */
export const frees = (name) => name !== 'minimal';

/** The two builds of each module, by the options that select them. */
export const builds = [
  { title: 'with a memory of its own', options: () => ({}) },
  { title: 'with a memory that is imported', options: () => ({ initial: 2, maximum: 2000 }) },
];

/** Calls `body(name, options, title)` for each allocator and each build, inside a describe(). */
export function forEachHeap(body) {
  for (const { name } of allocators) {
    for (const { title, options } of builds)
      describe(`${name}, ${title}`, () => body(name, options));
  }
}

/** A random number generator (mulberry32): random(n) is an integer from 0 to n - 1. */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n);
  };
}

/**
 * Calls `body(random)` with a new seed each time, or with the one in the environment's SEED. When it
 * fails the message says how to repeat it.
 */
export function seeded(body) {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32));
  try {
    body(randomFrom(seed));
  } catch (error) {
    error.message = `${error.message} (to repeat it: SEED=${seed})`;
    throw error;
  }
}

/** So many milliseconds has a program: mocha cannot end a test that waits for one in this way. */
const PATIENCE = 1_200_000;

/** Runs a program to its end, whatever that is: `{ status, stdout, stderr }`. */
export function capture(program, args, options) {
  const settings = { encoding: 'utf8', timeout: PATIENCE, killSignal: 'SIGKILL' };
  const { status, stdout, stderr, error } = spawnSync(program, args, { ...settings, ...options });
  if (error) throw error;
  return { status, stdout, stderr };
}

/** Runs a program to its end. Fails with what it printed when its exit code is not the expected one. */
export function run(program, args, { code = 0, ...options } = {}) {
  const { status, stdout, stderr } = capture(program, args, options);
  if (status !== code) {
    const output = `${stdout}${stderr}`.trim();
    throw new Error(`${program} ${args.join(' ')}: exit code ${status}, not ${code}\n${output}`);
  }
  return { stdout, stderr };
}

// npm tells its scripts its own settings, which are not those of a folder elsewhere.
const foreignEnv = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)),
);

/**
 * Packs the package and installs the tarball into a new folder, without a network: an empty project that uses it.
 *
 * @returns {{ folder: string, files: string[], run: (program: string, ...args: string[]) => { stdout: string,
 *   stderr: string } }} the project; the files of the tarball; and how to run a program there
 */
export function installPackage() {
  const folder = temporaryFolder('wasmalloc-package-');
  const inFolder = (program, ...args) => run(program, args, { cwd: folder, env: foreignEnv });
  const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const [tarball] = JSON.parse(run('npm', pack, { cwd: project, env: foreignEnv }).stdout);
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  const install = ['install', '--offline', '--no-audit', '--no-fund', `./${tarball.filename}`];
  inFolder('npm', ...install);
  return { folder, files: tarball.files.map((file) => file.path), run: inFolder };
}
