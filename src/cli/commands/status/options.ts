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
  describe: 'Per account: how it went, what waits, what is kept back',
  options: [],
  examples: [],
  notes: '',
  completes: { words: [], accounts: true },
  request: ({ words }) => ({ accounts: [...new Set(words)] }),
}
