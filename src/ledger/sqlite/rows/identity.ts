// Which of several messages is this one? Rows looked up and changed when a UIDL alone does not tell. Copies, reused UIDLs, messages
// that went and came back, a lost ledger, new UIDLs. Synchronous and without transactions of its own.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { bug } from './fault.ts'
import { AFTER_COLUMNS, COLUMNS, KEYS_PER_STATEMENT, type KnownRow, type KnownRows } from './known.ts'
import type { FingerprintedKey } from '../../comparison.ts'
import type { EntryKey } from '../../entry.ts'
import type { Absence, Adoption } from '../../ledger.ts'
import type { ReceivedFacts } from '../../../message.ts'
import { STAND_IN } from '../../../redact/stand-in.ts'
import { HEADING, valuesOf } from './messages.ts'
import {
  bytes,
  DELIVERED,
  deliveryStateNumber,
  DONE,
  HELD,
  lastRow,
  number,
  onward,
  OPEN,
  PENDING,
  rowOf,
  rowsOf,
  SEEN,
  type Row,
  uidlBytes,
  UNKNOWN,
} from './row.ts'

interface FingerprintedRow extends FingerprintedKey {
  readonly row: number
}

interface PlaceOfKey {
  readonly uidl: Buffer
  readonly copy: number
}

const FIRST_STAND_IN = Buffer.from(STAND_IN, 'latin1')
const AFTER_STAND_INS = Buffer.from(`${STAND_IN}\xff`, 'latin1')

/** Before all keys. */
export const FIRST_KEY: PlaceOfKey = { uidl: Buffer.alloc(0), copy: -1 }

export class IdentityRows {
  readonly #known: KnownRows
  readonly #copies: StatementSync
  readonly #duplicated: StatementSync
  readonly #standIn: StatementSync
  readonly #keysAfter: StatementSync
  readonly #absent: StatementSync
  readonly #present: StatementSync
  readonly #presentAfter: StatementSync
  readonly #removed: StatementSync
  readonly #removedCount: StatementSync
  readonly #go: StatementSync
  readonly #forgettable: StatementSync
  readonly #neverCame: StatementSync
  readonly #forgetDeliveries: StatementSync
  readonly #forget: StatementSync
  readonly #return: StatementSync
  readonly #restartAge: StatementSync
  readonly #adopt: StatementSync
  readonly #adoptOpen: StatementSync
  readonly #adoptDelivery: StatementSync
  readonly #confirm: StatementSync
  readonly #complete: StatementSync
  readonly #rekey: StatementSync
  readonly #fingerprints: StatementSync
  readonly #bare: StatementSync
  readonly #goneFingerprints: StatementSync
  readonly #last: StatementSync

  constructor(database: DatabaseSync, known: KnownRows) {
    this.#known = known
    this.#copies = database.prepare(
      `SELECT ${COLUMNS}, m.copy FROM message m WHERE m.account = ? AND m.uidl = ? ORDER BY m.copy`,
    )
    // Left to itself SQLite goes through all keys of the account.
    this.#duplicated = database.prepare(
      'SELECT DISTINCT uidl FROM message INDEXED BY message_copies WHERE account = ? AND copy > 0',
    )
    this.#standIn = database.prepare('SELECT 1 FROM message WHERE account = ? AND uidl >= ? AND uidl < ? LIMIT 1')
    this.#keysAfter = database.prepare(
      `SELECT uidl, copy FROM message WHERE account = ? AND (uidl, copy) > (?, ?)
       ORDER BY uidl, copy LIMIT ${KEYS_PER_STATEMENT}`,
    )
    this.#absent = database.prepare('SELECT count(*) FROM message WHERE account = ? AND gone_since_ms IS NOT NULL')
    this.#present = database.prepare(
      'SELECT id FROM message NOT INDEXED WHERE account = ? AND id > ? AND id <= ? AND gone_since_ms IS NULL ORDER BY id',
    )
    this.#presentAfter = database.prepare(
      `SELECT id, uidl, copy, gone_since_ms IS NULL FROM message WHERE account = ? AND (uidl, copy) > (?, ?)
       ORDER BY uidl, copy LIMIT ${KEYS_PER_STATEMENT}`,
    )
    this.#removed = database.prepare(
      `SELECT id, uidl, copy FROM message INDEXED BY message_removed
       WHERE account = ? AND deletions > 0 AND gone_since_ms IS NULL AND id > ? ORDER BY id LIMIT ${KEYS_PER_STATEMENT}`,
    )
    this.#removedCount = database.prepare(
      `SELECT (SELECT count(*) FROM message INDEXED BY message_removed
         WHERE account = ?1 AND deletions > 0 AND gone_since_ms IS NULL)
       + (SELECT count(*) FROM message INDEXED BY message_undeleted
         WHERE account = ?1 AND deletion_wanted_ms IS NOT NULL AND deletion_tried > 0 AND deletions = 0)`,
    )
    this.#go = database.prepare(
      `UPDATE message SET gone_since_ms = ?1, deletion_wanted_ms = NULL, deletion_tried = NULL, deletion_reason = NULL,
       gone_listing = iif(?2 AND deletions = 0, NULL, (SELECT listings + 1 FROM account WHERE account.id = message.account))
       WHERE id = ?3`,
    )
    this.#neverCame = database.prepare(
      `SELECT 1 FROM message WHERE id = ?1 AND state IN (${OPEN}, ${HELD}) AND received_bytes IS NULL AND attempts = 0 AND harm IS NULL
       AND NOT EXISTS (SELECT 1 FROM delivery WHERE message = ?1
         AND (state <> ${PENDING} OR unknowns + refusals + deferrals > 0))`,
    )
    // The listing of this poll is not counted yet.
    this.#forgettable = database.prepare(
      `SELECT id FROM message INDEXED BY message_forgettable
       WHERE account = ?1 AND gone_since_ms <= ?2 AND gone_listing IS NOT NULL AND state IN (1, 2)
         AND gone_listing <= (SELECT listings + 2 - ?3 FROM account WHERE id = ?1) LIMIT ?4`,
    )
    this.#forgetDeliveries = database.prepare('DELETE FROM delivery WHERE message = ?')
    this.#forget = database.prepare('DELETE FROM message WHERE id = ?')
    this.#return = database.prepare(
      'UPDATE message SET gone_since_ms = NULL, gone_listing = NULL WHERE account = ? AND uidl = ? AND copy = ?',
    )
    this.#restartAge = database.prepare(
      'UPDATE message SET first_seen_ms = ? WHERE account = ? AND uidl = ? AND copy = ?',
    )
    this.#adopt = database.prepare(
      `INSERT INTO message (account, uidl, copy, state, first_seen_ms, listed_bytes, delivered_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, uidl, copy) DO NOTHING`,
    )
    this.#adoptOpen = database.prepare(
      `UPDATE message SET state = ?4, listed_bytes = coalesce(listed_bytes, ?5), delivered_ms = ?6, harm = NULL
       WHERE account = ?1 AND uidl = ?2 AND copy = ?3 AND state = ${OPEN} AND received_bytes IS NULL
       AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.message = message.id) RETURNING id`,
    )
    this.#adoptDelivery = database.prepare(
      `INSERT INTO delivery (message, destination, recipient, state, unknowns, intent, attempts, settled_ms, receipt)
       VALUES (?1, ?2, ?3, ?4, ?4 = ${UNKNOWN}, ?5, ?6, ?7, ?8)`,
    )
    this.#confirm = database.prepare(
      `UPDATE message SET received_bytes = ?, digest = ?, fingerprint = ?, message_id = ?, ${HEADING}
       WHERE account = ? AND uidl = ? AND copy = ?`,
    )
    this.#complete = database.prepare(
      `UPDATE message SET state = ${DELIVERED}, delivered_ms = ?, attempts = 0, reason = NULL, retry_after_ms = 0
       WHERE account = ? AND uidl = ? AND copy = ? AND state = ${OPEN}
       AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.message = message.id AND delivery.state <> ${DONE})`,
    )
    this.#rekey = database.prepare('UPDATE message SET uidl = ?, copy = ? WHERE account = ? AND uidl = ? AND copy = ?')
    this.#fingerprints = database.prepare(
      `SELECT id, uidl, copy, fingerprint FROM message NOT INDEXED
       WHERE account = ? AND id > ? AND id <= ? AND fingerprint IS NOT NULL`,
    )
    this.#bare = database.prepare(
      `SELECT id FROM message NOT INDEXED WHERE account = ? AND id > ? AND id <= ?
       AND fingerprint IS NULL AND gone_since_ms IS NULL AND (state = ${SEEN} OR (state = ${DELIVERED}
       AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.message = message.id))) ORDER BY id`,
    )
    this.#goneFingerprints = database.prepare(
      `SELECT id, uidl, copy, fingerprint FROM message INDEXED BY message_gone
       WHERE account = ? AND gone_since_ms IS NOT NULL AND id > ? AND deletions = 0 AND fingerprint IS NOT NULL
       ORDER BY id LIMIT ${KEYS_PER_STATEMENT}`,
    )
    this.#last = database.prepare('SELECT max(id) FROM message')
  }

  copies(account: number, uidl: string): readonly { readonly copy: number; readonly known: KnownRow }[] {
    return rowsOf(this.#copies, account, uidlBytes(uidl)).map((row) => ({
      copy: number(row[AFTER_COLUMNS]),
      known: this.#known.message(row),
    }))
  }

  duplicated(account: number): readonly string[] {
    return rowsOf(this.#duplicated, account).map((row) => bytes(row[0]).toString('latin1'))
  }

  hasStandIns(account: number): boolean {
    return rowOf(this.#standIn, account, FIRST_STAND_IN, AFTER_STAND_INS) !== null
  }

  /** The next keys behind `after`, in their order. */
  keysAfter(account: number, after: PlaceOfKey): readonly EntryKey[] {
    const found = rowsOf(this.#keysAfter, account, after.uidl, after.copy)
    const last = found.at(-1)
    if (last !== undefined) onwardOfKey(after, { uidl: bytes(last[0]), copy: number(last[1]) })
    return found.map((row) => ({ uidl: bytes(row[0]).toString('latin1'), copy: number(row[1]) }))
  }

  absent(account: number): number {
    return number(rowOf(this.#absent, account)?.[0])
  }

  /** The number of the last row. The two below go by row numbers: by an index each slice would sort all that are left. */
  last(): number {
    return lastRow(rowOf(this.#last)?.[0])
  }

  /** The rows after `after`, up to `until`, that are not recorded as gone. */
  present(account: number, after: number, until: number): readonly number[] {
    return rowsOf(this.#present, account, after, until).map((row) => number(row[0]))
  }

  /** Those that were skipped, or delivered by another program, of which nothing but the key is known, and that are not recorded
   *  as gone. */
  bare(account: number, after: number, until: number): readonly number[] {
    return rowsOf(this.#bare, account, after, until).map((row) => number(row[0]))
  }

  /** The same in the order of their keys, of the next rows behind `after`, and behind which key to go on; null: that was all. */
  presentAfter(
    account: number,
    after: PlaceOfKey,
  ): { readonly rows: readonly number[]; readonly next: PlaceOfKey | null } {
    const found = rowsOf(this.#presentAfter, account, after.uidl, after.copy)
    const last = found.length < KEYS_PER_STATEMENT ? undefined : found.at(-1)
    return {
      rows: found.filter((row) => number(row[3]) === 1).map((row) => number(row[0])),
      next: last === undefined ? null : onwardOfKey(after, { uidl: bytes(last[1]), copy: number(last[2]) }),
    }
  }

  /** How many messages were asked to be deleted and are not recorded as gone. */
  removedCount(account: number): number {
    return number(rowOf(this.#removedCount, account)?.[0])
  }

  /** The next ones after the row `after`; none: that was all. */
  removed(account: number, after: number): readonly { readonly row: number; readonly key: EntryKey }[] {
    return allOnward(
      after,
      rowsOf(this.#removed, account, after).map((row) => {
        return { row: number(row[0]), key: { uidl: bytes(row[1]).toString('latin1'), copy: number(row[2]) } }
      }),
    )
  }

  /** `keep`: never to be forgotten, unless it was asked to be deleted. Gives how many messages were removed: what never came, or was
   *  kept back for its announced size alone, is nothing to remember (S044). */
  go(row: number, keep: boolean, nowMs: number): number {
    if (rowOf(this.#neverCame, row) === null) {
      this.#go.run(nowMs, keep ? 1 : 0, row)
      return 0
    }
    this.forget(row)
    return 1
  }

  /** The rows that may be forgotten, `most` at most. */
  forgettable(account: number, { goneUntilMs, listings }: Absence, most: number): readonly number[] {
    return rowsOf(this.#forgettable, account, goneUntilMs, listings, most).map((row) => number(row[0]))
  }

  forget(row: number): void {
    this.#forgetDeliveries.run(row)
    this.#forget.run(row)
  }

  return(account: number, key: EntryKey): void {
    this.#return.run(account, uidlBytes(key.uidl), key.copy)
  }

  restartAge(account: number, key: EntryKey, nowMs: number): void {
    this.#restartAge.run(nowMs, account, uidlBytes(key.uidl), key.copy)
  }

  /** 1 if the message was new, 0 if it was known: then nothing is changed, but of one that is open, without a delivery. */
  adopt(account: number, { key, listedBytes, deliveries, complete }: Adoption, nowMs: number): number {
    const delivered = complete && deliveries.every(({ state }) => state === 'done')
    const state = delivered ? DELIVERED : OPEN
    const at = [account, uidlBytes(key.uidl), key.copy] as const
    const inserted = this.#adopt.run(...at, state, nowMs, listedBytes, delivered ? nowMs : null)
    const isNew = inserted.changes === 1
    const mayGet = !isNew && deliveries.length > 0
    const open = mayGet ? rowOf(this.#adoptOpen, ...at, state, listedBytes, delivered ? nowMs : null) : null
    if (!isNew && open === null) return 0
    const id = open === null ? Number(inserted.lastInsertRowid) : number(open[0])
    for (const delivery of deliveries) {
      const { destination, recipient } = delivery
      const done = delivery.state === 'done' ? delivery : null
      const tried = [
        done?.intent ?? '',
        done === null ? 0 : 1,
        done === null ? null : nowMs,
        done?.receipt ?? null,
      ] as const
      this.#adoptDelivery.run(id, destination, recipient, deliveryStateNumber(delivery.state), ...tried)
    }
    return isNew ? 1 : 0
  }

  confirm(account: number, key: EntryKey, received: ReceivedFacts | null, nowMs: number): void {
    const at = [account, uidlBytes(key.uidl), key.copy] as const
    this.#complete.run(nowMs, ...at)
    if (received === null) return
    const confirmed = this.#confirm.run(...valuesOf(received), ...at)
    if (confirmed.changes !== 1) throw bug('confirming a message that is not known')
  }

  rekey(account: number, from: EntryKey, to: EntryKey): void {
    const { changes } = this.#rekey.run(uidlBytes(to.uidl), to.copy, account, uidlBytes(from.uidl), from.copy)
    if (changes !== 1) throw bug('giving a new UIDL to a message that is not known')
  }

  /** Those messages between the rows `after` and `until` whose header is known. */
  fingerprints(account: number, after: number, until: number): readonly FingerprintedRow[] {
    return rowsOf(this.#fingerprints, account, after, until).map(fingerprintedRow)
  }

  /** The next after the row `after` of those that are gone without our doing; none: that was all. */
  goneFingerprints(account: number, after: number): readonly FingerprintedRow[] {
    return allOnward(after, rowsOf(this.#goneFingerprints, account, after).map(fingerprintedRow))
  }
}

function allOnward<T extends { readonly row: number }>(after: number, found: readonly T[]): readonly T[] {
  const last = found.at(-1)
  if (last !== undefined) onward(after, last.row)
  return found
}

/** As `onward`. */
function onwardOfKey(before: PlaceOfKey, last: PlaceOfKey): PlaceOfKey {
  const order = Buffer.compare(last.uidl, before.uidl)
  onward(0, order === 0 ? last.copy - before.copy : order)
  return last
}

function fingerprintedRow(row: Row): FingerprintedRow {
  return {
    row: number(row[0]),
    key: { uidl: bytes(row[1]).toString('latin1'), copy: number(row[2]) },
    fingerprint: bytes(row[3]),
  }
}
