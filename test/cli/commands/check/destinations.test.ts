// `popfetch check` and its destinations, as a table: a kind, what is wrong with it → the line that is printed, the exit code.
import { chmod, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import net from 'node:net'
import tls from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ImapServer } from '../../../support/imap-server.ts'
import { certificates } from '../../../support/certificates.ts'
import { Pop3Server } from '../../../support/pop3-server.ts'
import { Person } from '../../person.ts'

let person: Person
let mailbox: Pop3Server
const servers: net.Server[] = []

beforeEach(async () => {
  person = await Person.arrive()
  mailbox = await Pop3Server.start()
  mailbox.mailbox('alice', 'secret').add('Subject: x\n\nbody\n', { uidl: 'u1' })
})
afterEach(async () => {
  for (const server of servers.splice(0)) server.close()
  await mailbox[Symbol.asyncDispose]()
  await person[Symbol.asyncDispose]()
})

type Answers = Readonly<Record<string, string>>

/** Greets, and answers each verb; '' is never answered, `close` ends the connection. */
async function speaking(answers: Answers, secure = false): Promise<number> {
  const talk = (socket: net.Socket): void => {
    socket.on('error', () => {})
    const say = (text = ''): void =>
      void (text === 'close' ? socket.destroy() : text !== '' && socket.write(`${text}\r\n`))
    say(answers['greeting'])
    let rest = ''
    socket.on('data', (chunk) => {
      rest += chunk.toString('latin1')
      for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
        const line = rest.slice(0, end).trim()
        rest = rest.slice(end + 1)
        const [first = '', second = ''] = line.split(/[ :]/)
        const verb = answers['imap'] === undefined ? first.toUpperCase() : second.toUpperCase()
        say((answers[verb] ?? answers['other'] ?? '').replaceAll('TAG', first))
        if (verb === 'QUIT') socket.end()
      }
    })
  }
  const { key, certificate: cert } = certificates.good
  const server = secure ? tls.createServer({ key, cert }, talk) : net.createServer(talk)
  server.on('tlsClientError', () => {})
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as net.AddressInfo).port
}

const SMTP: Answers = {
  greeting: '220 mx.example ESMTP',
  EHLO: '250-mx.example\r\n250-SIZE 1000000\r\n250 AUTH PLAIN',
  LHLO: '250-mx.example\r\n250 SIZE 1000000',
  AUTH: '235 2.7.0 good',
  MAIL: '250 2.1.0 good',
  RCPT: '250 2.1.5 good',
  RSET: '250 2.0.0 good',
  QUIT: '221 2.0.0 bye',
}

const SIGNED_IN = { user: 'bob@example.org', password: 'geheim-1234' }
const TO = { to: 'bob@example.org' }
const IMAP = { user: 'bob', password: 'geheim-1234' }

/** A destination as it is written, `PORT` filled in; the answers of its server. */
interface Row {
  readonly kind: string
  readonly wrong: string
  readonly keys: Readonly<Record<string, unknown>>
  readonly server?: Answers
  readonly secure?: boolean
  readonly before?: () => Promise<unknown>
  readonly code: number
  readonly line: RegExp
}

const TABLE: readonly Row[] = [
  { kind: 'maildir', wrong: 'nothing', keys: { path: 'Mail' }, code: 0, line: /^to: accepts mail \(maildir .*Mail\)$/ },
  {
    kind: 'maildir',
    wrong: 'a file is in the way',
    keys: { path: 'Mail' },
    before: () => writeFile(person.path('Mail'), ''),
    code: 73,
    line: /^to: failed: maildir .*Mail: .*(?:not a directory)/,
  },
  {
    kind: 'maildir',
    wrong: 'everybody may write to it',
    keys: { path: 'Mail' },
    before: async () => {
      for (const folder of ['Mail', 'Mail/tmp', 'Mail/new', 'Mail/cur']) await mkdir(person.path(folder))
      await chmod(person.path('Mail'), 0o777)
    },
    code: 73,
    line: /^to: failed: .*chmod o-w/,
  },
  {
    kind: 'maildir',
    wrong: 'missing, and not to be made',
    keys: { path: 'Mail', create: false },
    code: 73,
    line: /^to: failed: .*does not exist/,
  },
  { kind: 'mbox', wrong: 'nothing', keys: { path: 'inbox' }, code: 0, line: /^to: accepts mail \(mbox .*inbox\)$/ },
  {
    kind: 'mbox',
    wrong: 'it is a link',
    keys: { path: 'inbox' },
    before: () => symlink('/dev/null', person.path('inbox')),
    code: 73,
    line: /^to: failed: .*symbolic link/,
  },
  {
    kind: 'mbox',
    wrong: 'its folder is missing',
    keys: { path: 'no/inbox' },
    code: 73,
    line: /^to: failed: mbox .*no such file or directory/,
  },
  { kind: 'command', wrong: 'nothing', keys: { run: ['/bin/cat'] }, code: 0, line: /^to: accepts mail \(command/ },
  {
    kind: 'command',
    wrong: 'there is no such program',
    keys: { run: ['no-such-program'] },
    code: 73,
    line: /^to: failed: .*not in PATH/,
  },
  {
    kind: 'command',
    wrong: 'there is no folder to run it in',
    keys: { run: ['/bin/cat'], cwd: '/nowhere' },
    code: 73,
    line: /^to: failed: .*\/nowhere, which is not a directory/,
  },
  {
    kind: 'smtp',
    wrong: 'nothing',
    keys: TO,
    server: SMTP,
    code: 0,
    line: /^to: accepts mail \(smtp 127\.0\.0\.1:\d+\)$/,
  },
  {
    kind: 'smtp',
    wrong: 'nobody listens',
    keys: { ...TO, port: 1 },
    code: 75,
    line: /^to: failed: smtp .*connecting failed: connection refused: is the port right, is the server up\? \(ECONNREFUSED\)/,
  },
  {
    kind: 'smtp',
    wrong: 'the recipient is unknown',
    keys: TO,
    server: { ...SMTP, RCPT: '550 5.1.1 <bob@example.org>: User unknown in virtual mailbox table' },
    code: 75,
    line: /^to: failed: .*RCPT TO <bob@example\.org> was rejected: "550 5\.1\.1 .*": the recipient is unknown there: check to$/,
  },
  {
    kind: 'smtp',
    wrong: 'relaying is denied',
    keys: TO,
    server: { ...SMTP, RCPT: '554 5.7.1 <bob@example.org>: Relay access denied' },
    code: 75,
    line: /^to: failed: .*: relaying is denied: set user and password, and use the submission port \(587 or 465\)$/,
  },
  {
    kind: 'smtp',
    wrong: 'the sender is refused',
    keys: { ...TO, ...SIGNED_IN },
    server: { ...SMTP, MAIL: '553 5.7.1 not owned by user' },
    code: 75,
    line: /^to: failed: .*MAIL FROM <bob@example\.org> was rejected: "553 5\.7\.1/,
  },
  {
    kind: 'smtp',
    wrong: 'the password is wrong',
    keys: { ...TO, ...SIGNED_IN },
    server: { ...SMTP, AUTH: '535 5.7.8 authentication failed' },
    code: 77,
    line: /^to: failed: .*signing in was rejected: "535 5\.7\.8 authentication failed": check user, password or token, and auth$/,
  },
  {
    kind: 'smtp',
    wrong: 'there is no password',
    keys: { ...TO, user: 'bob', password: { env: 'NO_SUCH_PASSWORD' } },
    server: SMTP,
    code: 78,
    line: /^to: failed: .*NO_SUCH_PASSWORD: it is not set/,
  },
  {
    kind: 'smtp',
    wrong: 'it does not let anybody sign in',
    keys: { ...TO, ...SIGNED_IN },
    server: { ...SMTP, EHLO: '250 mx.example' },
    code: 76,
    line: /^to: failed: .*does not offer to sign in: is this the submission port \(587 or 465\)\?$/,
  },
  {
    kind: 'smtp',
    wrong: 'a POP3 server is there',
    keys: TO,
    server: { greeting: '+OK ready' },
    code: 76,
    line: /^to: failed: .*: this looks like a POP3 server: is this the submission port \(587 or 465\)\?$/,
  },
  {
    kind: 'smtp',
    wrong: 'an IMAP server is there',
    keys: TO,
    server: { greeting: '* OK ready' },
    code: 76,
    line: /^to: failed: .*: this looks like an IMAP server: is this the submission port \(587 or 465\)\?$/,
  },
  {
    kind: 'smtp',
    wrong: 'it does not begin with TLS',
    keys: { ...TO, tls: 'implicit' },
    server: SMTP,
    code: 76,
    line: /^to: failed: .*the TLS handshake: it does not speak TLS on this port: (?!.*(?:ERR_|SSL))/,
  },
  {
    kind: 'smtp',
    wrong: 'it has no STARTTLS',
    keys: { ...TO, tls: 'starttls' },
    server: { ...SMTP, STARTTLS: '502 5.5.1 not here' },
    code: 76,
    line: /^to: failed: .*STARTTLS.*: the server has no TLS on this port: is tls: implicit meant, or another port\?$/,
  },
  {
    kind: 'smtp',
    wrong: 'its certificate is not trusted',
    keys: { ...TO, tls: 'implicit' },
    server: SMTP,
    secure: true,
    code: 76,
    line: /^to: failed: .*the TLS handshake: its certificate .*: (?:set ca or pin|check).*check tls, ca and pin$/,
  },
  {
    kind: 'smtp',
    wrong: 'it begins with TLS, and says nothing',
    keys: { ...TO, tls: 'none', timeout: '1s' },
    server: SMTP,
    secure: true,
    code: 75,
    line: /^to: failed: .*the greeting was not answered in time: it hangs, or waits for TLS from the first byte: is tls: implicit meant\?$/,
  },
  {
    kind: 'smtp',
    wrong: 'it says nothing where TLS is to begin',
    keys: { ...TO, tls: 'implicit', timeout: '1s' },
    server: { greeting: '' },
    code: 76,
    line: /^to: failed: .*the TLS handshake was not answered in time: does this port speak TLS\? tls: starttls begins without it$/,
  },
  {
    kind: 'smtp',
    wrong: 'an LMTP server is there',
    keys: { ...TO, tls: 'starttls' },
    server: { ...SMTP, EHLO: '500 5.5.1 Unknown command' },
    code: 75,
    line: /^to: failed: .*EHLO was rejected: "500 5\.5\.1 Unknown command": this looks like an LMTP server: is this the submission port/,
  },
  {
    kind: 'smtp',
    wrong: 'it closes the connection at once',
    keys: TO,
    server: { ...SMTP, greeting: 'close' },
    code: 75,
    line: /^to: failed: .*the connection at the greeting failed: the server closed it: /,
  },
  {
    kind: 'lmtp',
    wrong: 'an SMTP server is there',
    keys: { to: 'bob' },
    server: { ...SMTP, LHLO: '502 5.5.2 Error: command not recognized' },
    code: 76,
    line: /^to: failed: .*LHLO was rejected: .*: this looks like an SMTP server: is this the LMTP port or socket\?$/,
  },
  {
    kind: 'imap',
    wrong: 'it has no STARTTLS',
    keys: { ...IMAP, tls: 'starttls' },
    server: { imap: 'yes', greeting: '* OK ready', CAPABILITY: '* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nTAG OK done' },
    code: 76,
    line: /^to: failed: .*STARTTLS: the server has no TLS on this port: is tls: implicit meant, or another port\?$/,
  },
  {
    kind: 'imap',
    wrong: 'an LMTP server is there',
    keys: { ...IMAP, tls: 'none' },
    server: { greeting: '220 mx LMTP ready' },
    code: 76,
    line: /^to: failed: .*the greeting was answered "220 mx LMTP ready", which is not IMAP: this looks like an LMTP server: is this the IMAP port/,
  },
  ...(['greeting', 'EHLO', 'MAIL', 'RCPT'] as const).map((step) => ({
    kind: 'smtp',
    wrong: `it hangs at ${step}`,
    keys: { ...TO, timeout: '1s' },
    server: { ...SMTP, [step]: '' },
    code: 75,
    line: /^to: failed: .* was not answered in time/,
  })),
  {
    kind: 'smtp',
    wrong: 'it is full',
    keys: TO,
    server: { ...SMTP, RCPT: '452 4.3.1 Insufficient system storage' },
    code: 75,
    line: /^to: failed: .*RCPT TO <bob@example\.org> was rejected: "452/,
  },
  {
    kind: 'smtp',
    wrong: 'it cuts the connection',
    keys: TO,
    server: { ...SMTP, RCPT: 'close' },
    code: 75,
    line: /^to: failed: .*the connection at RCPT TO <bob@example\.org> failed/,
  },
  { kind: 'lmtp', wrong: 'nothing', keys: { to: 'bob' }, server: SMTP, code: 0, line: /^to: accepts mail \(lmtp/ },
  {
    kind: 'lmtp',
    wrong: 'there is no socket',
    keys: { to: 'bob', socket: '/nowhere/lmtp' },
    code: 75,
    line: /^to: failed: lmtp .*connecting failed/,
  },
  {
    kind: 'lmtp',
    wrong: 'the mailbox is unknown',
    keys: { to: 'bob' },
    server: { ...SMTP, RCPT: "550 5.1.1 <bob> User doesn't exist: bob" },
    code: 75,
    line: /^to: failed: .*: the recipient is unknown there: check to$/,
  },
  {
    kind: 'imap',
    wrong: 'nobody listens',
    keys: { ...IMAP, port: 1, tls: 'none' },
    code: 75,
    line: /^to: failed: imap .*connecting failed: connection refused: is the port right/,
  },
  {
    kind: 'imap',
    wrong: 'the password is wrong',
    keys: { ...IMAP, tls: 'none' },
    server: {
      imap: 'yes',
      greeting: '* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready',
      CAPABILITY: '* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nTAG OK done',
      other: 'TAG NO [AUTHENTICATIONFAILED] no',
    },
    code: 77,
    line: /^to: failed: .*signing in was rejected: "NO \[AUTHENTICATIONFAILED\] no": check user, password or token, and auth$/,
  },
  {
    kind: 'imap',
    wrong: 'a POP3 server is there',
    keys: { ...IMAP, tls: 'none' },
    server: { greeting: '+OK ready' },
    code: 76,
    line: /^to: failed: .*: this looks like a POP3 server: is this the IMAP port \(993 or 143\)\?$/,
  },
  {
    kind: 'imap',
    wrong: 'it does not begin with TLS',
    keys: { ...IMAP, tls: 'implicit' },
    server: { greeting: '* OK ready' },
    code: 76,
    line: /^to: failed: .*it does not speak TLS on this port: (?!.*(?:ERR_|SSL))/,
  },
  {
    kind: 'imap',
    wrong: 'it says nothing',
    keys: { ...IMAP, tls: 'none', timeout: '1s' },
    server: { greeting: '' },
    code: 75,
    line: /^to: failed: .*was not answered in time/,
  },
  {
    kind: 'gmail',
    wrong: 'there is no token',
    keys: { user: 'bob@gmail.com', token: { env: 'NO_SUCH_TOKEN' }, endpoint: 'http://127.0.0.1:1' },
    code: 78,
    line: /^to: failed: gmail .*NO_SUCH_TOKEN: it is not set/,
  },
]

async function configured(keys: Readonly<Record<string, unknown>>, rest: object = {}): Promise<void> {
  const { host, port } = mailbox
  const account = { host, port, tls: 'none', user: 'alice', password: 'secret', deliver: 'to' }
  const configuration = { accounts: { work: account }, destinations: { to: keys }, ...rest }
  await person.write('.config/popfetch/config.json', JSON.stringify(configuration))
}

describe('each destination is tried without a message, and what is wrong is one line', () => {
  test.each(TABLE)('$kind: $wrong', async ({ kind, keys, server, secure, before, code, line }) => {
    await before?.()
    const port = server === undefined ? null : await speaking(server, secure)
    const isServer = ['smtp', 'lmtp', 'imap'].includes(kind) && keys['socket'] === undefined
    const place = isServer ? { host: '127.0.0.1', ...(port === null ? {} : { port }) } : {}
    await configured({
      type: kind,
      ...place,
      ...keys,
      ...(kind === 'maildir' || kind === 'mbox' ? { path: person.path(String(keys['path'])) } : {}),
    })
    expect([await person.run('check', 'to'), person.stderr.text]).toEqual([code, ''])
    const lines = person.stdout.text.trimEnd().split('\n')
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(line)
    expect(lines[0]).not.toMatch(/geheim/)
  })
})

describe('check', () => {
  test('without names tries all accounts and all destinations, and leaves nothing in a Maildir', async () => {
    await configured({ type: 'maildir', path: person.path('Mail') })
    expect(await person.run('check')).toBe(0)
    expect(person.stdout.text.trimEnd().split('\n').toSorted()).toEqual([
      expect.stringMatching(/^to: accepts mail/),
      'work: 1 message on the server, 1 to fetch',
    ])
    for (const folder of ['tmp', 'new', 'cur']) expect(await readdir(person.path('Mail', folder))).toEqual([])
    expect(mailbox.journal.of('retr')).toEqual([])
  })

  test('with the name of an account tries where its mail goes, too, and ends with the more serious code', async () => {
    await configured({ type: 'command', run: ['no-such-program'] })
    expect(await person.run('check', 'work', '--json')).toBe(73)
    expect(JSON.parse(person.stdout.text)).toMatchObject({
      ok: false,
      accounts: [{ account: 'work', outcome: 'ok', waiting: 1, new: 1, error: null }],
      destinations: [{ destination: 'to', ok: false, error: { code: 'ERR_DELIVERY' } }],
    })
  })

  test('tries the folder of each account where a folder has its name, though the server and the user are one', async () => {
    await using imap = await ImapServer.start()
    const { host, port } = mailbox
    const account = { host, port, tls: 'none', user: 'alice', password: 'secret', deliver: 'to' }
    const user = { user: 'me', password: 'secret' }
    const to = { type: 'imap', host: '127.0.0.1', port: imap.port, ...user, folder: 'Old/{account}', create: false }
    const configuration = { accounts: { work: account, home: account }, destinations: { to } }
    await person.write('.config/popfetch/config.json', JSON.stringify(configuration))
    imap.folder('Old/work')
    expect(await person.run('check', 'to')).toBe(73)
    expect(person.stdout.text).toContain('there is no folder Old/home, and create is false')
    imap.folder('Old/home')
    expect(await person.run('check', 'to')).toBe(0)
  })

  test('tries each of several as one, and a destination that no account uses', async () => {
    await configured(
      { type: 'maildir', path: person.path('Mail') },
      {
        destinations: {
          to: { type: 'maildir', path: person.path('Mail') },
          other: { type: 'maildir', path: person.path('Other') },
          idle: { type: 'command', run: ['no-such-program'] },
        },
        defaults: { route: [{ when: { from: '*x*' }, deliver: { 'first-of': ['other', 'to'] } }] },
      },
    )
    expect(await person.run('check', '--json')).toBe(73)
    const { destinations } = JSON.parse(person.stdout.text) as { destinations: { destination: string; ok: boolean }[] }
    expect(destinations.map(({ destination, ok }) => `${destination} ${ok}`)).toEqual([
      'to true',
      'other true',
      'idle false',
    ])
  })

  test('--verbose tells what a server offers; a server that is known to refuse others’ mail is warned of', async () => {
    const port = await speaking(SMTP)
    await configured({ type: 'smtp', host: '127.0.0.1', port, ...TO, ...SIGNED_IN })
    expect(await person.run('check', 'to', '--verbose')).toBe(0)
    const lines = person.stdout.text.split('\n').map((line) => line.trim().replaceAll(/ {2,}/g, ': '))
    expect(lines).toEqual([
      `to: accepts mail (smtp 127.0.0.1:${port})`,
      `server: 127.0.0.1:${port}, tls: none`,
      'greeting: 220 mx.example ESMTP',
      'sign-in offered: PLAIN',
      'largest message: 1000000 bytes',
      'offers: nothing else',
      'signed in with: PLAIN',
      'accepts mail for: <bob@example.org> from <bob@example.org>',
      '',
    ])
  })

  test('a name that is nothing names the nearest account or destination', async () => {
    await configured({ type: 'maildir', path: person.path('Mail') })
    expect(await person.run('check', 'wrok')).toBe(64)
    expect(person.stderr.text).toMatch(/no account or destination is called "wrok" \(did you mean "work"\?\)/)
  })
})

describe('check SERVER[:PORT] without any configuration', () => {
  test('says what a POP3 server is and offers, and sends no name', async () => {
    expect(await person.run('check', `${mailbox.host}:${mailbox.port}`)).toBe(0)
    expect(person.stdout.text).toMatch(new RegExp(`^${mailbox.host}:${mailbox.port}: a POP3 server\n`))
    expect(person.stdout.text).toMatch(/answers +127\.0\.0\.1:\d+, tls: none/)
    expect(person.stdout.text).toMatch(/sign-in offered/)
    expect([...new Set(mailbox.journal.commands())].toSorted()).toEqual(
      expect.not.arrayContaining(['USER', 'PASS', 'AUTH']),
    )
  })

  test('shows a certificate that is not trusted, what is behind it, and what to do', async () => {
    await using secured = await Pop3Server.start({ tls: 'implicit' })
    expect(await person.run('check', `localhost:${secured.port}`)).toBe(76)
    expect(person.stdout.text).toMatch(/: a POP3 server, but TLS with localhost:\d+ failed: its certificate/)
    expect(person.stdout.text).toContain(certificates.good.pin)
    expect(person.stdout.text).toMatch(/sign-in offered/)
  })

  test('nobody there is 75, what is no server is 64', async () => {
    expect(await person.run('check', '127.0.0.1:1')).toBe(75)
    expect(person.stdout.text).toMatch(/not a mail server: cannot connect to 127\.0\.0\.1:1: connection refused/)
    expect(await person.run('check', 'a.b:99999')).toBe(64)
  })
})
