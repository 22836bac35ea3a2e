// Programs that record: what is in their traces, however they are linked and however they end.
// Usage: npx mocha test/trace/record.test.js [-g 'part of a name']
import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describeInBrowsers } from '../support/browser.js';
import { emcc, findNode24, inTurn, port, project } from '../support/emcc.js';
import { runModule, temporaryFolder } from '../support/emcc.js';
import { link, programs, readAll, record } from './support.js';

const calls = path.join(programs, 'calls.c');
const endings = path.join(programs, 'endings.cpp');
const threads = path.join(project, 'test', 'emscripten', 'programs', 'threads.c');

/** The lines that calls.c prints, as the trace has them. */
function linesOf(events) {
  return events.map(
    ({ kind, size, alignment, previous, address }) =>
      `${kind} ${size} ${alignment} ${previous} ${address}`,
  );
}

/** The bytes that are live after the events. */
function liveBytes(events) {
  const sizes = new Map();
  for (const { kind, block, size, address } of events)
    if (kind === 'free') sizes.delete(block);
    else if (address) sizes.set(block, size);
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

const THREADS = ['-O1', '-pthread', '-sPTHREAD_POOL_SIZE=4', '-sEXIT_RUNTIME'];
const MODULE = ['-sMODULARIZE', '-sEXPORT_ES6', '-sEXPORTED_RUNTIME_METHODS=callMain'];

describe('a program that records its trace', function () {
  const recording = inTurn(1);
  const built = {};
  before(() => {
    for (const { name } of recording)
      built[name] = link(calls, `${name}/calls.js`, { allocator: name });
    const wide = ['-sMEMORY64', '-Wno-experimental'];
    built.wide = link(calls, 'wide.js', { flags: wide });
    built.module = link(calls, 'module.mjs', { flags: MODULE });
    built.endings = link(endings, 'endings.js', { trace: 'stacks', flags: ['-sEXIT_RUNTIME'] });
    built.threads = link(threads, 'threads.js', { allocator: 'wasmalloc', flags: THREADS });
  });

  function checkCalls({ stdout, events, trace, file }) {
    const expected = stdout.trimEnd().split('\n');
    // SIZE_MAX of 64 bits is no number of JavaScript's.
    const lines = linesOf(events).map((line) =>
      line.replace('18446744073709552000', 2n ** 64n - 1n),
    );
    const printed = expected.map((line) =>
      line.replace('9223372036854775807', '9223372036854776000'),
    );
    assert.deepEqual(lines.slice(0, expected.length), printed);
    assert.equal(liveBytes(events.slice(0, expected.length + 40_000)), 0);
    assert.equal(events.length, trace.end.events);
    assert(events.length >= expected.length + 40_000);
    assert(statSync(file).size / events.length <= 12);
    const { time, heap } = events.at(-1);
    assert(time > 0 && heap > 0);
    assert(events.every((event, i) => i === 0 || event.time >= events[i - 1].time));
  }

  for (const { name } of recording) {
    it(`has all calls of a C program, with ${name}`, async () => {
      const recorded = await record(await built[name]);
      checkCalls(recorded);
      const { allocator, program, pointerBytes, stacks, threads } = recorded.trace.description;
      assert.deepEqual([allocator, program, pointerBytes], [name, 'calls', 4]);
      assert.deepEqual([stacks, threads], [false, false]);
      assert.deepEqual(recorded.trace.end, {
        reason: 'exit',
        status: 0,
        events: recorded.events.length,
      });
    });
  }

  it('has 64-bit addresses', async () => {
    const recorded = await record(await built.wide, { node: findNode24() });
    checkCalls(recorded);
    assert.equal(recorded.trace.description.pointerBytes, 8);
  });

  for (const flags of [[], ['-pthread', '-sEXIT_RUNTIME'], ['-Oz', '-sMODULARIZE=0']]) {
    it(`has a trace when it allocates nothing (${flags.join(' ') || 'without flags'})`, async () => {
      const name = `nothing${flags.length}`;
      const source = path.join(temporaryFolder(), 'nothing.c');
      writeFileSync(source, 'int main(void) { return 0; }\n');
      const file = await link(source, `${name}.js`, { flags });
      const trace = path.join(path.dirname(file), `${name}.trace`);
      writeFileSync(trace, 'of an older run');
      const recorded = await record(file);
      const { reason, events } = recorded.trace.end;
      assert.deepEqual([reason, events], ['exit', recorded.events.length]);
      assert.equal(recorded.trace.description.program, name);
      // Threads take some themselves.
      if (!flags.includes('-pthread')) assert.equal(events, 0);
    });
  }

  describe('is complete when it ends', () => {
    const ends = {
      return: { status: 3, reason: 'exit' },
      exit: { status: 4, reason: 'exit' },
      abort: { status: [1, 7], reason: 'abort', message: /Aborted/ },
      trap: { status: [1, 7], reason: 'exception', message: /unreachable/ },
      throw: { status: [1, 7], reason: 'abort', message: /Aborted/ },
      javascript: { status: [1, 7], reason: 'exception', message: /of JavaScript/ },
    };
    for (const [ending, { status, reason, message }] of Object.entries(ends)) {
      it(`by ${ending}`, async () => {
        const file = await built.endings;
        const statuses = [status].flat();
        let recorded;
        for (const each of statuses)
          recorded ??= await record(file, { args: [ending], status: each }).catch((error) => {
            if (each === statuses.at(-1)) throw error;
          });
        const { trace, events } = recorded;
        assert.equal(trace.end.reason, reason);
        if (reason === 'exit') assert.equal(trace.end.status, status);
        if (message) assert.match(trace.end.message, message);
        const sizes = events.map(({ size }) => size);
        for (const size of [4000, 123, 4, 400]) assert(sizes.includes(size), `${size}`);
        // Its destructors and what atexit() was given have run, or not.
        const live = liveBytes(events);
        const holder = events.find(({ size }) => size === 4000);
        const wasFreed = events.some(
          ({ kind, previous }) => kind === 'free' && previous === holder.address,
        );
        assert.equal(wasFreed, reason === 'exit');
        assert(reason === 'exit' ? live < 4000 : live > 4000, `${live}`);
      });
    }
  });

  it('has stacks, with the names of functions', async () => {
    const { trace, events } = await record(await built.endings, { args: ['exit'], status: 4 });
    assert.equal(trace.description.stacks, true);
    const { stack } = events.find(({ size }) => size === 123);
    const names = trace.stacks.get(stack).map(({ name }) => name.replace(/\(.*/, ''));
    assert.deepEqual(names.slice(0, 2), ['innermost', 'outer']);
    assert.match(names[2], /main/);
    assert.match(trace.stacks.get(stack)[0].place, /^wasm-function\[\d+\]:0x[0-9a-f]+$/);
    for (const event of events) assert(trace.stacks.has(event.stack));
    const text = JSON.stringify([...trace.stacks.values()]);
    assert(!text.includes(project), 'no path of this machine');
  });

  it('has the calls of all threads in an order that is possible', async () => {
    // The reader throws when a block comes where one stands.
    const { events, trace, stdout } = await record(await built.threads);
    assert.equal(stdout, '0 errors, heap sound\n');
    assert.equal(trace.description.threads, true);
    assert(new Set(events.map(({ thread }) => thread)).size >= 4);
    assert.equal(events.filter(({ kind, block }) => kind === 'free' && block === 0).length, 0);
    assert.equal(events.length, trace.end.events);
  });

  it('goes where it is told: by the environment, by Module.traceFile, to Module.onTrace', async () => {
    const folder = temporaryFolder();
    const { default: create } = await import(pathToFileURL(await built.module));
    const chunks = [];
    const onTrace = (chunk) => chunks.push(chunk);
    const module = await create({ onTrace, print: () => {} });
    module.finishTrace();
    module.finishTrace(); // once is enough
    const { events, trace } = await readAll(chunks);
    assert.equal(trace.end.events, events.length);
    assert(events.length > 40_000);

    const runner = path.join(folder, 'runner.mjs');
    const url = pathToFileURL(await built.module);
    writeFileSync(
      runner,
      `import create from ${JSON.stringify(url)};
for (let i = 0; i < 2; ++i) await create({ traceFile: 'told.bin', print() {} });\n`,
    );
    await runModule(runner, { cwd: folder });
    for (const file of ['told.bin', 'told-2.bin'])
      assert((await readAll(path.join(folder, file))).events.length > 40_000);
    process.env.WASMALLOC_TRACE = path.join(folder, 'environment.trace');
    try {
      await runModule(runner, { cwd: folder });
      process.env.WASMALLOC_TRACE = path.join(folder, 'nowhere', 'x.trace');
      const { stderr } = await runModule(runner, { cwd: folder });
      assert.match(stderr, /^wasmalloc: the trace cannot be written: ENOENT/);
    } finally {
      delete process.env.WASMALLOC_TRACE;
    }
    assert((await readAll(path.join(folder, 'environment.trace'))).events.length > 40_000);
  });

  it('says what trace can be, and that it needs JavaScript', async () => {
    const cwd = temporaryFolder();
    const fails = (flags, message) => assert.rejects(emcc([calls, ...flags], { cwd }), message);
    await fails([`--use-port=${port}:trace=yes`], /trace is 0, 1 or stacks, not `yes`/);
    await fails([`--use-port=${port}:trace=1`, '-sSTANDALONE_WASM'], /drop -sSTANDALONE_WASM/);
    const { stdout } = await emcc([`--use-port=${port}:help`]);
    assert.match(stdout, /trace.*1 records every call/);
  });
});

describeInBrowsers('a program that records in a browser', function (browser) {
  const flags = ['-O1', '-pthread', '-sPTHREAD_POOL_SIZE=4', '-sENVIRONMENT=web,worker', ...MODULE];
  let folder, page, close, download;
  before(async () => {
    const file = await link(threads, 'browser.js', { flags: [...flags, '-sEXIT_RUNTIME'] });
    await link(calls, 'download.js', { flags: [...MODULE, '-sEXIT_RUNTIME'] });
    folder = path.dirname(file);
    ({ page, close, download } = await browser.open((url) =>
      path.join(folder, path.basename(url)),
    ));
  });
  after(() => close?.());

  it('hands the trace of all threads to Module.onTrace', async () => {
    const bytes = await page.evaluate(async () => {
      const { default: create } = await import('/browser.js');
      const chunks = [];
      await new Promise((resolve) => {
        create({ onTrace: (chunk) => chunks.push(chunk), onExit: resolve });
      });
      // What threads have sent last may still be on its way.
      const isComplete = () => new TextDecoder().decode(chunks.at(-1)).includes('"reason"');
      while (!isComplete()) await new Promise((resolve) => setTimeout(resolve, 10));
      return Array.from(new Uint8Array(await new Blob(chunks).arrayBuffer()));
    });
    const { events, trace } = await readAll(Uint8Array.from(bytes));
    assert.equal(trace.end.reason, 'exit');
    assert.equal(trace.end.events, events.length);
    assert(new Set(events.map(({ thread }) => thread)).size >= 4);
  });

  it('offers the trace as a download', async () => {
    const file = await download(() =>
      page.evaluate(async () => {
        const { default: create } = await import('/download.js');
        await create({ print: () => {} });
      }),
    );
    assert.match(file.name, /\.trace$/);
    const { events, trace } = await readAll(file.path);
    assert.equal(trace.end.events, events.length);
    assert(events.length > 40_000);
  });
});
