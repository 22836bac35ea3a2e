// The page of a report: puts its parts together.
import { countText, shareText, sizeText, timeText } from '../js/report/text.js';
import { amount, element } from './dom.js';
import { heapMaps } from './heap-map.js';
import { holders } from './holders.js';
import { lifetimes } from './lifetimes.js';
import { Moments } from './moments.js';
import { overTime } from './over-time.js';

const data = JSON.parse(document.getElementById('data').textContent);
const { description, peak, left, events } = data;

// ---- light and dark ----

const THEMES = { auto: 'system colours', light: 'light', dark: 'dark' };
const onThemeChange = [];

function themeSwitch() {
  const root = document.documentElement;
  const button = element('button', { type: 'button', class: 'theme' });
  const apply = (theme) => {
    root.dataset.theme = theme;
    button.textContent = THEMES[theme];
    button.setAttribute('aria-label', `colours: ${THEMES[theme]}`);
    for (const listener of onThemeChange) listener();
  };
  button.addEventListener('click', () => {
    const names = Object.keys(THEMES);
    apply(names[(names.indexOf(root.dataset.theme) + 1) % names.length]);
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () =>
    apply(root.dataset.theme),
  );
  apply(root.dataset.theme);
  return button;
}

// ---- what stands above all ----

const SECTIONS = {
  time: 'Memory over time',
  heap: 'The heap',
  peak: 'At the peak',
  sizes: 'Sizes and lifetimes',
  left: 'Left at the end',
};

function figure(value, label, note = '') {
  return element(
    'div',
    {},
    element('dt', {}, label),
    element('dd', {}, value, note ? element('small', {}, note) : ''),
  );
}

function top() {
  const recorded = new Date(description.started).toISOString().slice(0, 16).replace('T', ' ');
  const kinds = Object.entries(data.kinds).filter(([, count]) => count);
  return element(
    'header',
    { class: 'top' },
    element(
      'div',
      { class: 'title' },
      element('h1', {}, description.program, element('span', {}, ' memory report')),
      element(
        'p',
        {},
        `recorded ${recorded} UTC with ${description.allocator}, ${data.threads} ${data.threads === 1 ? 'thread' : 'threads'}`,
      ),
      themeSwitch(),
    ),
    warning(),
    element(
      'dl',
      { class: 'figures' },
      figure(
        amount(peak.bytes, sizeText),
        'live at the peak',
        `in ${countText(peak.blocks)} blocks`,
      ),
      figure(
        amount(data.peakHeap, sizeText),
        'largest heap',
        `${shareText(peak.bytes, data.peakHeap)} of it live at the peak`,
      ),
      figure(
        amount(events, countText),
        'calls',
        kinds.map(([name, count]) => `${countText(count)} ${name}`).join(', '),
      ),
      figure(
        amount(data.duration, timeText),
        'time',
        data.failed
          ? `${countText(data.failed)} calls got no memory`
          : 'from the first call to the last',
      ),
      figure(
        amount(left.bytes, sizeText),
        'left at the end',
        `in ${countText(left.blocks)} blocks`,
      ),
    ),
    element(
      'nav',
      { 'aria-label': 'parts of the report' },
      Object.entries(SECTIONS).map(([id, text]) => element('a', { href: `#${id}` }, text)),
    ),
  );
}

/** What the reader must know before all else. */
function warning() {
  const { end, fault } = data;
  const lines = [];
  if (fault) lines.push(`Only the beginning of the trace could be read: ${fault}.`);
  if (end && end.reason !== 'exit')
    lines.push(
      `The program has ended by an ${end.reason}${end.message ? `: ${end.message}` : ''}.`,
    );
  if (data.unknown)
    lines.push(
      `${countText(data.unknown)} calls of free were about addresses at which no block stood.`,
    );
  return lines.length
    ? element(
        'div',
        { class: 'warning', role: 'alert' },
        lines.map((line) => element('p', {}, line)),
      )
    : undefined;
}

async function show() {
  const page = document.getElementById('page');
  document.title = `${description.program}: memory report`;
  if (events === 0) {
    page.replaceChildren(
      top(),
      element('p', { class: 'lead' }, 'The program has asked for no memory.'),
    );
    return;
  }
  const moments = new Moments(data.moments, peak.event);
  const { names } = data.holders;
  const hasStacks = description.stacks;
  const head = top();
  const peakText = `The program held most ${timeText(peak.time)} after its beginning, when ${countText(peak.event + 1)} calls had been made: ${sizeText(peak.bytes)} in ${countText(peak.blocks)} blocks.`;
  const leftText = left.blocks
    ? `When the trace ends, ${countText(left.blocks)} blocks have not been given back, ${sizeText(left.bytes)} in all. What is kept on purpose until the end is no leak; what grows with time is.`
    : 'Everything has been given back: there are no leaks.';
  page.replaceChildren(
    head,
    element(
      'main',
      {},
      overTime(data, moments),
      await heapMaps(data, moments, (listener) => onThemeChange.push(listener)),
      holders({
        id: 'peak',
        title: 'Who holds the memory at the peak',
        lead: peakText,
        holders: data.holders.peak,
        names,
        hasStacks,
        explains: !hasStacks,
        caption: 'Memory at the peak',
      }),
      lifetimes(data),
      holders({
        id: 'left',
        title: 'Left at the end',
        lead: leftText,
        holders: data.holders.end,
        names,
        hasStacks,
        explains: false,
        caption: 'Memory that has not been given back',
      }),
    ),
    element(
      'footer',
      {},
      'Made by ',
      element('b', {}, 'wasmalloc report'),
      '. Times are too early by fifteen calls at most. The licences of the libraries that draw this page are in its source.',
    ),
  );
  moments.show(moments.peak);
}

show().then(() => {
  document.documentElement.dataset.ready = 'true';
});
