// What the commands have in common: the trace that they are given, and the file that they write.
// Usage: allocatorNames('bins,linked'); writeWhole(file, text)
import { accessSync, constants, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { InvalidArgumentError, LoadError, TraceError, UnknownAllocatorError } from '../errors.js';
import { replayAllocators } from '../replay.js';

/** The names in a list with commas, each once. */
export function allocatorNames(list) {
  const names = [...new Set(list.split(','))];
  const unknown = names.find((name) => !replayAllocators.includes(name));
  if (unknown === undefined) return names;
  throw new UnknownAllocatorError(
    `there is no allocator "${unknown}"; there are: ${replayAllocators.join(', ')}`,
  );
}

/** The one argument that is no option. */
export function onlyFile(positionals, command) {
  if (positionals.length === 1) return positionals[0];
  throw new InvalidArgumentError(`${command} takes one trace, not ${positionals.length}`);
}

/** Says which file it is when it is no trace. */
export async function namingFile(file, job) {
  try {
    return await job;
  } catch (error) {
    if (error instanceof TraceError) error.message = `${file}: ${error.message}`;
    throw error;
  }
}

function cannotWrite(file, cause) {
  const [reason] = cause.message.split(',');
  return new LoadError(`cannot write ${file}: ${reason}`, { cause });
}

/** Throws at once where the work would be in vain. */
export function checkOutput(file) {
  try {
    accessSync(path.dirname(path.resolve(file)), constants.W_OK);
    if (statSync(file, { throwIfNoEntry: false })?.isDirectory())
      throw new Error('that is a folder');
  } catch (error) {
    throw cannotWrite(file, error);
  }
}

/** Writes a file that is either complete or not there. */
export function writeWhole(file, text) {
  const unfinished = `${file}.unfinished`;
  try {
    writeFileSync(unfinished, text);
    renameSync(unfinished, file);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw cannotWrite(file, error);
  }
}
