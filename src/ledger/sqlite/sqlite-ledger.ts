// The methods of Ledger on one SQLite file that is open and sound (sqlite.ts sees to that). Rows are in messages.ts, known.ts
// and accounts.ts; leases in lease.ts; reads and group commit behind access.ts. What each method promises is in ledger.ts.
import type { DatabaseSync } from 'node:sqlite'
import { setImmediate as turn } from 'node:timers/promises'
import { Access, type Surroundings } from './access.ts'
import { AccountRows, blankRecord } from './rows/accounts.ts'
import { GroupCommit } from './group-commit.ts'
import { IdentityRows } from './rows/identity.ts'
import { KEYS_PER_STATEMENT, KnownRows } from './rows/known.ts'
import { HeldLease, Leases } from './lease.ts'
import type {
  AccountIdentity,
  AccountRecord,
  Adoption,
  Beginning,
  EntryKey,
  FingerprintedKey,
  KnownCopy,
  KnownMessage,
  Ledger,
  Lease,
  ReceivedFacts,
  Settled,
  SettledColumns,
  Settlement,
  Told,
} from '../ledger.ts'
import { MessageRows } from './rows/messages.ts'
import { MIGRATIONS } from './migrations.ts'
import { ROWS_PER_STATEMENT, SettledRows, isWorthwhile } from './rows/settled.ts'
import { SqliteRecords } from './sqlite-records.ts'

export class SqliteLedger implements Ledger {
  readonly place: string
  readonly records: SqliteRecords
  readonly #database: DatabaseSync
  readonly #access: Access
  readonly #accounts: AccountRows
  readonly #messages: MessageRows
  readonly #known: KnownRows
  readonly #identity: IdentityRows
  readonly #settled: SettledRows
  readonly #leases: Leases
  /** Accounts leased in this process, or being leased. */
  readonly #leased = new Set<string>()

  constructor(database: DatabaseSync, path: string, surroundings: Surroundings) {
    this.place = path
    this.#database = database
    this.#accounts = new AccountRows(database)
    this.#messages = new MessageRows(database)
    this.#known = new KnownRows(database)
    this.#identity = new IdentityRows(database, this.#known)
    this.#settled = new SettledRows(database)
    this.#leases = new Leases(database, `${path}.leases`, surroundings.random)
    const commit = new GroupCommit(database, {
      path,
      schemaVersion: MIGRATIONS.length,
      busyLimitMs: surroundings.busyLimitMs,
      begun: () => this.#accounts.forgetIds(),
    })
    this.#access = new Access(path, surroundings, commit, this.#accounts)
    this.records = new SqliteRecords(database, this.#accounts, this.#access)
  }

  async lease(account: string): Promise<Lease | null> {
    if (this.#leased.has(account)) return null
    this.#leased.add(account)
    try {
      const taken = await this.#access.write(
        () => this.#leases.take(account, this.#access.surroundings.nowMs()),
        'process',
      )
      if (!taken) this.#leased.delete(account)
      return taken ? new HeldLease(account, () => this.#release(account)) : null
    } catch (thrown) {
      this.#leased.delete(account)
      throw thrown
    }
  }

  async account(name: string, identity: AccountIdentity): Promise<AccountRecord> {
    const recorded = await this.#access.read(() => this.#accounts.read(name))
    if (recorded !== null) return recorded
    if (!this.#access.surroundings.readOnly) await this.#access.write(() => this.#accounts.add(name, identity))
    return (await this.#access.read(() => this.#accounts.read(name))) ?? blankRecord(name, identity)
  }

  accounts(): Promise<readonly AccountRecord[]> {
    return this.#access.read(() => this.#accounts.all())
  }

  async known(account: string, keys: readonly EntryKey[]): Promise<readonly (KnownMessage | null)[]> {
    const found: (KnownMessage | null)[] = []
    for (let first = 0; first < keys.length; first += KEYS_PER_STATEMENT) {
      if (first > 0) await turn()
      const slice = keys.slice(first, first + KEYS_PER_STATEMENT)
      const some = await this.#access.read(() => {
        const id = this.#accounts.find(account)
        return id === null ? slice.map(() => null) : this.#known.find(id, slice)
      })
      for (const message of some) found.push(message)
    }
    return found
  }

  async *settled(account: string, which: Settled, entries: number): AsyncIterable<SettledColumns> {
    if (!isWorthwhile(await this.#access.read(() => this.#identity.last()), entries)) return
    const read = (id: number, after: number, until: number) => this.#settled.between(id, after, until, which)
    for await (const slices of this.#slices(account, read, ROWS_PER_STATEMENT)) yield* slices
  }

  see(account: string, seen: Parameters<Ledger['see']>[1]): Promise<void> {
    return this.#access.writeAll(account, seen, ({ key, listedBytes }, id, nowMs) =>
      this.#messages.see(id, key, listedBytes, nowMs),
    )
  }

  async start(account: string, seen: Parameters<Ledger['start']>[1]): Promise<void> {
    await this.see(account, seen)
    await this.#access.write(() => this.#accounts.start(this.#accounts.idOf(account)))
  }

  begin(account: string, batch: readonly Beginning[]): Promise<void> {
    return this.#access.writeAll(account, batch, (beginning, id, nowMs) => this.#messages.begin(id, beginning, nowMs))
  }

  settle(account: string, settlement: Settlement): Promise<void> {
    return this.#access.write(() =>
      this.#messages.settle(this.#accounts.idOf(account), settlement, this.#access.surroundings.nowMs()),
    )
  }

  abandon(account: string, keys: Parameters<Ledger['abandon']>[1]): Promise<void> {
    return this.#access.writeAll(account, keys, ({ key, reason, counts }, id) =>
      this.#messages.abandon(id, key, reason, counts),
    )
  }

  hold(account: string, held: Parameters<Ledger['hold']>[1]): Promise<void> {
    return this.#access.writeAll(account, held, ({ key, listedBytes, reason }, id, nowMs) =>
      this.#messages.hold(id, key, listedBytes, reason, nowMs),
    )
  }

  deleted(account: string, keys: readonly EntryKey[]): Promise<void> {
    return this.#access.writeAll(account, keys, (key, id, nowMs) => this.#messages.deleted(id, key, nowMs))
  }

  async copies(account: string, uidls: readonly string[]): Promise<ReadonlyMap<string, readonly KnownCopy[]>> {
    const found = new Map<string, readonly KnownCopy[]>()
    for (let first = 0; first < uidls.length; first += KEYS_PER_STATEMENT) {
      const slice = uidls.slice(first, first + KEYS_PER_STATEMENT)
      await this.#access.read(() => {
        const id = this.#accounts.find(account)
        if (id === null) return
        for (const uidl of slice) {
          const copies = this.#identity.copies(id, uidl)
          if (copies.length > 0) found.set(uidl, copies)
        }
      })
      await turn()
    }
    return found
  }

  duplicated(account: string): Promise<readonly string[]> {
    return this.#access.read(() => {
      const id = this.#accounts.find(account)
      return id === null ? [] : this.#identity.duplicated(id)
    })
  }

  absent(account: string): Promise<number> {
    return this.#access.read(() => {
      const id = this.#accounts.find(account)
      return id === null ? 0 : this.#identity.absent(id)
    })
  }

  async gone(account: string, listed: { has(row: number): boolean }): Promise<void> {
    for await (const rows of this.#slices(account, (id, after, until) => this.#identity.present(id, after, until))) {
      const gone = rows.filter((row) => !listed.has(row))
      await this.#access.writeAll(account, gone, (row, _, nowMs) => this.#identity.go(row, nowMs))
    }
  }

  returned(account: string, keys: readonly EntryKey[]): Promise<void> {
    return this.#access.writeAll(account, keys, (key, id) => this.#identity.return(id, key))
  }

  adopt(account: string, adoptions: readonly Adoption[]): Promise<void> {
    return this.#access.writeAll(account, adoptions, (adoption, id, nowMs) => this.#identity.adopt(id, adoption, nowMs))
  }

  confirm(account: string, key: EntryKey, received: ReceivedFacts): Promise<void> {
    return this.#access.write(() => this.#identity.confirm(this.#accounts.idOf(account), key, received))
  }

  rekey(account: string, changes: Parameters<Ledger['rekey']>[1]): Promise<void> {
    return this.#access.writeAll(account, changes, ({ from, to }, id) => this.#identity.rekey(id, from, to))
  }

  fingerprints(account: string): AsyncIterable<readonly FingerprintedKey[]> {
    return this.#slices(account, (id, after, until) => this.#identity.fingerprints(id, after, until))
  }

  #slices<T>(account: string, read: (id: number, after: number, until: number) => readonly T[], rows?: number) {
    return this.#access.readAll(account, () => this.#identity.last(), read, rows)
  }

  finish(account: string, poll: Parameters<Ledger['finish']>[1]): Promise<void> {
    return this.#access.write(() => this.#accounts.finish(account, poll.identity, poll.health, poll.facts))
  }

  told(account: string, told: Told | null): Promise<void> {
    return this.#access.write(() => this.#accounts.tell(account, told))
  }

  counts(account: string): Promise<{ readonly held: number; readonly refused: number }> {
    return this.#access.read(() => {
      const id = this.#accounts.find(account)
      return id === null ? { held: 0, refused: 0 } : this.#messages.counts(id)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#access.closed) return
    // What fails here is harmless: the rows name a lock file that goes away below, so anybody may take them over.
    if (this.#leased.size > 0)
      await this.#access.write(() => this.#leases.releaseAll(), 'process').catch(() => undefined)
    await this.#access.close()
    this.#leases.close()
    this.#database.close()
  }

  async #release(account: string): Promise<void> {
    if (this.#access.closed) return
    // A row that stays behind names our own lock file: this process may take it again, the others when it ends.
    await this.#access.write(() => this.#leases.release(account), 'process').catch(() => undefined)
    this.#leased.delete(account)
  }
}
