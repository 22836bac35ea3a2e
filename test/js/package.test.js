// The package as its users get it: npm pack, and from the tarball into an empty folder, offline.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { replayAllocators } from '../../js/index.js';
import { emcc, temporaryFolder } from '../support/emcc.js';
import { allocators, project, run } from './support.js';

// npm tells its scripts its own settings, which are not those of a folder elsewhere.
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)),
);

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
  let folder, files;
  const inFolder = (program, ...args) => run(program, args, { cwd: folder, env });

  before(() => {
    folder = temporaryFolder('wasmalloc-package-');
    const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
    const [tarball] = JSON.parse(run('npm', pack, { cwd: project, env }).stdout);
    files = tarball.files.map((file) => file.path);
    writeFileSync(path.join(folder, 'package.json'), '{ "private": true, "type": "module" }');
    const install = ['install', '--offline', '--no-audit', '--no-fund', `./${tarball.filename}`];
    inFolder('npm', ...install);
  });

  it('holds what it needs, and nothing else', () => {
    const needed = [
      'CMakeLists.txt',
      'LICENSE',
      'emscripten/wasmalloc.py',
      'js/cli.js',
      'js/index.d.ts',
      'js/index.js',
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
    const { dependencies, optionalDependencies, peerDependencies } = JSON.parse(
      readFileSync(path.join(folder, 'node_modules/wasmalloc/package.json'), 'utf8'),
    );
    assert.deepEqual([dependencies, optionalDependencies, peerDependencies], Array(3).fill());
  });

  it('can be imported in Node', () => {
    writeFileSync(path.join(folder, 'program.js'), NODE_PROGRAM);
    const { stdout } = inFolder(process.execPath, 'program.js');
    assert.equal(stdout, allocators.map(({ name }) => `${name} 42 true\n`).join(''));
  });

  it('passes tsc --strict', () => {
    mkdirSync(path.join(folder, 'types'));
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
