// Memory over time: what is live, and how large the program's heap was.
// Usage: const section = overTime(data, moments); section.element
import * as Plot from '@observablehq/plot';
import { countText, sizeText, timeText } from '../js/report/text.js';
import { Chart, byteAxis, timeAxis } from './chart.js';
import { amount, asTable, choice, element } from './dom.js';

const ROWS = 24;

function pointsOf({ width, series: [live, heap] }, divisor) {
  return live.map((bytes, i) => ({ x: (i * width) / divisor, live: bytes, heap: heap[i] }));
}

export function overTime(data, moments) {
  const { peak, timelines, duration, description } = data;
  const time = timeAxis(duration);
  const axes = {
    time: {
      label: `time, ${time.label}`,
      points: pointsOf(timelines.time, time.divisor),
      at: (moment) => moment.time / time.divisor,
    },
    calls: {
      label: 'calls',
      points: pointsOf(timelines.calls, 1),
      at: (moment) => moment.event,
    },
  };
  let axis = axes.time;
  const largest = Math.max(peak.bytes, data.peakHeap);

  const isLate = () => axis.at(peak) > axis.points.at(-1).x / 2;
  const options = () => ({
    height: 285,
    marginLeft: 56,
    marginBottom: 42,
    x: {
      label: axis.label,
      labelAnchor: 'center',
      labelArrow: 'none',
      tickFormat: axis === axes.calls ? '~s' : undefined,
    },
    y: byteAxis(largest),
    marks: [
      Plot.areaY(axis.points, {
        x: 'x',
        y: 'live',
        fill: 'var(--used)',
        fillOpacity: 0.28,
        curve: 'step-after',
      }),
      Plot.lineY(axis.points, {
        x: 'x',
        y: 'live',
        stroke: 'var(--used)',
        strokeWidth: 1.8,
        curve: 'step-after',
      }),
      Plot.lineY(axis.points, {
        x: 'x',
        y: 'heap',
        stroke: 'var(--lost-line)',
        strokeWidth: 1.6,
        strokeDasharray: '6 3',
        curve: 'step-after',
      }),
      Plot.ruleY([0], { stroke: 'var(--soft)' }),
      Plot.dot([peak], {
        x: axis.at,
        y: 'bytes',
        r: 4.5,
        fill: 'var(--mark)',
        stroke: 'var(--card)',
      }),
      Plot.text([peak], {
        x: axis.at,
        y: 'bytes',
        text: () => `peak: ${sizeText(peak.bytes)}`,
        dx: isLate() ? -9 : 9,
        dy: -9,
        fontWeight: 600,
        fill: 'var(--mark)',
        stroke: 'var(--card)',
        strokeWidth: 4,
        textAnchor: isLate() ? 'end' : 'start',
      }),
    ],
  });
  const chart = new Chart(
    `Live bytes and size of the heap over time; the peak is ${sizeText(peak.bytes)} after ${timeText(peak.time)}`,
    options,
    (x) => moments.showNearest((moment) => Math.abs(axis.at(moment) - x)),
  );
  moments.onChange((moment) => chart.mark(axis.at(moment)));

  const step = Math.max(1, Math.floor(data.moments.length / ROWS));
  const rows = data.moments
    .filter(
      (moment, i) => i % step === 0 || moment.event === peak.event || i === data.moments.length - 1,
    )
    .map(({ event, time: at, bytes, blocks, heap }) => [
      amount(event + 1, countText),
      amount(at, timeText),
      amount(bytes, countText),
      amount(blocks, countText),
      amount(heap, countText),
    ]);
  return element(
    'section',
    { id: 'time', 'aria-labelledby': 'time-title' },
    element(
      'header',
      {},
      element('h2', { id: 'time-title' }, 'Memory over time'),
      choice('the axis', { time: 'by time', calls: 'by calls' }, (which) => {
        axis = axes[which];
        chart.draw();
        chart.mark(axis.at(moments.current));
      }),
    ),
    element(
      'ul',
      { class: 'legend' },
      element(
        'li',
        {},
        element('i', { class: 'swatch live' }),
        'live: what the program has asked for and not given back',
      ),
      element(
        'li',
        {},
        element('i', { class: 'swatch heap-line' }),
        `heap: what ${description.allocator} had taken of linear memory`,
      ),
    ),
    chart.element,
    element('p', { class: 'hint' }, 'Click to see the heap at that moment, further down.'),
    asTable({
      caption: 'Memory over time, in bytes',
      heads: ['after call', 'time', 'live', 'blocks', 'heap'],
      rows,
    }),
  );
}
