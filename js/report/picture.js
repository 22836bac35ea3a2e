// The heaps of allocators at one moment of a trace, as a picture.
// Usage: const { svg } = await mapPicture('app.trace', { moment: parseMoment('peak'), allocators: ['bins'] })
import { InvalidArgumentError, TraceError } from '../errors.js';
import { compileTrace } from '../replay.js';
import { analyse } from './analysis.js';
import { MapPicture, drawHeap } from './map-svg.js';
import { countText, nameText, timeText } from './text.js';

const MICROSECONDS = { us: 1, ms: 1000, s: 1_000_000 };

/**
 * A moment as the command line has it: `peak`, `end`, a part of the calls as in `50%`, or a time as in `1.5s`.
 *
 * @returns {{ title: string, moments: (first: object) => number[], time?: number }} as {@link analyse} wants it, and
 *   what it is called
 */
export function parseMoment(text) {
  const title = text === 'peak' || text === 'end' ? `at the ${text}` : `at ${text}`;
  const [, number, unit] = /^(\d+(?:\.\d+)?)(%|us|ms|s)$/.exec(text) ?? [];
  if (text === 'peak') return { title, moments: ({ peak }) => [peak.event] };
  if (text === 'end') return { title, moments: ({ events }) => [events - 1] };
  if (unit === '%' && number <= 100)
    return { title, moments: ({ events }) => [Math.round((number / 100) * (events - 1))] };
  if (unit && unit !== '%')
    return {
      title,
      time: number * MICROSECONDS[unit],
      moments: ({ eventThen }) => [Math.max(0, eventThen)],
    };
  throw new InvalidArgumentError(
    `--at takes peak, end, a part as in 50%, or a time as in 20ms, not ${text}`,
  );
}

/**
 * @param {object} source of the trace, for readTrace() to read several times
 * @param {{ moment: ReturnType<typeof parseMoment>, allocators: string[], memory?: number, draw?: typeof drawHeap, onProgress?: (fraction: number, what?: string) => void }} options
 * @returns {Promise<{ svg: string, fault: string | null }>}
 */
export async function mapPicture(
  source,
  { moment: wanted, allocators, memory, draw = drawHeap, onProgress = () => {} },
) {
  const data = await analyse(source, {
    ...wanted,
    onProgress: (fraction) => onProgress(fraction / 2, 'reading'),
  });
  const [moment] = data.moments;
  if (!moment) throw new TraceError('the trace has no events: there is nothing to draw', 0, 0);
  const program = await compileTrace(source);
  const picture = new MapPicture();
  for (const [i, name] of allocators.entries()) {
    onProgress(0.5 + i / allocators.length / 2, name);
    picture.add(await draw(name, program, { call: moment.call, index: i, memory }));
  }
  onProgress(1);
  const title = `${nameText(data.description.program)} ${wanted.title}: after ${timeText(moment.time)} and ${countText(moment.event + 1)} calls`;
  return { svg: picture.toSvg(title), fault: data.fault };
}
