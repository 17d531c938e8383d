import { describe, expect, test } from 'vitest'
import { guard, type GuardView } from '../../../src/poll/plan/guards.ts'
import type { Plan, PlannedDeletion } from '../../../src/poll/plan/plan.ts'

const plan: Plan = {
  listed: 0,
  new: 0,
  skipped: 0,
  waiting: 0,
  deferred: 0,
  withoutUidl: 0,
  fetch: [],
  left: 0,
  deletions: [],
  reprieved: [],
  fromFuture: [],
  holds: [],
  seen: null,
}

const view: GuardView = {
  account: 'old-isp',
  plan,
  hasHistory: true,
  wasRestored: false,
  openElsewhere: 0,
  lastAlive: null,
  imported: null,
  lastDelete: 'never',
  delete: 'never',
  firstWritten: false,
  showWhatTheyHave: false,
  yes: false,
  acceptNewIds: false,
}

function codeOf(facts: Partial<GuardView>): string | null {
  try {
    guard({ ...view, ...facts })
    return null
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'another error'
  }
}

const deletions = (length: number): readonly PlannedDeletion[] => Array.from({ length })

describe('the guard against changed UIDs (P080, S020)', () => {
  const changed = { lastAlive: 500, plan: { ...plan, listed: 500, new: 500 } }

  test('stops when nearly nothing of many is known any more, and names the command that goes on', () => {
    expect(codeOf(changed)).toBe('ERR_UIDS_CHANGED')
    expect(() => guard({ ...view, ...changed })).toThrow('popfetch --accept-new-ids old-isp')
  })

  test.each([
    ['it was asked to go on', { ...changed, acceptNewIds: true }],
    ['fewer than 20 were there', { ...changed, lastAlive: 19 }],
    ['the listing is less than half as long', { ...changed, plan: { ...plan, listed: 249, new: 249 } }],
    ['the listing has fewer than 20', { lastAlive: 20, plan: { ...plan, listed: 19, new: 19 } }],
    ['a tenth is known', { ...changed, plan: { ...plan, listed: 500, new: 450 } }],
    ['nothing was recorded before', { ...changed, lastAlive: null }],
  ])('lets through when %s', (_, facts) => expect(codeOf(facts)).toBeNull())
})

describe('the guard against a changed delete (S022)', () => {
  const many = { delete: 'after-delivery', plan: { ...plan, listed: 60, deletions: deletions(51) } }

  test('stops before it removes over 1000, or over 50 and over half', () => {
    expect(codeOf(many)).toBe('ERR_DELETE_GUARD')
    const thousand = { ...plan, listed: 5000, deletions: deletions(1001) }
    expect(codeOf({ delete: 'after-delivery', plan: thousand })).toBe('ERR_DELETE_GUARD')
    expect(() => guard({ ...view, ...many })).toThrow('popfetch --yes old-isp')
  })

  test.each([
    ['--yes was given', { ...many, yes: true }],
    ['delete did not change', { ...many, lastDelete: 'after-delivery' }],
    ['it is not over half', { ...many, plan: { ...plan, listed: 102, deletions: deletions(51) } }],
    ['it is 50', { ...many, plan: { ...plan, listed: 60, deletions: deletions(50) } }],
  ])('lets through when %s', (_, facts) => expect(codeOf(facts)).toBeNull())
})

describe('the guard of the first poll', () => {
  const flood = { hasHistory: false, plan: { ...plan, listed: 1001, new: 1001 } }

  test('stops before an old mailbox is sent on unasked', () => {
    expect(codeOf(flood)).toBe('ERR_FIRST_POLL')
    expect(() => guard({ ...view, ...flood })).toThrow('first: all, new or last:N')
  })

  test.each([
    ['first: is written', { ...flood, firstWritten: true }],
    ['it goes to Maildirs only', { ...flood, showWhatTheyHave: true }],
    ['there is history', { ...flood, hasHistory: true }],
    ['there are 1000', { ...flood, plan: { ...plan, listed: 1000 } }],
    ['--yes was given', { ...flood, yes: true }],
  ])('lets through when %s', (_, facts) => expect(codeOf(facts)).toBeNull())
})

describe('the guard of a ledger that was restored (S047)', () => {
  const copy = { wasRestored: true, plan: { ...plan, listed: 9, new: 1 } }

  test('stops before one message is sent on that the copy does not know, or that others than those who show it may have', () => {
    expect(codeOf(copy)).toBe('ERR_FIRST_POLL')
    expect(codeOf({ wasRestored: true, openElsewhere: 1, plan: { ...plan, listed: 9 } })).toBe('ERR_FIRST_POLL')
    expect(() => guard({ ...view, ...copy })).toThrow('popfetch --yes old-isp')
  })

  test.each([
    ['first: is written', { ...copy, firstWritten: true }],
    ['all destinations show what they have', { ...copy, showWhatTheyHave: true }],
    ['nothing is new', { ...copy, plan: { ...plan, listed: 9 } }],
    ['it was not restored', { ...copy, wasRestored: false }],
    ['--yes was given', { ...copy, yes: true }],
  ])('lets through when %s', (_, facts) => expect(codeOf(facts)).toBeNull())
})

describe('the guard of an imported record', () => {
  const misread = { imported: 2, plan: { ...plan, listed: 3, new: 3 } }

  test('stops before all comes again, when the server lists nothing of it', () => {
    expect(codeOf(misread)).toBe('ERR_UIDS_CHANGED')
    expect(() => guard({ ...view, ...misread })).toThrow('popfetch --accept-new-ids old-isp')
  })

  test.each([
    ['one of it is listed', { ...misread, plan: { ...plan, listed: 3, new: 2 } }],
    ['nothing is listed', { ...misread, plan }],
    ['there is no such record', { ...misread, imported: null }],
    ['--accept-new-ids was given', { ...misread, acceptNewIds: true }],
  ])('lets through when %s', (_, facts) => expect(codeOf(facts)).toBeNull())
})
