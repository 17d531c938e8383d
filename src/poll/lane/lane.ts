// The lane: many new, small messages on their way from one mailbox to one place, a Maildir or a recipient at a mail server. It does what
// transfer/ does for each message, in the same order (DESIGN 4.2), but does each step for a whole batch at once. These are the steps, and
// where to read on:
//
//   choose    road.ts decides which messages come here, before anything is begun; take.ts borrows the memory
//   begin     begun.ts: attempts are recorded, up to 400 messages ahead of the last settled one (656 with three batches, 100 to a mail
//             server); only then are the messages asked for
//   come      pop3/wire/burst.ts sends RETR after RETR, and cuts whole answers where they lie; batch.ts takes each as a row
//   work      what makes a row complete: digest, header, name and file. At once, or in slices where other lanes are open (slices.ts)
//   turn      turns.ts: a batch is delivered when it is full, when nothing more is due, or when a turn of the event loop brought no whole
//             message. Another one fills meanwhile; if that is full and none is empty, reading stops
//   deliver   deliver/maildir/volley.ts: the files of a batch are synced together, get their names in new/, and new/ is synced. Where
//             many messages are new, another thread works on the files (deliver/disk/hands.ts), and there are three batches: the
//             thread writes one while another waits to be linked
//   settle    here: one transaction settles the batch and begins as many more, which are asked for then. Batches settle in the order
//             in which they were taken, whichever is delivered first
//   leave     usual-road.ts: what the lane gives back, and to whom
//
// To a mail server each message goes by itself, several at once (relay.ts). Each is settled by itself, because a mail server cannot be
// asked later what it has. The batch is free again once its last message has been copied out.
//
// The one rule: the lane judges nothing. What turns out not to be plain goes back to the usual road, in order. An answer that is no `+OK`,
// is longer or shorter than announced, or does not come at all ends the lane: that message and those asked for after it are read as
// ordinary answers to RETR (pop3/wire/exchange.ts), and judged in transfer/. Those that are begun and not asked for, and those that are not
// begun, follow on the usual road. An abort, a lost connection and a time limit end the lane in the same way. Every message that came whole
// is delivered and settled, in whatever batch it lies, and nothing more is begun: `signal` ends the session, and `deliverySignal`, some
// time later, ends the deliveries. A message that is not delivered is told in transfer/ as well, and the lane ends. If the ledger cannot
// commit, the lane ends too. The messages of that batch stay begun, and the next poll looks for them at the destination first (P2). Batches
// already under way are still delivered, and tried in a commit of their own.
//
// Limits: the memory of two batches, or three, from the budget of all accounts, and 128 open files each, all lanes together at most half of
// what the process may open; no more messages begun and not settled than on the usual road, or two batches more; the time limits of the
// session, and of the Maildir for each batch.
import type { Receipt } from '../../deliver/destination.ts'
import { asPopfetchError, DeliveryError } from '../../errors.ts'
import type { Settlement } from '../../ledger/ledger.ts'
import type { Burst, BurstOwner } from '../../pop3/wire/burst.ts'
import { originOf } from '../attempt.ts'
import type { PlannedFetch } from '../plan/entry.ts'
import { collectGarbageAfter } from '../run/garbage.ts'
import { HandingOver } from '../run/handing.ts'
import { UNDER_WAY } from '../run/window.ts'
import type { Visit } from '../visit.ts'
import { Batch, FULL_BYTES, MOST_IN_BATCH } from './batch.ts'
import { Begun } from './begun.ts'
import { Relay, type Relayed } from './relay.ts'
import type { LanePlace } from './road.ts'
import { slices } from './slices.ts'
import { Turns } from './turns.ts'
import type { LaneEnd, UsualRoad } from './usual-road.ts'

/** The first messages are asked for before the others are recorded, so that their round trip covers the second commit. */
const FIRST = 64
/** Rows worked on in one turn of the event loop while other lanes are open. */
const SLICE = 16
/** Messages in a batch that goes to a mail server: one batch is relayed while another one fills. */
const MOST_TO_RELAY = UNDER_WAY.elsewhere / 2

export class Lane implements BurstOwner {
  readonly #place: LanePlace
  readonly #visit: Visit
  readonly #road: UsualRoad
  readonly #begun: Begun
  readonly #turns: Turns
  /** Sends each message by itself. Null: a batch goes there as a whole. */
  readonly #relay: Relay | null
  readonly #mostInBatch: number
  readonly #mostUnderWay: number
  #burst: Burst | null = null
  /** The burst is over: what was asked for and did not come is received on the usual road. */
  #isOver = false
  /** How many messages have come, counted from the first. */
  #came = 0
  /** How many belong to batches that are settled, or are being settled now: they say how far ahead the lane may begin. */
  #settled = 0
  /** Resolves when every batch that was given to `#deliver` is settled. */
  #settling: Promise<void> = Promise.resolve()
  /** Is a look at the end of this turn of the event loop under way, and did anything come since the last one? */
  #isLooking = false
  #hasCome = false

  /** `memoryBytes`: of each batch, as `memoryFor` says. */
  constructor(
    fetches: readonly PlannedFetch[],
    place: LanePlace,
    visit: Visit,
    road: UsualRoad,
    { batches, memoryBytes }: { readonly batches: number; readonly memoryBytes: number },
  ) {
    this.#place = place
    this.#visit = visit
    this.#road = road
    this.#begun = new Begun(fetches, place, visit, road)
    const made = (): Batch => new Batch(place.volleys, memoryBytes)
    this.#turns = new Turns([made(), ...Array.from({ length: batches - 1 }, made)], {
      pause: () => visit.session.pause(),
      goOn: (memory) => this.#burst?.goOn(memory),
    })
    this.#relay = place.volleys === null ? new Relay(place, visit, road) : null
    this.#mostInBatch = this.#relay === null ? MOST_IN_BATCH : MOST_TO_RELAY
    const inThird = this.#turns.hasThird ? 2 * MOST_IN_BATCH : 0
    this.#mostUnderWay = this.#relay === null ? UNDER_WAY.toMaildir + inThird : UNDER_WAY.elsewhere
  }

  /** Rejects on a bug of the lane. */
  async run(): Promise<LaneEnd> {
    using _ = slices.open()
    const { session } = this.#visit
    await this.#begun.more(FIRST)
    this.#burst = session.burst(this, this.#turns.filling.memory)
    if (this.#burst === null) this.#end()
    this.#ask()
    await this.#begun.more(this.#mostUnderWay - FIRST)
    this.#ask()
    // What is begun and not yet asked for is asked for as answers come.
    const mayCome = (): boolean => !this.#isOver && this.#came !== this.#burst?.asked
    for (let batch = await this.#turns.next(mayCome); batch !== null; batch = await this.#turns.next(mayCome)) {
      this.#deliver(batch)
      if (!this.#turns.hasThird) await this.#settling
    }
    await this.#settling
    await this.relayed()
    session.endBurst()
    this.#turns.leave()
    const asked = this.#burst?.asked ?? 0
    return { begun: this.#begun.jobs(asked, this.#begun.count), rest: this.#begun.rest }
  }

  /** Resolves when nothing is under way to a mail server. */
  async relayed(): Promise<void> {
    await this.#relay?.ended()
  }

  #end(): void {
    this.#isOver = true
    this.#begun.end()
  }

  #ask(): void {
    if (!this.#isOver && this.#burst !== null) this.#begun.giveTo(this.#burst)
  }

  // What the burst asks, and tells

  mayAsk(): boolean {
    return !this.#road.stopped
  }

  room(): number {
    return this.#turns.isStopped ? 0 : this.#mostInBatch - this.#turns.filling.count
  }

  came(first: number, starts: readonly number[], ends: readonly number[]): Buffer | null {
    const { run, tally } = this.#visit
    const batch = this.#turns.filling
    let bytes = 0
    for (let row = 0; row < starts.length; row++) {
      const index = first + row
      const start = starts[row] ?? 0
      const end = ends[row] ?? 0
      batch.add(index, start, end)
      bytes += end - start
    }
    if (slices.isOne) this.#work(batch, batch.count)
    this.#came += starts.length
    this.#hasCome = true
    this.#road.cameExact()
    tally.received(bytes)
    collectGarbageAfter(bytes)
    const paced = run.restrictions.pace(bytes)
    if (paced !== undefined) this.#hold(paced)
    if (batch.count >= this.#mostInBatch || (this.#burst?.filledBytes ?? 0) >= FULL_BYTES)
      return this.#turns.full()?.memory ?? null
    this.#lookSoon()
    return null
  }

  dissolved(from: number, to: number, together: number): void {
    this.#end()
    for (const [at, job] of this.#begun.jobs(from, to).entries()) this.#road.receive(job, from + at < together)
    this.#turns.over()
  }

  /** Reads nothing until `paced` resolves. */
  #hold(paced: Promise<void>): void {
    const { session } = this.#visit
    const resume = session.pause()
    paced.then(resume, (error: unknown) => session.abandon(asPopfetchError(error)))
  }

  // Work

  /** Works on the rows of `batch` up to `count`. */
  #work(batch: Batch, count: number): void {
    const { account } = this.#visit
    for (let row = batch.worked; row < count; row++) {
      const index = batch.indexes[row] ?? -1
      batch.work(this.#begun.intent(index), originOf(account, this.#begun.fetch(index)))
    }
  }

  /** Works on all of its rows. The sessions of others may read and ask in between. */
  async #workAll(batch: Batch): Promise<void> {
    for (let isBegun = false; !slices.isOne && batch.worked < batch.count; isBegun = true) {
      await slices.turn(isBegun)
      this.#work(batch, Math.min(batch.worked + SLICE, batch.count))
    }
    this.#work(batch, batch.count)
  }

  /** The filling batch is due when a whole turn of the event loop brought no whole message, or when all that is begun has come. So from
   *  a slow server batches are small: at worst one sync and one commit a message. */
  #lookSoon(): void {
    if (this.#isLooking) return
    this.#isLooking = true
    const look = (): void => {
      this.#isLooking = false
      // Nothing more can come, or nothing did.
      const isQuiet = this.#came === this.#begun.count || !this.#hasCome
      this.#hasCome = false
      if (this.#turns.filling.count === 0) return
      if (isQuiet) this.#turns.due()
      else this.#lookSoon()
    }
    if (slices.isOne) setImmediate(look)
    else void slices.turn(false).then(look)
  }

  // Deliver and settle

  /** Starts its delivery. It is settled and emptied after all batches before it. */
  #deliver(batch: Batch): void {
    const delivered = this.#workAll(batch).then(() =>
      this.#relay === null ? this.#volley(batch) : this.#relayAll(batch, this.#relay),
    )
    this.#settling = Promise.all([delivered, this.#settling])
      .then(([settle]) => settle())
      .then(() => {
        batch.renew(this.#place.volleys)
        this.#turns.emptied(batch)
      })
    this.#settling.catch((error: unknown) => this.#turns.fail(error))
  }

  /** Gives what is to be done to settle it. */
  async #relayAll(batch: Batch, relay: Relay): Promise<() => Promise<void>> {
    await relay.giveOut(batch.count, (row) => this.#relayed(batch, row))
    if (relay.isOver) this.#burst?.dissolve()
    this.#settled += batch.count
    // Each is settled by itself.
    return () => this.#settle([], [])
  }

  #relayed(batch: Batch, row: number): Relayed {
    const { account, run } = this.#visit
    const index = batch.indexes[row] ?? -1
    const fetch = this.#begun.fetch(index)
    const { message, received } = batch.message(row, originOf(account, fetch), run.nowMs())
    return { fetch, intent: this.#begun.intent(index), message, received }
  }

  /** Gives what is to be done to settle it. */
  async #volley(batch: Batch): Promise<() => Promise<void>> {
    const { destinations, lease, run } = this.#visit
    const since = destinations.closings(this.#place.target)
    const outcomes = (await batch.volley?.deliver(lease, run.deliverySignal)) ?? []
    return () => this.#conclude(batch, outcomes, since)
  }

  /** `since`: what `closings` gave before they were offered. */
  async #conclude(batch: Batch, outcomes: readonly (Receipt | DeliveryError)[], since: number): Promise<void> {
    const { destinations, tally } = this.#visit
    const { target } = this.#place
    const delivered: number[] = []
    const settlements: Settlement[] = []
    const failed: (readonly [row: number, error: DeliveryError])[] = []
    for (const [row, outcome] of outcomes.entries()) {
      if (outcome instanceof DeliveryError) {
        failed.push([row, outcome])
        continue
      }
      const index = batch.indexes[row] ?? -1
      const { uidl, copy } = this.#begun.fetch(index)
      delivered.push(index)
      settlements.push({
        key: { uidl, copy },
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
    await this.#tellFailed(batch, failed, since)
  }

  /** What was not delivered goes on where the usual road offers its messages, with what came of it. */
  async #tellFailed(
    batch: Batch,
    failed: readonly (readonly [row: number, error: DeliveryError])[],
    since: number,
  ): Promise<void> {
    const { account, run } = this.#visit
    for (const [row, error] of failed) {
      const job = this.#begun.job(batch.indexes[row] ?? -1)
      const { message } = batch.message(row, originOf(account, job), run.nowMs())
      await this.#road.offer(job, message, { error, since, handing: new HandingOver() })
    }
  }

  /** Records the messages with these indexes, and begins as many others. */
  async #settle(delivered: readonly number[], settlements: readonly Settlement[]): Promise<void> {
    const { lease, run } = this.#visit
    const next = await this.#begun.upTo(this.#settled + this.#mostUnderWay)
    try {
      if (settlements.length + next.length > 0) await run.ledger.settleAndBegin(lease, settlements, next)
      this.#begun.recorded(next)
      this.#ask()
      for (const index of delivered) this.#road.delivered(this.#begun.fetch(index))
    } catch (error) {
      this.#burst?.dissolve()
      // Only the beginning of others failed, as in begun.ts.
      if (delivered.length === 0) this.#road.attempts.fatal ??= asPopfetchError(error)
      for (const index of delivered) await this.#road.notRecorded(this.#begun.job(index), error)
    }
  }
}
