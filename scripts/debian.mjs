// Usage: import { AptRoot, SetupError, installExclusively, pointToOwnLibraries, … } from './debian.mjs';
//
// Programs from Debian packages, for a machine that does not have them: through the machine's own apt
// (which checks signatures and hashes) but with a private apt root, unpacked into a folder under
// `.cache/`. Nothing is installed on the machine and no root is needed.
//
// It can be stopped at any moment and started again: what is downloaded stays, and what is built from it
// is built under a temporary name.

import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { PROJECT, onPath } from './emscripten.mjs';

// ---------------------------------------------------------------------------------------------
// Talking

/**
 * Counts the steps of an installation aloud.
 *
 * @param {number} steps
 * @param {(text: string) => void} [say]
 * @returns {(text: string) => void} announces the next step
 */
export function announcer(steps, say = console.log) {
  let step = 0;
  return (text) => say(`[${++step}/${steps}] ${text}`);
}

/** Shows a percentage: on one line in a terminal, in steps of 25 in a log. */
function progress(label, stream = process.stdout) {
  let shown = -1;
  return (percent) => {
    const whole = Math.floor(percent);
    if (stream.isTTY) stream.write(`\r      ${label} ${whole} %${whole === 100 ? '\n' : ''}`);
    else if (whole >= shown + 25) stream.write(`      ${label} ${whole} %\n`);
    else return;
    shown = whole - (whole % 25);
  };
}

/** Something the reader of the message can act on: shown without a stack. */
export class SetupError extends Error {}

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
 * @param {{ cwd?: string, env?: object, show?: boolean, onStatus?: (line: string) => void }} [options]
 *   `show` lets its output through; `onStatus` gets the lines that it writes to descriptor 3
 * @returns {Promise<string>} what it printed
 */
export function run(program, args, { cwd, env = {}, show = false, onStatus } = {}) {
  return new Promise((resolve, reject) => {
    const output = show ? 'inherit' : 'pipe';
    child = spawn(program, args, {
      cwd,
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
// One installation at a time

/** The kernel drops the lock when its last holder ends, however it ends. */
function takeLock(folder, say) {
  if (!onPath('flock')) throw new SetupError('flock is missing: install the package util-linux.');
  const file = path.join(folder, 'lock');
  lock = fs.openSync(file, 'a');
  const flock = (...args) => spawnSync('flock', [...args, '3'], { stdio: [0, 1, 2, lock] }).status;
  if (flock('--nonblock') === 0) return;
  say('Another installation is running: waiting for it …');
  if (flock() !== 0) throw new SetupError(`Cannot lock ${path.relative(PROJECT, file)}.`);
}

function dropLock() {
  fs.closeSync(lock);
  lock = 'ignore';
}

/**
 * Does the work of an installation in a folder: nobody else does meanwhile, and a signal ends it cleanly.
 *
 * @param {string} folder exists
 * @param {() => Promise<void>} work
 * @param {(text: string) => void} [say]
 */
export async function installExclusively(folder, work, say = console.log) {
  takeLock(folder, say);
  const signals = Object.keys(INTERRUPTIONS);
  signals.forEach((signal) => process.once(signal, stop));
  try {
    await work();
  } finally {
    dropLock();
    signals.forEach((signal) => process.off(signal, stop));
  }
}

// ---------------------------------------------------------------------------------------------
// What the machine must have

/**
 * Throws a {@link SetupError} that says what is missing.
 *
 * @param {{ what: string, folder: string, megabytes: number, byHand: string }} wanted `what` is installed
 *   into `folder`, which exists; `byHand` says how to do without
 */
export function checkMachine({ what, folder, megabytes, byHand }) {
  if (process.platform !== 'linux' || !onPath('apt-get') || !onPath('dpkg-deb')) {
    throw new SetupError(
      `The project's own ${what} comes from Debian packages: it needs apt-get and dpkg-deb.\n${byHand}`,
    );
  }
  const { bavail, bsize } = fs.statfsSync(folder);
  const free = Math.floor((bavail * bsize) / 1e6);
  if (free < megabytes) {
    throw new SetupError(
      `${folder} has ${free} MB free; the ${what} needs ${megabytes} MB while it unpacks.`,
    );
  }
}

// ---------------------------------------------------------------------------------------------
// apt, with a root of its own

const machineArchitecture = async () => (await run('dpkg', ['--print-architecture'])).trim();

/** The keys that Debian signs its suites with, from the package debian-archive-keyring. */
function debianKeyring() {
  const keyring = ['gpg', 'pgp']
    .map((kind) => `/usr/share/keyrings/debian-archive-keyring.${kind}`)
    .find((file) => fs.existsSync(file));
  if (keyring) return keyring;
  throw new SetupError('The keys of Debian are missing: install debian-archive-keyring.');
}

/** The mirror that the machine's own apt uses for Debian (not for its security updates). */
async function debianMirror(byHand) {
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
        `Name one in WASMALLOC_DEBIAN_MIRROR, the folder above its dists/.\n${byHand}`,
    );
  }
  return debian[2].replace(/\/$/, '');
}

/** apt with a folder of its own for all that it reads and writes. */
export class AptRoot {
  #folder;
  #suite;
  #kind;
  #byHand;
  #stream;

  /**
   * @param {{ folder: string, suite: string, kind?: 'deb' | 'deb-src', byHand: string,
   *   stream?: NodeJS.WriteStream }} options the suite of Debian that has the packages; whether these are
   *   binary or source packages; what to say to those whom apt does not help; where the progress is shown
   */
  constructor({ folder, suite, kind = 'deb', byHand, stream = process.stdout }) {
    this.#folder = folder;
    this.#suite = suite;
    this.#kind = kind;
    this.#byHand = byHand;
    this.#stream = stream;
  }

  #file(name) {
    return path.join(this.#folder, name);
  }

  /** Every run of apt reads the private configuration and no other. */
  #apt(args, options) {
    return run('apt-get', args, { ...options, env: { APT_CONFIG: this.#file('apt.conf') } });
  }

  /** Runs apt in a folder, and shows how far its downloads are. */
  async #fetch(args, cwd) {
    const show = progress('downloading', this.#stream);
    await this.#apt([...args, '-o', 'APT::Status-Fd=3'], {
      cwd,
      onStatus: (line) => {
        const percent = line.match(/^dlstatus:\d+:([\d.]+):/)?.[1];
        if (percent) show(Number(percent));
      },
    });
    show(100);
  }

  /** Writes the private apt root, and fetches the list of what the suite carries. */
  async prepare() {
    for (const folder of ['lists/partial', 'archives/partial']) {
      fs.mkdirSync(this.#file(folder), { recursive: true });
    }
    const [mirror, architecture, machine] = await Promise.all([
      debianMirror(this.#byHand),
      machineArchitecture(),
      run('apt-config', ['dump']),
    ]);
    const nothing = '/dev/null';
    const settings = {
      'Dir::State': this.#folder,
      'Dir::State::status': this.#file('status'),
      'Dir::Cache': this.#folder,
      'Dir::Etc::sourcelist': this.#file('sources.list'),
      'Dir::Etc::sourceparts': nothing,
      'Dir::Etc::main': nothing,
      'Dir::Etc::parts': nothing,
      'Dir::Etc::preferences': this.#file('preferences'),
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
    fs.writeFileSync(this.#file('apt.conf'), [...own, ...acquire, ''].join('\n'));
    fs.writeFileSync(
      this.#file('sources.list'),
      `${this.#kind} [signed-by=${debianKeyring()}] ${mirror} ${this.#suite} main\n`,
    );
    for (const name of ['status', 'preferences']) fs.writeFileSync(this.#file(name), '');
    // By itself apt only warns when a mirror does not answer.
    await this.#apt(['update', '-o', 'APT::Update::Error-Mode=any']);
  }

  /** What apt would install for these packages, as a map from name to version. */
  async resolve(names) {
    const plan = await this.#apt(['install', '--simulate', ...names]);
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
  async leaveOut(packages) {
    const architecture = await machineArchitecture();
    const installed = packages.map(
      ([name, version]) =>
        `Package: ${name}\nStatus: install ok installed\nVersion: ${version}\n` +
        `Architecture: ${architecture}\nMulti-Arch: allowed\n\n`,
    );
    fs.writeFileSync(this.#file('status'), installed.join(''));
    // The mirror's copy differs in its dependencies: without this apt would "upgrade" to it.
    const names = packages.map(([name]) => name).join(' ');
    fs.writeFileSync(
      this.#file('preferences'),
      `Package: ${names}\nPin: release *\nPin-Priority: -1\n`,
    );
  }

  /** Downloads the packages into the private apt root. Files that are there already are not fetched. */
  async download(packages) {
    const names = [...packages].map(([name, version]) => `${name}=${version}`);
    await this.#fetch(['install', '--download-only', ...names]);
  }

  /** Unpacks every package of the plan into one folder. */
  async unpack(packages, folder) {
    const show = progress('unpacking', this.#stream);
    const archives = fs.readdirSync(this.#file('archives'));
    let done = 0;
    for (const [name, version] of packages) {
      // In a file name apt writes the version's colon as %3a.
      const start = `${name}_${version.replaceAll(':', '%3a')}_`;
      const archive = archives.find((file) => file.startsWith(start));
      if (!archive) throw new SetupError(`apt downloaded no ${name} ${version}.`);
      await run('dpkg-deb', ['--extract', this.#file(`archives/${archive}`), folder]);
      show((100 * ++done) / packages.size);
    }
  }

  /**
   * Downloads source packages, as they are at their authors', without what Debian changes in them, and
   * unpacks each. apt compares them with the checksums in the mirror's signed list.
   *
   * @param {string[]} names
   * @param {string} folder gets a folder NAME-VERSION for each
   * @returns {Promise<Record<string, string>>} the versions, by name
   */
  async unpackSources(names, folder) {
    const archives = this.#file('archives');
    await this.#fetch(
      ['source', '--only-source', '--tar-only', '--download-only', ...names],
      archives,
    );
    const versions = {};
    for (const archive of fs.readdirSync(archives)) {
      const [, name, version] = archive.match(/^(.+)_(.+)\.orig\.tar\.\w+$/) ?? [];
      if (!names.includes(name)) continue;
      const target = path.join(folder, `${name}-${version}`);
      remove(target);
      fs.mkdirSync(target, { recursive: true });
      const from = path.join(archives, archive);
      await run('tar', ['-xf', from, '--strip-components=1', '--no-same-owner', '-C', target]);
      versions[name] = version;
    }
    const missing = names.filter((name) => !versions[name]);
    if (missing.length) throw new SetupError(`apt downloaded no sources of ${missing.join(', ')}.`);
    return versions;
  }

  /** Deletes the downloads and all else of apt's. */
  remove() {
    remove(this.#folder);
  }
}

// ---------------------------------------------------------------------------------------------
// From packages to programs that run

/** Deletes a folder, if it is there. */
export const remove = (folder) => fs.rmSync(folder, { recursive: true, force: true });

/** The files straight in a folder, and not the folders in it. */
export const filesIn = (folder) =>
  fs.readdirSync(folder, { withFileTypes: true }).filter((entry) => !entry.isDirectory());

/**
 * Moves files and folders from the packages' folders to others.
 *
 * @param {string} to the folder that the others lie in
 * @returns {{ move: (source: string, ...names: string[]) => void,
 *   moveFiles: (source: string, wanted: RegExp, ...names: string[]) => void }} `names` lead from `to` to
 *   where the source, or each file of it that is wanted, goes
 */
export function mover(to) {
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
  return { move, moveFiles };
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
 *
 * @param {{ folder: string, root: string, bins: string[] }} options `folder` becomes `root` later. Its lib/
 *   has the libraries, its bin/ patchelf, and `bins` are the folders of programs, relative to it and all as
 *   deep as each other.
 */
export async function pointToOwnLibraries({ folder, root, bins }) {
  const lib = path.join(folder, 'lib');
  const loader = filesIn(lib).find(({ name }) => /^ld-linux.*\.so/.test(name))?.name;
  if (!loader) throw new SetupError('The libc6 package holds no loader (ld-linux*.so).');
  const programs = bins
    .map((name) => path.join(folder, name))
    .flatMap((bin) => filesIn(bin).map(({ name }) => path.join(bin, name)))
    .filter(isElf);
  const up = bins[0]
    .split('/')
    .map(() => '..')
    .join('/');
  // patchelf came in a package as well, so it runs only through that loader itself, and not on itself.
  const patchelf = path.join(folder, 'bin', 'patchelf');
  await run(path.join(lib, loader), [
    ...['--library-path', lib, patchelf],
    ...['--set-interpreter', path.join(root, 'lib', loader)],
    ...['--force-rpath', '--set-rpath', `$ORIGIN/${up}/lib`],
    ...programs.filter((program) => program !== patchelf),
  ]);
}
