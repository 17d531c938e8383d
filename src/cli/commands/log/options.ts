// What `popfetch log` may be told.
import { parseDuration } from '../../../config/values/quantity.ts'
import type { Command } from '../../command.ts'
import { usageError } from '../../command-errors.ts'
import type { CommonOptions } from '../../common-options.ts'
import { flag, text, wholeNumber } from '../../option.ts'

const LOG = {
  follow: flag('Keep printing new lines until Ctrl-C'),
  since: text('Start this far back (30m, 2h, 7d), or at a time such as 2026-11-29T08:00', 'TIME'),
  lines: wholeNumber(1, 'Show this many of the newest lines (default: 100 without --since)'),
} as const

/** `span`: back from now, in milliseconds; `at`: a point in time. */
export type Since = { readonly spanMs: number } | { readonly atMs: number }

interface LogRequest {
  /** Only lines about these; empty: all lines. */
  readonly accounts: readonly string[]
  readonly follow: boolean
  readonly since: Since | null
  /** Null: all. */
  readonly lines: number | null
}

export type LogInvocation = CommonOptions & LogRequest

const USUAL_LINES = 100

export const command: Command<LogRequest> = {
  usage: '[account...]',
  describe: 'Show the log of the daemon',
  options: [{ heading: 'Options for log:', options: LOG }],
  exits: [0, 64, 69, 78],
  examples: [
    ['popfetch log --since 2h', 'Show the last two hours'],
    ['popfetch log --follow work', 'Follow one account'],
    ['popfetch log --log-level warn --since 7d', 'Show warnings and errors of a week'],
  ],
  notes: `--log-level shows only lines of that level and more serious ones. --json prints the
lines as they are in the file. --log-file reads another log.`,
  completes: { words: [], accounts: true },
  request(given) {
    const { follow, since, lines } = given.options(LOG)
    return {
      accounts: [...new Set(given.words)],
      follow,
      since: since === null ? null : sinceOf(since),
      lines: lines ?? (since === null ? USUAL_LINES : null),
    }
  },
}

const MOMENT = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)?)?$/

function sinceOf(text: string): Since {
  const spanMs = parseDuration(text)
  if (spanMs !== null) return { spanMs }
  // A date alone is midnight here, not in Greenwich.
  const atMs = MOMENT.test(text) ? Date.parse(text.length === 10 ? `${text}T00:00` : text) : NaN
  if (Number.isNaN(atMs))
    throw usageError('--since must be a span such as 30m, 2h or 7d, or a time such as 2026-11-29T08:00')
  return { atMs }
}
