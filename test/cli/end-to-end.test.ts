// The whole program against the fake server. What a person, cron and a script get to see, and that the mail does not
// depend on who listens.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Pop3Server } from '../support/pop3-server.ts'
import { BIN, ended, startNode, type Ended } from './child.ts'

const PASSWORD = 'correct/horse+battery"ö'

let directory: string
let server: Pop3Server
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'popfetch-e2e-'))
  server = await Pop3Server.start()
  server.mailbox('alice', PASSWORD)
  const account = {
    host: server.host,
    port: server.port,
    tls: 'none',
    user: 'alice',
    password: PASSWORD,
    deliver: 'inbox',
  }
  const configuration = { accounts: { work: account }, destinations: { inbox: { type: 'maildir', path: 'Mail' } } }
  await writeFile(join(directory, 'config.json'), JSON.stringify(configuration), { mode: 0o600 })
})
afterEach(async () => {
  await server[Symbol.asyncDispose]()
  await rm(directory, { recursive: true })
})

const start = (...args: string[]) => startNode(directory, [BIN, '--config', join(directory, 'config.json'), ...args])
const popfetch = (...args: string[]): Promise<Ended> => ended(start(...args))

function fill(count: number): void {
  for (let i = 1; i <= count; i++) {
    server.mailbox('alice').add(`From: a@example.org\nSubject: ${i}\n\nbody ${i}\n`, { uidl: `uid-${i}` })
  }
}

async function delivered(): Promise<number> {
  return (await readdir(join(directory, 'Mail', 'new')).catch(() => [])).length
}

describe('in a pipe', () => {
  test('a poll delivers, is silent, and delivers nothing twice', async () => {
    fill(3)
    for (let i = 0; i < 2; i++) {
      expect(await popfetch()).toEqual({ code: 0, stdout: '', stderr: '' })
      expect(await delivered()).toBe(3)
    }
  })

  test('--json tells the counts', async () => {
    fill(3)
    const { code, stdout, stderr } = await popfetch('--json', '--limit', '2')
    expect([code, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout)).toMatchObject({
      ok: true,
      accounts: [{ account: 'work', outcome: 'ok', listed: 3, delivered: 2, error: null }],
    })
  })

  test('check says what waits and fetches nothing', async () => {
    fill(3)
    const { code, stdout, stderr } = await popfetch('check')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    // As they come.
    expect(stdout.trimEnd().split('\n').toSorted()).toEqual([
      expect.stringMatching(/^inbox: accepts mail \(maildir .*Mail\)$/),
      'work: 3 messages on the server, 3 to fetch',
    ])
    expect(server.journal.of('retr')).toEqual([])
    expect(await delivered()).toBe(0)
  })

  test('--dry-run prints the plan and fetches nothing', async () => {
    fill(2)
    const { code, stdout } = await popfetch('--dry-run')
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^work: 2 messages on the server, 2 to fetch\n {2}fetch +\d+ B +uid-1 +to inbox\n {2}fetch .*uid-2/,
    )
    expect(server.journal.of('retr')).toEqual([])
    expect(await delivered()).toBe(0)
  })

  test('an unknown account asks no server', async () => {
    const { code, stderr } = await popfetch('wrok')
    expect(code).toBe(64)
    expect(stderr).toContain('did you mean "work"?')
    expect(server.journal).toHaveLength(0)
  })

  test('a server that is away is told once, with 75 each time', async () => {
    await server[Symbol.asyncDispose]()
    const { code, stderr } = await popfetch()
    expect(code).toBe(75)
    expect(stderr).toMatch(/^popfetch: work: cannot connect to 127\.0\.0\.1:\d+: [^\n]*\n$/)
    expect(await popfetch()).toEqual({ code: 75, stdout: '', stderr: '' })
  })
})

describe('whoever listens', () => {
  test('mail is delivered when nobody reads what is said', async () => {
    fill(50)
    const child = start('--verbose', '--json')
    child.stdout?.destroy()
    child.stderr?.destroy()
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(await delivered()).toBe(50)
  })

  test('a signal stops it; the next run delivers the rest, nothing twice', async () => {
    fill(300)
    server.faults.pace = { chunkBytes: 200, pauseMs: 1 }
    const child = start('--json')
    const end = ended(child)
    await server.journal.when((entry) => entry.kind === 'retr')
    child.kill('SIGTERM')
    const { code, stdout, stderr } = await end
    expect([code, stderr]).toEqual([143, ''])
    expect(JSON.parse(stdout)).toMatchObject({ ok: false })
    expect(await delivered()).toBeLessThan(300)
    server.faults.pace = null
    expect((await popfetch('work')).code).toBe(0)
    expect(await delivered()).toBe(300)
  })
})

test('no encoding of the password is in any output, also when the server says it back', async () => {
  fill(1)
  const blob = Buffer.from(`\0alice\0${PASSWORD}`)
  server.faults.reply.set('PASS', `-ERR unknown command ${PASSWORD}`)
  server.faults.reply.set('AUTH', `-ERR what is ${blob.toString('base64')} or ${encodeURIComponent(PASSWORD)}`)
  server.faults.reply.set('UIDL', `-ERR sorry ${PASSWORD} ${Buffer.from(PASSWORD).toString('hex')}`)
  const outputs: string[] = []
  for (const args of [
    ['--verbose'],
    ['--json', 'work'],
    ['check', '--verbose'],
    ['config', 'show'],
    ['config', 'check'],
  ]) {
    const { stdout, stderr } = await popfetch(...args, '--log-file', 'log', '--log-level', 'trace')
    outputs.push(stdout, stderr)
  }
  server.faults.reply.delete('AUTH')
  const { stdout, stderr } = await popfetch('work', '--verbose', '--log-file', 'log', '--log-level', 'trace')
  const log = await readFile(join(directory, 'log'), 'utf8')
  expect(log).toContain('C: ')
  const corpus = [...outputs, stdout, stderr, log].join('\n')
  const bytes = Buffer.from(PASSWORD)
  for (const shown of [
    PASSWORD,
    'horse',
    JSON.stringify(PASSWORD).slice(1, -1),
    bytes.toString('base64').replaceAll('=', ''),
    blob.toString('base64').replaceAll('=', ''),
    encodeURIComponent(PASSWORD),
    bytes.toString('hex'),
  ]) {
    expect(corpus).not.toContain(shown)
  }
})
