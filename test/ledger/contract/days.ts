// What the days of an account brought, what is remembered of no account, and the first messages that are not settled.
import { expect, test } from 'vitest'
import { DAYS_KEPT } from '../../../src/ledger/account.ts'
import { freshLedger, type Kind } from '../kind.ts'
import { beginning, DONE, key, leaseOf, pollEnd, settlement } from '../scene.ts'

const DAY_MS = 86_400_000
const COUNTS = { delivered: 2, bytes: 5000, failures: 1, longestWaitMs: 300 }
/** Noon of a day. */
const NOON = 20_800.5 * DAY_MS

export function days(kind: Kind): void {
  test('polls of one day add up, but for the longest wait; a poll that brought nothing adds no day', async () => {
    let nowMs = NOON
    const ledger = await freshLedger(kind, { nowMs: () => nowMs })
    const lease = await leaseOf(ledger, 'a')
    expect(await ledger.records.days(30)).toEqual(new Map())
    await ledger.finish(lease, pollEnd({ day: COUNTS }))
    await ledger.finish(lease, pollEnd({ day: { delivered: 1, bytes: 7, failures: 0, longestWaitMs: 200 } }))
    nowMs += DAY_MS
    await ledger.finish(lease, pollEnd({ day: null }))
    nowMs += DAY_MS
    await ledger.finish(lease, pollEnd({ day: COUNTS }))
    const first = { startMs: NOON - DAY_MS / 2, delivered: 3, bytes: 5007, failures: 1, longestWaitMs: 300 }
    const third = { startMs: NOON + 1.5 * DAY_MS, ...COUNTS }
    expect(await ledger.records.days(30)).toEqual(new Map([['a', [first, third]]]))
    expect(await ledger.records.days(2)).toEqual(new Map([['a', [third]]]))
  })

  test('of an account 90 days are kept, and none that a clock wrote which was ahead (S040)', async () => {
    let nowMs = NOON + 4000 * DAY_MS
    const ledger = await freshLedger(kind, { nowMs: () => nowMs })
    const lease = await leaseOf(ledger, 'a')
    await ledger.finish(lease, pollEnd({ day: COUNTS }))
    nowMs = NOON
    for (let at = 0; at < DAYS_KEPT + 10; at++) {
      await ledger.finish(lease, pollEnd({ day: COUNTS }))
      nowMs += DAY_MS
    }
    nowMs -= DAY_MS
    const kept = (await ledger.records.days(1000)).get('a') ?? []
    expect(kept).toHaveLength(DAYS_KEPT)
    expect(kept.at(-1)?.startMs).toBe(nowMs - DAY_MS / 2)
  })

  test('a renamed account keeps its days; one that is removed leaves none to the next account', async () => {
    const ledger = await freshLedger(kind)
    const before = await leaseOf(ledger, 'before')
    await ledger.finish(before, pollEnd({ day: COUNTS }))
    const after = await ledger.lease('after')
    if (after === null) throw new Error('after is at work')
    await ledger.records.rename(before, after)
    expect([...(await ledger.records.days(30)).keys()]).toEqual(['after'])
    await ledger.records.remove(after)
    await leaseOf(ledger, 'next')
    expect(await ledger.records.days(30)).toEqual(new Map())
  })

  test('the days of many accounts are read in slices, each account whole', async () => {
    const ledger = await freshLedger(kind)
    const names = Array.from({ length: 130 }, (_, at) => `a${at}`)
    for (const name of names) {
      await using lease = await leaseOf(ledger, name)
      if (name !== 'a77') await ledger.finish(lease, pollEnd({ day: COUNTS }))
    }
    const found = await ledger.records.days(30)
    expect(new Set(found.keys())).toEqual(new Set(names.filter((name) => name !== 'a77')))
    const some = await ledger.records.days(30, ['a5', 'a77', 'nobody', 'a129'])
    expect(new Map(['a5', 'a129'].map((name) => [name, found.get(name)]))).toEqual(some)
  })

  test('a memo is what the last change made of it, and none after null', async () => {
    const ledger = await freshLedger(kind)
    expect(await ledger.memo('told')).toBeNull()
    expect(await ledger.changeMemo('told', (text) => (text === null ? 'one' : 'wrong'))).toBe('one')
    expect(await ledger.changeMemo('told', (text) => `${text} two`)).toBe('one two')
    expect(await ledger.changeMemo('told', (text) => text)).toBe('one two')
    expect([await ledger.memo('told'), await ledger.memo('other')]).toEqual(['one two', null])
    expect(await ledger.changeMemo('told', () => null)).toBeNull()
    expect(await ledger.memo('told')).toBeNull()
  })

  test('changes of a memo that are asked for at once are made one after the other', async () => {
    const ledger = await freshLedger(kind)
    await Promise.all(Array.from({ length: 20 }, () => ledger.changeMemo('n', (text) => String(Number(text ?? 0) + 1))))
    expect(await ledger.memo('n')).toBe('20')
  })

  test('the first unsettled messages of each account are given: what is kept back, then what waits, so many of each', async () => {
    const ledger = await freshLedger(kind)
    for (const account of ['a', 'b']) {
      const lease = await leaseOf(ledger, account)
      await ledger.begin(
        lease,
        ['done', 'open-1', 'open-2', 'open-3', 'refused', 'held'].map((uidl) => beginning(key(uidl))),
      )
      await ledger.settle(lease, settlement(key('done'), DONE))
      const refused = { state: 'refused', error: '550 no', retryAfterMs: 0, conclusion: 'BAD' } as const
      await ledger.settle(lease, settlement(key('refused'), refused))
      await ledger.hold(lease, [{ key: key('held'), listedBytes: null, reason: 'too large' }])
    }
    const uidls = async (most: { ofAccount: number; inAll: number }) =>
      [...(await ledger.records.outstanding(most))].map(([account, found]) => [
        account,
        found.map((one) => one.key.uidl),
      ])
    expect(await uidls({ ofAccount: 2, inAll: 100 })).toEqual([
      ['a', ['refused', 'held', 'open-1', 'open-2']],
      ['b', ['refused', 'held', 'open-1', 'open-2']],
    ])
    expect((await uidls({ ofAccount: 5, inAll: 5 })).flatMap(([, found]) => found)).toHaveLength(5)
    expect(await uidls({ ofAccount: 5, inAll: 4 })).toEqual([
      ['a', ['refused', 'held']],
      ['b', ['refused', 'held']],
    ])
  })
}
