// The package in the versions of Node that it supports.
import assert from 'node:assert/strict';
import path from 'node:path';
import { findNode } from '../engines/index.js';
import { project, run } from './support.js';

const SCRIPT = `
  import { smoke } from './test/js/smoke.js';
  console.log(process.version, await smoke(await import('wasmalloc')));
`;

describe('Node', () => {
  for (const major of [20, 22, 24]) {
    const node = findNode(major);
    const title = `${major} runs all allocators`;
    if (node) {
      it(title, () => {
        const { stdout, stderr } = run(node, ['--input-type=module', '-e', SCRIPT], {
          cwd: path.resolve(project),
        });
        assert.match(stdout, new RegExp(`^v${major}\\..* allocators work\n$`));
        assert.equal(stderr, '');
      });
    } else {
      it.skip(`${title} (skipped: there is no Node ${major} for this machine in test/engines)`);
    }
  }
});
