// The heaps of allocators, block by block, at a moment that a slider chooses.
// Usage: section = await heapMaps(data, moments, onTheme)
import * as Plot from '@observablehq/plot';
import { countText, shareText, sizeText, timeText } from '../js/report/text.js';
import { Chart, byteAxis } from './chart.js';
import { amount, choice, element, table } from './dom.js';
import { HeapPane } from './heap-pane.js';

const GUTTER = 64; // pixels for the axis, as in the maps

const STEP = 120; // milliseconds, when it plays

async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A heap's pictures: every one as it is, no longer as a difference. */
async function unpack(heap) {
  const all = await inflate(heap.pictures);
  for (let i = heap.cells; i < all.length; ++i) all[i] ^= all[i - heap.cells];
  return all;
}

/** Where the names of heaps stand at the ends of their lines: so far apart at least. */
function spread(heaps, distance) {
  const places = new Map();
  let lowest = -Infinity;
  for (const heap of heaps.toSorted((a, b) => a.heap.at(-1) - b.heap.at(-1))) {
    const place = Math.max(heap.heap.at(-1), lowest + distance);
    places.set(heap, place);
    lowest = place;
  }
  return places;
}

/** Heaps over the moments, as lines, above what is live. */
function sizesChart(data, heaps, isShown, moments) {
  const rows = (heap) => heap.heap.map((bytes, i) => ({ x: data.moments[i].event, bytes }));
  const dashes = ['', '6 3', '2 3', '9 3 2 3', '12 4', '4 4', '1 3', '8 2 1 2'];
  const options = () => {
    const shown = heaps.filter(isShown);
    const largest = Math.max(1, ...shown.map(({ peakHeap }) => peakHeap));
    const labels = spread(shown, largest / 9);
    return {
      height: 185,
      marginLeft: GUTTER,
      marginRight: 84,
      marginBottom: 40,
      x: { label: 'calls', labelAnchor: 'center', labelArrow: 'none', tickFormat: '~s' },
      y: { ...byteAxis(largest), ticks: 4 },
      marks: [
        Plot.areaY(data.moments, {
          x: 'event',
          y: 'bytes',
          fill: 'var(--used)',
          fillOpacity: 0.28,
        }),
        ...shown.flatMap((heap) => {
          const dash = dashes[heaps.indexOf(heap) % dashes.length];
          const last = rows(heap).slice(-1);
          const label = labels.get(heap);
          return [
            Plot.lineY(rows(heap), {
              x: 'x',
              y: 'bytes',
              stroke: 'var(--ink)',
              strokeWidth: 1.5,
              strokeDasharray: dash || undefined,
            }),
            Plot.text(last, {
              x: 'x',
              y: () => label,
              text: () => heap.name,
              dx: 6,
              textAnchor: 'start',
            }),
          ];
        }),
        Plot.ruleY([0], { stroke: 'var(--soft)' }),
      ],
    };
  };
  return new Chart('The size of each heap over the calls, above what is live', options, (x) =>
    moments.showNearest(({ event }) => Math.abs(event - x)),
  );
}

function numbersTable(heaps, index, live) {
  return table({
    caption: 'The heaps at this moment',
    heads: [
      'allocator',
      'heap',
      'used',
      'lost',
      'free',
      'gaps',
      'largest gap',
      'of the heap in use',
    ],
    rows: heaps.map((heap) => [
      heap.name,
      ...['heap', 'used', 'lost', 'free'].map((key) => amount(heap[key][index], sizeText)),
      amount(heap.gaps[index], countText),
      amount(heap.largest[index], sizeText),
      shareText(live, heap.heap[index]),
    ]),
  });
}

/** The slider and its buttons. */
function controls(data, moments) {
  const slider = element('input', {
    type: 'range',
    id: 'moment',
    min: 0,
    max: moments.list.length - 1,
    step: 1,
    'aria-label': 'the moment that is shown',
    oninput: () => moments.show(Number(slider.value)),
  });
  const said = element('output', { for: 'moment' });
  let timer;
  const play = element(
    'button',
    { type: 'button', class: 'primary', onclick: () => (timer ? stop() : start()) },
    '▶ play',
  );
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
    play.textContent = '▶ play';
  };
  const start = () => {
    if (moments.index === moments.list.length - 1) moments.show(0);
    play.textContent = '❚❚ pause';
    timer = setInterval(() => {
      moments.show(moments.index + 1);
      if (moments.index === moments.list.length - 1) stop();
    }, STEP);
  };
  const jump = (text, index) =>
    element('button', { type: 'button', onclick: () => (stop(), moments.show(index())) }, text);
  moments.onChange((moment, index) => {
    slider.value = index;
    const text = `after ${timeText(moment.time)}, call ${countText(moment.event + 1)} of ${countText(data.events)}`;
    const live = `${sizeText(moment.bytes)} live in ${countText(moment.blocks)} blocks`;
    slider.setAttribute('aria-valuetext', `${text}: ${live}`);
    said.replaceChildren(
      element('b', {}, live),
      ` ${text}${index === moments.peak ? ' · the peak' : ''}`,
    );
  });
  return element(
    'div',
    { class: 'controls' },
    play,
    jump('◀', () => moments.index - 1),
    slider,
    jump('▶', () => moments.index + 1),
    jump('peak', () => moments.peak),
    jump('end', () => moments.list.length - 1),
    said,
  );
}

/** The choice of allocators and of the scale, when there are several; `onChange` is called afterwards. */
function chooser(heaps, view, onChange) {
  const boxes = heaps.map(({ name }) => {
    const box = element('input', {
      type: 'checkbox',
      checked: true,
      value: name,
      onchange: () => {
        if (box.checked) view.hidden.delete(name);
        else if (view.hidden.size < heaps.length - 1) view.hidden.add(name);
        else box.checked = true;
        onChange();
      },
    });
    return element('label', {}, box, ` ${name}`);
  });
  const scales = choice('the scale', { one: 'one scale', own: 'each its own' }, (which) => {
    view.hasOneScale = which === 'one';
    onChange();
  });
  return element(
    'div',
    { class: 'chooser' },
    element('fieldset', { class: 'allocators' }, element('legend', {}, 'allocators'), boxes),
    scales,
  );
}

function legend(heaps) {
  const item = (kind, text) => element('li', {}, element('i', { class: `swatch ${kind}` }), text);
  const minimal = heaps.some(({ name }) => name === 'minimal') ? ', what minimal never reuses' : '';
  return element(
    'ul',
    { class: 'legend' },
    item('used', 'used: what the program has asked for'),
    item('free', 'free, or the allocator’s own data'),
    item('lost', `lost: heads, padding, what is rounded up${minimal}`),
  );
}

/**
 * @param {object} data
 * @param {import('./moments.js').Moments} moments
 * @param {(listener: () => void) => void} onTheme adds what is called when the colours have changed
 */
export async function heapMaps(data, moments, onTheme) {
  const heaps = data.heaps.filter(({ reason }) => !reason);
  const section = element(
    'section',
    { id: 'heap', 'aria-labelledby': 'heap-title' },
    element('header', {}, element('h2', { id: 'heap-title' }, 'The heap, block by block')),
    data.heaps
      .filter(({ reason }) => reason)
      .map(({ name, reason }) => element('p', { class: 'note wrong' }, `${name}: ${reason}`)),
  );
  if (heaps.length === 0) return section;
  const panes = await Promise.all(
    heaps.map(async (heap) => new HeapPane(heap, await unpack(heap))),
  );
  // With one scale what is larger looks larger.
  const view = { hidden: new Set(), hasOneScale: true };
  const isShown = ({ name }) => !view.hidden.has(name);
  const chart = sizesChart(data, heaps, isShown, moments);
  const numbers = element('div', { class: 'scroll' });
  const show = (moment, index) => {
    const shown = panes.filter(isShown);
    for (const pane of shown) {
      const alike = view.hasOneScale ? shown : [pane];
      pane.show(index, {
        cellBytes: Math.max(...alike.map(({ cellBytes }) => cellBytes)),
        bytes: Math.max(...alike.map(({ peakHeap }) => peakHeap)),
      });
    }
    numbers.replaceChildren(numbersTable(heaps.filter(isShown), index, moment.bytes));
    chart.mark(moment.event);
  };
  const onChoice = () => {
    for (const pane of panes) pane.element.hidden = !isShown(pane);
    chart.draw();
    show(moments.current, moments.index);
  };
  moments.onChange(show);
  onTheme(() => panes.forEach((pane) => pane.draw()));
  if (heaps.length > 1) section.querySelector('header').append(chooser(heaps, view, onChoice));
  const whose = heaps.length === 1 ? heaps[0].name : 'each allocator';
  section.append(
    element(
      'p',
      { class: 'lead' },
      `The trace, replayed on ${whose}: linear memory from the first address of the heap, top left, to its last.`,
    ),
    controls(data, moments),
    chart.element,
    legend(heaps),
    element(
      'div',
      { class: 'panes' },
      panes.map((pane) => pane.element),
    ),
    numbers,
  );
  return section;
}
