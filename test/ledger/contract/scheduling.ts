// What schedulers ask: which accounts are due, and who is at work.
import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { type Kind, processAt } from '../kind.ts'
import { leaseOf } from '../scene.ts'

async function scheduled(ledger: Ledger, account: string, delayMs: number | null): Promise<void> {
  await using lease = await leaseOf(ledger, account)
  await ledger.schedule(lease, delayMs)
}

export function scheduling(kind: Kind): void {
  test('an account is claimed once it is due, the longest due first, as many as are wanted', async () => {
    let nowMs = 1000
    const ledger = await (await kind.place()).open({ nowMs: () => nowMs })
    for (const [account, delayMs] of [
      ['later', 500],
      ['now', 0],
      ['soon', 10],
      ['never', null],
    ] as const)
      await scheduled(ledger, account, delayMs)
    expect((await ledger.claimDue(9)).map(({ account }) => account)).toEqual(['now'])
    nowMs = 1500
    expect((await ledger.claimDue(1)).map(({ account }) => account)).toEqual(['soon'])
    const [later] = await ledger.claimDue(9)
    expect(later).toMatchObject({ account: 'later', record: { name: 'later' } })
    expect(await ledger.claimDue(9)).toEqual([])
  })

  test('two who claim at once get different accounts, and all of them', async () => {
    const place = await kind.place()
    const [one, two] = [await place.open(), await place.open()]
    const names = Array.from({ length: 20 }, (_, at) => `account-${at}`)
    for (const name of names) await scheduled(one, name, 0)
    const claimed = (await Promise.all([one.claimDue(50), two.claimDue(50)])).flat().map(({ account }) => account)
    expect(claimed.toSorted()).toEqual(names.toSorted())
  })

  test('one that is given back without a new time is due again at once, one with a time then', async () => {
    let nowMs = 1000
    const ledger = await (await kind.place()).open({ nowMs: () => nowMs })
    await scheduled(ledger, 'a', 0)
    await (await ledger.claimDue(1))[0]?.[Symbol.asyncDispose]()
    const [again] = await ledger.claimDue(1)
    expect(again?.account).toBe('a')
    await ledger.schedule(again!, 60)
    await again?.[Symbol.asyncDispose]()
    expect(await ledger.claimDue(1)).toEqual([])
    nowMs = 1060
    expect(await ledger.claimDue(1)).toHaveLength(1)
  })

  test('who is woken is due, whenever it was to be', async () => {
    const ledger = await (await kind.place()).open()
    await scheduled(ledger, 'a', 1e9)
    await ledger.wake(['a', 'unknown'])
    expect((await ledger.claimDue(9)).map(({ account }) => account)).toEqual(['a'])
  })

  test('workers are the living processes that have leases, with what they have', async () => {
    const place = await kind.place()
    const ledger = await place.open()
    expect(await ledger.workers()).toEqual([])
    const other = processAt(kind, place, 'holder.ts')
    await other.line()
    for (const line of ['take b', 'take a']) {
      other.process.stdin?.write(`${line}\n`)
      await other.line()
    }
    const lease = await ledger.lease('mine')
    const workers = await ledger.workers()
    const inOrder = workers.toSorted((a, b) => (a.holds.join() < b.holds.join() ? -1 : 1))
    expect(inOrder.map(({ machine, holds }) => [machine, holds])).toEqual([
      [hostname(), ['a', 'b']],
      [hostname(), ['mine']],
    ])
    expect(new Set(workers.map(({ name }) => name)).size).toBe(2)
    await lease?.[Symbol.asyncDispose]()
    other.process.kill('SIGKILL')
    await new Promise((resolve) => other.process.once('exit', resolve))
    expect(await ledger.workers()).toEqual([])
  })
}
