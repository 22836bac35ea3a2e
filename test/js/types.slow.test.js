// The declarations with TypeScript 5, which resolves modules in more ways than its successors.
import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { olderTsc } from '../bundlers/index.js';
import { installPackage, project } from './support.js';

const OPTIONS = ['--strict', '--noEmit', '--target', 'es2022', '--lib', 'es2022,dom'];

const WAYS = [
  ['consumer.ts', '--module', 'es2022', '--moduleResolution', 'node10'],
  ['consumer.ts', '--module', 'es2022', '--moduleResolution', 'bundler'],
  ['consumer.ts', '--module', 'node16', '--moduleResolution', 'node16'],
  ['consumer.ts', '--module', 'nodenext', '--moduleResolution', 'nodenext'],
  ['commonjs.cts', '--module', 'nodenext', '--moduleResolution', 'nodenext'],
];

describe('TypeScript 5 --strict, with the installed package', function () {
  this.timeout(300_000);

  let installed;
  before(() => {
    installed = installPackage();
    for (const [file] of WAYS)
      copyFileSync(path.join(project, 'test/js/types', file), path.join(installed.folder, file));
  });

  for (const [file, ...settings] of WAYS)
    it(`${settings.join(' ')} accepts ${file}`, () => {
      installed.run(process.execPath, olderTsc, ...OPTIONS, ...settings, file);
    });
});
