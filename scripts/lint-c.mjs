#!/usr/bin/env node
// Looks for faults in the C sources: clang-format, then clang-tidy (.clang-tidy) and cppcheck over
// lib/ with each allocator.
// Usage: node scripts/lint-c.mjs
import { spawn, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { PROJECT as root } from './emscripten.mjs';
import { ALLOCATORS as allocators, BUILDS as builds } from './run.mjs';

const lib = (name) => path.join(root, 'lib', name);

const tools = ['clang-format', 'clang-tidy', 'cppcheck'];
const missing = tools.filter((tool) => spawnSync(tool, ['--version']).error);
if (missing.length > 0) {
  console.error(`npm run lint:c needs ${missing.join(', ')} on PATH.`);
  console.error(`On Debian or Ubuntu: apt-get install ${missing.join(' ')}`);
  process.exit(1);
}

/** What a source is compiled with: on the development machine, or as a module without a libc. */
const host = ['-std=c11', '-Wall', '-Wextra', `-I${lib('')}`];
const freestanding = [...host, '--target=wasm32', '-ffreestanding', '-DWASMALLOC_FREESTANDING'];

/** One run of a tool: its name for the report, and the command. */
function tidy(name, file, flags) {
  return {
    name: `clang-tidy: ${name}`,
    command: ['clang-tidy', '--quiet', lib(file), '--', ...flags],
  };
}

/* Diagnoses that ask for what an interface cannot give are left out. */
const checks = [
  ...['--enable=warning,style,performance,portability', '--error-exitcode=1', '--inline-suppr'],
  ...['--quiet', '--std=c11', '-D__GNUC__', `-I${lib('')}`],
  // One allocator uses what another does not; parameters and results follow lib/allocator.h.
  ...[
    '--suppress=unusedFunction',
    '--suppress=constParameter',
    '--suppress=knownConditionTrueFalse',
    '--suppress=missingIncludeSystem',
  ],
];

const jobs = [
  {
    name: 'clang-format',
    command: [process.execPath, path.join(root, 'scripts/clang-format.mjs')],
  },
  tidy('memory_host.c', 'memory_host.c', host),
  tidy('memory_wasm.c', 'memory_wasm.c', freestanding),
  { name: 'cppcheck: memory_host.c', command: ['cppcheck', ...checks, lib('memory_host.c')] },
  ...builds.map(({ name, file, define }) =>
    tidy(`c_interface.c with ${name}`, 'c_interface.c', [
      ...[...host, `-DWASMALLOC_ALLOCATOR="${file}"`, `-D${define}`],
    ]),
  ),
  // With threads this one is another source.
  tidy('c_interface.c with wasmalloc and threads', 'c_interface.c', [
    ...[...host, '-DWASMALLOC_ALLOCATOR="5_wasmalloc.c"', '-DWASMALLOC_THREADS'],
  ]),
  ...allocators.flatMap(({ name, file }) => {
    const define = `-DWASMALLOC_ALLOCATOR="${file}"`;
    const interfaces = [lib('c_interface.c'), lib('word_interface.c')];
    return [
      tidy(`c_interface.c with ${name}`, 'c_interface.c', [...host, define]),
      tidy(`word_interface.c with ${name}, wasm32`, 'word_interface.c', [...freestanding, define]),
      { name: `cppcheck: ${name}`, command: ['cppcheck', ...checks, define, ...interfaces] },
    ];
  }),
];

/** Runs a job, and prints what it found. */
function run({ name, command: [program, ...args] }) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (text) => (output += text));
    child.stderr.on('data', (text) => (output += text));
    child.on('close', (code) => {
      console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name}`);
      // What clang-tidy adds to a finding, the path that leads to it, fills screens.
      const findings = output
        .split(/\n(?=\S+:\d+:\d+: )/)
        .filter((finding) => !finding.includes(' note: '));
      if (code !== 0) console.log(findings.join('\n').trim());
      resolve(code === 0);
    });
  });
}

let failures = 0;
const workers = Array.from({ length: availableParallelism() }, async () => {
  while (jobs.length > 0) if (!(await run(jobs.shift()))) ++failures;
});
await Promise.all(workers);
if (failures > 0) console.error(`${failures} with findings`);
process.exitCode = failures > 0 ? 1 : 0;
