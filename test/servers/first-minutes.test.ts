// The first minutes of a new user, from the packed package on. Somebody who is not root runs `npm install -g`, then only
// `popfetch init` at a terminal, then one poll. Mail comes from a real Dovecot, over STARTTLS on an unusual port with a private
// authority. It goes into a Maildir, and through a submission server with a sign-in, likewise, to a real Postfix. How long it took
// is in the output.
import { copyFile, readFile, stat } from 'node:fs/promises'
import { parseText } from '../../src/config/document.ts'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { PackedHome } from '../support/installed.ts'
import { type Dovecot, startDovecot } from './dovecot.ts'
import { makeMessage, messageId, readMaildir } from './mail.ts'
import { type Postfix, startPostfix } from './postfix.ts'
import { type Answer, atTerminal, PATIENCE_MS } from './terminal.ts'

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

type Answers = readonly Answer[]

/** Installs, sets up and polls. Gives what was seen. */
async function fromNothing(where: string, answers: Answers): Promise<string> {
  const began = performance.now()
  await packed.asUser('npm', ['install', '--global', '--offline', '--no-audit', '--no-fund', packed.tarball])
  const seat = { home: packed.home, env: packed.environment(), ...packed.user }
  const installed = performance.now()
  const { code, seen } = await atTerminal(['popfetch', 'init'], seat, answers)
  const asked = performance.now()
  expect(code, seen).toBe(0)
  expect(seen).not.toContain(dovecot.password)
  expect(seen).toContain(`Wrote ~/.config/popfetch/config.yaml`)
  const polled = await atTerminal(['popfetch'], seat, [])
  expect(polled.code, polled.seen).toBe(0)
  const fetched = performance.now()
  const seconds = (fromMs: number, toMs: number): string => `${((toMs - fromMs) / 1000).toFixed(1)} s`
  process.stdout.write(
    `from the tarball to mail ${where}: ${seconds(began, fetched)} (npm install ${seconds(began, installed)}, init ${seconds(installed, asked)}, first poll ${seconds(asked, fetched)})\n`,
  )
  expect(fetched - began).toBeLessThan(PATIENCE_MS)
  const kept = join(packed.home, '.config/popfetch')
  for (const file of ['config.yaml', 'old-localhost.password']) {
    expect((await stat(join(kept, file))).mode & 0o777).toBe(0o600)
  }
  expect(await readFile(join(kept, 'config.yaml'), 'utf8')).not.toContain(dovecot.password)
  return `${seen}${polled.seen}`
}

let seeded = 0
/** Three messages more, which no test had before. */
async function seed(): Promise<void> {
  const from = seeded
  await dovecot.seed('old', 3, (at) => makeMessage(from + at))
  seeded += 3
}

const TRUST = ['ca ca.pem', 'pin'] as const
type Trusted = (typeof TRUST)[number]

/** Over STARTTLS on a port that is nobody's usual one. */
const mailbox = (trust: Trusted): Answers => [
  ['Mail address:', 'old@localhost'],
  ['? POP3 server', 'localhost'],
  ['Port and TLS', `${dovecot.pop3Port} starttls`],
  ['Trust it', trust],
  ['User name there', 'old'],
  ['Where popfetch gets it', ''],
  ['Password of old', dovecot.password],
]

/** Likewise. */
const submission = (trust: Trusted): Answers => [
  ['Where mail goes', 'smtp'],
  ['Mail server that sends for you', 'localhost'],
  ['Port and TLS', `${dovecot.submissionPort} starttls`],
  ['User name there, or none', 'old'],
  ['Where popfetch gets it', ''],
  ['Password of old at localhost', dovecot.password],
  ['Forwarded to', `me@${postfix.domain}`],
  ['Trust it', trust],
]

const end: Answers = [
  ['Delete from the server', ''],
  ['already on the server', ''],
  ['Write it to', 'yes'],
]

/** What the configuration says of whom it trusts. */
function trustOf(keys: Record<string, unknown>, trust: Trusted): unknown {
  return trust === 'pin' ? keys['pin'] : keys['ca']
}

function expectedTrust(trust: Trusted): string {
  return trust === 'pin'
    ? dovecot.certificate.fingerprint.replaceAll(':', '').toLowerCase()
    : join(packed.home, 'ca.pem')
}

type Part = Record<string, Record<string, Record<string, unknown>>>
async function configuration(): Promise<Part> {
  return parseText(await readFile(join(packed.home, '.config/popfetch/config.yaml'), 'utf8')).root as Part
}

test.each(TRUST)(
  'from the tarball to mail in a Maildir, under a private authority: %s',
  async (trust) => {
    await seed()
    const seen = await fromNothing(`in a Maildir (${trust})`, [...mailbox(trust), ['Where mail goes', ''], ...end])
    expect(seen).toMatch(/The certificate of localhost is not trusted here/)
    expect(seen.replaceAll(/\s/g, '')).toContain(
      `SHA-256:${dovecot.certificate.fingerprint.replaceAll(':', '').toLowerCase()}`,
    )
    const { accounts } = await configuration()
    expect(accounts?.['old-localhost']).toMatchObject({ tls: 'starttls', port: dovecot.pop3Port })
    expect(trustOf(accounts?.['old-localhost'] ?? {}, trust)).toBe(expectedTrust(trust))
    const arrived = [...(await readMaildir(join(packed.home, 'Mail'))).values()].map(messageId)
    const all = Array.from({ length: seeded }, (_, at) => messageId(makeMessage(at)))
    expect(arrived.toSorted()).toEqual(all.toSorted())
    const checked = await packed.asUser('popfetch', ['check'])
    expect(checked.stdout).toMatch(/^inbox: accepts mail \(maildir .*Mail\)$/m)
  },
  400_000,
)

test.each(TRUST)(
  'from the tarball to mail forwarded by a server that wants a sign-in, under a private authority: %s',
  async (trust) => {
    await seed()
    const waiting = await dovecot.remaining('old')
    const before = (await postfix.delivered()).length
    const seen = await fromNothing(`forwarded (${trust})`, [...mailbox(trust), ...submission(trust), ...end])
    expect(seen).toContain('it accepts mail')
    const { accounts, destinations } = await configuration()
    const [to = {}] = Object.values(destinations ?? {})
    expect(to).toMatchObject({ type: 'smtp', tls: 'starttls', port: dovecot.submissionPort })
    for (const keys of [accounts?.['old-localhost'] ?? {}, to]) expect(trustOf(keys, trust)).toBe(expectedTrust(trust))
    await expect.poll(async () => (await postfix.delivered()).length, { timeout: 30_000 }).toBe(before + waiting)
    const listed = await packed.asUser('popfetch', ['check', '--json'])
    expect(JSON.parse(listed.stdout)).toMatchObject({
      ok: true,
      destinations: [{ destination: 'smtp', ok: true, error: null }],
    })
  },
  400_000,
)

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
