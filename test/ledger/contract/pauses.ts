// What a person wants left alone: it lasts until its time or until it is ended, whatever else happens to the account.
import { expect, test } from 'vitest'
import type { Pause } from '../../../src/ledger/ledger.ts'
import { freshLedger, type Kind } from '../kind.ts'
import { leaseOf } from '../scene.ts'

const WORK = { kind: 'account', name: 'work' } as const
const INBOX = { kind: 'destination', name: 'inbox' } as const
const HOUR_MS = 3_600_000

export function pauses(kind: Kind): void {
  test('nothing is paused at first', async () => {
    const ledger = await freshLedger(kind)
    expect([await ledger.pauses.all(), await ledger.pauses.of(WORK)]).toEqual([[], null])
    expect(await ledger.pauses.end([WORK])).toEqual([])
  })

  test('a pause without an end is there for every process until it is ended, of an account that is not known, too', async () => {
    const place = await kind.place()
    const first = await place.open({ nowMs: () => 1000 })
    const pause = { ...WORK, by: 'ada@nas', sinceMs: 1000, untilMs: null }
    expect(await first.pauses.begin([WORK], 'ada@nas', null)).toEqual([pause])
    expect(await first.account('work')).toBeNull()
    await first[Symbol.asyncDispose]()
    const later = await place.open({ nowMs: () => 1000 * HOUR_MS })
    expect([
      await later.pauses.all(),
      await later.pauses.of(WORK),
      await later.pauses.of({ ...WORK, kind: 'destination' }),
    ]).toEqual([[pause], pause, null])
    expect(await later.pauses.end([INBOX, WORK])).toEqual([pause])
    expect(await later.pauses.all()).toEqual([])
  })

  test('one with an end is over at that time', async () => {
    let nowMs = 1000
    const ledger = await freshLedger(kind, { nowMs: () => nowMs })
    await ledger.pauses.begin([WORK, INBOX], 'ada@nas', HOUR_MS)
    nowMs += HOUR_MS - 1
    expect(await ledger.pauses.all()).toMatchObject([WORK, INBOX])
    expect(await ledger.pauses.all('destination')).toMatchObject([INBOX])
    nowMs += 1
    expect([await ledger.pauses.all(), await ledger.pauses.of(WORK), await ledger.pauses.end([WORK])]).toEqual([
      [],
      null,
      [],
    ])
  })

  test('what comes with a lease, where anything does, is what was paused then, of that account and of destinations', async () => {
    let nowMs = 1000
    const ledger = await freshLedger(kind, { nowMs: () => nowMs })
    const odd = { kind: 'destination', name: 'a, b\0"ü ' } as const
    await ledger.pauses.begin([INBOX, odd], '', null)
    await ledger.pauses.begin([WORK, { ...WORK, name: 'other' }], 'ada@nas, 1 2', HOUR_MS)
    const pausedOf = async (account: string): Promise<readonly Pause[]> => {
      await using lease = await leaseOf(ledger, account)
      const [own, all] = [await ledger.pauses.of({ ...WORK, name: account }), await ledger.pauses.all('destination')]
      const expected = own === null ? all : [own, ...all]
      expect(lease.paused ?? expected).toEqual(expected)
      return expected
    }
    expect((await pausedOf('work')).map(({ name }) => name)).toEqual(['work', odd.name, 'inbox'])
    expect(await pausedOf('third')).toHaveLength(2)
    nowMs += HOUR_MS
    expect(await pausedOf('work')).toHaveLength(2)
    await ledger.pauses.end([INBOX, odd])
    expect(await pausedOf('work')).toEqual([])
  })

  test('whoever pauses again says when it ends; it lasts since the first time, unless that is over', async () => {
    let nowMs = 1000
    const ledger = await freshLedger(kind, { nowMs: () => nowMs })
    await ledger.pauses.begin([WORK], 'ada@nas', null)
    nowMs += HOUR_MS
    expect(await ledger.pauses.begin([WORK], 'bob@pi', HOUR_MS)).toMatchObject([
      { by: 'bob@pi', sinceMs: 1000, untilMs: nowMs + HOUR_MS },
    ])
    nowMs += HOUR_MS
    expect(await ledger.pauses.begin([WORK], 'ada@nas', null)).toMatchObject([{ sinceMs: nowMs, untilMs: null }])
  })

  test('it follows an account and a destination to a new name; one that has the new name goes on', async () => {
    const ledger = await freshLedger(kind)
    await ledger.pauses.begin([WORK, INBOX], 'ada@nas', null)
    await ledger.pauses.begin([{ ...INBOX, name: 'mail' }], 'bob@pi', null)
    const [from, to] = [await leaseOf(ledger, 'work'), await leaseOf(ledger, 'office')]
    expect(await ledger.records.rename(from, to)).toBe(true)
    await ledger.renameDestination('inbox', 'mail')
    expect(await ledger.pauses.all()).toMatchObject([
      { kind: 'account', name: 'office' },
      { kind: 'destination', name: 'mail', by: 'bob@pi' },
    ])
  })

  test('of who it was, 200 characters are kept', async () => {
    const ledger = await freshLedger(kind)
    await ledger.pauses.begin([WORK], 'x'.repeat(5000), null)
    expect((await ledger.pauses.of(WORK))?.by).toBe('x'.repeat(200))
  })
}
