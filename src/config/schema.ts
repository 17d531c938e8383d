// The keys of a configuration and their defaults. The types that everybody else uses are derived from these zod
// schemas. The keys of a destination are in destinations/; reading the file is load.ts.
// The one rule: what comes out has no optional fields, and nobody else knows a default.
import * as z from 'zod'
import type { PopfetchError } from '../errors.ts'
import { PASSWORD_MECHANISMS, TOKEN_MECHANISMS } from '../pop3/sign-in/mechanisms.ts'
import { isThisMachine } from './destinations/mail-server.ts'
import { deliver, route } from './route.ts'
import { FIRST, FIRST_WORDS, firstOf } from './values/first.ts'
import { parseDuration } from './values/quantity.ts'
import type { SecretText } from './values/secret.ts'
import { recipient } from './recipient.ts'
import { isPattern } from './values/pattern.ts'
import { proxy } from './values/proxy.ts'
import { daemon, poll } from './daemon/daemon.ts'
import { state } from './state/keys.ts'
import type { Postgres } from './state/postgres.ts'
import { notify } from './daemon/notify.ts'
import type { OAuthClient } from './oauth/client.ts'
import * as value from './values/values.ts'
import type { RouteRule } from './route.ts'
import type { DestinationConfig } from './destinations/destinations.ts'
import type { ResolvePath } from './values/values.ts'
import type { Conflict, Frozen, Written } from './values/written.ts'

export type { Pattern, When } from './route.ts'
export { FIRST_WORDS, parseFirst, sinceText } from './values/first.ts'
export type { FirstPolicy } from './values/first.ts'
export type { DestinationConfig } from './destinations/destinations.ts'

/** When a delivered message is deleted from the server. Its age counts from the poll that saw it first. */
export type DeletePolicy =
  | { readonly kind: 'never' }
  | { readonly kind: 'after-delivery' }
  | { readonly kind: 'age'; readonly ageMs: number }

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error'

type AccountKeys = Frozen<Omit<z.output<ReturnType<typeof account>>, 'deliver' | 'route'>>
type TopKeys = Frozen<
  Omit<z.output<ReturnType<typeof top>>, 'accounts' | 'destinations' | 'defaults' | 'oauth' | 'state'>
>

/** `deliver`: names of destinations, in the order written, without duplicates; also in each rule of `route`. */
export type Account = AccountKeys & {
  readonly name: string
  /** Why it cannot be polled; its other keys mean nothing then. It counts as a failed account. Null: it can. */
  readonly fault: string | null
  readonly deliver: readonly string[]
  readonly route: readonly RouteRule[]
}

/** A configuration in effect: every key has its value, durations are milliseconds and sizes bytes. `loadConfiguration` makes it. */
export interface Configuration extends TopKeys {
  /** The file it came from; absolute. */
  readonly file: string
  /** All files that were read for it: that one first. */
  readonly files: readonly string[]
  /** Those that are polled, in the order of the file. */
  readonly accounts: readonly Account[]
  /** Those with `enabled: false`: known, and never polled. */
  readonly disabled: readonly Account[]
  /** By name. One written in place has its canonical URL for a name, a group its members (`first-of: a, b`). */
  readonly destinations: ReadonlyMap<string, DestinationConfig>
  /** By name. */
  readonly oauth: ReadonlyMap<string, OAuthClient>
  /** The ledger's file; absolute. With `postgres` there is no such file: what lies beside a ledger on this machine lies there. */
  readonly statePath: string
  /** The database that has the ledger; null: a file has it. */
  readonly postgres: Postgres | null
  /** Are two copies of it kept beside it? */
  readonly backup: 'daily' | 'off'
  /** Who is told, as it is written (daemon/telling.ts); null: nobody. */
  readonly telling: SecretText | null
  /** Of which messages the ledger keeps From, Subject and Date. */
  readonly headers: 'all' | 'open' | 'none'
  /** In milliseconds; null: what belongs to accounts that are no longer configured stays. */
  readonly keepDeparted: number | null
  /** Why what `accountsFrom` printed is not taken, and what was before holds; null: it is taken, or nobody was asked. */
  readonly trouble: PopfetchError | null
  /** Sentences for a person at a terminal and `config check`; nothing that stops a poll. */
  readonly warnings: readonly string[]
}

const ACCOUNT_PORTS = { implicit: 995, starttls: 110, none: 110 } as const

/** 100 years: beyond what anybody means. */
const AGE_LIMIT_MS = 36_500 * 86_400_000

const deletion = value.parsed(
  'never, after-delivery or an age such as 30d',
  (text): DeletePolicy | null => {
    if (text === 'never' || text === 'after-delivery') return { kind: text }
    const ageMs = value.within(parseDuration(text), 1, AGE_LIMIT_MS)
    return ageMs === null ? null : { kind: 'age', ageMs }
  },
  /^(?:never|after-delivery|\d+[smhd])$/,
)

const first = value.parsed(FIRST_WORDS, firstOf, FIRST)

const NAMES = 'the name of an account, or a list of names'
const name = z.string({ error: NAMES }).regex(/^[A-Za-z0-9._-]{1,100}$/, { error: NAMES })
const formerly = z
  .union([name, z.array(name)], { error: NAMES })
  .default([])
  .transform((written): readonly string[] => (typeof written === 'string' ? [written] : [...new Set(written)]))

export function accountKeys(resolve: ResolvePath) {
  return value.mapping({
    enabled: value.flag.default(true).describe('false: the account is kept and not polled'),
    formerly: formerly.describe(
      'Name, or list of names, that this account had before, whatever its server; its next poll takes over what is recorded under it',
    ),
    host: value.host.describe('Name or address of the POP3 server; its certificate must be valid for this name'),
    port: value.orNull(value.port).describe('Port; by default 995 with tls: implicit, otherwise 110'),
    tls: z
      .enum(['implicit', 'starttls', 'none'])
      .default('implicit')
      .describe('implicit: TLS from the first byte; starttls: STLS, required; none: unencrypted'),
    tlsName: value
      .orNull(value.host)
      .describe('Name that the certificate must be valid for, if it is not host; also sent as SNI'),
    ca: value
      .orNull(value.filePath(resolve))
      .describe('PEM file with the certificate authorities to trust instead of the system’s'),
    pin: value
      .orNull(value.pins)
      .describe(
        'SHA-256 fingerprint of the certificate, or a list of them; replaces the checks of chain, name and date',
      ),
    clientCert: value.orNull(value.filePath(resolve)).describe('PEM file with a client certificate'),
    clientKey: value.orNull(value.filePath(resolve)).describe('PEM file with the key of that certificate'),
    user: value.wireText('a user name').describe('User name to sign in with'),
    password: value
      .orNull(value.secret(resolve))
      .describe('The password, or where to read it; read just before each sign-in'),
    token: value
      .orNull(value.token(resolve))
      .describe(
        'OAuth 2.0 access token instead of a password; { oauth: NAME } uses a sign-in made by popfetch auth. Read again when it is refused or has expired',
      ),
    auth: z
      .enum(['auto', ...PASSWORD_MECHANISMS, ...TOKEN_MECHANISMS])
      .default('auto')
      .describe('How to sign in; auto picks the best mechanism that the server offers, except cram-md5 and apop'),
    deliver: deliver(resolve).describe(
      'Where messages go. A list delivers to all; { first-of: [a, b] } tries b when a refuses',
    ),
    route: route(resolve)
      .default([])
      .describe('Rules that send some messages elsewhere; the first matching rule applies'),
    recipient: value
      .orNull(recipient)
      .describe(
        'For a mailbox that collects the mail of a whole domain: whose mail a message is. Fills {recipient}, {local} and {domain} in destinations',
      ),
    delete: deletion
      .prefault('never')
      .describe('When a delivered message is deleted from the server; an age counts from when popfetch first saw it'),
    first: first
      .default({ kind: 'default' })
      .describe('What the very first poll fetches, by default all. Skipped messages are never deleted'),
    limit: value
      .orNull(value.wholeNumber(1, 1_000_000_000))
      .describe('Maximum number of messages fetched in one session'),
    maxSize: value.orNull(value.size(1000)).describe('Larger messages are held and stay on the server'),
    poll: poll
      .prefault('5m')
      .describe(
        'How often the daemon polls; { min, max } polls often after mail arrives and slows down when there is none',
      ),
    timeout: value.timeout.prefault('60s').describe('A session without progress for this long is ended'),
    pipelining: z.enum(['auto', 'off']).default('auto').describe('off sends one command at a time'),
    proxy: value.orNull(proxy).describe('Proxy for the connection: socks5://host:port or http://host:port (CONNECT)'),
    via: value
      .orNull(value.program(resolve))
      .describe('Program whose standard input and output are the connection to the server; TLS runs on top of it'),
    before: value
      .orNull(value.program(resolve))
      .describe('Program to run before connecting; if it fails, the account is not polled'),
    after: value
      .orNull(value.program(resolve))
      .describe('Program to run after a poll; its environment has POPFETCH_OUTCOME, POPFETCH_DELIVERED and more'),
  })
}

/** One account, `defaults` merged into it. Names in `deliver` are not looked up yet. */
export function account(resolve: ResolvePath) {
  return accountKeys(resolve).transform(completed)
}

/** What the keys of an account come to together. */
export function completed({ maxSize, timeout, ...written }: z.output<ReturnType<typeof accountKeys>>) {
  return {
    ...written,
    port: written.port ?? ACCOUNT_PORTS[written.tls],
    maxSizeBytes: maxSize,
    timeoutMs: timeout,
  }
}

/** The keys that cannot be combined. Asked even if a key is wrong by itself, so that one report names everything. */
export function accountConflicts(written: Written): readonly Conflict[] {
  const conflicts: Conflict[] = []
  const { password, token, auth, clientCert, clientKey, tls, host } = written
  if (password === undefined && token === undefined) {
    conflicts.push({ key: 'password', expected: 'a password, or a token' })
  }
  if (password !== undefined && token !== undefined) conflicts.push({ key: 'token', expected: 'no password beside it' })
  if (isOneOf(auth, TOKEN_MECHANISMS) && token === undefined)
    conflicts.push({ key: 'auth', expected: 'a token with it' })
  if (isOneOf(auth, PASSWORD_MECHANISMS) && password === undefined && token !== undefined) {
    conflicts.push({ key: 'auth', expected: `${TOKEN_MECHANISMS.join(' or ')} with a token` })
  }
  if (clientCert !== undefined && clientKey === undefined) {
    conflicts.push({ key: 'clientCert', expected: 'a clientKey with it' })
  }
  if (clientKey !== undefined && clientCert === undefined) {
    conflicts.push({ key: 'clientKey', expected: 'a clientCert with it' })
  }
  if (written['via'] !== undefined && written['proxy'] !== undefined)
    conflicts.push({ key: 'via', expected: 'no proxy beside it: the program is the way to the server' })
  if (token !== undefined && tls === 'none' && !isThisMachine(host)) {
    conflicts.push({
      key: 'tls',
      expected: 'implicit or starttls: a token goes without TLS only to this machine itself',
    })
  }
  for (const key of ['tlsName', 'ca', 'pin', 'clientCert', 'clientKey']) {
    if (written[key] !== undefined && tls === 'none') {
      conflicts.push({ key, expected: 'no such key with tls: none, where no certificate is seen' })
    }
  }
  return conflicts
}

function isOneOf(written: unknown, names: readonly string[]): boolean {
  return typeof written === 'string' && names.includes(written)
}

/** What is expected under `accounts`. */
export const ACCOUNTS = 'a mapping of names to accounts'

const INCLUDES = 'a path in which one * may stand, or a list of them'
const included = value.parsed(INCLUDES, (text) => (isPattern(text) ? text : null))
/** As written: which files that are is sources/include.ts. */
const include = z
  .union([included, z.array(included)], { error: INCLUDES })
  .default([])
  .transform((written): readonly string[] => (typeof written === 'string' ? [written] : written))

/** The program that prints accounts. */
export function accountsFrom(resolve: ResolvePath) {
  return value.mapping({
    command: value.program(resolve).describe('Program and its arguments, run without a shell'),
    // What a panel changes is polled within the hour, and no database is asked each second.
    every: value.duration(10_000, 86_400_000).prefault('5m').describe('How often the daemon runs it'),
    keep: value.flag
      .default(true)
      .describe('Keep the last good answer beside the ledger, for a start at which the program fails'),
  })
}

/** Any account key, as `defaults` may hold them. */
export function accountDefaults(resolve: ResolvePath) {
  return accountKeys(resolve).partial()
}

/** The top level. The schemas of its parts are given: `z.unknown()` where each part is parsed on its own. */
export function top<A extends z.ZodType, D extends z.ZodType, P extends z.ZodType, O extends z.ZodType>(
  resolve: ResolvePath,
  parts: { readonly account: A; readonly destination: D; readonly defaults: P; readonly oauth: O },
) {
  return value.mapping({
    accounts: z
      .record(z.string(), parts.account, { error: ACCOUNTS })
      .default({})
      .describe('The mailboxes to poll, by name; needed unless include or accountsFrom has some'),
    include: include.describe(
      'Other files with accounts, destinations, oauth, and defaults for themselves: paths, in which one * stands for any text. A name may be given once in all of them',
    ),
    accountsFrom: value
      .orNull(accountsFrom(resolve))
      .describe(
        'Program that prints accounts (and destinations) as YAML or JSON, for accounts that are in a database or a panel',
      ),
    destinations: z
      .record(z.string(), parts.destination, { error: 'a mapping of names to destinations' })
      .default({})
      .describe('Where mail can go, by name'),
    defaults: parts.defaults.describe('Defaults for all accounts'),
    oauth: z
      .record(z.string(), parts.oauth, { error: 'a mapping of names to clients' })
      .default({})
      .describe('OAuth 2.0 clients by name, for popfetch auth'),
    state: state(resolve).describe(
      'The ledger, which records what was delivered: its file, the URL of a PostgreSQL database, or a mapping',
    ),
    concurrency: value
      .wholeNumber(1, 10_000)
      .default(64)
      .describe('Maximum number of accounts polled at the same time'),
    perHost: value
      .orNull(value.wholeNumber(1, 10_000))
      .describe('Maximum number of them at one server; by default 8, and no limit for this machine'),
    daemon: daemon(resolve).describe('Settings for the daemon'),
    notify: notify(resolve).describe('Notices about problems; each entry sends them by one of run, url, mail and ping'),
    log: value
      .mapping({
        file: value
          .orNull(value.filePath(resolve))
          .describe('File for the log; by default popfetch.log beside the ledger for the daemon, otherwise none'),
        level: z
          .enum(['trace', 'debug', 'info', 'warn', 'error'])
          .default('info')
          .describe('The least serious level that is logged; trace includes the conversation, secrets masked'),
        format: value
          .orNull(z.enum(['json', 'text']))
          .describe('json for programs or text for people; by default text on a terminal, otherwise json'),
      })
      .default({ file: null, level: 'info', format: null })
      .describe('Settings for the log'),
  })
}
