// The same API as index.js, for bundlers that leave files behind: the modules are in here, as text.
import { embedded } from '../dist/embedded.js';
import { embedded as replayEmbedded } from '../dist/replay-embedded.js';
import * as heaps from './instantiate.js';
import { addModules } from './load.js';
import * as replays from './replay.js';

export * from './shared.js';

// The tables are handed on by what needs them, so that a bundler can drop the others.

export function instantiate(name, options) {
  addModules(embedded);
  return heaps.instantiate(name, options);
}

export function startReplay(name, program, modules) {
  addModules(replayEmbedded);
  return replays.startReplay(name, program, modules);
}

export function replay(source, options) {
  addModules(replayEmbedded);
  return replays.replay(source, options);
}
