// The script language of the playground.
import assert from 'node:assert/strict';
import { MOST_REQUESTS, ScriptError, liveBlocks, readScript } from '../../site/script.js';
import { workloads } from '../../site/workloads.js';

/** Requests in short: 'alloc a 24', 'free a'. */
function short(script) {
  return readScript(script).map(({ kind, name, bytes }) =>
    [kind, name, bytes].filter((part) => part !== undefined).join(' '),
  );
}

describe('a script', () => {
  it('names blocks, and gives a name to those that have none', () => {
    assert.deepEqual(short('b = alloc 24\nalloc 8\nalloc 16 ; free b # and c goes on\nalloc 1'), [
      'alloc b 24',
      'alloc a 8',
      'alloc c 16',
      'free b',
      'alloc d 1',
    ]);
  });

  it('calls a block the same when its name is used', () => {
    const script = 'alloc 8\nc = alloc 8\nalloc 8';
    assert.deepEqual(short(script), ['alloc a 8', 'alloc c 8', 'alloc b 8']);
    assert.equal(short(`${script}\nfree b`).at(-1), 'free b');
  });

  it('leaves the older of two blocks with one name to oldest, newest, random and all', () => {
    assert.deepEqual(short('repeat 3 { x = alloc 8 }\nfree x\nfree oldest\nfree all'), [
      'alloc x 8',
      'alloc x 8',
      'alloc x 8',
      'free x',
      'free x',
      'free x',
    ]);
    assert.deepEqual(
      readScript('repeat 3 { x = alloc 8 }\nfree x\nfree oldest').map(({ block }) => block),
      [0, 1, 2, 2, 0],
    );
  });

  it('frees every second block', () => {
    const requests = readScript('repeat 5 { alloc 8 }\nfree every 2');
    assert.deepEqual([...liveBlocks(requests).keys()], [1, 3]);
  });

  it('changes sizes and names', () => {
    assert.deepEqual(short('a = alloc 8\nb = realloc a 16\nrealloc b 24\nfree b'), [
      'alloc a 8',
      'realloc b 16',
      'realloc b 24',
      'free b',
    ]);
  });

  it('draws the same random numbers every time, and others for another seed', () => {
    const sizes = (seed) =>
      readScript(`seed ${seed}\nrepeat 50 { alloc 16..40 }`).map(({ bytes }) => bytes);
    assert.deepEqual(sizes(1), sizes(1));
    assert.notDeepEqual(sizes(1), sizes(2));
    assert.ok(Math.min(...sizes(1)) >= 16 && Math.max(...sizes(1)) <= 40);
    assert.ok(new Set(sizes(1)).size > 10);
  });

  for (const [script, line, message] of [
    ['alloc 8\nfrobnicate 3', 2, /frobnicate is no command: a line is one of/],
    ['a = alloc', 1, /alloc needs a size in bytes/],
    ['a = alloc 8\n\nfree b', 3, /there is no block called b/],
    ['a = alloc 8\nfree a\nfree a', 3, /a was freed in line 2/],
    ['free newest', 1, /there is no block/],
    ['free', 1, /free needs a name/],
    ['repeat 3 {\nalloc 8', 1, /has no }/],
    ['alloc 8\n}', 2, /ends nothing/],
    ['repeat x { }', 1, /repeat takes a number/],
    ['alloc 8 9', 1, /9 is too much here/],
    ['alloc 9..3', 1, /is empty/],
    ['alloc 999999', 1, /too many: at most 262144/],
    ['a = free b', 1, /after a = comes alloc or realloc/],
    [`repeat ${MOST_REQUESTS} { alloc 8 }\nalloc 8`, 2, /more than 600 requests/],
    ['repeat 600 { repeat 600 { repeat 600 { alloc 8 } } }', 1, /more than 600 requests/],
  ])
    it(`is refused: ${JSON.stringify(script)}`, () => {
      assert.throws(
        () => readScript(script),
        (error) =>
          error instanceof ScriptError && error.line === line && message.test(error.message),
      );
    });

  it('is what each ready-made workload is', () => {
    for (const { name, script } of workloads)
      assert.ok(readScript(script).length >= 6, `${name} makes requests`);
  });
});
