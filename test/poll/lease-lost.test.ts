// The right to an account is lost in the middle of a poll, and another popfetch has it at once (DESIGN 4.5). The poll fails with
// ERR_LEASE_LOST; it records and deletes nothing more, and what follows loses nothing and delivers nothing twice unsaid.
import { expect, test } from 'vitest'
import type { Claim, Ledger, Lease } from '../../src/ledger/ledger.ts'
import { leaseLost } from '../../src/ledger/lease.ts'
import { SmtpSink } from '../support/smtp-server.ts'
import { Scene, upTo } from './scene.ts'

/** The ledger of which leases are lost at the first `change`, after it or before it was made. */
function robbed(ledger: Ledger, change: keyof Ledger, made: boolean, lost: () => void): Ledger {
  const losses = new AbortController()
  const lose = async (lease: Lease): Promise<void> => {
    if (losses.signal.aborted) return
    losses.abort(leaseLost(lease.account))
    await lease[Symbol.asyncDispose]()
    lost()
  }
  const given = new Map<Lease, Lease>()
  const give = (lease: Lease): Lease => {
    const shown = new Proxy(lease, {
      get: (target, name) => {
        if (name === 'lost') return losses.signal
        if (name === 'requireHeld') return () => losses.signal.throwIfAborted()
        const found: unknown = Reflect.get(target, name, target)
        return typeof found === 'function' ? found.bind(target) : found
      },
    })
    given.set(shown, lease)
    return shown
  }
  return new Proxy(ledger, {
    get(target, name) {
      const found: unknown = Reflect.get(target, name, target)
      if (name === 'claim')
        return async (account: string, claim: Claim) => {
          const claimed = await target.claim(account, claim)
          return claimed.lease === null ? claimed : { ...claimed, lease: give(claimed.lease) }
        }
      if (typeof found !== 'function') return found
      const act = (args: readonly unknown[]): unknown => Reflect.apply(found, target, args)
      // Many small messages are settled together.
      const isMeant = name === change || (change === 'settle' && name === 'settleAndBegin')
      if (!isMeant) return (...args: unknown[]) => act(args)
      return async (...args: unknown[]) => {
        const lease = [...given].find(([shown]) => shown === args[0])?.[1]
        if (!made && lease !== undefined) await lose(lease)
        const result = await act(args)
        if (made && lease !== undefined) await lose(lease)
        return result
      }
    },
  })
}

const CHANGES = ['admit', 'start', 'begin', 'handOver', 'settle', 'deleted', 'finish'] as const

const CASES = (['inbox', 'relay'] as const).flatMap((to) =>
  CHANGES.filter((change) => to === 'relay' || change !== 'handOver').flatMap((change) =>
    [true, false].map((made) => ({ to, change, made })),
  ),
)

test.each(CASES)('lost at $change (made: $made), to $to', async ({ to, change, made }) => {
  await using sink = await SmtpSink.start()
  await using scene = await Scene.create()
  scene.destinations = [
    'inbox: { type: maildir, path: inbox }',
    `relay: { type: smtp, host: 127.0.0.1, port: ${sink.port}, tls: none, to: a@example.com }`,
  ]
  scene.deliver = to
  scene.account = ['delete: after-delivery']
  scene.fill(3)
  let atLoss: readonly string[] | null = null
  scene.ledgerOf = (ledger) => robbed(ledger, change, made, () => (atLoss = scene.left()))
  const report = await scene.poll()
  scene.ledgerOf = (ledger) => ledger
  // All was recorded: nothing is left to be lost.
  if (change === 'finish' && made) return
  expect(report).toMatchObject({ outcome: 'failed', error: { code: 'ERR_LEASE_LOST', retry: 'soon' } })
  expect(scene.left()).toEqual(atLoss)
  let possibleDuplicates = 0
  // What is found where it was delivered is deleted by the poll after that.
  for (let polls = 0; polls < 2; polls++) {
    const report = await scene.poll()
    expect(report.outcome).toBe('ok')
    possibleDuplicates += report.possibleDuplicates
  }
  expect(scene.left()).toEqual([])
  const found =
    to === 'inbox'
      ? scene.subjects()
      : sink.messages.map(({ bytes }) => Number(/^Subject: letter (\d+)\r?$/m.exec(bytes.toString('latin1'))?.[1]))
  expect(new Set(found)).toEqual(new Set(upTo(3)))
  expect(found.length - 3).toBeLessThanOrEqual(possibleDuplicates)
})
