// The same API as index.js, for bundlers that leave files behind: the modules are in here, as text.
// What is not used of them a bundler drops: those that replay traces are the larger part.
import { embedded } from '../dist/embedded.js';
import { embedded as replayEmbedded } from '../dist/replay-embedded.js';
import { instantiateWith } from './instantiate.js';
import { loadEmbedded } from './load.js';
import { replayWith, startReplayWith } from './replay.js';

export * from './shared.js';

const load = (file) => loadEmbedded(file, embedded[file]);
const loadReplay = (file) => loadEmbedded(file, replayEmbedded[file]);

export function instantiate(name, options) {
  return instantiateWith(load, name, options);
}

export function startReplay(name, program, modules) {
  return startReplayWith(loadReplay, name, program, modules);
}

export function replay(source, options) {
  return replayWith(loadReplay, source, options);
}
