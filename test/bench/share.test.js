// The division of a program's time into the allocator's and its own, and what the benchmark says of it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { findEngines } from '../../bench/engines.mjs';
import { interleaved, moduleFor } from '../../bench/measure.mjs';
import { allocatorFunctions, divide } from '../../bench/profile.mjs';
import { Results } from '../../bench/report.mjs';
import { bars } from '../../bench/bars.mjs';
import { SHARE_SUBJECTS, Shares, measureShares, shareReport } from '../../bench/share.mjs';
import { PARTS, PROGRAMS } from '../../bench/workloads.mjs';
import { ensureEmscripten } from '../../scripts/emscripten.mjs';
import { capture } from '../js/support.js';
import { project, testAll } from '../support/emcc.js';

/** As wasm-ld writes it. */
const MAP = `    Addr      Off     Size Out     In      Symbol
       -      94d    5051b CODE
       -      958       10         /cache/object-program/object.o:(resize)
       -      958       10                 resize
       -      968      107         /cache/object-program/object.o:(_Z4workPv)
       -      968      107                 work(void*)::{lambda(int)#1}
       -    4c64c     1253         /lib/libdlmalloc.a(dlmalloc.o):(emscripten_builtin_malloc)
       -    4c64c     1253                 emscripten_builtin_malloc
       -    4c64c     1253                 malloc
       -    4d89f      422         /lib/libdlmalloc.a(dlmalloc.o):(prepend_alloc)
       -    4d89f      422                 prepend_alloc
       -    4dcc1      68b         /lib/libdlmalloc.a(dlmalloc.o):(resize)
       -    4dcc1      68b                 resize
       -    50e0f       55         /lib/libc.a(aligned_alloc.o):(aligned_alloc)
       -    50e0f       55                 aligned_alloc
       -    50e64       55         /lib/libc.a(memcpy.o):(__memcpy)
       -    50e64       55                 __memcpy
       -    50e64       55                 memcpy
       -    50eb9       1b         /lib/libc++.a(new.o):(_Znwm)
       -    50eb9       1b                 operator new(unsigned long)
     400        0      1d8 DATA
     400        0      1d8         /lib/libdlmalloc.a(dlmalloc.o):(.bss._gm_)
     400        0      1d8                 __memcpy
`;

const SYMBOLS = `0:resize
1:work(void*)::{lambda(int)#1}
2:emscripten_builtin_malloc
3:prepend_alloc
4:resize_1
5:aligned_alloc
6:__memcpy
7:operator new(unsigned long)
`;

describe("the allocator's functions in a program", () => {
  const functions = allocatorFunctions(MAP, SYMBOLS);

  it('are those of the file with malloc, whatever their names are, and operator new', () => {
    for (const index of [2, 3, 5, 7]) assert.ok(functions.has(index), `${index}`);
  });

  it("are not the program's or the C library's, nor what could be either's by its name", () => {
    for (const index of [0, 1, 4, 6]) assert.ok(!functions.has(index), `${index}`);
  });
});

/** A profile as V8 writes it, of a tree of `[name, samples, …children]`. */
function profileOf(tree) {
  const nodes = [];
  const add = ([functionName, hitCount, ...children]) => {
    const node = { id: nodes.length + 1, callFrame: { functionName }, hitCount };
    nodes.push(node);
    if (children.length) node.children = children.map(add);
    return node.id;
  };
  add(tree);
  return { nodes };
}

describe("a program's time", () => {
  const [program, copy, malloc, rest, newOperator] = [1, 6, 2, 3, 7].map(
    (index) => `wasm-function[${index}]`,
  );
  const functions = allocatorFunctions(MAP, SYMBOLS);
  const timesOf = (...calls) =>
    divide(
      profileOf(['(root)', 100, ['(garbage collector)', 100], ['callMain', 1, ...calls]]),
      functions,
    );

  it('is that from the start of main', () => {
    assert.deepEqual(timesOf([program, 2]), { own: 3, allocator: 0 });
  });

  it("is the allocator's in its functions and in all that they call", () => {
    const grow = ['wasm-to-js', 16, ['emscripten_resize_heap', 32]];
    assert.deepEqual(timesOf([program, 2, [malloc, 4, [copy, 8], grow]]), {
      own: 3,
      allocator: 60,
    });
    assert.deepEqual(timesOf([newOperator, 4, [malloc, 8, [rest, 16]]]), { own: 1, allocator: 28 });
  });

  it("is the program's in what it calls itself: copying, JavaScript", () => {
    const times = timesOf([program, 2, [copy, 4], ['wasm-to-js', 8, ['fd_write', 16]]]);
    assert.deepEqual(times, { own: 31, allocator: 0 });
  });
});

/** Programs of both parts, whose time with allocators is given as `[percent of the samples, …rounds]`. */
function sharesOf(...programs) {
  const names = PARTS.map((part) => PROGRAMS.find((program) => program.part === part).name);
  const measured = ([percent, ...rounds]) => ({
    rounds,
    own: (100 - percent) * 1e4,
    allocator: percent * 1e4,
  });
  const node20 = Object.fromEntries(
    programs.map((program, i) => [
      names[i],
      Object.fromEntries(Object.entries(program).map(([name, times]) => [name, measured(times)])),
    ]),
  );
  const [first] = programs;
  const data = { engines: { node20: 'Node 20' }, times: { node20 }, subjects: Object.keys(first) };
  return { shares: new Shares(data), names, data };
}

describe("a program's own time", () => {
  const near = (value, expected) => assert.ok(Math.abs(value - expected) < 1e-9, `${value}`);
  const { shares, names, data } = sharesOf(
    {
      wasmalloc: [0, 120, 110, 110],
      dlmalloc: [50, 202, 200, 200],
      emmalloc: [20, 150],
      bins: [0, 50],
    },
    { wasmalloc: [25, 90], dlmalloc: [20, 100], emmalloc: [25, 90.1], bins: [50, 60] },
  );
  const [tune, judge] = names;

  it('is compared with the least over the objects of a peer', () => {
    near(shares.ownRatio('node20', tune, 'wasmalloc'), 1.1);
    near(shares.ownRatio('node20', tune, 'dlmalloc'), 1);
    near(shares.ownRatio('node20', judge, 'bins'), 30 / (90.1 * 0.75));
    // Within the spread.
    assert.equal(shares.ownRatio('node20', judge, 'wasmalloc'), 1);
  });

  it('is known less well by fewer samples', () => {
    const few = structuredClone(data);
    Object.assign(few.times.node20[judge].bins, { own: 50, allocator: 50 });
    near(new Shares(few).own('node20', judge, 'bins').spread, 0.01 + 0.1);
    near(shares.own('node20', judge, 'bins').spread, 0.01 + 0.001);
    assert.equal(new Shares(few).own('node20', judge, 'bins').best, 30);
  });

  it('has a mean of what was measured and a worst of what is beyond the spread', () => {
    near(shares.ownMean('node20', names, 'wasmalloc') ** 2, (1.1 * 90) / 90.1);
    const { name, ratio } = shares.worstOwn('node20', names, 'wasmalloc');
    assert.equal(name, tune);
    near(ratio, 1.1);
  });

  it('leaves the part that an allocator without any cost would save', () => {
    near(shares.share('node20', tune, 'dlmalloc'), 0.5);
    near(shares.meanWithout('node20', [judge]), 0.8);
    near(shares.meanWithout('node20', names) ** 2, 0.5 * 0.8);
  });

  it('and its allocator save a part of that', () => {
    // 90 ms instead of 100, and 80 with an allocator that takes none.
    near(shares.saved('node20', [judge], 'wasmalloc'), 0.5);
    near(shares.saved('node20', [judge], 'dlmalloc'), 0);
    near(shares.saved('node20', [judge], 'bins'), 2);
  });

  it('is in the tables, tune and judge apart, and in the bars', () => {
    const report = shareReport({ data: { shares: data } });
    assert.match(report, /^Node 20:/);
    for (const part of PARTS)
      for (const title of [
        'geometric mean',
        'worst',
        'mean time with one that takes none',
        'saved of what that would save against dlmalloc',
      ])
        assert.ok(report.includes(`| **${title}, ${part}**`), `${title}, ${part}`);
    assert.match(report, /worst, tune\*\* +\| +0\.50 \| +1\.10 \| +1\.00 \| +1\.20 \|/);
    assert.match(report, /saved .*, judge\*\* +\| 200\.0 % \| +50\.0 % \| +0\.0 % \|/);
    const measured = bars(new Results({ subjects: data.subjects, shares: data }));
    const worst = measured.find(({ what }) => what.includes('own time') && what.includes('worst'));
    near(worst.value, 1.1);
    const judged = measured.find(({ what }) => what.includes('judge: not saved'));
    near(judged.value, 0.5);
  });

  it('is not measured with an allocator that fails, and the tables say so', () => {
    const failed = { ...data, subjects: [...data.subjects, 'mimalloc'] };
    for (const program of Object.values(failed.times.node20))
      program.mimalloc = { rounds: [1], own: 1, allocator: 1, failed: 'out of memory' };
    assert.equal(new Shares(failed).ownRatio('node20', tune, 'mimalloc'), undefined);
    near(new Shares(failed).ownRatio('node20', tune, 'wasmalloc'), 1.1);
    assert.match(shareReport({ data: { shares: failed } }), /no memory/);
  });

  it('is measured in rounds in which each allocator comes first in turn', () => {
    const order = [...interleaved(3, ['lua'], () => ['a', 'b'])].map(({ subject }) => subject);
    assert.deepEqual(order, ['a', 'b', 'b', 'a', 'a', 'b']);
  });

  it('takes no command line that names no program', () => {
    const script = path.join(project, 'bench', 'run.mjs');
    const { status, stderr } = capture(process.execPath, [script, '--only', 'share,churn']);
    assert.equal(status, 2);
    assert.match(stderr, /^bench: --only share is of programs, and none is named\n$/);
  });

  // Lua is linked five times for it.
  if (testAll)
    it('is for Lua more than a half, and the rest is more than nothing, with every allocator', async () => {
      await ensureEmscripten();
      const workloads = PROGRAMS.filter(({ name }) => name === 'lua');
      const selection = { workloads, subjects: SHARE_SUBJECTS };
      const engines = await findEngines(['node']);
      const measured = await measureShares(selection, { engines, rounds: 1, progress: () => {} });
      const [engine] = engines;
      for (const subject of SHARE_SUBJECTS) {
        const share = new Shares(measured).share(engine.name, 'lua', subject);
        assert.ok(share > 0 && share < 0.5, `${subject}: ${share}`);
        // It has one call of each, which the optimizer would put in its place.
        const module = await moduleFor(workloads[0], subject, 'share');
        const read = (file) => readFileSync(path.join(path.dirname(module), file), 'utf8');
        const symbols = read('program.mjs.symbols');
        const functions = allocatorFunctions(read('program.map'), symbols);
        const names = symbols.split('\n').filter((line) => functions.has(Number.parseInt(line)));
        for (const name of ['realloc', 'free'])
          assert.ok(
            names.some((line) => line.endsWith(name)),
            `${subject}: ${name}`,
          );
      }
    });
});
