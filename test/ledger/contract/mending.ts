// What people change: messages forgotten, accounts renamed and removed, facts noted.
import { describe, expect, test } from 'vitest'
import { freshLedger, type Kind } from '../kind.ts'
import { beginning, IDENTITY, key, leaseOf, pollEnd } from '../scene.ts'
import { keysOf, largeLedger, oneOfEach, uidlsOf } from './samples.ts'

export function mending(kind: Kind): void {
  describe('forgetting', () => {
    test('makes messages new again, with all of their deliveries, and counts what is left', async () => {
      const ledger = await freshLedger(kind)
      const lease = await oneOfEach(ledger)
      expect(await ledger.records.forget(lease, [key('done'), key('kept'), key('unknown')], {})).toBe(2)
      expect(await ledger.known('a', [key('done'), key('kept')])).toEqual([null, null])
      expect(await uidlsOf(ledger, 'all')).toEqual(['cut', 'no', 'old'])
      expect((await ledger.account('a'))?.known).toBe(3)
      expect((await ledger.account('a'))?.started).toBe(true)
      await ledger.begin(lease, [beginning(key('done'), ['other'])])
      expect((await ledger.records.find('a', 'done'))[0]?.deliveries.map((each) => each.destination)).toEqual(['other'])
    })

    test('spares the other copies', async () => {
      const ledger = await freshLedger(kind)
      const lease = await leaseOf(ledger, 'a')
      await ledger.begin(lease, [beginning(key('same')), beginning(key('same', 1))])
      expect(await ledger.records.forget(lease, [key('same')], {})).toBe(1)
      expect(await keysOf(ledger, 'all')).toEqual([key('same', 1)])
    })

    test('changes the facts that go with it and no others', async () => {
      const ledger = await freshLedger(kind)
      const lease = await oneOfEach(ledger)
      const { lastPollMs, ...rest } = { ...(await ledger.admit(lease, IDENTITY)), lastPollMs: 7 }
      await ledger.finish(
        lease,
        pollEnd({
          identity: IDENTITY,
          health: { ...rest, lastPollMs },
          facts: { alive: '5', salt: 's' },
        }),
      )
      await ledger.records.forget(lease, [key('done')], { alive: null })
      expect(await ledger.account('a'))?.toMatchObject({ facts: { salt: 's' }, lastPollMs: 7 })
    })

    test('everything leaves the account, which can then be removed, and the others', async () => {
      const { ledger, large: lease } = await largeLedger(kind, 2500)
      await expect(ledger.records.remove(lease)).rejects.toMatchObject({ code: 'ERR_BUG' })
      expect(await ledger.records.forgetAll(lease, {})).toBe(2500)
      expect((await ledger.account('large'))?.known).toBe(0)
      await ledger.records.remove(lease)
      expect((await ledger.accounts()).map(({ name, known }) => [name, known])).toEqual([['small', 1]])
      expect(await keysOf(ledger, 'all', 'small')).toEqual([key('first')])
    })
  })

  describe('renaming', () => {
    test('gives everything to the new name, durably', async () => {
      const place = await kind.place()
      const ledger = await place.open()
      const lease = await oneOfEach(ledger)
      const before = { ...(await ledger.admit(lease, IDENTITY)), name: 'b' }
      const second = await ledger.lease('b')
      expect(await ledger.records.rename(lease, second!)).toBe(true)
      const again = await place.open()
      expect(await again.accounts()).toEqual([before])
      expect(await keysOf(again, 'all', 'b')).toHaveLength(5)
      expect((await again.known('b', [key('done')]))[0]?.state).toBe('delivered')
    })

    test('takes the place of an account that has nothing but failed polls', async () => {
      const ledger = await freshLedger(kind)
      const lease = await oneOfEach(ledger)
      const second = await leaseOf(ledger, 'b')
      expect(await ledger.records.rename(lease, second)).toBe(true)
      expect((await ledger.accounts()).map(({ name, known }) => [name, known])).toEqual([['b', 5]])
    })

    test('changes nothing when the new name has messages of its own', async () => {
      const ledger = await freshLedger(kind)
      const lease = await oneOfEach(ledger)
      const second = await oneOfEach(ledger, 'b')
      expect(await ledger.records.rename(lease, second)).toBe(false)
      expect(await keysOf(ledger, 'all', 'a')).toHaveLength(5)
      expect(await keysOf(ledger, 'all', 'b')).toHaveLength(5)
    })

    test('leaves both leases to be released, and the new name to be leased again', async () => {
      const ledger = await freshLedger(kind)
      {
        await using from = await oneOfEach(ledger)
        await using to = await ledger.lease('b')
        expect(await ledger.records.rename(from, to!)).toBe(true)
      }
      await using lease = await ledger.lease('b')
      expect(lease?.account).toBe('b')
    })
  })

  test('facts are noted beside those of polls, null removes one, and an account that is not known stays unknown', async () => {
    const ledger = await freshLedger(kind)
    await leaseOf(ledger, 'old-isp')
    await ledger.records.note('old-isp', { troubleSince: '5', other: 'x' })
    await ledger.records.note('old-isp', { troubleSince: null })
    await ledger.records.note('nobody', { troubleSince: '5' })
    expect((await ledger.accounts()).map(({ name, facts }) => [name, facts])).toEqual([['old-isp', { other: 'x' }]])
  })
}
