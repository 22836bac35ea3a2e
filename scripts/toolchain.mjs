#!/usr/bin/env node
// Usage: node scripts/toolchain.mjs [--force] [--print] [--help]
//
// Brings Emscripten where there is none. An emcc on PATH that is new enough is left alone. Otherwise
// this takes the Emscripten, LLVM and Binaryen packages of a Debian suite that has new ones (debian.mjs
// says how) and unpacks them into `.cache/toolchain/`. The stamp that makes the result count is written
// last.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import {
  AptRoot,
  SetupError,
  announcer,
  checkMachine,
  installExclusively,
  mover,
  pointToOwnLibraries,
  remove,
  run,
} from './debian.mjs';
import {
  OLDEST_EMSCRIPTEN,
  PROJECT,
  STAMP,
  TOOLCHAIN,
  TOOLCHAIN_ROOT,
  findEmscripten,
  projectEmscripten,
  readStamp,
} from './emscripten.mjs';

/** The Debian suite that carries a recent Emscripten. Its versions move: none is written here. */
const SUITE = 'forky';

/** Room for the downloads (90 MB), the packages unpacked (430 MB) and Emscripten's own cache. */
const MEGABYTES_NEEDED = 1000;

/** The LLVM programs that Emscripten and this project call; the other sixty stay out. */
const LLVM_PROGRAMS = new RegExp(
  '^(clang(-\\d+|\\+\\+|-cpp|-scan-deps)?|lld|wasm-ld|' +
    'llvm-(ar|ranlib|nm|objcopy|strip|readobj|readelf|size|strings|cxxfilt|dwarfdump|dwp|dis|as|link)' +
    '|opt|llc)$',
);

/** What Emscripten itself or this project cannot do without: looked for after unpacking. */
const MUST_HAVE = [
  ...['emcc', 'em++', 'emar', 'emcmake', 'em-config'].map((name) => `emscripten/${name}`),
  ...['acorn', 'acorn-import-phases'].map((name) => `emscripten/node_modules/${name}/package.json`),
  ...['clang', 'clang++', 'wasm-ld', 'llvm-ar', 'llvm-nm', 'llvm-objcopy'].map(
    (name) => `llvm/bin/${name}`,
  ),
  ...['wasm-opt', 'wasm-emscripten-finalize', 'wasm-metadce'].map((name) => `binaryen/bin/${name}`),
];

const BY_HAND =
  `Install Emscripten ${OLDEST_EMSCRIPTEN} or newer by hand instead (for example with emsdk) and ` +
  'put its emcc on PATH.';

const HELP = `Usage: npm run toolchain [-- options]

Brings Emscripten into .cache/toolchain/ unless an emcc of ${OLDEST_EMSCRIPTEN} or newer is on PATH.
Needs a machine with apt (Debian), python3 3.10 or newer and 1 GB of disk, but no root.

  --force   install again, from the newest packages, even when it is there
  --print   print the lines that put the emcc in use on the PATH of a shell, and do nothing else
  --help    print this

WASMALLOC_DEBIAN_MIRROR   the Debian mirror to use, in place of the one apt is configured with`;

const announce = announcer(6);

const aptRoot = new AptRoot({
  folder: path.join(TOOLCHAIN, 'apt'),
  suite: SUITE,
  byHand: BY_HAND,
});

function checkPython() {
  const python = spawnSync('python3', ['-c', 'import sys; print(*sys.version_info[:2])']);
  const [major, minor] = String(python.stdout ?? '')
    .split(' ')
    .map(Number);
  if (python.status !== 0 || major !== 3 || minor < 10) {
    throw new SetupError(
      'Emscripten runs on Python: install python3, version 3.10 or newer (apt-get install python3).',
    );
  }
}

/**
 * Chooses what to download: Emscripten's packages and the shared libraries of the programs, but not
 * the host compiler, Node and Python that the packages also ask for.
 *
 * @returns {Promise<Map<string, string>>} name → version
 */
async function choosePackages() {
  const all = await aptRoot.resolve(['emscripten', 'patchelf']);
  const llvm = [...all.keys()].find((name) => /^clang-\d+$/.test(name))?.slice('clang-'.length);
  if (!llvm)
    throw new SetupError(`The emscripten of Debian ${SUITE} depends on no clang-<version>.`);
  const programs = ['binaryen', 'patchelf', `lld-${llvm}`, `libllvm${llvm}`, `libclang-cpp${llvm}`];
  const needed = await aptRoot.resolve(programs);
  for (const name of [
    'emscripten',
    'node-acorn',
    `clang-${llvm}`,
    `llvm-${llvm}`,
    `libclang-common-${llvm}-dev`,
  ]) {
    needed.set(name, all.get(name));
  }
  await aptRoot.leaveOut([...all].filter(([name]) => !needed.has(name)));
  return needed;
}

// ---------------------------------------------------------------------------------------------
// From packages to a toolchain

/**
 * Moves what is needed from the packages' folders to ours:
 * emscripten/, llvm/bin, llvm/lib/clang (headers of the compiler), binaryen/bin, lib (libraries).
 */
function arrange(from, to) {
  const usr = (...names) => path.join(from, 'usr', ...names);
  const llvm = usr(
    'lib',
    fs.readdirSync(usr('lib')).find((name) => /^llvm-\d+$/.test(name)),
  );
  const { move, moveFiles } = mover(to);
  move(usr('share', 'emscripten'), 'emscripten');
  for (const name of ['acorn', 'acorn-import-phases']) {
    move(usr('share', 'nodejs', name), 'emscripten', 'node_modules', name);
  }
  moveFiles(path.join(llvm, 'bin'), LLVM_PROGRAMS, 'llvm', 'bin');
  move(path.join(llvm, 'lib', 'clang'), 'llvm', 'lib', 'clang');
  moveFiles(usr('bin'), /^wasm(-|2js)(?!ld|fuzz)/, 'binaryen', 'bin');
  moveFiles(usr('bin'), /^patchelf$/, 'bin');
  for (const name of fs.readdirSync(usr('lib'))) {
    // The folder of the machine's kind, such as x86_64-linux-gnu.
    if (/-linux-gnu/.test(name)) moveFiles(usr('lib', name), /\.so(\.|$)/, 'lib');
  }
  remove(path.join(to, 'emscripten', 'docs'));
}

/** Emscripten reads this file from its own folder, so that emcc works without any environment. */
function configure(folder) {
  const config = `# Written by scripts/toolchain.mjs. It is Python.
import os

here = os.path.dirname(os.path.abspath(__file__))
LLVM_ROOT = os.path.join(here, '..', 'llvm', 'bin')
BINARYEN_ROOT = os.path.join(here, '..', 'binaryen')
# Beside the toolchain, not in it: the libraries built there survive a new installation.
CACHE = os.path.abspath(os.path.join(here, '..', '..', '..', 'emscripten-cache'))
`;
  fs.writeFileSync(path.join(folder, 'emscripten', '.emscripten'), config);
  // Its .js files are CommonJS; without this they would take the type of our own package.json.
  fs.writeFileSync(path.join(folder, 'emscripten', 'package.json'), '{ "type": "commonjs" }\n');
}

/** Makes TOOLCHAIN_ROOT: under another name until it is complete. */
async function build(packages) {
  const packed = path.join(TOOLCHAIN, 'unpacked.tmp');
  const ready = path.join(TOOLCHAIN, 'root.tmp');
  [packed, ready].forEach(remove);
  fs.mkdirSync(packed);
  await aptRoot.unpack(packages, packed);
  announce('Arranging the programs, each with its own libraries');
  arrange(packed, ready);
  remove(packed);
  await pointToOwnLibraries({
    folder: ready,
    root: TOOLCHAIN_ROOT,
    bins: ['llvm/bin', 'binaryen/bin'],
  });
  configure(ready);
  const missing = MUST_HAVE.filter((name) => !fs.existsSync(path.join(ready, name)));
  if (missing.length > 0) throw new SetupError(`The packages hold no ${missing.join(', no ')}.`);
  remove(TOOLCHAIN_ROOT);
  fs.renameSync(ready, TOOLCHAIN_ROOT);
}

/** The proof: a program compiled, linked, optimized and run. */
async function compileAndRun(emscripten) {
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'wasmalloc-hello-'));
  try {
    const [source, script] = ['hello.c', 'hello.js'].map((name) => path.join(folder, name));
    fs.writeFileSync(source, '#include <stdio.h>\nint main(void) { puts("hello"); }\n');
    // Emscripten says on its own what it builds, and that can take a minute.
    await run(emscripten.emcc, [source, '-O2', '-o', script], { env: emscripten.env, show: true });
    const said = await run(process.execPath, [script]);
    if (said !== 'hello\n')
      throw new SetupError(`A compiled program printed ${JSON.stringify(said)}.`);
  } finally {
    remove(folder);
  }
}

/** Everything from the packages to the stamp; the lock is held. */
async function installLocked() {
  fs.rmSync(STAMP, { force: true });
  announce(`Asking the Debian mirror of this machine what ${SUITE} has`);
  await aptRoot.prepare();
  const packages = await choosePackages();
  const version = packages.get('emscripten').match(/\d+\.\d+\.\d+/)[0];
  announce(`Downloading Emscripten ${version}, LLVM and Binaryen: ${packages.size} packages`);
  await aptRoot.download(packages);
  announce('Unpacking');
  await build(packages);
  announce('Compiling and running a first program (Emscripten builds its C library once)');
  await compileAndRun(projectEmscripten(version));
  const stamp = { version, root: TOOLCHAIN_ROOT, packages: Object.fromEntries(packages) };
  fs.writeFileSync(`${STAMP}.tmp`, `${JSON.stringify(stamp, null, 2)}\n`);
  fs.renameSync(`${STAMP}.tmp`, STAMP);
  announce('Removing the downloads');
  aptRoot.remove();
}

/**
 * Installs Emscripten into `.cache/toolchain/`, unless it is there.
 *
 * @param {{ force?: boolean }} [options] `force`: install again
 * @returns {Promise<void>}
 */
export async function install({ force = false } = {}) {
  fs.mkdirSync(TOOLCHAIN, { recursive: true });
  checkMachine({
    what: 'toolchain',
    folder: TOOLCHAIN,
    megabytes: MEGABYTES_NEEDED,
    byHand: BY_HAND,
  });
  checkPython();
  await installExclusively(TOOLCHAIN, async () => {
    // Somebody else may have finished it while this one waited for the lock.
    if (force || !readStamp()) await installLocked();
  });
}

// ---------------------------------------------------------------------------------------------
// The command line

/** What a shell has to evaluate to use this emcc by name. */
function shellLines({ emcc, env }) {
  const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
  const variables = Object.entries(env).map(([name, value]) => `export ${name}=${quote(value)}`);
  return [`export PATH=${quote(path.dirname(emcc))}:"$PATH"`, ...variables].join('\n');
}

function describe({ version, source, emcc }) {
  const place = source === 'PATH' ? emcc : path.relative(PROJECT, emcc);
  return `Emscripten ${version} is ready: ${place}`;
}

function isReady() {
  try {
    return Boolean(findEmscripten());
  } catch {
    return false;
  }
}

async function main(args) {
  const unknown = args.find((arg) => !['--help', '--force', '--print'].includes(arg));
  if (unknown) throw new SetupError(`Unknown option ${unknown}.\n\n${HELP}`);
  if (args.includes('--help')) return console.log(HELP);
  if (args.includes('--print')) return console.log(shellLines(findEmscripten()));
  const force = args.includes('--force');
  if (force || !isReady()) await install({ force });
  console.log(describe(findEmscripten()));
}

if (import.meta.url === pathToFileURL(fs.realpathSync(process.argv[1] ?? '.')).href) {
  main(process.argv.slice(2)).catch((error) => {
    // A mistake in this file deserves its stack; a reason not to go on is told in one message.
    const expected = error instanceof SetupError || error.constructor === Error;
    console.error(expected ? `\n${error.message}` : error.stack);
    process.exitCode = 1;
  });
}
