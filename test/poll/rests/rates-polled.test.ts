// Polls of destinations that have a `rate`: what goes, what waits and is not downloaded, over accounts, runs and names.
import { writeFileSync } from 'node:fs'
import type * as os from 'node:os'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { loadConfiguration } from '../../../src/config/load.ts'
import type { Configuration } from '../../../src/config/schema.ts'
import { localStamp } from '../../../src/display.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { silentLog } from '../../../src/log.ts'
import { Poller, pollAll } from '../../../src/poll/poller.ts'
import type { AccountReport } from '../../../src/poll/report.ts'
import { SmtpSink } from '../../support/smtp-server.ts'
import { BY_ITSELF } from '../../support/poll-options.ts'
import { letter, Scene, upTo } from '../scene.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const START = Date.parse('2026-11-29T12:00:00Z')

const machine = vi.hoisted(() => ({ upMs: 0 }))
vi.mock('node:os', async (original) => ({
  ...(await original<typeof os>()),
  uptime: () => machine.upMs / 1000,
}))

beforeEach(() => {
  machine.upMs = MINUTE
  vi.useFakeTimers({ toFake: ['Date'], now: START })
})
afterEach(() => void vi.useRealTimers())

function later(ms: number): void {
  machine.upMs += ms
  vi.setSystemTime(Date.now() + ms)
}

async function relayed(count: number, keys: string) {
  const scene = await Scene.create()
  const sink = await SmtpSink.start()
  scene.destinations = [smtp('next', sink, keys)]
  scene.deliver = 'next'
  scene.fill(count)
  const dispose = async (): Promise<void> => {
    await scene[Symbol.asyncDispose]()
    await sink[Symbol.asyncDispose]()
  }
  return { scene, sink, [Symbol.asyncDispose]: dispose }
}

function smtp(name: string, { port }: SmtpSink, keys: string): string {
  return `${name}: { type: smtp, host: 127.0.0.1, port: ${port}, to: bob@example.net, ${keys} }`
}

const QUIET = {
  options: BY_ITSELF,
  observer: { progress: () => {}, note: () => {} },
  log: silentLog,
  env: {},
  signal: new AbortController().signal,
}

/** Accounts of these users on the scene's server, each with where it delivers. */
async function loaded(
  scene: Scene,
  users: Readonly<Record<string, string>>,
  destinations: readonly string[],
): Promise<Configuration> {
  const { host, port, tls } = scene.server
  const account = ([user, deliver]: readonly [string, string]): string =>
    `  ${user}: { host: ${host}, port: ${port}, tls: ${tls}, user: ${user}, password: secret, deliver: ${deliver} }`
  const accounts = Object.entries(users).map(account)
  const lines = ['accounts:', ...accounts, 'destinations:', ...destinations.map((line) => `  ${line}`)]
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

async function pollAccounts(configuration: Configuration): Promise<readonly AccountReport[]> {
  await using ledger = await openLedger(configuration.statePath)
  return await pollAll({ ...QUIET, configuration, accounts: configuration.accounts, ledger, sessionGapSeconds: 0 })
}

describe('a rate', () => {
  test('lets as many through as it says; the others wait, are counted, are no failure, and are not downloaded', async () => {
    await using at = await relayed(12, 'rate: 5/d')
    const { scene, sink } = at
    expect(await scene.poll()).toMatchObject({
      outcome: 'partial',
      delivered: 5,
      deferred: 7,
      deferredByRates: 7,
      deferredThemselves: 0,
      error: null,
      troubles: [],
      problems: [],
    })
    expect([scene.count('RETR'), sink.messages.length]).toEqual([5, 5])
    expect(scene.notes.filter((note) => note.includes('its rate of 5/d'))).toHaveLength(1)
    expect(scene.notes.join('\n')).toContain(
      `the next may be sent at ${localStamp(Date.parse('2026-11-30T12:00:00Z'))}`,
    )
    const { connections } = sink
    later(DAY - 1000)
    expect(await scene.poll()).toMatchObject({ outcome: 'partial', delivered: 0, deferred: 7, error: null })
    expect([scene.count('RETR'), sink.connections]).toEqual([5, connections])
    later(1000)
    expect(await scene.poll()).toMatchObject({ outcome: 'partial', delivered: 5, deferred: 2 })
    later(DAY)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 2, deferred: 0, deferredByRates: 0 })
    expect(sink.messages).toHaveLength(12)
  })

  test('is told in the ledger of the account, with how many wait', async () => {
    await using at = await relayed(7, 'rate: 3/d')
    const { scene } = at
    const recorded = async () => {
      await using ledger = await openLedger(scene.path('state/state.db'))
      const record = await ledger.account(scene.name)
      const waiting = (await ledger.records.unsettled()).get(scene.name)?.waiting ?? 0
      return { facts: record?.facts ?? {}, failures: record?.failures, waiting }
    }
    await scene.poll()
    const { facts, failures, waiting } = await recorded()
    expect({ failures, all: waiting + Number(facts['unbegun'] ?? 0) }).toEqual({ failures: 0, all: 4 })
    expect(facts['waitsForRate']).toContain('next has received as many messages as its rate of 3/d allows')
    later(DAY)
    await scene.poll()
    later(DAY)
    await scene.poll()
    const after = await recorded()
    expect([after.facts['unbegun'], after.facts['waitsForRate'], after.waiting]).toEqual([undefined, undefined, 0])
  })

  test('holds up no other destination of a message', async () => {
    await using at = await relayed(6, 'rate: 2/d')
    const { scene, sink } = at
    scene.destinations = [...scene.destinations, 'inbox: { type: maildir, path: inbox }']
    scene.deliver = '[inbox, next]'
    expect(await scene.poll()).toMatchObject({ outcome: 'partial', delivered: 2, deferred: 4, error: null })
    expect([scene.subjects(), sink.messages.length]).toEqual([upTo(6), 2])
    for (let days = 0; days < 2; days++) {
      later(DAY)
      await scene.poll()
    }
    expect([scene.subjects(), sink.messages.length]).toEqual([upTo(6), 6])
  })

  test('holds up no other account', async () => {
    await using at = await relayed(4, '')
    const { scene, sink } = at
    for (const at of upTo(4)) scene.server.mailbox('bea').add(letter(at), { uidl: `b${at}` })
    const configuration = await loaded(scene, { alice: 'next', bea: 'inbox' }, [
      smtp('next', sink, 'rate: 1/d'),
      'inbox: { type: maildir, path: inbox }',
    ])
    const [alice, bea] = await pollAccounts(configuration)
    expect(alice).toMatchObject({ outcome: 'partial', delivered: 1, deferred: 3 })
    expect(bea).toMatchObject({ outcome: 'ok', delivered: 4, deferred: 0 })
  })

  test('is one for a server and user, whatever its destinations are called, over all accounts and runs', async () => {
    await using at = await relayed(5, '')
    const { scene, sink } = at
    for (const at of upTo(5)) scene.server.mailbox('bea').add(letter(at), { uidl: `b${at}` })
    // The second one says nothing of a rate, and is bound by the first one's.
    const configuration = await loaded(scene, { alice: 'office', bea: 'home' }, [
      smtp('office', sink, 'rate: [100/h, 6/d]'),
      smtp('home', sink, 'label: true'),
    ])
    const reports = await pollAccounts(configuration)
    expect(reports.reduce((sum, { delivered }) => sum + delivered, 0)).toBe(6)
    expect(sink.messages).toHaveLength(6)
    await pollAccounts(configuration)
    expect(sink.messages).toHaveLength(6)
    later(DAY)
    expect((await pollAccounts(configuration)).map(({ outcome }) => outcome)).toEqual(['ok', 'ok'])
    expect(sink.messages).toHaveLength(10)
  })

  test('is two for two servers', async () => {
    await using at = await relayed(3, 'rate: 2/d')
    await using other = await SmtpSink.start()
    const { scene, sink } = at
    scene.destinations = [...scene.destinations, smtp('other', other, 'rate: 3/d')]
    scene.deliver = '[next, other]'
    await scene.poll()
    expect([sink.messages.length, other.messages.length]).toEqual([2, 3])
  })

  test('counts each recipient: there is one message for each', async () => {
    await using at = await relayed(3, '')
    const { scene, sink } = at
    scene.destinations = [smtp('next', sink, 'rate: 4/d').replace('bob@example.net', '[a@x.example, b@x.example]')]
    await scene.poll()
    expect(sink.messages).toHaveLength(4)
    later(DAY)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok' })
    const got = sink.messages.map(({ to, bytes }) => `${to.join()} ${/^Subject: (.*)\r$/m.exec(bytes.toString())?.[1]}`)
    expect(got.toSorted()).toEqual(
      ['a@x.example', 'b@x.example'].flatMap((to) => upTo(3).map((at) => `${to} letter ${at}`)),
    )
  })

  test('is kept to by the first of several, and what waits for it goes nowhere else for a day', async () => {
    await using at = await relayed(4, 'rate: 1/h')
    const { scene, sink } = at
    scene.destinations = [...scene.destinations, 'inbox: { type: maildir, path: inbox }']
    scene.deliver = '{ first-of: [next, inbox] }'
    expect(await scene.poll()).toMatchObject({ outcome: 'partial', delivered: 1, deferred: 3, error: null })
    expect([sink.messages.length, scene.subjects()]).toEqual([1, []])
    for (let hours = 0; hours < 2; hours++) {
      later(60 * MINUTE)
      await scene.poll()
    }
    expect([sink.messages.length, scene.subjects()]).toEqual([3, []])
  })

  test('is kept to by a later one of several: what the first refuses waits for it', async () => {
    await using at = await relayed(3, '')
    await using other = await SmtpSink.start()
    const { scene, sink } = at
    sink.faults.rcpt = '550 5.1.1 nobody here'
    scene.destinations = [...scene.destinations, smtp('other', other, 'rate: 2/d')]
    scene.deliver = '{ first-of: [next, other] }'
    expect(await scene.poll()).toMatchObject({ outcome: 'partial', delivered: 2, deferred: 1, error: null })
    expect(other.messages).toHaveLength(2)
    const before = scene.count('RETR')
    later(MINUTE)
    expect(await scene.poll({ eager: false })).toMatchObject({ outcome: 'partial', deferred: 1, error: null })
    expect(scene.count('RETR')).toBe(before)
    later(DAY)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
    expect(other.messages).toHaveLength(3)
  })

  test('counts what was refused, too: servers count it', async () => {
    await using at = await relayed(4, 'rate: 3/d')
    const { scene, sink } = at
    sink.faults.dot = () => Promise.resolve('554 5.6.0 no')
    expect(await scene.poll()).toMatchObject({ refused: 3, deferred: 1 })
    expect(scene.count('RETR')).toBe(3)
  })

  test('holds where the clock is set forward, and closes nothing for years where it is set back (S030)', async () => {
    await using at = await relayed(9, 'rate: 3/d')
    const { scene, sink } = at
    await scene.poll()
    vi.setSystemTime(START + 400 * DAY)
    await scene.poll()
    expect(sink.messages).toHaveLength(3)
    vi.setSystemTime(START - 4000 * DAY)
    await scene.poll()
    expect(sink.messages).toHaveLength(3)
    later(DAY)
    await scene.poll()
    expect(sink.messages).toHaveLength(6)
  })

  test('holds in a process that goes on for months, and over a new configuration', async () => {
    await using at = await relayed(9, 'rate: 2/d')
    const { scene, sink } = at
    const configuration = await loaded(scene, { alice: 'next' }, [smtp('next', sink, 'rate: 2/d')])
    await using ledger = await openLedger(configuration.statePath)
    await using poller = new Poller(configuration, { ...QUIET, ledger, sessionGapSeconds: 0 })
    const poll = (of: Configuration) => {
      const [account] = of.accounts
      if (account === undefined) throw new Error('no account')
      return poller.poll(account, QUIET.options)
    }
    expect(await poll(configuration)).toMatchObject({ delivered: 2, deferred: 7 })
    expect(await poll(configuration)).toMatchObject({ delivered: 0, deferred: 7 })
    const wider = await loaded(scene, { alice: 'next' }, [smtp('renamed', sink, 'rate: 5/d'), smtp('next', sink, '')])
    poller.configure(wider)
    expect(await poll(wider)).toMatchObject({ delivered: 3, deferred: 4 })
    later(DAY)
    expect(await poll(wider)).toMatchObject({ outcome: 'ok', delivered: 4 })
  })
})
