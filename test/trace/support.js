// What the tests of recording and replaying share.
// Usage: import { link, record, programs } from './support.js';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { readTrace } from '../../js/index.js';
import { emcc, languageFlags, port, queued, runModule, temporaryFolder } from '../support/emcc.js';

export const programs = fileURLToPath(new URL('programs/', import.meta.url));

const folder = temporaryFolder('wasmalloc-trace-');

/**
 * Links a program that records.
 *
 * @param {string} source
 * @param {string} name of the program's file: what is recorded stands beside it. Programs of one name, in folders
 *   of their own, are linked faster (see `programFile`)
 * @param {{ allocator?: string, trace?: string, flags?: string[] }} [options]
 * @returns {Promise<string>} its JavaScript file
 */
export function link(source, name, { allocator = 'bins', trace = '1', flags = [] } = {}) {
  const output = path.join(folder, name);
  mkdirSync(path.dirname(output), { recursive: true });
  const flag = `--use-port=${port}:allocator=${allocator}:trace=${trace}`;
  // The compiler may leave no call out, nor make another one of it. What cannot be had is refused.
  const growth = ['-sALLOW_MEMORY_GROWTH', '-sABORTING_MALLOC=0', '-Wno-pthreads-mem-growth'];
  const language = languageFlags([source]);
  const all = [source, '-O1', '-fno-builtin', ...growth, ...language, ...flags, flag, '-o', output];
  return queued(() => emcc(all)).then(() => output);
}

/** All events of a trace, and the trace. */
export async function readAll(source) {
  const trace = await readTrace(source);
  const events = [];
  for await (const batch of trace) events.push(...batch);
  return { trace, events };
}

/** Runs a program, and reads its trace; `status` is how it is to end. */
export async function record(file, { status = 0, ...options } = {}) {
  const output = await runModule(file, { cwd: path.dirname(file), ...options }).then(
    (result) => ({ code: 0, ...result }),
    (error) => error,
  );
  if (output.code !== status) throw output;
  const trace = file.replace(/\.\w+$/, '.trace');
  return { ...output, file: trace, ...(await readAll(trace)) };
}
