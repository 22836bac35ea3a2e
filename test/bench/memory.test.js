// Memory by traces: the figures are those of a replay, no worse than in the reference, and what fills a heap is all of it.
import assert from 'node:assert/strict';
import path from 'node:path';
import { OURS } from '../../bench/builds.mjs';
import { GENERATED, generate } from '../../bench/generate.mjs';
import { TraceResults, traceReport } from '../../bench/memory-report.mjs';
import { measureTraces, readTraceReference } from '../../bench/memory.mjs';
import { addOthers } from '../../bench/options.mjs';
import { heapAtPeak, reasonOf } from '../../bench/reasons.mjs';
import { recordProgram } from '../../bench/record.mjs';
import { PARTS, PROGRAMS } from '../../bench/workloads.mjs';
import { replay, replayAllocators } from '../../js/index.js';
import { ensureEmscripten } from '../../scripts/emscripten.mjs';
import { capture } from '../js/support.js';
import { emcc, project, temporaryFolder, testAll } from '../support/emcc.js';
import { eventsOf } from '../support/program.js';
import { traceChunks } from '../support/trace.js';

/** Those that are small, of different kinds. */
const SMALL = GENERATED.filter(({ bytes }) => bytes < (testAll ? 1e6 : 2e4));
const FEW = [6, 11, 19, 24].map((number) => GENERATED[number]);

const folder = temporaryFolder('wasmalloc-memory-');

/** Runs the command, and answers what it prints for machines. */
function runCommand(args, code = 0) {
  const script = path.join(project, 'bench', 'memory.mjs');
  const output = ['--json', '--output', path.join(folder, 'output.json')];
  const { status, stdout, stderr } = capture(process.execPath, [script, ...args, ...output]);
  assert.equal(status, code, stderr);
  return { data: stdout ? JSON.parse(stdout) : undefined, stderr };
}

/** An object file of a source in this folder. */
async function compileAllocator(name, ...flags) {
  const output = path.join(folder, `${name}.o`);
  await emcc(['-O2', '-fno-builtin', ...flags, '-c', source(name), '-o', output]);
  return output;
}

const source = (name) => path.join(import.meta.dirname, 'programs', `${name}.c`);

describe('memory by traces', () => {
  before(ensureEmscripten);

  it('is what a replay of the trace says, for all allocators', async () => {
    const traces = testAll ? FEW : FEW.slice(0, 2);
    const { generated } = await measureTraces(traces, replayAllocators);
    for (const [i, { number, live, heaps }] of generated.entries()) {
      const program = generate(FEW[i]);
      const { heapBase } = program.description;
      const chunks = traceChunks(eventsOf(program), { description: { heapBase } });
      const { allocators } = await replay(chunks, { rounds: 1 });
      assert.equal(number, FEW[i].number);
      assert.deepEqual(
        heaps,
        allocators.map(({ peakHeap }) => peakHeap),
      );
      assert.ok(allocators.every(({ peakLive }) => peakLive === live));
    }
  });

  it('is no worse than in the reference, for the allocators of this project', async function () {
    const reference = readTraceReference();
    const subjects = OURS.filter((name) => reference.subjects.includes(name));
    const { generated } = await measureTraces(SMALL, subjects);
    const worse = generated.flatMap(({ number, heaps }) => {
      const stored = reference.generated.find((row) => row.number === number).heaps;
      return subjects.flatMap((name, i) => {
        const before = stored[reference.subjects.indexOf(name)];
        return heaps[i] > before
          ? [`${GENERATED[number].name}, ${name}: ${before} → ${heaps[i]}`]
          : [];
      });
    });
    assert.deepEqual(
      worse,
      [],
      'if this is meant, make a new reference: npm run bench:memory -- --save',
    );
  });

  it('is told part by part, and the parts are the whole heap', async () => {
    const subjects = ['bins', 'wasmalloc'];
    const { generated } = await measureTraces(FEW, subjects);
    for (const [i, name] of subjects.entries())
      for (const [j, trace] of FEW.entries()) {
        const parts = await heapAtPeak(name, generate(trace));
        assert.equal(parts.heap, generated[j].heaps[i]);
        const { live, heads, free, aside, runs, rest } = parts;
        assert.equal(live + heads + free + aside + runs + rest, parts.heap);
        // Before the first head and after the last one.
        assert.ok(rest >= 4 && rest <= 24, `${rest} bytes are neither`);
        assert.ok(live > 0 && live <= generated[j].live);
        // One that puts nothing aside has nothing there.
        if (name === 'bins') assert.deepEqual([aside, runs], [0, 0]);
        const reasons = reasonOf(parts);
        assert.ok(reasons.every(({ part }) => parts[part] <= parts[reasons[0].part]));
      }
  });

  it('has an allocator that is given by its link flags beside the others', async () => {
    const wasteful = await compileAllocator('wasteful');
    const only = FEW.map(({ number }) => number).join();
    const flags = `wasteful=-sMALLOC=dlmalloc ${wasteful}`;
    const { data } = runCommand(['--only', only, '--allocators', 'bins', '--with', flags]);
    assert.deepEqual(data.subjects, ['bins', 'dlmalloc', 'wasteful']);
    const results = new TraceResults(data);
    for (const row of results.generated) {
      assert.ok(results.ratio(row, 'wasteful') > 1.5, row.trace.name);
      assert.ok(results.ratio(row, 'bins') < 1.1, row.trace.name);
    }
    assert.match(traceReport(results), /bins \| +wasteful \|/);
  });

  it('names an allocator that is broken, with exit code 1', async () => {
    const broken = path.join(project, 'test', 'trace', 'programs', 'broken.c');
    const output = path.join(folder, 'broken.o');
    await emcc(['-O2', '-fno-builtin', '-w', '-DBROKEN=5', '-c', broken, '-o', output]);
    const flags = `mine=-sMALLOC=none ${output}`;
    const args = ['--only', '6', '--allocators', 'bins', '--with', flags];
    assert.match(
      runCommand(args, 1).stderr,
      /mine is broken: .*overwritten.*in 6: uniform, random/,
    );
  });

  it('takes no wrong command line', () => {
    const { stderr } = runCommand(['--only', 'nothing'], 2);
    assert.match(stderr, /there is no program 'nothing'; there are: programs generated sqlite/);
    assert.throws(() => addOthers(['mine']), /--with wants NAME='FLAGS', and this is 'mine'/);
    assert.throws(() => addOthers(['bins=-sMALLOC=none']), /there is an allocator 'bins' already/);
    assert.match(runCommand(['--save', '--quick'], 2).stderr, /whole runs only/);
  });

  it('has the means of programs to tune with and of those that judge apart', () => {
    const [tuned, judged] = PARTS.map((part) => PROGRAMS.find((each) => each.part === part).name);
    const reportOf = (...programs) =>
      traceReport(new TraceResults({ subjects: ['bins', 'dlmalloc'], programs, generated: [] }));
    const first = { name: tuned, live: 50, heaps: [110, 100] };
    const second = { name: judged, live: 50, heaps: [50, 100] };
    const report = reportOf(first, second);
    assert.match(report, /mean, \*tune\*\*\* +\| +\| +0\.50 \| 1\.10 /);
    assert.match(report, /mean, \*judge\*\*\* +\| +\| +0\.50 \| 0\.50 /);
    assert.match(report, /mean, all\*\* +\| +\| +0\.50 \| 0\.74 /);
    const alone = reportOf(first);
    assert.match(alone, /\*\*geometric mean\*\* +\| +\| +0\.50 \| 1\.10 /);
    assert.doesNotMatch(alone, /tune/);
  });

  // Compiling and linking SQLite and the others takes minutes.
  if (testAll)
    it('is for the programs what they have themselves, to within 1 %', async () => {
      const { programs } = await measureTraces(PROGRAMS, ['wasmalloc']);
      for (const [i, { heaps }] of programs.entries()) {
        const { measured } = await recordProgram(PROGRAMS[i]);
        assert.ok(Math.abs(heaps[0] / measured.heap - 1) < 0.01, PROGRAMS[i].name);
      }
    });
});
