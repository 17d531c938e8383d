// What is looked up by people: lists, one message, counts.
import { describe, expect, test } from 'vitest'
import type { MessageRecord } from '../../../src/ledger/records.ts'
import { freshLedger, type Kind } from '../kind.ts'
import { DONE, key, leaseOf } from '../scene.ts'
import { keysOf, HEADING, largeLedger, oneOfEach, received, uidlsOf } from './samples.ts'

export function records(kind: Kind): void {
  describe('a list', () => {
    test.each([
      ['all', ['done', 'cut', 'no', 'kept', 'old']],
      ['open', ['cut', 'no']],
      ['refused', ['no']],
      ['delivered', ['done']],
      ['seen', ['old']],
      ['held', ['kept']],
    ] as const)('of %s messages has those, in the order in which they were first seen', async (selection, expected) => {
      const ledger = await freshLedger(kind)
      await oneOfEach(ledger)
      await oneOfEach(ledger, 'another')
      expect(await uidlsOf(ledger, selection)).toEqual(expected)
    })

    test('of an unknown account is empty', async () => {
      expect(await uidlsOf(await freshLedger(kind), 'all')).toEqual([])
    })

    test('has all that is known of a message, of a delivered one too', async () => {
      const ledger = await freshLedger(kind, { nowMs: () => 5000 })
      const lease = await oneOfEach(ledger)
      await ledger.deleted(lease, [key('done')])
      const [first] = (await Array.fromAsync(ledger.records.list('a', 'delivered'))).flat()
      const { heading: _, ...about } = received
      expect(first).toEqual({
        key: { uidl: 'done', copy: 0 },
        state: 'delivered',
        firstSeenMs: 5000,
        listedBytes: 4000,
        ...about,
        ...HEADING,
        attempts: 0,
        retryAfterMs: 0,
        reason: null,
        deliveredMs: 5000,
        deletions: 1,
        deletedMs: 5000,
        goneSinceMs: null,
        deletion: null,
        harm: null,
        deliveries: [
          {
            destination: 'inbox',
            recipient: '',
            state: 'done',
            intent: 'a'.repeat(16),
            attempts: 1,
            unknowns: 0,
            refusals: 0,
            deferrals: 0,
            dueAfterMs: 0,
            handedOver: false,
            conclusion: null,
            error: null,
            machine: ledger.machine,
            settledMs: 5000,
            receipt: DONE.state === 'done' ? DONE.receipt : null,
          },
        ],
      } satisfies MessageRecord)
    })

    test('leaves the event loop its turns: 30,000 messages in slices, with a turn after each', async () => {
      const { ledger } = await largeLedger(kind, 30_000)
      let turns = 0
      const count = (): void => void (turns++, running && setImmediate(count))
      let running = true
      setImmediate(count)
      const slices = await Array.fromAsync(ledger.records.list('large', 'all'))
      running = false
      expect(slices.flat()).toHaveLength(30_000)
      expect(Math.max(...slices.map((slice) => slice.length))).toBeLessThanOrEqual(1000)
      expect(turns).toBeGreaterThanOrEqual(slices.length - 1)
      expect(await keysOf(ledger, 'all', 'small')).toEqual([key('first')])
    })

    test('of many held messages goes on where it stopped', async () => {
      const ledger = await freshLedger(kind)
      const lease = await leaseOf(ledger, 'a')
      const held = Array.from({ length: 2500 }, (_, at) => ({ key: key(`uid-${at}`), listedBytes: null, reason: 'no' }))
      await ledger.hold(lease, held)
      expect(await uidlsOf(ledger, 'held')).toEqual(held.map((message) => message.key.uidl))
    })
  })

  describe('a look at one UIDL', () => {
    test('finds all copies, in order, and the bytes of UIDLs that are no text', async () => {
      const ledger = await freshLedger(kind)
      const lease = await leaseOf(ledger, 'a')
      const odd = 'caf\u00e9\0\\x41'
      await ledger.hold(
        lease,
        [key(odd, 1), key(odd), key('other')].map((each) => ({ key: each, listedBytes: null, reason: 'no' })),
      )
      expect((await ledger.records.find('a', odd)).map((message) => message.key)).toEqual([key(odd), key(odd, 1)])
      expect(await ledger.records.find('a', 'unknown')).toEqual([])
      expect(await ledger.records.find('nobody', odd)).toEqual([])
    })

    test('finds a UIDL of more than 1,024 bytes by itself and by what the list shows of it', async () => {
      const ledger = await freshLedger(kind)
      const lease = await leaseOf(ledger, 'a')
      const long = 'x'.repeat(2000)
      await ledger.hold(lease, [{ key: key(long), listedBytes: null, reason: 'no' }])
      const [shown = ''] = await uidlsOf(ledger, 'all')
      expect(shown).toHaveLength(32)
      expect(await ledger.records.find('a', long)).toHaveLength(1)
      expect(await ledger.records.find('a', shown)).toHaveLength(1)
    })
  })

  test('unsettled messages are counted for each account that has some', async () => {
    const ledger = await freshLedger(kind)
    await oneOfEach(ledger)
    const second = await oneOfEach(ledger, 'b')
    await ledger.hold(second, [{ key: key('cut'), listedBytes: null, reason: 'loop' }])
    await leaseOf(ledger, 'c')
    expect(await ledger.records.unsettled()).toEqual(
      new Map([
        ['a', { waiting: 1, refused: 1, held: 1, undeleted: 0 }],
        ['b', { waiting: 0, refused: 1, held: 2, undeleted: 0 }],
      ]),
    )
  })

  test('the owners of UIDLs are the accounts asked about, each with how many it knows', async () => {
    const ledger = await freshLedger(kind)
    await oneOfEach(ledger)
    await oneOfEach(ledger, 'b')
    await leaseOf(ledger, 'c')
    const owners = await ledger.records.owners(['a', 'c', 'unknown'], ['done', 'old', 'new', 'kept'])
    expect(owners).toEqual(new Map([['a', 3]]))
  })
}
