// Replaying: real programs reach the peak that they had, and wrong allocators are found out.
// Usage: npx mocha test/trace/replay.test.js [-g 'part of a name']
import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { recordProgram } from '../../bench/record.mjs';
import { PROGRAMS } from '../../bench/workloads.mjs';
import { ReplayThreads } from '../../js/commands/threads.js';
import { compileTrace, replay, replayAllocators, startReplay } from '../../js/index.js';
import { REPLAY_COMPILE, REPLAY_LINK } from '../../scripts/build.mjs';
import { capture } from '../js/support.js';
import {
  allocators,
  emcc,
  port,
  project,
  queued,
  temporaryFolder,
  testAll,
} from '../support/emcc.js';
import { writeTrace } from '../support/trace.js';
import { programs } from './support.js';

const folder = temporaryFolder('wasmalloc-replay-');

/** Events of blocks that come and go, some thousand of all kinds. */
function someEvents() {
  const live = [];
  const events = [];
  for (let i = 0; i < 3000; ++i) {
    const address = 8192 + 256 * i;
    const size = i % 200;
    const kind = ['malloc', 'calloc', 'realloc', 'memalign', 'free'][i % 5];
    if (kind === 'free') events.push({ kind, previous: live.splice((i * 7) % live.length, 1)[0] });
    else {
      const previous = kind === 'realloc' ? live.pop() : 0;
      events.push({ kind, size, alignment: kind === 'memalign' ? 64 : 0, address, previous });
      live.push(address);
    }
  }
  return events;
}

const find = (name) => PROGRAMS.find((program) => program.name === name);

/** The programs that are recorded, and their allocators. The quick suite does with the one that is compiled fastest. */
const RECORDED = testAll
  ? { sqlite: 'wasmalloc', lua: 'bins', duktape: 'doubly' }
  : { lua: 'bins' };

describe('a trace that is replayed', function () {
  const recordings = {};
  before(() => {
    for (const [name, allocator] of Object.entries(RECORDED))
      recordings[name] = { allocator, recorded: recordProgram(find(name), allocator) };
    for (const { recorded } of Object.values(recordings)) recorded.catch(() => {});
  });

  for (const name of Object.keys(RECORDED)) {
    it(`of ${name}: reaches the peak that it had with its allocator, to within 1 %`, async () => {
      const { allocator, recorded } = recordings[name];
      const { file, measured } = await recorded;
      const result = await replay(file, { rounds: 1, allocators: [allocator, 'dlmalloc'] });
      const [own, other] = result.allocators;
      assert.equal(result.trace.allocator, allocator);
      assert.equal(result.trace.recordedHeap, measured.heap);
      const difference = Math.abs(own.peakHeap / measured.heap - 1);
      assert(difference <= 0.01, `${own.peakHeap} bytes, and ${measured.heap} in the program`);
      for (const { fault, failed, peakLive, time, ratio } of [own, other]) {
        assert.deepEqual([fault, failed], [null, 0]);
        assert.equal(peakLive, own.peakLive);
        assert(time.median > 0 && ratio > 0);
      }
      assert(own.fragmentation > 0 && own.fragmentation < 0.5);
      const bytes = statSync(file).size / result.trace.events;
      assert(result.trace.events > 1_000_000 && bytes <= 12, `${bytes} bytes an event`);
    });
  }

  it('runs on all allocators, each of which finds room for the same blocks', async () => {
    const options = { rounds: 2, onProgress: (fraction) => assert(fraction <= 1) };
    const { allocators: results, advice } = await replay(writeTrace(someEvents()), options);
    assert.deepEqual(
      results.map(({ name }) => name),
      replayAllocators,
    );
    assert.deepEqual(
      replayAllocators.slice(0, allocators.length),
      allocators.map(({ name }) => name),
    );
    const [first] = results;
    for (const result of results) {
      assert.deepEqual([result.fault, result.failed, result.tooSlow], [null, 0, false]);
      assert.equal(result.peakLive, first.peakLive);
      assert(result.peakHeap >= result.peakLive);
      assert.equal(result.peakPages, Math.ceil(result.peakHeap / 65536));
      assert.equal(result.time.rounds.length, 2);
      assert(result.code > 500);
    }
    assert.equal(results.find(({ name }) => name === 'dlmalloc').ratio, 1);
    assert.equal(advice.size[0], 'minimal');
    for (const names of Object.values(advice)) assert(names.length > 0);
  });

  it('counts what a perfect allocator would need', async () => {
    const trace = writeTrace([
      { kind: 'malloc', size: 1000, address: 1024 },
      { kind: 'malloc', size: 2000, address: 4096 },
      { kind: 'realloc', size: 3000, previous: 1024, address: 8192 },
      { kind: 'free', previous: 4096 },
      { kind: 'malloc', size: 100, address: 1024 },
      { kind: 'malloc', size: 2 ** 31, address: 0 },
      { kind: 'free', previous: 424242 },
    ]);
    const program = await compileTrace(trace);
    assert.deepEqual(
      [program.events, program.calls, program.failed, program.unknown, program.blocks],
      [7, 5, 1, 1, 2],
    );
    const instance = await startReplay('bins', program);
    const state = program.pieces.map((piece) => instance.run(piece, true)).at(-1);
    assert.deepEqual([state.live, state.peakLive, state.failed], [3100, 5000, 0]);
    const table = instance.exports.replay_blocks();
    const blocks = new Uint32Array(instance.memory.buffer, table, 2 * (program.blocks + 1));
    assert.deepEqual([blocks[3], blocks[5]], [3000, 100]);
    assert(blocks[2] >= instance.heapBase);
  });

  it('goes on when there is no memory, and says so', async () => {
    const trace = writeTrace([
      { kind: 'malloc', size: 2 ** 32 - 100, address: 1024 },
      { kind: 'realloc', size: 50, previous: 1024, address: 1024 },
      { kind: 'free', previous: 1024 },
    ]);
    const ours = allocators.map(({ name }) => name);
    const { allocators: results, advice } = await replay(trace, { rounds: 1, allocators: ours });
    for (const { failed, fault, peakLive } of results)
      assert.deepEqual([failed, fault, peakLive], [1, null, 50]);
    assert.equal(advice, null);
  });

  describe('on an allocator that is broken', () => {
    const WRONG = {
      OUTSIDE: /^its result lies outside the heap$/,
      MISALIGNED: /^its result is not aligned/,
      NOT_ZERO: /^the memory is not all zero$/,
      LOST: /^realloc has lost what was in the block$/,
      OVERWRITTEN: /has been overwritten$/,
      TRAPS: /^it has trapped$/,
      FULL: undefined,
    };
    const built = {};
    before(() => {
      const driver = path.join(folder, 'driver.o');
      const compiled = queued(() =>
        emcc([...REPLAY_COMPILE, path.join(project, 'js', 'replay.c'), '-o', driver]),
      );
      for (const wrong of [...Object.keys(WRONG), 'HANGS']) {
        const output = path.join(folder, `${wrong}.wasm`);
        const source = path.join(programs, 'broken.c');
        const flags = ['-fno-builtin', `-DBROKEN=${wrong}`, `--use-port=${port}`];
        built[wrong] = compiled
          .then(() => queued(() => emcc([...REPLAY_LINK, driver, source, ...flags, '-o', output])))
          .then(() => WebAssembly.compile(readFileSync(output)));
        built[wrong].catch(() => {});
      }
    });

    for (const [wrong, message] of Object.entries(WRONG)) {
      it(`finds out: ${wrong.toLowerCase().replace('_', ' ')}`, async () => {
        const modules = { broken: await built[wrong] };
        const options = { rounds: 1, modules, allocators: ['broken', 'bins'] };
        const { allocators: results } = await replay(writeTrace(someEvents()), options);
        const [broken, sound] = results;
        assert.equal(sound.fault, null);
        if (!message) {
          assert(broken.failed > 0);
          assert.equal(broken.fault, null);
          return;
        }
        assert.match(broken.fault.what, message);
        assert.equal(broken.time, null);
        const { call, kind } = broken.fault;
        assert.equal(someEvents()[call - 1].kind, kind);
      });
    }

    describe('and never comes back from a call', () => {
      const threads = new ReplayThreads({ patience: 5000 });
      after(() => threads.close());

      it('ends when its time is up, and so do the others', async () => {
        const modules = { broken: await built.HANGS };
        const options = { rounds: 1, limit: 1, modules, allocators: ['broken', 'bins'] };
        const { allocators: results } = await replay(writeTrace(someEvents()), {
          ...options,
          run: threads.run,
        });
        const [broken, sound] = results;
        assert.deepEqual([broken.tooSlow, broken.time], [true, null]);
        assert.equal(sound.fault, null);
        assert(sound.time.median > 0);
      });

      it('and a picture or a page says so, or is there', async () => {
        // The mimalloc of Emscripten 6.0 searches for ever for the last of these.
        const trace = writeTrace([
          { kind: 'calloc', size: 2147483647, address: 335872 },
          { kind: 'memalign', size: 709623639, alignment: 2048, address: 352256 },
          { kind: 'realloc', size: 270, previous: 352256, address: 622592 },
          { kind: 'memalign', size: 2147418112, alignment: 16384, address: 1032192 },
        ]);
        const program = await compileTrace(trace);
        const pictures = threads.draw('mimalloc', program, { call: 4, index: 0 });
        const drawn = await pictures.catch((error) => {
          assert.equal(error.name, 'LoadError');
          assert.equal(error.message, 'mimalloc does not come back from a call of the trace');
        });
        if (drawn) assert.match(drawn.markup, /data-heap="mimalloc"/);
        // The next one gets a new thread.
        const next = await compileTrace(writeTrace(someEvents()));
        const { markup } = await threads.draw('mimalloc', next, { call: next.calls, index: 0 });
        assert.match(markup, /data-heap="mimalloc"/);
      });
    });
  });

  describe('that asks for much memory', () => {
    const MIB = 2 ** 20;
    const large = 2 ** 31 - 100;

    /** Runs a command in a process of its own; answers also the MiB that it needed. */
    function commandOn(name, events, ...args) {
      const file = path.join(folder, `${name}.trace`);
      writeFileSync(file, writeTrace(events));
      const code =
        'process.on("exit", () => console.error(`KiB: ${process.resourceUsage().maxRSS}`))';
      const flags = ['--import', `data:text/javascript,${encodeURIComponent(code)}`];
      const [command, ...others] = args;
      const cli = path.join(project, 'js', 'cli.js');
      const result = capture(process.execPath, [...flags, cli, command, file, ...others]);
      const needed = Number(/KiB: (\d+)/.exec(result.stderr)[1]) / 1024;
      assert(needed < 1000, `${needed} MiB`);
      return result;
    }

    const zeroes = [{ kind: 'calloc', size: large, address: 65536 }];
    // Each makes a copy of half of what there is.
    const copies = Array.from({ length: 12 }, (_, i) => [
      { kind: i ? 'realloc' : 'malloc', size: 2 ** (19 + i), previous: i, address: i + 1 },
      { kind: 'malloc', size: 8, address: 2 ** 20 + i },
    ])
      .flat()
      .map(({ previous = 0, address, ...event }) => {
        const place = (number) => number && 2 ** 40 + number * 8;
        return { ...event, previous: place(previous), address: place(address) };
      });

    for (const [name, events] of Object.entries({ zeroes, copies })) {
      it(`is replayed as far as memory is allowed: ${name}`, () => {
        const args = ['replay', '--json', '--rounds', '1', '--allocators', 'wasmalloc,dlmalloc'];
        const { status, stdout, stderr } = commandOn(name, events, ...args);
        assert.equal(status, 0, stderr);
        for (const { name, tooLarge, time, fault } of JSON.parse(stdout).allocators) {
          assert.equal(fault, null);
          assert.equal(time === null, tooLarge !== null, name);
          if (tooLarge) assert(['calloc', 'realloc'].includes(tooLarge.kind));
        }
      });
    }

    it('says so, and how to allow it', () => {
      const { stdout } = commandOn('zeroes', zeroes, 'replay', '--allocators', 'bins');
      assert.match(stdout, /call 1, a calloc, would fill more than 640 MiB.*--memory allows more/);
      assert.match(stdout, /^No allocator has replayed the whole trace\.$/m);
    });

    it('is drawn, for which no zeroes are needed', () => {
      for (const command of ['map', 'report']) {
        const { status, stdout } = commandOn('zeroes', zeroes, command, '-o', '-');
        assert.equal(status, 0);
        assert(stdout.includes(command === 'map' ? `data-bytes="${large}"` : String(large)));
      }
    });

    it('may fill more if it is told, and less', async () => {
      const trace = writeTrace([{ kind: 'calloc', size: 20 * MIB, address: 65536 }]);
      const results = async (memory) => {
        const options = { rounds: 1, memory, allocators: replayAllocators };
        return (await replay(trace, options)).allocators;
      };
      for (const { tooLarge, time } of await results(10)) {
        assert.deepEqual(tooLarge, { call: 1, kind: 'calloc' });
        assert.equal(time, null);
      }
      for (const { tooLarge, time } of await results(30)) {
        assert.equal(tooLarge, null);
        assert(time.median > 0);
      }
    });

    it('counts memory once, however often it is used', async () => {
      const block = { size: 20 * MIB, address: 65536 };
      const twice = [
        { kind: 'calloc', ...block },
        { kind: 'free', previous: 65536 },
      ];
      const trace = writeTrace([...twice, ...twice, ...twice]);
      const options = { rounds: 1, memory: 30, allocators: ['wasmalloc', 'bins', 'dlmalloc'] };
      for (const { tooLarge } of (await replay(trace, options)).allocators)
        assert.equal(tooLarge, null);
    });

    it('keeps its limit inside a long piece', async () => {
      // A minute and more for each allocator, all in one piece of the program.
      const block = { size: 64 * MIB, address: 65536 };
      const pair = [
        { kind: 'calloc', ...block },
        { kind: 'free', previous: 65536 },
      ];
      const trace = writeTrace(Array.from({ length: 20_000 }, () => pair).flat());
      const options = { rounds: 1, limit: 1, allocators: ['bins'] };
      const start = performance.now();
      const [{ tooSlow }] = (await replay(trace, options)).allocators;
      assert(tooSlow);
      const seconds = (performance.now() - start) / 1000;
      assert(seconds < 30, `${seconds} seconds`);
    });
  });
});

describe('npx wasmalloc replay', () => {
  const file = path.join(folder, 'some.trace');
  const bytes = writeTrace(someEvents(), { description: { program: 'some' }, perBlock: 500 });
  writeFileSync(file, bytes);
  const threaded = path.join(folder, 'threaded.trace');
  writeFileSync(
    threaded,
    writeTrace(someEvents().map((event, i) => ({ ...event, thread: i % 3 }))),
  );
  const cut = path.join(folder, 'cut.trace');
  writeFileSync(cut, bytes.subarray(0, bytes.length - 500));
  const text = path.join(folder, 'text.trace');
  writeFileSync(text, 'no trace\n');

  function cli(...args) {
    const all = [path.join(project, 'js', 'cli.js'), 'replay', ...args];
    return capture(process.execPath, all);
  }

  it('prints a table, and which to take', () => {
    const { status, stdout, stderr } = cli(file, '--rounds', '2');
    assert.equal(status, 0, stderr);
    assert.match(stderr, /^replay: done in \d+:\d\d\n$/);
    assert.match(stdout, /^3,000 events of some, recorded with bins; 2 rounds\n/);
    for (const name of replayAllocators)
      assert.match(
        stdout,
        new RegExp(`^${name} +[\\d.]+ ± [\\d.]+ % +[\\d.]+ +[\\d,]+ \\(\\d+\\) `, 'm'),
      );
    for (const what of ['speed', 'memory', 'size'])
      assert.match(stdout, new RegExp(`^For ${what}, take \\w+.*\\.$`, 'm'));
  });

  it('prints JSON, for some of them', () => {
    const { stdout } = cli(file, '--json', '--rounds', '1', '--allocators', 'bins,dlmalloc');
    const { trace, allocators: results, advice } = JSON.parse(stdout);
    assert.equal(trace.events, 3000);
    assert.deepEqual(
      results.map(({ name }) => name),
      ['bins', 'dlmalloc'],
    );
    assert.deepEqual(Object.keys(advice), ['speed', 'memory', 'size']);
  });

  it('says that one thread replays the calls of several', () => {
    const { stdout } = cli(threaded, '--rounds', '1', '--allocators', 'bins');
    assert.match(
      stdout,
      /^The trace has 3 threads: one replays the calls of all, in their order\.$/m,
    );
  });

  it('replays what can be read of a trace that is cut off', () => {
    const { status, stdout, stderr } = cli(cut, '--rounds', '1', '--allocators', 'bins');
    assert.equal(status, 0);
    assert.match(
      stderr,
      /cut\.trace: the trace is cut off.* at byte \d+; events before: 2500; they/,
    );
    assert.match(stdout, /^2,500 events/);
  });

  it('answers misuse with one line', () => {
    const fails = (status, message, ...args) => {
      const result = cli(...args);
      assert.equal(result.status, status, result.stderr);
      assert.equal(result.stdout, '');
      assert.match(result.stderr, message);
      assert.equal(result.stderr.split('\n').length, 2, result.stderr);
    };
    fails(2, /^wasmalloc: replay takes one trace, not 0; see npx wasmalloc replay --help$/m);
    fails(2, /^wasmalloc: replay takes one trace, not 2; see/, file, cut);
    fails(2, /^wasmalloc: Unknown option '--what'; see/, '--what');
    fails(2, /^wasmalloc: --rounds takes a whole number, not many; see/, file, '--rounds', 'many');
    fails(2, /^wasmalloc: rounds is 0: it must be an integer from 1 to/, file, '--rounds', '0');
    fails(2, /^wasmalloc: there is no allocator "best" to replay/, file, '--allocators', 'best');
    fails(1, /^wasmalloc: cannot read nowhere\.trace: ENOENT/, 'nowhere.trace');
    fails(1, /^wasmalloc: .*text\.trace: this is no trace of wasmalloc/, text);
    assert.match(cli('--help').stdout, /^Usage: npx wasmalloc replay FILE/);
  });
});
