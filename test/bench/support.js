// What the tests of the benchmark share.
// Usage: import { ensureReference } from './support.js';
import { ensureEmscripten } from '../../scripts/emscripten.mjs';

/**
 * Skips a test, and says why, where a reference was made with another Emscripten: another compiler makes other code.
 *
 * @param {Mocha.Context} context
 * @param {{ versions: { emscripten: string } }} reference
 */
export async function ensureReference(context, { versions }) {
  const { version } = await ensureEmscripten();
  if (version === versions.emscripten) return;
  console.log(
    `      not compared: this is Emscripten ${version}, and the reference was made with ${versions.emscripten}`,
  );
  context.skip();
}
