// Usage: import { ensureSources, sourceVersions } from './sources.mjs';
//
// The sources of strangers' programs, which the benchmark gives something to do: Debian's source packages, as
// their authors published them but for what COMPLETE does, brought to `.cache/sources/` (debian.mjs) when one
// is first needed, and only then. Their checksums are those of the mirror's signed list.

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

import { AptRoot, SetupError, announcer, checkMachine, installExclusively } from './debian.mjs';
import { PROJECT } from './emscripten.mjs';
import { writeWhole } from './files.mjs';

/** The Debian suite that they come from: a stable one, in which versions stay. */
const SUITE = 'trixie';

/** The source packages. */
const PACKAGES = [
  'box2d',
  'cmark',
  'jq',
  'leveldb',
  'libxml2',
  'libyaml',
  'minisat2',
  'nlohmann-json3',
  'quickjs',
  'rapidjson',
  'squirrel3',
  'tidy-html5',
];

/** What is done to a package before it can be compiled. */
const COMPLETE = {
  // jq's definitions in jq become a string.
  jq(folder) {
    const lines = fs.readFileSync(path.join(folder, 'src', 'builtin.jq'), 'utf8').split('\n');
    const literals = lines.map((line) => `${JSON.stringify(`${line}\n`)}\n`);
    fs.writeFileSync(path.join(folder, 'src', 'builtin.inc'), literals.join(''));
  },
  // Compilers that are newer than these two take neither a default argument nor an assignment to a constant there.
  minisat2(folder) {
    const header = path.join(folder, 'minisat', 'core', 'SolverTypes.h');
    replace(
      header,
      'friend Lit mkLit(Var var, bool sign = false);',
      'friend Lit mkLit(Var, bool);',
    );
    replace(header, /^(inline +Lit +mkLit *\(Var var, bool sign)\)/m, '$1 = false)');
  },
  rapidjson(folder) {
    const header = path.join(folder, 'include', 'rapidjson', 'document.h');
    replace(header, '{ s = rhs.s; length = rhs.length; }', '= delete;');
  },
};

function replace(file, from, to) {
  const text = fs.readFileSync(file, 'utf8');
  const changed = text.replace(from, to);
  if (changed === text)
    throw new SetupError(`${file} is not as expected: nothing matches ${from}.`);
  fs.writeFileSync(file, changed);
}

/** Room for the lists (55 MB), the downloads (25 MB) and the packages unpacked (80 MB). */
const MEGABYTES_NEEDED = 200;

/** The folder that this file owns; git ignores it. */
const FOLDER = path.join(PROJECT, '.cache', 'sources');

/** What this file does to the packages: they are fetched anew when it has changed. */
const REVISION = createHash('sha256')
  .update(fs.readFileSync(import.meta.filename))
  .digest('hex');

/** Written last: which packages there are, and their versions. */
const STAMP = path.join(FOLDER, `installed-${REVISION.slice(0, 12)}.json`);

const BY_HAND =
  'Without them the benchmark has the programs of npm packages: ' +
  'npm run bench -- --only small,sqlite,lua,duktape,tree-sitter,containers,requests';

/** @returns {Record<string, string>} the versions of the packages that are there, by name */
export function sourceVersions() {
  return fs.existsSync(STAMP) ? JSON.parse(fs.readFileSync(STAMP, 'utf8')) : {};
}

const missing = () => {
  const versions = sourceVersions();
  return PACKAGES.filter((name) => !versions[name]);
};

async function fetchLocked(say) {
  const announce = announcer(2, say);
  const apt = new AptRoot({
    folder: path.join(FOLDER, 'apt'),
    suite: SUITE,
    kind: 'deb-src',
    byHand: BY_HAND,
    stream: process.stderr,
  });
  announce(`Asking the Debian mirror of this machine what ${SUITE} has`);
  await apt.prepare();
  const wanted = missing();
  announce(`Fetching the sources of ${wanted.length} programs`);
  const versions = await apt.unpackSources(wanted, FOLDER);
  for (const [name, version] of Object.entries(versions))
    COMPLETE[name]?.(path.join(FOLDER, `${name}-${version}`));
  writeWhole(STAMP, `${JSON.stringify({ ...sourceVersions(), ...versions }, null, 2)}\n`);
  apt.remove();
}

async function fetchMissing() {
  fs.mkdirSync(FOLDER, { recursive: true });
  const what = 'set of sources for the benchmark';
  checkMachine({ what, folder: FOLDER, megabytes: MEGABYTES_NEEDED, byHand: BY_HAND });
  // Somebody else may have finished it while this one waited for the lock.
  const work = async () => void (missing().length && (await fetchLocked(console.error)));
  await installExclusively(FOLDER, work, console.error);
}

let ready;

/**
 * Sees to it that all sources are there. Tells its progress on stderr.
 *
 * @returns {Promise<(name: string) => string>} tells the folder of a package
 * @throws {SetupError} that says what to do without
 */
export function ensureSources() {
  ready ??= (async () => {
    if (missing().length) await fetchMissing();
    const versions = sourceVersions();
    return (name) => path.join(FOLDER, `${name}-${versions[name]}`);
  })();
  return ready;
}
