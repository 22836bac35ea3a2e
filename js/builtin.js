// What Node has and browsers have not. Usage: builtin('node:fs')?.readFileSync(file)

/**
 * A module of Node's own, which Deno and Bun have too; undefined in a browser. It is not imported: a bundler would
 * look for it, and fail.
 *
 * @param {string} name such as 'node:fs'
 * @returns {object | undefined}
 */
export function builtin(name) {
  return globalThis.process?.getBuiltinModule?.(name);
}
