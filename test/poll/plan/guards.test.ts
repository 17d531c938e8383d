// The guards as tables: each number from both sides, and everything that goes past it.
import { describe, expect, test } from 'vitest'
import { changedForMany, guard, type GuardView, isChangedForMany } from '../../../src/poll/plan/guards.ts'
import { BitSet } from '../../../src/bit-set.ts'
import type { PlannedDeletion } from '../../../src/poll/plan/entry.ts'
import type { Plan } from '../../../src/poll/plan/plan.ts'

const plan: Plan = {
  listed: 0,
  new: 0,
  skipped: 0,
  waiting: 0,
  held: 0,
  deferred: 0,
  deferredSinceMs: null,
  paused: 0,
  withoutUidl: 0,
  fetch: [],
  left: 0,
  deletions: [],
  reprieved: [],
  fromFuture: [],
  holds: [],
  seen: null,
  unadopted: [],
  more: new BitSet(),
  agesMs: null,
}

const view: GuardView = {
  account: 'old-isp',
  plan,
  hasHistory: true,
  wasRestored: false,
  openElsewhere: 0,
  openKnown: 0,
  lastAlive: null,
  imported: null,
  lastDelete: 'never',
  delete: 'never',
  changedDeletes: 0,
  firstWritten: false,
  firstAnswered: false,
  showWhatTheyHave: false,
  newIds: null,
  yes: false,
  acceptNewIds: false,
  markSeen: false,
}

function stopOf(facts: Partial<GuardView>): { code: string; message: string } | null {
  try {
    guard({ ...view, ...facts })
    return null
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    return { code: String(error.code), message: error.message }
  }
}

const codeOf = (facts: Partial<GuardView>): string | null => stopOf(facts)?.code ?? null
const planOf = (facts: Partial<Plan>): Partial<GuardView> => ({ plan: { ...plan, ...facts } })
const deletions = (length: number): readonly PlannedDeletion[] => Array.from({ length })

/** Every choice of what a person may say. */
const SAID = [false, true].flatMap((yes) =>
  [false, true].flatMap((markSeen) => [false, true].map((acceptNewIds) => ({ yes, markSeen, acceptNewIds }))),
)

const wordsOf = (said: (typeof SAID)[number]): string =>
  Object.entries(said)
    .flatMap(([word, given]) => (given ? [word] : []))
    .join(' and ') || 'nothing'

describe('the guard against changed UIDs (P080, S020)', () => {
  const changed = { lastAlive: 500, ...planOf({ listed: 500, new: 500 }) }

  test('stops when nearly nothing of many is known any more, and names the command that goes on', () => {
    expect(stopOf(changed)).toEqual({
      code: 'ERR_UIDS_CHANGED',
      message: expect.stringContaining('popfetch --accept-new-ids old-isp'),
    })
  })

  test.each([
    ['20 were there', { lastAlive: 20, ...planOf({ listed: 20, new: 20 }) }, true],
    ['19 were there', { lastAlive: 19, ...planOf({ listed: 500, new: 500 }) }, false],
    ['the listing has 19', { lastAlive: 20, ...planOf({ listed: 19, new: 19 }) }, false],
    ['the listing is half as long', { lastAlive: 500, ...planOf({ listed: 250, new: 250 }) }, true],
    ['the listing is less than half as long', { lastAlive: 500, ...planOf({ listed: 249, new: 249 }) }, false],
    ['a tenth is known', { lastAlive: 500, ...planOf({ listed: 500, new: 450 }) }, false],
    ['under a tenth is known', { lastAlive: 500, ...planOf({ listed: 500, new: 451 }) }, true],
    [
      'all that should be there is known, among much that came since',
      { lastAlive: 20, ...planOf({ listed: 500, new: 480 }) },
      false,
    ],
    ['2 of 20 are known among much that came since', { lastAlive: 20, ...planOf({ listed: 500, new: 498 }) }, false],
    ['1 of 20 is', { lastAlive: 20, ...planOf({ listed: 500, new: 499 }) }, true],
    ['nothing was recorded before', { lastAlive: null, ...planOf({ listed: 500, new: 500 }) }, false],
  ])('when %s', (_, facts, stops) => expect(codeOf(facts)).toBe(stops ? 'ERR_UIDS_CHANGED' : null))

  test.each(SAID.map((said) => [wordsOf(said), said] as const))(
    'is answered by --accept-new-ids alone: %s',
    (_, said) => {
      expect(codeOf({ ...changed, ...said })).toBe(said.acceptNewIds ? null : 'ERR_UIDS_CHANGED')
    },
  )
})

describe('the guard of what is known by its UID alone, under new UIDs (M010)', () => {
  const bare = { acceptNewIds: true, newIds: { matched: 0, bare: 40 }, ...planOf({ listed: 45, new: 45 }) }

  test('says how many cannot be matched, and both commands that go on', () => {
    const { code, message } = stopOf({ ...bare, newIds: { matched: 7, bare: 40 } }) ?? {}
    expect(code).toBe('ERR_UIDS_CHANGED')
    for (const part of ['7 messages were matched', '45 messages', 'for 40']) expect(message).toContain(part)
    expect(message).toContain('popfetch --accept-new-ids --mark-seen old-isp')
    expect(message).toContain('popfetch --accept-new-ids --yes old-isp')
  })

  test.each([
    ['one is known by its UID alone', { newIds: { matched: 0, bare: 1 } }, true],
    ['none is', { newIds: { matched: 0, bare: 0 } }, false],
    ['one on the server is unknown', planOf({ listed: 45, new: 1 }), true],
    ['none is', planOf({ listed: 45, new: 0 }), false],
    ['nothing is taken over', { newIds: null }, false],
  ])('when %s', (_, facts, stops) => expect(codeOf({ ...bare, ...facts })).toBe(stops ? 'ERR_UIDS_CHANGED' : null))

  test.each(SAID.map((said) => [wordsOf(said), said] as const))(
    'is answered by --mark-seen and --yes: %s',
    (_, said) => {
      expect(codeOf({ ...bare, ...said })).toBe(said.yes || said.markSeen ? null : 'ERR_UIDS_CHANGED')
    },
  )
})

describe('the guard against a changed delete (S022)', () => {
  const many = { delete: 'after-delivery', ...planOf({ listed: 60, deletions: deletions(51) }) }

  test('names the command that goes on', () => {
    expect(stopOf(many)).toEqual({
      code: 'ERR_DELETE_GUARD',
      message: expect.stringContaining('popfetch --yes old-isp'),
    })
  })

  test.each([
    ['1000 of many', 1000, 5000, false],
    ['1001 of many', 1001, 5000, true],
    ['50 of 60', 50, 60, false],
    ['51 of 60', 51, 60, true],
    ['51 of 102, half', 51, 102, false],
    ['52 of 102, over half', 52, 102, true],
    ['1000 of 1000', 1000, 1000, true],
  ])('for %s', (_, count, listed, stops) => {
    const facts = { delete: 'after-delivery', ...planOf({ listed, deletions: deletions(count) }) }
    expect(codeOf(facts)).toBe(stops ? 'ERR_DELETE_GUARD' : null)
    expect(codeOf({ ...facts, lastDelete: 'after-delivery' })).toBeNull()
    expect(codeOf({ ...facts, lastDelete: null })).toBeNull()
  })

  test.each([
    ['20 accounts', 20, 'after-delivery', false],
    ['21 accounts', 21, 'after-delivery', true],
    ['21 accounts to an age', 21, '30d', true],
    ['21 accounts of others, and here to never', 21, 'never', false],
  ])('changed at once for %s, whatever is removed now', (_, changedDeletes, wanted, stops) => {
    for (const count of [0, 1]) {
      const facts = {
        changedDeletes,
        lastDelete: '7d',
        delete: wanted,
        ...planOf({ listed: 9, deletions: deletions(count) }),
      }
      expect(codeOf(facts)).toBe(stops ? 'ERR_DELETE_GUARD' : null)
      expect(codeOf({ ...facts, lastDelete: wanted })).toBeNull()
    }
  })

  test.each(SAID.map((said) => [wordsOf(said), said] as const))('is answered by --yes alone: %s', (_, said) => {
    expect(codeOf({ ...many, ...said })).toBe(said.yes ? null : 'ERR_DELETE_GUARD')
    const changed = { changedDeletes: 21, delete: '30d' }
    expect(codeOf({ ...changed, ...said })).toBe(said.yes ? null : 'ERR_DELETE_GUARD')
  })

  test('says the same of a configuration that is to be taken over', () => {
    expect([isChangedForMany(20), isChangedForMany(21)]).toEqual([false, true])
    expect(changedForMany(21, 'popfetch reload --yes').message).toMatch(/21 accounts .*popfetch reload --yes$/)
  })
})

describe('the guard of the first poll', () => {
  const flood = { hasHistory: false, ...planOf({ listed: 201, new: 201 }) }

  test('names what can be written, and both commands that go on', () => {
    const { code, message } = stopOf(flood) ?? {}
    expect(code).toBe('ERR_FIRST_POLL')
    expect(message).toContain('first: all, new, last:N or since:DATE')
    expect(message).toContain('popfetch --mark-seen old-isp')
    expect(message).toContain('popfetch --yes old-isp')
  })

  test.each([
    ['200 are unknown', planOf({ listed: 200, new: 200 }), false],
    ['201 are unknown', planOf({ listed: 201, new: 201 }), true],
    ['200 of 300 are unknown', planOf({ listed: 300, new: 200 }), false],
    ['201 stand at a destination, and others may lack them', { openElsewhere: 201, ...planOf({ listed: 201 }) }, true],
    ['100 do, and 100 are unknown', { openElsewhere: 100, ...planOf({ listed: 200, new: 100 }) }, false],
  ])('when %s', (_, facts, stops) => {
    for (const firstWritten of [false, true])
      for (const showWhatTheyHave of [false, true])
        for (const hasHistory of [false, true]) {
          const asks = stops && !firstWritten && !showWhatTheyHave && !hasHistory
          const code = codeOf({ ...facts, firstWritten, showWhatTheyHave, hasHistory })
          expect(code, JSON.stringify({ firstWritten, showWhatTheyHave, hasHistory })).toBe(
            asks ? 'ERR_FIRST_POLL' : null,
          )
        }
  })

  test.each(SAID.map((said) => [wordsOf(said), said] as const))(
    'is answered by --mark-seen and --yes: %s',
    (_, said) => {
      expect(codeOf({ ...flood, ...said })).toBe(said.yes || said.markSeen ? null : 'ERR_FIRST_POLL')
    },
  )
})

describe('the guard of a ledger that was restored (S047)', () => {
  const copy = { wasRestored: true, ...planOf({ listed: 9, new: 1 }) }

  test.each([
    ['one is unknown', planOf({ listed: 9, new: 1 }), true],
    ['none is', planOf({ listed: 9 }), false],
    ['one stands at a destination, and others may lack it', { openElsewhere: 1, ...planOf({ listed: 9 }) }, true],
    ['one is open, as far as it knows', { openKnown: 1, ...planOf({ listed: 9 }) }, true],
  ])('when %s', (_, facts, stops) => {
    for (const wasRestored of [false, true])
      for (const firstWritten of [false, true])
        for (const showWhatTheyHave of [false, true]) {
          const asks = stops && wasRestored && !firstWritten && !showWhatTheyHave
          expect(codeOf({ ...facts, wasRestored, firstWritten, showWhatTheyHave })).toBe(asks ? 'ERR_FIRST_POLL' : null)
        }
  })

  test('asks though init was answered: that was about the first poll', () => {
    expect(codeOf({ ...copy, firstAnswered: true })).toBe('ERR_FIRST_POLL')
  })

  test('names what can be written, and both commands that go on', () => {
    const { message } = stopOf(copy) ?? {}
    for (const part of ['first: all, new', 'popfetch --mark-seen old-isp', 'popfetch --yes old-isp'])
      expect(message).toContain(part)
  })

  test.each(SAID.map((said) => [wordsOf(said), said] as const))(
    'is answered by --mark-seen and --yes: %s',
    (_, said) => {
      expect(codeOf({ ...copy, ...said })).toBe(said.yes || said.markSeen ? null : 'ERR_FIRST_POLL')
    },
  )
})

describe('the guard of an imported record', () => {
  const misread = { imported: 2, ...planOf({ listed: 3, new: 3 }) }

  test('stops before all comes again, when the server lists nothing of it', () => {
    const { code, message } = stopOf(misread) ?? {}
    expect(code).toBe('ERR_UIDS_CHANGED')
    expect(message).toContain('popfetch --accept-new-ids --yes old-isp')
    expect(message).toContain('popfetch --accept-new-ids --mark-seen old-isp')
  })

  test.each([
    ['one of it is listed', { ...misread, ...planOf({ listed: 3, new: 2 }) }],
    ['nothing is listed', { ...misread, plan }],
    ['there is no such record', { ...misread, imported: null }],
    ['--accept-new-ids was given', { ...misread, acceptNewIds: true }],
  ])('lets through when %s', (_, facts) => expect(codeOf(facts)).toBeNull())
})
