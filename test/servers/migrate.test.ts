// A whole mailbox moved from a real Dovecot over a line that breaks, by a program that is killed.
import { spawn } from 'node:child_process'
import { readdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startCuttingProxy } from './cutting-proxy.ts'
import { startDovecot, type Dovecot } from './dovecot.ts'
import { damaged, makeMessage, makeOddMessage, readMaildir } from './mail.ts'
import { temporaryDirectory } from './program.ts'

const startFile = resolve(process.env['POPFETCH'] ?? join(import.meta.dirname, '../../bin/popfetch.ts'))

const servers = new AsyncDisposableStack()
let dovecot: Dovecot
beforeAll(async () => {
  dovecot = servers.use(await startDovecot())
})
afterAll(() => servers.disposeAsync())

interface Verdict {
  readonly ok: boolean
  readonly accounts: readonly { readonly outcome: string; readonly sessions: number; readonly lostSessions: number }[]
}

class Desk {
  readonly directory: string

  constructor(directory: string) {
    this.directory = directory
  }

  get maildir(): string {
    return join(this.directory, 'Mail')
  }

  start(...args: string[]) {
    const env = { PATH: process.env['PATH'], HOME: this.directory, XDG_STATE_HOME: join(this.directory, 'state') }
    const words = ['migrate', ...args, '--password-file', 'secret', '--json']
    return spawn(process.execPath, [startFile, ...words], {
      cwd: this.directory,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
  }

  async migrate(...args: string[]): Promise<{ readonly code: number | null; readonly verdict: Verdict }> {
    const child = this.start(...args)
    const closed = new Promise<number | null>((done) => child.once('close', done))
    const [stdout, code] = await Promise.all([text(child.stdout), closed])
    return { code, verdict: JSON.parse(stdout) as Verdict }
  }

  /** Kills a migration with `kill -9` when this many messages are in the Maildir. */
  async killAt(messages: number, ...args: string[]): Promise<void> {
    const child = this.start(...args)
    const closed = new Promise((done) => child.once('close', done))
    while (child.exitCode === null && (await this.#arrived()) < messages) await wait(20)
    child.kill('SIGKILL')
    await closed
    expect(child.signalCode).toBe('SIGKILL')
  }

  async #arrived(): Promise<number> {
    return (await readdir(join(this.maildir, 'new')).catch(() => [])).length
  }
}

async function openDesk(password: string): Promise<Desk & AsyncDisposable> {
  const temporary = await temporaryDirectory()
  await writeFile(join(temporary.path, 'secret'), password, { mode: 0o600 })
  return Object.assign(new Desk(temporary.path), { [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose]() })
}

const url = (user: string, port: number): string => `pop3://${user}@127.0.0.1:${port}?tls=none`

describe('a migration from Dovecot', () => {
  test(
    'moves 20,000 messages over a line that is cut every 500, killed twice, and its verdict is right',
    { timeout: 900_000 },
    async () => {
      const count = 20_000
      await using desk = await openDesk(dovecot.password)
      await dovecot.seed('all', count, makeMessage)
      await using proxy = await startCuttingProxy(dovecot.pop3Port, 500)
      const words = [url('all', proxy.port), 'maildir:Mail']

      await desk.killAt(5_000, ...words)
      await desk.killAt(12_000, ...words)
      const { code, verdict } = await desk.migrate(...words)

      expect(verdict).toMatchObject({
        ok: true,
        accounts: [{ outcome: 'ok', messages: count, verified: count, unmovedCount: 0, possibleDuplicates: 0 }],
      })
      expect(code).toBe(0)
      // Fewer than one for each 500: a process that is killed cuts its line itself.
      expect(proxy.cuts).toBeGreaterThan(count / 500 - 5)
      const arrived = await readMaildir(desk.maildir)
      expect(arrived.size).toBe(count)
      expect(damaged(arrived, count)).toEqual([])
      expect(await dovecot.remaining('all')).toBe(count)
    },
  )

  test(
    'with --delete empties the mailbox over the same line, in batches that it can carry',
    { timeout: 600_000 },
    async () => {
      const count = 3_000
      await using desk = await openDesk(dovecot.password)
      await dovecot.seed('gone', count, makeOddMessage)
      await using proxy = await startCuttingProxy(dovecot.pop3Port, 500)

      const { code, verdict } = await desk.migrate(url('gone', proxy.port), 'maildir:Mail', '--delete')

      expect(verdict).toMatchObject({ accounts: [{ outcome: 'ok', messages: count, verified: count, deleted: count }] })
      expect(code).toBe(0)
      expect(await dovecot.remaining('gone')).toBe(0)
      const arrived = await readMaildir(desk.maildir)
      expect(damaged(arrived, count, makeOddMessage)).toEqual([])
    },
  )

  test('says of a message that was changed on the disk that it is not verified, and does not delete it', async () => {
    await using desk = await openDesk(dovecot.password)
    await dovecot.seed('spoilt', 50, makeMessage)
    const words = [url('spoilt', dovecot.pop3Port), 'maildir:Mail']
    expect((await desk.migrate(...words)).code).toBe(0)
    const [victim = ''] = await readdir(join(desk.maildir, 'new'))
    await writeFile(join(desk.maildir, 'new', victim), 'Received: x\n\nspoilt\n')

    const { code, verdict } = await desk.migrate(...words, '--delete')

    expect(code).toBe(75)
    expect(verdict).toMatchObject({
      ok: false,
      accounts: [{ outcome: 'partial', messages: 50, verified: 49, deleted: 49, unmoved: [{ kind: 'unverified' }] }],
    })
    expect(await dovecot.remaining('spoilt')).toBe(1)
  })
})
