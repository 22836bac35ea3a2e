// Links small programs in every way that Emscripten knows, with 5_wasmalloc and the others in turn, and runs them.
// Usage: npx mocha test/emscripten/variants.test.js [-g 'part of a name']; WASMALLOC_TEST_ALL=1 in the
// environment links in all ways, each with all allocators
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import {
  allocators,
  emcc,
  emscriptenIsAtLeast,
  findNode24,
  inTurn,
  languageFlags,
  planned,
  port,
  programFile,
  runModule,
  temporaryFolder,
  testAll,
} from '../support/emcc.js';

const programs = fileURLToPath(new URL('programs/', import.meta.url));

/** What words.c prints, with every allocator. */
const WORDS = `5000 words, 1024 distinct, 461 once
5000 words, 1022 distinct, 456 once
5000 words, 1032 distinct, 472 once
5000 words, 1014 distinct, 441 once
`;
const THREADS = '0 errors, heap sound\n';
const ENOUGH = 'enough, half of it again: yes\nsound\n';
const EXCEPTIONS = '12497500 0\nbad_alloc: 1, nothrow: 1\nagain, heap sound\n';
const WRAPPED = 'grown 0 0\nwrapped: 1 1, heap sound\n';
const MODULES = 'hello, main\nsound\n';

/** When there is no more memory: what a heap can do whose blocks have all been given back. */
const exhausted = (allocator) =>
  `no more: ENOMEM\nenough, half of it again: ${allocator === 'minimal' ? 'no' : 'yes'}\nsound\n`;

/** The program ends by Emscripten's abort(), and says that it was for memory. */
async function abortsForMemory(js, args) {
  await assert.rejects(runModule(js, { args }), /Cannot enlarge memory|OOM/);
}

/**
 * Ways to link. `source` is a program in programs/; `prints` its output, or a function that gets the
 * allocator's name; `frees`: minimal, which never does, cannot run it; `args` are the program's; `check`
 * takes the place of running it with Node: it gets the path of the JavaScript file and the allocator's name. With an Emscripten older than
 * `runsSince` the program is linked only: there it does not run with any malloc.
 *
 * With assertions emcc links other builds of the system libraries, which takes it most of a minute to make, so they are
 * asked for where they may matter. -O1 stands where nothing else is asked for: above it most of the time goes into making
 * the JavaScript smaller. The allocators are the same, the port compiles them with -O2.
 */
const variants = {
  '-O0 with assertions and SAFE_HEAP': {
    source: 'words.c',
    flags: ['-O0', '-sASSERTIONS=2', '-sSAFE_HEAP=1'],
    prints: WORDS,
  },
  '-O0 -g': { source: 'words.c', flags: ['-O0', '-g'], prints: WORDS },
  '-O2': { source: 'words.c', flags: ['-O2'], prints: WORDS },
  '-O3': { source: 'words.c', flags: ['-O3'], prints: WORDS },
  '-Oz': { source: 'words.c', flags: ['-Oz'], prints: WORDS },
  '-O2 -sSTRICT': { source: 'words.c', flags: ['-O2', '-sSTRICT'], prints: WORDS },
  'what libc allocates itself': {
    source: 'mapped.c',
    flags: ['-O1', '-sEXIT_RUNTIME'],
    prints: '0 green\nsound\n',
  },
  ALLOW_MEMORY_GROWTH: {
    source: 'growth.c',
    flags: ['-O1', '-sALLOW_MEMORY_GROWTH'],
    args: ['64'],
    prints: ENOUGH,
  },
  'ALLOW_MEMORY_GROWTH with assertions, up to the maximum': {
    source: 'growth.c',
    flags: ['-O1', '-sASSERTIONS=2', '-sALLOW_MEMORY_GROWTH', '-sMAXIMUM_MEMORY=100MB'],
    args: ['400'],
    prints: exhausted,
  },
  'ALLOW_MEMORY_GROWTH, ABORTING_MALLOC=1': {
    source: 'growth.c',
    flags: ['-O1', '-sALLOW_MEMORY_GROWTH', '-sMAXIMUM_MEMORY=100MB', '-sABORTING_MALLOC=1'],
    check: (js) => abortsForMemory(js, ['400']),
  },
  'no growth, ABORTING_MALLOC=0': {
    source: 'growth.c',
    flags: ['-O1', '-sABORTING_MALLOC=0'],
    args: ['400'],
    prints: exhausted,
  },
  'no growth, ABORTING_MALLOC=1': {
    source: 'growth.c',
    flags: ['-O1', '-sASSERTIONS=1', '-sABORTING_MALLOC=1'],
    check: (js) => abortsForMemory(js, ['400']),
  },
  '-pthread': {
    source: 'threads.c',
    flags: ['-O1', '-pthread', '-sPTHREAD_POOL_SIZE=4', '-sEXIT_RUNTIME'],
    prints: THREADS,
  },
  '-pthread, growth, PROXY_TO_PTHREAD': {
    source: 'threads.c',
    flags: [
      ...['-O1', '-pthread', '-sPROXY_TO_PTHREAD', '-sEXIT_RUNTIME'],
      ...['-sALLOW_MEMORY_GROWTH', '-Wno-pthreads-mem-growth'],
    ],
    prints: THREADS,
  },
  '-pthread -O0 with SAFE_HEAP': {
    source: 'threads.c',
    flags: [
      ...['-O0', '-pthread', '-sPTHREAD_POOL_SIZE=4', '-sEXIT_RUNTIME'],
      ...['-sASSERTIONS=0', '-sSAFE_HEAP=1'],
    ],
    prints: THREADS,
  },
  '-pthread, growth by several threads at once': {
    source: 'growing_threads.c',
    flags: [
      ...['-O1', '-pthread', '-sPTHREAD_POOL_SIZE=4', '-sEXIT_RUNTIME'],
      ...['-sALLOW_MEMORY_GROWTH', '-sMAXIMUM_MEMORY=256MB', '-Wno-pthreads-mem-growth'],
    ],
    prints: THREADS,
  },
  '-pthread, memory that another thread has grown': {
    source: 'grown_by_another.c',
    flags: [
      ...['-O1', '-pthread', '-sPTHREAD_POOL_SIZE=1', '-sEXIT_RUNTIME'],
      ...['-sALLOW_MEMORY_GROWTH', '-sMAXIMUM_MEMORY=256MB', '-Wno-pthreads-mem-growth'],
      '-sMEMORY_GROWTH_LINEAR_STEP=65536',
    ],
    prints: 'written\n',
  },
  '-pthread, WASM_WORKERS': {
    source: 'workers.c',
    flags: ['-O1', '-pthread', '-sWASM_WORKERS'],
    runsSince: '4.0.0',
    prints: THREADS,
  },
  '-pthread, WASM_WORKERS, one after the other': {
    source: 'workers_in_turn.c',
    flags: ['-O1', '-fno-builtin', '-pthread', '-sWASM_WORKERS'],
    runsSince: '4.0.0',
    prints: 'ok 40 workers\n',
    frees: true,
  },
  WASM_WORKERS: {
    source: 'workers.c',
    flags: ['-O1', '-sWASM_WORKERS'],
    runsSince: '4.0.0', // before, wasm workers do not start in Node
    prints: THREADS,
  },
  MEMORY64: {
    source: 'words.c',
    flags: ['-O1', '-sMEMORY64', '-Wno-experimental'],
    node: findNode24,
    prints: WORDS,
  },
  'MEMORY64 -O0 with SAFE_HEAP, growth': {
    source: 'growth.c',
    flags: [
      ...['-O0', '-sMEMORY64', '-Wno-experimental', '-sASSERTIONS=0', '-sSAFE_HEAP=1'],
      '-sALLOW_MEMORY_GROWTH',
    ],
    runsSince: '4.0.0', // before, 64-bit memory does not grow in Node 24
    node: findNode24,
    args: ['64'],
    prints: ENOUGH,
  },
  'C++ with exceptions': {
    source: 'exceptions.cpp',
    flags: ['-O1', '-fexceptions', '-sABORTING_MALLOC=0'],
    prints: EXCEPTIONS,
  },
  'C++ with WebAssembly exceptions': {
    source: 'exceptions.cpp',
    flags: ['-O1', '-fwasm-exceptions', '-sABORTING_MALLOC=0'],
    prints: EXCEPTIONS,
  },
  'malloc, calloc, realloc and free wrapped': {
    source: 'wrapped.c',
    flags: ['-O1'],
    prints: WRAPPED,
  },
  'malloc and free wrapped': { source: 'wrapped.c', flags: ['-O1', '-DPARTLY'], prints: WRAPPED },
  'MAIN_MODULE=2': { source: 'main_module.c', flags: ['-O1', '-sMAIN_MODULE=2'], prints: MODULES },
  'MAIN_MODULE=2 -O0 with SAFE_HEAP': {
    source: 'main_module.c',
    flags: ['-O0', '-sMAIN_MODULE=2', '-sASSERTIONS=0', '-sSAFE_HEAP=1'],
    prints: MODULES,
  },
  '-fsanitize=undefined': {
    source: 'undefined.c',
    flags: ['-O1', '-fsanitize=undefined'],
    async check(js) {
      const { stdout, stderr } = await runModule(js);
      assert.equal(stdout, 'sound\n');
      assert.match(stderr, /undefined\.c:11:\d+: runtime error: signed integer overflow/);
    },
  },
  STANDALONE_WASM: {
    source: 'words.c',
    flags: ['-O1', '-sSTANDALONE_WASM'],
    prints: WORDS,
  },
  'STANDALONE_WASM, run without JavaScript of Emscripten': {
    source: 'words.c',
    flags: ['-O1', '-sSTANDALONE_WASM'],
    output: 'wasm',
    prints: WORDS,
  },
  'STANDALONE_WASM, growth': {
    source: 'growth.c',
    flags: ['-O1', '-sSTANDALONE_WASM', '-sALLOW_MEMORY_GROWTH'],
    args: ['64'],
    prints: ENOUGH,
  },
  MINIMAL_RUNTIME: {
    source: 'words.c',
    flags: ['-O1', '-sMINIMAL_RUNTIME', '-sENVIRONMENT=node'],
    prints: WORDS,
  },
  Embind: {
    source: 'embind.cpp',
    flags: ['-O1', '-lembind', '-sMODULARIZE', '-sEXPORT_ES6'],
    output: 'mjs',
    async check(mjs) {
      const { default: create } = await import(pathToFileURL(mjs));
      const module = await create();
      for (let i = 0; i < 100; ++i) {
        const words = module.split(
          `some words, the ${i}th time, and a longer one: ${'x'.repeat(i)}`,
        );
        assert.equal(words.size(), 10);
        assert.equal(words.get(3), `${i}th`);
        words.delete();
      }
      assert(module.sound());
    },
  },
};

/** One of each kind, for the quick suite: none needs system libraries that the rest of it does not need. */
const QUICK = [
  '-O0 -g',
  '-O2',
  'what libc allocates itself',
  'no growth, ABORTING_MALLOC=0',
  '-pthread, growth by several threads at once',
  'MEMORY64',
  'C++ with WebAssembly exceptions',
  'malloc, calloc, realloc and free wrapped',
  'STANDALONE_WASM, run without JavaScript of Emscripten',
  'ALLOW_MEMORY_GROWTH, ABORTING_MALLOC=1',
];

/** Runs a .wasm file by Node's own WASI. */
const wasiRunner = `
  import { readFileSync } from 'node:fs';
  import { WASI } from 'node:wasi';
  const wasi = new WASI({ version: 'preview1' });
  const module = await WebAssembly.compile(readFileSync(process.argv[2]));
  wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject()));
`;

describe('emscripten: link variants', function () {
  const folder = temporaryFolder();
  const side = path.join(folder, 'side.wasm');
  writeFileSync(path.join(folder, 'wasi.mjs'), wasiRunner);

  /** Links one program; the promise is the path of the file to run. */
  async function build({ source, flags, output = 'js' }, allocator, number) {
    const file = programFile(folder, `${number}-${allocator}`, output);
    const inputs = [path.join(programs, source)];
    if (source === 'main_module.c') inputs.push(await buildSide());
    const use = `--use-port=${port}:allocator=${allocator}`;
    await emcc([...inputs, ...flags, ...languageFlags([source]), use, '-o', file]);
    return file;
  }

  let sideBuilt;
  const buildSide = () =>
    (sideBuilt ??= emcc([
      ...[path.join(programs, 'side_module.c'), '-O2', '-sSIDE_MODULE=2', '-o', side],
      '-sEXPORTED_FUNCTIONS=_side_greeting,_side_release,_side_data',
    ]).then(() => side));

  Object.entries(variants).forEach(([name, variant], number) => {
    if (!testAll && !QUICK.includes(name)) return;
    describe(name, () => {
      const able = allocators.filter(({ name }) => name !== 'minimal' || !variant.frees);
      for (const { name: allocator } of inTurn(number, able)) {
        const built = planned(() => build(variant, allocator, number));
        it(allocator, async () => {
          const file = await built();
          if (variant.runsSince && !emscriptenIsAtLeast(variant.runsSince)) return;
          if (variant.check) return variant.check(file, allocator);
          const { args, node, prints } = variant;
          const { stdout } = file.endsWith('.wasm')
            ? await runModule(path.join(folder, 'wasi.mjs'), { args: [file] })
            : await runModule(file, { args, node: node?.(), cwd: folder });
          assert.equal(stdout, typeof prints === 'function' ? prints(allocator) : prints);
        });
      }
    });
  });
});
