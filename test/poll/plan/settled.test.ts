// The quick way through a long listing against the plain one, which looks at each entry: the same plan, whatever the mailbox.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { PollOptions } from '../../../src/poll/report.ts'
import type { Account } from '../../../src/config/schema.ts'
import type {
  AccountRecord,
  ComparedMessage,
  Comparison,
  EntryKey,
  KnownMessage,
  MessageState,
  Settled,
  SettledColumns,
} from '../../../src/ledger/ledger.ts'
import { compare, type ComparisonContext } from '../../../src/poll/compare/compare.ts'
import { SettledEntries } from '../../../src/poll/plan/settled.ts'
import { ListParser } from '../../../src/pop3/listing/parser.ts'
import { Listing } from '../../../src/pop3/listing/listing.ts'
import { Looks } from '../../../src/poll/compare/looks.ts'
import type { Session } from '../../../src/pop3/session.ts'

interface Remembered extends KnownMessage {
  readonly uidl: string
  readonly copy: number
}

interface Listed {
  readonly uidl: string
  readonly sizeBytes: number | null
}

/** This many are asked for at once, and given at once. */
const SLICE = 64

/** The contract of a comparison, as short as it can be said. */
class PlainComparison implements Comparison {
  readonly messages: readonly Remembered[]
  readonly #given: Remembered[] = []
  readonly #seen = new Set<number>()
  asked = 0

  constructor(messages: readonly Remembered[]) {
    this.messages = messages
  }

  #give(message: Remembered): ComparedMessage {
    return { ...message, position: this.#given.push(message) - 1 }
  }

  known(keys: readonly EntryKey[]) {
    this.asked += keys.length
    const found = keys.map(({ uidl, copy }) => this.messages.find((one) => one.uidl === uidl && one.copy === copy))
    return Promise.resolve(found.map((message) => (message === undefined ? null : this.#give(message))))
  }

  duplicated() {
    return Promise.resolve(this.messages.filter(({ copy }) => copy > 0).map(({ uidl }) => uidl))
  }

  copies(uidls: readonly string[]) {
    const copiesOf = (uidl: string) =>
      this.messages
        .filter((one) => one.uidl === uidl)
        .map((message) => ({ copy: message.copy, known: this.#give(message) }))
    return Promise.resolve(new Map(uidls.map((uidl) => [uidl, copiesOf(uidl)] as const)))
  }

  async *settled({ seenAfterMs, deliveredAfterMs, deliveredUntilMs }: Settled): AsyncIterable<SettledColumns> {
    const settled = this.messages.filter(
      ({ state, firstSeenMs, copy, deletions, goneSinceMs }) =>
        copy === 0 &&
        deletions === 0 &&
        goneSinceMs === null &&
        ((state === 'seen' && firstSeenMs > seenAfterMs) ||
          (state === 'delivered' && firstSeenMs > deliveredAfterMs && firstSeenMs <= deliveredUntilMs)),
    )
    for (let at = 0; at < settled.length; at += SLICE) {
      const slice = settled.slice(at, at + SLICE)
      const position = this.#given.length
      this.#given.push(...slice)
      yield await Promise.resolve(columns(slice, position))
    }
  }

  see(position: number): void {
    this.#seen.add(position)
  }

  get seen(): number {
    return this.#seen.size
  }

  isSeen(message: Remembered): boolean {
    return [...this.#seen].some((position) => this.#given[position] === message)
  }

  hasStandIns() {
    return Promise.resolve(this.messages.some(({ uidl }) => uidl.startsWith('\0is:')))
  }

  keys = unexpected
  counts = unexpected
  gone = unexpected
  unseen = unexpected
  unseenFingerprints = unexpected
  goneFingerprints = unexpected
  unseenRemoved = unexpected
  unseenBare = unexpected;

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }
}

function unexpected(): never {
  throw new Error('comparing changes nothing')
}

function columns(messages: readonly Remembered[], position = 0): SettledColumns {
  return {
    position,
    uidls: Buffer.from(messages.map(({ uidl }) => `${uidl}\n`).join(''), 'latin1'),
    listedBytes: Float64Array.from(messages, ({ listedBytes }) => listedBytes ?? -1),
    deliveredSinceMs: messages.reduce<number | null>(
      (least, { state, firstSeenMs }) => (state === 'delivered' ? Math.min(least ?? Infinity, firstSeenMs) : least),
      null,
    ),
  }
}

function remembered(uidl: string, more: Partial<Remembered> = {}): Remembered {
  const nothing = { receivedBytes: null, fingerprint: null, digest: null, reason: null, goneSinceMs: null }
  const counts = { attempts: 0, retryAfterMs: 0, deletions: 0, deliveries: [] }
  const outstanding = { deletion: null, harm: null, from: null, subject: null }
  return {
    ...nothing,
    ...counts,
    ...outstanding,
    uidl,
    copy: 0,
    state: 'delivered',
    firstSeenMs: 50,
    listedBytes: 1000,
    ...more,
  }
}

function listing(entries: readonly Listed[]): Listing {
  const [sizes, uidls] = [new ListParser(), new ListParser()]
  entries.forEach(({ uidl, sizeBytes }, at) => {
    if (sizeBytes !== null) sizes.feed(Buffer.from(`${at + 1} ${sizeBytes}\r\n`))
    uidls.feed(Buffer.from(`${at + 1} ${uidl}\r\n`, 'latin1'))
  })
  return Listing.ofFew(sizes, uidls)
}

const common = {
  account: { name: 'a', delete: { kind: 'never' }, first: { kind: 'all' }, limit: null, maxSizeBytes: null },
  options: { all: false, limit: null, eager: false } as PollOptions,
  record: { known: 1, started: true, facts: {} },
  session: { header: (number: number) => Promise.resolve(Buffer.from(`Subject: ${number}\r\n\r\n`)) },
  exactSizes: true,
  sizesStay: true,
  nowMs: 100,
  agedMs: 100,
  fetched: 0,
  sessionLimit: Infinity,
  isPaused: () => false,
  isCounted: () => false,
  skippedToo: false,
  shows: () => false,
}

function context(comparison: Comparison, more: object = {}): ComparisonContext {
  return {
    ...common,
    account: common.account as unknown as Account,
    record: common.record as unknown as AccountRecord,
    looks: new Looks(common.session as unknown as Session, { top: true, loseTop: () => {} }),
    isCurious: false,
    recovery: null,
    ...more,
    comparison,
  }
}

/** Everything that a poll sees of a comparison. */
async function outcome(entries: readonly Listed[], comparison: PlainComparison, more: object) {
  const { plan, returned } = await compare(listing(entries), context(comparison, more))
  // A position means nothing outside its comparison.
  const same = <T extends { readonly known: KnownMessage | null }>({ known, ...rest }: T) => ({
    ...rest,
    known: known === null ? null : { ...known, position: 0 },
  })
  return {
    plan: { ...plan, fetch: plan.fetch.map(same), deletions: plan.deletions.map(same) },
    returned,
    size: comparison.seen,
    seen: comparison.messages.map((message) => comparison.isSeen(message)),
  }
}

const states: readonly MessageState[] = ['delivered', 'delivered', 'seen', 'seen', 'open', 'held']
const oddMessage = fc.record({
  place: fc.nat(700),
  known: fc.boolean(),
  listed: fc.constantFrom(1, 1, 0, 2),
  state: fc.constantFrom(...states),
  firstSeenMs: fc.constantFrom(10, 50, 90),
  deletions: fc.constantFrom(0, 0, 0, 1, 9),
  goneSinceMs: fc.constantFrom(null, null, 60),
  listedBytes: fc.constantFrom(1000, null, 2000),
  sizeBytes: fc.constantFrom(1000, null, 2000),
  copies: fc.nat(2),
  uidl: fc.option(fc.constantFrom('', 'x', 'y', '\xe4', 'm3'), { nil: undefined }),
})
const policy = fc.record({
  exactSizes: fc.boolean(),
  skippedToo: fc.boolean(),
  agedMs: fc.constantFrom(100, null),
  options: fc.record({ all: fc.boolean(), limit: fc.constant(null), eager: fc.boolean() }),
  account: fc.record({
    delete: fc.constantFrom({ kind: 'never' }, { kind: 'after-delivery' }, { kind: 'age', ageMs: 50 }),
  }),
})

test('a long listing is compared as if each entry were looked at', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(oddMessage, { minLength: 1, maxLength: 12, size: 'max' }),
      policy,
      fc.boolean(),
      async (odd, how, backwards) => {
        const entries: Listed[] = []
        const messages: Remembered[] = []
        const used = new Set<string>()
        for (let at = 0; at < 700; at++) {
          for (const [nth, one] of odd.entries()) {
            if (one.place !== at) continue
            const uidl = one.uidl ?? `odd${nth}`
            for (let copy = 0; copy < one.listed; copy++) entries.push({ uidl, sizeBytes: one.sizeBytes })
            const copies = one.known && uidl !== '' && !used.has(uidl) ? one.copies + 1 : 0
            for (let copy = 0; copy < copies; copy++)
              messages.push(remembered(uidl, { ...one, uidl, copy, ...(copy > 0 && { listedBytes: 1000 }) }))
            used.add(uidl)
          }
          entries.push({ uidl: `m${at}`, sizeBytes: 1000 })
          if (!used.has(`m${at}`)) messages.push(remembered(`m${at}`))
          used.add(`m${at}`)
        }
        if (backwards) messages.reverse()
        const more = { ...how, account: { ...common.account, ...how.account } }
        const plain = new PlainComparison(messages)
        plain.settled = async function* () {}
        const quick = await outcome(entries, new PlainComparison(messages), more)
        const slow = await outcome(entries, plain, more)
        // What is not listed any more makes it earlier, never later.
        expect(quick.plan.agesMs ?? Infinity).toBeLessThanOrEqual(slow.plan.agesMs ?? Infinity)
        const { agesMs } = slow.plan
        expect({ ...quick, plan: { ...quick.plan, agesMs } }).toEqual(slow)
      },
    ),
    { numRuns: 60 },
  )
})

describe('of a mailbox of which everything is known', () => {
  const messages = Array.from({ length: 600 }, (_, at) => remembered(`m${at}`))
  const entries = messages.map(({ uidl }) => ({ uidl, sizeBytes: 1000 }))

  test('no entry is looked at', async () => {
    const comparison = new PlainComparison(messages)
    const found = await outcome(entries, comparison, {})
    expect(found).toMatchObject({ plan: { listed: 600, skipped: 600, new: 0, fetch: [] }, size: 600 })
    expect(comparison.asked).toBe(0)
  })

  test('only what is new is looked at, wherever it stands', async () => {
    for (const place of [0, 300, 600]) {
      const comparison = new PlainComparison(messages)
      const { plan } = await outcome(entries.toSpliced(place, 0, { uidl: 'new', sizeBytes: 1 }), comparison, {})
      expect(plan).toMatchObject({ skipped: 600, new: 1, fetch: [{ uidl: 'new', number: place + 1 }] })
      expect(comparison.asked).toBe(1)
    }
  })

  test('a message of another size is looked at where sizes are exact (P098)', async () => {
    const resized = entries.with(7, { uidl: 'm7', sizeBytes: 1001 })
    for (const inSomeOrder of [messages, messages.toReversed()]) {
      const exact = new SettledEntries(listing(resized), true)
      await exact.add(columns(inSomeOrder))
      expect([...exact.others(10)]).toEqual([[7]])
    }
    const hints = new SettledEntries(listing(resized), false)
    await hints.add(columns(messages))
    expect(hints.areAll).toBe(true)
  })
})
