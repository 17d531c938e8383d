// The keys of a mail server that takes messages by LMTP.
import * as z from 'zod'
import type { Sender } from '../../../deliver/envelope.ts'
import * as value from '../../values/values.ts'
import type { Frozen } from '../../values/written.ts'
import { common } from './common.ts'
import { envelope, recipients, session } from './mail-server.ts'

/** RFC 2033 leaves it open and forbids 25; 24 is what IANA has for private mail systems. */
const PORT = 24

export const lmtp = value.once((resolve) =>
  value
    .mapping({
      type: z.literal('lmtp'),
      host: value
        .orNull(value.host)
        .describe('This machine, a host in a private network or, with tls, any host; or use socket'),
      port: value.orNull(value.port).describe(`Port; by default ${PORT} with host`),
      socket: value.orNull(value.filePath(resolve)).describe('Unix socket of the LMTP server'),
      ...session(resolve),
      to: recipients(value.localRecipient).describe(
        'Recipients, with or without a domain; may contain {account}, {recipient}, {local} and {domain}',
      ),
      ...envelope,
      ...common,
    })
    .transform(({ timeout, socket, ...written }) => ({
      ...written,
      socketPath: socket,
      tls: written.tls ?? ('none' as const),
      port: written.host === null ? null : (written.port ?? PORT),
      from: written.from ?? ({ kind: 'original' } satisfies Sender),
      timeoutMs: timeout,
    })),
)

export type LmtpKeys = Frozen<z.output<ReturnType<typeof lmtp>>>
