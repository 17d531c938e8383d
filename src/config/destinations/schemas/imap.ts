// The keys of a folder of an IMAP server.
import * as z from 'zod'
import { usualTls } from '../../values/host.ts'
import * as value from '../../values/values.ts'
import type { Frozen } from '../../values/written.ts'
import { common } from './common.ts'
import { session } from './mail-server.ts'

const PORTS = { implicit: 993, starttls: 143, none: 143 } as const

/** RFC 3501 has no length; servers have file names. */
const folder = value.placeText('the name of a folder, or a special use such as \\Junk', /^(?!\/*$)[^\r\n\0]{1,500}$/)
const label = value.placeText('the name of a label', /^[^\r\n\0]{1,225}$/)
/** RFC 9051 2.3.2: \Recent is the server's own, and there are no others with a backslash. */
const FLAG = /^(?:\\(?:seen|answered|flagged|deleted|draft)|[a-z$][a-z0-9$_.-]{0,60})$/i
const flagName = value.parsed(
  'a flag such as \\Seen or $Junk',
  (text) => (FLAG.test(text) ? text : null),
  /^\\?[A-Za-z$][A-Za-z0-9$_.-]{0,60}$/,
)

export const imap = value.once((resolve) => {
  const { tls, auth: _, user: _user, ...keys } = session(resolve)
  return value
    .mapping({
      type: z.literal('imap'),
      host: value.host.describe('Name or address of the IMAP server'),
      port: value.orNull(value.port).describe('Port; by default 993 with tls: implicit, otherwise 143'),
      tls,
      ...keys,
      user: value.wireText('a user name').describe('User name to sign in with'),
      auth: z
        .enum(['auto', 'plain', 'login'])
        .default('auto')
        .describe('How to sign in with a password; a token uses OAUTHBEARER or XOAUTH2, as offered'),
      folder: folder
        .prefault('INBOX')
        .describe(
          'Folder name, or a special use such as \\Junk; may contain {account}, {recipient}, {local} and {domain}',
        ),
      create: value.flag.default(true).describe('Create and subscribe a missing folder'),
      flags: z
        .array(flagName, { error: 'a list of flags' })
        .default([])
        .describe('Flags to set, such as \\Seen, if the folder keeps them'),
      labels: z
        .array(label, { error: 'a list of labels' })
        .default([])
        .describe(
          'Labels to set, if the server has them (Gmail); may contain {account}, {recipient}, {local} and {domain}',
        ),
      date: z
        .enum(['received', 'now'])
        .default('received')
        .describe('Date of the message: when it was received, or the time of delivery'),
      concurrency: value
        .wholeNumber(1, 10)
        .default(2)
        .describe('Maximum number of messages handed over at the same time; only 1 keeps their order'),
      timeout: value.orNull(value.timeout).describe('Raises the usual time limits; never lowers them'),
      maxSize: value
        .size(1000)
        .prefault('50MB')
        .describe('Larger messages are refused; each is held in memory as a whole'),
      ...common,
    })
    .transform(({ timeout, ...written }) => {
      const actual = written.tls ?? usualTls(written.host, 'implicit')
      return { ...written, tls: actual, port: written.port ?? PORTS[actual], timeoutMs: timeout }
    })
})

export type ImapKeys = Frozen<z.output<ReturnType<typeof imap>>>
