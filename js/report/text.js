// Numbers for people: the same in the page, in pictures and in messages.
// Usage: sizeText(1536) is "1.5 KiB"

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];

/** So many bytes, with three digits at least where that is possible. */
export function sizeText(bytes) {
  const unit = bytes < 1024 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** unit;
  const digits =
    unit === 0 || Number.isInteger(value) ? 0 : Math.max(0, 2 - Math.floor(Math.log10(value)));
  return `${value.toFixed(digits)} ${bytes === 1 ? 'byte' : UNITS[unit]}`;
}

export function timeText(microseconds) {
  if (microseconds < 1000) return `${Math.round(microseconds)} µs`;
  if (microseconds < 1_000_000) return `${(microseconds / 1000).toFixed(1)} ms`;
  return `${(microseconds / 1_000_000).toFixed(2)} s`;
}

export function countText(count) {
  return count.toLocaleString('en-US');
}

/** A part of a whole; nothing is nothing, and not quite all is not all. */
export function shareText(part, whole) {
  if (!whole || !part) return '0 %';
  const percent = (100 * part) / whole;
  if (percent < 0.1) return '< 0.1 %';
  if (part === whole) return '100 %';
  return percent > 99.9 && part < whole ? '> 99.9 %' : `${percent.toFixed(1)} %`;
}

/** Characters that no terminal, page or picture shows as what they are: controls, halves of characters. */
const UNPRINTABLE =
  /[\p{Cc}\p{Cs}\ufffe\uffff\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** A text from outside on one line: what would end the line, or move about on it, is shown as its number. */
export function oneLine(text) {
  return text.replace(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const LONGEST_NAME = 80;

/** A name that a trace has, of any length and with any characters. */
export function nameText(name) {
  const characters = Array.from(oneLine(name));
  return characters.length <= LONGEST_NAME
    ? characters.join('')
    : `${characters.slice(0, LONGEST_NAME - 1).join('')}…`;
}
