// An account that got another name in the configuration (S017): its mail must not come again.
import { describe, expect, test } from 'vitest'
import type { Account } from '../../../src/config/schema.ts'
import { PopfetchError } from '../../../src/errors.ts'
import type { AccountRecord, Ledger } from '../../../src/ledger/ledger.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { Departed } from '../../../src/poll/plan/renamed-account.ts'
import type { PollOptions } from '../../../src/poll/report.ts'
import { Scene } from '../scene.ts'
import { leaseOf, pollEnd } from '../../ledger/scene.ts'

const SAME = 'had the same user, host and port'
const GOES_ON = 'popfetch state rename old-isp new-isp'

async function polledOnce(): Promise<Scene> {
  const scene = await Scene.create()
  scene.fill(5)
  await scene.poll()
  scene.name = 'new-isp'
  return scene
}

/** The ledger has the mailbox under another user: what a changed host or user name looks like. */
async function withAnotherUser(scene: Scene): Promise<void> {
  await using ledger = await openLedger(scene.path('state/state.db'))
  const [record] = await ledger.accounts()
  if (record === undefined) throw new Error('never polled')
  await ledger.finish(
    await leaseOf(ledger, 'old-isp'),
    pollEnd({
      identity: { ...record.identity, user: 'ALICE' },
      health: record,
      facts: {},
    }),
  )
}

describe('an account without history', () => {
  test('is not connected to when its mailbox belongs to a name that is no longer configured', async () => {
    await using scene = await polledOnce()
    const before = scene.count('')
    const report = await scene.poll()
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'ERR_ACCOUNT_RENAMED', retry: 'never' } })
    expect(report.error?.message).toContain(SAME)
    expect(report.error?.message).toContain(GOES_ON)
    expect(scene.count('')).toBe(before)
    expect(scene.subjects()).toEqual([0, 1, 2, 3, 4])
  })

  test('fetches nothing when most of its UIDLs are known to such a name', async () => {
    await using scene = await polledOnce()
    await withAnotherUser(scene)
    scene.fill(4, 5)
    const report = await scene.poll()
    expect(report.error?.code).toBe('ERR_ACCOUNT_RENAMED')
    expect(report.error?.message).toContain('knew 5 of 9 messages')
    expect(report.error?.message).toContain(GOES_ON)
    expect(scene.count('RETR')).toBe(5)
  })

  test('goes on where the old name stopped once that was renamed', async () => {
    await using scene = await polledOnce()
    await scene.poll()
    {
      await using ledger = await openLedger(scene.path('state/state.db'))
      const after = await ledger.lease('new-isp')
      expect(await ledger.records.rename(await leaseOf(ledger, 'old-isp'), after!)).toBe(true)
    }
    scene.fill(1, 5)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1, skipped: 5 })
    expect(scene.subjects()).toEqual([0, 1, 2, 3, 4, 5])
  })

  test('is polled with --yes, and from then on without', async () => {
    await using scene = await polledOnce()
    expect((await scene.poll({ yes: true })).error).toBeNull()
    expect((await scene.poll()).error).toBeNull()
  })

  test('is polled when the old name knows as few of its UIDLs as chance may give it', async () => {
    await using scene = await polledOnce()
    await withAnotherUser(scene)
    scene.fill(6, 5)
    expect((await scene.poll()).error).toBeNull()
    expect(scene.count('RETR')).toBe(5 + 11)
  })

  test('is polled when two UIDLs are all there are', async () => {
    await using scene = await Scene.create()
    scene.fill(2)
    await scene.poll()
    await withAnotherUser(scene)
    scene.name = 'new-isp'
    expect((await scene.poll()).error).toBeNull()
  })

  test('is polled when its mailbox is another one', async () => {
    await using scene = await polledOnce()
    await withAnotherUser(scene)
    scene.server.mailbox('alice').messages.splice(0)
    scene.fill(5, 10)
    expect((await scene.poll()).error).toBeNull()
  })

  test('is polled once the old name was forgotten', async () => {
    await using scene = await polledOnce()
    {
      await using ledger = await openLedger(scene.path('state/state.db'))
      await ledger.records.forgetAll(await leaseOf(ledger, 'old-isp'), {})
    }
    expect((await scene.poll()).error).toBeNull()
  })

  test('is polled again once the ledger can be read, however long the process lives', async () => {
    const failures = [new PopfetchError('ERR_LEDGER', 'busy', { scope: 'account', retry: 'soon' })]
    const ledger = {
      accounts: () => {
        const failure = failures.pop()
        return failure === undefined ? Promise.resolve([]) : Promise.reject(failure)
      },
    } as unknown as Ledger
    const departed = new Departed(ledger, { accounts: [], disabled: [] })
    const look = () =>
      departed.refuseMailbox({} as Account, { known: 0 } as AccountRecord, { yes: false, dryRun: false } as PollOptions)
    await expect(look()).rejects.toMatchObject({ code: 'ERR_LEDGER' })
    await expect(look()).resolves.toBeUndefined()
  })
})
