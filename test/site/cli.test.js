// The command that builds and serves the playground.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { project, run, temporaryFolder } from '../support/emcc.js';
import { site } from './support.js';

const script = path.join(project, 'scripts', 'site.mjs');
const build = (...args) => run(process.execPath, [script, ...args]);

describe('npm run site', () => {
  it('explains itself', async () => {
    assert.match((await build('--help')).stdout, /npm start/);
  });

  for (const [args, code, message] of [
    [['--port', 'x'], 1, /^site: --port takes a number from 0 to 65535, not x$/m],
    [['--bogus'], 2, /^site: Unknown option '--bogus'/m],
  ])
    it(`refuses ${args.join(' ')}`, async () => {
      await assert.rejects(build(...args), (error) => {
        assert.equal(error.code, code);
        assert.match(error.stderr, message);
        return true;
      });
    });

  it('replaces no folder that holds something else', async () => {
    const folder = temporaryFolder();
    const file = path.join(folder, 'mine.txt');
    writeFileSync(file, 'mine');
    await assert.rejects(build('--output', folder), /holds something else/);
    assert.equal(readFileSync(file, 'utf8'), 'mine');
  });

  it('makes a page whose links are relative', async () => {
    const page = readFileSync(path.join(await site, 'index.html'), 'utf8');
    const links = [...page.matchAll(/(?:href|src)="([^"]*)"/g)].map(([, link]) => link);
    assert.ok(links.length >= 3);
    for (const link of links) assert.doesNotMatch(link, /^(\/|\w+:)/);
  });
});
