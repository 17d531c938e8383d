// `/healthz` and `status --check`, `/livez` and `status --check --self`: the same answer for every state that an account, a destination,
// the background process and the ledger can be in, asked as others ask: over HTTP, and by the command line, which asks the process
// over its socket. The states are multiplied with each other; what is expected of each is in the tables.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ControlServer } from '../../../src/daemon/control/server.ts'
import { HttpServer } from '../../../src/daemon/http/server.ts'
import type { Watched } from '../../../src/daemon/http/watched.ts'
import { PopfetchError } from '../../../src/errors.ts'
import type { AccountRecord, DestinationRecord, Ledger, Pause } from '../../../src/ledger/ledger.ts'
import type { Unsettled } from '../../../src/ledger/records.ts'
import type { Planned } from '../../../src/status/status.ts'
import { WAITS_FOR_PAUSED } from '../../../src/poll/account/unbegun.ts'
import { World } from '../../cli/world.ts'
import {
  failing,
  FORWARD_ERROR,
  HOUR,
  MINUTE,
  NOW,
  pauseOf,
  record,
  REFUSED_SIGN_IN,
  resting,
  UNREACHABLE,
} from '../../status/scene.ts'
import { anyPort, noNames, watched } from './scene.ts'

const GUARD = { code: 'ERR_UIDS_CHANGED', message: 'all UIDs are new', retry: 'never' } as const
const NONE: Unsettled = { waiting: 0, refused: 0, held: 0, undeleted: 0 }

interface AccountState {
  /** Of a poll that fails so; 0: it is well. */
  readonly code: number
  /** Null: the ledger does not know it. */
  readonly record: AccountRecord | null
  readonly unsettled?: Partial<Unsettled>
  readonly pauses?: readonly Pause[]
  /** Null: it is not polled here. */
  readonly planned?: Partial<Planned> | null
  readonly configured?: false
  /** It fails because of `forward`: while a person pauses that, it is nobody's trouble. */
  readonly behind?: true
  /** For --self as well. */
  readonly self?: number
}

const ACCOUNTS: Readonly<Record<string, AccountState>> = {
  ok: { code: 0, record: record('a') },
  'never polled': { code: 0, record: null },
  'known, never polled': { code: 0, record: record('a', { lastPollMs: null, lastSuccessMs: null }) },
  'without success for a week': { code: 0, record: record('a', { lastSuccessMs: NOW - 170 * HOUR }) },
  'failing for now': { code: 75, record: failing('a', UNREACHABLE) },
  'with a refused password': { code: 77, record: failing('a', REFUSED_SIGN_IN) },
  'left alone after a refused password': {
    code: 77,
    record: failing('a', REFUSED_SIGN_IN, { pausedUntilMs: NOW + HOUR, refusals: 4 }),
  },
  'at a guard': { code: 78, record: failing('a', GUARD) },
  'failing, nobody knows why': { code: 75, record: failing('a', null) },
  'failing behind a destination': {
    code: 75,
    record: failing('a', { ...FORWARD_ERROR, retry: 'soon' }),
    behind: true,
  },
  'left alone as the server asked': { code: 0, record: record('a', { pausedUntilMs: NOW + HOUR }) },
  'with mail that waits': {
    code: 0,
    record: record('a', { facts: { deferredSince: String(NOW - 9 * HOUR) } }),
    unsettled: { waiting: 3 },
  },
  'with mail that waits for a rate': {
    code: 0,
    record: record('a', { facts: { unbegun: '7', waitsForRate: '30/m' } }),
  },
  'with refused mail': { code: 0, record: record('a'), unsettled: { refused: 2 } },
  'with held mail': { code: 0, record: record('a'), unsettled: { held: 2 } },
  'with mail that was not deleted': { code: 0, record: record('a'), unsettled: { undeleted: 2 } },
  'late, since others are before it': { code: 0, record: record('a'), planned: { nextPollMs: NOW - HOUR } },
  'at work': { code: 0, record: record('a'), planned: { polling: true, nextPollMs: null } },
  'overdue: its poll hangs': {
    code: 75,
    record: record('a'),
    planned: { polling: true, nextPollMs: null, overdue: true },
    self: 75,
  },
  'overdue and at a guard': { code: 78, record: failing('a', GUARD), planned: { overdue: true }, self: 75 },
  'paused by a person': { code: 0, record: record('a'), pauses: [pauseOf('account', 'a')] },
  'paused by a person, failing': { code: 0, record: failing('a', GUARD), pauses: [pauseOf('account', 'a')] },
  'paused by a person for a time': {
    code: 0,
    record: failing('a', GUARD),
    pauses: [pauseOf('account', 'a', { untilMs: NOW + MINUTE })],
  },
  'waiting for a destination that a person paused': {
    code: 0,
    record: failing('a', GUARD, { facts: { [WAITS_FOR_PAUSED]: '["notes"]' } }),
    pauses: [pauseOf('destination', 'notes')],
  },
  'failing, not configured any more': { code: 0, record: failing('a', GUARD), configured: false, planned: null },
  'failing, not polled by this process': { code: 0, record: failing('a', GUARD), planned: null },
}

interface DestinationState {
  readonly code: number
  readonly records: readonly DestinationRecord[]
  readonly pauses?: readonly Pause[]
}

const DESTINATIONS: Readonly<Record<string, DestinationState>> = {
  'all well': { code: 0, records: [] },
  'left alone': { code: 75, records: [resting('forward')] },
  'due again': { code: 75, records: [resting('forward', { untilMs: NOW - MINUTE })] },
  'refusing the sign-in': { code: 77, records: [resting('forward', { exit: 77, untilSignIn: true })] },
  'without its folder': { code: 75, records: [resting('forward', { exit: 73 })] },
  'one recipient left alone': { code: 75, records: [{ ...resting('forward'), recipient: 'bob@example.org' }] },
  'paused by a person': { code: 0, records: [], pauses: [pauseOf('destination', 'forward')] },
  'left alone and paused by a person': {
    code: 0,
    records: [resting('forward')],
    pauses: [pauseOf('destination', 'forward')],
  },
  'left alone and no longer configured': { code: 0, records: [resting('departed')] },
  'no rest': { code: 0, records: [{ ...resting('forward'), rest: null }] },
}

/** Of three accounts one is in the state of the table, the others are well. */
const SHARES = ['', '2%', '33%', '34%', '100%'] as const

class Asked implements AsyncDisposable {
  readonly world: World
  readonly #owned: AsyncDisposableStack
  #facts: { readonly account: AccountState; readonly destinations: DestinationState } | null = null
  #http: HttpServer | null = null
  #socket: ControlServer | null = null
  ledgerError: PopfetchError | null = null

  private constructor(world: World, owned: AsyncDisposableStack) {
    this.world = world
    this.#owned = owned
  }

  static async create(): Promise<Asked> {
    const owned = new AsyncDisposableStack()
    const world = owned.use(await World.make())
    const asked = new Asked(world, owned)
    world.nowMs = NOW
    world.ledger = asked.#ledger()
    const view: Watched = {
      ...watched,
      ledger: world.ledger,
      nowMs: () => NOW,
      freshMs: 0,
      get configured() {
        return asked.#configured
      },
      get plan() {
        return asked.#plan
      },
    }
    asked.#http = owned.use(await HttpServer.listen(anyPort, noNames, view))
    const pid = 7
    asked.#socket = owned.use(
      await ControlServer.listen(join(world.directory, 'state.db.socket'), () =>
        Promise.resolve({ pid, sinceMs: NOW - HOUR, version: '1', file: '', accounts: asked.#plan }),
      ),
    )
    return asked
  }

  get #configured(): readonly string[] {
    return this.#facts?.account.configured === false ? ['b', 'c'] : ['a', 'b', 'c']
  }

  get #plan(): readonly Planned[] {
    const planned = this.#facts?.account.planned
    const usual = { polling: false, nextPollMs: NOW + MINUTE, overdue: false }
    return ['a', 'b', 'c'].flatMap((account) => {
      if (account !== 'a') return [{ ...usual, account }]
      return planned === null ? [] : [{ ...usual, ...planned, account }]
    })
  }

  put(account: AccountState, destinations: DestinationState): void {
    this.#facts = { account, destinations }
    const accounts = this.#configured.map(
      (name) => `  ${name}: { host: h, user: u, password: { env: X }, deliver: "maildir:/m" }\n`,
    )
    const rest = 'destinations: { forward: { type: mbox, path: /m.mbox } }\nstate: state.db\n'
    writeFileSync(join(this.world.directory, 'config.yaml'), `accounts:\n${accounts.join('')}${rest}`, { mode: 0o600 })
  }

  #ledger(): Ledger {
    const facts = () => {
      if (this.ledgerError !== null) throw this.ledgerError
      if (this.#facts === null) throw new Error('nothing was put')
      return this.#facts
    }
    const later = <T>(of: () => T): (() => Promise<T>) => {
      return () => Promise.resolve().then(of)
    }
    const ledger = {
      accounts: later(() => [facts().account.record, record('b'), record('c')].filter((one) => one !== null)),
      destinations: later(() => facts().destinations.records),
      pauses: { all: later(() => [...(facts().account.pauses ?? []), ...(facts().destinations.pauses ?? [])]) },
      workers: later(() => []),
      spans: 'machine',
      memo: (name: string) => later(() => (facts() === null || name === 'accountsFrom' ? null : 'started'))(),
      records: {
        unsettled: later(() => new Map([['a', { ...NONE, ...facts().account.unsettled }]])),
        lacking: later(() => new Map()),
        outstanding: later(() => new Map()),
        days: later(() => new Map()),
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }
    return ledger as unknown as Ledger
  }

  async http(path: string): Promise<{ readonly isWell: boolean; readonly text: string }> {
    const response = await fetch(`http://127.0.0.1:${this.#http?.port}${path}`)
    expect([200, 503]).toContain(response.status)
    return { isWell: response.status === 200, text: (await response.text()).trimEnd() }
  }

  async cli(words: string): Promise<{ readonly code: number; readonly text: string }> {
    const code = await this.world.run(`--config config.yaml status --check ${words}`.trimEnd())
    return { code, text: this.world.stdout.text.trimEnd() }
  }

  /** As one that was killed. */
  async end(): Promise<void> {
    await this.#http?.[Symbol.asyncDispose]()
    await this.#socket?.[Symbol.asyncDispose]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync()
  }
}

/** What DESIGN says of it, in other words than the program. */
function expected(account: AccountState, destinations: DestinationState, share: string): number {
  const isPaused = (destinations.pauses ?? []).length > 0 && destinations.records.some(({ rest }) => rest !== null)
  const own = account.behind === true && isPaused ? 0 : account.code
  const watchedAccounts =
    account.configured === false || account.planned === null || account.pauses !== undefined ? 2 : 3
  const percent = share === '' ? 0 : Number.parseFloat(share)
  if (percent > 0 && (own === 0 ? 0 : 1) <= (percent / 100) * watchedAccounts) return 0
  const [worst = 0] = [78, 77, 75].filter((code) => code === own || code === destinations.code)
  return worst
}

test.each(Object.entries(ACCOUNTS))('an account that is %s, beside any destination', async (_, account) => {
  await using asked = await Asked.create()
  for (const [what, destinations] of Object.entries(DESTINATIONS)) {
    asked.put(account, destinations)
    for (const share of what === 'all well' ? SHARES : ['', '34%']) {
      const [over, by] = [
        await asked.http(share === '' ? '/healthz' : `/healthz?tolerate=${encodeURIComponent(share)}`),
        await asked.cli(share === '' ? '' : `--tolerate ${share}`),
      ]
      expect([what, share, by.code]).toEqual([what, share, expected(account, destinations, share)])
      expect([what, share, over.isWell]).toEqual([what, share, by.code === 0])
      expect(over.text.split('\n').join('; ')).toBe(by.code === 0 ? 'ok' : by.text)
      expect(by.text === 'all is well').toBe(by.code === 0)
    }
    const [alive, self] = [await asked.http('/livez'), await asked.cli('--self')]
    expect(self.code).toBe(account.self ?? 0)
    expect([alive.isWell, alive.text]).toEqual([self.code === 0, self.code === 0 ? 'ok' : self.text])
  }
})

describe('a ledger that', () => {
  test.each([
    ['is locked for long', 'the ledger is locked by another program'],
    ['is damaged', 'the ledger is damaged'],
    ['is of a newer version', 'the ledger was written by a newer popfetch'],
  ])('%s is a process that does not work: 503 and 74', async (_, message) => {
    await using asked = await Asked.create()
    const [account, destinations] = [ACCOUNTS['ok'], DESTINATIONS['all well']]
    if (account === undefined || destinations === undefined) throw new Error('no such state')
    asked.put(account, destinations)
    asked.ledgerError = new PopfetchError('ERR_LEDGER', message, { scope: 'process', retry: 'never' })
    for (const path of ['/healthz', '/healthz?tolerate=100%25', '/livez', '/', '/status.json', '/metrics'])
      expect(await asked.http(path)).toEqual({
        isWell: false,
        text: expect.stringContaining('the ledger cannot be read'),
      })
    for (const words of ['', '--tolerate 100%', '--grace 30d', '--self']) expect((await asked.cli(words)).code).toBe(74)
    asked.ledgerError = null
    expect(await asked.http('/healthz')).toEqual({ isWell: true, text: 'ok' })
    expect((await asked.cli('')).code).toBe(0)
  })
})

test('a process that is gone answers nobody: 69, whatever is overlooked', async () => {
  await using asked = await Asked.create()
  const [account, destinations] = [ACCOUNTS['at a guard'], DESTINATIONS['all well']]
  if (account === undefined || destinations === undefined) throw new Error('no such state')
  asked.put(account, destinations)
  await asked.end()
  await expect(asked.http('/healthz')).rejects.toThrow()
  for (const words of ['', '--tolerate 100%', '--grace 30d', '--self'])
    expect([words, (await asked.cli(words)).code]).toEqual([words, 69])
})
