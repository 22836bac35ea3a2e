// Why a file could not be read or written.
// Usage: `cannot read ${file}: ${reasonOf(error)}`
import { getSystemErrorMap } from 'node:util';

/** In a few words: a system's error without the call and the name that Node adds, all others as they are. */
export function reasonOf(error) {
  const [code, description] = getSystemErrorMap().get(error.errno) ?? [];
  return code ? `${code}: ${description}` : error.message;
}
