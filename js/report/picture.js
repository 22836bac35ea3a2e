// The heaps of allocators at one moment of a trace, as a picture.
// Usage: const { svg } = await mapPicture('app.trace', { at: 'peak', allocators: ['bins'] })
import { InvalidArgumentError, TraceError } from '../errors.js';
import { compileTrace } from '../replay.js';
import { analyse } from './analysis.js';
import { layouts } from './layout.js';
import { MapPicture } from './map-svg.js';
import { countText, timeText } from './text.js';

const MICROSECONDS = { us: 1, ms: 1000, s: 1_000_000 };

/**
 * A moment as the command line has it: `peak`, `end`, a part of the calls as in `50%`, or a time as in `1.5s`.
 *
 * @returns {{ moments: (first: object) => number[], time?: number }} as {@link analyse} wants it
 */
export function parseMoment(text) {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(%|us|ms|s)$/.exec(text) ?? [];
  if (text === 'peak') return { moments: ({ peak }) => [peak.event] };
  if (text === 'end') return { moments: ({ events }) => [events - 1] };
  if (unit === '%' && number <= 100)
    return { moments: ({ events }) => [Math.round((number / 100) * (events - 1))] };
  if (unit && unit !== '%')
    return {
      time: number * MICROSECONDS[unit],
      moments: ({ eventThen }) => [Math.max(0, eventThen)],
    };
  throw new InvalidArgumentError(
    `--at takes peak, end, a part as in 50%, or a time as in 20ms, not ${text}`,
  );
}

/**
 * @param {string} file
 * @param {{ at: string, allocators: string[], onProgress?: (fraction: number, what?: string) => void }} options
 * @returns {Promise<{ svg: string, fault: string | null }>}
 */
export async function mapPicture(file, { at, allocators, onProgress = () => {} }) {
  const data = await analyse(file, {
    ...parseMoment(at),
    onProgress: (fraction) => onProgress(fraction / 2, 'reading'),
  });
  const [moment] = data.moments;
  if (!moment) throw new TraceError('the trace has no events: there is nothing to draw', 0, 0);
  const program = await compileTrace(file);
  const picture = new MapPicture();
  for (const [i, name] of allocators.entries()) {
    onProgress(0.5 + i / allocators.length / 2, name);
    for await (const layout of layouts(name, program, [moment.call])) picture.add(name, layout);
  }
  onProgress(1);
  const when = at === 'peak' || at === 'end' ? `at the ${at}` : `at ${at}`;
  const title = `${data.description.program} ${when}: after ${timeText(moment.time)} and ${countText(moment.event + 1)} calls`;
  return { svg: picture.toSvg(title), fault: data.fault };
}
