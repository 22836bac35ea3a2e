// What the commands that read a trace have in common.
// Usage: allocatorNames('bins,linked'); await withTrace(file, (input) => …)
import { TraceError, UnknownAllocatorError } from '../errors.js';
import { replayAllocators } from '../replay.js';
import { openTrace } from './input.js';

/** The names in a list with commas, each once. */
export function allocatorNames(list) {
  const names = [...new Set(list.split(','))];
  const unknown = names.find((name) => !replayAllocators.includes(name));
  if (unknown === undefined) return names;
  throw new UnknownAllocatorError(
    `there is no allocator "${unknown}"; there are: ${replayAllocators.join(', ')}`,
  );
}

/** Opens a trace for a job, and says which file it is when it is no trace. */
export async function withTrace(file, job) {
  const input = await openTrace(file);
  try {
    return await job(input);
  } catch (error) {
    if (error instanceof TraceError)
      error.message = `${file === '-' ? 'standard input' : file}: ${error.message}`;
    throw error;
  } finally {
    await input.close();
  }
}
