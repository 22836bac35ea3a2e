// Records the benchmark's programs, and keeps the traces in .cache/bench/.
// Usage: import { recordProgram } from './record.mjs'; const { file } = await recordProgram(program);
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { compileTrace } from '../js/replay.js';
import { PROJECT } from '../scripts/emscripten.mjs';
import { run } from '../scripts/run.mjs';
import { cached, digest, fileDigest, link } from './builds.mjs';

/** What a trace is compiled with. */
const COMPILER = ['replay.js', 'trace.js'].map((file) => path.join(PROJECT, 'js', file));

const [RUNNER, RUNS] = ['node-runner.mjs', 'runner.mjs'].map((file) =>
  path.join(import.meta.dirname, file),
);

/**
 * Records a program, in memory that grows by what it needs, as in a replay.
 *
 * @param {object} program of workloads.mjs
 * @param {string} [allocator] with which it runs meanwhile
 * @returns {Promise<{ file: string, measured: object }>} the trace, and what runJob() has measured
 */
export async function recordProgram(program, allocator = 'wasmalloc') {
  const { name, args } = program;
  const module = await link(program, `${allocator}:trace=1`, 'memory');
  const job = JSON.stringify({ kind: 'memory', group: 'programs', name, args });
  const build = path.basename(path.dirname(module));
  const key = digest(build, job, [RUNNER, RUNS].map(fileDigest));
  const folder = await cached(`trace-${name}-${key}`, async (scratch) => {
    const env = { WASMALLOC_TRACE: path.join(scratch, 'program.trace') };
    const { stdout } = await run(process.execPath, [RUNNER, module, job], { env });
    const { failed } = JSON.parse(stdout);
    if (failed) throw new Error(`${name} cannot be recorded: ${failed}`);
    writeFileSync(path.join(scratch, 'measured.json'), stdout);
  });
  const measured = JSON.parse(readFileSync(path.join(folder, 'measured.json'), 'utf8'));
  return { file: path.join(folder, 'program.trace'), measured };
}

/**
 * Records a program, and compiles what was recorded, once: to read a trace takes much longer than to replay it.
 *
 * @param {object} program of workloads.mjs
 * @returns {Promise<object>} as compileTrace() answers it
 */
export async function recordedProgram(program) {
  const { file } = await recordProgram(program);
  const key = digest(path.basename(path.dirname(file)), COMPILER.map(fileDigest));
  const folder = await cached(`program-${program.name}-${key}`, async (scratch) => {
    const { pieces, fault, ...rest } = await compileTrace(file);
    if (fault) throw fault;
    const lengths = pieces.map(({ length }) => length);
    writeFileSync(path.join(scratch, 'program.json'), JSON.stringify({ ...rest, lengths }));
    pieces.forEach((piece, i) => writeFileSync(path.join(scratch, `piece-${i}`), piece));
  });
  const read = (name) => readFileSync(path.join(folder, name));
  const { lengths, ...rest } = JSON.parse(read('program.json').toString());
  const pieces = lengths.map((length, i) => {
    const piece = new Uint32Array(new SharedArrayBuffer(4 * length));
    new Uint8Array(piece.buffer).set(read(`piece-${i}`));
    return piece;
  });
  return { ...rest, pieces };
}
