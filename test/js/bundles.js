// What the tests with bundlers share: a program that uses the whole package, and its page in a browser.
// Usage: describeBundles((pages) => it('…', () => pages.check(…)))
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describeInBrowsers } from '../support/browser.js';
import { writeTrace } from '../support/trace.js';
import { allocators, installPackage, project } from './support.js';

const PAGE = `<!doctype html>
<link rel="icon" href="data:," />
<script type="module" src="./src/index.js"></script>
`;

/** Tells what came out: the page, where it runs in one, or whoever has started it. */
const PROGRAM = `
import * as wasmalloc from 'wasmalloc';
import { errorNames } from './errors.js';
import { smoke } from './smoke.js';
import { trace } from './trace.js';

async function run() {
  const { allocators } = await wasmalloc.replay(new Uint8Array(trace), { rounds: 1 });
  return {
    smoke: await smoke(wasmalloc),
    replayed: allocators.map(({ name, fault, failed }) => [name, fault, failed]),
    errors: await errorNames(wasmalloc),
  };
}

const tell = (outcome) => {
  if (globalThis.document) globalThis.outcome = outcome;
  else if (globalThis.process) console.log(JSON.stringify(outcome));
  else postMessage(outcome);
};
run().then(tell, (error) => tell({ failure: error.stack }));
`;

/** Runs the program in a worker. */
const WORKER_PROGRAM = `
const worker = new Worker(new URL('./program.js', import.meta.url), { type: 'module' });
worker.onmessage = ({ data }) => (globalThis.outcome = data);
worker.onerror = ({ message }) => (globalThis.outcome = { failure: message });
`;

const SMALL_PROGRAM = `
import { instantiate } from 'wasmalloc';
globalThis.heap = instantiate('bins');
`;

/** One real error of each kind; what a minifier has made of the classes must not be seen. */
const ERRORS = `
export async function errorNames({ instantiate, readTrace, WasmallocError }) {
  const heap = await instantiate('bins');
  const address = heap.alloc(4);
  const acts = [
    () => instantiate('none'),
    () => instantiate('bins', { initial: 1 }),
    () => instantiate('bins', { url: new URL('/none.wasm', globalThis.location?.origin ?? 'file:') }),
    () => heap.dealloc(address + 4),
    () => heap.u8.buffer,
    () => readTrace(new Uint8Array(100)),
    () => {
      heap.u8.fill(255, address - 8, address + 40);
      heap.check();
    },
    () => {
      throw new WasmallocError('text');
    },
  ];
  const names = [];
  for (const act of acts) {
    try {
      await act();
    } catch (error) {
      names.push(\`\${error}\`.split(':')[0], error instanceof WasmallocError);
    }
  }
  return names;
}
`;

const ERROR_NAMES = [
  'UnknownAllocatorError',
  'InvalidArgumentError',
  'LoadError',
  'InvalidArgumentError',
  'StaleViewError',
  'TraceError',
  'HeapCorruptionError',
  'WasmallocError',
];

/** The allocators that a trace is replayed on, besides ours. */
const PEERS = ['dlmalloc', 'emmalloc', 'mimalloc'];

/** What the program tells. */
export const EXPECTED = {
  smoke: `${allocators.length} allocators work`,
  replayed: [...allocators.map(({ name }) => name), ...PEERS].map((name) => [name, null, 0]),
  errors: ERROR_NAMES.flatMap((name) => [name, true]),
};

/** A file of the page's own that is not to be found: it is asked for. */
const ABSENT = '/none.wasm';

/** Writes a program that does all of that into an empty project that has the package. */
function writeProgram(folder) {
  const source = path.join(folder, 'src');
  mkdirSync(source);
  const write = (file, text) => writeFileSync(path.join(source, file), text);
  const events = [
    { kind: 'malloc', size: 100, address: 1024 },
    { kind: 'calloc', size: 50, address: 2048 },
    { kind: 'free', previous: 1024 },
  ];
  writeFileSync(path.join(folder, 'index.html'), PAGE);
  write('program.js', PROGRAM);
  write('worker.js', WORKER_PROGRAM);
  write('small.js', SMALL_PROGRAM);
  write('errors.js', ERRORS);
  write('trace.js', `export const trace = [${writeTrace(events)}];\n`);
  copyFileSync(path.join(project, 'test/js/smoke.js'), path.join(source, 'smoke.js'));
}

/** The project, which all browsers share. */
let installed;

function installProgram() {
  const { folder, run } = installPackage();
  writeProgram(folder);
  return { folder, run };
}

const builds = new Map();

function build(bundler, { program = 'program', ...options }) {
  const key = JSON.stringify([bundler.name, program, options]);
  if (!builds.has(key)) {
    const output = path.join(installed.folder, `out-${builds.size}`);
    builds.set(key, buildNow(bundler, { output, program, ...options }));
  }
  return builds.get(key);
}

async function buildNow(bundler, { output, program, ...options }) {
  const { folder } = installed;
  const environment = process.env.NODE_ENV;
  mkdirSync(output);
  writeFileSync(path.join(folder, 'src/index.js'), `import './${program}.js';\n`);
  try {
    assert.deepEqual(await bundler.build({ folder, output, ...options }), [], 'warnings');
    return output;
  } finally {
    // Some bundlers set it, for themselves.
    if (environment === undefined) delete process.env.NODE_ENV;
    else process.env.NODE_ENV = environment;
  }
}

/**
 * @typedef {object} Pages
 * @property {string} folder the program's
 * @property {(program: string, ...args: string[]) => { stdout: string }} run runs a program there
 * @property {(bundler: import('../bundlers/index.js').Bundler, options: object) => Promise<string>} build
 *   answers the output's folder; there must be no warnings. `program` is that of src/ which is started: 'program',
 *   'worker', which runs it in a worker, or 'small', which uses next to nothing
 * @property {(output: string) => Promise<void>} check opens what has been built, and sees that all of it works
 * @property {(address: string) => Promise<void>} checkAt the same of what a server serves
 */

/**
 * Describes tests, which share a program and a browser.
 *
 * @param {(pages: Pages, browser: import('../support/browser.js').Browser) => void} describeTests
 */
export function describeBundles(describeTests) {
  describeInBrowsers('bundled, the package works', function (browser) {
    this.timeout(600_000); // a busy machine
    const pages = {};
    let page, address, close, served;

    before(async () => {
      installed ??= installProgram();
      Object.assign(pages, installed);
      const fileOf = (url) => served && path.join(served, new URL(url, address).pathname);
      ({ page, address, close } = await browser.open(fileOf));
    });
    after(() => close?.());

    pages.build = build;
    pages.check = async (output) => {
      served = output;
      await pages.checkAt(`${address}index.html`);
    };
    pages.checkAt = async (where) => {
      const failed = [];
      const note = (request) => {
        if (!request.url().endsWith(ABSENT)) failed.push(request.url());
      };
      const onResponse = (response) => response.ok() || note(response.request());
      const onError = (error) => failed.push(error.stack);
      page.on('response', onResponse).on('requestfailed', note).on('pageerror', onError);
      try {
        await page.goto(where);
        const outcome = await page.waitForFunction(() => globalThis.outcome, null, {
          timeout: 300_000,
        });
        assert.deepEqual(await outcome.jsonValue(), EXPECTED);
        assert.deepEqual(failed, []);
      } finally {
        page.off('response', onResponse).off('requestfailed', note).off('pageerror', onError);
      }
    };

    describeTests(pages, browser);
  });
}
