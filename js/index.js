// The package's API, for Node and all that has files: the modules in dist/ are fetched when they are needed.
// Usage: import { instantiate } from 'wasmalloc'
// Every function is described in index.d.ts, beside its type.
import { files } from '../dist/files.js';
import { files as replayFiles } from '../dist/replay-files.js';
import { instantiateWith } from './instantiate.js';
import { loadFrom } from './load.js';
import { replayWith, startReplayWith } from './replay.js';

export * from './shared.js';

const load = (file) => loadFrom(files[file]());
const loadReplay = (file) => loadFrom(replayFiles[file]());

export function instantiate(name, options) {
  return instantiateWith(load, name, options);
}

export function startReplay(name, program, modules) {
  return startReplayWith(loadReplay, name, program, modules);
}

export function replay(source, options) {
  return replayWith(loadReplay, source, options);
}
