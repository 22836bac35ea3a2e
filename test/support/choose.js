// Options that name things.
// Usage: import { choose } from '../support/choose.js';

/**
 * Those that have one of the names.
 *
 * @template {string | { name: string }} T
 * @param {T[]} all
 * @param {string[] | undefined} names all of them if there are none
 * @param {string} what they are, for the message
 * @returns {T[]} in their order
 * @throws {Error} that says which there are
 */
export function choose(all, names, what) {
  const known = all.map((each) => each.name ?? each);
  const unknown = names?.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new Error(`there is no ${what} '${unknown}'; there are: ${known.join(' ')}`);
  return names ? all.filter((each) => names.includes(each.name ?? each)) : all;
}
