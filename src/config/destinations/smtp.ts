// An SMTP server, to which messages are forwarded. How it delivers is in deliver/smtp/.
import { isIP } from 'node:net'
import * as z from 'zod'
import { isUtf8Address } from '../../deliver/address.ts'
import type { Sender } from '../../deliver/envelope.ts'
import { serverPlace } from '../../deliver/index.ts'
import { isLoopback, parseHost } from '../values/host.ts'
import { formatRate, parseRate } from '../values/quantity.ts'
import * as value from '../values/values.ts'
import { common, kind, plain } from './kind.ts'
import {
  addresses,
  envelope,
  isThisMachine,
  recipients,
  recipientsText,
  serverConflicts,
  serverSettings,
  session,
  shownServer,
  withRecipients,
} from './mail-server.ts'
import { parseServer, serverText } from './url.ts'

const PORTS = { starttls: 587, implicit: 465, none: 25 } as const

/** An address would have to be a literal, which popfetch says where nothing is written. */
const name = value.parsed('a host name', (text) => (isIP(text.replace(/^\[|\]$/g, '')) === 0 ? parseHost(text) : null))

const RATE = 'a rate such as 30/m, 200/h or 500/d'
const rate = value.parsed(RATE, parseRate)

const schema = value.once((resolve) =>
  value
    .mapping({
      type: z.literal('smtp'),
      host: value.host.describe('Name or address of the SMTP server'),
      port: value
        .orNull(value.port)
        .describe('Port; by default 587 with tls: starttls, 465 with implicit, 25 with none'),
      ...session(resolve),
      to: recipients(value.recipient).describe('Recipients; may contain {account}, {recipient}, {local} and {domain}'),
      ...envelope,
      deliveredTo: z
        .enum(['rename', 'keep', 'hold'])
        .default('rename')
        .describe(
          'A Delivered-To field that names the recipient looks like a loop to many servers: rename it to X-Delivered-To, keep it, or hold the message',
        ),
      rate: value
        .orNull(
          z
            .union([rate, z.array(rate).min(1, { error: RATE }).max(5, { error: 'at most 5 rates' })], {
              error: `${RATE}, or a list of them`,
            })
            .transform((rates) => ('perMs' in rates ? [rates] : rates)),
        )
        .describe(
          'Maximum rate of messages, such as 30/m, 200/h, 500/d or a list of them; counted over all accounts and runs. The rest waits for a later poll',
        ),
      helo: value.orNull(name).describe('Name to use in EHLO; by default the host name'),
      ...common,
    })
    .transform(({ timeout, ...written }) => {
      const { host, user, to } = written
      const tls = written.tls ?? usualTls(host)
      const address = user !== null && isUtf8Address(user) ? user : (to[0] ?? '')
      const usual: Sender = isLoopback(host) ? { kind: 'original' } : { kind: 'address', address }
      return {
        ...written,
        tls,
        port: written.port ?? PORTS[tls],
        from: written.from ?? usual,
        timeoutMs: timeout,
      }
    }),
)

function usualTls(host: string): 'none' | 'starttls' {
  return isLoopback(host) ? 'none' : 'starttls'
}

export const smtp = kind({
  ...plain,
  schema,
  url: {
    schemes: ['smtp', 'smtps'],
    forms: ['smtp://[user@]host[:port]?to=ADDRESS', 'smtps://…'],
    read(scheme, rest, forms) {
      const implicit = scheme === 'smtps'
      const server = parseServer(rest, implicit ? ['to'] : ['to', 'tls'], forms)
      return withRecipients(server, { type: 'smtp', ...(implicit ? { tls: 'implicit' } : {}) })
    },
  },
  usualName: 'smtp',
  conflicts: (written) => serverConflicts(written, isThisMachine(written['host'])),
  canonicalUrl(keys) {
    const { host, tls } = keys
    const implicit = tls === 'implicit'
    const unusual = implicit || tls === usualTls(host) ? '' : `&tls=${tls}`
    return `${implicit ? 'smtps' : 'smtp'}:${serverText(keys)}?to=${recipientsText(keys.to)}${unusual}`
  },
  show({ rate: rates, ...keys }) {
    const shown = rates?.map(formatRate) ?? null
    return { ...shownServer(keys), rate: shown?.length === 1 ? shown[0] : shown }
  },
  pace: ({ host, port, user, rate: rates }) =>
    rates === null ? null : { place: serverPlace({ type: 'smtp', host, port, socketPath: null, user }), rates },
  accountTexts: addresses,
  accepts: isUtf8Address,
  recipients: ({ to }) => to,
  unencryptedTo: ({ host, tls }) => (tls === 'none' && !isLoopback(host) ? host : null),
  async settings(config, opening) {
    const description = `smtp ${config.host}:${config.port}`
    return { ...(await serverSettings(config, opening)), protocol: 'smtp', socketPath: null, description }
  },
})
