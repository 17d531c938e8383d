// The rows of messages and their deliveries. Synchronous and without transactions of its own: changes run inside
// GroupCommit, reads between commits. One rule: `message.state` always agrees with the deliveries, so that what is known
// of a settled message is one row.
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { bug } from './fault.ts'
import type { Heading } from '../../../message.ts'
import type {
  Beginning,
  DeletionNote,
  DeliveryKey,
  EntryKey,
  Harm,
  ReceivedFacts,
  SeenEntry,
  Settlement,
  ShownHeader,
} from '../../ledger.ts'
import {
  DELIVERED,
  DONE,
  FAILED,
  HELD,
  OPEN,
  OPEN_REFUSED,
  PENDING,
  REFUSED,
  SEEN,
  STARTED,
  UNKNOWN,
  deliveryStateNumber,
  lastRow,
  number,
  numberOrNull,
  rowOf,
  uidlBytes,
} from './row.ts'
import { Statements } from './statements.ts'

export const HEADING = 'sender = coalesce(?, sender), subject = coalesce(?, subject), date_ms = coalesce(?, date_ms)'

/** For `received_bytes = ?, digest = ?, fingerprint = ?, message_id = ?` and HEADING. */
export function valuesOf({ receivedBytes, digest, fingerprint, messageId, heading }: ReceivedFacts) {
  const { from = null, subject = null, dateMs = null } = heading ?? {}
  return [receivedBytes, digest, fingerprint, messageId, from, subject, dateMs] as const
}

function inserting(values: string): string {
  return `INSERT INTO message (account, uidl, copy, state, attempts, first_seen_ms, listed_bytes, reason)
    VALUES ${values} ON CONFLICT (account, uidl, copy) DO NOTHING`
}

function starting(values: string): string {
  return `INSERT INTO delivery (message, destination, recipient, state, intent, attempts)
    VALUES ${values} ON CONFLICT (message, destination, recipient)
    DO UPDATE SET state = ${STARTED}, intent = excluded.intent, attempts = attempts + 1, retry_after_ms = 0, handed_over = 0,
    machine = NULL`
}

/** So many new messages are begun by one statement for each table: that costs a third less than one by one. First copies, all for one
 *  destination and recipient: what they have in common is given once, which is a sixth of it again. */
const TOGETHER = 16
/** Account, time; UIDL and listed size of each. */
const INSERT_TOGETHER = inserting(rows((row) => `(?1, ?${3 + 2 * row}, 0, ${OPEN}, 1, ?2, ?${4 + 2 * row}, NULL)`))
/** The first message's row, destination, recipient; the intent of each. */
const START_TOGETHER = starting(rows((row) => `(?1 + ${row}, ?2, ?3, ${STARTED}, ?${4 + row}, 1)`))

function rows(values: (row: number) => string): string {
  return Array.from({ length: TOGETHER }, (_, row) => values(row)).join(', ')
}

const REMOVE_SINCE = 'DELETE FROM message WHERE id >= ?'

/** What the deliveries of a message that are not done amount to. */
interface Undone {
  readonly state: typeof OPEN | typeof OPEN_REFUSED | typeof DELIVERED
  /** When the first of them may be tried again. */
  readonly retryAfterMs: number
}

/** Messages that this process made known with one delivery and did not settle yet → their rows: nearly all of them. What becomes of
 *  such a message is told without asking the file for it first. Further copies of a message are not among them. By account, and then
 *  by the UIDL as it is: to put a name together for each cost more than all else here. */
class SingleRows {
  readonly #accounts = new Map<number, Map<string, number>>()

  add(account: number, { uidl, copy }: EntryKey, id: number): void {
    if (copy !== 0) return
    const rows = this.#accounts.get(account)
    if (rows === undefined) this.#accounts.set(account, new Map([[uidl, id]]))
    else rows.set(uidl, id)
  }

  find(account: number, { uidl, copy }: EntryKey): number | undefined {
    return copy === 0 ? this.#accounts.get(account)?.get(uidl) : undefined
  }

  /** It is not found any more. */
  take(account: number, key: EntryKey): number | undefined {
    const id = this.find(account, key)
    if (id !== undefined) this.#accounts.get(account)?.delete(key.uidl)
    return id
  }
}

export class MessageRows {
  readonly #insert: StatementSync
  /** Made when they are wanted. */
  readonly #together: Statements
  readonly #find: StatementSync
  readonly #reopen: StatementSync
  readonly #startDelivery: StatementSync
  readonly #settleDelivery: StatementSync
  readonly #finishDelivery: StatementSync
  readonly #undone: StatementSync
  readonly #settle: StatementSync
  readonly #facts: StatementSync
  readonly #unstart: StatementSync
  readonly #abandon: StatementSync
  readonly #hold: StatementSync
  readonly #deleted: StatementSync
  readonly #deliver: StatementSync
  readonly #handOver: StatementSync
  readonly #noteDeletion: StatementSync
  readonly #noteHarm: StatementSync
  readonly #noteHeading: StatementSync
  readonly #noteHeader: StatementSync
  readonly #deliverSeen: StatementSync
  readonly #single = new SingleRows()

  constructor(database: DatabaseSync) {
    this.#insert = database.prepare(inserting('(?, ?, ?, ?, ?, ?, ?, ?)'))
    this.#find = database.prepare('SELECT id, state FROM message WHERE account = ? AND uidl = ? AND copy = ?')
    this.#reopen = database.prepare(
      `UPDATE message SET state = ?, retry_after_ms = ?, attempts = attempts + 1, listed_bytes = coalesce(listed_bytes, ?)
       WHERE id = ?`,
    )
    this.#startDelivery = database.prepare(starting(`(?, ?, ?, ${STARTED}, ?, 1)`))
    this.#together = new Statements(database)
    this.#settleDelivery = database.prepare(
      `UPDATE delivery SET state = ?1, unknowns = unknowns + (?1 = ${UNKNOWN}), refusals = refusals + (?2 AND ?1 = ${REFUSED}),
       deferrals = deferrals + (?2 AND ?1 = ${FAILED}), conclusion = iif(?1 = ${DONE}, NULL, coalesce(?3, conclusion)),
       retry_after_ms = ?4, settled_ms = ?5, receipt = ?6, error = ?7
       WHERE message = ?8 AND destination = ?9 AND recipient = ?10`,
    )
    this.#finishDelivery = database.prepare(
      `UPDATE delivery SET state = ${DONE}, retry_after_ms = 0, settled_ms = ?, receipt = ?, error = NULL, conclusion = NULL
       WHERE message = ? AND destination = ? AND recipient = ?`,
    )
    this.#undone = database.prepare(
      `SELECT count(*), min(retry_after_ms), max(state = ${REFUSED}) FROM delivery WHERE message = ? AND state <> ${DONE}`,
    )
    this.#settle = database.prepare(
      `UPDATE message SET state = ?1, retry_after_ms = ?2, reason = iif(?3, NULL, coalesce(?4, reason)),
       delivered_ms = ?5, attempts = 0 WHERE id = ?6`,
    )
    this.#facts = database.prepare(
      `UPDATE message SET received_bytes = ?, digest = ?, fingerprint = ?, message_id = ?, ${HEADING} WHERE id = ?`,
    )
    this.#deliver = database.prepare(
      `UPDATE message SET state = ${DELIVERED}, delivered_ms = ?, attempts = 0, reason = NULL, retry_after_ms = 0,
       received_bytes = ?, digest = ?, fingerprint = ?, message_id = ?, ${HEADING} WHERE id = ? AND state = ${OPEN}`,
    )
    // What was handed over may have arrived, whatever else is known of it (P2, never deliver twice unsaid).
    this.#unstart = database.prepare(
      `UPDATE delivery SET state = ${PENDING} WHERE message = ? AND state = ${STARTED} AND handed_over = 0`,
    )
    this.#abandon = database.prepare(
      'UPDATE message SET reason = coalesce(?, reason), attempts = max(0, attempts - ?) WHERE id = ?',
    )
    this.#hold = database.prepare(`UPDATE message SET state = ${HELD}, reason = ? WHERE id = ?`)
    this.#deleted = database.prepare(
      `UPDATE message SET deletions = deletions + 1, deleted_ms = ?, deletion_wanted_ms = NULL, deletion_tried = NULL,
       deletion_reason = NULL WHERE id = ?`,
    )
    this.#handOver = database.prepare(
      `UPDATE delivery SET handed_over = 1 WHERE message = ? AND destination = ? AND recipient = ? AND state = ${STARTED}`,
    )
    this.#noteDeletion = database.prepare(
      `UPDATE message SET deletion_wanted_ms = iif(?1 IS NULL, NULL, coalesce(deletion_wanted_ms, ?2)),
       deletion_tried = iif(?1 IS NULL, NULL, coalesce(deletion_tried, 0) + ?3), deletion_reason = ?1
       WHERE id = ?4 AND (?1 IS NULL OR gone_since_ms IS NULL)`,
    )
    this.#noteHeading = database.prepare(`UPDATE message SET ${HEADING} WHERE account = ? AND uidl = ? AND copy = ?`)
    this.#noteHeader = database.prepare(
      `UPDATE message SET fingerprint = ?, message_id = ?, listed_bytes = coalesce(listed_bytes, ?), ${HEADING}
       WHERE account = ? AND uidl = ? AND copy = ? AND fingerprint IS NULL AND (state = ${SEEN} OR (state = ${DELIVERED}
       AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.message = message.id)))`,
    )
    this.#deliverSeen = database.prepare(
      `UPDATE message SET state = ${DELIVERED}, first_seen_ms = min(first_seen_ms, ?)
       WHERE account = ? AND uidl = ? AND copy = ? AND state = ${SEEN}`,
    )
    this.#noteHarm = database.prepare(
      `UPDATE message SET harm = iif(?1 IS NULL, NULL,
       json_object('command', ?1, 'times', coalesce(harm ->> 'times', 0) + 1, 'lastMs', ?2)) WHERE id = ?3`,
    )
  }

  /** Remembers an entry as seen, or as delivered elsewhere; 1 if it was new, 0 if it was known. */
  see(account: number, { key, listedBytes, delivered = false }: SeenEntry, firstSeenMs: number): number {
    const at = [account, uidlBytes(key.uidl), key.copy] as const
    const state = delivered ? DELIVERED : SEEN
    const { changes } = this.#insert.run(...at, state, 0, firstSeenMs, listedBytes, null)
    if (changes === 0 && delivered) this.#deliverSeen.run(firstSeenMs, ...at)
    return Number(changes)
  }

  noteHeader(account: number, { key, listedBytes, fingerprint, messageId, heading }: ShownHeader): void {
    const { from, subject, dateMs } = heading
    const at = [account, uidlBytes(key.uidl), key.copy] as const
    this.#noteHeader.run(fingerprint, messageId, listedBytes, from, subject, dateMs, ...at)
  }

  /** 1 if the message was new, 0 if it was known. */
  begin(account: number, beginning: Beginning, nowMs: number): number {
    const { key, listedBytes, deliveries } = beginning
    const uidl = uidlBytes(key.uidl)
    const inserted = this.#insert.run(account, uidl, key.copy, OPEN, 1, nowMs, listedBytes, null)
    const isNew = inserted.changes === 1
    const id = isNew ? Number(inserted.lastInsertRowid) : this.#idOf(account, key)
    for (const { destination, recipient, intent } of deliveries) {
      this.#startDelivery.run(id, destination, recipient, intent)
    }
    if (isNew) {
      if (deliveries.length === 1) this.#single.add(account, key, id)
      return 1
    }
    // Of a row that is gone, whose number another message may have by now.
    this.#single.take(account, key)
    const { state, retryAfterMs } = this.#undoneOf(id)
    // A message begun without deliveries (all of them are done, or it was only looked at) is open until it is settled.
    this.#reopen.run(state === DELIVERED ? OPEN : state, retryAfterMs, listedBytes, id)
    return 0
  }

  settle(account: number, settlement: Settlement, nowMs: number): void {
    const { key, destination, recipient, outcome, received } = settlement
    // Taken out for good: should this be undone and run again, it goes the long way.
    const single = this.#single.take(account, key)
    if (single !== undefined && received !== null && this.#settleSingle(single, settlement, received, nowMs)) return
    const found = rowOf(this.#find, account, uidlBytes(key.uidl), key.copy)
    if (found === null) throw bug('settling a message that was never begun')
    const id = number(found[0])
    const done = outcome.state === 'done'
    const error = done ? null : outcome.error
    const { changes } = this.#settleDelivery.run(
      deliveryStateNumber(outcome.state),
      done || outcome.counts === false ? 0 : 1,
      done ? null : (outcome.conclusion ?? null),
      done ? 0 : outcome.retryAfterMs,
      nowMs,
      done ? outcome.receipt : null,
      error,
      id,
      destination,
      recipient,
    )
    if (changes !== 1) throw bug('settling a delivery that was never begun')
    const { state, retryAfterMs } = this.#undoneOf(id)
    const kept = number(found[1]) === HELD && state !== DELIVERED ? HELD : state
    const delivered = state === DELIVERED
    this.#settle.run(kept, retryAfterMs, delivered ? 1 : 0, error, delivered ? nowMs : null, id)
    if (received !== null) this.#receive(id, received)
  }

  /** Gives how many messages were new. */
  settleAndBegin(
    account: number,
    settlements: readonly Settlement[],
    batch: readonly Beginning[],
    nowMs: number,
  ): number {
    for (const settlement of settlements) this.settle(account, settlement, nowMs)
    let added = 0
    for (let at = 0; at < batch.length; at += TOGETHER) {
      const next = batch.slice(at, at + TOGETHER)
      if (this.#beginTogether(account, next, nowMs)) added += TOGETHER
      else for (const beginning of next) added += this.begin(account, beginning, nowMs)
    }
    return added
  }

  /** False: they are fewer, some of them are known or further copies, or they do not go to the same place alone; and nothing was
   *  changed. */
  #beginTogether(account: number, batch: readonly Beginning[], nowMs: number): boolean {
    const [to] = batch[0]?.deliveries ?? []
    if (batch.length !== TOGETHER || to === undefined) return false
    const messages: SQLInputValue[] = [account, nowMs]
    const started: SQLInputValue[] = [0, to.destination, to.recipient]
    for (const { key, listedBytes, deliveries } of batch) {
      const [only] = deliveries
      if (key.copy !== 0 || deliveries.length !== 1 || only === undefined) return false
      if (only.destination !== to.destination || only.recipient !== to.recipient) return false
      messages.push(uidlBytes(key.uidl), listedBytes)
      started.push(only.intent)
    }
    const { changes, lastInsertRowid } = this.#together.of(INSERT_TOGETHER).run(...messages)
    // Rows get numbers one after the other, behind all that are there: unless a damaged one has the last number of all.
    const first = lastRow(lastInsertRowid) - Number(changes) + 1
    if (changes !== TOGETHER) {
      if (changes !== 0) this.#together.of(REMOVE_SINCE).run(first)
      return false
    }
    started[0] = first
    for (const [at, { key }] of batch.entries()) this.#single.add(account, key, first + at)
    this.#together.of(START_TOGETHER).run(...started)
    return true
  }

  /** False: it was not as simple as that, and nothing was changed. */
  #settleSingle(id: number, settlement: Settlement, received: ReceivedFacts, nowMs: number): boolean {
    const { destination, recipient, outcome } = settlement
    if (outcome.state !== 'done') return false
    const { receivedBytes, digest, fingerprint, messageId, heading } = received
    const { from = null, subject = null, dateMs = null } = heading ?? {}
    const { changes } = this.#deliver.run(
      nowMs,
      receivedBytes,
      digest,
      fingerprint,
      messageId,
      from,
      subject,
      dateMs,
      id,
    )
    if (changes !== 1) return false
    const settled = this.#finishDelivery.run(nowMs, outcome.receipt, id, destination, recipient)
    if (settled.changes !== 1) throw bug('settling a delivery that was never begun')
    return true
  }

  handOver(account: number, { key, destination, recipient }: DeliveryKey): void {
    const id = this.#single.find(account, key) ?? this.#idOf(account, key)
    const { changes } = this.#handOver.run(id, destination, recipient)
    if (changes !== 1) throw bug('handing over a delivery that was never begun')
  }

  noteDeletion(account: number, { key, pending }: DeletionNote, nowMs: number): void {
    const tried = pending?.tried === true ? 1 : 0
    this.#noteDeletion.run(pending?.reason ?? null, nowMs, tried, this.#idOf(account, key))
  }

  /** 1 if the message was new, 0 if it was known. */
  noteHeading(account: number, { uidl, copy }: EntryKey, { from, subject, dateMs }: Heading): void {
    this.#noteHeading.run(from, subject, dateMs, account, uidlBytes(uidl), copy)
  }

  noteHarm(account: number, key: EntryKey, command: Harm['command'] | null, nowMs: number): number {
    const inserted = this.#insert.run(account, uidlBytes(key.uidl), key.copy, OPEN, 0, nowMs, null, null)
    this.#noteHarm.run(command, nowMs, this.#idOf(account, key))
    return Number(inserted.changes)
  }

  abandon(account: number, key: EntryKey, reason: string | null, counts: boolean): void {
    const id = this.#idOf(account, key)
    this.#single.take(account, key)
    this.#unstart.run(id)
    this.#abandon.run(reason, counts ? 0 : 1, id)
  }

  /** 1 if the message was new, 0 if it was known. */
  hold(account: number, key: EntryKey, listedBytes: number | null, reason: string, nowMs: number): number {
    const inserted = this.#insert.run(account, uidlBytes(key.uidl), key.copy, HELD, 0, nowMs, listedBytes, reason)
    this.#single.take(account, key)
    if (inserted.changes === 1) return 1
    this.#hold.run(reason, this.#idOf(account, key))
    return 0
  }

  deleted(account: number, key: EntryKey, nowMs: number): void {
    this.#deleted.run(nowMs, this.#idOf(account, key))
  }

  #idOf(account: number, key: EntryKey): number {
    const row = rowOf(this.#find, account, uidlBytes(key.uidl), key.copy)
    if (row === null) throw bug('a message that was never begun')
    return number(row[0])
  }

  #undoneOf(id: number): Undone {
    const row = rowOf(this.#undone, id) ?? []
    if (number(row[0]) === 0) return { state: DELIVERED, retryAfterMs: 0 }
    return { state: number(row[2]) === 1 ? OPEN_REFUSED : OPEN, retryAfterMs: numberOrNull(row[1]) ?? 0 }
  }

  #receive(id: number, received: ReceivedFacts): void {
    this.#facts.run(...valuesOf(received), id)
  }
}
