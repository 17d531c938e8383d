// Accounts that lead to one server in different ways share its rests: alone, in a list, as the first and as a later one of several.
// What is said of one recipient closes no other one, and after a rest one message alone goes there, whoever offers it.
import { writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { loadConfiguration } from '../../../src/config/load.ts'
import type { Configuration } from '../../../src/config/schema.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { silentLog } from '../../../src/log.ts'
import { pollAll, Poller } from '../../../src/poll/poller.ts'
import type { AccountReport } from '../../../src/poll/report.ts'
import { SmtpSink } from '../../support/smtp-server.ts'
import { BY_ITSELF } from '../../support/poll-options.ts'
import { letter, Scene } from '../scene.ts'

const MINUTE = 60_000

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-29T12:00:00Z') }))
afterEach(() => void vi.useRealTimers())

function later(ms: number): void {
  vi.setSystemTime(Date.now() + ms)
}

/** Accounts on the scene's server, each with three messages, by what is behind their `deliver`. */
async function configured(
  scene: Scene,
  sink: SmtpSink,
  delivers: Readonly<Record<string, string>>,
): Promise<Configuration> {
  const { host, port, tls } = scene.server
  const smtp = (to: string): string => `{ type: smtp, host: 127.0.0.1, port: ${sink.port}, to: ${to}@example.net }`
  const account = ([user, deliver]: readonly [string, string]): string =>
    `  ${user}: { host: ${host}, port: ${port}, tls: ${tls}, user: ${user}, password: secret, deliver: ${deliver} }`
  const lines = [
    'accounts:',
    ...Object.entries(delivers).map(account),
    'destinations:',
    `  next: ${smtp('bob')}`,
    `  other: ${smtp('carol')}`,
    '  inbox: { type: maildir, path: inbox }',
    '  no: { type: command, run: [/bin/sh, -c, "exit 65"] }',
    'state: state/state.db',
  ]
  const file = scene.path('config.yaml')
  writeFileSync(file, lines.join('\n'), { mode: 0o600 })
  const env = { HOME: scene.directory }
  return await loadConfiguration({ file, state: null, env, cwd: scene.directory, uid: process.getuid?.() ?? 0 })
}

async function pollEach(
  scene: Scene,
  sink: SmtpSink,
  delivers: Readonly<Record<string, string>>,
  only: readonly string[] = Object.keys(delivers),
): Promise<readonly AccountReport[]> {
  const configuration = await configured(scene, sink, delivers)
  await using ledger = await openLedger(configuration.statePath)
  return await pollAll({
    configuration,
    accounts: configuration.accounts.filter(({ name }) => only.includes(name)),
    ledger,
    options: BY_ITSELF,
    observer: { progress: () => {}, note: () => {} },
    log: silentLog,
    env: {},
    signal: new AbortController().signal,
    sessionGapSeconds: 0,
  })
}

const WAYS = {
  alone: 'next',
  'in a list': '[inbox, next]',
  'first of several': '{ first-of: [next, inbox] }',
  'a later one of several': '{ first-of: [no, next] }',
} as const
const ANSWERS = {
  'the mailbox is full': { rcpt: '452 4.2.2 mailbox full' },
  'the mailbox takes nothing now': { rcpt: '450 4.2.1 mailbox disabled for now' },
  'not now': { mail: '450 4.7.28 too much mail from you' },
} as const

const pairs = Object.keys(WAYS).flatMap((one) =>
  Object.keys(WAYS).flatMap((two) => Object.keys(ANSWERS).map((answer) => ({ one, two, answer }))),
)

describe('accounts that lead to one server', () => {
  test.each(pairs)('where $answer: what $one finds out, $two obeys', async ({ one, two, answer }) => {
    await using scene = await Scene.create()
    await using sink = await SmtpSink.start()
    const ways: Readonly<Record<string, string>> = WAYS
    const delivers = { ann: ways[one] ?? '', eve: ways[two] ?? '' }
    for (const [at, user] of Object.keys(delivers).entries())
      for (const number of [1, 2, 3])
        scene.server.mailbox(user, 'secret').add(letter(10 * at + number), { uidl: `${user}-${number}` })
    const answers: Readonly<Record<string, object>> = ANSWERS
    let offers = 0
    for (const [step, said] of Object.entries(answers[answer] ?? {}))
      Object.assign(sink.faults, { [step]: () => (offers++, said) })
    await pollEach(scene, sink, delivers, ['ann'])
    later(5 * MINUTE)
    const [connections, offered] = [sink.connections, offers]
    await pollEach(scene, sink, delivers)
    await pollEach(scene, sink, delivers, ['eve'])
    expect(sink.connections).toBe(connections)
    // After the rest one message alone, of whichever account.
    later(11 * MINUTE)
    await pollEach(scene, sink, delivers)
    expect(offers - offered).toBe(1)
    Object.assign(sink.faults, { rcpt: null, mail: null })
    later(31 * MINUTE)
    const reports = await pollEach(scene, sink, delivers)
    expect(reports.map(({ outcome }) => outcome)).toEqual(['ok', 'ok'])
    expect(new Set(sink.messages.map(({ bytes }) => /^Subject: .*/m.exec(bytes.toString('latin1'))?.[0])).size).toBe(6)
    expect(sink.messages).toHaveLength(6)
  })

  test('and are polled by one process offer one message alone to a recipient that had no room, though others of the server have', async () => {
    await using scene = await Scene.create()
    await using sink = await SmtpSink.start()
    const delivers = { ann: 'next', eve: 'next', kim: 'other' }
    for (const user of Object.keys(delivers))
      for (const number of [1, 2, 3])
        scene.server.mailbox(user, 'secret').add(letter(number), { uidl: `${user}-${number}` })
    let offers = 0
    sink.faults.rcpt = (address) => (address.startsWith('bob') ? (offers++, '450 4.2.1 disabled for now') : null)
    const configuration = await configured(scene, sink, delivers)
    await using ledger = await openLedger(configuration.statePath)
    await using poller = new Poller(configuration, {
      ledger,
      observer: { progress: () => {}, note: () => {} },
      log: silentLog,
      env: {},
      signal: new AbortController().signal,
      sessionGapSeconds: 0,
    })
    const round = () => Promise.all(configuration.accounts.map((account) => poller.poll(account, BY_ITSELF)))
    const [, , kim] = await round()
    expect(kim).toMatchObject({ outcome: 'ok', delivered: 3 })
    later(16 * MINUTE)
    const before = offers
    await round()
    expect(offers - before).toBe(1)
  })

  test('do not wait forever behind a message that it never takes, whoever is polled first', async () => {
    await using scene = await Scene.create()
    await using sink = await SmtpSink.start()
    const delivers = { ann: 'next', eve: 'next' }
    scene.server.mailbox('ann', 'secret').add(letter(1), { uidl: 'ann-1' })
    const isBad = ({ bytes }: { readonly bytes: Buffer }): boolean => bytes.toString('latin1').includes('letter 1\r\n')
    sink.faults.dot = (message) => Promise.resolve(isBad(message) ? '421 4.3.2 go away' : null)
    const round = async (): Promise<void> => {
      await pollEach(scene, sink, delivers, ['ann'])
      await pollEach(scene, sink, delivers, ['eve'])
      later(30 * MINUTE)
    }
    for (let rounds = 0; rounds < 12; rounds++) await round()
    expect(sink.messages).toHaveLength(0)
    scene.server.mailbox('eve', 'secret').add(letter(2), { uidl: 'eve-1' })
    // The longest rest, and half of it in which it goes first.
    for (let rounds = 0; rounds < 13; rounds++) await round()
    expect(sink.messages.map(({ bytes }) => /letter \d/.exec(bytes.toString('latin1'))?.[0])).toEqual(['letter 2'])
  })

  test('but to other recipients go on where one has no room', async () => {
    await using scene = await Scene.create()
    await using sink = await SmtpSink.start()
    const delivers = { ann: 'next', eve: 'other', kim: '{ first-of: [other, inbox] }' }
    for (const user of Object.keys(delivers))
      scene.server.mailbox(user, 'secret').add(letter(user.length), { uidl: `${user}-1` })
    sink.faults.rcpt = (address) => (address.startsWith('bob') ? '452 4.2.2 mailbox full' : null)
    const [ann, ...others] = await pollEach(scene, sink, delivers)
    expect(ann).toMatchObject({ outcome: 'failed', deferred: 1 })
    expect(others.map(({ delivered }) => delivered)).toEqual([1, 1])
    for (const user of ['eve', 'kim']) scene.server.mailbox(user, 'secret').add(letter(9), { uidl: `${user}-2` })
    later(MINUTE)
    expect((await pollEach(scene, sink, delivers)).map(({ outcome }) => outcome)).toEqual(['paused', 'ok', 'ok'])
  })
})

test('a recipient without room closes nothing to another one that is under way', async () => {
  await using scene = await Scene.create()
  await using sink = await SmtpSink.start()
  const delivers = { ann: 'next', eve: 'other' }
  scene.server.mailbox('ann', 'secret').add(letter(1), { uidl: 'ann-1' })
  for (let at = 0; at < 20; at++) scene.server.mailbox('eve', 'secret').add(letter(at), { uidl: `eve-${at}` })
  const [came, refused] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  // One of eve's waits, and one alone: if each did, they might hold every connection that the server gets, and bob's none.
  let waiting = false
  sink.faults.rcpt = async (address) => {
    if (address.startsWith('bob')) {
      await came.promise
      refused.resolve()
      return '452 4.2.2 mailbox full'
    }
    came.resolve()
    if (!waiting) {
      waiting = true
      await refused.promise
    }
    return null
  }
  const [ann, eve] = await pollEach(scene, sink, delivers)
  expect([ann?.outcome, eve?.delivered]).toEqual(['failed', 20])
})

describe('a small message that the server never gives makes no room out of none: the destination rests', () => {
  test.each([
    ['when it comes first', 'new'],
    ['when it is known to fail, and comes last', 'refused'],
    ['when it is known to come short, and is asked for alone behind the others', 'short'],
  ])('%s', async (_when, before) => {
    await using scene = await Scene.create()
    await using sink = await SmtpSink.start()
    scene.destinations = [`next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: bob@example.net }`]
    scene.deliver = 'next'
    scene.server.mailbox('alice').add(`Subject: small\r\n\r\n${'x'.repeat(120)}\r\n`, { uidl: 'small' })
    const refusing = (verb: string, args: string): string =>
      verb === 'RETR' && args === '1' ? '-ERR internal error' : 'serve'
    scene.server.faults.onCommand = refusing
    sink.faults.rcpt = '452 4.2.2 mailbox full'
    if (before === 'short') {
      scene.server.faults.onCommand = null
      scene.server.faults.rawBody = () => Buffer.from('.\r\n')
    }
    if (before !== 'new') await scene.poll({ eager: false })
    scene.server.faults.rawBody = null
    scene.server.faults.onCommand = refusing
    scene.fill(6)
    later(MINUTE)
    await scene.poll({ eager: false })
    const connections = sink.connections
    for (let polls = 0; polls < 3; polls++) {
      later(4 * MINUTE)
      await scene.poll({ eager: false })
    }
    expect(sink.connections).toBe(connections)
  })
})
