// The leases that this process has. That it has them is a matter of its row in `worker` (schema/lease-functions.ts): when that is given
// up, all of them are lost at once, and those who work under them learn it.
import type { AccountRecord } from '../account.ts'
import { type Lease, leaseLost } from '../lease.ts'
import type { Pause } from '../pause.ts'
import type { Claim, Claimed } from '../schedule.ts'
import type { Row } from './connection/connection.ts'
import { accountOf } from './rows/account.ts'
import { isTrue, number, text } from './rows/cells.ts'
import { pausesIn } from './rows/pauses.ts'
import type { Writer } from './writer.ts'

/** In the place of how long it is until an account is due. */
const CROWDED = -1

export class Leases {
  readonly #writer: Writer
  /** By account; null: it is being asked for, by nobody else of this process meanwhile. */
  readonly #held = new Map<string, HeldLease | null>()

  constructor(writer: Writer) {
    this.#writer = writer
  }

  async lease(account: string): Promise<Lease | null> {
    return (await this.claim(account, null)).lease
  }

  /** `claim` null: whoever only holds an account needs no share, and answers no wake. */
  async claim(account: string, claim: Claim | null): Promise<Claimed> {
    if (this.#held.has(account)) return { lease: null, why: 'held' }
    this.#held.set(account, null)
    try {
      const row = await this.#writer.take(account, claim)
      const [, token = null, woken, refused = null] = row
      if (token !== null) return { lease: this.#keep(row), woken: isTrue(woken) }
      this.#held.delete(account)
      if (refused === null) return { lease: null, why: 'held' }
      const dueInMs = number(refused)
      return dueInMs === CROWDED ? { lease: null, why: 'crowded' } : { lease: null, why: 'early', dueInMs }
    } catch (thrown) {
      this.#held.delete(account)
      throw thrown
    }
  }

  #keep(row: Row): HeldLease {
    const lease = new HeldLease(
      text(row[0]),
      number(row[1]),
      { record: accountOf(row.slice(5)), paused: pausesIn(row[4]) },
      this.#writer,
      () => {
        if (this.#held.get(lease.account) === lease) this.#held.delete(lease.account)
      },
    )
    this.#held.set(lease.account, lease)
    return lease
  }

  /** What was not given back is lost. */
  loseAll(): void {
    const all = [...this.#held.values()]
    for (const [account, lease] of this.#held) if (lease !== null) this.#held.delete(account)
    for (const lease of all) lease?.lose()
  }
}

export class HeldLease implements Lease {
  readonly account: string
  readonly token: number
  readonly record: AccountRecord | null
  readonly paused: readonly Pause[]
  /** Is what it came with still all that is recorded of the account, as far as this process knows? */
  isFresh = true
  readonly #lost = new AbortController()
  readonly #writer: Writer
  readonly #givenBackNow: () => void
  #givenBack: Promise<void> | null = null

  constructor(
    account: string,
    token: number,
    { record, paused }: Pick<HeldLease, 'record' | 'paused'>,
    writer: Writer,
    givenBackNow: () => void,
  ) {
    this.account = account
    this.token = token
    this.record = record
    this.paused = paused
    this.#writer = writer
    this.#givenBackNow = givenBackNow
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  requireHeld(): void {
    if (this.#givenBack === null && !this.lost.aborted && this.#writer.isAlive) return
    throw leaseLost(this.account)
  }

  lose(): void {
    if (this.#givenBack === null) this.#lost.abort(leaseLost(this.account))
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#givenBack ??= this.#giveBack()
    return this.#givenBack
  }

  async #giveBack(): Promise<void> {
    // Lost or not: what stays behind ends with this process, which may take it again.
    if (!this.lost.aborted)
      await this.#writer.change(this, [['release', null]], { lasting: false }).catch(() => undefined)
    this.#givenBackNow()
  }
}
