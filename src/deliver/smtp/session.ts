// One SMTP session: greeting to QUIT over one connection, one message at a time. Knows no pool and no verdict. nodemailer opens
// it: it gets a connected socket, our limits, and no freedom to go on without what the configuration demands (D050, D072). From the
// sign-in on line/line.ts speaks.
// One rule: a session that is out of step, too slow or no longer wanted destroys its connection at once, without a word and
// without a dot (D037). Before that it notes whether the whole content was handed to the socket (D064).
import type { Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import type { TlsFacts } from '../../pop3/network/tls-facts.ts'
import { redactor } from '../../redact.ts'
import type { SmtpStep } from '../answers/smtp.ts'
import { within } from '../disk/time-limit.ts'
import { isTokenMechanism, TOKEN_METHODS, tokenMethods } from './bearer.ts'
import { greetingName, mechanismOf, type SignIn, sizeLimitOf, takesUtf8 } from './capabilities.ts'
import { type Content, heldEnd, SpoolError } from './content.ts'
import { Conversation } from './conversation.ts'
import { type Fault, SmtpFailure } from './fault.ts'
import { messageMs, openingMs, type SmtpLimits } from './limits.ts'
import { type Envelope, Line } from './line/line.ts'
import { type Transport, type TransportLog, type TransportOptions, transports } from './nodemailer.ts'
import { checkPin, isLocal, OtherLeaf, tlsFactsAt, tlsOptions } from '../network/dial.ts'
import { dialSmtp, type SmtpPeer } from './place.ts'

export interface SessionOptions {
  readonly peer: SmtpPeer
  readonly signIn: SignIn | null
  readonly hostName: string
  readonly limits: SmtpLimits
}

export interface Sending {
  readonly from: string
  readonly to: string
  /** See Attempt; null: nobody wants to know. */
  readonly handingOver: (() => Promise<void>) | null
  /** What is sent next over this session, if all goes well: it may be announced with the end of this one. Null: that is not known. */
  readonly following: (() => Envelope | null) | null
}

export class SmtpSession {
  /** False for good once the connection is gone; then nothing is left to close. */
  alive = true
  /** Messages tried. */
  served = 0
  /** Commands refused, of all messages. */
  refusals = 0
  /** It was idle, so the server may have ended it since. */
  kept = false
  /** The mechanism; null: it did not sign in. */
  signedInWith: string | null = null
  readonly #options: SessionOptions
  readonly #transport: Transport
  readonly #conversation: Conversation
  /** Null: nodemailer still opens it. */
  #line: Line | null = null
  /** Fails the current wait when the connection fails. */
  #reject: ((failure: SmtpFailure) => void) | null = null
  #closed: (() => void) | null = null
  /** The limits of what the server takes, as of its last answer to EHLO. */
  #sizeLimit: number | null = null
  /** That ends what is waited for; heard for as long as the session lives, for nearly always it is the same. */
  #signal: AbortSignal | null = null
  readonly #stopped = (): void => {
    if (this.#reject !== null) this.#giveUp(this.#failure({ kind: 'stopped', text: 'stopped' }))
  }

  private constructor(options: SessionOptions, create: (options: TransportOptions) => Transport, socket: Socket) {
    const { limits } = options
    this.#options = options
    this.#conversation = new Conversation(
      { socket: () => this.#socket, giveUp: (failure) => this.#giveUp(failure) },
      limits,
    )
    this.#transport = create(transportOptions(options, socket, this.#conversation.log))
    this.#transport.on('error', (error) => this.#failed(error))
    this.#transport.on('end', () => {
      this.alive = false
      this.#heed(null)
      this.#failed(undefined)
      this.#closed?.()
    })
  }

  /** Connected, encrypted as configured, signed in. Rejects with SmtpFailure; then nothing is left open. */
  static async open(options: SessionOptions, signal: AbortSignal): Promise<SmtpSession> {
    const create = await transports()
    const session = new SmtpSession(options, create, await dialSmtp(options.peer, options.limits, signal))
    try {
      await session.#start(signal)
      await session.#takeOver()
      return session
    } catch (error) {
      session.destroy()
      // Said before the sign-in, and perhaps with a password that was used another day: it must be known to be masked.
      const isSaid = error instanceof SmtpFailure && (error.fault.kind === 'reply' || error.fault.kind === 'nonsense')
      if (isSaid && options.signIn !== null) await session.#secret(options.signIn.secret, signal).catch(() => null)
      throw error
    }
  }

  /** What the server said of itself. */
  get said(): { readonly greeting: string; readonly offers: string; readonly tls: TlsFacts | null } {
    const { greeting, offers } = this.#conversation.replies
    return { greeting, offers, tls: tlsFactsAt(this.#socket) }
  }

  /** Whether it takes addresses beyond ASCII. */
  get takesUtf8(): boolean {
    return takesUtf8(this.#conversation.replies.offers)
  }

  /** Resolves with the server's final answer: it has taken responsibility for the message. Rejects with SmtpFailure;
   *  `alive` then tells whether the session can go on; or with the error of `handingOver`, and nothing was delivered. */
  async send({ from, to, handingOver, following }: Sending, content: Content, signal: AbortSignal): Promise<string> {
    this.served++
    this.#conversation.begin(content.wireBytes)
    if (this.#isTooLarge(content)) {
      const text = `the message has ${content.sizeBytes} bytes, and the server accepts at most ${this.#sizeLimit}`
      throw this.#failure({ kind: 'size', text }, 'MAIL')
    }
    const whole = content.wire ?? content.open()
    const note = handingOver === null ? null : new Noted(handingOver)
    const { sizeBytes, wireBytes, eightBit } = content
    const next = following === null ? null : () => this.#fitting(following())
    const about = { from, to, sizeBytes, wireBytes, eightBit, handingOver: note?.note ?? null, following: next }
    // What comes in pieces waits before the last of them.
    const message = Buffer.isBuffer(whole) || note === null ? whole : heldEnd(whole, note.note)
    try {
      const limitMs = messageMs(this.#options.limits, wireBytes)
      const response = await this.#wait<string>(limitMs, signal, (resolve) =>
        this.#line?.send({ ...about, content: message }, (outcome) => {
          if (outcome.kind === 'taken') resolve(outcome.reply)
          else this.#failed(outcome.kind === 'refused' ? undefined : spoolError(outcome.error))
        }),
      )
      await this.#inStep()
      if (this.#conversation.replies.refusal !== null) throw this.#conversation.reported(undefined)
      return response
    } catch (error) {
      const mended = await this.#mended(error, signal)
      throw note?.refused ?? mended
    } finally {
      for (const stream of [message, whole]) if (!Buffer.isBuffer(stream)) stream.destroy()
    }
  }

  /** Was a message announced that is not sent yet? Then the session is for that one alone, or at its end. */
  get isAhead(): boolean {
    return this.#line?.isAhead ?? false
  }

  #fitting(envelope: Envelope | null): Envelope | null {
    return envelope === null || this.#isTooLarge(envelope) ? null : envelope
  }

  #isTooLarge({ sizeBytes }: { readonly sizeBytes: number }): boolean {
    return this.#sizeLimit !== null && sizeBytes > this.#sizeLimit
  }

  /** Asks whether mail from `from` to `to` would be taken, without any. Rejects with SmtpFailure when it would not. */
  async probe(from: string, to: string, signal: AbortSignal): Promise<void> {
    this.#conversation.begin(0)
    try {
      for (const command of [`MAIL FROM:<${from}>`, `RCPT TO:<${to}>`]) await this.#ask(command, signal)
    } catch (error) {
      throw await this.#mended(error, signal)
    }
    await this.reset(signal)
  }

  /** Checks that the server still answers on this connection; on return no transaction is open. */
  async reset(signal: AbortSignal): Promise<void> {
    this.#conversation.begin(0)
    await this.#ask('RSET', signal)
  }

  async #ask(command: string, signal: AbortSignal): Promise<void> {
    await this.#wait<void>(this.#options.limits.commandMs, signal, (resolve) =>
      this.#line?.ask(command, (isTaken) => (isTaken ? resolve() : this.#failed(undefined))),
    )
    await this.#inStep()
  }

  /** QUIT and its answer, for a limited time; then the connection is gone in any case. */
  async quit(): Promise<void> {
    if (this.alive && !this.isAhead && this.#conversation.replies.waiting === null) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#closed = resolve
      const timer = setTimeout(resolve, this.#options.limits.quitMs)
      this.#line?.ask('QUIT', () => resolve())
      await promise
      clearTimeout(timer)
    }
    this.destroy()
  }

  destroy(): void {
    this.alive = false
    this.#heed(null)
    this.#transport.close()
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { peer, signIn, limits } = this.#options
    await this.#wait<void>(openingMs(limits), signal, (resolve) =>
      this.#transport.connect((error) => (error === undefined ? resolve() : this.#failed(error))),
    )
    const wrong = this.#socket === null ? null : checkPin(this.#socket, peer.pin)
    if (wrong !== null) throw this.#failure(wrong, 'TLS', new OtherLeaf(wrong))
    if (signIn !== null) await this.#signIn(signIn, signal)
  }

  /** From here on nodemailer only hears how the connection ends. */
  async #takeOver(): Promise<void> {
    await this.#inStep()
    const socket = this.#socket
    if (!this.alive || socket === null) throw this.#conversation.reported(undefined)
    this.#sizeLimit = sizeLimitOf(this.#conversation.replies.offers)
    const hangUp = (error: Error | null): void => {
      if (error !== null) this.#failed(error)
      this.destroy()
    }
    const { offers } = this.#conversation.replies
    this.#line = new Line(socket, this.#conversation, { offers, mostBytes: REPLY_BYTES, hangUp })
  }

  async #signIn({ user, auth, secret }: SignIn, signal: AbortSignal): Promise<void> {
    const { peer, limits } = this.#options
    if (!this.#transport.secure && !isLocal(this.#socket, peer)) {
      const text = 'a password goes without TLS only to this machine itself'
      throw this.#failure({ kind: 'unfit', text }, 'AUTH')
    }
    const method = mechanismOf(this.#conversation.replies.offers, auth)
    if (typeof method === 'object') throw this.#failure(method, 'AUTH')
    let pass = await this.#secret(secret, signal)
    for (let tries = 1; ; tries++) {
      // An earlier refusal (of EHLO before HELO, or of the first token) says nothing about this attempt.
      this.#conversation.begin(0)
      try {
        await this.#wait<void>(4 * limits.commandMs, signal, (resolve) =>
          this.#transport.login(
            { method: isTokenMechanism(method) ? TOKEN_METHODS[method] : method, user, credentials: { user, pass } },
            (error) => (error === null ? resolve() : this.#failed(error)),
          ),
        )
        this.signedInWith = method
        return await this.#inStep()
      } catch (error) {
        // The token may have expired: try once more if asking for it again gives another one.
        const again =
          isTokenMechanism(method) && tries === 1 && this.alive && this.#conversation.replies.refusal !== null
        const newer = again ? await this.#secret(() => secret(pass), signal) : pass
        if (newer === pass) throw error
        pass = newer
      }
    }
  }

  async #secret(secret: () => Promise<string>, signal: AbortSignal): Promise<string> {
    const unfit = (text: string, cause?: unknown): SmtpFailure => this.#failure({ kind: 'unfit', text }, 'AUTH', cause)
    const had = await within(secret(), this.#options.limits.commandMs, signal).catch((error: unknown) => {
      if (signal.aborted) throw this.#failure({ kind: 'stopped', text: 'stopped' }, 'AUTH')
      throw unfit(error instanceof Error ? error.message : 'there is no password', error)
    })
    if (had === '') throw unfit('the password is empty')
    redactor.add(had, `the secret of ${this.#options.signIn?.user} at ${this.#options.peer.host}`)
    return had
  }

  /** The error to throw for `thrown`. After a refused recipient the session goes on, once the server has confirmed RSET. If
   *  that shows that the session is out of step, the refusal may have been the answer to something else. */
  async #mended(thrown: unknown, signal: AbortSignal): Promise<unknown> {
    const refused = thrown instanceof SmtpFailure && thrown.fault.kind === 'reply'
    if (refused) this.refusals++
    // An answer to the dot has ended the transaction.
    if (refused && thrown.begun && thrown.handed && !this.isAhead) return thrown
    if (!refused || thrown.begun || !this.alive) {
      this.destroy()
      return thrown
    }
    try {
      await this.reset(signal)
      return thrown
    } catch (later) {
      this.destroy()
      return this.#conversation.replies.nonsense === null ? thrown : later
    }
  }

  /** Runs `begin` and waits until it resolves, the connection ends, the limit is reached or the signal is aborted. */
  async #wait<T>(limitMs: number, signal: AbortSignal, begin: (resolve: (value: T) => void) => void): Promise<T> {
    if (!this.alive) {
      // A session that was open once is not one that could not be opened.
      throw this.#failure({ kind: 'cut', text: 'the connection was closed' }, this.#line === null ? 'connect' : 'MAIL')
    }
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.#reject = reject
    const late = (): void => this.#giveUp(this.#failure({ kind: 'timeout', text: 'too slow' }))
    const timer = setTimeout(late, limitMs)
    this.#heed(signal)
    if (signal.aborted) this.#stopped()
    else begin(resolve)
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      this.#reject = null
      if (!this.alive) this.#heed(null)
    }
  }

  #heed(signal: AbortSignal | null): void {
    if (signal === this.#signal) return
    this.#signal?.removeEventListener('abort', this.#stopped)
    signal?.addEventListener('abort', this.#stopped)
    this.#signal = signal
  }

  /** Throws if a surplus reply arrived with the last one (D049). nodemailer reports it in the next turn of the event loop; and
   *  only then TLS has what came with it, and tells what has gone. */
  async #inStep(): Promise<void> {
    if (this.#line === null || this.#conversation.isLate) await turn()
    const { early, replies } = this.#conversation
    const { nonsense } = replies
    if (early !== null) throw this.#failure({ kind: 'nonsense', text: early }, 'dot')
    if (nonsense !== null) throw this.#failure({ kind: 'nonsense', text: nonsense.text })
  }

  #giveUp(failure: SmtpFailure): void {
    this.#reject?.(failure)
    this.destroy()
  }

  #failed(error: Error | undefined): void {
    this.#reject?.(this.#conversation.reported(error))
  }

  #failure(fault: Fault, step?: SmtpStep, cause?: unknown): SmtpFailure {
    return this.#conversation.failure(fault, step, cause)
  }

  get #socket(): Socket | null {
    const socket = this.#transport._socket
    return socket === false ? null : socket
  }
}

/** Beyond any real reply: a long EHLO has 2 kB. */
const REPLY_BYTES = 64 * 1024

function transportOptions(
  { peer, hostName, limits }: SessionOptions,
  socket: Socket,
  log: TransportLog,
): TransportOptions {
  return {
    connection: socket,
    host: peer.host,
    port: peer.port,
    name: peer.helo ?? greetingName(hostName, socket.localAddress),
    secure: peer.tls === 'implicit',
    secured: peer.tls === 'implicit',
    requireTLS: peer.tls === 'starttls',
    ignoreTLS: peer.tls === 'none',
    tls: peer.tls === 'starttls' ? tlsOptions(peer) : {},
    lmtp: peer.protocol === 'lmtp',
    customAuth: tokenMethods({ host: peer.host, port: peer.port }),
    connectionTimeout: openingMs(limits),
    greetingTimeout: Math.max(limits.greetingMs, limits.tlsMs),
    socketTimeout: limits.greetingMs,
    // Destroy at once: an orderly end in the middle of a message could pass for the end of the message.
    socketCloseTimeout: 0,
    maxResponseSize: REPLY_BYTES,
    transactionLog: true,
    logger: log,
  }
}

/** A hand-over that is noted once, with what came of it. */
class Noted {
  readonly note: () => Promise<void>
  /** What it rejected with; null: it did not. */
  refused: unknown = null

  constructor(handingOver: () => Promise<void>) {
    this.note = async () => {
      try {
        await handingOver()
      } catch (error) {
        this.refused = error
        // Never this error: the errors of streams and sockets get codes of others.
        throw new Error('the message was held', { cause: error })
      }
    }
  }
}

function spoolError(error: unknown): SpoolError {
  if (error instanceof SpoolError) return error
  return new SpoolError(error instanceof Error ? error.message : String(error), { cause: error })
}
