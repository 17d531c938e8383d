// The keys of a session and of an envelope, which the kinds that speak to a mail server have.
import * as z from 'zod'
import type { Sender } from '../../../deliver/envelope.ts'
import { parseAddress } from '../../values/address.ts'
import * as value from '../../values/values.ts'

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
