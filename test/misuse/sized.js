// Builds and runs replaced.cpp. For sized.test.js and sized.slow.test.js.
import assert from 'node:assert/strict';
import path from 'node:path';
import { capture } from '../../scripts/run.mjs';
import { allocatorFlag, emcc, planned, programFile, temporaryFolder } from '../support/emcc.js';

/**
 * What the program replaces, as replaced.cpp numbers it, whether a wrong size can still be seen then, and whether it
 * is in the quick suite.
 */
export const KINDS = [
  { what: 'nothing', seen: true, quick: true },
  { what: 'operator new and delete, by some with a header' },
  { what: 'operator new and delete, by a pool', quick: true },
  { what: 'operator new, by one that rounds up', quick: true },
  { what: 'malloc and free, by some with a header', quick: true },
  { what: 'operator new[] and delete[], by some with a header', seen: true },
  { what: 'the aligned operator new and delete, by some with a header', seen: true },
  { what: 'operator new and delete, by some that count' },
  { what: 'the sized operator delete' },
  { what: 'operator new and delete, by some that take more' },
];

let folder;
let programs = 0;

/**
 * Plans the program with a hardened build.
 *
 * @param {object} kind one of {@link KINDS}
 * @param {{ build?: string, flags?: string[] }} [options] the build (`hardened`); more flags for emcc
 * @returns {() => Promise<string>} links it, and tells the file
 */
export function replacedProgram(kind, { build = 'hardened', flags = [] } = {}) {
  return planned(async () => {
    folder ??= temporaryFolder('wasmalloc-sized-');
    const source = path.join(import.meta.dirname, 'replaced.cpp');
    const file = programFile(folder, `${++programs}`);
    const define = `-DREPLACE=${KINDS.indexOf(kind)}`;
    const usual = ['-O1', '-std=c++20', define, '-sEXIT_RUNTIME', '-sINITIAL_MEMORY=32MB'];
    await emcc([...usual, source, allocatorFlag(build), ...flags, '-o', file]);
    return file;
  });
}

const run = (node, ...args) => capture(node, args);

/** The program comes to its end, and the check at its end finds nothing. */
export async function assertSound(file, node = process.execPath) {
  const { stdout, stderr, code } = await run(node, file);
  assert.deepEqual({ stdout, stderr, code }, { stdout: '1\n', stderr: '', code: 0 });
}

/** It is stopped where it deletes an object with a wrong size. */
export async function assertStopped(file, node = process.execPath) {
  const { stdout, stderr, code } = await run(node, file, 'fault');
  assert.equal(stdout, '1\n');
  assert.match(stderr, /^wasmalloc: free with a wrong size \(block 0x[0-9a-f]+\)$/m);
  assert.notEqual(code, 0);
}
