// The words after `popfetch migrate` → what is to be moved, or a usage error. Reading argv is options.ts. Pure.
import { isUrl } from '../../../config/destinations/url.ts'
import { parseSize } from '../../../config/values/quantity.ts'
import { usageError } from '../../usage.ts'

const text = (describe: string) => ({ type: 'string', nargs: 1, requiresArg: true, describe }) as const
const flag = (describe: string) => ({ type: 'boolean', describe }) as const

export const PASSWORD_OPTIONS = {
  'password-env': text('The password stands in this environment variable'),
  'password-file': text('The password stands in this file'),
  'password-command': text('This command prints the password'),
} as const

export const MIGRATE_OPTIONS = {
  every: flag('All accounts of the configuration, each to where it delivers'),
  delete: flag('Delete from the server what was read again at its destination'),
  since: text('Only messages from this day on, such as 2024-01-31'),
  'max-rate': text('Bytes a second at most, such as 500KB'),
  report: text('Write what became of it to this file, as JSON'),
  ...PASSWORD_OPTIONS,
} as const

export const MIGRATE = `  FROM  pop3s://user@host[:port], pop3://user@host, or an account
  TO    maildir:PATH, mbox:PATH, smtp://host?to=ADDRESS, lmtp:SOCKET, or a
        destination of the configuration

Can be stopped with Ctrl-C and started again: it goes on where it was. The
password is asked for on the terminal when no option says where it is. Exit
code 0 only when every message is there.`

export interface MigrateWords {
  readonly from: string | null
  readonly to: string | null
  readonly every: boolean
  readonly delete: boolean
  readonly 'dry-run': boolean
  readonly limit: number | null
  readonly since: string | null
  readonly 'max-rate': string | null
  readonly report: string | null
  readonly 'password-env': string | null
  readonly 'password-file': string | null
  readonly 'password-command': string | null
}

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
  readonly password: { readonly env: string } | { readonly file: string } | { readonly command: string } | null
}

/** A tenth of what a modem did: below that servers lose patience. */
const LOWEST_RATE = 1000

/** Throws ERR_USAGE. */
export function migrateRequest(given: MigrateWords): MigrateRequest {
  const { from, to, every, limit, report } = given
  const password = passwordOf(given)
  if (every && from !== null) throw usageError('--every moves all accounts: FROM and TO do not go with it')
  if (!every && (from === null || to === null)) throw usageError('expected popfetch migrate FROM TO, or --every')
  if (password !== null && (from === null || !isUrl(from)))
    throw usageError('--password-env, --password-file and --password-command go with a URL: an account has its own')
  return {
    pair: from === null || to === null ? null : { from, to },
    delete: given.delete,
    dryRun: given['dry-run'],
    limit,
    since: given.since === null ? null : { text: given.since, ms: sinceOf(given.since) },
    maxRate: given['max-rate'] === null ? null : { text: given['max-rate'], bytesPerSecond: rateOf(given['max-rate']) },
    report,
    password,
  }
}

export function passwordOf(
  given: Pick<MigrateWords, 'password-env' | 'password-file' | 'password-command'>,
): MigrateRequest['password'] {
  const { 'password-env': env, 'password-file': file, 'password-command': command } = given
  const sources = [
    ...(env === null ? [] : [{ env }]),
    ...(file === null ? [] : [{ file }]),
    ...(command === null ? [] : [{ command }]),
  ]
  if (sources.length > 1) throw usageError('one of --password-env, --password-file and --password-command is enough')
  return sources[0] ?? null
}

/** A day begins at midnight where we are; with a time and a zone it is that moment. */
function sinceOf(written: string): number {
  const parts = /^(\d{4})-(\d{2})-(\d{2})(T\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})?)?$/.exec(written)
  const [, year = '', month = '', day = '', time] = parts ?? []
  const ms = parts === null ? Number.NaN : new Date(`${year}-${month}-${day}${time ?? 'T00:00'}`).getTime()
  // The 31st of February would be some day in March.
  const exists = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === Number(day)
  if (Number.isNaN(ms) || !exists) throw usageError('--since must be a day such as 2024-01-31')
  return ms
}

function rateOf(written: string): number {
  const bytes = /^\d{1,15}$/.test(written) ? Number(written) : parseSize(written)
  if (bytes === null || bytes < LOWEST_RATE) {
    throw usageError('--max-rate must be bytes a second, 1KB or more, such as 500KB')
  }
  return bytes
}
