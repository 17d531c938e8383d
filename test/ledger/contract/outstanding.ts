// What was to happen to a message and has not: tries that wait, deletions, what was handed over, what destroyed a session.
import { expect, test } from 'vitest'
import type { KnownMessage, Ledger } from '../../../src/ledger/ledger.ts'
import { freshLedger, type Kind } from '../kind.ts'
import { beginning, DONE, key, leaseOf, settlement } from '../scene.ts'
import { HEADING, oneOfEach, received } from './samples.ts'

const failed = { state: 'failed', error: '451 later', retryAfterMs: 9000, conclusion: 'TEMP' } as const
const refused = { state: 'refused', error: '550 no', retryAfterMs: 9000, conclusion: 'BAD' } as const

async function known(ledger: Ledger, uidl: string): Promise<KnownMessage> {
  const [message] = await ledger.known('a', [key(uidl)])
  if (message === null || message === undefined) throw new Error(`${uidl} is not known`)
  return message
}

export function outstanding(kind: Kind): void {
  test('refusals and deferrals are counted apart, those that do not count are not', async () => {
    const ledger = await freshLedger(kind)
    const lease = await leaseOf(ledger, 'a')
    for (const outcome of [failed, { ...failed, counts: false }, failed, refused, { ...refused, counts: false }]) {
      await ledger.begin(lease, [beginning(key('m'))])
      await ledger.settle(lease, settlement(key('m'), outcome))
    }
    const [delivery] = (await known(ledger, 'm')).deliveries
    expect(delivery).toMatchObject({ refusals: 1, deferrals: 2, unknowns: 0, dueAfterMs: 9000, conclusion: 'BAD' })
  })

  test('a delivery is handed over from then on, until it is begun again', async () => {
    const ledger = await freshLedger(kind)
    const lease = await leaseOf(ledger, 'a')
    const delivery = { key: key('m'), destination: 'inbox', recipient: '' }
    await expect(ledger.handOver(lease, [delivery])).rejects.toMatchObject({ code: 'ERR_BUG' })
    await ledger.begin(lease, [beginning(key('m'))])
    expect((await known(ledger, 'm')).deliveries[0]?.handedOver).toBe(false)
    await ledger.handOver(lease, [delivery])
    expect((await known(ledger, 'm')).deliveries[0]?.handedOver).toBe(true)
    await ledger.begin(lease, [beginning(key('m'))])
    expect((await known(ledger, 'm')).deliveries[0]?.handedOver).toBe(false)
  })

  test('From, Subject and Date stay, as they were received, also where a later record does not have them', async () => {
    const ledger = await freshLedger(kind)
    const lease = await leaseOf(ledger, 'a')
    await ledger.begin(lease, [beginning(key('m'))])
    await ledger.settle(lease, { ...settlement(key('m'), failed), received })
    const { heading: _, ...without } = received
    await ledger.settle(lease, { ...settlement(key('m'), failed), received: without })
    expect(await known(ledger, 'm')).toMatchObject({ from: HEADING.from, subject: HEADING.subject })
    expect((await ledger.records.find('a', 'm'))[0]).toMatchObject(HEADING)
  })

  test('From and Subject of a message that was never received are remembered, of one that is not known nothing is', async () => {
    const ledger = await freshLedger(kind)
    const lease = await leaseOf(ledger, 'a')
    await ledger.begin(lease, [beginning(key('m'))])
    await ledger.noteHeading(lease, key('m'), HEADING)
    await ledger.noteHeading(lease, key('other'), HEADING)
    expect(await known(ledger, 'm')).toMatchObject({
      from: HEADING.from,
      subject: HEADING.subject,
      receivedBytes: null,
    })
    expect(await ledger.known('a', [key('other')])).toEqual([null])
  })

  test('a deletion that did not happen is remembered since it was wanted first, and counted until it happens', async () => {
    let nowMs = 1000
    const ledger = await freshLedger(kind, { nowMs: () => nowMs })
    const lease = await oneOfEach(ledger)
    const note = (reason: string, tried: boolean) =>
      ledger.noteDeletions(lease, [{ key: key('done'), pending: { reason, tried } }])
    await note('the header differs', false)
    nowMs = 2000
    await note('refused', true)
    expect((await known(ledger, 'done')).deletion).toEqual({ wantedSinceMs: 1000, tried: 1, reason: 'refused' })
    expect((await ledger.records.unsettled()).get('a')).toEqual({ waiting: 1, refused: 1, held: 1, undeleted: 1 })
    expect(await Promise.all(['a', 'unknown'].map((account) => ledger.records.undeleted(account)))).toEqual([1, 0])
    expect((await ledger.records.find('a', 'done'))[0]?.deletion?.reason).toBe('refused')
    await ledger.deleted(lease, [key('done')])
    expect((await known(ledger, 'done')).deletion).toBeNull()
    await note('it is still there', false)
    await ledger.noteDeletions(lease, [{ key: key('done'), pending: null }])
    expect((await ledger.records.unsettled()).get('a')?.undeleted).toBe(0)
  })

  test('what a destination lacks is counted by messages, over all accounts, since the oldest of them was first seen', async () => {
    let nowMs = 1000
    const ledger = await freshLedger(kind, { nowMs: () => nowMs })
    const lease = await oneOfEach(ledger)
    expect(await ledger.records.lacking()).toEqual(new Map([['inbox', { waiting: 1, refused: 1, oldestMs: 1000 }]]))
    nowMs = 2000
    const other = await leaseOf(ledger, 'b')
    await ledger.begin(other, [beginning(key('both'), ['inbox', 'office ann', 'office bob'])])
    await ledger.settle(other, settlement(key('both'), refused, 'office ann'))
    expect(await ledger.records.lacking()).toEqual(
      new Map([
        ['inbox', { waiting: 2, refused: 1, oldestMs: 1000 }],
        ['office', { waiting: 1, refused: 1, oldestMs: 2000 }],
      ]),
    )
    await ledger.settle(other, settlement(key('both'), DONE, 'office bob'))
    await ledger.settle(lease, settlement(key('cut'), DONE))
    expect(await ledger.records.lacking()).toEqual(
      new Map([
        ['inbox', { waiting: 1, refused: 1, oldestMs: 2000 }],
        ['office', { waiting: 0, refused: 1, oldestMs: null }],
      ]),
    )
    await ledger.settle(other, settlement(key('both'), DONE))
    await ledger.hold(other, [{ key: key('both'), listedBytes: null, reason: 'enough' }])
    expect(await ledger.records.lacking()).toEqual(new Map([['inbox', { waiting: 0, refused: 1, oldestMs: null }]]))
  })

  test('a deletion that is outstanding ends with the message', async () => {
    const ledger = await freshLedger(kind)
    const lease = await oneOfEach(ledger)
    await ledger.noteDeletions(lease, [{ key: key('done'), pending: { reason: 'refused', tried: true } }])
    await using comparison = ledger.compare('a')
    await comparison.gone(lease, { keep: false })
    expect(await known(ledger, 'done')).toMatchObject({ deletion: null })
    expect((await ledger.records.unsettled()).get('a')?.undeleted).toBe(0)
    await ledger.noteDeletions(lease, [{ key: key('done'), pending: { reason: 'refused', tried: true } }])
    expect(await known(ledger, 'done')).toMatchObject({ deletion: null })
  })

  test('what was asked to be deleted in vain may be gone, and is no message that needs nothing', async () => {
    const ledger = await freshLedger(kind)
    const lease = await oneOfEach(ledger)
    await using comparison = ledger.compare('a')
    const settled = async (): Promise<string> => {
      const uidls: Buffer[] = []
      const all = { seenAfterMs: -Infinity, deliveredAfterMs: -Infinity, deliveredUntilMs: Infinity }
      for await (const slice of comparison.settled(all, 1000)) uidls.push(slice.uidls)
      return Buffer.concat(uidls).toString('latin1')
    }
    expect(await settled()).toContain('done\n')
    const { present } = await comparison.counts()
    await ledger.noteDeletions(lease, [{ key: key('done'), pending: { reason: 'not shown', tried: false } }])
    expect(await comparison.counts()).toEqual({ present, removed: 0 })
    await ledger.noteDeletions(lease, [{ key: key('done'), pending: { reason: 'refused', tried: true } }])
    expect(await comparison.counts()).toEqual({ present, removed: 1 })
    expect(await settled()).not.toContain('done\n')
  })

  test('what never came is forgotten as soon as it is gone, however large its UIDL is; what may matter is kept (S044)', async () => {
    const ledger = await freshLedger(kind)
    const lease = await oneOfEach(ledger)
    const large = [0, 1, 2].map((at) => key(`${at}${'x'.repeat(1000)}`))
    await ledger.begin(
      lease,
      large.map((each) => beginning(each)),
    )
    await ledger.abandon(
      lease,
      large.map((each) => ({ key: each, reason: 'refused', counts: false })),
    )
    await ledger.begin(lease, [beginning(key('harmful')), beginning(key('begun'))])
    await ledger.abandon(lease, [{ key: key('harmful'), reason: null, counts: false }])
    await ledger.noteHarm(lease, [key('harmful')], 'RETR')
    await ledger.hold(lease, [
      { key: key('large'), listedBytes: 9e9, reason: 'too large: 9000000000 bytes, maxSize is 1' },
    ])
    await ledger.begin(lease, [beginning(key('loop'))])
    await ledger.hold(lease, [{ key: key('loop'), listedBytes: 1, reason: 'a loop' }])
    const before = (await ledger.account('a'))?.known ?? 0
    await using comparison = ledger.compare('a')
    // The three, the one that was kept back for its announced size, and that of the sample.
    expect(await comparison.gone(lease, { keep: true })).toBe(5)
    expect((await ledger.account('a'))?.known).toBe(before - 5)
    expect(await ledger.known('a', [...large, key('large')])).toEqual([null, null, null, null])
    expect((await known(ledger, 'loop')).goneSinceMs).not.toBeNull()
    expect((await known(ledger, 'harmful')).goneSinceMs).not.toBeNull()
    expect((await known(ledger, 'begun')).goneSinceMs).not.toBeNull()
    expect((await known(ledger, 'done')).goneSinceMs).not.toBeNull()
  })

  test('what destroyed a session is remembered of a message that was not known, too, and forgotten when asked', async () => {
    let nowMs = 1000
    const ledger = await freshLedger(kind, { nowMs: () => nowMs })
    const lease = await oneOfEach(ledger)
    await ledger.noteHarm(lease, [key('done'), key('new')], 'TOP')
    nowMs = 2000
    await ledger.noteHarm(lease, [key('new')], 'RETR')
    expect((await known(ledger, 'done')).harm).toEqual({ command: 'TOP', times: 1, lastMs: 1000 })
    expect(await known(ledger, 'new')).toMatchObject({
      state: 'open',
      harm: { command: 'RETR', times: 2, lastMs: 2000 },
    })
    expect((await ledger.account('a'))?.known).toBe(6)
    await ledger.noteHarm(lease, [key('new')], null)
    expect((await known(ledger, 'new')).harm).toBeNull()
  })

  test('an account that takes over says so until it is finished', async () => {
    const ledger = await freshLedger(kind)
    const lease = await leaseOf(ledger, 'a')
    const state = { why: 'older', sinceMs: 5, counts: { adopted: 3 } } as const
    await ledger.takeOver(lease, state)
    expect((await ledger.account('a'))?.takingOver).toEqual(state)
    await ledger.takeOver(lease, null)
    expect((await ledger.account('a'))?.takingOver).toBeNull()
  })

  test('messages that wait are due when a person says so: those of the kinds that are named', async () => {
    const ledger = await freshLedger(kind)
    const lease = await oneOfEach(ledger)
    await ledger.begin(lease, [beginning(key('later')), beginning(key('both'), ['inbox', 'office'])])
    await ledger.settle(lease, settlement(key('later'), failed))
    await ledger.settle(lease, settlement(key('both'), failed))
    await ledger.settle(lease, settlement(key('both'), refused, 'office'))
    const dueAfter = async (uidl: string) => (await known(ledger, uidl)).deliveries.map(({ dueAfterMs }) => dueAfterMs)
    expect(await ledger.records.retry(lease, ['deferred'])).toBe(2)
    expect([await dueAfter('later'), await dueAfter('both'), await dueAfter('no')]).toEqual([[0], [0, 9000], [9000]])
    expect(await ledger.records.retry(lease, ['refused'])).toBe(2)
    expect([await dueAfter('both'), await dueAfter('no')]).toEqual([[0, 0], [0]])
    expect(await ledger.records.retry(lease, ['held'])).toBe(1)
    expect((await known(ledger, 'kept')).state).toBe('open')
    expect(await ledger.records.retry(lease, ['held'])).toBe(0)
  })

  test('a held message whose answers were lost starts again when a person says so', async () => {
    const ledger = await freshLedger(kind)
    const lease = await leaseOf(ledger, 'a')
    await ledger.begin(lease, [beginning(key('m'), ['inbox', 'office'])])
    await ledger.settle(lease, settlement(key('m'), DONE))
    await ledger.settle(lease, settlement(key('m'), { state: 'unknown', error: 'lost', retryAfterMs: 0 }, 'office'))
    await ledger.hold(lease, [{ key: key('m'), listedBytes: null, reason: 'lost' }])
    await ledger.records.retry(lease, ['held'])
    expect((await known(ledger, 'm')).deliveries.map(({ state, unknowns }) => [state, unknowns])).toEqual([
      ['done', 0],
      ['unknown', 0],
    ])
  })
}
