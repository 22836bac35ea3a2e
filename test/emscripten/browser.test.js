// Threads in a browser, whose main thread must never wait for a lock.
import assert from 'node:assert/strict';
import path from 'node:path';
import { describeInBrowsers } from '../support/browser.js';
import { emcc, inTurn, languageFlags, port, project, temporaryFolder } from '../support/emcc.js';

const source = path.join(project, 'test', 'emscripten', 'programs', 'threads.c');

describeInBrowsers('threads in a browser, the main thread among them', (browser) => {
  const folder = temporaryFolder();
  let page, close;
  before(async () => {
    const fileOf = (url) => path.join(folder, path.basename(url));
    ({ page, close } = await browser.open(fileOf));
  });
  after(() => close?.());

  for (const { name } of inTurn(2)) {
    it(name, async () => {
      const flag = `--use-port=${port}:allocator=${name}`;
      const link = ['-O1', '-pthread', '-sPTHREAD_POOL_SIZE=4', '-sENVIRONMENT=web,worker'];
      const module = ['-sMODULARIZE', '-sEXPORT_ES6', '-sINITIAL_MEMORY=64MB'];
      const flags = [flag, ...link, ...module, ...languageFlags([source])];
      await emcc([source, ...flags, '-o', path.join(folder, `${name}.js`)]);
      const output = await page.evaluate(async (url) => {
        const { default: start } = await import(url);
        const print = new Promise((resolve) => start({ print: resolve }));
        return print;
      }, `/${name}.js`);
      assert.equal(output, '0 errors, heap sound');
    });
  }
});
