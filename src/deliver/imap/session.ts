// One IMAP session, from greeting to LOGOUT, over one imapflow client: one command at a time. Where the server has LITERAL+,
// messages go beside it. Knows no pool and no verdict. imapflow gets a connected stream and our limits. One rule: a session
// that is too slow or no longer wanted notes whether the whole message was handed over, and destroys its connection at once.
import type { TlsFacts } from '../../pop3/network/tls-facts.ts'
import { redactor } from '../../redact.ts'
import type { ImapStep } from '../answers/imap.ts'
import { within } from '../disk/time-limit.ts'
import { checkPin, isLocal, OtherLeaf, type Peer, secured, tlsFactsAt } from '../network/dial.ts'
import { type Fault, ImapFailure } from './fault.ts'
import {
  answerIn,
  appendCommand,
  CommandMemory,
  type Dated,
  FOLDER_LIMIT,
  limitQuestion,
  type LiteralFacts,
  LiteralLie,
  literalProbe,
  faultIn,
  mostAtOnce,
  tagOf,
  uidsIn,
} from './append.ts'
import { type Client, type Namespace, namespaceOf, openClient, type Refusal, refusalOf } from './imapflow.ts'
import type { ImapConfig, ImapLimits } from './settings.ts'
import { codeOf, dialled, faultOf, stepOf } from './thrown.ts'
import { Wire } from './wire.ts'

/** Slower than a modem is not progress: a whole message must be through at this rate, drip or not. */
const BYTES_PER_MS = 4

export class ImapSession {
  served = 0
  refusals = 0
  kept = false
  namespace: Namespace = { prefix: '', delimiter: '/', others: [] }
  readonly #config: ImapConfig
  readonly #limits: ImapLimits
  #client: Client | null = null
  #wire: Wire
  #closed = false
  /** Why the connection failed, where the stream knows it best. */
  #cause: Error | null = null
  #step: ImapStep = 'greeting'
  #secretSent = ''
  readonly #memory = new CommandMemory()
  /** Commands of our own so far. */
  #tags = 0
  /** Whoever shares the session waits for the command of the other. */
  #turn = Promise.resolve()
  /** The longest message that goes without the server's leave. */
  #atOnceBytes = 0
  /** The last NO or BAD since the command began, which imapflow may keep to itself. */
  #refusal: Refusal | null = null
  /** Ends the wait when a refusal is told before its promise rejects: imapflow waits out a pause that it names. */
  #paused: ((failure: ImapFailure) => void) | null = null

  private constructor(config: ImapConfig, limits: ImapLimits, wire: Wire) {
    this.#config = config
    this.#limits = limits
    this.#wire = wire
    this.#watch(wire)
  }

  /** Connected, encrypted as configured, signed in. Rejects with ImapFailure; then nothing is left open. */
  static async open(
    config: ImapConfig,
    limits: ImapLimits,
    signal: AbortSignal,
    literals: LiteralFacts = { lies: false },
  ): Promise<ImapSession> {
    const peer: Peer = { ...config, socketPath: null }
    const { connectMs, tlsMs, blockMs } = limits
    let refused: string | null = null
    for (;;) {
      const socket = await dialled(peer, { connectMs, tlsMs }, signal)
      const session = new ImapSession(config, limits, new Wire(socket, { blockMs, greeted: false }))
      try {
        await session.#start(peer, refused, signal)
        await session.#tryLiterals(literals.lies, signal)
        return session
      } catch (error) {
        session.destroy()
        if (error instanceof LiteralLie && !literals.lies) {
          literals.lies = true
          continue
        }
        const isSignIn = error instanceof ImapFailure && error.step === 'sign-in' && error.fault.kind === 'reply'
        // A token may have expired: try once more if asking for it again gives another one.
        if (!config.byToken || refused !== null || !isSignIn || session.#secretSent === '') throw error
        refused = session.#secretSent
        const newer = await session.#secret(refused, signal).catch(() => '')
        if (newer === '' || newer === refused) throw error
      }
    }
  }

  get alive(): boolean {
    return !this.#closed && this.#client?.usable === true
  }

  /** RFC 7889: what a folder takes at most; null: it has no limit, or does not say. */
  async limitOf(path: string, signal: AbortSignal): Promise<number | null> {
    const limit = this.#client?.capabilities.get('APPENDLIMIT')
    if (limit !== true || this.offers('UTF8=ONLY')) return typeof limit === 'number' ? limit : null
    const { heard } = await this.#ask((tag) => limitQuestion(tag, path), signal, FOLDER_LIMIT)
    return heard === null ? null : Number(heard)
  }

  /** What the server said of itself. */
  get said(): { readonly capabilities: readonly string[]; readonly tls: TlsFacts | null } {
    const capabilities = [...(this.#client?.capabilities.keys() ?? [])]
    return { capabilities, tls: tlsFactsAt(this.#wire.socket) }
  }

  offers(capability: string): boolean {
    return this.#client?.capabilities.has(capability) === true
  }

  /** Does it take a message while another one is not answered yet? */
  get appendsAtOnce(): boolean {
    return this.#atOnceBytes === Infinity
  }

  /** Does it take several messages with one command, all of them or none (RFC 3502)? */
  get appendsTogether(): boolean {
    return this.appendsAtOnce && this.offers('MULTIAPPEND')
  }

  /** Resolves when the server has taken responsibility for the message: with its UID; null: it does not say (no UIDPLUS). Rejects
   *  with ImapFailure. */
  async append(
    folder: string,
    { content, date }: Dated,
    flags: readonly string[],
    signal: AbortSignal,
  ): Promise<number | null> {
    if (content.bytes <= this.#atOnceBytes) {
      const [uid = null] = await this.appendAll(folder, [{ content, date }], flags, signal)
      return uid
    }
    this.served++
    await this.#leave(signal)
    const before = this.#wire.handed
    const limitMs = this.#appendMs(content.bytes)
    const sent = (): boolean => this.#wire.handed - before >= content.bytes
    const whole = Buffer.concat(content.parts, content.bytes)
    const done = await this.run(
      'APPEND',
      (client) => client.append(folder, whole, [...flags], date ?? undefined),
      signal,
      { limitMs, sent },
    )
    return done === false ? null : (done.uid ?? null)
  }

  /** The same for messages that go with one command of our own; several only where `appendsTogether`. Of several, some may be there
   *  once a part of the command was handed over, whatever RFC 3502 says. */
  async appendAll(
    folder: string,
    messages: readonly Dated[],
    flags: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly (number | null)[]> {
    this.served += messages.length
    await this.#leave(signal)
    if (!this.alive) throw new ImapFailure('APPEND', this.#gone())
    const tag = tagOf(++this.#tags)
    const memory = this.#memory.take()
    const command = appendCommand(tag, messages, { flags, folder, binary: this.offers('BINARY') }, memory)
    const bytes = command.reduce((sum, { length }) => sum + length, 0)
    const { answer, sent, begun } = this.#wire.exchange(tag, command)
    const handed = messages.length > 1 ? begun : sent
    const line = await within(answer, this.#appendMs(bytes), signal).catch((error: unknown) => {
      throw this.#failure('APPEND', error, signal, handed)
    })
    if (sent()) this.#memory.give(memory)
    const answered = answerIn(line)
    if (answered?.status === 'OK') return uidsIn(answered, messages.length)
    if (answered === null) this.destroy()
    else this.refusals++
    throw new ImapFailure('APPEND', faultIn(answered, line), { handed: answered === null && handed() })
  }

  /** Closes a folder that was only looked at: Courier (2026) takes no message while one is open read-only. */
  async #leave(signal: AbortSignal): Promise<void> {
    const { mailbox = false } = this.#client ?? {}
    if (mailbox && mailbox.readOnly === true) await this.run('folder', (client) => client.mailboxClose(), signal)
  }

  #appendMs(bytes: number): number {
    return 2 * this.#limits.commandMs + bytes / BYTES_PER_MS + this.#limits.contentMs
  }

  /** Is LITERAL+ true (RFC 7888)? A server that only says so would take messages for commands, whatever is in them. Rejects with
   *  LiteralLie. */
  async #tryLiterals(areLies: boolean, signal: AbortSignal): Promise<void> {
    if (areLies) {
      // imapflow believes them too.
      for (const word of ['LITERAL+', 'LITERAL-']) this.#client?.capabilities.delete(word)
      return
    }
    const most = mostAtOnce((capability) => this.offers(capability))
    if (most === 0) return
    const { line } = await this.#ask(literalProbe, signal)
    // NO may be said of a folder called `{5+}`.
    if (answerIn(line)?.status !== 'OK') throw new LiteralLie(line)
    this.#atOnceBytes = most
  }

  /** A command of our own, and what came besides that fits. */
  async #ask(command: (tag: string) => Buffer, signal: AbortSignal, hears: RegExp | null = null) {
    const tag = tagOf(++this.#tags)
    const { answer, heard } = this.#wire.exchange(tag, [command(tag)], hears)
    const line = await within(answer, this.#limits.commandMs, signal).catch((error: unknown) => {
      throw this.#failure('folder', error, signal)
    })
    return { line, heard: heard() }
  }

  /** One command, or a few. Rejects with ImapFailure: of an answer, or of no answer; then the session is over. `false` and
   *  undefined, by which imapflow tells some failures, are failures where `must` is given. */
  async run<T>(
    step: ImapStep,
    work: (client: Client) => Promise<T>,
    signal: AbortSignal,
    { limitMs, sent }: { limitMs?: number; sent?: () => boolean } = {},
  ): Promise<T> {
    const before = this.#turn
    const { promise: turn, resolve: end } = Promise.withResolvers<void>()
    this.#turn = turn
    await before
    try {
      return await this.#run(step, work, signal, { limitMs, sent })
    } finally {
      end()
    }
  }

  async #run<T>(
    step: ImapStep,
    work: (client: Client) => Promise<T>,
    signal: AbortSignal,
    { limitMs, sent }: { limitMs: number | undefined; sent: (() => boolean) | undefined },
  ): Promise<T> {
    const client = this.#client
    if (client === null || !this.alive) throw new ImapFailure(step, this.#gone())
    this.#step = step
    this.#refusal = null
    const { promise: paused, reject } = Promise.withResolvers<never>()
    paused.catch(() => {})
    this.#paused = reject
    try {
      return await within(Promise.race([work(client), paused]), limitMs ?? this.#limits.commandMs, signal)
    } catch (error) {
      throw this.#failure(step, error, signal, sent)
    } finally {
      this.#paused = null
    }
  }

  /** What the server refused within the last `run`, where imapflow told only that it failed. */
  refusal(step: ImapStep, otherwise: string): ImapFailure {
    if (!this.alive) return new ImapFailure(step, this.#gone())
    this.refusals++
    const fault: Fault =
      this.#refusal === null ? { kind: 'unfit', text: otherwise } : { kind: 'reply', ...this.#refusal }
    return new ImapFailure(step, fault)
  }

  async quit(): Promise<void> {
    const client = this.#client
    if (client !== null && this.alive) await within(client.logout(), this.#limits.quitMs).catch(() => {})
    this.destroy()
  }

  destroy(): void {
    this.#closed = true
    this.#client?.close()
    this.#wire.destroy()
  }

  async #start(peer: Peer, refused: string | null, signal: AbortSignal): Promise<void> {
    const { tls, pin, user, byToken, auth, host, port } = this.#config
    const wrong = checkPin(this.#wire.socket, pin)
    if (wrong !== null) throw new ImapFailure('TLS', wrong, { cause: new OtherLeaf(wrong) })
    if (tls === 'none' && !isLocal(this.#wire.socket, peer)) {
      const text = 'a password goes without TLS only to this machine itself'
      throw new ImapFailure('sign-in', { kind: 'unfit', text })
    }
    const secret = await this.#secret(refused, signal)
    this.#secretSent = secret
    const { greetingMs, commandMs, tlsMs } = this.#limits
    const limitMs = greetingMs + tlsMs + 6 * commandMs
    const client = await openClient({
      host,
      port,
      secure: tls === 'implicit',
      starttls: tls === 'starttls',
      user,
      secret,
      byToken,
      auth,
      greetingMs,
      limitMs,
      stream: () => this.#wire,
      upgrade: (done) => this.#upgrade(peer, done),
      refused: (refusal) => this.#refused(refusal),
    })
    this.#client = client
    this.#step = 'greeting'
    try {
      await within(client.connect(), limitMs, signal)
      this.namespace = namespaceOf(client)
    } catch (error) {
      const step = stepOf(error, this.#wire.handed, this.#step)
      throw this.#failure(step, error, signal)
    }
  }

  async #secret(refused: string | null, signal: AbortSignal): Promise<string> {
    const { secret, user, host } = this.#config
    const unfit = (text: string, cause?: unknown): ImapFailure =>
      new ImapFailure('sign-in', { kind: 'unfit', text }, { cause })
    if (secret === null) throw unfit('no password is configured')
    const had = await within(refused === null ? secret() : secret(refused), this.#limits.commandMs, signal).catch(
      (error: unknown) => {
        if (signal.aborted) throw new ImapFailure('sign-in', { kind: 'stopped', text: 'stopped' })
        throw unfit(error instanceof Error ? error.message : 'there is no password', error)
      },
    )
    if (had === '') throw unfit('the password is empty')
    redactor.add(had, `the secret of ${user} at ${host}`)
    return had
  }

  #upgrade(peer: Peer, done: () => void): Wire {
    this.#step = 'TLS'
    const plain = this.#wire
    plain.socket.removeAllListeners('data')
    const socket = secured(plain.socket, peer)
    const wire = new Wire(socket, { blockMs: this.#limits.blockMs, greeted: true })
    socket.once('secureConnect', () => {
      const wrong = checkPin(socket, this.#config.pin)
      if (wrong !== null) return void wire.destroy(new OtherLeaf(wrong))
      this.#step = 'sign-in'
      done()
    })
    this.#watch(wire)
    this.#wire = wire
    return wire
  }

  #watch(wire: Wire): void {
    wire.once('error', (error) => {
      this.#cause ??= error
    })
    wire.once('close', () => {
      if (wire === this.#wire) this.#closed = true
    })
  }

  #refused(refusal: Refusal): void {
    this.#refusal = refusal
    if (!/backoff time/i.test(refusal.text)) return
    const failure = new ImapFailure(this.#step, { kind: 'reply', ...refusal })
    this.#paused?.(failure)
  }

  /** The error for whatever was thrown. After anything but an answer the session is over. */
  #failure(step: ImapStep, thrown: unknown, signal: AbortSignal, sent?: () => boolean): ImapFailure {
    const handed = sent?.() ?? false
    if (thrown instanceof ImapFailure) {
      this.destroy()
      return thrown
    }
    const refusal = refusalOf(thrown)
    if (refusal !== null) {
      this.refusals++
      return new ImapFailure(step, { kind: 'reply', ...refusal }, { cause: thrown })
    }
    // imapflow has asked LIST, too.
    if (codeOf(thrown).code === 'NotFound' && this.alive) {
      const missing = { kind: 'reply', status: 'NO', code: 'NONEXISTENT', text: 'there is no such folder' } as const
      return new ImapFailure(step, missing, { cause: thrown })
    }
    const fault = signal.aborted
      ? ({ kind: 'stopped', text: 'stopped' } as const)
      : this.#gone(faultOf(thrown, this.#cause, this.#step === 'TLS'))
    this.destroy()
    return new ImapFailure(step, fault, { handed, cause: this.#cause instanceof OtherLeaf ? this.#cause : thrown })
  }

  /** Why it is over: what the server said when it went away, if it did. */
  #gone(otherwise: Fault = { kind: 'cut', text: this.#cause?.message ?? 'the connection was closed' }): Fault {
    const { bye } = this.#wire
    return bye === null ? otherwise : { kind: 'reply', status: 'BYE', code: '', text: bye }
  }
}
