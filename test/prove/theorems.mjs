// The theorems, one line for a reader each, and what it takes to prove them. The proofs themselves are the
// functions of the same names in this folder's C files.
// Usage: import { THEOREMS } from '../test/prove/theorems.mjs';

/**
 * A theorem, proved of one source.
 *
 * @typedef {object} Theorem
 * @property {string} name unique: '4_bins: release'
 * @property {string} says the theorem, in a sentence
 * @property {string} file the C file in this folder
 * @property {string} entry the function in it
 * @property {string} [allocator] the file in lib/ that ALLOCATOR stands for
 * @property {Record<string, string | number>} [defines] for the preprocessor
 * @property {32 | 64} [bits] of a pointer; 32 unless told
 * @property {number} [unwind] times that every loop is unwound; CBMC proves that it is enough
 * @property {Record<string, number>} [loops] the same for single loops, as CBMC names them
 * @property {boolean} [overflow] whether unsigned arithmetic may not wrap around either
 * @property {boolean} [slow] takes more than a minute: only proved when asked for
 * @property {Mutation[]} [broken] faults that must not go unnoticed: each makes the theorem false
 */

/**
 * A fault put into the sources.
 *
 * @typedef {object} Mutation
 * @property {string} file in lib/
 * @property {string} from a text that the file has exactly once
 * @property {string} to what stands in its place
 */

/** @returns {Mutation} */
const fault = (file, from, to) => ({ file, from, to });

/** The theorems about numbers hold for both sizes of a pointer. */
function ofSizes(entry, says, broken, options) {
  return [32, 64].map((bits) => ({
    name: `${entry.replaceAll('_', ' ')}, wasm${bits}`,
    says,
    file: 'sizes.c',
    entry,
    bits,
    broken: bits === 32 ? broken : [],
    ...options,
  }));
}

function ofBins(entry, says, broken, options) {
  return {
    name: entry.replaceAll('_', ' '),
    says,
    file: 'bins.c',
    entry,
    unwind: 225,
    loops: { 'free_list_find.0': 5 },
    broken,
    ...options,
  };
}

/** Loops of each allocator that run less often than the others, so that the formula stays small. */
const STEP_LOOPS = {
  '2_linked': { 'find_link.0': 4, 'heap_allocate.0': 5, 'heap_allocate.1': 3, 'heap_trim.0': 4 },
  '3_doubly': { 'free_list_find.0': 4 },
  '4_bins': {},
};

/** The induction step of an allocator's invariants, for one operation. */
function step(allocator, entry, says, blocks, units, broken = []) {
  return {
    name: `${allocator}: ${entry.replaceAll('_', ' ')}`,
    says,
    file: 'step.c',
    entry,
    allocator: `${allocator}.c`,
    defines: { BLOCKS: blocks, UNITS: units },
    unwind: 12,
    loops: STEP_LOOPS[allocator],
    broken,
  };
}

const STEPS = {
  release_step: 'free keeps the invariants and the other blocks, and leaves no two free neighbours',
  allocate_step: 'malloc keeps the invariants, and fails only if no block is large enough',
  resize_step: 'resizing in place keeps the invariants, the contents and the other blocks',
  trim_step: 'trimming keeps the invariants and the other blocks',
  allocate_aligned_step: 'aligned allocation keeps the invariants, and aligns',
};

/** The theorems about 5_wasmalloc's runs: a run of eight objects between two blocks. */
function ofRuns(entry, says, broken) {
  return {
    name: `5_wasmalloc: ${entry.replaceAll('_', ' ')}`,
    says,
    file: 'runs.c',
    entry,
    unwind: 28,
    broken,
  };
}

export const THEOREMS = [
  ...ofSizes(
    'smallest_block',
    'the block for a request is the smallest that holds it, and its size does not overflow',
    [fault('memory.h', '(ALIGNMENT - 1)) & ~', 'ALIGNMENT) & ~')],
    { overflow: true },
  ),
  ...ofSizes(
    'bins_in_order',
    'a larger size never has a smaller bin, and every size has one',
    [fault('4_bins.c', '<< LOG_STEPS) + step', '<< (LOG_STEPS - 1)) + step')],
    { overflow: true },
  ),
  ...ofSizes(
    'bins_and_sizes',
    'a bin holds exactly the sizes from its smallest to the next bin’s',
    [fault('4_bins.c', '(log - LOG_STEPS)', '(log - LOG_STEPS + 1)')],
    { overflow: true },
  ),
  ...ofSizes(
    'good_fit',
    'every block in a bin above a request’s is large enough, and no bin spans more than an eighth',
    [fault('4_bins.c', '<< LOG_STEPS) + step', '<< (LOG_STEPS - 1)) + step')],
    { overflow: true },
  ),
  ofBins('find_lowest', 'the bitmap search finds the lowest bin that has a block that will do', [
    fault('4_bins.c', 'word += 1 + (uint32_t)', 'word += (uint32_t)'),
  ]),
  step('2_linked', 'release_step', STEPS.release_step, 4, 9, [
    fault('2_linked.c', 'if (previous && touches(previous, block))', 'if (previous)'),
  ]),
  step('2_linked', 'allocate_step', STEPS.allocate_step, 3, 8, [
    fault('2_linked.c', 'rest->head = remainder;', 'rest->head = block->head;'),
  ]),
  step('2_linked', 'resize_step', STEPS.resize_step, 3, 8),
  step('2_linked', 'trim_step', STEPS.trim_step, 3, 8),
  step('3_doubly', 'release_step', STEPS.release_step, 4, 9, [
    fault(
      'boundary_tags.h',
      '    next->head &= ~(size_t)PREVIOUS_USED;\n  }\n  list',
      '  }\n  list',
    ),
  ]),
  step('3_doubly', 'allocate_step', STEPS.allocate_step, 3, 8),
  step('3_doubly', 'resize_step', STEPS.resize_step, 3, 8, [
    fault('boundary_tags.h', '  block->head -= surplus;\n', ''),
  ]),
  step('3_doubly', 'trim_step', STEPS.trim_step, 3, 10),
  step('4_bins', 'release_step', STEPS.release_step, 4, 9, [
    fault('boundary_tags.h', '  *previous_tag(block_at(block, size)) = size;\n', ''),
  ]),
  step('4_bins', 'allocate_step', STEPS.allocate_step, 3, 8, [
    fault('boundary_tags.h', '    block_at(block, available)->head |= PREVIOUS_USED;\n', ''),
  ]),
  step('4_bins', 'trim_step', STEPS.trim_step, 3, 10),
  ofRuns('free_one_object', 'freeing an object sets its bit, and puts its run where it belongs', [
    fault(
      '5_wasmalloc.c',
      '(uint32_t)1 << object_number(object)',
      '(uint32_t)2 << object_number(object)',
    ),
  ]),
  ofRuns('take_one_object', 'an object is handed out once, and it is one of the run', [
    fault('5_wasmalloc.c', 'class->free = free & (free - 1);', 'class->free = free & (free + 1);'),
  ]),
  ofRuns('retire_class', 'a run that is retired keeps all its free objects', [
    fault('5_wasmalloc.c', 'class->free | free_objects(run);', 'free_objects(run);'),
  ]),
  ofRuns(
    'dissolve_run',
    'a run that is dissolved becomes a row of sound blocks, whatever is free',
    [fault('5_wasmalloc.c', 'if (!(free & 1)) {', 'if (!(free & 1) && number != 3) {')],
  ),
  {
    name: 'lock: two threads',
    says: 'of two threads only one has the lock, and neither is left asleep',
    file: 'lock.c',
    entry: 'two_threads',
    defines: { TURNS: 1 },
    loops: { 'heap_lock_slowly.0': 202, 'heap_lock_slowly.1': 4, 'take_turns.0': 3 },
    broken: [
      fault('lock.h', '&heap_lock_state, 0) == 2)', '&heap_lock_state, 0) == 3)'),
      fault(
        'lock.h',
        'if (!atomic_compare_exchange_strong(&heap_lock_state, &expected, 1))',
        'if (heap_lock_state == 0) heap_lock_state = 1; else',
      ),
    ],
  },
];
