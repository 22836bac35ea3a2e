// Programs that misuse the heap: the hardened builds stop every one of them, docs/security.md says truly who stops
// which, and an attacker's writes lead nowhere.
// Usage: npx mocha test/misuse/misuse.test.js [-g 'part of a name']; run.mjs shows more.
import assert from 'node:assert/strict';
import { ensureEmscripten } from '../../scripts/emscripten.mjs';
import { emscriptenIsAtLeast, findNode24, project, queued, run, testAll } from '../support/emcc.js';
import { attack, whyNoAttack } from './attack.js';
import { BUILDS, attackModule, brokenPromises, runCorpus, summarize } from './misuse.js';
import { misuseTables, readTables } from './run.mjs';

const ours = BUILDS.filter((build) => build.ours);
const hardened = BUILDS.find(({ name }) => name === 'hardened');

/** So large must the corpus be. */
const LEAST_PROGRAMS = 200;

/** Sizes that will do where the allocator's source is the same; and in the debug build, which finds out for each report
 * where the call comes from. */
const SOME_SIZES = [8, 4096];
const FEWEST_SIZES = [8];

/** All jobs are started before the first test, so that all processors have work. */
const jobs = [];
function started(job) {
  let result;
  jobs.push(() => {
    result = job();
    result.catch(() => {}); // counts only for who awaits it
  });
  return () => result;
}

describe('misuse', function () {
  before('start', () => jobs.forEach((start) => start()));

  /** What becomes of the corpus with a build. The quick suite does without the table's other allocators and sizes. */
  const whole = testAll && started(() => runCorpus());
  const corpusOf = (build) =>
    whole ||
    started(() =>
      runCorpus({ builds: [build], sizes: build.name === 'debug' ? FEWEST_SIZES : SOME_SIZES }),
    );

  for (const build of ours) {
    const what = build.promises
      ? 'stops all of it, and no correct program'
      : 'runs correct programs';
    const ran = corpusOf(build);
    it(`${build.name} ${what}`, async function () {
      const corpus = await ran();
      assert.deepEqual(brokenPromises(corpus, [build]), []);
      assert.ok(
        corpus.programs.length >= LEAST_PROGRAMS,
        `only ${corpus.programs.length} programs`,
      );
      const { head, rows } = summarize(corpus).at(-1);
      this.test.title += `: ${rows[0][head.indexOf(build.name)]} stopped ${head[0]}`;
    });
  }

  if (testAll) {
    it('is in the tables of docs/security.md as it is', async function () {
      const page = readTables();
      const { version } = await ensureEmscripten();
      if (page.version !== version) {
        this.test.title += `: not compared, this is Emscripten ${version}, the page's ${page.version}`;
        this.skip();
      }
      const hint = 'if that is meant: npm run misuse -- --write';
      assert.equal(page.text, misuseTables(await whole(), version), hint);
    });

    const small = { ...hardened, name: 'hardened -Oz', link: [...hardened.link, '-Oz'] };
    const ofSmall = started(() => runCorpus({ builds: [small], sizes: SOME_SIZES }));
    it('is stopped by the hardened build for -Oz', async () => {
      assert.deepEqual(brokenPromises(await ofSmall(), [small]), []);
    });

    // Before Emscripten 4 a 64-bit memory does not grow in Node 24.
    if (emscriptenIsAtLeast('4.0.0')) {
      const ofWide = started(() => {
        const options = ['--builds', 'hardened', '--memory64', '--sizes', SOME_SIZES.join()];
        const args = ['test/misuse/run.mjs', ...options];
        return queued(() => run(findNode24(), args, { cwd: project }));
      });
      it('is stopped by the hardened build in 64-bit memory', () => ofWide());
    }
  }

  describe("an attacker's writes", () => {
    /** Rounds of the fuzz; one that goes wrong is an error. */
    const play = (title, job) => {
      const ends = started(job);
      it(title, async function () {
        const { 'went on': wentOn = 0, ...stops } = await ends();
        const stopped = Object.values(stops).reduce((sum, count) => sum + count, 0);
        this.test.title += `: ${stopped} rounds stopped, ${wentOn} went on`;
        assert.ok(wentOn > 0 && stopped > 0);
      });
    };

    const reason = whyNoAttack();
    if (reason) it(`skipped, ${reason}`);
    else {
      const [rounds, sanitized] = testAll ? [4000, 1000] : [1000, 100];
      play(`lead nowhere in ${rounds} rounds`, () => attack({ rounds }));
      play(`nor in ${sanitized} with sanitizers`, () =>
        attack({ rounds: sanitized, seed: 100_001, kind: 'sanitized' }),
      );
    }
    const rounds = testAll ? 300 : 60;
    play(`nor in ${rounds} in WebAssembly`, () =>
      attackModule({ rounds, seed: 200_001, build: hardened }),
    );
  });
});
