// Small bugs, planted on purpose: each is a change of one place in lib/, of the kind that a programmer
// makes. The fuzzer has to find every one (npm run fuzz -- --mutants).
//
// { file, bug, from, to }: in the copy of `file` the text `from`, which it has once, becomes `to`.
// A mutant counts for each allocator that is made of the file, but those in `not`, where it changes nothing.

/** Which files each allocator is made of. */
export const FILES = {
  minimal: ['c_interface.c', 'interface.h', 'block.h', '1_minimal.c'],
  linked: ['c_interface.c', 'interface.h', 'block.h', '2_linked.c'],
  doubly: [
    'c_interface.c',
    'interface.h',
    'block.h',
    'boundary_tags.h',
    'tags_contract.h',
    '3_doubly.c',
  ],
  bins: [
    'c_interface.c',
    'interface.h',
    'block.h',
    'boundary_tags.h',
    'tags_contract.h',
    '4_bins.c',
  ],
  wasmalloc: [
    ...['c_interface.c', 'interface.h', 'block.h', 'boundary_tags.h', 'reclaim.h', '4_bins.c'],
    ...['quick_lists.h', 'runs.h', '5_wasmalloc.c'],
  ],
};

const inFile = (file, mutants) =>
  mutants.map(([bug, from, to, not = []]) => ({ file, bug, from, to, not }));

export const MUTANTS = [
  ...inFile('c_interface.c', [
    ['calloc does not zero', '    memset(payload, 0, bytes);\n', '    (void)payload;\n'],
    [
      'calloc leaves the last byte',
      'memset(payload, 0, bytes)',
      'memset(payload, 0, bytes - !!bytes)',
    ],
    [
      'calloc forgets that a product may overflow',
      'if (__builtin_mul_overflow(count, size, &bytes))\n    return fail(ENOMEM);\n  void *payload',
      'bytes = count * size;\n  void *payload',
    ],
    [
      'reallocarray forgets that a product may overflow',
      'if (__builtin_mul_overflow(count, size, &bytes))\n    return fail(ENOMEM);\n  return',
      'bytes = count * size;\n  return',
    ],
    [
      'malloc does not set errno',
      'return payload ? payload : fail(ENOMEM);\n}\nPUBLISH(malloc)',
      'return payload;\n}\nPUBLISH(malloc)',
    ],
    [
      'memalign takes the power of two below',
      'while (power < alignment)',
      'while (power * 2 <= alignment)',
    ],
    ['posix_memalign takes any alignment', 'alignment % sizeof(void *) != 0', 'alignment == 0'],
    ['posix_memalign sets errno', 'errno = old_errno; /* POSIX', '/* POSIX'],
    [
      'posix_memalign stores a NULL',
      '  if (!payload)\n    return ENOMEM;\n  *result = payload;\n  return 0;',
      '  *result = payload;\n  return payload ? 0 : ENOMEM;',
    ],
    [
      'aligned_alloc takes any alignment',
      'return is_power_of_two(alignment) ? allocate_aligned(alignment, bytes) : fail(EINVAL);',
      'return allocate_aligned(alignment, bytes);',
    ],
    [
      'pvalloc does not fill the page',
      '(bytes + PAGE_SIZE_OF_SYSTEM - 1) & ~(PAGE_SIZE_OF_SYSTEM - 1)',
      'bytes',
    ],
    [
      'free changes errno',
      '  heap_release(payload);\n',
      '  heap_release(payload);\n  errno = 0;\n',
    ],
  ]),
  ...inFile('interface.h', [
    [
      'realloc copies too little',
      'payload, payload_size(payload));',
      'payload, payload_size(payload) / 2);',
    ],
    [
      'realloc frees the old block although it has no new one',
      '  if (!moved) {\n',
      '  if (!moved) {\n    interface_release(payload);\n',
      ['minimal'],
    ],
    [
      'realloc keeps the old block when it has moved it',
      '  interface_release(payload);\n  return moved;',
      '  return moved;',
      ['minimal'],
    ],
  ]),
  ...inFile('block.h', [
    ['a block is a word too small', 'ALIGN_UP(bytes + WORD)', 'ALIGN_UP(bytes)'],
    [
      "the heap's end is not marked",
      'set_head(heap_end_block(), USED | PREVIOUS_USED);\n  return block;',
      'return block;',
    ],
    [
      'foreign memory counts as a used block',
      '| (size_t)((char *)block - (char *)end) | SPECIAL | USED',
      '| (size_t)((char *)block - (char *)end) | USED',
    ],
    [
      'new memory elsewhere is taken for more of the old',
      'if (start == heap.end) {',
      'if (heap.first) {',
    ],
    [
      'a new part has no room for its end',
      'memory_extend(heap.end, more, size + 2 * WORD)',
      'memory_extend(heap.end, more, size)',
    ],
    ['a trimmed heap forgets its peak', 'heap.peak_size = size;', '(void)size;', ['minimal']],
  ]),
  ...inFile('1_minimal.c', [
    [
      'the largest request is not limited',
      'return bytes > MAXIMUM_REQUEST ? NULL : allocate(bytes);',
      'return allocate(bytes);',
    ],
    [
      'an aligned block is as large as the stretch',
      'block->head = lost->head - skipped;',
      'block->head = lost->head;',
    ],
    [
      'an aligned block is not aligned',
      'size_t skipped = -(size_t)payload & (alignment - 1);',
      'size_t skipped = -(size_t)payload & (alignment / 2 - 1);',
    ],
    [
      'a block grows by a byte',
      'return bytes <= heap_payload_size(payload) ?',
      'return bytes <= heap_payload_size(payload) + 1 ?',
    ],
    [
      'the head counts as payload',
      'block_size(payload_block(payload)) - WORD',
      'block_size(payload_block(payload))',
    ],
  ]),
  ...inFile('2_linked.c', [
    [
      'realloc loses what it cuts off',
      '    insert((struct free_block *)cut, old - size);\n',
      '    (void)cut;\n',
    ],
    [
      'a block is not merged with the next',
      'if (next && touches(block, next)) {',
      'if (next && !block->head && touches(block, next)) {',
    ],
    [
      'a block is not merged with the previous',
      'if (previous && touches(previous, block)) {',
      'if (previous && !block->head && touches(previous, block)) {',
    ],
    ['merging forgets the next link', '    next = next->next;\n', ''],
    [
      'the list is in no order',
      '(const void *)block < address &&',
      '(const void *)block > address &&',
    ],
    [
      'the remainder is as large as the block',
      'rest->head = remainder;',
      'rest->head = block->head;',
    ],
    ['the block keeps the remainder', '    block->head = size;\n  } else {', '  } else {'],
    [
      'a block that is a little too small will do',
      '&& block->head < size)',
      '&& block->head + ALIGNMENT < size)',
    ],
    [
      'a remainder of nothing',
      'if (remainder >= LINKED_MINIMUM_REMAINDER) {',
      'if (remainder + ALIGNMENT >= LINKED_MINIMUM_REMAINDER) {',
    ],

    [
      'what is skipped before an aligned block is lost',
      '    insert((struct free_block *)block, skipped);\n',
      '',
    ],
    [
      'a block grows over the one behind',
      'size_t behind = block_is_free(as_block(next)) ? next->head : 0;',
      'size_t behind = block_size(as_block(next));',
    ],
    ['shrinking keeps the size', '    block->head -= old - size;\n', ''],
    [
      'trim leaves the block in the list',
      '    *find_link(last) = NULL;\n',
      '    last->head = 0;\n',
    ],
    ['trim gives back more than there is', 'last->head - ALIGN_UP(keep)', 'last->head - keep'],
  ]),
  ...inFile('boundary_tags.h', [
    [
      'realloc loses what is left over',
      '    interface_release(surplus);\n',
      '    (void)surplus;\n',
    ],
    ['the tag is not written', '  set_tag(previous_tag(block_at(block, size)), size);\n', ''],
    [
      'a block is not merged with the previous',
      'if (!previous_is_used(block)) {',
      'if (!previous_is_used(block) && size > 64) {',
    ],
    [
      'a block is not merged with the next',
      'if (!block_is_free(next)) {\n    set_previous_free',
      'if (!block_is_free(next) || size <= 64) {\n    set_previous_free',
    ],
    [
      'merging with the rest leaves the previous listed',
      '    if (listed_size)\n      free_list_remove((struct free_block *)listed);\n    if (rest.size)',
      '    if (rest.size)',
    ],
    [
      'the block behind is not told',
      '    set_previous_free(next);\n    list_block(block',
      '    list_block(block',
    ],
    [
      'both neighbours are merged, the next stays listed',
      '    free_list_remove((struct free_block *)next);\n  } else {\n    listed = next;',
      '  } else {\n    listed = next;',
    ],
    [
      'a remainder too small for a block',
      '  if (available - size < MINIMUM_BLOCK) {\n    free_list_remove',
      '  if (available - size < WORD) {\n    free_list_remove',
    ],
    [
      'a block taken whole: the next is not told',
      '    set_previous_used(next);\n    return available;',
      '    return available;',
    ],
    [
      'the rest keeps a piece that is no block',
      'if (rest.size - size < MINIMUM_BLOCK)',
      'if (rest.size - size < WORD)',
    ],
    [
      'the old rest is lost where a new part begins',
      '    list_block(rest.block, rest.size, NULL, 0);\n    set_previous',
      '    set_previous',
    ],
    ['a surplus too small for a block', 'if (surplus < MINIMUM_BLOCK)', 'if (surplus < WORD)'],
    ['cutting a surplus off keeps the size', '  set_head(block, get_head(block) - surplus);\n', ''],
    [
      'a block grows over a free one that is too small',
      'block_is_free(block) && get_head(block) >= size;',
      'block_is_free(block) && get_head(block) + ALIGNMENT >= size;',
    ],
    [
      'a block that slides leaves its contents behind',
      'payload = __builtin_memmove(block_payload(block), payload, old - WORD);',
      'payload = block_payload(block);',
    ],
    ['a block that slides copies too little', 'payload, old - WORD);', 'payload, old - 2 * WORD);'],
    [
      'a block that slides stays in the list',
      '      free_list_remove((struct free_block *)block);\n      payload =',
      '      payload =',
    ],
    [
      'a block slides over what is used',
      'if (BLOCKS_SLIDE && !previous_is_used(block)) {',
      'if (BLOCKS_SLIDE && size % 64 == 0) {',
    ],
    [
      'what is missing is counted without the block before',
      'missing = missing > before ? missing - before : 0;',
      'missing = missing > 2 * before ? missing - 2 * before : 0;',
    ],
    [
      'a block grows over a used one',
      'block_is_free(block) && get_head(block) >= size;',
      'get_head(block) >= size;',
    ],
    [
      'what is skipped has no room for a block',
      'if (skipped && skipped < MINIMUM_BLOCK)',
      'if (skipped && skipped < WORD)',
    ],
    [
      'an aligned block reaches beyond the stretch',
      'if (available - size < skipped)',
      'if (available < size)',
    ],
    [
      'trimming forgets the new end',
      '  set_head(heap_end_block(), USED | PREVIOUS_USED);\n  set_rest',
      '  set_rest',
    ],
    [
      'trim keeps a piece that is no block',
      'if (kept && kept < MINIMUM_BLOCK)',
      'if (kept && kept < WORD)',
    ],
    [
      'the largest request is not limited',
      'if (bytes > MAXIMUM_REQUEST)\n    return NULL;\n  return allocate_block',
      'return allocate_block',
      ['wasmalloc'],
    ],
  ]),
  ...inFile('3_doubly.c', [
    ['removing leaves the backward link', '  block->next->previous = block->previous;\n', ''],
    ['removing leaves the forward link', '  block->previous->next = block->next;\n', ''],
    ['a block that moves in the list loses its place', 'old_size ? old->previous : &list', '&list'],
    [
      'a block that is too small will do',
      'if (block->head >= size && (!best',
      'if (block->head + ALIGNMENT >= size && (!best',
    ],
  ]),
  ...inFile('4_bins.c', [
    [
      'an empty bin keeps its bit',
      '    bins.map[bin / MAP_BITS] &= ~((uint64_t)1 << bin % MAP_BITS);\n',
      '    (void)bin;\n',
    ],
    [
      'a bin with blocks has no bit',
      'bins.map[bin / MAP_BITS] |= (uint64_t)1 << bin % MAP_BITS;',
      'bins.map[bin / MAP_BITS] |= (uint64_t)(bin % 8 != 7) << bin % MAP_BITS;',
    ],
    [
      'the summary is not told',
      'bins.summary |= (uint32_t)1 << bin / MAP_BITS;',
      'bins.summary |= (uint32_t)(bin < MAP_BITS);',
    ],
    [
      'the first block keeps its backward link',
      '    set_link(&next->previous, NULL);\n',
      '    (void)next->previous;\n',
    ],
    [
      'removing leaves the backward link',
      '  set_link(&previous->next, next);\n  if (next)\n    set_link(&next->previous, previous);\n}',
      '  set_link(&previous->next, next);\n}',
    ],
    [
      'removing leaves the forward link',
      '  set_link(&previous->next, next);\n  if (next)\n    set_link(&next->previous, previous);\n}',
      '  if (next)\n    set_link(&next->previous, previous);\n}',
    ],
    [
      'a block that moves in its bin is not linked by the next',
      '      if (next)\n        set_link(&next->previous, block);\n',
      '',
    ],
    ['a block that changes its bin stays in the old one', '    remove_from(old_bin, old);\n', ''],
    [
      'the first of a bin will do whatever its size',
      'if (block && get_head((struct block *)block) >= size)',
      'if (block)',
    ],
    ['the search begins a bin too low', '    ++bin; /* there', '    /* there'],
    [
      'a word of the map is searched from its beginning',
      'bins.map[word] >> bin % MAP_BITS << bin % MAP_BITS',
      'bins.map[word]',
    ],
    ['bins of different sizes overlap', '<< LOG_STEPS) + step;', '<< (LOG_STEPS - 1)) + step;'],
    [
      'a block at hand is taken from the bin of a smaller size',
      'struct free_block *block = bins.bin[units];\n  remove_first((uint32_t)units, get_link(&block->next));',
      'struct free_block *block = bins.bin[units - (units > 4 && bins.bin[units - 1])];\n  remove_first((uint32_t)units, get_link(&block->next));',
      ['wasmalloc'],
    ],
  ]),
  ...inFile('runs.h', [
    [
      'the object number is that of the neighbour',
      '(run->word | (uint32_t)1 << number)',
      '(run->word | (uint32_t)1 << (number ^ 1))',
    ],
    [
      'an object is handed out twice',
      '  class->free = free & (free - 1);\n',
      '  class->free = free & (free - 1) & ~(uint32_t)2;\n  if (free & 2)\n    class->free |= 2;\n',
    ],
    [
      'a used object counts as free when its run is dissolved',
      'if (!(free & 1)) {',
      'if (!(free & 1) && number != 3) {',
    ],
    [
      'dissolving forgets the last row',
      '  if (row != end)\n    release_block(row, (size_t)((char *)end - (char *)row));\n}',
      '}',
    ],
    [
      'dissolving gives back a row twice as long',
      'release_block(row, (size_t)((char *)block - (char *)row));\n      row = next',
      'release_block(row, (size_t)((char *)next - (char *)row));\n      row = next',
    ],
    [
      'the run in use loses what malloc took over',
      'uint32_t free = class->free | free_objects(run);',
      'uint32_t free = free_objects(run);',
    ],
    ['a retired run is whole and not counted', '    enters_ring(run);\n', ''],
    [
      'a ring keeps a run that has left it',
      '  previous->next = next;\n  next->previous = previous;\n  if (ring->runs',
      '  if (ring->runs',
    ],
    [
      'the first of a ring is not moved on',
      'ring->runs = next == run ? NULL : next;',
      'ring->runs = next == run ? NULL : run;',
    ],
    [
      'a run has an object too many',
      'run->objects = (uint16_t)objects;',
      'run->objects = (uint16_t)(objects + 1);',
    ],
    [
      'a run in use is not told of frees',
      '  class->free = free_objects(run);\n  run->word = IN_USE;',
      '  class->free = free_objects(run);',
    ],
  ]),
  ...inFile('5_wasmalloc.c', [
    [
      'the header of a run is a word too short',
      'for (uint32_t number = 0; number < objects; ++number, distance += size)\n    ((struct',
      'for (uint32_t number = 0; number < objects - 1; ++number, distance += size)\n    ((struct',
    ],
    [
      "an object is deferred as one of its neighbour's class",
      'return class_of(head & OBJECT_SIZE);',
      'return class_of((head & OBJECT_SIZE) + ALIGNMENT);',
    ],
    [
      'a block that is in the way is released whether or not it is deferred',
      'release_quick(class_of(size), RELEASED);',
      '(release_block(block, size), true);',
    ],
    [
      'the quick list loses its second block',
      '    class->quick = deferred->next;\n',
      '    class->quick = deferred->next ? deferred->next->next : NULL;\n',
    ],
    ['an object grows by a word', 'return bytes <= old ?', 'return bytes <= old + WORD ?'],
    [
      'the whole request is not checked',
      '  if (bytes > MAXIMUM_REQUEST)\n    return NULL;\n  size_t size',
      '  size_t size',
    ],
    [
      'a full run is put into the ring twice',
      '    run->word |= COUNT(run->objects - 1);\n    link_run',
      '    run->word |= COUNT(1);\n    link_run',
    ],
  ]),
];
