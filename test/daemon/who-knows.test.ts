// One world, and all who tell of it. `status --json`, /healthz, /metrics and the alarm agree on what waits, is refused, held or
// undeleted, and on a destination that is left alone (P7, N041, D126).
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { execute } from '../../src/cli/main.ts'
import { Output } from '../../src/cli/output.ts'
import { rooms } from '../../src/cli/surroundings.ts'
import { loadConfiguration } from '../../src/config/load.ts'
import { notifyRound } from '../../src/daemon/notify/notify.ts'
import { readBriefly } from '../../src/status/facts.ts'
import { NO_DAEMON, statusOf } from '../../src/status/status.ts'
import { HttpServer } from '../../src/daemon/http/server.ts'
import { localStamp } from '../../src/display.ts'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { silentLog } from '../../src/log.ts'
import type { AccountReport } from '../../src/poll/report.ts'
import { MemoryStream } from '../cli/streams.ts'
import { Scene } from '../poll/scene.ts'
import { SmtpSink } from '../support/smtp-server.ts'
import { anyPort, get, noNames, watched } from './http/scene.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

let scene: Scene
let sink: SmtpSink

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-29T12:00:00Z') })
  ;[scene, sink] = [await Scene.create(), await SmtpSink.start()]
  const tell = scene.path('tell')
  writeFileSync(
    tell,
    '#!/bin/sh\necho "$POPFETCH_EVENT $POPFETCH_ACCOUNT $POPFETCH_CODE $(echo "$POPFETCH_MESSAGE" | head -n 1)" >> "$0.told"\n',
  )
  chmodSync(tell, 0o700)
  scene.destinations = [
    `next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: bob@example.net, concurrency: 1 }`,
  ]
  scene.deliver = 'next'
})

afterEach(async () => {
  vi.useRealTimers()
  await scene[Symbol.asyncDispose]()
  await sink[Symbol.asyncDispose]()
})

function later(ms: number): void {
  vi.setSystemTime(Date.now() + ms)
}

function poll(): Promise<AccountReport> {
  return scene.poll({ eager: false })
}

interface Account {
  readonly outcome: string
  readonly waiting: number
  readonly refused: number
  readonly held: number
  readonly undeleted: number
  readonly failures: number
}

interface Told {
  readonly status: Account & { readonly [key: string]: unknown }
  readonly destinations: readonly unknown[]
  readonly health: { readonly status: number; readonly text: string }
  /** Without the names' prefix, those that are not 0. */
  readonly metrics: Readonly<Record<string, number>>
  /** What the alarm has said so far. */
  readonly told: readonly string[]
}

/** All that is told of it now. */
async function whatIsTold(): Promise<Told> {
  const stdout = new MemoryStream()
  const code = await execute(['--config', scene.path('config.yaml'), 'status', '--json'], {
    env: { HOME: scene.directory, PATH: process.env['PATH'] ?? '' },
    cwd: scene.directory,
    uid: process.getuid?.() ?? 0,
    output: new Output(stdout, new MemoryStream()),
    terminal: null,
    person: false,
    nowMs: Date.now,
    signal: new AbortController().signal,
    interruption: () => null,
    rooms,
    host: {
      command: [],
      pid: process.pid,
      attached: () => false,
      starter: () => Promise.resolve(null),
      daemon: () => Promise.resolve(null),
      on: () => {},
      contain: () => {},
      keepCode: () => {},
      cacheFolder: null,
    },
  })
  expect(code).toBe(0)
  const answer = JSON.parse(stdout.text) as { accounts: readonly [Told['status']]; destinations: readonly unknown[] }
  await using ledger = await openLedger(scene.path('state/state.db'))
  const plan = [{ account: scene.name, polling: false, nextPollMs: null, overdue: false }]
  await using server = await HttpServer.listen(anyPort, noNames, {
    ...watched,
    plan,
    ledger,
    configured: [scene.name],
    destinations: ['next'],
  })
  const metrics = (await get(server.port, '/metrics')).text
  const numbers = [
    ...metrics.matchAll(
      /^popfetch_(outstanding_messages|destination_resting_until_timestamp_seconds)\{(.*)\} (\S+)$/gm,
    ),
  ]
  await alarm(ledger)
  return {
    status: answer.accounts[0],
    destinations: answer.destinations,
    health: await get(server.port, '/healthz'),
    metrics: Object.fromEntries(
      numbers.flatMap(([, , labels = '', value]) => {
        const name = /(?:state|destination)="([^"]*)"/.exec(labels)?.[1] ?? labels
        return Number(value) === 0 ? [] : [[name, Number(value)]]
      }),
    ),
    told: told(),
  }
}

async function alarm(ledger: Awaited<ReturnType<typeof openLedger>>): Promise<void> {
  const loaded = await loadConfiguration({
    file: scene.path('config.yaml'),
    state: null,
    env: {},
    cwd: '/',
    uid: process.getuid?.() ?? 0,
  })
  const daemon = { ...loaded.daemon, onProblem: [scene.path('tell')], alertAfterMs: 6 * HOUR }
  const known = { nowMs: Date.now(), configured: [scene.name], signIns: [], daemon: NO_DAEMON }
  const round = { status: statusOf(await readBriefly(ledger, known)), reports: [], pings: false }
  const { signal } = new AbortController()
  const context = { ledger, log: silentLog, env: { PATH: process.env['PATH'] }, nowMs: Date.now, signal }
  await notifyRound({ ...round, configuration: { ...loaded, daemon } }, context)
}

function told(): readonly string[] {
  const file = scene.path('tell.told')
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []
}

test('a mailbox of which one message waits, one is refused, one held back, and one should have left the server', async () => {
  scene.account = ['delete: after-delivery', 'maxSize: 10KB']
  scene.fill(3)
  scene.server
    .mailbox('alice')
    .add(`Subject: large\r\n\r\n${'x'.repeat(70).concat('\r\n').repeat(200)}`, { uidl: 'large' })
  scene.server.faults.undeletable.add('uid-0')
  sink.faults.dot = ({ bytes }) => {
    const text = bytes.toString('latin1')
    if (text.includes('letter 1\r\n')) return '554 5.7.1 policy'
    return text.includes('letter 2\r\n') ? '451 4.7.1 greylisted' : null
  }
  expect(await poll()).toMatchObject({ outcome: 'partial', delivered: 1, deferred: 1, refused: 1, held: 1 })
  later(20 * MINUTE)
  await poll()
  const counts = { waiting: 1, refused: 1, held: 1, undeleted: 1 }
  const before = await whatIsTold()
  expect(before.status).toMatchObject({ outcome: 'partial', ...counts, failures: 0, error: null, pausedUntil: null })
  expect(before.metrics).toEqual(counts)
  // Nothing fails.
  expect(before.health).toEqual({ status: 200, text: 'ok\n' })
  expect(before.told).toEqual([])

  // It has waited for long: told once, with what to do.
  later(6 * HOUR)
  await poll()
  const [problem = '', ...more] = (await whatIsTold()).told
  const since = localStamp(Date.parse('2026-11-29T12:00:00Z'))
  expect(problem).toContain(`problem old-isp ERR_DELIVERY old-isp: mail has waited since ${since}: `)
  expect(more).toEqual([])
  later(3 * HOUR)
  await poll()
  expect((await whatIsTold()).told).toEqual([problem])

  // It is taken at last: the end is told once, and what is refused or held back is no trouble of the account.
  sink.faults.dot = ({ bytes }) => (bytes.toString('latin1').includes('letter 1\r\n') ? '554 5.7.1 policy' : null)
  later(4 * HOUR)
  await poll()
  const after = await whatIsTold()
  expect(after.status).toMatchObject({ waiting: 0, refused: 1, held: 1, failures: 0 })
  expect(after.told).toEqual([problem, expect.stringMatching(/^recovery old-isp/)])
  expect((await whatIsTold()).told).toHaveLength(2)

  // All is well.
  scene.server.faults.undeletable.clear()
  sink.faults.dot = null
  scene.account = ['delete: after-delivery']
  for (let days = 0; days < 3; days++) {
    later(26 * HOUR)
    await poll()
  }
  const well = await whatIsTold()
  expect(well.status).toMatchObject({ outcome: 'ok', waiting: 0, refused: 0, held: 0, undeleted: 0, failures: 0 })
  expect(well.metrics).toEqual({})
  expect(well.told).toHaveLength(2)
  expect(scene.left()).toEqual([])
})

test('a destination that is left alone: failed, then paused, and told when it has lasted, once, and its end', async () => {
  scene.fill(2)
  sink.faults.mail = '450 4.7.28 too much mail from you'
  expect(await poll()).toMatchObject({ outcome: 'failed', deferred: 2 })
  later(MINUTE)
  expect(await poll()).toMatchObject({ outcome: 'paused', deferred: 2 })
  const left = await whatIsTold()
  expect(left.status).toMatchObject({
    outcome: 'paused',
    since: '2026-11-29T12:00:00.000Z',
    waiting: 2,
    because: { kind: 'destination', name: 'next' },
    lastSuccess: null,
  })
  expect(left.status.failures).toBeGreaterThan(0)
  expect(left.destinations).toMatchObject([{ destination: 'next', until: '2026-11-29T12:15:00.000Z' }])
  expect(left.health.status).toBe(503)
  expect(left.health.text).toContain('failing: old-isp')
  expect(left.health.text).toContain('paused: next')
  expect(left.metrics).toEqual({ waiting: 2, next: Date.parse('2026-11-29T12:15:00Z') / 1000 })
  for (let hours = 0; hours < 9; hours++) {
    later(HOUR)
    await poll()
    await whatIsTold()
  }
  expect(told()).toEqual([expect.stringMatching(/^problem old-isp ERR_DELIVERY .*too much mail from you/)])
  sink.faults.mail = null
  later(4 * HOUR)
  expect(await poll()).toMatchObject({ outcome: 'ok', delivered: 2 })
  const well = await whatIsTold()
  expect(well.status).toMatchObject({ outcome: 'ok', since: null, waiting: 0, failures: 0, error: null, because: null })
  expect(well.destinations).toEqual([])
  expect(well.health).toEqual({ status: 200, text: 'ok\n' })
  expect(well.metrics).toEqual({})
  expect(well.told).toEqual([expect.any(String), expect.stringMatching(/^recovery old-isp/)])
})

test('mail that comes and goes, each for a while, is no mail that waits for long', async () => {
  sink.faults.dot = () => '451 4.7.1 greylisted'
  for (let hours = 0; hours < 10; hours++) {
    scene.fill(1, hours)
    // The one before is taken now.
    sink.faults.dot = ({ bytes }) =>
      bytes.toString('latin1').includes(`letter ${hours}\r\n`) ? '451 4.7.1 greylisted' : null
    await poll()
    expect(await whatIsTold()).toMatchObject({ status: { waiting: 1 }, told: [] })
    later(HOUR)
  }
})

test('mail that waits for a rate is no trouble', async () => {
  scene.destinations = [
    `next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: bob@example.net, concurrency: 1, rate: 1/d }`,
  ]
  scene.fill(3)
  await poll()
  later(7 * HOUR)
  await poll()
  expect(await whatIsTold()).toMatchObject({ health: { status: 200 }, told: [] })
})
