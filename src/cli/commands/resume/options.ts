// What `popfetch resume` may be told.
import type { Command } from '../../command.ts'
import type { CommonOptions } from '../../common-options.ts'

interface ResumeRequest {
  /** Accounts and destinations, without duplicates, in the order in which they were named; empty: all that is paused. */
  readonly names: readonly string[]
}

export type ResumeInvocation = CommonOptions & ResumeRequest

export const command: Command<ResumeRequest> = {
  usage: '[name...]',
  describe: 'End the pause of accounts or destinations',
  options: [],
  examples: [
    ['popfetch resume work', 'Poll an account again'],
    ['popfetch resume', 'End all pauses'],
  ],
  exits: [0, 64, 74, 78],
  notes: 'What was paused is polled again when its time comes; popfetch wake does it now.',
  completes: { words: [], accounts: true, destinations: 'too' },
  request: ({ words }) => ({ names: [...new Set(words)] }),
}
