// How the tests themselves are run: in which order, what is left out, what is told of it.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { capture } from '../../scripts/run.mjs';
import { shares, testFiles } from '../../scripts/test.mjs';
import { project, temporaryFolder } from '../support/emcc.js';

const folder = temporaryFolder('wasmalloc-tests-');
const script = path.join(project, 'scripts', 'test.mjs');

/** Writes a file with tests. */
function file(name, text) {
  const result = path.join(folder, `${name}.test.js`);
  writeFileSync(result, text);
  return result;
}

const good = file(
  'good',
  "it('is good', () => {}); it('is slow', (done) => setTimeout(done, 1100));",
);
const bad = file('bad', "it('is bad', () => { throw new Error('bad'); }); it.skip('is not run');");
const endless = file('endless', "it('does not end', () => { for (;;); });");
const broken = file('broken', 'process.exit(3);');

const test = (...args) => capture(process.execPath, [script, ...args]);
const now = () => Math.floor(Date.now() / 1000);
const counts = (stdout) => stdout.trimEnd().split('\n').at(-1);

describe('the tests', () => {
  it('are in the whole suite if they are in the quick one', () => {
    const all = new Set(testFiles(true));
    const quick = testFiles(false);
    assert.ok(quick.length > 30 && quick.every((name) => all.has(name)));
    assert.ok(all.has('test/scripts/twice.slow.test.js'));
    assert.ok(!quick.includes('test/scripts/twice.slow.test.js'));
  });

  it('are dealt out so that all have had their turn, and each turn takes as long', () => {
    const weights = new Map(testFiles(true).map((name, i) => [name, 1 + ((i * 37) % 100)]));
    const dealt = shares([...weights.keys()], 3, (name) => weights.get(name));
    assert.deepEqual(dealt.flat().sort(), [...weights.keys()].sort());
    const sums = dealt.map((names) => names.reduce((sum, name) => sum + weights.get(name), 0));
    assert.ok(Math.max(...sums) - Math.min(...sums) <= 100, `${sums}`);
  });

  it('have weights that are of files that are there', () => {
    const weights = JSON.parse(readFileSync(path.join(project, 'test', 'weights.json'), 'utf8'));
    const files = new Set(testFiles(true));
    assert.deepEqual(
      Object.keys(weights).filter((name) => !files.has(name)),
      [],
    );
  });

  it('end with the slowest of them and what became of all, in one run', async () => {
    const { code, stdout } = await test(good, bad);
    assert.equal(code, 1);
    assert.match(stdout, /^The slowest tests:\n +1\.\d s {2}.*good\.test\.js: is slow\n/m);
    assert.equal(counts(stdout), '2 passed, 1 failed, 1 skipped');
  });

  it('end in the same way in their turn', async () => {
    const { code, stdout } = await test('--turn', '1', good, bad);
    assert.equal(code, 1);
    assert.match(stdout, /^The slowest tests:$/m);
    assert.doesNotMatch(stdout, /^Not run/m);
    assert.equal(counts(stdout), '2 passed, 1 failed, 1 skipped');
    assert.equal((await test('--turn', '1', good)).code, 0);
  });

  it('that end without a word have failed', async () => {
    const { code, stdout } = await test('--turn', '1', broken);
    assert.equal(code, 1);
    assert.equal(counts(stdout), '0 passed, 1 failed, 0 skipped');
  });

  it('are not begun when there is no time, which is told', async () => {
    const { code, stdout } = await test('--turn', '2', '--until', `${now() + 1}`, good, bad);
    assert.equal(code, 0);
    assert.match(stdout, /^Not run, for lack of time:\n.*bad\.test\.js.*\n.*good\.test\.js/m);
    assert.equal(counts(stdout), '0 passed, 0 failed, 0 skipped');
  });

  it('are stopped when time is up, which is told', async () => {
    const { stdout } = await test('--turn', '3', '--stop', `${now() + 3}`, endless);
    assert.match(stdout, /^ {2}.*endless\.test\.js: stopped$/m);
    assert.equal(counts(stdout), '0 passed, 0 failed, 0 skipped');
  });
});
