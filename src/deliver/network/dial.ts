// TCP and TLS to a mail server, for smtp/ and imap/: their libraries are given a connected socket. Their own resolvers and caches are
// not used, so that /etc/hosts and changed addresses count (P002). The rule: a peer is verified before a secret or a message goes.
import * as net from 'node:net'
import * as tls from 'node:tls'
import { display } from '../../display.ts'
import { certificateReason, networkReason } from '../../pop3/network/network-error.ts'
import { isPinned, notPinned } from '../../pop3/network/pin.ts'
import { type TlsFacts, tlsFactsOf } from '../../pop3/network/tls-facts.ts'
import { checkServerIdentity } from '../../server-identity.ts'

export interface Peer {
  readonly host: string
  readonly port: number
  /** A Unix socket, which takes the place of host and port; null: TCP. */
  readonly socketPath: string | null
  readonly tls: 'starttls' | 'implicit' | 'none'
  /** PEM of the only authorities to trust; null: the system's and Node's own. */
  readonly ca: Buffer | string | null
  /** SHA-256 of leaf certificates, 64 hexadecimal digits: any of them is right. Replaces chain, name and date checks. */
  readonly pin: readonly string[] | null
  /** The name that the certificate must bear, and SNI; null: `host`. */
  readonly tlsName: string | null
}

export interface NetworkFault {
  /** `unfit`: its certificate is not the one, or it speaks no TLS. `permission`: the system does not let us. */
  readonly kind: 'cut' | 'timeout' | 'unfit' | 'permission' | 'stopped'
  readonly text: string
  /** What to do, if its certificate is not the pinned one. */
  readonly next?: string
  /** That certificate. */
  readonly facts?: TlsFacts | null
}

/** We do not go on with it. */
export interface UnfitFault extends NetworkFault {
  readonly kind: 'unfit'
}

/** A certificate that is not a pinned one, as a cause. */
export class OtherLeaf extends Error {
  readonly facts: TlsFacts | null
  readonly fault: UnfitFault

  constructor(fault: UnfitFault) {
    super(fault.text)
    this.facts = fault.facts ?? null
    this.fault = fault
  }
}

/** There is no connection. */
export class NetworkFailure extends Error {
  readonly step: 'connect' | 'TLS'
  readonly fault: NetworkFault

  constructor(step: 'connect' | 'TLS', fault: NetworkFault, cause?: unknown) {
    super(`${step}: ${fault.text}`, { cause })
    this.step = step
    this.fault = fault
  }
}

/** How long one address may take before the next is tried; Node's own 250 ms aborts slow links. */
const ADDRESS_ATTEMPT_MS = 3_000

/** A connected socket, with TLS where it comes first; nothing was read from it. Rejects with NetworkFailure. */
export async function dial(
  peer: Peer,
  limits: { readonly connectMs: number; readonly tlsMs: number },
  signal: AbortSignal,
): Promise<net.Socket> {
  const tcp = {
    host: peer.host,
    port: peer.port,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS,
  }
  const address = peer.socketPath === null ? tcp : { path: peer.socketPath }
  const implicit = peer.tls === 'implicit'
  const socket = implicit ? tls.connect({ ...address, ...tlsOptions(peer) }) : net.connect(address)
  // The end of a message is not to wait until its beginning is acknowledged.
  socket.setNoDelay()
  let step: 'connect' | 'TLS' = 'connect'
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const failed = (cause: Error): void => reject(new NetworkFailure(step, connectionFault(cause, step === 'TLS'), cause))
  const late = (): void => reject(new NetworkFailure(step, { kind: 'timeout', text: 'no answer' }))
  const stopped = (): void => reject(new NetworkFailure(step, { kind: 'stopped', text: 'stopped' }))
  let timer = setTimeout(late, limits.connectMs)
  socket.once('connect', () => {
    if (!implicit) return resolve()
    step = 'TLS'
    clearTimeout(timer)
    timer = setTimeout(late, limits.tlsMs)
  })
  socket.once('secureConnect', resolve)
  // Stays for good: an error during teardown must not be one without a listener.
  socket.on('error', failed)
  const closed = (): void => failed(new Error('the connection was closed'))
  socket.once('close', closed)
  signal.addEventListener('abort', stopped, { once: true })
  if (signal.aborted) stopped()
  try {
    await promise
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stopped)
    socket.off('close', closed)
  }
}

export function tlsOptions({ host, ca, pin, tlsName }: Peer): tls.ConnectionOptions {
  const name = tlsName ?? host
  return {
    // With a pin the authorities only tell whether another certificate was probably renewed.
    secureContext: contextOf(ca),
    // With a pin the certificate is compared in `checkPin`, before a secret or a message goes.
    rejectUnauthorized: pin === null,
    checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
    ...(net.isIP(name) === 0 ? { servername: name } : {}),
  }
}

/** Null when the peer is who it should be; else what is wrong. For a connection without a pin TLS itself has decided. */
export function checkPin(socket: net.Socket, pin: readonly string[] | null): UnfitFault | null {
  if (pin === null || !(socket instanceof tls.TLSSocket)) return null
  const certificate = socket.getPeerX509Certificate()
  if (certificate !== undefined) shown.set(socket, tlsFactsOf(socket, certificate))
  const facts = shown.get(socket) ?? null
  if (facts === null) return { kind: 'unfit', text: 'it shows no certificate, and one is pinned', facts }
  if (isPinned(pin, facts)) return null
  const { came, next } = notPinned(pin, facts, { isTrusted: socket.authorized, nowMs: Date.now() })
  return { kind: 'unfit', text: came, next, facts }
}

/** What TLS showed where the pin was compared: Node gives the certificate of such a connection only once. */
const shown = new WeakMap<tls.TLSSocket, TlsFacts>()

/** What TLS showed; null: there is none. */
export function tlsFactsAt(socket: net.Socket | null): TlsFacts | null {
  return socket instanceof tls.TLSSocket ? (shown.get(socket) ?? tlsFactsOf(socket)) : null
}

/** The conversation does not leave this machine. */
export function isLocal(socket: net.Socket | null, { socketPath }: Pick<Peer, 'socketPath'>): boolean {
  return socketPath !== null || /^(?:127\.|::1$|::ffff:127\.)/.test(socket?.remoteAddress ?? '')
}

const contexts = new Map<string, tls.SecureContext>()

/** One context per set of authorities: making one costs 10 ms, reading the system's 30. */
function contextOf(ca: Buffer | string | null): tls.SecureContext {
  const key = ca === null ? 'system' : `ca ${ca.toString('latin1')}`
  const known = contexts.get(key)
  if (known !== undefined) return known
  const trusted = ca ?? [...new Set([...tls.getCACertificates('default'), ...tls.getCACertificates('system')])]
  const context = tls.createSecureContext({ minVersion: 'TLSv1.2', ca: trusted })
  contexts.set(key, context)
  return context
}

/** The network's doing. All else in a TLS handshake is a peer that is not the one, or speaks no TLS. */
const CUT = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ENETRESET', 'EHOSTUNREACH', 'ENETUNREACH'])

export function connectionFault(error: Error, inTls: boolean): NetworkFault {
  // The first of the errors of several addresses says more than "all failed".
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error
  // Node advises an option of its own, which nobody who runs popfetch can set (D132).
  const said = (first instanceof Error ? first.message : error.message).replace(/; if the root CA is installed.*$/s, '')
  // nodemailer puts its own code in front of the system's.
  const code = codeIn(first) ?? codeIn(error)
  const known = typeof code === 'string' ? networkReason(code) : null
  const text =
    known !== null ? `${known} (${String(code)})` : CLOSED.test(said) ? 'the server closed it' : display(said)
  const unfit = inTls && typeof code === 'string' && !CUT.has(code) && code !== 'ECONNECTION' && code !== 'ETLS'
  if (code === 'EACCES' || code === 'EPERM') return { kind: 'permission', text }
  if (!unfit) return { kind: 'cut', text }
  const reason = certificateReason(code)
  if (reason === null) return { kind: 'unfit', text: RAW.test(text) ? 'TLS could not be negotiated' : text }
  return { kind: 'unfit', text: code.startsWith('ERR_SSL_') ? reason : `${reason} (${code})` }
}

/** What nodemailer and imapflow say of it. */
const CLOSED = /^(?:connection closed|unexpected(?:ly)? clos)/i

/** OpenSSL's own words, with its numbers and files. */
const RAW = /SSL routines:|error:[0-9A-F]{8}:/

function codeIn(error: unknown): unknown {
  if (typeof error !== 'object' || error === null) return undefined
  return 'originalCode' in error ? error.originalCode : 'code' in error ? error.code : undefined
}

/** TLS over a connection that is there (STARTTLS). Emits `secureConnect`; the pin is the caller's to check. */
export function secured(socket: net.Socket, peer: Peer): tls.TLSSocket {
  return tls.connect({ socket, host: peer.host, ...tlsOptions(peer) })
}
