// What `popfetch [account...]` may be told. No word names this command, so its help is that of the whole program.
// The quick reader of argv loads this file at every poll: it imports next to nothing.
import type { Command } from '../../command.ts'
import type { CommonOptions } from '../../common-options.ts'
import { flag, wholeNumber } from '../../option.ts'
import { usageError } from '../../command-errors.ts'
import { DAEMON, daemonRequest, type DaemonRequest } from '../daemon/options.ts'

export const POLL = {
  'dry-run': { ...flag('Print what would be done; fetch and delete nothing'), short: 'n' },
  limit: wholeNumber(1, 'Fetch at most this many messages per account'),
  all: flag('Deliver again what was delivered'),
  'accept-new-ids': flag('Continue although the server renumbered all messages'),
  'mark-seen': flag('Treat unknown messages as seen: never fetch or delete them'),
  yes: flag('Proceed even if unusually many messages would be fetched or deleted'),
} as const

interface PollRequest {
  readonly daemon: false
  /** Without duplicates, in the order in which they were named; empty: all. */
  readonly accounts: readonly string[]
  readonly dryRun: boolean
  readonly limit: number | null
  readonly acceptNewIds: boolean
  readonly markSeen: boolean
  readonly yes: boolean
  readonly all: boolean
}

export type PollInvocation = CommonOptions & PollRequest

export const command: Command<PollRequest | DaemonRequest> = {
  usage: '[account...]',
  describe: 'Poll all accounts (or those named) once',
  options: [
    { heading: 'Polling:', options: POLL },
    { heading: 'In the background:', options: DAEMON },
  ],
  examples: [
    ['$0', 'Poll all accounts once; silent when all is well'],
    ['$0 work --verbose', 'Poll the account "work" and print details'],
    ['$0 --dry-run', 'Print what would be fetched and deleted'],
    ['$0 check', 'Sign in everywhere and show what is waiting'],
    ['$0 status', 'Show the last results, and refused and held messages'],
    ['$0 --daemon', 'Keep polling in the background'],
    ['$0 init', 'Set up the first account by question and answer'],
    ['$0 config check', 'Find mistakes in the configuration'],
  ],
  notes: `Configuration: --config FILE, else $POPFETCH_CONFIG, else the text in
$POPFETCH_CONFIG_YAML, else the first of
  $XDG_CONFIG_HOME/popfetch/config.{yaml,yml,json}  (normally in ~/.config)
  /etc/popfetch/config.{yaml,yml,json}

Exit codes:
   0  all polled, mail or not          74  the ledger cannot be used
  64  wrong usage                      75  temporary: try again later
  69  no daemon is running             76  TLS refused or protocol broken
                                       77  sign-in refused
  70  a bug                            78  configuration wrong, or a safety
  73  a destination cannot take mail       guard needs your confirmation`,
  completes: { words: [], accounts: true },
  request(given) {
    const {
      'dry-run': dryRun,
      limit,
      all,
      'accept-new-ids': acceptNewIds,
      'mark-seen': markSeen,
      yes,
    } = given.options(POLL)
    const foreign = dryRun || limit !== null || all || acceptNewIds || markSeen || yes
    if (markSeen && all) throw usageError('--mark-seen and --all cannot be combined')
    const accounts = [...new Set(given.words)]
    return (
      daemonRequest(given.options(DAEMON), accounts, { foreign }) ?? {
        daemon: false,
        accounts,
        dryRun,
        limit,
        acceptNewIds,
        markSeen,
        yes,
        all,
      }
    )
  },
}
