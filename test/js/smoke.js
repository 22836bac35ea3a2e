// A short run through the package, for the engines that the whole suite does not run in.
// Usage: await smoke(await import('wasmalloc')) in any engine; throws when something is wrong.

function check(condition, what) {
  if (!condition) throw new Error(`not so: ${what}`);
}

/** Uses every allocator in both builds; answers a line about it. */
export async function smoke({ allocators, instantiate, WasmallocError }) {
  for (const { name } of allocators) {
    for (const options of [{}, { initial: 2, maximum: 1000 }]) {
      const heap = await instantiate(name, options);
      const { i32, f64 } = heap;
      const address = heap.alloc(4);
      i32[address >>> 2] = 42;
      f64[(address + 8) >>> 3] = 0.5;
      const part = i32.subarray(address >>> 2, (address >>> 2) + 4);
      const large = heap.malloc(5_000_000);
      check(large > 0, `${name} allocates`);
      check(i32[address >>> 2] === 42 && part[0] === 42, `${name}: a view stays valid`);
      check([...part].length === 4 && part.indexOf(42) === 0, `${name}: a view has its methods`);
      check(part.map((x) => x + 1)[0] === 43, `${name}: map`);
      const sum = heap.view(Int32Array, address, 1, (words) => words[0] + 1);
      check(sum === 43, `${name}: a view is lent`);
      const moved = heap.realloc(address, 1000);
      check(f64[(moved + 8) >>> 3] === 0.5, `${name}: realloc keeps the contents`);
      const text = heap.newString('tëxt');
      check(heap.readString(text) === 'tëxt', `${name}: strings`);
      check(heap.alloc(2 ** 31) === 0, `${name}: no memory`);
      check(heap.stats().usedBlocks >= 3, `${name}: statistics`);
      check(
        heap.blocks().some((block) => block.address === text),
        `${name}: blocks`,
      );
      for (const block of [moved, large, text]) heap.dealloc(block);
      heap.check();
    }
  }
  const error = await instantiate('bins', { url: 'http://localhost:1/none.wasm' }).catch((e) => e);
  check(error instanceof WasmallocError, 'a failure to load is reported');
  return `${allocators.length} allocators work`;
}
