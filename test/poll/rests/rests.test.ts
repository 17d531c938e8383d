// The state machine of rests: every conclusion, one after another on different messages, where it is alone, in a list, or has a
// next one. What is taken, asked for by a person, or comes again after a rest.
import { describe, expect, test } from 'vitest'
import { blankDestination, nameOfMessage } from '../../../src/ledger/destination.ts'
import type { DestinationRecord } from '../../../src/ledger/ledger.ts'
import type { Answer } from '../../../src/poll/rests/answer.ts'
import { type Answered, doorOf, nextRest, type Step } from '../../../src/poll/rests/rests.ts'

const NOW = 1_800_000_000_000
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const BLANK = blankDestination('smtp mail.example.org:25 alice', '')

function answer(conclusion: Answer['conclusion'], more: Partial<Answer> = {}): Answer {
  const counts = ['TEMP', 'BAD', 'CUT', 'LOST'].includes(conclusion)
  const rest = {
    isUnknown: false,
    step: '',
    pauseMs: 0,
    aboutUs: false,
    ofFolder: false,
    spam: false,
    exit: 75,
    code: 'ERR_DELIVERY',
    text: `says ${conclusion}`,
  }
  return { conclusion, same: conclusion, counts, ...rest, ...more }
}

function answered(
  conclusion: Answer['conclusion'],
  at: number | null,
  more: Partial<Answered & { facts: Partial<Answer> }> = {},
): Answered {
  const { facts, ...event } = more
  const message = at === null ? null : nameOfMessage('a', { uidl: `uid-${at}`, copy: 0 })
  return {
    kind: 'answered',
    answer: answer(conclusion, facts),
    message,
    refusedBefore: false,
    hasNext: false,
    secretMark: null,
    mintsTokens: false,
    ...event,
  }
}

/** The same answer to this many different messages, one after another. */
function row(event: (at: number) => Answered, times: number, from: DestinationRecord = BLANK): Step {
  let step: Step = { record: from, speaksOf: 'message', absolved: [] }
  for (let at = 0; at < times; at++) step = nextRest(step.record, event(at), NOW)
  return step
}

interface Expected {
  readonly conclusion: Answer['conclusion']
  /** The conclusion of the rest after the first, the third, the tenth answer; null: there is none. */
  readonly rests: readonly [string | null, string | null, string | null]
  /** The same where another destination takes what this one refuses. */
  readonly withNext: readonly [string | null, string | null, string | null]
}
const always = (conclusion: Answer['conclusion']): Expected => ({
  conclusion,
  rests: [conclusion, conclusion, conclusion],
  withNext: [conclusion, conclusion, conclusion],
})
const never = (conclusion: Answer['conclusion']): Expected => ({
  conclusion,
  rests: [null, null, null],
  withNext: [null, null, null],
})
const TABLE: readonly Expected[] = [
  always('DOWN'),
  always('TLS'),
  always('SIGN'),
  always('ACT'),
  always('BUSY'),
  always('RCPT'),
  always('ROOM'),
  never('SENDER'),
  never('FORM'),
  never('HELD'),
  { conclusion: 'TEMP', rests: [null, 'BUSY', 'BUSY'], withNext: [null, null, null] },
  { conclusion: 'BAD', rests: [null, null, 'BUSY'], withNext: [null, null, null] },
  { conclusion: 'CUT', rests: [null, 'DOWN', 'DOWN'], withNext: [null, null, null] },
  { conclusion: 'LOST', rests: [null, 'BUSY', 'BUSY'], withNext: [null, null, null] },
]

describe.each(TABLE)('$conclusion', ({ conclusion, rests, withNext }) => {
  test.each([
    [1, false, rests[0]],
    [3, false, rests[1]],
    [10, false, rests[2]],
    [1, true, withNext[0]],
    [3, true, withNext[1]],
    [10, true, withNext[2]],
  ])('%i times in a row, with a next destination: %s, leads to the rest %s', (times, hasNext, expected) => {
    const step = row((at) => answered(conclusion, at, { hasNext }), times)
    expect(step.record.rest?.conclusion ?? null).toBe(expected)
    const staysOwn = expected === null || conclusion === 'LOST'
    expect(step.speaksOf).toBe(staysOwn ? 'message' : 'destination')
  })

  test('counts once for one message, however often it comes', () => {
    const step = row(() => answered(conclusion, 1), 12)
    const opens = rests[0] !== null
    expect(step.record.rest?.conclusion ?? null).toBe(opens ? conclusion : null)
  })

  test('that is not to count in a row opens nothing by being repeated', () => {
    const step = row((at) => answered(conclusion, at, { facts: { counts: false } }), 10)
    // What ends a connection in mid-message is a sign, whatever else it is.
    const isEnd = conclusion === 'CUT' || conclusion === 'LOST'
    expect(step.record.rest?.conclusion ?? null).toBe(rests[isEnd ? 2 : 0])
  })

  test('of messages that were refused before opens nothing by being repeated', () => {
    const step = row((at) => answered(conclusion, at, { refusedBefore: true }), 10)
    expect(step.record.rest?.conclusion ?? null).toBe(rests[0])
  })

  test('is no longer in a row once a message was taken', () => {
    let { record } = row((at) => answered(conclusion, at), 1)
    for (let at = 10; at < 20; at++) {
      record = nextRest(record, { kind: 'taken' }, NOW).record
      record = nextRest(record, answered(conclusion, at), NOW).record
    }
    expect(record.rest?.conclusion ?? null).toBe(rests[0])
  })
})

test('equal answers are those with the same codes: others in between begin the row again (D118)', () => {
  const mixed = (at: number): Answered =>
    answered('TEMP', at, { facts: { same: at % 2 === 0 ? '451 7.60' : '450 4.2' } })
  expect(row(mixed, 10).record.rest).toBeNull()
})

test('three refusals that speak of us open a rest, and all of them were the destination (D118)', () => {
  const about = (at: number): Answered => answered('BAD', at, { facts: { aboutUs: true, same: '550 7.60' } })
  expect(row(about, 2).record.rest).toBeNull()
  const step = row(about, 3)
  expect(step.record.rest?.conclusion).toBe('BUSY')
  expect(step.absolved).toEqual([0, 1].map((at) => nameOfMessage('a', { uidl: `uid-${at}`, copy: 0 })))
})

test('ten refusals of any words open a rest, and all of them are only deferred (D118, P4)', () => {
  const any = (at: number): Answered => answered('BAD', at, { facts: { same: `55${at}` } })
  const step = row(any, 10)
  expect(step).toMatchObject({ speaksOf: 'destination', record: { rest: { conclusion: 'BUSY' } } })
  expect(step.absolved).toHaveLength(9)
})

/** How long each rest is when nothing else ever happens. */
function pauses(event: (at: number) => Answered, times: number): number[] {
  let record = BLANK
  let nowMs = NOW
  return Array.from({ length: times }, (_, at) => {
    record = nextRest(record, event(at), nowMs).record
    const pauseMs = (record.rest?.untilMs ?? nowMs) - nowMs
    nowMs += pauseMs
    return pauseMs
  })
}

describe('a rest grows', () => {
  const minutes = (...list: number[]): number[] => list.map((each) => each * MINUTE)
  test.each([
    ['DOWN', minutes(1, 2, 4, 8, 16, 32, 60, 60)],
    ['TLS', minutes(1, 2, 4, 8, 16, 32, 60, 60)],
    ['BUSY', minutes(15, 30, 60, 120, 240, 240)],
    ['RCPT', minutes(15, 30, 60, 120, 240, 240)],
    ['ROOM', minutes(15, 30, 60, 120, 240, 240)],
    ['ACT', minutes(15, 30, 60, 120, 240, 240)],
    ['SIGN', minutes(0, 0, 15, 30, 60, 120, 240, 480, 960, 1440, 1440)],
  ] as const)('after %s by these pauses', (conclusion, expected) => {
    expect(pauses((at) => answered(conclusion, at), expected.length)).toEqual(expected)
  })

  test('where a look tells what is missing, by nothing: each poll looks', () => {
    expect(pauses(() => answered('ACT', null), 4)).toEqual([0, 0, 0, 0])
  })

  test('as long as the destination asks, a day at most', () => {
    expect(pauses((at) => answered('BUSY', at, { facts: { pauseMs: 40_000 } }), 2)).toEqual([40_000, 40_000])
    expect(pauses((at) => answered('BUSY', at, { facts: { pauseMs: 90 * HOUR } }), 1)).toEqual([24 * HOUR])
  })

  test('again for another secret', () => {
    const event = (at: number): Answered => answered('SIGN', null, { secretMark: at < 4 ? 1 : 2 })
    expect(pauses(event, 7)).toEqual(minutes(0, 0, 15, 30, 0, 0, 15))
  })
})

describe('after a rest', () => {
  const busy = nextRest(BLANK, answered('BUSY', 1), NOW).record
  test('nothing, then one message alone; at once where a person asks', () => {
    expect(doorOf(BLANK, NOW, true)).toBe('open')
    expect(doorOf(busy, NOW + 15 * MINUTE - 1, true)).toBe('rest')
    expect(doorOf(busy, NOW + 15 * MINUTE, true)).toBe('probe')
    expect(doorOf(nextRest(busy, { kind: 'eager' }, NOW).record, NOW, true)).toBe('probe')
  })

  test('a clock that was set back by more than a day does not keep it closed (S030)', () => {
    expect(doorOf(busy, NOW - 24 * HOUR, true)).toBe('probe')
  })

  test('one poll looks at once whether a destination is back that was away, unless it named a pause', () => {
    const down = nextRest(BLANK, answered('DOWN', null), NOW).record
    expect([doorOf(down, NOW, true), doorOf(down, NOW, false)]).toEqual(['rest', 'probe'])
    expect(doorOf(busy, NOW, false)).toBe('rest')
    const asked = nextRest(BLANK, answered('DOWN', null, { facts: { pauseMs: HOUR } }), NOW).record
    expect(doorOf(asked, NOW, false)).toBe('rest')
  })

  test('a message that is taken ends it and its doubling', () => {
    const twice = nextRest(busy, answered('BUSY', 2), NOW).record
    const open = nextRest(twice, { kind: 'taken' }, NOW).record
    expect(open).toMatchObject({ rest: null, row: [], lastSuccessMs: NOW })
    expect(nextRest(open, answered('BUSY', 3), NOW).record.rest).toMatchObject({ step: 0, untilMs: NOW + 15 * MINUTE })
  })

  test('what opened it opens none again once another one was taken', () => {
    const open = nextRest(busy, { kind: 'taken' }, NOW).record
    expect(nextRest(open, answered('BUSY', 1), NOW)).toMatchObject({ speaksOf: 'message', record: { rest: null } })
    expect(nextRest(open, answered('BUSY', 2), NOW).speaksOf).toBe('destination')
  })

  test.each(['BUSY', 'RCPT', 'ROOM', 'TEMP', 'BAD', 'CUT'] as const)(
    'what opened it is offered alone where nothing else waits: %s again is its next step',
    (conclusion) => {
      const { record } = row((at) => answered(conclusion, at), 10)
      const step = nextRest(record, answered(conclusion, 1), NOW + HOUR)
      expect(step).toMatchObject({ speaksOf: 'destination', absolved: [] })
      const { rest } = step.record
      expect(rest?.step).toBe((record.rest?.step ?? 0) + 1)
      // Mail of other accounts goes first the next time: half of the pause.
      expect(rest?.openersUntilMs).toBe((rest?.untilMs ?? 0) + ((rest?.untilMs ?? 0) - NOW - HOUR) / 2)
    },
  )

  test('what opened it and now gets another answer says nothing of the destination', () => {
    const { record } = row((at) => answered('TEMP', at), 3)
    const step = nextRest(record, answered('TEMP', 1, { facts: { same: 'another' } }), NOW + HOUR)
    expect(step).toMatchObject({ speaksOf: 'message', record: { rest: record.rest } })
  })

  test.each([
    ['ACT', null, true],
    ['ACT', 1, false],
    ['DOWN', null, false],
    ['SIGN', null, false],
    ['BUSY', 1, false],
  ] as const)('a look that finds all well ends one of %s, opened by message %s: %s', (conclusion, message, ends) => {
    const { record } = nextRest(BLANK, answered(conclusion, message), NOW)
    expect(nextRest(record, { kind: 'ready' }, NOW + HOUR).record.rest === null).toBe(ends)
  })

  test('the next one of a row that opened it is enough', () => {
    const { record } = row((at) => answered('TEMP', at), 3)
    const step = nextRest(record, answered('TEMP', 9), NOW + 15 * MINUTE)
    expect(step).toMatchObject({ speaksOf: 'destination', record: { rest: { step: 1 } } })
  })

  test('a refusal of the message itself neither ends it nor is a step of it', () => {
    const step = nextRest(busy, answered('BAD', 2), NOW + 15 * MINUTE)
    expect(step).toMatchObject({ speaksOf: 'message', record: { rest: busy.rest } })
  })

  test('what it remembers is bounded', () => {
    const long = row((at) => answered('BUSY', at), 500).record
    expect(long.rest?.openers).toHaveLength(50)
    const over = nextRest(long, { kind: 'taken' }, NOW).record
    expect(over.former).toHaveLength(50)
  })
})
