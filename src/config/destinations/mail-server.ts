// What smtp and lmtp have in common. The keys of a session and of an envelope, how they are shown, and what deliver/smtp/
// gets of them.
// The one rule: nothing here lets a secret leave this machine unencrypted.
import * as z from 'zod'
import type { Sender } from '../../deliver/envelope.ts'
import { filledAddress, namesMailbox } from '../../deliver/placeholders.ts'
import { parseAddress } from '../values/address.ts'
import { isLoopback, parseHost } from '../values/host.ts'
import { formatDuration } from '../values/quantity.ts'
import { pem, sourceKeys } from '../values/secret.ts'
import * as value from '../values/values.ts'
import type { SecretSource, TokenSource } from '../values/secret.ts'
import type { Conflict, Written } from '../values/written.ts'
import { secretReader, type Opening, type ParsedUrl } from './kind.ts'
import { wrong } from './url.ts'

export const session = value.once((resolve) => ({
  tls: value
    .orNull(z.enum(['starttls', 'implicit', 'none']))
    .describe('starttls: required; implicit: TLS from the first byte; none: unencrypted, the default for this machine'),
  tlsName: value
    .orNull(value.host)
    .describe('Name that the certificate must be valid for, if it is not host; also sent as SNI'),
  ca: value
    .orNull(value.filePath(resolve))
    .describe('PEM file with the certificate authorities to trust instead of the system’s'),
  pin: value
    .orNull(value.pins)
    .describe('SHA-256 fingerprint of the certificate, or a list of them; replaces the checks of chain, name and date'),
  user: value.orNull(value.wireText('a user name')).describe('User name to sign in with'),
  password: value.orNull(value.secret(resolve)).describe('The password, or where to read it'),
  token: value
    .orNull(value.token(resolve))
    .describe('Access token instead of a password; read again when it is refused'),
  auth: z
    .enum(['auto', 'plain', 'login', 'cram-md5', 'xoauth2', 'oauthbearer'])
    .default('auto')
    .describe('How to sign in; auto picks the best mechanism that the server offers'),
}))

const SENDER = 'a plain mail address, original or null'

/** YAML reads a bare `null` as null. Here both mean the null sender. */
const sender = z.union([z.null(), z.string()], { error: SENDER }).transform((written, context): Sender => {
  if (written === null || written === 'null') return { kind: 'null' }
  if (written === 'original') return { kind: 'original' }
  const address = parseAddress(written)
  if (address !== null) return { kind: 'address', address }
  context.addIssue({ code: 'custom', message: SENDER })
  return z.NEVER
})

export const envelope = {
  from: value.orNull(sender).describe('Envelope sender: an address, original (taken from Return-Path) or null'),
  // Postfix takes 50 connections from one client, most others 10 to 20.
  concurrency: value
    .wholeNumber(1, 50)
    .default(4)
    .describe('Maximum number of messages handed over at the same time; only 1 keeps their order'),
  timeout: value.orNull(value.timeout).describe('Raises the time limits of RFC 5321; never lowers them'),
  bareNewlines: z
    .enum(['fix', 'refuse'])
    .default('fix')
    .describe('A lone CR or LF becomes a line end (fix), or the message is not sent (refuse)'),
  wrap: z
    .enum(['never', 'when-refused'])
    .default('never')
    .describe(
      'when-refused: a message refused for its bytes (8-bit, long lines, NUL), form or author is sent as an attachment',
    ),
}

export function recipients<S extends z.ZodType<string, string>>(recipient: S) {
  return z
    .union([recipient, z.array(recipient).min(1, { error: 'at least one mail address' })], {
      error: 'a mail address or a list of them',
    })
    .transform((to) => (typeof to === 'string' ? [to] : to))
}

/** The keys of a session and an envelope that cannot be combined. `local`: the server is this machine. `usualTls`: where none is
 *  written. */
export function serverConflicts(
  written: Written,
  local: boolean,
  usualTls: 'none' | 'starttls' = local ? 'none' : 'starttls',
): readonly Conflict[] {
  const { user, password, token, to, from, auth, host } = written
  const tls = written['tls'] ?? usualTls
  const conflicts: Conflict[] = []
  const secret = token === undefined ? 'password' : 'token'
  if (user !== undefined && password === undefined && token === undefined) {
    conflicts.push({ key: 'user', expected: 'a password with it, or a token' })
  }
  if (written[secret] !== undefined && user === undefined) conflicts.push({ key: secret, expected: 'a user with it' })
  if (token !== undefined && password !== undefined) conflicts.push({ key: 'token', expected: 'no password beside it' })
  if (auth !== undefined && user === undefined) {
    conflicts.push({ key: 'auth', expected: 'a user and a password with it' })
  } else if (isForToken(auth) && token === undefined) {
    conflicts.push({ key: 'auth', expected: `a token with ${auth}` })
  } else if (token !== undefined && auth !== undefined && auth !== 'auto' && !isForToken(auth)) {
    conflicts.push({ key: 'auth', expected: 'xoauth2 or oauthbearer with a token' })
  }
  if (written[secret] !== undefined && tls === 'none' && typeof host === 'string' && !local) {
    conflicts.push({
      key: 'tls',
      expected: 'starttls or implicit: a password goes without TLS only to this machine itself',
    })
  }
  for (const key of ['tlsName', 'ca', 'pin']) {
    if (written[key] !== undefined && tls === 'none') {
      conflicts.push({ key, expected: 'no such key with tls: none, where no certificate is seen' })
    }
  }
  if (typeof from === 'string' && namesMailbox(from)) {
    conflicts.push({ key: 'from', expected: 'an address; in braces only {account}' })
  }
  if (Array.isArray(to) && new Set(to).size !== to.length) conflicts.push({ key: 'to', expected: 'every address once' })
  return conflicts
}

function isForToken(auth: unknown): auth is 'xoauth2' | 'oauthbearer' {
  return auth === 'xoauth2' || auth === 'oauthbearer'
}

export function isThisMachine(host: unknown): boolean {
  return typeof host === 'string' && isLoopback(parseHost(host) ?? '')
}

/** The keys of a server's URL together with `keys`, its recipients as a list. */
export function withRecipients(server: ParsedUrl, keys: { readonly type: string; readonly tls?: string }): ParsedUrl {
  if (server.kind === 'wrong') return server
  const { to, ...written } = server.written
  if (typeof to !== 'string') return wrong('a recipient: ?to=ADDRESS')
  return { kind: 'written', written: { ...written, ...keys, to: to.split(',') } }
}

/** The recipients as they stand in a URL. */
export function recipientsText(to: readonly string[]): string {
  return to.map((address) => address.replace(/[%&]/g, encodeURIComponent)).join(',')
}

/** What the schemas of both make of their keys. */
interface ServerKeys {
  readonly pin: readonly string[] | null
  readonly password: SecretSource | null
  readonly token: TokenSource | null
  readonly auth: 'auto' | 'plain' | 'login' | 'cram-md5' | 'xoauth2' | 'oauthbearer'
  readonly ca: string | null
  readonly from: Sender
  readonly to: readonly string[]
  readonly timeoutMs: number | null
}

export function shownServer<Keys extends ServerKeys>({ timeoutMs, ...keys }: Keys) {
  const { pin, password, token, from } = keys
  return {
    ...keys,
    pin: value.pinKeys(pin),
    password: sourceKeys(password),
    token: sourceKeys(token),
    from: from.kind === 'address' ? from.address : from.kind,
    timeout: timeoutMs === null ? null : formatDuration(timeoutMs),
  }
}

/** The addresses in which placeholders may stand. */
export function addresses({ to, from }: ServerKeys): readonly string[] {
  return from.kind === 'address' ? [...to, from.address] : to
}

/** The settings that are the same for both: the account's name filled in, the certificate read. */
export async function serverSettings<
  Keys extends ServerKeys & { readonly name: string; readonly type: string; readonly user: string | null },
>(config: Keys, opening: Opening) {
  const { from, to, ca, token, auth } = config
  return {
    ...config,
    auth: token !== null && auth === 'auto' ? ('token' as const) : auth,
    from: from.kind === 'address' ? { ...from, address: filledAddress(from.address, opening) } : from,
    to: to.map((address) => filledAddress(address, opening)),
    ca: ca === null ? null : await pem(ca),
    secret: secretReader(config, opening),
  }
}
