// Bundlers as their users have them: no setting but the entry, the output and the mode.
// Usage: import { BUNDLERS, serveWithVite, olderTsc } from '../bundlers/index.js';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { nodeResolve } from '@rollup/plugin-node-resolve';
import terser from '@rollup/plugin-terser';
import esbuild from 'esbuild';
import { rollup } from 'rollup';
import * as vite from 'vite';
import webpack from 'webpack';

/** The compiler of TypeScript 5, which knows more ways to resolve modules than its successors. */
export const olderTsc = programOf('typescript', 'bin/tsc');

function programOf(name, file) {
  return fileURLToPath(new URL(`node_modules/${name}/${file}`, import.meta.url));
}

/** Makes a bundle for Node, in one file. */
export const FOR_NODE = {
  async rollup(input, file) {
    const bundle = await rollup({ input, plugins: [nodeResolve()] });
    await bundle.write({ file, format: 'es' });
    await bundle.close();
  },
  async esbuild(input, file) {
    await esbuild.build({ ...bundled(input, file), platform: 'node' });
  },
  /** For no platform that it knows. */
  async 'esbuild, neutral'(input, file) {
    await esbuild.build({ ...bundled(input, file), platform: 'neutral' });
  },
  async webpack(input, file) {
    await runWebpack({
      mode: 'production',
      entry: input,
      target: 'node',
      experiments: { outputModule: true },
      output: { path: path.dirname(file), filename: path.basename(file), module: true },
    });
  },
  async vite(input, file) {
    await vite.build({
      root: path.dirname(input),
      logLevel: 'silent',
      ssr: { noExternal: true },
      build: {
        ssr: input,
        outDir: path.dirname(file),
        rollupOptions: { output: { entryFileNames: path.basename(file) } },
      },
    });
  },
};

function bundled(input, outfile) {
  return { entryPoints: [input], bundle: true, outfile, format: 'esm', logLevel: 'silent' };
}

async function runWebpack(settings) {
  const compiler = webpack(settings);
  const stats = await promisify(compiler.run.bind(compiler))();
  await promisify(compiler.close.bind(compiler))();
  const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
  if (errors.length) throw new Error(errors.map(({ message }) => message).join('\n'));
  return warnings.map(({ message }) => message);
}

/** The page for a bundler that makes none. */
function writePage(output, script, type) {
  writeFileSync(
    path.join(output, 'index.html'),
    `<!doctype html><link rel="icon" href="data:," /><script type="${type}" src="${script}"></script>`,
  );
}

const PAGE_TYPES = { es: 'module', esm: 'module', iife: 'text/javascript' };

/**
 * @typedef {object} Bundler
 * @property {string} name
 * @property {string[]} formats of what it makes; the first is its default
 * @property {boolean} workers whether it bundles what `new Worker(new URL(…))` names
 * @property {(build: Build) => Promise<string[]>} build makes `output`/index.html and what belongs to it; answers the
 *   warnings
 */

/**
 * @typedef {object} Build
 * @property {string} folder the program's: its page is index.html, which has src/index.js
 * @property {string} output an empty folder in that one
 * @property {boolean} production minified
 * @property {string} [format]
 */

/** @type {Bundler[]} */
export const BUNDLERS = [
  {
    name: 'vite',
    formats: ['es'],
    workers: true,
    async build({ folder, output, production }) {
      const warnings = [];
      const customLogger = vite.createLogger('silent');
      customLogger.warn = (message) => warnings.push(message);
      await vite.build({
        root: folder,
        logLevel: 'silent',
        customLogger,
        mode: production ? 'production' : 'development',
        build: { outDir: output, minify: production ? undefined : false },
      });
      return warnings;
    },
  },
  {
    name: 'webpack',
    formats: ['iife'],
    workers: true,
    async build({ folder, output, production }) {
      const mode = production ? 'production' : 'development';
      const warnings = await runWebpack({ context: folder, mode, output: { path: output } });
      writePage(output, 'main.js', PAGE_TYPES.iife);
      return warnings;
    },
  },
  {
    name: 'rollup',
    formats: ['es', 'iife'],
    workers: false,
    async build({ folder, output, production, format = 'es' }) {
      const warnings = [];
      // Without the first plugin rollup finds no package at all.
      const plugins = [nodeResolve(), production && terser({ maxWorkers: 1 })];
      const onLog = (_, { message }) => warnings.push(message);
      const bundle = await rollup({ input: path.join(folder, 'src/index.js'), plugins, onLog });
      await bundle.write({ file: path.join(output, 'bundle.js'), format });
      await bundle.close();
      writePage(output, 'bundle.js', PAGE_TYPES[format]);
      return warnings;
    },
  },
  {
    name: 'esbuild',
    formats: ['iife', 'esm'],
    workers: false,
    async build({ folder, output, production, format = 'iife' }) {
      const { warnings } = await esbuild.build({
        absWorkingDir: folder,
        entryPoints: ['src/index.js'],
        bundle: true,
        minify: production,
        outfile: path.join(output, 'bundle.js'),
        format,
        logLevel: 'silent',
      });
      writePage(output, 'bundle.js', PAGE_TYPES[format]);
      return warnings.map(({ text }) => text);
    },
  },
  {
    name: 'parcel',
    formats: ['es'],
    workers: true,
    async build({ folder, output, production }) {
      const args = ['build', 'index.html', '--dist-dir', output, '--no-cache'];
      if (!production) args.push('--no-optimize');
      // It looks for settings in the environment.
      const env = { ...process.env, NODE_ENV: production ? 'production' : 'development' };
      const program = programOf('parcel', 'lib/bin.js');
      const { stderr } = await promisify(execFile)(process.execPath, [program, ...args], {
        cwd: folder,
        env,
      });
      return stderr ? [stderr] : [];
    },
  },
];

/**
 * Starts vite's development server, which bundles the packages that a program imports and nothing else.
 *
 * @param {string} folder the program's, as in {@link Build}
 * @returns {Promise<{ address: string, close: () => Promise<void> }>}
 */
export async function serveWithVite(folder) {
  const server = await vite.createServer({
    root: folder,
    logLevel: 'silent',
    server: { host: '127.0.0.1', port: 0 },
  });
  await server.listen();
  return { address: server.resolvedUrls.local[0], close: () => server.close() };
}
