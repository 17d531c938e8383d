// The lane: many new, small messages on their way from one mailbox into one Maildir. It does what transfer/ does for any message, in
// the same order (DESIGN 4.2), and with fewer steps a message: everything is done for a batch at once.
//
//   begin       attempts are recorded, some hundred ahead of what has come; only then are the messages asked for
//   came        whole answers are cut where they lie (pop3/wire/cutter.ts); digest, header and file of each, at once (batch.ts)
//   deliver     the files of the batch are synced together, get their names in new/, and new/ is synced (maildir/volley.ts)
//   settle      one transaction settles the batch and begins as many more, which are asked for then
//
// Two batches take turns: one fills while the other is delivered. When both are full, nothing is read from the server. A batch is
// delivered when it is full, when nothing more is due, or when a turn of the event loop brought nothing.
//
// road.ts decides what comes here. What turns out not to be plain goes back to the usual road, in order. An answer that is no `+OK`, is
// longer or shorter than announced, or does not come at all ends the lane: that message and those behind it are read as ordinary
// answers to RETR (pop3/wire/burst.ts), and judged in transfer/. So it is with an abort, a lost connection and a time limit. A message
// whose file fails is told in transfer/ as well, and the lane ends. The one rule: the lane judges nothing.
//
// Limits: two pieces of memory, from the budget of all accounts, and 128 open files each; no more messages under way than on the usual
// road; the time limits of the session, and of the Maildir for each batch.
import { asPopfetchError, DeliveryError, type PopfetchError } from '../../errors.ts'
import type { Beginning, Settlement } from '../../ledger/ledger.ts'
import type { Message } from '../../message.ts'
import type { Burst, BurstOwner } from '../../pop3/wire/burst.ts'
import { newIntent, originOf } from '../attempt.ts'
import type { PlannedFetch } from '../plan/plan.ts'
import { closedAt } from '../route/closed.ts'
import type { Job } from '../route/due.ts'
import { collectGarbageAfter } from '../run/garbage.ts'
import { UNDER_WAY } from '../run/window.ts'
import type { Visit } from '../visit.ts'
import { Batch, FULL_BYTES, memoryFor, MOST_IN_BATCH } from './batch.ts'
import type { LanePlace } from './road.ts'

/** The usual road, which takes what is not plain, and keeps the books. */
export interface UsualRoad {
  /** The record of attempts. `fatal`: why it cannot be kept; null: it can. */
  readonly attempts: { fatal: PopfetchError | null; record(change: () => Promise<void>): Promise<void> }
  /** No further message is to be begun. */
  readonly stopped: boolean
  /** Messages came, each exactly as long as announced. */
  cameExact(): void
  /** It was asked for, perhaps together with others, and its answer is due: begins at once to receive it. */
  goOn(job: Job, together: boolean): void
  /** It is delivered, and the ledger says so. */
  delivered(fetch: PlannedFetch): void
  /** It was not delivered. */
  notDelivered(job: Job, message: Message, error: DeliveryError): Promise<void>
  /** It is delivered, and the ledger could not record that. */
  notRecorded(job: Job, error: unknown): Promise<void>
}

/** How far it came: the messages before `next` are done with, or were given back by `goOn`; those of `begun` are recorded as begun, and
 *  were not asked for; the others are not begun. */
export interface LaneEnd {
  readonly begun: readonly Job[]
  readonly rest: readonly PlannedFetch[]
}

/** The first messages are asked for before the others are recorded. */
const FIRST = 64

export async function takeLane(
  fetches: readonly PlannedFetch[],
  place: LanePlace,
  visit: Visit,
  road: UsualRoad,
): Promise<LaneEnd> {
  const { budget } = visit.run
  const memoryBytes = memoryFor(fetches.map(({ sizeBytes }) => sizeBytes ?? 0))
  if (!budget.lend(2 * memoryBytes)) return { begun: [], rest: fetches }
  const lane = new Lane(fetches, place, visit, road, memoryBytes)
  try {
    return await lane.run()
  } catch (error) {
    // A bug of the lane: what is recorded as begun stays so, and the next poll looks for it first (P2).
    road.attempts.fatal ??= asPopfetchError(error)
    visit.session.endBurst()
    return { begun: [], rest: [] }
  } finally {
    budget.give(2 * memoryBytes)
  }
}

class Lane implements BurstOwner {
  readonly #fetches: readonly PlannedFetch[]
  readonly #place: LanePlace
  readonly #visit: Visit
  readonly #road: UsualRoad
  readonly #intents: string[] = []
  #burst: Burst | null = null
  #begun = 0
  /** Handed to the burst. */
  #told = 0
  #came = 0
  #settled = 0
  #filling: Batch
  /** Empty; null: it is being delivered, or is about to be. */
  #spare: Batch | null
  /** To be delivered next. */
  #closed: Batch | null = null
  /** Resumes reading, which stopped since both are full; null: it did not. */
  #resume: (() => void) | null = null
  #isQuiet = false
  #isLooking = false
  #hasCome = false
  /** No further message is begun. */
  #isEnding = false
  /** What is still due comes on the usual road. */
  #isOver = false
  #wake: (() => void) | null = null

  constructor(fetches: readonly PlannedFetch[], place: LanePlace, visit: Visit, road: UsualRoad, memoryBytes: number) {
    this.#fetches = fetches
    this.#place = place
    this.#visit = visit
    this.#road = road
    this.#filling = new Batch(place.volleys, memoryBytes)
    this.#spare = new Batch(place.volleys, memoryBytes)
  }

  async run(): Promise<LaneEnd> {
    const { session } = this.#visit
    await this.#begin(FIRST)
    this.#burst = session.burst(this, this.#filling.memory)
    if (this.#burst === null) this.#isEnding = this.#isOver = true
    this.#ask()
    await this.#begin(UNDER_WAY.toMaildir - FIRST)
    this.#ask()
    for (let batch = await this.#next(); batch !== null; batch = await this.#next()) {
      await this.#deliver(batch)
      batch.renew(this.#place.volleys)
      this.#spare = batch
      this.#goOn()
    }
    session.endBurst()
    this.#filling.leave()
    this.#spare?.leave()
    const asked = this.#burst?.asked ?? 0
    return { begun: this.#jobs(asked, this.#begun), rest: this.#fetches.slice(this.#begun) }
  }

  // Begin

  get #mayBegin(): boolean {
    if (this.#isEnding || this.#isOver || this.#road.stopped || closedAt(this.#place.target, '') !== null)
      this.#isEnding = true
    return !this.#isEnding
  }

  /** How far the next may be begun when `count` are under way at most. */
  #upTo(count: number): number {
    return this.#mayBegin ? Math.min(this.#fetches.length, this.#settled + count) : this.#begun
  }

  async #begin(count: number): Promise<void> {
    const { run, lease } = this.#visit
    const next = await this.#beginnings(this.#upTo(this.#begun - this.#settled + count))
    if (next.length === 0) return
    await this.#road.attempts.record(async () => {
      await run.ledger.begin(lease, next)
      this.#begun += next.length
    })
  }

  /** Those of the next messages, for which there is space. */
  async #beginnings(to: number): Promise<readonly Beginning[]> {
    const { target, volleys } = this.#place
    const next = this.#fetches.slice(this.#begun, to)
    if (next.length === 0) return []
    try {
      const bytes = next.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0)
      await volleys.reserve(next.length, bytes)
    } catch {
      // The usual road asks for each, and tells it.
      this.#isEnding = true
      return []
    }
    return next.map(({ uidl, copy, sizeBytes }, at) => {
      const intent = newIntent()
      this.#intents[this.#begun + at] = intent
      const deliveries = [{ destination: target.name, recipient: '', intent }]
      return { key: { uidl, copy }, listedBytes: sizeBytes, deliveries }
    })
  }

  #ask(): void {
    if (this.#isOver || this.#burst === null) return
    const next = this.#fetches.slice(this.#told, this.#begun)
    this.#told = this.#begun
    this.#burst.ask(
      next.map(({ number }) => number),
      next.map(({ sizeBytes }) => sizeBytes ?? 0),
    )
  }

  mayAsk(): boolean {
    return !this.#road.stopped
  }

  // Came

  room(): number {
    return this.#resume === null ? MOST_IN_BATCH - this.#filling.count : 0
  }

  came(first: number, _: Buffer, starts: readonly number[], ends: readonly number[]): Buffer | null {
    const { account, run, tally } = this.#visit
    const batch = this.#filling
    let bytes = 0
    for (let row = 0; row < starts.length; row++) {
      const index = first + row
      const fetch = this.#fetches[index]
      const start = starts[row] ?? 0
      const end = ends[row] ?? 0
      if (fetch === undefined) throw new Error('an answer to nothing')
      batch.add(index, this.#intents[index] ?? '', originOf(account, fetch), start, end)
      bytes += end - start
    }
    this.#came += starts.length
    this.#hasCome = true
    this.#road.cameExact()
    tally.received(bytes)
    collectGarbageAfter(bytes)
    const paced = run.restrictions.pace(bytes)
    if (paced !== undefined) this.#hold(paced)
    if (batch.count >= MOST_IN_BATCH || (this.#burst?.filledBytes ?? 0) >= FULL_BYTES) {
      this.#close()
      if (this.#filling !== batch) return this.#filling.memory
      this.#resume = this.#visit.session.pause()
    } else this.#lookSoon()
    return null
  }

  /** Reads nothing until `paced` resolves. */
  #hold(paced: Promise<void>): void {
    const { session } = this.#visit
    const resume = session.pause()
    paced.then(resume, (error: unknown) => session.abandon(asPopfetchError(error)))
  }

  /** Closes the batch once a turn of the event loop brought nothing for it. */
  #lookSoon(): void {
    if (this.#isLooking) return
    this.#isLooking = true
    setImmediate(() => {
      this.#isLooking = false
      const isQuiet = !this.#hasCome || this.#came === this.#begun
      this.#hasCome = false
      if (this.#filling.count === 0) return
      if (!isQuiet) return this.#lookSoon()
      this.#isQuiet = true
      if (this.#resume === null) this.#goOn()
    })
  }

  /** What fills is to be delivered, and the other one fills; where that is not free, nothing happens. */
  #close(): void {
    if (this.#spare === null || this.#filling.count === 0) return
    this.#closed = this.#filling
    this.#filling = this.#spare
    this.#spare = null
    this.#isQuiet = false
    this.#awake()
  }

  /** There may be a free one: goes on with it where it is due. */
  #goOn(): void {
    if (this.#resume === null && !this.#isQuiet && !this.#isOver) return
    const before = this.#filling
    this.#close()
    if (this.#filling === before) return
    const resume = this.#resume
    this.#resume = null
    if (!this.#isOver) this.#burst?.goOn(this.#filling.memory)
    resume?.()
  }

  dissolved(from: number, to: number, together: number): void {
    this.#isEnding = this.#isOver = true
    for (const [at, job] of this.#jobs(from, to).entries()) this.#road.goOn(job, from + at < together)
    this.#resume?.()
    this.#resume = null
    this.#goOn()
    this.#awake()
  }

  // Deliver and settle

  #awake(): void {
    this.#wake?.()
    this.#wake = null
  }

  /** The next batch to deliver; null: there is none, and there will be none. */
  async #next(): Promise<Batch | null> {
    for (;;) {
      const closed = this.#closed
      this.#closed = null
      if (closed !== null) return closed
      const due = this.#road.stopped ? (this.#burst?.asked ?? 0) : this.#begun
      const isLast = this.#isOver || this.#came === due
      if (isLast && this.#filling.count === 0) return null
      if (isLast) {
        this.#isQuiet = true
        this.#goOn()
        continue
      }
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  async #deliver(batch: Batch): Promise<void> {
    const { destinations, lease, run, tally } = this.#visit
    const { target } = this.#place
    const since = destinations.closings(target)
    const outcomes = await batch.volley.deliver(lease, run.deliverySignal)
    const settlements: Settlement[] = []
    const delivered: PlannedFetch[] = []
    const failed: (readonly [row: number, error: DeliveryError])[] = []
    for (const [row, outcome] of outcomes.entries()) {
      const fetch = this.#fetches[batch.indexes[row] ?? -1]
      if (fetch === undefined) continue
      if (outcome instanceof DeliveryError) {
        failed.push([row, outcome])
        continue
      }
      delivered.push(fetch)
      settlements.push({
        key: { uidl: fetch.uidl, copy: fetch.copy },
        destination: target.name,
        recipient: '',
        outcome: { state: 'done', receipt: outcome.text },
        received: batch.received[row] ?? null,
      })
    }
    if (failed.length > 0) {
      this.#isEnding = true
      this.#burst?.dissolve()
    }
    this.#settled += batch.count
    const next = await this.#beginnings(this.#upTo(UNDER_WAY.toMaildir))
    try {
      if (settlements.length + next.length > 0) await run.ledger.settleAndBegin(lease, settlements, next)
      this.#begun += next.length
      this.#ask()
      for (const fetch of delivered) this.#road.delivered(fetch)
    } catch (error) {
      this.#isEnding = true
      this.#burst?.dissolve()
      for (const fetch of delivered) await this.#road.notRecorded(this.#job(this.#fetches.indexOf(fetch)), error)
    }
    try {
      if (delivered.length > 0) await destinations.taken(target, '', since)
    } catch (error) {
      this.#road.attempts.fatal ??= asPopfetchError(error)
    }
    tally.progress()
    for (const [row, error] of failed) {
      const job = this.#job(batch.indexes[row] ?? -1)
      await this.#road.notDelivered(job, batch.message(row, originOf(this.#visit.account, job), run.nowMs()), error)
    }
  }

  /** As the usual road knows them. */
  #jobs(from: number, to: number): readonly Job[] {
    return this.#fetches.slice(from, to).map((_, at) => this.#job(from + at))
  }

  #job(index: number): Job {
    const fetch = this.#fetches[index]
    if (fetch === undefined) throw new Error('no such message in the lane')
    const { target } = this.#place
    const due = [{ target, recipient: '', intent: this.#intents[index] ?? newIntent(), before: null, doubtful: false }]
    return { ...fetch, due, choice: null, copies: [], later: null }
  }
}
