// Where an attempt was made: a file that only one machine has tells nobody else what became of it (DESIGN 4.6).
import { expect, test } from 'vitest'
import type { Delivery, Ledger } from '../../../src/ledger/ledger.ts'
import type { Kind, Place } from '../kind.ts'
import { beginning, DONE, key, leaseOf, settlement } from '../scene.ts'

const UNKNOWN = { state: 'unknown', error: 'no answer', retryAfterMs: 0 } as const
const FAILED = { state: 'failed', error: 'later', retryAfterMs: 0 } as const

async function attempts(ledger: Ledger, uidl: string): Promise<readonly Pick<Delivery, 'state' | 'machine'>[]> {
  const [message] = await ledger.known('a', [key(uidl)])
  return (message?.deliveries ?? []).map(({ state, machine }) => ({ state, machine }))
}

/** m1 has left attempts behind: `cut` and `lost` of which nobody knows, `failed` and `done` of which all is known. */
async function leftBehind(place: Place): Promise<void> {
  const first = await place.open({ machine: 'm1' })
  await using lease = await leaseOf(first, 'a')
  await first.begin(
    lease,
    ['cut', 'lost', 'failed', 'done'].map((uidl) => beginning(key(uidl))),
  )
  await first.settle(lease, settlement(key('lost'), UNKNOWN))
  await first.settle(lease, settlement(key('failed'), FAILED))
  await first.settle(lease, settlement(key('done'), DONE))
}

export function machines(kind: Kind): void {
  test('an attempt has the name of the machine that makes it, until another one makes it again', async () => {
    const place = await kind.place()
    await leftBehind(place)
    const second = await place.open({ machine: 'm2' })
    const isShared = second.spans === 'machines'
    expect(second.machine).toBe(isShared ? 'm2' : null)
    expect(await attempts(second, 'cut')).toEqual([{ state: 'started', machine: isShared ? 'm1' : null }])
    expect(await attempts(second, 'lost')).toEqual([{ state: 'unknown', machine: isShared ? 'm1' : null }])
    const lease = await leaseOf(second, 'a')
    await second.begin(lease, [beginning(key('cut'))])
    await second.settleAndBegin(lease, [], [beginning(key('lost'))])
    expect([await attempts(second, 'cut'), await attempts(second, 'lost')].flat()).toEqual(
      Array.from({ length: 2 }, () => ({ state: 'started', machine: second.machine })),
    )
  })

  test('what was begun elsewhere counts as begun here once somebody says so, and nothing else of it changes', async () => {
    const place = await kind.place()
    await leftBehind(place)
    const second = await place.open({ machine: 'm2' })
    const lease = await leaseOf(second, 'a')
    await second.begin(lease, [beginning(key('own'))])
    const [before] = await second.records.find('a', 'cut')
    expect(await second.records.retry(lease, ['deferred', 'refused', 'held'])).toBe(2)
    expect(await second.records.find('a', 'cut')).toEqual([before])
    const count = second.spans === 'machines' ? 2 : 0
    expect(await second.records.retry(lease, ['elsewhere'])).toBe(count)
    expect(await second.records.retry(lease, ['elsewhere'])).toBe(0)
    expect(await attempts(second, 'lost')).toEqual([{ state: 'unknown', machine: second.machine }])
    const deliveries = before?.deliveries.map((each) => ({ ...each, machine: second.machine }))
    expect(await second.records.find('a', 'cut')).toEqual([{ ...before, deliveries }])
    expect((await second.records.find('a', 'done'))[0]?.deliveries[0]?.machine).not.toBe('m2')
  })

  test('a machine finds the accounts in which attempts of its own were cut off, and nobody is at work', async () => {
    const place = await kind.place()
    await leftBehind(place)
    const [first, second] = [await place.open({ machine: 'm1' }), await place.open({ machine: 'm2' })]
    expect(await first.records.cutOff()).toEqual(first.spans === 'machines' ? ['a'] : [])
    expect(await second.records.cutOff()).toEqual([])
    {
      await using lease = await leaseOf(first, 'a')
      expect(await second.records.cutOff()).toEqual([])
      expect(await first.records.cutOff()).toEqual([])
      await first.settle(lease, settlement(key('cut'), DONE))
      await first.hold(lease, [{ key: key('lost'), listedBytes: null, reason: 'kept' }])
    }
    expect(await first.records.cutOff()).toEqual([])
  })
}
