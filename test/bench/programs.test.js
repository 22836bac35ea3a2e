// The division of the real programs into those that constants are chosen on and those that judge them.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Results, learntByHeart, memoryTable, programTable } from '../../bench/report.mjs';
import { readReference } from '../../bench/run.mjs';
import { PARTS, PROGRAMS } from '../../bench/workloads.mjs';

const MIB = 1 << 20;

const namesOf = (part) => PROGRAMS.filter((each) => each.part === part).map(({ name }) => name);

describe('the real programs', () => {
  it('are divided by a hash of their names, and by nothing else', () => {
    for (const { name, part } of PROGRAMS) {
      const [first] = createHash('sha256').update(name).digest();
      assert.equal(part, first % 2 === 0 ? 'tune' : 'judge', name);
    }
  });

  it('are 17 at least, with seven at least in each part', () => {
    const names = PROGRAMS.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    assert.ok(names.length >= 17, names.join(' '));
    for (const part of PARTS) assert.ok(namesOf(part).length >= 7, namesOf(part).join(' '));
  });

  it('have figures of their memory in the reference, four of them less than 1 MiB of heap', () => {
    const { memory } = readReference();
    const heaps = PROGRAMS.map(({ name }) => [name, memory[name]?.wasmalloc.heap]);
    for (const [name, heap] of heaps) assert.ok(heap > 0, `no figures of ${name}`);
    const small = heaps.filter(([, heap]) => heap < MIB);
    assert.ok(small.length >= 4, small.join(' '));
  });
});

/** Results in which each program takes so much with 5_wasmalloc for each byte with 4_bins. */
function made(ratios, names = PROGRAMS.map(({ name }) => name)) {
  const memory = Object.fromEntries(
    names.map((name) => {
      const ratio = ratios[PROGRAMS.find((each) => each.name === name).part];
      const linear = { dlmalloc: 1e6, bins: 1e6, wasmalloc: ratio * 1e6 };
      return [name, Object.fromEntries(Object.entries(linear).map(([a, b]) => [a, { linear: b }]))];
    }),
  );
  return new Results({ subjects: ['bins', 'wasmalloc', 'dlmalloc'], memory });
}

describe('the tables', () => {
  it('print tune and judge apart, each with its mean', () => {
    const text = memoryTable(made({ tune: 0.5, judge: 0.25 }));
    const [tune, judge] = PARTS.map((part) => text.indexOf(`**geometric mean, ${part}**`));
    assert.ok(tune > 0 && judge > tune);
    const titles = (part) =>
      PROGRAMS.filter((each) => each.part === part).map((each) => each.title);
    for (const title of titles('tune')) assert.ok(text.indexOf(`| ${title} `) < tune, title);
    for (const title of titles('judge')) {
      const at = text.indexOf(`| ${title} `);
      assert.ok(at > tune && at < judge, title);
    }
  });

  it('say "learnt by heart?" where judge gains less than two thirds of what tune gains', () => {
    const remark = (tune, judge) => memoryTable(made({ tune, judge })).includes('learnt by heart?');
    assert.equal(remark(0.7, 0.85), true);
    assert.equal(remark(0.7, 0.75), false);
    assert.equal(remark(0.7, 1.1), true);
    // So with losses: one and a half times as large is the most.
    assert.equal(remark(1.1, 1.14), false);
    assert.equal(remark(1.1, 1.16), true);
    assert.equal(remark(1.1, 0.9), false);
    assert.match(
      memoryTable(made({ tune: 0.7, judge: 0.85 })),
      /Gain of wasmalloc over bins, peak linear memory: \*tune\* 30.0 % \(\d+ of \d+ programs\), \*judge\* 15.0 %/,
    );
  });

  it('do without programs that were not measured', () => {
    const some = namesOf('tune').slice(0, 2);
    const text = memoryTable(made({ tune: 0.5 }, some));
    assert.ok(!text.includes('judge') && !text.includes('learnt'));
    assert.equal(
      learntByHeart('time', () => NaN, some),
      undefined,
    );
    assert.match(programTable(made({ tune: 0.5 }, some)), /–/);
  });
});
