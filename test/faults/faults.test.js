// Fault injection: every allocation and every growth of linear memory of two programs, SQLite and one
// that lives in the C++ library, fails once, and all fail from each one on. In the quick suite some of them do, in the
// second program.
// Usage: npx mocha test/faults/faults.test.js [-g 'part of a name']; run.mjs shows more.
import assert from 'node:assert/strict';
import { allocators, inTurn, testAll } from '../support/emcc.js';
import { MODES, PROGRAMS, countFaults, inject } from './faults.js';

/** So many there are at least, or a program is no longer what it was made for. */
const LEAST = { allocation: 1500, growth: 20 };

const titles = {
  sqlite: 'SQLite',
  containers: 'C++ containers, WebAssembly exceptions',
  'containers-js-exceptions': 'C++ containers, JavaScript exceptions',
};

/** The one that is compiled fastest is in the quick suite. */
const programs = testAll ? Object.keys(PROGRAMS) : ['containers'];

const allocatorsOf = (program) => inTurn(1 + programs.indexOf(program), allocators);

const combinations = programs.flatMap((program) =>
  allocatorsOf(program).flatMap(({ name: allocator }) =>
    Object.keys(MODES).map((mode) => ({ program, allocator, mode })),
  ),
);

/** From one number that fails to the next. */
const stepOf = ({ allocator, mode }) => {
  if (testAll || MODES[mode].target === 'growth') return 1;
  return allocator === 'wasmalloc' ? 20 : 100;
};

const jobs = new Map();

/** What came of a combination. The first that is asked for starts all, to use all processors. */
function injected(program, allocator, mode) {
  const key = (combination) => Object.values(combination).join(' ');
  if (jobs.size === 0) {
    for (const combination of combinations) {
      const step = stepOf(combination);
      const job = inject(combination.program, combination.allocator, combination.mode, { step });
      job.catch(() => {}); // counts only for who awaits it
      jobs.set(key(combination), job);
    }
  }
  return jobs.get(key({ program, allocator, mode }));
}

/** The faults in words, with the numbers that repeat them. */
function describeFailures({ failures }) {
  return failures.map(({ number, kinds, text }) => `  ${number}: ${kinds.join(', ')}: ${text}`);
}

describe('fault injection', function () {
  for (const program of programs) {
    describe(titles[program], () => {
      for (const { name: allocator } of allocatorsOf(program)) {
        describe(allocator, () => {
          for (const [mode, { target, title }] of Object.entries(MODES)) {
            it(title, async function () {
              const result = await injected(program, allocator, mode);
              const without = result.injected - result.told;
              this.test.title += `: ${result.injected} failures injected`;
              if (without > 0) this.test.title += `, ${without} that it could do without`;
              const failures = describeFailures(result);
              assert.equal(
                failures.length,
                0,
                `test/faults/run.mjs --program ${program} --allocator ${allocator} ` +
                  `--mode ${mode} --from N --to N repeats them, for N:\n${failures.join('\n')}`,
              );
              assert.equal(result.injected, Math.ceil(result.total / stepOf({ allocator, mode })));
              assert.ok(result.total >= LEAST[target], `only ${result.total} in all`);
              assert.ok(result.told > 0, 'the program has noticed nothing');
            });
          }
        });
      }
    });
  }

  // In a group of its own: mocha runs the tests of a group before its groups.
  describe('all programs and allocators', () => {
    it('together', async function () {
      const results = await Promise.all(
        combinations.map(({ program, allocator, mode }) => injected(program, allocator, mode)),
      );
      const total = results.reduce((sum, result) => sum + result.injected, 0);
      const { traps, leaks, brokenHeaps, others } = countFaults(results);
      this.test.title +=
        `: ${total} failures injected, ${traps} traps, ${leaks} leaks, ` +
        `${brokenHeaps} failures of the heap check, ${others} other faults`;
      assert.deepEqual([traps, leaks, brokenHeaps, others], [0, 0, 0, 0]);
    });
  });
});

/**
 * How each flaw of inject.h is found. This shows that the tests above can fail. Some are in one step of
 * the programs only, before which there are more allocations than `from`.
 */
const flaws = [
  { flaw: 'forgets', mode: 'allocations', from: 1500, kind: 'leak', says: /blocks that/ },
  { flaw: 'overruns', mode: 'allocations', from: 1500, kind: 'broken heap', says: /check stops/ },
  { flaw: 'crashes', mode: 'allocations', from: 1500, kind: 'trap', says: /unreachable|Aborted/ },
  { flaw: 'misleads', mode: 'growths', kind: 'wrong error', says: /: S|: something/ },
  { flaw: 'guesses', mode: 'allocation', from: 1500, kind: 'wrong answer', says: /answers are/ },
  { flaw: 'silent', mode: 'growths', kind: 'wrong errno', says: /with error 0, not ENOMEM/ },
];

describe('fault injection: programs with a flaw are found out', function () {
  for (const program of testAll ? ['sqlite', 'containers'] : programs) {
    describe(titles[program], () => {
      for (const { flaw, mode, from, kind, says } of flaws) {
        it(`${flaw}: ${kind}, where ${MODES[mode].title}`, async function () {
          const numbers = [];
          for (const { name: allocator } of allocatorsOf(program)) {
            const options = { flaw, from, stopAtFirst: true };
            const { failures } = await inject(program, allocator, mode, options);
            assert.equal(failures.length, 1, `${allocator}: not found`);
            assert.deepEqual(failures[0].kinds, [kind], `${allocator}: ${failures[0].text}`);
            assert.match(failures[0].text, says, allocator);
            numbers.push(`${allocator} ${failures[0].number}`);
          }
          this.test.title += ` (number: ${numbers.join(', ')})`;
        });
      }
    });
  }
});
