// A folder of an IMAP server. How it delivers is in deliver/imap/.
// The one rule: nothing here lets a secret leave this machine unencrypted.
import * as z from 'zod'
import { filledLabel } from '../../deliver/gmail/labels.ts'
import { filledName } from '../../deliver/placeholders.ts'
import { isLoopback } from '../values/host.ts'
import { formatDuration, formatSize } from '../values/quantity.ts'
import { keyOfConfiguration, pem, sourceKeys } from '../values/secret.ts'
import * as value from '../values/values.ts'
import type { Conflict, Written } from '../values/written.ts'
import { common, kind, plain, secretReader } from './kind.ts'
import { isThisMachine, serverConflicts, session } from './mail-server.ts'
import { cut, decode, parseServer, serverText, wrong } from './url.ts'

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

const schema = value.once((resolve) => {
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
      const actual = written.tls ?? usualTls(written.host)
      return { ...written, tls: actual, port: written.port ?? PORTS[actual], timeoutMs: timeout }
    })
})

function usualTls(host: string): 'none' | 'implicit' {
  return isLoopback(host) ? 'none' : 'implicit'
}

function conflicts(written: Written): readonly Conflict[] {
  const { tls, host } = written
  const usual = typeof host === 'string' && isThisMachine(host) ? 'none' : 'implicit'
  const found = serverConflicts({ ...written, tls: tls ?? usual }, isThisMachine(host))
  const { token, auth } = written
  if (token !== undefined && auth !== undefined && auth !== 'auto') {
    return [...found.filter(({ key }) => key !== 'auth'), { key: 'auth', expected: 'no such key with a token' }]
  }
  return found
}

export const imap = kind({
  ...plain,
  schema,
  url: {
    schemes: ['imap', 'imaps'],
    forms: ['imaps://user@host[:port][/FOLDER]', 'imap://…'],
    read(scheme, rest, forms) {
      const [address, query] = cut(rest, '?')
      const parts = /^(\/\/[^/]*)(?:\/(.*))?$/s.exec(address)
      if (parts === null) return wrong(forms)
      const [, server = '', encoded = ''] = parts
      const named = decode(encoded)
      if (named === null) return wrong('a percent sign in a folder as %25')
      const tail = query === '' ? '' : `?${query}`
      const parsed = parseServer(`${server}${tail}`, scheme === 'imaps' ? [] : ['tls'], forms)
      if (parsed.kind === 'wrong') return parsed
      if (parsed.written['user'] === undefined) return wrong('a user: imaps://user@host')
      const local = isThisMachine(parsed.written['host'])
      const tls = scheme === 'imaps' ? 'implicit' : local ? 'none' : 'starttls'
      const written = { type: 'imap', tls, ...parsed.written, ...(named === '' ? {} : { folder: named }) }
      return { kind: 'written', written }
    },
  },
  usualName: 'imap',
  conflicts,
  showsWhatItHas: ({ trace }) => trace,
  provesDelivery: ({ trace }) => trace,
  canonicalUrl(keys) {
    const { host, tls, folder: name } = keys
    const implicit = tls === 'implicit'
    const usual = isLoopback(host) ? 'none' : 'starttls'
    const path = name === 'INBOX' ? '' : `/${name.replace(/[%?]/g, encodeURIComponent)}`
    return `${implicit ? 'imaps' : 'imap'}:${serverText(keys)}${path}${implicit || tls === usual ? '' : `?tls=${tls}`}`
  },
  show({ timeoutMs, maxSize, ...keys }) {
    return {
      ...keys,
      pin: value.pinKeys(keys.pin),
      password: sourceKeys(keys.password),
      token: sourceKeys(keys.token),
      timeout: timeoutMs === null ? null : formatDuration(timeoutMs),
      maxSize: formatSize(maxSize),
    }
  },
  accountTexts: ({ folder: name, labels }) => [name, ...labels],
  unencryptedTo: ({ host, tls }) => (tls === 'none' && !isLoopback(host) ? host : null),
  async settings(config, opening) {
    const { host, port, ca, token, labels } = config
    const { account, mailbox } = opening
    const name = filledName(config.folder, opening)
    const { tls, tlsName, pin, user, password, auth, concurrency, timeoutMs } = config
    const session = [host, port, tls, tlsName, ca, pin, user, password, token, auth, concurrency, timeoutMs]
    return {
      ...config,
      filling: { account, mailbox },
      labels: labels.map((text) => filledLabel(text, opening)),
      ca: ca === null ? null : await pem(ca),
      secret: secretReader(config, opening),
      byToken: token !== null,
      sharing: keyOfConfiguration(session),
      description: `imap ${host}:${port} ${name}`,
    }
  },
})
