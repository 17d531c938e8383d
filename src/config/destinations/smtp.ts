// The keys of smtp and lmtp destinations, and what the two have in common. How they deliver is in deliver/smtp.ts.
// The one rule: nothing here lets a secret or LMTP leave this machine unencrypted.
import * as z from 'zod'
import { isUtf8Address } from '../../deliver/address.ts'
import type { Sender } from '../../deliver/envelope.ts'
import { parseAddress } from '../values/address.ts'
import { common } from './kind.ts'
import { isLoopback, parseHost } from '../values/host.ts'
import * as value from '../values/values.ts'
import type { ResolvePath } from '../values/values.ts'
import type { Conflict, Written } from '../values/written.ts'

const SMTP_PORTS = { starttls: 587, implicit: 465, none: 25 } as const
/** RFC 2033 leaves it open and forbids 25; 24 is what IANA has for private mail systems. */
const LMTP_PORT = 24

export function smtp(resolve: ResolvePath) {
  return value
    .mapping({
      type: z.literal('smtp'),
      host: value.host.describe('Name or address of the SMTP server'),
      port: value.orNull(value.port).describe('587 with tls: starttls, 465 with implicit, 25 with none'),
      ...session(resolve),
      to: list(value.recipient).describe('Recipients; {account} stands for the name of the account'),
      ...envelope,
      ...common,
    })
    .transform(({ timeout, ...written }) => {
      const { host, user, to, token } = written
      const tls = written.tls ?? (isLoopback(host) ? 'none' : 'starttls')
      const address = user !== null && isUtf8Address(user) ? user : (to[0] ?? '')
      const usual: Sender = isLoopback(host) ? { kind: 'original' } : { kind: 'address', address }
      return {
        ...written,
        tls,
        port: written.port ?? SMTP_PORTS[tls],
        auth: token === null ? written.auth : ('xoauth2' as const),
        from: written.from ?? usual,
        timeoutMs: timeout,
      }
    })
}

export function lmtp(resolve: ResolvePath) {
  return value
    .mapping({
      type: z.literal('lmtp'),
      host: value.orNull(value.host).describe('This machine itself, such as 127.0.0.1; or a socket'),
      port: value.orNull(value.port).describe(`${LMTP_PORT} with host`),
      socket: value.orNull(value.filePath(resolve)).describe('Unix socket of the LMTP server'),
      ...session(resolve),
      to: list(value.localRecipient).describe(
        'Recipients, with or without a domain; {account} stands for the name of the account',
      ),
      ...envelope,
      ...common,
    })
    .transform(({ timeout, socket, ...written }) => ({
      ...written,
      socketPath: socket,
      tls: written.tls ?? ('none' as const),
      port: written.host === null ? null : (written.port ?? LMTP_PORT),
      auth: written.token === null ? written.auth : ('xoauth2' as const),
      from: written.from ?? ({ kind: 'original' } satisfies Sender),
      timeoutMs: timeout,
    }))
}

const session = value.once((resolve) => ({
  tls: value
    .orNull(z.enum(['starttls', 'implicit', 'none']))
    .describe('starttls, mandatory; implicit: from the first byte; none: the default for this machine itself'),
  ca: value
    .orNull(value.filePath(resolve))
    .describe('PEM file of the authorities to trust instead of those of the system'),
  pin: value.orNull(value.pin).describe('SHA-256 of the certificate; replaces the checks of chain, name and date'),
  user: value.orNull(value.wireText('a user name')).describe('Name to sign in with'),
  password: value.orNull(value.secret(resolve)).describe('Text, or where it is to be had'),
  token: value
    .orNull(value.secret(resolve))
    .describe('Access token of xoauth2 instead of a password; asked for again when it is refused'),
  auth: z
    .enum(['auto', 'plain', 'login', 'cram-md5', 'xoauth2'])
    .default('auto')
    .describe('How to sign in; auto: the best the server offers, with a token xoauth2'),
}))

const SENDER = 'a plain mail address, original or null'

/** YAML reads a bare `null` as null, and means the same by it here. */
const sender = z.union([z.null(), z.string()], { error: SENDER }).transform((written, context): Sender => {
  if (written === null || written === 'null') return { kind: 'null' }
  if (written === 'original') return { kind: 'original' }
  const address = parseAddress(written)
  if (address !== null) return { kind: 'address', address }
  context.addIssue({ code: 'custom', message: SENDER })
  return z.NEVER
})

const envelope = {
  from: value.orNull(sender).describe('Envelope sender: an address, original (from Return-Path) or null'),
  // Postfix takes 50 connections from one client, most others 10 to 20.
  concurrency: value
    .wholeNumber(1, 50)
    .default(4)
    .describe('Messages handed over at once; their order is kept only with 1'),
  timeout: value.orNull(value.timeout).describe('Raises the time limits of RFC 5321, never lowers them'),
  bareNewlines: z
    .enum(['fix', 'refuse'])
    .default('fix')
    .describe('A CR or LF that stands alone: made a line end (fix), or such a message is not sent (refuse)'),
  wrap: z
    .enum(['never', 'when-refused'])
    .default('never')
    .describe(
      'when-refused: a message that the server refuses for its bytes (8-bit, long lines, NUL) is sent as an attachment',
    ),
}

function list<S extends z.ZodType<string, string>>(recipient: S) {
  return z
    .union([recipient, z.array(recipient).min(1, { error: 'at least one mail address' })], {
      error: 'a mail address or a list of them',
    })
    .transform((to) => (typeof to === 'string' ? [to] : to))
}

/** What no key can say alone; asked whether or not each is right by itself, so that one report names everything. */
export function smtpConflicts(written: Written): readonly Conflict[] {
  const { user, password, token, to, auth, host, socket, type } = written
  const local = socket !== undefined || type === 'lmtp' || isThisMachine(host)
  const tls = written['tls'] ?? (local ? 'none' : 'starttls')
  const conflicts: Conflict[] = type === 'lmtp' ? [...lmtpConflicts(written)] : []
  const secret = token === undefined ? 'password' : 'token'
  if (user !== undefined && password === undefined && token === undefined) {
    conflicts.push({ key: 'user', expected: 'a password with it, or a token' })
  }
  if (written[secret] !== undefined && user === undefined) conflicts.push({ key: secret, expected: 'a user with it' })
  if (token !== undefined && password !== undefined) conflicts.push({ key: 'token', expected: 'no password beside it' })
  if (auth !== undefined && user === undefined) {
    conflicts.push({ key: 'auth', expected: 'a user and a password with it' })
  } else if (auth === 'xoauth2' && token === undefined) {
    conflicts.push({ key: 'auth', expected: 'a token with xoauth2' })
  } else if (token !== undefined && auth !== undefined && auth !== 'auto' && auth !== 'xoauth2') {
    conflicts.push({ key: 'auth', expected: 'xoauth2 with a token' })
  }
  if (written[secret] !== undefined && tls === 'none' && typeof host === 'string' && !local) {
    conflicts.push({
      key: 'tls',
      expected: 'starttls or implicit: a password goes without TLS only to this machine itself',
    })
  }
  for (const key of ['ca', 'pin']) {
    if (written[key] !== undefined && tls === 'none') {
      conflicts.push({ key, expected: 'no such key with tls: none, where no certificate is seen' })
    }
  }
  if (Array.isArray(to) && new Set(to).size !== to.length) conflicts.push({ key: 'to', expected: 'every address once' })
  return conflicts
}

/** RFC 2033 5 and 6: not over a network, and never at port 25 (D081). */
function lmtpConflicts(written: Written): readonly Conflict[] {
  const { host, socket, port, tls } = written
  if (socket === undefined) {
    const wrong: Conflict[] = []
    if (host === undefined) wrong.push({ key: 'socket', expected: 'the path of a Unix socket, or a host' })
    else if (!isThisMachine(host)) {
      wrong.push({ key: 'host', expected: 'this machine itself (LMTP is not for networks): use smtp instead' })
    }
    if (port === 25) wrong.push({ key: 'port', expected: 'any but 25, which is for SMTP' })
    return wrong
  }
  return ['host', 'port', 'tls', 'ca', 'pin']
    .filter((key) => written[key] !== undefined && !(key === 'tls' && tls === 'none'))
    .map((key) => ({ key, expected: 'no such key beside a socket' }))
}

function isThisMachine(host: unknown): boolean {
  return typeof host === 'string' && isLoopback(parseHost(host) ?? '')
}
