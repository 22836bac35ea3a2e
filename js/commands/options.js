// What is on the command line.
// Usage: const { values, positionals } = parse(args, { output: { type: 'string', short: 'o' } })
import { parseArgs } from 'node:util';
import { InvalidArgumentError } from '../errors.js';

/** What Node adds to a message about an option that there is not: how to give a file of such a name. */
const ADVICE =
  /\. To specify a positional argument starting with a '-', place it at the end of.*$/s;

/**
 * As parseArgs() of node:util, with `--help` and `-h`.
 *
 * @throws {InvalidArgumentError} with one line
 */
export function parse(args, options, { allowPositionals = true } = {}) {
  const help = { type: 'boolean', short: 'h', default: false };
  try {
    return parseArgs({ args, allowPositionals, options: { ...options, help } });
  } catch (error) {
    if (!String(error.code).startsWith('ERR_PARSE_ARGS')) throw error;
    throw new InvalidArgumentError(
      error.message.replace(ADVICE, '').replaceAll('\n', ' ').replace(/\.$/, ''),
    );
  }
}

/** A number that an option is given. */
export function wholeNumber(option, text) {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError(`--${option} takes a whole number, not ${text}`);
}

/** The one argument that is no option. */
export function onlyFile(positionals, command) {
  if (positionals.length === 1) return positionals[0];
  throw new InvalidArgumentError(`${command} takes one trace, not ${positionals.length}`);
}
