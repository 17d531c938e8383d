// Everything that a server fills. Four times as much of it makes at most five times as many steps, counted and not timed
// (steps.ts). Each has a bound that is reached and kept (P165, P166, S044).
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { toldAfter } from '../../src/cli/commands/poll/quiet.ts'
import { Journal } from '../../src/daemon/journal.ts'
import { blankDestination } from '../../src/ledger/destination.ts'
import type { ComparedMessage, Comparison, KnownCopy } from '../../src/ledger/ledger.ts'
import { silentLog } from '../../src/log.ts'
import { identify } from '../../src/poll/compare/identify.ts'
import { type Look, Looks } from '../../src/poll/compare/looks.ts'
import { Match } from '../../src/poll/compare/match.ts'
import { copiesMark } from '../../src/poll/compare/remembered-copies.ts'
import { type AgeClock, ageClock } from '../../src/poll/plan/age-clock.ts'
import { Planner, type Policy } from '../../src/poll/plan/plan.ts'
import { SettledEntries } from '../../src/poll/plan/settled.ts'
import { nextRest } from '../../src/poll/rests/rests.ts'
import { Tally } from '../../src/poll/tally.ts'
import { Listing, type ListingEntry } from '../../src/pop3/listing/listing.ts'
import { ListParser, LISTING_BYTES_LIMIT } from '../../src/pop3/listing/parser.ts'
import { CAPABILITIES_LIMIT, parseCapabilities } from '../../src/pop3/wire/capabilities.ts'
import { Decoder, type DecoderSink, STATUS_LINE_LIMIT } from '../../src/pop3/wire/decoder.ts'
import type { Session } from '../../src/pop3/session.ts'
import { Redactor } from '../../src/redact.ts'
import { accountReport } from '../cli/reports.ts'
import { account } from '../daemon/fake-time.ts'
import { stepsOf } from '../support/steps.ts'
import { upTo } from './scene.ts'

function print(at: number): Buffer {
  const bytes = Buffer.alloc(32)
  bytes.writeUInt32BE(at)
  return bytes
}

function known(at: number, facts: Partial<ComparedMessage> = {}): ComparedMessage {
  return {
    position: at,
    state: 'delivered',
    firstSeenMs: 0,
    listedBytes: 100,
    receivedBytes: 100,
    fingerprint: print(at),
    digest: print(at),
    attempts: 0,
    retryAfterMs: 0,
    deletions: 0,
    reason: null,
    goneSinceMs: null,
    deletion: null,
    harm: null,
    from: null,
    subject: null,
    deliveries: [],
    ...facts,
  }
}

const copiesOf = (n: number, facts: Partial<ComparedMessage> = {}): KnownCopy[] =>
  upTo(n).map((at) => ({ copy: at, known: known(at, facts) }))

const entriesOf = (n: number, uidl: (at: number) => string = () => 'same'): ListingEntry[] =>
  upTo(n).map((index) => ({ index, number: index + 1, uidl: uidl(index), copy: index, sizeBytes: 100 }))

/** As the server writes them; each UIDL is that of its place. */
function listed(n: number, uidl: (at: number) => string, piece = Infinity): Listing {
  const [sizes, uidls] = [new ListParser(), new ListParser()]
  const feed = (parser: ListParser, lines: readonly string[]): void => {
    const bytes = Buffer.from(lines.join(''))
    for (let at = 0; at < bytes.length; at += piece) parser.feed(bytes.subarray(at, at + piece))
  }
  feed(
    sizes,
    upTo(n).map((at) => `${at + 1} 100\r\n`),
  )
  feed(
    uidls,
    upTo(n).map((at) => `${at + 1} ${uidl(at)}\r\n`),
  )
  return Listing.ofFew(sizes, uidls)
}

/** In the opposite order of what is known. */
function looksOf(n: number): Looks {
  const header = (number: number): Promise<Buffer> => Promise.resolve(Buffer.from(`Subject: ${n - number}\r\n\r\n`))
  return new Looks({ header } as unknown as Session, { top: true, loseTop: () => {} })
}

const POLICY: Policy = {
  delete: { kind: 'after-delivery' },
  first: { kind: 'all' },
  limit: null,
  maxSizeBytes: 1,
  sessionLimit: 100,
  shows: () => false,
  isPaused: () => false,
  all: false,
  skippedToo: false,
  markSeen: false,
  restored: false,
  eager: true,
}

function planner(n: number, policy: Partial<Policy> = {}): Planner {
  return new Planner({ ...POLICY, ...policy }, n, true, 0, 0)
}

const quietSink = (): DecoderSink => ({ expects: () => true, status: () => false, body: () => {}, end: () => {} })

function fed(sink: DecoderSink, text: string, piece: number): void {
  const bytes = Buffer.from(text)
  const decoder = new Decoder(sink)
  for (let at = 0; at < bytes.length; at += piece) decoder.feed(bytes.subarray(at, at + piece))
}

const deferred = (uidl: string) => ({ uidl, kind: 'deferred', reason: '451 later', again: true }) as const

/** What is made before is not counted. */
interface Structure {
  readonly name: string
  readonly n: number
  readonly prepare: (n: number) => () => unknown
}

const STRUCTURES: readonly Structure[] = [
  {
    name: 'a listing, in one piece',
    n: 2000,
    prepare: (n) => () => listed(n, (at) => `uid-${at}`),
  },
  { name: 'a listing, seven bytes at a time', n: 2000, prepare: (n) => () => listed(n, (at) => `uid-${at}`, 7) },
  {
    name: 'the copies of one UIDL in a listing (P166)',
    n: 2000,
    prepare(n) {
      const listing = listed(n, () => 'same')
      return async () => {
        await listing.tellCopies()
        for (const entry of listing.slice(0, n)) if (entry.copy !== entry.index) throw new Error('another copy')
      }
    },
  },
  {
    name: 'copies told apart by their headers (P166)',
    n: 1000,
    prepare(n) {
      const [entries, copies] = [entriesOf(n), copiesOf(n)]
      const look = (at: number): Look => ({ fingerprint: print(at), stateBytes: 0, receivedMs: null, whole: null })
      const headers = new Map(entries.map((entry, at) => [entry, look(n - 1 - at)]))
      return () => {
        const match = new Match(entries, copies, headers)
        match.byHeader()
        match.bySize(true)
        if (match.identified().some((each) => each.known === null)) throw new Error('one was not matched')
      }
    },
  },
  {
    name: 'copies told apart by their sizes (P166)',
    n: 1000,
    prepare(n) {
      const [entries, copies] = [entriesOf(n), copiesOf(n, { fingerprint: null, digest: null, receivedBytes: null })]
      return () => {
        const match = new Match(entries, copies, new Map())
        match.byHeader()
        match.bySize(true)
        if (match.identified().some((each) => each.known === null)) throw new Error('one was not matched')
      }
    },
  },
  ...[1, 10].map((group) => ({
    name: `entries in doubt, looked at with TOP, ${group} of a UIDL (P166)`,
    n: 1000,
    prepare(n: number) {
      const entries = entriesOf(n, (at) => `uid-${at % (n / group)}`)
      const found = new Map(Map.groupBy(copiesOf(n), ({ copy }) => `uid-${copy % (n / group)}`))
      const comparison = { copies: () => Promise.resolve(found) } as unknown as Comparison
      return () => identify(entries, comparison, looksOf(n), false)
    },
  })),
  {
    name: 'what is remembered of copies (P166)',
    n: 1000,
    prepare(n) {
      const [entries, messages] = [entriesOf(n), upTo(n).map((at) => known(at))]
      return () => copiesMark(entries, messages, 0)
    },
  },
  ...(['open', 'held', 'seen', 'delivered'] as const).map((state) => ({
    name: `a plan for messages that are ${state}`,
    n: 1000,
    prepare(n: number) {
      const [entries, messages] = [entriesOf(n), upTo(n).map((at) => known(at, { state }))]
      return () => {
        const plan = planner(n)
        entries.forEach((entry, at) => plan.add(entry, messages[at] ?? null))
        plan.finish()
      }
    },
  })),
  {
    name: 'a plan for new messages',
    n: 1000,
    prepare(n) {
      const entries = entriesOf(n)
      return () => {
        const plan = planner(n, { maxSizeBytes: null, sessionLimit: 1e9 })
        for (const entry of entries) plan.add(entry, null)
        plan.finish()
      }
    },
  },
  ...([1, -1] as const).map((order) => ({
    name: `a listing held against what is settled, ${order === 1 ? 'in the same' : 'in the opposite'} order`,
    n: 1000,
    prepare(n: number) {
      const listing = listed(n, (at) => `uid-${at}`)
      const uidls = Buffer.from(
        upTo(n)
          .map((at) => `uid-${order === 1 ? at : n - 1 - at}\n`)
          .join(''),
      )
      const slice = { position: 0, uidls, listedBytes: new Float64Array(n).fill(100), deliveredSinceMs: null }
      return async () => {
        const settled = new SettledEntries(listing, true)
        await settled.add(slice)
        if (!settled.areAll) throw new Error('one was not found')
      }
    },
  })),
  {
    name: 'capabilities',
    n: 500,
    prepare: (n) => () =>
      parseCapabilities(
        Buffer.from(
          upTo(n)
            .map((at) => `X-${at}\r\n`)
            .join(''),
        ),
      ),
  },
  ...[1, 1000].map((piece) => ({
    name: `short answers, ${piece} bytes at a time`,
    n: 1000,
    prepare: (n: number) => () => fed(quietSink(), '+OK\r\n'.repeat(n), piece),
  })),
  ...[1, 1000].map((piece) => ({
    name: `one long answer, ${piece} bytes at a time`,
    n: 1000,
    prepare: (n: number) => () => fed(quietSink(), `+OK ${'x'.repeat(n)}\r\n`, piece),
  })),
  ...['.\r\n'.repeat(3), '..\r\n', '\r\n', '\r', 'text\r\n'].flatMap((line) =>
    [1, 1000].map((piece) => ({
      name: `a message of ${JSON.stringify(line)}, ${piece} bytes at a time`,
      n: 500,
      prepare: (n: number) => () => fed({ ...quietSink(), status: () => true }, `+OK\r\n${line.repeat(n)}`, piece),
    })),
  ),
  {
    name: 'messages that are held in a poll',
    n: 500,
    prepare: (n) => () => {
      const tally = new Tally('a', { progress: () => {}, note: () => {} }, () => 0)
      for (const at of upTo(n)) {
        tally.keep({ uidl: `uid-${at}`, copy: 0 }, { kept: 'own', as: 'deferred', isDue: true })
        tally.problem(deferred(`uid-${at}`))
      }
      tally.report()
    },
  },
  {
    name: 'deferred messages in the log of a daemon',
    n: 500,
    prepare(n) {
      const reports = upTo(n).map((at) => accountReport({ outcome: 'partial', problems: [deferred(`uid-${at}`)] }))
      return () => {
        const journal = new Journal(silentLog, () => 0)
        for (const report of reports)
          journal.ended({ account: account('work'), report, health: null, lateMs: 0, waitMs: 0, thrown: null })
      }
    },
  },
]

describe('four times as much is at most five times the work', () => {
  test.each(STRUCTURES)('$name', async ({ n, prepare }) => {
    await turn()
    const few = await stepsOf(prepare(n))
    const many = await stepsOf(prepare(4 * n))
    expect(few).toBeGreaterThan(10)
    expect(many / few, `${few} steps, ${many} steps`).toBeLessThanOrEqual(5)
  })

  test('and a square is noticed', async () => {
    const square = (n: number) => () => upTo(n).filter((at, _, all) => all.includes(n + at))
    expect((await stepsOf(square(400))) / (await stepsOf(square(100)))).toBeGreaterThan(10)
  })
})

describe('there is an end to', () => {
  test('a list: its bytes', () => {
    const parser = new ListParser()
    const chunk = Buffer.alloc(1024 * 1024, 'x')
    const feed = (): void => {
      for (let fed = 0; fed <= LISTING_BYTES_LIMIT; fed += chunk.length) parser.feed(chunk)
    }
    expect(feed).toThrow(`${LISTING_BYTES_LIMIT} bytes`)
  })

  test('an answer of one line', () => {
    expect(() => fed(quietSink(), 'x'.repeat(STATUS_LINE_LIMIT + 1), 100)).toThrow('where a short answer was expected')
  })

  test('capabilities: a hundred lines', () => {
    const { names, lines } = parseCapabilities(
      Buffer.from(
        upTo(CAPABILITIES_LIMIT)
          .map((at) => `X-${at}\r\n`)
          .join(''),
      ),
    )
    expect([names.size, lines.length]).toEqual([100, 100])
  })

  test('what a poll tells: a hundred messages, the rest are counts', () => {
    const tally = new Tally('a', { progress: () => {}, note: () => {} }, () => 0)
    for (const at of upTo(1000)) {
      tally.keep({ uidl: `uid-${at}`, copy: 0 }, { kept: 'own', as: 'deferred', isDue: true })
      tally.problem(deferred(`uid-${at}`))
    }
    const { problems, deferred: count } = tally.report()
    expect([problems.length, count]).toEqual([100, 1000])
  })

  test('what is remembered to have been told: twelve troubles, 400 characters', () => {
    const trouble = (at: number) => ({
      destination: `destination ${at} ${'x'.repeat(200)}`,
      recipient: `${at}@example.com`,
      error: { code: 'ERR_DELIVERY', message: `no ${at}`, retry: 'soon' as const },
    })
    const told = toldAfter(
      null,
      accountReport({ outcome: 'partial', troubles: upTo(500).map(trouble), deferred: 9 }),
      0,
    )
    expect(told?.state.split(', ')).toHaveLength(12)
    expect(told?.state.length).toBeLessThanOrEqual(400)
  })

  test('what is remembered of a destination: its row, what opened its rests, and the text of its last answer', () => {
    let record = blankDestination('smtp mail.example.org:25 alice', '')
    for (const at of upTo(2000)) {
      const same = `${at % 7} ${'x'.repeat(500)}`
      const conclusion = at % 3 === 0 ? 'BUSY' : 'TEMP'
      const text = 'y'.repeat(500)
      const answer = {
        conclusion,
        same,
        counts: true,
        isUnknown: false,
        step: 'dot',
        pauseMs: 0,
        aboutUs: false,
        ofFolder: false,
      } as const
      record = nextRest(
        record,
        {
          kind: 'answered',
          answer: { ...answer, spam: false, exit: 75, code: 'ERR_DELIVERY', text },
          message: `a 0 uid-${at}-${'z'.repeat(60)}`,
          refusedBefore: false,
          hasNext: false,
          secretMark: null,
          mintsTokens: false,
        },
        at * 60_000,
      ).record
    }
    expect(JSON.stringify(record).length).toBeLessThan(64 * 1024)
  })

  test('the jumps of a clock that are remembered', () => {
    let clock: AgeClock = ageClock({ lastMs: null, beforeMs: null }, 0)
    for (let year = 1; year < 200; year++) clock = ageClock(clock.checkpoints, year * 365 * 86_400_000)
    expect(JSON.stringify(clock.checkpoints.jumps).length).toBeLessThan(2000)
  })

  test('tokens that are remembered to be masked: three of each source', () => {
    const redactor = new Redactor()
    for (const at of upTo(1000)) redactor.add(`a-token-with-the-number-${at}-of-many`, 'the token of a')
    expect(redactor.load.secrets).toBe(3)
    expect(redactor.redact('a-token-with-the-number-999-of-many')).toBe('****')
  })
})
