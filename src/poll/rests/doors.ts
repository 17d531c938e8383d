// The doors of destinations, as the accounts of a process share them. What the ledger knows of rests, who may try a destination
// that was left alone, and what was found out. What follows from an answer is decided in route/rests.ts. Two rules: one try for
// all accounts, and one message alone after a rest.
import { setTimeout as delay } from 'node:timers/promises'
import { blankDestination, isBlank } from '../../ledger/destination.ts'
import type { DestinationRecord, Ledger, Rest, Told } from '../../ledger/ledger.ts'
import type { Log } from '../../log.ts'
import { answersLeft, type Door, doorOf, nextRest, type RestEvent, type Step } from './rests.ts'
import { Turns } from './turns.ts'

/** The daemon asks a destination that was just tried not again for another account. */
const JUST_TRIED_MS = 60_000
const LONGEST_REST_MS = 24 * 3_600_000
/** How long an account waits for the result of another one. */
const LONGEST_WAIT_MS = 30_000

/** A destination, or one of its recipients. */
export interface Place {
  readonly key: string
  readonly recipient: string
}

export interface Entered {
  readonly door: Door
  readonly rest: Rest | null
}

interface Context {
  readonly ledger: Pick<Ledger, 'destination' | 'changeDestination' | 'absolve'>
  readonly nowMs: () => number
  readonly log: Pick<Log, 'info' | 'warn'>
  /** When this run began, if it polls each account once; null: it goes on for months. */
  readonly onceSinceMs: number | null
}

type Listener = (place: Place, rest: Rest) => void

export class Doors {
  readonly #context: Context
  readonly #records = new Map<string, DestinationRecord>()
  /** When a rest was begun or went on, in this process. */
  readonly #closedMs = new Map<string, number>()
  /** By key. */
  readonly #closings = new Map<string, number>()
  readonly #known = new Set<string>()
  readonly #turns = new Turns()
  readonly #listeners = new Map<string, Set<Listener>>()
  /** Who finds out now, by key. */
  readonly #claims = new Map<string, { readonly ended: Promise<void>; readonly end: () => void }>()

  constructor(context: Context) {
    this.#context = context
  }

  /** Reads what other processes recorded of these. Rejects with ERR_LEDGER. */
  async look(places: readonly Place[]): Promise<void> {
    for (const { key, recipient } of places) {
      const record = await this.#context.ledger.destination(key, recipient)
      if (isBlank(record)) this.#records.delete(nameOf(record))
      else this.#records.set(nameOf(record), record)
    }
  }

  /** What may pass there now. `eagerSinceMs`: when a person asked for this poll; null: nobody did. */
  at(place: Place, eagerSinceMs: number | null): Entered {
    const { nowMs, onceSinceMs } = this.#context
    const record = this.#recordOf(place)
    const closedMs = this.#closedMs.get(nameOf(place)) ?? -Infinity
    if (record.rest === null) return { door: 'open', rest: null }
    const wasTried = closedMs >= (onceSinceMs ?? eagerSinceMs ?? nowMs() - JUST_TRIED_MS)
    if (wasTried) return { door: 'rest', rest: record.rest }
    const asked = eagerSinceMs === null ? record : nextRest(record, { kind: 'eager' }, nowMs()).record
    return { door: doorOf(asked, nowMs(), onceSinceMs === null), rest: record.rest }
  }

  /** The first account finds out; others wait here for its result. Resolves to null after a while if the other one does not
   *  end. */
  async claim({ key }: Place, signal: AbortSignal): Promise<Disposable | null> {
    for (let claim = this.#claims.get(key); claim !== undefined; claim = this.#claims.get(key)) {
      const waited = new AbortController()
      const limit = delay(LONGEST_WAIT_MS, 'late', { ref: false, signal: AbortSignal.any([signal, waited.signal]) })
      const first = await Promise.race([claim.ended, limit.catch(() => 'late')])
      waited.abort()
      if (first === 'late') return null
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    const claim = { ended: promise, end: resolve }
    this.#claims.set(key, claim)
    return {
      [Symbol.dispose]: () => {
        if (this.#claims.get(key) === claim) this.#claims.delete(key)
        claim.end()
      },
    }
  }

  /** The messages that had a part in a rest there. */
  openersOf(key: string): readonly string[] {
    const records = [...this.#records.values()].filter((record) => record.key === key)
    return records.flatMap(({ rest, former }) => [...(rest?.openers ?? []), ...former])
  }

  /** The rest in which messages that had a part in it still wait, though its time has come; null: there is none. */
  openersWait(key: string): { readonly recipient: string; readonly rest: Rest } | null {
    for (const { key: at, recipient, rest } of this.#records.values()) {
      const leftMs = (rest?.openersUntilMs ?? 0) - this.#context.nowMs()
      // A clock that was set back must not keep it closed forever (S030).
      if (at === key && rest !== null && leftMs > 0 && leftMs <= 2 * LONGEST_REST_MS) return { recipient, rest }
    }
    return null
  }

  /** Was it found to take mail, by this process? Before, one account asks for all. */
  isKnown({ key }: Place): boolean {
    return this.#known.has(key)
  }

  /** It was asked, and takes mail. */
  good({ key }: Place): void {
    this.#known.add(key)
  }

  /** The right to offer one message there, `most` at once; fewer where few more answers would close the door. */
  turn(place: Place, most: () => number): Promise<Disposable> {
    return this.#turns.take(place.key, () => Math.min(most(), answersLeft(this.#recordOf(place))))
  }

  /** Is nothing amiss there? Then that it took a message is no news. */
  isClean(place: Place): boolean {
    const record = this.#records.get(nameOf(place))
    return record === undefined || (record.rest === null && record.row.length === 0 && record.refusals === 0)
  }

  /** How often the door was closed so far: tells an answer that comes late from one to a later try. */
  closings({ key }: Pick<Place, 'key'>): number {
    return this.#closings.get(key) ?? 0
  }

  /** Records what happened. `since`: what `closings` was when the try began; what comes late changes nothing. Rejects with
   *  ERR_LEDGER. */
  async note(
    place: Place,
    names: readonly string[],
    event: RestEvent,
    since: number,
  ): Promise<Step & { readonly closed: Rest | null }> {
    const { ledger, nowMs } = this.#context
    const known = this.#recordOf(place)
    const foreseen = nextRest(known, event, nowMs())
    const isAnswer = event.kind === 'answered'
    // An answer to what was offered before the door was closed: once is enough.
    if (since !== this.closings(place)) return { ...foreseen, record: known, closed: isAnswer ? known.rest : null }
    // Nearly always: a message is taken where nothing was amiss.
    if (foreseen.record === known) return { ...foreseen, closed: null }
    if (isAnswer && foreseen.speaksOf === 'destination') this.#countClosing(place)
    let step: Step = foreseen
    let news: Rest | null = null
    let isOver = false
    const record = await ledger.changeDestination(place.key, place.recipient, (before) => {
      // Somebody closed it meanwhile.
      const isLate = before.rest !== null && before.rest.untilMs !== known.rest?.untilMs
      step = isLate && isAnswer ? { ...foreseen, record: before, absolved: [] } : nextRest(before, event, nowMs())
      news = null
      if (step.record === before) return before
      const { told, isNews } = toldAfter(before.told, step.record.rest, nowMs())
      news = isNews ? step.record.rest : null
      isOver = before.told !== null && told === null
      return { ...step.record, names: [...new Set([...before.names, ...names])], told }
    })
    const { absolved, speaksOf } = step
    this.#records.set(nameOf(place), record)
    // A new secret: what was tried with the old one says nothing any more.
    if (event.kind === 'looked' && record.rest?.untilMs !== known.rest?.untilMs) this.#closedMs.delete(nameOf(place))
    this.#tell(record, news, isOver)
    const isClosed =
      isAnswer && record.rest !== null && (speaksOf === 'destination' || record.rest.untilMs !== known.rest?.untilMs)
    if (isClosed && foreseen.speaksOf !== 'destination') this.#countClosing(place)
    if (isClosed && record.rest !== null)
      for (const listener of this.#listeners.get(place.key) ?? []) listener(place, record.rest)
    if (absolved.length > 0)
      await ledger.absolve(absolved, record.names, place.recipient === '' ? null : place.recipient)
    return { record, speaksOf, absolved, closed: isClosed ? record.rest : null }
  }

  /** Once for all accounts and processes: when it begins, daily while it lasts, and when it is over. */
  #tell({ names, recipient }: DestinationRecord, news: Rest | null, isOver: boolean): void {
    const destination = names.join(', ')
    if (isOver) this.#context.log.info('the destination accepts mail again', { destination, recipient })
    if (news === null) return
    const until = news.untilSignIn === true ? {} : { until: new Date(news.untilMs).toISOString() }
    this.#context.log.warn(`a destination is paused: ${news.error.message}`, { destination, recipient, ...until })
  }

  #countClosing(place: Place): void {
    this.#closedMs.set(nameOf(place), this.#context.nowMs())
    this.#closings.set(place.key, this.closings(place) + 1)
  }

  /** Calls `listener` whenever the door of this destination is closed, or that of one of its recipients; gives what ends that. */
  whenClosed(key: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(key) ?? new Set()
    this.#listeners.set(key, listeners.add(listener))
    return () => void listeners.delete(listener)
  }

  #recordOf(place: Place): DestinationRecord {
    return this.#records.get(nameOf(place)) ?? blankDestination(place.key, place.recipient)
  }
}

const REMINDER_MS = 24 * 3_600_000

function toldAfter(
  told: Told | null,
  rest: Rest | null,
  nowMs: number,
): { readonly told: Told | null; readonly isNews: boolean } {
  if (rest === null) return { told: null, isNews: false }
  const isOld = told !== null && told.state === rest.conclusion && Math.abs(nowMs - told.atMs) < REMINDER_MS
  return isOld ? { told, isNews: false } : { told: { state: rest.conclusion, atMs: nowMs }, isNews: true }
}

/** No address has a NUL. */
function nameOf({ key, recipient }: Place): string {
  return `${recipient}\0${key}`
}
