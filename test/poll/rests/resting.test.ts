// Polls of a destination that says no: how often it is asked, what is downloaded meanwhile, what becomes of the mail.
import { writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { loadConfiguration } from '../../../src/config/load.ts'
import type { Configuration } from '../../../src/config/schema.ts'
import { silentLog } from '../../../src/log.ts'
import { pollAll } from '../../../src/poll/poller.ts'
import type { AccountRecord } from '../../../src/ledger/ledger.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import type { AccountReport } from '../../../src/poll/report.ts'
import { SmtpSink } from '../../support/smtp-server.ts'
import { BY_ITSELF } from '../../support/poll-options.ts'
import { letter, Scene, upTo } from '../scene.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-29T12:00:00Z') }))
afterEach(() => void vi.useRealTimers())

function later(ms: number): void {
  vi.setSystemTime(Date.now() + ms)
}

/** As cron polls: nobody asks. */
function poll(scene: Scene): Promise<AccountReport> {
  return scene.poll({ eager: false })
}

async function relayed(
  count: number,
): Promise<{ scene: Scene; sink: SmtpSink; [Symbol.asyncDispose](): Promise<void> }> {
  const scene = await Scene.create()
  const sink = await SmtpSink.start()
  scene.destinations = [
    `next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: bob@example.net, concurrency: 1 }`,
  ]
  scene.deliver = 'next'
  scene.fill(count)
  const dispose = async (): Promise<void> => {
    await scene[Symbol.asyncDispose]()
    await sink[Symbol.asyncDispose]()
  }
  return { scene, sink, [Symbol.asyncDispose]: dispose }
}

const QUIET = {
  options: BY_ITSELF,
  observer: { progress: () => {}, note: () => {} },
  log: silentLog,
  env: {},
  signal: new AbortController().signal,
}

/** Accounts of these users on the scene's server, all delivering to `next`. */
async function loadAccounts(
  scene: Scene,
  users: readonly string[],
  destinations: readonly string[],
): Promise<Configuration> {
  const { host, port, tls } = scene.server
  const account = (user: string): string =>
    `  ${user}: { host: ${host}, port: ${port}, tls: ${tls}, user: ${user}, password: secret, deliver: next }`
  const lines = ['accounts:', ...users.map(account), 'destinations:', ...destinations.map((line) => `  ${line}`)]
  const file = scene.path('config.yaml')
  writeFileSync(file, [...lines, 'state: state/state.db'].join('\n'), { mode: 0o600 })
  return await loadConfiguration({
    file,
    state: null,
    env: { HOME: scene.directory },
    cwd: scene.directory,
    uid: process.getuid?.() ?? 0,
  })
}

async function recordOf(scene: Scene): Promise<AccountRecord> {
  await using ledger = await openLedger(scene.path('state/state.db'))
  const record = await ledger.account(scene.name)
  if (record === null) throw new Error('it was never polled')
  return record
}

function numbers(sink: SmtpSink): number[] {
  return sink.messages
    .map(({ bytes }) => Number(/^Subject: letter (\d+)/m.exec(bytes.toString('latin1'))?.[1]))
    .sort((a, b) => a - b)
}

describe('a destination that says "not now"', () => {
  test('is left alone for a quarter of an hour, nothing is downloaded for it, and one message alone ends it (D116)', async () => {
    await using at = await relayed(6)
    const { scene, sink } = at
    sink.faults.mail = '450 4.7.28 too much mail from you'
    expect(await poll(scene)).toMatchObject({ outcome: 'failed', delivered: 0, deferred: 6, error: { exit: 75 } })
    const [retrieved, sessions] = [scene.count('RETR'), sink.connections]
    later(14 * MINUTE)
    expect(await poll(scene)).toMatchObject({ outcome: 'paused', delivered: 0, deferred: 6, error: { exit: 75 } })
    expect([scene.count('RETR'), sink.connections]).toEqual([retrieved, sessions])
    later(MINUTE)
    expect(await poll(scene)).toMatchObject({ outcome: 'failed', deferred: 6 })
    expect(scene.count('RETR')).toBe(retrieved + 1)
    later(29 * MINUTE)
    expect(await poll(scene)).toMatchObject({ outcome: 'paused' })
    sink.faults.mail = null
    later(MINUTE)
    expect(await poll(scene)).toMatchObject({ outcome: 'ok', delivered: 6, deferred: 0 })
    expect(numbers(sink)).toEqual(upTo(6))
  })

  test.each([
    [1, 'rcpt', '550 5.1.1 no such user'],
    [1, 'mail', '450 4.7.28 too much mail from you'],
    [2, 'rcpt', '452 4.2.2 mailbox full'],
    [1, 'dot', '552 5.2.2 over quota'],
    [3, 'dot', '451 4.7.1 later'],
  ] as const)(
    'is left alone as long where only %i wait, which all had a part in it: %s %s',
    async (count, step, said) => {
      await using at = await relayed(count)
      const { scene, sink } = at
      const triedAt: number[] = []
      let minute = 0
      const answer = (): string => {
        if (triedAt.at(-1) !== minute) triedAt.push(minute)
        return said
      }
      Object.assign(sink.faults, { [step]: answer })
      for (; minute < 1000; minute += 5) {
        expect((await poll(scene)).refused).toBe(0)
        later(5 * MINUTE)
      }
      expect(triedAt).toEqual([0, 15, 45, 105, 225, 465, 705, 945])
      Object.assign(sink.faults, { [step]: null })
      later(5 * HOUR)
      expect(await poll(scene)).toMatchObject({ outcome: 'ok', delivered: count })
    },
  )

  test('is tried at once where a person asks', async () => {
    await using at = await relayed(3)
    const { scene, sink } = at
    sink.faults.mail = '450 4.7.28 too much mail from you'
    await poll(scene)
    sink.faults.mail = null
    expect(await scene.poll({ eager: true })).toMatchObject({ outcome: 'ok', delivered: 3 })
  })

  test('to one message only loses nothing else: what opened a rest opens none again', async () => {
    await using at = await relayed(5)
    const { scene, sink } = at
    sink.faults.dot = ({ bytes }) =>
      Promise.resolve(bytes.toString('latin1').includes('letter 2\r\n') ? '421 4.3.2 go away' : null)
    for (let polls = 0; polls < 6; polls++) {
      await poll(scene)
      later(20 * MINUTE)
    }
    expect(numbers(sink)).toEqual([0, 1, 3, 4])
    expect(await poll(scene)).toMatchObject({ outcome: 'partial', delivered: 0, deferred: 1 })
  })
})

test('a destination that refuses ten in a row is at fault: nothing is refused for good, nothing is asked meanwhile (D118)', async () => {
  await using at = await relayed(40)
  const { scene, sink } = at
  sink.faults.dot = () => Promise.resolve('554 5.7.9 no')
  expect(await poll(scene)).toMatchObject({ outcome: 'failed', delivered: 0, deferred: 40, refused: 0, problems: [] })
  sink.faults.dot = null
  later(15 * MINUTE)
  expect(await poll(scene)).toMatchObject({ outcome: 'ok', delivered: 40 })
})

test('a poll that was to deliver and delivered nothing is no success, whatever the reason (N041)', async () => {
  await using at = await relayed(2)
  const { scene, sink } = at
  sink.faults.dot = () => Promise.resolve('451 4.7.1 greylisted, try again in 5 minutes')
  expect(await poll(scene)).toMatchObject({ outcome: 'partial', deferred: 2, error: null })
  expect((await recordOf(scene)).lastSuccessMs).toBeNull()
  later(MINUTE)
  const retrieved = scene.count('RETR')
  expect(await poll(scene)).toMatchObject({ outcome: 'partial', deferred: 2 })
  expect(scene.count('RETR')).toBe(retrieved)
  sink.faults.dot = null
  later(5 * MINUTE)
  expect(await poll(scene)).toMatchObject({ outcome: 'ok', delivered: 2, deferred: 0 })
  expect((await recordOf(scene)).lastSuccessMs).toBe(Date.now())
})

test('one of two destinations that is away is named, deferred and counted as a failure at each poll (D126)', async () => {
  await using at = await relayed(2)
  const { scene, sink } = at
  scene.destinations = [...scene.destinations, 'inbox: { type: maildir, path: inbox }']
  scene.deliver = '[inbox, next]'
  sink.faults.mail = '450 4.7.28 too much mail from you'
  await poll(scene)
  const retrieved = scene.count('RETR')
  for (const minute of [1, 2, 3]) {
    later(MINUTE)
    const report = await poll(scene)
    expect(report, `minute ${minute}`).toMatchObject({ outcome: 'paused', deferred: 2, error: { exit: 75 } })
    expect(report.error?.message).toContain('next')
  }
  expect((await recordOf(scene)).failures).toBeGreaterThan(0)
  scene.fill(1, 2)
  expect(await poll(scene)).toMatchObject({ outcome: 'paused', deferred: 3 })
  expect(scene.count('RETR')).toBe(retrieved + 1)
  expect(scene.subjects()).toEqual(upTo(3))
})

test('a large message that is deferred is not downloaded twice within a quarter of an hour (D120)', async () => {
  await using at = await relayed(0)
  const { scene, sink } = at
  scene.server.mailbox('alice').add(`${letter(0)}${'x'.repeat(70).concat('\r\n').repeat(20_000)}`, { uidl: 'large' })
  sink.faults.dot = () => Promise.resolve('451 4.7.1 later')
  for (const expected of [1, 1, 1, 2]) {
    await poll(scene)
    expect(scene.count('RETR')).toBe(expected)
    later(5 * MINUTE)
  }
})

test('a server without room for a large message still gets the small ones', async () => {
  await using at = await relayed(3)
  const { scene, sink } = at
  scene.server.mailbox('alice').add(`${letter(3)}${'x'.repeat(5000)}\r\n`, { uidl: 'large' })
  sink.faults.dot = ({ bytes }) => Promise.resolve(bytes.length > 3000 ? '552 5.2.2 mailbox full' : null)
  await scene.poll({ eager: false })
  later(HOUR)
  await scene.poll({ eager: false })
  expect(numbers(sink)).toEqual(upTo(3))
})

test('a refused sign-in is tried once for all accounts, from the third in a row less and less, and at once with another password (D119)', async () => {
  await using sink = await SmtpSink.start({ users: { relay: 'right' } })
  await using scene = await Scene.create()
  const names = ['alice', 'bob', 'carol', 'dave', 'eve']
  for (const name of names) scene.server.mailbox(name, 'secret').add(letter(names.indexOf(name)), { uidl: name })
  const polled = async (password: string): Promise<readonly AccountReport[]> => {
    const configuration = await loadAccounts(scene, names, [
      `next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, tls: none, user: relay, password: ${password}, to: bob@example.net }`,
    ])
    await using ledger = await openLedger(configuration.statePath)
    return await pollAll({ ...QUIET, configuration, accounts: configuration.accounts, ledger })
  }
  const triedAt: number[] = []
  for (let minute = 0; minute < 40; minute += 5) {
    const before = sink.connections
    const reports = await polled('wrong')
    expect(reports.every(({ error }) => error?.exit === 77)).toBe(true)
    expect(sink.connections - before).toBeLessThanOrEqual(1)
    if (sink.connections > before) triedAt.push(minute)
    later(5 * MINUTE)
  }
  expect(triedAt).toEqual([0, 5, 10, 25])
  expect(scene.count('RETR')).toBe(0)
  const reports = await polled('right')
  expect(reports.map(({ outcome }) => outcome)).toEqual(names.map(() => 'ok'))
  expect(numbers(sink)).toEqual(upTo(5))
})

describe('a secret of a destination that was refused', () => {
  const PASSWORD = (file: string): string => `password: { file: ${file} }`
  const PRINTED = (file: string): string => `password: { command: [cat, ${file}] }`
  const TOKEN_FILE = (file: string): string => `auth: xoauth2, token: { file: ${file} }`
  const TOKEN_PRINTED = (file: string): string => `auth: xoauth2, token: { command: [cat, ${file}] }`

  test.each([
    ['password in a file', PASSWORD],
    ['password that a command prints', PRINTED],
    ['token in a file', TOKEN_FILE],
    ['token that a command prints', TOKEN_PRINTED],
  ])('is noticed at once when it is changed, also while the destination is left alone: a %s (N042)', async (_, key) => {
    await using sink = await SmtpSink.start({
      users: { relay: 'fresh-secret' },
      more: { authMethods: ['PLAIN', 'XOAUTH2'] },
    })
    await using scene = await Scene.create()
    const file = scene.path('secret')
    writeFileSync(file, 'stale-secret', { mode: 0o600 })
    scene.destinations = [
      `next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, tls: none, user: relay, ${key(file)}, to: bob@example.net }`,
    ]
    scene.deliver = 'next'
    scene.fill(2)
    for (const outcome of ['failed', 'failed', 'failed', 'paused', 'paused'])
      expect(await poll(scene)).toMatchObject({ outcome, deferred: 2, error: { exit: 77 } })
    expect(sink.connections).toBe(3)
    writeFileSync(file, 'fresh-secret')
    expect(await poll(scene)).toMatchObject({ outcome: 'ok', delivered: 2 })
    expect(scene.count('RETR')).toBe(2)
  })

  test('and refused for now rests up to a day, and is noticed when it is changed', async () => {
    await using sink = await SmtpSink.start({ users: { relay: 'right' } })
    await using scene = await Scene.create()
    scene.deliver = 'next'
    scene.fill(1)
    const configured = (password: string): readonly string[] => [
      `next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, tls: none, user: relay, password: ${password}, to: bob@example.net }`,
    ]
    scene.destinations = configured('right')
    sink.faults.auth = '454 4.7.0 temporary authentication failure'
    const triedAt: number[] = []
    for (let quarter = 0; quarter < 4 * 72; quarter++) {
      const before = sink.connections
      expect(await poll(scene)).toMatchObject({ deferred: 1, error: { exit: 75 } })
      if (sink.connections > before) triedAt.push(quarter / 4)
      later(15 * MINUTE)
    }
    expect(triedAt).toEqual([0, 0.25, 0.75, 1.75, 3.75, 7.75, 15.75, 31.75, 55.75])
    expect(scene.count('RETR')).toBe(0)
    sink.faults.auth = null
    scene.destinations = configured('"right "')
    await poll(scene)
    expect(sink.connections).toBe(triedAt.length + 1)
  })
})
