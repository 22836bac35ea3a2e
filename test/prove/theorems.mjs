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
 * @property {boolean} [slow] takes up to three minutes, or adds least to the others: only proved when asked for
 * @property {Record<string, string>} [instead] files in lib/, and those in this folder that stand for them
 * @property {Mutation[]} [changes] to the sources, without which it could not be proved: what is proved is
 *   the changed source
 * @property {Mutation[]} [broken] faults that must not go unnoticed: each makes the theorem false
 */

/**
 * A fault put into the sources, or another change.
 *
 * @typedef {object} Mutation
 * @property {string} file in lib/
 * @property {string} from a text that the file has exactly once
 * @property {string} to what stands in its place
 */

/** @returns {Mutation} */
const fault = (file, from, to) => ({ file, from, to });

/** A theorem that is only proved when asked for. */
const slow = (theorem) => ({ ...theorem, slow: true });

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
    defines: { LISTED: 2 },
    broken,
    ...options,
  };
}

/** Loops of each allocator that run less often than the others, so that the formula stays small. */
const STEP_LOOPS = {
  '2_linked': { 'find.0': 4 },
  '3_doubly': { 'free_list_find.0': 4 },
  '4_bins': {},
};

/** How often a loop over the words of so many units runs (row.h). */
const wordsOf = (units) => 2 * units + 3;

/** To CBMC only addresses in the same object have an order, and find_fit() passes the highest that there is. */
const ADDRESSES_IN_ORDER = fault(
  '2_linked.c',
  '(const void *)block < address',
  '(uintptr_t)block < (uintptr_t)address',
);

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
    loops: { ...STEP_LOOPS[allocator], 'move_words.0': wordsOf(units) },
    changes: allocator === '2_linked' ? [ADDRESSES_IN_ORDER] : [],
    broken,
  };
}

/** The step for what is built on free lists, whatever these are. */
function stepOverLists(entry, says, blocks, units, broken, defines = {}) {
  return {
    ...step('', entry, says, blocks, units, broken),
    name: `any lists: ${entry.replaceAll('_', ' ')}${defines.GROWTH ? ', with growth' : ''}`,
    allocator: 'lists.h',
    loops: { 'move_words.0': wordsOf(units + (defines.GROWTH ?? 0)) },
    defines: { BLOCKS: blocks, UNITS: units, ...defines },
  };
}

/** A static function that is replaced by its contract, which the theorem's C file has. */
function byContract(file, head) {
  const name = head.match(/(\w+)\(/)[1];
  return fault(
    file,
    `${head} {`,
    `#define ${name.toUpperCase()}_BY_CONTRACT\n${head};\n${head.replace(name, `shipped_${name}`)} {`,
  );
}

/** The step for 5_wasmalloc's quick lists, with 3 classes of sizes in place of 127. */
function stepOfQuickLists(entry, says, blocks, units, broken, replaced = []) {
  return {
    ...step('5_wasmalloc', entry, says, blocks, units, broken),
    name: `5_wasmalloc, quick lists: ${entry.replaceAll('_', ' ')}`,
    file: 'quick.c',
    defines: { BLOCKS: blocks, UNITS: units, __OPTIMIZE_SIZE__: 1 },
    instead: { '4_bins.c': 'lists.h' },
    changes: [FEWER_CLASSES, ...replaced],
  };
}

const FIND_ELSEWHERE = byContract(
  'reclaim.h',
  'NOT_INLINED static struct block *find_elsewhere(size_t size)',
);
const RECLAIM = byContract('5_wasmalloc.c', 'RARE static bool free_list_reclaim(bool all)');
const RELEASE_WHERE_DEFERRED = byContract(
  '5_wasmalloc.c',
  'RARE static bool release_where_deferred(struct block *block)',
);

const DISSOLVE = byContract('runs.h', 'RARE static void dissolve(struct run *run)');

const STEPS = {
  release_step: 'free keeps the invariants and the other blocks, and leaves no two free neighbours',
  allocate_step: 'malloc keeps the invariants, and fails only if no block is large enough',
  resize_step: 'resizing in place keeps the invariants, the contents and the other blocks',
  trim_step: 'trimming keeps the invariants and the other blocks',
  allocate_aligned_step: 'aligned allocation keeps the invariants, and aligns',
};

const FEWER_CLASSES = fault('5_wasmalloc.c', '#define CLASSES 129', '#define CLASSES 5');

/** The theorems about 5_wasmalloc's runs: a run of eight objects, or fewer, between two blocks. */
function ofRuns(entry, says, broken, options) {
  return {
    name: `5_wasmalloc: ${entry.replaceAll('_', ' ')}`,
    says,
    file: 'runs.c',
    entry,
    unwind: 28,
    instead: { '4_bins.c': 'lists.h' },
    changes: [FEWER_CLASSES],
    broken,
    ...options,
  };
}

/** The step for 1_minimal, whose heap always grows. */
function ofMinimal(entry, says, broken) {
  return {
    name: `1_minimal: ${entry.replace('minimal_', '').replaceAll('_', ' ')}`,
    says,
    file: 'minimal.c',
    entry,
    defines: { BLOCKS: 3, UNITS: 6, GROWTH: 6 },
    unwind: 12,
    broken,
  };
}

function ofInterface(entry, says, broken) {
  return {
    name: `interface: ${entry.replaceAll('_', ' ')}`,
    says,
    file: 'interface.c',
    entry,
    unwind: 33,
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
  slow(
    ofBins('lists_put', 'a block that is put is in the list of its bin, and so are the others', [
      fault('4_bins.c', '  if (first)\n    set_link(&first->previous, block);\n', ''),
    ]),
  ),
  slow(
    ofBins('lists_replace', 'a block that takes the place of another is listed in its stead', [
      fault('4_bins.c', '      if (next)\n        set_link(&next->previous, block);\n', ''),
    ]),
  ),
  slow(
    ofBins('lists_resize', 'a block of another size moves to the list of its bin', [
      fault('4_bins.c', '    remove_from(old_bin, old);\n', ''),
    ]),
  ),
  slow(
    ofBins(
      'lists_remove',
      'a block that is removed leaves the others listed',
      [
        fault(
          '4_bins.c',
          '&= ~((uint64_t)1 << bin % MAP_BITS);',
          '&= ~((uint64_t)2 << bin % MAP_BITS);',
        ),
      ],
      { defines: { LISTED: 3 } },
    ),
  ),
  slow(
    ofBins('lists_take', 'a block that is taken has the size asked for', [
      fault(
        '4_bins.c',
        '  remove_first((uint32_t)units, get_link(&block->next));',
        '  bins.bin[units] = block->next;',
      ),
    ]),
  ),
  step('2_linked', 'release_step', STEPS.release_step, 4, 9, [
    fault('2_linked.c', 'if (previous && touches(previous, block))', 'if (previous)'),
  ]),
  slow(
    step('2_linked', 'allocate_step', STEPS.allocate_step, 3, 8, [
      fault('2_linked.c', 'rest->head = remainder;', 'rest->head = block->head;'),
    ]),
  ),
  slow(step('2_linked', 'resize_step', STEPS.resize_step, 3, 8)),
  step('2_linked', 'trim_step', STEPS.trim_step, 3, 8),
  step('3_doubly', 'release_step', STEPS.release_step, 4, 9, [
    fault('boundary_tags.h', '    set_previous_free(next);\n', ''),
  ]),
  step('3_doubly', 'allocate_step', STEPS.allocate_step, 3, 8),
  step('3_doubly', 'resize_step', STEPS.resize_step, 3, 8, [
    fault('boundary_tags.h', '  set_head(block, get_head(block) - surplus);\n', ''),
  ]),
  step('3_doubly', 'trim_step', STEPS.trim_step, 3, 10),
  slow(
    step('4_bins', 'release_step', STEPS.release_step, 4, 9, [
      fault('boundary_tags.h', '  set_tag(previous_tag(block_at(block, size)), size);\n', ''),
    ]),
  ),
  slow(
    step('4_bins', 'allocate_step', STEPS.allocate_step, 3, 8, [
      fault(
        'boundary_tags.h',
        '    set_previous_used(next);\n    return available;',
        '    return available;',
      ),
    ]),
  ),
  slow(step('4_bins', 'trim_step', STEPS.trim_step, 3, 10)),
  stepOverLists('release_step', STEPS.release_step, 4, 9, [
    fault(
      'boundary_tags.h',
      '    if (listed_size)\n      free_list_remove((struct free_block *)listed);\n',
      '',
    ),
  ]),
  stepOverLists('allocate_step', STEPS.allocate_step, 4, 9, [
    fault(
      'boundary_tags.h',
      '    set_previous_used(next);\n    return available;',
      '    return available;',
    ),
  ]),
  stepOverLists(
    'allocate_step',
    'the same where the heap may grow, and others take memory between',
    3,
    8,
    [fault('boundary_tags.h', '    set_previous_free(payload_block(end));\n', '')],
    { GROWTH: 6 },
  ),
  stepOverLists('resize_step', STEPS.resize_step, 4, 10, [
    fault(
      'boundary_tags.h',
      'size_t cut = cut_free(next, missing);',
      'size_t cut = (cut_free(next, missing), missing);',
    ),
    fault(
      'boundary_tags.h',
      'payload = __builtin_memmove(block_payload(block), payload, old - WORD);',
      'payload = block_payload(block);',
    ),
    fault(
      'boundary_tags.h',
      '      free_list_remove((struct free_block *)block);\n      payload = ',
      '      payload = ',
    ),
  ]),
  stepOverLists(
    'resize_step',
    'the same where the heap may grow, and others take memory between',
    3,
    8,
    [fault('boundary_tags.h', 'missing < MINIMUM_BLOCK ? MINIMUM_BLOCK : missing', 'missing')],
    { GROWTH: 6 },
  ),
  stepOverLists('trim_step', STEPS.trim_step, 4, 11, [
    fault('boundary_tags.h', '    kept = MINIMUM_BLOCK;', '    ;'),
  ]),
  slow(
    stepOverLists('allocate_aligned_step', STEPS.allocate_aligned_step, 3, 11, [
      fault('boundary_tags.h', '    skipped += alignment;', '    ;'),
    ]),
  ),
  slow(
    stepOfQuickLists('release_step', STEPS.release_step, 4, 11, [
      fault(
        'quick_lists.h',
        '  --class->room;\n  payload->next = class->quick;\n',
        '  --class->room;\n',
      ),
    ]),
  ),
  stepOfQuickLists(
    'allocate_deferred_step',
    'malloc takes a deferred block if there is one, and keeps the invariants',
    3,
    8,
    [fault('5_wasmalloc.c', '    class->quick = deferred->next;\n', '    ;\n')],
    [FIND_ELSEWHERE],
  ),
  slow(
    stepOfQuickLists(
      'allocate_step',
      STEPS.allocate_step,
      3,
      8,
      [
        fault(
          '5_wasmalloc.c',
          'use_block(block, cut_free(block, size))',
          '(cut_free(block, size), use_block(block, size))',
        ),
      ],
      [FIND_ELSEWHERE],
    ),
  ),
  slow(
    stepOfQuickLists(
      'resize_step',
      STEPS.resize_step,
      3,
      8,
      [fault('boundary_tags.h', '  set_head(block, get_head(block) - surplus);\n', '')],
      [RELEASE_WHERE_DEFERRED, RECLAIM],
    ),
  ),
  slow(
    stepOfQuickLists(
      'trim_step',
      STEPS.trim_step,
      3,
      9,
      [fault('boundary_tags.h', '    kept = MINIMUM_BLOCK;', '    ;')],
      [RECLAIM],
    ),
  ),
  slow(
    stepOfQuickLists(
      'release_quick_step',
      'releasing some blocks of a quick list keeps the invariants and the other blocks',
      3,
      8,
      [fault('quick_lists.h', '    *list = deferred->next;\n', '')],
    ),
  ),
  slow(
    stepOfQuickLists(
      'release_where_deferred_step',
      'releasing what may be behind a block that is to grow keeps both that one and the invariants',
      3,
      8,
      [
        fault(
          '5_wasmalloc.c',
          'return release_quick(class_of(size), RELEASED);',
          'release_block(block, size);\n  return true;',
        ),
      ],
    ),
  ),
  ofMinimal('minimal_allocate', 'malloc keeps the row of blocks, and the other blocks', [
    fault('block.h', '(struct block *)(start + WORD);', '(struct block *)start;'),
  ]),
  ofMinimal('minimal_allocate_aligned', 'aligned allocation keeps them, and aligns', [
    fault('1_minimal.c', 'lost->head - skipped;', 'lost->head;'),
  ]),
  ofInterface(
    'calloc_product',
    'calloc refuses what overflows, asks for the product and clears it',
    [
      fault(
        'c_interface.c',
        '  if (__builtin_mul_overflow(count, size, &bytes))\n    return fail(ENOMEM);\n  void *payload',
        '  bytes = count * size;\n  void *payload',
      ),
    ],
  ),
  ofInterface('memalign_power', 'memalign takes the next power of two, whatever it is asked for', [
    fault('c_interface.c', 'while (power < alignment)', 'while (power < alignment / 2)'),
  ]),
  ofInterface('whole_pages', 'pvalloc rounds up to whole pages, and does not overflow', [
    fault('c_interface.c', '(bytes + PAGE_SIZE_OF_SYSTEM - 1)', '(bytes + PAGE_SIZE_OF_SYSTEM)'),
  ]),
  ofRuns(
    'free_one_object',
    'freeing an object sets its bit, and puts its run where it belongs',
    [fault('runs.h', 'run->word | (uint32_t)1 << number', 'run->word | (uint32_t)2 << number')],
    { changes: [FEWER_CLASSES, DISSOLVE] },
  ),
  ofRuns('take_one_object', 'an object is handed out once, and it is one of the run', [
    fault('runs.h', 'class->free = free & (free - 1);', 'class->free = free & (free + 1);'),
  ]),
  ofRuns('retire_class', 'a run that is retired keeps all its free objects', [
    fault('runs.h', 'class->free | free_objects(run);', 'free_objects(run);'),
  ]),
  ofRuns(
    'find_next_run',
    'malloc takes over the free objects of the run in use, or the next run of the ring',
    [fault('5_wasmalloc.c', '    if (run)\n      unlink_run(ring, run);\n', '')],
  ),
  ofRuns(
    'dissolve_run',
    'a run that is dissolved becomes a row of sound blocks, whatever is free',
    [fault('runs.h', 'if (!(free & 1)) {', 'if (!(free & 1) && number != 2) {')],
    { defines: { OBJECTS: 4 } },
  ),
  {
    name: 'lock: two threads',
    says: 'of two threads only one has the lock, neither is left asleep, and each catches up when it has it',
    file: 'lock.c',
    entry: 'two_threads',
    defines: { TURNS: 1 },
    loops: { 'heap_lock_slowly.0': 4, 'heap_lock_slowly.1': 4, 'take_turns.0': 3 },
    broken: [
      fault('lock.h', '&heap_lock_state, 0) == 2)', '&heap_lock_state, 0) == 3)'),
      fault(
        'lock.h',
        'return atomic_compare_exchange_strong(&heap_lock_state, &expected, 1);',
        'bool at_once = heap_lock_state == 0; heap_lock_state |= at_once; return at_once;',
      ),
      fault('lock.h', '    heap_lock_slowly();\n  memory_catch_up();', '    heap_lock_slowly();'),
    ],
  },
  {
    name: 'mailbox: put',
    says: 'an object that is put into a mailbox is in front of what was there, whatever others do meanwhile',
    file: 'mailbox.c',
    entry: 'put_into_mailbox',
    unwind: 10,
    broken: [
      fault('mailbox.h', '  do\n    object->next = old;', '  object->next = old;\n  do {\n  }'),
    ],
  },
  {
    name: 'mailbox: take',
    says: 'all that is in a mailbox is taken at one moment',
    file: 'mailbox.c',
    entry: 'take_out_of_mailbox',
    unwind: 10,
    broken: [
      fault(
        'mailbox.h',
        '  return atomic_exchange_explicit(box, NULL, memory_order_acquire);',
        '  struct deferred *all = load(box);\n  exchange(box, NULL);\n  return all;',
      ),
    ],
  },
  {
    name: 'mailbox: exchange',
    says: 'a chain is put into a mailbox for all that is there at that moment',
    file: 'mailbox.c',
    entry: 'exchange_with_mailbox',
    unwind: 10,
    broken: [
      fault(
        'mailbox.h',
        '  return atomic_exchange_explicit(box, chain, memory_order_acq_rel);',
        '  struct deferred *all = load(box);\n  exchange(box, chain);\n  return all;',
      ),
    ],
  },
  {
    name: 'mailbox: put back',
    says: 'where one thread puts and all take, it can take one, and nothing is lost',
    file: 'mailbox.c',
    entry: 'take_one_out_of_mailbox',
    unwind: 10,
    broken: [
      fault(
        'mailbox.h',
        '  return atomic_exchange_explicit(box, NULL, memory_order_acquire);',
        '  return load(box);',
      ),
    ],
  },
];
