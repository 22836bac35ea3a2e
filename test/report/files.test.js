// What the command line reads from and writes to: files, pipes, devices, links, and what is none of these.
// Usage: npx mocha test/report/files.test.js [-g 'part of a name']
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { capture } from '../js/support.js';
import { project, temporaryFolder, testAll } from '../support/emcc.js';
import { command, program, writeTraceFile } from './support.js';

const folder = temporaryFolder('wasmalloc-files-');
const trace = path.join(folder, 'app.trace');
writeTraceFile(trace, program(300));

const cli = path.join(project, 'js/cli.js');

/** A folder of its own for each test, which shows what is left behind. */
const newFolder = () => mkdtempSync(path.join(folder, 'test-'));

/** Runs a line of a shell, in which `wasmalloc` is the command line; answers as capture(). */
function shell(line, { cwd = newFolder(), before = '' } = {}) {
  const script = `wasmalloc() { ${JSON.stringify(process.execPath)} ${JSON.stringify(cli)} "$@"; }
T=${JSON.stringify(trace)}
${before}
${line}`;
  return { cwd, ...capture('bash', ['-c', script], { cwd }) };
}

/** What it says, without the progress. */
const complaintsIn = (stderr) => stderr.replace(/^(replay|report|map): .*\n/gm, '');

/** Asserts that it is one line, and nothing else. */
function isOneLine(stderr, pattern) {
  const complaint = complaintsIn(stderr);
  assert.match(complaint, /^wasmalloc: .+\n$/);
  assert.equal(complaint.split('\n').length, 2, complaint);
  assert.match(complaint, pattern);
}

const isPicture = (text) => assert.match(text, /^<svg [^]*<\/svg>\n$/);

describe('the command line reads a trace', () => {
  const expected = shell('wasmalloc map $T -o -').stdout;
  const [events] = shell('wasmalloc replay $T --allocators bins --rounds 1').stdout.split('\n');

  const SOURCES = {
    'a pipe': ['cat $T |', '/dev/stdin'],
    'a pipe, as -': ['cat $T |', '-'],
    'a pipe that is slow': ['(head -c 100 $T; sleep 0.3; tail -c +101 $T) |', '-'],
    'standard input that is a file': ['', '- < $T'],
    '/dev/stdin that is a file': ['', '/dev/stdin < $T'],
    'process substitution': ['', '<(cat $T)'],
    'a named pipe': ['mkfifo pipe; cat $T > pipe &', 'pipe'],
    'a symbolic link': ['ln -s $T link;', 'link'],
  };
  for (const [name, [before, argument]] of Object.entries(SOURCES)) {
    it(`from ${name}`, () => {
      // This reads it several times, as the report does; to replay takes it as it comes.
      const drawn = shell(`${before} wasmalloc map ${argument} -o -`);
      assert.equal(drawn.status, 0, drawn.stderr);
      assert.equal(drawn.stdout, expected);
      if (!testAll && argument !== '-') return;
      const replayed = shell(`${before} wasmalloc replay ${argument} --allocators bins --rounds 1`);
      assert.equal(replayed.status, 0, replayed.stderr);
      assert.equal(replayed.stdout.split('\n')[0], events);
    });
  }

  it('that has any name', () => {
    const cwd = newFolder();
    for (const name of ['-x.trace', 'a b.trace', 'ä€😀.trace', 'new\nline.trace', '$(x).trace']) {
      writeFileSync(path.join(cwd, name), readFileSync(trace));
      const { status, stdout } = capture(process.execPath, [cli, 'map', '-o-', '--', name], {
        cwd,
      });
      assert.equal(status, 0);
      assert.equal(stdout, expected);
    }
  });

  it('and says in one line why it cannot', () => {
    const commands = ['replay', 'map', 'report'];
    let turn = 0;
    // All three read in the same way: they take turns.
    const fails = (line, pattern) => {
      const name = commands[turn++ % commands.length];
      const { status, stdout, stderr, cwd } = shell(line.replace('COMMAND', `wasmalloc ${name}`));
      assert.equal(status, 1, stderr);
      assert.equal(stdout, '');
      isOneLine(stderr, pattern);
      assert.deepEqual(readdirSync(cwd), []);
    };
    fails(`COMMAND .`, /cannot read \.: that is a folder/);
    fails(`COMMAND - < .`, /cannot read standard input: that is a folder/);
    fails(`COMMAND nowhere`, /cannot read nowhere: ENOENT: no such file/);
    fails(`COMMAND $'two\\nlines'`, /cannot read two\\u000alines: ENOENT/);
    fails(`COMMAND $'\\xff\\xfe'`, /cannot read .*: ENOENT/);
    fails(`COMMAND - < /dev/null`, /standard input: this is no trace/);
    fails(`COMMAND - <&-`, /no trace|cannot read/);
    // These have no end.
    fails(`yes | COMMAND -`, /standard input: this is no trace/);
    fails(`COMMAND /dev/zero`, /\/dev\/zero: this is no trace/);
    fails(`(head -c 12 $T; cat /dev/zero) | COMMAND -`, /the trace is damaged at byte/);
  });

  it('that may not be read', function () {
    if (process.getuid() === 0) this.skip(); // who is root may read everything
    const { status, stderr } = shell('cp $T x; chmod 0 x; wasmalloc map x');
    assert.equal(status, 1);
    isOneLine(stderr, /cannot read x: EACCES/);
  });
});

describe('the command line writes', () => {
  it('into pipes and devices, which stay what they are', () => {
    const cwd = newFolder();
    const piped = shell('mkfifo pipe; cat pipe > got & wasmalloc map $T -o pipe; wait', { cwd });
    assert.equal(piped.status, 0, piped.stderr);
    isPicture(readFileSync(path.join(cwd, 'got'), 'utf8'));
    assert.ok(statSync(path.join(cwd, 'pipe')).isFIFO());
    const device = shell('ln -s /dev/null null; wasmalloc map $T -o null');
    assert.equal(device.status, 0, device.stderr);
    assert.ok(statSync('/dev/null').isCharacterDevice());
  });

  // Should a fault come back, root would lose the device: there only links to devices are written.
  const devices = process.getuid() === 0 ? [] : ['/dev/stdout', '/dev/fd/1'];
  for (const name of ['-', '/proc/self/fd/1', 'link', ...devices])
    it(`to standard output: ${name}`, () => {
      const before = 'ln -s /dev/stdout link';
      const options = `wasmalloc map $T -o ${name}`;
      isPicture(shell(`${options} | cat`, { before }).stdout);
      // Behind what is there.
      const { cwd, status } = shell(`echo begin > got; ${options} >> got; echo end >> got`, {
        before,
      });
      assert.equal(status, 0);
      assert.match(readFileSync(path.join(cwd, 'got'), 'utf8'), /^begin\n<svg [^]*<\/svg>\nend\n$/);
      assert.deepEqual(readdirSync(cwd).sort(), ['got', 'link']);
    });

  it('to the targets of symbolic links', () => {
    const before = `mkdir -p there/deep; ln -s there/deep/x.svg relative; ln -s relative twice
ln -s "$PWD/absolute.svg" absolute; echo old > absolute.svg
ln -s there/deep folder; ln -s ../y.svg there/deep/up`;
    const targets = {
      relative: 'there/deep/x.svg',
      twice: 'there/deep/x.svg',
      absolute: 'absolute.svg',
      'folder/up': 'there/y.svg',
    };
    for (const [link, target] of Object.entries(targets)) {
      const { cwd, status, stderr } = shell(`wasmalloc map $T -o ${link}`, { before });
      assert.equal(status, 0, stderr);
      assert.ok(lstatSync(path.join(cwd, link)).isSymbolicLink());
      isPicture(readFileSync(path.join(cwd, target), 'utf8'));
    }
    const { status, stderr } = shell('wasmalloc map $T -o a', { before: 'ln -s a b; ln -s b a' });
    assert.equal(status, 1);
    isOneLine(stderr, /cannot write a: /);
  });

  it('over a file, which keeps its rights', () => {
    const { cwd, status } = shell('wasmalloc map $T -o x.svg', {
      before: 'echo old > x.svg; chmod 0640 x.svg',
    });
    assert.equal(status, 0);
    isPicture(readFileSync(path.join(cwd, 'x.svg'), 'utf8'));
    assert.equal(statSync(path.join(cwd, 'x.svg')).mode & 0o777, 0o640);
    assert.deepEqual(readdirSync(cwd), ['x.svg']);
  });

  it('a file with the longest name that there can be', () => {
    const name = `${'x'.repeat(251)}.svg`;
    const { cwd, status, stderr } = shell(`wasmalloc map $T -o ${name}`);
    assert.equal(status, 0, stderr);
    assert.deepEqual(readdirSync(cwd), [name]);
  });

  describe('and says in one line why it cannot', () => {
    const commands = ['map $T', 'report $T'];

    it('on a full disk, where it leaves nothing behind', () => {
      for (const each of commands) {
        const { status, stderr } = shell(`ln -s /dev/full full; wasmalloc ${each} -o full`);
        assert.equal(status, 1);
        isOneLine(stderr, /cannot write full: ENOSPC: no space left on device/);
        // A file may not become larger than so many KiB.
        for (const old of ['', 'old']) {
          const before = `${old ? 'printf old > x;' : ''} ulimit -f 8`;
          const limited = shell(`wasmalloc ${each} -o x`, { before });
          assert.equal(limited.status, 1);
          isOneLine(limited.stderr, /cannot write x: EFBIG: /);
          assert.deepEqual(readdirSync(limited.cwd), old ? ['x'] : []);
          if (old) assert.equal(readFileSync(path.join(limited.cwd, 'x'), 'utf8'), old);
        }
      }
    });

    it('when standard output is full, or nobody reads it', () => {
      const full = /cannot write to standard output: ENOSPC/;
      const others = ['-h', '--list', '--version', '--port', '--cmake', 'map -h', 'report -h'];
      for (const line of [
        '--help',
        ...(testAll ? others : []),
        'replay --help',
        'map $T -o -',
        'replay $T --rounds 1 --json',
      ]) {
        const { status, stderr } = shell(`wasmalloc ${line} > /dev/full`);
        assert.equal(status, 1, line);
        isOneLine(stderr, full);
      }
      for (const line of ['--help', 'map $T -o -', 'report $T -o -']) {
        const { status, stderr } = shell(`wasmalloc ${line} | true; exit \${PIPESTATUS[0]}`);
        assert.equal(status, 0, stderr);
        assert.equal(complaintsIn(stderr), '');
        const { stdout } = shell(`wasmalloc ${line} | head -1`);
        assert.match(stdout, /^.+\n$/);
      }
    });

    it('even when that line cannot be written', () => {
      assert.equal(shell('wasmalloc map nowhere 2> /dev/full').status, 1);
      const { status, stdout } = shell('wasmalloc map $T -o - 2> /dev/full');
      assert.equal(status, 0);
      isPicture(stdout);
    });

    it('at once, when there is no place for the file', () => {
      let turn = 0;
      const fails = (output, pattern, before = '') => {
        const each = commands[turn++ % commands.length];
        const { status, stderr } = shell(`wasmalloc ${each} -o ${output}`, { before });
        assert.equal(status, 1, stderr);
        isOneLine(stderr, pattern);
        assert.doesNotMatch(stderr, /^(map|report):/m, 'before the work');
      };
      fails('.', /cannot write \.: that is a folder/);
      fails('none/x', /cannot write none\/x: ENOENT: no such file/);
      fails('none/', /cannot write none\/: that is a folder/);
      fails("''", /cannot write : that is no name/);
      fails('file/x', /cannot write file\/x: E/, 'touch file');
      fails('$T', /cannot write .*app\.trace: that is the trace/);
      fails('link', /cannot write link: that is the trace/, 'ln -s $T link');
      fails('link', /cannot write link: that is a folder/, 'ln -s . link');
    });

    it('into a folder that may not be written to', function () {
      if (process.getuid() === 0) this.skip(); // who is root may write everywhere
      const cwd = newFolder();
      mkdirSync(path.join(cwd, 'locked'));
      chmodSync(path.join(cwd, 'locked'), 0o500);
      const { status, stderr } = shell('wasmalloc map $T -o locked/x', { cwd });
      assert.equal(status, 1);
      isOneLine(stderr, /cannot write locked\/x: EACCES/);
    });
  });

  it('one file from several processes at once, each of which succeeds', async () => {
    const cwd = newFolder();
    const drawn = (moment) => {
      const child = spawn(process.execPath, [cli, 'map', trace, '--at', moment, '-o', 'x'], {
        cwd,
      });
      return new Promise((resolve) => child.on('close', resolve));
    };
    const moments = ['peak', 'end', '20%', '40%', '60%'];
    const codes = await Promise.all(moments.map(drawn));
    assert.deepEqual(codes, [0, 0, 0, 0, 0]);
    assert.deepEqual(readdirSync(cwd), ['x']);
    const text = readFileSync(path.join(cwd, 'x'), 'utf8');
    assert.ok(moments.some((at) => shell(`wasmalloc map $T --at ${at} -o -`).stdout === text));
  });

  it('no colours and no cursor movements when that is no terminal', () => {
    for (const line of ['map $T', 'replay $T --rounds 1', 'replay none', '--help', '--none']) {
      const { stdout, stderr } = shell(`wasmalloc ${line}`);
      assert.ok(!`${stdout}${stderr}`.includes('\u001b'));
      assert.ok(!`${stdout}${stderr}`.includes('\r'));
    }
  });
});

describe('a trace with strange names', () => {
  it('is shown on one line, in a picture that is sound', () => {
    const strange = path.join(folder, 'strange.trace');
    const name = `<&">\u001b[31m\n\u0000\u202e\ud800${'x'.repeat(5000)}`;
    writeTraceFile(strange, program(300), { description: { program: name, allocator: name } });
    const { stdout } = command(['replay', strange, '--rounds', '1', '--allocators', 'bins']);
    const [first] = stdout.split('\n');
    assert.ok(first.startsWith('300 events of <&">\\u001b[31m\\u000a\\u0000\\u202e\\ud800xxx'));
    assert.ok(first.length < 300);
    const svg = command(['map', strange, '-o', '-']).stdout;
    assert.match(svg, /<title>&#60;&#38;&#34;&#62;\\u001b\[31m\\u000a.*…/);
    assert.ok(!svg.includes('\u001b') && !svg.includes('\u0000'));
    assert.equal(existsSync('/usr/bin/xmllint') ? wellFormed(svg) : '', '');
  });
});

/** What xmllint has to say against it. */
function wellFormed(svg) {
  return execFileSync('/usr/bin/xmllint', ['--noout', '-'], { input: svg, encoding: 'utf8' });
}
