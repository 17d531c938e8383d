// Polls that did not take place because the ledger could not be used: how they are remembered, and for how long they are told.
import { describe, expect, test } from 'vitest'
import { PopfetchError } from '../../../src/errors.ts'
import { missedPolls, missedText, recordMissed } from '../../../src/status/remembered/missed.ts'

const NOW = 1.8e12
const MINUTE = 60_000

class Memo {
  text: string | null = null
  readonly memo = (): Promise<string | null> => Promise.resolve(this.text)
  readonly changeMemo = (_: string, change: (memo: string | null) => string | null): Promise<string | null> => {
    this.text = change(this.text)
    return Promise.resolve(this.text)
  }
}

const times = (from: number, to: number) => ({ sinceMs: NOW + from * MINUTE, untilMs: NOW + to * MINUTE })

test('each time is remembered with its machine, and told for a day', async () => {
  const ledger = new Memo()
  await recordMissed(ledger, 'm1', { ...times(0, 5), polls: 12, accounts: 10 })
  await recordMissed(ledger, 'm2', { ...times(1, 6), polls: 3, accounts: 3 })
  expect(await missedPolls(ledger, NOW + 60 * MINUTE)).toEqual([
    { machine: 'm2', ...times(1, 6), polls: 3, accounts: 3 },
    { machine: 'm1', ...times(0, 5), polls: 12, accounts: 10 },
  ])
  expect(await missedPolls(ledger, NOW + 24 * 60 * MINUTE + 5 * MINUTE)).toMatchObject([{ machine: 'm2' }])
  expect(await missedPolls(ledger, NOW + 25 * 60 * MINUTE)).toEqual([])
})

test('a database that comes and goes is told once', async () => {
  const ledger = new Memo()
  await recordMissed(ledger, 'm1', { ...times(0, 5), polls: 12, accounts: 10 })
  await recordMissed(ledger, 'm1', { ...times(9, 12), polls: 4, accounts: 2 })
  await recordMissed(ledger, 'm1', { ...times(40, 41), polls: 1, accounts: 1 })
  expect(await missedPolls(ledger, NOW + 60 * MINUTE)).toEqual([
    { machine: 'm1', ...times(40, 41), polls: 1, accounts: 1 },
    { machine: 'm1', ...times(0, 12), polls: 16, accounts: 10 },
  ])
})

test('a year of it stays small', async () => {
  const ledger = new Memo()
  for (let hour = 0; hour < 24 * 365; hour += 1)
    await recordMissed(ledger, 'm1', { ...times(60 * hour, 60 * hour + 1), polls: 1, accounts: 1 })
  expect(ledger.text?.length).toBeLessThan(3000)
})

test('where it cannot be recorded nothing fails', async () => {
  const away = new PopfetchError('ERR_LEDGER', 'the database is away', { scope: 'process', retry: 'soon' })
  const changeMemo = (): Promise<never> => Promise.reject(away)
  await recordMissed({ changeMemo }, 'm1', { ...times(0, 5), polls: 1, accounts: 1 })
})

test.each(['', 'null', '7', '{"machine":"m1"}', '[{"machine":7},[],null,{"machine":"m1","sinceMs":"x"}]'])(
  'a memo of another version is none: %s',
  async (text) => {
    const ledger = new Memo()
    ledger.text = text
    expect(await missedPolls(ledger, NOW)).toEqual([])
    await recordMissed(ledger, 'm1', { ...times(0, 5), polls: 1, accounts: 1 })
    expect(await missedPolls(ledger, NOW)).toHaveLength(1)
  },
)

describe('in words', () => {
  const missed = { machine: 'm\u202e1', ...times(0, 28), polls: 1, accounts: 1 }

  test('one account on one machine', () => {
    expect(missedText(missed, false)).toBe('the ledger could not be used for 28 min: 1 account was not polled')
  })

  test('many on one of several machines, whose name is printed safely', () => {
    expect(missedText({ ...missed, polls: 20, accounts: 10 }, true)).toBe(
      'the ledger could not be used by m\\u{202e}1 for 28 min: 10 accounts were not polled, 20 polls in all',
    )
  })
})
