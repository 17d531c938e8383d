// Each place where mail can go, chosen from the list of `popfetch init` on a terminal of script(1). The first answer is wrong, the
// question comes again with it, a real server is tried, and one poll follows. Mail comes from a real Dovecot over POP3.
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Dovecot, startDovecot } from './dovecot.ts'
import { makeMessage, messageId, readMaildir } from './mail.ts'
import { temporaryDirectory } from './program.ts'
import { type Answer, atTerminal, type Seat } from './terminal.ts'

const startFile = resolve(process.env['POPFETCH'] ?? join(import.meta.dirname, '../../bin/popfetch.ts'))
const popfetch = (...words: readonly string[]): readonly string[] => [process.execPath, startFile, ...words]

let dovecot: Dovecot
beforeAll(async () => {
  dovecot = await startDovecot({ imap: true, lmtp: true })
}, 60_000)
afterAll(() => dovecot[Symbol.asyncDispose]())

const again: Answer = ['Try again', '']

interface Row {
  readonly kind: string
  /** Behind the list; `user` is the mailbox there. */
  readonly answers: (user: string) => readonly Answer[]
  /** What is said of the first answer. */
  readonly wrong: RegExp
  /** The Message-IDs that arrived. */
  readonly arrived: (home: string, user: string) => Promise<readonly string[]>
}

const inMailbox = async (_home: string, user: string): Promise<readonly string[]> =>
  [...(await readMaildir((await dovecot.mailbox(user)).maildir)).values()].map(messageId)

async function inFile(file: string): Promise<readonly string[]> {
  const text = await readFile(file, 'latin1')
  return [...text.matchAll(/^message-id: *<?([^>\r\n]+)/gim)].map(([, id = '']) => id)
}

const ROWS: readonly Row[] = [
  {
    kind: 'mbox, the default file',
    answers: () => [
      ['Where mail goes', '2'],
      ['File:', '~/no/such/folder'],
      again,
      ['Where mail goes', ''],
      ['File:', '\u0015~/mbox'],
    ],
    wrong: /no such file or directory/,
    arrived: (home) => inFile(join(home, 'mbox')),
  },
  {
    kind: 'lmtp, by a socket',
    answers: (user) => [
      ['Where mail goes', 'lmtp'],
      ['Socket, or host and port', '/nowhere/lmtp'],
      ['Mailbox there', user],
      again,
      ['Where mail goes', ''],
      ['Socket, or host and port', dovecot.lmtpSocket],
      ['Mailbox there', ''],
    ],
    wrong: /\/nowhere\/lmtp.*connecting failed/,
    arrived: inMailbox,
  },
  {
    kind: 'lmtp, by a port',
    answers: (user) => [
      ['Where mail goes', '4'],
      ['Socket, or host and port', '127.0.0.1:1'],
      ['Mailbox there', user],
      again,
      ['Where mail goes', ''],
      ['Socket, or host and port', `127.0.0.1:${dovecot.lmtpPort}`],
      ['Mailbox there', ''],
    ],
    wrong: /connection refused: is the port right/,
    arrived: inMailbox,
  },
  {
    kind: 'imap, by STARTTLS on a port of its own and under a private authority',
    answers: (user) => [
      ['Where mail goes', '5'],
      ['IMAP server', 'localhost'],
      ['Port and TLS', `${dovecot.imapPort} starttls`],
      ['User name there', user],
      ['Where popfetch gets it', ''],
      [`Password of ${user}`, 'not-the-password'],
      ['Folder', ''],
      ['Trust it', 'ca ca.pem'],
      again,
      ['Where mail goes', ''],
      ['IMAP server', ''],
      ['Port and TLS', ''],
      ['User name there', ''],
      ['Where popfetch gets it', ''],
      [`Password of ${user}`, dovecot.password],
      ['Folder', ''],
    ],
    wrong: /signing in was rejected/,
    arrived: inMailbox,
  },
  {
    kind: 'command',
    answers: () => [
      ['Where mail goes', '7'],
      ['Program and its arguments', './no-such-program'],
      again,
      ['Where mail goes', ''],
      ['Program and its arguments', './take.sh "in box"'],
    ],
    wrong: /no-such-program/,
    arrived: (home) => inFile(join(home, 'in box')),
  },
]

test.each(ROWS)('$kind: a wrong answer is corrected, the trial succeeds, and mail arrives', async (row) => {
  await using directory = await temporaryDirectory()
  const home = join(directory.path, 'home')
  const at = ROWS.indexOf(row)
  const user = `new${at}`
  await mkdir(home)
  await copyFile(dovecot.certificate.caFile, join(home, 'ca.pem'))
  await writeFile(join(home, 'take.sh'), '#!/bin/sh\ncat >> "$HOME/$1"\n', { mode: 0o700 })
  await dovecot.mailbox(user)
  await dovecot.seed(`old${at}`, 2, makeMessage)
  const seat: Seat = { home, env: { PATH: process.env['PATH'], HOME: home } }
  const { code, seen } = await atTerminal(
    popfetch('init', '--host', '127.0.0.1', '--port', `${dovecot.pop3Port}`, '--tls', 'none'),
    seat,
    [
      ['Mail address:', `old${at}@source.test`],
      ['User name there', `old${at}`],
      ['Where popfetch gets it', ''],
      [`Password of old${at}`, dovecot.password],
      ...row.answers(user),
      ['Delete from the server', ''],
      ['already on the server', ''],
      ['Write it to', 'yes'],
    ],
  )
  expect(code, seen).toBe(0)
  // A long line is wrapped at 80 columns.
  expect(seen.replaceAll(/\s+/g, ' ')).toMatch(row.wrong)
  expect(seen).toContain('it accepts mail')
  expect(seen).not.toContain(dovecot.password)
  expect(seen).not.toContain('not-the-password')
  const polled = await atTerminal(popfetch(), seat, [])
  expect(polled.code, polled.seen).toBe(0)
  const ids = [0, 1].map((number) => messageId(makeMessage(number))).toSorted()
  expect([...(await row.arrived(home, user))].toSorted()).toEqual(ids)
})

test('gmail: the steps of its sign-in are shown before it, and leaving there writes nothing', async () => {
  await using directory = await temporaryDirectory()
  const home = join(directory.path, 'home')
  await mkdir(home)
  await dovecot.seed('gmailer', 1, makeMessage)
  const { code, seen } = await atTerminal(
    popfetch('init', '--host', '127.0.0.1', '--port', `${dovecot.pop3Port}`, '--tls', 'none'),
    { home, env: { PATH: process.env['PATH'], HOME: home } },
    [
      ['Mail address:', 'gmailer@source.test'],
      ['User name there', 'gmailer'],
      ['Where popfetch gets it', ''],
      ['Password of gmailer', dovecot.password],
      ['Where mail goes', 'gmail'],
      ['Address at Gmail', 'bob@gmail.com'],
      ['Client id', '\u0003'],
    ],
  )
  expect(code, seen).toBe(130)
  expect(seen).toMatch(/console\.cloud\.google\.com|Google Cloud/)
  expect(seen).toMatch(/cancelled; nothing was written/)
  expect((await readdir(home)).filter((name) => name !== '.cache')).toEqual([])
})
