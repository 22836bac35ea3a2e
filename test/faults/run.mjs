#!/usr/bin/env node
// Lets every allocation and every growth of linear memory of two programs fail, one after the other,
// with each allocator, and prints what came of it. Exits with 1 when something was wrong.
// Usage: node test/faults/run.mjs [--allocator NAME] [--program NAME] [--help]
import { parseArgs } from 'node:util';
import { ensureEmscripten } from '../../scripts/emscripten.mjs';
import { ALLOCATORS } from '../../scripts/run.mjs';
import { FLAWS } from './codes.js';
import { MODES, PROGRAMS, countFaults, inject } from './faults.js';

const NAMES = ALLOCATORS.map(({ name }) => name);

const HELP = `Usage: node test/faults/run.mjs [--allocator NAME] [--program NAME] [--mode NAME]
                                [--from N] [--to N] [--flaw NAME] [--json]

Runs a program again and again, and each time another allocation fails, or linear memory is refused
another growth. Prints for each program and allocator how many failures were injected, how often the
program trapped (or did not end), left blocks behind, or broke the heap, and how often anything else
was wrong: another error than "out of memory", other answers, no ENOMEM in errno.

  --allocator NAME  ${NAMES.join(', ')}; may be repeated; all unless told
  --program NAME    ${Object.keys(PROGRAMS).join(', ')}; as above
  --mode NAME       as above:
${Object.entries(MODES)
  .map(([name, { title }]) => `                      ${name.padEnd(12)} ${title}`)
  .join('\n')}
  --from N, --to N  the first and the last allocation or growth to fail, counted from 1
  --flaw NAME       gives the program a flaw, to see it found:
                      ${FLAWS.slice(1).join(', ')}
  --json            prints JSON, a record for each program, allocator and mode
  --help            this text`;

function say(text) {
  process.stderr.write(`${text}\n`);
}

/** The values of an option that names things, or all of them. */
function choose(option, chosen, known) {
  for (const name of chosen ?? [])
    if (!known.includes(name))
      throw new Error(`--${option} takes one of ${known.join(', ')}, not ${name}`);
  return chosen ?? known;
}

function number(option, text) {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d*$/.test(text))
    throw new Error(`--${option} takes a whole number from 1 on, not ${text}`);
  return Number(text);
}

/** One line of the table: all modes of a program with an allocator. */
function row(name, results) {
  const counts = countFaults(results);
  const sum = (target) =>
    results
      .filter(({ mode }) => MODES[mode].target === target)
      .reduce((total, { injected }) => total + injected, 0);
  const numbers = [
    sum('allocation'),
    sum('growth'),
    counts.traps,
    counts.leaks,
    counts.brokenHeaps,
  ];
  return name + [...numbers, counts.others].map((count) => String(count).padStart(12)).join('');
}

function print(results) {
  const columns = ['allocations', 'growths', 'traps', 'leaks', 'heap check', 'others'];
  const width = 36;
  console.log(`${''.padEnd(width)}   failures injected`);
  console.log(''.padEnd(width) + columns.map((column) => column.padStart(12)).join(''));
  const name = ({ program, allocator }) => `${program}, ${allocator}`;
  for (const line of new Set(results.map(name)))
    console.log(
      row(
        line.padEnd(width),
        results.filter((result) => name(result) === line),
      ),
    );
  console.log(row('all'.padEnd(width), results));
  for (const { program, allocator, mode, failures } of results)
    for (const { number, kinds, text } of failures)
      console.log(
        `${program}, ${allocator}, --mode ${mode}, number ${number}: ${kinds.join(', ')}: ${text}`,
      );
}

async function main() {
  const several = { type: 'string', multiple: true };
  const { values } = parseArgs({
    options: {
      allocator: several,
      program: several,
      mode: several,
      from: { type: 'string' },
      to: { type: 'string' },
      flaw: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return console.log(HELP);
  const allocators = choose('allocator', values.allocator, NAMES);
  const programs = choose('program', values.program, Object.keys(PROGRAMS));
  const modes = choose('mode', values.mode, Object.keys(MODES));
  const [flaw] = values.flaw ? choose('flaw', [values.flaw], FLAWS) : ['none'];
  const options = { from: number('from', values.from), to: number('to', values.to), flaw };
  if (options.to < (options.from ?? 1))
    throw new Error(`--to ${options.to} comes before --from ${options.from}`);

  const { version } = await ensureEmscripten();
  say('compiling (SQLite takes about half a minute the first time)');
  const jobs = programs.flatMap((program) =>
    allocators.flatMap((allocator) => modes.map((mode) => ({ program, allocator, mode }))),
  );
  const results = await Promise.all(
    jobs.map(async ({ program, allocator, mode }) => {
      const result = await inject(program, allocator, mode, options);
      say(`${program}, ${allocator}, ${MODES[mode].title}: ${result.injected} failures injected`);
      return { program, allocator, mode, ...result };
    }),
  );
  if (values.json)
    console.log(JSON.stringify({ emscripten: version, node: process.version, results }));
  else print(results);
  if (results.every(({ injected }) => injected === 0))
    throw new Error(`there are fewer than ${options.from} allocations and growths`);
  if (results.some(({ failures }) => failures.length > 0)) process.exitCode = 1;
}

main().catch((error) => {
  console.error(`faults: ${error.message}`);
  process.exit(1); // the other threads go on otherwise
});
