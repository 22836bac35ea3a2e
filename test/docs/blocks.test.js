// Every code block of the documentation is run, compiled or type-checked.
import assert from 'node:assert/strict';
import { installPackage } from '../js/support.js';
import { allBlocks, blocksOf } from './blocks.js';
import { Reader } from './check.js';

describe('the code blocks of the documentation', function () {
  this.timeout(300_000); // a busy machine

  let reader;
  before(() => {
    reader = new Reader(installPackage().folder);
  });

  for (const block of allBlocks()) {
    const { file, line, language, mark } = block;
    const title = `${file}, line ${line}: ${language}${mark ? ` (${mark.kind}: ${mark.reason})` : ''}`;
    it(title, () => reader.check(block));
  }

  describe('fail the test where they are wrong:', () => {
    const cases = {
      'no language': ['```\ntext\n```', /has no language/],
      'an indented block': ['text\n\n    code();\n', /has no language/],
      'a block of HTML': ['<pre>\ncode();\n</pre>', /nobody knows how to check HTML/],
      'an unknown language': ['```rust\nfn main() {}\n```', /nobody knows how to check rust/],
      'a block in a list': ['- a\n\n  ~~~go\n  main()\n  ~~~\n', /nobody knows how to check go/],
      'a block in a quotation': ['> ```go\n> main()\n> ```', /nobody knows how to check go/],
      'text without a reason': ['```text\ntext\n```', /not marked as unchecked/],
      'a mark without a reason': ['<!-- unchecked: -->\n\n```text\nx\n```', /not marked/],
      'a mark further up': ['<!-- unchecked: so -->\n\nAnd\n\n```text\nx\n```', /not marked/],
      'code that is not checked': ['<!-- unchecked: so -->\n```js\n```', /only text/],
      'JavaScript that throws': ["```js\nthrow new Error('so')\n```", /so/],
      'JavaScript that does not parse': ['```js\nlet let;\n```', /SyntaxError/],
      'an option that there is not': [
        "```js\nimport { instantiate } from 'wasmalloc';\nawait instantiate('bins', { initial: 1 });\n```",
        /InvalidArgumentError: initial is 1/,
      ],
      'TypeScript of a wrong type': [
        "```ts\nimport { instantiate } from 'wasmalloc';\nawait instantiate(5);\n```",
        /TS2345/,
      ],
      'JSON that is none': ['```json\n{ a: 1 }\n```', /JSON/],
      'C that does not compile': ['```c\nint main(void) { return x; }\n```', /undeclared/],
      'a shell that cannot parse it': ['```sh\nif then\n```', /syntax error/],
      'no command': ['```sh\n# nothing\n```', /there are no commands/],
      'an unknown program': ['```sh\ncurl x\n```', /curl: command not found/],
      'an unknown script': ['```sh\nnpm run nothing\n```', /there is no script nothing/],
      'an unknown option of a script': [
        '```sh\nnpm run bench -- --slow\n```',
        /there is no --slow/,
      ],
      'an unknown name for an option': [
        '```sh\nnpm run bench -- --only tiny\n```',
        /there is no tiny/,
      ],
      'an unknown command': ['```sh\nnpx wasmalloc play\n```', /there is no play/],
      'an unknown option of a command': [
        '```sh\nnpx wasmalloc map app.trace --in blue\n```',
        /there is no --in/,
      ],
      'a file that there is not': ['```sh\nnode test/none.mjs\n```', /test\/none.mjs/],
      'a program that was not made': ['```sh\nnode other.js\n```', /other.js/],
      'a command that fails': ['```sh\nnpx wasmalloc map CMakeLists.txt\n```', /no trace/],
      'a flag that emcc has not': ['```sh\nemcc app.c --fast -o a.js\n```', /--fast/],
      'an allocator that there is not': [
        '```sh\nemcc app.c --use-port=$(npx wasmalloc --port):allocator=best -o a.js\n```',
        /there is no allocator `best`/,
      ],
      'a source that there is not': ['```sh\nemcc none.c -o a.js\n```', /none.c/],
      'what is not run, without a reason': ['```sh\nnpm run bench\n```', /no mark that says why/],
      'what is run, with a reason': [
        '<!-- not run: so -->\n```sh\nnpx wasmalloc --port\n```',
        /a block that is run is marked/,
      ],
      'a target that there is not': [
        '```cmake\ntarget_link_libraries(app PRIVATE wasmalloc::best)\n```',
        /there is no target best/,
      ],
    };
    for (const [title, [markdown, message]] of Object.entries(cases))
      it(title, () => {
        const blocks = blocksOf('page.md', markdown);
        assert.equal(blocks.length, 1);
        assert.throws(() => reader.check(blocks[0]), message);
      });
  });

  it('are found at their lines', () => {
    const page =
      'Title\n=====\n\n```js\na\n```\n\n- text\n\n<!-- unchecked: so -->\n\n```text\na\n```\n';
    const found = blocksOf('page.md', page).map(({ line, text, mark }) => [
      line,
      text,
      mark?.reason,
    ]);
    assert.deepEqual(found, [
      [4, 'a', undefined],
      [12, 'a', 'so'],
    ]);
  });
});
