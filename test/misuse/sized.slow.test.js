// Sized deletes in each way to link: a wrong size is seen, and nothing else is.
// Usage: npx mocha test/misuse/sized.slow.test.js [-g 'part of a name']
import { findNode24 } from '../support/emcc.js';
import { KINDS, assertSound, assertStopped, replacedProgram } from './sized.js';

const [NOTHING] = KINDS;

const MODES = [
  { what: 'the debug build, which reports no leak', build: 'debug' },
  { what: 'threads', flags: ['-pthread'] },
  { what: 'exceptions', flags: ['-fwasm-exceptions'] },
  { what: 'exceptions by JavaScript', flags: ['-fexceptions'] },
  { what: '-fno-exceptions -fno-rtti', flags: ['-fno-exceptions', '-fno-rtti'] },
  { what: '-Oz', flags: ['-Oz'] },
  // Without exceptions Emscripten 6.0.5 itself does not link it.
  { what: 'link-time optimization', flags: ['-flto', '-fexceptions'] },
  { what: 'SAFE_HEAP', flags: ['-sSAFE_HEAP'] },
  { what: 'dynamic linking', flags: ['-sMAIN_MODULE'] },
  { what: 'dynamic linking of what is used', flags: ['-sMAIN_MODULE=2'] },
  { what: '64-bit memory', flags: ['-sMEMORY64', '-Wno-experimental'], wide: true },
];

describe('sized deletes, linked', function () {
  this.timeout(1_200_000);

  for (const { what, build, flags, wide } of MODES) {
    const program = replacedProgram(NOTHING, { build, flags });
    it(`with ${what}`, async () => {
      const file = await program();
      const node = wide ? findNode24() : undefined;
      await assertSound(file, node);
      await assertStopped(file, node);
    });
  }
});
