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
  describe: 'Sign in and show what is waiting; change nothing',
  options: [],
  examples: [
    ['popfetch check', 'all accounts'],
    ['popfetch check work --verbose', 'server details; on failure, likely causes and next steps'],
  ],
  exits: [0, 64, 75, 76, 77, 78],
  notes: '',
  completes: { words: [], accounts: true },
  request: ({ words }) => ({ accounts: [...new Set(words)] }),
}
