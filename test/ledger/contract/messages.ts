// What becomes of a message: begun, settled, abandoned, held, skipped, deleted.
import { describe, expect, test } from 'vitest'
import { PopfetchError } from '../../../src/errors.ts'
import type { KnownMessage, Ledger, Lease, ReceivedFacts } from '../../../src/ledger/ledger.ts'
import { freshLedger, type Kind } from '../kind.ts'
import { DONE, beginning, key, leaseOf, settlement } from '../scene.ts'

const ONE = key('uid-1')
const LATER = 1_800_000_000_000
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

async function known(ledger: Ledger, uidl = 'uid-1', copy = 0): Promise<KnownMessage> {
  const [message] = await ledger.known('old-isp', [key(uidl, copy)])
  if (message === undefined || message === null) throw new Error(`${uidl} is not known`)
  return message
}

/** How many are held, and how many have a refused delivery. */
async function troubles(ledger: Ledger): Promise<{ readonly held: number; readonly refused: number }> {
  const { held = 0, refused = 0 } = (await ledger.records.unsettled()).get('old-isp') ?? {}
  return { held, refused }
}

export function messages(kind: Kind): void {
  describe('a message that is found at a destination', () => {
    const found = {
      key: ONE,
      listedBytes: 4000,
      deliveries: [{ destination: 'inbox', recipient: '', state: 'done', intent: 'i', receipt: 'there' }],
      complete: true,
    } as const

    test('is delivered where it was not known, or was open without deliveries and never came', async () => {
      for (const isKnown of [false, true]) {
        const { ledger, lease } = await ledgerWithAccount(kind)
        if (isKnown) await ledger.noteHarm(lease, [ONE], 'RETR')
        await ledger.adopt(lease, [found])
        expect(await known(ledger)).toMatchObject({ state: 'delivered', listedBytes: 4000, harm: null })
        expect((await ledger.account('old-isp'))?.known).toBe(1)
      }
    })

    test('stays as it is where it has deliveries, was skipped or is held', async () => {
      const { ledger, lease } = await ledgerWithAccount(kind)
      await ledger.begin(lease, [beginning(ONE, ['office a@example.net'])])
      await ledger.see(lease, [{ key: key('seen'), listedBytes: null }])
      await ledger.hold(lease, [{ key: key('held'), listedBytes: null, reason: 'no' }])
      await ledger.adopt(lease, [found, { ...found, key: key('seen') }, { ...found, key: key('held') }])
      expect((await known(ledger)).deliveries).toMatchObject([{ destination: 'office', state: 'started' }])
      expect([(await known(ledger, 'seen')).state, (await known(ledger, 'held')).state]).toEqual(['seen', 'held'])
    })
  })

  describe('a message that is begun', () => {
    test('is open, seen now, with every delivery started', async () => {
      const { ledger, lease } = await ledgerWithAccount(kind)
      await ledger.begin(lease, [beginning(ONE, ['inbox', 'office a@example.net'])])
      const message = await known(ledger)
      expect(message).toMatchObject({
        state: 'open',
        firstSeenMs: 1000,
        listedBytes: 4000,
        attempts: 1,
        retryAfterMs: 0,
      })
      expect(message.deliveries.map((delivery) => [delivery.destination, delivery.recipient, delivery.state])).toEqual([
        ['inbox', '', 'started'],
        ['office', 'a@example.net', 'started'],
      ])
    })

    test('again starts only the deliveries that are named, with their new intents', async () => {
      const { ledger, lease } = await ledgerWithAccount(kind)
      await ledger.begin(lease, [beginning(ONE, ['inbox', 'office'])])
      await ledger.settle(lease, settlement(ONE, DONE, 'inbox'))
      await ledger.settle(lease, settlement(ONE, { state: 'failed', error: 'busy', retryAfterMs: 0 }, 'office'))
      await ledger.begin(lease, [beginning(ONE, ['office'], 'b'.repeat(16))])
      const message = await known(ledger)
      expect(message.attempts).toBe(1)
      expect(message.deliveries).toMatchObject([
        { destination: 'inbox', state: 'done', intent: 'a'.repeat(16), attempts: 1 },
        { destination: 'office', state: 'started', intent: 'b'.repeat(16), attempts: 2 },
      ])
    })

    test('after it was delivered (--all) is open until it is delivered again', async () => {
      const { ledger, lease } = await ledgerWithAccount(kind)
      await ledger.begin(lease, [beginning(ONE)])
      await ledger.settle(lease, settlement(ONE, DONE))
      await ledger.begin(lease, [beginning(ONE)])
      expect((await known(ledger)).state).toBe('open')
      await ledger.settle(lease, settlement(ONE, DONE))
      expect((await known(ledger)).state).toBe('delivered')
    })

    test('and abandoned is pending again, with the reason', async () => {
      const { ledger, lease } = await ledgerWithAccount(kind)
      await ledger.begin(lease, [beginning(ONE, ['inbox', 'office'])])
      await ledger.settle(lease, settlement(ONE, DONE, 'inbox'))
      await ledger.abandon(lease, [{ key: ONE, reason: 'cut after 12 bytes', counts: false }])
      await ledger.abandon(lease, [{ key: ONE, reason: null, counts: false }])
      const message = await known(ledger)
      expect(message.reason).toBe('cut after 12 bytes')
      expect(message.deliveries.map((delivery) => delivery.state)).toEqual(['done', 'pending'])
    })

    test('and abandoned stays begun where it was handed over: it may have arrived (P2)', async () => {
      const { ledger, lease } = await ledgerWithAccount(kind)
      await ledger.begin(lease, [beginning(ONE, ['inbox', 'office'])])
      await ledger.handOver(lease, [{ key: ONE, destination: 'office', recipient: '' }])
      await ledger.abandon(lease, [{ key: ONE, reason: null, counts: false }])
      expect((await known(ledger)).deliveries).toMatchObject([
        { destination: 'inbox', state: 'pending' },
        { destination: 'office', state: 'started', handedOver: true },
      ])
      await ledger.begin(lease, [beginning(ONE, ['office'])])
      await ledger.abandon(lease, [{ key: ONE, reason: null, counts: false }])
      expect((await known(ledger)).deliveries.map(({ state }) => state)).toEqual(['pending', 'pending'])
    })
  })

  describe('a message that is settled', () => {
    test('is delivered when the last of its deliveries is done, and then carries no deliveries', async () => {
      const { ledger, lease } = await ledgerWithAccount(kind)
      await ledger.begin(lease, [beginning(ONE, ['inbox', 'office'])])
      await ledger.settle(lease, { ...settlement(ONE, DONE, 'inbox'), received: FACTS })
      expect((await known(ledger)).state).toBe('open')
      await ledger.settle(lease, settlement(ONE, DONE, 'office'))
      const message = await known(ledger)
      expect(message).toMatchObject({ state: 'delivered', receivedBytes: 4123, deliveries: [] })
      expect(message.digest).toEqual(FACTS.digest)
      expect(message.fingerprint).toEqual(FACTS.fingerprint)
    })

    test('stays open when a delivery is refused, is not due before then, and is counted', async () => {
      const { ledger, lease } = await ledgerWithAccount(kind)
      await ledger.begin(lease, [beginning(ONE)])
      await ledger.settle(lease, settlement(ONE, { state: 'refused', error: '550 no', retryAfterMs: LATER }))
      expect(await known(ledger)).toMatchObject({ state: 'open', retryAfterMs: LATER, reason: '550 no' })
      expect(await troubles(ledger)).toEqual({ held: 0, refused: 1 })
      await ledger.begin(lease, [beginning(ONE)])
      expect(await troubles(ledger)).toEqual({ held: 0, refused: 0 })
      await ledger.settle(lease, settlement(ONE, DONE))
      expect(await known(ledger)).toMatchObject({ state: 'delivered', retryAfterMs: 0, reason: null })
    })

    test('counts as refused while a refused delivery is left alone, and is due at once when that is begun again', async () => {
      const { ledger, lease } = await ledgerWithAccount(kind)
      await ledger.begin(lease, [beginning(ONE, ['inbox', 'office'])])
      await ledger.settle(lease, settlement(ONE, { state: 'refused', error: '550', retryAfterMs: LATER }, 'inbox'))
      await ledger.begin(lease, [beginning(ONE, ['office'])])
      expect(await troubles(ledger)).toEqual({ held: 0, refused: 1 })
      await ledger.settle(lease, settlement(ONE, DONE, 'office'))
      expect((await known(ledger)).retryAfterMs).toBe(LATER)
      await ledger.begin(lease, [beginning(ONE, ['inbox'])])
      expect((await known(ledger)).retryAfterMs).toBe(0)
    })

    test('is due as soon as the first of its deliveries is', async () => {
      const { ledger, lease } = await ledgerWithAccount(kind)
      await ledger.begin(lease, [beginning(ONE, ['inbox', 'office'])])
      await ledger.settle(lease, settlement(ONE, { state: 'refused', error: '550', retryAfterMs: LATER }, 'inbox'))
      expect((await known(ledger)).retryAfterMs).toBe(0)
      await ledger.settle(lease, settlement(ONE, { state: 'failed', error: '451', retryAfterMs: 5 }, 'office'))
      expect((await known(ledger)).retryAfterMs).toBe(5)
    })

    test('counts the attempts that ended without an answer', async () => {
      const { ledger, lease } = await ledgerWithAccount(kind)
      for (let attempt = 0; attempt < 3; attempt++) {
        await ledger.begin(lease, [beginning(ONE)])
        await ledger.settle(lease, settlement(ONE, { state: 'unknown', error: 'no answer', retryAfterMs: 0 }))
      }
      expect((await known(ledger)).deliveries).toMatchObject([{ state: 'unknown', unknowns: 3, attempts: 3 }])
    })

    test('stays held when it was held meanwhile, unless it is delivered after all', async () => {
      const { ledger, lease } = await ledgerWithAccount(kind)
      await ledger.begin(lease, [beginning(ONE, ['inbox', 'office'])])
      await ledger.hold(lease, [{ key: ONE, listedBytes: null, reason: 'a loop' }])
      await ledger.settle(lease, settlement(ONE, DONE, 'inbox'))
      expect((await known(ledger)).state).toBe('held')
      await ledger.settle(lease, settlement(ONE, DONE, 'office'))
      expect((await known(ledger)).state).toBe('delivered')
    })

    test('leaves another alone that took the place of one that was held and forgotten', async () => {
      const { ledger, lease } = await ledgerWithAccount(kind)
      await ledger.begin(lease, [beginning(ONE)])
      await ledger.hold(lease, [{ key: ONE, listedBytes: null, reason: 'too large' }])
      await ledger.records.forget(lease, [ONE], {})
      await ledger.begin(lease, [beginning(key('other'))])
      await ledger.hold(lease, [{ key: ONE, listedBytes: null, reason: 'too large' }])
      await ledger.begin(lease, [beginning(ONE)])
      await ledger.settle(lease, { ...settlement(ONE, DONE), received: FACTS })
      expect((await known(ledger, 'other')).deliveries).toMatchObject([{ state: 'started' }])
      expect(await known(ledger)).toMatchObject({ receivedBytes: 4123 })
    })

    test('but was never begun is a bug, and changes nothing', async () => {
      const { ledger, lease } = await ledgerWithAccount(kind)
      await expect(ledger.settle(lease, settlement(ONE, DONE))).rejects.toMatchObject({ code: 'ERR_BUG' })
      await ledger.begin(lease, [beginning(ONE)])
      await expect(ledger.settle(lease, settlement(ONE, DONE, 'office'))).rejects.toBeInstanceOf(PopfetchError)
      const nobody = await ledger.lease('nobody')
      await expect(ledger.begin(nobody!, [beginning(ONE)])).rejects.toMatchObject({ code: 'ERR_BUG' })
      await expect(ledger.deleted(lease, [key('other')])).rejects.toMatchObject({ code: 'ERR_BUG' })
      expect((await known(ledger)).deliveries).toMatchObject([{ destination: 'inbox', state: 'started' }])
    })
  })

  describe('held, seen and deleted messages', () => {
    test('a held message has its reason and is counted, known before or not', async () => {
      const { ledger, lease } = await ledgerWithAccount(kind)
      await ledger.begin(lease, [beginning(ONE)])
      await ledger.hold(lease, [
        { key: ONE, listedBytes: null, reason: 'unknown three times' },
        { key: key('uid-2'), listedBytes: 9_000_000, reason: 'larger than maxSize' },
      ])
      expect(await known(ledger)).toMatchObject({ state: 'held', reason: 'unknown three times', listedBytes: 4000 })
      expect(await known(ledger, 'uid-2')).toMatchObject({ state: 'held', listedBytes: 9_000_000, attempts: 0 })
      expect(await troubles(ledger)).toEqual({ held: 2, refused: 0 })
      expect((await ledger.account('old-isp'))?.known).toBe(2)
    })

    test('starting remembers many entries as seen, leaves known ones alone, and the account is started', async () => {
      const { ledger, lease } = await ledgerWithAccount(kind)
      await ledger.begin(lease, [beginning(ONE)])
      const seen = Array.from({ length: 2500 }, (_, n) => ({ key: key(`uid-${n}`), listedBytes: n }))
      await ledger.start(lease, seen)
      await ledger.start(lease, seen)
      expect((await known(ledger)).state).toBe('open')
      expect(await known(ledger, 'uid-2499')).toMatchObject({ state: 'seen', listedBytes: 2499, deliveries: [] })
      expect((await ledger.accounts())[0]).toMatchObject({ started: true, known: 2500 })
    })

    test('what another program saw first keeps that time, unless it is a time to come', async () => {
      const { ledger, lease } = await ledgerWithAccount(kind)
      const entry = (uidl: string, firstSeenMs: number | null) => ({ key: key(uidl), listedBytes: null, firstSeenMs })
      await ledger.start(lease, [entry('old', 500), entry('unknown', null), entry('to-come', 9e15)])
      const times: number[] = []
      for await (const slice of ledger.records.list('old-isp', 'seen'))
        times.push(...slice.map((one) => one.firstSeenMs))
      expect(times).toEqual([500, 1000, 1000])
    })

    test('what another program delivered is delivered without a delivery of ours; what was seen becomes so, all else stays', async () => {
      const { ledger, lease } = await ledgerWithAccount(kind)
      await ledger.begin(lease, [beginning(ONE)])
      await ledger.see(lease, [{ key: key('seen'), listedBytes: 7 }])
      const entries = ['new', 'seen', ONE.uidl].map((uidl) => ({ key: key(uidl), listedBytes: null, firstSeenMs: 500 }))
      const delivered = entries.map((entry) => ({ ...entry, delivered: true }))
      await ledger.see(lease, delivered)
      await ledger.see(lease, delivered)
      expect(await known(ledger, 'new')).toMatchObject({ state: 'delivered', firstSeenMs: 500, digest: null })
      expect(await known(ledger, 'seen')).toMatchObject({ state: 'delivered', firstSeenMs: 500, listedBytes: 7 })
      expect(await known(ledger)).toMatchObject({ state: 'open', firstSeenMs: 1000 })
      expect((await ledger.records.find('old-isp', 'new'))[0]).toMatchObject({ deliveries: [], deliveredMs: null })
      await ledger.see(lease, entries)
      expect((await known(ledger, 'new'))?.state).toBe('delivered')
      expect((await ledger.account('old-isp'))?.known).toBe(3)
    })

    test('headers are remembered of what was seen or delivered by another program, once, and of nothing else', async () => {
      const { ledger, lease } = await ledgerWithAccount(kind)
      await ledger.begin(lease, [beginning(ONE), beginning(key('done'))])
      await ledger.settle(lease, settlement(key('done'), DONE))
      await ledger.see(lease, [
        { key: key('seen'), listedBytes: null },
        { key: key('elsewhere'), listedBytes: 7, delivered: true },
      ])
      const heading = { from: 'Ada', subject: 'a question', dateMs: 4711 }
      const header = (uidl: string, byte: number) => ({
        key: key(uidl),
        listedBytes: 9,
        fingerprint: Buffer.alloc(16, byte),
        messageId: '<1@example.org>',
        heading,
      })
      const names = ['seen', 'elsewhere', ONE.uidl, 'done', 'unknown']
      await ledger.noteHeaders(
        lease,
        names.map((name) => header(name, 1)),
      )
      await ledger.noteHeaders(lease, [header('seen', 2)])
      expect(await known(ledger, 'seen')).toMatchObject({
        fingerprint: Buffer.alloc(16, 1),
        listedBytes: 9,
        from: 'Ada',
      })
      expect(await known(ledger, 'elsewhere')).toMatchObject({ fingerprint: Buffer.alloc(16, 1), listedBytes: 7 })
      expect([(await known(ledger)).fingerprint, (await known(ledger, 'done')).fingerprint]).toEqual([null, null])
      expect(await ledger.known('old-isp', [key('unknown')])).toEqual([null])
      expect((await ledger.records.find('old-isp', 'seen'))[0]).toMatchObject({
        messageId: '<1@example.org>',
        ...heading,
      })
    })

    test('every session that asked for a deletion is counted, and the message stays known', async () => {
      const { ledger, lease } = await ledgerWithAccount(kind)
      await ledger.begin(lease, [beginning(ONE)])
      await ledger.settle(lease, settlement(ONE, DONE))
      await ledger.deleted(lease, [ONE])
      await ledger.deleted(lease, [ONE])
      expect(await known(ledger)).toMatchObject({ state: 'delivered', deletions: 2 })
    })
  })

  describe('what is known of a listing', () => {
    test('comes in the order of the keys, null for what was never seen, per account', async () => {
      const { ledger, lease } = await ledgerWithAccount(kind)
      await leaseOf(ledger, 'other')
      const all = Array.from({ length: 2500 }, (_, n) => key(`uid-${n}`))
      await ledger.begin(
        lease,
        all.filter((_, n) => n % 3 === 0).map((entry) => beginning(entry)),
      )
      const found = await ledger.known('old-isp', all)
      expect(found.map((message) => message?.state ?? null)).toEqual(all.map((_, n) => (n % 3 === 0 ? 'open' : null)))
      expect(await ledger.known('other', [ONE])).toEqual([null])
      expect(await ledger.known('nobody', [ONE])).toEqual([null])
      expect(await ledger.known('old-isp', [])).toEqual([])
    })

    test('tells apart any bytes a UIDL may have, and its copies', async () => {
      const { ledger, lease } = await ledgerWithAccount(kind)
      const odd = [
        '',
        ' ',
        '\0',
        '\0\0',
        'a',
        'A',
        '\u00e9',
        '\u00c3\u00a9',
        '"\\',
        '\u007f',
        'x'.repeat(1024),
        'x'.repeat(1025),
        `${'x'.repeat(1025)}y`,
      ]
      const keys = odd.flatMap((uidl) => [key(uidl), key(uidl, 1), key(uidl, 2)])
      await ledger.begin(
        lease,
        keys.map((entry, n) => ({ ...beginning(entry), listedBytes: n })),
      )
      const found = await ledger.known('old-isp', keys.toReversed())
      expect(found.map((message) => message?.listedBytes)).toEqual(keys.map((_, n) => n).toReversed())
      expect((await ledger.accounts())[0]?.known).toBe(keys.length)
    })
  })
}
