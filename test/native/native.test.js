// The same C suite on the development machine: under AddressSanitizer, UndefinedBehaviorSanitizer,
// ThreadSanitizer and valgrind, over simulated linear memory.
// Usage: npx mocha test/native/native.test.js [-g 'part of a name']
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { onPath } from '../../scripts/emscripten.mjs';
import { allocators, project, queued, run, temporaryFolder } from '../support/emcc.js';
import { defineTests, runSuite, traitsOf } from '../c/suite.js';

/** What the build needs, and what to say where it is missing. */
const missing = ['cmake', 'cc'].filter((tool) => !onPath(tool));
const advice = `needs ${missing.join(' and ')} on PATH: install gcc, make and cmake`;

describe(`native${missing.length > 0 ? `: skipped, ${advice}` : ''}`, function () {
  this.timeout(600_000);
  if (missing.length > 0) {
    it(advice);
    return;
  }

  const folder = temporaryFolder();
  const programOf = (name) => path.join(folder, 'test', 'native', name);

  before('build', async () => {
    const generator = onPath('ninja') ? ['-G', 'Ninja'] : [];
    await run('cmake', ['-S', project, '-B', folder, ...generator]);
    await run('cmake', ['--build', folder, '--parallel', `${availableParallelism()}`]);
  });

  for (const { name: allocator } of allocators) {
    describe(allocator, () => {
      const { args } = traitsOf(allocator);

      describe('AddressSanitizer and UndefinedBehaviorSanitizer', () => {
        let ran;
        defineTests(
          () =>
            (ran ??= queued(() => runSuite(programOf(`suite-sanitized-${allocator}`), [], args))),
        );
      });

      describe('optimized', () => {
        let ran;
        defineTests(
          () => (ran ??= queued(() => runSuite(programOf(`suite-${allocator}`), [], args))),
        );
      });

      const valgrind = onPath('valgrind');
      describe(`valgrind${valgrind ? '' : ' (skipped: valgrind is not on PATH)'}`, () => {
        if (!valgrind) {
          it('needs valgrind: install it');
          return;
        }
        let ran;
        const command = ['--quiet', '--error-exitcode=99', programOf(`suite-${allocator}`)];
        const fewer = [...args, '--operations=4000'];
        defineTests(() => (ran ??= queued(() => runSuite(valgrind, command, fewer))));
      });

      it('ThreadSanitizer: threads that pass blocks to each other', async () => {
        const { stdout } = await run(programOf(`threads-${allocator}`), ['4000', allocator]);
        assert.equal(stdout, 'ok 4 threads\n');
      });

      it('ThreadSanitizer: threads that end, with destructors that allocate', async () => {
        const args = ['handlers', '2000', allocator];
        const { stdout } = await run(programOf(`endings-${allocator}`), args);
        assert.equal(stdout, 'ok threads that end\n');
      });
    });
  }
});
