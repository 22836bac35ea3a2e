// A CommonJS program, as TypeScript has it for the Nodes that load ES modules with require().
import { LoadError, instantiate, type Heap } from 'wasmalloc';

export async function open(): Promise<Heap | undefined> {
  try {
    return await instantiate('bins');
  } catch (error) {
    if (error instanceof LoadError) return undefined;
    throw error;
  }
}
