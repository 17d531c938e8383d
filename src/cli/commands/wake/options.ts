// What `popfetch wake` may be told.
import type { Command } from '../../command.ts'
import type { CommonOptions } from '../../common-options.ts'

interface WakeRequest {
  /** Without duplicates, in the order in which they were named; empty: all. */
  readonly accounts: readonly string[]
}

export type WakeInvocation = CommonOptions & WakeRequest

export const command: Command<WakeRequest> = {
  usage: '[account...]',
  describe: 'Tell the daemon to poll now',
  options: [],
  examples: [
    ['popfetch wake', 'Poll all accounts'],
    ['popfetch wake work', 'Poll one account'],
  ],
  exits: [0, 64, 69, 75, 78],
  notes: '',
  completes: { words: [], accounts: true },
  request: ({ words }) => ({ accounts: [...new Set(words)] }),
}
