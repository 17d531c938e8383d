// A process that slept past its leases: it notices by a clock that counts sleep, stops what it was at, and goes on.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Ledger, Lease } from '../../../src/ledger/ledger.ts'
import { openPostgres } from '../../../src/ledger/postgres/open.ts'
import { PostgresServer } from '../../support/postgres-server.ts'

let server: PostgresServer
beforeAll(async () => void (server = await PostgresServer.start()))
afterAll(() => server[Symbol.asyncDispose]())

/** A ledger of a machine that can be made to sleep. */
class Machine implements AsyncDisposable {
  ledger!: Ledger
  #sleptS = 0

  static async start(schema: string): Promise<Machine> {
    const machine = new Machine()
    const upS = (): number => performance.now() / 1000 + machine.#sleptS
    machine.ledger = await openPostgres(server.server(schema), { upS })
    return machine
  }

  sleep(seconds: number): void {
    this.#sleptS += seconds
  }

  async lease(account: string): Promise<Lease> {
    const lease = await this.ledger.lease(account)
    if (lease === null) throw new Error('somebody else has it')
    return lease
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ledger[Symbol.asyncDispose]()
  }
}

const IDENTITY = { host: 'pop.example.org', port: 995, user: 'a' }

test('knows before any timer that its leases may be lost, and records nothing under them', async () => {
  await using machine = await Machine.start('knows')
  const lease = await machine.lease('a')
  lease.requireHeld()
  machine.sleep(100)
  expect(() => lease.requireHeld()).toThrow(expect.objectContaining({ code: 'ERR_LEASE_LOST' }))
  await expect(machine.ledger.admit(lease, IDENTITY)).rejects.toMatchObject({ code: 'ERR_LEASE_LOST' })
})

test('goes on under leases of its own, also when it asks in the moment in which it loses the old ones', async () => {
  await using machine = await Machine.start('goes_on')
  await using other = await Machine.start('goes_on')
  const lease = await machine.lease('a')
  const lost = new Promise<Lease>((resolve, reject) => {
    lease.lost.addEventListener('abort', () => void machine.lease('b').then(resolve, reject))
  })
  machine.sleep(100)
  const next = await lost
  next.requireHeld()
  await machine.ledger.admit(next, IDENTITY)
  // What it had is free for anybody.
  await using taken = await other.lease('a')
  expect(taken.account).toBe('a')
  expect(await other.ledger.lease('b')).toBe(null)
})
