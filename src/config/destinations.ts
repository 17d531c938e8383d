// The kinds of destination that can be configured, with their keys and defaults. How each delivers is in deliver/.
// A new kind is a function that makes its schema and one line in `destinationSchemas`.
import * as z from 'zod'
import { isAddress } from '../deliver/envelope.ts'
import type { Sender } from '../deliver/envelope.ts'
import { isLoopback, parseHost } from './host.ts'
import * as value from './values.ts'
import type { Conflict, Frozen, Written } from './written.ts'
import type { ResolvePath } from './values.ts'

export type MaildirConfig = Frozen<z.output<ReturnType<typeof maildir>>> & { readonly name: string }
export type SmtpConfig = Frozen<z.output<ReturnType<typeof smtp>>> & { readonly name: string }
/** As parsed: without a name. */
export type DestinationKeys = z.output<ReturnType<typeof destination>>
export type DestinationConfig = MaildirConfig | SmtpConfig

/** One schema for all kinds; `type` tells them apart. */
export function destination(resolve: ResolvePath) {
  return z.discriminatedUnion('type', [maildir(resolve), smtp(resolve)], {
    error: 'a mapping with a type',
  })
}

const common = {
  trace: value.flag.default(true).describe('Puts a Received field on top of each message'),
  label: value.flag.default(false).describe('Adds X-Popfetch-Account: NAME'),
}

function maildir(resolve: ResolvePath) {
  return value.mapping({
    type: z.literal('maildir'),
    path: value.accountPath(resolve).describe('Directory; {account} stands for the name of the account'),
    create: value.flag.default(true).describe('Missing directories are made'),
    lineEndings: z
      .enum(['lf', 'crlf'])
      .default('lf')
      .describe('As most programs expect in files (lf), or as mail travels (crlf)'),
    mode: value.fileMode.prefault('0600').describe('Permissions of a message: four octal digits'),
    date: z
      .enum(['received', 'now'])
      .default('received')
      .describe('Time of the file: when the message was received, or now'),
    ...common,
  })
}

const SMTP_PORTS = { starttls: 587, implicit: 465, none: 25 } as const

function smtp(resolve: ResolvePath) {
  return value
    .mapping({
      type: z.literal('smtp'),
      host: value.host.describe('Name or address of the SMTP server'),
      port: value.orNull(value.port).describe('587 with tls: starttls, 465 with implicit, 25 with none'),
      tls: value
        .orNull(z.enum(['starttls', 'implicit', 'none']))
        .describe('starttls, mandatory; implicit: from the first byte; none: the default for this machine itself'),
      ca: value
        .orNull(value.filePath(resolve))
        .describe('PEM file of the authorities to trust instead of those of the system'),
      pin: value.orNull(value.pin).describe('SHA-256 of the certificate; replaces the checks of chain, name and date'),
      user: value.orNull(value.wireText('a user name')).describe('Name to sign in with'),
      password: value.orNull(value.secret(resolve)).describe('Text, or where it is to be had'),
      auth: z
        .enum(['auto', 'plain', 'login', 'cram-md5'])
        .default('auto')
        .describe('How to sign in; auto: the best the server offers'),
      to: recipients.describe('Recipients; {account} stands for the name of the account'),
      from: value.orNull(sender).describe('Envelope sender: an address, original (from Return-Path) or null'),
      // Postfix takes 50 connections from one client, most others 10 to 20.
      concurrency: value
        .wholeNumber(1, 50)
        .default(4)
        .describe('Messages handed over at once; their order is kept only with 1'),
      timeout: value.orNull(value.timeout).describe('Raises the time limits of RFC 5321, never lowers them'),
      ...common,
    })
    .transform(({ timeout, ...written }) => {
      const { host, user, to } = written
      const tls = written.tls ?? (isLoopback(host) ? 'none' : 'starttls')
      const address = user !== null && isAddress(user) ? user : (to[0] ?? '')
      const usual: Sender = isLoopback(host) ? { kind: 'original' } : { kind: 'address', address }
      return { ...written, tls, port: written.port ?? SMTP_PORTS[tls], from: written.from ?? usual, timeoutMs: timeout }
    })
}

const recipients = z
  .union([value.recipient, z.array(value.recipient).min(1, { error: 'at least one mail address' })], {
    error: 'a mail address or a list of them',
  })
  .transform((to) => (typeof to === 'string' ? [to] : to))

const SENDER = 'a plain mail address, original or null'

/** YAML reads a bare `null` as null, and means the same by it here. */
const sender = z.union([z.null(), z.string()], { error: SENDER }).transform((written, context): Sender => {
  if (written === null || written === 'null') return { kind: 'null' }
  if (written === 'original') return { kind: 'original' }
  if (isAddress(written)) return { kind: 'address', address: written }
  context.addIssue({ code: 'custom', message: SENDER })
  return z.NEVER
})

/** What no key can say alone; asked whether or not each is right by itself, so that one report names everything. */
export function destinationConflicts(written: Written): readonly Conflict[] {
  const conflicts: Conflict[] = []
  if (written['type'] !== 'smtp') return conflicts
  const { user, password, to, auth, host } = written
  const loopback = typeof host === 'string' && isLoopback(parseHost(host) ?? '')
  const tls = written['tls'] ?? (loopback ? 'none' : 'starttls')
  if (user !== undefined && password === undefined) conflicts.push({ key: 'user', expected: 'a password with it' })
  if (password !== undefined && user === undefined) conflicts.push({ key: 'password', expected: 'a user with it' })
  if (auth !== undefined && user === undefined)
    conflicts.push({ key: 'auth', expected: 'a user and a password with it' })
  if (password !== undefined && tls === 'none' && typeof host === 'string' && !loopback) {
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
