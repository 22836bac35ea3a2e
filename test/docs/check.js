// Checks the code blocks of the documentation, each in the way of its language.
// Usage: const reader = new Reader(installPackage().folder); reader.check(block);
import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { PROJECT, findEmscripten } from '../../scripts/emscripten.mjs';
import { ALLOCATORS } from '../../scripts/run.mjs';
import { run } from '../js/support.js';
import { languageFlags } from '../support/emcc.js';
import { writeTrace } from '../support/trace.js';

const SCRIPTS = JSON.parse(readFileSync(path.join(PROJECT, 'package.json'), 'utf8')).scripts;

/** What a reader has: a program, under the names that the pages give it. */
const APP = `#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
  char *text = (char *)malloc(20);
  strcpy(text, "runs");
  puts(text);
  free(text);
}
`;

const CMAKE_LISTS = `cmake_minimum_required(VERSION 3.16)
project(app C)
add_executable(app app.c)
`;

const EVENTS = [
  { kind: 'malloc', size: 100, address: 1024 },
  { kind: 'calloc', size: 50, address: 2048 },
  { kind: 'free', previous: 1024 },
];

/** Notes what it is called with, and does nothing but to answer where the package is. */
const STUB = `#!${process.execPath}
const { appendFileSync } = require('node:fs');
const { execFileSync } = require('node:child_process');
const { basename } = require('node:path');
const call = [basename(process.argv[1]), ...process.argv.slice(2)];
appendFileSync(process.env.CALLS, JSON.stringify(call) + '\\n');
if (/^npx wasmalloc --\\w+$/.test(call.join(' ')))
  execFileSync(process.execPath, ['node_modules/wasmalloc/js/cli.js', call[2]], { stdio: 'inherit' });
`;

/** What `program --help` prints, by its words: options and what they may be. */
const helps = new Map();

function helpOf(...command) {
  const key = command.join(' ');
  if (!helps.has(key)) helps.set(key, run(process.execPath, [...command, '--help']).stdout);
  return helps.get(key);
}

/** Every option, and every name that one is given, stands in the help. */
function checkOptions(args, help) {
  const isKnown = (word) => new RegExp(`(?<![\\w-])${word}(?![\\w-])`).test(help);
  for (const arg of args)
    for (const word of arg.split(/[,=]/)) {
      if (/^\d+$/.test(word) || /[./]/.test(word)) continue; // a number, a file
      assert.ok(isKnown(word), `there is no ${word}`);
    }
}

/** The program of an npm script that is one of the project's own files. */
const fileOfScript = (name) => SCRIPTS[name].match(/^node (?:--\S+ )*(\S+\.m?js)( |$)/)?.[1];

/** What is checked of a command before it is run, by its program; there are no other programs. */
const CHECKS = {
  npm([command, ...args]) {
    if (command === 'install') return assert.deepEqual(args, ['wasmalloc']);
    if (command === 'ci' || command === 'cit') return assert.deepEqual(args, []);
    const [name, dashes, ...rest] = command === 'run' ? args : [command, ...args];
    assert.ok(Object.hasOwn(SCRIPTS, name), `there is no script ${name}`);
    if (dashes === undefined) return undefined;
    assert.equal(dashes, '--');
    assert.ok(fileOfScript(name), `${name} takes options`);
    return checkOptions(rest, helpOf(path.join(PROJECT, fileOfScript(name))));
  },

  npx([name, ...args]) {
    assert.equal(name, 'wasmalloc');
    const cli = path.join(PROJECT, 'js/cli.js');
    checkOptions(args.slice(0, 1), helpOf(cli));
    if (args[0].startsWith('-')) return assert.equal(args.length, 1);
    return checkOptions(args.slice(1), helpOf(cli, args[0]));
  },

  node([file, ...args], { folder, made }) {
    if (made.has(file)) return undefined; // by an earlier command
    assert.ok(!existsSync(path.join(folder, file)) && existsSync(path.join(PROJECT, file)), file);
    return checkOptions(args, helpOf(path.join(PROJECT, file)));
  },

  /** All but the linking, which takes long. */
  emcc(args, { folder, made }, program = 'emcc') {
    const output = args.indexOf('-o');
    assert.ok(output > 0, 'it has an output');
    made.add(args[output + 1]);
    const others = args.toSpliced(output, 2);
    compile(program, [...others, '-c', '-o', 'checked.o'], folder);
  },

  'em++'(args, page) {
    CHECKS.emcc(args, page, 'em++');
  },

  emcmake([cmake, ...args], { folder }) {
    assert.equal(cmake, 'cmake');
    const setting = args.find((arg) => arg.startsWith('-Dwasmalloc_DIR='));
    assert.ok(existsSync(path.resolve(folder, setting.split('=')[1])), setting);
  },
};

/** What takes long or needs a network is not run: its block is marked. */
function canRun([program, ...args], { made }) {
  if (program === 'npm') return args.join(' ') === 'install wasmalloc';
  return program !== 'node' || made.has(args[0]);
}

const isLinker = ([program]) => /^em/.test(program);

function compile(program, args, folder) {
  const { emcc, emxx, env } = findEmscripten();
  run(program === 'emcc' ? emcc : emxx, args, { cwd: folder, env: { ...process.env, ...env } });
}

/** Flags without which emcc would build its libraries once more, with assertions, and C++'s for a C program. */
const NO_ASSERTIONS = '-sASSERTIONS=0';
const NO_CPP = '-sDEFAULT_TO_CXX=0';

/** Runs commands as they stand, but installs nothing: that has been done. */
function runShell(text, { folder, stubs }, EMCC_CFLAGS) {
  const { emcc, env: emscriptenEnv } = findEmscripten();
  const PATH = [path.dirname(emcc), process.env.PATH].join(path.delimiter);
  const variables = { PATH, CALLS: '/dev/null', EMCC_CFLAGS };
  const npm = `npm() { ${path.join(stubs, 'npm')} "$@"; }`;
  return run('/bin/bash', [...STRICTLY, `${npm}\n${text}`], {
    cwd: folder,
    env: { ...process.env, ...emscriptenEnv, ...variables },
    timeout: 1_500_000, // it may build libraries all the same
  });
}

/** How bash takes commands: the first that fails ends it. */
const STRICTLY = ['--norc', '-e', '-u', '-o', 'pipefail', '-c'];

/** The commands of a block, as the shell understands them. */
function commandsOf({ text }, { folder, stubs }) {
  const CALLS = path.join(folder, 'calls');
  writeFileSync(CALLS, '');
  run('/bin/bash', [...STRICTLY, text], { cwd: folder, env: { PATH: stubs, CALLS } });
  const commands = readFileSync(CALLS, 'utf8').split('\n').filter(Boolean);
  assert.ok(commands.length > 0, 'there are no commands');
  return commands.map((line) => JSON.parse(line));
}

/** What is done with a block, by its language. */
const LANGUAGES = {
  text({ mark }) {
    assert.equal(mark?.kind, 'unchecked', 'text is not marked as unchecked, with a reason');
  },

  js({ text }, { folder }) {
    writeFileSync(path.join(folder, 'block.mjs'), text);
    const { stderr } = run(process.execPath, ['block.mjs'], { cwd: folder });
    assert.equal(stderr, '');
  },

  ts({ text }, { folder }) {
    writeFileSync(path.join(folder, 'block.mts'), text);
    const tsc = path.join(PROJECT, 'node_modules/typescript/bin/tsc');
    const options = ['--strict', '--noEmit', '--target', 'es2022', '--module', 'nodenext'];
    run(process.execPath, [tsc, ...options, 'block.mts'], { cwd: folder });
  },

  json({ text }) {
    JSON.parse(text);
  },

  c(block, page, link, [file, program] = ['block.c', 'emcc']) {
    writeFileSync(path.join(page.folder, file), block.text);
    const args = [file, `--use-port=${page.port}`, ...languageFlags([file]), '-o', 'block.cjs'];
    compile(program, ['-O2', ...args], page.folder);
    run(process.execPath, ['block.cjs'], { cwd: page.folder });
  },

  cpp(block, page, link) {
    LANGUAGES.c(block, page, link, ['block.cpp', 'em++']);
  },

  /** A part of the file with which the program is built. */
  cmake({ text }, page, link) {
    for (const [, name] of text.matchAll(/wasmalloc::(\w+)/g))
      assert.ok(
        ALLOCATORS.some((row) => row.name === name),
        `there is no target ${name}`,
      );
    if (!link) return;
    writeFileSync(path.join(page.folder, 'CMakeLists.txt'), `${CMAKE_LISTS}${text}\n`);
    const build = `emcmake cmake -B built -Dwasmalloc_DIR=$(npx wasmalloc --cmake)
cmake --build built
node built/app.js`;
    assert.match(runShell(build, page, `${NO_ASSERTIONS} ${NO_CPP}`).stdout, /^runs$/m);
  },

  sh(block, page, link) {
    const commands = commandsOf(block, page);
    for (const [program, ...args] of commands) CHECKS[program](args, page);
    if (!commands.every((command) => canRun(command, page))) {
      assert.equal(
        block.mark?.kind,
        'not run',
        'a block that is not run has no mark that says why',
      );
      return;
    }
    assert.equal(block.mark, undefined, 'a block that is run is marked');
    if (commands.some(isLinker) && !link) return;
    const isCpp = commands.some(([program]) => program === 'em++');
    runShell(block.text, page, isCpp ? NO_ASSERTIONS : `${NO_ASSERTIONS} ${NO_CPP}`);
  },
};

/** Somebody who reads the pages and tries what stands there, each page in a project of its own. */
export class Reader {
  #installed;
  #pages = new Map();

  /** @param {string} installed the folder of an empty project that has the package */
  constructor(installed) {
    this.#installed = installed;
  }

  #page(name) {
    if (!this.#pages.has(name)) this.#pages.set(name, this.#openPage());
    return this.#pages.get(name);
  }

  #openPage() {
    const folder = path.join(this.#installed, `page-${this.#pages.size}`);
    const stubs = path.join(folder, '.stubs');
    mkdirSync(stubs, { recursive: true });
    const modules = [this.#installed, folder].map((each) => path.join(each, 'node_modules'));
    cpSync(...modules, { recursive: true, verbatimSymlinks: true });
    const write = (file, content) => writeFileSync(path.join(folder, file), content);
    for (const file of ['app.c', 'app.cpp']) write(file, APP);
    write('package.json', '{ "private": true }');
    write('CMakeLists.txt', CMAKE_LISTS);
    write('app.trace', writeTrace(EVENTS));
    copyFileSync(path.join(PROJECT, 'examples/leak/leak.cpp'), path.join(folder, 'leak.cpp'));
    write('.stubs/package.json', '{ "type": "commonjs" }');
    for (const name of Object.keys(CHECKS)) {
      write(`.stubs/${name}`, STUB);
      chmodSync(path.join(stubs, name), 0o755);
    }
    const port = path.join(folder, 'node_modules/wasmalloc/emscripten/wasmalloc.py');
    return { folder, stubs, port, made: new Set() };
  }

  /**
   * Checks a block of a page, after those before it.
   *
   * @param {import('./blocks.js').Block} block
   * @param {{ link?: boolean }} [options] whether programs are linked and run as well, which takes long
   * @throws {Error} when it is not right, not of a kind that is known here, or not run and not marked
   */
  check(block, { link = false } = {}) {
    const { file, language, mark } = block;
    assert.notEqual(language, '', 'the block has no language');
    assert.ok(Object.hasOwn(LANGUAGES, language), `nobody knows how to check ${language}`);
    assert.ok(language === 'text' || mark?.kind !== 'unchecked', 'only text can be unchecked');
    assert.ok(language === 'sh' || mark?.kind !== 'not run', 'only commands can be not run');
    LANGUAGES[language](block, this.#page(file), link);
  }
}
