// An account that is wrong by itself: it fails, is remembered as failing, and costs the others nothing.
import { expect, test } from 'vitest'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { Scene } from '../scene.ts'

async function withFault(scene: Scene): Promise<void> {
  scene.account = ['limit: { env: NOT_SET }']
  await Promise.resolve()
}

test('an account that is wrong by itself counts as failed with ERR_CONFIG, connects nowhere, and keeps what is known of its server', async () => {
  await using scene = await Scene.create()
  scene.fill(2)
  await scene.poll()
  const before = scene.count('')
  await using ledger = await openLedger(scene.path('state/state.db'))
  const identity = (await ledger.account('old-isp'))?.identity
  await withFault(scene)
  for (const failures of [1, 2]) {
    const report = await scene.poll()
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'ERR_CONFIG', retry: 'never' } })
    expect(report.error?.message).toMatch(
      /^polling old-isp: .*accounts\.old-isp\.limit: the environment variable NOT_SET is not set: export it$/,
    )
    expect(await ledger.account('old-isp')).toMatchObject({ identity, failures, error: { code: 'ERR_CONFIG' } })
  }
  expect(scene.count('')).toBe(before)
  scene.account = []
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', skipped: 2 })
  expect(await ledger.account('old-isp')).toMatchObject({ failures: 0, error: null })
})

test('one that was never polled is known as failing', async () => {
  await using scene = await Scene.create()
  await withFault(scene)
  await scene.poll()
  await using ledger = await openLedger(scene.path('state/state.db'))
  expect(await ledger.account('old-isp')).toMatchObject({ identity: { host: '' }, failures: 1 } satisfies Partial<
    Record<string, unknown>
  > & { failures: number })
})

test('check says the same, and connects nowhere', async () => {
  await using scene = await Scene.create()
  await withFault(scene)
  expect(await scene.check({ thorough: true })).toMatchObject({ outcome: 'failed', error: { code: 'ERR_CONFIG' } })
  expect(scene.count('')).toBe(0)
})

test('its programs are not run', async () => {
  await using scene = await Scene.create()
  scene.account = ['limit: { env: NOT_SET }', 'before: [/bin/false]', 'after: [/bin/false]']
  expect((await scene.poll()).error?.code).toBe('ERR_CONFIG')
})
