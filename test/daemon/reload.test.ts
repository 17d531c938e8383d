// Taking over another configuration, with what is around it left out.
import { expect, test } from 'vitest'
import type { Account, Configuration } from '../../src/config/schema.ts'
import { CurrentConfiguration, type ReloadContext } from '../../src/daemon/reload.ts'
import { Scene } from './scene.ts'

test('of ten thousand accounts those that changed are told from the others by identity alone', async () => {
  await using scene = await Scene.create()
  scene.configure({ a: {}, b: {} })
  const before = await scene.load()
  const planned: (readonly Account[])[] = []
  const current = await CurrentConfiguration.begin(before, {
    only: [],
    load: () => scene.load(),
    prepare: () => Promise.resolve(),
    poller: { configure: (configuration: Configuration) => void planned.push(configuration.accounts) },
    scheduler: { schedule: (accounts: readonly Account[]) => Promise.resolve(void planned.push(accounts)) },
    env: {},
    signal: new AbortController().signal,
    ledger: { accounts: () => Promise.resolve([]), records: { note: () => Promise.resolve() } },
  } as unknown as ReloadContext)
  scene.configure({ a: {}, b: { user: 'another' } })
  expect(await current.reload(false)).toEqual(['account b changed'])
  const [, scheduled, polled] = planned
  expect(scheduled?.map((account, at) => account === before.accounts[at])).toEqual([true, false])
  expect(polled).toEqual(scheduled)
  expect(polled?.[0]).toBe(before.accounts[0])
})
