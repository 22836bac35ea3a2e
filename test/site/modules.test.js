// The playground's modules and what it reads out of their memory, against the modules of the package and what
// they tell of themselves.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { instantiate } from '../../js/index.js';
import { build } from '../../scripts/build.mjs';
import { binSizes } from '../../site/allocators/bins.js';
import { compare } from '../../site/events.js';
import { openHeap } from '../../site/simulation.js';
import { project } from '../support/emcc.js';
import { load, mixedScript, names, readJson, runScript, site } from './support.js';

const HEAD = 4;

describe('the playground', () => {
  before(() => Promise.all([site, build()]));

  for (const name of names)
    describe(`with ${name}`, () => {
      let allocator, simulation;
      before(async () => {
        allocator = await load(name);
        simulation = await runScript(allocator, mixedScript(1));
      });

      const readAfter = (count) => allocator.read(simulation.memoryAfter(count), simulation.layout);

      it('answers as the module of the package does', async () => {
        const heap = await instantiate(name);
        const { requests, results } = simulation;
        const [blocks, expected] = [[], []];
        for (const { kind, block, bytes } of requests.slice(0, 170)) {
          if (kind === 'alloc') blocks[block] = heap.malloc(bytes);
          else if (kind === 'realloc') blocks[block] = heap.reallocBytes(blocks[block], bytes);
          else heap.free(blocks[block]);
          expected.push(kind === 'free' ? 0 : blocks[block] - blocks[0]);
        }
        const answers = results
          .slice(0, 170)
          .map(({ answer }) => answer && answer - results[0].answer);
        assert.deepEqual(answers, expected);
      });

      it('shows the blocks that the module tells of', async () => {
        for (let count = 0; count <= simulation.requests.length; count += 3) {
          const shown = readAfter(count);
          const heap = await openHeap(allocator, simulation.pictures[count]);
          const told = heap.blocks(); // which checks the heap, too
          const used = (blocks) => blocks.filter(({ state }) => state === 'used');
          const words = shown.blocks.map(({ start, size, kind }) => ({
            address: start + HEAD,
            size: size - HEAD,
            state: kind === 'rest' ? 'free' : kind,
          }));
          if (!shown.blocks.some(({ kind }) => ['deferred', 'object', 'internal'].includes(kind))) {
            assert.deepEqual(words, told, `after ${count} requests`);
            continue;
          }
          // The module has tidied up before it told. The last object of a run may have grown by that.
          const addresses = (blocks) => used(blocks).map(({ address }) => address);
          assert.deepEqual(addresses(words), addresses(told), `after ${count} requests`);
          const free = told.filter(({ state }) => state === 'free');
          for (const { start, size, kind } of shown.blocks)
            if (kind !== 'used' && kind !== 'internal' && kind !== 'foreign')
              assert.ok(
                free.some(
                  (block) =>
                    block.address - HEAD <= start &&
                    start + size <= block.address + block.size + 2 * HEAD,
                ),
                `the ${kind} block at ${start} is free when all is tidy`,
              );
        }
      });

      it('shows each free block in one list, and no other', () => {
        const listedIn = { free: 'free', quick: 'deferred', run: 'object' };
        for (let count = 0; count <= simulation.requests.length; ++count) {
          const { blocks, lists, bits } = readAfter(count);
          const kinds = new Map(blocks.map(({ start, kind }) => [start, kind]));
          const listed = lists.flatMap((list) => list.blocks);
          assert.equal(new Set(listed).size, listed.length, 'no block is in two lists');
          for (const list of lists)
            for (const start of list.blocks) assert.equal(kinds.get(start), listedIn[list.kind]);
          const toBeListed = blocks.filter(({ kind }) => Object.values(listedIn).includes(kind));
          assert.equal(listed.length, toBeListed.length);
          const bins = lists.filter(({ name }) => name.startsWith('bin '));
          const set = (bits ?? []).flatMap((bit, bin) => (bit ? [`bin ${bin}`] : []));
          assert.deepEqual(
            bins.map((bin) => bin.name),
            set,
          );
          for (const bin of bins) {
            const [least, beyond] = binSizes(Number(bin.name.slice(4)));
            for (const start of bin.blocks) {
              const { size } = blocks.find((block) => block.start === start);
              assert.ok(size >= least && size < beyond, `${size} belongs into ${bin.name}`);
            }
          }
        }
      });

      it('has blocks of all kinds to show', () => {
        const seen = new Set();
        for (let count = 0; count <= simulation.requests.length; ++count)
          for (const { kind } of readAfter(count).blocks) seen.add(kind);
        const kinds = {
          minimal: [],
          linked: ['free'],
          wasmalloc: ['deferred', 'internal', 'object'],
        };
        const expected = ['foreign', 'used', ...(kinds[name] ?? [])];
        if (!['minimal', 'linked'].includes(name)) expected.push('free', 'rest');
        assert.deepEqual([...seen].sort(), expected.sort());
      });

      it('has the program hold what it was given', () => {
        const count = simulation.requests.length;
        const { names: held } = simulation.programView(count);
        const used = readAfter(count).blocks.filter(({ kind }) => kind === 'used');
        const addresses = new Set(used.map(({ start }) => start + HEAD));
        for (const [address, { bytes }] of held) {
          assert.ok(addresses.has(address));
          const { size } = used.find(({ start }) => start + HEAD === address);
          assert.ok(size - HEAD >= bytes);
        }
        if (name !== 'minimal') assert.equal(used.length, held.size);
      });

      it('follows a request statement by statement', async () => {
        const sources = await readJson('sources.json');
        const { files, steps } = allocator.tables;
        for (const index of [0, 5, 39, 60, 66, 100, 150, simulation.requests.length - 13]) {
          const { kind } = simulation.requests[index];
          if (kind === 'sbrk') continue;
          const recording = await simulation.record(index);
          assert.equal(recording.length, simulation.results[index].statements);
          const [file, line] = steps[recording[0].step];
          assert.equal(files[file], 'word_interface.c');
          assert.match(recording[0].frames[0].name, /^word_/);
          for (const { step } of recording) {
            const text = sources[files[steps[step][0]]][steps[step][1] - 1];
            assert.ok(text.length, `${files[steps[step][0]]}:${line} has a statement`);
          }
          // What the statements have written leads from one picture to the next.
          const last = simulation.memoryDuring(index, recording, recording.length - 1);
          const after = simulation.memoryAfter(index + 1);
          const [a, b] = [last, after].map((memory) => allocator.read(memory, simulation.layout));
          if (kind === 'free' && name !== 'wasmalloc') assert.deepEqual(a.blocks, b.blocks);
          assert.equal(a.end, b.end);
        }
      });

      it('knows the variables of the functions that run', async () => {
        const index = simulation.requests.findIndex(({ kind }) => kind === 'free');
        const [first] = await simulation.record(index);
        const { value, pointer } = first.frames[0].values.address;
        assert.deepEqual([value, pointer], [simulation.results[index].before, true]);
      });
    });

  it('says that memory has run out', async () => {
    for (const name of names) {
      const simulation = await runScript(await load(name), 'repeat 5 { alloc 60000 }');
      const answers = simulation.results.map(({ answer }) => answer > 0);
      assert.deepEqual(answers, [true, true, true, true, false]);
      assert.equal(simulation.programView(5).names.size, 4);
    }
  });

  it('shows sources as they are', async () => {
    const sources = await readJson('sources.json');
    for (const [file, lines] of Object.entries(sources)) {
      const text = lines.map((pieces) => pieces.map(([piece]) => piece).join('')).join('\n');
      assert.equal(`${text}\n`, readFileSync(path.join(project, 'lib', file), 'utf8'));
    }
  });

  it('says what happens to blocks', async () => {
    const events = async (name, script) => {
      const allocator = await load(name);
      const simulation = await runScript(allocator, script);
      const read = (count) => allocator.read(simulation.memoryAfter(count), simulation.layout);
      const count = simulation.requests.length;
      return compare(read(count - 1), read(count)).events;
    };
    const three = 'a = alloc 40\nb = alloc 24\nc = alloc 40\nd = alloc 24\nfree a\nfree c\n';
    assert.deepEqual(await events('linked', `${three}alloc 16`), [
      'split the block of 48: 24 used, 24 left',
    ]);
    assert.deepEqual(await events('linked', `${three}free b`), [
      'merged 48 + 32 + 48 into one free block of 128',
    ]);
    assert.deepEqual(await events('bins', `${three}alloc 40`), [
      'took the free block of 48 as it was',
    ]);
    assert.deepEqual(await events('wasmalloc', 'a = alloc 24\nfree a'), [
      'deferred the block of 32: it waits on its quick list',
    ]);
    assert.deepEqual(await events('wasmalloc', 'a = alloc 24\nfree a\nalloc 28'), [
      'took the block of 32 from its quick list',
    ]);
  });
});
