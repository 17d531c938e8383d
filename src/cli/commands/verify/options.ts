// What `popfetch verify` may be told.
import type { Command } from '../../command.ts'
import type { CommonOptions } from '../../common-options.ts'
import { flag } from '../../option.ts'

const VERIFY = {
  digest: flag('Read every message at its destination again, and compare its digest'),
} as const

interface VerifyWanted {
  /** Without duplicates, in the order in which they were named; empty: all. */
  readonly accounts: readonly string[]
  readonly digest: boolean
}

export type VerifyInvocation = CommonOptions & VerifyWanted

export const command: Command<VerifyWanted> = {
  usage: '[account...]',
  describe: 'Compare server, ledger and destination, message by message; change nothing',
  options: [{ heading: 'Options for verify:', options: VERIFY }],
  examples: [
    ['popfetch verify', 'Compare all accounts'],
    ['popfetch verify work --digest', 'Also compare every message byte for byte'],
  ],
  exits: [0, 64, 73, 74, 75, 76, 77, 78],
  notes: `Counts the messages of each account: those that agree; gone from the server;
waiting, refused or held; missing at a destination although delivered; at a
destination but not known; and, with --digest, those that differ from what the
server sent. Missing and differing messages exit with 75, an account that cannot
be asked with its own code. The rest is only reported.
A Maildir, an mbox and an IMAP folder show what they have. Of an SMTP or LMTP
server, Gmail or a command the accepted answer counts. Messages that you deleted
from the destination count as missing as long as the ledger knows them.
Asks the server for its lists only, takes no lock and marks nothing as read.`,
  completes: { words: [], accounts: true },
  request(given) {
    const { digest } = given.options(VERIFY)
    return { accounts: [...new Set(given.words)], digest }
  },
}
