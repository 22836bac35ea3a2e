// Opens pages in Chromium, served on the loopback interface.
// Usage: import { openBrowser, browserPath } from '../support/browser.js';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { chromium } from 'playwright-core';

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** Chromium's program, or undefined where there is none. */
export const browserPath = (process.env.PATH ?? '')
  .split(path.delimiter)
  .flatMap((folder) => PROGRAMS.map((program) => path.join(folder, program)))
  .find((file) => existsSync(file));

const TYPES = { '.js': 'text/javascript', '.wasm': 'application/wasm', '.html': 'text/html' };

/**
 * Serves files, with the headers that a page needs for shared memory, and opens an empty page.
 *
 * @param {(url: string) => string | undefined} fileOf the file for a path such as '/js/index.js', or
 *   undefined if it is not to be served; '/' is the empty page
 * @returns {Promise<{ page: import('playwright-core').Page, address: string, close: () => Promise<void> }>}
 */
export async function openBrowser(fileOf) {
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
  const args = ['--no-sandbox', '--disable-dev-shm-usage'];
  const browser = await chromium.launch({ executablePath: browserPath, args });
  const page = await browser.newPage();
  const address = `http://127.0.0.1:${server.address().port}/`;
  await page.goto(address);
  const close = async () => {
    await browser.close();
    server.close();
  };
  return { page, address, close };
}
