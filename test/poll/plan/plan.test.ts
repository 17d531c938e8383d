import { describe, expect, test } from 'vitest'
import type { Delivery, KnownMessage } from '../../../src/ledger/ledger.ts'
import type { ListingEntry } from '../../../src/pop3/listing/listing.ts'
import { type Plan, Planner, type Policy } from '../../../src/poll/plan/plan.ts'

const NOW = Date.UTC(2026, 10, 24)
const DAY = 86_400_000

const policy: Policy = {
  delete: { kind: 'never' },
  first: { kind: 'default' },
  limit: null,
  maxSizeBytes: null,
  sessionLimit: Infinity,
  all: false,
  skippedToo: false,
  shows: () => false,
  isPaused: () => false,
  markSeen: false,
  restored: false,
  eager: false,
}

function entry(number: number, uidl = `u${number}`, sizeBytes: number | null = 1000): ListingEntry {
  return { index: number - 1, number, uidl, copy: 0, sizeBytes }
}

function known(facts: Partial<KnownMessage> = {}): KnownMessage {
  return {
    state: 'delivered',
    firstSeenMs: NOW - 10 * DAY,
    listedBytes: 1000,
    receivedBytes: 1000,
    fingerprint: null,
    digest: null,
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

function planned(
  rows: readonly (readonly [ListingEntry, KnownMessage | null])[],
  changed: Partial<Policy> = {},
  started = true,
): Plan {
  const planner = new Planner({ ...policy, ...changed }, rows.length, started, NOW, NOW)
  for (const [listed, message] of rows) planner.add(listed, message)
  return planner.finish()
}

const numbers = (entries: readonly ListingEntry[]): number[] => entries.map(({ number }) => number)

describe('a plan', () => {
  test('fetches what was never seen and leaves what was delivered', () => {
    const plan = planned([
      [entry(1), known()],
      [entry(2), null],
    ])
    expect(numbers(plan.fetch)).toEqual([2])
    expect(plan).toMatchObject({ listed: 2, new: 1, skipped: 1, deletions: [] })
  })

  test('deletes what was delivered when delete is after-delivery', () => {
    expect(numbers(planned([[entry(1), known()]], { delete: { kind: 'after-delivery' } }).deletions)).toEqual([1])
  })

  test.each([
    ['older than the age', 9 * DAY, [1]],
    ['as old as the age', 10 * DAY, [1]],
    ['younger than the age', 11 * DAY, []],
  ])('looks at the age since first seen: %s', (_, ageMs, deleted) => {
    expect(numbers(planned([[entry(1), known()]], { delete: { kind: 'age', ageMs } }).deletions)).toEqual(deleted)
  })

  test('takes a first-seen time in the future for age 0 (S031)', () => {
    const future = known({ firstSeenMs: NOW + 400 * DAY })
    expect(planned([[entry(1), future]], { delete: { kind: 'age', ageMs: DAY } }).deletions).toEqual([])
  })

  test.each(['delivered', 'open'] as const)(
    'begins again the age of what is %s and was seen by a clock that was ahead (S040)',
    (state) => {
      const rows = [
        [entry(1), known({ state, firstSeenMs: NOW + 1 })],
        [entry(2), known({ state, firstSeenMs: NOW })],
      ] as const
      expect(planned(rows).fromFuture).toEqual([{ uidl: 'u1', copy: 0 }])
      // Not by a clock that only this poll saw.
      const planner = new Planner(policy, 2, true, NOW, null)
      for (const [listed, message] of rows) planner.add(listed, message)
      expect(planner.finish().fromFuture).toEqual([])
    },
  )

  test.each([
    ['by a clock that was ahead by years', 3650, [1]],
    ['for a day', 1, []],
  ])('takes what was put off %s for due, or not (S030)', (_, days, fetched) => {
    const dueAfterMs = NOW + days * DAY
    const delivery: Delivery = {
      destination: 'next',
      recipient: '',
      state: 'failed',
      intent: '1',
      attempts: 1,
      unknowns: 0,
      refusals: 0,
      deferrals: 1,
      dueAfterMs,
      handedOver: false,
      conclusion: 'TEMP',
      error: 'later',
      machine: null,
    }
    const open = known({ state: 'open', retryAfterMs: dueAfterMs, deliveries: [delivery] })
    expect(numbers(planned([[entry(1), open]]).fetch)).toEqual(fetched)
  })

  test.each([
    [false, 2, 'fetch'],
    [false, 3, 'hold'],
    [true, 3, 'fetch'],
    [true, 30, 'fetch'],
  ] as const)(
    'the answer was lost (the destination shows what it has: %s, %i times): %s',
    (shows, unknowns, expected) => {
      const delivery: Delivery = {
        destination: 'inbox',
        recipient: '',
        state: 'unknown',
        intent: '1',
        attempts: unknowns,
        unknowns,
        refusals: 0,
        deferrals: 0,
        dueAfterMs: 0,
        handedOver: true,
        conclusion: 'LOST',
        error: 'lost',
        machine: null,
      }
      const plan = planned([[entry(1), known({ state: 'open', deliveries: [delivery] })]], {
        shows: (name) => shows && name === 'inbox',
      })
      expect({ fetch: plan.fetch.length, hold: plan.holds.length }).toEqual({
        fetch: expected === 'fetch' ? 1 : 0,
        hold: expected === 'hold' ? 1 : 0,
      })
    },
  )

  test('never deletes what `first` skipped, nor what is open or held', () => {
    const rows = (['seen', 'open', 'held'] as const).map((state, at) => [entry(at + 1), known({ state })] as const)
    expect(planned(rows, { delete: { kind: 'after-delivery' } }).deletions).toEqual([])
  })

  test.each([
    ['new', { kind: 'new' }, [], [1, 2, 3]],
    ['last:2', { kind: 'last', count: 2 }, [2, 3], [1]],
    ['all', { kind: 'all' }, [1, 2, 3], []],
  ] as const)('obeys first: %s on the very first poll', (_, first, fetched, seen) => {
    const rows = [1, 2, 3].map((number) => [entry(number), null] as const)
    const plan = planned(rows, { first }, false)
    expect(numbers(plan.fetch)).toEqual(fetched)
    expect(rows.filter(([{ index }]) => plan.seen?.places.has(index)).map(([{ number }]) => number)).toEqual(seen)
  })

  test('ignores `first` after the first poll', () => {
    const plan = planned([[entry(1), null]], { first: { kind: 'new' } })
    expect(numbers(plan.fetch)).toEqual([1])
    expect(plan.seen).toBeNull()
  })

  test('holds what is announced as larger than maxSize and does not fetch it', () => {
    const plan = planned([[entry(1, 'big', 5000), null]], { maxSizeBytes: 4999 })
    expect(plan.fetch).toEqual([])
    expect(plan.holds).toMatchObject([{ uidl: 'big', reason: 'too large: 5000 bytes, maxSize is 4999' }])
  })

  test('puts those that failed before last, and the limit counts after that', () => {
    const failed = known({ state: 'open', reason: 'cut' })
    const rows = [
      [entry(1), failed],
      [entry(2), null],
      [entry(3), null],
    ] as const
    expect(numbers(planned(rows).fetch)).toEqual([2, 3, 1])
    expect(numbers(planned(rows, { limit: 2 }).fetch)).toEqual([2, 3])
  })

  test('leaves to a next session what one should not carry, unless the limit says less (P154)', () => {
    const rows = [1, 2, 3, 4, 5].map((number) => [entry(number), null] as const)
    expect(planned(rows, { sessionLimit: 2 })).toMatchObject({ left: 3, new: 5 })
    expect(numbers(planned(rows, { sessionLimit: 2 }).fetch)).toEqual([1, 2])
    expect(planned(rows, { sessionLimit: 2, limit: 2 }).left).toBe(0)
    expect(planned(rows, { sessionLimit: 2, limit: 4 }).left).toBe(2)
  })

  test('waits for the pause of a refused message', () => {
    const refused = known({ state: 'open', retryAfterMs: NOW + 1 })
    expect(planned([[entry(1), refused]])).toMatchObject({ waiting: 1, fetch: [] })
    expect(numbers(planned([[entry(1), known({ state: 'open', retryAfterMs: NOW })]]).fetch)).toEqual([1])
  })

  test('holds a message that was begun five times without being finished (P122)', () => {
    const plan = planned([[entry(1), known({ state: 'open', attempts: 5 })]])
    expect(plan.fetch).toEqual([])
    expect(plan.holds).toHaveLength(1)
  })

  test('fetches delivered ones again with --all, but not what `first` skipped', () => {
    const rows = [
      [entry(1), known()],
      [entry(2), known({ state: 'seen' })],
    ] as const
    expect(numbers(planned(rows, { all: true }).fetch)).toEqual([1])
  })

  test('counts what it was told to leave alone (P091)', () => {
    const planner = new Planner(policy, 1, true, NOW, NOW)
    planner.leave(1)
    expect(planner.finish()).toMatchObject({ withoutUidl: 1, fetch: [], new: 0 })
  })
})
