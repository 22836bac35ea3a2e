// Which branches of lib/ the stored corpus reaches, measured by gcov.
// Usage: import { measureCoverage } from './coverage.mjs';
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { PROJECT } from '../../scripts/emscripten.mjs';
import { run } from '../../scripts/run.mjs';
import { buildFuzzer, traitsOf } from './build.mjs';
import { readCorpus, unpackCorpus } from './corpus.mjs';

const LIB = path.join(PROJECT, 'lib');

/** A comment in lib/ with this word says why a branch is never taken. It begins in one of so many lines. */
const LINES = 4;
const EXPLAINED = /\bUncovered:/;

/** Runs the inputs of one program, each in a process of its own, and returns gcov's report. */
async function runCorpus(label, allocator, words, folder) {
  const own = path.join(folder, label);
  rmSync(own, { recursive: true, force: true });
  mkdirSync(own, { recursive: true });
  const program = await buildFuzzer({ allocator, kind: 'coverage', words, folder: own });
  for (const file of unpackCorpus(label, path.join(own, 'inputs'))) {
    await run(program, [...traitsOf(allocator), file], { cwd: own });
  }
  const data = readdirSync(own).filter((name) => name.endsWith('.gcda'));
  const args = ['--json-format', '--branch-probabilities', '--stdout', ...data];
  const { stdout } = await run('gcov', args, { cwd: own });
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .flatMap((line) => JSON.parse(line).files);
}

/**
 * @param {{ allocators: string[], folder: string, start: <T>(job: () => Promise<T>) => Promise<T>,
 *   say?: (text: string) => void }} options `start` begins a job when it is its turn
 * @returns {Promise<{ total: number, covered: number, explained: number, text: string,
 *   missing: { file: string, line: number, inside: string, explained: boolean }[] }>} branches of lib/, those of all
 *   allocators and of both interfaces together; `text` is a table
 */
export async function measureCoverage({ allocators, folder, start, say = () => {} }) {
  const programs = allocators.flatMap((allocator) => [
    { allocator, words: false, label: allocator },
    { allocator, words: true, label: `${allocator}-words` },
  ]);
  const reports = await Promise.all(
    programs.map(({ allocator, words, label }) =>
      start(async () => {
        say(`${label}: ${readCorpus(label).length} inputs`);
        return runCorpus(label, allocator, words, folder);
      }),
    ),
  );

  // A branch is known by its function, its line and its place in the line. The same code in several
  // programs is covered when one of them covers it.
  const branches = new Map();
  for (const { file, lines } of reports.flat()) {
    const name = path.relative(LIB, path.resolve(PROJECT, file));
    if (name.startsWith('..')) continue;
    for (const { line_number: line, function_name: inside, branches: own } of lines) {
      own.forEach(({ count }, place) => {
        const key = [name, line, inside, place].join(':');
        const known = branches.get(key) ?? { file: name, line, inside, count: 0 };
        known.count += count;
        branches.set(key, known);
      });
    }
  }

  const sources = new Map();
  const explained = ({ file, line }) => {
    if (!sources.has(file)) {
      sources.set(file, readFileSync(path.join(LIB, file), 'utf8').split('\n'));
    }
    const text = sources.get(file);
    return text.slice(Math.max(line - LINES, 0), line).some((above) => EXPLAINED.test(above));
  };

  const files = new Map();
  const missing = [];
  for (const branch of branches.values()) {
    const row = files.get(branch.file) ?? { total: 0, covered: 0, explained: 0 };
    files.set(branch.file, row);
    ++row.total;
    if (branch.count > 0) {
      ++row.covered;
    } else {
      const reason = explained(branch);
      if (reason) ++row.explained;
      missing.push({
        file: branch.file,
        line: branch.line,
        inside: branch.inside,
        explained: reason,
      });
    }
  }
  missing.sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line);

  const sum = { total: 0, covered: 0, explained: 0 };
  const text = [`${'file'.padEnd(20)} branches  covered           explained`];
  const print = (name, { total, covered, explained: known }) => {
    const percent = `${((100 * covered) / total).toFixed(1)} %`;
    text.push(
      `${name.padEnd(20)} ${String(total).padStart(8)} ${String(covered).padStart(8)} ${percent.padStart(8)} ${String(known).padStart(9)}`,
    );
  };
  for (const [name, row] of [...files].sort()) {
    print(name, row);
    for (const key of Object.keys(sum)) sum[key] += row[key];
  }
  print('all', sum);
  for (const { file, line, inside, explained: known } of missing) {
    if (!known) text.push(`not covered, not explained: lib/${file}:${line}, in ${inside}()`);
  }
  return { ...sum, missing, text: text.join('\n') };
}
