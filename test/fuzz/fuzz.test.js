// The fuzzer's fixed part: the same calls every time. For more, npm run fuzz.
import assert from 'node:assert/strict';
import path from 'node:path';
import { onPath } from '../../scripts/emscripten.mjs';
import { BUILDS, capture } from '../../scripts/run.mjs';
import {
  allocators,
  findNode24,
  planned,
  project,
  run,
  temporaryFolder,
  testAll,
} from '../support/emcc.js';
import { buildFuzzer, buildModule, traitsOf } from './build.mjs';
import { unpackCorpus } from './corpus.mjs';
import { measureCoverage } from './coverage.mjs';
import { findMutants, mutantsOf, plant } from './mutate.mjs';

const MILLION = 1_000_000;

/** So many calls are made. */
const CALLS = testAll
  ? { fast: 20 * MILLION, sanitized: MILLION, words: 2 * MILLION, wasm: MILLION }
  : { fast: MILLION / 5, sanitized: MILLION / 40, words: MILLION / 20, wasm: MILLION / 40 };

/** In the quick suite of so many planted bugs one is looked for, and of so many stored inputs one is used. */
const SHARE_OF_BUGS = testAll ? 1 : 20;
const SHARE_OF_INPUTS = testAll ? 1 : 8;

const inWords = (calls) => calls.toLocaleString('en');

/** So much of lib/ must the stored corpus reach, in per cent of the branches. */
const COVERED = 98;

const missing = ['cc', 'objcopy'].filter((tool) => !onPath(tool));
const advice = `needs ${missing.join(' and ')} on PATH: install gcc and binutils`;

describe(`fuzz${missing.length > 0 ? `: skipped, ${advice}` : ''}`, function () {
  if (missing.length > 0) {
    it(advice);
    return;
  }
  const folder = temporaryFolder();
  const names = allocators.map(({ name }) => name);

  /** What a job consists of is done one by one: the job has its place in the queue already. */
  const oneByOne = () => {
    let last = Promise.resolve();
    return (job) => (last = last.then(job));
  };

  const define = (title, job) => {
    const ask = planned(job);
    it(title, async function () {
      const result = await ask();
      if (result) this.test.title += `: ${result}`;
    });
  };

  /** So many calls by a native fuzzer. */
  const native = (allocator, kind, calls, words) => async () => {
    const program = await buildFuzzer({ allocator, kind, words, folder });
    const args = [`--calls=${calls}`, ...traitsOf(allocator)];
    const { stdout } = await run(program, args);
    assert.ok(Number.parseInt(stdout) >= calls, stdout);
    return '';
  };

  /** So many calls by a module. */
  const module = (allocator, calls, { words = false, flags = [], node }) => {
    const own = path.join(folder, ['module', ...flags].join(''));
    return async () => {
      const file = await buildModule({ allocator, words, flags, folder: own });
      const script = path.join(project, 'test', 'fuzz', 'wasm.mjs');
      const args = [script, file, `${calls}`, ...traitsOf(allocator)];
      const { stdout } = await run(node?.() ?? process.execPath, args);
      assert.ok(Number.parseInt(stdout) >= calls, stdout);
      return '';
    };
  };

  for (const name of names) {
    describe(name, () => {
      const add = (title, job) => define(`${title} (${name})`, job);
      const { fast, sanitized, words, wasm } = CALLS;
      // The smaller allocators have the same lock, the same word interface and the same memory.
      const isWhole = testAll || name === 'wasmalloc';
      add(`${inWords(fast)} calls`, native(name, 'fast', fast, false));
      add(
        `${inWords(sanitized)} calls with sanitizers`,
        native(name, 'sanitized', sanitized, false),
      );
      add('the stored corpus with sanitizers', async () => {
        let inputs = 0;
        for (const words of testAll ? [false, true] : [false]) {
          const program = await buildFuzzer({ allocator: name, kind: 'sanitized', words, folder });
          const label = words ? `${name}-words` : name;
          const files = unpackCorpus(label, path.join(folder, 'inputs', label)).filter(
            (_, i) => i % SHARE_OF_INPUTS === 1,
          );
          await run(program, [...traitsOf(name), ...files]);
          inputs += files.length;
        }
        return `${inputs} inputs`;
      });
      add(testAll ? 'every planted bug is found' : 'planted bugs are found', async () => {
        const rows = await findMutants({
          allocators: [name],
          every: SHARE_OF_BUGS,
          folder: path.join(folder, 'mutants', name),
          start: oneByOne(),
        });
        const missed = rows.filter(({ calls }) => calls === null);
        assert.deepEqual(missed, []);
        assert.ok(mutantsOf(name).length >= 12);
        return `${rows.length} bugs`;
      });
      if (!isWhole) return;
      add(`${inWords(words)} calls of the word interface`, native(name, 'fast', words, true));
      add(`${inWords(wasm)} calls in WebAssembly`, module(name, wasm, {}));
      add(
        `${inWords(sanitized)} calls as with threads`,
        native(name, 'threaded', sanitized, false),
      );
      add(
        `${inWords(wasm / 2)} calls of the word interface in WebAssembly`,
        module(name, wasm / 2, { words: true }),
      );
      add(
        `${inWords(wasm / 2)} calls in wasm64`,
        module(name, wasm / 2, { flags: ['-sMEMORY64'], node: findNode24 }),
      );
    });
  }

  // They are 5_wasmalloc in name only: what they do is the heap of bins and a layer of their own.
  for (const { name } of BUILDS) {
    describe(`${name} build`, () => {
      const [fast, sanitized] = [CALLS.fast / 4, CALLS.sanitized / 2];
      define(`${inWords(fast)} calls (${name})`, native(name, 'fast', fast, false));
      define(
        `${inWords(sanitized)} with sanitizers (${name})`,
        native(name, 'sanitized', sanitized),
      );
    });
  }

  describe('a call', () => {
    /** What becomes of a fuzzer whose allocator does something else in the first call of malloc. */
    const withFirst = async (name, what) => {
      const own = path.join(folder, name);
      const lib = path.join(own, 'lib');
      const from = 'void *FUNCTION(malloc)(size_t bytes) {\n';
      const to = `${from}
        static volatile int first = 1;
        static char zeros[1 << 20];
        long clock(void);
        while (first && ${what}) {}
        first = 0;`;
      plant({ file: 'c_interface.c', from, to }, lib);
      const program = await buildFuzzer({ allocator: 'bins', kind: 'fast', folder: own, lib });
      return capture(program, ['--calls=1000']);
    };
    define('that takes long is no fault: a machine may be slow', async () => {
      // Microseconds of the processor's time.
      const { code, stderr } = await withFirst(
        'long',
        'clock() < 2500000 && !memchr(zeros, 1, sizeof zeros)',
      );
      assert.equal(code, 0, stderr);
      return '';
    });
    define('that does not end is one', async () => {
      const { signal, stderr } = await withFirst('endless', '!zeros[0]');
      assert.equal(signal, 'SIGVTALRM', stderr);
      assert.match(stderr, /after \d+ calls, in sequence 1/);
      return '';
    });
  });

  // A whole build for each input's coverage: not quick.
  if (!testAll) return;
  describe('coverage', () => {
    if (!onPath('gcov')) {
      it('coverage needs gcov on PATH: install gcc');
      return;
    }
    define(`the stored corpus reaches ${COVERED} % of the branches of lib/`, async () => {
      const result = await measureCoverage({
        allocators: names,
        folder: path.join(folder, 'coverage'),
        start: oneByOne(),
      });
      const percent = (100 * result.covered) / result.total;
      assert.ok(percent >= COVERED, `${percent} %\n${result.text}`);
      const unexplained = result.missing.filter(({ explained }) => !explained);
      assert.deepEqual(unexplained, []);
      return `${percent.toFixed(1)} %`;
    });
  });
});
