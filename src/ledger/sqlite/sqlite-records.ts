// The methods of Records on the SQLite file of a SqliteLedger: slices for readers, short transactions for those who mend. Rows
// are in rows/records.ts and rows/accounts.ts; what each method promises is in records.ts.
import type { DatabaseSync } from 'node:sqlite'
import { setImmediate as turn } from 'node:timers/promises'
import type { Access } from './access.ts'
import type { AccountRows } from './rows/accounts.ts'
import type { DayRows } from './rows/days.ts'
import type { PauseRows } from './rows/pauses.ts'
import { backup, copyDueMs, copyNow } from './backup.ts'
import { bug } from './rows/fault.ts'
import type { AccountRecord, FactChanges } from '../account.ts'
import type { EntryKey } from '../entry.ts'
import type { Lease } from '../lease.ts'
import {
  CHANGED_PER_STATEMENT,
  COUNTED_PER_STATEMENT,
  JOINED_PER_STATEMENT,
  type OutstandingRow,
  RecordRows,
  ROWS_PER_STATEMENT,
  type UnsettledRow,
} from './rows/records.ts'
import type { Day, Lacking, MessageRecord, Records, Selection, Unsettled, Waiting } from '../records.ts'
import { HELD, OPEN, OPEN_REFUSED } from './rows/row.ts'

/** Messages removed in one transaction, with one fsync. */
const REMOVED_AT_ONCE = 1000

/** Accounts read before the event loop gets its turn: some milliseconds. */
const ACCOUNTS_PER_TURN = 250

/** This many accounts' days are read before the event loop gets its turn: some milliseconds. */
const DAYS_OF_ACCOUNTS = 50

/** In memos: when a daily copy was last begun. */
const COPIED = 'copied'

/** Keys asked of one account before the event loop gets its turn. */
const KEYS_PER_TURN = 500

/** All accounts, in the order of their names. They are read by their numbers, which stay when one is renamed meanwhile. */
export async function allAccounts(access: Access, rows: AccountRows): Promise<readonly AccountRecord[]> {
  const found: AccountRecord[] = []
  for (let after: number | null = 0; after !== null;) {
    const from: number = after
    const { records, last } = await access.read(() => rows.after(from, ACCOUNTS_PER_TURN))
    for (const record of records) found.push(record)
    after = last
    if (last !== null) await turn()
  }
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

export class SqliteRecords implements Records {
  readonly #access: Access
  readonly #accounts: AccountRows
  readonly #rows: RecordRows
  readonly #days: DayRows
  readonly #pauses: PauseRows

  constructor(
    database: DatabaseSync,
    { accounts, days, pauses }: { readonly accounts: AccountRows; readonly days: DayRows; readonly pauses: PauseRows },
    access: Access,
  ) {
    this.#access = access
    this.#accounts = accounts
    this.#days = days
    this.#pauses = pauses
    this.#rows = new RecordRows(database)
  }

  async *list(account: string, selection: Selection): AsyncIterable<readonly MessageRecord[]> {
    for (let after: number | null = 0; after !== null;) {
      const from: number = after
      const page = await this.#access.read(() => {
        const id = this.#accounts.find(account)
        return id === null ? { messages: [], next: null } : this.#rows.page(id, selection, from)
      })
      if (page.messages.length > 0) yield page.messages
      after = page.next
      await turn()
    }
  }

  find(account: string, uidl: string): Promise<readonly MessageRecord[]> {
    return this.#access.read(() => {
      const id = this.#accounts.find(account)
      return id === null ? [] : this.#rows.find(id, uidl)
    })
  }

  async unsettled(): Promise<ReadonlyMap<string, Unsettled>> {
    const rows: UnsettledRow[] = []
    const last = await this.#access.read(() => this.#rows.lastNumber())
    for (let after = 0; after < last; after += COUNTED_PER_STATEMENT) {
      for (const row of await this.#access.read(() => this.#rows.unsettled(after))) rows.push(row)
      await turn()
    }
    const names = await this.#access.read(() => this.#accounts.names())
    const found = new Map<string, Unsettled>()
    for (const [id, counts] of Map.groupBy(rows, ({ account }) => account)) {
      const name = names.get(id)
      if (name !== undefined) found.set(name, totals(counts))
    }
    for (const { account, messages } of await this.#access.read(() => this.#rows.undeleted())) {
      const name = names.get(account)
      if (name !== undefined) found.set(name, { ...(found.get(name) ?? NONE), undeleted: messages })
    }
    return found
  }

  async lacking(): Promise<ReadonlyMap<string, Lacking>> {
    const found = new Map<string, Lacking>()
    const last = await this.#access.read(() => this.#rows.lastNumber())
    for (let after = 0; after < last; after += JOINED_PER_STATEMENT) {
      for (const row of await this.#access.read(() => this.#rows.lacking(after))) {
        const { waiting, refused, oldestMs } = found.get(row.destination) ?? { waiting: 0, refused: 0, oldestMs: null }
        found.set(
          row.destination,
          row.isRefused
            ? { waiting, refused: refused + row.messages, oldestMs }
            : { waiting: waiting + row.messages, refused, oldestMs: Math.min(oldestMs ?? Infinity, row.oldestMs) },
        )
      }
      await turn()
    }
    return found
  }

  async outstanding({
    ofAccount,
    inAll,
  }: {
    readonly ofAccount: number
    readonly inAll: number
  }): Promise<ReadonlyMap<string, readonly MessageRecord[]>> {
    const found = new Map<number, { readonly open: MessageRecord[]; readonly kept: MessageRecord[] }>()
    let left = inAll
    const take = (rows: readonly OutstandingRow[]): void => {
      for (const { account, message, isOpen } of rows) {
        const of = found.get(account) ?? { open: [], kept: [] }
        const list = isOpen ? of.open : of.kept
        if (list.length >= ofAccount || left === 0) continue
        list.push(message)
        found.set(account, of)
        left--
      }
    }
    const last = await this.#access.read(() => this.#rows.lastNumber())
    // First what a person must look at.
    for (const states of ['kept', 'open'] as const) {
      for (let after = 0; after < last; after += COUNTED_PER_STATEMENT) {
        if (left === 0) break
        take(await this.#access.read(() => this.#rows.outstanding(states, after, ofAccount)))
        await turn()
      }
    }
    const names = await this.#access.read(() => this.#accounts.names())
    return new Map(
      [...found].flatMap(([id, { kept, open }]) => {
        const name = names.get(id)
        return name === undefined ? [] : [[name, [...kept, ...open]] as const]
      }),
    )
  }

  async days(days: number, accounts?: readonly string[]): Promise<ReadonlyMap<string, readonly Day[]>> {
    if (accounts !== undefined) return await this.#daysOf(accounts, days)
    const names = await this.#access.read(() => this.#accounts.names())
    const found = new Map<string, Day[]>()
    for (let after: number | null = 0; after !== null;) {
      const from: number = after
      const { rows, last } = await this.#access.read(() => ({
        rows: this.#days.after(from, days, this.#access.surroundings.nowMs(), DAYS_OF_ACCOUNTS),
        last: this.#days.lastOf(from, DAYS_OF_ACCOUNTS),
      }))
      for (const { account, ...day } of rows) {
        const name = names.get(account)
        if (name === undefined) continue
        const list = found.get(name) ?? []
        list.push(day)
        found.set(name, list)
      }
      after = last
      await turn()
    }
    return found
  }

  async #daysOf(accounts: readonly string[], days: number): Promise<ReadonlyMap<string, readonly Day[]>> {
    const found = new Map<string, readonly Day[]>()
    for (const [at, name] of accounts.entries()) {
      const rows = await this.#access.read(() => {
        const id = this.#accounts.find(name)
        return id === null ? [] : this.#days.of(id, days, this.#access.surroundings.nowMs())
      })
      if (rows.length > 0) found.set(name, rows)
      if (at % DAYS_OF_ACCOUNTS === DAYS_OF_ACCOUNTS - 1) await turn()
    }
    return found
  }

  undeleted(account: string): Promise<number> {
    return this.#access.read(() => {
      const id = this.#accounts.find(account)
      return id === null ? 0 : this.#rows.undeletedOf(id)
    })
  }

  async owners(accounts: readonly string[], uidls: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const found = new Map<string, number>()
    for (const account of accounts) {
      for (let first = 0; first < uidls.length; first += KEYS_PER_TURN) {
        const slice = uidls.slice(first, first + KEYS_PER_TURN)
        const known = await this.#access.read(() => {
          const id = this.#accounts.find(account)
          return id === null ? 0 : slice.filter((uidl) => this.#rows.knows(id, uidl)).length
        })
        if (known > 0) found.set(account, (found.get(account) ?? 0) + known)
        await turn()
      }
    }
    return found
  }

  async forget(lease: Lease, keys: readonly EntryKey[], facts: FactChanges): Promise<number> {
    let forgotten = 0
    for (let first = 0; first < keys.length; first += REMOVED_AT_ONCE) {
      const slice = keys.slice(first, first + REMOVED_AT_ONCE)
      forgotten += await this.#remove(lease, facts, (id) =>
        slice.reduce((removed, key) => removed + this.#rows.remove(id, key), 0),
      )
    }
    return forgotten
  }

  async forgetAll(lease: Lease, facts: FactChanges): Promise<number> {
    for (let forgotten = 0; ;) {
      const removed = await this.#remove(lease, facts, (id) => this.#rows.removeSome(id, REMOVED_AT_ONCE))
      forgotten += removed
      if (removed < REMOVED_AT_ONCE) return forgotten
    }
  }

  /** Removes messages of an account that is known, and keeps its count and its facts in step. */
  #remove(lease: Lease, facts: FactChanges, remove: (id: number) => number): Promise<number> {
    return this.#access.change(lease, (id) => {
      const removed = remove(id)
      this.#accounts.grow(id, -removed)
      this.#accounts.unmark(id)
      this.#accounts.merge(lease.account, facts)
      return removed
    })
  }

  async retry(lease: Lease, which: readonly Waiting[]): Promise<number> {
    let due = 0
    const last = await this.#access.read(() => this.#rows.lastNumber())
    for (let after = 0; after < last; after += ROWS_PER_STATEMENT) {
      const from = after
      due += await this.#access.change(lease, (id) => {
        const messages = this.#rows.retry(id, which, from)
        if (messages > 0) this.#accounts.unmark(id)
        return messages
      })
    }
    return due
  }

  cutOff(): Promise<readonly string[]> {
    return Promise.resolve([])
  }

  remove(lease: Lease): Promise<void> {
    return this.#access.change(lease, (id) => {
      if (this.#rows.hasMessages(id)) throw bug('removing an account that has messages')
      this.#days.forget(id)
      this.#accounts.remove(id)
    })
  }

  async rename(from: Lease, to: Lease): Promise<boolean> {
    this.#access.requireHeld(to)
    return await this.#access.change(from, (id) => {
      const inTheWay = this.#accounts.find(to.account)
      if (inTheWay !== null && this.#rows.hasMessages(inTheWay)) return false
      if (inTheWay !== null) {
        this.#days.forget(inTheWay)
        this.#accounts.remove(inTheWay)
      }
      this.#accounts.rename(id, to.account)
      this.#pauses.rename('account', from.account, to.account)
      return true
    })
  }

  async dropHeadings(keep: 'open' | 'none'): Promise<void> {
    const last = await this.#access.read(() => this.#rows.lastNumber())
    for (let after = 0; after < last; after += CHANGED_PER_STATEMENT) {
      const from = after
      // Nearly always there are none, and then nothing is to be written.
      if (!(await this.#access.read(() => this.#rows.hasHeadings(keep, from)))) continue
      await this.#access.write(() => this.#rows.dropHeadings(keep, from))
      await turn()
    }
  }

  note(account: string, facts: FactChanges): Promise<void> {
    return this.#access.write(() => {
      if (this.#accounts.find(account) !== null) this.#accounts.merge(account, facts)
    })
  }

  async copyDaily(keepFree: (diskBytes: number) => number): Promise<'taken' | 'not due' | 'short'> {
    const { path, surroundings } = this.#access
    const nowMs = surroundings.nowMs()
    const tried = await this.#access.read(() => this.#days.memo(COPIED))
    const isDue = (await copyDueMs(path, tried === null ? null : Number(tried), nowMs)) <= nowMs
    if (tried !== null && !isDue) return 'not due'
    const isMine = await this.#access.write(() => {
      // Another process may have begun one meanwhile.
      if (this.#days.memo(COPIED) !== tried) return false
      this.#days.setMemo(COPIED, String(nowMs))
      return true
    })
    // The first one is for tomorrow.
    if (!isMine || !isDue) return 'not due'
    return (await copyNow(path, nowMs, keepFree)) ? 'taken' : 'short'
  }

  async backup(file: string): Promise<void> {
    // Asked first, so that a ledger that is closed or damaged says so by itself.
    await this.#access.read(() => this.#rows.lastNumber())
    await backup(this.#access.path, file)
  }
}

const NONE: Unsettled = { waiting: 0, refused: 0, held: 0, undeleted: 0 }

function totals(rows: readonly UnsettledRow[]): Unsettled {
  const of = (state: UnsettledRow['state']): number =>
    rows.reduce((sum, row) => (row.state === state ? sum + row.messages : sum), 0)
  return { waiting: of(OPEN), refused: of(OPEN_REFUSED), held: of(HELD), undeleted: 0 }
}
