import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { RawClient } from './client.ts'
import { Pop3Server } from './pop3-server.ts'

const signIn = ['USER alice', 'PASS secret']

async function signedIn(server: Pop3Server, user = 'alice'): Promise<RawClient> {
  const client = await RawClient.connect(server.port, { tls: server.tls === 'implicit' })
  await client.until('\r\n')
  await client.ask(`USER ${user}`)
  expect(await client.ask('PASS secret')).toBe('+OK signed in')
  return client
}

test('a dot at the start of a line is doubled, and only there', async () => {
  await using server = await Pop3Server.start()
  server.mailbox('alice').add(Buffer.from('.a\r\nb.\r\n.\r\n..\r\nc\n.\nd\r\r\n.e'))
  await using client = await signedIn(server)
  client.say('RETR 1')
  const answer = await client.until('\r\n.\r\n')
  expect(answer).toBe('+OK 27 octets\r\n..a\r\nb.\r\n..\r\n...\r\nc\n.\nd\r\r\n..e\r\n.\r\n')
})

test('text gets CRLF line ends and bytes are kept; both get a last CRLF', async () => {
  await using server = await Pop3Server.start()
  const mailbox = server.mailbox('alice')
  expect(mailbox.add('a\nb\r\nc').bytes.toString()).toBe('a\r\nb\r\nc\r\n')
  expect(mailbox.add(Buffer.from('a\nb\rc')).bytes.toString()).toBe('a\nb\rc\r\n')
  expect(mailbox.add('').bytes.length).toBe(0)
})

test('an empty message is a status line and a dot', async () => {
  await using server = await Pop3Server.start()
  server.mailbox('alice').add('')
  await using client = await signedIn(server)
  client.say('RETR 1', 'NOOP')
  expect(await client.until('+OK\r\n')).toBe('+OK 0 octets\r\n.\r\n+OK\r\n')
})

test('a deletion is committed at QUIT and not before', async () => {
  await using server = await Pop3Server.start()
  const mailbox = server.mailbox('alice')
  const [first, second] = [mailbox.add('one'), mailbox.add('two')]
  await using client = await signedIn(server)
  expect(await client.ask('DELE 1')).toMatch(/^\+OK/)
  expect(mailbox.messages).toEqual([first, second])
  expect(await client.ask('QUIT')).toMatch(/^\+OK/)
  expect(await client.closed).toBe('end')
  expect(mailbox.messages).toEqual([second])
  expect(server.journal.of('commit').map((entry) => entry.uidl)).toEqual([first.uidl])
  expect(server.journal.of('rollback')).toEqual([])
})

test.each(['end', 'destroy'])('a connection that ends without QUIT (%s) takes deletions back', async (how) => {
  await using server = await Pop3Server.start()
  const mailbox = server.mailbox('alice')
  const message = mailbox.add('one')
  await using client = await signedIn(server)
  await client.ask('DELE 1')
  if (how === 'end') client.end()
  else await client[Symbol.asyncDispose]()
  await server.journal.when((entry) => entry.kind === 'close')
  expect(mailbox.messages).toEqual([message])
  expect(server.journal.of('commit')).toEqual([])
  expect(server.journal.of('rollback').map((entry) => entry.uidl)).toEqual([message.uidl])
})

test('the journal tells connect, commands, sign-in, retrievals and deletions in the order in which they happened', async () => {
  await using server = await Pop3Server.start()
  const { uidl } = server.mailbox('alice').add('one')
  await using client = await RawClient.connect(server.port)
  client.say(...signIn, 'RETR 1', 'DELE 1', 'QUIT')
  await client.closed
  await server.journal.when((entry) => entry.kind === 'close')
  expect(server.journal.map((entry) => `${entry.kind} ${entry.text} ${entry.uidl ?? ''}`.trimEnd())).toEqual([
    'connect',
    'command USER alice',
    'command PASS secret',
    'auth accepted PASS',
    'command RETR 1',
    `retr 1 ${uidl}`,
    'command DELE 1',
    `dele 1 ${uidl}`,
    'command QUIT',
    `commit  ${uidl}`,
    'close',
  ])
  const times = server.journal.map((entry) => entry.at)
  expect(times).toEqual([...times].sort((a, b) => a - b))
  expect(new Set(times).size).toBe(times.length)
})

test('RSET takes marks back, numbers stay what they were at sign-in', async () => {
  await using server = await Pop3Server.start()
  const mailbox = server.mailbox('alice')
  mailbox.add('one', { uidl: 'A' })
  mailbox.add('two', { uidl: 'B' })
  await using client = await signedIn(server)
  await client.ask('DELE 1')
  mailbox.add('three', { uidl: 'C' })
  expect(await client.ask('DELE 1')).toBe('-ERR no such message')
  expect(await client.ask('UIDL 2')).toBe('+OK 2 B')
  expect(await client.ask('UIDL 3')).toBe('-ERR no such message')
  expect(await client.ask('STAT')).toBe('+OK 1 5')
  client.say('UIDL')
  expect(await client.until('.\r\n')).toBe('+OK\r\n2 B\r\n.\r\n')
  await client.ask('RSET')
  expect(await client.ask('STAT')).toBe('+OK 2 10')
  await client.ask('RETR 2')
  await client.until('.\r\n')
  expect(await client.ask('LAST')).toBe('+OK 2')
})

test('TOP gives the header and as many lines of the body as asked for', async () => {
  await using server = await Pop3Server.start()
  server.mailbox('alice').add('Subject: x\n\n.one\ntwo\nthree\n')
  await using client = await signedIn(server)
  client.say('TOP 1 0', 'TOP 1 2')
  expect(await client.until('.\r\n')).toBe('+OK\r\nSubject: x\r\n\r\n.\r\n')
  expect(await client.until('\r\n.\r\n')).toBe('+OK\r\nSubject: x\r\n\r\n..one\r\ntwo\r\n.\r\n')
})

test.each([
  ['AUTH PLAIN', [Buffer.from('\0alice\0secret').toString('base64')]],
  [`AUTH PLAIN ${Buffer.from('alice\0alice\0secret').toString('base64')}`, []],
  ['AUTH LOGIN', [Buffer.from('alice').toString('base64'), Buffer.from('secret').toString('base64')]],
  [`auth login ${Buffer.from('alice').toString('base64')}`, [Buffer.from('secret').toString('base64')]],
])('%s signs in', async (command, responses) => {
  await using server = await Pop3Server.start()
  server.mailbox('alice')
  await using client = await RawClient.connect(server.port)
  await client.until('\r\n')
  let answer = await client.ask(command)
  for (const response of responses) {
    expect(answer).toMatch(/^\+ /)
    answer = await client.ask(response)
  }
  expect(answer).toBe('+OK signed in')
  expect(await client.ask('STAT')).toBe('+OK 0 0')
})

test.each([
  [['USER alice', 'PASS wrong']],
  [['USER nobody', 'PASS secret']],
  [['AUTH PLAIN', Buffer.from('\0alice\0wrong').toString('base64')]],
  [['AUTH PLAIN', 'not base64!']],
  [['AUTH PLAIN', '*']],
])('%j does not', async (commands) => {
  await using server = await Pop3Server.start()
  server.mailbox('alice')
  await using client = await RawClient.connect(server.port)
  await client.until('\r\n')
  let answer = ''
  for (const command of commands) answer = await client.ask(command)
  expect(answer).toBe('-ERR [AUTH] wrong user name or password')
  expect(await client.ask('STAT')).toBe('-ERR unknown command')
  expect(server.journal.of('auth').map((entry) => entry.text)).toEqual([expect.stringMatching(/^refused /)])
})

test('a password keeps its spaces', async () => {
  await using server = await Pop3Server.start()
  server.mailbox('al ice', ' p "a\\ %s ')
  await using client = await RawClient.connect(server.port)
  await client.until('\r\n')
  await client.ask('USER al ice')
  expect(await client.ask('PASS  p "a\\ %s ')).toBe('+OK signed in')
})

test('with STLS commands are in the clear before and secure after, and capabilities are those of the state', async () => {
  await using server = await Pop3Server.start({ tls: 'starttls' })
  server.mailbox('alice')
  server.capabilities = { before: ['STLS'], afterTls: ['USER'], afterLogin: ['UIDL', 'PIPELINING'] }
  await using client = await RawClient.connect(server.port)
  await client.until('\r\n')
  client.say('CAPA')
  expect(await client.until('.\r\n')).toBe('+OK\r\nSTLS\r\n.\r\n')
  expect(await client.ask('STLS')).toMatch(/^\+OK/)
  await client.secure()
  client.say('CAPA', ...signIn, 'CAPA')
  expect(await client.until('.\r\n')).toBe('+OK\r\nUSER\r\n.\r\n')
  expect(await client.until('PIPELINING\r\n.\r\n')).toContain('+OK\r\nUIDL\r\n')
  expect(server.journal.of('command').map((entry) => [entry.text, entry.secure])).toEqual([
    ['CAPA', false],
    ['STLS', false],
    ['CAPA', true],
    ['USER alice', true],
    ['PASS secret', true],
    ['CAPA', true],
  ])
})

test('with TLS from the first byte it greets under TLS', async () => {
  await using server = await Pop3Server.start({ tls: 'implicit' })
  server.mailbox('alice').add('one')
  await using client = await signedIn(server)
  expect(await client.ask('STAT')).toBe('+OK 1 5')
  expect(server.journal.of('command').every((entry) => entry.secure)).toBe(true)
})

test('a sparse message is sent whole though it never is in memory, and a client that does not read holds it up', async () => {
  await using server = await Pop3Server.start()
  const sizeBytes = 30_000_001
  const message = server.mailbox('alice').add({ sizeBytes, line: 'never . starts' })
  expect(message.bytes.length).toBe(sizeBytes)
  await using client = await signedIn(server)
  client.pause()
  client.say('RETR 1')
  await server.journal.when((entry) => entry.kind === 'retr')
  client.say('NOOP', 'QUIT')
  // Another client's exchanges take longer than a NOOP that is obeyed.
  server.mailbox('bob')
  await using other = await signedIn(server, 'bob')
  await other.ask('STAT')
  expect(server.journal.commands(1)).not.toContain('NOOP')
  client.resume()
  await client.closed
  const { heard } = client
  const body = Buffer.from(heard.slice(heard.indexOf(' octets\r\n') + 9, -'.\r\n+OK\r\n+OK bye\r\n'.length), 'latin1')
  const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
  expect(body.length).toBe(sizeBytes)
  expect(sha(body)).toBe(sha(message.bytes))
})

test.each([60, 61, 62, 100, 101, 102, 103, 104, 400])(
  'a sparse message of %i bytes has that many and ends with CRLF',
  async (sizeBytes) => {
    await using server = await Pop3Server.start()
    const { bytes } = server
      .mailbox('alice')
      .add({ sizeBytes, line: 'twenty bytes of text', header: 'Subject: a sparse one' })
    expect(bytes.length).toBe(sizeBytes)
    expect(bytes.subarray(-2).toString()).toBe('\r\n')
  },
)

test('thousands of pipelined commands are answered in their order', async () => {
  await using server = await Pop3Server.start()
  const mailbox = server.mailbox('alice')
  for (let n = 1; n <= 3000; n += 1) mailbox.add(`Subject: ${n}\n\n.body ${n}\n`)
  await using client = await RawClient.connect(server.port)
  client.say(...signIn, ...mailbox.messages.map((_, index) => `RETR ${index + 1}`), 'QUIT')
  await client.closed
  const subjects = [...client.heard.matchAll(/^Subject: (\d+)\r\n\r\n\.\.body \1\r\n\.\r$/gm)].map((match) =>
    Number(match[1]),
  )
  expect(subjects).toEqual(mailbox.messages.map((_, index) => index + 1))
})
