// How one account stands: its outcome, since when, what is in the way, and the command that helps. Also the destinations
// that are left alone, for they may be what is in the way. Pure.
import { faultSource } from '../config/accounts/sound.ts'
import { ASKED } from '../config/values/written.ts'
import { display } from '../display.ts'
import type { AccountRecord, DestinationRecord, Pause, Paused } from '../ledger/ledger.ts'
import type { MessageRecord, Unsettled } from '../ledger/records.ts'
import { isPaused } from '../poll/account/backoff.ts'
import { cutOffOn, recipientOf } from '../poll/account/forecast.ts'
import { isStale } from '../poll/rests/rests.ts'
import { machinesWaitedFor, pausedWaitedFor, rateWaitedFor, withUnbegun } from '../poll/account/unbegun.ts'
import { waitingSinceMs } from '../poll/account/waiting.ts'
import { nextOfError, nextOfMessages, nextOfRest } from './next.ts'
import { printedUidl } from './words/uidl.ts'

/** An account in the plan of the daemon. */
export interface Planned {
  readonly account: string
  readonly polling: boolean
  /** Null while it is polled. */
  readonly nextPollMs: number | null
  readonly overdue: boolean
}

/** A destination, or one of its recipients, that is left alone. */
export interface Resting {
  /** By its names in the configuration. */
  readonly destination: string
  /** These alone; none where only a recipient is left alone. */
  readonly names: readonly string[]
  /** Null: until somebody signs in. */
  readonly untilMs: number | null
  readonly sinceMs: number
  /** The exit code of a poll that it stops. */
  readonly exit: number
  readonly error: { readonly code: string; readonly message: string }
  /** In the words of deliver/answers/conclusions.ts. */
  readonly conclusion: string
  /** A person paused it: it is nobody's trouble as long as that lasts. */
  readonly isPaused: boolean
}

export type Outcome = 'ok' | 'partial' | 'failed' | 'paused'

/** What is in the way. */
export interface Because {
  /** `panel`: the program of `accountsFrom`. */
  readonly kind: 'account' | 'server' | 'destination' | 'provider' | 'panel' | 'ledger' | 'person'
  readonly name: string | null
}

/** A message that did not come, with what a person knows it by. */
export interface TroubledMessage {
  readonly state: 'waiting' | 'refused' | 'held'
  /** Its UIDL as people type it, with the number of a copy. */
  readonly name: string
  /** As recorded; null: not known. Not safe to print as they are. */
  readonly from: string | null
  readonly subject: string | null
  readonly sinceMs: number
  readonly reason: string
}

export interface AccountStatus {
  readonly account: string
  /** Null: never polled. */
  readonly record: AccountRecord | null
  /** False: only the ledger knows it, or it is disabled. */
  readonly configured: boolean
  /** It is configured, and not to be polled. */
  readonly disabled: boolean
  readonly unsettled: Unsettled
  /** The first few of what is refused, held and waits, in that order. */
  readonly messages: readonly TroubledMessage[]
  /** Null: no daemon polls it. */
  readonly planned: Planned | null
  /** A person wants it left alone, or a destination that its mail waits for; null: nobody does. */
  readonly pause: Pause | null
  /** It is left alone until then; null: it is not left alone, or there is no end. */
  readonly pausedUntilMs: number | null
  /** Null: never polled. */
  readonly outcome: Outcome | null
  /** Since when it fails; null: it does not, or nobody knows. */
  readonly sinceMs: number | null
  /** Since when the first of the messages waits; null: none does. */
  readonly waitingSinceMs: number | null
  /** Machines that mail waits for: what was cut off there, only they can find. */
  readonly machines: readonly string[]
  /** For which rate mail waits; null: for none. */
  readonly rate: string | null
  readonly because: Because | null
  /** The command that goes on; null: none is needed. */
  readonly next: string | null
}

export interface AccountFacts extends Pick<
  AccountStatus,
  'account' | 'record' | 'configured' | 'disabled' | 'planned'
> {
  readonly unsettled: Unsettled | null
  readonly messages: readonly MessageRecord[]
  readonly destinations: readonly Resting[]
  /** What a person wants left alone, by kind and name (byName). */
  readonly paused: ReadonlyMap<string, Pause>
  readonly nowMs: number
}

const SETTLED: Unsettled = { waiting: 0, refused: 0, held: 0, undeleted: 0 }

export function accountStatus(facts: AccountFacts): AccountStatus {
  const { account, record, configured, disabled, planned, destinations, nowMs } = facts
  const unsettled = withUnbegun(facts.unsettled ?? SETTLED, record)
  const pause = pauseOf(account, record, facts.paused)
  const backOffMs = record !== null && isPaused(record, nowMs) ? record.pausedUntilMs : null
  const pausedUntilMs = pause === null ? backOffMs : pause.untilMs
  const error = record?.error ?? null
  const culprit = culpritOf(error, destinations)
  return {
    account,
    record,
    configured,
    disabled,
    unsettled,
    messages: facts.messages.map(troubled).toSorted((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state)),
    planned,
    pause,
    pausedUntilMs,
    outcome: pause === null ? outcomeOf(record, unsettled, pausedUntilMs, culprit, nowMs) : 'paused',
    sinceMs: pause?.sinceMs ?? (Number(record?.facts['failingSince'] ?? 0) || null),
    waitingSinceMs: record === null ? null : waitingSinceMs(record),
    machines: machinesWaitedFor(record),
    rate: rateWaitedFor(record),
    because:
      pause === null
        ? (becauseOf(account, error, culprit ?? destinations[0] ?? null) ??
          (pausedUntilMs === null ? null : { kind: 'server', name: account }))
        : { kind: 'person', name: display(pause.by) },
    next: pause === null ? nextOf(account, unsettled, error, culprit) : resumeOf(pause),
  }
}

/** Pauses, to be found by what they are of. */
export function byName(pauses: readonly Pause[]): ReadonlyMap<string, Pause> {
  return new Map(pauses.map((pause) => [keyOf(pause), pause]))
}

const keyOf = ({ kind, name }: Paused): string => `${kind} ${name}`

/** The account's own, else that of a destination that its mail waited for at its last poll. */
function pauseOf(account: string, record: AccountRecord | null, paused: AccountFacts['paused']): Pause | null {
  const own = paused.get(keyOf({ kind: 'account', name: account }))
  const others = pausedWaitedFor(record).flatMap((name) => paused.get(keyOf({ kind: 'destination', name })) ?? [])
  return own ?? others[0] ?? null
}

/** The command that ends a pause. */
export function resumeOf({ name }: Paused): string {
  return `popfetch resume ${name}`
}

/** The destinations and recipients that are left alone. */
export function restingOf(
  records: readonly DestinationRecord[],
  pauses: readonly Pause[],
  nowMs: number,
): readonly Resting[] {
  const paused = new Set(pauses.flatMap(({ kind, name }) => (kind === 'destination' ? [name] : [])))
  return records.flatMap(({ names, recipient, rest, key }) => {
    if (rest === null || isStale(rest, nowMs)) return []
    const name = names.length === 0 ? key : names.join(', ')
    const { sinceMs, untilMs, untilSignIn, exit, error, conclusion } = rest
    return [
      {
        destination: recipientOf(name, recipient),
        names: recipient === '' ? names : [],
        untilMs: untilSignIn === true ? null : untilMs,
        sinceMs,
        exit,
        error,
        conclusion,
        isPaused: names.length > 0 && names.every((each) => paused.has(each)),
      },
    ]
  })
}

/** The destination whose error it is, as long as it is left alone. */
export function culpritOf(error: AccountRecord['error'], resting: readonly Resting[]): Resting | null {
  if (error?.code !== 'ERR_DELIVERY') return null
  return resting.find(({ error: { message } }) => error.message.includes(message)) ?? null
}

const ORDER = ['refused', 'held', 'waiting']

function troubled({ key, state, from, subject, firstSeenMs, reason, deliveries }: MessageRecord): TroubledMessage {
  const isRefused = deliveries.some((delivery) => delivery.state === 'refused')
  const name = key.copy === 0 ? printedUidl(key.uidl) : `${printedUidl(key.uidl)} (copy ${key.copy})`
  return {
    state: state === 'held' ? 'held' : isRefused ? 'refused' : 'waiting',
    name,
    from,
    subject,
    sinceMs: firstSeenMs,
    reason: display(reason ?? cutOffOn(deliveries) ?? 'no reason recorded', 1000),
  }
}

/** As its next poll would say, if nothing new came. */
function outcomeOf(
  record: AccountRecord | null,
  { waiting, undeleted }: Unsettled,
  pausedUntilMs: number | null,
  culprit: Resting | null,
  nowMs: number,
): Outcome | null {
  if (record === null || record.lastPollMs === null) return null
  if (pausedUntilMs !== null || (culprit?.untilMs ?? 0) > nowMs) return 'paused'
  if (record.failures > 0) return 'failed'
  return waiting + undeleted > 0 ? 'partial' : 'ok'
}

function becauseOf(account: string, error: AccountRecord['error'], culprit: Resting | null): Because | null {
  if (error === null) return null
  if (error.code === 'ERR_DELIVERY') return { kind: 'destination', name: culprit?.destination ?? null }
  if (error.code === 'ERR_LEDGER') return { kind: 'ledger', name: null }
  if (error.code === 'ERR_PROVIDER') return { kind: 'provider', name: account }
  if (faultSource(error) === 'program') return { kind: 'panel', name: ASKED }
  return { kind: OF_ACCOUNT.has(error.code) ? 'account' : 'server', name: account }
}

const OF_ACCOUNT: ReadonlySet<string> = new Set(['ERR_AUTH', 'ERR_SECRET', 'ERR_CONFIG', 'ERR_MECHANISM'])

function nextOf(
  account: string,
  unsettled: Unsettled,
  error: AccountRecord['error'],
  culprit: Resting | null,
): string | null {
  if (culprit !== null) return nextAt(culprit, [account])
  if (error !== null) return nextOfError(error)([account])
  const kind = (['refused', 'held', 'waiting', 'undeleted'] as const).find((each) => unsettled[each] > 0)
  return kind === undefined ? null : nextOfMessages[kind](account)
}

/** What helps where a destination is left alone, and keeps back the mail of these accounts. */
export function nextAt({ destination, conclusion, untilMs }: Resting, accounts: readonly string[]): string {
  return nextOfRest(conclusion, { destination: checkable(destination), accounts }, untilMs === null)
}

/** Names of a destination as `check` takes them: without the recipient, and where several mean one place, the first. */
function checkable(destination: string): string {
  return destination.replace(/ \(.*$/, '').split(', ', 1)[0] ?? ''
}
