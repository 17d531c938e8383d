// From nothing to the first message in an inbox elsewhere, as a person at a terminal does it. `popfetch init` runs on a
// terminal of script(1), by the first way that it offers. Then comes one poll. From a real Dovecot over POP3 into a real one
// over IMAP.
import { mkdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { startDovecot } from './dovecot.ts'
import { makeMessage, messageId, readMaildir } from './mail.ts'
import { temporaryDirectory } from './program.ts'
import { atTerminal, PATIENCE_MS, type Seat } from './terminal.ts'

const startFile = resolve(process.env['POPFETCH'] ?? join(import.meta.dirname, '../../bin/popfetch.ts'))

const seatIn = (home: string): Seat => ({ home, env: { PATH: process.env['PATH'], HOME: home } })
const popfetch = (...words: readonly string[]): readonly string[] => [process.execPath, startFile, ...words]

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
    popfetch('init', '--host', '127.0.0.1', '--port', `${pop3Port}`, '--tls', 'none'),
    seatIn(home),
    [
      ['Mail address:', 'old@source.test'],
      ['User name there', 'old'],
      ['Where popfetch gets it', ''],
      ['Password of old', password],
      ['Where mail goes', `imap://new@127.0.0.1:${imapPort}`],
      ['Where popfetch gets it', ''],
      ['Password of new', password],
      ['Delete from the server', ''],
      ['already on the server', ''],
      ['Write it to', 'yes'],
    ],
  )

  expect(code, seen).toBe(0)
  expect(seen).toContain('it accepts mail')
  expect(seen).not.toContain(password)
  const polled = await atTerminal(popfetch(), seatIn(home), [])
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
  const { code, seen } = await atTerminal(popfetch('init', ...server), seatIn(directory.path), [
    ['Mail address:', 'old@source.test'],
    ['User name there', 'shown'],
    ['Where popfetch gets it', ''],
    ['Password of shown', password],
    ['Where mail goes', 'bob@gmail.com'],
    ['Which way', ''],
    ['Where popfetch gets it', ''],
    ['App password of bob@gmail.com at imap.gmail.com', 'abcdefghijklmnop'],
    ['Delete from the server', ''],
    ['already on the server', ''],
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
