// Compiles, links and runs the C suite: for Emscripten (library.test.js) and for the development
// machine (../native/native.test.js).
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { capture } from '../../scripts/run.mjs';

/** The folder of the C sources. */
export const sources = fileURLToPath(new URL('.', import.meta.url));

/** The suite's files in the order in which they run: those that use up all memory are last. */
export const files = [
  'testing.c',
  'model.c',
  'library.c',
  'limits.c',
  'inspection.c',
  'memory.c',
  'random.c',
  'exhaustion.c',
];

/** The number of tests in a file. */
export function countTests(file) {
  const text = readFileSync(path.join(sources, file), 'utf8');
  return text.match(/^(TEST|EXHAUST)\(/gm)?.length ?? 0;
}

/** The seed of all random tests: WASMALLOC_TEST_SEED, or the same every time. */
export const seed = process.env.WASMALLOC_TEST_SEED ?? '1';

const MEGABYTE = 2 ** 20;

/**
 * What the suite has to know about an allocator. One that the table does not name here is treated
 * as any other general-purpose allocator.
 */
const traits = {
  minimal: { args: ['--never-frees'], memory: 256 * MEGABYTE },
  linked: { args: ['--slow'], memory: 64 * MEGABYTE },
  // They look at every byte that was freed: twice the memory takes twice as long.
  hardened: { args: ['--sealed'], memory: 32 * MEGABYTE },
  debug: { args: ['--sealed'], memory: 32 * MEGABYTE },
};

/** The suite's arguments for an allocator, and the size to which its memory may grow. */
export function traitsOf(allocator) {
  const { args, memory } = traits[allocator] ?? { args: [], memory: 64 * MEGABYTE };
  return { memory, args: [...args, `--maximum=${memory}`, `--seed=${seed}`] };
}

/** The first lines of an error's output that say something. */
function firstLines(text) {
  const lines = text.split('\n').filter((line) => line.trim());
  const start = lines.findIndex((line) => /error|abort|segmentation|==\d+==/i.test(line));
  return lines.slice(Math.max(start, 0), Math.max(start, 0) + 12).join('\n');
}

/**
 * Runs the suite. Where a test fails or ends the program, it goes on with the next one in a new
 * process, so that one fault does not hide another or cause a second failure.
 *
 * @param {string} program
 * @param {string[]} before the arguments that come before the suite's, such as the module's path
 * @param {string[]} args the suite's arguments
 * @param {{ env?: object }} [options]
 * @returns {Promise<{ files: Record<string, { passed: string[], skipped: string[],
 *   failed: string[] }>, stderr: string }>} the tests of each file; the strings in `skipped` and
 *   `failed` are 'name: reason'
 */
export async function runSuite(program, before, args, { env } = {}) {
  const result = { files: {}, stderr: '' };
  let after = [];
  for (;;) {
    const command = [...before, '--stop', ...after, ...args];
    const { stdout, stderr, code, signal } = await capture(program, command, { env });
    result.stderr += stderr;
    let tests;
    let running;
    for (const line of stdout.split('\n')) {
      const [, word, text] = /^(file|run|ok|not ok|skip) (.*)$/.exec(line) ?? [];
      if (word === 'file') {
        tests = result.files[text] ??= { passed: [], skipped: [], failed: [] };
      } else if (word === 'run') {
        running = text;
      } else if (word) {
        tests[{ ok: 'passed', 'not ok': 'failed', skip: 'skipped' }[word]].push(text);
        if (word !== 'not ok') running = undefined;
      }
    }
    if (code === 0) return result;
    if (running === undefined) {
      const ending = `${[program, ...command].join(' ')}\nended with ${signal ?? code}`;
      throw new Error(`${ending}, in no test:\n${stdout}${stderr}`);
    }
    if (!tests.failed.some((text) => text.startsWith(`${running}: `))) {
      tests.failed.push(
        `${running}: the program ended with ${signal ?? code}\n${firstLines(stderr)}`,
      );
    }
    after = [`--after=${running}`];
  }
}

/**
 * Defines one mocha test for each file of the suite; its title says for how many tests it stands,
 * and how many were skipped, and why.
 *
 * @param {() => Promise<{ files: object }>} ran the result of {@link runSuite}
 */
export function defineTests(ran) {
  let results;
  before('build and run', async () => {
    results = (await ran()).files;
  });

  for (const file of files.filter((name) => countTests(name) > 0)) {
    it(file, function () {
      const { passed, skipped, failed } = results[file] ?? { passed: [], skipped: [], failed: [] };
      this.test.title += `: ${passed.length} passed`;
      const reasons = new Map();
      for (const text of skipped) {
        const reason = text.slice(text.lastIndexOf(': ') + 2);
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      }
      for (const [reason, count] of reasons) this.test.title += `, ${count} skipped: ${reason}`;
      if (failed.length > 0) {
        throw new Error(`${failed.length} failed, seed ${seed}:\n  ${failed.join('\n  ')}`);
      }
      const missing = countTests(file) - passed.length - skipped.length;
      if (missing !== 0) throw new Error(`${missing} tests of ${file} did not run`);
    });
  }
}
