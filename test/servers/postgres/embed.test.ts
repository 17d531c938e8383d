// A program that embeds popfetch, on a ledger in PostgreSQL.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createPoller, loadConfiguration, openLedger, poll } from '../../../src/embed/embed.ts'
import { Pop3Server } from '../../support/pop3-server.ts'
import { PostgresServer } from '../../support/postgres-server.ts'

let database: PostgresServer
let pop3: Pop3Server
let folder: string

beforeAll(async () => {
  database = await PostgresServer.start()
  pop3 = await Pop3Server.start()
  pop3.mailbox('alice', 'secret').add('Subject: one\n\none\n', { uidl: 'u0' })
})
afterAll(async () => {
  await pop3[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'popfetch-embed-'))
  return () => rmSync(folder, { recursive: true })
})

const account = () => ({
  host: pop3.host,
  port: pop3.port,
  tls: 'none' as const,
  user: 'alice',
  password: 'secret',
  deliver: `maildir:${join(folder, 'Mail')}`,
})

test('a poller takes the URL of a database for its ledger', async () => {
  const url = `${database.url()}&schema=one`
  const options = { accounts: { work: account() }, ledger: url, env: { HOME: folder } }
  expect(await poll(options)).toMatchObject([{ outcome: 'ok', delivered: 1 }])
  expect(await poll(options)).toMatchObject([{ outcome: 'ok', delivered: 0, new: 0 }])
  await using ledger = await openLedger(url)
  expect([ledger.place, ledger.spans]).toEqual([expect.stringContaining('&schema=one'), 'machines'])
  expect((await ledger.accounts()).map(({ known }) => known)).toEqual([1])
})

test('with a loaded configuration it uses the database that this names, and makes no file', async () => {
  const file = join(folder, 'config.json')
  const state = { postgres: database.url(), schema: 'two' }
  writeFileSync(file, JSON.stringify({ state, accounts: { work: account() } }), { mode: 0o600 })
  const configuration = await loadConfiguration({ file, env: { HOME: folder } })
  await using poller = await createPoller({ configuration, ledger: configuration.statePath, env: { HOME: folder } })
  expect(await poller.poll()).toMatchObject([{ outcome: 'ok', delivered: 1 }])
  expect(poller.ledger.spans).toBe('machines')
  expect(existsSync(configuration.statePath)).toBe(false)
  await using ledger = await openLedger(configuration)
  expect((await ledger.accounts()).map(({ known }) => known)).toEqual([1])
  await expect(openLedger(configuration.statePath)).rejects.toThrow(/is in a database: give its URL/)
})
