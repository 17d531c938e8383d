// One POP3 session: greeting → capabilities → sign-in → listing → retrieve … → remove … → quit (RFC 1939).
// Knows the protocol and its order, no account, no ledger, no policy. Commands are pipelined when the server says it can.
// The one rule: QUIT is a commit. Any doubt makes the session botched: the connection is destroyed without QUIT, every
// waiting command is rejected, and no further byte is sent.
import { asPopfetchError, PopfetchError } from '../errors.ts'
import { askCapabilities } from './capa.ts'
import { headerBody } from './wire/collected-body.ts'
import { command, type Command } from './wire/command.ts'
import { Connection } from './network/connection.ts'
import { type BodySink, ExchangeQueue } from './wire/exchange.ts'
import type { Listing } from './listing/listing.ts'
import { askLists } from './listing/ask.ts'
import { type Capabilities, noCapabilities, type Reply } from './wire/reply.ts'
import type { Credentials } from './sign-in/mechanism.ts'
import { expiredToken, refusedTls, replyError } from './wire/reply-error.ts'
import { chooseSignIn, type SignIn, type SignInChoice } from './sign-in/sasl.ts'
import type { SessionOptions } from './session-options.ts'
import { signInWith } from './sign-in/sign-in.ts'
import { meaningOf, StaleCapabilities } from './stale.ts'
import type { TlsFacts } from './network/tls-facts.ts'
import { orAfresh } from './network/tls-sessions.ts'
import { withTrust } from './network/trust.ts'

export type { SessionOptions } from './session-options.ts'

export class Session implements AsyncDisposable {
  readonly #options: SessionOptions
  readonly #connection: Connection
  readonly #queue: ExchangeQueue
  readonly #signal: AbortSignal
  readonly #onAbort: () => void
  #capabilities: Capabilities = noCapabilities
  #capabilitiesAfter: Capabilities = noCapabilities
  #tlsFacts: TlsFacts | null = null
  #greeting: Reply | null = null
  #signedIn: SignIn | null = null
  /** Signed in with a token, which may run out in mid-session. */
  #mayExpire = false

  private constructor(options: SessionOptions, connection: Connection, signal: AbortSignal) {
    this.#options = options
    this.#connection = connection
    this.#signal = signal
    this.#queue = new ExchangeQueue(connection, options.timeoutMs, options.trace)
    this.#onAbort = () =>
      this.#queue.botch(new PopfetchError('ERR_ABORTED', 'interrupted', { scope: 'account', retry: 'soon' }))
    signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** Connects, secures the connection as asked (implicit TLS, or STLS that must succeed), and learns what the server can do.
   *  Rejects with ERR_CONNECT, ERR_TLS, ERR_TIMEOUT, ERR_POP3_REPLY, ERR_POP3_PROTOCOL, ERR_ABORTED, and with
   *  UnansweredCapabilities; then nothing is left open. */
  static open(options: SessionOptions, signal: AbortSignal): Promise<Session> {
    return withTrust(options.tls, () => orAfresh(() => Session.#open(options, signal)))
  }

  static async #open(options: SessionOptions, signal: AbortSignal): Promise<Session> {
    const connection = await Connection.open(options, signal)
    const session = new Session(options, connection, signal)
    try {
      if (options.tlsMode === 'implicit') session.#tlsFacts = await connection.secureNow(signal)
      await session.#greet()
      if (options.tlsMode === 'starttls') await session.#startTls(signal)
      const remembered = options.tlsMode === 'none' ? null : options.remembered
      session.#capabilities = remembered ?? (await session.#askCapabilities())
      await session.#takeUtf8()
      return session
    } catch (error) {
      await session[Symbol.asyncDispose]()
      throw error
    }
  }

  async #greet(): Promise<void> {
    const greeting = this.#queue.expectGreeting()
    this.#connection.attach(this.#queue)
    const reply = await greeting
    if (reply.status !== 'ok') throw replyError('the connection', reply)
    this.#greeting = reply
  }

  async #startTls(signal: AbortSignal): Promise<void> {
    // Whatever is learnt in clear may come from somebody else (RFC 2595 §4, P035, P049): it is not kept.
    if (this.#options.remembered === null) await this.#askCapabilities()
    // Sent also when the list lacks STLS: only the command's answer counts, and without TLS there is no going on (P042).
    const reply = await this.#queue.run(command('STLS'), 'step')
    if (reply.status !== 'ok') throw refusedTls(reply)
    this.#tlsFacts = await this.#connection.secureNow(signal)
  }

  /** Without it, Courier wraps mail whose header has 8-bit text into a message of its own making: what comes is to be what was
   *  sent (P040; RFC 6856 §2). A refusal means only that. */
  async #takeUtf8(): Promise<void> {
    if (this.#capabilities.names.has('UTF8')) await this.#queue.run(command('UTF8'), 'step')
  }

  async #askCapabilities(): Promise<Capabilities> {
    return this.#options.askCapabilities ? await askCapabilities(this.#queue) : noCapabilities
  }

  get capabilities(): Capabilities {
    return this.#capabilities
  }
  /** What the server itself said after sign-in; `noCapabilities`: nothing, and what it said before still stands. */
  get capabilitiesAfter(): Capabilities {
    return this.#capabilitiesAfter
  }
  /** Safe to print. */
  get greeting(): string {
    return this.#greeting?.text ?? ''
  }
  get tlsFacts(): TlsFacts | null {
    return this.#tlsFacts
  }
  get signedInWith(): SignIn | null {
    return this.#signedIn
  }
  /** Why the session ended, or null while it has not. */
  get botched(): PopfetchError | null {
    return this.#queue.botched
  }
  /** May answers to several commands be on their way at once? */
  get pipelining(): boolean {
    return this.#queue.pipelining
  }
  /** Is no command waiting for an answer? */
  get idle(): boolean {
    return this.#queue.idle
  }

  /** Signs in once. Rejects with what signInWith names, or StaleCapabilities; then the session is botched: no second attempt
   *  in it (P052). */
  async signIn(choice: SignInChoice, credentials: Credentials): Promise<void> {
    let signIn: SignIn | null = null
    try {
      signIn = chooseSignIn(choice, this.#capabilities, credentials)
      this.#assertMaySendSecrets()
      const greeting = this.#greeting?.rest ?? Buffer.alloc(0)
      await signInWith(this.#queue, signIn, credentials, { ...this.#options, greeting })
      this.#signedIn = signIn
      this.#mayExpire = 'token' in credentials
    } catch (thrown) {
      const asked = this.#capabilities !== this.#options.remembered
      const again = (): Promise<Capabilities> => this.#askCapabilities()
      const error = asked ? thrown : await meaningOf(thrown, { signIn, choice, credentials }, again)
      this.#queue.botch(asPopfetchError(error))
      throw error
    }
  }

  /** The one place that lets a secret out: only to a peer that TLS verified, or where the user said `tls: none` (P048). */
  #assertMaySendSecrets(): void {
    if (this.#connection.secure || this.#options.tlsMode === 'none') return
    throw new PopfetchError('ERR_TLS', 'refusing to send a password over a connection that is not secure', {
      scope: 'account',
      retry: 'later',
    })
  }

  /** LIST and UIDL, and CAPA again in front of them (P036), in one burst when the server pipelines. Call once, before any
   *  DELE (P102). Rejects with ERR_POP3_REPLY when LIST is refused, with UnansweredBurst, UnansweredCapabilities or
   *  StaleCapabilities. */
  async list(): Promise<Listing> {
    const early = this.#options.pipelining && this.#capabilities.names.has('PIPELINING')
    this.#queue.pipelining = early
    const again = this.#capabilities !== noCapabilities
    if (again && !early) this.#updateCapabilities(await this.#askCapabilities())
    const capabilities = again && early ? this.#askCapabilities() : null
    const ask = (list: Command, body: BodySink): Promise<Reply> => this.#watched(this.#queue.run(list, 'listing', body))
    const lists = await askLists(ask, capabilities, this.#queue.pipelining)
    if (lists.capabilities !== null) this.#updateCapabilities(lists.capabilities)
    return lists.listing
  }

  #updateCapabilities(after: Capabilities): void {
    // Nothing of today then says what RETR and QUIT may cost (EXPIRE, P129): little was remembered, and not that.
    if (after === noCapabilities && this.#capabilities === this.#options.remembered) {
      const stale = new StaleCapabilities(null)
      this.#queue.botch(stale)
      throw stale
    }
    this.#capabilitiesAfter = after
    // Refused now: what was said before still stands, but for the one claim that could cost a message (P036).
    const lasting = new Set([...this.#capabilities.names].filter((name) => name !== 'PIPELINING'))
    this.#capabilities = after === noCapabilities ? { ...this.#capabilities, names: lasting } : after
    this.#queue.pipelining = this.#options.pipelining && this.#capabilities.names.has('PIPELINING')
  }

  /** RETR. The bytes go to `body` as they come; resolves with the reply, `status: 'err'` when the server has not got the
   *  message (P106): the session goes on. Rejects when the session is botched; the bytes so far are then worth nothing. */
  retrieve(number: number, body: BodySink): Promise<Reply> {
    return this.#watched(this.#queue.run(command('RETR', number), 'message', body))
  }

  /** Rejects, the session botched, with ExpiredToken where a refusal says that (P077): it is not about this message. */
  #watched(answer: Promise<Reply>): Promise<Reply> {
    if (!this.#mayExpire) return answer
    return answer.then((reply) => {
      const expired = expiredToken(reply)
      if (expired === null) return reply
      this.#queue.botch(expired)
      throw expired
    })
  }

  /** TOP n 0: the header, at most 64 KiB of it; null when the server refuses. */
  async header(number: number): Promise<Buffer | null> {
    const answer = headerBody()
    const reply = await this.#watched(this.#queue.run(command('TOP', number, 0), 'message', answer))
    return reply.status === 'ok' ? answer.bytes() : null
  }

  /** DELE: marks for deletion; QUIT commits it. */
  remove(number: number): Promise<Reply> {
    return this.#watched(this.#queue.run(command('DELE', number), 'step'))
  }

  async noop(): Promise<void> {
    await this.#watched(this.#queue.run(command('NOOP'), 'step'))
  }

  /** QUIT: commits every DELE of this session. Resolves with the reply, whose `+OK` is no proof of deletion (P134). */
  async quit(): Promise<Reply> {
    const reply = await this.#watched(this.#queue.run(command('QUIT'), 'quit'))
    await this[Symbol.asyncDispose]()
    return reply
  }

  /** Ends the session without QUIT, for this reason; everything that waits is rejected with it. */
  abandon(reason: PopfetchError): void {
    this.#queue.botch(reason)
  }

  /** Keeps reading from the server waiting until the returned function is called. */
  pause(): () => void {
    this.#queue.pause()
    let held = true
    return () => {
      if (held) this.#queue.resume()
      held = false
    }
  }

  /** Ends the session; without quit() before, nothing is deleted. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener('abort', this.#onAbort)
    this.#queue.close()
    return Promise.resolve()
  }
}
