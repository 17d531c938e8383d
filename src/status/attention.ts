// What needs a person, over all accounts, destinations and sign-ins: the worst first, what has one reason once, each with the
// command that helps. Pure, and in steps (config/turns.ts): there may be ten thousand accounts in trouble. An account that is not
// configured any more, or was never polled, needs nobody.
import { ASKED } from '../config/values/written.ts'
import { display } from '../display.ts'
import type { Pause } from '../ledger/ledger.ts'
import type { AskedTrouble } from './asked-trouble.ts'
import { type AccountStatus, culpritOf, nextAt, type Resting, resumeOf, type TroubledMessage } from './account.ts'
import { type LateHost, lateText } from './late.ts'
import { differingVersions, type MachineAtWork } from './machines.ts'
import { type Missed, missedText } from './remembered/missed.ts'
import { type Listed, signInName, stateText, troubled } from './sign-in-lines.ts'
import { type Command, CONFIG_CHECK, isSignedOut, nextOfError, nextOfMessages, over, retryHere } from './next.ts'
import { counted } from './words/amounts.ts'
import { faceText } from './words/face.ts'
import { span, timeUntil } from './words/moment.ts'

/** In the order in which they are told, those that are `bad` first. */
export type AttentionKind =
  | 'daemon'
  | 'panel'
  | 'destination'
  | 'sign-in'
  | 'account'
  | 'overdue'
  | 'refused'
  | 'held'
  | 'undeleted'
  | 'waiting'
  | 'late'
  | 'missed'
  | 'silent'
  | 'paused'

export interface Attention {
  readonly kind: AttentionKind
  /** `bad`: mail does not come. `doubtful`: it may not. */
  readonly weight: 'bad' | 'doubtful'
  /** The accounts, the destination or the user that it is about. Safe to print. */
  readonly names: readonly string[]
  /** Safe to print. */
  readonly reason: string
  /** Null: nobody knows. */
  readonly sinceMs: number | null
  readonly next: string
}

/** One entry before those with one reason are joined. */
interface Noted extends Attention {
  /** The command for all of them; absent: that of the first will do. */
  readonly nextOfAll?: Command
}

/** After this long without success an account stands out, even when no failure is known: cron may have stopped. */
export const LONG_MS = 24 * 3_600_000
/** Mail that waits for longer is told, though its account works (`alertAfter` as it is when nobody writes it). */
const WAITS_LONG_MS = 6 * 3_600_000
/** More than this many messages with one reason are one line. */
const NAMED_ALIKE = 2

const ORDER: readonly AttentionKind[] = [
  'daemon',
  'panel',
  'destination',
  'sign-in',
  'account',
  'overdue',
  'refused',
  'held',
  'undeleted',
  'waiting',
  'late',
  'missed',
  'silent',
  'paused',
]

const NO_DAEMON: Attention = {
  kind: 'daemon',
  weight: 'bad',
  names: ['popfetch'],
  reason: 'the daemon was started on this ledger and does not run, although nobody stopped it',
  sinceMs: null,
  next: 'popfetch --daemon',
}

export interface AttentionFacts {
  readonly nowMs: number
  readonly accounts: readonly AccountStatus[]
  readonly destinations: readonly Resting[]
  readonly pauses: readonly Pause[]
  readonly asked: AskedTrouble | null
  readonly missed: readonly Missed[]
  readonly signIns: readonly Listed[]
  readonly daemon: { readonly wanted: boolean; readonly pid: number | null; readonly late?: readonly LateHost[] }
  readonly machines: readonly MachineAtWork[]
}

export function* attentionOf(facts: AttentionFacts): Generator<void, readonly Attention[]> {
  const { nowMs, accounts, destinations, pauses, asked, missed, signIns, daemon, machines } = facts
  const needing = accounts.filter(({ configured, record }) => configured && record !== null)
  const signedOut = new Set(troubled(signIns).flatMap((each) => each.accounts))
  const found: Noted[] = [
    ...(daemon.wanted && daemon.pid === null ? [NO_DAEMON] : []),
    ...ofVersions(machines),
    ...(asked === null ? [] : [ofAsked(asked)]),
    ...troubled(signIns).map(ofSignIn),
    ...accounts.filter(({ planned }) => planned?.overdue === true).map(ofOverdue),
    ...(daemon.late ?? []).map(ofLate),
    ...missed.map((each) => ofMissed(each, machines)),
    ...pauses.map((pause) => ofPause(pause, nowMs)),
  ]
  for (const resting of destinations) {
    if (!resting.isPaused) found.push(ofDestination(resting, needing, nowMs))
    yield
  }
  for (const status of needing) {
    for (const noted of ofAccount(status, { destinations, signedOut, nowMs })) found.push(noted)
    yield
  }
  const weights = ['bad', 'doubtful']
  return (yield* alike(found)).toSorted(
    (a, b) =>
      weights.indexOf(a.weight) - weights.indexOf(b.weight) ||
      ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) ||
      (a.sinceMs ?? Infinity) - (b.sinceMs ?? Infinity),
  )
}

/** `work`, or `work, home and 18 others`. */
export function namesText(names: readonly string[]): string {
  const [shown, more] = names.length > 4 ? [names.slice(0, 3), names.length - 3] : [names, 0]
  return more === 0 ? shown.join(', ') : `${shown.join(', ')} and ${counted(more, 'other')}`
}

/** Accounts that have the same reason and the same remedy are one entry. */
function* alike(found: readonly Noted[]): Generator<void, readonly Attention[]> {
  const groups = new Map<string, Noted[]>()
  for (const noted of found) {
    const {
      kind,
      weight,
      reason,
      names: [name = ''],
    } = noted
    const isOfMany = kind === 'account' || kind === 'overdue' || kind === 'paused'
    const key = JSON.stringify(isOfMany ? [kind, weight, reason] : [kind, name, reason])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [noted])
    else group.push(noted)
    yield
  }
  const joined: Attention[] = []
  for (const group of groups.values()) {
    const [first] = group
    if (first === undefined) continue
    const sinceMs = group.reduce((least, one) => Math.min(least, one.sinceMs ?? Infinity), Infinity)
    const names = [...new Set(group.flatMap((one) => one.names))]
    const { nextOfAll, ...told } = first
    const next = names.length === 1 || nextOfAll === undefined ? told.next : nextOfAll(names)
    joined.push({
      ...told,
      names: names.map((name) => display(name)),
      next: display(next, 1000),
      sinceMs: sinceMs === Infinity ? null : sinceMs,
    })
    yield
  }
  return joined
}

function ofVersions(machines: readonly MachineAtWork[]): readonly Attention[] {
  const differing = differingVersions(machines)
  if (differing === null) return []
  const reason = `the machines that share this ledger run different versions: ${differing}; install one version on all of them, then start their daemons again`
  const next = 'popfetch stop, then popfetch --daemon'
  return [{ kind: 'daemon', weight: 'doubtful', names: ['popfetch'], reason, sinceMs: null, next }]
}

/** The accounts before hold: mail comes, but not that of a new account. */
function ofAsked({ message, sinceMs }: AskedTrouble): Attention {
  const reason = message.startsWith(`${ASKED}: `) ? message.slice(ASKED.length + 2) : message
  return { kind: 'panel', weight: 'bad', names: [ASKED], reason, sinceMs, next: CONFIG_CHECK([]) }
}

function ofDestination(resting: Resting, accounts: readonly AccountStatus[], nowMs: number): Attention {
  const { destination, error, sinceMs, untilMs } = resting
  const behind = accounts.filter(({ record }) => culpritOf(record?.error ?? null, [resting]) !== null)
  const whose = behind.length === 0 ? '' : ` (${namesText(behind.map(({ account }) => account))})`
  const again =
    untilMs === null
      ? 'until somebody signs in'
      : untilMs <= nowMs
        ? 'until the next poll'
        : `for another ${timeUntil(untilMs - nowMs)}`
  return {
    kind: 'destination',
    weight: 'bad',
    names: [destination],
    reason: `paused ${again}${whose}: ${display(error.message, 1000)}`,
    sinceMs,
    next: nextAt(
      resting,
      behind.map(({ account }) => account),
    ),
  }
}

/** Told as long as it lasts: a pause that somebody forgot looks like mail that does not come. */
function ofPause(pause: Pause, nowMs: number): Noted {
  const { kind, name, by, sinceMs, untilMs } = pause
  const until = untilMs === null ? '' : ` for another ${timeUntil(untilMs - nowMs)}`
  const what = kind === 'account' ? 'not polled' : 'gets no mail'
  const reason = `paused${until}, ${what}: by ${display(by)}, ${span(nowMs - sinceMs)} ago`
  const nextOfAll = over('resume')
  return { kind: 'paused', weight: 'doubtful', names: [name], reason, sinceMs, next: resumeOf(pause), nextOfAll }
}

function ofLate(late: LateHost): Attention {
  const { host, sinceMs } = late
  return { kind: 'late', weight: 'doubtful', names: [host], reason: lateText(late), sinceMs, next: CONFIG_CHECK([]) }
}

/** It is over, and mail may have come late. */
function ofMissed(missed: Missed, machines: readonly MachineAtWork[]): Attention {
  const ofMany = machines.some(({ machine }) => machine !== display(missed.machine, 100))
  const reason = missedText(missed, ofMany)
  return {
    kind: 'missed',
    weight: 'doubtful',
    names: ['popfetch'],
    reason,
    sinceMs: missed.sinceMs,
    next: 'popfetch log',
  }
}

function ofSignIn(signIn: Listed): Attention {
  const { accounts, destinations, state } = signIn
  const isEnding = !(state instanceof Error) && state.state === 'ends-soon'
  const [name = ''] = [...accounts, ...destinations]
  return {
    kind: 'sign-in',
    weight: isEnding ? 'doubtful' : 'bad',
    names: [signInName(signIn)],
    reason: stateText(signIn),
    sinceMs: null,
    next: name === '' ? 'popfetch auth' : `popfetch auth ${name}`,
  }
}

function ofOverdue({ account }: AccountStatus): Noted {
  const reason = 'overdue: its poll has given no sign of life for long'
  const nextOfAll = over('log')
  const names = [account]
  return { kind: 'overdue', weight: 'bad', names, reason, sinceMs: null, next: nextOfAll(names), nextOfAll }
}

/** What mail waits for that was cut off elsewhere. */
export function forMachines(machines: readonly string[]): string {
  const names = machines.map((machine) => display(machine, 100)).join(', ')
  return machines.length === 0 ? '' : ` for the machine ${names}, where its delivery was cut off`
}

interface Around {
  readonly destinations: readonly Resting[]
  /** Accounts whose sign-in at a provider is told itself. */
  readonly signedOut: ReadonlySet<string>
  readonly nowMs: number
}

function ofAccount(status: AccountStatus, { destinations, signedOut, nowMs }: Around): readonly Noted[] {
  const { account, record, unsettled, waitingSinceMs, machines, rate, sinceMs, pausedUntilMs, pause } = status
  if (record === null) return []
  // Its pause is told, and nothing else is to be done about it; what a person must look at anyway stays.
  if (pause !== null) return ofMessages(status)
  const names = [account]
  const found: Noted[] = []
  const error = record.error
  // What a destination that is left alone keeps back is there, and so is a sign-in that has ended.
  const isTold =
    error !== null && (culpritOf(error, destinations) !== null || (signedOut.has(account) && isSignedOut(error)))
  if (error !== null && record.failures > 0 && !isTold) {
    const paused = pausedUntilMs === null ? '' : `paused for ${timeUntil(pausedUntilMs - nowMs)}: `
    const nextOfAll = nextOfError(error)
    const reason = `${paused}${error.message}`
    found.push({ kind: 'account', weight: 'bad', names, reason, sinceMs, next: nextOfAll(names), nextOfAll })
  }
  found.push(...ofMessages(status))
  if (unsettled.undeleted > 0) {
    const reason = `${counted(unsettled.undeleted, 'message')} should have been deleted from the server but were not`
    found.push({
      kind: 'undeleted',
      weight: 'doubtful',
      names,
      reason,
      sinceMs: null,
      next: nextOfMessages.undeleted(account),
    })
  }
  const next = nextOfMessages.waiting(account)
  if (rate !== null)
    found.push({ kind: 'waiting', weight: 'doubtful', names, reason: `mail waits: ${rate}`, sinceMs: null, next })
  else if (waitingSinceMs !== null && nowMs - waitingSinceMs >= WAITS_LONG_MS) {
    const reason = `mail has waited for ${span(nowMs - waitingSinceMs)}${forMachines(machines)}`
    const goesOn = machines.length === 0 ? next : retryHere(account)
    found.push({ kind: 'waiting', weight: 'doubtful', names, reason, sinceMs: waitingSinceMs, next: goesOn })
  }
  const { lastSuccessMs } = record
  if (found.length === 0 && record.failures === 0 && lastSuccessMs !== null && nowMs - lastSuccessMs > LONG_MS) {
    const reason = `no poll has gone well for ${span(nowMs - lastSuccessMs)}, and none failed: is cron or the daemon still running?`
    found.push({
      kind: 'silent',
      weight: 'doubtful',
      names,
      reason,
      sinceMs: lastSuccessMs,
      next: `popfetch ${account}`,
    })
  }
  return found
}

const STATES = { refused: 'refused', held: 'held back' } as const

function ofMessages({ account, unsettled, messages }: AccountStatus): readonly Attention[] {
  return (['refused', 'held'] as const).flatMap((kind) => {
    const known = messages.filter(({ state }) => state === kind)
    const next = nextOfMessages[kind](account)
    const told = [...Map.groupBy(known, ({ reason }) => reason).values()].flatMap((group) =>
      group.length > NAMED_ALIKE ? [group] : group.map((message) => [message]),
    )
    const found = told.map((group): Attention => {
      const sinceMs = Math.min(...group.map((message) => message.sinceMs))
      return { kind, weight: 'doubtful', names: [account], reason: messagesText(group, STATES[kind]), sinceMs, next }
    })
    const more = unsettled[kind] - known.length
    const last = found.at(-1)
    if (more <= 0) return found
    if (last !== undefined)
      return [...found.slice(0, -1), { ...last, reason: `${last.reason} (and ${counted(more, 'other message')})` }]
    const reason = `${counted(more, 'message')}: ${STATES[kind]}`
    return [{ kind, weight: 'doubtful', names: [account], reason, sinceMs: null, next }]
  })
}

function messagesText(group: readonly TroubledMessage[], state: string): string {
  const [first] = group
  if (first === undefined) return ''
  const face = faceText(first)
  const named = `${first.name}${face === '' ? '' : ` (${first.from === null ? '' : 'from '}${face})`}`
  return group.length > 1
    ? `${group.length} messages, the first ${named}: ${state}: ${first.reason}`
    : `message ${named}: ${state}: ${first.reason}`
}
