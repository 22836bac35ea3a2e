// npx wasmalloc map: a picture of the heap at a moment of a trace.
// Usage: node js/cli.js map --help
import { progressBar } from '../progress.js';
import { mapPicture, parseMoment } from '../report/picture.js';
import { replayAllocators } from '../replay.js';
import { MEMORY_OPTION, allocatorNames, mebibytes, withTrace } from './common.js';
import { onlyFile, parse } from './options.js';
import { checkOutput, complain, print, writeOutput } from './output.js';

const HELP = `Usage: npx wasmalloc map FILE [--at MOMENT] [-o PICTURE]
                          [--allocators NAME,NAME...] [--memory MIB]

Draws the heap at a moment of a trace, which a program records that is linked with
--use-port=...:trace=1: all of it, from the first address to the last, and to scale. The picture is SVG.
FILE is - for standard input.

  --at MOMENT           peak: when the program held most (unless told); end; a part of all calls, as in
                        50%; or a time since the program began, as in 250us, 20ms or 1.5s
  -o, --output PICTURE  where to write it (map.svg unless told); - is standard output
  --allocators LIST     whose heaps to draw, one below the other (wasmalloc unless told); there are:
                        ${replayAllocators.join(', ')}
  --memory MIB          fill no more memory than so for a heap (640 unless told)
  -h, --help            prints this text`;

export async function run(args) {
  const { values, positionals } = parse(args, {
    at: { type: 'string', default: 'peak' },
    output: { type: 'string', short: 'o', default: 'map.svg' },
    allocators: { type: 'string', default: 'wasmalloc' },
    memory: MEMORY_OPTION,
  });
  if (values.help) return print(HELP);
  const file = onlyFile(positionals, 'map');
  const allocators = allocatorNames(values.allocators);
  const memory = mebibytes(values.memory);
  const moment = parseMoment(values.at);
  await withTrace(file, async (input, threads) => {
    checkOutput(values.output, input.stats);
    const options = { moment, allocators, memory, onProgress: progressBar('map') };
    const { svg, fault } = await mapPicture(input.again, { ...options, draw: threads.draw });
    writeOutput(values.output, svg);
    if (fault) complain(`${file}: ${fault}; the picture is of them`);
  });
}
