import { expect, test } from 'vitest'
import { forgettable, isWhole, mayBeWindow } from '../../../src/poll/plan/prune.ts'

const DAY = 86_400_000

test.each([
  // listed, present, removed
  [10, 10, 0, true, 'all is there'],
  [5, 10, 0, true, 'half of it is gone'],
  [4, 10, 0, false, 'more than half of it is missing'],
  [0, 10, 0, false, 'the mailbox was full and cannot (P083)'],
  [0, 10, 10, true, 'all was deleted, and is gone'],
  [0, 10, 9, false, 'one message that was not deleted is missing'],
  [1, 100, 98, true, 'all but one of those that were deleted are gone'],
  [0, 0, 0, true, 'nothing was there'],
  [3, 0, 0, true, 'all is new'],
])(
  'a listing of %i where %i should be and %i were deleted is whole: %s, since %s',
  (listed, present, removed, whole) => {
    expect(isWhole({ listed, present, removed, listedBefore: null })).toBe(whole)
  },
)

test('as many messages as before, while some went, may be a window that moved on (P100)', () => {
  const view = { listed: 250, present: 260, removed: 0 }
  expect(mayBeWindow({ ...view, listedBefore: 250 })).toBe(true)
  expect(mayBeWindow({ ...view, listedBefore: null })).toBe(true)
  expect(mayBeWindow({ ...view, listedBefore: 251 })).toBe(false)
  expect(mayBeWindow({ ...view, listedBefore: 249 })).toBe(false)
})

test('thirty days and three listings lie between the first that lacked a message and its being forgotten', () => {
  expect(forgettable(100 * DAY)).toEqual({ goneUntilMs: 70 * DAY, listings: 3 })
})

test('a clock that jumped lets nothing be forgotten (S030)', () => {
  expect(forgettable(null)).toBeNull()
})
