// The methods of Ledger on one SQLite file that is open and sound (open.ts sees to that). Rows are in rows/; leases in
// held-leases.ts; reads and group commit behind access.ts. What each method promises is in ledger.ts.
import type { DatabaseSync } from 'node:sqlite'
import type { Heading } from '../../message.ts'
import type { Access, Surroundings } from './access.ts'
import { findKnown, SqliteComparison } from './comparison.ts'
import { blankRecord } from '../account.ts'
import type {
  Absence,
  AccountIdentity,
  AccountRecord,
  Adoption,
  Beginning,
  Claim,
  Claimed,
  Comparison,
  DeletionNote,
  DeliveryKey,
  DestinationRecord,
  EntryKey,
  Harm,
  KnownMessage,
  Ledger,
  Lease,
  PollEnd,
  ReceivedFacts,
  Settlement,
  Worker,
  WorkerCard,
} from '../ledger.ts'
import { closeFile } from './file.ts'
import { asLedgerError, movedLedger } from './rows/fault.ts'
import { OpenFile } from './open-file.ts'
import type { SqlitePauses } from './sqlite-pauses.ts'
import { allAccounts, type SqliteRecords } from './sqlite-records.ts'
import { heed } from './sqlite-schedule.ts'

/** Messages removed in one transaction, with one fsync. */
const FORGOTTEN_AT_ONCE = 1000

/** Opens the file again, which must be there. */
export type Reopen = () => Promise<DatabaseSync>

export class SqliteLedger implements Ledger {
  readonly place: string
  readonly spans = 'machine'
  readonly machine = null
  readonly #surroundings: Surroundings
  readonly #reopen: Reopen
  #open: OpenFile
  #reopening: Promise<void> | null = null
  readonly #heeding = new DisposableStack()
  #joined: { readonly card: WorkerCard; readonly sinceMs: number } | null = null

  constructor(database: DatabaseSync, path: string, surroundings: Surroundings, reopen: Reopen) {
    this.place = path
    this.#surroundings = surroundings
    this.#reopen = reopen
    this.#open = new OpenFile(database, path, surroundings)
  }

  get records(): SqliteRecords {
    return this.#open.records
  }

  get pauses(): SqlitePauses {
    return this.#open.pauses
  }

  get #access(): Access {
    return this.#open.access
  }

  /** Where the file was deleted or replaced (S043): opened again, as soon as a right one is there. Called where polls begin, so
   *  that nothing changes under a running poll except that its lease is lost. */
  async #present(): Promise<void> {
    if (this.#open.presence?.moved !== true || this.#access.closed) return
    this.#reopening ??= this.#openAnew().finally(() => (this.#reopening = null))
    await this.#reopening
  }

  async #openAnew(): Promise<void> {
    // First, for it may still be the same file, of which only the log was deleted: closing saves what stood there.
    this.#open.close()
    let database: DatabaseSync
    try {
      database = await this.#reopen()
    } catch (thrown) {
      throw movedLedger(this.place, asLedgerError(this.place, thrown))
    }
    if (this.#access.closed) return closeFile(database)
    this.#open = new OpenFile(database, this.place, this.#surroundings)
    if (this.#joined !== null) await this.#open.schedule.join(this.#joined.card, this.#joined.sinceMs)
  }

  async lease(account: string): Promise<Lease | null> {
    await this.#present()
    return await this.#open.leases.lease(account)
  }

  async admit(lease: Lease, identity: AccountIdentity): Promise<AccountRecord> {
    const { account } = lease
    this.#access.requireHeld(lease)
    const recorded = await this.account(account)
    if (recorded !== null) return recorded
    await this.#access.write(() => this.#open.accounts.add(account, identity))
    return (await this.account(account)) ?? blankRecord(account, identity)
  }

  async account(name: string): Promise<AccountRecord | null> {
    await this.#present()
    return await this.#access.read(() => this.#open.accounts.read(name))
  }

  async accounts(): Promise<readonly AccountRecord[]> {
    await this.#present()
    return await allAccounts(this.#access, this.#open.accounts)
  }

  known(account: string, keys: readonly EntryKey[]): Promise<readonly (KnownMessage | null)[]> {
    return findKnown(account, keys, this.#access, this.#open.accounts, this.#open.known)
  }

  compare(account: string): Comparison {
    return new SqliteComparison(account, this.#access, this.#open.compared)
  }

  see(lease: Lease, seen: Parameters<Ledger['see']>[1]): Promise<void> {
    return this.#access.changeAll(lease, seen, (entry, id, nowMs) =>
      this.#open.messages.see(id, entry, Math.min(entry.firstSeenMs ?? nowMs, nowMs)),
    )
  }

  async start(lease: Lease, seen: Parameters<Ledger['start']>[1]): Promise<void> {
    await this.see(lease, seen)
    await this.#access.change(lease, (id) => this.#open.accounts.start(id))
  }

  begin(lease: Lease, batch: readonly Beginning[]): Promise<void> {
    return this.#access.changeAll(lease, batch, (beginning, id, nowMs) =>
      this.#open.messages.begin(id, beginning, nowMs),
    )
  }

  settle(lease: Lease, settlement: Settlement): Promise<void> {
    return this.#access.change(lease, (id, nowMs) => this.#open.messages.settle(id, settlement, nowMs))
  }

  settleAndBegin(lease: Lease, settlements: readonly Settlement[], batch: readonly Beginning[]): Promise<void> {
    return this.#access.change(lease, (id, nowMs) =>
      this.#open.accounts.grow(id, this.#open.messages.settleAndBegin(id, settlements, batch, nowMs)),
    )
  }

  abandon(lease: Lease, keys: Parameters<Ledger['abandon']>[1]): Promise<void> {
    return this.#access.changeAll(lease, keys, ({ key, reason, counts }, id) =>
      this.#open.messages.abandon(id, key, reason, counts),
    )
  }

  hold(lease: Lease, held: Parameters<Ledger['hold']>[1]): Promise<void> {
    return this.#access.changeAll(lease, held, ({ key, listedBytes, reason }, id, nowMs) =>
      this.#open.messages.hold(id, key, listedBytes, reason, nowMs),
    )
  }

  deleted(lease: Lease, keys: readonly EntryKey[]): Promise<void> {
    return this.#access.changeAll(lease, keys, (key, id, nowMs) => this.#open.messages.deleted(id, key, nowMs))
  }

  handOver(lease: Lease, deliveries: readonly DeliveryKey[]): Promise<void> {
    return this.#access.changeAll(lease, deliveries, (delivery, id) => this.#open.messages.handOver(id, delivery))
  }

  noteDeletions(lease: Lease, notes: readonly DeletionNote[]): Promise<void> {
    return this.#access.changeAll(lease, notes, (note, id, nowMs) => this.#open.messages.noteDeletion(id, note, nowMs))
  }

  noteHarm(lease: Lease, keys: readonly EntryKey[], command: Harm['command'] | null): Promise<void> {
    return this.#access.changeAll(lease, keys, (key, id, nowMs) =>
      this.#open.messages.noteHarm(id, key, command, nowMs),
    )
  }

  noteHeading(lease: Lease, key: EntryKey, heading: Heading): Promise<void> {
    return this.#access.change(lease, (id) => this.#open.messages.noteHeading(id, key, heading))
  }

  noteHeaders(lease: Lease, headers: Parameters<Ledger['noteHeaders']>[1]): Promise<void> {
    return this.#access.changeAll(lease, headers, (header, id) => this.#open.messages.noteHeader(id, header))
  }

  takeOver(lease: Lease, state: Parameters<Ledger['takeOver']>[1]): Promise<void> {
    return this.#access.change(lease, (id) => this.#open.accounts.takeOver(id, state))
  }

  absolve(messages: readonly string[], destinations: readonly string[], recipient: string | null): Promise<void> {
    return this.#access.write(() => this.#open.destinations.absolve(messages, destinations, recipient))
  }

  destinations(): Promise<readonly DestinationRecord[]> {
    return this.#access.read(() => this.#open.destinations.all())
  }

  destination(key: string, recipient: string): Promise<DestinationRecord> {
    return this.#access.read(() => this.#open.destinations.read(key, recipient))
  }

  changeDestination(
    key: string,
    recipient: string,
    change: (record: DestinationRecord) => DestinationRecord,
  ): Promise<DestinationRecord> {
    return this.#access.write(() => {
      const before = this.#open.destinations.read(key, recipient)
      const after = change(before)
      if (after !== before) this.#open.destinations.write({ ...after, key, recipient })
      return after
    })
  }

  renameDestination(from: string, to: string): Promise<number> {
    return this.#access.write(() => {
      this.#open.pauseRows.rename('destination', from, to)
      return this.#open.destinations.rename(from, to)
    })
  }

  returned(lease: Lease, keys: readonly EntryKey[]): Promise<void> {
    return this.#access.changeAll(lease, keys, (key, id) => this.#open.identity.return(id, key))
  }

  restartAges(lease: Lease, keys: readonly EntryKey[]): Promise<void> {
    return this.#access.changeAll(lease, keys, (key, id, nowMs) => this.#open.identity.restartAge(id, key, nowMs))
  }

  adopt(lease: Lease, adoptions: readonly Adoption[]): Promise<void> {
    return this.#access.changeAll(lease, adoptions, (adoption, id, nowMs) =>
      this.#open.identity.adopt(id, adoption, nowMs),
    )
  }

  confirm(lease: Lease, key: EntryKey, received: ReceivedFacts | null): Promise<void> {
    return this.#access.change(lease, (id, nowMs) => this.#open.identity.confirm(id, key, received, nowMs))
  }

  rekey(lease: Lease, changes: Parameters<Ledger['rekey']>[1]): Promise<void> {
    return this.#access.changeAll(lease, changes, ({ from, to }, id) => this.#open.identity.rekey(id, from, to))
  }

  async forget(lease: Lease, absent: Absence, most: number): Promise<number> {
    let forgotten = 0
    while (forgotten < most) {
      const limit = Math.min(most - forgotten, FORGOTTEN_AT_ONCE)
      const rows = await this.#access.read(() => this.#forgettable(lease.account, absent, limit))
      // Nearly always, and then nothing is to be written.
      if (rows.length === 0) break
      await this.#access.changeAll(lease, rows, (row) => {
        this.#open.identity.forget(row)
        return -1
      })
      forgotten += rows.length
    }
    return forgotten
  }

  #forgettable(account: string, absent: Absence, most: number): readonly number[] {
    const id = this.#open.accounts.find(account)
    return id === null ? [] : this.#open.identity.forgettable(id, absent, most)
  }

  finish(lease: Lease, end: PollEnd): Promise<void> {
    const apply = (id: number, nowMs: number): void => {
      this.#open.accounts.finish(lease.account, end)
      if (end.day !== null) this.#open.days.add(id, end.day, nowMs)
    }
    return this.#access.change(lease, apply, end.lasting === false ? 'process' : 'disk')
  }

  memo(name: string): Promise<string | null> {
    return this.#access.read(() => this.#open.days.memo(name))
  }

  changeMemo(name: string, change: (text: string | null) => string | null): Promise<string | null> {
    return this.#access.write(() => {
      const before = this.#open.days.memo(name)
      const after = change(before)
      if (after !== before) this.#open.days.setMemo(name, after)
      return after
    })
  }

  told(account: string, told: Parameters<Ledger['told']>[1]): Promise<void> {
    return this.#access.write(() => this.#open.accounts.tell(account, told))
  }

  async claim(account: string, claim: Claim): Promise<Claimed> {
    await this.#present()
    return await this.#open.leases.claim(account, claim)
  }

  schedule(lease: Lease, delayMs: number | null): Promise<void> {
    return this.#open.schedule.schedule(lease, delayMs)
  }

  wake(accounts: readonly string[]): Promise<void> {
    return this.#open.schedule.wake(accounts)
  }

  heed(listener: (woken: readonly string[]) => void): Disposable {
    return this.#heeding.use(heed(() => this.#open.schedule, listener))
  }

  async join(card: WorkerCard): Promise<void> {
    this.#joined = { card, sinceMs: await this.#open.schedule.join(card, this.#joined?.sinceMs ?? null) }
  }

  workers(): Promise<readonly Worker[]> {
    return this.#open.schedule.workers()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#access.closed) return
    this.#heeding.dispose()
    await this.#open.leases.releaseAll(() => this.#open.schedule.leave())
    await this.#access.close()
    this.#open.close()
  }
}
