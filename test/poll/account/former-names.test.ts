// `formerly`: an account that has another name now, whatever its server, and keeps what is known of it.
import { describe, expect, test } from 'vitest'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { type departedNames, tidyLedger } from '../../../src/poll/account/tidy.ts'
import { silentLog } from '../../../src/log.ts'
import { leaseOf } from '../../ledger/scene.ts'
import { Scene } from '../scene.ts'

/** Polled as old-isp, and called new-isp since. */
async function renamed(formerly: string): Promise<Scene> {
  const scene = await Scene.create()
  scene.fill(5)
  await scene.poll()
  scene.name = 'new-isp'
  scene.account = [`formerly: ${formerly}`]
  return scene
}

async function names(scene: Scene): Promise<readonly string[]> {
  await using ledger = await openLedger(scene.path('state/state.db'))
  return (await ledger.accounts()).map(({ name }) => name)
}

describe('the next poll of an account takes over what is known under its former name', () => {
  test.each(['old-isp', '[old-isp]', '[never-there, old-isp]'])('formerly: %s', async (formerly) => {
    await using scene = await renamed(formerly)
    scene.fill(1, 5)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', listed: 6, delivered: 1, skipped: 5 })
    expect(await names(scene)).toEqual(['new-isp'])
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 0, skipped: 6 })
  })

  test('at another server with another user, where the same mail is listed', async () => {
    await using scene = await renamed('old-isp')
    const moved = scene.server.mailbox('anna', 'other')
    for (const { uidl, bytes } of scene.server.mailbox('alice').messages) moved.add(bytes, { uidl })
    scene.user = 'anna'
    scene.password = 'other'
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', listed: 5, delivered: 0, skipped: 5 })
  })

  test('with its pause', async () => {
    await using scene = await renamed('old-isp')
    await using ledger = await openLedger(scene.path('state/state.db'))
    await ledger.pauses.begin([{ kind: 'account', name: 'old-isp' }], 'anna', null)
    await scene.poll()
    expect((await ledger.pauses.all()).map(({ name }) => name)).toEqual(['new-isp'])
  })
})

describe('nothing is taken over', () => {
  test('by a dry run', async () => {
    await using scene = await renamed('old-isp')
    await scene.poll({ dryRun: true })
    expect(await names(scene)).toContain('old-isp')
  })

  test('while another popfetch polls it under the former name: busy, and a try later', async () => {
    await using scene = await renamed('old-isp')
    await using ledger = await openLedger(scene.path('state/state.db'))
    {
      await using _ = await leaseOf(ledger, 'old-isp')
      expect(await scene.poll()).toMatchObject({ outcome: 'failed', error: { code: 'ERR_BUSY', retry: 'soon' } })
    }
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 0, skipped: 5 })
  })

  test('where the account has a history of its own', async () => {
    await using scene = await Scene.create()
    scene.fill(2)
    await scene.poll()
    scene.name = 'new-isp'
    scene.account = []
    await scene.poll({ yes: true })
    scene.account = ['formerly: old-isp']
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', skipped: 2 })
    expect(await names(scene)).toEqual(['new-isp', 'old-isp'])
  })
})

test('what a former name has left is not forgotten as long as the new one has nothing', async () => {
  await using scene = await renamed('old-isp')
  await using ledger = await openLedger(scene.path('state/state.db'))
  const account = { name: 'new-isp', formerly: ['old-isp'], host: 'elsewhere', port: 1, user: 'x' }
  const accounts = [account] as unknown as Parameters<typeof departedNames>[0]['accounts']
  const { signal } = new AbortController()
  const kept = {
    accounts,
    disabled: [],
    destinations: new Map(),
    headers: 'all',
    trouble: null,
    keepDeparted: 86_400_000,
  } as const
  for (let day = 0; day < 20; day++)
    await tidyLedger(kept, { ledger, log: silentLog, nowMs: Date.now() + day * 86_400_000, signal })
  expect((await ledger.accounts()).map(({ name }) => name)).toEqual(['old-isp'])
})
