// What a command line is understood as, whichever reader reads it.
import { expect } from 'vitest'
import { readArguments } from '../../src/cli/arguments/read.ts'

/** The name of the command and, beside it, what it was given. Rejects as `readArguments` does. */
export async function understood(argv: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const { command, given } = await readArguments(argv, 80)
  return { command, ...given }
}

/** The command line is wrong usage: one line that contains `text` and names the place to read more. */
export async function expectRefusal(argv: readonly string[], text: string): Promise<void> {
  const error = await readArguments(argv, 80).then(
    () => null,
    (thrown: unknown) => thrown as Error,
  )
  expect(error).toMatchObject({ code: 'ERR_USAGE', retry: 'never' })
  expect(error?.message).toContain(text)
  expect(error?.message).toMatch(/^[^\n]+: see popfetch --help$/)
}
