// The declarations are accepted by tsc --strict, in the ways in which programs resolve modules.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { project, run } from './support.js';

const tsc = path.join(project, 'node_modules/typescript/bin/tsc');

/** Each with the programs that it compiles. */
const PLATFORMS = [
  {
    title: 'Node',
    files: ['consumer.ts'],
    options: {
      module: 'nodenext',
      moduleResolution: 'nodenext',
      lib: ['es2022'],
      types: ['node'],
      typeRoots: [path.join(project, 'node_modules/@types')],
    },
  },
  {
    title: 'a browser, with a bundler',
    files: ['consumer.ts', 'sharing.ts'],
    options: {
      module: 'esnext',
      moduleResolution: 'bundler',
      lib: ['es2022', 'dom', 'dom.iterable'],
      types: [],
    },
  },
];

describe('tsc --strict accepts a program for', () => {
  let folder;
  beforeEach(() => {
    folder = mkdtempSync(path.join(project, 'test/js/types/tsc-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  for (const { title, files, options } of PLATFORMS) {
    it(title, () => {
      const compilerOptions = {
        strict: true,
        noEmit: true,
        noUncheckedIndexedAccess: true,
        exactOptionalPropertyTypes: true,
        target: 'es2022',
        ...options,
      };
      const config = path.join(folder, 'tsconfig.json');
      const programs = files.map((file) => path.join(project, 'test/js/types', file));
      writeFileSync(config, JSON.stringify({ compilerOptions, files: programs }));
      run(process.execPath, [tsc, '--project', config]);
    });
  }
});
