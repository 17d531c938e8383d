// The keys of an SMTP server.
import { isIP } from 'node:net'
import * as z from 'zod'
import { isUtf8Address } from '../../../deliver/address.ts'
import type { Sender } from '../../../deliver/envelope.ts'
import { isLoopback, parseHost, usualTls } from '../../values/host.ts'
import { parseRate } from '../../values/quantity.ts'
import * as value from '../../values/values.ts'
import type { Frozen } from '../../values/written.ts'
import { common } from './common.ts'
import { envelope, recipients, session } from './mail-server.ts'

const PORTS = { starttls: 587, implicit: 465, none: 25 } as const

/** An address would have to be a literal, which popfetch says where nothing is written. */
const name = value.parsed('a host name', (text) => (isIP(text.replace(/^\[|\]$/g, '')) === 0 ? parseHost(text) : null))

const RATE = 'a rate such as 30/m, 200/h or 500/d'
const rate = value.parsed(RATE, parseRate)

export const smtp = value.once((resolve) =>
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
      const tls = written.tls ?? usualTls(host, 'starttls')
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

export type SmtpKeys = Frozen<z.output<ReturnType<typeof smtp>>>
