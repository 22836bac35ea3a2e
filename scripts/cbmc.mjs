// Usage: import { ensureCbmc } from './cbmc.mjs';
//
// Where is CBMC, the bounded model checker that `npm run prove` calls? A cbmc on PATH wins when it is new
// enough; otherwise the one in `.cache/cbmc/`, which is brought there from Debian's packages (debian.mjs)
// when it is first needed, and only then.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

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
import { PROJECT, compareVersions, onPath } from './emscripten.mjs';

/** The oldest CBMC whose checks the theorems rely on: since 6.0 the standard ones are on. */
const OLDEST_CBMC = '6.0.0';

/** The Debian suite that carries CBMC 6: stable at the time of writing. */
const SUITE = 'trixie';

/** Room for the downloads (25 MB) and the packages unpacked (110 MB). */
const MEGABYTES_NEEDED = 200;

/** The folder that this file owns; git ignores it. */
const FOLDER = path.join(PROJECT, '.cache', 'cbmc');

const ROOT = path.join(FOLDER, 'root');

/** Written last: that the installation is complete, and for which folder it was made. */
const STAMP = path.join(FOLDER, 'installed.json');

const BY_HAND =
  `Install CBMC ${OLDEST_CBMC} or newer by hand instead (on Debian 13 and newer: apt-get install cbmc; ` +
  'elsewhere: https://github.com/diffblue/cbmc/releases) and put its cbmc on PATH.';

/** What it says of its version, or undefined if it does not run. */
function versionOf(cbmc) {
  const { status, stdout } = spawnSync(cbmc, ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.match(/\d+\.\d+(\.\d+)?/)?.[0] : undefined;
}

function cbmcOnPath() {
  const cbmc = onPath('cbmc');
  const version = cbmc && versionOf(cbmc);
  return version && compareVersions(version, OLDEST_CBMC) >= 0 ? { cbmc, version } : undefined;
}

function projectCbmc() {
  if (!fs.existsSync(STAMP)) return undefined;
  const { root, version } = JSON.parse(fs.readFileSync(STAMP, 'utf8'));
  const cbmc = path.join(ROOT, 'bin', 'cbmc');
  // The program carries the absolute path of its loader: a folder that has moved does not run.
  return root === ROOT && fs.existsSync(cbmc) ? { cbmc, version } : undefined;
}

/** Debian's cbmc depends on a whole C compiler; it runs with these shared libraries. */
async function choosePackages(apt) {
  const all = await apt.resolve(['cbmc', 'patchelf']);
  const needed = await apt.resolve(['minisat', 'patchelf']);
  needed.set('cbmc', all.get('cbmc'));
  await apt.leaveOut([...all].filter(([name]) => !needed.has(name)));
  return needed;
}

/** Makes ROOT: bin (cbmc) and lib (its libraries), under another name until it is complete. */
async function build(apt, packages) {
  const packed = path.join(FOLDER, 'unpacked.tmp');
  const ready = path.join(FOLDER, 'root.tmp');
  [packed, ready].forEach(remove);
  fs.mkdirSync(packed);
  await apt.unpack(packages, packed);
  const usr = path.join(packed, 'usr');
  const { moveFiles } = mover(ready);
  moveFiles(path.join(usr, 'bin'), /^(cbmc|patchelf)$/, 'bin');
  const library = /\.so(\.|$)/;
  moveFiles(path.join(usr, 'lib'), library, 'lib');
  for (const name of fs.readdirSync(path.join(usr, 'lib'))) {
    // The folder of the machine's kind, such as x86_64-linux-gnu.
    if (/-linux-gnu/.test(name)) moveFiles(path.join(usr, 'lib', name), library, 'lib');
  }
  remove(packed);
  await pointToOwnLibraries({ folder: ready, root: ROOT, bins: ['bin'] });
  remove(ROOT);
  fs.renameSync(ready, ROOT);
}

async function installLocked(say) {
  const announce = announcer(3, say);
  const apt = new AptRoot({
    folder: path.join(FOLDER, 'apt'),
    suite: SUITE,
    byHand: BY_HAND,
    stream: process.stderr,
  });
  announce(`Asking the Debian mirror of this machine what ${SUITE} has`);
  await apt.prepare();
  const packages = await choosePackages(apt);
  announce(`Downloading CBMC ${packages.get('cbmc')}: ${packages.size} packages`);
  await apt.download(packages);
  announce('Unpacking');
  await build(apt, packages);
  const version = (await run(path.join(ROOT, 'bin', 'cbmc'), ['--version'])).match(/\d[\d.]*/)[0];
  const stamp = { version, root: ROOT, packages: Object.fromEntries(packages) };
  fs.writeFileSync(`${STAMP}.tmp`, `${JSON.stringify(stamp, null, 2)}\n`);
  fs.renameSync(`${STAMP}.tmp`, STAMP);
  apt.remove();
}

/**
 * Finds CBMC, and brings it first where there is none. Tells its progress on stderr.
 *
 * @returns {Promise<{ cbmc: string, version: string }>} its path and version
 * @throws {SetupError} that says what to install
 */
export async function ensureCbmc() {
  const found = cbmcOnPath() ?? projectCbmc();
  if (found) return found;
  fs.mkdirSync(FOLDER, { recursive: true });
  checkMachine({ what: 'CBMC', folder: FOLDER, megabytes: MEGABYTES_NEEDED, byHand: BY_HAND });
  const install = async () => {
    // Somebody else may have finished it while this one waited for the lock.
    if (!projectCbmc()) await installLocked(console.error);
  };
  await installExclusively(FOLDER, install, console.error);
  const installed = projectCbmc();
  if (!installed) throw new SetupError(`There is no cbmc in ${ROOT}.\n${BY_HAND}`);
  return installed;
}
