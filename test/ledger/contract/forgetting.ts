// Messages that whole listings lack for long enough are forgotten, and no others.
import { describe, expect, test } from 'vitest'
import type { EntryKey, Ledger, Lease, Outcome } from '../../../src/ledger/ledger.ts'
import { freshLedger, type Kind } from '../kind.ts'
import { nameOfMessage } from '../../../src/ledger/destination.ts'
import { beginning, DONE, key, leaseOf, pollEnd, settlement } from '../scene.ts'
import { uidlsOf } from './samples.ts'

/** An account whose listings are counted, under a clock that a test sets. */
class Mailbox {
  nowMs = 0
  readonly ledger: Ledger
  readonly lease: Lease

  private constructor(ledger: Ledger, lease: Lease) {
    this.ledger = ledger
    this.lease = lease
  }

  static async create(kind: Kind): Promise<Mailbox> {
    let mailbox: Mailbox | null = null
    const ledger = await freshLedger(kind, { nowMs: () => mailbox?.nowMs ?? 0 })
    mailbox = new Mailbox(ledger, await leaseOf(ledger, 'a'))
    return mailbox
  }

  async delivered(...uidls: readonly string[]): Promise<void> {
    await this.ledger.begin(
      this.lease,
      uidls.map((uidl) => beginning(key(uidl))),
    )
    for (const uidl of uidls) await this.ledger.settle(this.lease, settlement(key(uidl), DONE))
  }

  /** A poll whose whole listing shows these; forgets what may be. */
  async poll(atMs: number, shown: readonly EntryKey[], { keep = false, most = 100 } = {}): Promise<number> {
    this.nowMs = atMs
    const { ledger, lease } = this
    await using comparison = ledger.compare('a')
    for (const message of await comparison.known(shown)) if (message !== null) comparison.see(message.position)
    await comparison.gone(lease, { keep })
    const forgotten = await ledger.forget(lease, { goneUntilMs: atMs - 100, listings: 3 }, most)
    await ledger.finish(lease, pollEnd({ wholeListing: true }))
    return forgotten
  }
}

export function forgetting(kind: Kind): void {
  test('after three listings that lack it, when the time is over, with its deliveries', async () => {
    const mailbox = await Mailbox.create(kind)
    await mailbox.delivered('stays', 'goes')
    const shown = [key('stays')]
    expect(await mailbox.poll(1000, shown)).toBe(0)
    expect(await mailbox.poll(1050, shown)).toBe(0)
    expect(await mailbox.poll(1099, shown)).toBe(0)
    expect(await mailbox.poll(1100, shown)).toBe(1)
    expect(await uidlsOf(mailbox.ledger, 'all')).toEqual(['stays'])
    expect((await mailbox.ledger.account('a'))?.known).toBe(1)
    await mailbox.ledger.begin(mailbox.lease, [beginning(key('goes'), ['elsewhere'])])
    const [again] = await mailbox.ledger.records.find('a', 'goes')
    expect(again?.deliveries.map(({ destination }) => destination)).toEqual(['elsewhere'])
  })

  test('not after two listings, however late the second', async () => {
    const mailbox = await Mailbox.create(kind)
    await mailbox.delivered('goes')
    expect(await mailbox.poll(1000, [])).toBe(0)
    expect(await mailbox.poll(9000, [])).toBe(0)
    expect(await mailbox.poll(9001, [])).toBe(1)
  })

  test('not when a poll ended without a whole listing: it is not counted', async () => {
    const mailbox = await Mailbox.create(kind)
    await mailbox.delivered('goes')
    await mailbox.poll(1000, [])
    for (let polls = 0; polls < 5; polls++) await mailbox.ledger.finish(mailbox.lease, pollEnd({}))
    expect(await mailbox.poll(9000, [])).toBe(0)
  })

  test('not when it came back: the count begins again', async () => {
    const mailbox = await Mailbox.create(kind)
    await mailbox.delivered('goes')
    await mailbox.poll(1000, [])
    await mailbox.poll(1200, [])
    await mailbox.ledger.returned(mailbox.lease, [key('goes')])
    for (const atMs of [2000, 2001, 2099]) expect(await mailbox.poll(atMs, [])).toBe(0)
    expect(await mailbox.poll(2100, [])).toBe(1)
  })

  test('not what came and is open or held, but what was skipped', async () => {
    const mailbox = await Mailbox.create(kind)
    const { ledger, lease } = mailbox
    await ledger.begin(lease, [beginning(key('open'))])
    await ledger.begin(lease, [beginning(key('held'))])
    await ledger.hold(lease, [{ key: key('held'), listedBytes: null, reason: 'a loop' }])
    await ledger.start(lease, [{ key: key('skipped'), listedBytes: null }])
    for (const atMs of [1000, 1001, 9000]) await mailbox.poll(atMs, [])
    expect(await uidlsOf(ledger, 'all')).toEqual(['open', 'held'])
  })

  test('never what went from a listing that may be a window, unless it was asked to be deleted', async () => {
    const mailbox = await Mailbox.create(kind)
    await mailbox.delivered('pushed out', 'deleted')
    await mailbox.ledger.deleted(mailbox.lease, [key('deleted')])
    await mailbox.poll(1000, [], { keep: true })
    for (const atMs of [1001, 9000, 9001]) await mailbox.poll(atMs, [])
    expect(await uidlsOf(mailbox.ledger, 'all')).toEqual(['pushed out'])
  })

  test('no more at once than are wanted, and the rest later', async () => {
    const mailbox = await Mailbox.create(kind)
    const many = Array.from({ length: 2500 }, (_, at) => ({ key: key(`uid-${at}`), listedBytes: null }))
    await mailbox.ledger.start(mailbox.lease, many)
    await mailbox.poll(1000, [])
    await mailbox.poll(1001, [])
    expect(await mailbox.poll(9000, [], { most: 2100 })).toBe(2100)
    expect(await mailbox.poll(9001, [], { most: 0 })).toBe(0)
    expect(await mailbox.poll(9002, [], { most: 1000 })).toBe(400)
    expect((await mailbox.ledger.account('a'))?.known).toBe(0)
  })

  describe('the mark of a listing', () => {
    const mark = { digest: Buffer.from('of all UIDLs'), dueMs: 77 }

    test('is given back with the next lease, as the last poll left it', async () => {
      const place = await kind.place()
      const ledger = await place.open()
      for (const left of [mark, { ...mark, dueMs: null }, null]) {
        {
          await using lease = await leaseOf(ledger, 'a')
          await ledger.finish(lease, pollEnd({ mark: left, lasting: left !== mark }))
        }
        const again = await place.open()
        await using lease = await again.lease('a')
        expect(lease?.record?.mark).toEqual(left)
      }
    })

    const refused: Outcome = { state: 'refused', error: 'no', retryAfterMs: 9, conclusion: 'BAD' }
    const changes: Readonly<Record<string, (ledger: Ledger, lease: Lease) => Promise<unknown>>> = {
      begin: (ledger, lease) => ledger.begin(lease, [beginning(key('new'))]),
      see: (ledger, lease) => ledger.see(lease, [{ key: key('new'), listedBytes: 1 }]),
      start: (ledger, lease) => ledger.start(lease, [{ key: key('new'), listedBytes: 1 }]),
      settle: (ledger, lease) => ledger.settle(lease, settlement(key('x'), DONE)),
      settleAndBegin: (ledger, lease) =>
        ledger.settleAndBegin(lease, [settlement(key('x'), DONE)], [beginning(key('new'))]),
      handOver: (ledger, lease) => ledger.handOver(lease, [{ key: key('x'), destination: 'inbox', recipient: '' }]),
      abandon: (ledger, lease) => ledger.abandon(lease, [{ key: key('x'), reason: null, counts: false }]),
      hold: (ledger, lease) => ledger.hold(lease, [{ key: key('x'), listedBytes: 1, reason: 'a loop' }]),
      deleted: (ledger, lease) => ledger.deleted(lease, [key('x')]),
      noteDeletions: (ledger, lease) =>
        ledger.noteDeletions(lease, [{ key: key('x'), pending: { reason: 'no', tried: true } }]),
      noteHarm: (ledger, lease) => ledger.noteHarm(lease, [key('x')], 'TOP'),
      restartAges: (ledger, lease) => ledger.restartAges(lease, [key('x')]),
      adopt: (ledger, lease) =>
        ledger.adopt(lease, [{ key: key('new'), listedBytes: 1, deliveries: [], complete: true }]),
      rekey: (ledger, lease) => ledger.rekey(lease, [{ from: key('x'), to: key('y') }]),
      gone: async (ledger, lease) => {
        await using comparison = ledger.compare('a')
        await comparison.gone(lease, { keep: false })
      },
      takeOver: (ledger, lease) => ledger.takeOver(lease, { why: 'lost', sinceMs: 1, counts: {} }),
      absolve: (ledger) => ledger.absolve([nameOfMessage('a', key('refused'))], ['inbox'], null),
      retry: (ledger, lease) => ledger.records.retry(lease, ['refused']),
      'forget a message': (ledger, lease) => ledger.records.forget(lease, [key('x')], {}),
      'forget all': (ledger, lease) => ledger.records.forgetAll(lease, {}),
    }

    test.for(Object.entries(changes))('is gone after: %s', async ([, change]) => {
      const place = await kind.place()
      {
        const ledger = await place.open()
        await using lease = await leaseOf(ledger, 'a')
        await ledger.begin(lease, [beginning(key('x')), beginning(key('refused'))])
        await ledger.settle(lease, settlement(key('refused'), refused))
        await ledger.finish(lease, pollEnd({ mark }))
        await ledger.records.note('a', { some: 'fact' })
        expect((await ledger.account('a'))?.mark).toEqual(mark)
        if (change === changes['absolve']) {
          await change(ledger, lease)
          expect((await ledger.account('a'))?.mark).toBeNull()
          return
        }
      }
      const ledger = await place.open()
      const lease = await leaseOf(ledger, 'a')
      await change(ledger, lease)
      expect((await ledger.account('a'))?.mark).toBeNull()
    })

    test('is gone after the account was renamed', async () => {
      const ledger = await freshLedger(kind)
      {
        await using lease = await leaseOf(ledger, 'a')
        await ledger.finish(lease, pollEnd({ mark }))
      }
      await using from = await leaseOf(ledger, 'a')
      await using to = await ledger.lease('b')
      if (to === null) throw new Error('somebody is at work')
      expect(await ledger.records.rename(from, to)).toBe(true)
      expect((await ledger.account('b'))?.mark).toBeNull()
    })

    test('is there after a change and the end of the poll, asked for together', async () => {
      const ledger = await freshLedger(kind)
      await using lease = await leaseOf(ledger, 'a')
      await Promise.all([ledger.begin(lease, [beginning(key('x'))]), ledger.finish(lease, pollEnd({ mark }))])
      expect((await ledger.account('a'))?.mark).toEqual(mark)
    })
  })
}
