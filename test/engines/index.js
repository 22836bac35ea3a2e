// Other versions of Node than the one that runs the tests.
// Usage: import { findNode } from '../engines/index.js'; findNode(24) → path or null
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * The program of one major version of Node.
 *
 * @param {number} major such as 24
 * @returns {string | null} an absolute path, or null where there is no such Node for this machine
 */
export function findNode(major) {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const suffix = process.arch === 'arm64' ? '-arm64' : '';
  const path = fileURLToPath(
    new URL(`node_modules/node-${major}${suffix}/bin/node`, import.meta.url),
  );
  return existsSync(path) ? path : null;
}
