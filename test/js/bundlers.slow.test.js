// More ways to bundle than test/js/bundlers.test.js has.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { BUNDLERS, FOR_NODE } from '../bundlers/index.js';
import { temporaryFolder } from '../support/emcc.js';
import { EXPECTED, describeBundles } from './bundles.js';
import { run } from './support.js';

describeBundles((pages) => {
  for (const bundler of BUNDLERS)
    describe(bundler.name, () => {
      for (const format of bundler.formats) {
        for (const production of [false, true]) {
          const what = production ? 'minified' : 'for development';
          it(`${format}, ${what}`, async () => {
            await pages.check(await pages.build(bundler, { production, format }));
          });
        }
      }

      it('in a worker', async () => {
        if (bundler.workers) {
          await pages.check(await pages.build(bundler, { production: true, program: 'worker' }));
          return;
        }
        const output = await pages.build(bundler, { production: true, format: 'iife' });
        writeFileSync(
          path.join(output, 'index.html'),
          `<!doctype html><link rel="icon" href="data:," /><script>
            new Worker('bundle.js').onmessage = ({ data }) => { globalThis.outcome = data; };
          </script>`,
        );
        await pages.check(output);
      });
    });

  describe('leaves out what replays traces where that is not used:', () => {
    // Parcel copies every file that a module names, whether the module is used or not.
    for (const bundler of BUNDLERS.filter(({ name }) => name !== 'parcel'))
      it(bundler.name, async () => {
        const output = await pages.build(bundler, { production: true, program: 'small' });
        const sizes = readdirSync(output, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => readFileSync(path.join(entry.parentPath, entry.name)).length);
        const all = sizes.reduce((sum, size) => sum + size, 0);
        assert.ok(all < 80_000, `${all} bytes`);
      });
  });

  describe('in Node:', () => {
    for (const [title, bundle] of Object.entries(FOR_NODE))
      it(title, async () => {
        const folder = temporaryFolder('wasmalloc-bundle-');
        mkdirSync(path.join(folder, 'out'));
        const file = path.join(folder, 'out', 'bundle.mjs');
        await bundle(path.join(pages.folder, 'src', 'program.js'), file);
        const { stdout } = run(process.execPath, [file], { cwd: folder });
        assert.deepEqual(JSON.parse(stdout), EXPECTED);
      });
  });
});
