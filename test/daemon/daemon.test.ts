// The parts together, in this process: metrics, health, systemd, bugs that are thrown past every promise.
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Containment } from '../../src/daemon/uncaught.ts'
import { Metrics } from '../../src/daemon/http/metrics.ts'
import { ServiceManager } from '../../src/daemon/systemd.ts'
import { changesBetween } from '../../src/daemon/changes.ts'
import { loadConfiguration } from '../../src/config/load.ts'
import type { Configuration } from '../../src/config/schema.ts'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { silentLog } from '../../src/log.ts'
import { Poller } from '../../src/poll/poller.ts'
import { accountReport } from '../cli/reports.ts'
import { ended } from '../cli/child.ts'
import { Scene, until } from './scene.ts'

const SLOW = 60_000

async function get(port: number, path: string, method = 'GET') {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method })
  return { status: response.status, text: await response.text() }
}

describe('what is served', () => {
  const plan = [
    { account: 'work', polling: false, nextPollMs: 1_800_000_060_000, overdue: false },
    { account: 'home', polling: true, nextPollMs: null, overdue: false },
  ]
  const record = { name: 'work', lastPollMs: 1_800_000_000_000, lastSuccessMs: 1_799_999_000_000 }
  const ledger = { accounts: () => Promise.resolve([record] as never) }
  const listen = { host: '127.0.0.1', port: 0 }

  test('Prometheus metrics, per account', async () => {
    await using metrics = await Metrics.listen(listen, { plan, ledger })
    const counts = { listed: 9, skipped: 4, delivered: 3, bytes: 1234, possibleDuplicates: 1 }
    metrics.ended({ report: accountReport({ ...counts, durationMs: 250, outcome: 'partial' }), lateMs: 120 })
    const error = { code: 'ERR_CONNECT', message: '', retry: 'soon' } as const
    metrics.ended({ report: accountReport({ outcome: 'failed', error }), lateMs: 0 })
    const { status, text } = await get(metrics.port, '/metrics?x=1')
    expect(status).toBe(200)
    for (const line of [
      'popfetch_polls_total{account="work",outcome="partial"} 1',
      'popfetch_polls_total{account="work",outcome="failed"} 1',
      'popfetch_messages_total{account="work",result="delivered"} 3',
      'popfetch_messages_total{account="work",result="possible_duplicates"} 1',
      'popfetch_received_bytes_total{account="work"} 1234',
      'popfetch_failures_total{account="work",code="ERR_CONNECT"} 1',
      'popfetch_backlog_messages{account="work"} 2',
      'popfetch_poll_duration_seconds{account="work"} 0.25',
      'popfetch_last_poll_timestamp_seconds{account="work"} 1800000000',
      'popfetch_last_success_timestamp_seconds{account="work"} 1799999000',
      'popfetch_next_poll_timestamp_seconds{account="work"} 1800000060',
      'popfetch_account_overdue{account="home"} 0',
      'popfetch_poll_lateness_seconds_bucket{le="0.1"} 1',
      'popfetch_poll_lateness_seconds_bucket{le="0.25"} 2',
    ]) {
      expect(text.split('\n')).toContain(line)
    }
    metrics.forget('work')
    await until(async () => !(await get(metrics.port, '/metrics')).text.includes('ERR_CONNECT'))
    expect((await get(metrics.port, '/metrics')).text).not.toContain('_total{account="work"')
  })

  test('health: well unless an account is overdue; nothing else, and nothing by another method', async () => {
    const watched = { plan, ledger }
    await using metrics = await Metrics.listen(listen, watched)
    expect(await get(metrics.port, '/healthz')).toEqual({ status: 200, text: 'ok\n' })
    watched.plan = [{ ...plan[0]!, overdue: true }]
    await using other = await Metrics.listen(listen, watched)
    expect(await get(other.port, '/healthz')).toEqual({ status: 503, text: 'overdue: work\n' })
    expect((await get(other.port, '/')).status).toBe(404)
    expect((await get(other.port, '/metrics', 'POST')).status).toBe(404)
  })

  test('at an address that is taken: an error that says so', async () => {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    await expect(Metrics.listen({ host: '127.0.0.1', port }, { plan, ledger })).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringContaining('EADDRINUSE'),
    })
    server.close()
  })
})

describe('systemd', () => {
  test('is told of the start and the end, and is fed while all is well (N035)', { timeout: SLOW }, async () => {
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

  test('wants to hear it half as often as it says, from this process only', () => {
    const env = { NOTIFY_SOCKET: '@x', WATCHDOG_USEC: '120000000' }
    expect(new ServiceManager(env, 1).watchdogMs).toBe(60_000)
    expect(new ServiceManager({ ...env, WATCHDOG_PID: '1' }, 1).watchdogMs).toBe(60_000)
    expect(new ServiceManager({ ...env, WATCHDOG_PID: '2' }, 1).watchdogMs).toBeNull()
    expect(new ServiceManager({ NOTIFY_SOCKET: '@x' }, 1).watchdogMs).toBeNull()
    expect(new ServiceManager({ WATCHDOG_USEC: '1' }, 1).watchdogMs).toBeNull()
  })
})

describe('what is thrown past every promise', () => {
  test('in one account’s work ends that poll, and the others go on; from nowhere, or too often, it ends the process (N005)', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'popfetch-thrown-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    const child = spawn(process.execPath, [join(import.meta.dirname, 'throwing.ts'), directory], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const { code, stdout, stderr } = await ended(child)
    expect({ code, stderr }).toEqual({ code: 70, stderr: '' })
    const said = stdout.split('\n').filter(Boolean)
    expect(said).toContain('bad: thrown by a timer')
    expect(said).toContain('bad: rejected and not awaited')
    expect(said.filter((line) => line === 'good: ok').length).toBeGreaterThan(1)
    expect(said.at(-1)).toBe('not contained: from nowhere')
  })

  test('is not contained any more after twenty times in an hour', async () => {
    await using scene = await Scene.create()
    scene.fill(1)
    const configuration = await load(scene)
    const [work] = configuration.accounts
    await using ledger = await openLedger(configuration.statePath)
    const told: string[] = []
    let nowMs = 0
    const containment = new Containment({ thrown: (name) => void told.push(name) }, () => nowMs)
    const contained: boolean[] = []
    const observer = {
      progress: () => {},
      note: () => {
        if (contained.length > 0) return
        for (let times = 0; times < 21; times++) contained.push(containment.contain(new Error()))
        nowMs += 3_600_000
        contained.push(containment.contain(new Error()))
      },
    }
    const { signal } = new AbortController()
    await using poller = new Poller(configuration, { ledger, observer, log: silentLog, env: {}, signal })
    const options = { dryRun: false, limit: null, all: false, acceptNewIds: false, yes: false, eager: true }
    expect(await poller.poll(work!, options)).toMatchObject({ outcome: 'ok', delivered: 1 })
    expect(contained).toEqual([...Array.from({ length: 20 }, () => true), false, true])
    expect(new Set(told)).toEqual(new Set(['work']))
  })
})

test('what changed is told by name, also a password', async () => {
  await using scene = await Scene.create()
  const inbox = { type: 'maildir', path: 'Mail' }
  scene.configure({ a: {}, b: {}, c: { password: 'one' } }, { destinations: { inbox, old: inbox } })
  const before = await load(scene)
  expect(changesBetween(before, await load(scene))).toEqual([])
  const destinations = { inbox: { ...inbox, mode: '0640' }, other: { type: 'maildir', path: 'Other' } }
  scene.configure({ a: {}, c: { password: 'two' }, d: {} }, { destinations, concurrency: 3, log: { level: 'debug' } })
  expect(changesBetween(before, await load(scene))).toEqual([
    'account d added',
    'account b removed',
    'account c changed',
    'destination other added',
    'destination old removed',
    'destination inbox changed',
    'concurrency changed',
    'log changed',
  ])
})

function load(scene: Scene): Promise<Configuration> {
  const { directory } = scene
  const env = { HOME: directory }
  return loadConfiguration({
    file: scene.path('config.json'),
    state: null,
    env,
    cwd: directory,
    uid: process.getuid?.() ?? 0,
  })
}
