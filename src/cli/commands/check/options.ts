// What `popfetch check` may be told.
import type { Command } from '../../command.ts'
import type { CommonOptions } from '../../common-options.ts'

interface CheckRequest {
  /** Without duplicates, in the order in which they were named; empty: all. */
  readonly names: readonly string[]
}

export type CheckInvocation = CommonOptions & CheckRequest

export const command: Command<CheckRequest> = {
  usage: '[name...]',
  describe: 'Try accounts and destinations; fetch and delete nothing',
  options: [],
  examples: [
    ['popfetch check', 'Try all accounts and all destinations'],
    ['popfetch check inbox', 'Try one account with its destinations, or one destination'],
    ['popfetch check pop.example.org:995', 'Show what a server is and offers; needs no configuration'],
    ['popfetch check work --verbose', 'Show server details; on failure, likely causes and next steps'],
  ],
  exits: [0, 64, 73, 74, 75, 76, 77, 78],
  notes: `Signs in to each account and counts the waiting messages. Connects and signs in to
each destination and asks whether it accepts the recipients, without sending a
message. Creates a Maildir, writes to it and removes what it wrote. SERVER:PORT may
be a POP3, SMTP, LMTP or IMAP server on any port; no name or password is sent to it.
The exit code is that of the most serious failure.`,
  completes: { words: [], accounts: true, destinations: 'too' },
  request: ({ words }) => ({ names: [...new Set(words)] }),
}
