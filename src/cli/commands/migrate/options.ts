// What `popfetch migrate` may be told: from where to where, or every account, and how; or which unfinished one to go on with.
import { isUrl } from '../../../config/destinations/url.ts'
import { parseDuration, parseSize } from '../../../config/values/quantity.ts'
import type { Command } from '../../command.ts'
import { PASSWORD, passwordPlace, type CommonOptions, type PasswordPlace } from '../../common-options.ts'
import { file, flag, nonEmpty, text } from '../../option.ts'
import { usageError } from '../../command-errors.ts'
import { POLL } from '../poll/options.ts'

const HOW = {
  every: flag('Migrate every account to its configured destination'),
  delete: flag('Delete each message once verified at its destination'),
  since: text('Only messages from this day on, such as 2024-01-31', 'DATE'),
  limit: POLL.limit,
  'dry-run': POLL['dry-run'],
} as const

const TO_PASSWORD = {
  'to-password-env': text('The same for TO', 'NAME'),
  'to-password-file': file('The same for TO'),
  'to-password-command': text('The same for TO'),
} as const

const ALWAYS = {
  'max-rate': text('Maximum transfer rate per second, such as 500KB'),
  'keep-trying': text('Keep retrying after network and server failures for this long, such as 7d', 'TIME'),
  yes: flag('Proceed even if TO has less room than FROM has mail'),
  report: file('Write the results to this file, as JSON'),
  ...PASSWORD,
  ca: file('Trust the authorities in this PEM file for FROM, instead of the system'),
  ...TO_PASSWORD,
  'to-ca': file('The same for TO'),
} as const

const UNFINISHED = {
  list: flag('List unfinished migrations'),
  resume: flag('Resume the unfinished migration, or the one from FROM'),
} as const

/** Where a URL's password and authorities are. */
export interface UrlSecrets {
  readonly password: PasswordPlace | null
  readonly ca: string | null
}

export interface MigrateRequest {
  /** `list`: nothing is moved. `resume`: the rest of the request is what is said again of a migration that was begun. */
  readonly act: 'move' | 'list' | 'resume'
  /** Of `resume`: from where; null: there is only one. */
  readonly resumed: string | null
  /** Null: every account of the configuration. */
  readonly pair: { readonly from: string; readonly to: string } | null
  readonly delete: boolean
  readonly dryRun: boolean
  readonly limit: number | null
  /** As written, and what it means. */
  readonly since: { readonly text: string; readonly ms: number } | null
  readonly maxRate: { readonly text: string; readonly bytesPerSecond: number } | null
  readonly keepTrying: { readonly text: string; readonly ms: number } | null
  readonly yes: boolean
  readonly report: string | null
  readonly source: UrlSecrets
  readonly destination: UrlSecrets
}

export type MigrateInvocation = CommonOptions & MigrateRequest

export const command: Command<MigrateRequest> = {
  usage: '[from] [to]',
  describe: 'Move a whole mailbox once, with progress and a final verdict',
  options: [
    { heading: 'Options for migrate:', options: { ...HOW, ...ALWAYS } },
    { heading: 'Unfinished migrations:', options: UNFINISHED },
  ],
  examples: [
    ['$0 migrate pop3s://ada@pop.example.net maildir:~/Archive', 'Move a mailbox into a Maildir'],
    [
      '$0 migrate pop3s://ada@pop.example.net imaps://ada@imap.example.org/Archive',
      'Move it into a folder at another provider',
    ],
    ['$0 migrate --resume --keep-trying 7d', 'Resume, and keep retrying over a bad connection for a week'],
  ],
  exits: [0, 64, 73, 74, 75, 76, 77, 78],
  notes: `  FROM  pop3s://user@host[:port], pop3://user@host, or an account
  TO    maildir:PATH, mbox:PATH, imaps://user@host[/FOLDER],
        smtp://host?to=ADDRESS, lmtp:SOCKET, or a destination of the
        configuration, such as one of the type gmail

You can stop it with Ctrl-C and start it again: it resumes where it stopped. It asks
for a password on the terminal unless an option says where to read it. The exit code
is 0 only when every message has arrived.`,
  completes: { words: [], accounts: true, destinations: 'behind' },
  request(given) {
    const how = given.options(HOW)
    const always = given.options(ALWAYS)
    const { list, resume } = given.options(UNFINISHED)
    const act = list ? 'list' : resume ? 'resume' : 'move'
    const words = given.words
    const { every, delete: deletes, 'dry-run': dryRun, limit, since } = how
    if (list && resume) throw usageError('--list and --resume cannot be combined')
    if (act !== 'move' && (every || deletes || dryRun || limit !== null || since !== null))
      throw usageError(
        `--${act} continues a migration as it was begun: it cannot be combined with --every, --delete, --since, --limit or --dry-run`,
      )
    if (act === 'list' && words.length > 0) throw usageError('--list lists all of them and takes no FROM or TO')
    if (act === 'resume' && words.length > 1) throw usageError('expected popfetch migrate --resume [FROM]')
    const pair = act === 'move' ? pairOf(words, every) : null
    const source = { password: passwordPlace(always), ca: always.ca }
    const destination = { password: passwordPlace(toNames(always), 'to-'), ca: always['to-ca'] }
    if (act === 'move') requireUrls(pair, source, destination)
    const { 'max-rate': maxRate, 'keep-trying': keepTrying, yes, report } = always
    return {
      act,
      resumed: act === 'resume' ? (words[0] ?? null) : null,
      pair,
      delete: deletes,
      dryRun,
      limit,
      since: since === null ? null : sinceOf(since),
      maxRate: maxRate === null ? null : maxRateOf(maxRate),
      keepTrying: keepTrying === null ? null : keepTryingOf(keepTrying),
      yes,
      report,
      source,
      destination,
    }
  },
}

function pairOf(words: readonly string[], every: boolean): MigrateRequest['pair'] {
  const [from = null, to = null] = words
  if (from !== null) nonEmpty('migrate FROM', from)
  if (to !== null) nonEmpty('migrate TO', to)
  if (every && from !== null) throw usageError('--every moves all accounts and cannot be combined with FROM and TO')
  if (every) return null
  if (from === null || to === null) throw usageError('expected popfetch migrate FROM TO, --every, --list or --resume')
  return { from, to }
}

/** What is configured has secrets and authorities of its own. */
function requireUrls(pair: MigrateRequest['pair'], source: UrlSecrets, destination: UrlSecrets): void {
  const isGiven = ({ password, ca }: UrlSecrets): boolean => password !== null || ca !== null
  if (isGiven(source) && (pair === null || !isUrl(pair.from)))
    throw usageError('--password-env, --password-file, --password-command and --ca need a URL: an account has its own')
  if (isGiven(destination) && (pair === null || !isUrl(pair.to)))
    throw usageError(
      '--to-password-env, --to-password-file, --to-password-command and --to-ca need a URL: a configured destination has its own',
    )
}

function toNames(given: { readonly [name in keyof typeof TO_PASSWORD]: string | null }) {
  return {
    'password-env': given['to-password-env'],
    'password-file': given['to-password-file'],
    'password-command': given['to-password-command'],
  }
}

/** A day begins at local midnight; with a time and a zone the moment is exact. Throws ERR_USAGE. */
export function sinceOf(written: string): NonNullable<MigrateRequest['since']> {
  const parts = /^(\d{4})-(\d{2})-(\d{2})(T\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})?)?$/.exec(written)
  const [, year = '', month = '', day = '', time] = parts ?? []
  const ms = parts === null ? Number.NaN : new Date(`${year}-${month}-${day}${time ?? 'T00:00'}`).getTime()
  // Date takes the 31st of February for a day in March.
  const exists = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === Number(day)
  if (Number.isNaN(ms) || !exists) throw usageError('--since must be a day such as 2024-01-31')
  return { text: written, ms }
}

/** Below a tenth of a modem's rate servers lose patience. */
const LOWEST_RATE = 1000

/** Throws ERR_USAGE. */
export function maxRateOf(written: string): NonNullable<MigrateRequest['maxRate']> {
  const bytes = /^\d{1,15}$/.test(written) ? Number(written) : parseSize(written)
  if (bytes === null || bytes < LOWEST_RATE) {
    throw usageError('--max-rate must be a size per second of at least 1KB, such as 500KB')
  }
  return { text: written, bytesPerSecond: bytes }
}

/** Throws ERR_USAGE. */
export function keepTryingOf(written: string): NonNullable<MigrateRequest['keepTrying']> {
  const ms = parseDuration(written)
  if (ms === null || ms === 0) throw usageError('--keep-trying must be a duration such as 12h or 7d')
  return { text: written, ms }
}
