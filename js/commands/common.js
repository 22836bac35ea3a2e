// What the commands that read a trace have in common.
// Usage: allocatorNames('bins,linked'); await withTrace(file, (input) => …)
import { checkInteger } from '../check.js';
import { TraceError, UnknownAllocatorError } from '../errors.js';
import { LARGEST_MEMORY, MEMORY, replayAllocators } from '../replay.js';
import { openTrace } from './input.js';
import { wholeNumber } from './options.js';
import { ReplayThreads } from './threads.js';

/** How much memory a replay may fill, in MiB. */
export const MEMORY_OPTION = { type: 'string', default: String(MEMORY) };

export function mebibytes(text) {
  const number = wholeNumber('memory', text);
  checkInteger('memory', number, 1, LARGEST_MEMORY);
  return number;
}

/** The names in a list with commas, each once. */
export function allocatorNames(list) {
  const names = [...new Set(list.split(','))];
  const unknown = names.find((name) => !replayAllocators.includes(name));
  if (unknown === undefined) return names;
  throw new UnknownAllocatorError(
    `there is no allocator "${unknown}"; there are: ${replayAllocators.join(', ')}`,
  );
}

/**
 * Opens a trace for a job, which gets it and threads to replay it in; says which file it is when it is no trace.
 */
export async function withTrace(file, job) {
  const input = await openTrace(file);
  const threads = new ReplayThreads();
  try {
    return await job(input, threads);
  } catch (error) {
    if (error instanceof TraceError)
      error.message = `${file === '-' ? 'standard input' : file}: ${error.message}`;
    throw error;
  } finally {
    await Promise.all([input.close(), threads.close()]);
  }
}
