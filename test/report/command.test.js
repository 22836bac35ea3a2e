// npx wasmalloc report and map, without a browser.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, statSync, truncateSync } from 'node:fs';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { run as runMap } from '../../js/commands/map.js';
import { run as runReport } from '../../js/commands/report.js';
import { replayAllocators } from '../../js/replay.js';
import { temporaryFolder } from '../support/emcc.js';
import { STACKS, command, countAll, program, writeTraceFile } from './support.js';

const folder = temporaryFolder('wasmalloc-report-');
const inFolder = (name) => path.join(folder, name);

/** Asserts that a command says what is wrong in one line, and leaves nothing behind. */
function fails(args, code, pattern) {
  const before = readdirSync(folder);
  const { status, stdout, stderr } = command(args);
  assert.equal(status, code, stderr);
  assert.equal(stdout, '');
  assert.match(stderr.replace(/^(report|map): .* %.*\n/gm, ''), /^wasmalloc: .+\n$/);
  assert.match(stderr, pattern);
  assert.deepEqual(readdirSync(folder), before);
}

/** Asserts the same of what the command line would have to say. */
async function refuses(run, args, pattern) {
  const before = readdirSync(folder);
  await assert.rejects(run(args), pattern);
  assert.deepEqual(readdirSync(folder), before);
}

/** The stretches of a picture by kind, in bytes from the heap's beginning. */
function stretchesOf(svg, heap) {
  const [, size, rowBytes, markup] = new RegExp(
    `<g data-heap="${heap}" data-size="(\\d+)" data-row-bytes="(\\d+)">(.*?)</g>\\s*</g>`,
    's',
  ).exec(svg);
  const kinds = {};
  for (const [, kind, bytes, d] of markup.matchAll(
    /<path class="(\w+)" data-kind="\w+" data-bytes="(\d+)" d="([^"]*)"/g,
  )) {
    const rectangles = [...d.matchAll(/M(\d+),(\d+)h(\d+)v10h-(\d+)z/g)].map((match) =>
      match.slice(1).map(Number),
    );
    assert.equal(rectangles.length, d.split('M').length - 1, 'nothing but rectangles');
    kinds[kind] = {
      bytes: Number(bytes),
      stretches: rectangles.map(([x, y, width, back]) => {
        assert.equal(width, back);
        return [(y / 12) * rowBytes + x, width];
      }),
    };
  }
  return { size: Number(size), kinds };
}

describe('npx wasmalloc report and map', function () {
  const trace = inFolder('app.trace');
  const events = [...program(6000)];
  const numbers = countAll(events);

  before(() => {
    writeTraceFile(trace, events, { description: { stacks: true }, stacks: STACKS });
  });

  it('have a help text', () => {
    for (const name of ['report', 'map']) {
      const { status, stdout } = command([name, '--help']);
      assert.equal(status, 0);
      for (const option of ['--output', '--allocators', ...replayAllocators])
        assert.ok(stdout.includes(option), option);
    }
  });

  it('say what is wrong in one line', async () => {
    const output = inFolder('none.html');
    const noTrace = inFolder('no.trace');
    writeFileSync(noTrace, 'something else');
    fails(['report', trace, '--none'], 2, /--none.*npx wasmalloc report --help/);
    fails(['map', trace, '--at', 'never'], 2, /--at takes peak, end.*npx wasmalloc map --help/);
    fails(['report', noTrace, '-o', output], 1, /no\.trace: this is no trace of wasmalloc/);
    fails(['map', trace, '-o', inFolder('none/x.svg')], 1, /cannot write .*none\/x\.svg/);
    for (const run of [runReport, runMap]) {
      const names = [trace, '-o', output, '--allocators'];
      await refuses(run, [], /one trace, not 0/);
      await refuses(run, [trace, trace], /one trace, not 2/);
      await refuses(run, [...names, 'bins,none'], /no allocator "none"; there are: minimal/);
      await refuses(run, [...names, ''], /no allocator ""/);
      await refuses(run, [inFolder('none.trace'), '-o', output], /cannot read .*none\.trace/);
      await refuses(run, [noTrace, '-o', output], /no trace of wasmalloc/);
      await refuses(run, [trace, '-o', inFolder('none/x')], /cannot write .*x: ENOENT: no such/);
      await refuses(run, [trace, '-o', folder], /cannot write .*: that is a folder/);
    }
    for (const moment of ['101%', '5', '-1s', 'Peak'])
      await refuses(runMap, [trace, '-o', output, `--at=${moment}`], /--at takes peak, end/);
  });

  it('of a trace that is cut off draw what can be read, and say so', () => {
    const cut = inFolder('cut.trace');
    writeFileSync(cut, readFileSync(trace));
    truncateSync(cut, statSync(cut).size - 5000);
    for (const name of ['report', 'map']) {
      const output = inFolder(`cut.${name}`);
      const { status, stderr } = command([name, cut, '-o', output]);
      assert.equal(status, 0);
      assert.match(
        stderr,
        /^wasmalloc: .*cut\.trace: the trace is cut off.* at byte \d+; events before: [1-9]/m,
      );
      assert.ok(existsSync(output));
    }
  });

  it('of a trace without events make a page, and no picture', () => {
    const empty = inFolder('empty.trace');
    writeTraceFile(empty, []);
    assert.equal(command(['report', empty, '-o', inFolder('empty.html')]).status, 0);
    fails(['map', empty, '-o', inFolder('empty.svg')], 1, /no events/);
  });

  describe('map', () => {
    /** Every byte of the heap is drawn once, and what is drawn as used is what the program holds. */
    function checkPicture(svg, name, used) {
      const { size, kinds } = stretchesOf(svg, name);
      const all = [];
      for (const [kind, { bytes, stretches }] of Object.entries(kinds)) {
        const drawn = stretches.reduce((sum, [, width]) => sum + width, 0);
        assert.equal(drawn, bytes, `${name}: ${kind}`);
        all.push(...stretches);
      }
      assert.equal(kinds.used.bytes, used, name);
      all.sort(([a], [b]) => a - b);
      let end = 0;
      for (const [start, width] of all) {
        assert.equal(start, end, name);
        end += width;
      }
      assert.equal(end, size, name);
      return all.length;
    }

    function draw(file, ...options) {
      const output = inFolder('map.svg');
      const { status, stderr } = command(['map', file, '-o', output, ...options]);
      assert.equal(status, 0, stderr);
      return readFileSync(output, 'utf8');
    }

    for (const [moment, event] of [
      ['peak', numbers.peak.event],
      ['end', events.length - 1],
      ['25%', Math.round((events.length - 1) / 4)],
      ['40ms', events.findLastIndex(({ time }) => time <= 40_000)],
    ])
      it(`draws as much as there is (--at ${moment})`, () => {
        const svg = draw(trace, '--at', moment, '--allocators', replayAllocators.join());
        for (const name of replayAllocators) checkPicture(svg, name, numbers.after[event].bytes);
      });

    it('draws many blocks as cells', () => {
      const file = inFolder('many.trace');
      const many = [...program(40_000, { most: 15_000 })];
      writeTraceFile(file, many);
      const svg = draw(file);
      const stretches = checkPicture(svg, 'wasmalloc', countAll(many).peak.bytes);
      assert.match(svg, /in cells of/);
      assert.ok(stretches < 30_000, `${stretches} stretches`);
    });
  });

  describe('of a million events', () => {
    const large = inFolder('large.trace');
    before(() => writeTraceFile(large, program(1_000_000, { most: 5000 }), { perBlock: 10_000 }));

    /** Runs a command that must not need more memory, in MiB. */
    function withinMemory(args, most) {
      const code =
        'process.on("exit", () => console.error(`KiB: ${process.resourceUsage().maxRSS}`))';
      const { status, stderr } = command(args, {
        nodeFlags: ['--import', `data:text/javascript,${encodeURIComponent(code)}`],
      });
      assert.equal(status, 0, stderr);
      const needed = Number(/KiB: (\d+)/.exec(stderr)[1]) / 1024;
      assert.ok(needed < most, `needs ${Math.round(needed)} MiB`);
    }

    it('report makes a page of less than 2 MB, within 350 MiB of memory', () => {
      const file = inFolder('large.html');
      withinMemory(['report', large, '-o', file, '--allocators', 'wasmalloc,dlmalloc'], 350);
      assert.ok(statSync(file).size < 2_000_000, `${statSync(file).size} bytes`);
    });
  });
});
