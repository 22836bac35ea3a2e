// Sized deletes with the hardened builds: no false alarm where a program has its own new, delete, malloc or free.
// Usage: npx mocha test/misuse/sized.test.js [-g 'part of a name']; misuse.js has the deletes with a wrong size.
import { testAll } from '../support/emcc.js';
import { KINDS, assertSound, assertStopped, replacedProgram } from './sized.js';

describe('sized deletes', function () {
  this.timeout(900_000);

  // What differs most; all with WASMALLOC_TEST_ALL=1.
  for (const kind of KINDS.filter(({ quick }) => testAll || quick)) {
    const program = replacedProgram(kind);
    const fault = kind.seen ? ', and see a wrong size' : '';
    it(`raise no false alarm in a program that replaces ${kind.what}${fault}`, async () => {
      const file = await program();
      await assertSound(file);
      if (kind.seen) await assertStopped(file);
    });
  }
});
