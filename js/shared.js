// What both entries of the package, index.js and embedded.js, have in common.
export { allocators } from '../dist/allocators.js';
export * from './errors.js';
export { compileTrace, replayAllocators } from './replay.js';
export { readTrace } from './trace.js';
