// Draws the space–time plot.
// Usage: import { plot } from './plot.mjs';
import * as vega from 'vega';
import { OURS } from './report.mjs';

/** From one end of each axis to the other, at least: the means are clamped to 1/4 … 4. */
const LIMITS = { space: [0.8, 4.2], time: [0.25, 4.2] };

const COLORS = { ours: '#1f6feb', peers: '#b35900' };

/** Legible on a light and on a dark page. */
const INK = '#808488';

const [WIDTH, HEIGHT] = [560, 400];
const LARGEST_DOT = 5000;
const FONT_SIZE = 13;

/** Finds a place for each name where it hides neither a dot nor another name. */
function placeLabels(dots) {
  const taken = dots.map(({ x, y, radius }) => box(x, y, radius, radius));
  for (const { value, x, y, radius } of dots) {
    const half = (value.name.length * FONT_SIZE * 0.62) / 2;
    const places = [];
    for (let distance = radius + 4; distance < 200; distance += 4)
      for (const angle of [0, 90, 270, 180, 45, 315, 135, 225]) {
        const [right, up] = [Math.cos, Math.sin].map((f) => f((angle * Math.PI) / 180));
        places.push(
          box(
            x + right * (distance + half),
            y - up * (distance + FONT_SIZE / 2),
            half,
            FONT_SIZE / 2,
          ),
        );
      }
    const inside = ({ left, right, top, bottom }) =>
      left > 0 && right < WIDTH + 60 && top > 0 && bottom < HEIGHT;
    const place = places.find(
      (each) => inside(each) && !taken.some((other) => overlap(each, other)),
    );
    taken.push(place ?? places[0]);
    const { left, right, top, bottom } = place ?? places[0];
    value.label = { x: (left + right) / 2, y: (top + bottom) / 2, align: 'center' };
  }
}

function box(x, y, halfWidth, halfHeight) {
  return { left: x - halfWidth, right: x + halfWidth, top: y - halfHeight, bottom: y + halfHeight };
}

function overlap(a, b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

/**
 * The plot: to the left means less memory, down means less time, a small dot means little code.
 *
 * @param {{ name: string, space: number, time: number, code: number }[]} points against dlmalloc's;
 *   `code` in bytes
 * @returns {Promise<string>} SVG
 */
export async function plot(points) {
  const values = points.map((point) => ({
    ...point,
    who: OURS.includes(point.name) ? 'ours' : 'peers',
  }));
  const largest = Math.max(...values.map(({ code }) => code));
  const axis = (title) => ({
    title,
    values: [0.25, 0.35, 0.5, 0.7, 1, 1.4, 2, 2.8, 4],
    format: '~g',
    grid: true,
    gridColor: INK,
    gridOpacity: 0.2,
    domainColor: INK,
    tickColor: INK,
    labelColor: INK,
    titleColor: INK,
    titlePadding: 8,
  });
  const domain = (field) => {
    const all = values.map((value) => value[field]);
    return [Math.min(LIMITS[field][0], ...all), Math.max(LIMITS[field][1], ...all)];
  };
  const logarithmic = vega.scale('log');
  const [x, y] = [
    logarithmic().domain(domain('space')).range([0, WIDTH]),
    logarithmic().domain(domain('time')).range([HEIGHT, 0]),
  ];
  placeLabels(
    values.map((value) => ({
      value,
      x: x(value.space),
      y: y(value.time),
      radius: Math.sqrt((value.code / largest) * (LARGEST_DOT / Math.PI)),
    })),
  );
  const line = (encode) => ({
    type: 'rule',
    encode: { update: { stroke: { value: INK }, strokeDash: { value: [4, 4] }, ...encode } },
  });
  const specification = {
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    description: 'Time against memory of eight allocators; less is better on both axes',
    width: WIDTH,
    height: HEIGHT,
    padding: 12,
    config: { font: 'sans-serif' },
    data: [{ name: 'points', values }],
    scales: [
      { name: 'x', type: 'log', domain: domain('space'), range: 'width' },
      { name: 'y', type: 'log', domain: domain('time'), range: 'height' },
      {
        name: 'area',
        type: 'linear',
        domain: [0, largest],
        range: [0, LARGEST_DOT],
      },
      {
        name: 'color',
        type: 'ordinal',
        domain: Object.keys(COLORS),
        range: Object.values(COLORS),
      },
    ],
    axes: [
      { orient: 'bottom', scale: 'x', ...axis("peak memory, against dlmalloc's") },
      { orient: 'left', scale: 'y', ...axis("time, against dlmalloc's") },
    ],
    marks: [
      line({ x: { scale: 'x', value: 1 }, y: { value: 0 }, y2: { signal: 'height' } }),
      line({ y: { scale: 'y', value: 1 }, x: { value: 0 }, x2: { signal: 'width' } }),
      {
        type: 'symbol',
        name: 'dots',
        from: { data: 'points' },
        encode: {
          update: {
            x: { scale: 'x', field: 'space' },
            y: { scale: 'y', field: 'time' },
            size: { scale: 'area', field: 'code' },
            fill: { scale: 'color', field: 'who' },
            fillOpacity: { value: 0.7 },
          },
        },
      },
      {
        type: 'text',
        from: { data: 'points' },
        encode: {
          update: {
            x: { field: 'label.x' },
            y: { field: 'label.y' },
            align: { field: 'label.align' },
            baseline: { value: 'middle' },
            text: { field: 'name' },
            fill: { scale: 'color', field: 'who' },
            fontSize: { value: FONT_SIZE },
            fontWeight: { signal: "datum.who === 'ours' ? 'bold' : 'normal'" },
          },
        },
      },
    ],
  };
  const view = new vega.View(vega.parse(specification), { renderer: 'none' });
  try {
    return `${await view.toSVG()}\n`;
  } finally {
    view.finalize();
  }
}
