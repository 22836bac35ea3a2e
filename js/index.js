// The package's API, for Node and all that has files: the modules in dist/ are fetched when they are needed.
// Usage: import { instantiate } from 'wasmalloc'
// Every function is described in index.d.ts, beside its type.
import { files } from '../dist/files.js';
import { files as replayFiles } from '../dist/replay-files.js';
import * as heaps from './instantiate.js';
import { addModules } from './load.js';
import * as replays from './replay.js';

export * from './shared.js';

// The tables are handed on by what needs them, so that a bundler can drop the others.

export function instantiate(name, options) {
  addModules(files);
  return heaps.instantiate(name, options);
}

export function startReplay(name, program, modules) {
  addModules(replayFiles);
  return replays.startReplay(name, program, modules);
}

export function replay(source, options) {
  addModules(replayFiles);
  return replays.replay(source, options);
}
