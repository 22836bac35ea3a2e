// The engines that run the benchmark: Node of several versions, each in V8's tiers, and Chromium.
// Usage: import { findEngines } from './engines.mjs';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PROJECT, onPath } from '../scripts/emscripten.mjs';
import { run } from '../scripts/run.mjs';
import { findNode } from '../test/engines/index.js';

/** No job may take longer unless told, in milliseconds. */
const TIMEOUT = 120_000;

/**
 * V8's flags per tier. In one tier only, all is compiled before it runs, so that no compilation is
 * part of a time; by default it is.
 */
const TIERS = {
  optimizing: ['--no-liftoff', '--no-wasm-lazy-compilation'],
  baseline: ['--liftoff-only', '--no-wasm-lazy-compilation'],
  default: [],
};

/** Microseconds between two samples of a profile. A program runs for some hundred milliseconds. */
const INTERVAL = 200;

/**
 * Where jobs run.
 *
 * @typedef {object} Engine
 * @property {string} name such as 'node20', 'node24', 'chromium'
 * @property {string} version
 * @property {string[]} tiers
 * @property {(tier: string, module: string, job: object, timeout?: number) =>
 *   Promise<object>} run what runJob() of runner.mjs returns
 * @property {(module: string, job: object) => Promise<object>} [sample] the same in the optimizing tier, and with
 *   it `profile`, as V8's profiler has it; only Node has this
 * @property {() => Promise<void>} close
 */

/** @returns {Promise<Engine | undefined>} a Node, each job in a process of its own */
async function nodeEngine(program) {
  if (!program) return undefined;
  const script = 'console.log(process.versions.node, process.versions.v8)';
  const [node, v8] = (await run(program, ['-e', script])).stdout.trim().split(' ');
  const runner = path.join(import.meta.dirname, 'node-runner.mjs');
  const runJob = async (flags, module, job, timeout = TIMEOUT) => {
    const args = [...flags, runner, module, JSON.stringify(job)];
    // Where a build that records writes to.
    const env = { WASMALLOC_TRACE: path.join(path.dirname(module), 'program.trace') };
    try {
      return JSON.parse((await run(program, args, { env, timeout })).stdout);
    } catch (error) {
      if (error.signal) return { failed: 'too slow' };
      throw error;
    }
  };
  return {
    name: `node${Number.parseInt(node)}`,
    version: `Node ${node} (V8 ${v8})`,
    tiers: Object.keys(TIERS),
    run: (tier, module, job, timeout) => runJob(TIERS[tier], module, job, timeout),
    async sample(module, job) {
      const folder = mkdtempSync(path.join(tmpdir(), 'wasmalloc-profile-'));
      // When a function is optimized differs from run to run by more than what is looked for here. And newer
      // versions put small functions into their callers, and then a sample can't tell them apart.
      const flags = [
        ...TIERS.optimizing,
        '--no-wasm-inlining',
        '--cpu-prof',
        `--cpu-prof-dir=${folder}`,
      ];
      flags.push(`--cpu-prof-interval=${INTERVAL}`);
      try {
        const result = await runJob(flags, module, job);
        if (result.failed) return result;
        const [file] = readdirSync(folder);
        return { ...result, profile: JSON.parse(readFileSync(path.join(folder, file), 'utf8')) };
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
    async close() {},
  };
}

const TYPES = { '.mjs': 'text/javascript', '.wasm': 'application/wasm' };

/** Serves the runner and the modules, and nothing else. */
function serve(request, response) {
  const { pathname } = new URL(request.url, 'http://localhost');
  const file = path.join(PROJECT, path.normalize(pathname));
  const type = TYPES[path.extname(file)];
  if (pathname === '/') {
    response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>bench');
  } else if (type && /^\/(bench|\.cache\/bench)\//.test(pathname) && existsSync(file)) {
    response.writeHead(200, { 'Content-Type': type }).end(readFileSync(file));
  } else {
    response.writeHead(404).end();
  }
}

/** @returns {Promise<Engine | undefined>} Chromium, each job in a page of its own */
async function chromiumEngine() {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const executablePath = names.map(onPath).find(Boolean);
  if (!executablePath) return undefined;
  const { chromium } = await import('playwright-core');
  const server = createServer(serve);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${server.address().port}/`;
  const args = ['--no-sandbox', '--disable-dev-shm-usage'];
  const browser = await chromium.launch({ executablePath, args });
  return {
    name: 'chromium',
    version: `Chromium ${browser.version()}`,
    tiers: ['default'],
    async run(tier, module, job) {
      const page = await browser.newPage();
      try {
        await page.goto(origin);
        const url = `/${path.relative(PROJECT, module)}`;
        const inPage = async ([url, job]) => {
          const { runJob } = await import('/bench/runner.mjs');
          return runJob((await import(url)).default, job);
        };
        return await page.evaluate(inPage, [url, job]);
      } finally {
        await page.close();
      }
    },
    async close() {
      await browser.close();
      server.close();
    },
  };
}

/**
 * The engines that there are on this machine.
 *
 * @param {string[]} [names] of the ones wanted, all unless told; 'node' is the Node of this process
 * @returns {Promise<Engine[]>}
 */
export async function findEngines(names = ['node', 'node24', 'chromium']) {
  const own = `node${Number.parseInt(process.versions.node)}`;
  const wanted = new Set(names.map((name) => (name === 'node' ? own : name)));
  const engines = [];
  for (const name of wanted) {
    const engine =
      name === 'chromium'
        ? await chromiumEngine()
        : await nodeEngine(name === own ? process.execPath : findNode(Number(name.slice(4))));
    if (engine) engines.push(engine);
    else console.error(`There is no ${name} on this machine: not measured.`);
  }
  return engines;
}
