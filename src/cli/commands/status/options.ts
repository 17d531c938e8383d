// What `popfetch status` may be told.
import type { Command } from '../../command.ts'
import type { CommonOptions } from '../../common-options.ts'

interface StatusRequest {
  /** Without duplicates, in the order in which they were named; empty: all. */
  readonly accounts: readonly string[]
}

export type StatusInvocation = CommonOptions & StatusRequest

export const command: Command<StatusRequest> = {
  usage: '[account...]',
  describe: 'Show last result, pending and held messages per account',
  options: [],
  examples: [
    ['popfetch status', 'all accounts'],
    ['popfetch status work --json', 'one account, for a program'],
  ],
  exits: [0, 64, 74, 78],
  notes: '',
  completes: { words: [], accounts: true },
  request: ({ words }) => ({ accounts: [...new Set(words)] }),
}
