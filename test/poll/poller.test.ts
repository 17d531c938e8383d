// What a pool that lives for long does with another configuration, and with an interruption.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadConfiguration } from '../../src/config/load.ts'
import type { Account, Configuration } from '../../src/config/schema.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { silentLog } from '../../src/log.ts'
import { Poller } from '../../src/poll/poller.ts'
import { Pop3Server } from '../support/pop3-server.ts'
import { BY_PERSON } from '../support/poll-options.ts'

const UID = process.getuid?.() ?? 0
const USERS = ['one', 'two', 'three']

let directory: string
let server: Pop3Server
let ledger: Ledger
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'popfetch-pool-'))
  server = await Pop3Server.start()
  for (const user of USERS) server.mailbox(user, 'secret').add(`Subject: ${user}\n\n`, { uidl: user })
  ledger = await openLedger(join(directory, 'state.db'))
})
afterEach(async () => {
  await ledger[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

async function configured(top: object, folder = 'Mail'): Promise<Configuration> {
  const { host, port } = server
  const keys = { host, port, tls: 'none', password: 'secret', deliver: 'inbox' }
  const accounts = Object.fromEntries(USERS.map((user) => [user, { ...keys, user }]))
  const destinations = { inbox: { type: 'maildir', path: folder } }
  const file = join(directory, 'config.json')
  writeFileSync(file, JSON.stringify({ accounts, destinations, state: 'state.db', ...top }), { mode: 0o600 })
  return await loadConfiguration({ file, state: null, env: { HOME: directory }, cwd: directory, uid: UID })
}

function begin(configuration: Configuration, signal = new AbortController().signal): Poller {
  const observer = { progress: () => {}, note: () => {} }
  return new Poller(configuration, { ledger, observer, log: silentLog, env: {}, signal })
}

/** Sessions that asked for the lists, and wait for them until the returned function is called. */
function holdLists(): () => void {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.faults.onCommand = async (verb) => {
    if (verb === 'LIST') await promise
    return 'serve'
  }
  return resolve
}

const asked = (count: number): Promise<unknown> =>
  server.journal.when(() => server.journal.commands().filter((line) => line === 'LIST').length >= count)

test('another configuration counts for polls that begin from now on; those that run finish under the old one', async () => {
  const before = await configured({ concurrency: 1 })
  const after = await configured({ concurrency: 2 }, 'Other')
  await using poller = begin(before)
  const release = holdLists()
  const polls = before.accounts.map((account: Account) => poller.poll(account, BY_PERSON))
  await asked(1)
  expect(server.open).toBe(1)
  poller.configure(after)
  await asked(2)
  expect(server.peak).toBe(2)
  release()
  expect((await Promise.all(polls)).map(({ delivered }) => delivered)).toEqual([1, 1, 1])
  expect(readdirSync(join(directory, 'Mail', 'new'))).toHaveLength(1)
  expect(readdirSync(join(directory, 'Other', 'new'))).toHaveLength(2)
})

test('an interruption ends the sessions, is no failure of anybody, and the next poll brings the mail', async () => {
  const configuration = await configured({})
  await using poller = begin(configuration)
  const release = holdLists()
  const polls = configuration.accounts.map((account) => poller.poll(account, BY_PERSON))
  await asked(3)
  poller.interrupt('two')
  expect(await polls[1]).toMatchObject({ outcome: 'failed', error: { code: 'ERR_ABORTED' } })
  release()
  expect(await Promise.all([polls[0], polls[2]])).toMatchObject([{ outcome: 'ok' }, { outcome: 'ok' }])
  expect((await ledger.accounts()).map(({ failures }) => failures)).toEqual([0, 0, 0])
  const [, two] = configuration.accounts
  expect(await poller.poll(two!, BY_PERSON)).toMatchObject({ outcome: 'ok', delivered: 1 })
})

test('a destination that was waited for is not to blame for an interruption', async () => {
  // It takes the connection and says nothing.
  const silent = createServer()
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const address = silent.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const destinations = { inbox: { type: 'smtp', host: '127.0.0.1', port, to: 'a@example.org' } }
  const configuration = await configured({ destinations })
  await using poller = begin(configuration)
  const [one] = configuration.accounts
  const poll = poller.poll(one!, BY_PERSON)
  const [socket] = await once(silent, 'connection')
  poller.interrupt()
  expect(await poll).toMatchObject({ outcome: 'failed', error: { code: 'ERR_ABORTED' } })
  socket.destroy()
  silent.close()
})

test('after the signal nothing is begun any more', async () => {
  const configuration = await configured({})
  const controller = new AbortController()
  await using poller = begin(configuration, controller.signal)
  controller.abort()
  const [one] = configuration.accounts
  expect(await poller.poll(one!, BY_PERSON)).toMatchObject({ outcome: 'failed', delivered: 0 })
  expect(server.journal.of('retr')).toEqual([])
})
