// What the next polls will do with one message of the ledger, and why, in one sentence for a person. Pure. Tells what
// plan.ts, due.ts, suspects.ts and the doors of destinations do, with their limits; decides nothing.
import type { Account } from '../../config/schema.ts'
import type { AccountHealth, Delivery, DestinationRecord, Pause } from '../../ledger/ledger.ts'
import type { DeliveryRecord, MessageRecord } from '../../ledger/records.ts'
import { isPaused } from './backoff.ts'
import { fitsNow } from '../plan/held-for-size.ts'
import { isLost, isLostTooOften, MOST_UNKNOWNS, type Shows } from '../plan/lost-answers.ts'
import { deletionDueMs, harmlessFromMs, hasCome } from '../plan/moments.ts'
import { MOST_ATTEMPTS } from '../plan/entry.ts'
import { compareSizes } from './sizes.ts'

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
  /** What is known of destinations that did not take mail. */
  readonly destinations: readonly Pick<DestinationRecord, 'names' | 'recipient' | 'rest'>[]
  /** What a person paused. */
  readonly accountPause: Pause | null
  readonly pauseOf: (destination: string) => Pause | null
  /** Have the sizes that the server announces been exact so far (sizes.ts)? */
  readonly sizesAreExact: boolean
  /** A point in time as text. */
  readonly at: (ms: number) => string
}

export function forecast(view: ForecastView): string {
  const { message, presence, nowMs, at } = view
  if (presence.kind === 'departed') return 'nothing: the account is not in the configuration'
  if (message.goneSinceMs !== null) {
    return `nothing, unless the server lists it again: it has not since ${at(message.goneSinceMs)}`
  }
  switch (message.state) {
    case 'seen':
      return 'nothing: it counts as seen (skipped by first or --mark-seen, or fetched by another program); it is neither fetched nor deleted'
    case 'held':
      return held(view)
    case 'delivered':
      return deletion(message, view)
    case 'open':
      return `${attempt(view, nowMs, at)}${pause(view)}`
  }
}

function pause({ accountPause, health, nowMs, at }: ForecastView): string {
  if (accountPause !== null) return `; the account is paused until ${endOf(accountPause, at)}`
  return isPaused(health, nowMs) ? `; the account is paused until ${at(health.pausedUntilMs)}` : ''
}

function endOf({ name, untilMs }: Pause, at: ForecastView['at']): string {
  return untilMs === null ? `popfetch resume ${name}` : at(untilMs)
}

function held({ message, presence, shows }: ForecastView): string {
  const maxSizeBytes = presence.kind === 'configured' ? presence.account.maxSizeBytes : 0
  const fits = fitsNow({ maxSizeBytes, sizeBytes: message.listedBytes, shows }, message)
  return fits
    ? 'fetched at the next poll: maxSize is larger now than it was when the message was held'
    : 'nothing: it is held and stays on the server until popfetch state retry makes it due again'
}

function deletion(message: MessageRecord, view: ForecastView): string {
  const { presence, nowMs, at, sizesAreExact } = view
  if (presence.kind !== 'configured') return 'it is not fetched again; delete in the configuration cannot be read'
  const policy = presence.account.delete
  if (policy.kind === 'never') return 'nothing: it stays on the server (delete: never)'
  if (compareSizes(message.listedBytes, message.receivedBytes ?? message.listedBytes ?? 0, sizesAreExact) !== 'agrees')
    return 'nothing: it came with another size than announced, and stays on the server'
  const nextMs = Math.max(deletionDueMs(message), harmlessFromMs(message.harm))
  if (nextMs === Infinity)
    return 'nothing, unless the server lists it again: it is then asked for its deletion once a day'
  if (nextMs > nowMs)
    return `deleted from the server again at the first poll after ${at(nextMs)}, and then once a day while the server keeps it`
  const again = message.deletions > 0 ? 'again ' : ''
  // Ages count by a clock that two polls saw (S030), so it is never sooner and may be one poll later.
  const when =
    policy.kind === 'age'
      ? `at the first poll after ${at(message.firstSeenMs + policy.ageMs)}`
      : 'at the next poll that lists it'
  return `deleted from the server ${again}${when}, once its header was compared${pause(view)}`
}

function attempt(view: ForecastView, nowMs: number, at: ForecastView['at']): string {
  const { message, shows } = view
  const { attempts, deliveries, harm } = message
  const lacking = deliveries.filter((delivery) => delivery.state !== 'done')
  const harmlessMs = harmlessFromMs(harm)
  if (!hasCome(harmlessMs, nowMs))
    return `fetched again at the first poll after ${at(harmlessMs)}: it ended its session ${harm?.times ?? 0} times`
  const waits = new Map<string, DeliveryRecord[]>()
  const isOver = isLostTooOften(lacking, shows)
  const wanted = isOver ? lacking : lacking.filter((delivery) => !isLost(delivery, shows))
  for (const delivery of wanted.toSorted((a, b) => a.dueAfterMs - b.dueAfterMs)) {
    const when = hasCome(delivery.dueAfterMs, nowMs)
      ? whenOpen(delivery, view)
      : `again at the first poll after ${at(delivery.dueAfterMs)}`
    waits.set(when, [...(waits.get(when) ?? []), delivery])
  }
  const isDue = waits.size === 0 || wanted.some(({ dueAfterMs }) => hasCome(dueAfterMs, nowMs))
  if (isDue && attempts >= MOST_ATTEMPTS) {
    return `held at the next poll: it was begun ${attempts} times without being finished`
  }
  if (isDue && isOver) return `held at the next poll: the answer to its delivery was lost ${MOST_UNKNOWNS} times`
  const cut = wanted.filter(({ state }) => state === 'started')
  const first = cut.length === 0 ? '' : `, after checking whether it arrived at ${named(cut)} before it was cut off`
  if (waits.size === 0) return 'fetched again at the next poll'
  return `fetched ${[...waits].map(([when, of]) => `${when}, for ${named(of)}`).join('; ')}${first}`
}

/** When a delivery is tried whose own time has come. */
function whenOpen(
  { destination, recipient }: DeliveryRecord,
  { destinations, pauseOf, nowMs, at }: ForecastView,
): string {
  const paused = pauseOf(destination)
  if (paused !== null) return `when the destination is no longer paused (until ${endOf(paused, at)})`
  const records = destinations.filter(
    (record) => record.names.includes(destination) && (record.recipient === '' || record.recipient === recipient),
  )
  if (records.some(({ rest }) => rest?.untilSignIn === true))
    return 'at the first poll after somebody has signed in there'
  const untilMs = Math.max(0, ...records.map(({ rest }) => rest?.untilMs ?? 0))
  // Whoever polls once looks at each poll whether one is back that was away (doorOf).
  const isLooked = records.some(({ rest }) => rest !== null && rest.untilMs <= nowMs) || records.some(isAway)
  if (isLooked) return 'at the next poll at which the destination accepts mail again'
  return untilMs > nowMs
    ? `at the first poll after ${at(untilMs)}, when the destination is no longer paused`
    : 'at the next poll'
}

function isAway({ rest }: Pick<DestinationRecord, 'rest'>): boolean {
  return rest !== null && rest.askedMs === 0 && (rest.conclusion === 'DOWN' || rest.conclusion === 'TLS')
}

function named(deliveries: readonly DeliveryRecord[]): string {
  return deliveries.map(({ destination, recipient }) => recipientOf(destination, recipient)).join(', ')
}

/** Where an attempt was begun of which nothing more is recorded; null: nowhere, or its place is not recorded. */
export function cutOffOn(deliveries: readonly Delivery[]): string | null {
  const cut = deliveries.find(({ state, machine }) => (state === 'started' || state === 'unknown') && machine !== null)
  return cut === undefined ? null : `its delivery was begun on the machine ${cut.machine ?? ''}`
}

/** "inbox", or "forward (bob@example.com)". */
export function recipientOf(destination: string, recipient: string): string {
  return recipient === '' ? destination : `${destination} (${recipient})`
}
