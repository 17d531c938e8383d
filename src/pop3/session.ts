// One POP3 session, in the order of RFC 1939. open() connects, secures the connection (implicit TLS, or STLS that must succeed)
// and learns the server's capabilities. Then come signIn(), list(), retrieve() and header(), remove(), and quit().
// It knows the protocol and its order, but no account, no ledger and no policy.
//
// In this room each folder uses only those below it:
//   listing/   LIST and UIDL, joined into columns that hold a million entries
//   sign-in/   the mechanisms and the choice between them: mechanisms.ts is their table
//   wire/      bytes ↔ commands and replies: decoder, clocks, and the queue that keeps them in step
//   network/   TCP, TLS and proxies: the only door to the network
// recoverable.ts names the ends of a session that a new session may avoid.
//
// The one rule: QUIT is a commit. Any doubt makes the session botched: the connection is destroyed without QUIT, every
// waiting command is rejected, and no further byte is sent. So a session that does not end well deletes nothing.
import { asPopfetchError, PopfetchError } from '../errors.ts'
import { askLists, askListsUnless, type IsKnown } from './listing/ask.ts'
import type { Listing } from './listing/listing.ts'
import { withinListing } from './listing/parser.ts'
import { HeldRoom, type ListingRoom } from './listing/room.ts'
import { Connection, type ConnectionOptions } from './network/connection.ts'
import { ungreeted } from './network/network-error.ts'
import type { TlsFacts } from './network/tls-facts.ts'
import { orAfresh } from './network/tls-sessions.ts'
import { withTrust } from './network/trust.ts'
import { StaleCapabilities, staleOr, unansweredCapabilities } from './recoverable.ts'
import type { Credentials, Mechanism } from './sign-in/mechanism.ts'
import { chooseMechanism, type MechanismChoice } from './sign-in/mechanisms.ts'
import { UnknownMechanism } from './sign-in/refusal.ts'
import { signInWith } from './sign-in/sign-in.ts'
import { CAPABILITIES_LIMIT, type Capabilities, noCapabilities, parseCapabilities } from './wire/capabilities.ts'
import { CollectedBody, headerBody } from './wire/collected-body.ts'
import { command, type Command, type Verb } from './wire/command.ts'
import type { Burst, BurstOwner } from './wire/burst.ts'
import { type BodySink, ExchangeQueue, type Place } from './wire/exchange.ts'
import type { Reply } from './wire/reply.ts'
import { expiredToken, isBusy, refusedTls, replyError } from './wire/reply-error.ts'

/** What a person may ask of a session that is signed in. */
export type HandVerb = Exclude<Verb, 'STLS' | 'UTF8' | 'USER' | 'PASS' | 'APOP' | 'AUTH' | 'LAST' | 'QUIT'>

export interface SessionOptions extends ConnectionOptions {
  /** False: one command at a time, whatever the server says. */
  readonly pipelining: boolean
  /** False: CAPA is not sent, because this server cannot bear it (P032, CAPA unanswered). */
  readonly askCapabilities: boolean
  /** The server's capabilities before sign-in, as an earlier session learned them: CAPA is then not sent before sign-in. Used
   *  only under TLS. Null: ask. */
  readonly remembered: Capabilities | null
  /** What the lists of a process share; absent: each may be as long as a list may be. */
  readonly listings?: ListingRoom
  /** Receives the conversation for a log, with secrets and bodies masked. Null: not wanted. */
  readonly trace: ((direction: 'C' | 'S', text: string) => void) | null
}

/** The session ends when the answer to CAPA is longer than this: sixty-four times what is looked at. */
const CAPABILITIES_END_BYTES = CAPABILITIES_LIMIT * 64

export class Session implements AsyncDisposable {
  readonly #options: SessionOptions
  readonly #connection: Connection
  readonly #queue: ExchangeQueue
  readonly #signal: AbortSignal
  readonly #onAbort: () => void
  readonly #room: HeldRoom
  #capabilities: Capabilities = noCapabilities
  #capabilitiesAfter: Capabilities = noCapabilities
  #tlsFacts: TlsFacts | null = null
  #greeting: Reply | null = null
  #signedIn: Mechanism | null = null
  /** Signed in with a token, which may expire during the session. */
  #mayExpire = false

  private constructor(options: SessionOptions, connection: Connection, signal: AbortSignal) {
    this.#options = options
    this.#connection = connection
    this.#signal = signal
    this.#room = new HeldRoom(options.listings ?? null)
    this.#queue = new ExchangeQueue(connection, options.timeoutMs, options.trace)
    this.#onAbort = () =>
      this.#queue.botch(new PopfetchError('ERR_ABORTED', 'interrupted', { scope: 'account', retry: 'soon' }))
    signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** A session up to its capabilities, not signed in yet. Rejects with ERR_CONNECT, ERR_TLS, ERR_TIMEOUT, ERR_POP3_REPLY,
   *  ERR_POP3_PROTOCOL, ERR_ABORTED, or UnansweredCapabilities; then nothing is left open. Abort `signal` to end the session
   *  at any time. */
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
    const reply = await greeting.catch((error: unknown) => {
      throw ungreeted(error, this.#options)
    })
    if (reply.status !== 'ok') throw replyError('the connection', reply)
    this.#greeting = reply
  }

  async #startTls(signal: AbortSignal): Promise<void> {
    // Anything learned without TLS may come from an attacker: it is not kept (RFC 2595 §4; P035, P049).
    if (this.#options.remembered === null) await this.#askCapabilities()
    // Sent even when CAPA does not list it: only its answer counts, and without TLS the session ends (P042, STLS stripped).
    const reply = await this.#queue.run(command('STLS'), 'step')
    if (reply.status !== 'ok') throw refusedTls(reply)
    this.#tlsFacts = await this.#connection.secureNow(signal)
  }

  /** Without UTF8 (RFC 6856 §2), Courier wraps a message with 8-bit text in its header into one of its own (P040). We want the
   *  message as it was sent. A refusal changes nothing. */
  async #takeUtf8(): Promise<void> {
    if (this.#capabilities.names.has('UTF8')) await this.#queue.run(command('UTF8'), 'step')
  }

  /** CAPA (RFC 2449 §5): what the server can do at this moment; `noCapabilities` when it does not know the command. Rejects with
   *  ERR_POP3_REPLY or UnansweredCapabilities. */
  async #askCapabilities(): Promise<Capabilities> {
    if (!this.#options.askCapabilities) return noCapabilities
    const answer = new CollectedBody({ keepBytes: CAPABILITIES_LIMIT, endBytes: CAPABILITIES_END_BYTES })
    const reply = await this.#queue.run(command('CAPA'), 'step', answer).catch((error: unknown) => {
      throw unansweredCapabilities(error)
    })
    if (reply.status === 'ok') return parseCapabilities(answer.bytes())
    // No server says "unknown command" with a code that means busy: this is a farewell (P146).
    if (reply.code !== null && isBusy(reply)) throw replyError('CAPA', reply)
    return noCapabilities
  }

  get capabilities(): Capabilities {
    return this.#capabilities
  }
  /** The server's own answer after sign-in. `noCapabilities`: it gave none, and those from before still apply. */
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
  /** The mechanism's name; null while not signed in. */
  get signedInWith(): string | null {
    return this.#signedIn?.name ?? null
  }
  /** Why the session ended, or null while it has not. */
  get botched(): PopfetchError | null {
    return this.#queue.botched
  }
  /** Where it ended: the command whose answer was due, or one that was refused just before; null: at none. */
  get brokenAt(): Place | null {
    return this.#queue.place
  }
  /** May several commands be sent before the first is answered? */
  get pipelining(): boolean {
    return this.#queue.pipelining
  }
  /** Is no command waiting for an answer? */
  get idle(): boolean {
    return this.#queue.idle
  }

  /** Signs in, once: no second attempt in this session (P052). Only a mechanism that the server does not know after all gives way
   *  to the next one, where `choice` leaves that open (P170). Rejects with the errors that chooseMechanism and signInWith
   *  name, or StaleCapabilities; then the session is botched. */
  async signIn(choice: MechanismChoice, credentials: Credentials): Promise<void> {
    const choose = (capabilities: Capabilities): Mechanism => chooseMechanism(choice, capabilities, credentials)
    let tried: Mechanism | null = null
    try {
      tried = choose(this.#capabilities)
      this.#assertMaySendSecrets()
      const greeting = this.#greeting?.rest ?? Buffer.alloc(0)
      const peer = { ...this.#options, greeting, secure: this.#connection.secure }
      let next: Mechanism | null = tried
      for (let mechanism = tried; next !== null; mechanism = next ?? mechanism) {
        next = await signInWith(this.#queue, mechanism, credentials, peer).then(
          () => null,
          (error: unknown) => this.#instead(mechanism, error, choice, choose),
        )
        this.#signedIn = mechanism
      }
      this.#mayExpire = 'token' in credentials
    } catch (thrown) {
      const isRemembered = this.#capabilities === this.#options.remembered
      const ask = (): Promise<Capabilities> => this.#askCapabilities()
      const error = isRemembered ? await staleOr(thrown, { tried, ask, choose }) : thrown
      this.#queue.botch(asPopfetchError(error))
      throw error
    }
  }

  /** The mechanism to try instead of one that the server listed and does not know. Rethrows `error` where there is none. */
  #instead(
    { name }: Mechanism,
    error: unknown,
    choice: MechanismChoice,
    choose: (capabilities: Capabilities) => Mechanism,
  ): Mechanism {
    const isRemembered = this.#capabilities === this.#options.remembered
    if (choice !== 'auto' || isRemembered || !(error instanceof UnknownMechanism)) throw error
    // What is left out here is not remembered either.
    const sasl = new Set([...this.#capabilities.sasl].filter((offered) => offered !== name.toUpperCase()))
    this.#capabilities = { ...this.#capabilities, sasl }
    const other = choose(this.#capabilities)
    if (other.name === name) throw error
    return other
  }

  /** The one place that allows secrets to be sent: only to a peer that TLS verified, or with `tls: none` (P048). */
  #assertMaySendSecrets(): void {
    if (this.#connection.secure || this.#options.tlsMode === 'none') return
    throw new PopfetchError('ERR_TLS', 'refusing to send a password over a connection that is not secure', {
      scope: 'account',
      retry: 'later',
    })
  }

  /** Sends LIST and UIDL, and CAPA once more before them (P036, capabilities change at sign-in), in one burst when the server
   *  pipelines. Call once, before any DELE (P102, counting after DELE). Rejects with ERR_POP3_REPLY when LIST is refused, or
   *  with UnansweredBurst, UnansweredCapabilities or StaleCapabilities. */
  list(): Promise<Listing>
  /** The same, but with `isKnown` STAT and UIDL are sent first; null: what they show is known, and LIST was not sent. */
  list(isKnown: IsKnown | null): Promise<Listing | null>
  async list(isKnown: IsKnown | null = null): Promise<Listing | null> {
    const early = this.#options.pipelining && this.#capabilities.names.has('PIPELINING')
    this.#queue.pipelining = early
    const again = this.#capabilities !== noCapabilities
    if (again && !early) this.#updateCapabilities(await this.#askCapabilities())
    const asking = {
      capabilities: again && early ? this.#askCapabilities() : null,
      ask: (list: Command, body: BodySink | null) => this.#watched(this.#queue.run(list, 'listing', body)),
      together: this.#queue.pipelining,
      room: this.#room,
    }
    const lists = await (isKnown === null ? askLists(asking) : askListsUnless(isKnown, asking))
    if (lists.capabilities !== null) this.#updateCapabilities(lists.capabilities)
    return lists.listing
  }

  #updateCapabilities(after: Capabilities): void {
    // Nothing learned today tells whether RETR deletes (P129, EXPIRE 0), and that is not remembered.
    if (after === noCapabilities && this.#capabilities === this.#options.remembered) {
      const stale = new StaleCapabilities(null)
      this.#queue.botch(stale)
      throw stale
    }
    this.#capabilitiesAfter = after
    // CAPA is refused now: the earlier answer still applies, but for the one claim that could cost a message (P036).
    const lasting = new Set([...this.#capabilities.names].filter((name) => name !== 'PIPELINING'))
    this.#capabilities = after === noCapabilities ? { ...this.#capabilities, names: lasting } : after
    this.#queue.pipelining = this.#options.pipelining && this.#capabilities.names.has('PIPELINING')
  }

  /** RETR. The message's bytes go to `body` as they arrive. Resolves with the reply; `status: 'err'`: the server does not have
   *  the message (P106), and the session goes on. Rejects when the session is botched; discard the bytes then. */
  retrieve(number: number, body: BodySink): Promise<Reply> {
    return this.#watched(this.#queue.run(command('RETR', number), 'message', body))
  }

  /** Many small messages at once, cut whole out of `memory` (wire/burst.ts). No other command until `endBurst`. Null: not on this server,
   *  or not now. */
  burst(owner: BurstOwner, memory: Buffer): Burst | null {
    return this.#queue.burst(owner, memory)
  }

  /** Call it when all has come. Does nothing where it is over already. */
  endBurst(): void {
    this.#queue.endBurst()
  }

  /** Rejects with ExpiredToken, the session botched, when a refusal is about the token and not about the command (P077). */
  #watched(answer: Promise<Reply>): Promise<Reply> {
    if (!this.#mayExpire) return answer
    return answer.then((reply) => {
      const expired = expiredToken(reply)
      if (expired === null) return reply
      this.#queue.botch(expired)
      throw expired
    })
  }

  /** Resolves when the next answer that is due has begun, when none is due, or when the session is botched. */
  nextAnswer(): Promise<void> {
    return this.#queue.nextAnswer()
  }

  /** TOP n 0: the message's header, or its first 64 KiB; null when the server refuses. */
  async header(number: number): Promise<Buffer | null> {
    const answer = headerBody()
    const reply = await this.#watched(this.#queue.run(command('TOP', number, 0), 'message', answer))
    return reply.status === 'ok' ? answer.bytes() : null
  }

  /** DELE: marks the message for deletion; only QUIT deletes it. */
  remove(number: number): Promise<Reply> {
    return this.#watched(this.#queue.run(command('DELE', number), 'step'))
  }

  /** CAPA once more, where sign-in may have changed the answer and no list is asked for. */
  async learnCapabilities(): Promise<void> {
    if (this.#capabilities !== noCapabilities) this.#updateCapabilities(await this.#askCapabilities())
  }

  /** A command as a person typed it. Its multi-line part, if the answer has one, goes to `body`. Rejects when the session is
   *  botched. QUIT is quit(), which also ends the session. */
  byHand(verb: HandVerb, args: readonly string[], body: BodySink): Promise<Reply> {
    const typed = command(verb, ...args)
    const clock = verb === 'RETR' || verb === 'TOP' ? 'message' : typed.multiline ? 'listing' : 'step'
    const sink = clock === 'listing' ? withinListing(body) : body
    return this.#watched(this.#queue.run(typed, clock, typed.multiline ? sink : null))
  }

  async noop(): Promise<void> {
    await this.#watched(this.#queue.run(command('NOOP'), 'step'))
  }

  /** QUIT: commits every DELE of this session. Resolves with the reply; even `+OK` does not prove the deletion (P134). */
  async quit(): Promise<Reply> {
    const reply = await this.#watched(this.#queue.run(command('QUIT'), 'quit'))
    await this[Symbol.asyncDispose]()
    return reply
  }

  /** Ends the session without QUIT; every waiting command is rejected with `reason`. */
  abandon(reason: PopfetchError): void {
    this.#queue.botch(reason, null)
  }

  /** What was asked for and not sent yet is not sent, and rejected with `reason`; the session goes on. */
  withdraw(reason: PopfetchError): void {
    this.#queue.withdraw(reason)
  }

  /** Stops reading, so that the server has to wait, until the returned function is called. */
  pause(): () => void {
    this.#queue.pause()
    let held = true
    return () => {
      if (held) this.#queue.resume()
      held = false
    }
  }

  /** Ends the session. Unless quit() came first, nothing is deleted. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener('abort', this.#onAbort)
    this.#queue.close()
    this.#room.leave()
    return Promise.resolve()
  }
}
