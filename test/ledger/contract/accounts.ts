// What is recorded of accounts beside their messages.
import { expect, test } from 'vitest'
import type { AccountHealth } from '../../../src/ledger/ledger.ts'
import { freshLedger, type Kind } from '../kind.ts'
import { IDENTITY, leaseOf, pollEnd } from '../scene.ts'

const HEALTH: AccountHealth = {
  lastPollMs: 5,
  lastSuccessMs: 4,
  failures: 2,
  refusals: 1,
  secretMark: 65_535,
  pausedUntilMs: 99,
  error: { code: 'ERR_AUTH', message: 'signing in as alice: -ERR no', retry: 'later' },
}

export function accounts(kind: Kind): void {
  test('an account is made known with its identity, which stays until a poll ends', async () => {
    const ledger = await freshLedger(kind)
    expect(await ledger.account('old-isp')).toBeNull()
    const lease = await leaseOf(ledger, 'old-isp')
    const fresh = await ledger.admit(lease, IDENTITY)
    expect(fresh).toMatchObject({
      name: 'old-isp',
      identity: IDENTITY,
      started: false,
      known: 0,
      error: null,
      told: null,
    })
    const moved = { ...IDENTITY, host: 'pop.example.org' }
    expect((await ledger.admit(lease, moved)).identity).toEqual(IDENTITY)
    await ledger.finish(lease, pollEnd({ identity: moved, health: HEALTH, facts: {} }))
    expect((await ledger.account('old-isp'))?.identity).toEqual(moved)
  })

  test('how a poll went is kept, facts are merged, null removes one', async () => {
    const ledger = await freshLedger(kind)
    const lease = await leaseOf(ledger, 'old-isp')
    await ledger.finish(
      lease,
      pollEnd({ identity: IDENTITY, health: HEALTH, facts: { pipelining: 'off', capa: 'UIDL TOP' } }),
    )
    await ledger.finish(
      lease,
      pollEnd({ identity: IDENTITY, health: HEALTH, facts: { pipelining: null, delay: '60' } }),
    )
    expect(await ledger.account('old-isp'))?.toMatchObject({
      ...HEALTH,
      facts: { capa: 'UIDL TOP', delay: '60' },
    })
    await ledger.finish(lease, pollEnd({ identity: IDENTITY, health: { ...HEALTH, error: null }, facts: {} }))
    expect((await ledger.account('old-isp'))?.error).toBeNull()
    const nobody = await ledger.lease('nobody')
    await expect(ledger.finish(nobody!, pollEnd({ identity: IDENTITY, health: HEALTH, facts: {} }))).rejects.toThrow(
      'account',
    )
  })

  test('what a person was told is kept and forgotten, and of an unknown account not at all', async () => {
    const ledger = await freshLedger(kind)
    await leaseOf(ledger, 'old-isp')
    await ledger.told('old-isp', { state: 'failed ERR_AUTH', atMs: 7 })
    await ledger.told('nobody', { state: 'failed', atMs: 7 })
    expect((await ledger.accounts()).map((record) => record.told)).toEqual([{ state: 'failed ERR_AUTH', atMs: 7 }])
    await ledger.told('old-isp', null)
    expect((await ledger.account('old-isp'))?.told).toBeNull()
  })

  test('accounts come in the order of their names and survive closing', async () => {
    const place = await kind.place()
    {
      await using ledger = await place.open()
      for (const name of ['b', 'a', 'c']) await leaseOf(ledger, name)
    }
    const again = await place.open()
    expect((await again.accounts()).map((record) => record.name)).toEqual(['a', 'b', 'c'])
  })

  test('more accounts than are read at once come whole, also while they are renamed', async () => {
    const ledger = await freshLedger(kind)
    const names = Array.from({ length: 600 }, (_, at) => `a${String(at).padStart(3, '0')}`)
    for (const name of names) await (await leaseOf(ledger, name))[Symbol.asyncDispose]()
    expect((await ledger.accounts()).map((record) => record.name)).toEqual(names)
    const [from, to] = [await leaseOf(ledger, 'a000'), await ledger.lease('z000')]
    if (to === null) throw new Error('somebody else has it')
    const [read] = await Promise.all([ledger.accounts(), ledger.records.rename(from, to)])
    expect(read.map((record) => record.name.slice(1)).toSorted()).toEqual(names.map((name) => name.slice(1)))
  })

  test('after it is closed a ledger says so', async () => {
    const ledger = await freshLedger(kind)
    const lease = await leaseOf(ledger, 'a')
    await ledger[Symbol.asyncDispose]()
    await ledger[Symbol.asyncDispose]()
    await expect(ledger.accounts()).rejects.toThrow('closed')
    await expect(ledger.deleted(lease, [{ uidl: 'x', copy: 0 }])).rejects.toThrow('closed')
  })
}
