// The real fetchmail, getmail and mpop fetch half of a mailbox of a real Dovecot; `popfetch import` takes over; popfetch
// fetches the rest. Nothing comes twice, nothing is missing.
import { readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startDovecot, type Dovecot } from './dovecot.ts'
import { Home } from './home.ts'
import { makeMessage, messageId } from './mail.ts'
import { findProgram } from './program.ts'

const servers = new AsyncDisposableStack()
let dovecot: Dovecot
beforeAll(async () => {
  dovecot = servers.use(await startDovecot())
})
afterAll(() => servers.disposeAsync())

function ids(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => messageId(makeMessage(index))).toSorted()
}

/** From the import on: popfetch takes what is left and what comes meanwhile, and nothing else. */
async function takesOver(home: Home, tool: string, user: string): Promise<void> {
  const told = await home.popfetch('import', tool)
  expect(told).toContain(`10 messages already fetched by ${tool}`)
  expect(told).not.toContain(dovecot.password)
  const config = join(home.path, '.config/popfetch/config.yaml')
  expect((await stat(config)).mode & 0o777).toBe(0o600)
  await home.popfetch('config', 'check')

  await dovecot.seed(user, 5, (index) => makeMessage(20 + index))
  expect(JSON.parse(await home.popfetch('--json'))).toMatchObject({
    ok: true,
    accounts: [{ listed: 25, new: 15, delivered: 15, skipped: 10, deleted: 0 }],
  })
  expect(await home.mail()).toEqual(ids(25))
  expect(JSON.parse(await home.popfetch('--json'))).toMatchObject({ accounts: [{ delivered: 0, skipped: 25 }] })
  expect(await dovecot.remaining(user)).toBe(25)
}

/** The way back, with nothing but what popfetch writes: the old tool takes what comes then, and nothing else. */
async function goesBack(
  home: Home,
  tool: string,
  user: string,
  record: string,
  old: () => Promise<unknown>,
): Promise<void> {
  await rm(join(home.path, record))
  await home.popfetch('state', 'export', '--as', tool, '--output', record)
  await dovecot.seed(user, 5, (index) => makeMessage(25 + index))
  await old()
  expect(await home.mail()).toEqual(ids(30))
  await old()
  expect(await home.mail()).toEqual(ids(30))
}

describe('mail that an old tool has fetched does not come again, and the rest does', () => {
  test('after fetchmail', async () => {
    const fetchmail = await findProgram('fetchmail', 'fetchmail')
    await using home = await Home.make()
    await dovecot.seed('fetchmail', 20, makeMessage)
    const { pop3Port, password } = dovecot
    const agent = `cat > ${home.path}/Mail/new/$$.fm`
    await home.write(
      '.fetchmailrc',
      `poll old via 127.0.0.1 protocol POP3 port ${pop3Port} uidl
         user "fetchmail" there with password "${password}" is alice here, wants keep fetchlimit 10 sslproto ''
         mda "${agent}"\n`,
    )
    // 13: it stopped at the limit.
    await home.run(fetchmail, ['--nodetach'], [13])
    expect(await home.mail()).toHaveLength(10)
    // As fetchmail would go on to do.
    await home.write(
      '.fetchmailrc',
      (await readFile(join(home.path, '.fetchmailrc'), 'utf8')).replace('fetchlimit 10', ''),
    )

    await takesOver(home, 'fetchmail', 'fetchmail')
    await goesBack(home, 'fetchmail', 'fetchmail', '.fetchids', () => home.run(fetchmail, ['--nodetach'], [0, 1]))
  })

  test('after getmail', async () => {
    const getmail = await findProgram('getmail', 'getmail6')
    await using home = await Home.make()
    await dovecot.seed('getmail@example.net', 20, makeMessage)
    const { pop3Port, password } = dovecot
    const configuration = `[retriever]
type = SimplePOP3Retriever
server = 127.0.0.1
port = ${pop3Port}
username = getmail@example.net
password_command = ("/bin/echo", "-n", "${password}")

[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "cat > ${home.path}/Mail/new/$$.gm")
allow_root_commands = true

[options]
read_all = false
received = false
`
    await home.write('.getmail/getmailrc', `${configuration}max_messages_per_session = 10\n`)
    await home.run(getmail, [])
    expect(await home.mail()).toHaveLength(10)
    await home.write('.getmail/getmailrc', configuration)

    await takesOver(home, 'getmail', 'getmail@example.net')
    const record = `.getmail/oldmail-127.0.0.1-${pop3Port}-getmail@example.net`
    await goesBack(home, 'getmail', 'getmail@example.net', record, () => home.run(getmail, []))
  })

  test('after mpop', async () => {
    const mpop = await findProgram('mpop', 'mpop')
    await using home = await Home.make()
    await dovecot.seed('mpop', 10, makeMessage)
    const { pop3Port, password } = dovecot
    await home.write(
      '.mpoprc',
      `defaults
tls off
auth user
keep on
delivery maildir ~/Mail

account old
host 127.0.0.1
port ${pop3Port}
user mpop
passwordeval "echo ${password}"

account default : old
`,
    )
    await home.run(mpop, ['-Q'])
    expect(await home.mail()).toHaveLength(10)
    await dovecot.seed('mpop', 10, (index) => makeMessage(10 + index))

    await takesOver(home, 'mpop', 'mpop')
    await goesBack(home, 'mpop', 'mpop', '.mpop_uidls/mpop_at_127.0.0.1', () => home.run(mpop, ['-Q']))
  })
})

test('without `keep` popfetch deletes what it delivers, and leaves what the old tool had fetched', async () => {
  const fetchmail = await findProgram('fetchmail', 'fetchmail')
  await using home = await Home.make()
  await dovecot.seed('nokeep', 6, makeMessage)
  const entry = (options: string): string =>
    `poll 127.0.0.1 proto pop3 port ${dovecot.pop3Port} uidl user nokeep password "${dovecot.password}" ${options} sslproto '' mda "cat > ${home.path}/Mail/new/$$.fm"\n`
  await home.write('.fetchmailrc', entry('keep fetchlimit 3'))
  await home.run(fetchmail, ['--nodetach'], [13])
  await home.write('.fetchmailrc', entry('nokeep'))

  await home.popfetch('import', 'fetchmail')

  expect(JSON.parse(await home.popfetch('--json'))).toMatchObject({ accounts: [{ delivered: 3, deleted: 3 }] })
  expect(await home.mail()).toEqual(ids(6))
  expect(await dovecot.remaining('nokeep')).toBe(3)
})
