#!/usr/bin/env node
// Builds the playground, a static page: build/site/.
// Usage: node scripts/site.mjs [--output FOLDER] [--serve] [--port N] [--help]
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import sirv from 'sirv';
import { PROJECT, ensureEmscripten, llvmTool } from './emscripten.mjs';
import { replaceFolder } from './files.mjs';
import { highlight, instrument } from './instrument.mjs';
import { ALLOCATORS } from './run.mjs';

const LIB = path.join(PROJECT, 'lib');
const SITE = path.join(PROJECT, 'site');
const OUTPUT = path.join(PROJECT, 'build', 'site');
const SCRATCH = path.join(PROJECT, '.cache');

/** A file by which a playground is known. */
const MARK = path.join('site', 'simulation.js');

const HELP = `Usage: npm run site [-- --output FOLDER]
       npm start [-- --port N]

Builds the playground into build/site/: a page that any static host can serve. npm start serves it on this
machine, too.

  --output FOLDER   build there instead; a folder that is there is replaced if it is a playground or empty
  --serve           serve what was built, at http://127.0.0.1:PORT/, until interrupted
  --port N          the port; 8080 unless told
  --help            this text`;

// As scripts/build.mjs compiles them, but less optimized: each statement has a hook.
const DEFINE = ['-DWASMALLOC_FREESTANDING'];
const COMPILE = ['-c', '-O1', '-w', '-mbulk-memory'];
const LINK = ['--no-entry', '--gc-sections', '--stack-first', '-z', 'stack-size=8192'];
const EXPORT = ['--import-memory', '--export=memory_extend', '--export=memory_break'];

/** What the page shows: the C sources that take part in a call. */
const SOURCES = readdirSync(LIB).filter(
  (file) => /\.[ch]$/.test(file) && !/_host|thread|c_inter/.test(file),
);

/** What the page is made of: from where, and to where in its folder. */
function copyParts(folder) {
  const libraries = path.dirname(fileURLToPath(import.meta.resolve('lit-html')));
  const copies = [
    [path.join(SITE, 'index.html'), 'index.html'],
    ...readdirSync(SITE, { recursive: true })
      .filter((file) => /\.(js|css|svg)$/.test(file))
      .map((file) => [path.join(SITE, file), path.join('site', file)]),
    ...['heap.js', 'check.js', 'errors.js', 'views.js'].map((file) => [
      path.join(PROJECT, 'js', file),
      path.join('js', file),
    ]),
    [path.join(PROJECT, 'LICENSE'), 'LICENSE'],
    [path.join(PROJECT, 'node_modules', 'lit-html', 'LICENSE'), 'vendor/lit-html/LICENSE'],
    [path.join(libraries, 'lit-html.js'), 'vendor/lit-html/lit-html.js'],
  ];
  for (const [from, to] of copies) cpSync(from, path.join(folder, to));
}

/** Compiles each allocator with hooks, and writes what the hooks' numbers mean beside it. */
async function buildModules(folder, scratch, log) {
  const emscripten = await ensureEmscripten();
  const env = { ...process.env, ...emscripten.env };
  const run = (program, args, options) =>
    execFileSync(program, args, { env, cwd: LIB, maxBuffer: 1 << 26, ...options });
  const wasmLd = llvmTool('wasm-ld', emscripten);

  const compile = (source, name, defines, tables) => {
    const flags = [...DEFINE, ...defines, `-I${LIB}`];
    const text = run(emscripten.emcc, ['-E', ...flags, source], { encoding: 'utf8' });
    const instrumented = instrument(text, LIB, SOURCES, tables);
    const file = path.join(scratch, `${name}.i`);
    writeFileSync(file, instrumented.text);
    const object = path.join(scratch, `${name}.o`);
    run(emscripten.emcc, [...COMPILE, file, '-o', object], { stdio: 'inherit' });
    return { object, tables: instrumented.tables };
  };

  mkdirSync(path.join(folder, 'modules'));
  const memory = compile('memory_wasm.c', 'memory', []);
  for (const { name, file } of ALLOCATORS) {
    const layout = path.join(SITE, 'allocators', `${name}.h`);
    const defines = [`-DWASMALLOC_ALLOCATOR="${file}"`];
    if (existsSync(layout)) defines.push(`-DSITE_LAYOUT="${layout}"`);
    const source = path.join(SITE, 'layout.c');
    const allocator = compile(source, name, defines, structuredClone(memory.tables));
    const output = path.join(folder, 'modules', `${name}.wasm`);
    run(wasmLd, [...LINK, ...EXPORT, allocator.object, memory.object, '-o', output]);
    writeFileSync(
      path.join(folder, 'modules', `${name}.json`),
      JSON.stringify({ ...allocator.tables, main: file }),
    );
    log(`  ${name}: ${allocator.tables.steps.length} statements`);
  }
}

/**
 * Builds the playground.
 *
 * @param {string} output the folder to make, in place of a playground that is there
 * @param {(line: string) => void} log
 */
async function buildSite(output, log) {
  if (existsSync(output) && readdirSync(output).length && !existsSync(path.join(output, MARK)))
    throw new Error(`${output} holds something else: give a folder that is empty or not there`);
  mkdirSync(SCRATCH, { recursive: true });
  const scratch = mkdtempSync(path.join(SCRATCH, 'site-'));
  try {
    log('Building the playground:');
    await replaceFolder(output, async (folder) => {
      copyParts(folder);
      await buildModules(folder, scratch, log);
      // What the page knows of an allocator beyond the row of its blocks.
      const rows = ALLOCATORS.map((row) => ({
        ...row,
        reader: existsSync(path.join(SITE, 'allocators', `${row.name}.js`)),
      }));
      const sources = SOURCES.map((file) => [
        file,
        highlight(readFileSync(path.join(LIB, file), 'utf8')),
      ]);
      writeFileSync(
        path.join(folder, 'modules', 'sources.json'),
        JSON.stringify(Object.fromEntries(sources)),
      );
      writeFileSync(path.join(folder, 'modules', 'allocators.json'), JSON.stringify(rows));
    });
    log(`${path.relative(process.cwd(), output)}/ is ready.`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * Serves a folder on the loopback interface.
 *
 * @param {number} port 0 for any that is free
 * @param {string} folder
 * @returns {Promise<import('node:http').Server>}
 */
export async function serveSite(port, folder) {
  const server = createServer(sirv(folder, { dev: true }));
  await new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  return server;
}

async function main() {
  const { values } = parseArgs({
    options: {
      output: { type: 'string', default: OUTPUT },
      serve: { type: 'boolean' },
      port: { type: 'string', default: '8080' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return console.log(HELP);
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new Error(`--port takes a number from 0 to 65535, not ${values.port}`);
  const output = path.resolve(values.output);
  await buildSite(output, console.log);
  if (!values.serve) return;
  const server = await serveSite(port, output).catch((cause) => {
    const hint = cause.code === 'EADDRINUSE' ? `port ${port} is in use: give another --port` : '';
    throw new Error(hint || cause.message, { cause });
  });
  console.log(`Playground: http://127.0.0.1:${server.address().port}/ (Ctrl+C ends it)`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    await main();
  } catch (error) {
    console.error(`site: ${error.message}`);
    process.exitCode = error.code?.startsWith('ERR_PARSE_ARGS') ? 2 : 1;
  }
}
