// What `popfetch check` may be told.
import type { Command } from '../../command.ts'
import type { CommonOptions } from '../../common-options.ts'

interface CheckRequest {
  /** Without duplicates, in the order in which they were named; empty: all. */
  readonly accounts: readonly string[]
}

export type CheckInvocation = CommonOptions & CheckRequest

export const command: Command<CheckRequest> = {
  usage: '[account...]',
  describe: 'Sign in and say what is waiting; changes nothing',
  options: [],
  examples: [],
  notes: '',
  completes: { words: [], accounts: true },
  request: ({ words }) => ({ accounts: [...new Set(words)] }),
}
