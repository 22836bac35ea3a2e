// The playground as a reader uses it, in browsers. With SCREENSHOTS=folder it leaves
// pictures there, in a folder for each browser.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { serveSite } from '../../scripts/site.mjs';
import { readScript } from '../../site/script.js';
import { Simulation } from '../../site/simulation.js';
import { describeInBrowsers } from '../support/browser.js';
import { load, names, site } from './support.js';

const SCREENSHOTS = process.env.SCREENSHOTS;

const SCRIPT = `repeat 8 { alloc 24 }
free every 2
b1 = alloc 100
b1 = realloc b1 180
free newest
alloc 8`;

describeInBrowsers('the playground', (browser) => {
  let page, close, server, address;
  const faults = [];
  const foreign = [];
  before(async () => {
    server = await serveSite(0, await site);
    address = `http://127.0.0.1:${server.address().port}/`;
    ({ page, close } = await browser.open(() => undefined));
    await page.emulateMedia({ reducedMotion: 'reduce' });
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      // The empty page has no icon.
      if (message.type() === 'error' && message.location().url.startsWith(address))
        faults.push(`${message.text()} ${message.location().url}`);
    });
    page.on('request', (request) => {
      if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(address))
        foreign.push(request.url());
    });
  });
  after(async () => {
    await close?.();
    server?.close();
  });
  afterEach(() => {
    assert.deepEqual(faults.splice(0), [], 'the page reports no fault');
    assert.deepEqual(foreign.splice(0), [], 'the page asks no other host');
  });

  /** Opens the page, anew, at a place. */
  async function open({ allocators = ['linked'], script = SCRIPT, call, line } = {}) {
    const state = new URLSearchParams({ a: allocators.join(','), script });
    if (call !== undefined) state.set('call', call);
    if (line !== undefined) state.set('line', line);
    await page.goto('about:blank');
    await page.goto(`${address}#${state}`);
    await page.waitForSelector('.pane');
  }

  async function screenshot(name) {
    if (!SCREENSHOTS) return;
    const pictures = path.join(SCREENSHOTS, browser.name);
    mkdirSync(pictures, { recursive: true });
    await page.screenshot({ path: path.join(pictures, `playground-${name}.png`) });
  }

  const pane = (name) => page.locator(`[data-allocator="${name}"]`);

  /** What a pane shows: the blocks that are drawn, the lists, the numbers. */
  const shown = (name) =>
    pane(name).evaluate((element) => {
      const numbers = ({ dataset }) => [Number(dataset.start), Number(dataset.size), dataset.kind];
      return {
        blocks: [...element.querySelectorAll('.heap .block')].map(numbers),
        lists: [...element.querySelectorAll('.list')].map((list) => [
          list.dataset.list,
          ...[...list.querySelectorAll('.node')].map(({ dataset }) => Number(dataset.start)),
        ]),
        size: Number(element.querySelector('[data-sum=size]').textContent.replace(/\D/g, '')),
        current: [...element.querySelectorAll('.line.current')].map((line) => line.dataset.line),
        ran: element.querySelectorAll('.line.ran').length,
      };
    });

  const place = async () => {
    const [call, line] = await page.locator('.count b').allTextContents();
    return [Number(call), Number(line)];
  };

  /** Waits until the page is at a place. */
  const waitForPlace = (call, line) =>
    page.waitForFunction(
      ([wantedCall, wantedLine]) => {
        const [a, b] = [...document.querySelectorAll('.count b')].map(({ textContent }) =>
          Number(textContent),
        );
        return a === wantedCall && (wantedLine === undefined || b === wantedLine);
      },
      [call, line],
    );

  for (const name of names)
    it(`shows the blocks and lists of ${name}`, async () => {
      const allocator = await load(name);
      const simulation = await Simulation.run(allocator, readScript(SCRIPT));
      await open({ allocators: [name], call: 0 });
      assert.match(await pane(name).textContent(), /The heap is empty/);
      for (let call = 4; call <= simulation.requests.length; call += 4) {
        for (let step = 0; step < 4; ++step) await page.keyboard.press('ArrowRight');
        await waitForPlace(call, simulation.results[call - 1].statements);
        const { blocks, lists, size } = await shown(name);
        const heap = allocator.read(simulation.memoryAfter(call), simulation.layout);
        const { freed } = simulation.programView(call);
        const lost = ({ start, kind }) => kind === 'used' && freed.has(start + 4);
        assert.deepEqual(
          blocks,
          heap.blocks.map((block) => [block.start, block.size, lost(block) ? 'lost' : block.kind]),
        );
        assert.deepEqual(
          lists,
          heap.lists.map((list) => [list.name, ...list.blocks]),
        );
        assert.equal(size, heap.end - heap.first);
      }
      await screenshot(name);
    });

  it('goes through a request line by line, and back', async () => {
    const allocator = await load('linked');
    const simulation = await Simulation.run(allocator, readScript(SCRIPT));
    const index = simulation.requests.findIndex(({ kind }) => kind === 'free');
    const recording = await simulation.record(index);
    await open({ call: index });
    const before = await shown('linked');
    for (let line = 0; line < recording.length; ++line) {
      await page.keyboard.press('Shift+ArrowRight');
      await waitForPlace(index + 1, line);
      const { blocks, current } = await shown('linked');
      const [, from, to] = allocator.tables.steps[recording[line].step];
      assert.deepEqual(
        current.map(Number),
        Array.from({ length: to - from + 1 }, (_, i) => from + i),
      );
      const memory = simulation.memoryDuring(index, recording, line);
      const heap = allocator.read(memory, simulation.layout);
      assert.deepEqual(
        blocks.map(([start, size]) => [start, size]),
        heap.blocks.map(({ start, size }) => [start, size]),
      );
    }
    await page.keyboard.press('Shift+ArrowRight');
    await waitForPlace(index + 1, recording.length);
    assert.equal((await shown('linked')).current.length, 0);
    await page.keyboard.press('ArrowLeft');
    await waitForPlace(index);
    assert.deepEqual((await shown('linked')).blocks, before.blocks);
    await page.keyboard.press('Shift+ArrowLeft');
    const statements = simulation.results[index - 1].statements;
    await waitForPlace(index, statements - 1);
  });

  it('draws variables that point into the heap', async () => {
    await open({ call: 12, line: 12 });
    const variables = await pane('linked').locator('.variables').textContent();
    const pointers = await pane('linked')
      .locator('.pointer')
      .evaluateAll((elements) =>
        elements.map(({ dataset }) => [dataset.pointer.split(', ')[0], dataset.address]),
      );
    assert.ok(pointers.length > 0);
    for (const [name, at] of pointers) assert.match(variables, new RegExp(`${name}\\s+${at}`));
    await screenshot('lines');
  });

  it('is driven by hand, with the mouse', async () => {
    await open({ script: 'a = alloc 24', call: 1 });
    await page.getByRole('spinbutton').click();
    await page.keyboard.press('ControlOrMeta+a');
    await page.keyboard.type('100');
    await page.getByRole('button', { name: 'alloc', exact: true }).click();
    await waitForPlace(2);
    await pane('linked').locator('.block.used').nth(1).locator('.fill').first().click();
    await page.getByRole('button', { name: 'free', exact: true }).click();
    await waitForPlace(3);
    const script = page.getByRole('textbox', { name: 'script' });
    assert.equal(await script.inputValue(), 'a = alloc 24\nalloc 100\nfree b');
    const { blocks } = await shown('linked');
    assert.deepEqual(
      blocks.map(([, size, kind]) => [size, kind]),
      [
        [32, 'used'],
        [104, 'free'],
      ],
    );
  });

  it('is driven by keyboard alone', async () => {
    await open({ script: 'a = alloc 24\nfree a', call: 1 });
    const reach = async (label) => {
      for (let i = 0; i < 60; ++i) {
        await page.keyboard.press('Tab');
        const name = await page.evaluate(() => {
          const { ariaLabel, textContent, tagName } = document.activeElement;
          return tagName === 'BODY' ? '' : (ariaLabel ?? textContent).trim();
        });
        if (name === label) return;
      }
      assert.fail(`${label} is not reached by Tab`);
    };
    await reach('block');
    await page.keyboard.press('a');
    await reach('one call on');
    await page.keyboard.press('Enter');
    await waitForPlace(2);
    await reach('Play');
    const outline = await page.evaluate(
      () => getComputedStyle(document.activeElement).outlineStyle,
    );
    assert.notEqual(outline, 'none');
  });

  it('plays', async () => {
    await open({ call: 0 });
    await page.getByLabel('speed').fill('5');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Play' }).click();
    await waitForPlace(readScript(SCRIPT).length);
    await page.getByRole('button', { name: 'Play' }).waitFor();
  });

  it('says what is wrong with a script, and in which line', async () => {
    await open();
    const script = page.getByRole('textbox', { name: 'script' });
    await script.fill('a = alloc 24\nfree b');
    const alert = page.getByRole('alert');
    await alert.filter({ hasText: 'line 2: there is no block called b' }).waitFor();
    assert.equal(await page.locator('.numbers .error').textContent(), '2');
    await script.fill('a = alloc 24\nfree a');
    await page.waitForFunction(() => document.querySelector('[role=alert]').textContent === '');
    await page.keyboard.press('Home'); // belongs to the text
    assert.notEqual((await place())[0], 0);
  });

  it('keeps what it shows in its address', async () => {
    await open({ allocators: ['doubly', 'wasmalloc'], call: 16, line: 5 });
    await page.keyboard.press('Shift+ArrowRight');
    await waitForPlace(16, 6);
    await page.waitForFunction(() => location.hash.includes('line=6'));
    const [first, second] = [await shown('doubly'), await shown('wasmalloc')];
    await page.reload();
    await waitForPlace(16, 6);
    assert.deepEqual([await shown('doubly'), await shown('wasmalloc')], [first, second]);
  });

  it('starts with something to see, and teaches the five in order', async () => {
    await page.goto('about:blank');
    await page.goto(address);
    await page.waitForSelector('.pane');
    const chapters = page.locator('[data-chapter]');
    assert.deepEqual(
      await chapters.evaluateAll((buttons) => buttons.map(({ dataset }) => dataset.chapter)),
      names,
    );
    for (const name of names) {
      await page.locator(`[data-chapter="${name}"]`).click();
      await pane(name).waitFor();
      assert.ok((await shown(name)).blocks.length > 0);
      assert.ok((await page.locator('.lesson').textContent()).length > 400);
    }
  });

  it('compares two allocators', async () => {
    await open({ allocators: ['linked'], call: 16 });
    await page.getByLabel('compare with').selectOption('bins');
    await pane('bins').waitFor();
    for (const name of ['linked', 'bins']) {
      const allocator = await load(name);
      const simulation = await Simulation.run(allocator, readScript(SCRIPT));
      const heap = allocator.read(simulation.memoryAfter(16), simulation.layout);
      assert.equal((await shown(name)).size, heap.end - heap.first);
      const bars = page.locator(`[data-bars="${name}"] .bar`);
      assert.equal(await bars.count(), simulation.requests.length);
    }
    await screenshot('compare');
  });

  /** Whether the page is dark. */
  const isDark = () =>
    page.evaluate(() => {
      const { backgroundColor } = getComputedStyle(document.body);
      return Math.max(...backgroundColor.match(/\d+/g).slice(0, 3).map(Number)) < 100;
    });

  it('suits wide and narrow, light and dark as one likes', async () => {
    await open({ allocators: ['wasmalloc'], call: 16 });
    const button = page.getByRole('button', { name: 'change the colours' });
    try {
      for (const colours of ['light', 'dark']) {
        await button.click();
        assert.equal(await isDark(), colours === 'dark');
        for (const width of [340, 800, 1440]) {
          await page.setViewportSize({ width, height: 1000 });
          // The page is laid out anew some time after its window has changed.
          const fits = () =>
            page.waitForFunction((wanted) => {
              const { scrollWidth, clientWidth } = document.scrollingElement;
              return innerWidth === wanted && scrollWidth === clientWidth;
            }, width);
          await assert.doesNotReject(fits, `nothing is wider than ${width} pixels`);
          await screenshot(`${colours}-${width}`);
        }
      }
      await button.click();
    } finally {
      await page.setViewportSize({ width: 1280, height: 900 });
    }
  });

  browser.itEmulates('is light or dark, as the system is', async () => {
    await open();
    for (const colorScheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme });
      assert.equal(await isDark(), colorScheme === 'dark');
    }
    await page.emulateMedia({ colorScheme: null });
  });

  it('tells kinds of blocks apart without colour', async () => {
    await open();
    const looks = await page.locator('.legend .block').evaluateAll((blocks) =>
      blocks.map((block) => {
        const style = (part) => getComputedStyle(block.querySelector(part));
        return [style('.pattern').fill, style('.outline').strokeDasharray].join(' ');
      }),
    );
    assert.equal(looks.length, 9);
    assert.equal(new Set(looks).size, looks.length);
  });
});
