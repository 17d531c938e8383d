// `popfetch verify` as a child process: what is printed, and the exit code.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { SmtpSink } from '../../support/smtp-server.ts'
import { Scene } from '../scene.ts'

interface Answer {
  readonly ok: boolean
  readonly accounts: readonly Readonly<Record<string, unknown>>[]
}

const NOTHING = { agree: 0, gone: 0, waiting: 0, refused: 0, held: 0, missing: 0, unknown: 0, differ: 0 }
const EMPTY = { missing: [], unknown: [], differ: [] }

test('all agrees: one line, exit 0', async () => {
  await using scene = await Scene.start()
  scene.fill('a', 'b')
  await scene.answered()
  expect(await scene.answered('verify')).toBe('work: 2 agree\n')
  expect(await scene.answered('verify', 'work', '--digest')).toBe(
    'work: 2 agree\nwork: 2 messages read again and compared\n',
  )
  expect(await scene.json('verify')).toEqual({
    ok: true,
    accounts: [
      {
        account: 'work',
        ...NOTHING,
        agree: 2,
        lists: EMPTY,
        skipped: 0,
        moved: 0,
        read: 0,
        unshown: [],
        notes: [],
        error: null,
      },
    ],
  })
})

test('what is amiss is named, with a command that helps, and exits with 75', async () => {
  await using scene = await Scene.start()
  scene.fill('a', 'b', 'c')
  await scene.answered()
  const [first = '', second = ''] = readdirSync(scene.path('Mail/new'))
  rmSync(scene.path('Mail/new', first))
  writeFileSync(scene.path('Mail/new', second), 'Received: from 127.0.0.1\n\nnothing of it\n')
  const { code, stdout, stderr } = await scene.popfetch('verify', '--digest')
  expect([code, stderr]).toEqual([75, ''])
  expect(stdout).toMatch(/^work: \d agrees?, 1 missing/)
  expect(stdout).toMatch(/^work: missing at maildir \S+: [abc], "[abc]"$/m)
  expect(stdout).toMatch('popfetch state forget ACCOUNT UIDL')
  const json = await scene.popfetch('verify', '--json')
  expect([json.code, json.stderr]).toEqual([75, ''])
  const [account] = (JSON.parse(json.stdout) as Answer).accounts
  expect(account).toMatchObject({ agree: 2, missing: 1, lists: { missing: [expect.stringMatching(/^[abc]$/)] } })
})

test('an account that cannot be asked ends with its own code, and the rest is told', async () => {
  await using scene = await Scene.start()
  scene.fill('a')
  await scene.answered()
  await scene.configure({ work: { password: 'wrong' }, home: { user: 'nobody', password: 'wrong' } })
  const { code, stdout } = await scene.popfetch('verify')
  expect(code).toBe(77)
  expect(stdout).toMatch(/^work: could not be asked: .*; of the rest: 1 agrees$/m)
  expect(stdout).toMatch(/^home: could not be asked: .*; of the rest: 0 agree$/m)
  await scene.configure({ work: {} })
  rmSync(scene.path('Mail'), { recursive: true })
  const gone = await scene.popfetch('verify')
  expect([gone.code, gone.stdout]).toEqual([73, expect.stringContaining('/Mail does not exist') as string])
  expect(readdirSync(scene.directory)).not.toContain('Mail')
})

test('a destination that cannot show what it has is named', async () => {
  await using scene = await Scene.start()
  await using sink = await SmtpSink.start()
  const out = { type: 'smtp', host: sink.host, port: sink.port, tls: 'none', to: 'me@b.example' }
  await scene.configure(
    { work: { deliver: ['inbox', 'out'] } },
    { destinations: { inbox: { type: 'maildir', path: 'Mail' }, out } },
  )
  scene.fill('a')
  await scene.answered()
  expect(await scene.answered('verify')).toBe(
    'work: 1 agrees\nwork: out cannot show what it has: its accepted answers count\n',
  )
})

test('it makes nothing: no ledger, no folder, no lock, nothing on the server', async () => {
  await using scene = await Scene.start()
  scene.fill('a')
  mkdirSync(scene.path('Mail'))
  for (const folder of ['new', 'cur', 'tmp']) mkdirSync(scene.path('Mail', folder))
  const all = (): readonly string[] => readdirSync(scene.directory, { recursive: true, encoding: 'utf8' }).toSorted()
  const before = all()
  expect(await scene.answered('verify')).toBe('work: 0 agree, 1 waiting\n')
  expect(all()).toEqual(before)
})

test('an unknown account is wrong usage, and names the nearest', async () => {
  await using scene = await Scene.start()
  const { code, stderr } = await scene.popfetch('verify', 'wrk')
  expect([code, stderr]).toEqual([64, expect.stringContaining('work') as string])
})

test('two accounts in one Maildir do not take one another for unknown', async () => {
  await using scene = await Scene.start()
  await scene.configure({ work: {}, home: { user: 'bob' } })
  scene.server.mailbox('bob', 'secret').add('Subject: b\r\n\r\nbody\r\n', { uidl: 'b' })
  scene.fill('a')
  await scene.answered()
  expect(await scene.answered('verify', 'home')).toBe('home: 1 agrees\n')
  expect(await scene.answered('verify')).toBe('work: 1 agrees\nhome: 1 agrees\n')
  await scene.answered('state', 'forget', 'home', 'b')
  expect((await scene.json('verify')) as Answer).toMatchObject({
    ok: true,
    accounts: [
      { account: 'work', unknown: 1 },
      { account: 'home', waiting: 1, unknown: 0 },
    ],
  })
})
