// The package as its users get it: npm pack, and from the tarball into an empty folder, offline.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { replayAllocators } from '../../js/index.js';
import { findNode } from '../engines/index.js';
import { emcc } from '../support/emcc.js';
import { allocators, installPackage, project } from './support.js';

const NODE_PROGRAM = `
import { allocators, instantiate } from 'wasmalloc';
for (const { name } of allocators) {
  const heap = await instantiate(name);
  const address = heap.alloc(4);
  heap.i32[address >>> 2] = 42;
  heap.check();
  const shared = await instantiate(name, { initial: 2, maximum: 10 });
  console.log(name, heap.i32[address >>> 2], shared.alloc(1) > 65536);
}
`;

const COMMONJS_PROGRAM = `
const { instantiate } = require('wasmalloc');
instantiate('bins').then(async (heap) => {
  const address = heap.alloc(1);
  heap.i32[address >>> 2] = 42;
  // There is one copy of the package, however it is loaded.
  const { HeapCorruptionError } = await import('wasmalloc');
  console.log(HeapCorruptionError === require('wasmalloc').HeapCorruptionError, heap.i32[address >>> 2]);
});
`;

const ENTRIES_PROGRAM = `
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as files from './node_modules/wasmalloc/js/index.js';
import * as embedded from './node_modules/wasmalloc/js/embedded.js';
import * as tables from './node_modules/wasmalloc/dist/files.js';
import * as texts from './node_modules/wasmalloc/dist/embedded.js';
import * as replayTables from './node_modules/wasmalloc/dist/replay-files.js';
import * as replayTexts from './node_modules/wasmalloc/dist/replay-embedded.js';

const modules = [];
for (const [{ files }, { embedded }] of [[tables, texts], [replayTables, replayTexts]]) {
  assert.deepEqual(Object.keys(files), Object.keys(embedded));
  for (const [name, url] of Object.entries(files)) {
    modules.push(name);
    assert.ok(url().href.endsWith('/dist/' + name));
    assert.deepEqual(readFileSync(url()), Buffer.from(embedded[name], 'base64'));
  }
}
console.log(JSON.stringify([Object.keys(files), Object.keys(embedded), modules]));
`;

const C_PROGRAM = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasmalloc.h>

int main(void) {
  char *text = malloc(6);
  strcpy(text, "works");
  struct wasmalloc_statistics statistics;
  wasmalloc_statistics(&statistics);
  puts(statistics.used_blocks > 0 && !wasmalloc_check() ? text : "broken");
  free(text);
}
`;

describe('the package, installed from its tarball into an empty folder', function () {
  let folder, files, inFolder;

  before(() => {
    ({ folder, files, run: inFolder } = installPackage());
  });

  const readPackage = () =>
    JSON.parse(readFileSync(path.join(folder, 'node_modules/wasmalloc/package.json'), 'utf8'));

  it('holds what it needs, and nothing else', () => {
    const needed = [
      'CMakeLists.txt',
      'LICENSE',
      'emscripten/wasmalloc.py',
      'js/cli.js',
      'js/index.d.ts',
      'js/index.js',
      'js/embedded.js',
      ...['files', 'embedded', 'replay-files', 'replay-embedded'].map((name) => `dist/${name}.js`),
      'lib/c_interface.c',
      'lib/memory_wasm.c',
      'lib/trace.c',
      'emscripten/trace.js',
      'js/commands/replay.js',
      'dist/replay-modules.js',
      'dist/report.html',
      'dist/replay-licences.txt',
      ...replayAllocators.map((name) => `dist/replay-${name}.wasm`),
      'package.json',
      ...allocators.flatMap(({ name, file }) => [
        `lib/${file}`,
        `dist/${name}.wasm`,
        `dist/${name}.imported.wasm`,
      ]),
    ];
    for (const file of needed) assert.ok(files.includes(file), file);
    const folders = /^(dist|emscripten|js|lib)\//;
    const others = files.filter((file) => !folders.test(file) && !needed.includes(file));
    for (const file of others) assert.match(file, /^(README|CHANGELOG)\.md$/);
    assert.ok(!files.some((file) => /__pycache__|\.test\.js$/.test(file)));
  });

  it('depends on no other package', () => {
    const { dependencies, optionalDependencies, peerDependencies } = readPackage();
    assert.deepEqual([dependencies, optionalDependencies, peerDependencies], Array(3).fill());
  });

  it('can be imported in Node', () => {
    writeFileSync(path.join(folder, 'program.js'), NODE_PROGRAM);
    const { stdout } = inFolder(process.execPath, 'program.js');
    assert.equal(stdout, allocators.map(({ name }) => `${name} 42 true\n`).join(''));
  });

  it('has every file that its package.json names', () => {
    const { exports, main, types } = readPackage();
    const targets = [main, types, Object.values(exports)].flat().flatMap(function leaves(target) {
      return typeof target === 'string' ? target : Object.values(target).flatMap(leaves);
    });
    assert.ok(targets.length > 10);
    for (const target of targets) {
      const [start, end] = target.replace(/^\.\//, '').split('*');
      assert.ok(
        files.some((file) => (end === undefined ? file === start : file.startsWith(start))),
        target,
      );
    }
  });

  it('imports nothing of Node’s, from the entries on', () => {
    const seen = new Set(['js/index.js', 'js/embedded.js']);
    for (const file of seen) {
      const text = readFileSync(path.join(folder, 'node_modules/wasmalloc', file), 'utf8');
      assert.ok(!/\bimport\(|\brequire\(/.test(text), `${file} imports when it runs`);
      for (const [, from] of text.matchAll(/^(?:import|export)\b[^;]*? from '(.*)';$/gm)) {
        assert.match(from, /^\.\.?\//, file);
        seen.add(path.posix.join(path.posix.dirname(file), from));
      }
    }
    assert.ok(seen.size > 10);
  });

  for (const major of [20, 22, 24]) {
    const node = findNode(major);
    const title = `can be required in Node ${major}`;
    if (!node) {
      it.skip(`${title} (skipped: there is no Node ${major} for this machine in test/engines)`);
      continue;
    }
    it(title, () => {
      writeFileSync(path.join(folder, 'program.cjs'), COMMONJS_PROGRAM);
      const { stdout } = inFolder(node, 'program.cjs');
      assert.equal(stdout, 'true 42\n');
    });
  }

  it('has two entries with the same names, and the same modules', () => {
    writeFileSync(path.join(folder, 'entries.js'), ENTRIES_PROGRAM);
    const { stdout } = inFolder(process.execPath, 'entries.js');
    const [names, embeddedNames, modules] = JSON.parse(stdout);
    assert.deepEqual(embeddedNames, names);
    assert.deepEqual(
      modules.sort(),
      files
        .filter((file) => /^dist\/.*\.wasm$/.test(file))
        .map((file) => path.basename(file))
        .sort(),
    );
  });

  it('passes tsc --strict', () => {
    mkdirSync(path.join(folder, 'types'), { recursive: true });
    for (const file of ['consumer.ts', 'sharing.ts'])
      copyFileSync(path.join(project, 'test/js/types', file), path.join(folder, 'types', file));
    const options = ['--strict', '--noEmit', '--target', 'es2022', '--module', 'nodenext'];
    const programs = ['types/consumer.ts', 'types/sharing.ts'];
    const tsc = path.join(project, 'node_modules/typescript/bin/tsc');
    inFolder(process.execPath, tsc, ...options, ...programs);
  });

  it('links into a C program with emcc and the path that npx wasmalloc --port prints', async () => {
    const port = inFolder('npx', '--offline', 'wasmalloc', '--port').stdout.trim();
    assert.match(port, /node_modules\/wasmalloc\/emscripten\/wasmalloc\.py$/);
    writeFileSync(path.join(folder, 'app.c'), C_PROGRAM);
    for (const flag of [`--use-port=${port}`, `--use-port=${port}:allocator=bins`]) {
      await emcc(['app.c', '-O2', flag, '-o', 'app.cjs'], { cwd: folder });
      assert.equal(inFolder(process.execPath, 'app.cjs').stdout, 'works\n');
    }
  });

  it('records a trace of the C program, and replays it', async () => {
    const port = inFolder('npx', '--offline', 'wasmalloc', '--port').stdout.trim();
    writeFileSync(path.join(folder, 'app.c'), C_PROGRAM);
    // With assertions emcc would build its libraries once more.
    const flags = ['-O0', '-sASSERTIONS=0', `--use-port=${port}:trace=1`];
    await emcc(['app.c', ...flags, '-o', 'app.cjs'], { cwd: folder });
    inFolder(process.execPath, 'app.cjs');
    const replaying = ['--offline', 'wasmalloc', 'replay', 'app.trace', '--rounds', '1', '--json'];
    const { allocators: replayed } = JSON.parse(inFolder('npx', ...replaying).stdout);
    assert.deepEqual(
      replayed.map(({ name, fault }) => [name, fault]),
      replayAllocators.map((name) => [name, null]),
    );
  });
});
