// Tells in a profile the allocator's time from the program's own.
// Usage: import { allocatorFunctions, divide } from './profile.mjs';
import { ALLOCATION } from './builds.mjs';

/** And those that may be in a file of their own. */
const ALIGNED = ['memalign', 'aligned_alloc', 'posix_memalign'];

/** C++'s functions are a library's that calls malloc, unless an allocator brings its own. */
const OPERATOR = /^operator (new|delete)\b/;

/**
 * Which functions of a module are the allocator's: all of the object file that defines malloc, or another of
 * C's functions, and C++'s operators new and delete. What these call need not be known.
 *
 * An allocator's functions have names of all kinds, and a program may have a `resize` of its own: names that are
 * not unique in the program are left out. Those that a program calls are unique, or it could not be linked.
 *
 * @param {string} map what wasm-ld's -Map says: from which object file a function comes, under all its names
 * @param {string} symbols what emcc's --emit-symbol-map says: the names of the functions in the finished module,
 *   of which some have become part of others
 * @returns {Set<number>} their numbers
 */
export function allocatorFunctions(map, symbols) {
  const filesOf = new Map();
  let file;
  // Columns of numbers, and then in one column files with a section each, in the next the symbols in that.
  for (const [, indent, text] of map.matchAll(/^ *-(?: +[\da-f]+){2}( +)(.+)$/gm)) {
    const [, inFile] = (indent.length < 17 && /^(.+):\(.*\)$/.exec(text)) || [];
    if (inFile) file = inFile;
    else if (indent.length >= 17) filesOf.set(text, (filesOf.get(text) ?? new Set()).add(file));
  }
  const files = new Set(
    [...ALLOCATION, ...ALIGNED].flatMap((name) => [...(filesOf.get(name) ?? [])]),
  );
  const isAllocators = (name) => {
    const [first, another] = filesOf.get(name) ?? [];
    return OPERATOR.test(name) || (files.has(first) && !another);
  };
  const lines = symbols.trimEnd().split('\n');
  return new Set(
    lines.flatMap((line) => {
      const [, index, name] = /^(\d+):(.*)$/.exec(line);
      return isAllocators(name) ? [Number(index)] : [];
    }),
  );
}

/**
 * Divides the samples from the start of main to its end. What an allocator's function calls is the allocator's: copying
 * by realloc, zeroing by calloc, sbrk, the growth of memory in JavaScript. All else is the program's own, JavaScript
 * that it calls included. What the engine does beside both, compilation and the like, is neither's.
 *
 * @param {{ nodes: object[] }} profile V8's
 * @param {Set<number>} functions the allocator's
 * @returns {{ own: number, allocator: number }} numbers of samples
 */
export function divide({ nodes }, functions) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const samples = { own: 0, allocator: 0 };
  const visit = ({ callFrame, hitCount, children = [] }, caller) => {
    const [, index] = /^wasm-function\[(\d+)\]$/.exec(callFrame.functionName) ?? [];
    const whose = functions.has(Number(index)) ? 'allocator' : caller;
    samples[whose] += hitCount;
    for (const child of children) visit(byId.get(child), whose);
  };
  for (const node of nodes) if (node.callFrame.functionName === 'callMain') visit(node, 'own');
  return samples;
}
