// When is a destination left alone, and for how long? Pure: a destination's record × what happened there × now → its next
// record. Also whose the answer is: the message's, or the destination's. The conclusions are those of deliver/answers/;
// ANSWERS.md, table 1, is the source of every number here.
//
// A record without a rest is open. A rest that lasts lets nothing through. One whose time is over lets a single message
// through. If that is taken, the rest ends. If the answer is as before, the next, longer rest begins. An opener of a rest that
// is over opens no other, or one bad message would hold up everything forever. Where nothing else waits, a message that opened
// the rest is offered alone. If the answer is the same, that is the next step as well, and mail of other accounts goes first
// from then on.
import type { DestinationRecord, Rest, RowEntry } from '../../ledger/ledger.ts'
import { NO_SIGN_IN } from '../../deliver/answers/secret.ts'
import { LONGEST_ROW, MOST_OPENERS } from '../../ledger/destination.ts'
import type { Answer } from './answer.ts'
import { afterLook, afterRefusal, type RefusedSecret } from './secret-mark.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** Two refused sign-ins may be the server's mistake, as with an account (P052). */
const REFUSALS_FORGIVEN = 2
/** This many equal answers in a row speak of the destination (D118); this many refusals of any words. */
const EQUAL_IN_A_ROW = 3
const REFUSED_IN_A_ROW = 10
/** Lost answers, and connections that end in mid-message. */
const LOST_IN_A_ROW = 2

export type RestEvent =
  /** A message was taken. */
  | { readonly kind: 'taken' }
  | Answered
  | Looked
  /** It was asked, and says that it can take mail. */
  | { readonly kind: 'ready' }
  /** A person asks, or the secret was changed: it is tried at once. */
  | { readonly kind: 'eager' }

export interface Answered {
  readonly kind: 'answered'
  readonly answer: Answer
  /** By `nameOfMessage`; null: no message was offered, it was only looked whether the destination is there. */
  readonly message: string | null
  /** The message was refused there before: it says nothing new. */
  readonly refusedBefore: boolean
  /** Another destination takes what this one refuses (D133). */
  readonly hasNext: boolean
  /** Of the secret with which we signed in; null: none. */
  readonly secretMark: number | null
  /** The secret may be a new one each time: then all refused ones are counted together (N009). */
  readonly mintsTokens: boolean
}

/** While it is left alone, its secret was read. */
export interface Looked {
  readonly kind: 'looked'
  readonly secretMark: number
  readonly mintsTokens: boolean
}

export interface Step {
  readonly record: DestinationRecord
  /** `destination`: nothing of it is counted against the message. */
  readonly speaksOf: 'message' | 'destination'
  /** Refused before for what was the destination's: they are only deferred. */
  readonly absolved: readonly string[]
}

/** `open`: as usual. `probe`: one message alone. `rest`: nothing. */
export type Door = 'open' | 'probe' | 'rest'

/** `obeysShort`: cron looks at each poll whether a destination is back, the daemon waits a little (DESIGN 5). */
export function doorOf({ rest }: Pick<DestinationRecord, 'rest'>, nowMs: number, obeysShort: boolean): Door {
  if (rest === null) return 'open'
  if (rest.untilSignIn === true) return 'rest'
  if (!obeysShort && rest.askedMs === 0 && (rest.conclusion === 'DOWN' || rest.conclusion === 'TLS')) return 'probe'
  // A clock that was set back must not keep it closed forever (S030).
  return rest.untilMs > nowMs && rest.untilMs - nowMs <= DAY_MS ? 'rest' : 'probe'
}

export function nextRest(record: DestinationRecord, event: RestEvent, nowMs: number): Step {
  switch (event.kind) {
    case 'taken':
      return { record: afterTaken(record, nowMs), speaksOf: 'message', absolved: [] }
    case 'looked':
      return { record: afterSecret(record, event, nowMs), speaksOf: 'message', absolved: [] }
    case 'ready':
      return { record: afterReady(record), speaksOf: 'message', absolved: [] }
    case 'eager': {
      const { rest } = record
      const over = rest !== null && rest.untilMs > nowMs
      return {
        record: over ? { ...record, rest: { ...rest, untilMs: nowMs } } : record,
        speaksOf: 'message',
        absolved: [],
      }
    }
    case 'answered':
      return afterAnswer(record, event, nowMs)
  }
}

/** A look that failed is repeated at each poll that has something for that place, such as a folder of one address. Then nothing has
 *  waited for it for days: the message was removed, or its address is no longer collected. */
export function isStale({ conclusion, openers, untilMs }: Rest, nowMs: number): boolean {
  return conclusion === 'ACT' && openers.length === 0 && nowMs - untilMs > 3 * DAY_MS
}

/** What a look found missing is there again: no message had a part in it, and none need show it. */
function afterReady(record: DestinationRecord): DestinationRecord {
  const { rest } = record
  return rest?.conclusion === 'ACT' && rest.openers.length === 0 ? { ...record, rest: null, row: [] } : record
}

/** A secret that was changed since it was refused is worth a try at once (N010, N042). */
function afterSecret(record: DestinationRecord, { secretMark, mintsTokens }: Looked, nowMs: number): DestinationRecord {
  const before = refusedSecretOf(record.rest)
  if (record.rest === null || before === null) return record
  const { isNews, refused } = afterLook(before, secretMark, mintsTokens)
  if (isNews) {
    const { untilSignIn: _over, ...rest } = record.rest
    return { ...record, rest: { ...rest, untilMs: Math.min(rest.untilMs, nowMs) } }
  }
  if (refused.seen === before.seen && refused.steady === before.steady) return record
  return { ...record, rest: { ...record.rest, secretSeen: { mark: refused.seen, steady: refused.steady } } }
}

function refusedSecretOf(rest: Rest | null): RefusedSecret | null {
  if (rest === null || rest.secretMark === null) return null
  const { mark, steady } = rest.secretSeen ?? { mark: rest.secretMark, steady: false }
  return { tried: rest.secretMark, seen: mark, steady }
}

function afterTaken(record: DestinationRecord, nowMs: number): DestinationRecord {
  const { rest, row, refusals } = record
  if (rest === null && row.length === 0 && refusals === 0) return record
  const former = [...new Set([...record.former, ...(rest?.openers ?? [])])].slice(-MOST_OPENERS)
  return { ...record, rest: null, row: [], refusals: 0, former, lastSuccessMs: nowMs }
}

function afterAnswer(record: DestinationRecord, event: Answered, nowMs: number): Step {
  const { answer, message } = event
  const own: Step = { record, speaksOf: 'message', absolved: [] }
  switch (answer.conclusion) {
    case 'DOWN':
    case 'TLS':
    case 'SIGN':
    case 'ACT':
      return { record: rested(record, event, answer.conclusion, nowMs), speaksOf: 'destination', absolved: [] }
    case 'BUSY':
    case 'RCPT':
    case 'ROOM':
      if (message !== null && isFormer(record, message) && record.rest === null) return own
      return { record: rested(record, event, answer.conclusion, nowMs), speaksOf: 'destination', absolved: [] }
    case 'SENDER':
    case 'HELD':
    case 'FORM':
      return own
    case 'TEMP':
    case 'BAD':
    case 'CUT':
    case 'LOST':
      return counted(record, event, nowMs)
  }
}

/** Did this message open this rest, or an earlier one? */
function isFormer({ rest, former }: DestinationRecord, message: string): boolean {
  return former.includes(message) || rest?.openers.includes(message) === true
}

/** An answer that speaks of one message, unless it is one of too many. */
function counted(record: DestinationRecord, event: Answered, nowMs: number): Step {
  const { answer, message, refusedBefore, hasNext } = event
  const own: Step = { record, speaksOf: 'message', absolved: [] }
  const isEnd = answer.conclusion === 'CUT' || answer.conclusion === 'LOST'
  if (message === null || (!answer.counts && !isEnd) || refusedBefore || hasNext) return own
  if (isFormer(record, message)) return onceMore(record, event, nowMs) ?? own
  const entry: RowEntry = { message, conclusion: answer.conclusion, same: answer.same, aboutUs: answer.aboutUs }
  // The same message once more proves nothing.
  const before = record.row.filter((each) => each.message !== message)
  const row = [...before, entry].slice(-LONGEST_ROW)
  const known = { ...record, row }
  const part = partOf(row)
  if (part === null) return { ...own, record: known }
  const conclusion = restAfter(answer.conclusion)
  const openers = part.map((each) => each.message)
  // An answer that was lost stays lost.
  const others = part.filter((each) => each.conclusion !== 'LOST').map((each) => each.message)
  return {
    record: rested(known, event, conclusion, nowMs, openers),
    // An answer that was lost stays lost, whatever it says of the destination.
    speaksOf: answer.conclusion === 'LOST' ? 'message' : 'destination',
    absolved: others.filter((each) => each !== message),
  }
}

/** What opened the rest was offered alone, since nothing else waits: the same answer is its next step. Null: it is not one. */
function onceMore(record: DestinationRecord, event: Answered, nowMs: number): Step | null {
  const { rest, row } = record
  const last = row.at(-1)
  const { conclusion, same } = event.answer
  if (rest === null || last?.conclusion !== conclusion || (conclusion === 'TEMP' && last.same !== same)) return null
  const next = rested(record, event, restAfter(conclusion), nowMs)
  return { record: next, speaksOf: conclusion === 'LOST' ? 'message' : 'destination', absolved: [] }
}

function restAfter(conclusion: Answer['conclusion']): Answer['conclusion'] {
  return conclusion === 'CUT' ? 'DOWN' : 'BUSY'
}

/** The end of the row that is long enough to speak of the destination; null: none is. */
function partOf(row: readonly RowEntry[]): readonly RowEntry[] | null {
  return endsOf(row).find(({ part, needed }) => part.length >= needed)?.part ?? null
}

/** How many more answers like the last ones close the door? Infinity: nothing is amiss. No more are offered at once. */
export function answersLeft({ row }: DestinationRecord): number {
  return Math.max(1, Math.min(...endsOf(row).map(({ part, needed }) => needed - part.length)))
}

/** The ends of the row that are alike, and how long they are to be. */
function endsOf(row: readonly RowEntry[]): readonly { readonly part: readonly RowEntry[]; readonly needed: number }[] {
  const last = row.at(-1)
  if (last === undefined) return []
  const alike = (fits: (entry: RowEntry) => boolean, needed: number) => ({
    part: row.slice(row.findLastIndex((entry) => !fits(entry)) + 1),
    needed,
  })
  switch (last.conclusion) {
    case 'TEMP':
      return [alike(({ conclusion, same }) => conclusion === 'TEMP' && same === last.same, EQUAL_IN_A_ROW)]
    case 'CUT':
    case 'LOST':
      return [alike(({ conclusion }) => conclusion === last.conclusion, LOST_IN_A_ROW)]
    case 'BAD':
      return [
        ...(last.aboutUs ? [alike(({ aboutUs, same }) => aboutUs && same === last.same, EQUAL_IN_A_ROW)] : []),
        alike(({ conclusion }) => conclusion === 'BAD', REFUSED_IN_A_ROW),
      ]
    default:
      return []
  }
}

/** The record with the rest that follows; the next step, if one for the same reason was there. */
function rested(
  record: DestinationRecord,
  event: Answered,
  conclusion: Answer['conclusion'],
  nowMs: number,
  openers: readonly string[] = event.message === null ? [] : [event.message],
): DestinationRecord {
  const { answer, secretMark, mintsTokens } = event
  const { rest } = record
  const isSecret = secretMark !== null && isOfSecret(conclusion, answer)
  const refused = isSecret ? afterRefusal(refusedSecretOf(rest), secretMark) : null
  const goesOn = rest !== null && rest.conclusion === conclusion
  const isSame = rest === null || secretMark === null || rest.secretMark === null || rest.secretMark === secretMark
  const sameSecret = isSame || mintsTokens
  const refusals = conclusion === 'SIGN' ? (sameSecret ? record.refusals : 0) + 1 : record.refusals
  const step = goesOn ? rest.step + 1 : 0
  const askedMs = Math.min(answer.pauseMs, DAY_MS)
  const restMs = askedMs > 0 ? askedMs : pauseMs(conclusion, event, step, refusals)
  const isOfOpener = rest !== null && event.message !== null && isFormer(record, event.message)
  const next: Rest = {
    conclusion,
    sinceMs: rest?.sinceMs ?? nowMs,
    untilMs: nowMs + restMs,
    ...(isOfOpener ? { openersUntilMs: nowMs + 1.5 * restMs } : {}),
    // Of a secret that cannot even be marked no change would be noticed.
    ...(answer.same === NO_SIGN_IN && secretMark !== null ? { untilSignIn: true } : {}),
    step,
    askedMs,
    error: { code: answer.code, message: answer.text },
    exit: answer.exit,
    openers: [...new Set([...(rest?.openers ?? []), ...openers])].slice(-MOST_OPENERS),
    secretMark: refused?.tried ?? null,
    ...(refused === null ? {} : { secretSeen: { mark: refused.seen, steady: refused.steady } }),
  }
  return { ...record, rest: next, refusals }
}

/** May another secret help? */
export function isOfSecret(conclusion: Answer['conclusion'], { step }: Answer): boolean {
  return conclusion === 'SIGN' || (conclusion === 'BUSY' && step === 'AUTH')
}

function pauseMs(conclusion: Answer['conclusion'], event: Answered, step: number, refusals: number): number {
  const doubled = (firstMs: number, doublings: number, mostMs: number): number =>
    Math.min(firstMs * 2 ** Math.min(doublings, 20), mostMs)
  if (conclusion === 'DOWN' || conclusion === 'TLS') return doubled(MINUTE_MS, step, HOUR_MS)
  if (conclusion === 'SIGN') {
    const more = refusals - REFUSALS_FORGIVEN - 1
    return more < 0 ? 0 : doubled(15 * MINUTE_MS, more, DAY_MS)
  }
  // What a look can tell is looked at in each poll.
  if (conclusion === 'ACT' && event.message === null) return 0
  return doubled(15 * MINUTE_MS, step, event.answer.step === 'AUTH' ? DAY_MS : 4 * HOUR_MS)
}
