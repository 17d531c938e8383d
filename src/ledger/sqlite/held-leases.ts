// The leases that this process has, and what a scheduler asks for: the accounts that are due and that nobody has. Rows and lock
// files, which tell one process from another, are in lease.ts.
import { hostname } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import type { AccountRecord } from '../account.ts'
import { type Lease, leaseLost } from '../lease.ts'
import type { Worker } from '../ledger.ts'
import type { Access } from './access.ts'
import type { LeaseRows } from './lease.ts'
import type { AccountRows } from './rows/accounts.ts'

/** A process in the way for this long may have been stopped. */
const BLOCKED_MS = 1000

/** False: it was ended. */
function lasts(ms: number, ended: AbortSignal): Promise<boolean> {
  return wait(ms, true, { signal: ended, ref: false }).catch(() => false)
}

/** Of the whole process: a ledger that was opened again gives no token again. */
let tokens = 1

export class HeldLeases {
  readonly #access: Access
  readonly #rows: LeaseRows
  readonly #accounts: AccountRows
  /** By account; null: it is being asked for, by nobody else of this process meanwhile. */
  readonly #held = new Map<string, HeldLease | null>()

  constructor(access: Access, rows: LeaseRows, accounts: AccountRows) {
    this.#access = access
    this.#rows = rows
    this.#accounts = accounts
  }

  async lease(account: string): Promise<Lease | null> {
    if (this.#held.has(account)) return null
    this.#held.set(account, null)
    const ended = new AbortController()
    try {
      const taking = this.#access.write(() => (ended.signal.aborted ? null : this.#take(account)), 'process')
      const taken = await Promise.race([taking, this.#whereBlocked(account, ended.signal)])
      this.#keep(account, taken)
      return taken
    } catch (thrown) {
      this.#held.delete(account)
      throw thrown
    } finally {
      ended.abort()
    }
  }

  /** Resolves once nothing can be written and another process has the account: that one may have been stopped in the middle of a
   *  commit (S048). Else never, and not before so long: a lock that is tried looks taken to those who try it meanwhile. */
  async #whereBlocked(account: string, ended: AbortSignal): Promise<null> {
    const { promise: never } = Promise.withResolvers<null>()
    while (await lasts(BLOCKED_MS, ended)) {
      if (!this.#access.isBlocked) continue
      const isHeld = await this.#access.read(() => this.#rows.isHeldByOther(account)).catch(() => false)
      if (isHeld) return null
    }
    return await never
  }

  /** Inside a transaction, which may be run again. */
  #take(account: string): HeldLease | null {
    if (!this.#rows.take(account, this.#access.surroundings.nowMs())) return null
    return new HeldLease(account, tokens++, this.#accounts.read(account), () => this.#release(account))
  }

  #keep(account: string, taken: HeldLease | null): void {
    if (taken === null) this.#held.delete(account)
    else this.#held.set(account, taken)
  }

  async claimDue(limit: number): Promise<readonly Lease[]> {
    const { nowMs } = this.#access.surroundings
    const due = await this.#access.read(() => this.#accounts.due(nowMs()))
    const leases: Lease[] = []
    for (const account of due) {
      if (leases.length >= limit) break
      // Another process may have polled it meanwhile, so that it is no longer due.
      const lease = await this.lease(account)
      if (lease === null) continue
      if (await this.#access.read(() => this.#accounts.isDue(account, nowMs()))) leases.push(lease)
      else await lease[Symbol.asyncDispose]()
    }
    return leases
  }

  async workers(): Promise<readonly Worker[]> {
    const holders = await this.#access.write(() => this.#rows.holders(), 'process')
    const machine = hostname()
    return [...holders].map(([name, holds]) => ({ name, machine, holds }))
  }

  async #release(account: string): Promise<void> {
    if (this.#access.closed) return
    // A row that stays behind names our own lock file: this process may take it again, the others when it ends.
    await this.#access.write(() => this.#rows.release(account), 'process').catch(() => undefined)
    this.#held.delete(account)
  }

  /** Before the ledger is closed. What fails here is harmless: the rows name a lock file that goes away. */
  async releaseAll(): Promise<void> {
    // Nor is it worth a wait where nobody can write: the kernel gives the lock back.
    if (this.#held.size === 0 || this.#access.isBlocked) return
    await this.#access.write(() => this.#rows.releaseAll(), 'process').catch(() => undefined)
  }

  /** The ledger is closed: what was not given back is lost. */
  close(): void {
    for (const lease of this.#held.values()) lease?.lose()
    this.#rows.close()
  }
}

class HeldLease implements Lease {
  readonly account: string
  readonly token: number
  readonly record: AccountRecord | null
  readonly #lost = new AbortController()
  readonly #giveBack: () => Promise<void>
  #givenBack: Promise<void> | null = null

  constructor(account: string, token: number, record: AccountRecord | null, giveBack: () => Promise<void>) {
    this.account = account
    this.token = token
    this.record = record
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
