// Opens pages in browsers, served on the loopback interface.
// Usage: import { describeInBrowsers } from '../support/browser.js';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { chromium, firefox } from 'playwright-core';
import { onPath } from '../../scripts/emscripten.mjs';
import { temporaryFolder, testAll } from './emcc.js';

/** The first of these programs that is on PATH, or undefined. */
const findProgram = (...programs) => programs.map(onPath).find(Boolean);

/**
 * @typedef {object} Browser
 * @property {string} name
 * @property {string} [path] its program; undefined where there is none
 * @property {string} missing why tests are skipped where there is none
 * @property {(title: string, test: Function) => void} itEmulates mocha's `it` for tests of what
 *   Playwright's `page.emulateMedia` changes; skips them where that does nothing
 * @property {(fileOf: (url: string) => string | undefined) => Promise<Opened>} open serves files and
 *   opens an empty page. `fileOf` tells the file for a path such as '/js/index.js', or undefined if
 *   it is not to be served
 */

/**
 * @typedef {object} Opened
 * @property {import('playwright-core').Page} page
 * @property {string} address of the server
 * @property {(act: () => Promise<void>) => Promise<{ name: string, path: string }>} download does
 *   something that makes the page offer a file, and takes the file
 * @property {() => Promise<void>} close
 */

/** So many milliseconds may a busy machine take for anything that a page or a browser does. */
const PATIENCE = 600_000;

/** @type {Browser[]} the browsers that pages are tested in, as Debian ships them */
const BROWSERS = [
  {
    name: 'Chromium',
    path: findProgram('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'),
    missing: '(skipped: no Chromium on PATH: apt-get install chromium)',
    itEmulates: (title, test) => it(title, test),
    async open(fileOf) {
      const args = ['--no-sandbox', '--disable-dev-shm-usage'];
      const browser = await chromium.launch({ executablePath: this.path, args, timeout: PATIENCE });
      const opened = await serve(browser, fileOf);
      const download = async (act) => {
        const [offered] = await Promise.all([opened.page.waitForEvent('download'), act()]);
        return { name: offered.suggestedFilename(), path: await offered.path() };
      };
      return { ...opened, download };
    },
  },
  {
    name: 'Firefox',
    path: findProgram('firefox-esr', 'firefox'),
    missing: '(skipped: no Firefox on PATH: apt-get install firefox-esr)',
    itEmulates: (title) => it.skip(`${title} (skipped: Playwright cannot emulate that in Firefox)`),
    async open(fileOf) {
      const folder = temporaryFolder('wasmalloc-downloads-');
      const browser = await firefox.launch({
        executablePath: this.path,
        timeout: PATIENCE,
        // Makes Playwright drive a Firefox that it has not patched, by WebDriver BiDi. From 1.65 on
        // it asks for more of BiDi than Firefox ESR 153 has: hence the 1.64 in package.json.
        channel: 'moz-firefox',
        downloadsPath: folder,
      });
      const opened = await serve(browser, fileOf);
      // Playwright does not hear of Firefox's downloads. A file is complete when no .part is left.
      const download = async (act) => {
        await act();
        for (;;) {
          const files = readdirSync(folder);
          if (files.length === 1 && !files[0].endsWith('.part'))
            return { name: files[0], path: path.join(folder, files[0]) };
          await setTimeout(50);
        }
      };
      return { ...opened, download };
    },
  },
];

/**
 * Describes the same tests for each browser; where one is missing, a skipped test says so. Without {@link testAll} the
 * first one that is there will do.
 *
 * @param {string} title
 * @param {(this: Mocha.Suite, browser: Browser) => void} describeTests
 */
export function describeInBrowsers(title, describeTests) {
  const [first] = BROWSERS;
  const one = BROWSERS.find((browser) => browser.path) ?? first;
  for (const browser of testAll ? BROWSERS : [one])
    describe(`${title} (${browser.name})`, function () {
      if (browser.path) describeTests.call(this, browser);
      else it.skip(`works ${browser.missing}`);
    });
}

const TYPES = { '.js': 'text/javascript', '.wasm': 'application/wasm', '.html': 'text/html' };

/** Serves files, with the headers that a page needs for shared memory, and opens an empty page at '/'. */
async function serve(browser, fileOf) {
  const server = createServer((request, response) => {
    const file = request.url === '/' ? undefined : fileOf(request.url);
    const headers = {
      'Content-Type': TYPES[path.extname(file ?? '.html')] ?? 'text/plain',
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
    };
    if (request.url === '/') response.writeHead(200, headers).end('<!doctype html><title>test');
    else if (file && existsSync(file)) response.writeHead(200, headers).end(readFileSync(file));
    else response.writeHead(404).end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  const address = `http://127.0.0.1:${server.address().port}/`;
  await page.goto(address);
  const close = async () => {
    await browser.close();
    server.close();
  };
  return { page, address, close };
}
