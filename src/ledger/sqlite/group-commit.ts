// Group commit: what many callers want written in three turns of the event loop goes into one transaction with one fsync.
// The only writer of a ledger (S006). A transaction begins and ends within one call: nothing is awaited inside it.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { asLedgerError, isOfOneChange, isBusy, pauseMs } from './rows/fault.ts'
import { number, rowOf } from './rows/row.ts'
import { refuseNewer, versionOf } from './schema/version.ts'

/** A transaction takes in no further change after this long, so that timers and sockets get their turn (S007). */
const SLICE_NS = 10_000_000n

/** A transaction begins so many turns of the event loop after the first change for it. With nothing else to do that takes
 *  microseconds; else what several connections want goes together. Forwarding 5000 messages over four of them is 1400 commits so,
 *  3500 with one turn; with more turns there are no fewer. */
const TURNS = 3

/** `disk`: survives a power cut. `process`: only until then (leases, which a power cut ends anyway); costs no fsync when
 *  nothing else is in the transaction. */
export type Durability = 'disk' | 'process'

interface Change {
  readonly durability: Durability
  /** Applies it; returns what is to be called once it is durable. May run again after a rollback. */
  apply(): () => void
  reject(reason: unknown): void
}

interface Settings {
  readonly path: string
  readonly schemaVersion: number
  readonly busyLimitMs: number
  /** Called when a transaction begins: another process may have changed anything since the last one. */
  begun(): void
  /** Throws when the file is not where it was. Asked before each commit, which does not come about then. */
  requirePresent(): void
}

export class GroupCommit {
  readonly #database: DatabaseSync
  readonly #settings: Settings
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #version: StatementSync
  #queue: Change[] = []
  #scheduled = false
  #synchronous: 'FULL' | 'NORMAL' = 'FULL'
  /** Since when another process has been in the way (performance.now); null: nobody is. */
  #busySinceMs: number | null = null
  #drained: (() => void)[] = []

  constructor(database: DatabaseSync, settings: Settings) {
    this.#database = database
    this.#settings = settings
    this.#begin = database.prepare('BEGIN IMMEDIATE')
    this.#commit = database.prepare('COMMIT')
    this.#version = database.prepare('PRAGMA user_version')
  }

  /** Resolves with what `apply` returned once that is durable. `apply` is synchronous, runs in the order of the calls and
   *  may be run again. When it throws an error of its own, it alone is
   *  undone and rejects. */
  submit<T>(apply: () => T, durability: Durability = 'disk'): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({
        durability,
        reject,
        apply: () => {
          const value = apply()
          return () => resolve(value)
        },
      })
      this.#schedule()
    })
  }

  /** Is another process in the way of what is to be written? */
  get isBlocked(): boolean {
    return this.#busySinceMs !== null
  }

  /** Resolves when nothing is waiting to be written. */
  drained(): Promise<void> {
    if (this.#queue.length === 0) return Promise.resolve()
    return new Promise((resolve) => this.#drained.push(resolve))
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#flushAfter(TURNS)
  }

  #flushAfter(turns: number): void {
    setImmediate(() => (turns > 1 ? this.#flushAfter(turns - 1) : this.#flush()))
  }

  #flush(): void {
    this.#scheduled = false
    const durable = this.#transaction()
    for (const tell of durable) tell()
    if (this.#queue.length > 0) {
      if (this.#busySinceMs === null) this.#schedule()
      else {
        this.#scheduled = true
        setTimeout(() => this.#flush(), pauseMs())
      }
      return
    }
    const waiting = this.#drained
    this.#drained = []
    for (const tell of waiting) tell()
  }

  /** One transaction over the front of the queue; what it made durable is taken off and returned. */
  #transaction(): readonly (() => void)[] {
    const changes = this.#queue
    // Not the clock of `performance`, which loads a dozen modules of Node at its first use.
    const startNs = process.hrtime.bigint()
    const told: (() => void)[] = []
    let current: Change | null = null
    try {
      const lasts = changes.some((change) => change.durability === 'disk')
      this.#setSynchronous(lasts ? 'FULL' : 'NORMAL')
      this.#begin.run()
      this.#refuseNewer()
      this.#settings.begun()
      for (const change of changes) {
        if (told.length > 0 && process.hrtime.bigint() - startNs > SLICE_NS) break
        current = change
        told.push(change.apply())
      }
      current = null
      this.#settings.requirePresent()
      this.#commit.run()
      this.#busySinceMs = null
      this.#queue = changes.slice(told.length)
      return told
    } catch (thrown) {
      this.#undo()
      this.#fail(this.#absence() ?? thrown, current, told.length)
      return []
    }
  }

  /** A commit in NORMAL mode is not followed by an fsync; the next one in FULL mode covers it too. */
  #setSynchronous(wanted: 'FULL' | 'NORMAL'): void {
    if (this.#synchronous === wanted) return
    this.#database.exec(`PRAGMA synchronous = ${wanted}`)
    this.#synchronous = wanted
  }

  /** Throws when the file is not where it was (S043), or is not ours to use any more. The program may have been updated, and the
   *  schema migrated, while this process ran (N040). */
  requireUsable(): void {
    this.#settings.requirePresent()
    this.#refuseNewer()
  }

  /** What SQLite says of a file that is gone is only what follows from it. Null: it is there. */
  #absence(): unknown {
    try {
      this.#settings.requirePresent()
      return null
    } catch (thrown) {
      return thrown
    }
  }

  #refuseNewer(): void {
    const found = versionOf(number(rowOf(this.#version)?.[0]))
    refuseNewer(this.#settings.path, found, this.#settings.schemaVersion)
  }

  #undo(): void {
    // SQLite rolls back by itself after some errors (a full disk, an I/O error).
    if (!this.#database.isTransaction) return
    try {
      this.#database.exec('ROLLBACK')
    } catch {
      // The transaction stays open: the next one cannot begin and says so to whoever asked for it.
    }
  }

  /** Decides who learns of a failed transaction; the others stay in the queue for the next one. */
  #fail(thrown: unknown, current: Change | null, applied: number): void {
    const error = asLedgerError(this.#settings.path, thrown)
    if (isBusy(thrown)) {
      this.#busySinceMs ??= performance.now()
      if (performance.now() - this.#busySinceMs < this.#settings.busyLimitMs) return
      this.#busySinceMs = null
      this.#rejectFirst(this.#queue.length, error)
    } else if (current !== null && isOfOneChange(thrown)) {
      current.reject(error)
      this.#queue = this.#queue.filter((change) => change !== current)
    } else {
      this.#rejectFirst(applied + (current === null ? 0 : 1) || this.#queue.length, error)
    }
  }

  #rejectFirst(count: number, error: unknown): void {
    const failed = this.#queue.slice(0, count)
    this.#queue = this.#queue.slice(count)
    for (const change of failed) change.reject(error)
  }
}
