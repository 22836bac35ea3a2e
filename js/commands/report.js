// npx wasmalloc report: a page about a trace.
// Usage: node js/cli.js report --help
import { parseArgs } from 'node:util';
import { progressBar } from '../progress.js';
import { reportPage } from '../report/page.js';
import { replayAllocators } from '../replay.js';
import { allocatorNames, checkOutput, namingFile, onlyFile, writeWhole } from './common.js';

const HELP = `Usage: npx wasmalloc report FILE [-o PAGE] [--allocators NAME,NAME...]

Makes a page from a trace, which a program records that is linked with --use-port=...:trace=1 or
:trace=stacks: memory over time, who holds it at the peak, sizes and lifetimes, leaks, and the heap of
each of the given allocators, block by block. The page is one file, and needs no network.

  -o, --output PAGE  where to write it (report.html unless told)
  --allocators LIST  whose heaps to draw, side by side (wasmalloc unless told); there are:
                     ${replayAllocators.join(', ')}
  --help             prints this text`;

export async function run(args) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      output: { type: 'string', short: 'o', default: 'report.html' },
      allocators: { type: 'string', default: 'wasmalloc' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(HELP);
  const file = onlyFile(positionals, 'report');
  const allocators = allocatorNames(values.allocators);
  checkOutput(values.output);
  const options = { allocators, onProgress: progressBar('report') };
  const { html, fault } = await namingFile(file, reportPage(file, options));
  writeWhole(values.output, html);
  if (fault) console.error(`wasmalloc: ${file}: ${fault}; the report is about them`);
}
