// npx wasmalloc map: a picture of the heap at a moment of a trace.
// Usage: node js/cli.js map --help
import { parseArgs } from 'node:util';
import { progressBar } from '../progress.js';
import { mapPicture } from '../report/picture.js';
import { replayAllocators } from '../replay.js';
import { allocatorNames, checkOutput, namingFile, onlyFile, writeWhole } from './common.js';

const HELP = `Usage: npx wasmalloc map FILE [--at MOMENT] [-o PICTURE] [--allocators NAME,NAME...]

Draws the heap at a moment of a trace, which a program records that is linked with
--use-port=...:trace=1: all of it, from the first address to the last, and to scale. The picture is SVG.

  --at MOMENT           peak: when the program held most (unless told); end; a part of all calls, as in
                        50%; or a time since the program began, as in 250us, 20ms or 1.5s
  -o, --output PICTURE  where to write it (map.svg unless told)
  --allocators LIST     whose heaps to draw, one below the other (wasmalloc unless told); there are:
                        ${replayAllocators.join(', ')}
  --help                prints this text`;

export async function run(args) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      at: { type: 'string', default: 'peak' },
      output: { type: 'string', short: 'o', default: 'map.svg' },
      allocators: { type: 'string', default: 'wasmalloc' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(HELP);
  const file = onlyFile(positionals, 'map');
  const allocators = allocatorNames(values.allocators);
  checkOutput(values.output);
  const options = { at: values.at, allocators, onProgress: progressBar('map') };
  const { svg, fault } = await namingFile(file, mapPicture(file, options));
  writeWhole(values.output, svg);
  if (fault) console.error(`wasmalloc: ${file}: ${fault}; the picture is of them`);
}
