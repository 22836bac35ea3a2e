// The enumerations of inject.h: each name's place is its number there.

/** What fails: `enum target`. */
export const TARGETS = ['nothing', 'allocation', 'growth'];

/** What is wrong with a run: the bits of `enum fault`. */
export const FAULTS = ['leak', 'broken heap', 'wrong error', 'wrong answer', 'wrong errno'];

/** The flaws that a program can have on demand: `enum flaw`. */
export const FLAWS = ['none', 'forgets', 'overruns', 'crashes', 'misleads', 'guesses', 'silent'];
