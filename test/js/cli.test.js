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

  it('-h is --help, of the command line and of each command', () => {
    assert.equal(cli(['-h']).stdout, cli(['--help']).stdout);
    for (const command of ['replay', 'report', 'map']) {
      const { stdout } = cli([command, '-h']);
      assert.equal(stdout, cli([command, '--help']).stdout);
      assert.ok(stdout.startsWith(`Usage: npx wasmalloc ${command} FILE`));
      assert.match(stdout, /-h, --help/);
      assert.ok(stdout.split('\n').every((line) => line.length <= 110));
    }
  });

  it('says the whole message, whatever is in it', () => {
    const says = (args, message) => {
      const { stdout, stderr } = cli(args, { code: 2 });
      const help = args[0] in { replay: 1, map: 1, report: 1 } ? `${args[0]} ` : '';
      assert.equal(stderr, `wasmalloc: ${message}; see npx wasmalloc ${help}--help\n`);
      assert.equal(stdout, '');
    };
    const names = 'minimal, linked, doubly, bins, wasmalloc, dlmalloc, emmalloc, mimalloc';
    const numbers = ['1.5', '1e9', '0x10', '-1', 'NaN', '', ' 1', 'a. b', 'a\nb'];
    numbers.forEach((number, i) => {
      const option = ['rounds', 'limit', 'memory'][i % 3];
      says(
        ['replay', 'x.trace', `--${option}=${number}`],
        `--${option} takes a whole number, not ${number.replace('\n', '\\u000a')}`,
      );
    });
    for (const number of ['0', '99999999999999999999999'])
      says(
        ['replay', 'x.trace', '--rounds', number],
        `rounds is ${Number(number)}: it must be an integer from 1 to 1000`,
      );
    says(['replay', 'x.trace', '--limit', '0'], 'limit is 0: it must be an integer of at least 1');
    // The same for all three.
    const turns = [
      (command) => [
        [command, 'x.trace', '--memory', '4097'],
        'memory is 4097: it must be an integer from 1 to 4096',
      ],
      (command) => [[command], `${command} takes one trace, not 0`],
      (command) => [[command, 'a/x.trace', 'b/x.trace'], `${command} takes one trace, not 2`],
      (command) => [[command, '--a.b.c'], "Unknown option '--a.b.c'"],
      (command) => [[command, 'x', '-x'], "Unknown option '-x'"],
      (command) => [[command, 'x', '--help=1'], "Option '-h, --help' does not take an argument"],
      (command) => [[command, 'x', '--memory'], "Option '--memory <value>' argument missing"],
    ];
    turns.forEach((turn, i) => says(...turn(['replay', 'map', 'report'][i % 3])));
    says(
      ['map', 'x', '--at', '-o'],
      "Option '--at' argument is ambiguous. Did you forget to specify the option argument for " +
        "'--at'? To specify an option argument starting with a dash use '--at=-XYZ'",
    );
    says(
      ['map', 'x', '--at', 'v1.2. 3'],
      '--at takes peak, end, a part as in 50%, or a time as in 20ms, not v1.2. 3',
    );
    for (const command of ['map', 'report'])
      says(
        [command, 'x', '--allocators', 'bins,v1.2'],
        `there is no allocator "v1.2"; there are: ${names}`,
      );
    says(
      ['replay', 'x', '--allocators', 'v1.2'],
      `there is no allocator "v1.2" to replay with; there are: ${names}`,
    );
    says(['v1.2'], 'there is no command "v1.2"; there are: replay, report, map');
    says(['--v1.2'], "Unknown option '--v1.2'");
    says([], 'give a command or one option, not 0 options');
    says(['--port', '--list'], 'give a command or one option, not 2 options');
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
