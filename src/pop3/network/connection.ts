// TCP and TLS for one POP3 session: the room's only door to the network. Knows bytes, not POP3.
// The one rule: `secure` is true only after the peer was verified, and no secret is sent without checking it.
import * as net from 'node:net'
import type { Duplex } from 'node:stream'
import { PopfetchError } from '../../errors.ts'
import { arrival } from './arrival.ts'
import { Intake } from './intake.ts'
import { abortedError, connectError, lostError, tlsError, tlsFailure } from './network-error.ts'
import { goThrough, lostProxy, proxyName, type ProxyOptions } from './proxy.ts'
import { isPinned } from './pin.ts'
import { AnotherCertificate, type TlsFacts, tlsFactsOf } from './tls-facts.ts'
import { FailedResumption } from './tls-sessions.ts'
import { certifiedName, sessions, startTls, type TlsPeer, type TlsStart } from './tls-start.ts'
import type { Via, ViaOptions } from './via.ts'
import type { TlsOptions } from './trust.ts'

export interface ConnectionOptions {
  readonly host: string
  readonly port: number
  readonly tls: TlsOptions
  /** Null: connect directly. */
  readonly proxy: ProxyOptions | null
  /** The program that is the way to the server, instead of a connection of ours; null: there is none. */
  readonly via: ViaOptions | null
  /** When TLS begins: with the connection, after STLS, or never. */
  readonly tlsMode: 'implicit' | 'starttls' | 'none'
  /** The limit for each of: connecting, the proxy, a TLS handshake. */
  readonly timeoutMs: number
}

/** How long to wait for one address before the next is tried; Node's own 250 ms gives up on slow lines (P003). */
const ADDRESS_ATTEMPT_MS = 3000
const KEEP_ALIVE_MS = 60_000
/** From this length on V8 makes machine code of a regular expression at once. */
const LONG_TEXT = 'x'.repeat(1_000)

export interface ConnectionSink {
  /** `chunk` may change after return, unless the connection was paused meanwhile: then after the resume. */
  data(chunk: Buffer): void
  /** Called once, when the connection has ended. `error` null: the peer closed it normally. Not called after destroy(). */
  closed(error: PopfetchError | null): void
}

/** How a connection was made. */
interface Made {
  readonly via?: Via | null
  readonly intake?: Intake | null
  readonly start?: TlsStart | null
}

export class Connection {
  readonly #options: ConnectionOptions
  readonly #via: Via | null
  /** Null: the socket gives out chunks. */
  readonly #intake: Intake | null
  /** TLS that began with the connection. */
  readonly #start: TlsStart | null
  #socket: Duplex
  #sink: ConnectionSink | null = null
  #secure = false
  #destroyed = false
  /** How many calls to pause() have had no resume() yet. */
  #pauses = 0

  private constructor(options: ConnectionOptions, socket: Duplex, { via = null, intake = null, start = null }: Made) {
    this.#options = options
    this.#via = via
    this.#intake = intake
    this.#start = start
    this.#socket = socket
  }

  /** A TCP connection to the server, or one through a program. Rejects with ERR_CONNECT, ERR_TIMEOUT, ERR_ABORTED, or ERR_CONFIG where
   *  the program is not there; then nothing is left open. */
  static async open(options: ConnectionOptions, signal: AbortSignal): Promise<Connection> {
    const { proxy, via, timeoutMs, tlsMode } = options
    if (via !== null) {
      if (signal.aborted) throw abortedError(`connecting through the program ${via.name}`)
      // Loaded at first use, because few people have one.
      const { openVia } = await import('./via.ts')
      const program = await openVia(via)
      return new Connection(options, program.stream, { via: program })
    }
    const isDirect = proxy === null
    // For STLS the socket is taken over by another one.
    const intake = isDirect && tlsMode !== 'starttls' ? new Intake(tlsMode === 'implicit') : null
    const { host, port } = proxy ?? options
    // Node asks of every name whether it is an IPv6 address. Its expression is so large that V8 needs 3 ms to make byte code of it, and
    // with the second name one more for machine code. That at once, for it is the same millisecond.
    if (!net.isIPv4(host)) net.isIPv6(LONG_TEXT)
    const to = {
      host,
      port,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      ...(intake === null ? {} : { onread: intake.onread }),
    }
    // Only a TLS socket that makes its connection itself reads into our memory.
    const start = isDirect && tlsMode === 'implicit' ? begin(options, to) : null
    const socket = start?.socket ?? net.connect(to)
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
    return new Connection(options, socket, { intake, start })
  }

  /** Is the connection encrypted, and the peer verified? */
  get secure(): boolean {
    return this.#secure
  }

  /** Starts reading. Call once; with implicit TLS, after `secureNow`. */
  attach(sink: ConnectionSink): void {
    this.#sink = sink
    this.#listen()
  }

  /** Starts TLS on the open connection (implicit TLS, or after `+OK` to STLS). Nothing is read or written in clear from then on
   *  (P044, P050, injection before TLS). Rejects with ERR_TLS, ERR_TIMEOUT or ERR_ABORTED, or with FailedResumption, when a new
   *  connection may succeed. The connection is destroyed then. */
  async secureNow(signal: AbortSignal): Promise<TlsFacts> {
    const { host, port, timeoutMs } = this.#options
    const { pin } = this.#options.tls
    const { socket: secured, key, resumed, tickets, shaken } = this.#start ?? this.#startTls()
    this.#socket = secured
    const handshake = arrival(secured, shaken, {
      doing: `the TLS handshake with ${host}:${port}`,
      hint: 'does this port speak TLS?',
      failure: (cause) => tlsError(cause, host, port),
      timeoutMs,
      signal,
    })
    await handshake.catch(async (error: unknown) => {
      // A program that failed says why better than TLS does.
      if (this.#via !== null && !signal.aborted) error = (await this.#via.failure()) ?? error
      if (resumed === null || signal.aborted) throw error
      // The resumed session may be the cause: none is resumed with this server again.
      sessions.refuse(key)
      throw error instanceof PopfetchError && error.code === 'ERR_TLS' ? new FailedResumption(error) : error
    })
    // A resumed session was checked when it began. Node has no certificate now and would not check the name.
    const before = resumed !== null && secured.isSessionReused() ? resumed : null
    const facts = before?.facts ?? tlsFactsOf(secured)
    if (pin !== null && !isPinned(pin, facts)) {
      const isTrusted = secured.authorized
      this.destroy()
      throw new AnotherCertificate(facts, { host, port, pin, isTrusted, nowMs: Date.now() })
    }
    this.#secure = pin !== null || secured.authorized
    const verifiedMs = before?.verifiedMs ?? Date.now()
    const keep = (session: Buffer): void => {
      if (this.#secure) sessions.keep(key, { session, verifiedMs, facts })
    }
    // A resumed session is kept for the next time, unless the server sends a newer one.
    for (const ticket of before === null ? tickets : [before.session, ...tickets]) keep(ticket)
    secured.on('session', keep)
    if (this.#sink !== null) this.#listen()
    return facts
  }

  /** Over the connection as it is. */
  #startTls(): TlsStart {
    const { host, port } = this.#options
    const plain = this.#socket
    plain.pause()
    if (plain.readableLength > 0) {
      this.destroy()
      throw tlsFailure(
        `${host}:${port} sent unencrypted bytes where TLS begins, as an attacker on the way would: stopping here`,
      )
    }
    plain.removeAllListeners('data')
    plain.removeAllListeners('end')
    plain.removeAllListeners('close')
    return begin(this.#options, { socket: plain })
  }

  #listen(): void {
    const socket = this.#socket
    const { host, port } = this.#options
    const intake = this.#intake
    let failure: unknown = null
    const gathering = new Gathering((chunk) => this.#sink?.data(chunk))
    if (intake !== null) intake.start((chunk) => this.#sink?.data(chunk))
    else if (this.#secure) socket.on('data', (piece: Buffer) => gathering.add(piece))
    else socket.on('data', (chunk: Buffer) => this.#sink?.data(chunk))
    // An error is followed by 'close'. The listener is never removed: teardown can fail too (N005, unhandled 'error').
    socket.on('error', (error) => (failure ??= error))
    const told = (): void => {
      const lost = failure === null ? null : lostError(failure, host, port)
      if (this.#via === null) this.#closed(lost)
      else void this.#via.failure().then((failed) => this.#closed(failed ?? lost))
    }
    const ended = (): void => {
      gathering.flush()
      if (intake === null || failure !== null) told()
      else intake.end(told)
    }
    socket.on('end', ended)
    socket.on('close', ended)
    // The proxy's code leaves its socket paused.
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

  /** Stops reading, so that the server has to wait. Each call needs its own resume(). */
  pause(): void {
    if (this.#pauses++ > 0) return
    this.#intake?.hold()
    this.#socket.pause()
  }

  resume(): void {
    if (--this.#pauses > 0) return
    this.#intake?.release()
    this.#socket.resume()
  }

  /** Ends the connection at once, without QUIT: the server deletes nothing. Idempotent. */
  destroy(): void {
    this.#destroyed = true
    this.#sink = null
    this.#socket.destroy()
  }
}

function begin(peer: TlsPeer, over: Parameters<typeof startTls>[2]): TlsStart {
  return startTls(peer, net.isIP(certifiedName(peer)) !== 0, over)
}

/** The most that a plain socket delivers at once. */
const FULL_BYTES = 64 << 10

/** Joins the small pieces that a TLS socket delivers where there is no intake: one per record, 4 KiB from Dovecot. Messages would
 *  otherwise come in two or three pieces each, which costs a tenth of a poll. Keeps nothing back beyond the event-loop turn in which it came. */
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
