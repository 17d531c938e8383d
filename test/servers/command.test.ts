// Real delivery programs as destinations: maildrop with a filter of its own, Dovecot's dovecot-lda.
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDovecot, type Dovecot } from './dovecot.ts'
import { afterField, damaged, makeMessage, messageId, readMaildir } from './mail.ts'
import { only, openDesk, type Desk } from './popfetch.ts'
import { findProgram, installed } from './program.ts'

const servers = new AsyncDisposableStack()
let dovecot: Dovecot
beforeAll(async () => {
  dovecot = servers.use(await startDovecot({ lmtp: true }))
})
afterAll(() => servers.disposeAsync())

function config(user: string, deliver: unknown, destinations = {}): object {
  const { pop3Port, password } = dovecot
  const here = { host: '127.0.0.1', port: pop3Port, tls: 'none', user, password, delete: 'after-delivery', deliver }
  return { accounts: { here }, destinations }
}

async function filter(desk: Desk): Promise<string> {
  const file = join(desk.directory, 'filter')
  for (const part of ['cur', 'new', 'tmp']) await mkdir(join(desk.maildir, part), { recursive: true })
  await writeFile(
    file,
    [
      'if (/^Subject:.*number 7$/)',
      '{',
      '  EXITCODE=77',
      '  exit',
      '}',
      'if (/^X-Popfetch-Account: here$/)',
      '{',
      `  to "${desk.maildir}/"`,
      '}',
      'EXITCODE=75',
      'exit',
      '',
    ].join('\n'),
    { mode: 0o600 },
  )
  return file
}

test('maildrop gets every message once and unchanged; what it refuses goes to the next, or stays', async () => {
  const maildrop = await findProgram('maildrop', 'maildrop')
  await using desk = await openDesk()
  await dovecot.seed('maildrop', 40, makeMessage)
  const drop = { type: 'command', run: [maildrop, await filter(desk)], label: true, concurrency: 4 }
  const rest = { type: 'maildir', path: join(desk.directory, 'rest') }
  await desk.configure(config('maildrop', 'drop', { drop }))

  expect(only(await desk.run())).toMatchObject({ outcome: 'partial', delivered: 39, refused: 1, deleted: 39 })
  expect(await dovecot.remaining('maildrop')).toBe(1)
  const arrived = new Map<string, Buffer>()
  for (const bytes of (await readMaildir(desk.maildir)).values()) {
    const field = bytes.indexOf('X-Popfetch-Account: here\n')
    const without = Buffer.concat([bytes.subarray(0, field), afterField(bytes.subarray(field))])
    arrived.set(messageId(without), without)
  }
  expect(damaged(arrived, 40)).toEqual([7])

  await dovecot.seed('either', 8, makeMessage)
  // With a ledger of its own: two mailboxes that Dovecot makes in one second give their messages the same UIDLs.
  await using other = await openDesk()
  await other.configure(config('either', { 'first-of': ['drop', 'rest'] }, { drop, rest }))
  expect(only(await other.run('--yes'))).toMatchObject({ outcome: 'ok', delivered: 8, refused: 0, deleted: 8 })
  expect([...(await readMaildir(rest.path)).keys()]).toEqual([messageId(makeMessage(7))])
})

test('dovecot-lda delivers to another mailbox; without a user it says what is wrong, and nothing is lost', async () => {
  const lda = (await installed('dovecot-lda')) ?? '/usr/lib/dovecot/dovecot-lda'
  await using desk = await openDesk()
  await dovecot.seed('lda', 30, makeMessage)
  const wrong = { type: 'command', run: [lda, '-c', '/no/such/configuration', '-d', 'lda-in'] }
  await desk.configure(config('lda', 'lda', { lda: wrong }))

  const failed = only(await desk.run())
  expect(failed).toMatchObject({ delivered: 0, deleted: 0 })
  expect(await dovecot.remaining('lda')).toBe(30)

  const run = [lda, '-c', join(dirname(dovecot.lmtpSocket), 'dovecot.conf'), '-d', 'lda-in']
  await desk.configure(config('lda', 'lda', { lda: { type: 'command', run } }))
  expect(only(await desk.run())).toMatchObject({ outcome: 'ok', delivered: 30, deleted: 30, possibleDuplicates: 0 })

  const arrived = new Map<string, Buffer>()
  for (const bytes of (await readMaildir((await dovecot.mailbox('lda-in')).maildir)).values()) {
    const message = bytes.toString('latin1', 0, 12) === 'Return-Path:' ? afterField(bytes) : bytes
    arrived.set(messageId(message), message)
  }
  expect(damaged(arrived, 30)).toEqual([])
})
