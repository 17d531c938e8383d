import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Systemd } from '../../src/daemon/systemd.ts'
import { Scene, until } from './scene.ts'

const SLOW = 60_000

test('systemd is told of the start and the end, and is fed while all is well (N035)', { timeout: SLOW }, async () => {
  await using scene = await Scene.create()
  writeFileSync(scene.path('systemd-notify'), `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> ${scene.path('told')}\n`)
  chmodSync(scene.path('systemd-notify'), 0o700)
  scene.env['PATH'] = `${scene.directory}:${process.env['PATH']}`
  scene.env['NOTIFY_SOCKET'] = '/run/x'
  scene.env['WATCHDOG_USEC'] = '1000000'
  const told = () => (existsSync(scene.path('told')) ? readFileSync(scene.path('told'), 'utf8').split('\n') : [])
  const child = await scene.foreground()
  await until(() => told().includes('/run/x WATCHDOG=1'))
  expect(told()[0]).toBe('/run/x READY=1 STATUS=polling 1 account')
  child.kill('SIGTERM')
  await once(child, 'exit')
  await until(() => told().includes('/run/x STOPPING=1'))
})

test('the watchdog wants to hear it half as often as it says, from this process only', () => {
  const env = { NOTIFY_SOCKET: '@x', WATCHDOG_USEC: '120000000' }
  expect(new Systemd(env, 1).watchdogMs).toBe(60_000)
  expect(new Systemd({ ...env, WATCHDOG_PID: '1' }, 1).watchdogMs).toBe(60_000)
  expect(new Systemd({ ...env, WATCHDOG_PID: '2' }, 1).watchdogMs).toBeNull()
  expect(new Systemd({ NOTIFY_SOCKET: '@x' }, 1).watchdogMs).toBeNull()
  expect(new Systemd({ WATCHDOG_USEC: '1' }, 1).watchdogMs).toBeNull()
})
