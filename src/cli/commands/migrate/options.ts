// What `popfetch migrate` may be told: from where to where, or every account, and how.
import { isUrl } from '../../../config/destinations/url.ts'
import { parseSize } from '../../../config/values/quantity.ts'
import type { Command } from '../../command.ts'
import { PASSWORD, passwordPlace, type CommonOptions, type PasswordPlace } from '../../common-options.ts'
import { file, flag, nonEmpty, text } from '../../option.ts'
import { usageError } from '../../command-errors.ts'
import { POLL } from '../poll/options.ts'

const MIGRATE = {
  every: flag('All accounts of the configuration, each to where it delivers'),
  delete: flag('Delete from the server what was read again at its destination'),
  since: text('Only messages from this day on, such as 2024-01-31'),
  'max-rate': text('Bytes a second at most, such as 500KB'),
  report: file('Write what became of it to this file, as JSON'),
  ...PASSWORD,
  limit: POLL.limit,
  'dry-run': POLL['dry-run'],
} as const

export interface MigrateRequest {
  /** Null: every account of the configuration. */
  readonly pair: { readonly from: string; readonly to: string } | null
  readonly delete: boolean
  readonly dryRun: boolean
  readonly limit: number | null
  /** As written, and what it means. */
  readonly since: { readonly text: string; readonly ms: number } | null
  readonly maxRate: { readonly text: string; readonly bytesPerSecond: number } | null
  readonly report: string | null
  readonly password: PasswordPlace | null
}

export type MigrateInvocation = CommonOptions & MigrateRequest

export const command: Command<MigrateRequest> = {
  usage: '[from] [to]',
  describe: 'Move a whole mailbox once, with progress and a final verdict',
  options: [{ heading: 'Migrating:', options: MIGRATE }],
  examples: [],
  notes: `  FROM  pop3s://user@host[:port], pop3://user@host, or an account
  TO    maildir:PATH, mbox:PATH, imaps://user@host[/FOLDER],
        smtp://host?to=ADDRESS, lmtp:SOCKET, or a destination of the
        configuration

Can be stopped with Ctrl-C and started again: it goes on where it was. The
password is asked for on the terminal when no option says where it is. Exit
code 0 only when every message is there.`,
  completes: { words: [], accounts: true },
  request(given) {
    const [from = null, to = null] = given.words
    if (from !== null) nonEmpty('migrate FROM', from)
    if (to !== null) nonEmpty('migrate TO', to)
    const { every, delete: deletes, 'dry-run': dryRun, limit, since, report, ...rest } = given.options(MIGRATE)
    const password = passwordPlace(rest)
    if (every && from !== null) throw usageError('--every moves all accounts: FROM and TO do not go with it')
    if (!every && (from === null || to === null)) throw usageError('expected popfetch migrate FROM TO, or --every')
    if (password !== null && (from === null || !isUrl(from)))
      throw usageError('--password-env, --password-file and --password-command go with a URL: an account has its own')
    const maxRate = rest['max-rate']
    return {
      pair: from === null || to === null ? null : { from, to },
      delete: deletes,
      dryRun,
      limit,
      since: since === null ? null : { text: since, ms: sinceOf(since) },
      maxRate: maxRate === null ? null : { text: maxRate, bytesPerSecond: rateOf(maxRate) },
      report,
      password,
    }
  },
}

/** A day begins at local midnight; with a time and a zone the moment is exact. */
function sinceOf(written: string): number {
  const parts = /^(\d{4})-(\d{2})-(\d{2})(T\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})?)?$/.exec(written)
  const [, year = '', month = '', day = '', time] = parts ?? []
  const ms = parts === null ? Number.NaN : new Date(`${year}-${month}-${day}${time ?? 'T00:00'}`).getTime()
  // Date takes the 31st of February for a day in March.
  const exists = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === Number(day)
  if (Number.isNaN(ms) || !exists) throw usageError('--since must be a day such as 2024-01-31')
  return ms
}

/** Below a tenth of a modem's rate servers lose patience. */
const LOWEST_RATE = 1000

function rateOf(written: string): number {
  const bytes = /^\d{1,15}$/.test(written) ? Number(written) : parseSize(written)
  if (bytes === null || bytes < LOWEST_RATE) {
    throw usageError('--max-rate must be bytes a second, 1KB or more, such as 500KB')
  }
  return bytes
}
