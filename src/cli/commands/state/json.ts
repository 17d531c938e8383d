// The ledger's records of accounts and messages as JSON objects: names are the words of DESIGN, times ISO 8601. Pure.
import { toldError } from '../../../poll/report.ts'
import type { AccountRecord } from '../../../ledger/ledger.ts'
import type { DeliveryRecord, MessageRecord } from '../../../ledger/records.ts'
import { iso } from '../../../status/words/moment.ts'
import { printedUidl } from '../../../status/words/uidl.ts'

/** `uidl` is the printed form, `uidlBase64` the bytes. */
export function messageObject(account: string, message: MessageRecord): object {
  const { uidl, copy } = message.key
  return {
    account,
    uidl: printedUidl(uidl),
    uidlBase64: Buffer.from(uidl, 'latin1').toString('base64'),
    copy,
    state: message.state,
    firstSeen: iso(message.firstSeenMs),
    listedBytes: message.listedBytes,
    receivedBytes: message.receivedBytes,
    messageId: message.messageId,
    from: message.from,
    subject: message.subject,
    date: iso(message.dateMs),
    fingerprint: message.fingerprint?.toString('hex') ?? null,
    digest: message.digest?.toString('hex') ?? null,
    attempts: message.attempts,
    retryAfter: iso(message.retryAfterMs),
    reason: message.reason,
    delivered: iso(message.deliveredMs),
    deletions: message.deletions,
    deleted: iso(message.deletedMs),
    deletion: deletionObject(message.deletion),
    goneSince: iso(message.goneSinceMs),
    deliveries: message.deliveries.map(deliveryObject),
  }
}

function deletionObject(deletion: MessageRecord['deletion']): object | null {
  if (deletion === null) return null
  const { wantedSinceMs, tried, reason } = deletion
  return { wantedSince: iso(wantedSinceMs), tried, reason }
}

function deliveryObject(delivery: DeliveryRecord): object {
  const { destination, recipient, state, intent, attempts, unknowns, error, receipt } = delivery
  return {
    destination,
    recipient,
    state,
    intent,
    attempts,
    unknowns,
    retryAfter: iso(delivery.dueAfterMs),
    settled: iso(delivery.settledMs),
    receipt,
    error,
  }
}

/** Everything but what was derived from the secret, because an export is shown to others. */
export function accountObject(record: AccountRecord): object {
  const { salt: _, ...facts } = record.facts
  return {
    account: record.name,
    ...record.identity,
    started: record.started,
    messages: record.known,
    lastPoll: iso(record.lastPollMs),
    lastSuccess: iso(record.lastSuccessMs),
    failures: record.failures,
    refusals: record.refusals,
    pausedUntil: iso(record.pausedUntilMs),
    error: toldError(record.error),
    told: record.told === null ? null : { state: record.told.state, at: iso(record.told.atMs) },
    // In the order of their names, so that ledgers of both kinds have one export.
    facts: Object.fromEntries(Object.entries(facts).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  }
}
