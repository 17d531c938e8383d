// How the processes of one file share the work: when accounts are due, wakes, and who is at work. Leases are in held-leases.ts. A process
// presents itself in a memo under the name of its lock file, and is gone when that lock is.
import { hostname } from 'node:os'
import type { DatabaseSync } from 'node:sqlite'
import type { Lease, Worker, WorkerCard } from '../ledger.ts'
import type { Access } from './access.ts'
import type { LeaseRows } from './lease.ts'
import { type AccountRows, WOKEN } from './rows/accounts.ts'
import type { DayRows } from './rows/days.ts'
import { number, parsed, rowOf } from './rows/row.ts'

/** Asks the file whether anybody has written: no lock, no read. */
const HEED_MS = 2000

const CARD = 'worker:'

interface Rows {
  readonly accounts: AccountRows
  readonly leases: LeaseRows
  readonly memos: Pick<DayRows, 'memo' | 'memos' | 'setMemo'>
}

interface Card extends WorkerCard {
  readonly sinceMs: number
}

/** See SqliteSchedule: SQLite counts what others commit. */
export function changesOf(database: DatabaseSync): () => number {
  const version = database.prepare('PRAGMA data_version')
  return () => number(rowOf(version)?.[0])
}

export class SqliteSchedule {
  readonly #access: Access
  readonly #rows: Rows
  readonly #changes: () => number

  /** `changes`: a number that is another one once another process has written. */
  constructor(access: Access, rows: Rows, changes: () => number) {
    this.#access = access
    this.#rows = rows
    this.#changes = changes
  }

  async schedule(lease: Lease, delayMs: number | null): Promise<void> {
    const { accounts } = this.#rows
    this.#access.requireHeld(lease)
    await this.#access.write(() => {
      if (accounts.nextPollMs(lease.account) === WOKEN) return
      const atMs = delayMs === null ? null : Math.max(WOKEN + 1, Math.round(this.#nowMs + delayMs))
      accounts.schedule(lease.account, atMs)
    }, 'process')
  }

  wake(names: readonly string[]): Promise<void> {
    return this.#access.write(() => {
      for (const name of names) this.#rows.accounts.schedule(name, WOKEN)
    })
  }

  /** Those that were woken and not claimed since. Null: nobody else has written since `changes` was what it is now. */
  async woken(since: number | null): Promise<{ readonly changes: number; readonly woken: readonly string[] } | null> {
    const changes = this.#changes()
    if (changes === since || this.#access.closed) return null
    return { changes, woken: await this.#access.read(() => this.#rows.accounts.woken()) }
  }

  join(card: WorkerCard, sinceMs: number | null): Promise<number> {
    const { leases, memos } = this.#rows
    return this.#access.write(() => {
      const own = leases.own()
      for (const [memo] of memos.memos(CARD)) if (!leases.isAlive(memo.slice(CARD.length))) memos.setMemo(memo, null)
      const joined: Card = { ...card, sinceMs: sinceMs ?? this.#nowMs }
      memos.setMemo(CARD + own, JSON.stringify(joined))
      return joined.sinceMs
    }, 'process')
  }

  /** Inside a transaction, where the ledger is closed. */
  leave(): void {
    const { leases, memos } = this.#rows
    if (leases.hasOwn) memos.setMemo(CARD + leases.own(), null)
  }

  async workers(): Promise<readonly Worker[]> {
    const { leases, memos } = this.#rows
    const found = await this.#access.read(() => {
      const holders = leases.holders()
      const cards = memos.memos(CARD).map(([memo, text]) => [memo.slice(CARD.length), text] as const)
      return { holders, cards: new Map(cards.filter(([name]) => holders.has(name) || leases.isAlive(name))) }
    })
    const names = new Set([...found.cards.keys(), ...found.holders.keys()])
    const workers = [...names].map((name) => this.#worker(name, found.cards.get(name) ?? null, found.holders.get(name)))
    return workers.toSorted((a, b) => (a.sinceMs ?? Infinity) - (b.sinceMs ?? Infinity) || (a.name < b.name ? -1 : 1))
  }

  #worker(name: string, text: string | null, holds: readonly string[] = []): Worker {
    const seen = { name, lastSeenMs: this.#nowMs, holds }
    if (text === null) return { ...seen, machine: hostname(), version: '', sinceMs: null }
    const { machine, version, sinceMs } = parsed(text) as Card
    return { ...seen, machine, version, sinceMs }
  }

  get #nowMs(): number {
    return this.#access.surroundings.nowMs()
  }
}

/** See Ledger.heed. `current`: of the file that is open now. */
export function heed(current: () => SqliteSchedule, listener: (woken: readonly string[]) => void): Disposable {
  let since: number | null = null
  const look = async (): Promise<void> => {
    const found = await current().woken(since)
    if (found === null) return
    // What is not claimed yet is told again.
    since = found.woken.length > 0 ? null : found.changes
    if (found.woken.length > 0) listener(found.woken)
  }
  const timer = setInterval(() => void look().catch(() => (since = null)), HEED_MS).unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}
