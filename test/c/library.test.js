// The C library interface of every allocator, linked by emcc in many variants and run in Node.
// Usage: npx mocha test/c/library.test.js [-g 'part of a name']
// In the environment WASMALLOC_TEST_SEED=N gives the random tests another seed, and WASMALLOC_TEST_ALL=1 tests each
// variant with every allocator.
import assert from 'node:assert/strict';
import path from 'node:path';
import {
  allocatorFlag,
  emcc,
  findNode24,
  inTurn,
  languageFlags,
  planned,
  programFile,
  runModule,
  temporaryFolder,
  testAll,
  variants as builds,
} from '../support/emcc.js';
import { defineTests, files, runSuite, sources, traitsOf } from './suite.js';

/** All but the debug build, which takes minutes for the suite's millions of calls, to look at the stack in each: it has
 * a way of its own, is tested natively, and in test/debug. */
const all = builds.filter(({ name }) => name !== 'debug');
const plain = all.filter(({ define }) => !define);
const hardened = all.filter(({ define }) => define);
const general = plain.filter(({ name }) => name === 'wasmalloc');

const GROWTH = ['-sALLOW_MEMORY_GROWTH'];
const NO_GROWTH = ['-sABORTING_MALLOC=0'];

/**
 * Ways to build the suite. `compile` and `link` are emcc's flags; with `growth` memory grows from
 * 16 MiB to what the allocator's tests need, without, it is as large from the start; `args` are the
 * suite's. Those with `few` differ in what is not an allocator's: some will do, in turn. `quick`: in the quick suite, too,
 * for 5_wasmalloc alone if it is 'general'.
 *
 * With assertions emcc links other builds of the system libraries, which takes it most of a minute to make. SAFE_HEAP, which
 * looks at each access, does without.
 */
const variants = {
  '-O0 with assertions and SAFE_HEAP, growth': {
    compile: ['-O0'],
    link: ['-O0', '-sASSERTIONS=2', '-sSAFE_HEAP=1', ...GROWTH],
    growth: true,
    args: ['--operations=20000'],
  },
  '-O2, growth': { compile: ['-O2'], link: ['-O1', ...GROWTH], growth: true, quick: true },
  'the debug build': {
    compile: ['-O2'],
    link: ['-O1', ...GROWTH],
    growth: true,
    args: ['--operations=2000', '--no-exhaustion'],
    only: builds.filter(({ name }) => name === 'debug'),
    quick: true,
  },
  '-O2, no growth': { compile: ['-O2'], link: ['-O2', ...NO_GROWTH], few: true },
  '-O2, no growth, ABORTING_MALLOC=1': {
    compile: ['-O2'],
    link: ['-O2', '-sABORTING_MALLOC=1'],
    args: ['--no-exhaustion'],
    few: true,
  },
  '-O3, growth': { compile: ['-O3'], link: ['-O3', ...GROWTH], growth: true, few: true },
  '-Oz, no growth': { compile: ['-Oz'], link: ['-Oz', ...NO_GROWTH] },
  '-pthread': {
    compile: ['-O2', '-pthread'],
    link: ['-O1', '-pthread', ...NO_GROWTH],
    quick: 'general',
  },
  'MEMORY64, growth': {
    compile: ['-O2', '-sMEMORY64', '-Wno-experimental'],
    link: ['-O1', '-sMEMORY64', '-Wno-experimental', ...GROWTH],
    growth: true,
    node: findNode24,
    quick: 'general',
  },
  'MEMORY64 -O0 with SAFE_HEAP, no growth': {
    compile: ['-O0', '-sMEMORY64', '-Wno-experimental'],
    link: [
      ...['-O0', '-sMEMORY64', '-Wno-experimental'],
      ...['-sASSERTIONS=0', '-sSAFE_HEAP=1', ...NO_GROWTH],
    ],
    node: findNode24,
    args: ['--operations=20000'],
    few: true,
  },
  '-fsanitize=undefined, growth': {
    compile: ['-O1', '-fsanitize=undefined', '-fno-sanitize-recover'],
    link: ['-O1', '-fsanitize=undefined', ...GROWTH],
    growth: true,
    args: ['--operations=50000'],
    few: true,
  },
  'STANDALONE_WASM, growth': {
    compile: ['-O2'],
    link: ['-O2', '-sSTANDALONE_WASM', ...GROWTH],
    growth: true,
    few: true,
  },
};

/** The random tests of the quick suite do less. */
const FEWER = testAll ? [] : ['--operations=20000'];

const folder = temporaryFolder();

const objects = new Map();

/** The suite's object files for some flags: compiled once, linked with each allocator. */
function compile(flags, sourceFiles = files) {
  const key = [...flags, ...sourceFiles].join(' ');
  if (!objects.has(key)) {
    const prefix = path.join(folder, `objects-${objects.size}-`);
    const compiled = sourceFiles.map(async (file) => {
      const object = `${prefix}${file}.o`;
      const warnings = ['-Wall', '-Wextra', '-Wno-unused-command-line-argument', '-Werror'];
      // The compiler must not know what malloc is: it would leave out calls that look useless.
      const meaning = ['-fno-builtin', ...(file.endsWith('.c') ? ['-std=c11'] : ['-std=c++17'])];
      const input = path.join(sources, file);
      await emcc([...flags, ...warnings, ...meaning, '-c', input, '-o', object]);
      return object;
    });
    objects.set(key, Promise.all(compiled));
  }
  return objects.get(key);
}

let programs = 0;

/** Links objects with an allocator; returns the path of the program. */
async function link(compiled, flags, allocator, sourceFiles = files) {
  const program = programFile(folder, `program-${++programs}`);
  const exits = flags.includes('-sSTANDALONE_WASM') ? [] : ['-sEXIT_RUNTIME'];
  const language = languageFlags(sourceFiles);
  await emcc([
    ...(await compiled),
    ...flags,
    ...exits,
    ...language,
    allocatorFlag(allocator),
    '-o',
    program,
  ]);
  return program;
}

/** The flags that give a program `bytes` of memory. */
function memoryFlags(bytes, growth) {
  return [`-s${growth ? 'MAXIMUM' : 'INITIAL'}_MEMORY=${bytes}`];
}

const suites = new Map();

/** Builds the suite with one allocator in one variant, once. */
function buildVariant(allocator, { compile: compiling, link: linking, growth }) {
  const flags = [...linking, ...memoryFlags(traitsOf(allocator).memory, growth)];
  const key = [allocator, ...compiling, ...flags].join(' ');
  if (!suites.has(key)) suites.set(key, link(compile(compiling), flags, allocator));
  return suites.get(key);
}

/** Builds and runs the suite with one allocator in one variant. */
async function buildAndRun(allocator, variant) {
  const { args, node } = variant;
  const traits = traitsOf(allocator);
  const program = await buildVariant(allocator, variant);
  const engine = node?.() ?? process.execPath;
  return runSuite(engine, [program], [...traits.args, ...FEWER, ...(args ?? [])]);
}

/** Plans a job for each allocator; returns the function that asks for one's result. */
function forAll(job, allocators = all) {
  const jobs = Object.fromEntries(allocators.map(({ name }) => [name, planned(() => job(name))]));
  return (allocator) => jobs[allocator]();
}

describe('C library interface', function () {
  Object.entries(variants).forEach(([name, variant], number) => {
    const { few, only, quick } = variant;
    if (!testAll && !quick) return;
    describe(name, () => {
      const least = quick === 'general' && !testAll;
      const some = least ? general : few ? inTurn(number, plain) : plain;
      const allocators = only ?? (few || least ? some : [...some, ...hardened]);
      const ran = forAll((allocator) => buildAndRun(allocator, variant), allocators);
      for (const { name: allocator } of allocators) {
        describe(allocator, () => {
          defineTests(() => ran(allocator));
        });
      }
    });
  });
});

/** Programs of their own; `few` and `quick` as above, but quick ones are with 5_wasmalloc and the hardened build. Those with `locks` are about threads: the smaller allocators have the same lock,
 * and take turns; the hardened build's own way with memory is in each. */
const single = {
  'C++ with exceptions: new, delete, containers': {
    source: 'cplusplus.cpp',
    flags: ['-O2', '-fwasm-exceptions'],
    link: NO_GROWTH,
    quick: true,
  },
  'C++ with exceptions, -O0 with SAFE_HEAP, growth': {
    source: 'cplusplus.cpp',
    flags: ['-O0', '-fexceptions'],
    link: ['-sASSERTIONS=0', '-sSAFE_HEAP=1', ...GROWTH],
    growth: true,
    // It fills all memory, which is slow in this variant.
    memory: 24 * 2 ** 20,
    few: true,
  },
  'threads, blocks passed between them': {
    source: 'threads.c',
    flags: ['-O2', '-pthread'],
    link: ['-sPTHREAD_POOL_SIZE=4', ...NO_GROWTH],
    quick: true,
  },
  'threads, growth, main program in a thread': {
    source: 'threads.c',
    flags: ['-O2', '-pthread'],
    link: ['-sPROXY_TO_PTHREAD', '-Wno-pthreads-mem-growth', ...GROWTH],
    growth: true,
    locks: true,
  },
  'threads, -O0 with SAFE_HEAP': {
    source: 'threads.c',
    flags: ['-O0', '-pthread', '-DKEEP_BREAK'],
    link: ['-sPTHREAD_POOL_SIZE=4', '-sASSERTIONS=0', '-sSAFE_HEAP=1', ...NO_GROWTH],
    args: ['1000'],
    locks: true,
  },
  'threads, MEMORY64, growth': {
    source: 'threads.c',
    flags: ['-O2', '-pthread', '-sMEMORY64', '-Wno-experimental'],
    link: ['-sPTHREAD_POOL_SIZE=4', '-Wno-pthreads-mem-growth', ...GROWTH],
    growth: true,
    args: ['20000'],
    node: findNode24,
    locks: true,
  },
  'threads that end, with handlers and destructors that allocate': {
    source: 'endings.c',
    flags: ['-O2', '-pthread'],
    link: ['-sPTHREAD_POOL_SIZE=1', ...NO_GROWTH],
    args: ['handlers', testAll ? '2000' : '200'],
    locks: true,
    quick: true,
  },
  '20,000 threads in turn': {
    source: 'endings.c',
    flags: ['-O2', '-pthread'],
    link: ['-sPTHREAD_POOL_SIZE=1', ...NO_GROWTH],
    args: ['churn', '20000'],
    locks: true,
  },
  'threads that end, C++ thread_local destructors': {
    source: 'thread_local.cpp',
    flags: ['-O2', '-pthread'],
    link: ['-sPTHREAD_POOL_SIZE=1', ...NO_GROWTH],
    locks: true,
  },
  'a program with a malloc of its own around emscripten_builtin_malloc': {
    source: 'wrap.c',
    flags: ['-O2'],
    link: NO_GROWTH,
    few: true,
    quick: true,
  },
  'memory of 4 GiB': {
    source: 'large.c',
    flags: ['-O2'],
    link: GROWTH,
    growth: true,
    memory: 2 ** 32,
    few: true,
    quick: true,
  },
};

describe('C library interface: programs', function () {
  Object.entries(single).forEach(([name, program], number) => {
    const { source, flags, link: linking, growth, memory, args = [], node, few, locks } = program;
    if (!testAll && !program.quick) return;
    const some = few || locks ? inTurn(number, plain) : plain;
    const chosen = testAll ? some : general;
    const allocators = few ? chosen : [...chosen, ...hardened];
    describe(name, () => {
      const ran = forAll(async (allocator) => {
        const limits = memoryFlags(memory ?? traitsOf(allocator).memory, growth);
        const compiled = compile(flags, [source]);
        // Above -O1 linking takes three times as long, for smaller JavaScript.
        const fast = flags.map((flag) => flag.replace('-O2', '-O1'));
        const linked = await link(compiled, [...fast, ...linking, ...limits], allocator, [source]);
        return runModule(linked, { args: [...args, allocator], node: node?.() });
      }, allocators);
      for (const { name: allocator } of allocators) {
        it(allocator, async () => {
          const { stdout } = await ran(allocator);
          assert.match(stdout, /^(ok .*\n)+$/);
        });
      }
    });
  });
});

describe('malloc_stats', function () {
  const name = 'malloc_stats prints statistics to stderr and changes nothing';
  const ran = forAll(async (allocator) => {
    const program = await buildVariant(allocator, variants['-O2, growth']);
    return runModule(program, { args: [...traitsOf(allocator).args, name] });
  });
  for (const { name: allocator } of all) {
    it(`${allocator} prints sizes to stderr, and nothing to stdout`, async () => {
      const { stdout, stderr } = await ran(allocator);
      assert.equal(stdout, `file inspection.c\nrun ${name}\nok ${name}\n`);
      assert.match(stderr, /\d+/);
    });
  }
});

/**
 * Faults of the allocators that Emscripten ships, and the tests that find them: this shows that the
 * suite can fail.
 */
const known = {
  'emmalloc, wasm32': {
    flags: ['-O2'],
    link: ['-sMALLOC=emmalloc'],
    faults: {
      'sizes near SIZE_MAX through realloc, memalign, aligned_alloc':
        'sizes over PTRDIFF_MAX are refused with ENOMEM by every function',
      'realloc to a size near SIZE_MAX':
        'realloc that fails leaves the block as it was: address, contents, size',
      "calloc's product": 'calloc and reallocarray refuse products that overflow, with ENOMEM',
      'posix_memalign with an alignment that is none':
        'posix_memalign refuses a bad alignment with EINVAL',
      'posix_memalign writes NULL':
        'posix_memalign without memory returns ENOMEM, the pointer untouched',
      'ordinary use after malloc_trim':
        'malloc_trim returns 0 or 1, and ordinary use goes on after it',
      'errno when malloc fails': 'sizes near SIZE_MAX are refused with ENOMEM by every function',
      'errno of aligned_alloc': 'aligned_alloc refuses an impossible alignment with EINVAL',
    },
  },
  'dlmalloc, wasm64': {
    flags: ['-O2', '-sMEMORY64', '-Wno-experimental'],
    link: ['-sMALLOC=dlmalloc'],
    node: findNode24,
    faults: {
      'sizes near SIZE_MAX': 'sizes near SIZE_MAX are refused with ENOMEM by every function',
      'errno when realloc fails':
        'realloc that fails leaves the block as it was: address, contents, size',
    },
  },
  'mimalloc, wasm32': {
    flags: ['-O2'],
    link: ['-sMALLOC=mimalloc'],
    faults: {
      'alignment of small blocks': 'every pointer for sizes 0 to 4096 is aligned for every type',
      'no large block after a heap full of small ones':
        'recovers after exhaustion by blocks of 24 bytes',
    },
  },
};

describe('the C suite finds known faults of', function () {
  const memory = 256 * 2 ** 20;
  const wanted = Object.entries(known).slice(0, testAll ? undefined : 1);
  for (const [name, { flags, link: linking, node, faults }] of wanted) {
    describe(name, () => {
      let program;
      before(async () => {
        program = path.join(folder, `${name.replace(/\W+/g, '-')}.js`);
        const compiled = await compile([...flags, '-DTEST_OTHER_ALLOCATOR']);
        const growth = [...GROWTH, `-sMAXIMUM_MEMORY=${memory}`];
        const all = [...flags, ...linking, ...growth, ...languageFlags(files), '-sEXIT_RUNTIME'];
        await emcc([...compiled, ...all, '-o', program]);
      });
      for (const [fault, test] of Object.entries(faults)) {
        it(fault, async () => {
          const engine = node?.() ?? process.execPath;
          const args = [program, `--maximum=${memory}`, test];
          await assert.rejects(runModule(args[0], { node: engine, args: args.slice(1) }));
        });
      }
    });
  }
});
