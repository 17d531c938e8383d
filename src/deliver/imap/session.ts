// One IMAP session: greeting to LOGOUT over one imapflow client, one command at a time. Knows no pool and no verdict. imapflow
// gets a connected stream and our limits. One rule: a session that is too slow or no longer wanted destroys its connection at
// once, after noting whether the whole message had been handed over by then.
import { redactor } from '../../redact.ts'
import type { ImapStep } from '../answers/imap.ts'
import { NoAnswer, within } from '../disk/time-limit.ts'
import { SmtpFailure } from '../smtp/fault.ts'
import { checkPin, connectionFault, dial, isLocal, type Peer, secured } from '../smtp/socket.ts'
import { type Fault, ImapFailure } from './fault.ts'
import { type Client, openClient, type Refusal, refusalOf } from './imapflow.ts'
import type { ImapConfig, ImapLimits } from './settings.ts'
import { NotImap, Stalled, Wire } from './wire.ts'

/** Slower than a modem is not progress: a whole message must be through at this rate, drip or not. */
const BYTES_PER_MS = 4

export interface Appended {
  /** Null: the server does not say (no UIDPLUS). */
  readonly uid: number | null
}

export class ImapSession {
  served = 0
  refusals = 0
  kept = false
  readonly #config: ImapConfig
  readonly #limits: ImapLimits
  #client: Client | null = null
  #wire: Wire
  #closed = false
  /** Why the connection failed, where the stream knows it best. */
  #cause: Error | null = null
  #step: ImapStep = 'greeting'
  #secretSent = ''
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
  static async open(config: ImapConfig, limits: ImapLimits, signal: AbortSignal): Promise<ImapSession> {
    const peer: Peer = { ...config, socketPath: null, protocol: 'smtp', helo: null }
    const { connectMs, tlsMs, blockMs } = limits
    let refused: string | null = null
    for (;;) {
      const socket = await dialled(peer, { connectMs, tlsMs }, signal)
      const session = new ImapSession(config, limits, new Wire(socket, { blockMs, greeted: false }))
      try {
        await session.#start(peer, refused, signal)
        return session
      } catch (error) {
        session.destroy()
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

  /** RFC 7889; null: the server has no limit, or does not say. */
  get appendLimit(): number | null {
    const limit = this.#client?.capabilities.get('APPENDLIMIT')
    return typeof limit === 'number' && limit > 0 ? limit : null
  }

  offers(capability: string): boolean {
    return this.#client?.capabilities.has(capability) === true
  }

  get namespace(): { readonly prefix: string; readonly delimiter: string } {
    const { prefix, delimiter } = this.#client?.namespace ?? {}
    return { prefix: prefix ?? '', delimiter: delimiter ?? '/' }
  }

  /** Resolves when the server has taken responsibility for the message. Rejects with ImapFailure. */
  async append(
    folder: string,
    bytes: Buffer,
    { flags, date }: { flags: readonly string[]; date: Date | null },
    signal: AbortSignal,
  ): Promise<Appended> {
    this.served++
    const before = this.#wire.handed
    const limitMs = 2 * this.#limits.commandMs + bytes.length / BYTES_PER_MS + this.#limits.contentMs
    const sent = (): boolean => this.#wire.handed - before >= bytes.length
    const done = await this.run(
      'APPEND',
      (client) => client.append(folder, bytes, [...flags], date ?? undefined),
      signal,
      { limitMs, sent },
    )
    return { uid: done === false ? null : (done.uid ?? null) }
  }

  /** One command, or a few. Rejects with ImapFailure: of an answer, or of no answer; then the session is over. `false` and
   *  undefined, by which imapflow tells some failures, are failures where `must` is given. */
  async run<T>(
    step: ImapStep,
    work: (client: Client) => Promise<T>,
    signal: AbortSignal,
    { limitMs, sent }: { limitMs?: number; sent?: () => boolean } = {},
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
    if (wrong !== null) throw new ImapFailure('TLS', { kind: 'unfit', text: wrong.text })
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
      if (wrong !== null) return void wire.destroy(new Error(wrong.text))
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
    const fault = signal.aborted ? ({ kind: 'stopped', text: 'stopped' } as const) : this.#faultOf(thrown)
    this.destroy()
    return new ImapFailure(step, fault, { handed, cause: thrown })
  }

  #faultOf(thrown: unknown): Fault {
    const bye = this.#client?.byeReason
    if (bye !== undefined) return { kind: 'reply', status: 'BYE', code: '', text: bye }
    if (thrown instanceof NoAnswer) return { kind: 'silence', text: thrown.message }
    const cause = this.#cause
    if (cause instanceof NotImap) return { kind: 'nonsense', text: cause.message }
    if (cause instanceof Stalled) return { kind: 'silence', text: cause.message }
    const error = cause ?? (thrown instanceof Error ? thrown : new Error(String(thrown)))
    const { code } = codeOf(thrown)
    if (TIMEOUTS.has(code)) return { kind: 'silence', text: error.message }
    if (NONSENSE.has(code)) return { kind: 'nonsense', text: error.message }
    if (UNFIT.test(error.message) || code === 'STARTTLS_INJECTION') return { kind: 'unfit', text: error.message }
    const fault = connectionFault(error, this.#step === 'TLS')
    return { kind: fault.kind === 'unfit' ? 'unfit' : 'cut', text: fault.text }
  }

  #gone(): Fault {
    const bye = this.#client?.byeReason
    if (bye !== undefined) return { kind: 'reply', status: 'BYE', code: '', text: bye }
    return { kind: 'cut', text: this.#cause?.message ?? 'the connection was closed' }
  }
}

const TIMEOUTS: ReadonlySet<string> = new Set(['CONNECT_TIMEOUT', 'GREETING_TIMEOUT', 'UPGRADE_TIMEOUT', 'ETIMEOUT'])
const NONSENSE: ReadonlySet<string> = new Set([
  'InvalidResponse',
  'UnexpectedTag',
  'LiteralTooLarge',
  'LineTooLong',
  'ResponseTooLarge',
  'TooManyTokens',
  'ResponseProcessingFailed',
])
/** imapflow's own words for a server that does not offer what is needed. */
const UNFIT = /login is disabled|unsupported authentication|no matching authentication|starttls|certificate|tls/i

function codeOf(thrown: unknown): { readonly code: string } {
  const code = typeof thrown === 'object' && thrown !== null && 'code' in thrown ? thrown.code : ''
  return { code: typeof code === 'string' ? code : '' }
}

/** Where a session that did not come to be had got to. */
function stepOf(thrown: unknown, handed: number, step: ImapStep): ImapStep {
  if (typeof thrown === 'object' && thrown !== null) {
    if ('authenticationFailed' in thrown) return 'sign-in'
    if ('tlsFailed' in thrown) return step === 'TLS' ? 'TLS' : 'STARTTLS'
  }
  // Before the first command nothing but the greeting was awaited.
  return step === 'greeting' && handed > 0 ? 'sign-in' : step
}

async function dialled(peer: Peer, limits: { connectMs: number; tlsMs: number }, signal: AbortSignal) {
  try {
    return await dial(peer, limits, signal)
  } catch (error) {
    if (!(error instanceof SmtpFailure)) throw error
    const { fault } = error
    const step = error.step === 'TLS' ? 'TLS' : 'connect'
    const kind =
      fault.kind === 'timeout' ? 'silence' : fault.kind === 'unfit' || fault.kind === 'stopped' ? fault.kind : 'cut'
    throw new ImapFailure(step, { kind, text: fault.text }, { cause: error })
  }
}
