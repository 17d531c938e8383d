// A listing held against what is known: positions, what was seen, what is gone.
import { describe, expect, test } from 'vitest'
import type { Comparison, EntryKey, Ledger, Lease } from '../../../src/ledger/ledger.ts'
import { standInFor } from '../../../src/redact/stand-in.ts'
import { freshLedger, type Kind } from '../kind.ts'
import { beginning, DONE, key, leaseOf, settlement } from '../scene.ts'

const everything = { seenAfterMs: -Infinity, deliveredAfterMs: -Infinity, deliveredUntilMs: Infinity }

function keys(count: number, prefix = 'uid-'): EntryKey[] {
  return Array.from({ length: count }, (_, at) => key(`${prefix}${at}`))
}

async function seeAll(comparison: Comparison, listed: readonly EntryKey[]): Promise<void> {
  for (const message of await comparison.known(listed)) if (message !== null) comparison.see(message.position)
}

/** What is recorded as gone. */
async function goneOf(ledger: Ledger, account: string): Promise<string[]> {
  const records = (await Array.fromAsync(ledger.records.list(account, 'all'))).flat()
  return records.filter(({ goneSinceMs }) => goneSinceMs !== null).map((record) => record.key.uidl)
}

async function skipped(ledger: Ledger, account: string, seen: readonly EntryKey[]): Promise<Lease> {
  const lease = await leaseOf(ledger, account)
  await ledger.start(
    lease,
    seen.map((each) => ({ key: each, listedBytes: null })),
  )
  return lease
}

export function comparisons(kind: Kind): void {
  test('every message that is given has a position of its own, and those of a slice follow each other', async () => {
    const ledger = await freshLedger(kind)
    const lease = await skipped(ledger, 'a', keys(5000))
    await ledger.begin(lease, [beginning(key('new')), beginning(key('new', 1))])
    await using comparison = ledger.compare('a')
    const positions: number[] = []
    for await (const { position, listedBytes } of comparison.settled(everything, 5000))
      positions.push(...Array.from(listedBytes, (_, at) => position + at))
    for (const message of await comparison.known([key('new'), key('nothing'), key('uid-7')]))
      if (message !== null) positions.push(message.position)
    for (const { known } of (await comparison.copies(['new', 'nothing'])).get('new') ?? [])
      positions.push(known.position)
    expect(positions).toHaveLength(5004)
    expect(new Set(positions).size).toBe(5004)
  })

  test('an account that is not known has nothing to give', async () => {
    const ledger = await freshLedger(kind)
    await using comparison = ledger.compare('nobody')
    expect(await comparison.known([key('a')])).toEqual([null])
    expect((await comparison.copies(['a'])).size).toBe(0)
    expect(await comparison.duplicated()).toEqual([])
    expect(await comparison.hasStandIns()).toBe(false)
    expect(await Array.fromAsync(comparison.keys())).toEqual([])
    expect(await comparison.counts()).toEqual({ present: 0, removed: 0 })
    expect(await Array.fromAsync(comparison.settled(everything, 1000))).toEqual([])
  })

  test('UIDLs that have stood for several messages are told, with all copies of each in their order', async () => {
    const ledger = await freshLedger(kind)
    const lease = await leaseOf(ledger, 'a')
    await ledger.begin(
      lease,
      [key('b', 2), key('b'), key('b', 1), key('single'), key('\u00e9\0', 1)].map((each) => beginning(each)),
    )
    await using comparison = ledger.compare('a')
    expect((await comparison.duplicated()).toSorted()).toEqual(['b', '\u00e9\0'])
    const copies = await comparison.copies(['b', 'single', 'nothing'])
    expect([...copies].map(([uidl, list]) => [uidl, list.map(({ copy }) => copy)])).toEqual([
      ['b', [0, 1, 2]],
      ['single', [0]],
    ])
  })

  test('stand-ins of UIDLs are told from UIDLs that are like them, and from those of other accounts', async () => {
    const ledger = await freshLedger(kind)
    const standIn = standInFor('a UIDL')
    await skipped(ledger, 'other', [key(standIn)])
    const lease = await skipped(ledger, 'a', [key('\0is'), key('\0is;'), key('\0top:ab'), key('is:ab'), key('plain')])
    await using comparison = ledger.compare('a')
    expect(await comparison.hasStandIns()).toBe(false)
    await ledger.rekey(lease, [{ from: key('plain'), to: key(standIn) }])
    expect(await comparison.hasStandIns()).toBe(true)
  })

  test('all keys of an account are given once, though they are changed meanwhile', async () => {
    const ledger = await freshLedger(kind)
    await skipped(ledger, 'other', keys(3, 'other-'))
    const all = [...keys(2500), key('copies', 1), key('copies', 2), key('\u00e9\n'), key('x'.repeat(1024))]
    const lease = await skipped(ledger, 'a', all)
    await using comparison = ledger.compare('a')
    const given: EntryKey[] = []
    for await (const slice of comparison.keys()) {
      given.push(...slice)
      await ledger.rekey(
        lease,
        slice.map(({ uidl, copy }) => ({ from: { uidl, copy }, to: { uidl: standInFor(uidl), copy } })),
      )
    }
    const names = (some: readonly EntryKey[]): string[] => some.map(({ uidl, copy }) => `${uidl} ${copy}`).toSorted()
    expect(names(given)).toEqual(names(all))
  })

  test('what was not seen is gone, what was seen is not, and other accounts keep theirs', async () => {
    const ledger = await freshLedger(kind, { nowMs: () => 5000 })
    await skipped(ledger, 'other', keys(3))
    const lease = await skipped(ledger, 'a', keys(3000))
    await using comparison = ledger.compare('a')
    await seeAll(comparison, keys(3000).slice(1, 2998))
    expect(comparison.seen).toBe(2997)
    expect(await comparison.counts()).toEqual({ present: 3000, removed: 0 })
    await comparison.gone(lease, { keep: false })
    expect(await goneOf(ledger, 'a')).toEqual(['uid-0', 'uid-2998', 'uid-2999'])
    expect(await goneOf(ledger, 'other')).toEqual([])
    expect((await ledger.known('a', [key('uid-0')]))[0]?.goneSinceMs).toBe(5000)
    expect(await comparison.counts()).toEqual({ present: 2997, removed: 0 })
  })

  test('settled messages that were seen by their position in a slice are not gone', async () => {
    const ledger = await freshLedger(kind)
    const lease = await skipped(ledger, 'a', keys(6000))
    await using comparison = ledger.compare('a')
    for await (const { position, uidls } of comparison.settled(everything, 6000)) {
      const names = uidls.toString('latin1').split('\n').slice(0, -1)
      names.forEach((uidl, at) => {
        if (uidl !== 'uid-4711') comparison.see(position + at)
      })
    }
    await comparison.gone(lease, { keep: false })
    expect(await goneOf(ledger, 'a')).toEqual(['uid-4711'])
  })

  test('a small account beside a large one: its own messages and their copies are gone, whatever their UIDLs', async () => {
    const ledger = await freshLedger(kind)
    const odd = ['', '\0', 'a', '\u00ff', 'x'.repeat(1025), 'z']
    const lease = await skipped(ledger, 'a', [...odd.map((uidl) => key(uidl)), key('a', 1), key('a', 2)])
    await skipped(ledger, 'large', keys(2000))
    await using comparison = ledger.compare('a')
    await seeAll(comparison, [key('\0'), key('a', 1)])
    await comparison.gone(lease, { keep: false })
    expect(await goneOf(ledger, 'a')).toHaveLength(6)
    const still = await ledger.known('a', [key('\0'), key('a', 1), key('a')])
    expect(still.map((message) => message?.goneSinceMs === null)).toEqual([true, true, false])
  })

  test('what is gone keeps its time when a later listing lacks it too, and returns when it is listed again', async () => {
    let nowMs = 1000
    const ledger = await freshLedger(kind, { nowMs: () => nowMs })
    const lease = await skipped(ledger, 'a', keys(2))
    for (nowMs of [1000, 2000]) {
      await using comparison = ledger.compare('a')
      await seeAll(comparison, [key('uid-0')])
      await comparison.gone(lease, { keep: false })
    }
    expect((await ledger.known('a', [key('uid-1')]))[0]?.goneSinceMs).toBe(1000)
    await ledger.returned(lease, [key('uid-1')])
    expect((await ledger.known('a', [key('uid-1')]))[0]?.goneSinceMs).toBeNull()
  })

  test('what was first seen by a clock that was ahead is first seen again (S040)', async () => {
    let nowMs = 9000
    const ledger = await freshLedger(kind, { nowMs: () => nowMs })
    const lease = await skipped(ledger, 'a', keys(2))
    nowMs = 1000
    await ledger.restartAges(lease, [key('uid-1'), key('nobody')])
    const known = await ledger.known('a', [...keys(2), key('nobody')])
    expect(known.map((message) => message?.firstSeenMs)).toEqual([9000, 1000, undefined])
  })

  test('messages that were asked to be deleted are counted apart, and are gone like others', async () => {
    const ledger = await freshLedger(kind)
    const lease = await skipped(ledger, 'a', keys(2500))
    await ledger.deleted(lease, keys(2000))
    await using comparison = ledger.compare('a')
    expect(await comparison.counts()).toEqual({ present: 2500, removed: 2000 })
    await seeAll(comparison, keys(2500).slice(1999))
    await comparison.gone(lease, { keep: false })
    expect(await goneOf(ledger, 'a')).toHaveLength(1999)
    expect(await comparison.counts()).toEqual({ present: 501, removed: 1 })
  })

  describe('headers', () => {
    test('of messages that were not seen are given, in slices', async () => {
      const ledger = await freshLedger(kind)
      const lease = await leaseOf(ledger, 'a')
      const all = keys(1500)
      await ledger.begin(
        lease,
        [...all, key('bare')].map((each) => beginning(each)),
      )
      await Promise.all(
        all.map((each, at) => {
          const received = {
            receivedBytes: 1,
            digest: Buffer.alloc(32),
            fingerprint: Buffer.alloc(16, at % 256),
            messageId: null,
          }
          return ledger.settle(lease, { ...settlement(each, DONE), received })
        }),
      )
      await using comparison = ledger.compare('a')
      await seeAll(comparison, all.slice(2))
      const unseen = (await Array.fromAsync(comparison.unseenFingerprints())).flat()
      expect(unseen.map((each) => [each.key, each.fingerprint[0]])).toEqual([
        [key('uid-0'), 0],
        [key('uid-1'), 1],
      ])
    })
  })

  test('messages that are gone without our doing are told by their headers, those of other accounts are not', async () => {
    const ledger = await freshLedger(kind)
    for (const account of ['a', 'b']) {
      const lease = await leaseOf(ledger, account)
      await ledger.begin(
        lease,
        keys(5).map((each) => beginning(each)),
      )
      for (const [at, each] of keys(5).entries()) {
        const received = {
          receivedBytes: 1,
          digest: Buffer.alloc(32),
          fingerprint: Buffer.alloc(16, at),
          messageId: null,
        }
        // Of the last one nothing was received.
        if (at < 4) await ledger.settle(lease, { ...settlement(each, DONE), received })
      }
      await ledger.deleted(lease, [key('uid-1')])
      await using comparison = ledger.compare(account)
      expect((await Array.fromAsync(comparison.goneFingerprints())).flat()).toEqual([])
      await seeAll(comparison, account === 'a' ? [key('uid-0')] : keys(5))
      await comparison.gone(lease, { keep: false })
    }
    await using comparison = ledger.compare('a')
    const gone = (await Array.fromAsync(comparison.goneFingerprints())).flat()
    expect(gone.map((each) => [each.key.uidl, each.fingerprint[0]])).toEqual([
      ['uid-2', 2],
      ['uid-3', 3],
    ])
  })

  test('messages that were asked to be deleted, are not listed and not gone yet are given; no others', async () => {
    const ledger = await freshLedger(kind)
    const lease = await skipped(ledger, 'a', keys(1500))
    await ledger.deleted(lease, keys(1500).slice(2))
    await using comparison = ledger.compare('a')
    await seeAll(comparison, keys(1500).slice(0, 1498))
    const removed = (await Array.fromAsync(comparison.unseenRemoved())).flat()
    expect(removed).toEqual([key('uid-1498'), key('uid-1499')])
    await comparison.gone(lease, { keep: false })
    expect((await Array.fromAsync(comparison.unseenRemoved())).flat()).toEqual([])
  })

  test('of some messages those are told that were not seen, and of unknown ones nothing', async () => {
    const ledger = await freshLedger(kind)
    await skipped(ledger, 'a', keys(3))
    await using comparison = ledger.compare('a')
    await seeAll(comparison, [key('uid-1')])
    expect(await comparison.unseen([...keys(3), key('unknown')])).toEqual([key('uid-0'), key('uid-2')])
  })

  test('skipped messages that were not seen, are not gone and of which nothing but the key is known are counted (M010)', async () => {
    const ledger = await freshLedger(kind)
    const lease = await skipped(ledger, 'a', keys(4))
    await skipped(ledger, 'b', keys(9))
    {
      await using comparison = ledger.compare('a')
      expect(await comparison.unseenBare()).toBe(4)
      await seeAll(comparison, [key('uid-1')])
      expect(await comparison.unseenBare()).toBe(3)
      await comparison.gone(lease, { keep: false })
      expect(await comparison.unseenBare()).toBe(0)
    }
    await using comparison = ledger.compare('a')
    expect(await comparison.unseenBare()).toBe(1)
    await using other = ledger.compare('unknown')
    expect(await other.unseenBare()).toBe(0)
  })
}
