// A whole mailbox moved from a real Dovecot over POP3 into a real Dovecot over IMAP, by URLs. Lines break on both sides, the
// program is killed, the mailbox has too little room, and it is polled afterwards.
import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startAppendCuttingProxy, startCuttingProxy } from './cutting-proxy.ts'
import { startDovecot, type Dovecot } from './dovecot.ts'
import { afterField, damaged, makeMessage, messageId, readMaildir } from './mail.ts'
import { temporaryDirectory } from './program.ts'

const startFile = resolve(process.env['POPFETCH'] ?? join(import.meta.dirname, '../../bin/popfetch.ts'))

const servers = new AsyncDisposableStack()
let dovecot: Dovecot
let small: Dovecot
beforeAll(async () => {
  dovecot = servers.use(await startDovecot({ imap: true }))
  small = servers.use(await startDovecot({ imap: true, quotaBytes: 20_000 }))
})
afterAll(() => servers.disposeAsync())

class Desk {
  readonly directory: string

  constructor(directory: string) {
    this.directory = directory
  }

  start(...args: string[]) {
    const env = { PATH: process.env['PATH'], HOME: this.directory, XDG_STATE_HOME: join(this.directory, 'state') }
    return spawn(process.execPath, [startFile, ...args], {
      cwd: this.directory,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }

  async run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const child = this.start(...args)
    const closed = new Promise<number | null>((done) => child.once('close', done))
    const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), closed])
    return { code, stdout, stderr }
  }

  /** Kills it with `kill -9` when this many messages have arrived. */
  async killAt(messages: number, arrived: () => Promise<number>, ...args: string[]): Promise<void> {
    const child = this.start(...args)
    const closed = new Promise((done) => child.once('close', done))
    child.stdout.resume()
    child.stderr.resume()
    while (child.exitCode === null && (await arrived()) < messages) await wait(20)
    child.kill('SIGKILL')
    await closed
    expect(child.signalCode).toBe('SIGKILL')
  }
}

async function openDesk(): Promise<Desk & AsyncDisposable> {
  const temporary = await temporaryDirectory()
  await writeFile(join(temporary.path, 'secret'), dovecot.password, { mode: 0o600 })
  return Object.assign(new Desk(temporary.path), { [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose]() })
}

const secrets = ['--password-file', 'secret', '--to-password-file', 'secret']
const from = (user: string, port: number): string => `pop3://${user}@127.0.0.1:${port}?tls=none`
const to = (user: string, port: number, folder = ''): string => `imap://${user}@127.0.0.1:${port}${folder}`

async function arrivedIn(user: string, folder = ''): Promise<Map<string, Buffer>> {
  const { maildir } = await dovecot.mailbox(user)
  const arrived = new Map<string, Buffer>()
  for (const bytes of (await readMaildir(join(maildir, folder))).values()) {
    expect(arrived.has(messageId(bytes))).toBe(false)
    arrived.set(messageId(bytes), afterField(bytes))
  }
  return arrived
}

test(
  'everything is there once although both lines are cut every fifty and it is killed twice; --resume ends it, and a poll goes on',
  { timeout: 900_000 },
  async () => {
    const count = 400
    await using desk = await openDesk()
    await dovecot.seed('moved', count, makeMessage)
    await dovecot.mailbox('moved-in')
    await using source = await startCuttingProxy(dovecot.pop3Port, 50)
    await using target = await startAppendCuttingProxy(dovecot.imapPort, 50)
    const words = ['migrate', from('moved', source.port), to('moved-in', target.port), ...secrets]
    const arrived = (): Promise<number> => dovecot.remaining('moved-in')

    await desk.killAt(60, arrived, ...words)
    await desk.killAt(150, arrived, ...words)
    expect((await desk.run('migrate', '--list')).stdout).toContain(`${from('moved', source.port)} → `)
    const { code, stdout } = await desk.run('migrate', '--resume', '--keep-trying', '10m', '--json')

    expect(JSON.parse(stdout)).toMatchObject({
      ok: true,
      accounts: [{ outcome: 'ok', messages: count, verified: count, possibleDuplicates: 0 }],
    })
    expect(code).toBe(0)
    // A kill begins another line, and many messages may go in one command.
    expect(target.cuts).toBeGreaterThan(0)
    expect(damaged(await arrivedIn('moved-in'), count)).toEqual([])

    await dovecot.seed('moved', 1, () => makeMessage(count))
    const account = { host: '127.0.0.1', port: source.port, tls: 'none', user: 'moved', password: { file: 'secret' } }
    const config = { accounts: { a: { ...account, deliver: 'maildir:Mail' } } }
    await writeFile(join(desk.directory, 'config.json'), JSON.stringify(config), { mode: 0o600 })
    const polled = await desk.run('--config', 'config.json', '--json')
    expect(JSON.parse(polled.stdout)).toMatchObject({ ok: true, accounts: [{ new: 1, delivered: 1 }] })
    expect([...(await readMaildir(join(desk.directory, 'Mail'))).keys()]).toEqual([`${count}.4711@source.test`])
  },
)

test('a quota that is smaller than the mailbox stops it before it begins; a poll with --yes brings what fits, the rest stays', async () => {
  await using desk = await openDesk()
  await dovecot.seed('large', 60, makeMessage)
  await small.mailbox('large-in')
  const stopped = await desk.run('migrate', from('large', dovecot.pop3Port), to('large-in', small.imapPort), ...secrets)
  expect(stopped.code).toBe(78)
  expect(stopped.stdout).toMatch(/60 messages of \d+ kB are to come, and imap .* has room for \d+ kB/)
  const config = {
    destinations: {
      full: { type: 'imap', host: '127.0.0.1', port: small.imapPort, user: 'large-in', password: { file: 'secret' } },
    },
    accounts: {
      a: {
        host: '127.0.0.1',
        port: dovecot.pop3Port,
        tls: 'none',
        user: 'large',
        password: { file: 'secret' },
        deliver: 'full',
      },
    },
  }
  await writeFile(join(desk.directory, 'config.json'), JSON.stringify(config), { mode: 0o600 })
  const { code, stdout } = await desk.run('--config', 'config.json', '--json', '--yes')
  const [account] = (JSON.parse(stdout) as { accounts: { delivered: number; refused: number }[] }).accounts
  expect(code).toBe(75)
  expect(account).toMatchObject({ outcome: 'partial', refused: 0, held: 0, error: { code: 'ERR_DELIVERY' } })
  const there = await small.remaining('large-in')
  expect(there).toBeGreaterThan(5)
  expect(there).toBe(account?.delivered)
  expect(await dovecot.remaining('large')).toBe(60)
})

test('folders with quotes, backslashes, ampersands and letters beyond ASCII are made and found again', async () => {
  await using desk = await openDesk()
  const folders = ['Entwürfe/2026', 'A & B', 'say "hello"', '台北']
  for (const [at, folder] of folders.entries()) {
    await dovecot.seed(`odd${at}`, 3, makeMessage)
    const words = [
      'migrate',
      from(`odd${at}`, dovecot.pop3Port),
      to('odd-in', dovecot.imapPort, `/${encodeURI(folder)}`),
    ]
    const moved = await desk.run(...words, ...secrets, '--delete')
    expect([folder, moved.code, moved.stderr]).toEqual([folder, 0, ''])
    expect(await dovecot.remaining(`odd${at}`)).toBe(0)
  }
  expect(damaged(await arrivedIn('odd-in', '.Entw&APw-rfe.2026'), 3)).toEqual([])
})
