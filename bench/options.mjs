// What the commands' options have in common.
// Usage: import { UsageError, names, positive, WITH_OPTION, chooseSubjects } from './options.mjs';
import { ALL_SUBJECTS, addSubject } from './builds.mjs';
import { REFERENCE } from './report.mjs';

/** The command line is wrong. */
export class UsageError extends Error {}

/** Splits a list of names and sees to it that each is one of `known`. */
export function names(text, known, what) {
  const parts = text.split(',').filter(Boolean);
  const unknown = parts.find((name) => !known.includes(name));
  if (unknown)
    throw new UsageError(`there is no ${what} '${unknown}'; there are: ${known.join(' ')}`);
  return parts;
}

/** A positive whole number, as an option gives it. */
export function positive(text, option) {
  const number = Number(text);
  if (!(Number.isInteger(number) && number > 0)) throw new UsageError(`${option} wants a number`);
  return number;
}

/** The exit code after an error: 2 for a command line that is wrong. */
export function exitCodeOf(error) {
  return error instanceof UsageError || /PARSE_ARGS/.test(error.code) ? 2 : 1;
}

/** `--with NAME='FLAGS'`, as often as one likes. */
export const WITH_OPTION = { type: 'string', multiple: true, default: [] };

export const WITH_HELP = `\
  --with NAME='FLAGS' puts another allocator beside the others, which the linker gets by these flags,
                      such as --with mine='-sMALLOC=none mine.o'; more than once for more of them`;

/**
 * Makes the allocators known that --with names.
 *
 * @param {string[]} wishes
 * @returns {string[]} their names
 */
export function addOthers(wishes) {
  return wishes.map((wish) => {
    const [, name, flags] = /^([\w-]+)=(.+)$/s.exec(wish) ?? [];
    if (!name) throw new UsageError(`--with wants NAME='FLAGS', and this is '${wish}'`);
    try {
      addSubject(name, flags.split(/\s+/).filter(Boolean));
    } catch (error) {
      throw new UsageError(`--with: ${error.message}`);
    }
    return name;
  });
}

/**
 * The allocators that a command measures: those of --allocators or the usual ones, the reference, and those of --with,
 * which it makes known.
 *
 * @param {object} values of the options
 * @param {{ usual: string[], known: () => string[] }} names those that are measured unless told; and those there are
 *   by then, of which those of --with may be
 * @returns {{ subjects: string[], others: string[] }} all of them in the usual order, and those of --with
 */
export function chooseSubjects(values, { usual, known }) {
  const others = addOthers(values.with);
  const wanted = names(values.allocators ?? usual.join(), known(), 'allocator');
  wanted.push(REFERENCE, ...others);
  return { subjects: ALL_SUBJECTS.filter((name) => wanted.includes(name)), others };
}
