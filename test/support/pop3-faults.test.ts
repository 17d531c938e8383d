import { expect, test } from 'vitest'
import { RawClient } from './client.ts'
import { Pop3Server } from './pop3-server.ts'

const session = ['USER alice', 'PASS secret', 'UIDL', 'RETR 1', 'DELE 1', 'QUIT']

/** One whole session in one packet: what was heard and how it ended. */
async function run(server: Pop3Server, commands: readonly string[] = session): Promise<{ heard: string; how: string }> {
  await using client = await RawClient.connect(server.port, { tls: server.tls === 'implicit' })
  client.say(...commands)
  return { how: await client.closed, heard: client.heard }
}

async function oneMail(options: Parameters<typeof Pop3Server.start>[0] = {}): Promise<Pop3Server> {
  const server = await Pop3Server.start(options)
  server.mailbox('alice').add('.one\ntwo\n', { uidl: 'A' })
  return server
}

test('a healthy session cut at every byte commits the deletion exactly when the cut is in the answer to QUIT', async () => {
  await using healthy = await oneMail()
  const { heard } = await run(healthy)
  const committedFrom = heard.length - '+OK bye\r\n'.length
  for (let cut = 0; cut <= heard.length; cut += 1) {
    await using server = await oneMail()
    server.faults.cutAfterBytes = cut
    const got = await run(server)
    expect(got).toEqual({ heard: heard.slice(0, cut), how: 'end' })
    await server.journal.when((entry) => entry.kind === 'close')
    const committed = cut > committedFrom
    expect([cut, server.mailbox('alice').messages.length]).toEqual([cut, committed ? 0 : 1])
    expect(server.journal.of('commit').length).toBe(committed ? 1 : 0)
  }
})

test.each(['none', 'implicit'] as const)('a reset reaches the client as a reset (tls %s)', async (tls) => {
  await using server = await oneMail({ tls })
  server.faults.cutAfterBytes = 60
  server.faults.cutMode = 'rst'
  const { how } = await run(server)
  expect(how).toBe('ECONNRESET')
})

test('a stall says nothing more and keeps the connection', async () => {
  await using server = await oneMail()
  server.faults.cutAfterBytes = 40
  server.faults.cutMode = 'stall'
  await using client = await RawClient.connect(server.port)
  client.say(...session)
  while (client.heard.length < 40) await client.until(client.heard.at(-1) ?? '+')
  expect(server.open).toBe(1)
  expect(server.journal.commands()).not.toContain('QUIT')
  client.end()
  await server.journal.when((entry) => entry.kind === 'close')
})

test('only so many connections are cut', async () => {
  await using server = await oneMail()
  server.faults.cutAfterBytes = 10
  server.faults.cutTimes = 1
  expect((await run(server)).heard.length).toBe(10)
  expect((await run(server)).heard).toMatch(/bye\r\n$/)
})

test('deletions can be ignored, refused, lost, or fail one by one', async () => {
  await using server = await oneMail()
  const { messages } = server.mailbox('alice')
  server.faults.ignoreDeletes = true
  expect((await run(server)).heard).toMatch(/\+OK bye\r\n$/)
  expect(messages.length).toBe(1)
  server.faults.ignoreDeletes = false
  server.faults.quitError = '-ERR some were not removed'
  expect((await run(server)).heard).toMatch(/-ERR some were not removed\r\n$/)
  expect(messages.length).toBe(1)
  server.faults.quitError = null
  server.faults.undeletable.add('A')
  await run(server)
  expect(messages.length).toBe(1)
  server.faults.undeletable.clear()
  server.faults.quitLost = true
  expect((await run(server)).heard).toMatch(/\+OK marked\r\n$/)
  expect(messages.length).toBe(0)
})

test('canned answers stand in for a verb or a whole command and nothing is done', async () => {
  await using server = await oneMail()
  server.faults.reply.set('DELE', '-ERR read-only')
  server.faults.reply.set('RETR 1', '-ERR [SYS/PERM] gone')
  server.faults.greeting = '+OK one\r\n+OK two'
  const { heard } = await run(server)
  expect(heard.split('\r\n')).toEqual([
    '+OK one',
    '+OK two',
    '+OK send PASS',
    '+OK signed in',
    '+OK',
    '1 A',
    '.',
    '-ERR [SYS/PERM] gone',
    '-ERR read-only',
    '+OK bye',
    '',
  ])
  expect(server.mailbox('alice').messages.length).toBe(1)
})

test('a hook decides over each command, in its own time, and sees the session', async () => {
  await using server = await oneMail()
  const seen: string[] = []
  server.faults.onCommand = async (verb, args, { user, id }) => {
    seen.push(`${id} ${user} ${verb} ${args}`.trimEnd())
    await Promise.resolve()
    if (verb === 'UIDL') return { answer: '+OK Logged in.\r\n-ERR [SYS/TEMP] broken', next: 'drop' }
    return 'serve'
  }
  const { heard } = await run(server)
  expect(seen).toEqual(['1  CONNECT', '1  USER alice', '1 alice PASS secret', '1 alice UIDL'])
  expect(heard).toMatch(/signed in\r\n\+OK Logged in\.\r\n-ERR \[SYS\/TEMP\] broken\r\n$/)
})

test.each([
  ['CONNECT', 'drop', 'end'],
  ['PASS', 'drop', 'end'],
  ['RETR', 'reset', 'ECONNRESET'],
] as const)('at %s the connection can be ended by %s', async (at, action, how) => {
  await using server = await oneMail()
  server.faults.onCommand = (verb) => (verb === at ? action : 'serve')
  expect((await run(server)).how).toBe(how)
  await server.journal.when((entry) => entry.kind === 'close')
  expect(server.open).toBe(0)
})

test('what a hook throws is told when the server is disposed of', async () => {
  const server = await oneMail()
  server.faults.onCommand = () => {
    throw new Error('never that command')
  }
  await expect(
    (async () => {
      await using held = server
      await run(held)
      await held.journal.when((entry) => entry.kind === 'close')
    })(),
  ).rejects.toThrow(AggregateError)
})

test('lists and sizes lie line by line', async () => {
  await using server = await oneMail()
  server.mailbox('alice').add('three', { uidl: 'B' })
  server.mailbox('alice').add('four', { uidl: '\xff\x01' })
  server.faults.uidlLine = (number, message) => (number === 1 ? null : `${number}  \t${message.uidl}`)
  server.faults.listSize = () => 1024
  const { heard } = await run(server, ['USER alice', 'PASS secret', 'UIDL', 'LIST', 'STAT', 'QUIT'])
  expect(heard).toContain(
    '+OK\r\n2  \tB\r\n3  \t\xff\x01\r\n.\r\n+OK\r\n1 1024\r\n2 1024\r\n3 1024\r\n.\r\n+OK 3 3072\r\n',
  )
})

test('a body can be given to the byte', async () => {
  await using server = await oneMail()
  server.faults.rawBody = ({ uidl }) => (uidl === 'A' ? Buffer.from('.\r\n+OK smuggled\r\n') : null)
  const { heard } = await run(server)
  expect(heard).toContain('+OK 11 octets\r\n.\r\n+OK smuggled\r\n+OK marked\r\n')
})

test('a server of LF lines says LF everywhere', async () => {
  await using server = await oneMail()
  server.faults.lineEnding = '\n'
  const { heard } = await run(server)
  expect(heard).not.toContain('\r')
  expect(heard).toContain('+OK 11 octets\n..one\ntwo\n.\n')
})

test('a window shows one end of the mailbox', async () => {
  await using server = await oneMail()
  for (const uidl of ['B', 'C']) server.mailbox('alice').add(uidl, { uidl })
  server.faults.window = 2
  expect((await run(server, ['USER alice', 'PASS secret', 'UIDL', 'QUIT'])).heard).toContain('\r\n1 A\r\n2 B\r\n.\r\n')
  server.faults.windowEnd = 'newest'
  expect((await run(server, ['USER alice', 'PASS secret', 'UIDL', 'QUIT'])).heard).toContain('\r\n1 B\r\n2 C\r\n.\r\n')
})

test('a popped message is there and not listed', async () => {
  await using server = await oneMail()
  server.faults.popped = true
  await run(server, ['USER alice', 'PASS secret', 'RETR 1', 'QUIT'])
  expect((await run(server, ['USER alice', 'PASS secret', 'STAT', 'QUIT'])).heard).toContain('+OK 0 0\r\n')
  expect(server.mailbox('alice').messages.length).toBe(1)
})

test('pipelined input can be dropped or punished', async () => {
  await using server = await oneMail()
  server.faults.pipelining = 'close'
  expect((await run(server)).heard).toBe('+OK POP3 server ready\r\n+OK send PASS\r\n')
  server.faults.pipelining = 'drop-after-first'
  await using client = await RawClient.connect(server.port)
  client.say('USER alice', 'PASS secret')
  await client.until('PASS\r\n')
  expect(await client.ask('PASS secret')).toBe('+OK signed in')
})

test('a mailbox that is in use, or was just used, refuses a second session', async () => {
  await using server = await oneMail()
  server.faults.exclusive = true
  server.faults.loginDelayMs = 1000
  let nowMs = 5000
  server.now = () => nowMs
  const login = ['USER alice', 'PASS secret', 'QUIT']
  await using client = await RawClient.connect(server.port)
  await client.until('\r\n')
  await client.ask('USER alice')
  await client.ask('PASS secret')
  expect((await run(server, login)).heard).toContain('-ERR [IN-USE]')
  await client.ask('QUIT')
  nowMs += 999
  expect((await run(server, login)).heard).toContain('-ERR [LOGIN-DELAY]')
  nowMs += 1
  expect((await run(server, login)).heard).toContain('+OK signed in')
})

test('what is injected behind STLS is in the clear', async () => {
  await using server = await oneMail({ tls: 'starttls' })
  server.faults.stlsInjection = '+OK injected'
  server.faults.handshake = 'drop'
  expect(await run(server, ['STLS'])).toEqual({
    heard: '+OK POP3 server ready\r\n+OK begin TLS\r\n+OK injected\r\n',
    how: 'end',
  })
})

test('continuations and initial responses can be odd', async () => {
  await using server = await oneMail()
  server.faults.continuation = '+OK '
  server.faults.refuseInitialResponse = true
  await using client = await RawClient.connect(server.port)
  await client.until('\r\n')
  expect(await client.ask('AUTH PLAIN AGFsaWNlAHNlY3JldA==')).toMatch(/^-ERR/)
  expect(await client.ask('AUTH PLAIN')).toBe('+OK ')
  expect(await client.ask('AGFsaWNlAHNlY3JldA==')).toBe('+OK signed in')
})

test('after so many unknown commands the connection is closed', async () => {
  await using server = await oneMail()
  server.faults.badCommandLimit = 2
  expect((await run(server, ['XTND', 'NOOP', 'USER alice'])).heard).toBe(
    '+OK POP3 server ready\r\n-ERR unknown command\r\n-ERR unknown command\r\n',
  )
})

test.each([1, 2, 7])('paced to %i bytes at a time the stream is the same', async (chunkBytes) => {
  await using healthy = await oneMail()
  await using server = await oneMail()
  server.faults.pace = { chunkBytes, pauseMs: 0 }
  expect(await run(server)).toEqual(await run(healthy))
})
