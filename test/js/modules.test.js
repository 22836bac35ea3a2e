// The modules in dist/, as wabt reads them: exactly the exports and imports of docs/architecture.md.
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import createWabt from 'wabt';
import { EXPORTS, build, outputs } from '../../scripts/build.mjs';
import { allocators, project } from './support.js';

const SIGNATURES = {
  alloc: '(param i32) (result i32)',
  realloc: '(param i32 i32) (result i32)',
  dealloc: '(param i32)',
  heap_next_block: '(param i32) (result i32)',
  heap_statistics: '(result i32)',
  heap_check: '(result i32)',
};

/** The exports and imports of a module in the text format, each with its type. */
function readInterface(text) {
  const types = [...text.matchAll(/^ {2}\(type \(;\d+;\) \(func ?(.*)\)\)$/gm)].map(([, t]) => t);
  const functions = [...text.matchAll(/^ {2}\(func \(;\d+;\) \(type (\d+)\)/gm)];
  const imports = [...text.matchAll(/^ {2}\(import (.*)\)$/gm)].map(([, what]) => what);
  const exported = [...text.matchAll(/^ {2}\(export "(\w+)" \((\w+) (\d+)\)\)/gm)];
  const typeOf = (kind, index) => (kind === 'func' ? types[functions[index][1]] : kind);
  const memory = text.match(/^ {2}\(memory \(;0;\) (.*)\)$/m)?.[1];
  return {
    imports,
    exports: Object.fromEntries(exported.map(([, name, kind, i]) => [name, typeOf(kind, i)])),
    memory,
  };
}

describe('the modules in dist/', () => {
  let read;
  before(async () => {
    const wabt = await createWabt();
    read = (file) => {
      // wabt takes the whole ArrayBuffer, so this must be one of its own.
      const bytes = new Uint8Array(readFileSync(path.join(project, 'dist', file)));
      const module = wabt.readWasm(bytes, { readDebugNames: true });
      module.validate();
      return { bytes, ...readInterface(module.toText({ foldExprs: false, inlineExport: false })) };
    };
  });

  for (const { name } of allocators) {
    it(`${name}.wasm imports nothing and exports exactly what it should`, () => {
      const { imports, exports, memory } = read(`${name}.wasm`);
      assert.deepEqual(imports, []);
      assert.deepEqual(exports, { memory: 'memory', ...SIGNATURES });
      assert.match(memory, /^1 65536$/, 'one page, growing to 4 GiB');
    });

    it(`${name}.imported.wasm imports its memory only, and exports the same functions`, () => {
      const { imports, exports } = read(`${name}.imported.wasm`);
      assert.deepEqual(imports, ['"env" "memory" (memory (;0;) 2)']);
      assert.deepEqual(exports, SIGNATURES);
    });

    it(`${name}: both hold code and data only`, () => {
      for (const file of [`${name}.wasm`, `${name}.imported.wasm`]) {
        const module = new WebAssembly.Module(read(file).bytes);
        for (const section of ['name', 'producers', 'target_features', '.debug_info'])
          assert.deepEqual(WebAssembly.Module.customSections(module, section), [], section);
      }
    });
  }

  it('has the exports that the build names', () => {
    assert.deepEqual([...EXPORTS].sort(), Object.keys(SIGNATURES).sort());
  });

  it('is not built again when it is newer than the sources', async () => {
    await build();
    const times = () => outputs().map((file) => statSync(file).mtimeMs);
    const before = times();
    assert.equal(await build(), false);
    assert.deepEqual(times(), before);
  });
});
