// The socket that nodemailer is given: as network/ makes it, and only to a place where the protocol may be spoken.
import type * as net from 'node:net'
import { dial, isLocal, NetworkFailure, type Peer } from '../network/dial.ts'
import { isPrivate } from '../network/private-network.ts'
import { type Fault, notBegun } from './fault.ts'
import type { SmtpLimits } from './limits.ts'

export interface SmtpPeer extends Peer {
  readonly protocol: 'smtp' | 'lmtp'
  /** What popfetch calls itself in EHLO and LHLO; null: this machine's name. */
  readonly helo: string | null
}

/** Rejects with SmtpFailure. */
export async function dialSmtp(
  peer: SmtpPeer,
  limits: Pick<SmtpLimits, 'connectMs' | 'tlsMs'>,
  signal: AbortSignal,
): Promise<net.Socket> {
  const socket = await dial(peer, limits, signal).catch((error: unknown) => {
    throw error instanceof NetworkFailure ? notBegun(error.step, error.fault, error) : error
  })
  const fault = checkPlace(socket, peer)
  if (fault === null) return socket
  socket.destroy()
  throw notBegun('connect', fault)
}

/** RFC 2033 5: LMTP has no business on a public network, whatever a name turned out to mean (D081, D123). Null: it may be
 *  spoken there. */
export function checkPlace(
  socket: net.Socket,
  peer: Pick<SmtpPeer, 'host' | 'socketPath' | 'protocol' | 'tls'>,
): Fault | null {
  const address = socket.remoteAddress ?? ''
  if (peer.protocol !== 'lmtp' || peer.tls !== 'none' || isLocal(socket, peer) || isPrivate(address)) return null
  const place = `${peer.host} is ${address || 'elsewhere'}, on a public network`
  return { kind: 'public', text: `${place}: LMTP goes there only with tls: starttls or implicit` }
}
