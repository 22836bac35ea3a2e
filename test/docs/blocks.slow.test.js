// The pages whose commands link programs, from the first block to the last, with what they make.
import { installPackage } from '../js/support.js';
import { allBlocks } from './blocks.js';
import { Reader } from './check.js';

const blocks = allBlocks();
const pages = blocks
  .filter(({ text }) => /^em(cc|[+][+]|cmake) /m.test(text))
  .map(({ file }) => file);

describe('the programs of the documentation', function () {
  this.timeout(1_800_000); // Emscripten builds its libraries

  let reader;
  before(() => {
    reader = new Reader(installPackage().folder);
  });

  for (const file of new Set(pages))
    it(`${file}: links and runs`, () => {
      for (const block of blocks.filter((each) => each.file === file))
        reader.check(block, { link: true });
    });
});
