// Where the ledger is in PostgreSQL, the lane and the usual road leave the same behind, too: in a Maildir, and at a mail server that does
// not take all.
import { afterEach, expect, test, vi } from 'vitest'
import { openPostgres } from '../../../src/ledger/postgres/open.ts'
import type { AccountReport } from '../../../src/poll/report.ts'
import { filesAt, plain, recordsIn } from '../../poll/lane/found.ts'
import { Scene } from '../../poll/scene.ts'
import { PostgresServer } from '../../support/postgres-server.ts'
import { type SmtpAnswer, SmtpSink } from '../../support/smtp-server.ts'

const COUNT = 60
const BEGIN_MS = Date.parse('2026-11-30T12:00:00Z')
const LATER_MS = 25 * 3_600_000

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
})

interface Case {
  readonly what: string
  readonly deliver: 'inbox' | 'next'
  /** To the end of the tenth message. */
  readonly answer: SmtpAnswer
}

const CASES: readonly Case[] = [
  { what: 'a Maildir', deliver: 'inbox', answer: null },
  { what: 'a mail server', deliver: 'next', answer: null },
  { what: 'a mail server that refuses one', deliver: 'next', answer: '554 5.7.1 no' },
  { what: 'a mail server that is full', deliver: 'next', answer: '452 4.2.2 full' },
  { what: 'a mail server whose answer is lost', deliver: 'next', answer: 'lost' },
  { what: 'a mail server that is cut off', deliver: 'next', answer: 'drop' },
]

/** Of the clock of the database. */
const MOMENTS = { deletedMs: null, goneSinceMs: null, retryAfterMs: null }

/** Without what differs at every run. */
function told(found: AccountReport | readonly object[], port: number): unknown {
  const text = JSON.stringify('durationMs' in found ? { ...found, bytes: null, durationMs: null } : found)
  return JSON.parse(plain(text.replaceAll(`127.0.0.1:${port}`, 'there')))
}

async function play(road: 'lane' | 'usual', { deliver, answer }: Case, server: PostgresServer, database: string) {
  vi.useFakeTimers({ toFake: ['Date'], now: BEGIN_MS })
  vi.stubEnv('POPFETCH_ROAD', road)
  await using sink = await SmtpSink.start()
  await using scene = await Scene.create()
  await using ledger = await openPostgres(server.server(database))
  const next = `{ type: smtp, host: 127.0.0.1, port: ${sink.port}, to: bob@example.net, concurrency: 1 }`
  scene.destinations = ['inbox: { type: maildir, path: inbox }', `next: ${next}`]
  scene.deliver = deliver
  scene.account = ['delete: after-delivery']
  scene.ledgerOf = () => ledger
  scene.fill(COUNT)
  let count = 0
  sink.faults.dot = () => (++count === 10 ? answer : null)
  const polls = [told(await scene.poll(), sink.port)]
  vi.setSystemTime(BEGIN_MS + LATER_MS)
  polls.push(told(await scene.poll(), sink.port))
  return {
    polls,
    records: told(
      (await recordsIn(ledger, scene)).map((record) => ({ ...record, ...MOMENTS })),
      sink.port,
    ),
    arrived: sink.messages.map(({ bytes }) => /^Subject: (.*)\r$/m.exec(bytes.toString('latin1'))?.[1]),
    files: filesAt(scene),
    left: scene.left(),
  }
}

test('mail takes the lane to where it would go on the usual road', async () => {
  await using server = await PostgresServer.start()
  for (const [at, each] of CASES.entries()) {
    const usual = await play('usual', each, server, `usual${at}`)
    expect(usual.left, each.what).toEqual([])
    expect(await play('lane', each, server, `lane${at}`), each.what).toEqual(usual)
  }
})
