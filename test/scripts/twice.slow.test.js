// Two processes at once that take long: whole scripts, with empty caches.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { outputs } from '../../scripts/build.mjs';
import { project } from '../support/emcc.js';
import { copyProject } from './twice.js';

describe('two processes at once, long ones', () => {
  const { folder, runTwice } = copyProject();
  const leftOver = (names) => names.filter((name) => /\.new|new-|tmp/.test(name));

  it('npm run build', async () => {
    await runTwice('scripts/build.mjs', '--force');
    const names = outputs().map((file) => path.relative(project, file));
    for (const name of names)
      assert.deepEqual(
        readFileSync(path.join(folder, name)),
        readFileSync(path.join(project, name)),
        name,
      );
    assert.deepEqual(readdirSync(path.join(folder, 'dist')).length, names.length);
  });

  it('npm run demo', async () => {
    const results = await runTwice('scripts/demo.mjs', '--rounds', '1');
    for (const { stdout } of results) assert.match(stdout, /All \d+ gave the same \d+ lines/);
    assert.deepEqual(leftOver(readdirSync(path.join(folder, '.cache', 'objects'))), []);
  });

  it('npm run site', async () => {
    // First there is none, then an old one.
    for (let i = 0; i < 2; ++i) {
      await runTwice('scripts/site.mjs');
      const built = readdirSync(path.join(folder, 'build'));
      assert.deepEqual(built, ['site']);
      const modules = path.join(folder, 'build', 'site', 'modules');
      assert.ok(WebAssembly.validate(readFileSync(path.join(modules, 'wasmalloc.wasm'))));
    }
  });

  it('npm run fuzz', async () => {
    const args = ['test/fuzz/run.mjs', '--calls', '10000', '--allocator', 'minimal'];
    for (const { stdout } of await runTwice(...args)) assert.match(stdout, /^ok +minimal/m);
    for (const { stdout } of await runTwice(
      'test/fuzz/run.mjs',
      '--coverage',
      '--allocator',
      'minimal',
    ))
      assert.match(stdout, /minimal|branches|%/);
  });

  it('fault injection', async () => {
    // A file: threads would take the options of --eval for their own.
    writeFileSync(
      path.join(folder, 'inject.mjs'),
      `import { inject } from './test/faults/faults.js';
      const { injected, failures } = await inject('sqlite', 'wasmalloc', 'allocation', { to: 20 });
      console.log(JSON.stringify({ injected, failures }));`,
    );
    for (const { stdout } of await runTwice('inject.mjs'))
      assert.deepEqual(JSON.parse(stdout), { injected: 20, failures: [] });
  });
});
