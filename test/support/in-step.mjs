// Preloaded into two processes, makes them meet every race: in the midst of each write of a file, and before each
// rename, each of them waits until the other one has come as far or has ended.
// Usage: IN_STEP=FOLDER node --import ./in-step.mjs …, twice; the folder is empty
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import { isMainThread } from 'node:worker_threads';

const { renameSync, writeFileSync, writeSync, openSync, closeSync, readdirSync, readFileSync } = fs;
const folder = process.env.IN_STEP;
const PROCESSES = 2;

/** A step is skipped after so many tries, a hundredth of a second each, lest an error here becomes a hang. */
const TRIES = 30_000;

/** Writes down how far this process is. */
function report(step) {
  const file = path.join(folder, `${process.pid}`);
  writeFileSync(`${file}.new`, `${step}`);
  renameSync(`${file}.new`, file);
}

/** Whether all have come as far. */
function allAreAt(step) {
  const files = readdirSync(folder).filter((name) => !name.endsWith('.new'));
  const steps = files.map((name) => Number(readFileSync(path.join(folder, name), 'utf8')));
  return steps.length === PROCESSES && steps.every((each) => each >= step);
}

let steps = 0;

function wait() {
  report(++steps);
  const nobody = new Int32Array(new SharedArrayBuffer(4));
  for (let i = 0; i < TRIES && !allAreAt(steps); ++i) Atomics.wait(nobody, 0, 0, 10);
}

if (isMainThread) {
  report(0);
  process.on('exit', () => report(Infinity));
  fs.renameSync = (...args) => {
    wait();
    renameSync(...args);
  };
  fs.writeFileSync = (file, content, ...options) => {
    const bytes = Buffer.from(content);
    if (typeof file !== 'string' || options.length > 0)
      return writeFileSync(file, content, ...options);
    const half = bytes.length >> 1;
    const target = openSync(file, 'w');
    writeSync(target, bytes.subarray(0, half));
    wait();
    writeSync(target, bytes.subarray(half));
    closeSync(target);
  };
  syncBuiltinESMExports();
}
