// What goes wrong between popfetch and its database, at every exchange: the answer to a commit is lost, a question never arrives, the
// server ends a session, is killed, or says nothing any more. The judge is that of the crash suite: nothing is lost, and a Maildir has
// every message once.
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openPostgres } from '../../../src/ledger/postgres/open.ts'
import { MIGRATIONS } from '../../../src/ledger/postgres/schema/migrations.ts'
import type { AccountReport } from '../../../src/poll/report.ts'
import { pollHere } from '../../crash/in-process.ts'
import { type Database, databaseOf, Scene, type SetUp } from '../../crash/scene.ts'
import { PostgresServer, USER } from '../../support/postgres-server.ts'
import { freePort } from '../program.ts'
import { BreakingLine } from './line.ts'

let server: PostgresServer
let port: number

beforeAll(async () => {
  port = await freePort()
  server = await PostgresServer.start({ port, access: ['local all all trust', 'host all all 127.0.0.1/32 trust'] })
})
afterAll(() => server[Symbol.asyncDispose]())

async function throughLine(): Promise<{ readonly line: BreakingLine; readonly database: Database }> {
  const line = await BreakingLine.start(port)
  onTestFinished(() => line[Symbol.asyncDispose]())
  return { line, database: databaseOf(server, `postgres://${USER}@127.0.0.1:${line.port}/postgres`) }
}

/** Polls until all is well again, and lets the judge speak. */
async function settled(scene: Scene): Promise<readonly string[]> {
  return await scene.settle(async () => {
    const report = await pollHere(scene)
    await scene.account()
    return { code: report.outcome === 'ok' ? 0 : 75, stdout: JSON.stringify(report), stderr: '' }
  })
}

/** One poll, whatever becomes of it. One that cannot even open its ledger gives null. */
async function polled(scene: Scene): Promise<AccountReport | null> {
  const report = await pollHere(scene).catch(() => null)
  await scene.account()
  return report
}

/** How many exchanges a poll of this mailbox needs. */
async function exchangesOf(setUp: SetUp, messages: number): Promise<number> {
  const { line, database } = await throughLine()
  await using scene = await Scene.create(setUp, 'after-delivery', database)
  scene.mail(messages)
  // Makes the schema: that is not counted.
  await scene.prepare()
  const before = line.exchanges
  expect((await polled(scene))?.outcome).toBe('ok')
  return line.exchanges - before
}

describe.each(['maildir', 'smtp'] as const)('with a %s', (setUp) => {
  test.each(['losesAnswer', 'losesQuestion'] as const)('%s: at each exchange of a poll', async (fault) => {
    const most = await exchangesOf(setUp, 3)
    expect(most).toBeGreaterThan(8)
    let cuts = 0
    for (let nth = 1; nth <= most; nth += setUp === 'maildir' ? 1 : 2) {
      const { line, database } = await throughLine()
      await using scene = await Scene.create(setUp, 'after-delivery', database)
      scene.mail(3)
      await scene.prepare()
      line[fault] = line.exchanges + nth
      const report = await polled(scene)
      line[fault] = null
      cuts += line.cuts
      expect([nth, await settled(scene)]).toEqual([nth, []])
      // A line that breaks once is mended within the poll: nobody learns of it.
      expect([nth, report?.outcome]).toEqual([nth, 'ok'])
    }
    // What goes together in one exchange differs a little from poll to poll.
    expect(cuts).toBeGreaterThan(most / 3)
  })

  test('the server ends all sessions, at each command to the mail server', async () => {
    for (let nth = 1; nth <= 16; nth++) {
      await using scene = await Scene.create(setUp, 'after-delivery', databaseOf(server))
      scene.mail(3)
      await scene.prepare()
      let seen = 0
      scene.onCommand = () => {
        seen += 1
        if (seen === nth)
          server.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'popfetch'`)
      }
      const report = await polled(scene)
      scene.onCommand = () => {}
      expect([nth, await settled(scene)]).toEqual([nth, []])
      expect([nth, report?.outcome]).toEqual([nth, 'ok'])
    }
  })
})

test('a server that is killed in the middle of a poll and comes back: the poll goes on', async () => {
  await using own = await PostgresServer.start()
  await using scene = await Scene.create('maildir', 'after-delivery', databaseOf(own))
  scene.mail(4)
  await scene.prepare()
  const restarts: Promise<void>[] = []
  scene.onCommand = (verb) => {
    if (verb === 'RETR' && restarts.length === 0) restarts.push(own.stop('immediate').then(() => own.run()))
  }
  await polled(scene)
  expect(restarts).toHaveLength(1)
  await Promise.all(restarts)
  scene.onCommand = () => {}
  expect(await settled(scene)).toEqual([])
})

test('a line that is frozen when mail comes in, and thaws too late: nothing is deleted, and the next poll goes on', async () => {
  const { line, database } = await throughLine()
  await using scene = await Scene.create('maildir', 'after-delivery', database)
  scene.mail(3)
  await scene.prepare()
  scene.onCommand = (verb) => {
    if (verb === 'RETR') line.freeze()
  }
  const report = await polled(scene)
  scene.onCommand = () => {}
  expect(report?.outcome).toBe('failed')
  expect(scene.mailbox.messages).toHaveLength(3)
  line.thaw()
  // What was on its way arrives now, and the sessions end.
  const sessions = `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'popfetch'`
  while (server.sql(sessions) !== '0') await turn()
  // It is known to be dead after 25 s.
  database.forgetTheDead()
  expect(await settled(scene)).toEqual([])
})

test('two processes that make the schema at once make it once', async () => {
  for (let round = 0; round < 5; round++) {
    const name = `at_once${round}`
    const ledgers = await Promise.all(Array.from({ length: 6 }, () => openPostgres(server.server(name))))
    expect(server.sql(`SELECT count(*), max(version) FROM ${name}.ledger`)).toBe(`1|${MIGRATIONS.length}`)
    for (const ledger of ledgers) expect(await ledger.accounts()).toEqual([])
    await Promise.all(ledgers.map((ledger) => ledger[Symbol.asyncDispose]()))
  }
})
