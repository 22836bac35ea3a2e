// The same C suite on the development machine: under AddressSanitizer, UndefinedBehaviorSanitizer,
// ThreadSanitizer and valgrind, over simulated linear memory.
// Usage: npx mocha test/native/native.test.js [-g 'part of a name']
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { onPath } from '../../scripts/emscripten.mjs';
import { planned, project, run, temporaryFolder, variants } from '../support/emcc.js';
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

  let built;
  async function build() {
    const generator = onPath('ninja') ? ['-G', 'Ninja'] : [];
    await run('cmake', ['-S', project, '-B', folder, ...generator]);
    await run('cmake', ['--build', folder, '--parallel', `${availableParallelism()}`]);
  }

  /** Plans a job that wants the programs built. */
  const plannedHere = (job) =>
    planned(async () => {
      await (built ??= build());
      return job();
    });

  for (const { name: allocator } of variants) {
    describe(allocator, () => {
      const { args } = traitsOf(allocator);

      describe('AddressSanitizer and UndefinedBehaviorSanitizer', () => {
        const program = programOf(`suite-sanitized-${allocator}`);
        defineTests(plannedHere(() => runSuite(program, [], args)));
      });

      describe('optimized', () => {
        defineTests(plannedHere(() => runSuite(programOf(`suite-${allocator}`), [], args)));
      });

      const valgrind = onPath('valgrind');
      describe(`valgrind${valgrind ? '' : ' (skipped: valgrind is not on PATH)'}`, () => {
        if (!valgrind) {
          it('needs valgrind: install it');
          return;
        }
        const command = ['--quiet', '--error-exitcode=99', programOf(`suite-${allocator}`)];
        const fewer = [...args, '--operations=4000'];
        defineTests(plannedHere(() => runSuite(valgrind, command, fewer)));
      });

      const threads = plannedHere(() =>
        run(programOf(`threads-${allocator}`), ['4000', allocator]),
      );
      it('ThreadSanitizer: threads that pass blocks to each other', async () => {
        assert.equal((await threads()).stdout, 'ok 4 threads\n');
      });

      const endings = plannedHere(() =>
        run(programOf(`endings-${allocator}`), ['handlers', '2000', allocator]),
      );
      it('ThreadSanitizer: threads that end, with destructors that allocate', async () => {
        assert.equal((await endings()).stdout, 'ok threads that end\n');
      });

      if (allocator === 'wasmalloc') {
        const locks = plannedHere(() => run(programOf('locks')));
        it('a thread that replaces, resizes or frees its blocks seldom takes the lock', async () => {
          assert.equal((await locks()).stdout.match(/^ok /gm).length, 7);
        });
      }
    });
  }
});
