// Begins TLS with a server, over a connection that is there, or together with one that is made for it. What it proves, and whether that
// is enough, is judged in connection.ts.
import type { TcpNetConnectOpts } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { checkServerIdentity } from '../../server-identity.ts'
import { TlsSessions, type Resumable } from './tls-sessions.ts'
import { nodeTls, secureContext, trustKey, type TlsOptions } from './trust.ts'

export const sessions = new TlsSessions()

export interface TlsStart {
  readonly socket: TLSSocket
  /** What the checks depend on; for `sessions`. */
  readonly key: string
  /** The session that is offered; null: none. */
  readonly resumed: Resumable | null
  /** Those that the server gave so far. */
  readonly tickets: Buffer[]
  /** Resolves after the handshake. Rejects with the socket's error, or when it was closed. */
  readonly shaken: Promise<void>
}

export interface TlsPeer {
  readonly host: string
  readonly port: number
  readonly tls: TlsOptions
}

/** The name, or the number, that the certificate must bear. */
export function certifiedName({ host, tls }: TlsPeer): string {
  return tls.name ?? host
}

/** `isNumber`: what must be certified is an address. Throws ERR_CONFIG for unusable certificates; then nothing was begun. */
export function startTls(
  peer: TlsPeer,
  isNumber: boolean,
  over: { readonly socket: Duplex } | TcpNetConnectOpts,
): TlsStart {
  const { host, port, tls } = peer
  const certified = certifiedName(peer)
  const context = secureContext(tls)
  const key = JSON.stringify([host, port, certified, tls.pin, trustKey(tls)])
  const resumed = sessions.take(key)
  const socket = nodeTls().connect({
    ...over,
    secureContext: context,
    ...(resumed === null ? {} : { session: resumed.session }),
    // A pin replaces chain, name and date checks; it is compared in connection.ts, before anything is sent.
    rejectUnauthorized: tls.pin === null,
    checkServerIdentity: (_, certificate) => checkServerIdentity(certified, certificate),
    ...(isNumber ? { host } : { servername: certified, host }),
  })
  const tickets: Buffer[] = []
  socket.on('session', (ticket: Buffer) => tickets.push(ticket))
  const { promise: shaken, resolve, reject } = Promise.withResolvers<void>()
  socket.once('secureConnect', resolve)
  socket.once('error', reject)
  socket.once('close', () => reject(new Error('the connection was closed')))
  // It may fail before anybody waits for it.
  shaken.catch(() => {})
  return { socket, key, resumed, tickets, shaken }
}
