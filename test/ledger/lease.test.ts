// Waiting for a lease that another process has. What a lease is, is tried with each kind of ledger.
import { expect, test } from 'vitest'
import { type Lease, waitForLease } from '../../src/ledger/lease.ts'

const { signal } = new AbortController()
// eslint-disable-next-line typescript/no-unsafe-type-assertion -- only its identity counts here
const lease = { account: 'work' } as Lease

/** Gives the lease at the given try; null: never. */
function ledger(givenAt: number | null) {
  let tries = 0
  return { lease: () => Promise.resolve(++tries === givenAt ? lease : null) }
}

test('it is asked for at once, and again after each wait', async () => {
  const waits: number[] = []
  const told: number[] = []
  const wait = (ms: number): Promise<void> => Promise.resolve(void waits.push(ms))
  const waiting = (tries: number): void => void told.push(tries)
  expect(await waitForLease(ledger(1), 'work', { tries: 3, everyMs: 7, signal, wait, waiting })).toBe(lease)
  expect(await waitForLease(ledger(3), 'work', { tries: 3, everyMs: 7, signal, wait, waiting })).toBe(lease)
  expect([waits, told]).toEqual([
    [7, 7],
    [1, 2],
  ])
})

test('after the last try nobody waits any more', async () => {
  const wait = (): Promise<void> => Promise.resolve()
  expect(await waitForLease(ledger(4), 'work', { tries: 3, everyMs: 7, signal, wait })).toBeNull()
})

test('the signal ends the wait', async () => {
  const stop = new AbortController()
  const waiting = (): void => stop.abort(new Error('stop'))
  const wanted = waitForLease(ledger(null), 'work', { tries: 3, everyMs: 60_000, signal: stop.signal, waiting })
  await expect(wanted).rejects.toThrow('stop')
  const neverCalled = (): never => {
    throw new Error('nobody waits any more')
  }
  const late = waitForLease(ledger(null), 'work', { tries: 3, everyMs: 1, signal: stop.signal, waiting: neverCalled })
  await expect(late).rejects.toThrow('stop')
})
