// How often a poll waits for its database (each exchange is a round trip, and a database may be far away), and how much the database reads.
import { expect, test } from 'vitest'
import { loadConfiguration } from '../../../src/config/load.ts'
import { openLedger } from '../../../src/config/state/open-ledger.ts'
import { openPostgres } from '../../../src/ledger/postgres/open.ts'
import { silentLog } from '../../../src/log.ts'
import { Poller } from '../../../src/poll/poller.ts'
import { databaseOf, Scene } from '../../crash/scene.ts'
import { leaseOf } from '../../ledger/scene.ts'
import { PostgresServer, USER } from '../../support/postgres-server.ts'
import { BY_PERSON } from '../../support/poll-options.ts'
import { freePort } from '../program.ts'
import { BreakingLine } from './line.ts'

test('a poll that finds nothing new needs two exchanges: the claim, and how it went together with the release', async () => {
  const port = await freePort()
  const access = ['local all all trust', 'host all all 127.0.0.1/32 trust']
  await using server = await PostgresServer.start({ port, access })
  await using line = await BreakingLine.start(port)
  const database = databaseOf(server, `postgres://${USER}@127.0.0.1:${line.port}/postgres`)
  await using scene = await Scene.create('maildir', 'never', database)
  scene.mail(3)
  const configuration = await loadConfiguration({
    file: scene.configFile,
    state: null,
    env: { HOME: scene.directory },
    cwd: scene.directory,
    uid: process.getuid?.() ?? 0,
  })
  await using ledger = await openLedger(configuration, { env: {} })
  const observer = { progress: () => {}, note: () => {} }
  const signal = new AbortController().signal
  await using poller = new Poller(configuration, { ledger, observer, log: silentLog, env: {}, signal })
  const [account] = configuration.accounts
  const poll = async (): Promise<number> => {
    const before = line.exchanges
    expect(await poller.poll(account!, BY_PERSON)).toMatchObject({ outcome: 'ok' })
    return line.exchanges - before
  }
  // The first fetches, the second finds that nothing is left to do.
  await poll()
  await poll()
  // A sign of life, every five seconds, may come in between: the best of several counts.
  expect(Math.min(await poll(), await poll(), await poll())).toBeLessThanOrEqual(2)
})

test('many new messages of one account cost the database the same each, from the first minute on', async () => {
  await using server = await PostgresServer.start()
  const target = { destination: 'inbox', recipient: '' }
  const outcome = { state: 'done', receipt: 'there' } as const
  const messages = 3000
  {
    await using ledger = await openPostgres(server.server('many'))
    await using lease = await leaseOf(ledger, 'a')
    await ledger.admit(lease, { host: 'h', port: 1, user: 'u' })
    for (let first = 0; first < messages; first += 100) {
      const keys = Array.from({ length: 100 }, (_, at) => ({ uidl: `u${first + at}`, copy: 0 }))
      const deliveries = [{ ...target, intent: 'i' }]
      await ledger.begin(
        lease,
        keys.map((key) => ({ key, listedBytes: 1, deliveries })),
      )
      await Promise.all(keys.map((key) => ledger.settle(lease, { key, ...target, outcome, received: null })))
    }
  }
  const others = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'popfetch'"
  while (server.sql(others) !== '0') await new Promise(setImmediate)
  const read = server.sql(`SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'message'`)
  expect(Number(read)).toBeGreaterThan(messages)
  // Plans made for an empty table read all of the account for each message: nine million.
  expect(Number(read)).toBeLessThan(300 * messages)
})
