// What a poll counts, where the order of its events is not the usual one.
import { expect, test } from 'vitest'
import { nameOfMessage } from '../../src/ledger/destination.ts'
import { Tally } from '../../src/poll/tally.ts'

const message = { uidl: 'uid-1', copy: 0 }
const told = { uidl: 'uid-1', copy: 0, destination: 'next', recipient: '', reason: '451 later' } as const

function tally(): Tally {
  return new Tally('old-isp', { progress: () => {}, note: () => {} }, () => 0)
}

function absolve(counts: Tally): void {
  counts.absolve([nameOfMessage('old-isp', message)])
}

test.each(['deferred', 'refused'] as const)(
  'a message that is %s for its own sake waits for the destination where that is found out, before or after',
  (as) => {
    const [before, after] = [tally(), tally()]
    absolve(before)
    for (const counts of [before, after]) {
      counts.keep(message, { kept: 'own', as, isDue: true })
      counts.problem({ ...told, kind: as })
    }
    absolve(after)
    for (const counts of [before, after]) {
      expect(counts.keptForItself(message)).toBe(false)
      expect([counts.deferred, counts.refused]).toEqual([1, 0])
      expect(counts.report().problems).toEqual([])
    }
  },
)

test('a message that is held stays held, and is told, whatever is found out of a destination', () => {
  const counts = tally()
  absolve(counts)
  counts.keep(message, { kept: 'own', as: 'held', isDue: true })
  counts.problem({ ...told, kind: 'held' })
  expect(counts.keptForItself(message)).toBe(true)
  expect(counts.report().problems).toHaveLength(1)
})
