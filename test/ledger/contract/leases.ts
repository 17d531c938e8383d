// The right to an account: had once, given back, lost, and what follows for changes.
import { once } from 'node:events'
import { describe, expect, test, vi } from 'vitest'
import type { Ledger, Lease } from '../../../src/ledger/ledger.ts'
import { freshLedger, type Kind, type Place, processAt } from '../kind.ts'
import { beginning, type Child, DONE, IDENTITY, key, leaseOf, pollEnd, settlement } from '../scene.ts'

async function holder(kind: Kind, place: Place): Promise<Child> {
  const started = processAt(kind, place, 'holder.ts')
  expect(await started.line()).toBe('ready')
  return started
}

async function say(to: Child, line: string): Promise<string> {
  to.process.stdin?.write(`${line}\n`)
  return to.line()
}

/** Every change of an account that takes its lease. */
const CHANGES: Readonly<Record<string, (ledger: Ledger, lease: Lease) => Promise<unknown>>> = {
  admit: (ledger, lease) => ledger.admit(lease, IDENTITY),
  see: (ledger, lease) => ledger.see(lease, [{ key: key('x'), listedBytes: null }]),
  start: (ledger, lease) => ledger.start(lease, [{ key: key('x'), listedBytes: null }]),
  begin: (ledger, lease) => ledger.begin(lease, [beginning(key('x'))]),
  settle: (ledger, lease) => ledger.settle(lease, settlement(key('a'), DONE)),
  abandon: (ledger, lease) => ledger.abandon(lease, [{ key: key('a'), reason: 'cut', counts: true }]),
  hold: (ledger, lease) => ledger.hold(lease, [{ key: key('a'), listedBytes: null, reason: 'a loop' }]),
  deleted: (ledger, lease) => ledger.deleted(lease, [key('a')]),
  gone: (ledger, lease) => ledger.compare(lease.account).gone(lease, { keep: false }),
  returned: (ledger, lease) => ledger.returned(lease, [key('a')]),
  restartAges: (ledger, lease) => ledger.restartAges(lease, [key('a')]),
  adopt: (ledger, lease) => ledger.adopt(lease, [{ key: key('x'), listedBytes: null, deliveries: [], complete: true }]),
  confirm: (ledger, lease) =>
    ledger.confirm(lease, key('a'), {
      receivedBytes: 1,
      digest: Buffer.alloc(32),
      fingerprint: Buffer.alloc(16),
      messageId: null,
    }),
  rekey: (ledger, lease) => ledger.rekey(lease, [{ from: key('a'), to: key('x') }]),
  noteHeaders: (ledger, lease) =>
    ledger.noteHeaders(lease, [
      {
        key: key('a'),
        listedBytes: null,
        fingerprint: Buffer.alloc(16),
        messageId: null,
        heading: { from: null, subject: null, dateMs: null },
      },
    ]),
  finish: (ledger, lease) => ledger.finish(lease, pollEnd({ facts: { a: 'b' } })),
  schedule: (ledger, lease) => ledger.schedule(lease, 0),
  'records.forget': (ledger, lease) => ledger.records.forget(lease, [key('a')], {}),
  'records.forgetAll': (ledger, lease) => ledger.records.forgetAll(lease, {}),
  'records.remove': (ledger, lease) => ledger.records.remove(lease),
}

async function everything(ledger: Ledger): Promise<unknown> {
  return [await ledger.accounts(), await Array.fromAsync(ledger.records.list('a', 'all'))]
}

export function leases(kind: Kind): void {
  test('an account is leased once in a process, and again after the release, under another token', async () => {
    const ledger = await freshLedger(kind)
    const first = await ledger.lease('a')
    expect(await ledger.lease('a')).toBeNull()
    const other = await ledger.lease('b')
    expect(other?.account).toBe('b')
    await first?.[Symbol.asyncDispose]()
    await first?.[Symbol.asyncDispose]()
    const again = await ledger.lease('a')
    expect(again?.account).toBe('a')
    expect(again?.token).not.toBe(first?.token)
  })

  test('a lease comes with what is recorded of the account, null where nothing is', async () => {
    const ledger = await freshLedger(kind)
    {
      await using lease = await leaseOf(ledger, 'a')
      expect(lease.record).toBeNull()
      await ledger.begin(lease, [beginning(key('a'))])
    }
    const lease = await ledger.lease('a')
    expect(lease?.record).toEqual(await ledger.account('a'))
    expect(lease?.record?.known).toBe(1)
  })

  test('of many that ask at once, in one process and through two ledgers, one gets it', async () => {
    const place = await kind.place()
    const [one, two] = [await place.open(), await place.open()]
    const leases = await Promise.all([one, two, one, two].map((ledger) => ledger.lease('a')))
    expect(leases.filter((lease) => lease !== null).length).toBe(1)
  })

  test('a lease of another process that lives is respected', async () => {
    const place = await kind.place()
    const other = await holder(kind, place)
    expect(await say(other, 'take a')).toBe('a yes')
    const ledger = await place.open()
    expect(await ledger.lease('a')).toBeNull()
    expect(await ledger.lease('b')).not.toBeNull()
    expect(await say(other, 'release a')).toBe('a released')
    expect(await ledger.lease('a')).not.toBeNull()
    expect(await say(other, 'take a')).toBe('a no')
  })

  test('a lease of a killed process is taken over, by one of those who want it', async () => {
    const place = await kind.place()
    const dead = await holder(kind, place)
    expect(await say(dead, 'take a')).toBe('a yes')
    const others = await Promise.all([holder(kind, place), holder(kind, place), holder(kind, place)])
    dead.process.kill('SIGKILL')
    await once(dead.process, 'exit')
    // That it has died may be noticed a little later.
    const ledger = await place.open()
    await vi.waitFor(async () => expect(await ledger.workers()).toEqual([]), 60_000)
    const answers = await Promise.all(others.map((other) => say(other, 'take a')))
    expect(answers.toSorted()).toEqual(['a no', 'a no', 'a yes'])
  })

  test('closing a ledger frees its leases, and those who had them learn that they are lost', async () => {
    const place = await kind.place()
    const first = await place.open()
    const [lost, returned] = [await leaseOf(first, 'a'), await leaseOf(first, 'b')]
    await returned[Symbol.asyncDispose]()
    expect(() => lost.requireHeld()).not.toThrow()
    await first[Symbol.asyncDispose]()
    expect(lost.lost.reason).toMatchObject({ code: 'ERR_LEASE_LOST', scope: 'account', retry: 'soon' })
    expect(() => lost.requireHeld()).toThrow(expect.objectContaining({ code: 'ERR_LEASE_LOST' }))
    expect(returned.lost.aborted).toBe(false)
    await lost[Symbol.asyncDispose]()
    const second = await place.open()
    expect(await second.lease('a')).not.toBeNull()
  })

  describe('under a lease that was given back', () => {
    test.each(Object.entries(CHANGES))('%s rejects and changes nothing', async (_, change) => {
      const ledger = await freshLedger(kind)
      const lease = await leaseOf(ledger, 'a')
      await ledger.begin(lease, [beginning(key('a'))])
      await lease[Symbol.asyncDispose]()
      const before = await everything(ledger)
      await using successor = await ledger.lease('a')
      expect(successor).not.toBeNull()
      expect(() => lease.requireHeld()).toThrow(expect.objectContaining({ code: 'ERR_LEASE_LOST' }))
      await expect(change(ledger, lease)).rejects.toMatchObject({ code: 'ERR_LEASE_LOST' })
      expect(await everything(ledger)).toEqual(before)
    })

    test('nothing is renamed, whichever of the two it is', async () => {
      const ledger = await freshLedger(kind)
      const [held, given] = [await leaseOf(ledger, 'a'), await leaseOf(ledger, 'b')]
      await given[Symbol.asyncDispose]()
      for (const [from, to] of [
        [held, given],
        [given, held],
      ] as const)
        await expect(ledger.records.rename(from, to)).rejects.toMatchObject({ code: 'ERR_LEASE_LOST' })
      expect((await ledger.accounts()).map(({ name }) => name)).toEqual(['a', 'b'])
    })
  })

  test('what was asked for before a lease was given back is recorded', async () => {
    const ledger = await freshLedger(kind)
    const lease = await leaseOf(ledger, 'a')
    const begun = ledger.begin(lease, [beginning(key('a'))])
    await lease[Symbol.asyncDispose]()
    await begun
    expect((await ledger.account('a'))?.known).toBe(1)
  })
}
