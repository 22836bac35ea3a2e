// The package in a browser, without a bundler: plain ES modules and fetch.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { project } from './support.js';

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

const browserPath = (process.env.PATH ?? '')
  .split(path.delimiter)
  .flatMap((folder) => PROGRAMS.map((program) => path.join(folder, program)))
  .find((file) => existsSync(file));

const TYPES = { '.js': 'text/javascript', '.wasm': 'application/wasm' };

/** Serves the folders that the package consists of, and the test. */
function serve(request, response) {
  const file = path.join(project, path.normalize(request.url));
  if (request.url === '/') {
    response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>test');
  } else if (/^\/(js|dist|test\/js)\/[\w.]+$/.test(request.url) && existsSync(file)) {
    response.writeHead(200, { 'Content-Type': TYPES[path.extname(file)] ?? 'text/plain' });
    response.end(readFileSync(file));
  } else {
    response.writeHead(404).end();
  }
}

describe('a browser', () => {
  if (!browserPath) {
    it.skip('runs all allocators (skipped: no Chromium on PATH: apt-get install chromium)');
    return;
  }

  let server, browser, page;
  before(async () => {
    server = createServer(serve);
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const args = ['--no-sandbox', '--disable-dev-shm-usage'];
    browser = await chromium.launch({ executablePath: browserPath, args });
    page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
  });
  after(async () => {
    await browser?.close();
    server?.close();
  });

  it('runs all allocators', async () => {
    const result = await page.evaluate(async () => {
      const { smoke } = await import('/test/js/smoke.js');
      return smoke(await import('/js/index.js'));
    });
    assert.match(result, /allocators work$/);
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
