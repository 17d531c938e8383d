// Many messages at once: those that are delivered are settled, and others are begun, in one commit.
import { expect, test } from 'vitest'
import type { KnownMessage, Ledger, Lease, ReceivedFacts } from '../../../src/ledger/ledger.ts'
import { freshLedger, type Kind } from '../kind.ts'
import { beginning, DONE, key, leaseOf, settlement } from '../scene.ts'

const ONE = key('uid-1')
const FACTS: ReceivedFacts = {
  receivedBytes: 4123,
  digest: Buffer.alloc(32, 7),
  fingerprint: Buffer.alloc(16, 9),
  messageId: '<1@example.net>',
}

async function ledgerWithAccount(kind: Kind): Promise<{ readonly ledger: Ledger; readonly lease: Lease }> {
  const ledger = await freshLedger(kind, { nowMs: () => 1000 })
  return { ledger, lease: await leaseOf(ledger, 'old-isp') }
}

async function known(ledger: Ledger, uidl = 'uid-1'): Promise<KnownMessage> {
  const [message] = await ledger.known('old-isp', [key(uidl)])
  if (message === undefined || message === null) throw new Error(`${uidl} is not known`)
  return message
}

export function together(kind: Kind): void {
  test('messages are delivered, and the others are open with their deliveries started, in one go', async () => {
    const { ledger, lease } = await ledgerWithAccount(kind)
    await ledger.settleAndBegin(lease, [], [beginning(ONE), beginning(key('uid-2'))])
    expect((await ledger.account('old-isp'))?.known).toBe(2)
    const settled = { ...settlement(ONE, DONE), received: FACTS }
    await ledger.settleAndBegin(lease, [settled], [beginning(key('uid-3'), ['inbox'], 'c'.repeat(16))])
    expect(await known(ledger)).toMatchObject({
      state: 'delivered',
      attempts: 0,
      receivedBytes: 4123,
      deliveries: [],
    })
    expect((await known(ledger, 'uid-2')).deliveries).toMatchObject([{ state: 'started' }])
    expect((await known(ledger, 'uid-3')).deliveries).toMatchObject([{ state: 'started', intent: 'c'.repeat(16) }])
    await ledger.settleAndBegin(lease, [settlement(key('uid-2'), DONE), settlement(key('uid-3'), DONE)], [])
    expect([(await known(ledger, 'uid-2')).state, (await known(ledger, 'uid-3')).state]).toEqual([
      'delivered',
      'delivered',
    ])
    expect((await ledger.account('old-isp'))?.known).toBe(3)
  })

  test('messages stay as they were, all of them, where one was never begun', async () => {
    const { ledger, lease } = await ledgerWithAccount(kind)
    await ledger.begin(lease, [beginning(ONE)])
    const settled = [settlement(ONE, DONE), settlement(key('never'), DONE)]
    const refused = ledger.settleAndBegin(lease, settled, [beginning(key('uid-2'))])
    await expect(refused).rejects.toMatchObject({ code: 'ERR_BUG' })
    expect((await known(ledger)).state).toBe('open')
    expect(await ledger.known('old-isp', [key('uid-2')])).toEqual([null])
    expect((await ledger.account('old-isp'))?.known).toBe(1)
    // And can be settled all the same.
    await ledger.settle(lease, settlement(ONE, DONE))
    expect((await known(ledger)).state).toBe('delivered')
  })

  test('many are begun as each by itself: new or known, twice the same, further copies, with other, several or no deliveries', async () => {
    const { ledger, lease } = await ledgerWithAccount(kind)
    const old = await leaseOf(ledger, 'other')
    await ledger.begin(lease, [beginning(key('uid-20')), beginning(key('uid-50'))])
    await ledger.settle(lease, settlement(key('uid-50'), DONE))
    const keys = Array.from({ length: 86 }, (_, n) => (n === 70 ? key('uid-69', 1) : key(`uid-${n}`)))
    const many = keys.map((own, n) => {
      const targets = n === 5 ? ['archive'] : n === 40 ? ['inbox', 'archive'] : n === 41 ? [] : ['inbox']
      return beginning(n === 61 ? key('uid-60') : own, targets, `${n}`.padStart(16, '0'))
    })
    await ledger.settleAndBegin(lease, [], many)
    for (const each of many) await ledger.begin(old, [each])
    expect((await ledger.account('old-isp'))?.known).toBe(85)
    const alone = (await ledger.known('other', keys)).map((message) => message?.deliveries)
    const found = (await ledger.known('old-isp', keys)).map((message) => message?.deliveries)
    expect(found.filter((_, n) => n !== 20 && n !== 50)).toEqual(alone.filter((_, n) => n !== 20 && n !== 50))
    expect(found[20]).toMatchObject([{ state: 'started', intent: '20'.padStart(16, '0'), attempts: 2 }])
    expect(found[60]).toMatchObject([{ state: 'started', intent: '61'.padStart(16, '0'), attempts: 2 }])
    // Each is the message that it was.
    for (const n of [0, 15, 16, 47, 48, 63, 69]) {
      const received = { ...FACTS, receivedBytes: 1000 + n }
      await ledger.settleAndBegin(lease, [{ ...settlement(key(`uid-${n}`), DONE), received }], [])
      expect(await known(ledger, `uid-${n}`)).toMatchObject({ state: 'delivered', receivedBytes: 1000 + n })
    }
  })

  test('both need the lease', async () => {
    const { ledger, lease } = await ledgerWithAccount(kind)
    await ledger.begin(lease, [beginning(ONE)])
    await lease[Symbol.asyncDispose]()
    const late = ledger.settleAndBegin(lease, [settlement(ONE, DONE)], [beginning(key('uid-2'))])
    await expect(late).rejects.toMatchObject({ code: 'ERR_LEASE_LOST' })
    expect((await known(ledger)).state).toBe('open')
  })
}
