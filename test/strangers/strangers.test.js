// What programs of strangers do, and what they reported: of each kind a program, with the right answer.
// Usage: npx mocha test/strangers
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import {
  allocatorFlag,
  allocators,
  emcc,
  findNode24,
  languageFlags,
  programFile,
  runModule,
  temporaryFolder,
  testAll,
} from '../support/emcc.js';
import { capture } from '../../scripts/run.mjs';

const folder = temporaryFolder();

const GROWTH = ['-sALLOW_MEMORY_GROWTH', '-sABORTING_MALLOC=0'];

const made = new Map();

/** What `make` answers, made once for what `key` consists of. */
function once(key, make) {
  const name = key.join(' ');
  if (!made.has(name)) made.set(name, make(made.size));
  return made.get(name);
}

/** Links a program with an allocator, ours or Emscripten's, once; returns its path. */
function link(source, allocator, flags = []) {
  return once(['link', source, allocator, ...flags], async (number) => {
    const program = programFile(folder, `${number}`);
    const all = ['-O1', '-fno-builtin', ...GROWTH, ...flags, ...languageFlags([source])];
    const input = path.join(import.meta.dirname, source);
    await emcc([...all, input, allocatorFlag(allocator), '-o', program]);
    return program;
  });
}

/** The number that a program prints, which is always the same. */
function numberOf(source, allocator, flags, args = []) {
  return once(['run', source, allocator, ...flags, ...args], async () => {
    const program = await link(source, allocator, flags);
    return Number((await runModule(program, { args: args.map(String) })).stdout);
  });
}

const names = allocators.map(({ name }) => name);

/** What is the same for all with boundary tags the quick suite tries with two allocators. */
const isWanted = (name) => testAll || ['linked', 'wasmalloc'].includes(name);

describe('programs of strangers', function () {
  this.timeout(1_800_000);

  describe('when others lower the break no block is handed out twice', () => {
    const widths = { wasm32: [] };
    if (testAll) widths.wasm64 = ['-sMEMORY64', '-Wno-experimental'];
    for (const [width, flags] of Object.entries(widths))
      for (const name of [...names, 'hardened'])
        it(`${name}, ${width}`, async () => {
          const program = await link('sbrk.c', name, flags);
          const node = flags.length ? findNode24() : undefined;
          const { stdout } = await runModule(program, { node });
          assert.equal(stdout, '3 refused, 1 given back, 0 overwritten\n');
        });
  });

  describe('buffers that grow in turn take no more memory than with dlmalloc', () => {
    const memory = ['-sINITIAL_MEMORY=1MB', '-sSTACK_SIZE=64KB', '-sMAXIMUM_MEMORY=2GB'];
    const measure = (name, ...args) =>
      numberOf('vectors.c', name, [...memory, '-sEXIT_RUNTIME'], args);
    const megabytes = testAll ? 256 : 32;
    /** What docs/testing.md says of one that has no boundary tags to find the free block before by. */
    const most = { linked: 1.75 };
    // 1_minimal never gives back.
    for (const name of names.filter((each) => each !== 'minimal'))
      for (const tenths of [15, 20])
        it(`${name}: 1, 2, 3, 4 and 8 of them, each by ${tenths / 10}`, async () => {
          for (const count of [1, 2, 3, 4, 8]) {
            const ours = await measure(name, count, tenths, megabytes);
            const theirs = await measure('dlmalloc', count, tenths, megabytes);
            const text = `${count}: ${ours}, dlmalloc ${theirs}`;
            assert.ok(ours > 0 && ours <= theirs * (most[name] ?? 1), text);
          }
        });

    for (const name of names.filter((each) => each !== 'minimal'))
      it(`${name}: one reaches 1 GiB where 2 GB is the limit`, async () => {
        assert.ok((await measure(name, 1, 20, 1024)) > 0);
      });

    it('dlmalloc does not', async () => {
      assert.ok(Number.isNaN(await measure('dlmalloc', 1, 20, 1024)));
    });
  });

  describe('a block that should move to grow stays where there is no memory to move to', () => {
    for (const name of names.filter((each) => each !== 'minimal' && isWanted(each)))
      it(name, async () => {
        const program = await link('last.c', name, [
          '-sINITIAL_MEMORY=1MB',
          '-sMAXIMUM_MEMORY=14MB',
        ]);
        assert.equal((await runModule(program)).stdout, 'in place, in place, errno 0\n');
      });
  });

  describe('many sizes at a time take about as much memory as with dlmalloc', () => {
    const measure = (name, flags) => numberOf('sizes.c', name, ['-sMAXIMUM_MEMORY=1GB', ...flags]);
    for (const flags of [[], ['-DALIGNED']])
      for (const name of names.filter(
        (each) =>
          each !== 'minimal' &&
          (testAll || (each !== 'linked' && (each === 'wasmalloc' || !flags.length))),
      ))
        it(`${name} ${flags.join('')}`, async () => {
          const [ours, theirs] = await Promise.all(
            [name, 'dlmalloc'].map((each) => measure(each, flags)),
          );
          // README.md says so of 3_doubly.
          const [least, most] = name === 'doubly' ? [1.1, 1.25] : [0.9, 1.05];
          const ratio = ours / theirs;
          assert.ok(ratio >= least && ratio <= most, `${ratio}`);
        });
  });

  describe('an aligned request just under 2 GiB is served', () => {
    for (const name of names.filter(isWanted))
      it(name, async () => {
        const program = await link('aligned.cpp', name, ['-sMAXIMUM_MEMORY=4GB']);
        const { stdout } = await runModule(program);
        const again = name === 'minimal' ? 'refused' : 'served';
        assert.equal(stdout, `served, refused, served\n${again}\n`);
      });
  });

  it('with threads, free of a block whose head was overwritten traps', async () => {
    const flags = ['-pthread', '-sPTHREAD_POOL_SIZE=1', '-sEXIT_RUNTIME'];
    const program = await link('overflow.c', 'wasmalloc', flags);
    const { stdout, stderr, code } = await capture(process.execPath, [program]);
    assert.equal(stdout, '');
    assert.notEqual(code, 0);
    assert.match(stderr, /RuntimeError: unreachable/);
  });

  describe('after a double free the check ends', () => {
    for (const name of names)
      it(name, async () => {
        const program = await link('twice.c', name);
        assert.ok(existsSync(program));
        const { stdout } = await capture(process.execPath, [program]);
        assert.match(stdout, /^(broken|sound|)\n?$/);
      });
  });
});
