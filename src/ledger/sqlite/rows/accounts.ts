// The rows of accounts: who they are, how their last polls went. Synchronous; see messages.ts.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Retry } from '../../../errors.ts'
import { bug } from './fault.ts'
import type { AccountHealth, AccountIdentity, AccountRecord, FactChanges, TakingOver, Told } from '../../account.ts'
import type { PollEnd } from '../../ledger.ts'
import { bytes, number, numberOrNull, onward, parsed, rowOf, rowsOf, text, textOrNull, type Row } from './row.ts'

const COLUMNS = `name, host, port, user, started, known, last_poll_ms, last_success_ms, failures, refusals, secret_mark,
  paused_until_ms, error, facts, told_state, told_ms, mark_digest, mark_due_ms, taking_over`

/** In `next_poll_ms`: a wake came, and whoever claims the account answers it. */
export const WOKEN = 0

export class AccountRows {
  readonly #id: StatementSync
  readonly #insert: StatementSync
  readonly #one: StatementSync
  readonly #after: StatementSync
  readonly #facts: StatementSync
  readonly #grow: StatementSync
  readonly #start: StatementSync
  readonly #finish: StatementSync
  readonly #told: StatementSync
  readonly #names: StatementSync
  readonly #merge: StatementSync
  readonly #remove: StatementSync
  readonly #rename: StatementSync
  readonly #unmark: StatementSync
  readonly #nextPoll: StatementSync
  readonly #woken: StatementSync
  readonly #takeOver: StatementSync
  readonly #schedule: StatementSync
  /** Valid within one transaction. */
  readonly #ids = new Map<string, number>()

  constructor(database: DatabaseSync) {
    this.#id = database.prepare('SELECT id FROM account WHERE name = ?')
    this.#insert = database.prepare(
      'INSERT INTO account (name, host, port, user) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO NOTHING',
    )
    this.#one = database.prepare(`SELECT ${COLUMNS} FROM account WHERE name = ?`)
    this.#after = database.prepare(`SELECT ${COLUMNS}, id FROM account WHERE id > ? ORDER BY id LIMIT ?`)
    this.#facts = database.prepare('SELECT facts FROM account WHERE name = ?')
    this.#grow = database.prepare('UPDATE account SET known = known + ? WHERE id = ?')
    this.#start = database.prepare('UPDATE account SET started = 1 WHERE id = ?')
    this.#finish = database.prepare(
      `UPDATE account SET host = ?, port = ?, user = ?, last_poll_ms = ?, last_success_ms = ?, failures = ?, refusals = ?,
       secret_mark = ?, paused_until_ms = ?, error = ?, facts = ?, listings = listings + ?, mark_digest = ?, mark_due_ms = ?
       WHERE id = ?`,
    )
    this.#told = database.prepare('UPDATE account SET told_state = ?, told_ms = ? WHERE name = ?')
    this.#names = database.prepare('SELECT id, name FROM account')
    this.#merge = database.prepare('UPDATE account SET facts = ? WHERE id = ?')
    this.#remove = database.prepare('DELETE FROM account WHERE id = ?')
    this.#unmark = database.prepare('UPDATE account SET mark_digest = NULL, mark_due_ms = NULL WHERE id = ?')
    this.#nextPoll = database.prepare('SELECT next_poll_ms FROM account WHERE name = ?')
    this.#woken = database.prepare(`SELECT name FROM account WHERE next_poll_ms = ${WOKEN}`)
    this.#schedule = database.prepare('UPDATE account SET next_poll_ms = ? WHERE name = ?')
    this.#takeOver = database.prepare('UPDATE account SET taking_over = ? WHERE id = ?')
    this.#rename = database.prepare('UPDATE account SET name = ? WHERE id = ?')
  }

  /** To be called when a transaction begins: another process may have renamed or removed an account. */
  forgetIds(): void {
    this.#ids.clear()
  }

  /** The id of a known account, inside a transaction; anything else is a bug of the caller. */
  idOf(name: string): number {
    const kept = this.#ids.get(name)
    if (kept !== undefined) return kept
    const id = this.find(name)
    if (id === null) throw bug('an account that was never made known')
    this.#ids.set(name, id)
    return id
  }

  find(name: string): number | null {
    const row = rowOf(this.#id, name)
    return row === null ? null : number(row[0])
  }

  add(name: string, identity: AccountIdentity): void {
    this.#insert.run(name, identity.host, identity.port, identity.user)
  }

  read(name: string): AccountRecord | null {
    const row = rowOf(this.#one, name)
    return row === null ? null : record(row)
  }

  /** Those with greater ids, `limit` at most, in the order of their ids. `last` null: there are no more. */
  after(id: number, limit: number): { readonly records: readonly AccountRecord[]; readonly last: number | null } {
    const rows = rowsOf(this.#after, id, limit)
    const last = rows.length < limit ? undefined : rows.at(-1)
    return { records: rows.map(record), last: last === undefined ? null : onward(id, number(last[19])) }
  }

  names(): ReadonlyMap<number, string> {
    return new Map(rowsOf(this.#names).map((row) => [number(row[0]), text(row[1])]))
  }

  /** This many of its messages were new; fewer than none: were removed. */
  grow(id: number, messages: number): void {
    if (messages !== 0) this.#grow.run(messages, id)
  }

  remove(id: number): void {
    this.#remove.run(id)
    this.forgetIds()
  }

  rename(id: number, name: string): void {
    this.#rename.run(name, id)
    this.forgetIds()
  }

  /** When its next poll is due; null: nobody plans it. */
  nextPollMs(name: string): number | null {
    const row = rowOf(this.#nextPoll, name)
    return row === null ? null : numberOrNull(row[0])
  }

  /** Those that were woken and not claimed since. */
  woken(): readonly string[] {
    return rowsOf(this.#woken).map((row) => text(row[0]))
  }

  /** Null: nobody plans its polls. An unknown account: nothing happens. */
  schedule(name: string, nextPollMs: number | null): void {
    this.#schedule.run(nextPollMs, name)
  }

  /** What a comparison would find is not what it was. */
  unmark(id: number): void {
    this.#unmark.run(id)
  }

  merge(name: string, facts: FactChanges): void {
    this.#merge.run(this.#merged(name, facts), this.idOf(name))
  }

  #merged(name: string, facts: FactChanges): string {
    const row = rowOf(this.#facts, name)
    const merged: Record<string, string> = row === null ? {} : { ...factsOf(text(row[0])) }
    for (const [fact, value] of Object.entries(facts)) {
      if (value === null) delete merged[fact]
      else merged[fact] = value
    }
    return JSON.stringify(merged)
  }

  start(id: number): void {
    this.#start.run(id)
  }

  takeOver(id: number, state: TakingOver | null): void {
    this.#takeOver.run(state === null ? null : JSON.stringify(state), id)
  }

  tell(name: string, told: Told | null): void {
    this.#told.run(told?.state ?? null, told?.atMs ?? null, name)
  }

  finish(name: string, { identity, health, facts, wholeListing, mark }: PollEnd): void {
    const id = this.idOf(name)
    this.#finish.run(
      identity.host,
      identity.port,
      identity.user,
      health.lastPollMs,
      health.lastSuccessMs,
      health.failures,
      health.refusals,
      health.secretMark,
      health.pausedUntilMs,
      health.error === null ? null : JSON.stringify(health.error),
      this.#merged(name, facts),
      wholeListing ? 1 : 0,
      mark?.digest ?? null,
      mark?.dueMs ?? null,
      id,
    )
  }
}

function record(row: Row): AccountRecord {
  return {
    name: text(row[0]),
    identity: { host: text(row[1]), port: number(row[2]), user: text(row[3]) },
    started: number(row[4]) === 1,
    known: number(row[5]),
    lastPollMs: numberOrNull(row[6]),
    lastSuccessMs: numberOrNull(row[7]),
    failures: number(row[8]),
    refusals: number(row[9]),
    secretMark: numberOrNull(row[10]),
    pausedUntilMs: number(row[11]),
    error: errorOf(textOrNull(row[12])),
    told: row[14] === null ? null : { state: text(row[14]), atMs: number(row[15]) },
    facts: factsOf(text(row[13])),
    takingOver: row[18] === null ? null : (parsed(text(row[18])) as TakingOver),
    mark: row[16] === null ? null : { digest: bytes(row[16]), dueMs: numberOrNull(row[17]) },
  }
}

function errorOf(json: string | null): AccountHealth['error'] {
  if (json === null) return null
  const { code, message, retry, exit } = parsed(json) as { code: string; message: string; retry: Retry; exit?: number }
  return { code, message, retry, ...(exit === undefined ? {} : { exit }) }
}

function factsOf(json: string): Readonly<Record<string, string>> {
  return parsed(json) as Record<string, string>
}
