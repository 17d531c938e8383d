// The sessions of a destination at its server, up to `concurrency`. They are opened when needed, kept for the next message, and
// ended when idle. Knows no message and no protocol. The rule: whoever waits is woken by every change, so nobody waits for
// ever.

/** A session is renewed after this many messages; servers count them too, and end it in the middle of one (D049). */
const MESSAGES_PER_SESSION = 100
/** Servers count refusals as errors, and slow down or end a session that has many. */
const REFUSALS_PER_SESSION = 10

/** What the pool has to know of a session. */
export interface Pooled {
  readonly alive: boolean
  /** Messages tried. */
  readonly served: number
  readonly refusals: number
  /** It was idle, so the server may have ended it since. */
  kept: boolean
  /** Ends it in order, for a limited time. */
  quit(): Promise<void>
  destroy(): void
}

export interface PoolOptions<Session extends Pooled> {
  readonly concurrency: number
  readonly idleMs: number
  readonly open: (signal: AbortSignal) => Promise<Session>
  /** Absent: MESSAGES_PER_SESSION. */
  readonly mostServed?: number
}

interface Waiter<Session> {
  /** Null: something changed, look again. */
  readonly resolve: (session: Session | null) => void
  readonly reject: (error: unknown) => void
}

export class Pool<Session extends Pooled> implements AsyncDisposable {
  readonly #options: PoolOptions<Session>
  readonly #closing = new AbortController()
  readonly #idle = new Map<Session, NodeJS.Timeout>()
  readonly #busy = new Set<Session>()
  readonly #waiting = new Set<Waiter<Session>>()
  readonly #ending = new Set<Promise<void>>()
  #opening = 0
  /** Less than `concurrency` once the server took no further connection while others lived. */
  #capacity: number

  constructor(options: PoolOptions<Session>) {
    this.#options = options
    this.#capacity = options.concurrency
  }

  /** Somebody is at work with a session. */
  get busy(): boolean {
    return this.#busy.size > 0
  }

  /** Does anybody wait for one? */
  get isWanted(): boolean {
    return this.#waiting.size > 0
  }

  /** Sessions but one's own. */
  get others(): number {
    return this.#busy.size + this.#opening + this.#idle.size - 1
  }

  /** The server says that `session` is one too many: no more than the others from now on. */
  noMore(session: Session): void {
    session.destroy()
    this.#capacity = Math.max(1, this.others)
  }

  /** Tries the full number of sessions again. */
  restore(): void {
    this.#capacity = this.#options.concurrency
  }

  /** An idle session, of one's own until `release`; null: there is none. */
  acquireIdle(): Session | null {
    return this.#takeIdle()
  }

  /** A session of one's own until `release`. Rejects with what opening one failed with, when there is no other to wait
   *  for. */
  async acquire(signal: AbortSignal): Promise<Session> {
    for (;;) {
      const session = this.#takeIdle() ?? (await this.#openOne(signal)) ?? (await this.#wait(signal))
      if (session !== null) return session
    }
  }

  /** May another message go over it, once the one of now is through? */
  isFresh(session: Session): boolean {
    const fresh =
      session.served < (this.#options.mostServed ?? MESSAGES_PER_SESSION) && session.refusals < REFUSALS_PER_SESSION
    return session.alive && fresh && !this.#closing.signal.aborted
  }

  release(session: Session): void {
    const again = this.isFresh(session)
    const next = this.#firstWaiter()
    if (again && next !== undefined) return next.resolve(session)
    this.#busy.delete(session)
    if (again) this.#keep(session)
    else this.#end(session)
    next?.resolve(null)
  }

  /** Ends sessions that nobody uses: one of them turned out to be dead, the others are as old. */
  dropIdle(): void {
    for (const session of this.#idle.keys()) session.destroy()
    this.#forgetIdle()
  }

  /** Says QUIT on idle sessions, for a limited time, and ends the others at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    for (const session of this.#busy) session.destroy()
    this.#fail(new Error('the destination was closed'))
    for (const session of this.#idle.keys()) this.#end(session)
    this.#forgetIdle()
    await Promise.all(this.#ending)
  }

  #takeIdle(): Session | null {
    for (const [session, timer] of this.#idle) {
      clearTimeout(timer)
      this.#idle.delete(session)
      if (!session.alive) continue
      this.#busy.add(session)
      return session
    }
    return null
  }

  /** Null: no room, or no further connection although others live. */
  async #openOne(signal: AbortSignal): Promise<Session | null> {
    if (!this.#room) return null
    this.#opening++
    try {
      const session = await this.#options.open(AbortSignal.any([signal, this.#closing.signal]))
      this.#busy.add(session)
      return session
    } catch (error) {
      const others = this.#busy.size + this.#opening - 1
      if (signal.aborted) this.#firstWaiter()?.resolve(null)
      else if (others === 0) this.#fail(error)
      if (signal.aborted || others === 0) throw error
      // As many as the server takes; one that is still being opened may yet fail and then speaks for all.
      this.#capacity = others
      return null
    } finally {
      this.#opening--
    }
  }

  get #room(): boolean {
    return this.#busy.size + this.#opening < this.#capacity
  }

  #wait(signal: AbortSignal): Promise<Session | null> {
    // Between the attempt to open and now a session may have become free, or the others may all have failed.
    if (this.#idle.size > 0 || this.#room) return Promise.resolve(null)
    const { promise, resolve, reject } = Promise.withResolvers<Session | null>()
    const waiter = { resolve, reject }
    const stopped = (): void => {
      this.#waiting.delete(waiter)
      reject(signal.reason)
    }
    signal.addEventListener('abort', stopped, { once: true })
    if (signal.aborted) stopped()
    else this.#waiting.add(waiter)
    return promise.finally(() => signal.removeEventListener('abort', stopped))
  }

  #firstWaiter(): Waiter<Session> | undefined {
    const [first] = this.#waiting
    if (first !== undefined) this.#waiting.delete(first)
    return first
  }

  #fail(error: unknown): void {
    for (const waiter of this.#waiting) waiter.reject(error)
    this.#waiting.clear()
  }

  #keep(session: Session): void {
    session.kept = true
    const timer = setTimeout(() => {
      this.#idle.delete(session)
      this.#end(session)
    }, this.#options.idleMs)
    this.#idle.set(session, timer.unref())
  }

  #forgetIdle(): void {
    for (const timer of this.#idle.values()) clearTimeout(timer)
    this.#idle.clear()
  }

  #end(session: Session): void {
    const ending = session.quit().finally(() => this.#ending.delete(ending))
    this.#ending.add(ending)
  }
}
