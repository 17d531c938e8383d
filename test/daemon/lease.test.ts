// The right to be the daemon of a ledger that machines share: one for each name.
import { expect, test } from 'vitest'
import { DaemonLease } from '../../src/daemon/lease.ts'
import type { PopfetchError } from '../../src/errors.ts'
import type { Lease, Worker } from '../../src/ledger/ledger.ts'

/** A ledger on which others hold what `held` says; time passes while somebody waits. */
class Shared {
  readonly spans = 'machines'
  readonly asked: string[] = []
  readonly held = new Map<string, Worker>()
  /** Called at each wait, with how many there were. */
  passing: (waits: number) => void = () => {}
  #waits = 0

  hold(account: string): { seenAt(ms: number): void } {
    const worker = { name: 'other', machine: 'nas', version: '1', sinceMs: 1, lastSeenMs: 1000, holds: [account] }
    this.held.set(account, worker)
    return { seenAt: (ms) => void this.held.set(account, { ...worker, lastSeenMs: ms }) }
  }

  lease(account: string): Promise<Lease | null> {
    this.asked.push(account)
    if (this.held.has(account)) return Promise.resolve(null)
    const lost = new AbortController().signal
    const lease = { account, token: 1, record: null, lost, requireHeld: () => {} }
    return Promise.resolve({ ...lease, [Symbol.asyncDispose]: () => Promise.resolve() })
  }

  workers(): Promise<readonly Worker[]> {
    return Promise.resolve([...this.held.values()])
  }

  async take(machine: string): Promise<PopfetchError | null> {
    const { signal } = new AbortController()
    const wait = (): Promise<void> => Promise.resolve(this.passing(++this.#waits))
    const surroundings = { ledger: this, machine, socket: '/nowhere/at/all', signal, wait, ended: () => {} }
    return await DaemonLease.take(surroundings).then(
      () => null,
      (error: PopfetchError) => error,
    )
  }
}

test('each machine has a daemon of its own', async () => {
  const ledger = new Shared()
  ledger.hold('(daemon) nas')
  expect(await ledger.take('vps')).toBe(null)
})

test('a second daemon of one name is refused as soon as the first is seen alive, and the way out is told', async () => {
  const ledger = new Shared()
  const other = ledger.hold('(daemon) nas')
  ledger.passing = (waits) => other.seenAt(1000 + waits)
  const error = await ledger.take('nas')
  expect(error).toMatchObject({ code: 'ERR_BUSY', scope: 'process' })
  expect(error?.message).toMatch(/a machine called nas .* set daemon\.machine to a name of its own/)
  expect(ledger.asked).toHaveLength(20)
})

test('one that says nothing is waited for until the ledger gives it up, for half a minute and no longer', async () => {
  const ledger = new Shared()
  ledger.hold('(daemon) nas')
  ledger.passing = (waits) => void (waits === 100 && ledger.held.clear())
  expect(await ledger.take('nas')).toBe(null)
  ledger.hold('(daemon) nas')
  ledger.passing = () => {}
  ledger.asked.length = 0
  expect((await ledger.take('nas'))?.code).toBe('ERR_BUSY')
  expect(ledger.asked).toHaveLength(140)
})
