// The benchmark with threads: what there is, how rounds are told apart that fall into two groups, and what its tables say.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { findEngines } from '../../bench/engines.mjs';
import { measureTransfers } from '../../bench/measure.mjs';
import { modes, summary } from '../../bench/statistics.mjs';
import { threadReport, variantName } from '../../bench/threads-report.mjs';
import { readThreadReference, variantsOf } from '../../bench/threads.mjs';
import { PARTS, THREADED, partOf } from '../../bench/workloads.mjs';
import { ensureEmscripten } from '../../scripts/emscripten.mjs';
import { capture } from '../js/support.js';
import { project, temporaryFolder } from '../support/emcc.js';
import { ensureReference } from './support.js';

const folder = temporaryFolder('wasmalloc-threads-');

/** Runs the command, and answers what it prints. */
function runCommand(args, code = 0) {
  const script = path.join(project, 'bench', 'threads.mjs');
  const { status, stdout, stderr } = capture(process.execPath, [script, ...args]);
  assert.equal(status, code, stderr);
  return stdout + stderr;
}

describe('the workloads with threads', () => {
  it('are 22, divided by a hash of their names, with seven at least in each part', () => {
    const names = THREADED.map(({ name }) => name);
    assert.equal(new Set(names).size, 22);
    for (const { name, part } of THREADED) assert.equal(part, partOf(name), name);
    for (const part of PARTS) {
      const own = THREADED.filter((workload) => workload.part === part);
      assert.ok(own.length >= 7, own.map(({ name }) => name).join(' '));
    }
  });

  it('run with 1, 2, 4, 8 and 16 threads unless told', () => {
    assert.match(
      runCommand(['--help']),
      /--threads N,… +numbers of threads, 1,2,4,8,16 unless told/,
    );
    assert.match(runCommand(['--threads', '65'], 2), /--threads wants no more than 64/);
    assert.match(runCommand(['--threads', '2', '--save'], 2), /whole runs only/);
    assert.match(runCommand(['--only', 'nothing'], 2), /there are: tune judge pairs/);
  });
});

describe('rounds', () => {
  it('fall into two groups where the second is half as long again as the first', () => {
    assert.deepEqual(modes([15, 3.1, 3.6, 14, 3.2]), [3.2, 14.5]);
    assert.deepEqual(modes([1, 1, 1.51, 1.51]), [1, 1.51]);
    assert.equal(modes([1, 1, 1.5, 1.5]), undefined);
    assert.equal(modes([1, 1.2, 1.4, 1.6, 1.8, 2]), undefined);
  });

  it('fall into no groups of one', () => {
    assert.equal(modes([1, 1, 1, 15]), undefined);
    assert.equal(modes([1, 15, 15, 15]), undefined);
    assert.equal(modes([1, 15, 1]), undefined);
    assert.equal(modes([]), undefined);
  });

  it('have a least and a median', () => {
    const { best, median } = summary([4, 1, 3]);
    assert.deepEqual([best, median], [1, 3]);
    assert.equal(summary([4, 1, 3, 2]).median, 2.5);
  });
});

/** The results of a run with two threads: each workload's rounds by its part, with 5_wasmalloc. */
function madeOf(rounds) {
  const times = Object.fromEntries(
    THREADED.map(({ name, part }) => [
      name,
      {
        bins: { rounds: [10, 10, 10, 10] },
        wasmalloc: { rounds: rounds[part] },
        dlmalloc: { rounds: [20, 20, 20, 20] },
      },
    ]),
  );
  return {
    subjects: ['bins', 'wasmalloc', 'dlmalloc'],
    threads: [2],
    versions: { engines: { node20: 'Node' } },
    times: { [`node20 ${variantName(2)}`]: times },
  };
}

describe('the tables with threads', () => {
  it('have the least, the median and both modes of the rounds', () => {
    const report = threadReport(madeOf({ tune: [5, 5, 40, 42], judge: [5, 5, 5, 6] }));
    assert.match(report, /5\.00, 22\.5 \(5\.00 or 41\.0\)/);
    assert.match(report, /\| +5\.00, 5\.00 \|/);
  });

  it('have means of tune and of judge, of the least and of medians', () => {
    const report = threadReport(madeOf({ tune: [5, 5, 5, 5], judge: [10, 20, 20, 20] }));
    assert.match(report, /node20 2 threads, tune +\| 0\.50, 0\.50 \| 0\.25, 0\.25 \|/);
    assert.match(report, /node20 2 threads, judge +\| 0\.50, 0\.50 \| 0\.50, 1\.00 \|/);
    assert.match(report, /\*\*geometric mean, judge\*\* +\| 0\.50 \| +1\.00 \|/);
  });

  it('say "learnt by heart?" by the rule of the real programs', () => {
    const gain = (tune, judge) => threadReport(madeOf({ tune: [tune], judge: [judge] }));
    assert.match(
      gain(5, 9),
      /wasmalloc over bins, time: \*tune\* 50\.0 % \(8 of 8 workloads\), \*judge\* 10\.0 % \(14 of 14 workloads\) — learnt by heart\?/,
    );
    assert.doesNotMatch(gain(5, 6), /learnt/);
  });
});

/** Some that are quick, of different kinds: own blocks, blocks for the neighbour, threads that come and go. */
const COUNTED = ['pairs', 'ring', 'table'];

/** What a run of these counts, by workload and allocator. */
async function countedWith(threads, subjects, names = COUNTED) {
  const workloads = variantsOf(
    THREADED.filter(({ name }) => names.includes(name)),
    [threads],
  );
  const [engine] = await findEngines(['node']);
  const selection = { workloads, subjects, scale: 1 };
  const counts = await measureTransfers(selection, { engine, progress: () => {} });
  return counts[variantName(threads)];
}

describe('what threads cost each other', () => {
  before(ensureEmscripten);

  it('is the same in every run', async () => {
    const runs = [];
    for (let run = 0; run < 2; ++run) runs.push(await countedWith(4, ['wasmalloc', 'dlmalloc']));
    assert.deepEqual(runs[0], runs[1]);
  });

  it('is that of the reference with an allocator of Emscripten, and no worse with ours', async function () {
    const reference = readThreadReference();
    await ensureReference(this, reference);
    const counts = await countedWith(2, ['wasmalloc', 'dlmalloc']);
    const stored = reference.transfers[variantName(2)];
    for (const [name, results] of Object.entries(counts)) {
      assert.deepEqual(results.dlmalloc, stored[name].dlmalloc, name);
      const [now, before] = [results, stored[name]].map(({ wasmalloc }) => wasmalloc);
      for (const what of ['own', 'objects', 'locks']) {
        const most = (before[what] / before.operations) * 1.1 + 0.001;
        assert.ok(
          now[what] / now.operations <= most,
          `${name}: ${what}: ${before[what]} → ${now[what]}; if this is meant, make a new ` +
            'reference: npm run bench:threads -- --only transfers --save',
        );
      }
    }
  });

  it('is counted of an allocator that is given by its link flags', () => {
    const output = path.join(folder, 'output.json');
    const args = ['--only', 'pairs,transfers', '--threads', '2', '--allocators', 'bins'];
    const text = runCommand([...args, '--with', 'mine=-sMALLOC=dlmalloc', '--output', output]);
    const { transfers, subjects } = JSON.parse(readFileSync(output, 'utf8'));
    assert.deepEqual(subjects, ['bins', 'dlmalloc', 'mine']);
    const { mine, dlmalloc } = transfers[variantName(2)].pairs;
    assert.deepEqual(mine, dlmalloc);
    assert.match(text, /takings of a lock for 100,000 operations \| +bins \| dlmalloc \| +mine/);
  });

  it('has a taking of the lock for each operation where there is one lock', async () => {
    const { pairs, ring } = await countedWith(2, ['bins'], ['pairs', 'ring']);
    for (const { bins } of [pairs, ring]) {
      const rate = bins.locks / bins.operations;
      assert.ok(rate >= 1 && rate < 1.01, `${rate}`);
      assert.ok(bins.own > bins.locks / 2, 'the lock goes from thread to thread');
    }
  });
});
