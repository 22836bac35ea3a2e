// Checks of arguments, for clear messages. Usage: checkInteger('words', words, 0)
import { InvalidArgumentError } from './errors.js';

/** Any value, short enough for a message. */
export function show(value) {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60));
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

/** The last address. */
const MAXIMUM_ADDRESS = 2 ** 32 - 1;

/** Throws unless `value` is an integer of at least `minimum` and at most `maximum`. */
export function checkInteger(name, value, minimum, maximum = Infinity) {
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return;
  const range = maximum < Infinity ? `from ${minimum} to ${maximum}` : `of at least ${minimum}`;
  throw new InvalidArgumentError(`${name} is ${show(value)}: it must be an integer ${range}`);
}

/** Throws unless `value` can be an address. */
export function checkAddress(address) {
  if (Number.isInteger(address) && address >= 0 && address <= MAXIMUM_ADDRESS) return;
  const isSigned = typeof address === 'number' && address < 0;
  const hint = isSigned ? ' (WebAssembly hands addresses out signed: write address >>> 0)' : '';
  throw new InvalidArgumentError(
    `address is ${show(address)}: it must be an integer from 0 to ${MAXIMUM_ADDRESS}${hint}`,
  );
}
