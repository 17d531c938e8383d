// The first minutes of a new user, from the packed package on. Somebody who is not root runs `npm install -g`, then only
// `popfetch init` at a terminal, then one poll. Mail comes from a real Dovecot, over STARTTLS on an unusual port with a private
// authority. It goes into a Maildir, and through a submission server with a sign-in to a real Postfix.
import { copyFile, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { PackedHome } from '../support/installed.ts'
import { type Dovecot, startDovecot } from './dovecot.ts'
import { makeMessage, messageId, readMaildir } from './mail.ts'
import { type Postfix, startPostfix } from './postfix.ts'
import { atTerminal, PATIENCE_MS } from './terminal.ts'

let packed: PackedHome
let postfix: Postfix
let dovecot: Dovecot
beforeAll(async () => {
  packed = await PackedHome.pack()
  postfix = await startPostfix()
  dovecot = await startDovecot({ submission: { relayPort: postfix.port } })
  await copyFile(dovecot.certificate.caFile, join(packed.home, 'ca.pem'))
  await packed.own('ca.pem')
}, 600_000)
afterAll(async () => {
  await dovecot[Symbol.asyncDispose]()
  await postfix[Symbol.asyncDispose]()
  packed[Symbol.dispose]()
})
beforeEach(async () => {
  await packed.asUser('rm', ['-rf', 'prefix', '.config', '.local', 'Mail'])
})

type Answers = readonly (readonly [question: string, answer: string])[]

/** Installs, sets up and polls. Gives what was seen. */
async function fromNothing(answers: Answers): Promise<string> {
  const began = performance.now()
  await packed.asUser('npm', ['install', '--global', '--offline', '--no-audit', '--no-fund', packed.tarball])
  const seat = { home: packed.home, env: packed.environment(), ...packed.user }
  const { code, seen } = await atTerminal(['popfetch', 'init'], seat, answers)
  expect(code, seen).toBe(0)
  expect(seen).not.toContain(dovecot.password)
  expect(seen).toContain(`Wrote ~/.config/popfetch/config.yaml`)
  const polled = await atTerminal(['popfetch'], seat, [])
  expect(polled.code, polled.seen).toBe(0)
  expect(performance.now() - began).toBeLessThan(PATIENCE_MS)
  const kept = join(packed.home, '.config/popfetch')
  for (const file of ['config.yaml', 'old-localhost.password']) {
    expect((await stat(join(kept, file))).mode & 0o777).toBe(0o600)
  }
  expect(await readFile(join(kept, 'config.yaml'), 'utf8')).not.toContain(dovecot.password)
  return `${seen}${polled.seen}`
}

const mailbox = (trust: string): Answers => [
  ['Mail address:', 'old@localhost'],
  ['POP3 server', 'localhost'],
  ['Port and TLS', `${dovecot.pop3Port} starttls`],
  ['Trust it', trust],
  ['User name there', 'old'],
  ['Where popfetch gets it', ''],
  ['Password of old', dovecot.password],
]

const end: Answers = [
  ['Delete from the server', ''],
  ['already on the server', ''],
  ['Write it to', 'yes'],
]

test('from the tarball to mail in a Maildir, under a private authority that was named', async () => {
  await dovecot.seed('old', 3, makeMessage)
  const seen = await fromNothing([...mailbox('ca ca.pem'), ['Where mail goes', ''], ...end])
  expect(seen).toMatch(/The certificate of localhost is not trusted here/)
  expect(seen.replaceAll(/\s/g, '')).toContain(
    `SHA-256:${dovecot.certificate.fingerprint.replaceAll(':', '').toLowerCase()}`,
  )
  const arrived = [...(await readMaildir(join(packed.home, 'Mail'))).values()].map(messageId)
  expect(arrived.toSorted()).toEqual([0, 1, 2].map((at) => messageId(makeMessage(at))).toSorted())
  const checked = await packed.asUser('popfetch', ['check'])
  expect(checked.stdout).toMatch(/^inbox: accepts mail \(maildir .*Mail\)$/m)
}, 400_000)

test('from the tarball to mail forwarded by a server that wants a sign-in, its certificate pinned', async () => {
  await dovecot.seed('old', 3, makeMessage)
  const waiting = await dovecot.remaining('old')
  const before = (await postfix.delivered()).length
  const seen = await fromNothing([
    ...mailbox('pin'),
    ['Where mail goes', 'smtp'],
    ['Mail server that sends for you', 'localhost'],
    ['Port and TLS', `${dovecot.submissionPort} starttls`],
    ['User name there, or none', 'old'],
    ['Where popfetch gets it', ''],
    ['Password of old at localhost', dovecot.password],
    ['Forwarded to', `me@${postfix.domain}`],
    ['Trust it', 'pin'],
    ...end,
  ])
  expect(seen).toContain('it accepts mail')
  await expect.poll(async () => (await postfix.delivered()).length, { timeout: 30_000 }).toBe(before + waiting)
  const listed = await packed.asUser('popfetch', ['check', '--json'])
  expect(JSON.parse(listed.stdout)).toMatchObject({
    ok: true,
    destinations: [{ destination: 'smtp', ok: true, error: null }],
  })
}, 400_000)

test('Ctrl-C in the middle is 130, and nothing was written', async () => {
  await packed.asUser('npm', ['install', '--global', '--offline', '--no-audit', '--no-fund', packed.tarball])
  const seat = { home: packed.home, env: packed.environment(), ...packed.user }
  const { code, seen } = await atTerminal(['popfetch', 'init'], seat, [
    ...mailbox('pin'),
    ['Where mail goes', '\u0003'],
  ])
  expect(code, seen).toBe(130)
  expect(seen).toMatch(/nothing was written/)
  await expect(stat(join(packed.home, '.config/popfetch'))).rejects.toThrow('ENOENT')
  await expect(stat(join(packed.home, 'Mail'))).rejects.toThrow('ENOENT')
}, 200_000)
