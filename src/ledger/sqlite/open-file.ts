// A ledger's file that is open: its rows, and what works on them. The methods of Ledger are in sqlite-ledger.ts.
import type { DatabaseSync } from 'node:sqlite'
import { Access, type Surroundings } from './access.ts'
import type { ComparedRows } from './comparison.ts'
import { closeFile, openedAs } from './file.ts'
import { GroupCommit } from './group-commit.ts'
import { HeldLeases } from './held-leases.ts'
import { LeaseRows } from './lease.ts'
import { Presence } from './presence.ts'
import { MIGRATIONS } from './schema/migrations.ts'
import { SqlitePauses } from './sqlite-pauses.ts'
import { SqliteRecords } from './sqlite-records.ts'
import { changesOf, SqliteSchedule } from './sqlite-schedule.ts'
import { AccountRows } from './rows/accounts.ts'
import { DayRows } from './rows/days.ts'
import { DestinationRows } from './rows/destinations.ts'
import { IdentityRows } from './rows/identity.ts'
import { KnownRows } from './rows/known.ts'
import { MessageRows } from './rows/messages.ts'
import { PauseRows } from './rows/pauses.ts'
import { SettledRows } from './rows/settled.ts'

/** The tables of what is made at first use. */
const LATER = `SELECT state FROM message UNION ALL SELECT state FROM delivery UNION ALL SELECT record FROM destination`

/** What belongs to the open file. SQLite compiles what is asked of it, so what a poll without new mail does not ask is made at first
 *  use. */
export class OpenFile {
  readonly presence: Presence | null
  readonly records: SqliteRecords
  readonly pauses: SqlitePauses
  readonly access: Access
  readonly accounts: AccountRows
  readonly leases: HeldLeases
  readonly schedule: SqliteSchedule
  readonly days: DayRows
  readonly pauseRows: PauseRows
  readonly #database: DatabaseSync
  #messages: MessageRows | null = null
  #known: KnownRows | null = null
  #compared: ComparedRows | null = null
  #destinations: DestinationRows | null = null
  #closed = false

  constructor(database: DatabaseSync, path: string, surroundings: Surroundings) {
    this.#database = database
    // A ledger that is not there is an empty one in memory, to those who only read.
    const opened = openedAs(database)
    const presence = opened === null ? null : new Presence(path, opened)
    this.presence = presence
    this.accounts = new AccountRows(database)
    // A file whose tables are gone is refused at once, and not when the first message has come.
    database.prepare(LATER)
    this.days = new DayRows(database)
    const commit = new GroupCommit(database, {
      path,
      schemaVersion: MIGRATIONS.length,
      busyLimitMs: surroundings.busyLimitMs,
      begun: () => this.accounts.forgetIds(),
      requirePresent: () => presence?.require(),
    })
    this.access = new Access(path, surroundings, commit, this.accounts)
    const leases = new LeaseRows(database, `${path}.leases`, surroundings.random)
    this.pauseRows = new PauseRows(database)
    this.leases = new HeldLeases(this.access, leases, this.accounts, this.pauseRows)
    const scheduled = { accounts: this.accounts, leases, memos: this.days }
    this.schedule = new SqliteSchedule(this.access, scheduled, changesOf(database))
    this.pauses = new SqlitePauses(this.pauseRows, this.access)
    const rows = { accounts: this.accounts, days: this.days, pauses: this.pauseRows }
    this.records = new SqliteRecords(database, rows, this.access)
  }

  get messages(): MessageRows {
    return (this.#messages ??= new MessageRows(this.#database))
  }

  get destinations(): DestinationRows {
    return (this.#destinations ??= new DestinationRows(this.#database))
  }

  get known(): KnownRows {
    return (this.#known ??= new KnownRows(this.#database))
  }

  get compared(): ComparedRows {
    return (this.#compared ??= {
      accounts: this.accounts,
      known: this.known,
      identity: new IdentityRows(this.#database, this.known),
      settled: new SettledRows(this.#database),
    })
  }

  get identity(): IdentityRows {
    return this.compared.identity
  }

  /** The leases are lost. SQLite sees by itself whether the file is still there, and else leaves alone what has its name. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.leases.close()
    closeFile(this.#database)
  }
}
