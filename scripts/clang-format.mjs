#!/usr/bin/env node
// Checks (or with --write: changes) the format of all C and C++ files in git.
// Usage: node scripts/clang-format.mjs [--write]
import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const write = process.argv.includes('--write');

const files = execFileSync('git', ['ls-files', '-z', '*.c', '*.h', '*.cpp'], { cwd: root })
  .toString()
  .split('\0')
  .filter(Boolean);

if (spawnSync('clang-format', ['--version']).error) {
  console.log(`clang-format is not on PATH: ${files.length} C and C++ files not checked.`);
} else if (files.length > 0) {
  const options = write ? ['-i'] : ['--dry-run', '--Werror'];
  const run = spawnSync('clang-format', [...options, ...files], { cwd: root, stdio: 'inherit' });
  process.exitCode = run.status ?? 1;
}
