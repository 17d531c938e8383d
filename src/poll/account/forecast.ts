// What the next polls will do with one message of the ledger, and why, in one sentence for a person. Pure. Tells what
// plan.ts and due.ts do, with their limits; decides nothing.
import type { Account } from '../../config/schema.ts'
import type { AccountHealth } from '../../ledger/ledger.ts'
import type { DeliveryRecord, MessageRecord } from '../../ledger/records.ts'
import { isPaused } from './backoff.ts'
import { isLostTooOften, MOST_UNKNOWNS, type Shows } from '../plan/lost-answers.ts'
import { deletionDueMs, hasCome, MOST_ATTEMPTS } from '../plan/plan.ts'

/** Is the account in the configuration? `departed`: not any more. `unclear`: the configuration cannot be read. */
export type AccountPresence =
  | { readonly kind: 'configured'; readonly account: Account }
  | { readonly kind: 'departed' }
  | { readonly kind: 'unclear' }

export interface ForecastView {
  readonly message: MessageRecord
  readonly presence: AccountPresence
  readonly health: AccountHealth
  readonly nowMs: number
  readonly shows: Shows
  /** A point in time as text. */
  readonly at: (ms: number) => string
}

export function forecast(view: ForecastView): string {
  const { message, presence, health, nowMs, at } = view
  if (presence.kind === 'departed') return 'nothing: the account is not in the configuration'
  if (message.goneSinceMs !== null) {
    return `nothing, unless the server lists it again: it has not since ${at(message.goneSinceMs)}`
  }
  switch (message.state) {
    case 'seen':
      return 'nothing: it counts as seen (skipped by first or --mark-seen, or fetched by another program); it is neither fetched nor deleted'
    case 'held':
      return 'nothing: it is held and stays on the server until popfetch state retry makes it due again'
    case 'delivered':
      return deletion(message, presence, nowMs, at)
    case 'open':
      return isPaused(health, nowMs)
        ? `${attempt(message, view)}; the account is paused until ${at(health.pausedUntilMs)}`
        : attempt(message, view)
  }
}

function deletion(message: MessageRecord, presence: AccountPresence, nowMs: number, at: ForecastView['at']): string {
  if (presence.kind !== 'configured') return 'it is not fetched again; delete in the configuration cannot be read'
  const policy = presence.account.delete
  const again = message.deletions > 0 ? 'again ' : ''
  const nextMs = deletionDueMs(message)
  if (policy.kind !== 'never' && nextMs === Infinity)
    return 'nothing, unless the server lists it again: it is then asked for its deletion once a day'
  if (policy.kind !== 'never' && nextMs > nowMs)
    return `deleted from the server again at the first poll after ${at(nextMs)}, and then once a day while it keeps it`
  switch (policy.kind) {
    case 'never':
      return 'nothing: it stays on the server (delete: never)'
    case 'after-delivery':
      return `deleted from the server ${again}at the next poll that lists it, once its header was compared`
    case 'age':
      // Ages count by a clock that two polls saw (S030), so it is never sooner and may be one poll later.
      return `deleted from the server ${again}at the first poll after ${at(message.firstSeenMs + policy.ageMs)}, once its header was compared`
  }
}

function attempt({ retryAfterMs, attempts, deliveries }: MessageRecord, { nowMs, shows, at }: ForecastView): string {
  const due = deliveries.filter((delivery) => delivery.state !== 'done')
  if (!hasCome(retryAfterMs, nowMs))
    return `fetched again at the first poll after ${at(retryAfterMs)}, for ${named(due)}`
  if (attempts >= MOST_ATTEMPTS) {
    return `held at the next poll: it was begun ${attempts} times without being finished`
  }
  if (isLostTooOften(due, shows)) {
    return `held at the next poll: the answer to its delivery was lost ${MOST_UNKNOWNS} times`
  }
  const cut = due.filter(({ state }) => state === 'started')
  const first = cut.length === 0 ? '' : `, after a look whether it arrived at ${named(cut)} when it was cut off`
  return due.length === 0 ? 'fetched again at the next poll' : `fetched at the next poll, for ${named(due)}${first}`
}

function named(deliveries: readonly DeliveryRecord[]): string {
  return deliveries.map(({ destination, recipient }) => recipientOf(destination, recipient)).join(', ')
}

/** "inbox", or "forward (bob@example.com)". */
export function recipientOf(destination: string, recipient: string): string {
  return recipient === '' ? destination : `${destination} (${recipient})`
}
