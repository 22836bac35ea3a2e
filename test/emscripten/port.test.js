// How the Emscripten port behaves: options, errors, paths, its cache.
// Usage: npx mocha test/emscripten/port.test.js
import assert from 'node:assert/strict';
import { appendFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  allocators,
  emcc,
  findTool,
  port,
  project,
  queued,
  run,
  runModule,
  temporaryFolder,
} from '../support/emcc.js';

const programs = fileURLToPath(new URL('programs/', import.meta.url));
const words = path.join(programs, 'words.c');
const names = allocators.map(({ name }) => name);

describe('emscripten: the port', function () {
  const folder = temporaryFolder();
  const libraries = new Set();

  // What a test has made Emscripten's cache keep, of a wasmalloc that nobody else has.
  after(() => libraries.forEach((library) => rmSync(library, { force: true })));

  /** The libraries that emcc says it has put into its cache. */
  function built({ stderr }) {
    const found = [...stderr.matchAll(/cached in "([^"]*libwasmalloc-[^"]*)"/g)].map((m) => m[1]);
    found.forEach((library) => libraries.add(library));
    return found;
  }

  /** Copies the package, so that a test can change it; answers the path of the copied port. */
  function copyPackage(name) {
    const copy = path.join(folder, name);
    for (const part of ['emscripten', 'lib']) {
      cpSync(path.join(project, part), path.join(copy, part), { recursive: true });
    }
    // Sources that no cache knows.
    appendFileSync(path.join(copy, 'lib/memory.h'), `/* ${name} ${process.hrtime.bigint()} */\n`);
    return path.join(copy, 'emscripten', 'wasmalloc.py');
  }

  it('links wasmalloc unless told otherwise, and each allocator by its name', async () => {
    const link = async (option, output) => {
      await emcc([words, '-O1', `--use-port=${port}${option}`, '-o', `${output}.js`], {
        cwd: folder,
      });
      return readFileSync(path.join(folder, `${output}.wasm`));
    };
    const plain = await queued(() => link('', 'plain'));
    const files = await Promise.all(
      names.map((name) => queued(() => link(`:allocator=${name}`, name))),
    );
    assert.deepEqual(plain, files[names.indexOf('wasmalloc')]);
    assert.equal(new Set(files.map((file) => file.toString('latin1'))).size, names.length);
  });

  describe('errors', () => {
    const fails = (args, ...messages) =>
      Promise.all(
        messages.map((message) =>
          assert.rejects(emcc([words, ...args, '-o', 'never.js'], { cwd: folder }), message),
        ),
      );

    it('names the allocators when there is none of that name', () =>
      fails(
        [`--use-port=${port}:allocator=jemalloc`],
        new RegExp(`there is no allocator \`jemalloc\`; there are: ${names.join(', ')}`),
      ));

    it('names the options when there is none of that name', () =>
      fails([`--use-port=${port}:alocator=bins`], /`alocator` is not supported.*allocator/));

    for (const other of ['dlmalloc', 'emmalloc', 'mimalloc']) {
      it(`refuses another choice: -sMALLOC=${other}`, () =>
        fails(
          [`--use-port=${port}`, `-sMALLOC=${other}`],
          new RegExp(`-sMALLOC=${other} and --use-port=.*wasmalloc.py both choose an allocator`),
        ));
    }

    it('accepts -sMALLOC=none', async () => {
      await emcc([words, `--use-port=${port}`, '-sMALLOC=none', '-O1', '-o', 'none.js'], {
        cwd: folder,
      });
    });

    for (const sanitizer of ['address', 'leak']) {
      it(`refuses -fsanitize=${sanitizer}`, () =>
        fails(
          [`--use-port=${port}`, `-fsanitize=${sanitizer}`],
          new RegExp(`-fsanitize=${sanitizer} brings an allocator of its own`),
        ));
    }

    it('says that the cache is frozen', () =>
      assert.rejects(
        emcc([words, `--use-port=${copyPackage('frozen')}`, '-o', 'never.js'], {
          cwd: folder,
          env: { EM_FROZEN_CACHE: '1' },
        }),
        /cache is frozen and has no libwasmalloc-wasmalloc-.*EM_FROZEN_CACHE=0/,
      ));

    it('says that Emscripten is too old', async () => {
      const tools = path.join(folder, 'old', 'tools');
      mkdirSync(tools, { recursive: true });
      for (const file of ['__init__', 'config']) writeFileSync(path.join(tools, `${file}.py`), '');
      writeFileSync(path.join(tools, 'settings.py'), 'settings = user_settings = {}\n');
      const load = (version) => {
        writeFileSync(
          path.join(tools, 'utils.py'),
          `import sys\nEMSCRIPTEN_VERSION = '${version}'\nexit_with_error = sys.exit\n`,
        );
        const code = `import runpy, sys; sys.path.insert(0, 'old'); runpy.run_path(sys.argv[1])`;
        return run(findTool('python3'), ['-B', '-c', code, port], { cwd: folder });
      };
      await assert.rejects(
        load('3.1.68'),
        /needs Emscripten 3\.1\.69 or newer, and this is 3\.1\.68/,
      );
      await load('3.1.69-git');
      await load('4.0.0');
    });
  });

  it('lists the allocators with :help', async () => {
    const { stdout } = await emcc([`--use-port=${port}:help`]);
    for (const name of names) assert(stdout.includes(name));
  });

  it('compiles and links in two steps, from another folder, with spaces in the path', async () => {
    copyPackage('a package');
    const relative = '../a package/emscripten/wasmalloc.py:allocator=linked';
    const build = path.join(folder, 'a build');
    mkdirSync(build);
    const flag = `--use-port=${relative}`;
    // Compiled without the flag the header would not be found.
    built(await emcc(['-c', words, flag, '-O1', '-o', 'words.o'], { cwd: build }));
    built(await emcc(['words.o', flag, '-O1', '-o', 'the words.js'], { cwd: build }));
    const { stdout } = await runModule('the words.js', { cwd: build });
    assert.match(stdout, /^5000 words, 1024 distinct/);
    await assert.rejects(emcc(['-c', words, '-o', 'no.o'], { cwd: build }), /wasmalloc\.h/);
  });

  it('gives sbrk alone to a program with a malloc of its own', async () => {
    const source = path.join(programs, 'own_malloc.c');
    await emcc([source, '-O1', `--use-port=${port}`, '-o', 'own.js'], { cwd: folder });
    const { stdout } = await runModule('own.js', { cwd: folder });
    assert.equal(stdout, '1 x\n');
  });

  it('compiles anew when its sources have changed', async () => {
    const copy = copyPackage('edited');
    const program = path.join(folder, 'edited.c');
    writeFileSync(
      program,
      '#include <stdio.h>\nint edition(void);\nint main(void) { printf("%d\\n", edition()); }\n',
    );
    const source = path.join(path.dirname(copy), '../lib/c_interface.c');
    const original = readFileSync(source, 'utf8');
    for (const edition of [1, 2, 1]) {
      writeFileSync(source, `${original}\nint edition(void) { return ${edition}; }\n`);
      built(await emcc([program, `--use-port=${copy}`, '-O1', '-o', 'edited.js'], { cwd: folder }));
      assert.equal((await runModule('edited.js', { cwd: folder })).stdout, `${edition}\n`);
    }
  });

  it('is compiled once when several links need it at the same time', async () => {
    const copy = copyPackage('concurrent');
    const links = await Promise.all(
      [1, 2, 3, 4].map(async (number) => {
        const allocator = names[number % 2];
        const output = `concurrent-${number}.js`;
        const link = await emcc(
          [words, `--use-port=${copy}:allocator=${allocator}`, '-O1', '-o', output],
          { cwd: folder },
        );
        await runModule(output, { cwd: folder });
        return built(link);
      }),
    );
    // A process that had to wait for another one finds the library.
    assert.equal(links.flat().length, 2);
  });

  it('has sources that give no warnings', () =>
    Promise.all(
      allocators.map(({ file }) =>
        queued(() =>
          emcc(
            [
              ...['c_interface.c', 'memory_wasm.c'].map((name) => path.join(project, 'lib', name)),
              ...['-c', '-O2', '-std=c11', '-DNDEBUG', `-DWASMALLOC_ALLOCATOR="${file}"`],
              ...['-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Werror'],
            ],
            { cwd: temporaryFolder() },
          ),
        ),
      ),
    ));

  it('is machine code in an LTO build', async () => {
    const copy = copyPackage('lto');
    const [library] = built(
      await emcc(['-c', words, '-flto', `--use-port=${copy}`, '-o', 'lto.o'], { cwd: folder }),
    );
    const bytes = readFileSync(library, 'latin1');
    assert.equal(bytes.split('\0asm').length - 1, 2, 'two WebAssembly objects');
    assert(!bytes.includes('BC\xC0\xDE'), 'no bitcode');
  });
});
