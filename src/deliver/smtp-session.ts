// One SMTP session: greeting to QUIT over one nodemailer connection, one message at a time. Knows no pool and no verdict.
// The rule: whatever is not in step, in time or wanted any longer destroys the connection at once, without a word and
// without a dot (D037); and it is always known whether the whole content had been handed to the socket by then (D064).
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { errnoOf } from '../errors.ts'
import { redactor } from '../redact.ts'
import { type Content, SpoolError } from './smtp-content.ts'
import { messageMs, openingMs, type SmtpLimits } from './smtp-limits.ts'
import { Replies } from './smtp-replies.ts'
import { mechanismOf, type SignIn, sizeLimitOf } from './smtp-offers.ts'
import { checkPin, dial, isLoopback, type Peer, SmtpFailure, tlsOptions } from './smtp-socket.ts'
import type { Fault, Stage } from './smtp-verdict.ts'
import type { Sent, Transport, TransportLog, TransportOptions } from './smtp-transport.ts'

export interface SessionOptions {
  readonly peer: Peer
  readonly signIn: SignIn | null
  readonly hostName: string
  readonly limits: SmtpLimits
  readonly create: (options: TransportOptions) => Transport
}

/** Beyond any real reply: a long EHLO has 2 kB. */
const REPLY_BYTES = 64 * 1024

export class SmtpSession {
  /** False for good once the connection is gone; then nothing is left to close. */
  alive = true
  /** Messages tried. */
  served = 0
  /** It has waited for work, and may have been ended by the server since. */
  kept = false
  readonly #options: SessionOptions
  readonly #transport: Transport
  readonly #replies = new Replies()
  /** The wait that fails when the connection does. */
  #reject: ((failure: SmtpFailure) => void) | null = null
  #closed: (() => void) | null = null
  /** Bytes written to the socket before the content; null: the server has not asked for it. */
  #contentStart: number | null = null
  #wireBytes = 0

  private constructor(options: SessionOptions, socket: Socket) {
    const { peer, limits } = options
    this.#options = options
    this.#transport = options.create({
      connection: socket,
      host: peer.host,
      port: peer.port,
      name: greetingName(options.hostName, socket.localAddress),
      secure: peer.tls === 'implicit',
      secured: peer.tls === 'implicit',
      requireTLS: peer.tls === 'starttls',
      ignoreTLS: peer.tls === 'none',
      tls: tlsOptions(peer),
      connectionTimeout: openingMs(limits),
      greetingTimeout: Math.max(limits.greetingMs, limits.tlsMs),
      socketTimeout: limits.greetingMs,
      // Destroy: a connection that is given up must not end politely in the middle of a message.
      socketCloseTimeout: 0,
      maxResponseSize: REPLY_BYTES,
      transactionLog: true,
      logger: this.#log(),
    })
    this.#transport.on('error', (error) => this.#failed(error))
    this.#transport.on('end', () => {
      this.alive = false
      this.#failed(undefined)
      this.#closed?.()
    })
  }

  /** Connected, encrypted as configured, signed in. Rejects with SmtpFailure; then nothing is left open. */
  static async open(options: SessionOptions, signal: AbortSignal): Promise<SmtpSession> {
    const session = new SmtpSession(options, await dial(options.peer, options.limits, signal))
    try {
      await session.#start(signal)
      return session
    } catch (error) {
      session.destroy()
      throw error
    }
  }

  /** The server's final answer: it has taken responsibility for the message. Rejects with SmtpFailure; `alive` then tells
   *  whether the session can go on. */
  async send(from: string, to: string, content: Content, signal: AbortSignal): Promise<string> {
    this.served++
    this.#replies.begin()
    this.#contentStart = null
    this.#wireBytes = content.wireBytes
    const sizeLimit = sizeLimitOf(this.#replies.offers)
    if (sizeLimit !== null && content.sizeBytes > sizeLimit) {
      const text = `the message has ${content.sizeBytes} bytes, the server takes ${sizeLimit}`
      throw this.#failure({ kind: 'size', text }, 'MAIL')
    }
    const message = content.open()
    const envelope = { from: from === '' ? (false as const) : from, to: [to], size: content.sizeBytes }
    try {
      const sent = await this.#wait<Sent>(messageMs(this.#options.limits, content.wireBytes), signal, (resolve) =>
        this.#transport.send({ ...envelope, use8BitMime: content.eightBit }, message, (error, sent) =>
          error !== null || sent === undefined ? this.#failed(error ?? undefined) : resolve(sent),
        ),
      )
      await this.#inStep()
      if (sent.accepted.length !== 1 || sent.rejected.length > 0 || sent.messageSize !== content.wireBytes) {
        throw this.#failure({ kind: 'nonsense', text: sent.response }, 'content')
      }
      return sent.response
    } catch (error) {
      await this.#mend(error, signal)
      throw error
    } finally {
      if (message instanceof Readable) message.destroy()
    }
  }

  /** Whether the server still answers on this connection; with a clean slate if so. */
  async reset(signal: AbortSignal): Promise<void> {
    this.#replies.begin()
    this.#contentStart = null
    await this.#wait<void>(this.#options.limits.commandMs, signal, (resolve) =>
      this.#transport.reset((error) => (error === null ? resolve() : this.#failed(error))),
    )
    await this.#inStep()
  }

  /** QUIT and its answer, for a limited time; then the connection is gone in any case. */
  async quit(): Promise<void> {
    if (this.alive && this.#replies.waiting === null) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#closed = resolve
      const timer = setTimeout(resolve, this.#options.limits.quitMs)
      this.#transport.quit()
      await promise
      clearTimeout(timer)
    }
    this.destroy()
  }

  destroy(): void {
    this.alive = false
    this.#transport.close()
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { peer, signIn, limits } = this.#options
    const limitMs = openingMs(limits)
    await this.#wait<void>(limitMs, signal, (resolve) => {
      this.#arm()
      this.#transport.connect((error) => (error === undefined ? resolve() : this.#failed(error)))
    })
    const socket = this.#transport._socket
    const wrong = socket instanceof Object ? checkPin(socket, peer.pin) : null
    if (wrong !== null) throw this.#failure(wrong, 'TLS')
    // A refused EHLO that HELO made good.
    this.#replies.begin()
    if (signIn === null) return
    if (!this.#transport.secure && !(socket instanceof Object && isLoopback(socket.remoteAddress))) {
      throw this.#failure({ kind: 'unfit', text: 'a password goes without TLS only to this machine itself' }, 'AUTH')
    }
    const method = mechanismOf(this.#replies.offers, signIn.auth)
    if (typeof method === 'object') throw this.#failure(method, 'AUTH')
    const pass = await signIn.password().catch((error: unknown) => {
      throw this.#failure(
        { kind: 'unfit', text: error instanceof Error ? error.message : 'no password' },
        'AUTH',
        error,
      )
    })
    if (pass === '') throw this.#failure({ kind: 'unfit', text: 'the password is empty' }, 'AUTH')
    redactor.add(pass)
    const { user } = signIn
    await this.#wait<void>(limitMs, signal, (resolve) =>
      this.#transport.login({ method, user, credentials: { user, pass } }, (error) =>
        error === null ? resolve() : this.#failed(error),
      ),
    )
    await this.#inStep()
  }

  /** After a refused recipient the session goes on, once the server has said that the transaction is over. */
  async #mend(thrown: unknown, signal: AbortSignal): Promise<void> {
    const refused = thrown instanceof SmtpFailure && thrown.fault.kind === 'reply' && this.#replies.nonsense === null
    if (!refused || (thrown.begun && !thrown.handed)) return this.destroy()
    // An answer to the dot has ended the transaction.
    if (!this.alive || thrown.begun) return
    try {
      await this.reset(signal)
    } catch {
      this.destroy()
    }
  }

  /** Runs `begin` and waits: for its resolve, the connection's end, the limit or the signal. */
  async #wait<T>(limitMs: number, signal: AbortSignal, begin: (resolve: (value: T) => void) => void): Promise<T> {
    if (!this.alive) throw this.#failure({ kind: 'cut', text: 'the connection was closed' })
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const stopped = (): void => this.#giveUp({ kind: 'stopped', text: 'stopped' })
    this.#reject = reject
    const timer = setTimeout(() => this.#giveUp({ kind: 'timeout', text: 'too slow' }), limitMs)
    signal.addEventListener('abort', stopped, { once: true })
    if (signal.aborted) stopped()
    else begin(resolve)
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', stopped)
      this.#reject = null
    }
  }

  /** A surplus reply that came with the last one is looked at in the next turn of the event loop (D049). */
  async #inStep(): Promise<void> {
    await turn()
    const { nonsense } = this.#replies
    if (nonsense !== null) throw this.#failure({ kind: 'nonsense', text: nonsense.text })
  }

  #giveUp(fault: Fault, stage?: Stage): void {
    this.#reject?.(this.#failure(fault, stage))
    this.destroy()
  }

  /** nodemailer reports a failure, in one of its many shapes (D071); what was seen on the wire says more. */
  #failed(error: Error | undefined): void {
    if (this.#reject === null) return
    const { refusal } = this.#replies
    if (refusal !== null) this.#reject(this.#failure({ kind: 'reply', ...refusal }, refusal.stage, error))
    else this.#reject(this.#failure(faultOf(error), undefined, error))
  }

  #failure(fault: Fault, stage?: Stage, cause?: unknown): SmtpFailure {
    const { waiting } = this.#replies
    const begun = this.#contentStart !== null
    const at = stage ?? waiting ?? (begun ? 'content' : 'connect')
    return new SmtpFailure(at, fault, { handed: this.#handed(), begun, cause })
  }

  #handed(): boolean {
    const socket = this.#transport._socket
    if (this.#contentStart === null || !(socket instanceof Object)) return false
    return socket.bytesWritten - this.#contentStart >= this.#wireBytes
  }

  /** Each stage has its own limit of silence. */
  #arm(): void {
    const socket = this.#transport._socket
    if (!(socket instanceof Object) || socket.destroyed) return
    const { limits } = this.#options
    const { waiting } = this.#replies
    if (waiting === null) socket.setTimeout(0)
    else if (waiting === 'greeting') socket.setTimeout(limits.greetingMs)
    else if (waiting === 'DATA') socket.setTimeout(limits.dataMs)
    else if (waiting === 'content') socket.setTimeout(this.#handed() ? limits.contentMs : limits.blockMs)
    else socket.setTimeout(limits.commandMs)
  }

  #log(): TransportLog {
    const nothing = (): void => {}
    return {
      debug: ({ tnx }, text) => {
        if (tnx === 'client') this.#replies.client(text)
        else if (tnx === 'server') this.#answered(text)
        else return
        this.#arm()
      },
      info: ({ tnx }) => {
        // The dot was written: from here on the server has ten minutes.
        if (tnx === 'message') this.#arm()
      },
      warn: ({ discarded }) => {
        // Bytes in clear behind the answer to STARTTLS: somebody on the way wants to be heard as the server (D050).
        if (discarded === undefined) return
        const text = 'bytes in clear behind the answer to STARTTLS'
        queueMicrotask(() => this.#giveUp({ kind: 'nonsense', text }, 'STARTTLS'))
      },
      error: nothing,
    }
  }

  #answered(text: string): void {
    const socket = this.#transport._socket
    // What is left without a line end when the connection is gone: a refusal counts, half a yes does not.
    if (socket instanceof Object && socket.destroyed && !/^[45]\d\d[ -]/.test(text)) return
    const stage = this.#replies.server(text)
    const { nonsense } = this.#replies
    if (nonsense !== null) return this.#giveUp({ kind: 'nonsense', text: nonsense.text })
    if (stage === 'DATA' && this.#replies.waiting === 'content' && socket instanceof Object) {
      this.#contentStart = socket.bytesWritten
    }
    // Yes before everything was said cannot be the answer to it.
    if (stage === 'content' && this.#replies.refusal === null && !this.#handed()) {
      this.#giveUp({ kind: 'nonsense', text }, 'content')
    }
  }
}

function faultOf(error: Error | undefined): Fault {
  const text = error?.message ?? 'the connection was closed'
  if (errnoOf(error) === 'ETIMEDOUT') return { kind: 'timeout', text }
  if (error instanceof SpoolError || errnoOf(error) === 'ESTREAM') return { kind: 'spool', text }
  return { kind: 'cut', text }
}

/** RFC 5321 4.1.4: a name with a domain, else the address as a literal (4.1.3). */
function greetingName(hostName: string, address: string | undefined): string {
  if (/^[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+$/.test(hostName)) return hostName
  const local = address?.replace(/^::ffff:/, '').replace(/%.*$/, '') ?? '127.0.0.1'
  return local.includes(':') ? `[IPv6:${local}]` : `[${local}]`
}
