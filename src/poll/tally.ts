// Counts while a poll runs, and makes the report at its end. Only counts: what a count means is decided elsewhere.
import { display } from '../display.ts'
import { exitOf, type PopfetchError } from '../errors.ts'
import { nameOfMessage } from '../ledger/destination.ts'
import type { EntryKey } from '../ledger/ledger.ts'
import { type Counted, isMoreSerious, type Kept, outcomeOf, wasSuccess } from './outcome.ts'
import {
  type AccountReport,
  type MessageProblem,
  type Observer,
  type PlannedMessage,
  type Progress,
  reportError,
} from './report.ts'

const PROBLEMS_KEPT = 100

/** Why a message is not at all its destinations, and what becomes of it. */
export interface KeptMessage {
  readonly kept: Kept
  readonly as: 'deferred' | 'refused' | 'held'
  /** No destination had refused it before this poll. */
  readonly isDue: boolean
}

export interface Blamed {
  readonly destination: string
  /** '': the destination as a whole. */
  readonly recipient: string
}

interface Trouble extends Blamed {
  readonly error: PopfetchError
  readonly exit: number
}

/** It waits for nothing that is wrong. */
const isNoTrouble = ({ kept }: KeptMessage): boolean => kept === 'rate' || kept === 'pause'

const ABSOLVED = { kept: 'tried', as: 'deferred' } as const

export class Tally {
  listed = 0
  new = 0
  delivered = 0
  held = 0
  possibleDuplicates = 0
  deleted = 0
  /** Deletions that were tried in this poll and failed. */
  failedDeletions = 0
  undeleted = 0
  skipped = 0
  bytes = 0
  /** New messages that were not begun, so that the ledger does not know them; null: it did not come to that. */
  unbegun: number | null = null
  /** By destination: for which rate messages wait, and until when. */
  readonly #rates = new Map<string, string>()
  /** Destinations that mail waits for and that a person paused. */
  readonly #paused = new Map<string, string>()
  readonly #machines = new Set<string>()
  plan: readonly PlannedMessage[] = []
  totalMessages = 0
  totalBytes = 0
  readonly #account: string
  readonly #observer: Observer
  readonly #nowMs: () => number
  readonly #startMs: number
  readonly #problems: MessageProblem[] = []
  /** Of what was due and is not delivered: why. A later session of the poll may have delivered it after all. */
  readonly #kept = new Map<string, KeptMessage & { readonly sinceMs: number }>()
  readonly #absolved = new Set<string>()
  #deferred = 0
  #refused = 0
  #deliveredDue = 0
  readonly #takenBy = new Set<string>()
  #waiting = 0
  #waitingSinceMs: number | null = null
  #waitingPaused = 0
  readonly #troubles = new Map<string, Trouble>()
  #error: PopfetchError | null = null
  #seen = false
  #stage: Progress['stage'] = 'connecting'

  constructor(account: string, observer: Observer, nowMs: () => number) {
    this.#account = account
    this.#observer = observer
    this.#nowMs = nowMs
    this.#startMs = nowMs()
  }

  /** What the listing showed. Where a poll takes several sessions, the first one counts. */
  see(plan: {
    readonly listed: number
    readonly new: number
    readonly skipped: number
    readonly deferred: number
    readonly deferredSinceMs: number | null
    readonly paused: number
  }): void {
    // Each session leaves some for later: the last one counts.
    this.#waiting = plan.deferred
    this.#waitingSinceMs = plan.deferredSinceMs
    this.#waitingPaused = plan.paused
    if (this.#seen) return
    this.#seen = true
    this.listed = plan.listed
    this.new = plan.new
    this.skipped = plan.skipped
  }

  /** `jobs` are to be fetched. */
  begin(jobs: readonly { readonly sizeBytes: number | null }[]): void {
    this.totalMessages += jobs.length
    this.totalBytes += jobs.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0)
    this.stage('fetching')
  }

  stage(stage: Progress['stage']): void {
    this.#stage = stage
    this.progress()
  }

  progress(): void {
    this.#observer.progress(this.#account, {
      stage: this.#stage,
      messages: this.delivered + this.deferred + this.refused,
      totalMessages: this.totalMessages,
      bytes: this.bytes,
      totalBytes: this.totalBytes,
    })
  }

  /** Some bytes of a message came. */
  received(bytes: number): void {
    this.bytes += bytes
    this.progress()
  }

  note(text: string): void {
    this.#observer.note(this.#account, text)
  }

  problem(problem: MessageProblem): void {
    if (this.#problems.length >= PROBLEMS_KEPT || this.#isAbsolved(problem)) return
    const { from = null, subject = null } = problem
    this.#problems.push({
      ...problem,
      ...(from === null ? {} : { from: display(from) }),
      ...(subject === null ? {} : { subject: display(subject) }),
    })
  }

  /** A destination took a message. */
  takenBy(destination: string): void {
    this.#takenBy.add(destination)
  }

  /** All its destinations have it. `isDue`: no destination had refused it before. */
  deliver(key: EntryKey, isDue: boolean): void {
    this.delivered++
    if (isDue) this.#deliveredDue++
    // Mostly there are none, and a name costs more than the rest.
    if (this.#kept.size > 0) this.#unkeep(nameOfMessage(this.#account, key))
  }

  #unkeep(name: string): void {
    this.#count(name, -1)
    this.#kept.delete(name)
  }

  #count(name: string, by: number): void {
    const kept = this.#kept.get(name)
    if (kept?.as === 'deferred') this.#deferred += by
    else if (kept?.as === 'refused' && kept.isDue) this.#refused += by
  }

  /** Not all of them have it. A later session of this poll may say otherwise. `known` null or absent: it came in this poll. */
  keep(message: EntryKey & { readonly known?: { readonly firstSeenMs: number } | null }, kept: KeptMessage): void {
    const name = nameOfMessage(this.#account, message)
    this.#unkeep(name)
    // What absolved it may come first, where another of its destinations takes long.
    const isAbsolved = this.#absolved.has(name) && kept.kept === 'own' && kept.as !== 'held'
    const absolved = isAbsolved ? ABSOLVED : {}
    this.#kept.set(name, { ...kept, ...absolved, sinceMs: message.known?.firstSeenMs ?? this.#startMs })
    this.#count(name, 1)
  }

  /** Did a destination not take it in this poll, for the message's own sake? */
  keptForItself(key: EntryKey): boolean {
    return this.#kept.size > 0 && this.#kept.get(nameOfMessage(this.#account, key))?.kept === 'own'
  }

  /** Does it count as deferred already? */
  isDeferred(key: EntryKey): boolean {
    return this.#kept.get(nameOfMessage(this.#account, key))?.as === 'deferred'
  }

  /** The answer that refused or deferred these speaks of the destination: they are only deferred, for its sake. By `nameOfMessage`, of any account. */
  absolve(names: readonly string[]): void {
    for (const name of names) {
      this.#absolved.add(name)
      const kept = this.#kept.get(name)
      if (kept === undefined || kept.as === 'held' || kept.kept === 'rest') continue
      this.#unkeep(name)
      this.#kept.set(name, { ...kept, ...ABSOLVED })
      this.#count(name, 1)
    }
    const left = this.#problems.filter((problem) => !this.#isAbsolved(problem))
    this.#problems.splice(0, this.#problems.length, ...left)
  }

  #isAbsolved({ kind, uidl, copy = 0 }: MessageProblem): boolean {
    return (
      (kind === 'refused' || kind === 'deferred') && this.#absolved.has(nameOfMessage(this.#account, { uidl, copy }))
    )
  }

  /** A message waits until a destination's `rate` lets more through. */
  waitsForRate(destination: string, text: string): void {
    if (!this.#rates.has(destination)) this.note(text)
    this.#rates.set(destination, text)
  }

  /** A message waits until a person resumes a destination. */
  waitsForPaused(destination: string, text: string): void {
    if (!this.#paused.has(destination)) this.note(text)
    this.#paused.set(destination, text)
  }

  /** A message waits for another machine, which alone can see whether it arrived. */
  waitsForMachine(machine: string): void {
    this.#machines.add(machine)
  }

  /** Machines that messages wait for. */
  get machines(): readonly string[] {
    return [...this.#machines].toSorted((a, b) => (a < b ? -1 : 1))
  }

  /** Destinations that a person paused, and that lack mail. */
  get pausedDestinations(): readonly string[] {
    return [...this.#paused.keys()]
  }

  /** Why messages wait for a rate; null: none does. */
  get rateText(): string | null {
    return [...this.#rates.values()].at(-1) ?? null
  }

  get #waitingForRates(): number {
    let count = 0
    for (const { kept } of this.#kept.values()) if (kept === 'rate') count++
    return count
  }

  /** A destination keeps mail back, perhaps from one recipient only. Of several errors of one the most serious counts. */
  blame({ destination, recipient }: Blamed, error: PopfetchError): void {
    const name = JSON.stringify([destination, recipient])
    const exit = exitOf(error)
    const before = this.#troubles.get(name)
    if (before === undefined || isMoreSerious(exit, before.exit))
      this.#troubles.set(name, { destination, recipient, error, exit })
  }

  /** The most serious of all. */
  get #destinationError(): Trouble | null {
    let most: Trouble | null = null
    for (const trouble of this.#troubles.values())
      if (most === null || isMoreSerious(trouble.exit, most.exit)) most = trouble
    return most
  }

  /** Messages that a destination lacks, but for refused and held ones. */
  get deferred(): number {
    return this.#deferred + this.#waiting + this.#waitingPaused
  }

  /** Messages that became refused in this poll. */
  get refused(): number {
    return this.#refused
  }

  /** Since when the first of them waits, but for those that wait for a rate or a person; null: none does. */
  get deferredSinceMs(): number | null {
    const kept = [...this.#kept.values()].filter((each) => each.as === 'deferred' && !isNoTrouble(each))
    const sinceMs = kept.reduce((least, each) => Math.min(least, each.sinceMs), this.#waitingSinceMs ?? Infinity)
    return sinceMs === Infinity ? null : sinceMs
  }

  get #keptByDestinations(): number {
    let count = 0
    for (const { kept, as } of this.#kept.values()) if (kept !== 'own' && as === 'deferred') count++
    return count
  }

  get #counted(): Counted {
    const kept = { tried: 0, rest: 0, own: 0 }
    let waiting = this.#waiting
    let paused = this.#waitingPaused
    for (const each of this.#kept.values()) {
      if (each.kept === 'pause') paused++
      else if (each.isDue && each.kept !== 'rate') kept[each.kept]++
      else if (each.as === 'deferred') waiting++
    }
    return {
      delivered: this.#deliveredDue,
      kept,
      paused,
      waiting,
      trouble: this.refused + this.held + this.failedDeletions > 0,
    }
  }

  /** What the account's health is to say of the deliveries. `success` null: neither yes nor no. */
  get deliveries(): {
    readonly success: boolean | null
    readonly delivered: boolean
    readonly isRest: boolean
    readonly error: PopfetchError | null
  } {
    const counted = this.#counted
    return {
      success: wasSuccess(counted),
      delivered: this.#deliveredDue > 0,
      isRest: outcomeOf(counted) === 'paused' && counted.kept.rest > 0,
      error: this.#destinationError?.error ?? null,
    }
  }

  get startMs(): number {
    return this.#startMs
  }

  get error(): PopfetchError | null {
    return this.#error
  }

  /** Notes what ended the poll; the first reason stays. */
  fail(error: PopfetchError): void {
    // What a lost lease interrupts says no more than that.
    if (error.code === 'ERR_LEASE_LOST' && this.#error?.code === 'ERR_ABORTED') this.#error = error
    this.#error ??= error
  }

  /** The report of a poll that was not tried, since another popfetch is at work on the account. */
  busy(): AccountReport {
    return { ...this.report(), outcome: 'busy' }
  }

  /** The report of a poll that was not tried; `error` is the last failure, if there was one. */
  paused(error: AccountReport['error']): AccountReport {
    return { ...this.report(), outcome: 'paused', error }
  }

  /** The report of a poll that was not tried, since a person paused the account; `text` says so. */
  pausedBy(text: string): AccountReport {
    this.note(text)
    return { ...this.report(), outcome: 'paused', pausedBy: text }
  }

  /** Why nothing came, where only a person keeps it back; null: that is not so. */
  get #pauseText(): string | null {
    const isPaused = this.#error === null && this.#troubles.size === 0 && outcomeOf(this.#counted) === 'paused'
    return isPaused ? [...this.#paused.values()].join('; ') : null
  }

  report(): AccountReport {
    return {
      account: this.#account,
      outcome: this.#error === null ? outcomeOf(this.#counted) : 'failed',
      listed: this.listed,
      new: this.new,
      delivered: this.delivered,
      ...(this.#takenBy.size === 0 ? {} : { deliveredTo: [...this.#takenBy] }),
      deferred: this.deferred,
      refused: this.refused,
      held: this.held,
      possibleDuplicates: this.possibleDuplicates,
      deleted: this.deleted,
      undeleted: this.undeleted,
      skipped: this.skipped,
      bytes: this.bytes,
      durationMs: Math.max(0, Math.round(this.#nowMs() - this.#startMs)),
      error: this.#error === null ? this.#reportedDestination() : reportError(this.#error),
      ...(this.#pauseText === null ? {} : { pausedBy: this.#pauseText }),
      troubles: [...this.#troubles.values()].map(({ destination, recipient, error }) => {
        return { destination, recipient, error: reportError(error) }
      }),
      deferredThemselves: this.deferred - this.#waitingPaused - this.#keptByDestinations,
      deferredByRates: this.#waitingForRates,
      problems: this.#problems,
      plan: this.plan,
    }
  }

  #reportedDestination(): AccountReport['error'] {
    const error = this.#destinationError?.error ?? null
    return error === null || outcomeOf(this.#counted) === 'ok' ? null : reportError(error)
  }
}
