// Files of any bytes: all that reads traces answers, or says in one line what is wrong.
// Usage: npx mocha test/trace/fuzz.test.js; WASMALLOC_TEST_ALL=1 tries more of them, and SEED others
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { testAll } from '../support/emcc.js';

const RUN = fileURLToPath(new URL('fuzz/run.js', import.meta.url));

/** Milliseconds that one trace may take on a machine that is busy. */
const PATIENCE = 120_000;

const count = testAll ? 10_000 : 500;
const seed = Number(process.env.SEED ?? 1);

/** Tries traces in a process of its own; ends it when there is no progress. */
function tryTraces(first, count) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [RUN, `--seed=${first}`, `--count=${count}`]);
    let output = '';
    const giveUp = () => child.kill('SIGKILL');
    let timer = setTimeout(giveUp, PATIENCE);
    const read = (chunk) => {
      // Only the last seed, and what comes behind it.
      output = `${output}${chunk}`.replace(/^[^]*(?=^seed )/m, '');
      clearTimeout(timer);
      timer = setTimeout(giveUp, PATIENCE);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, output });
    });
  });
}

describe('a trace of any bytes, with checksums that are right', function () {
  this.timeout(0); // the process has a watchdog of its own

  const part = 500;
  for (let first = seed; first < seed + count; first += part)
    it(`gets an answer or a line: seeds from ${first}`, async () => {
      const { code, signal, output } = await tryTraces(first, part);
      const repeat = `to repeat it: node test/trace/fuzz/run.js --seed N`;
      assert.equal(code, 0, `${signal ? 'no end' : 'wrong'}: ${output} (${repeat})`);
      assert.match(output, /^sound$/m);
    });
});
