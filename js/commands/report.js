// npx wasmalloc report: a page about a trace.
// Usage: node js/cli.js report --help
import { progressBar } from '../progress.js';
import { reportPage } from '../report/page.js';
import { replayAllocators } from '../replay.js';
import { MEMORY_OPTION, allocatorNames, mebibytes, withTrace } from './common.js';
import { onlyFile, parse } from './options.js';
import { checkOutput, complain, print, writeOutput } from './output.js';

const HELP = `Usage: npx wasmalloc report FILE [-o PAGE] [--allocators NAME,NAME...] [--memory MIB]

Makes a page from a trace, which a program records that is linked with --use-port=...:trace=1 or
:trace=stacks: memory over time, who holds it at the peak, sizes and lifetimes, leaks, and the heap of
each of the given allocators, block by block. The page is one file, and needs no network.
FILE is - for standard input.

  -o, --output PAGE  where to write it (report.html unless told); - is standard output
  --allocators LIST  whose heaps to draw, side by side (wasmalloc unless told); there are:
                     ${replayAllocators.join(', ')}
  --memory MIB       fill no more memory than so for a heap (640 unless told)
  -h, --help         prints this text`;

export async function run(args) {
  const { values, positionals } = parse(args, {
    output: { type: 'string', short: 'o', default: 'report.html' },
    allocators: { type: 'string', default: 'wasmalloc' },
    memory: MEMORY_OPTION,
  });
  if (values.help) return print(HELP);
  const file = onlyFile(positionals, 'report');
  const allocators = allocatorNames(values.allocators);
  const memory = mebibytes(values.memory);
  await withTrace(file, async (input, threads) => {
    checkOutput(values.output, input.stats);
    const options = { allocators, memory, onProgress: progressBar('report') };
    const { html, fault } = await reportPage(input.again, { ...options, map: threads.map });
    writeOutput(values.output, html);
    if (fault) complain(`${file}: ${fault}; the report is about them`);
  });
}
