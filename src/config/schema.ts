// The keys of a configuration, their defaults, the JSON Schema. The types that everybody else uses are derived from these zod
// schemas. The keys of a destination are in destinations/; reading the file is load.ts.
// The one rule: what comes out has no optional fields, and nobody else knows a default.
import * as z from 'zod'
import { PASSWORD_MECHANISMS, TOKEN_MECHANISMS } from '../pop3/sign-in/mechanisms.ts'
import { isThisMachine } from './destinations/mail-server.ts'
import { deliver, route } from './route.ts'
import { destination } from './destinations/destinations.ts'
import { parseDuration } from './values/quantity.ts'
import { recipient } from './recipient.ts'
import { proxy } from './values/proxy.ts'
import { daemon, poll } from './daemon.ts'
import { oauthClient } from './oauth/client.ts'
import type { OAuthClient } from './oauth/client.ts'
import * as value from './values/values.ts'
import type { RouteRule } from './route.ts'
import type { DestinationConfig } from './destinations/destinations.ts'
import type { ResolvePath } from './values/values.ts'
import type { Conflict, Frozen, Written } from './values/written.ts'

export type { Pattern, When } from './route.ts'
export type { DestinationConfig } from './destinations/destinations.ts'

/** When a delivered message is deleted from the server. Its age counts from the poll that saw it first. */
export type DeletePolicy =
  | { readonly kind: 'never' }
  | { readonly kind: 'after-delivery' }
  | { readonly kind: 'age'; readonly ageMs: number }

/** What the very first poll of an account takes. `default`: nothing was written, which means all (and ERR_FIRST_POLL). */
export type FirstPolicy =
  | { readonly kind: 'default' }
  | { readonly kind: 'all' }
  | { readonly kind: 'new' }
  | { readonly kind: 'last'; readonly count: number }
  | { readonly kind: 'since'; readonly sinceMs: number }

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error'

type AccountKeys = Frozen<Omit<z.output<ReturnType<typeof account>>, 'deliver' | 'route'>>
type TopKeys = Frozen<
  Omit<z.output<ReturnType<typeof top>>, 'accounts' | 'destinations' | 'defaults' | 'oauth' | 'state'>
>

/** `deliver`: names of destinations, in the order written, without duplicates; also in each rule of `route`. */
export type Account = AccountKeys & {
  readonly name: string
  readonly deliver: readonly string[]
  readonly route: readonly RouteRule[]
}

export interface Configuration extends TopKeys {
  /** The file it came from; absolute. */
  readonly file: string
  /** In the order of the file. */
  readonly accounts: readonly Account[]
  /** By name. One written in place has its canonical URL for a name, a group its members (`first-of: a, b`). */
  readonly destinations: ReadonlyMap<string, DestinationConfig>
  /** By name. */
  readonly oauth: ReadonlyMap<string, OAuthClient>
  /** The ledger's file; absolute. */
  readonly statePath: string
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

const FIRST = /^(?:all|new|last:[1-9]\d{0,8}|since:\d{4}-\d\d-\d\d)$/
export const FIRST_WORDS = 'all, new, last:N such as last:100, or since:DATE such as since:2026-11-01'

function firstOf(text: string): FirstPolicy | null {
  if (text === 'all' || text === 'new') return { kind: text }
  if (text.startsWith('since:')) {
    const sinceMs = Date.parse(`${text.slice('since:'.length)}T00:00:00Z`)
    // A day that its month does not have would be another one.
    return sinceText(sinceMs) === text ? { kind: 'since', sinceMs } : null
  }
  return { kind: 'last', count: Number(text.slice('last:'.length)) }
}

/** As it is written. */
export function sinceText(sinceMs: number): string {
  return Number.isNaN(sinceMs) ? '' : `since:${new Date(sinceMs).toISOString().slice(0, 10)}`
}

/** As `first` is written; null: it is none. */
export function parseFirst(text: string): FirstPolicy | null {
  return FIRST.test(text) ? firstOf(text) : null
}

const first = value.parsed(FIRST_WORDS, firstOf, FIRST)

function accountKeys(resolve: ResolvePath) {
  return value.mapping({
    host: value.host.describe('Name or address of the POP3 server; the certificate must be for it'),
    port: value.orNull(value.port).describe('995 with tls: implicit, else 110'),
    tls: z
      .enum(['implicit', 'starttls', 'none'])
      .default('implicit')
      .describe('implicit: from the first byte; starttls: STLS, mandatory; none: unencrypted'),
    tlsName: value.orNull(value.host).describe('Name that the certificate must be for, where it is not host; SNI too'),
    ca: value
      .orNull(value.filePath(resolve))
      .describe('PEM file of the authorities to trust instead of those of the system'),
    pin: value.orNull(value.pin).describe('SHA-256 of the certificate; replaces the checks of chain, name and date'),
    clientCert: value.orNull(value.filePath(resolve)).describe('PEM file of a certificate to sign in with'),
    clientKey: value.orNull(value.filePath(resolve)).describe('PEM file of its key'),
    user: value.wireText('a user name').describe('Name to sign in with'),
    password: value
      .orNull(value.secret(resolve))
      .describe('Text, or where it is to be had; read just before each sign-in'),
    token: value
      .orNull(value.token(resolve))
      .describe(
        'OAuth 2.0 access token instead of a password, or { oauth: NAME }: that of a sign-in (popfetch auth); read again when it is refused or has run out',
      ),
    auth: z
      .enum(['auto', ...PASSWORD_MECHANISMS, ...TOKEN_MECHANISMS])
      .default('auto')
      .describe(
        'How to sign in; auto: the best the server offers, but for cram-md5 and apop; with a token xoauth2 first',
      ),
    deliver: deliver(resolve).describe(
      'Where every message goes; several: to each of them; { first-of: [a, b] }: to b what a refuses',
    ),
    route: route(resolve).default([]).describe('Where some messages go instead: the first rule that fits counts'),
    recipient: value
      .orNull(recipient)
      .describe(
        'Whose mail it is, for a mailbox that collects the mail of a domain: fills {recipient}, {local} and {domain} of destinations',
      ),
    delete: deletion
      .prefault('never')
      .describe('When a delivered message is deleted from the server; an age counts from when it was first seen'),
    first: first
      .default({ kind: 'default' })
      .describe('What the very first poll takes; what it skips is never deleted'),
    limit: value.orNull(value.wholeNumber(1, 1_000_000_000)).describe('Messages in one session'),
    maxSize: value.orNull(value.size(1000)).describe('Larger messages are held back and stay on the server'),
    poll: poll
      .prefault('5m')
      .describe('How often the background process polls; { min, max }: fast after mail came, slower while none does'),
    timeout: value.timeout.prefault('60s').describe('A session without progress for that long is ended'),
    pipelining: z.enum(['auto', 'off']).default('auto').describe('off: one command at a time'),
    proxy: value.orNull(proxy).describe('The way to the server: socks5://host:port or http://host:port (CONNECT)'),
    via: value
      .orNull(value.program(resolve))
      .describe('Program whose standard input and output are the connection to the server; TLS comes on top of it'),
    before: value
      .orNull(value.program(resolve))
      .describe('Program that is run before connecting; if it fails, the account is not polled'),
    after: value
      .orNull(value.program(resolve))
      .describe('Program that is run after a poll, with POPFETCH_OUTCOME, POPFETCH_DELIVERED and others'),
  })
}

/** One account, `defaults` merged into it. Names in `deliver` are not looked up yet. */
export function account(resolve: ResolvePath) {
  return accountKeys(resolve).transform(({ maxSize, timeout, ...written }) => ({
    ...written,
    port: written.port ?? ACCOUNT_PORTS[written.tls],
    maxSizeBytes: maxSize,
    timeoutMs: timeout,
  }))
}

/** The keys that do not go together. Asked even if a key is wrong by itself, so that one report names everything. */
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
    accounts: z.record(z.string(), parts.account, { error: 'a mapping of names to accounts' }),
    destinations: z.record(z.string(), parts.destination, { error: 'a mapping of names to destinations' }).default({}),
    defaults: parts.defaults,
    oauth: z
      .record(z.string(), parts.oauth, { error: 'a mapping of names to clients' })
      .default({})
      .describe('Clients by which popfetch signs in at providers (popfetch auth)'),
    state: value.orNull(value.filePath(resolve)).describe('File of the ledger, which remembers what was delivered'),
    concurrency: value.wholeNumber(1, 10_000).default(64).describe('Accounts polled at once'),
    perHost: value
      .orNull(value.wholeNumber(1, 10_000))
      .describe('Of these at one server; 8 when it is not written, without a limit for this machine itself'),
    daemon: daemon.describe('What the background process serves, and whom it tells of trouble'),
    log: value
      .mapping({
        file: value.orNull(value.filePath(resolve)),
        level: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
        format: value
          .orNull(z.enum(['json', 'text']))
          .describe('json, or text for people; without it text on a terminal, json elsewhere'),
      })
      .default({ file: null, level: 'info', format: null }),
  })
}

/** The JSON Schema (draft 2020-12) of the file, for editors. */
export function jsonSchema(): object {
  const asWritten: ResolvePath = (text) => text
  const schema = z.toJSONSchema(
    top(asWritten, {
      // Any key may come from `defaults`, so none is required here.
      account: accountDefaults(asWritten),
      destination: destination(asWritten),
      defaults: accountDefaults(asWritten).optional(),
      oauth: oauthClient(asWritten),
    }),
    { io: 'input', unrepresentable: 'any' },
  )
  return { ...schema, title: 'popfetch configuration', patternProperties: { '^x-': true } }
}
