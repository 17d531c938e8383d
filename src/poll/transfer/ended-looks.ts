// Looks that ended their sessions (compare/looks.ts). Those messages are not looked at again in the same place, in this poll
// and later ones (P110, P160, P167). What has a UIDL is remembered in the ledger, and is fetched alone from then on. What has
// none is remembered by its size alone: it is looked at when the others are safe, and once a day in the end. The one rule: no
// message that ends sessions keeps the others from coming, however many polls it does so.
import type { PopfetchError } from '../../errors.ts'
import type { Ledger, Lease } from '../../ledger/ledger.ts'
import type { Looked, LookMemory, LookVerb } from '../compare/looks.ts'
import { NO_UIDL } from '../plan/no-uidl.ts'
import type { Tally } from '../tally.ts'

const DAY_MS = 86_400_000

/** In AccountRecord.facts: the sizes of messages without a UIDL that ended sessions, each with how often and when last. */
export const NAMELESS_ENDS = 'namelessEnds'

/** This many sizes are remembered. */
const MOST_SIZES = 100

/** This many are tried in one poll, and so often at every poll, then once a day: as of messages that have a UIDL. */
const MOST_TRIED = 3
const OFTEN = 5

/** The network may be to blame for one end: what was delivered and is under a new UID would come again. */
const ENDS_THAT_TELL = 2

interface End {
  readonly times: number
  readonly lastMs: number
}

/** The poll as far as it is needed here. */
interface Surroundings {
  readonly lease: Lease
  readonly run: {
    readonly ledger: Ledger
    readonly nowMs: () => number
    readonly options: { readonly dryRun: boolean; readonly eager: boolean }
  }
  readonly history: {
    readonly record: { readonly facts: Readonly<Record<string, string | undefined>> }
    remember(name: string, fact: string | null): void
    readonly workarounds: { oneAtATime(): void }
  }
}

export class EndedLooks implements Required<Pick<LookMemory, 'shuns' | 'came' | 'ended'>> {
  readonly #poll: Surroundings
  /** Ends of this poll, by verb and message. */
  readonly #ends = new Map<string, { readonly message: Looked; readonly error: PopfetchError; times: number }>()
  readonly #before: ReadonlyMap<string, End>
  /** Of `before`: those that the listing has, and those that are looked at in this poll after all. */
  readonly #listed = new Map<string, Looked>()
  readonly #tried = new Set<string>()
  readonly #came = new Set<string>()
  #isListed = false

  constructor(poll: Surroundings) {
    this.#poll = poll
    this.#before = endsOf(poll.history.record.facts[NAMELESS_ENDS])
  }

  shuns(verb: LookVerb, message: Looked): boolean {
    const times = this.#ends.get(nameOf(verb, message))?.times ?? 0
    if (message.uidl === '') {
      const size = sizeOf(message)
      this.#isListed = true
      if (!this.#before.has(size)) return times > 0
      this.#listed.set(size, message)
      return times > 0 || !this.#tried.has(size)
    }
    if ((message.known ?? null) === null) return times >= ENDS_THAT_TELL
    // One whose RETR ends sessions is deleted alone (suspects.ts), after a look. A dry run records nothing.
    return (verb === 'TOP' && message.known?.harm?.command === 'TOP') || (this.#poll.run.options.dryRun && times > 0)
  }

  came(message: Looked): void {
    if (message.uidl !== '') return
    this.#came.add(nameOf('RETR', message))
  }

  /** Null: one of several whose answers got out of step. The next session asks for one at a time. */
  async ended(verb: LookVerb, message: Looked | null, error: PopfetchError): Promise<void> {
    const { lease, run, history } = this.#poll
    if (message === null) return history.workarounds.oneAtATime()
    const name = nameOf(verb, message)
    const times = (this.#ends.get(name)?.times ?? 0) + 1
    this.#ends.set(name, { message, error, times })
    if (message.uidl === '' || run.options.dryRun) return
    const { uidl, copy, sizeBytes } = message
    const key = { uidl, copy }
    if ((message.known ?? null) !== null) {
      if (verb === 'RETR') await run.ledger.noteHarm(lease, [key], verb)
    } else if (times === ENDS_THAT_TELL) {
      await run.ledger.begin(lease, [{ key, listedBytes: sizeBytes, deliveries: [] }])
      await run.ledger.abandon(lease, [{ key, reason: null, counts: false }])
      await run.ledger.noteHarm(lease, [key], verb)
    }
  }

  /** Did messages without a UIDL end sessions, in this poll or before it? */
  get areSome(): boolean {
    return this.#listed.size > 0 || this.#nameless.length > 0
  }

  get #nameless(): readonly { readonly message: Looked; readonly error: PopfetchError }[] {
    const ends = [...this.#ends.values()]
    return ends.filter(({ message }) => message.uidl === '' && !this.#came.has(nameOf('RETR', message)))
  }

  /** The others are safe. True: another session may look at one more of those that ended one in an earlier poll. */
  mayTryOne(): boolean {
    const { nowMs, options } = this.#poll.run
    if (this.#tried.size >= MOST_TRIED) return false
    const due = [...this.#listed.keys()].filter((size) => {
      const { times, lastMs } = this.#before.get(size) ?? { times: 0, lastMs: 0 }
      const rests = !options.eager && times >= OFTEN && Math.abs(nowMs() - lastMs) < DAY_MS
      return !rests && !this.#tried.has(size)
    })
    const [next] = due.toSorted((a, b) => (this.#before.get(a)?.times ?? 0) - (this.#before.get(b)?.times ?? 0))
    if (next === undefined) return false
    this.#tried.add(next)
    return true
  }

  /** At the end of the poll: counts and reports what did not come, and remembers it for the next one. What a listing lacks is
   *  forgotten. */
  settle(tally: Tally): void {
    const nowMs = this.#poll.run.nowMs()
    const ends = new Map<string, End>(this.#isListed ? [] : this.#before)
    const kept = new Map<string, { readonly message: Looked; readonly reason: string; readonly again: boolean }>()
    for (const [size, message] of this.#listed) {
      const before = this.#before.get(size)
      if (before === undefined || this.#tried.has(size)) continue
      ends.set(size, before)
      kept.set(size, { message, reason: 'a look at it ended a session of an earlier poll', again: true })
    }
    for (const { message, error } of this.#nameless) {
      const size = sizeOf(message)
      const before = this.#before.get(size)
      ends.set(size, { times: (before?.times ?? 0) + 1, lastMs: nowMs })
      kept.set(`${size} ${message.number}`, { message, reason: error.message, again: before !== undefined })
    }
    const fact = [...ends].slice(-MOST_SIZES).map(([size, { times, lastMs }]) => `${size}:${times}:${lastMs}`)
    this.#poll.history.remember(NAMELESS_ENDS, fact.length === 0 ? null : fact.join(' '))
    for (const { message, reason, again } of kept.values()) {
      const { number, sizeBytes } = message
      const size = sizeBytes === null ? '' : ` (${sizeBytes} bytes)`
      tally.keep({ uidl: `${NO_UIDL}${number}`, copy: 0, known: null }, { kept: 'own', as: 'deferred', isDue: true })
      tally.problem({
        uidl: '',
        kind: 'deferred',
        reason: `message ${number}${size}, which has no UIDL, ended the session: ${reason}`,
        ...(again ? { again } : {}),
      })
    }
  }
}

function nameOf(verb: LookVerb, { uidl, copy, number, sizeBytes }: Looked): string {
  return uidl === '' ? `${verb} ${number} ${sizeBytes}` : `${verb} ${copy} ${sizeBytes} ${uidl}`
}

function sizeOf({ sizeBytes }: Looked): string {
  return String(sizeBytes ?? '-')
}

function endsOf(fact: string | undefined): ReadonlyMap<string, End> {
  const ends = new Map<string, End>()
  for (const text of fact?.split(' ') ?? []) {
    const [, size, times, lastMs] = /^(\d+|-):(\d+):(\d+)$/.exec(text) ?? []
    if (size !== undefined) ends.set(size, { times: Number(times), lastMs: Number(lastMs) })
  }
  return ends
}
