// The lane: many new, small messages on their way from one mailbox to one place, a Maildir or a recipient at a mail server. It does what
// transfer/ does for any message, in the same order (DESIGN 4.2), with fewer steps a message: all is done for a batch at once.
//
//   begin       attempts are recorded, some hundred ahead of what has come; only then are the messages asked for
//   came        whole answers are cut where they lie (pop3/wire/cutter.ts); digest, header and file of each, at once (batch.ts)
//   deliver     the files of the batch are synced together, get their names in new/, and new/ is synced (maildir/volley.ts)
//   settle      one transaction settles the batch and begins as many more, which are asked for then
//
// To a mail server messages go one after another (relay.ts), and each is settled by itself, for it cannot be asked later what it has. The
// batch is done with when the last of it is on its way.
//
// Two batches take turns: one fills while the other is delivered. When both are full, nothing is read from the server. A batch is
// delivered when it is full, when nothing more is due, or when a turn of the event loop brought nothing. Where another thread does the
// work on the files (disk/hands.ts) there are three: it is at one while another is settled and the third fills.
//
// road.ts decides what comes here. What turns out not to be plain goes back to the usual road, in order. An answer that is no `+OK`, is
// longer or shorter than announced, or does not come at all ends the lane: that message and those behind it are read as ordinary
// answers to RETR (pop3/wire/burst.ts), and judged in transfer/. So it is with an abort, a lost connection and a time limit. A message
// that is not delivered is told in transfer/ as well, and the lane ends. The one rule: the lane judges nothing.
//
// Limits: two pieces of memory, or three, from the budget of all accounts, and 128 open files each; no more messages under way than on
// the usual road, or two batches more; the time limits of the session, and of the Maildir for each batch.
import type { Receipt } from '../../deliver/destination.ts'
import { asPopfetchError, DeliveryError } from '../../errors.ts'
import type { Beginning, Settlement } from '../../ledger/ledger.ts'
import type { Burst, BurstOwner } from '../../pop3/wire/burst.ts'
import { newIntent, originOf } from '../attempt.ts'
import type { PlannedFetch } from '../plan/entry.ts'
import { closedAt } from '../route/closed.ts'
import type { Job } from '../route/due.ts'
import { collectGarbageAfter } from '../run/garbage.ts'
import { UNDER_WAY } from '../run/window.ts'
import type { Visit } from '../visit.ts'
import { HandingOver } from '../run/handing.ts'
import { Batch, FULL_BYTES, MOST_IN_BATCH } from './batch.ts'
import { jobOf, type Letter, Relay } from './relay.ts'
import type { LanePlace } from './road.ts'
import type { LaneEnd, UsualRoad } from './usual-road.ts'

/** The first messages are asked for before the others are recorded. */
const FIRST = 64
/** Where messages go one after another, so many are a batch: one is relayed, and another one fills. */
const MOST_TO_RELAY = UNDER_WAY.elsewhere / 2

export class Lane implements BurstOwner {
  readonly #fetches: readonly PlannedFetch[]
  readonly #place: LanePlace
  readonly #visit: Visit
  readonly #road: UsualRoad
  readonly #intents: string[] = []
  /** Null: a batch goes there as a whole. */
  readonly #relay: Relay | null
  readonly #mostInBatch: number
  readonly #mostUnderWay: number
  #burst: Burst | null = null
  // So many of `fetches`, from the first one on. Each is at most as large as the one above it.
  #begun = 0
  #handedToBurst = 0
  #came = 0
  /** Delivered and recorded, or told of as failed. */
  #settled = 0
  #filling: Batch
  /** The others that are not being delivered, nor about to be. */
  readonly #empty: Batch[] = []
  readonly #others: number
  /** Those that are about to be delivered, in their order. */
  readonly #ready: Batch[] = []
  /** All that are delivered are settled; rejects on a bug of the lane. */
  #settling: Promise<void> = Promise.resolve()
  #bug: { readonly error: unknown } | null = null
  /** What fills is to be delivered as soon as the other one is empty, full or not. */
  #isDue = false
  /** Resumes reading, which stopped since both are full; null: it did not. */
  #resume: (() => void) | null = null
  /** Is a look at the end of this turn of the event loop under way, and did anything come since the last one? */
  #isLooking = false
  #hasCome = false
  /** No further message is begun. */
  #isEnding = false
  /** The burst is over: what was asked for and did not come is received on the usual road. */
  #isOver = false
  /** Lets `#next` look again. */
  #wake: (() => void) | null = null

  constructor(
    fetches: readonly PlannedFetch[],
    place: LanePlace,
    visit: Visit,
    road: UsualRoad,
    { batches, memoryBytes }: { readonly batches: number; readonly memoryBytes: number },
  ) {
    this.#fetches = fetches
    this.#place = place
    this.#visit = visit
    this.#road = road
    this.#relay = place.volleys === null ? new Relay(place, visit, road) : null
    this.#mostInBatch = this.#relay === null ? MOST_IN_BATCH : MOST_TO_RELAY
    const inThird = batches > 2 ? 2 * MOST_IN_BATCH : 0
    this.#mostUnderWay = this.#relay === null ? UNDER_WAY.toMaildir + inThird : UNDER_WAY.elsewhere
    this.#others = batches - 1
    this.#filling = new Batch(place.volleys, memoryBytes)
    while (this.#empty.length < this.#others) this.#empty.push(new Batch(place.volleys, memoryBytes))
  }

  async run(): Promise<LaneEnd> {
    const { session } = this.#visit
    await this.#begin(FIRST)
    this.#burst = session.burst(this, this.#filling.memory)
    if (this.#burst === null) this.#isEnding = this.#isOver = true
    this.#ask()
    await this.#begin(this.#mostUnderWay - FIRST)
    this.#ask()
    for (let batch = await this.#next(); batch !== null; batch = await this.#next()) {
      await this.#deliver(batch)
      // With a third one, the next is delivered meanwhile.
      if (this.#others < 2) await this.#settling
    }
    await this.#settling
    await this.relayed()
    session.endBurst()
    for (const batch of [this.#filling, ...this.#empty]) batch.leave()
    const asked = this.#burst?.asked ?? 0
    return { begun: this.#jobs(asked, this.#begun), rest: this.#fetches.slice(this.#begun) }
  }

  /** Resolves when nothing is under way to a mail server. */
  async relayed(): Promise<void> {
    await this.#relay?.ended()
  }

  // Begin

  /** `count` more. */
  async #begin(count: number): Promise<void> {
    const { run, lease } = this.#visit
    const next = await this.#beginnings(this.#begun + count)
    if (next.length === 0) return
    await this.#road.attempts.record(async () => {
      await run.ledger.begin(lease, next)
      this.#begun += next.length
    })
  }

  /** The next messages up to `to`; none where no further one may be begun, or there is no space for them. */
  async #beginnings(to: number): Promise<readonly Beginning[]> {
    const { target, recipient, volleys } = this.#place
    if (this.#road.stopped || closedAt(target, recipient) !== null) this.#isEnding = true
    const next = this.#isEnding ? [] : this.#fetches.slice(this.#begun, to)
    if (next.length === 0) return []
    try {
      const bytes = next.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0)
      await volleys?.reserve(next.length, bytes)
    } catch {
      // The usual road asks for each, and tells it.
      this.#isEnding = true
      return []
    }
    return next.map(({ uidl, copy, sizeBytes }, at) => {
      const intent = newIntent()
      this.#intents[this.#begun + at] = intent
      const deliveries = [{ destination: target.name, recipient, intent }]
      return { key: { uidl, copy }, listedBytes: sizeBytes, deliveries }
    })
  }

  #ask(): void {
    if (this.#isOver || this.#burst === null) return
    const next = this.#fetches.slice(this.#handedToBurst, this.#begun)
    this.#handedToBurst = this.#begun
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
    return this.#resume === null ? this.#mostInBatch - this.#filling.count : 0
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
    if (batch.count >= this.#mostInBatch || (this.#burst?.filledBytes ?? 0) >= FULL_BYTES) {
      if (this.#takeTurns()) return this.#filling.memory
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

  /** Has the batch delivered once a turn of the event loop brought nothing for it. */
  #lookSoon(): void {
    if (this.#isLooking) return
    this.#isLooking = true
    setImmediate(() => {
      this.#isLooking = false
      // Nothing more can come, or nothing did.
      const isQuiet = this.#came === this.#begun || !this.#hasCome
      this.#hasCome = false
      if (this.#filling.count === 0) return
      if (!isQuiet) return this.#lookSoon()
      this.#isDue = true
      if (this.#resume === null) this.#fillOther()
    })
  }

  /** What filled is delivered, and the other one fills. False: that is not empty, or nothing filled. */
  #takeTurns(): boolean {
    const next = this.#filling.count === 0 ? undefined : this.#empty.pop()
    if (next === undefined) return false
    this.#ready.push(this.#filling)
    this.#filling = next
    this.#isDue = false
    this.#awake()
    return true
  }

  /** Goes on with the other batch where it is time for that, and it is empty. */
  #fillOther(): void {
    if (this.#resume === null && !this.#isDue && !this.#isOver) return
    if (!this.#takeTurns()) return
    const resume = this.#resume
    this.#resume = null
    if (!this.#isOver) this.#burst?.goOn(this.#filling.memory)
    resume?.()
  }

  dissolved(from: number, to: number, together: number): void {
    this.#isEnding = this.#isOver = true
    for (const [at, job] of this.#jobs(from, to).entries()) this.#road.receive(job, from + at < together)
    this.#resume?.()
    this.#resume = null
    this.#fillOther()
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
      if (this.#bug !== null) throw this.#bug.error
      const ready = this.#ready.shift()
      if (ready !== undefined) return ready
      // What is begun and not yet asked for is asked for as answers come.
      const isLast = this.#isOver || this.#came === this.#burst?.asked
      // To settle one begins others.
      if (isLast && this.#filling.count === 0 && this.#empty.length === this.#others) return null
      if (isLast && !this.#isDue) {
        this.#isDue = true
        this.#fillOther()
        continue
      }
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  /** On return it is delivered, and is settled as soon as those before it are. */
  async #deliver(batch: Batch): Promise<void> {
    const settle = await (this.#relay === null ? this.#volley(batch) : this.#relayed(batch, this.#relay))
    const settling = this.#settling.then(settle).then(() => this.#renew(batch))
    settling.catch((error: unknown) => {
      this.#bug ??= { error }
      this.#awake()
    })
    this.#settling = settling
  }

  #renew(batch: Batch): void {
    batch.renew(this.#place.volleys)
    this.#empty.push(batch)
    this.#fillOther()
    this.#awake()
  }

  async #relayed(batch: Batch, relay: Relay): Promise<() => Promise<void>> {
    await relay.begin(batch.count, (row) => this.#letter(batch, row))
    if (relay.isOver) this.#burst?.dissolve()
    this.#settled += batch.count
    return () => this.#settle([], [])
  }

  #letter(batch: Batch, row: number): Letter {
    const { account, run } = this.#visit
    const index = batch.indexes[row] ?? -1
    const fetch = this.#fetch(index)
    const { message, received } = batch.letter(row, originOf(account, fetch), run.nowMs())
    return { fetch, intent: this.#intents[index] ?? newIntent(), message, received }
  }

  async #volley(batch: Batch): Promise<() => Promise<void>> {
    const { destinations, lease, run } = this.#visit
    const since = destinations.closings(this.#place.target)
    const outcomes = (await batch.volley?.deliver(lease, run.deliverySignal)) ?? []
    return () => this.#conclude(batch, outcomes, since)
  }

  async #conclude(batch: Batch, outcomes: readonly (Receipt | DeliveryError)[], since: number): Promise<void> {
    const { destinations, run, tally } = this.#visit
    const { target } = this.#place
    const settlements: Settlement[] = []
    const delivered: number[] = []
    const failed: (readonly [row: number, error: DeliveryError])[] = []
    for (const [row, outcome] of outcomes.entries()) {
      const index = batch.indexes[row] ?? -1
      const fetch = this.#fetches[index]
      if (fetch === undefined) continue
      if (outcome instanceof DeliveryError) {
        failed.push([row, outcome])
        continue
      }
      delivered.push(index)
      settlements.push({
        key: { uidl: fetch.uidl, copy: fetch.copy },
        destination: target.name,
        recipient: '',
        outcome: { state: 'done', receipt: outcome.text },
        received: batch.received[row] ?? null,
      })
    }
    if (failed.length > 0) this.#burst?.dissolve()
    this.#settled += batch.count
    await this.#settle(delivered, settlements)
    try {
      if (delivered.length > 0) await destinations.taken(target, '', since)
    } catch (error) {
      this.#road.attempts.fatal ??= asPopfetchError(error)
    }
    tally.progress()
    for (const [row, error] of failed) {
      const job = this.#job(batch.indexes[row] ?? -1)
      const { message } = batch.letter(row, originOf(this.#visit.account, job), run.nowMs())
      await this.#road.offer(job, message, { error, since, handing: new HandingOver() })
    }
  }

  /** Records the messages with these indexes, and begins as many others. */
  async #settle(delivered: readonly number[], settlements: readonly Settlement[]): Promise<void> {
    const { lease, run } = this.#visit
    const next = await this.#beginnings(this.#settled + this.#mostUnderWay)
    try {
      if (settlements.length + next.length > 0) await run.ledger.settleAndBegin(lease, settlements, next)
      this.#begun += next.length
      this.#ask()
      for (const index of delivered) this.#road.delivered(this.#fetch(index))
    } catch (error) {
      this.#burst?.dissolve()
      for (const index of delivered) await this.#road.notRecorded(this.#job(index), error)
    }
  }

  /** As the usual road knows them. */
  #jobs(from: number, to: number): readonly Job[] {
    return this.#fetches.slice(from, to).map((_, at) => this.#job(from + at))
  }

  #fetch(index: number): PlannedFetch {
    const fetch = this.#fetches[index]
    if (fetch === undefined) throw new Error('no such message in the lane')
    return fetch
  }

  #job(index: number): Job {
    return jobOf(this.#fetch(index), this.#intents[index] ?? newIntent(), this.#place)
  }
}
