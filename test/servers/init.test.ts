// From nothing to the first message in an inbox elsewhere, as a person at a terminal does it: `popfetch init` on a terminal of
// script(1), by the first way that it offers, and then one poll. From a real Dovecot over POP3 into a real one over IMAP.
import { spawn } from 'node:child_process'
import { mkdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { startDovecot } from './dovecot.ts'
import { makeMessage, messageId, readMaildir } from './mail.ts'
import { findProgram, temporaryDirectory } from './program.ts'

const startFile = resolve(process.env['POPFETCH'] ?? join(import.meta.dirname, '../../bin/popfetch.ts'))
/** What a person has patience for. */
const PATIENCE_MS = 180_000

/** A program on a terminal. Each answer is typed when its question stands there. */
async function atTerminal(
  words: readonly string[],
  home: string,
  answers: readonly (readonly [question: string, answer: string])[],
): Promise<{ readonly code: number | null; readonly seen: string }> {
  const script = await findProgram('script', 'bsdutils')
  const command = [process.execPath, startFile, ...words].map((word) => `'${word}'`).join(' ')
  const child = spawn(script, ['-qec', command, '/dev/null'], {
    cwd: home,
    env: { PATH: process.env['PATH'], HOME: home, TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const left = [...answers]
  let seen = ''
  let from = 0
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    seen += chunk
    for (let next = left[0]; next !== undefined; next = left[0]) {
      const at = seen.indexOf(next[0], from)
      if (at < 0) return
      from = at + next[0].length
      left.shift()
      child.stdin.write(`${next[1]}\r`)
    }
  })
  const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  const code = await new Promise<number | null>((done) => child.once('close', done))
  clearTimeout(late)
  expect(left, seen).toEqual([])
  return { code, seen }
}

test('a person at a terminal comes from nothing to the first message in an inbox elsewhere, by the first way', async () => {
  await using dovecot = await startDovecot({ imap: true })
  await using directory = await temporaryDirectory()
  const home = join(directory.path, 'home')
  await mkdir(home)
  await dovecot.seed('old', 3, makeMessage)
  await dovecot.mailbox('new')
  const { pop3Port, imapPort, password } = dovecot
  const began = performance.now()

  const { code, seen } = await atTerminal(
    ['init', '--host', '127.0.0.1', '--port', `${pop3Port}`, '--tls', 'none'],
    home,
    [
      ['Mail address:', 'old@source.test'],
      ['User name there', 'old'],
      ['Where popfetch gets it', ''],
      ['Password of old', password],
      ['Where mail goes', `imap://new@127.0.0.1:${imapPort}`],
      ['Where popfetch gets it', ''],
      ['Password of new', password],
      ['Delete from the server', ''],
      ['there already', ''],
      ['Write it to', 'yes'],
    ],
  )

  expect(code, seen).toBe(0)
  expect(seen).toContain('it takes mail')
  expect(seen).not.toContain(password)
  const polled = await atTerminal([], home, [])
  expect(polled.code, polled.seen).toBe(0)
  expect(performance.now() - began).toBeLessThan(PATIENCE_MS)
  const arrived = [...(await readMaildir((await dovecot.mailbox('new')).maildir)).values()]
  expect(arrived.map(messageId).toSorted()).toEqual([0, 1, 2].map((at) => messageId(makeMessage(at))).toSorted())
  expect(await readFile(join(home, '.config/popfetch/config.yaml'), 'utf8')).toContain('type: imap')
})

test('for a Gmail address a person is shown the ways and what each costs before a password is asked for', async () => {
  await using dovecot = await startDovecot()
  await using directory = await temporaryDirectory()
  await dovecot.seed('shown', 1, makeMessage)
  const { pop3Port, password } = dovecot
  const server = ['--host', '127.0.0.1', '--port', `${pop3Port}`, '--tls', 'none', '--untested']
  const { code, seen } = await atTerminal(['init', ...server], directory.path, [
    ['Mail address:', 'old@source.test'],
    ['User name there', 'shown'],
    ['Where popfetch gets it', ''],
    ['Password of shown', password],
    ['Where mail goes', 'bob@gmail.com'],
    ['By which way', ''],
    ['Where popfetch gets it', ''],
    ['App password of bob@gmail.com at imap.gmail.com', 'abcdefghijklmnop'],
    ['Delete from the server', ''],
    ['there already', ''],
    ['Write it to', 'yes'],
  ])
  expect(code, seen).toBe(0)
  const [imap, api, smtp] = ['1. imap: IMAP with an app password', '2. api: the Gmail API', '3. smtp: forwarded'].map(
    (text) => seen.indexOf(text),
  )
  expect([imap, api, smtp]).toEqual([imap, api, smtp].toSorted((a = 0, b = 0) => a - b))
  expect(imap).toBeGreaterThan(0)
  expect(seen).not.toContain('abcdefghijklmnop')
  expect(await readFile(join(directory.path, '.config/popfetch/config.yaml'), 'utf8')).toContain('host: imap.gmail.com')
})
