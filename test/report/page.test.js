// The page that npx wasmalloc report makes, in a browser, against numbers that the test counts itself.
// With SCREENSHOTS=folder it leaves pictures there, in a folder for each browser: of its own trace, or of another one, TRACE=file.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { sizeText } from '../../js/report/text.js';
import { describeInBrowsers } from '../support/browser.js';
import { temporaryFolder } from '../support/emcc.js';
import { STACKS, command, countAll, program, sumBy, writeTraceFile } from './support.js';

const { SCREENSHOTS, TRACE } = process.env;

const ALLOCATORS = ['wasmalloc', 'dlmalloc', 'minimal'];

/** A stack as the page has it: names of functions, the innermost last. */
const pathOf = ({ stack }) =>
  STACKS[stack]
    .split('\n')
    .map((frame) => frame.split('\t')[0])
    .reverse()
    .join(' › ');

describeInBrowsers('the page of npx wasmalloc report', function (browser) {
  const folder = temporaryFolder('wasmalloc-report-');
  const events = [...program(20_000)];
  const { after: live, peak, end } = countAll(events);
  let page, close;
  const faults = [];
  const requests = [];

  /** Makes a report of a trace and opens it from the disk. */
  async function open(name, trace, allocators) {
    const files = ['trace', 'html'].map((ending) => path.join(folder, `${name}.${ending}`));
    writeTraceFile(files[0], ...trace);
    await openReport(...files, allocators);
  }

  async function openReport(trace, html, allocators) {
    const args = ['report', trace, '-o', html, '--allocators', allocators.join()];
    const { status, stderr } = command(args);
    assert.equal(status, 0, stderr);
    await page.goto(pathToFileURL(html).href);
    await page.locator('html[data-ready]').waitFor({ state: 'attached' });
  }

  const numbersIn = (place) =>
    page.locator(`${place} data`).evaluateAll((all) => all.map(({ value }) => Number(value)));
  const figure = async (label) =>
    Number(
      await page
        .locator('.figures div', { has: page.getByText(label, { exact: true }) })
        .locator('data')
        .getAttribute('value'),
    );
  const slider = () => page.getByRole('slider');
  const shownCall = async () =>
    Number(
      /call ([\d,]+) of/.exec(await slider().getAttribute('aria-valuetext'))[1].replaceAll(',', ''),
    );

  before(async () => {
    ({ page, close } = await browser.open(() => undefined));
    await page.goto('about:blank');
    page.on('pageerror', (error) => faults.push(error.stack));
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text());
    });
    page.on('request', (request) => requests.push(request.url()));
    const description = { stacks: true, program: 'app <b>', threads: true };
    await open('app', [events, { description, stacks: STACKS }], ALLOCATORS);
  });
  after(() => close?.());
  afterEach(() => assert.deepEqual(faults.splice(0), []));

  it('needs no other file', () => {
    const own = requests.filter((url) => /^file:.*app\.html$/.test(url));
    assert.deepEqual(requests, own);
    // Firefox does not tell of what it reads from the disk.
    assert.equal(own.length, browser.name === 'Firefox' ? 0 : 1);
  });

  it('has the figures', async () => {
    assert.equal(await page.locator('h1').textContent(), 'app <b> memory report');
    assert.equal(await figure('live at the peak'), peak.bytes);
    assert.equal(await figure('largest heap'), Math.max(...events.map(({ heap }) => heap)));
    assert.equal(await figure('calls'), events.length);
    assert.equal(await figure('time'), events.at(-1).time);
    assert.equal(await figure('left at the end'), end.bytes);
    const left = page.locator('.figures div').last();
    assert.ok((await left.textContent()).includes(`in ${end.blocks.length} blocks`));
  });

  it('draws memory over time, by time and by calls', async () => {
    await page.locator('#time summary').click();
    const rows = await page.locator('#time tbody tr').count();
    const numbers = await numbersIn('#time tbody');
    assert.ok(rows > 10);
    for (let row = 0; row < rows; ++row) {
      const [call, time, bytes, blocks, heap] = numbers.slice(5 * row);
      const event = events[call - 1];
      const expected = [event.time, live[call - 1].bytes, live[call - 1].blocks, event.heap];
      assert.deepEqual([time, bytes, blocks, heap], expected);
    }
    const chart = page.locator('#time svg');
    assert.match(await chart.getAttribute('aria-label'), new RegExp(sizeText(peak.bytes)));
    const before = await chart.innerHTML();
    await page.getByRole('button', { name: 'by calls' }).click();
    assert.notEqual(await page.locator('#time svg').innerHTML(), before);
    assert.match(await page.locator('#time svg').innerHTML(), /peak: /);
  });

  it('shows the heaps at the moment of the slider, by keyboard', async () => {
    await slider().focus();
    const last = Number(await slider().getAttribute('max'));
    assert.ok(last >= 199);
    for (const [key, moment] of [
      ['Home', 0],
      ['ArrowRight', 1],
      ['PageUp', undefined],
      ['End', last],
      ['ArrowLeft', last - 1],
    ]) {
      await page.keyboard.press(key);
      if (moment !== undefined) assert.equal(Number(await slider().inputValue()), moment);
      const call = await shownCall();
      const rows = await numbersIn('#heap tbody');
      for (const [i, name] of ALLOCATORS.entries()) {
        const [heap, used, lost, free] = rows.slice(6 * i);
        assert.equal(used, live[call - 1].bytes, `${name} after call ${call}`);
        assert.equal(used + lost + free, heap, name);
      }
    }
    assert.equal(
      await shownCall(),
      Math.round(((last - 2) * (events.length - 1)) / (last - 1)) + 1,
    );
    await page.getByRole('button', { name: 'peak', exact: true }).click();
    assert.equal(await shownCall(), peak.event + 1);
  });

  it('follows a click on a chart', async () => {
    const box = await page.locator('#time .chart').boundingBox();
    await page.locator('#time .chart').click({ position: { x: 60, y: 100 } });
    assert.ok((await shownCall()) < 0.05 * events.length);
    await page.locator('#time .chart').click({ position: { x: box.width - 26, y: 100 } });
    assert.ok((await shownCall()) > 0.95 * events.length);
  });

  it('plays, and stops at the end', async () => {
    const last = Number(await slider().getAttribute('max'));
    await slider().fill(String(last - 3));
    await page.getByRole('button', { name: 'play' }).click();
    await page.getByRole('button', { name: 'play' }).waitFor();
    assert.equal(Number(await slider().inputValue()), last);
  });

  it('draws each heap as it is', async () => {
    await page.getByRole('button', { name: 'peak', exact: true }).click();
    await page.getByRole('button', { name: 'each its own' }).click();
    const rows = await numbersIn('#heap tbody');
    for (const [i, name] of ALLOCATORS.entries()) {
      const [heap, used, lost] = rows.slice(6 * i);
      const canvas = page.locator(`[data-heap="${name}"] canvas`);
      assert.match(await canvas.getAttribute('aria-label'), new RegExp(`${sizeText(used)} used`));
      const painted = await canvas.evaluate((element) => {
        const style = getComputedStyle(document.documentElement);
        const colour = (name) =>
          [1, 3, 5].map((at) => parseInt(style.getPropertyValue(name).slice(at, at + 2), 16));
        const kinds = ['--used', '--lost-map', '--free-map', '--free-line', '--faint'].map(colour);
        const pixels = element
          .getContext('2d')
          .getImageData(64, 0, element.width - 64, element.height).data;
        const counts = [0, 0, 0, 0, 0];
        for (let at = 0; at < pixels.length; at += 4) {
          if (pixels[at + 3] < 128) continue;
          const distance = kinds.map((kind) =>
            Math.hypot(...kind.map((value, j) => value - pixels[at + j])),
          );
          const nearest = Math.min(...distance);
          if (nearest < 60) ++counts[distance.indexOf(nearest)];
        }
        // The last is what lies behind the heap.
        return counts.slice(0, -1);
      });
      const all = painted.reduce((sum, count) => sum + count);
      // Cells have sixteen levels, and the hatching of what is lost is of no colour here.
      assert.ok(
        Math.abs(painted[0] / all - used / heap) < 0.1,
        `${name}: ${painted}, ${used / heap}`,
      );
      assert.ok(
        Math.abs(painted[1] / all - lost / heap) < 0.12,
        `${name}: ${painted}, ${lost / heap}`,
      );
    }
  });

  it('says what is in a cell, with the mouse and by keyboard', async () => {
    const pane = page.locator('[data-heap="wasmalloc"]');
    const said = pane.locator('.status');
    await pane.locator('canvas').focus();
    await page.keyboard.press('ArrowRight');
    assert.match(await said.textContent(), /^bytes 0 to \d+ of the heap: \d+ % used, \d+ % lost/);
    await page.keyboard.press('ArrowRight');
    assert.doesNotMatch(await said.textContent(), /^bytes 0 /);
    await pane.locator('canvas').hover({ position: { x: 65, y: 1 } });
    assert.match(await said.textContent(), /^bytes 0 to/);
  });

  it('hides heaps, but not all', async () => {
    const box = (name) => page.getByRole('checkbox', { name });
    for (const name of ALLOCATORS) await box(name).click();
    const last = ALLOCATORS.at(-1);
    for (const name of ALLOCATORS) {
      assert.equal(await box(name).isChecked(), name === last, name);
      assert.equal(await page.locator(`[data-heap="${name}"]`).isVisible(), name === last, name);
    }
    assert.equal(await page.locator('#heap tbody tr').count(), 1);
    for (const name of ALLOCATORS.slice(0, -1)) await box(name).click();
    assert.equal(await page.locator('#heap tbody tr').count(), ALLOCATORS.length);
  });

  for (const [id, blocks, what] of [
    ['peak', peak.blocks, 'at the peak'],
    ['left', end.blocks, 'at the end'],
  ])
    it(`says who holds the memory ${what}`, async () => {
      const expected = sumBy(blocks, pathOf);
      const frames = await page
        .locator(`#${id} [role=treeitem]`)
        .evaluateAll((all) =>
          all.map(({ dataset }) => [dataset.name, Number(dataset.depth), Number(dataset.bytes)]),
        );
      // Each frame has what the stacks hold that go through it.
      const sums = {};
      for (const [stack, bytes] of Object.entries(expected))
        ['all of it', ...stack.split(' › ')].forEach((name, depth, names) => {
          const key = names.slice(0, depth + 1).join();
          sums[key] ??= [name, depth, 0];
          sums[key][2] += bytes;
        });
      const sorted = (rows) => rows.map(String).sort();
      assert.deepEqual(sorted(frames), sorted(Object.values(sums)));

      const rows = page.locator(`#${id} .holders tbody tr`);
      assert.equal(await rows.count(), Object.keys(expected).length);
      const numbers = await numbersIn(`#${id} .holders tbody`);
      const inOrder = Object.values(expected).sort((a, b) => b - a);
      assert.deepEqual(
        numbers.filter((_, i) => i % 2 === 0),
        inOrder,
      );
      const counted = numbers.filter((_, i) => i % 2).reduce((sum, count) => sum + count);
      assert.equal(counted, blocks.length);
    });

  it('looks closer at a part of the flame graph, by keyboard', async () => {
    const item = (name) => page.locator(`#peak [role=treeitem][data-name="${name}"]`);
    const width = async (name) => (await item(name).boundingBox()).width;
    const narrow = await width('grow');
    await item('all of it').focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    const name = await page.evaluate(() => document.activeElement.dataset.name);
    assert.ok(['parse', 'open <file> & "co"'].includes(name), name);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowLeft');
    await item('grow').click();
    assert.ok((await width('grow')) > narrow * 2);
    assert.match(
      await page.locator('#peak .status').textContent(),
      / in \d+ blocks main › parse › grow$/,
    );
    await page.keyboard.press('Escape');
    assert.ok(Math.abs((await width('grow')) - narrow) < 1);
  });

  it('unfolds a stack, with the places where all agree', async () => {
    const row = page.locator('#peak .holders tr', { hasText: 'allocate' });
    await row.locator('summary').click();
    const lines = await row.locator('li').allTextContents();
    assert.deepEqual(
      lines.map((line) => line.trim()),
      ['allocate wasm-function[5]:0x10', 'parse', 'main wasm-function[9]:0x30'],
    );
  });

  it('finds a function', async () => {
    await page.locator('#peak input[type=search]').fill('GROW');
    assert.equal(await page.locator('#peak .holders tbody tr').count(), 1);
    assert.equal(await page.locator('#peak .dim[data-name="allocate"]').count(), 1);
    assert.equal(await page.locator('#peak .dim[data-name="grow"]').count(), 0);
    await page.locator('#peak input[type=search]').fill('');
    assert.equal(await page.locator('#peak .dim').count(), 0);
  });

  it('counts sizes and lifetimes', async () => {
    await page.locator('#sizes summary').click();
    const heads = (await page.locator('#sizes thead th').allTextContents()).slice(3);
    const rows = await page.locator('#sizes tbody tr').count();
    const numbers = await numbersIn('#sizes tbody');
    const table = Array.from({ length: rows }, (_, row) =>
      numbers.slice(row * (heads.length + 2), (row + 1) * (heads.length + 2)),
    );
    const requests = events.filter(({ kind }) => kind !== 'free');
    for (const [row, [calls, bytes]] of table.entries()) {
      const inClass = requests.filter(
        ({ size }) => size <= 16 * 2 ** row && (row === 0 || size > 8 * 2 ** row),
      );
      assert.equal(calls, inClass.length);
      assert.equal(
        bytes,
        inClass.reduce((sum, { size }) => sum + size, 0),
      );
    }
    const forEver = heads.indexOf('to the end') + 2;
    const sum = (column) => table.reduce((total, row) => total + row[column], 0);
    assert.equal(sum(forEver), end.blocks.length);
    const ended = heads.slice(0, -1).reduce((total, _, i) => total + sum(i + 2), 0);
    assert.equal(ended, events.filter(({ kind }) => kind === 'free').length);
    // By time: from the last malloc of an address to its free.
    const born = new Map();
    let short = 0;
    for (const { kind, previous, address, time } of events) {
      const since = born.get(previous) ?? time;
      born.delete(previous);
      if (address) born.set(address, since);
      else if (kind === 'free' && time - since < 10_000) ++short;
    }
    const isShort = (head) => /µs|to [1-9]0? ms/.test(head);
    const shown = heads.reduce((total, head, i) => total + (isShort(head) ? sum(i + 2) : 0), 0);
    assert.equal(shown, short);
    await page.locator('#sizes').getByRole('button', { name: 'bytes' }).click();
    assert.match(await page.locator('#sizes svg').last().innerHTML(), /bytes/);
  });

  /** The colours of the page and of a heap. */
  const colours = () =>
    page.locator('[data-heap="wasmalloc"] canvas').evaluate((canvas) => ({
      background: getComputedStyle(document.body).backgroundColor,
      heap: String(canvas.getContext('2d').getImageData(66, 2, 1, 1).data),
    }));

  /** Waits for a heap of another colour than `old`: a page hears of the system's colours with its next frame. */
  const otherColours = async (old) => {
    for (;;) {
      const now = await colours();
      if (now.heap !== old.heap) return now;
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
    }
  };

  it('is light or dark, as one likes', async () => {
    const light = await colours();
    const button = page.locator('.theme');
    await button.click();
    assert.deepEqual(await colours(), light);
    await button.click();
    const dark = await colours();
    assert.notEqual(dark.background, light.background);
    assert.notEqual(dark.heap, light.heap);
    await button.click();
    assert.deepEqual(await colours(), light);
  });

  browser.itEmulates('is light or dark, as the system is', async () => {
    const light = await colours();
    await page.emulateMedia({ colorScheme: 'dark' });
    const dark = await otherColours(light);
    assert.notEqual(dark.background, light.background);
    await page.emulateMedia({ colorScheme: 'light' });
    assert.deepEqual(await otherColours(dark), light);
  });

  it('can be reached by keyboard, and shows where one is', async () => {
    await page.locator('body').click({ position: { x: 1, y: 1 } });
    const reached = new Set();
    for (let i = 0; i < 60; ++i) {
      await page.keyboard.press('Tab');
      const [what, outline] = await page.evaluate(() => {
        const { activeElement: at } = document;
        return [`${at.closest('section')?.id}:${at.localName}`, getComputedStyle(at).outlineStyle];
      });
      reached.add(what);
      if (!what.endsWith(':body')) assert.notEqual(outline, 'none', what);
    }
    for (const what of [
      'time:button',
      'time:summary',
      'heap:input',
      'heap:canvas',
      'peak:button',
      'peak:summary',
      'sizes:button',
      'left:button',
    ])
      assert.ok(reached.has(what), `${what} of ${[...reached].join(' ')}`);
  });

  it('is not wider than a small window', async () => {
    const before = page.viewportSize();
    await page.setViewportSize({ width: 360, height: 700 });
    await page.waitForFunction(() => document.querySelector('canvas').clientWidth < 360);
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
    await page.setViewportSize(before);
  });

  it('without stacks tells memory apart by thread and size, and says how to get stacks', async () => {
    await open('plain', [events], ['linked']);
    const expected = sumBy(peak.blocks, ({ thread }) => `thread ${thread}`);
    for (const [name, bytes] of Object.entries(expected)) {
      const frame = page.locator(`#peak [role=treeitem][data-name="${name}"]`);
      assert.equal(Number(await frame.getAttribute('data-bytes')), bytes);
    }
    assert.match(await page.locator('#peak .note').textContent(), /:trace=stacks/);
  });

  it('says what the reader must know', async () => {
    const some = events.slice(0, 100);
    const end = { reason: 'abort', message: 'out of <memory>' };
    await open('abort', [[...some, { kind: 'free', previous: 8 }], { end }], ['bins']);
    const warning = await page.locator('.warning').textContent();
    assert.match(warning, /ended by an abort: out of <memory>/);
    assert.match(warning, /^.*1 calls? of free/);
    await open('killed', [some, { end: null }], ['bins']);
    assert.match(await page.locator('.warning').textContent(), /Only the beginning .* cut off/);
  });

  it('of a program that asks for nothing is short', async () => {
    await open('empty', [[]], ['bins']);
    assert.match(await page.locator('#page').textContent(), /has asked for no memory/);
    const events = [
      { kind: 'malloc', size: 10, address: 1024 },
      { kind: 'free', previous: 1024 },
    ];
    await open('none-left', [events], ['bins']);
    assert.match(await page.locator('#left').textContent(), /no leaks/);
  });

  if (SCREENSHOTS)
    it('leaves pictures', async () => {
      const pictures = path.join(SCREENSHOTS, browser.name);
      mkdirSync(pictures, { recursive: true });
      const trace = TRACE ?? path.join(folder, 'app.trace');
      await openReport(trace, path.join(folder, 'pictures.html'), ['wasmalloc', 'mimalloc']);
      await page.setViewportSize({ width: 1280, height: 860 });
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme });
        for (const [id, name] of Object.entries({ page: 'top', heap: 'heap', peak: 'peak' })) {
          await page.locator(`#${id}`).evaluate((part) => part.scrollIntoView());
          await page.screenshot({
            path: path.join(pictures, `report-${name}-${colorScheme}.png`),
          });
        }
      }
    });
});
