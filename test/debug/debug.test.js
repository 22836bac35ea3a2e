// The debug build: leaks with where they come from, in Node and in browsers; what its check prints; fill patterns.
// Usage: npx mocha test/debug/debug.test.js [-g 'part of a name']
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { capture } from '../../scripts/run.mjs';
import { describeInBrowsers } from '../support/browser.js';
import {
  allocatorFlag,
  emcc,
  languageFlags,
  programFile,
  project,
  queued,
  runModule,
  temporaryFolder,
} from '../support/emcc.js';

const EXAMPLE = path.join(project, 'examples', 'leak', 'leak.cpp');
const here = (name) => path.join(import.meta.dirname, name);

/** The number of the line with a comment. */
function lineOf(file, comment) {
  const lines = readFileSync(file, 'utf8').split('\n');
  const found = lines.flatMap((line, i) => (line.includes(comment) ? [i + 1] : []));
  assert.equal(found.length, 1, `${file} has to have one line with: ${comment}`);
  return found[0];
}

/**
 * Reads a report.
 *
 * @param {string} text all that went to stderr
 * @returns {{ leaks: { bytes: number, blocks: number, frames: object[] }[], rest: string[] }} of a frame `name`, and
 *   `file` and `line` or `offset` where it has them; `rest` are the lines after the leaks
 */
function readReport(text) {
  const leaks = [];
  const rest = [];
  for (const line of text.split('\n').filter((each) => each)) {
    const head = line.match(/^wasmalloc: leak of (\d+) bytes? in (\d+) blocks?, allocated from:$/);
    const frame = line.match(
      /^ {4}#(\d+) (.+?)(?: \(wasm offset 0x([0-9a-f]+)\)| ([^ ]+):(\d+):(\d+))$/,
    );
    if (head) leaks.push({ bytes: Number(head[1]), blocks: Number(head[2]), frames: [] });
    else if (frame) {
      const { frames } = leaks.at(-1);
      assert.equal(Number(frame[1]), frames.length, line);
      const [, , name, offset, file, number] = frame;
      frames.push({ name, ...(offset ? { offset } : { file, line: Number(number) }) });
    } else rest.push(line);
  }
  return { leaks, rest };
}

/** Asserts that a report of the example is right to the last number. */
function assertExample({ leaks, rest }) {
  assert.deepEqual(
    leaks.map(({ bytes, blocks }) => [bytes, blocks]),
    [
      ['Ada', 'Grace', 'Barbara'].reduce(
        ([sum, n], { length }) => [sum + length + 1, n + 1],
        [0, 0],
      ),
      [3 * 4, 3],
    ],
  );
  assert.deepEqual(rest, ['wasmalloc: 30 bytes leaked in 6 blocks']);
  const ofProgram = leaks.map(({ frames }) =>
    frames.filter(({ file }) => file?.endsWith('leak.cpp')),
  );
  const names = lineOf(EXAMPLE, 'leak of the names');
  const people = lineOf(EXAMPLE, 'leak of the people');
  assert.deepEqual(
    ofProgram.map((frames) => frames.slice(0, -1).map(({ name, line }) => [name, line])),
    [
      [
        ['copy(char const*)', names],
        ['meet(char const*)', people],
      ],
      [['meet(char const*)', people]],
    ],
  );
  // Nothing of the allocator comes before what the program has called.
  for (const { frames } of leaks) {
    const first = frames.findIndex(({ file }) => file?.endsWith('leak.cpp'));
    assert.ok(
      frames.slice(0, first).every(({ name }) => name.startsWith('operator')),
      frames,
    );
    assert.match(frames[first].file, /(^|\/)examples\/leak\/leak\.cpp$/);
  }
}

describe('debug', function () {
  const folder = temporaryFolder();
  const output = (name) => programFile(folder, name);

  /** Links a program, as soon as a processor is free. */
  const built = (name, source, ...flags) =>
    queued(() =>
      emcc([
        source,
        allocatorFlag('debug'),
        ...languageFlags([source]),
        ...flags,
        '-o',
        output(name),
      ]),
    );

  let example, unnamed, clean, broken, kept, thread;
  before(() => {
    // With assertions emcc would build libc++ once more.
    example = built('leak', EXAMPLE, '-g', '-gsource-map', '-sASSERTIONS=0');
    unnamed = built('unnamed', EXAMPLE, '-O1');
    clean = built('clean', here('clean.cpp'), '-O1');
    broken = built('broken', here('broken.c'), '-O1', '-fno-builtin');
    kept = built('kept', here('kept.c'), '-O1', '-fno-builtin');
    const threads = ['-pthread', '-sPTHREAD_POOL_SIZE=1'];
    thread = built('thread', here('thread.c'), '-O1', '-g', '-gsource-map', ...threads);
  });

  it('reports leaks in Node, with function, file and line', async () => {
    await example;
    const { stdout, stderr } = await runModule(output('leak'));
    assert.equal(stdout, '3 people\n');
    assertExample(readReport(stderr));
  });

  describeInBrowsers('leaks in a browser', (browser) => {
    it('are reported in the same way', async () => {
      await example;
      const { page, close } = await browser.open((url) => path.join(folder, url));
      try {
        const said = await page.evaluate(
          (url) =>
            new Promise((resolve, reject) => {
              const lines = [];
              globalThis.Module = {
                print() {},
                printErr: (line) => lines.push(line),
                onExit: () => resolve(lines.join('\n')),
                onAbort: reject,
              };
              const { document } = globalThis;
              const script = document.createElement('script');
              Object.assign(script, { src: url, onerror: reject });
              document.body.append(script);
            }),
          '/leak/program.js',
        );
        assertExample(readReport(said));
      } finally {
        await close();
      }
    });
  });

  it('names functions and offsets where there is no source map, and says how to get one', async () => {
    await unnamed;
    const { leaks, rest } = readReport((await runModule(output('unnamed'))).stderr);
    const sum = (key) => leaks.reduce((total, leak) => total + leak[key], 0);
    assert.deepEqual([sum('bytes'), sum('blocks')], [30, 6]);
    for (const { frames } of leaks) {
      assert.match(frames[0].name, /^operator/);
      assert.ok(frames.some(({ name, offset }) => offset && name.includes('main')));
    }
    assert.deepEqual(rest, [
      'wasmalloc: 30 bytes leaked in 6 blocks',
      'wasmalloc: to see files and lines, compile with -g and link with -gsource-map',
    ]);
  });

  it('is silent where nothing leaks', async () => {
    await clean;
    assert.deepEqual(await runModule(output('clean')), { stdout: '100 1000 1\n', stderr: '' });
  });

  it("reports a thread's leak by its functions, and nothing that the runtime keeps", async () => {
    await thread;
    const { stdout, stderr } = await runModule(output('thread'));
    assert.equal(stdout, 'joined\n');
    const { leaks } = readReport(stderr);
    assert.deepEqual(
      leaks.map(({ bytes, blocks }) => [bytes, blocks]),
      [[77, 1]],
    );
    const [{ name, file, line }] = leaks[0].frames;
    assert.deepEqual(
      [name, path.basename(file), line],
      ['keep', 'thread.c', lineOf(here('thread.c'), 'leak of a thread')],
    );
  });

  it('ends a program whose heap is broken at exit as one with any other fault, without a leak report', async () => {
    await kept;
    const { stdout, stderr, code } = await capture(process.execPath, [output('kept')]);
    assert.equal(stdout, 'main is done\n');
    const said = stderr.split('\n').filter((line) => line.startsWith('wasmalloc: '));
    const address = said[0].match(/block 0x([0-9a-f]+) is/)[1];
    assert.deepEqual(said, [
      `wasmalloc: block 0x${address} is broken: overflow: what lies behind it was overwritten`,
      `wasmalloc: overflow (block 0x${address.padStart(8, '0')})`,
    ]);
    assert.notEqual(code, 0);
  });

  describe('wasmalloc_check() from C and JavaScript', () => {
    let lines, reports;
    before(async () => {
      await broken;
      const { stdout, stderr } = await runModule(output('broken'));
      lines = stdout.trimEnd().split('\n');
      // Each fault is found from C first, and then from JavaScript.
      reports = stderr.split(/^(?=wasmalloc: )/m);
    });

    const found = () => lines.filter((line) => / (C|-) (JavaScript|-) /.test(line));

    it('finds the broken block', () => {
      assert.deepEqual(
        found().map((line) => line.split(' ').slice(0, 3).join(' ')),
        ['sound', 'overflow', 'underflow', 'freed', 'sound'].map((what) => `${what} C JavaScript`),
      );
      assert.equal(reports.length, 6);
      for (let i = 0; i < 6; i += 2) assert.equal(reports[i], reports[i + 1]);
    });

    it('prints it with its neighbours, and the bytes there', () => {
      const [first, third] = lines[0].split(' ').slice(1);
      const address = found().map((line) => line.split(' ')[3]);
      const [overflow, , underflow, , freed] = reports.map((report) => report.split('\n'));
      const second = address[1];
      assert.deepEqual(overflow.slice(0, 4), [
        `wasmalloc: block ${second} is broken: overflow: what lies behind it was overwritten`,
        `  before it: ${first}, 100 bytes, used`,
        `  the block: ${second}, 50 bytes, used`,
        `  behind it: ${third}, 200 bytes, used`,
      ]);
      // The byte behind the 50, which had its bit 5 flipped: those before it are fresh.
      assert.match(overflow.slice(4).join(' '), /( cd){16} +0x[0-9a-f]+:>/);
      // The head belongs to one, and lies behind the other: the first of them is named.
      assert.deepEqual(underflow.slice(0, 3), [
        `wasmalloc: block ${first} is broken: the head behind it was overwritten: overflow, or underflow of the next block`,
        `  the block: ${first}, 100 bytes, used`,
        `  behind it: ${second}, its head is overwritten`,
      ]);
      assert.equal(
        freed[0],
        `wasmalloc: block ${third} is broken: it was written to after it was freed`,
      );
      assert.match(freed[2], new RegExp(`^  the block: ${third}, \\d+ bytes, freed, waits$`));
      assert.match(freed.slice(3).join(' '), />07( 00){15}/);
    });

    it('fresh memory is 0xcd, freed memory and that of calloc is zero', () => {
      assert.deepEqual(
        lines.filter((line) => /^f(ill|reed) \d/.test(line)),
        ['fill 1 1 1 1', 'freed 1'],
      );
    });
  });
});
