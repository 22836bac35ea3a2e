// Programs as they are replayed, for tests that look into them.
// Usage: for (const { kind, block, size } of instructions(program)) …; writeTrace(eventsOf(program))
import { instructionWords } from '../../js/replay.js';
import { EVENT_KINDS } from '../../js/trace.js';

/** The calls of a program: `{ kind, block, size }`, the block as its number, `size` undefined for free. */
export function* instructions({ pieces }) {
  for (const piece of pieces)
    for (let at = 0; at < piece.length; at += instructionWords(piece[at]))
      yield {
        kind: EVENT_KINDS[piece[at] & 7],
        block: piece[at] >>> 3,
        size: instructionWords(piece[at]) > 1 ? piece[at + 1] : undefined,
      };
}

/** The same as events of a trace; blocks stand far apart from each other. */
export function* eventsOf(program) {
  const addressOf = (block) => 2 ** 20 + 2 ** 28 * block;
  for (const { kind, block, size } of instructions(program)) {
    const address = addressOf(block);
    if (kind === 'malloc') yield { kind, size, address };
    else if (kind === 'free') yield { kind, previous: address };
    else yield { kind, size, address, previous: address };
  }
}
