// What `popfetch shell` may be told.
import type { Command } from '../../command.ts'
import { usageError } from '../../command-errors.ts'
import type { CommonOptions } from '../../common-options.ts'
import { flag } from '../../option.ts'

const SHELL = {
  write: flag('Let DELE mark messages, and QUIT delete what is marked'),
  raw: flag('Show complete answers, not just a screen of each'),
} as const

interface ShellRequest {
  readonly account: string
  readonly write: boolean
  readonly raw: boolean
}

export type ShellInvocation = CommonOptions & ShellRequest

export const command: Command<ShellRequest> = {
  usage: '[account]',
  describe: 'POP3 by hand, signed in; deletes nothing without --write',
  options: [{ heading: 'Options for shell:', options: SHELL }],
  exits: [0, 64, 74, 75, 76, 77, 78],
  examples: [
    ['popfetch shell work', 'Type STAT, LIST, TOP 1 0 … and read the answers'],
    ['printf "uidl\\ntop 1 0\\n" | popfetch shell --raw work', 'Do the same from a script'],
  ],
  notes: `popfetch connects and signs in as the account is configured; "help" lists the
commands. Nobody else polls the account meanwhile, and nothing is recorded in the
ledger. Without QUIT nothing is deleted. Exit code 75: a poll of it is running.`,
  completes: { words: [], accounts: true },
  request(given) {
    const { write, raw } = given.options(SHELL)
    const [account, ...more] = given.words
    if (account === undefined || more.length > 0) throw usageError('shell needs one account: popfetch shell ACCOUNT')
    return { account, write, raw }
  },
}
