// Usage: node test/broken/run.mjs [--cases N] [--seed N] [--from N] [--build NAME …]
import { parseArgs } from 'node:util';
import { choose } from '../support/choose.js';
import { temporaryFolder } from '../support/emcc.js';
import { BUILDS, breakHeaps } from './broken.js';

const HELP = `Usage: npm run broken [-- options]

Overwrites words of heaps at random, in WebAssembly, and then calls every function: each must end, with an answer
or a trap. Prints how many did which.

  --cases N     N heaps for each build (20,000)
  --seed N      other heaps (1)
  --from N      begins with heap number N (0)
  --build NAME  only this one (may be repeated), of:
${BUILDS.map(({ name }) => `                  ${name}`).join('\n')}
  --help        print this`;

async function main() {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: '20000' },
      seed: { type: 'string', default: '1' },
      from: { type: 'string', default: '0' },
      build: { type: 'string', multiple: true },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return console.log(HELP);
  const [cases, seed, from] = ['cases', 'seed', 'from'].map((name) => {
    const number = Number(values[name]);
    if (!Number.isInteger(number) || number < 0)
      throw new Error(`--${name} is ${values[name]}: it must be a whole number`);
    return number;
  });
  const folder = temporaryFolder();
  for (const which of choose(BUILDS, values.build, 'build')) {
    const { answered, trapped } = await breakHeaps(which, { folder, cases, from, seed });
    console.log(
      `ok    ${which.name.padEnd(20)}${answered + trapped} heaps: ${answered} answered, ${trapped} trapped`,
    );
  }
}

main().catch((error) => {
  console.error(`broken: ${error.message}`);
  process.exitCode = 1;
});
