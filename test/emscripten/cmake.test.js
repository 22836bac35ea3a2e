// Uses wasmalloc in CMake projects: under emcmake, both ways, and on the development machine.
// Usage: npx mocha test/emscripten/cmake.test.js
import assert from 'node:assert/strict';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { findEmscripten } from '../../scripts/emscripten.mjs';
import {
  allocators,
  findTool,
  project,
  run,
  runModule,
  temporaryFolder,
  testAll,
} from '../support/emcc.js';

const consumer = fileURLToPath(new URL('cmake/', import.meta.url));
const program = (name) => fileURLToPath(new URL(`programs/${name}`, import.meta.url));
const names = allocators.map(({ name }) => name);
/** Where the way matters, and not the allocator. */
const some = testAll ? names : ['wasmalloc'];

/** The ways to find the package; an installed one would be in node_modules/wasmalloc. */
const ways = {
  add_subdirectory: [`-DWASMALLOC=${project}`],
  'find_package by wasmalloc_DIR': [`-Dwasmalloc_DIR=${path.join(project, 'emscripten/cmake')}`],
  'find_package by CMAKE_PREFIX_PATH': [
    `-DCMAKE_PREFIX_PATH=${path.join(project, 'emscripten')}`,
    // Emscripten's toolchain file otherwise looks in its own system root only.
    '-DCMAKE_FIND_ROOT_PATH_MODE_PACKAGE=BOTH',
  ],
};

describe('emscripten: CMake', function () {
  for (const [way, settings] of Object.entries(ways)) {
    it(`${way} under emcmake`, async () => {
      const { emcmake, env } = findEmscripten();
      const cmake = findTool('cmake');
      const build = temporaryFolder('wasmalloc cmake ');
      await run(
        emcmake,
        [
          ...[cmake, '-S', consumer, '-B', build, ...settings, '-DCMAKE_BUILD_TYPE=Release'],
          ...[`-DALLOCATORS=${some.join(';')}`, `-DPROGRAM=${program('words.c')}`],
        ],
        { env },
      );
      await run(cmake, ['--build', build, '--parallel', '2'], { env });
      for (const name of some) {
        const { stdout } = await runModule(path.join(build, `app-${name}.js`));
        assert.match(stdout, /^5000 words, 1024 distinct/);
      }
    });
  }

  it('find_package on the development machine', async () => {
    const cmake = findTool('cmake');
    const build = temporaryFolder();
    await run(cmake, [
      ...['-S', consumer, '-B', build, ...ways['find_package by wasmalloc_DIR']],
      ...[`-DALLOCATORS=${names.join(';')}`, `-DPROGRAM=${program('native.c')}`],
    ]);
    await run(cmake, ['--build', build, '--parallel', '2']);
    for (const name of names) {
      assert.equal((await run(path.join(build, `app-${name}`), [])).stdout, 'sound\n');
    }
  });

  it('builds the libraries by itself, without a warning', async () => {
    const cmake = findTool('cmake');
    const build = temporaryFolder();
    await run(cmake, ['-S', project, '-B', build]);
    await run(cmake, [
      ...['--build', build, '--parallel', '2', '--target'],
      ...names.map((name) => `wasmalloc_${name}`),
    ]);
  });
});
