// The command line: npx wasmalloc.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { allocators, project, run } from './support.js';

const cli = (args, options) =>
  run(process.execPath, [path.join(project, 'js/cli.js'), ...args], options);

describe('npx wasmalloc', () => {
  it('--port prints the path of the Emscripten port', () => {
    const { stdout, stderr } = cli(['--port'], { cwd: '/' });
    assert.equal(stdout, `${path.join(project, 'emscripten/wasmalloc.py')}\n`);
    assert.ok(existsSync(stdout.trim()));
    assert.equal(stderr, '');
  });

  it('--cmake prints the folder of the CMake package', () => {
    const folder = cli(['--cmake']).stdout.trim();
    assert.ok(path.isAbsolute(folder));
    const config = ['wasmallocConfig.cmake', 'wasmalloc-config.cmake'];
    assert.ok(
      config.some((file) => existsSync(path.join(folder, file))),
      folder,
    );
  });

  it('--list lists the allocators', () => {
    const lines = cli(['--list']).stdout.trim().split('\n');
    assert.equal(lines.length, allocators.length);
    allocators.forEach(({ name, idea }, i) => {
      assert.ok(lines[i].startsWith(`${name} `) && lines[i].endsWith(idea));
    });
  });

  it('--version prints the version', () => {
    const { version } = JSON.parse(readFileSync(path.join(project, 'package.json'), 'utf8'));
    assert.equal(cli(['--version']).stdout, `${version}\n`);
  });

  it('--help explains every option', () => {
    const { stdout } = cli(['--help']);
    for (const option of [
      '--port',
      '--cmake',
      '--list',
      '--version',
      '--help',
      'replay FILE',
      'report FILE',
    ])
      assert.ok(stdout.includes(option));
  });

  it('answers misuse with one line and exit code 2', () => {
    for (const args of [['--prot'], ['port'], [], ['--port', '--list'], ['--port=x'], ['-p']]) {
      const { stdout, stderr } = cli(args, { code: 2 });
      assert.equal(stdout, '');
      assert.match(stderr, /^wasmalloc: .+\n$/, args.join(' '));
      assert.equal(stderr.split('\n').length, 2);
    }
  });
});
