// An end that is known beforehand, with real processes. A sign-in that lasts seven days (as Google's for a client in "Testing"), and a
// client secret. Cron and a daemon poll side by side for days; a person hears of it once, in time, and nothing fails because of it.
import { readdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Pop3Server } from '../support/pop3-server.ts'
import { World } from './days.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const USER = 'dora@example.org'
const TOKEN = 'ya29.a-token-of-tests'

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: Date.now() }))
afterEach(() => void vi.useRealTimers())

/** A provider whose sign-ins last seven days from the device code on, which it tells at each renewal. */
async function sevenDays(nowMs: () => number) {
  let endMs = 0
  const requests: string[] = []
  const server = createServer((asked, response) => {
    asked.resume()
    asked.on('end', () => {
      requests.push(asked.url ?? '')
      if (asked.url === '/device') endMs = nowMs() + 7 * DAY_MS
      const begun = {
        device_code: 'd',
        user_code: 'u',
        verification_uri: 'https://ok.example/',
        expires_in: 60,
        interval: 1,
      }
      const given = {
        access_token: TOKEN,
        refresh_token: 'r',
        token_type: 'Bearer',
        expires_in: 3600,
        refresh_token_expires_in: Math.floor((endMs - nowMs()) / 1000),
      }
      response.setHeader('content-type', 'application/json')
      response.setHeader('date', new Date(nowMs()).toUTCString())
      response.end(JSON.stringify(asked.url === '/device' ? begun : given))
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const origin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  return {
    requests,
    client: { deviceEndpoint: `${origin}/device`, tokenEndpoint: `${origin}/token`, clientId: 'c', scopes: ['mail'] },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => void server.close(resolve))
    },
  }
}

/** How many ends somebody was told of, as the folder of sign-ins has it. */
async function toldIn(folder: string): Promise<number> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.json'))
  const records = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')))
  return records.reduce((sum, record) => sum + (JSON.parse(record) as { told: unknown[] }).told.length, 0)
}

async function scene(more: object, { daemon }: { readonly daemon: boolean }) {
  let clock: World | null = null
  const provider = await sevenDays(() => clock?.nowMs() ?? Date.now())
  const mailbox = await Pop3Server.start()
  mailbox.mailbox(USER, TOKEN)
  mailbox.capabilities!.before = ['SASL XOAUTH2']
  const account = { host: '127.0.0.1', port: mailbox.port, tls: 'none', user: USER, token: { oauth: 'company' } }
  const world = await World.make((folder) => ({
    oauth: { company: { ...provider.client, ...more } },
    defaults: { poll: '1h' },
    log: { file: join(folder, 'log') },
    accounts: { here: { ...account, deliver: { type: 'maildir', path: join(folder, 'Mail') } } },
  }))
  clock = world
  expect(await world.run(['auth', '--device'])).toMatchObject({ exitCode: 0 })
  if (daemon) await world.daemon()
  return {
    world,
    provider,
    /** Polls after this many days each; gives the lines about an end, those of cron with the number of the poll. */
    async polls(...days: readonly number[]): Promise<readonly string[]> {
      const heard: string[] = []
      const before = (await world.log()).length
      const signIns = join(world.desk.directory, 'oauth')
      const toldBefore = await toldIn(signIns)
      for (const [at, ahead] of days.entries()) {
        await world.advance(ahead * DAY_MS)
        // Handed to the daemon, or by itself beside it.
        const words = at % 2 === 1 ? [] : ['--limit', '50']
        const [cron] = await Promise.all([world.run(words), daemon ? world.run(['wake']) : null])
        expect(cron.exitCode, cron.said).toBe(0)
        await world.idle()
        for (const line of cron.said.split('\n')) if (line !== '') heard.push(`${at + 1}: ${line}`)
      }
      // The daemon writes its log once a second: what counts as told is there by then.
      for (;;) {
        const log = (await world.log()).slice(before)
        const logged = log.map(({ msg }) => String(msg)).filter((msg) => msg.includes(' ends on '))
        if (heard.length + logged.length >= (await toldIn(signIns)) - toldBefore) return [...heard, ...logged]
        await wait(20)
      }
    },
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]()
      await mailbox[Symbol.asyncDispose]()
      await provider[Symbol.asyncDispose]()
    },
  }
}

describe.each([
  ['cron alone', false],
  ['cron beside a daemon', true],
])('%s', (_who, daemon) => {
  test('tells once, two days ahead, that a sign-in of seven days ends, and of the next one again', async () => {
    await using all = await scene({}, { daemon })
    const { world } = all
    expect(await all.polls(2, 2.5)).toEqual([])
    expect((await world.run(['status'])).printed).not.toMatch(/ends soon/)
    const told = await all.polls(0.75, 0.5, 0.5)
    expect(told, told.join('\n')).toHaveLength(1)
    expect(told[0]).toMatch(
      /the sign-in of dora@example\.org via company ends on \d{4}-\d\d-\d\d \d\d:\d\d \S+: popfetch auth$/,
    )
    if (!daemon) expect(told[0]).toMatch(/^1: popfetch: warning: /)
    expect((await world.run(['status'])).printed).toMatch(/it ends soon: popfetch auth/)
    expect((await world.run(['auth', '--list'])).printed).toMatch(/, until .*: it ends soon: popfetch auth/)
    // Signed in again: that lasts, and its end is another one.
    expect(await world.run(['auth', '--device', 'here'])).toMatchObject({ exitCode: 0 })
    expect(await all.polls(4.5)).toEqual([])
    expect(await all.polls(1, 0.5)).toHaveLength(1)
  })

  test('tells once, fourteen days ahead, that the client secret ends', async () => {
    const ends = new Date(Date.now() + 15.5 * DAY_MS).toISOString().slice(0, 10)
    const more = { clientSecret: 'a-client-secret-1', clientSecretExpires: ends }
    await using all = await scene(more, { daemon })
    // The sign-in itself is told of, too; here only the secret counts.
    const told = (await all.polls(1, 0.6, 0.5, 0.5)).filter((line) => line.includes('client secret'))
    expect(told, told.join('\n')).toHaveLength(1)
    expect(told[0]).toMatch(
      /the client secret of company ends on \d{4}-\d\d-\d\d \d\d:\d\d \S+: make a new one at the provider/,
    )
    expect(await readFile(join(all.world.desk.directory, 'log'), 'utf8').catch(() => '')).not.toContain(
      'a-client-secret-1',
    )
  })
})
