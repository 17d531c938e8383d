// Limits that hold over all processes of a ledger: connections to a server (`perHost`), one poll of a mailbox at a time.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfiguration } from '../../../src/config/load.ts'
import type { Configuration } from '../../../src/config/schema.ts'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { silentLog } from '../../../src/log.ts'
import { Poller } from '../../../src/poll/poller.ts'
import { Pop3Server } from '../../support/pop3-server.ts'
import { BY_PERSON } from '../../support/poll-options.ts'

class Scene implements AsyncDisposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'popfetch-limits-'))
  readonly #owned = new AsyncDisposableStack()
  readonly server: Pop3Server

  private constructor(server: Pop3Server) {
    this.server = server
  }

  static async create(): Promise<Scene> {
    return new Scene(await Pop3Server.start())
  }

  /** Accounts of these users, each with one message. */
  async configured(users: readonly string[], top: object): Promise<Configuration> {
    const { host, port } = this.server
    for (const user of new Set(users)) this.server.mailbox(user, 'secret').add(`Subject: ${user}\n\n`, { uidl: user })
    const keys = { host, port, tls: 'none', password: 'secret', deliver: 'inbox' }
    const accounts = Object.fromEntries(users.map((user, at) => [`account-${at}`, { ...keys, user }]))
    const destinations = { inbox: { type: 'maildir', path: 'Mail' } }
    const file = join(this.#directory, 'config.json')
    writeFileSync(file, JSON.stringify({ accounts, destinations, state: 'state.db', ...top }), { mode: 0o600 })
    const uid = process.getuid?.() ?? 0
    return await loadConfiguration({ file, state: null, env: { HOME: this.#directory }, cwd: this.#directory, uid })
  }

  /** What another process would have: a ledger and a poller of its own. */
  async process(configuration: Configuration): Promise<{ readonly poller: Poller; readonly ledger: Ledger }> {
    const ledger = this.#owned.use(await openLedger(configuration.statePath))
    const observer = { progress: () => {}, note: () => {} }
    const { signal } = new AbortController()
    const poller = this.#owned.use(new Poller(configuration, { ledger, observer, log: silentLog, env: {}, signal }))
    return { ledger, poller }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync()
    await this.server[Symbol.asyncDispose]()
    rmSync(this.#directory, { recursive: true })
  }
}

test('perHost counts the connections of all processes, and all accounts get their turn (N008)', async () => {
  await using scene = await Scene.create()
  const { server } = scene
  const users = Array.from({ length: 9 }, (_, at) => `user-${at}`)
  const configuration = await scene.configured(users, { perHost: 2 })
  const [one, two] = [await scene.process(configuration), await scene.process(configuration)]
  // Nobody is done before two are at work.
  server.faults.onCommand = async (verb) => {
    if (verb === 'LIST') await server.journal.when(() => server.peak >= 2)
    return 'serve'
  }
  const polls = configuration.accounts.map((account, at) => (at % 2 === 0 ? one : two).poller.poll(account, BY_PERSON))
  expect((await Promise.all(polls)).map(({ outcome }) => outcome)).toEqual(users.map(() => 'ok'))
  expect(server.peak).toBe(2)
})

test('two accounts of one mailbox are not polled at once by two processes either (P152)', async () => {
  await using scene = await Scene.create()
  const configuration = await scene.configured(['user', 'user'], {})
  const [one, two] = [await scene.process(configuration), await scene.process(configuration)]
  const [first, second] = configuration.accounts
  const polls = [one.poller.poll(first!, BY_PERSON), two.poller.poll(second!, BY_PERSON)]
  expect((await Promise.all(polls)).map(({ outcome }) => outcome)).toEqual(['ok', 'ok'])
  expect(scene.server.peak).toBe(1)
})

test('who waits for room at a server keeps no account of another server from its poll', async () => {
  await using scene = await Scene.create()
  await using other = await Pop3Server.start({ host: '127.0.0.2' })
  other.mailbox('there', 'secret')
  const configuration = await scene.configured(['a', 'b'], { perHost: 1, concurrency: 1 })
  const { poller, ledger } = await scene.process(configuration)
  const [a, b] = configuration.accounts
  const there = { ...b!, name: 'there', host: other.host, port: other.port, user: 'there' }
  await using held = (await ledger.claim('held', { uses: [{ key: `host ${a!.host}`, most: 1 }], dueWithinMs: null }))
    .lease
  expect(held).not.toBeNull()
  const waits = poller.poll(a!, BY_PERSON)
  expect(await poller.poll(there, BY_PERSON)).toMatchObject({ outcome: 'ok' })
  expect(scene.server.peak).toBe(0)
  await held?.[Symbol.asyncDispose]()
  expect(await waits).toMatchObject({ outcome: 'ok' })
})

test('a plain poll makes the account due again after its interval, a dry run and a failure do not', async () => {
  await using scene = await Scene.create()
  const configuration = await scene.configured(['a'], {})
  const { poller, ledger } = await scene.process(configuration)
  const [account] = configuration.accounts
  const due = { uses: [], dueWithinMs: 3_600_000 }
  const why = async (): Promise<string> => {
    const claimed = await ledger.claim(account!.name, due)
    await claimed.lease?.[Symbol.asyncDispose]()
    return claimed.lease === null ? claimed.why : 'due'
  }
  await poller.poll(account!, { ...BY_PERSON, dryRun: true })
  expect(await why()).toBe('due')
  await poller.poll({ ...account!, password: { kind: 'text', text: 'wrong' } as never }, BY_PERSON)
  expect(await why()).toBe('due')
  await poller.poll(account!, BY_PERSON)
  expect(await why()).toBe('early')
})
