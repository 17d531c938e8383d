// What an SMTP session is opened with, and what nodemailer is told for it: a connected socket, limits that are not its own,
// and no freedom to go on without what the configuration demands (D050, D072).
import type { Socket } from 'node:net'
import { openingMs, type SmtpLimits } from './smtp/limits.ts'
import { greetingName, type SignIn } from './smtp/capabilities.ts'
import { type Peer, tlsOptions } from './smtp/socket.ts'
import type { Transport, TransportLog, TransportOptions } from './smtp/nodemailer.ts'
import { XOAUTH2, xoauth2 } from './smtp-xoauth2.ts'

export interface SessionOptions {
  readonly peer: Peer
  readonly signIn: SignIn | null
  readonly hostName: string
  readonly limits: SmtpLimits
  readonly create: (options: TransportOptions) => Transport
}

/** Beyond any real reply: a long EHLO has 2 kB. */
const REPLY_BYTES = 64 * 1024

export function transportOptions(
  { peer, hostName, limits }: SessionOptions,
  socket: Socket,
  log: TransportLog,
): TransportOptions {
  return {
    connection: socket,
    host: peer.host,
    port: peer.port,
    name: greetingName(hostName, socket.localAddress),
    secure: peer.tls === 'implicit',
    secured: peer.tls === 'implicit',
    requireTLS: peer.tls === 'starttls',
    ignoreTLS: peer.tls === 'none',
    tls: peer.tls === 'starttls' ? tlsOptions(peer) : {},
    lmtp: peer.protocol === 'lmtp',
    customAuth: { [XOAUTH2]: xoauth2 },
    connectionTimeout: openingMs(limits),
    greetingTimeout: Math.max(limits.greetingMs, limits.tlsMs),
    socketTimeout: limits.greetingMs,
    // Destroy: a connection that is given up must not end politely in the middle of a message.
    socketCloseTimeout: 0,
    maxResponseSize: REPLY_BYTES,
    transactionLog: true,
    logger: log,
  }
}
