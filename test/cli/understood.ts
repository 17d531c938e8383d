// What a command line is understood as, whichever reader reads it.
import { readArguments } from '../../src/cli/arguments/read.ts'

/** The name of the command and, beside it, what it was given. Rejects as `readArguments` does. */
export async function understood(argv: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const { command, given } = await readArguments(argv, 80)
  return { command, ...given }
}
