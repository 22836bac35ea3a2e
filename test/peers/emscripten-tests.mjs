#!/usr/bin/env node
// Runs Emscripten's own tests of memory with one of our allocators.
// Usage: node test/peers/emscripten-tests.mjs [--allocator NAME] [--all] [--test NAME] [--write] [--help]
//
// The tests come with the source package of Debian, in the version of the toolchain. They run in their
// own runner, which knows the flags and the output that each expects; EMCC_CFLAGS brings the allocator
// in. What fails is run again with the allocator that the test asks for itself: what fails then too says
// nothing about ours.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { markdownTable } from 'markdown-table';
import { progressBar } from '../../js/progress.js';
import { installExclusively } from '../../scripts/debian.mjs';
import { PROJECT, ensureEmscripten } from '../../scripts/emscripten.mjs';
import { ALLOCATORS, allocatorFlag, emcc, run } from '../../scripts/run.mjs';
import { findNode24 } from '../support/emcc.js';
import { writePart } from '../support/page.js';

const HELP = `Usage: node test/peers/emscripten-tests.mjs [options]

Fetches the source package of Emscripten (22 MB, once) and runs those of its tests that are about memory,
or whose programs do more than malloc and free, with one of our allocators. Prints one line for each, and
why, where one fails. The exit code is 1 when one fails that does not expect the layout of another
allocator. Takes a quarter of an hour on two processors, most of it for Emscripten's libraries, which it
builds apart from the toolchain's; four minutes when they are there.

  --allocator NAME  instead of wasmalloc
  --all             every test whose program allocates: a quarter of an hour more
  --test NAME       only this one, such as core0.test_sbrk; can be given several times
  --list            only prints the names of the tests
  --write           writes the result into docs/faults.md
  --json            prints the result as JSON
  --help            this text

WASMALLOC_DEBIAN_MIRROR   the Debian mirror to use, in place of http://deb.debian.org/debian`;

const FOLDER = path.join(PROJECT, '.cache', 'emscripten-tests');
const SUITE = 'forky';
const PAGE = path.join(PROJECT, 'docs', 'faults.md');

/** Tests that say nothing about an allocator that replaces malloc: not run. */
const LEFT_OUT = [
  [/asan|lsan|gmtime_noleak/, 'a sanitizer brings an allocator of its own'],
  [/malloc_size|oz_size/, "measures the code size of Emscripten's allocators"],
  [/mimalloc_(headers|no_asan)|malloc_none/, 'is about the choice of an allocator'],
  [
    /emmalloc_(normal|memvalidate|in_addition)|dlmalloc_inline/,
    'brings the source of its own allocator',
  ],
  [/test_embind_/, 'the program of other.test_embind, linked in other ways'],
  [/dwarf_system_lib|force_stdlibs/, "is about the file names of Emscripten's libraries"],
  [
    /zlib|bullet|poppler|freetype|openjpeg|sqlite|libjpeg|libpng|vorbis|giflib|boost|sdl2|dawn/,
    'needs a library that is not in the source package',
  ],
];

const EMMALLOC_ONLY = 'calls functions that only emmalloc has (emscripten/emmalloc.h)';
const SAME_BLOCK = 'expects that malloc gives the block that was freed first, as dlmalloc does';

/** Tests whose expectation is the layout of one of Emscripten's allocators. They run all the same. */
const LAYOUT = {
  'core0.test_dlmalloc': SAME_BLOCK,
  'core0.test_dlmalloc_partial': SAME_BLOCK,
  'core0.test_emmalloc_memalign_corruption': EMMALLOC_ONLY,
  'core0.test_emmalloc_memory_statistics': EMMALLOC_ONLY,
  'core0.test_emmalloc_trim': EMMALLOC_ONLY,
  'core0.test_pthread_emmalloc': EMMALLOC_ONLY,
  'core0.test_emmalloc_usable_size':
    'expects that the smallest block has just two words, as in emmalloc',
  'core0.test_mallinfo':
    'expects that after free all memory is free to the byte: dlmalloc counts the heads as free, too',
  'other.test_dlmalloc_modes': 'frees a block twice, which dlmalloc does not notice at -O2',
};

/** Why a test fails that does not expect another layout. It fails all the same. */
const KNOWN = {
  'browser.test_dlmalloc_3gb':
    'wants one block of 3 GiB on wasm32, and ours refuse what is over PTRDIFF_MAX',
};

/**
 * Programs that Emscripten's tests run in a browser: here in Node, with the flags of test_browser.py.
 * The program itself checks; its exit code is the answer.
 */
const FOR_BROWSERS = {
  'browser.test_pthread_malloc': [
    'pthread/test_pthread_malloc.c',
    '-O3 -pthread -sPTHREAD_POOL_SIZE=8',
  ],
  'browser.test_pthread_malloc_free': [
    'pthread/test_pthread_malloc_free.cpp',
    '-O3 -pthread -sPTHREAD_POOL_SIZE=8',
  ],
  'browser.test_pthread_sbrk': [
    'pthread/test_pthread_sbrk.c',
    '-O3 -pthread -sPTHREAD_POOL_SIZE=8 -sINITIAL_MEMORY=128MB -DABORTING_MALLOC=0 -sABORTING_MALLOC=0',
  ],
  'browser.test_pthread_sbrk_aborting_malloc': [
    'pthread/test_pthread_sbrk.c',
    '-O3 -pthread -sPTHREAD_POOL_SIZE=8 -sINITIAL_MEMORY=128MB -DABORTING_MALLOC=1',
  ],
  'browser.test_pthread_large_pthread_allocation': [
    'pthread/test_large_pthread_allocation.c',
    '-sINITIAL_MEMORY=128MB -O3 -pthread -sPTHREAD_POOL_SIZE=50',
  ],
  'browser.test_gauge_available_memory': ['test_gauge_available_memory.c', '-sABORTING_MALLOC=0'],
  'browser.test_gauge_available_memory_O2': [
    'test_gauge_available_memory.c',
    '-sABORTING_MALLOC=0 -O2',
  ],
  'browser.test_emmalloc_4gb': [
    'test_mem_growth.c',
    '-sABORTING_MALLOC=0 -sALLOW_MEMORY_GROWTH -sMAXIMUM_MEMORY=4GB',
  ],
  'browser.test_dlmalloc_3gb': ['alloc_3gb.c', '-sALLOW_MEMORY_GROWTH -sMAXIMUM_MEMORY=4GB'],
  'browser.test_emmalloc_memgrowth': [
    'browser/emmalloc_memgrowth.cpp',
    '-sALLOW_MEMORY_GROWTH -sABORTING_MALLOC=0 -sASSERTIONS=2 -sMAXIMUM_MEMORY=4GB',
  ],
};

// ---------------------------------------------------------------------------------------------
// The source package

/**
 * Downloads the files of a source package of Debian, through the machine's own apt, which checks
 * signatures and hashes, but with a root of its own.
 *
 * @param {string} name
 * @param {string} folder where they go
 */
async function fetchSource(name, folder) {
  const apt = path.join(folder, 'apt');
  fs.mkdirSync(path.join(apt, 'lists', 'partial'), { recursive: true });
  const mirror = process.env.WASMALLOC_DEBIAN_MIRROR ?? 'http://deb.debian.org/debian';
  const keyring = ['gpg', 'pgp']
    .map((kind) => `/usr/share/keyrings/debian-archive-keyring.${kind}`)
    .find((file) => fs.existsSync(file));
  if (!keyring)
    throw new Error('the keys of Debian are missing: apt-get install debian-archive-keyring');
  const { stdout: machine } = await run('apt-config', ['dump']);
  const settings = {
    'Dir::State': apt,
    'Dir::State::status': path.join(apt, 'status'),
    'Dir::Cache': apt,
    'Dir::Etc::sourcelist': path.join(apt, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::Etc::main': '/dev/null',
    'Dir::Etc::parts': '/dev/null',
    // As root, apt would download as a user who may not write here.
    'APT::Sandbox::User': 'root',
  };
  // How the machine reaches its mirrors holds here too.
  const acquire = machine.split('\n').filter((line) => line.startsWith('Acquire::'));
  const own = Object.entries(settings).map(([key, value]) => `${key} "${value}";`);
  fs.writeFileSync(path.join(apt, 'apt.conf'), [...own, ...acquire, ''].join('\n'));
  fs.writeFileSync(path.join(apt, 'status'), '');
  fs.writeFileSync(
    path.join(apt, 'sources.list'),
    `deb-src [signed-by=${keyring}] ${mirror} ${SUITE} main\n`,
  );
  const options = { cwd: folder, env: { APT_CONFIG: path.join(apt, 'apt.conf') } };
  await run('apt-get', ['update', '-o', 'APT::Update::Error-Mode=any'], options);
  await run('apt-get', ['source', '--download-only', name], options);
}

/** Emscripten's folder with its tests in it: links to the toolchain's, and test/. */
async function prepare({ emcc: driver, version }) {
  const root = path.join(FOLDER, version);
  const from = path.dirname(driver);
  if (fs.existsSync(path.join(root, 'test', 'runner.py'))) return root;
  const sources = path.join(FOLDER, 'sources');
  fs.rmSync(root, { recursive: true, force: true });
  fs.rmSync(sources, { recursive: true, force: true });
  fs.mkdirSync(sources, { recursive: true });
  console.error(`Fetching the source package of Emscripten from Debian ${SUITE} …`);
  await fetchSource('emscripten', sources);
  const archive = fs
    .readdirSync(sources)
    .find((file) => /^emscripten_.*\.orig\.tar\.\w+$/.test(file));
  const found = archive?.match(/_(\d+\.\d+\.\d+)/)?.[1];
  if (found !== version) {
    throw new Error(
      `Debian ${SUITE} has the tests of Emscripten ${found}, and emcc is ${version}: ` +
        'bring the toolchain up to date with `npm run toolchain -- --force`',
    );
  }
  const unpacked = path.join(sources, 'unpacked');
  fs.mkdirSync(unpacked);
  const tar = ['--strip-components=1', '--wildcards', '-C', unpacked, '-xf', archive, '*/test/*'];
  await run('tar', tar, { cwd: sources });
  for (const name of fs.readdirSync(from)) {
    if (name !== 'test' && name !== 'out')
      fs.symlinkSync(path.join(from, name), path.join(unpacked, name));
  }
  // The runner imports psutil, but only its browser tests use it.
  fs.mkdirSync(path.join(unpacked, 'python'));
  fs.writeFileSync(path.join(unpacked, 'python', 'psutil.py'), '# Stands in for the module.\n');
  fs.renameSync(unpacked, root);
  fs.rmSync(sources, { recursive: true, force: true });
  return root;
}

// ---------------------------------------------------------------------------------------------
// The tests

/** What the runner's programs need: the tests clear Emscripten's cache, so they get one of their own. */
function environment(root, emscripten) {
  return {
    ...emscripten.env,
    EM_CONFIG: emscripten.env.EM_CONFIG ?? path.join(root, '.emscripten'),
    EM_CACHE: path.join(FOLDER, 'cache'),
    EM_NODE_JS: findNode24(), // some of the tests want a new one
    PYTHONPATH: path.join(root, 'python'),
  };
}

async function listTests(root, emscripten) {
  const script = path.join(import.meta.dirname, 'list_emscripten_tests.py');
  const { stdout } = await run('python3', [script, root], { env: environment(root, emscripten) });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .map((test) => ({ ...test, leftOut: LEFT_OUT.find(([name]) => name.test(test.name))?.[1] }));
}

/**
 * Runs tests by Emscripten's runner.
 *
 * @param {string[]} names
 * @param {string} flags that each call of emcc gets, or ''
 * @param {{ root: string, emscripten: object, onTest: (name: string) => void }} context
 * @returns {Promise<Map<string, string>>} by name: ok, FAIL, ERROR, or skipped and why
 */
async function runTests(names, flags, context) {
  // The runner does not mix those that it runs one after the other with the rest.
  const alone = names.filter((name) => name.startsWith('stress.'));
  const others = names.filter((name) => !alone.includes(name));
  return new Map([
    ...(await runTogether(others, flags, context)),
    ...(await runTogether(alone, flags, context)),
  ]);
}

function runTogether(names, flags, { root, emscripten, onTest }) {
  const outcomes = new Map();
  if (names.length === 0) return outcomes;
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...environment(root, emscripten) };
    if (flags) env.EMCC_CFLAGS = flags;
    const log = fs.createWriteStream(path.join(FOLDER, 'log'), { flags: 'a' });
    const args = ['test/runner.py', '--verbose', '--no-ansi', '--cores=2', ...names];
    const child = spawn('python3', args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        log.write(`${line}\n`);
        // test_sbrk (test_core.core0.test_sbrk) ... ok
        const [, name, outcome] =
          line.match(/test_\w+ \(\w+\.(\w+\.test_\w+)\) \.\.\. (ok|FAIL|ERROR|skipped.*)$/) ?? [];
        if (!name) return;
        outcomes.set(name, outcome);
        onTest(name);
      });
    }
    child.on('error', reject);
    child.on('close', () => {
      log.end();
      const lost = names.filter((name) => !outcomes.has(name));
      if (lost.length === 0) return resolve(outcomes);
      reject(new Error(`Emscripten's runner says nothing of ${lost.join(', ')}; see ${log.path}`));
    });
  });
}

/** Builds and runs one of FOR_BROWSERS. */
async function runInNode(name, flag, root) {
  const [source, flags] = FOR_BROWSERS[name];
  const folder = path.join(FOLDER, 'programs');
  fs.mkdirSync(folder, { recursive: true });
  // Without this the programs would take the type of our own package.json.
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "type": "commonjs" }\n');
  const output = path.join(folder, `${name}.js`);
  const input = path.join(root, 'test', source);
  try {
    await emcc([input, ...flags.split(' '), '-sEXIT_RUNTIME', flag, '-o', output]);
    await run(findNode24(), [output], { timeout: 120_000 });
    return 'ok';
  } catch (error) {
    fs.appendFileSync(path.join(FOLDER, 'log'), `${name}: ${error.message}\n`);
    return 'FAIL';
  }
}

/** @returns {string} what a test's outcome means */
function judge(name, outcome, again) {
  if (outcome === 'ok') return 'pass';
  if (outcome.startsWith('skipped')) return 'skipped';
  if (again !== 'ok') return 'fails with any';
  return LAYOUT[name] ? 'layout' : 'fail';
}

async function runAll(tests, inNode, allocator, { root, emscripten }) {
  const show = progressBar("Emscripten's tests");
  let done = 0;
  const count = tests.length + inNode.length;
  const context = {
    root,
    emscripten,
    onTest: (name) => show(Math.min(++done / count, 0.99), name),
  };
  const flag = allocatorFlag(allocator);
  // The port refuses to work where the test chooses another allocator: take that choice back.
  const withChoice = `-sMALLOC=none ${flag}`;
  const names = (choice) => tests.filter(({ malloc }) => malloc === choice).map(({ name }) => name);
  const outcomes = new Map([
    ...(await runTests(names(false), flag, context)),
    ...(await runTests(names(true), withChoice, context)),
  ]);
  for (const name of inNode) {
    outcomes.set(name, await runInNode(name, flag, root));
    context.onTest(name);
  }
  const failed = [...outcomes]
    .filter(([, outcome]) => /FAIL|ERROR/.test(outcome))
    .map(([name]) => name);
  const again = await runTests(
    failed.filter((name) => !FOR_BROWSERS[name]),
    '',
    context,
  );
  for (const name of failed.filter((each) => FOR_BROWSERS[each]))
    again.set(name, await runInNode(name, '-sMALLOC=dlmalloc', root));
  show(1);
  return [...tests.map(({ name }) => name), ...inNode].map((name) => {
    const outcome = outcomes.get(name);
    return { name, outcome, verdict: judge(name, outcome, again.get(name)) };
  });
}

// ---------------------------------------------------------------------------------------------
// The report

const of = (results, verdict) => results.filter((result) => result.verdict === verdict);

function summary(results) {
  return [
    `${of(results, 'pass').length} give what they expect`,
    `${of(results, 'layout').length} expect the layout of another allocator`,
    `${of(results, 'fail').length} fail`,
    `${of(results, 'fails with any').length} fail here with Emscripten's own allocators too`,
    `${of(results, 'skipped').length} skip themselves`,
  ].join(', ');
}

function section(results, allocator, version) {
  const quoted = ({ name, verdict }) =>
    `\`${name}\`${verdict === 'fail' && KNOWN[name] ? ` (${KNOWN[name]})` : ''}`;
  const rows = of(results, 'layout').map((result) => [quoted(result), LAYOUT[result.name]]);
  const failed = ['fail', 'fails with any', 'skipped']
    .map((verdict) => [verdict, of(results, verdict).map(quoted).join(', ')])
    .filter(([, names]) => names)
    .map(([verdict, names]) => `\n- ${verdict}: ${names}`);
  return `Emscripten ${version} has ${results.length} tests that are about memory, or whose programs do more
than \`malloc\` and \`free\` (core tests unoptimized, and those for browsers in Node). With \`${allocator}\`
${summary(results)}.
\`node test/peers/emscripten-tests.mjs --write\` fetches and runs them, and writes this.
${failed.join('')}

${markdownTable([['another layout', 'why'], ...rows])}`;
}

function print(results) {
  for (const { name, outcome, verdict } of results) {
    const reason = { layout: LAYOUT[name], fail: KNOWN[name], skipped: outcome }[verdict];
    console.log(`${verdict.padEnd(14)} ${name}${reason ? `: ${reason}` : ''}`);
  }
  console.log(summary(results));
}

async function main() {
  const { values } = parseArgs({
    options: {
      allocator: { type: 'string', default: 'wasmalloc' },
      all: { type: 'boolean', default: false },
      test: { type: 'string', multiple: true },
      list: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(HELP);
  const known = ALLOCATORS.map(({ name }) => name);
  if (!known.includes(values.allocator))
    throw new Error(`there is no allocator '${values.allocator}'; there are: ${known.join(' ')}`);
  if (values.write && (values.all || values.test))
    throw new Error('--write needs the usual tests: leave --all and --test out');
  const emscripten = await ensureEmscripten();
  fs.mkdirSync(FOLDER, { recursive: true });
  // The runner's tests share their folder, and clear their cache.
  await installExclusively(FOLDER, () => runWanted(values, emscripten), console.error);
}

async function runWanted(values, emscripten) {
  const root = await prepare(emscripten);
  const all = await listTests(root, emscripten);
  const names = [...all.map(({ name }) => name), ...Object.keys(FOR_BROWSERS)];
  const unknown = values.test?.find((name) => !names.includes(name));
  if (unknown) throw new Error(`there is no test '${unknown}'; --list --all prints them`);
  const isWanted = (name, about) =>
    values.test ? values.test.includes(name) : about || values.all;
  const tests = all.filter(
    ({ name, about, leftOut }) => isWanted(name, about) && (!leftOut || values.test),
  );
  const inNode = Object.keys(FOR_BROWSERS).filter((name) => isWanted(name, true));
  if (values.list) return console.log([...tests.map(({ name }) => name), ...inNode].join('\n'));
  fs.rmSync(path.join(FOLDER, 'log'), { force: true });
  const results = await runAll(tests, inNode, values.allocator, { root, emscripten });
  if (values.json)
    console.log(JSON.stringify({ emscripten: emscripten.version, results }, null, 2));
  else print(results);
  if (values.write) {
    writePart(PAGE, 'faults:emscripten', section(results, values.allocator, emscripten.version));
    console.error('docs/faults.md is up to date now.');
  }
  process.exitCode = of(results, 'fail').length > 0 ? 1 : 0;
}

main().catch((error) => {
  console.error(`emscripten-tests: ${error.message}`);
  process.exitCode = 1;
});
