// The methods of Ledger on one SQLite file that is open and sound (sqlite.ts sees to that). Rows are in messages.ts, known.ts
// and accounts.ts; leases in lease.ts; one fsync for many changes in commit.ts. What each method promises is in ledger.ts.
import type { DatabaseSync } from 'node:sqlite'
import { setImmediate as turn } from 'node:timers/promises'
import { AccountRows, blankRecord } from './accounts.ts'
import { GroupCommit, type Durability } from './commit.ts'
import { bug, refused, whenFree } from './fault.ts'
import { IdentityRows } from './identity.ts'
import { KEYS_PER_STATEMENT, KnownRows } from './known.ts'
import { Leases } from './lease.ts'
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
  Settlement,
  Told,
} from './ledger.ts'
import { MessageRows } from './messages.ts'
import { MIGRATIONS } from './migrations.ts'

export interface Surroundings {
  readonly nowMs: () => number
  readonly random: (bytes: number) => Buffer
  readonly readOnly: boolean
  readonly busyLimitMs: number
}

export class SqliteLedger implements Ledger {
  readonly path: string
  readonly #database: DatabaseSync
  readonly #surroundings: Surroundings
  readonly #commit: GroupCommit
  readonly #accounts: AccountRows
  readonly #messages: MessageRows
  readonly #known: KnownRows
  readonly #identity: IdentityRows
  readonly #leases: Leases
  /** Accounts leased in this process, or being leased. */
  readonly #leased = new Set<string>()
  #closed = false

  constructor(database: DatabaseSync, path: string, surroundings: Surroundings) {
    this.path = path
    this.#database = database
    this.#surroundings = surroundings
    this.#accounts = new AccountRows(database)
    this.#messages = new MessageRows(database)
    this.#known = new KnownRows(database)
    this.#identity = new IdentityRows(database, this.#known)
    this.#leases = new Leases(database, `${path}.leases`, surroundings.random)
    this.#commit = new GroupCommit(database, {
      path,
      schemaVersion: MIGRATIONS.length,
      busyLimitMs: surroundings.busyLimitMs,
      begun: () => this.#accounts.forgetIds(),
    })
  }

  async lease(account: string): Promise<Lease | null> {
    if (this.#leased.has(account)) return null
    this.#leased.add(account)
    try {
      const taken = await this.#write(() => this.#leases.take(account, this.#surroundings.nowMs()), 'process')
      if (!taken) this.#leased.delete(account)
      return taken ? new HeldLease(account, () => this.#release(account)) : null
    } catch (thrown) {
      this.#leased.delete(account)
      throw thrown
    }
  }

  async account(name: string, identity: AccountIdentity): Promise<AccountRecord> {
    const recorded = await this.#read(() => this.#accounts.read(name))
    if (recorded !== null) return recorded
    if (!this.#surroundings.readOnly) await this.#write(() => this.#accounts.add(name, identity))
    return (await this.#read(() => this.#accounts.read(name))) ?? blankRecord(name, identity)
  }

  accounts(): Promise<readonly AccountRecord[]> {
    return this.#read(() => this.#accounts.all())
  }

  async known(account: string, keys: readonly EntryKey[]): Promise<readonly (KnownMessage | null)[]> {
    const found: (KnownMessage | null)[] = []
    for (let first = 0; first < keys.length; first += KEYS_PER_STATEMENT) {
      if (first > 0) await turn()
      const slice = keys.slice(first, first + KEYS_PER_STATEMENT)
      const some = await this.#read(() => {
        const id = this.#accounts.find(account)
        return id === null ? slice.map(() => null) : this.#known.find(id, slice)
      })
      for (const message of some) found.push(message)
    }
    return found
  }

  async start(account: string, seen: Parameters<Ledger['start']>[1]): Promise<void> {
    await this.#writeAll(account, seen, ({ key, listedBytes }, id, nowMs) =>
      this.#messages.see(id, key, listedBytes, nowMs),
    )
    await this.#write(() => this.#accounts.start(this.#accounts.idOf(account)))
  }

  begin(account: string, batch: readonly Beginning[]): Promise<void> {
    return this.#writeAll(account, batch, (beginning, id, nowMs) => this.#messages.begin(id, beginning, nowMs))
  }

  settle(account: string, settlement: Settlement): Promise<void> {
    return this.#write(() =>
      this.#messages.settle(this.#accounts.idOf(account), settlement, this.#surroundings.nowMs()),
    )
  }

  abandon(account: string, keys: Parameters<Ledger['abandon']>[1]): Promise<void> {
    return this.#writeAll(account, keys, ({ key, reason, counts }, id) =>
      this.#messages.abandon(id, key, reason, counts),
    )
  }

  hold(account: string, held: Parameters<Ledger['hold']>[1]): Promise<void> {
    return this.#writeAll(account, held, ({ key, listedBytes, reason }, id, nowMs) =>
      this.#messages.hold(id, key, listedBytes, reason, nowMs),
    )
  }

  deleted(account: string, keys: readonly EntryKey[]): Promise<void> {
    return this.#writeAll(account, keys, (key, id, nowMs) => this.#messages.deleted(id, key, nowMs))
  }

  async copies(account: string, uidls: readonly string[]): Promise<ReadonlyMap<string, readonly KnownCopy[]>> {
    const found = new Map<string, readonly KnownCopy[]>()
    for (let first = 0; first < uidls.length; first += KEYS_PER_STATEMENT) {
      const slice = uidls.slice(first, first + KEYS_PER_STATEMENT)
      await this.#read(() => {
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
    return this.#read(() => {
      const id = this.#accounts.find(account)
      return id === null ? [] : this.#identity.duplicated(id)
    })
  }

  absent(account: string): Promise<number> {
    return this.#read(() => {
      const id = this.#accounts.find(account)
      return id === null ? 0 : this.#identity.absent(id)
    })
  }

  async gone(account: string, listed: { has(row: number): boolean }): Promise<void> {
    for (let after = 0; ;) {
      const from = after
      const rows = await this.#read(() =>
        this.#identity.present(this.#accounts.find(account) ?? 0, from, KEYS_PER_STATEMENT),
      )
      const gone = rows.filter((row) => !listed.has(row))
      await this.#writeAll(account, gone, (row, _, nowMs) => this.#identity.go(row, nowMs))
      const last = rows.at(-1)
      if (last === undefined) return
      after = last
      await turn()
    }
  }

  returned(account: string, keys: readonly EntryKey[]): Promise<void> {
    return this.#writeAll(account, keys, (key, id) => this.#identity.return(id, key))
  }

  adopt(account: string, adoptions: readonly Adoption[]): Promise<void> {
    return this.#writeAll(account, adoptions, (adoption, id, nowMs) => this.#identity.adopt(id, adoption, nowMs))
  }

  confirm(account: string, key: EntryKey, received: ReceivedFacts): Promise<void> {
    return this.#write(() => this.#identity.confirm(this.#accounts.idOf(account), key, received))
  }

  rekey(account: string, changes: Parameters<Ledger['rekey']>[1]): Promise<void> {
    return this.#writeAll(account, changes, ({ from, to }, id) => this.#identity.rekey(id, from, to))
  }

  async *fingerprints(account: string): AsyncIterable<readonly FingerprintedKey[]> {
    for (let after = 0; ;) {
      const from = after
      const rows = await this.#read(() =>
        this.#identity.fingerprints(this.#accounts.find(account) ?? 0, from, KEYS_PER_STATEMENT),
      )
      const last = rows.at(-1)
      if (last === undefined) return
      yield rows
      after = last.row
      await turn()
    }
  }

  finish(account: string, poll: Parameters<Ledger['finish']>[1]): Promise<void> {
    return this.#write(() => this.#accounts.finish(account, poll.identity, poll.health, poll.facts))
  }

  told(account: string, told: Told | null): Promise<void> {
    return this.#write(() => this.#accounts.tell(account, told))
  }

  counts(account: string): Promise<{ readonly held: number; readonly refused: number }> {
    return this.#read(() => {
      const id = this.#accounts.find(account)
      return id === null ? { held: 0, refused: 0 } : this.#messages.counts(id)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    // What fails here is harmless: the rows name a lock file that goes away below, so anybody may take them over.
    if (this.#leased.size > 0) await this.#write(() => this.#leases.releaseAll(), 'process').catch(() => undefined)
    this.#closed = true
    await this.#commit.drained()
    this.#leases.close()
    this.#database.close()
  }

  async #release(account: string): Promise<void> {
    if (this.#closed) return
    // A row that stays behind names our own lock file: this process may take it again, the others when it ends.
    await this.#write(() => this.#leases.release(account), 'process').catch(() => undefined)
    this.#leased.delete(account)
  }

  /** Applies a change to each item, a thousand to a transaction at most, so that no commit holds up the event loop. */
  async #writeAll<T>(
    account: string,
    items: readonly T[],
    apply: (item: T, accountId: number, nowMs: number) => number | void,
  ): Promise<void> {
    const slices: Promise<void>[] = []
    for (let first = 0; first < items.length; first += KEYS_PER_STATEMENT) {
      const slice = items.slice(first, first + KEYS_PER_STATEMENT)
      slices.push(
        this.#write(() => {
          const id = this.#accounts.idOf(account)
          const nowMs = this.#surroundings.nowMs()
          let added = 0
          for (const item of slice) added += apply(item, id, nowMs) ?? 0
          this.#accounts.grow(id, added)
        }),
      )
    }
    await Promise.all(slices)
  }

  #write<T>(apply: () => T, durability?: Durability): Promise<T> {
    if (this.#closed) return Promise.reject(bugAfterClose())
    if (this.#surroundings.readOnly)
      return Promise.reject(refused(this.path, 'it was opened to be read', 'this is a bug, please report it'))
    return this.#commit.submit(apply, durability)
  }

  /** Reads what is committed. */
  async #read<T>(read: () => T): Promise<T> {
    if (this.#closed) throw bugAfterClose()
    const attempt = (): T => {
      this.#commit.refuseNewerSchema()
      return read()
    }
    return whenFree(this.path, attempt, this.#surroundings.busyLimitMs)
  }
}

function bugAfterClose(): Error {
  return bug('it is closed')
}

class HeldLease implements Lease {
  readonly account: string
  readonly #release: () => Promise<void>
  #released: Promise<void> | null = null

  constructor(account: string, release: () => Promise<void>) {
    this.account = account
    this.#release = release
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#released ??= this.#release()
    return this.#released
  }
}
