// A ledger that a poll of the background process cannot use, in this process: told at once, once, and once when it can be used again.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Daemon } from '../../../src/daemon/daemon.ts'
import { PopfetchError } from '../../../src/errors.ts'
import type { Claim, Ledger } from '../../../src/ledger/ledger.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { silentLog } from '../../../src/log.ts'
import { Scene, until } from '../scene.ts'

test('a ledger that polls cannot use is told at once and once, and so is its end', async () => {
  await using scene = await Scene.create()
  scene.configure({ work: {}, home: {} }, { notify: [{ run: ['./tell'] }] })
  writeFileSync(scene.path('tell'), `#!/bin/sh\necho "$POPFETCH_EVENT" >> ${scene.path('told')}\n`, { mode: 0o700 })
  const told = (): readonly string[] => {
    return existsSync(scene.path('told')) ? readFileSync(scene.path('told'), 'utf8').split('\n').filter(Boolean) : []
  }
  const configuration = await scene.load()
  await using real = await openLedger(configuration.statePath)
  let isBroken = false
  const ledger: Ledger = new Proxy(real, {
    get(target, name) {
      if (name === 'claim' && isBroken)
        return (account: string, claim: Claim) =>
          account === 'work' || account === 'home'
            ? Promise.reject(new PopfetchError('ERR_LEDGER', 'disk I/O error', { scope: 'process', retry: 'soon' }))
            : target.claim(account, claim)
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const ended: string[] = []
  await using daemon = await Daemon.start({
    configuration,
    only: [],
    load: () => scene.load(),
    prepare: () => Promise.resolve(),
    ledger,
    log: silentLog,
    env: { PATH: process.env['PATH'] },
    signal: new AbortController().signal,
    version: '0',
    random: () => 0,
    ended: ({ account, report }) => void ended.push(`${account.name} ${report.error?.code ?? report.outcome}`),
  })
  const polled = async (result: string): Promise<void> => {
    ended.length = 0
    daemon.wake()
    await until(() => ['work', 'home'].every((name) => ended.includes(`${name} ${result}`)))
  }
  await polled('ok')
  expect(told()).toEqual([])
  isBroken = true
  await polled('ERR_LEDGER')
  await polled('ERR_LEDGER')
  await until(() => existsSync(scene.path('state.db.told')))
  isBroken = false
  await polled('ok')
  await until(() => !existsSync(scene.path('state.db.told')))
  expect(told()).toEqual(['process', 'recovery'])
})
