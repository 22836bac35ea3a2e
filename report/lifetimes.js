// Sizes and lifetimes of blocks.
// Usage: lifetimes(data)
import * as Plot from '@observablehq/plot';
import { countText, sizeText } from '../js/report/text.js';
import { Chart } from './chart.js';
import { amount, asTable, choice, element } from './dom.js';

/** As short as it fits on an axis: the most that a class holds. */
function shortSize(name) {
  return name.replace(/^(over .* to|up to) /, '≤ ').replace(' bytes', ' B');
}

const COMPACT = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 2 });

const MEASURES = {
  blocks: { of: ({ blocks }) => blocks, text: countText, short: (n) => COMPACT.format(n) },
  bytes: {
    of: ({ bytes }) => bytes,
    text: sizeText,
    short: (n) =>
      sizeText(n)
        .replace(/(\d)\.\d+ /, '$1 ')
        .replace(' bytes', ' B')
        .replace('iB', ''),
  },
};

export function lifetimes(data) {
  const { lifetimes: cells, requests, sizeNames, lifetimeNames } = data;
  let measure = MEASURES.blocks;
  const sizes = sizeNames.map(shortSize);
  const used = lifetimeNames.filter((_, index) => cells.some(({ lifetime }) => lifetime === index));

  /** Labels are turned where they would touch each other. */
  const sizeAxis = (width, padding) => {
    const isTight = (width - 100) / sizes.length < 66;
    return {
      marginBottom: isTight ? 52 : 30,
      x: {
        type: 'band',
        domain: sizes,
        label: null,
        tickSize: 0,
        padding,
        tickRotate: isTight ? -40 : 0,
      },
    };
  };

  const heat = (width) => {
    const largest = Math.max(1, ...cells.map(measure.of));
    const depth = (cell) => Math.log1p(measure.of(cell)) / Math.log1p(largest);
    const place = { x: ({ size }) => sizes[size], y: ({ lifetime }) => lifetimeNames[lifetime] };
    return {
      marginTop: 6,
      height: 58 + used.length * 30,
      marginLeft: 82,
      ...sizeAxis(width, 0.04),
      y: { type: 'band', domain: used, label: null, tickSize: 0, padding: 0.06 },
      marks: [
        Plot.cell(cells, {
          ...place,
          fill: 'var(--used)',
          fillOpacity: { value: (cell) => 0.08 + 0.92 * depth(cell), scale: null },
          rx: 2,
          title: (cell) =>
            `${lifetimeNames[cell.lifetime]}, ${sizeNames[cell.size]}: ${countText(cell.blocks)} blocks, ${sizeText(cell.bytes)}`,
        }),
        Plot.text(
          cells.filter((cell) => measure.of(cell) > 0),
          {
            ...place,
            text: (cell) => measure.short(measure.of(cell)),
            fill: (cell) => (depth(cell) > 0.5 ? 'var(--on-used)' : 'var(--ink)'),
            pointerEvents: 'none',
          },
        ),
      ],
    };
  };
  const bars = (width) => ({
    height: 190,
    marginLeft: 82,
    ...sizeAxis(width, 0.12),
    y: {
      label: measure === MEASURES.blocks ? 'requests' : 'bytes',
      grid: true,
      tickFormat: measure.short,
      ticks: 4,
    },
    marks: [
      Plot.barY(requests, {
        x: ({ index }) => sizes[index],
        y: (row) => measure.of({ blocks: row.calls, bytes: row.bytes }),
        fill: 'var(--used)',
        title: (row) =>
          `${sizeNames[row.index]}: ${countText(row.calls)} requests, ${sizeText(row.bytes)}`,
      }),
      Plot.ruleY([0], { stroke: 'var(--soft)' }),
    ],
  });
  const charts = [
    new Chart('How many blocks have each size and lifetime', heat),
    new Chart('How often each size was asked for', bars),
  ];
  const total = (row) => requests.find(({ index }) => index === row);
  return element(
    'section',
    { id: 'sizes', 'aria-labelledby': 'sizes-title' },
    element(
      'header',
      {},
      element('h2', { id: 'sizes-title' }, 'Sizes and lifetimes'),
      choice('what is counted', { blocks: 'blocks', bytes: 'bytes' }, (which) => {
        measure = MEASURES[which];
        for (const chart of charts) chart.draw();
      }),
    ),
    element('h3', {}, 'How long blocks live, from malloc to free, by their size in the end'),
    charts[0].element,
    element('h3', {}, 'What is asked for, by size'),
    charts[1].element,
    asTable({
      caption: 'Blocks by size and lifetime',
      heads: ['size', 'requests', 'bytes', ...used],
      rows: sizeNames.map((name, size) => [
        name,
        amount(total(size)?.calls ?? 0, countText),
        amount(total(size)?.bytes ?? 0, countText),
        ...used.map((lifetime) =>
          amount(
            cells.find((cell) => cell.size === size && lifetimeNames[cell.lifetime] === lifetime)
              ?.blocks ?? 0,
            countText,
          ),
        ),
      ]),
    }),
  );
}
