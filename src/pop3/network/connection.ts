// TCP and TLS for one POP3 session: the room's only door to the network. Knows bytes, not POP3.
// The one rule: `secure` is true only for a socket whose peer was verified, and nobody sends a secret without asking it.
import * as net from 'node:net'
import { PopfetchError } from '../../errors.ts'
import { arrival } from './arrival.ts'
import { connectError, lostError, tlsError, tlsFailure } from './network-error.ts'
import { goThrough, lostProxy, proxyName, type ProxyOptions } from './proxy.ts'
import { AnotherCertificate, type TlsFacts, tlsFactsOf } from './tls-facts.ts'
import { FailedResumption, TlsSessions } from './tls-sessions.ts'
import { nodeTls, secureContext, trustKey, type TlsOptions } from './trust.ts'

export interface ConnectionOptions {
  readonly host: string
  readonly port: number
  readonly tls: TlsOptions
  /** The way there; null: straight. */
  readonly proxy: ProxyOptions | null
  /** Connecting, going through the proxy and each TLS handshake must be complete within it. */
  readonly timeoutMs: number
}

/** How long one address may take before the next is tried beside it; Node's own 250 ms aborts slow links (P003). */
const ADDRESS_ATTEMPT_MS = 3000
const KEEP_ALIVE_MS = 60_000

const sessions = new TlsSessions()

export interface ConnectionSink {
  data(chunk: Buffer): void
  /** The connection is gone, once; `error` null: the peer ended it without one. Not called after destroy(). */
  closed(error: PopfetchError | null): void
}

export class Connection {
  readonly #options: ConnectionOptions
  #socket: net.Socket
  #sink: ConnectionSink | null = null
  #secure = false
  #destroyed = false
  /** Our own: why we stopped reading. */
  #pauses = 0

  private constructor(options: ConnectionOptions, socket: net.Socket) {
    this.#options = options
    this.#socket = socket
  }

  /** A TCP connection to the server. Rejects with ERR_CONNECT, ERR_TIMEOUT or ERR_ABORTED; then nothing is left open. */
  static async open(options: ConnectionOptions, signal: AbortSignal): Promise<Connection> {
    const { proxy, timeoutMs } = options
    const { host, port } = proxy ?? options
    const socket = net.connect({
      host,
      port,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    })
    const { promise: connected, resolve } = Promise.withResolvers<void>()
    socket.once('connect', resolve)
    const peer = proxy === null ? `${host}:${port}` : `the proxy ${proxyName(proxy)}`
    await arrival(socket, connected, {
      doing: `connecting to ${peer}`,
      hint: 'is the host and port right, is the network up?',
      failure: (cause) => connectError(cause, peer),
      timeoutMs,
      signal,
    })
    if (proxy !== null) {
      await arrival(socket, goThrough(proxy, socket, options, timeoutMs), {
        doing: `being connected to ${options.host}:${options.port} by ${peer}`,
        hint: 'is the host right, can the proxy reach it?',
        failure: (cause) => lostProxy(proxy, options, cause),
        timeoutMs,
        signal,
      })
    }
    return new Connection(options, socket)
  }

  /** Encrypted, and the peer is who it should be. */
  get secure(): boolean {
    return this.#secure
  }

  /** Starts reading; call once, after `secureNow` where TLS comes first. */
  attach(sink: ConnectionSink): void {
    this.#sink = sink
    this.#listen()
  }

  /** TLS over the open connection (implicit TLS, or after `+OK` to STLS). Nothing is read or written in clear meanwhile
   *  (P044, P050). Rejects with ERR_TLS (FailedResumption: another connection may do), ERR_TIMEOUT, ERR_ABORTED; then the
   *  connection is destroyed. */
  async secureNow(signal: AbortSignal): Promise<TlsFacts> {
    const { host, port, timeoutMs } = this.#options
    const { pin } = this.#options.tls
    const plain = this.#socket
    plain.pause()
    if (plain.readableLength > 0) {
      this.destroy()
      throw tlsFailure(
        `${host}:${port} sent bytes in clear where TLS begins, as an attacker on the way would: not going on`,
      )
    }
    plain.removeAllListeners('data')
    plain.removeAllListeners('end')
    plain.removeAllListeners('close')
    const key = JSON.stringify([host, port, pin, trustKey(this.#options.tls)])
    const resumed = sessions.take(key)
    const secured = nodeTls().connect({
      socket: plain,
      secureContext: secureContext(this.#options.tls),
      ...(resumed === null ? {} : { session: resumed.session }),
      // A pin replaces chain, name and date checks; it is compared below, before anything is sent.
      rejectUnauthorized: pin === null,
      ...(net.isIP(host) === 0 ? { servername: host, host } : { host }),
    })
    this.#socket = secured
    const tickets: Buffer[] = []
    secured.on('session', (ticket: Buffer) => tickets.push(ticket))
    const { promise: shaken, resolve } = Promise.withResolvers<void>()
    secured.once('secureConnect', resolve)
    const handshake = arrival(secured, shaken, {
      doing: `the TLS handshake with ${host}:${port}`,
      hint: 'does this port speak TLS?',
      failure: (cause) => tlsError(cause, host, port),
      timeoutMs,
      signal,
    })
    await handshake.catch((error: unknown) => {
      if (resumed === null || signal.aborted) throw error
      // It may be to blame: never again with this server.
      sessions.refuse(key)
      throw error instanceof PopfetchError && error.code === 'ERR_TLS' ? new FailedResumption(error) : error
    })
    // What resumes a session was checked when that began: Node looks at the name only then, and has no certificate now.
    const before = resumed !== null && secured.isSessionReused() ? resumed : null
    const facts = before?.facts ?? tlsFactsOf(secured)
    if (pin !== null && facts.fingerprint !== pin) {
      this.destroy()
      throw new AnotherCertificate(facts, { host, port, pin })
    }
    this.#secure = pin !== null || secured.authorized
    const verifiedMs = before?.verifiedMs ?? Date.now()
    const keep = (session: Buffer): void => {
      if (this.#secure) sessions.keep(key, { session, verifiedMs, facts })
    }
    // One that was resumed serves again unless the server gives another.
    for (const ticket of before === null ? tickets : [before.session, ...tickets]) keep(ticket)
    secured.on('session', keep)
    if (this.#sink !== null) this.#listen()
    return facts
  }

  #listen(): void {
    const socket = this.#socket
    const { host, port } = this.#options
    let failure: unknown = null
    const gathering = new Gathering((chunk) => this.#sink?.data(chunk))
    if (this.#secure) socket.on('data', (piece: Buffer) => gathering.add(piece))
    else socket.on('data', (chunk: Buffer) => this.#sink?.data(chunk))
    // An error is followed by 'close'; the listener stays to the end, for errors during teardown too (N005).
    socket.on('error', (error) => (failure ??= error))
    const ended = (): void => {
      gathering.flush()
      this.#closed(failure === null ? null : lostError(failure, host, port))
    }
    socket.on('end', ended)
    socket.on('close', ended)
    // A proxy's socket comes paused.
    if (this.#pauses === 0) socket.resume()
  }

  #closed(error: PopfetchError | null): void {
    const sink = this.#sink
    this.#sink = null
    this.#socket.destroy()
    if (!this.#destroyed) sink?.closed(error)
  }

  write(bytes: Buffer): void {
    if (!this.#destroyed) this.#socket.write(bytes)
  }

  /** Stops reading, so that the server waits; each call wants a resume() of its own. */
  pause(): void {
    if (this.#pauses++ === 0) this.#socket.pause()
  }

  resume(): void {
    if (--this.#pauses === 0) this.#socket.resume()
  }

  /** Ends the connection at once, without a word: nothing that was not committed is committed (rule 1). Idempotent. */
  destroy(): void {
    this.#destroyed = true
    this.#sink = null
    this.#socket.destroy()
  }
}

/** The most that a plain socket delivers at once. */
const FULL_BYTES = 64 << 10

/** Joins the small pieces that a TLS socket delivers: one per record, 4 KiB from Dovecot. Messages would otherwise come in two or
 *  three pieces each, which costs a tenth of a poll. Keeps nothing back beyond the event-loop turn in which it came. */
export class Gathering {
  readonly #take: (chunk: Buffer) => void
  #pieces: Buffer[] = []
  #bytes = 0
  #due = false

  constructor(take: (chunk: Buffer) => void) {
    this.#take = take
  }

  add(piece: Buffer): void {
    this.#pieces.push(piece)
    this.#bytes += piece.length
    if (this.#bytes >= FULL_BYTES) this.flush()
    else if (!this.#due) {
      this.#due = true
      setImmediate(() => {
        this.#due = false
        this.flush()
      })
    }
  }

  /** Passes on what has been gathered so far. */
  flush(): void {
    const pieces = this.#pieces
    const [only] = pieces
    if (only === undefined) return
    this.#pieces = []
    const bytes = this.#bytes
    this.#bytes = 0
    this.#take(pieces.length === 1 ? only : Buffer.concat(pieces, bytes))
  }
}
