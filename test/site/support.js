// What the tests of the playground share: the page, built once, and its allocators.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { readPlain } from '../../site/memory.js';
import { readScript } from '../../site/script.js';
import { Simulation, loadAllocator } from '../../site/simulation.js';
import { allocators, project, queued, run } from '../support/emcc.js';
import { findEmscripten } from '../../scripts/emscripten.mjs';
import { makeOnce } from '../../scripts/files.mjs';

export const names = allocators.map(({ name }) => name);

/** All that a playground is made of. */
const SOURCES = ['lib', 'site', 'js', 'scripts', 'package-lock.json'].map((name) =>
  path.join(project, name),
);

function digestOfSources() {
  const digest = createHash('sha256').update(findEmscripten().version);
  for (const source of SOURCES) {
    const files = statSync(source).isDirectory() ? readdirSync(source, { recursive: true }) : [''];
    for (const file of files.sort()) {
      const from = path.join(source, file);
      if (statSync(from).isFile()) digest.update(`${from}\n`).update(readFileSync(from));
    }
  }
  return digest.digest('hex').slice(0, 16);
}

/** The folder with the page: built once for all files of tests. */
export const site = queued(async () => {
  const folder = path.join(project, '.cache', 'tests', `site-${digestOfSources()}`);
  const script = path.join(project, 'scripts', 'site.mjs');
  await makeOnce(folder, (scratch) =>
    run(process.execPath, [script, '--output', path.join(scratch, 'site')]),
  );
  return path.join(folder, 'site');
});

/** Reads a file of the page as JSON. */
export async function readJson(file) {
  return JSON.parse(await readFile(path.join(await site, 'modules', file), 'utf8'));
}

/** Loads an allocator, with the function that reads pictures of its memory. */
export async function load(name) {
  const folder = await site;
  const allocator = await loadAllocator(name, (file) =>
    readFile(path.join(folder, 'modules', file)),
  );
  const { reader } = (await readJson('allocators.json')).find((row) => row.name === name);
  const { read } = reader ? await import(`../../site/allocators/${name}.js`) : { read: readPlain };
  return { ...allocator, read };
}

/** Runs a script. */
export async function runScript(allocator, script) {
  return Simulation.run(allocator, readScript(script));
}

/** A script with requests of every kind, which leaves the heap full of holes. */
export function mixedScript(seed) {
  return `seed ${seed}
    repeat 40 { alloc 24 }
    repeat 25 { alloc 4..300 }
    free every 3
    repeat 30 {
      free random
      alloc 4..150
      free random
      kept = alloc 30..60
      kept = realloc kept 10..120
    }
    sbrk 200
    repeat 20 { alloc 20..40 }
    free every 2
    repeat 30 { free newest }
    alloc 12000
    repeat 12 { alloc 24 }`;
}
