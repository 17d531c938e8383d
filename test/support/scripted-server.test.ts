import { expect, test } from 'vitest'
import { RawClient } from './client.ts'
import { ScriptedServer } from './scripted-server.ts'
import { parseTranscript, playTranscript } from './transcript.ts'

const whole = String.raw`# one session
S: +OK ready
C: USER alice
C~: PASS .+
S: +OK
S<: +OK sig
!pause
S<: ned in\x21\r\n
C: QUIT
S: +OK bye
`

test('a transcript that is kept to ends well', async () => {
  await using server = await playTranscript(whole)
  await using client = await RawClient.connect(server.port)
  expect(await client.until('\r\n')).toBe('+OK ready\r\n')
  client.say('USER alice', 'PASS secret')
  expect(await client.until('!\r\n')).toBe('+OK\r\n+OK signed in!\r\n')
  expect(await client.ask('QUIT')).toBe('+OK bye')
  expect(await client.closed).toBe('end')
  await server.done
  expect(Buffer.concat(server.heard[0]!).toString()).toBe('USER alice\r\nPASS secret\r\nQUIT\r\n')
})

test('in pieces of one byte the client hears the same', async () => {
  await using server = await playTranscript(whole, { split: 1 })
  await using client = await RawClient.connect(server.port)
  client.say('USER alice', 'PASS secret', 'QUIT')
  await client.closed
  expect(client.heard).toBe('+OK ready\r\n+OK\r\n+OK signed in!\r\n+OK bye\r\n')
  await server.done
})

test('another line than the one written is told with file and line', async () => {
  await using server = await playTranscript(whole, { name: 'odd.txt' })
  await using client = await RawClient.connect(server.port)
  client.say('USER bob')
  await client.closed
  await expect(server.done).rejects.toThrow('odd.txt:3: expected "USER alice", the client said "USER bob"')
})

test('a client that goes too early or says too much is told', async () => {
  await using early = await playTranscript('S: +OK\nC: QUIT\n')
  await using first = await RawClient.connect(early.port)
  first.end()
  await expect(early.done).rejects.toThrow('expected "QUIT", the client closed the connection')
  await using late = await playTranscript('S: +OK\nC: QUIT\n')
  await using second = await RawClient.connect(late.port)
  second.say('QUIT', 'NOOP')
  await second.closed
  await expect(late.done).rejects.toThrow('the client said "NOOP\\r\\n" after the end of the script')
})

test('a connection that is not in the script is a failure, one that is has its own part', async () => {
  await using server = await playTranscript('S: one\n!connection\nS: two\n')
  for (const word of ['one', 'two']) {
    await using client = await RawClient.connect(server.port)
    await client.closed
    expect(client.heard).toBe(`${word}\r\n`)
  }
  await server.done
  await using other = await playTranscript('S: one\n!cut stall')
  await using kept = await RawClient.connect(other.port)
  expect(await kept.until('\r\n')).toBe('one\r\n')
  await using client = await RawClient.connect(other.port)
  await client.closed
  await expect(other.done).rejects.toThrow('connection 2 came, the script has 1')
})

test.each([
  ['fin', 'end'],
  ['rst', 'ECONNRESET'],
])('a cut by %s is one, whatever the client still says', async (mode, how) => {
  await using server = await playTranscript(`S: +OK\nC: GO\nS<: +OK hal\n!cut ${mode}\n`)
  await using client = await RawClient.connect(server.port)
  client.say('GO', 'MORE')
  expect(await client.closed).toBe(how)
  await server.done
})

test('TLS begins where the transcript says so', async () => {
  await using server = await playTranscript('S: +OK\nC: STLS\nS: +OK go\n!tls\nC: CAPA\nS: +OK\nS: .\n')
  await using client = await RawClient.connect(server.port)
  await client.until('\r\n')
  await client.ask('STLS')
  await client.secure()
  client.say('CAPA')
  expect(await client.until('.\r\n')).toBe('+OK\r\n.\r\n')
  client.end()
  await server.done
  await using implicit = await playTranscript('!tls\nS: +OK\nC: QUIT\n')
  await using tls = await RawClient.connect(implicit.port, { tls: true })
  expect(await tls.until('\r\n')).toBe('+OK\r\n')
  tls.say('QUIT')
  await tls.closed
  await implicit.done
})

test.each(['K: what', '!cut sideways', '!tls gold', String.raw`S<: \q`, '!split x'])(
  '%s is refused with its line',
  (line) => {
    expect(() => parseTranscript(`# fine\n${line}\n`, 'file')).toThrow(/^file:2: /)
  },
)

test('steps read up to given bytes, as for a message after DATA', async () => {
  await using server = await ScriptedServer.start([
    [{ send: '220 hi' }, { expectUntil: '\r\n.\r\n' }, { send: '250 ok' }, { ignore: true }],
  ])
  await using client = await RawClient.connect(server.port)
  await client.until('\r\n')
  client.write('text\n.\nmore\r\n.\r\n')
  expect(await client.until('\r\n')).toBe('250 ok\r\n')
  client.say('QUIT')
  client.end()
  await server.done
})
