// From a real Dovecot over POP3 into a real Dovecot over IMAP: once each, unchanged, whatever breaks on the way.
import { spawn } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startAppendCuttingProxy } from './cutting-proxy.ts'
import { folderOf, letterFor, localParts, recipient } from './domain.ts'
import { startDovecot, type Dovecot } from './dovecot.ts'
import { afterField, damaged, makeMessage, messageId, readMaildir, withoutTrace } from './mail.ts'
import { type Desk, only, openDesk } from './popfetch.ts'

const startFile = resolve(process.env['POPFETCH'] ?? join(import.meta.dirname, '../../bin/popfetch.ts'))
/** Two hundred at night, on a thousand messages. */
const KILLS = Number(process.env['POPFETCH_KILLS'] ?? 8)
const MESSAGES = KILLS * 5
const LIMIT_MS = Math.max(120_000, KILLS * 20_000)

const servers = new AsyncDisposableStack()
let dovecot: Dovecot
beforeAll(async () => {
  dovecot = servers.use(await startDovecot({ imap: true }))
})
afterAll(() => servers.disposeAsync())

function config(user: string, keys: object = {}, account: object = {}): object {
  const { pop3Port, imapPort, password } = dovecot
  const deliver = { type: 'imap', host: '127.0.0.1', port: imapPort, user: `${user}-in`, password, ...keys }
  return {
    destinations: { archive: deliver },
    accounts: {
      [user]: { host: '127.0.0.1', port: pop3Port, tls: 'none', user, password, deliver: 'archive', ...account },
    },
  }
}

/** What lies in a mailbox, or in a folder of it, without X-Popfetch-Delivery; each message by its Message-ID, none twice. */
async function arrivedIn(user: string, folder = ''): Promise<Map<string, Buffer>> {
  const arrived = new Map<string, Buffer>()
  for (const bytes of (await readMaildir(join((await dovecot.mailbox(user)).maildir, folder))).values()) {
    expect(bytes.toString('latin1')).toMatch(/^X-Popfetch-Delivery: [0-9a-f]{24} [0-9a-f]{16}\nReceived: from /)
    expect(arrived.has(messageId(bytes))).toBe(false)
    arrived.set(messageId(bytes), afterField(bytes))
  }
  return arrived
}

/** Kills popfetch with `kill -9` when this many more messages are there. */
async function killAfter(desk: Desk, user: string, messages: number): Promise<boolean> {
  const args = ['--config', join(desk.directory, 'config.json'), '--state', join(desk.directory, 'state.db')]
  const before = await dovecot.remaining(user)
  const child = spawn(process.execPath, [startFile, ...args], {
    cwd: desk.directory,
    env: { PATH: process.env['PATH'], HOME: desk.directory },
    stdio: 'ignore',
  })
  const closed = new Promise((done) => child.once('close', done))
  while (child.exitCode === null && (await dovecot.remaining(user)) < before + messages) await wait(1)
  child.kill('SIGKILL')
  await closed
  return child.signalCode === 'SIGKILL'
}

/** Polls until all are there, and once more. */
async function polled(desk: Desk, user: string, messages: number) {
  const there = (): Promise<number> => dovecot.remaining(`${user}-in`).catch(() => 0)
  for (let poll = 0; poll < messages / 10 && (await there()) < messages; poll++) await desk.run(user)
  return only(await desk.run(user))
}

describe('mail into an IMAP folder', () => {
  test('is there once, unchanged, in a folder that was made for it; a second poll brings nothing', async () => {
    await using desk = await openDesk()
    await dovecot.seed('plain', 200, makeMessage)
    await desk.configure(config('plain', { folder: 'Old/{account}', flags: ['\\Flagged'] }))
    expect(only(await desk.run())).toMatchObject({ outcome: 'ok', delivered: 200, possibleDuplicates: 0 })
    expect(only(await desk.run())).toMatchObject({ outcome: 'ok', new: 0, delivered: 0 })
    expect(damaged(await arrivedIn('plain-in', '.Old.plain'), 200)).toEqual([])
  })

  test('is there once although popfetch is killed again and again', { timeout: LIMIT_MS }, async () => {
    await using desk = await openDesk()
    await dovecot.seed('killed', MESSAGES, makeMessage)
    await dovecot.mailbox('killed-in')
    await desk.configure(config('killed'))
    let killed = 0
    // Once it was there before the first message is; then there are one, some, and many on their way.
    for (let at = 0; at < KILLS; at++) if (await killAfter(desk, 'killed-in', at % 6)) killed++
    const last = only(await desk.run())
    expect(last).toMatchObject({ outcome: 'ok', possibleDuplicates: 0 })
    expect(damaged(await arrivedIn('killed-in'), MESSAGES)).toEqual([])
    console.log(`killed ${killed} times on ${MESSAGES} messages`)
    expect(killed).toBeGreaterThan(KILLS / 3)
  })

  test(
    'is there once although the connection ends every fifty messages, at the answer or in the middle of a message',
    { timeout: LIMIT_MS },
    async () => {
      await using desk = await openDesk()
      const count = Math.max(300, MESSAGES)
      await dovecot.seed('cut', count, makeMessage)
      await using proxy = await startAppendCuttingProxy(dovecot.imapPort, 50)
      await desk.configure(config('cut', { port: proxy.port, concurrency: 1 }))
      expect(await polled(desk, 'cut', count)).toMatchObject({ possibleDuplicates: 0 })
      console.log(`cut ${proxy.cuts} times on ${count} messages`)
      expect(proxy.cuts).toBeGreaterThan(count / 100)
      expect(damaged(await arrivedIn('cut-in'), count)).toEqual([])
    },
  )

  test('is there once although the server is killed in the middle of messages', async () => {
    await using desk = await openDesk()
    await dovecot.seed('crashed', 200, makeMessage)
    await using proxy = await startAppendCuttingProxy(dovecot.imapPort, 15, () => dovecot.killImap())
    await desk.configure(config('crashed', { port: proxy.port, concurrency: 1 }))
    expect(await polled(desk, 'crashed', 200)).toMatchObject({ possibleDuplicates: 0 })
    expect((await dovecot.log()).match(/killed with signal 9/g)?.length ?? 0).toBeGreaterThan(2)
    // What it had not made a message of yet.
    await rm(join((await dovecot.mailbox('crashed-in')).maildir, 'tmp'), { recursive: true })
    await dovecot.mailbox('crashed-in')
    expect(damaged(await arrivedIn('crashed-in'), 200)).toEqual([])
  })

  test('of a whole domain lands in the right forty folders, over polls that are cut short', async () => {
    await using desk = await openDesk()
    const locals = localParts(40)
    await dovecot.seed('domain', 500, (at) => letterFor(locals, at))
    await desk.configure(config('domain', { folder: 'People/{local}' }, { recipient, first: 'all' }))
    for (let polls = 0; polls < 4; polls++) await desk.run('--limit', '110')
    expect(only(await desk.run())).toMatchObject({ outcome: 'ok', delivered: 60, possibleDuplicates: 0 })
    expect(only(await desk.run())).toMatchObject({ outcome: 'ok', new: 0, delivered: 0 })
    for (const [at, local] of locals.entries()) {
      // Dovecot's own sign between levels is a dot here.
      const folder = `.People.${folderOf(local, '.')}`
      const numbers = Array.from({ length: 13 }, (_, round) => at + 40 * round).filter((number) => number < 500)
      const arrived = await arrivedIn('domain-in', folder)
      expect([folder, [...arrived.keys()].toSorted()]).toEqual([
        folder,
        numbers.map((number) => `${number}.4711@source.test`).toSorted(),
      ])
      for (const number of numbers)
        expect(withoutTrace(arrived.get(`${number}.4711@source.test`) ?? Buffer.from('none'))).toEqual(
          letterFor(locals, number),
        )
    }
  })

  test('comes again to nobody when the ledger is lost', async () => {
    await using desk = await openDesk()
    await dovecot.seed('lost', 250, makeMessage)
    await desk.configure(config('lost'))
    expect(only(await desk.run())).toMatchObject({ outcome: 'ok', delivered: 250 })
    await using other = await openDesk()
    await other.configure(config('lost'))
    expect(only(await other.run())).toMatchObject({ outcome: 'ok', delivered: 0 })
    expect(damaged(await arrivedIn('lost-in'), 250)).toEqual([])
  })

  test('is moved by a migration that reads every message again before it deletes any', async () => {
    await using desk = await openDesk()
    await dovecot.seed('moved', 120, makeMessage)
    const settings = config('moved', { folder: 'Archive' })
    await desk.configure(settings)
    const moved = await desk.run('migrate', 'moved', 'archive', '--delete')
    expect(moved.stderr).toBe('')
    expect(moved.exitCode).toBe(0)
    expect(await dovecot.remaining('moved')).toBe(0)
    expect(damaged(await arrivedIn('moved-in', '.Archive'), 120)).toEqual([])
  })
})
