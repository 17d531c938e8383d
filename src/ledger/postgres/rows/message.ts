// The rows of messages and of their deliveries, as polls and as people see them.
import type { ComparedMessage } from '../../comparison.ts'
import type { Delivery, Harm, PendingDeletion } from '../../entry.ts'
import type { DeliveryRecord, MessageRecord } from '../../records.ts'
import { DELIVERY_STATES, HELD, MESSAGE_STATES, OPEN, OPEN_REFUSED } from '../../stored.ts'
import type { Row } from '../connection/connection.ts'
import { bug } from '../connection/server.ts'
import { bytesOrNull, isTrue, keyOf, number, numberOrNull, text, textOrNull, word } from './cells.ts'

/** Of `m`, a row of message, as a poll sees it. */
export const KNOWN = `m.state, m.first_seen_ms, m.listed_bytes, m.received_bytes, m.fingerprint, m.digest, m.attempts, m.retry_after_ms,
  m.deletions, m.reason, m.row, m.gone_since_ms, m.deletion_wanted_ms, m.deletion_tried, m.deletion_reason, m.harm_command,
  m.harm_times, m.harm_last_ms, m.sender, m.subject`
/** The place of what follows KNOWN. */
export const AFTER_KNOWN = 20

/** Of `d`, a row of delivery. */
export const DELIVERY = `d.account, d.row, d.destination, d.recipient, d.state, d.intent, d.attempts, d.unknowns, d.refusals, d.deferrals,
  d.retry_after_ms, d.handed_over, d.conclusion, d.error, d.settled_ms, d.receipt, d.machine`

/** Of `m`, as people see it. */
export const RECORD = `m.account, m.row, m.uidl, m.copy, m.state, m.first_seen_ms, m.listed_bytes, m.received_bytes, m.message_id,
  m.fingerprint, m.digest, m.attempts, m.retry_after_ms, m.reason, m.delivered_ms, m.deletions, m.deleted_ms, m.gone_since_ms, m.sender,
  m.subject, m.date_ms, m.deletion_wanted_ms, m.deletion_tried, m.deletion_reason, m.harm_command, m.harm_times, m.harm_last_ms`

/** A message, and the row by which its comparison finds it again. */
export interface KnownRow extends ComparedMessage {
  readonly row: number
  /** Set by the comparison that gives it. */
  position: number
  deliveries: readonly Delivery[]
}

/** Has a message in this state its deliveries with it? */
export function hasDeliveries(state: Row[number] | undefined): boolean {
  return state === OPEN || state === OPEN_REFUSED || state === HELD
}

export function knownOf(row: Row): KnownRow {
  return {
    state: messageState(row[0]),
    firstSeenMs: number(row[1]),
    listedBytes: numberOrNull(row[2]),
    receivedBytes: numberOrNull(row[3]),
    fingerprint: bytesOrNull(row[4]),
    digest: bytesOrNull(row[5]),
    attempts: number(row[6]),
    retryAfterMs: number(row[7]),
    deletions: number(row[8]),
    reason: textOrNull(row[9]),
    row: number(row[10]),
    goneSinceMs: numberOrNull(row[11]),
    deletion: deletionOf(row.slice(12, 15)),
    harm: harmOf(row.slice(15, 18)),
    from: textOrNull(row[18]),
    subject: textOrNull(row[19]),
    deliveries: [],
    position: -1,
  }
}

function messageState(cell: Row[number] | undefined): ComparedMessage['state'] {
  const state = MESSAGE_STATES[number(cell)]
  if (state === undefined) throw bug(`the database holds message state ${String(cell)}`)
  return state
}

function deletionOf([since, tried, reason]: Row): PendingDeletion | null {
  return since === null ? null : { wantedSinceMs: number(since), tried: number(tried), reason: text(reason) }
}

function harmOf([command, times, lastMs]: Row): Harm | null {
  if (command === null) return null
  return { command: word(command) as Harm['command'], times: number(times), lastMs: number(lastMs) }
}

export function deliveryOf(row: Row): Delivery {
  const state = DELIVERY_STATES[number(row[4])]
  if (state === undefined) throw bug(`the database holds delivery state ${String(row[4])}`)
  return {
    destination: text(row[2]),
    recipient: text(row[3]),
    state,
    intent: text(row[5]),
    attempts: number(row[6]),
    unknowns: number(row[7]),
    refusals: number(row[8]),
    deferrals: number(row[9]),
    dueAfterMs: number(row[10]),
    handedOver: isTrue(row[11]),
    conclusion: textOrNull(row[12]),
    error: textOrNull(row[13]),
    machine: textOrNull(row[16]),
  }
}

export function deliveryRecordOf(row: Row): DeliveryRecord {
  return { ...deliveryOf(row), settledMs: numberOrNull(row[14]), receipt: textOrNull(row[15]) }
}

export function recordOf(row: Row, deliveries: readonly DeliveryRecord[]): MessageRecord {
  return {
    key: keyOf(row[2], row[3]),
    state: messageState(row[4]),
    firstSeenMs: number(row[5]),
    listedBytes: numberOrNull(row[6]),
    receivedBytes: numberOrNull(row[7]),
    messageId: textOrNull(row[8]),
    from: textOrNull(row[18]),
    subject: textOrNull(row[19]),
    dateMs: numberOrNull(row[20]),
    fingerprint: bytesOrNull(row[9]),
    digest: bytesOrNull(row[10]),
    attempts: number(row[11]),
    retryAfterMs: number(row[12]),
    reason: textOrNull(row[13]),
    deliveredMs: numberOrNull(row[14]),
    deletions: number(row[15]),
    deletedMs: numberOrNull(row[16]),
    goneSinceMs: numberOrNull(row[17]),
    deletion: deletionOf(row.slice(21, 24)),
    harm: harmOf(row.slice(24, 27)),
    deliveries,
  }
}
