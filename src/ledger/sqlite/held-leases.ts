// The leases that this process has, and those that it claims because an account is due. Rows and lock files, which tell one process
// from another, are in lease.ts.
import type { AccountRecord } from '../account.ts'
import { type Lease, leaseLost } from '../lease.ts'
import type { Claim, Claimed } from '../ledger.ts'
import type { Pause } from '../pause.ts'
import type { Access } from './access.ts'
import type { LeaseRows } from './lease.ts'
import { type AccountRows, WOKEN } from './rows/accounts.ts'
import type { PauseRows } from './rows/pauses.ts'

/** A process in the way for this long may have been stopped. */
const BLOCKED_MS = 1000

const HELD = { lease: null, why: 'held' } as const
type Early = Extract<Claimed, { why: 'early' }>
type Taken = Exclude<Claimed, { lease: Lease }> | { readonly lease: HeldLease; readonly woken: boolean }

/** Where nobody else plans, no claim is too early, and nothing need be read before. */
const LOOKED_AFTER_EARLY = 100

/** Of the whole process: a ledger that was opened again gives no token again. */
let tokens = 1

export class HeldLeases {
  readonly #access: Access
  readonly #rows: LeaseRows
  readonly #accounts: AccountRows
  readonly #pauses: PauseRows
  /** By account; null: it is being asked for, by nobody else of this process meanwhile. */
  readonly #held = new Map<string, HeldLease | null>()
  /** So many claims look first whether they are too early. */
  #looks = 0

  constructor(access: Access, rows: LeaseRows, accounts: AccountRows, pauses: PauseRows) {
    this.#access = access
    this.#rows = rows
    this.#accounts = accounts
    this.#pauses = pauses
  }

  async lease(account: string): Promise<Lease | null> {
    return (await this.#claim(account, null)).lease
  }

  claim(account: string, claim: Claim): Promise<Claimed> {
    return this.#claim(account, claim)
  }

  /** `claim` null: whoever only holds an account needs no share, and answers no wake. */
  async #claim(account: string, claim: Claim | null): Promise<Claimed> {
    if (this.#held.has(account)) return { lease: null, why: 'held' }
    this.#held.set(account, null)
    const blocked = new Blocked()
    try {
      const early = await this.#early(account, claim)
      if (early !== null) {
        this.#held.delete(account)
        return early
      }
      const taking = this.#access.write(() => (blocked.ended ? HELD : this.#take(account, claim)), 'process')
      blocked.watch(() => this.#isKeptByBlocked(account))
      const taken = await Promise.race([taking, blocked.promise])
      if (taken.lease === null) this.#held.delete(account)
      else this.#held.set(account, taken.lease)
      return taken
    } catch (thrown) {
      this.#held.delete(account)
      throw thrown
    } finally {
      blocked.end()
    }
  }

  /** Without writing: most claims of many processes come too early, for another one was quicker. */
  async #early(account: string, claim: Claim | null): Promise<Early | null> {
    const dueWithinMs = claim?.dueWithinMs ?? null
    if (dueWithinMs === null || this.#looks === 0) return null
    this.#looks--
    return await this.#access.read(() => this.#isEarly(this.#accounts.nextPollMs(account), dueWithinMs))
  }

  #isEarly(nextPollMs: number | null, dueWithinMs: number): Early | null {
    const dueInMs = (nextPollMs ?? 0) - this.#access.surroundings.nowMs()
    if (dueInMs <= 0 || dueInMs > dueWithinMs) return null
    this.#looks = LOOKED_AFTER_EARLY
    return { lease: null, why: 'early', dueInMs }
  }

  /** Can nothing be written, and has another process the account? That one may have been stopped in the middle of a commit (S048). */
  async #isKeptByBlocked(account: string): Promise<boolean> {
    if (!this.#access.isBlocked) return false
    return await this.#access.read(() => this.#rows.isHeldByOther(account)).catch(() => false)
  }

  /** Inside a transaction, which may be run again. */
  #take(account: string, claim: Claim | null): Taken {
    const { uses, dueWithinMs } = claim ?? { uses: [], dueWithinMs: null }
    const nowMs = this.#access.surroundings.nowMs()
    const nextPollMs = this.#accounts.nextPollMs(account)
    const early = dueWithinMs === null ? null : this.#isEarly(nextPollMs, dueWithinMs)
    if (early !== null) return early
    const rows = this.#rows.take(account, uses, nowMs)
    if (typeof rows === 'string') return { lease: null, why: rows }
    const woken = claim !== null && nextPollMs === WOKEN
    if (woken) this.#accounts.schedule(account, nowMs)
    const record = this.#accounts.read(account)
    // Whoever has the lease has the mark: cut short in the middle of its changes, it leaves none.
    if ((record?.mark ?? null) !== null) this.#accounts.unmark(this.#accounts.idOf(account))
    const paused = this.#pauses.around(account, nowMs)
    const lease = new HeldLease(account, tokens++, { record, paused }, () => this.#release(account, rows))
    return { lease, woken }
  }

  async #release(account: string, rows: readonly string[]): Promise<void> {
    if (this.#access.closed) return
    // A row that stays behind names our own lock file: this process may take it again, the others when it ends.
    await this.#access.write(() => this.#rows.release(rows), 'process').catch(() => undefined)
    this.#held.delete(account)
  }

  /** Before the ledger is closed. What fails here is harmless: the rows name a lock file that goes away. */
  async releaseAll(leave: () => void): Promise<void> {
    // Nor is it worth a wait where nobody can write: the kernel gives the lock back.
    if (!this.#rows.hasOwn || this.#access.isBlocked) return
    const release = (): void => {
      this.#rows.releaseAll()
      leave()
    }
    await this.#access.write(release, 'process').catch(() => undefined)
  }

  /** The ledger is closed: what was not given back is lost. */
  close(): void {
    for (const lease of this.#held.values()) lease?.lose()
    this.#rows.close()
  }
}

/** A claim that waits for its turn to write, while that may never come. An object of a poll each: plain, with one timer. */
class Blocked {
  readonly promise: Promise<typeof HELD>
  readonly #resolve: (held: typeof HELD) => void
  #timer: NodeJS.Timeout | null = null
  /** Nobody waits for the claim any more. */
  ended = false

  constructor() {
    const { promise, resolve } = Promise.withResolvers<typeof HELD>()
    this.promise = promise
    this.#resolve = resolve
  }

  /** Ends the wait once `isKept` says so. Never before so long: a lock that is tried looks taken to those who try it meanwhile. */
  watch(isKept: () => Promise<boolean>): void {
    this.#timer = setTimeout(() => {
      void isKept().then((kept) => {
        if (this.ended) return
        if (kept) this.#resolve(HELD)
        else this.watch(isKept)
      })
    }, BLOCKED_MS).unref()
  }

  end(): void {
    this.ended = true
    if (this.#timer !== null) clearTimeout(this.#timer)
  }
}

class HeldLease implements Lease {
  readonly account: string
  readonly token: number
  readonly record: AccountRecord | null
  readonly paused: readonly Pause[]
  readonly #lost = new AbortController()
  readonly #giveBack: () => Promise<void>
  #givenBack: Promise<void> | null = null

  constructor(
    account: string,
    token: number,
    { record, paused }: Pick<HeldLease, 'record' | 'paused'>,
    giveBack: () => Promise<void>,
  ) {
    this.account = account
    this.token = token
    this.record = record
    this.paused = paused
    this.#giveBack = giveBack
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  requireHeld(): void {
    if (this.#givenBack !== null || this.lost.aborted) throw leaseLost(this.account)
  }

  /** The file is closed: others may take what it held. */
  lose(): void {
    if (this.#givenBack === null) this.#lost.abort(leaseLost(this.account))
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#givenBack ??= this.#giveBack()
    return this.#givenBack
  }
}
