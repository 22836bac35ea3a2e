// The same C suite on the development machine: under AddressSanitizer, UndefinedBehaviorSanitizer,
// ThreadSanitizer and valgrind, over simulated linear memory.
// Usage: npx mocha test/native/native.test.js [-g 'part of a name']
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { onPath } from '../../scripts/emscripten.mjs';
import { planned, project, run, temporaryFolder, testAll, variants } from '../support/emcc.js';
import { defineTests, runSuite, traitsOf } from '../c/suite.js';

/** What the build needs, and what to say where it is missing. */
const missing = ['cmake', 'cc'].filter((tool) => !onPath(tool));
const advice = `needs ${missing.join(' and ')} on PATH: install gcc, make and cmake`;

describe(`native${missing.length > 0 ? `: skipped, ${advice}` : ''}`, function () {
  if (missing.length > 0) {
    it(advice);
    return;
  }

  const folder = temporaryFolder();
  const programOf = (name) => path.join(folder, 'test', 'native', name);

  /** What the quick suite does without: the code is the same, or the wait too long. */
  const isQuick = {
    optimized: () => false,
    // The others are a part of these, or are fuzzed with sanitizers (test/fuzz).
    sanitized: (allocator) => ['linked', 'wasmalloc', 'hardened'].includes(allocator),
    valgrind: () => false,
    // The smaller allocators have the same lock.
    threads: (allocator) => ['wasmalloc', 'hardened'].includes(allocator),
  };
  const isWanted = (kind, allocator) => testAll || isQuick[kind](allocator);
  const isTested = (allocator) => Object.keys(isQuick).some((kind) => isWanted(kind, allocator));
  const fewerOperations = testAll ? [] : ['--operations=20000'];

  /** The programs that the tests need. */
  const targets = new Set();
  const target = (name) => {
    targets.add(name);
    return programOf(name);
  };

  let built;
  async function build() {
    const generator = onPath('ninja') ? ['-G', 'Ninja'] : [];
    await run('cmake', ['-S', project, '-B', folder, ...generator]);
    const jobs = ['--parallel', `${availableParallelism()}`];
    await run('cmake', ['--build', folder, ...jobs, '--target', ...targets]);
  }

  /** Plans a job that wants the programs built. */
  const plannedHere = (job) =>
    planned(async () => {
      await (built ??= build());
      return job();
    });

  for (const { name: allocator } of variants.filter(({ name }) => isTested(name))) {
    describe(allocator, () => {
      const args = [...traitsOf(allocator).args, ...fewerOperations];

      if (isWanted('sanitized', allocator))
        describe('AddressSanitizer and UndefinedBehaviorSanitizer', () => {
          const program = target(`suite-sanitized-${allocator}`);
          defineTests(plannedHere(() => runSuite(program, [], args)));
        });

      if (isWanted('optimized', allocator))
        describe('optimized', () => {
          const program = target(`suite-${allocator}`);
          defineTests(plannedHere(() => runSuite(program, [], args)));
        });

      const valgrind = onPath('valgrind');
      if (isWanted('valgrind', allocator))
        describe(`valgrind${valgrind ? '' : ' (skipped: valgrind is not on PATH)'}`, () => {
          if (!valgrind) {
            it('needs valgrind: install it');
            return;
          }
          const command = ['--quiet', '--error-exitcode=99', target(`suite-${allocator}`)];
          const fewer = [...args, `--operations=${testAll ? 4000 : 400}`];
          defineTests(plannedHere(() => runSuite(valgrind, command, fewer)));
        });

      if (isWanted('threads', allocator)) {
        const threadsProgram = target(`threads-${allocator}`);
        const endingsProgram = target(`endings-${allocator}`);
        const threads = plannedHere(() =>
          run(threadsProgram, [testAll ? '4000' : '400', allocator]),
        );
        it('ThreadSanitizer: threads that pass blocks to each other', async () => {
          assert.equal((await threads()).stdout, 'ok 4 threads\n');
        });

        const endings = plannedHere(() =>
          run(endingsProgram, ['handlers', testAll ? '2000' : '200', allocator]),
        );
        it('ThreadSanitizer: threads that end, with destructors that allocate', async () => {
          assert.equal((await endings()).stdout, 'ok threads that end\n');
        });
      }

      if (allocator === 'wasmalloc') {
        const program = target('locks');
        const locks = plannedHere(() => run(program));
        it('a thread that replaces, resizes or frees its blocks seldom takes the lock', async () => {
          assert.equal((await locks()).stdout.match(/^ok /gm).length, 7);
        });
      }
    });
  }
});
