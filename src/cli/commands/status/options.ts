// What `popfetch status` may be told.
import { parseDuration } from '../../../config/values/quantity.ts'
import { NONE_TOLERATED, parseShare, type Tolerance } from '../../../status/tolerance.ts'
import type { Command } from '../../command.ts'
import { usageError } from '../../command-errors.ts'
import type { CommonOptions } from '../../common-options.ts'
import { flag, text } from '../../option.ts'

const STATUS = {
  every: flag('Show every account, however many there are'),
  check: flag('Print one line, and exit with 0 only when all is well'),
  self: flag('With --check: ask only whether popfetch itself works'),
  grace: text('With --check: ignore problems newer than this (30m, 2h)', 'TIME'),
  tolerate: text('With --check: let this share of the accounts fail (2%)', 'SHARE'),
} as const

/** Null: no check, the whole answer. */
export type Check = ({ readonly of: 'self' } | ({ readonly of: 'all' } & Tolerance)) | null

interface StatusRequest {
  /** Without duplicates, in the order in which they were named; empty: all. */
  readonly accounts: readonly string[]
  readonly check: Check
  /** Also where a terminal would be flooded. */
  readonly every: boolean
}

export type StatusInvocation = CommonOptions & StatusRequest

export const command: Command<StatusRequest> = {
  usage: '[account...]',
  describe: 'Show what needs attention, and last result, pending and held messages per account',
  options: [{ heading: 'Options for status:', options: STATUS }],
  examples: [
    ['popfetch status', 'Show what needs attention, then all accounts'],
    ['popfetch status work --json', 'Show one account, for a program'],
    ['popfetch status --check --grace 30m', 'Give a monitor an exit code and one line'],
  ],
  exits: [0, 64, 69, 74, 75, 77, 78],
  notes: `Of more than 500 accounts, a terminal shows those with something to tell, and
counts the others. --every shows all; so does a pipe.

--check exits with 0 if no account or destination fails or is overdue, and the
daemon runs if one was started; otherwise with 75, with 77 or 78 if that is the
reason, or with 69 if the daemon is missing. /healthz follows the same rule.`,
  completes: { words: [], accounts: true },
  request(given) {
    const { every, check, self, grace, tolerate } = given.options(STATUS)
    for (const [name, value] of Object.entries({ self: self ? 'yes' : null, grace, tolerate }))
      if (value !== null && !check) throw usageError(`--${name} requires --check`)
    const [other] = Object.entries({ grace, tolerate }).filter(([, value]) => value !== null)
    if (self && other !== undefined) throw usageError(`--self and --${other[0]} cannot be combined`)
    const accounts = [...new Set(given.words)]
    if (self && accounts.length > 0) throw usageError('--self is about popfetch as a whole: name no account')
    if (every && check) throw usageError('--every and --check cannot be combined')
    return { accounts, every, check: check ? checkOf(self, grace, tolerate) : null }
  },
}

function checkOf(self: boolean, grace: string | null, tolerate: string | null): Check {
  if (self) return { of: 'self' }
  const graceMs = grace === null ? NONE_TOLERATED.graceMs : parseDuration(grace)
  if (graceMs === null) throw usageError('--grace must be a duration such as 90s, 30m or 2h')
  const share = tolerate === null ? NONE_TOLERATED.share : parseShare(tolerate)
  if (share === null) throw usageError('--tolerate must be a share from 0% to 100%, such as 2%')
  return { of: 'all', graceMs, share }
}
