// Two processes at once: what one writes, the other neither breaks nor reads half. What takes long is in
// twice.slow.test.js.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { queued } from '../support/emcc.js';
import { copyProject } from './twice.js';

describe('two processes at once', () => {
  const { folder, runTwice } = copyProject();

  /** The same program in both; it imports from the copy, and may have no cache yet. */
  const both = (program) => queued(() => runTwice('--input-type=module', '--eval', program));
  const cacheOf = (name) => readdirSync(path.join(folder, '.cache', name));
  const leftOver = (names) => names.filter((name) => /new-|\.new|tmp/.test(name));

  it('compile and link for the benchmark', async () => {
    writeFileSync(path.join(folder, 'tiny.c'), 'int main(void) { return 0; }\n');
    const results = await both(`
      import { existsSync } from 'node:fs';
      import { link } from './bench/builds.mjs';
      const program = { name: 'tiny', units: [{ source: 'tiny.c' }] };
      const file = await link(program, 'bins', 'memory');
      console.log(existsSync(file) && existsSync(file.replace('.mjs', '.wasm')) ? file : 'nothing');
    `);
    const [file, other] = results.map(({ stdout }) => stdout.trim());
    assert.ok(file.endsWith('program.mjs'), file);
    assert.equal(file, other);
    assert.deepEqual(leftOver(cacheOf('bench')), []);
  });

  it('remember sizes', async () => {
    const results = await both(`
      import { rememberedSizes } from './bench/builds.mjs';
      const measure = async () => ({ bins: 123456 });
      console.log((await rememberedSizes(['bins'], 'test', measure)).bins);
    `);
    assert.deepEqual(
      results.map(({ stdout }) => stdout),
      ['123456\n', '123456\n'],
    );
    assert.deepEqual(leftOver(cacheOf('bench')), []);
  });

  it('write a part of a page', async () => {
    const page = path.join(folder, 'page.md');
    const text = 'a line\n'.repeat(1000).trim();
    writeFileSync(page, `before\n<!-- a:b -->\nold\n<!-- /a -->\nafter\n`);
    await both(`
      import { writePart } from './test/support/page.js';
      writePart('page.md', 'a:b', 'a line\\n'.repeat(1000).trim());
    `);
    assert.equal(
      readFileSync(page, 'utf8'),
      `before\n<!-- a:b -->\n\n${text}\n\n<!-- /a -->\nafter\n`,
    );
  });

  it('store what a benchmark has measured', async () => {
    const results = await both(`
      import { readFileSync } from 'node:fs';
      import { writeResults } from './bench/run.mjs';
      await writeResults('results/new.json', { figures: Array(1000).fill(1) });
      console.log(JSON.parse(readFileSync('results/new.json', 'utf8')).figures.length);
    `);
    for (const { stdout } of results) assert.equal(stdout, '1000\n');
  });

  it('replace a folder', async () => {
    const program = `
      import { readdirSync, writeFileSync } from 'node:fs';
      import { replaceFolder } from './scripts/files.mjs';
      await replaceFolder('replaced', async (scratch) => {
        writeFileSync(scratch + '/one', String(process.pid));
        writeFileSync(scratch + '/two', String(process.pid));
      });
    `;
    // First there is none, then an old one.
    for (let i = 0; i < 2; ++i) {
      await both(program);
      const read = (name) => readFileSync(path.join(folder, 'replaced', name), 'utf8');
      assert.ok(Number(read('one')) > 0);
      assert.equal(read('one'), read('two'), 'both files are of one process');
      assert.deepEqual(leftOver(readdirSync(folder)), []);
    }
  });
});
