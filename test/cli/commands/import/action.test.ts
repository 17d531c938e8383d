// `popfetch import` from files to files and the ledger. What the old files mean is tested in test/migrate.
import { readFile, stat, symlink } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openLedger } from '../../../../src/ledger/sqlite/open.ts'
import { Pop3Server } from '../../../support/pop3-server.ts'
import { Person } from '../../person.ts'

let person: Person
beforeEach(async () => {
  person = await Person.arrive()
})
afterEach(() => person[Symbol.asyncDispose]())

const CONFIG = '.config/popfetch/config.yaml'
const LEDGER = '.local/state/popfetch/state.db'

const RC = `poll pop.example.net proto pop3 user alice password "s3cret-word" is al here ssl keep
poll empty.example.net proto pop3 user bob password "other-word" ssl keep\n`

async function seenOf(account: string, ledger = LEDGER): Promise<readonly string[]> {
  await using opened = await openLedger(person.path(ledger))
  const uidls: string[] = []
  for await (const slice of opened.records.list(account, 'seen')) uidls.push(...slice.map(({ key }) => key.uidl))
  return uidls
}

describe('import', () => {
  test('writes a configuration and remembers what was seen; no password is printed', async () => {
    await person.write('.fetchmailrc', RC)
    await person.write('.fetchids', 'alice@pop.example.net u1\nalice@pop.example.net u2\n')

    expect(await person.run('import', 'fetchmail')).toBe(0)

    expect((await stat(person.path(CONFIG))).mode & 0o777).toBe(0o600)
    expect((await stat(person.path('.config/popfetch'))).mode & 0o777).toBe(0o700)
    expect(await readFile(person.path(CONFIG), 'utf8')).toContain('s3cret-word')
    expect(await seenOf('pop.example.net')).toEqual(['u1', 'u2'])
    expect(person.printed).not.toMatch(/s3cret|other-word/)
    expect(person.stdout.text).toContain('pop.example.net: 2 messages already fetched by fetchmail')
    expect(person.stdout.text).toContain('empty.example.net: fetchmail has no record of what it fetched')
    expect(await person.run('config', 'check')).toBe(0)
  })

  test('never overwrites a file, nor puts one out of force', async () => {
    await person.write('.fetchmailrc', RC)
    for (const name of ['config.yaml', 'config.yml', 'config.json']) {
      await using other = await Person.arrive()
      await other.write('.fetchmailrc', RC)
      await other.write('.fetchids', 'alice@pop.example.net u1\n')
      await other.write(`.config/popfetch/${name}`, 'mine')
      expect(await other.run('import', 'fetchmail')).toBe(78)
      expect(other.stderr.text).toContain('already exists; not overwriting it: choose another file with --output FILE')
      expect(await readFile(other.path(`.config/popfetch/${name}`), 'utf8')).toBe('mine')
      await expect(stat(other.path(LEDGER))).rejects.toThrow('ENOENT')
    }
    await symlink('/nowhere', person.path('link'))
    expect(await person.run('import', 'fetchmail', '--output', 'link')).toBe(78)
  })

  test('beside a configuration, remembers in the ledger that it names', async () => {
    await person.write('.fetchmailrc', RC)
    await person.write('.fetchids', 'alice@pop.example.net u1\n')
    await person.write(CONFIG, 'state: ~/own.db\naccounts: {}\n')

    expect(await person.run('import', 'fetchmail', '--output', 'new.yaml')).toBe(0)

    expect(await seenOf('pop.example.net', 'own.db')).toEqual(['u1'])
  })

  test('with --state names the ledger in the file too', async () => {
    await person.write('.fetchmailrc', RC)
    await person.write('.fetchids', 'alice@pop.example.net u1\n')
    expect(await person.run('import', 'fetchmail', '--state', 'mine.db')).toBe(0)
    expect(await readFile(person.path(CONFIG), 'utf8')).toContain(`state: ${person.path('mine.db')}`)
    expect(await seenOf('pop.example.net', 'mine.db')).toEqual(['u1'])
  })

  test('with --output - prints what it would write, without passwords, and leaves nothing', async () => {
    await person.write('.fetchmailrc', RC)
    await person.write('.fetchids', 'alice@pop.example.net u1\n')
    expect(await person.run('import', 'fetchmail', '--output', '-')).toBe(0)
    expect(person.stdout.text).toContain('password:\n      file: ~/.config/popfetch/pop.example.net.password')
    expect(person.printed).not.toMatch(/s3cret|other-word/)
    await expect(stat(person.path(LEDGER))).rejects.toThrow('ENOENT')
    await expect(stat(person.path(CONFIG))).rejects.toThrow('ENOENT')
  })

  test('can be done again: what is remembered stays', async () => {
    await person.write('.fetchmailrc', RC)
    await person.write('.fetchids', 'alice@pop.example.net u1\n')
    await person.run('import', 'fetchmail', '--output', 'a.yaml')
    await person.write('.fetchids', 'alice@pop.example.net u2\n')
    expect(await person.run('import', 'fetchmail', '--output', 'b.yaml')).toBe(0)
    expect(await seenOf('pop.example.net')).toEqual(['u1', 'u2'])
  })

  test('of a record that does not fit the mailbox stops the first poll, which would bring everything twice', async () => {
    await using server = await Pop3Server.start()
    for (let n = 0; n < 30; n++) server.mailbox('alice', 'pw').add(`Subject: ${n}\n\nbody\n`, { uidl: `new-${n}` })
    await person.write(
      '.mpoprc',
      `account a\nhost ${server.host}\nport ${server.port}\nuser alice\npassword pw\nkeep on\ndelivery maildir ~/Mail\n`,
    )
    const old = Array.from({ length: 30 }, (_, n) => `old-${n}`).join('\n')
    await person.write(`.mpop_uidls/alice_at_${server.host}`, ` 30 ${server.host} alice\n${old}\n`)
    expect(await person.run('import', 'mpop')).toBe(0)
    expect(await person.run()).toBe(78)
    expect(person.stderr.text).toContain('has 30 messages, and the server lists none of them')
    expect(server.journal.of('retr')).toEqual([])
    expect(await person.run('--accept-new-ids')).toBe(78)
    expect(person.stderr.text).toContain('for 30 that are no longer listed only the UID is known')
    expect(await person.run('--accept-new-ids', '--yes')).toBe(0)
    expect(server.journal.of('retr')).toHaveLength(30)
  })

  test('takes the times of a record over, and fetches only what it lacks', async () => {
    await using server = await Pop3Server.start()
    for (const uidl of ['#1', 'u2', 'u3']) server.mailbox('alice', 'pw').add('Subject: x\n\nbody\n', { uidl })
    await person.write(
      '.mpoprc',
      `account a\nhost ${server.host}\nport ${server.port}\nuser alice\npassword pw\nkeep 30d\ndelivery maildir ~/Mail\n`,
    )
    await person.write(
      `.mpop_uidls/alice_at_${server.host}`,
      ` 2 ${server.host} alice\n#1 1600000000\nu2 99999999999\n`,
    )
    expect(await person.run('import', 'mpop')).toBe(0)
    await using ledger = await openLedger(person.path(LEDGER))
    const times: number[] = []
    for await (const slice of ledger.records.list('a', 'seen')) times.push(...slice.map((each) => each.firstSeenMs))
    expect(times[0]).toBe(1_600_000_000_000)
    // A time to come is none.
    expect(times[1]).toBeLessThanOrEqual(Date.now())
    expect(await person.run()).toBe(0)
    expect(server.journal.of('retr')).toHaveLength(1)
    expect(server.journal.of('dele')).toEqual([])
  })

  test('with --take-over, what the old tool fetched counts as delivered: delete covers it, and it is not fetched', async () => {
    await using server = await Pop3Server.start()
    for (const uidl of ['u1', 'u2', 'u3']) server.mailbox('alice', 'pw').add('Subject: x\n\nbody\n', { uidl })
    await person.write(
      '.mpoprc',
      `account a\nhost ${server.host}\nport ${server.port}\nuser alice\npassword pw\nkeep off\ndelivery maildir ~/Mail\n`,
    )
    await person.write(`.mpop_uidls/alice_at_${server.host}`, ` 2 ${server.host} alice\nu1\nu2\n`)
    expect(await person.run('import', 'mpop', '--take-over')).toBe(0)
    expect(person.stdout.text).toContain(
      'a: 2 messages already fetched by mpop: not fetched again, and deleted like messages that popfetch delivers',
    )
    expect(await person.run()).toBe(0)
    expect(server.mailbox('alice').messages).toEqual([])
    expect(server.journal.of('retr')).toHaveLength(1)
    expect(await person.run('state', 'explain', 'a', 'u1')).toBe(0)
    expect(person.stdout.text).toContain('by another program, before popfetch')
  })

  test('says at once what it could not read, and deletes nothing', async () => {
    await person.write(
      '.mpoprc',
      'account a\nhost h.example\nuser u\npassword "s3cret-word"\ntls on\nkeep forever\ndelivery maildir ~/Mail\n',
    )
    expect(await person.run('import', 'mpop')).toBe(0)
    expect(person.stderr.text).toContain('a: keep forever: popfetch does not know this word: nothing is deleted')
    expect(await readFile(person.path(CONFIG), 'utf8')).toContain('delete: never')
  })

  test('does not mix two mailboxes under one name', async () => {
    await person.write('.fetchmailrc', RC)
    await person.write('.fetchids', 'alice@pop.example.net u1\n')
    await person.run('import', 'fetchmail', '--output', 'a.yaml')
    await person.write('.fetchmailrc', RC.replace('alice', 'carol'))
    await person.write('.fetchids', 'carol@pop.example.net u9\n')
    expect(await person.run('import', 'fetchmail', '--output', 'b.yaml')).toBe(64)
    expect(person.stderr.text).toContain('knows another mailbox by this name')
    await expect(stat(person.path('b.yaml'))).rejects.toThrow('ENOENT')
    expect(await seenOf('pop.example.net')).toEqual(['u1'])
  })

  test('while that account is polled, writes nothing: 75', async () => {
    await person.write('.fetchmailrc', RC)
    await person.write('.fetchids', 'alice@pop.example.net u1\n')
    await person.run('import', 'fetchmail', '--output', 'a.yaml')
    await using ledger = await openLedger(person.path(LEDGER))
    await using _ = await ledger.lease('pop.example.net')
    expect(await person.run('import', 'fetchmail', '--output', 'b.yaml')).toBe(75)
    await expect(stat(person.path('b.yaml'))).rejects.toThrow('ENOENT')
  })

  test('says what popfetch cannot use in the new file, which is there anyway: 78', async () => {
    await person.write('.mpoprc', 'account a\nhost bad host\nuser u\npassword "s3cret-word"\ndelivery exchange x\n')
    expect(await person.run('import', 'mpop')).toBe(78)
    expect(person.stderr.text).toMatch(/config\.yaml:\d+: accounts\.a\.host/)
    expect(person.printed).not.toContain('s3cret')
    expect(await readFile(person.path(CONFIG), 'utf8')).toContain('bad host')
  })

  test('takes all files of getmail, and their records from another directory', async () => {
    const rc = (user: string): string =>
      `[retriever]\ntype=SimplePOP3SSLRetriever\nserver=pop.example.net\nusername=${user}\npassword=p-${user}\n[destination]\ntype=Maildir\npath=~/Mail/\n[options]\nread_all=false\n`
    await person.write('.config/getmail/one', rc('a'))
    await person.write('.config/getmail/two', rc('b'))
    await person.write('old/oldmail-pop.example.net-995-b', 'x-y\u000017\n')
    expect(await person.run('import', 'getmail', '--record', 'old', '--json')).toBe(0)
    expect(JSON.parse(person.stdout.text)).toMatchObject({
      ok: true,
      file: person.path(CONFIG),
      accounts: [
        { account: 'one', polled: true, seen: null, warnings: [] },
        { account: 'two', polled: true, seen: 1, warnings: [] },
      ],
      error: null,
    })
    expect(await seenOf('two')).toEqual(['x-y', 'x/y'])
  })

  test('without an old file says where it looked: 78', async () => {
    expect(await person.run('import', 'mpop')).toBe(78)
    expect(person.stderr.text).toContain(`neither ${person.path('.mpoprc')} nor ${person.path('.config/mpop/config')}`)
    expect(await person.run('import', 'fetchmail', 'none')).toBe(78)
    await person.write('rc', 'poll a proto imap user u pass s3cret-word')
    expect(await person.run('import', 'fetchmail', 'rc')).toBe(78)
    expect(person.stderr.text).toContain('no active POP3 mailbox')
  })

  test.each([[['import']], [['import', 'outlook']], [['import', 'mpop', 'a', 'b']], [['import', 'mpop', '--yes']]])(
    '%j is wrong usage',
    async (argv) => {
      expect(await person.run(...argv)).toBe(64)
    },
  )
})

test('import thunderbird finds the usual profile, takes a folder as well, and asks for the password in the file', async () => {
  const prefs = [
    'type", "pop3"',
    'hostname", "pop.example.net"',
    'userName", "alice"',
    'socketType", 3',
    'leave_on_server", true',
  ]
  const lines = [...prefs, 'directory-rel", "[ProfD]Mail/pop"'].map(
    (one) => `user_pref("mail.server.server1.${one});\n`,
  )
  await person.write('.thunderbird/profiles.ini', '[Profile0]\nName=default\nIsRelative=1\nPath=abc.default\n')
  await person.write('.thunderbird/abc.default/prefs.js', lines.join(''))
  await person.write('.thunderbird/abc.default/Mail/pop/popstate.dat', '*pop.example.net alice\nk u1 1600000000\n')
  expect(await person.run('import', 'thunderbird')).toBe(0)
  expect(await seenOf('pop.example.net')).toEqual(['u1'])
  expect(await readFile(person.path(CONFIG), 'utf8')).toContain('host: pop.example.net')
  const folder = person.path('.thunderbird/abc.default')
  expect(await person.run('import', 'thunderbird', folder, '--output', 'other.yaml')).toBe(0)
  expect(await readFile(person.path('other.yaml'), 'utf8')).toContain('host: pop.example.net')
  const command = ['--password-command', 'pass show mail', '--output', 'third.yaml']
  expect(await person.run('import', 'thunderbird', ...command)).toBe(0)
  expect(await readFile(person.path('third.yaml'), 'utf8')).toContain('command: pass show mail')
  expect(await person.run('import', 'thunderbird', '--password-file', 'pw', '--output', 'deep/fourth.yaml')).toBe(0)
  expect(await readFile(person.path('deep/fourth.yaml'), 'utf8')).toContain(`file: ${person.path('pw')}`)
  await using other = await Person.arrive()
  expect(await other.run('import', 'thunderbird')).toBe(78)
  expect(other.stderr.text).toContain("give the profile's folder")
})
