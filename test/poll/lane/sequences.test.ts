// Several sequences of messages on their way to one mail server over the lane: of one account over several connections, and of two accounts
// over one. Each has its place there, and what one is answered counts once.
import { writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { loadConfiguration } from '../../../src/config/load.ts'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { silentLog } from '../../../src/log.ts'
import { pollAll } from '../../../src/poll/poller.ts'
import type { AccountReport } from '../../../src/poll/report.ts'
import { BY_ITSELF } from '../../support/poll-options.ts'
import { SmtpSink } from '../../support/smtp-server.ts'
import { watched } from '../doubts.ts'
import { letter, Scene } from '../scene.ts'

const MINUTE = 60_000
const USERS = ['ann', 'eve']

let scene: Scene
let sink: SmtpSink
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-11-30T12:00:00Z') })
  vi.stubEnv('POPFETCH_ROAD', 'lane')
  sink = await SmtpSink.start()
  scene = await Scene.create()
})
afterEach(async () => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
  await scene[Symbol.asyncDispose]()
  await sink[Symbol.asyncDispose]()
})

/** One poll of each of these accounts, which deliver to one server. */
async function polled(
  users: readonly string[],
  concurrency: number,
  ledgerOf: (ledger: Ledger) => Ledger = (ledger) => ledger,
): Promise<readonly AccountReport[]> {
  const { host, port, tls } = scene.server
  const account = (user: string): string =>
    `  ${user}: { host: ${host}, port: ${port}, tls: ${tls}, user: ${user}, password: secret, deliver: next, delete: after-delivery }`
  const next = `{ type: smtp, host: 127.0.0.1, port: ${sink.port}, to: bob@example.net, concurrency: ${concurrency} }`
  const file = scene.path('config.yaml')
  const lines = ['accounts:', ...users.map(account), 'destinations:', `  next: ${next}`, 'state: state/state.db']
  writeFileSync(file, lines.join('\n'), { mode: 0o600 })
  const [env, uid] = [{ HOME: scene.directory }, process.getuid?.() ?? 0]
  const configuration = await loadConfiguration({ file, state: null, env, cwd: scene.directory, uid })
  await using ledger = await openLedger(configuration.statePath)
  return await pollAll({
    configuration,
    accounts: configuration.accounts,
    ledger: ledgerOf(ledger),
    options: BY_ITSELF,
    observer: { progress: () => {}, note: () => {} },
    log: silentLog,
    env: {},
    signal: new AbortController().signal,
    sessionGapSeconds: 0,
  })
}

function fill(user: string, count: number, from = 0): void {
  for (let at = from; at < from + count; at++)
    scene.server.mailbox(user, 'secret').add(letter(at), { uidl: `uid-${at}` })
}

/** The subjects, sorted. */
function arrived(): readonly string[] {
  return sink.messages.map(({ bytes }) => /^Subject: (.*)\r$/m.exec(bytes.toString('latin1'))?.[1] ?? '').toSorted()
}

test.each([1, 2, 4])(
  'two accounts with %i connections to one server have no more in doubt than these, and lose and double nothing (S042)',
  async (concurrency) => {
    for (const [at, user] of USERS.entries()) fill(user, 40, 100 * at)
    // Every tenth is refused, so that the lanes end in the middle.
    let count = 0
    sink.faults.dot = () => (++count % 10 === 0 ? '451 4.3.0 later' : null)
    const { of, most } = watched()
    const reports = [...(await polled(USERS, concurrency, of))]
    expect(most()).toBeLessThanOrEqual(concurrency)
    sink.faults.dot = null
    for (let polls = 0; polls < 3; polls++) {
      vi.setSystemTime(Date.now() + 60 * MINUTE)
      reports.push(...(await polled(USERS, concurrency)))
    }
    expect(arrived()).toHaveLength(80)
    expect(new Set(arrived()).size).toBe(80)
    expect(reports.reduce((sum, { possibleDuplicates }) => sum + possibleDuplicates, 0)).toBe(0)
    expect(USERS.map((user) => scene.server.mailbox(user, 'secret').messages.length)).toEqual([0, 0])
  },
)

test('what one sequence is answered of the destination is counted once, though another one has announced a message there', async () => {
  fill('ann', 8)
  const closed = Promise.withResolvers<null>()
  let asked = 0
  // The first one is taken only when the answer to the second is recorded; the third is announced with its end.
  sink.faults.dot = () => {
    asked++
    return asked === 1 ? closed.promise : '421 4.3.2 busy'
  }
  const ledgerOf = (ledger: Ledger): Ledger =>
    new Proxy(ledger, {
      get(target, name) {
        const found: unknown = Reflect.get(target, name, target)
        if (typeof found !== 'function') return found
        return (...given: unknown[]): unknown => {
          const made: unknown = Reflect.apply(found, target, given)
          if (name === 'changeDestination') void (made as Promise<unknown>).then(() => closed.resolve(null))
          return made
        }
      },
    })
  await polled(['ann'], 2, ledgerOf)
  expect([asked, arrived()]).toEqual([2, ['letter 0']])
  sink.faults.dot = null
  // The first rest is over, a second one would not be.
  vi.setSystemTime(Date.now() + 16 * MINUTE)
  await polled(['ann'], 2)
  expect(arrived().length).toBeGreaterThan(1)
})
