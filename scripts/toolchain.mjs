#!/usr/bin/env node
// Usage: node scripts/toolchain.mjs [--force] [--print] [--help]
//
// Brings Emscripten where there is none. An emcc on PATH that is new enough is left alone. Otherwise
// this takes the Emscripten, LLVM and Binaryen packages of a Debian suite that has new ones, through
// the machine's own apt (which checks signatures and hashes) but with a private apt root, and unpacks
// them into `.cache/toolchain/`. Nothing is installed on the machine and no root is needed.
//
// It can be stopped at any moment and started again: what is downloaded stays, unpacking happens
// under a temporary name, and the stamp that makes the result count is written last.

import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

import {
  OLDEST_EMSCRIPTEN,
  PROJECT,
  STAMP,
  TOOLCHAIN,
  TOOLCHAIN_ROOT,
  findEmscripten,
  onPath,
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

// ---------------------------------------------------------------------------------------------
// Talking

const STEPS = 6;
let step = 0;

function announce(text) {
  step += 1;
  console.log(`[${step}/${STEPS}] ${text}`);
}

/** Shows a percentage: on one line in a terminal, in steps of 25 in a log. */
function progress(label) {
  let shown = -1;
  return (percent) => {
    const whole = Math.floor(percent);
    if (process.stdout.isTTY)
      process.stdout.write(`\r      ${label} ${whole} %${whole === 100 ? '\n' : ''}`);
    else if (whole >= shown + 25) console.log(`      ${label} ${whole} %`);
    else return;
    shown = whole - (whole % 25);
  };
}

/** Something the reader of the message can act on: shown without a stack. */
class SetupError extends Error {}

// ---------------------------------------------------------------------------------------------
// Running programs

/** Children inherit the lock, so that it is held until the last of them has ended too. */
let lock = 'ignore';
let child;

/**
 * Runs a program to its end.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {{ env?: object, show?: boolean, onStatus?: (line: string) => void }} [options]
 *   `show` lets its output through; `onStatus` gets the lines that it writes to descriptor 3
 * @returns {Promise<string>} what it printed
 */
function run(program, args, { env = {}, show = false, onStatus } = {}) {
  return new Promise((resolve, reject) => {
    const output = show ? 'inherit' : 'pipe';
    child = spawn(program, args, {
      env: { ...process.env, LC_ALL: 'C.UTF-8', ...env },
      stdio: ['ignore', output, output, onStatus ? 'pipe' : 'ignore', lock],
    });
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text) => (stderr += text));
    if (onStatus) createInterface({ input: child.stdio[3] }).on('line', onStatus);
    child.on('error', (error) => reject(new SetupError(`${program}: ${error.message}`)));
    child.on('close', (code, signal) => {
      child = undefined;
      if (code === 0) return resolve(stdout);
      const command = [path.basename(program), ...args.slice(0, 4)].join(' ');
      reject(new SetupError(`\`${command} …\` failed (${signal ?? code}):\n${stderr || stdout}`));
    });
  });
}

const INTERRUPTIONS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/** A kill of this process alone must not leave a child at work on the folder. */
function stop(signal) {
  child?.kill(signal);
  console.error('\nInterrupted. Run it again: it goes on from what is already downloaded.');
  process.exit(INTERRUPTIONS[signal]);
}

// ---------------------------------------------------------------------------------------------
// What the machine must have

function checkMachine() {
  if (process.platform !== 'linux' || !onPath('apt-get') || !onPath('dpkg-deb')) {
    throw new SetupError(
      `The project's own toolchain comes from Debian packages: it needs apt-get and dpkg-deb.\n${BY_HAND}`,
    );
  }
  const python = spawnSync('python3', ['-c', 'import sys; print(*sys.version_info[:2])']);
  const [major, minor] = String(python.stdout ?? '')
    .split(' ')
    .map(Number);
  if (python.status !== 0 || major !== 3 || minor < 10) {
    throw new SetupError(
      'Emscripten runs on Python: install python3, version 3.10 or newer (apt-get install python3).',
    );
  }
  const { bavail, bsize } = fs.statfsSync(TOOLCHAIN);
  const free = Math.floor((bavail * bsize) / 1e6);
  if (free < MEGABYTES_NEEDED) {
    throw new SetupError(
      `${TOOLCHAIN} has ${free} MB free; the toolchain needs ${MEGABYTES_NEEDED} MB while it unpacks.`,
    );
  }
}

/** One installation at a time. The kernel drops the lock when its last holder ends, however it ends. */
function takeLock() {
  if (!onPath('flock')) throw new SetupError('flock is missing: install the package util-linux.');
  lock = fs.openSync(path.join(TOOLCHAIN, 'lock'), 'a');
  const flock = (...args) => spawnSync('flock', [...args, '3'], { stdio: [0, 1, 2, lock] }).status;
  if (flock('--nonblock') === 0) return;
  console.log('Another installation is running: waiting for it …');
  if (flock() !== 0) throw new SetupError('Cannot lock .cache/toolchain/lock.');
}

function dropLock() {
  fs.closeSync(lock);
  lock = 'ignore';
}

// ---------------------------------------------------------------------------------------------
// apt, with a root of its own

const APT = path.join(TOOLCHAIN, 'apt');
const aptFile = (name) => path.join(APT, name);

/** Every run of apt reads the private configuration and no other. */
const apt = (args, options) =>
  run('apt-get', args, { ...options, env: { APT_CONFIG: aptFile('apt.conf') } });

/** The mirror that the machine's own apt uses for Debian (not for its security updates). */
async function debianMirror() {
  const chosen = process.env.WASMALLOC_DEBIAN_MIRROR;
  if (chosen) return chosen;
  const fields = ['ORIGIN', 'LABEL', 'REPO_URI'].map((field) => `$(${field})`).join('|');
  const listed = await run('apt-get', ['indextargets', '--format', fields, 'Created-By: Packages']);
  const targets = listed
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split('|'));
  // Before the first `apt-get update` the origin is unknown, and only the address tells.
  const debian =
    targets.find(([origin, label]) => origin === 'Debian' && label === 'Debian') ??
    targets.find(([, , address]) => /\bdebian\/?$/.test(address));
  if (!debian) {
    throw new SetupError(
      "This machine's apt knows no Debian mirror. " +
        `Name one in WASMALLOC_DEBIAN_MIRROR, the folder above its dists/.\n${BY_HAND}`,
    );
  }
  return debian[2].replace(/\/$/, '');
}

/** The keys that Debian signs its suites with, from the package debian-archive-keyring. */
function debianKeyring() {
  const keyring = ['gpg', 'pgp']
    .map((kind) => `/usr/share/keyrings/debian-archive-keyring.${kind}`)
    .find((file) => fs.existsSync(file));
  if (keyring) return keyring;
  throw new SetupError('The keys of Debian are missing: install debian-archive-keyring.');
}

const machineArchitecture = async () => (await run('dpkg', ['--print-architecture'])).trim();

/** Writes the private apt root, and fetches the list of what the suite carries. */
async function prepareApt() {
  for (const folder of ['lists/partial', 'archives/partial']) {
    fs.mkdirSync(aptFile(folder), { recursive: true });
  }
  const [mirror, architecture, machine] = await Promise.all([
    debianMirror(),
    machineArchitecture(),
    run('apt-config', ['dump']),
  ]);
  const nothing = '/dev/null';
  const settings = {
    'Dir::State': APT,
    'Dir::State::status': aptFile('status'),
    'Dir::Cache': APT,
    'Dir::Etc::sourcelist': aptFile('sources.list'),
    'Dir::Etc::sourceparts': nothing,
    'Dir::Etc::main': nothing,
    'Dir::Etc::parts': nothing,
    'Dir::Etc::preferences': aptFile('preferences'),
    'Dir::Etc::preferencesparts': nothing,
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    'APT::Install-Recommends': 'false',
    'APT::Get::Assume-Yes': 'true',
    // As root, apt would download as a user who may not write here.
    'APT::Sandbox::User': 'root',
  };
  // How the machine reaches its mirrors (proxies, timeouts) holds here too; its hooks do not.
  const acquire = machine.split('\n').filter((line) => line.startsWith('Acquire::'));
  const own = Object.entries(settings).map(([key, value]) => `${key} "${value}";`);
  fs.writeFileSync(aptFile('apt.conf'), [...own, ...acquire, ''].join('\n'));
  fs.writeFileSync(
    aptFile('sources.list'),
    `deb [signed-by=${debianKeyring()}] ${mirror} ${SUITE} main\n`,
  );
  for (const name of ['status', 'preferences']) fs.writeFileSync(aptFile(name), '');
  // By itself apt only warns when a mirror does not answer.
  await apt(['update', '-o', 'APT::Update::Error-Mode=any']);
}

/** What apt would install for these packages, as a map from name to version. */
async function resolvePackages(names) {
  const plan = await apt(['install', '--simulate', ...names]);
  return new Map(
    [...plan.matchAll(/^Inst (\S+) \((\S+) /gm)].map(([, name, version]) => [name, version]),
  );
}

/**
 * Declares packages to be installed, in just the version that there is. Then apt, which knows how to
 * resume and to check, downloads exactly the others.
 *
 * @param {[name: string, version: string][]} packages
 */
async function leaveOut(packages) {
  const architecture = await machineArchitecture();
  const installed = packages.map(
    ([name, version]) =>
      `Package: ${name}\nStatus: install ok installed\nVersion: ${version}\n` +
      `Architecture: ${architecture}\nMulti-Arch: allowed\n\n`,
  );
  fs.writeFileSync(aptFile('status'), installed.join(''));
  // The mirror's copy differs in its dependencies: without this apt would "upgrade" to it.
  const names = packages.map(([name]) => name).join(' ');
  fs.writeFileSync(aptFile('preferences'), `Package: ${names}\nPin: release *\nPin-Priority: -1\n`);
}

/**
 * Chooses what to download: Emscripten's packages and the shared libraries of the programs, but not
 * the host compiler, Node and Python that the packages also ask for.
 *
 * @returns {Promise<Map<string, string>>} name → version
 */
async function choosePackages() {
  const all = await resolvePackages(['emscripten', 'patchelf']);
  const llvm = [...all.keys()].find((name) => /^clang-\d+$/.test(name))?.slice('clang-'.length);
  if (!llvm)
    throw new SetupError(`The emscripten of Debian ${SUITE} depends on no clang-<version>.`);
  const programs = ['binaryen', 'patchelf', `lld-${llvm}`, `libllvm${llvm}`, `libclang-cpp${llvm}`];
  const needed = await resolvePackages(programs);
  for (const name of [
    'emscripten',
    'node-acorn',
    `clang-${llvm}`,
    `llvm-${llvm}`,
    `libclang-common-${llvm}-dev`,
  ]) {
    needed.set(name, all.get(name));
  }
  await leaveOut([...all].filter(([name]) => !needed.has(name)));
  return needed;
}

/** Downloads the packages into the private apt root. Files that are there already are not fetched. */
async function download(packages) {
  const show = progress('downloading');
  const names = [...packages].map(([name, version]) => `${name}=${version}`);
  await apt(['install', '--download-only', '-o', 'APT::Status-Fd=3', ...names], {
    onStatus: (line) => {
      const percent = line.match(/^dlstatus:\d+:([\d.]+):/)?.[1];
      if (percent) show(Number(percent));
    },
  });
  show(100);
}

// ---------------------------------------------------------------------------------------------
// From packages to a toolchain

const remove = (folder) => fs.rmSync(folder, { recursive: true, force: true });

/** The files straight in a folder, and not the folders in it. */
const filesIn = (folder) =>
  fs.readdirSync(folder, { withFileTypes: true }).filter((entry) => !entry.isDirectory());

/** Unpacks every package of the plan into one folder. */
async function unpack(packages, folder) {
  const show = progress('unpacking');
  const archives = fs.readdirSync(aptFile('archives'));
  let done = 0;
  for (const [name, version] of packages) {
    // In a file name apt writes the version's colon as %3a.
    const start = `${name}_${version.replaceAll(':', '%3a')}_`;
    const archive = archives.find((file) => file.startsWith(start));
    if (!archive) throw new SetupError(`apt downloaded no ${name} ${version}.`);
    await run('dpkg-deb', ['--extract', aptFile(`archives/${archive}`), folder]);
    show((100 * ++done) / packages.size);
  }
}

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
  const move = (source, ...names) => {
    const target = path.join(to, ...names);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.renameSync(source, target);
  };
  const moveFiles = (source, wanted, ...names) => {
    for (const { name } of filesIn(source)) {
      if (wanted.test(name)) move(path.join(source, name), ...names, name);
    }
  };
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

/** Is this a program (not a script, and not a link to a program)? */
function isElf(file) {
  if (fs.lstatSync(file).isSymbolicLink()) return false;
  const handle = fs.openSync(file);
  try {
    const magic = Buffer.alloc(4);
    fs.readSync(handle, magic, 0, 4, 0);
    return magic.toString('latin1') === '\x7fELF';
  } finally {
    fs.closeSync(handle);
  }
}

/**
 * The programs were linked against a newer libc than the machine may have: point them to the loader
 * and the libraries that came with them. The loader's path has to be absolute, so it is the final
 * one, not that of the folder where this happens. The libraries find each other through the search
 * path of the program (RPATH, which unlike RUNPATH counts for them too).
 */
async function pointToOwnLibraries(folder) {
  const lib = path.join(folder, 'lib');
  const loader = filesIn(lib).find(({ name }) => /^ld-linux.*\.so/.test(name))?.name;
  if (!loader) throw new SetupError('The libc6 package holds no loader (ld-linux*.so).');
  const programs = ['llvm/bin', 'binaryen/bin']
    .map((name) => path.join(folder, name))
    .flatMap((bin) => filesIn(bin).map(({ name }) => path.join(bin, name)))
    .filter(isElf);
  // patchelf came in a package as well, so it runs only through that loader itself.
  const patchelf = ['--library-path', lib, path.join(folder, 'bin', 'patchelf')];
  await run(path.join(lib, loader), [
    ...patchelf,
    ...['--set-interpreter', path.join(TOOLCHAIN_ROOT, 'lib', loader)],
    ...['--force-rpath', '--set-rpath', '$ORIGIN/../../lib'],
    ...programs,
  ]);
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
  await unpack(packages, packed);
  announce('Arranging the programs, each with its own libraries');
  arrange(packed, ready);
  remove(packed);
  await pointToOwnLibraries(ready);
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
  await prepareApt();
  const packages = await choosePackages();
  const version = packages.get('emscripten').match(/\d+\.\d+\.\d+/)[0];
  announce(`Downloading Emscripten ${version}, LLVM and Binaryen: ${packages.size} packages`);
  await download(packages);
  announce('Unpacking');
  await build(packages);
  announce('Compiling and running a first program (Emscripten builds its C library once)');
  await compileAndRun(projectEmscripten(version));
  const stamp = { version, root: TOOLCHAIN_ROOT, packages: Object.fromEntries(packages) };
  fs.writeFileSync(`${STAMP}.tmp`, `${JSON.stringify(stamp, null, 2)}\n`);
  fs.renameSync(`${STAMP}.tmp`, STAMP);
  announce('Removing the downloads');
  remove(APT);
}

/**
 * Installs Emscripten into `.cache/toolchain/`, unless it is there.
 *
 * @param {{ force?: boolean }} [options] `force`: install again
 * @returns {Promise<void>}
 */
export async function install({ force = false } = {}) {
  fs.mkdirSync(TOOLCHAIN, { recursive: true });
  checkMachine();
  takeLock();
  const signals = Object.keys(INTERRUPTIONS);
  signals.forEach((signal) => process.once(signal, stop));
  try {
    // Somebody else may have finished it while this one waited for the lock.
    if (force || !readStamp()) await installLocked();
  } finally {
    dropLock();
    signals.forEach((signal) => process.off(signal, stop));
  }
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
