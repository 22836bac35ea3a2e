// Usage: import { run, emcc } from './run.mjs';
//
// Runs programs to their end, Emscripten's compilers among them, for scripts and tests.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { PROJECT, findEmscripten } from './emscripten.mjs';

/** The Emscripten port. */
export const PORT = path.join(PROJECT, 'emscripten', 'wasmalloc.py');

/** The table of allocators: `[{ name, file, idea }, …]`. */
export const ALLOCATORS = JSON.parse(
  readFileSync(path.join(PROJECT, 'lib', 'allocators.json'), 'utf8'),
);

/** Emscripten's own allocators, as its setting MALLOC names them. */
export const PEERS = ['dlmalloc', 'emmalloc', 'mimalloc'];

/** Other builds of `wasmalloc`, as lib/builds.json has them: the port's options of the same names. */
export const BUILDS = JSON.parse(readFileSync(path.join(PROJECT, 'lib', 'builds.json'), 'utf8'));

/** All that a program can be linked with. */
export const VARIANTS = [...ALLOCATORS, ...BUILDS];

/**
 * The linker's flag for an allocator, ours or Emscripten's.
 *
 * @param {string} name its name, or that of a build of `wasmalloc`
 * @returns {string}
 */
export function allocatorFlag(name) {
  if (PEERS.includes(name)) return `-sMALLOC=${name}`;
  const isBuild = BUILDS.some((build) => build.name === name);
  return `--use-port=${PORT}:${isBuild ? `${name}=1` : `allocator=${name}`}`;
}

/**
 * Runs a program to its end, whatever that is.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd?: string, env?: object, timeout?: number }} [options] `env` comes on top of this
 *   process's; `timeout` in milliseconds, 20 minutes unless told: on a busy machine
 *   emcc may build a system library for so long
 * @returns {Promise<{ stdout: string, stderr: string, code: number | null, signal: string | null,
 *   timedOut: boolean }>} what it printed, its exit code, or the signal that ended it, and whether that is
 *   because its time was up
 */
export function capture(program, args, { cwd, env, timeout = 1_200_000 } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      timeout,
      killSignal: 'SIGKILL',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    child.on('error', reject);
    child.on('exit', () => {
      // What it has started itself may live on and hold the pipes open: nobody waits for that.
      if (child.killed) for (const stream of [child.stdout, child.stderr]) stream.destroy();
    });
    child.on('close', (code, signal) =>
      resolve({ stdout, stderr, code, signal, timedOut: child.killed }),
    );
  });
}

/**
 * Runs a program to its end, which must be a good one.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd?: string, env?: object, timeout?: number }} [options] as {@link capture}
 * @returns {Promise<{ stdout: string, stderr: string }>} rejected when the exit code is not 0: the
 *   error's message has the command and all that it printed, and the error `code`, `signal`,
 *   `stdout` and `stderr`
 */
export async function run(program, args, options) {
  const { stdout, stderr, code, signal, timedOut } = await capture(program, args, options);
  if (code === 0) return { stdout, stderr };
  const command = [program, ...args].join(' ');
  const end = timedOut ? 'was ended, for its time was up' : `ended with ${signal ?? code}`;
  const error = new Error(`${command}\n${end}:\n${stdout}${stderr}`);
  throw Object.assign(error, { code, signal, stdout, stderr });
}

/**
 * Runs emcc, or em++ when an argument names a C++ file.
 *
 * @param {string[]} args
 * @param {{ cwd?: string, env?: object, timeout?: number }} [options]
 * @returns {Promise<{ stdout: string, stderr: string }>} as {@link run}
 */
export async function emcc(args, { env, ...options } = {}) {
  const emscripten = findEmscripten();
  const driver = args.some((arg) => /\.(cc|cpp)$/.test(arg)) ? emscripten.emxx : emscripten.emcc;
  return run(driver, args, { ...options, env: { ...emscripten.env, ...env } });
}
