// The package in browsers, without a bundler: plain ES modules and fetch.
import assert from 'node:assert/strict';
import path from 'node:path';
import { describeInBrowsers } from '../support/browser.js';
import { project } from './support.js';

/** Serves the folders that the package consists of, and the test. */
function fileOf(url) {
  return /^\/(js|dist|test\/js)\/[\w.-]+$/.test(url) ? path.join(project, url) : undefined;
}

describeInBrowsers('the package in a browser', (browser) => {
  let page, close;
  before(async () => {
    ({ page, close } = await browser.open(fileOf));
  });
  after(() => close?.());

  it('runs all allocators', async () => {
    const result = await page.evaluate(async () => {
      const { smoke } = await import('/test/js/smoke.js');
      return smoke(await import('/js/index.js'));
    });
    assert.match(result, /allocators work$/);
  });

  it('runs all allocators from the entry that has them inside', async () => {
    const result = await page.evaluate(async () => {
      const { smoke } = await import('/test/js/smoke.js');
      return smoke(await import('/js/embedded.js'));
    });
    assert.match(result, /allocators work$/);
  });

  it('says that there are no files to open', async () => {
    const message = await page.evaluate(async () => {
      const { readTrace } = await import('/js/index.js');
      return readTrace('app.trace').catch((e) => `${e.name}: ${e.message}`);
    });
    assert.match(message, /^InvalidArgumentError: there are no files here to open app\.trace/);
  });

  it('names the file that cannot be fetched', async () => {
    const message = await page.evaluate(async () => {
      const { instantiate } = await import('/js/index.js');
      return instantiate('bins', { url: '/dist/none.wasm' }).catch(
        (e) => `${e.name}: ${e.message}`,
      );
    });
    assert.match(message, /^LoadError: cannot load http.*\/dist\/none\.wasm: HTTP status 404/);
  });
});
