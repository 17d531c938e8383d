// How far the lane is ahead of what came: what it begins and asks for, when it ends, and what it gives back. Its neighbours are made up
// here: a server that answers when the test says so, a Maildir and a ledger that take everything until they are told not to.
import { expect, test } from 'vitest'
import { concluded } from '../../../src/deliver/answers/conclusions.ts'
import { DeliveryError, PopfetchError } from '../../../src/errors.ts'
import type { Beginning, Settlement } from '../../../src/ledger/ledger.ts'
import { takeLane } from '../../../src/poll/lane/take.ts'
import type { LaneEnd, UsualRoad } from '../../../src/poll/lane/usual-road.ts'
import { FULL_BYTES, MOST_IN_BATCH } from '../../../src/poll/lane/batch.ts'
import type { LanePlace } from '../../../src/poll/lane/road.ts'
import type { PlannedFetch } from '../../../src/poll/plan/entry.ts'
import type { Visit } from '../../../src/poll/visit.ts'
import type { BurstOwner } from '../../../src/pop3/wire/burst.ts'

const TEXT = Buffer.from('Subject: a\r\n\r\nb\r\n')
/** As many are under way as to any Maildir. */
const UNDER_WAY = 400
/** The first of them are begun and asked for by themselves. */
const FIRST = 64

const gone = new DeliveryError('the disk is gone', concluded('TEMP', 'disk', { counts: false }))

/** A lane between made-up neighbours. */
class Lane {
  readonly fetches: readonly PlannedFetch[]
  /** How many commands are on the wire at most. */
  onWire = Infinity
  isStopped = false
  hasSpace = true
  hasMemory = true
  canSettle = true
  /** The destination was closed by somebody else. */
  isClosed = false
  /** How much of a batch's memory is in use, as the burst says. */
  filledBytes = 0
  /** Files are not made before this resolves. */
  hold: Promise<void> = Promise.resolve()
  /** Another thread does the work on the files. */
  isApart = false
  /** Whose files are made, or about to be. */
  readonly offered: number[] = []
  /** How often it stopped reading, and went on. */
  readonly reading: ('stops' | 'goes on')[] = []
  spaceAsked = 0
  /** Messages whose files fail. */
  readonly failing = new Set<number>()
  readonly begun: number[] = []
  readonly settled: number[] = []
  readonly told: string[] = []
  lent = 0
  given = 0
  #owner: BurstOwner | null = null
  #memory: Buffer = Buffer.alloc(0)
  #wanted = 0
  asked = 0
  came = 0
  #isOver = false
  readonly #ended: Promise<LaneEnd>
  readonly #waits: (() => void)[] = []

  constructor(count: number, set: (lane: Lane) => void = () => {}) {
    this.fetches = Array.from(
      { length: count },
      (_, at) =>
        ({
          uidl: `uid-${at}`,
          copy: 0,
          number: at + 1,
          sizeBytes: TEXT.length,
          known: null,
        }) as unknown as PlannedFetch,
    )
    set(this)
    this.#ended = takeLane(this.fetches, this.#place, this.#visit, this.#road)
  }

  /** Resolves once that holds. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#waits.push(resolve))
  }

  end(): Promise<LaneEnd> {
    return this.#ended
  }

  /** For how many messages there is room. */
  get room(): number {
    return this.#owner?.room() ?? 0
  }

  /** The server answers the next `count`. */
  answer(count: number): void {
    for (let left = count; left > 0;) {
      const owner = this.#owner
      const some = Math.min(left, owner?.room() ?? 0)
      if (owner === null || some === 0 || this.came + some > this.asked)
        throw new Error('there is no room, or nothing was asked for')
      left -= some
      const starts = Array.from({ length: some }, (_, at) => at * TEXT.length)
      for (const start of starts) TEXT.copy(this.#memory, start)
      const first = this.came
      this.came += some
      const ends = starts.map((start) => start + TEXT.length)
      this.#memory = owner.came(first, starts, ends) ?? this.#memory
      this.#send()
    }
  }

  /** An odd answer, or an end of the session. */
  dissolve(together = this.asked): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#owner?.dissolved(this.came, this.asked, together)
  }

  #send(): void {
    if (this.#owner?.mayAsk() !== true || this.#isOver) return
    this.asked = Math.max(this.asked, Math.min(this.#wanted, this.came + this.onWire))
    this.#noted()
  }

  #noted(): void {
    for (const wait of this.#waits.splice(0)) wait()
  }

  #take(settlements: readonly Settlement[], beginnings: readonly Beginning[]): void {
    const numbers = (all: readonly { readonly key: { readonly uidl: string } }[]): readonly number[] =>
      all.map(({ key }) => Number(key.uidl.slice(4)))
    this.settled.push(...numbers(settlements))
    this.begun.push(...numbers(beginnings))
    this.#noted()
  }

  get #place(): LanePlace {
    const isClosed = (): boolean => this.isClosed
    const target = {
      name: 'inbox',
      recipients: new Map(),
      get down() {
        return isClosed() ? gone : null
      },
    }
    const volleys = {
      isApart: this.isApart,
      reserve: async () => {
        this.spaceAsked++
        await Promise.resolve()
        if (!this.hasSpace) throw gone
      },
      volley: () => {
        const numbers: number[] = []
        return {
          add: ({ origin }: { readonly origin: { readonly uidl: string } }) =>
            void numbers.push(Number(origin.uidl.slice(4))),
          deliver: async () => {
            this.offered.push(...numbers)
            this.#noted()
            await this.hold
            return numbers.map((number) => (this.failing.has(number) ? gone : { text: `file ${number}` }))
          },
        }
      },
    }
    return { target, volleys } as unknown as LanePlace
  }

  get #visit(): Visit {
    const burst = {
      ask: (numbers: readonly number[]) => {
        this.#wanted += numbers.length
        this.#send()
      },
      dissolve: () => this.dissolve(),
      goOn: (memory: Buffer) => {
        this.#memory = memory
        this.#noted()
      },
    }
    Object.defineProperties(burst, { asked: { get: () => this.asked }, filledBytes: { get: () => this.filledBytes } })
    const session = {
      burst: (owner: BurstOwner, memory: Buffer) => {
        this.#owner = owner
        this.#memory = memory
        return burst
      },
      endBurst: () => this.dissolve(),
      pause: () => {
        this.reading.push('stops')
        return () => void this.reading.push('goes on')
      },
    }
    const ledger = {
      begin: async (_: unknown, beginnings: readonly Beginning[]) => {
        await Promise.resolve()
        this.#take([], beginnings)
      },
      settleAndBegin: async (_: unknown, settlements: readonly Settlement[], beginnings: readonly Beginning[]) => {
        await Promise.resolve()
        if (!this.canSettle) throw new PopfetchError('ERR_LEDGER', 'it is gone', { scope: 'process', retry: 'later' })
        this.#take(settlements, beginnings)
      },
    }
    const run = {
      ledger,
      budget: {
        lend: (bytes: number) => {
          if (this.hasMemory) this.lent += bytes
          return this.hasMemory
        },
        give: (bytes: number) => void (this.given += bytes),
      },
      restrictions: { pace: () => undefined },
      deliverySignal: new AbortController().signal,
      nowMs: () => 0,
    }
    const destinations = { closings: () => 0, taken: () => Promise.resolve() }
    const tally = { received: () => {}, progress: () => {} }
    const account = { name: 'isp', host: 'h.example', user: 'u' }
    return { account, run, session, destinations, tally, lease: {} } as unknown as Visit
  }

  get #road(): UsualRoad {
    const tell = (what: string, { uidl }: { readonly uidl: string }): void => {
      this.told.push(`${what} ${uidl.slice(4)}`)
      this.#noted()
    }
    const attempts = {
      fatal: null as PopfetchError | null,
      record: async (change: () => Promise<void>) => await change(),
    }
    const isStopped = (): boolean => this.isStopped || attempts.fatal !== null
    return {
      attempts,
      get stopped() {
        return isStopped()
      },
      cameExact: () => {},
      receive: (job, together) => tell(together ? 'on with others' : 'on', job),
      delivered: () => {},
      offer: (job) => Promise.resolve(tell('not delivered', job)),
      notRecorded: (job) => {
        this.isStopped = true
        return Promise.resolve(tell('not recorded', job))
      },
    }
  }
}

function numbers(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from }, (_, at) => from + at)
}

function restOf({ begun, rest }: LaneEnd): { readonly begun: number; readonly rest: number } {
  return { begun: begun.length, rest: rest.length }
}

test('so many are under way, and for each that is settled another one is begun', async () => {
  const lane = new Lane(600)
  await lane.until(() => lane.begun.length > 0)
  expect(lane.begun).toEqual(numbers(0, FIRST))
  await lane.until(() => lane.asked === UNDER_WAY)
  lane.answer(20)
  await lane.until(() => lane.settled.length === 20)
  expect(lane.begun).toEqual(numbers(0, UNDER_WAY + 20))
  expect(lane.asked).toBe(UNDER_WAY + 20)
  while (lane.settled.length < 600) {
    const before = lane.settled.length
    lane.answer(Math.min(100, lane.asked - lane.came))
    await lane.until(() => lane.settled.length > before)
  }
  expect(restOf(await lane.end())).toEqual({ begun: 0, rest: 0 })
  expect(lane.settled).toEqual(numbers(0, 600))
  expect([lane.given, lane.told]).toEqual([lane.lent, []])
})

test.each([
  ['it is to stop', (lane: Lane) => (lane.isStopped = true)],
  ['its destination is closed by another account', (lane: Lane) => (lane.isClosed = true)],
  ['space runs out', (lane: Lane) => (lane.hasSpace = false)],
])('when %s, nothing more is begun, what was asked for is settled, and the rest is given back', async (_, end) => {
  const lane = new Lane(600)
  await lane.until(() => lane.asked === UNDER_WAY)
  end(lane)
  while (lane.settled.length < UNDER_WAY) {
    const before = lane.settled.length
    lane.answer(100)
    await lane.until(() => lane.settled.length > before)
  }
  expect(restOf(await lane.end())).toEqual({ begun: 0, rest: 200 })
  expect([lane.begun.length, lane.told]).toEqual([UNDER_WAY, []])
})

test('when it is to stop, what was begun and not asked for is not asked for, and is given back as begun', async () => {
  const lane = new Lane(600, (it) => (it.onWire = 300))
  await lane.until(() => lane.begun.length === UNDER_WAY && lane.asked === 300)
  lane.isStopped = true
  while (lane.settled.length < 300) {
    const before = lane.settled.length
    lane.answer(100)
    await lane.until(() => lane.settled.length > before)
  }
  expect(restOf(await lane.end())).toEqual({ begun: 100, rest: 200 })
  expect(lane.asked).toBe(300)
})

test('where space runs out, it is not asked for again', async () => {
  const lane = new Lane(600)
  await lane.until(() => lane.asked === UNDER_WAY)
  const before = lane.spaceAsked
  lane.hasSpace = false
  lane.answer(1)
  await lane.until(() => lane.settled.length === 1)
  lane.hasSpace = true
  lane.answer(1)
  await lane.until(() => lane.settled.length === 2)
  expect([lane.begun.length, lane.spaceAsked]).toEqual([UNDER_WAY, before + 1])
  lane.dissolve()
  await lane.end()
})

test('two batches take turns; when both are full, nothing is read until one is empty again', async () => {
  const lane = new Lane(400)
  await lane.until(() => lane.asked === UNDER_WAY)
  const files = Promise.withResolvers<void>()
  lane.hold = files.promise
  lane.filledBytes = FULL_BYTES
  lane.answer(1)
  expect([lane.room, lane.reading]).toEqual([MOST_IN_BATCH, []])
  lane.answer(1)
  expect([lane.room, lane.reading]).toEqual([0, ['stops']])
  lane.filledBytes = 0
  files.resolve()
  await lane.until(() => lane.settled.length === 1)
  await lane.until(() => lane.room > 0)
  expect([lane.room, lane.reading]).toEqual([MOST_IN_BATCH, ['stops', 'goes on']])
  await lane.until(() => lane.settled.length === 2)
  lane.dissolve()
  await lane.end()
})

test('another thread is given the next batch while it is at one; they are settled in their order', async () => {
  const lane = new Lane(600, (it) => (it.isApart = true))
  await lane.until(() => lane.asked === 600)
  const files = Promise.withResolvers<void>()
  lane.hold = files.promise
  lane.filledBytes = FULL_BYTES
  lane.answer(1)
  await lane.until(() => lane.offered.length === 1)
  lane.hold = Promise.resolve()
  lane.answer(1)
  await lane.until(() => lane.offered.length === 2)
  expect([lane.room, lane.reading, lane.settled]).toEqual([MOST_IN_BATCH, [], []])
  lane.answer(1)
  expect([lane.room, lane.reading]).toEqual([0, ['stops']])
  files.resolve()
  await lane.until(() => lane.settled.length === 3)
  expect(lane.settled).toEqual([0, 1, 2])
  lane.dissolve()
  await lane.end()
})

test('a batch is full by its number of messages, too', async () => {
  const lane = new Lane(400)
  await lane.until(() => lane.asked === UNDER_WAY)
  lane.answer(MOST_IN_BATCH)
  expect(lane.room).toBe(MOST_IN_BATCH)
  lane.dissolve()
  await lane.end()
})

test('what is on the wire when it ends comes on the usual road, in order; what was not asked for is given back', async () => {
  const lane = new Lane(600, (it) => (it.onWire = 3))
  await lane.until(() => lane.begun.length === UNDER_WAY)
  lane.answer(2)
  lane.dissolve(4)
  expect(lane.told).toEqual(['on with others 2', 'on with others 3', 'on 4'])
  expect(restOf(await lane.end())).toEqual({ begun: UNDER_WAY - 5, rest: 200 })
  expect(lane.settled).toEqual([0, 1])
})

test('a file that fails is told of, the others of its batch are settled, and nothing more is begun', async () => {
  const lane = new Lane(600, (it) => it.failing.add(1))
  await lane.until(() => lane.asked === UNDER_WAY)
  lane.answer(3)
  const { begun, rest } = await lane.end()
  expect([lane.settled, lane.begun.length, begun.length, rest.length]).toEqual([[0, 2], UNDER_WAY, 0, 200])
  expect(lane.told.filter((what) => what.startsWith('not'))).toEqual(['not delivered 1'])
  expect(lane.told.filter((what) => what.startsWith('on'))).toHaveLength(UNDER_WAY - 3)
})

test('what the ledger could not record is told of, and nothing more is begun', async () => {
  const lane = new Lane(600, (it) => (it.canSettle = false))
  await lane.until(() => lane.asked === UNDER_WAY)
  lane.answer(2)
  expect(restOf(await lane.end())).toEqual({ begun: 0, rest: 200 })
  expect(lane.told.filter((what) => what.startsWith('not'))).toEqual(['not recorded 0', 'not recorded 1'])
  expect([lane.settled, lane.begun.length]).toEqual([[], UNDER_WAY])
})

test('where memory is short, all is given back at once', async () => {
  const lane = new Lane(40, (it) => (it.hasMemory = false))
  expect(restOf(await lane.end())).toEqual({ begun: 0, rest: 40 })
  expect([lane.begun, lane.given]).toEqual([[], 0])
})
