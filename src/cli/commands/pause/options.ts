// What `popfetch pause` may be told.
import { parseDuration } from '../../../config/values/quantity.ts'
import type { Command } from '../../command.ts'
import { usageError } from '../../command-errors.ts'
import type { CommonOptions } from '../../common-options.ts'
import { text } from '../../option.ts'

const PAUSE = {
  for: text('End it after this time (90m, 2h, 3d); by default it lasts until popfetch resume', 'TIME'),
} as const

/** What is to rest for longer is not paused but taken out of the configuration. */
const LONGEST_MS = 366 * 86_400_000

interface PauseRequest {
  /** Accounts and destinations, without duplicates, in the order in which they were named; empty: all accounts. */
  readonly names: readonly string[]
  /** Null: until it is resumed. */
  readonly forMs: number | null
}

export type PauseInvocation = CommonOptions & PauseRequest

export const command: Command<PauseRequest> = {
  usage: '[name...]',
  describe: 'Leave accounts or destinations alone for a while',
  options: [{ heading: 'Options for pause:', options: PAUSE }],
  examples: [
    ['popfetch pause work --for 2h', 'Do not poll an account for two hours'],
    ['popfetch pause office', 'Deliver nothing to a destination until popfetch resume office'],
    ['popfetch pause', 'Pause all accounts'],
  ],
  exits: [0, 64, 74, 78],
  notes: `Every popfetch with this ledger obeys: cron, the daemon, named accounts, migrate,
--dry-run. Naming the account, a terminal, wake or a new password do not end the
pause; only its time and popfetch resume do. A running poll ends as usual. While it
lasts the account is "paused", which is not a failure (0); popfetch status shows it,
and notify reports a pause that lasts more than a day. Mail for a paused destination
stays on the server. popfetch check still asks.`,
  completes: { words: [], accounts: true, destinations: 'too' },
  request(given) {
    const { for: typed } = given.options(PAUSE)
    const forMs = typed === null ? null : parseDuration(typed)
    if (typed !== null && (forMs === null || forMs <= 0 || forMs > LONGEST_MS))
      throw usageError('--for must be a duration such as 90m, 2h or 3d, and at most a year')
    return { names: [...new Set(given.words)], forMs }
  },
}
