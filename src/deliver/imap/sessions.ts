// The sessions at one server for one user. A pool of them (../pool.ts), which all destinations there share, because servers count
// connections (a folder for each address of a domain is a destination). One of them takes several small messages together. On this machine no
// answer is long on its way, and a server that is asked over two connections waits for its own locks. One is twice as fast.
import { Pool } from '../pool.ts'
import { ImapSession } from './session.ts'
import type { ImapConfig, ImapLimits } from './settings.ts'

/** Servers keep memory for a session that lasts, and a new session now and then frees it. */
const MESSAGES_PER_SESSION = 5_000
/** A larger message would keep the others waiting. */
const SMALL_BYTES = 256 * 1024

const HERE = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/

interface Shared {
  readonly opening: Promise<ImapSession>
  /** Once it is open. */
  session: ImapSession | null
  users: number
}

export interface Taken {
  readonly session: ImapSession
  /** It was opened for another caller, so it may be over. */
  readonly kept: boolean
}

const all = new Map<string, Sessions>()

export class Sessions implements AsyncDisposable {
  /** Those of whoever has the same configuration but for its folder. Each user disposes of them. */
  static of(config: ImapConfig, limits: ImapLimits): Sessions {
    const sessions = all.get(config.sharing) ?? new Sessions(config, limits)
    all.set(config.sharing, sessions)
    sessions.#users += 1
    return sessions
  }

  #users = 0
  readonly #key: string
  readonly #pool: Pool<ImapSession>
  readonly #isHere: boolean
  #shared: Shared | null = null

  private constructor(config: ImapConfig, limits: ImapLimits) {
    this.#key = config.sharing
    const literals = { lies: false }
    this.#isHere = HERE.test(config.host)
    this.#pool = new Pool({
      concurrency: config.concurrency,
      idleMs: limits.idleMs,
      mostServed: MESSAGES_PER_SESSION,
      open: (signal) => ImapSession.open(config, limits, signal, literals),
    })
  }

  get others(): number {
    return this.#pool.others
  }

  restore(): void {
    this.#pool.restore()
  }

  dropIdle(): void {
    this.#pool.dropIdle()
  }

  /** A session until `release`: of one's own, or for a message of `bytes` perhaps one with others. Null: it is for no message. */
  async take(signal: AbortSignal, bytes: number | null): Promise<Taken> {
    if (!this.#isHere || bytes === null || bytes > SMALL_BYTES) return await this.#own(signal)
    if (this.#shared !== null) return await this.#join(this.#shared, signal, bytes)
    const opening = this.#pool.acquire(signal)
    const shared: Shared = { opening, session: null, users: 1 }
    this.#shared = shared
    try {
      shared.session = await opening
      return taken(shared.session)
    } catch (error) {
      if (this.#shared === shared) this.#shared = null
      throw error
    }
  }

  release(session: ImapSession): void {
    const shared = this.#shared
    if (shared?.session !== session) return this.#pool.release(session)
    shared.users -= 1
    if (shared.users > 0) return
    this.#shared = null
    this.#pool.release(session)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#users -= 1
    if (this.#users > 0) return
    if (all.get(this.#key) === this) all.delete(this.#key)
    await this.#pool[Symbol.asyncDispose]()
  }

  async #own(signal: AbortSignal): Promise<Taken> {
    return taken(await this.#pool.acquire(signal))
  }

  async #join(shared: Shared, signal: AbortSignal, bytes: number): Promise<Taken> {
    shared.users += 1
    const session = await shared.opening.catch(() => null)
    // Whoever opened it tells what is wrong, and this one finds out for itself.
    if (session === null) return await this.take(signal, bytes)
    if (session.alive && session.appendsAtOnce) return { session, kept: true }
    this.release(session)
    return await this.#own(signal)
  }
}

function taken(session: ImapSession): Taken {
  const { kept } = session
  session.kept = false
  return { session, kept }
}
