import { describe, expect, it } from 'vitest'
import { Pop3Server } from '../support/pop3-server.ts'
import { ScriptedServer } from '../support/scripted-server.ts'
import { alice, failure, open, signedIn } from './sessions.ts'

/** Time limits of these tests are limits, not sleeps: what they wait for never comes. */
const SHORT_MS = 150

describe('a greeting', () => {
  it.each(['+OK', '+ok hi', '+OK\thi', '+OK hi  '])('of %j is one (P023)', async (greeting) => {
    await using server = await Pop3Server.start()
    server.faults.greeting = greeting
    await using session = await open(server)
    expect(session.botched).toBeNull()
  })

  it('is kept, safe to print (P026)', async () => {
    await using server = await Pop3Server.start()
    server.faults.greeting = Buffer.from('+OK \x1b]0;x\x07\x1b[2J\xe2\x80\xae\xff\r\n', 'latin1')
    await using session = await open(server)
    expect(session.greeting).toBe('\\x1b]0;x\\x07\\x1b[2J\\xe2\\x80\\xae\\xff')
  })

  it.each([
    ['-ERR [SYS/TEMP] maintenance', 'the server refused the connection: "[SYS/TEMP] maintenance"'],
    ['-ERR', 'the server refused the connection: ""'],
  ])('of %j is a refusal of now, never of the password (P022)', async (greeting, message) => {
    await using server = await Pop3Server.start()
    server.faults.greeting = greeting
    expect(await failure(open(server))).toMatchObject({ code: 'ERR_POP3_REPLY', message, retry: 'soon' })
    await server.journal.when(({ kind }) => kind === 'close')
    expect(server.journal.commands()).toEqual([])
  })

  it.each([
    ['HTTP/1.1 400 Bad Request', /web server or a captive portal/],
    ['* OK [CAPABILITY IMAP4rev1] ready', /IMAP server/],
    ['220 mx.example.org ESMTP', /SMTP server/],
    ['SSH-2.0-OpenSSH_9.9', /SSH server/],
    ['\r\n+OK hi', /not a POP3 answer: ""/],
    ['+OKAY', /not a POP3 answer: "\+OKAY"/],
    ['+ ', /is not an answer to the greeting/],
  ])('of %j is not POP3, and what it is is said (P021, P024)', async (greeting, message) => {
    await using server = await Pop3Server.start()
    server.faults.greeting = greeting
    const error = await failure(open(server))
    expect(error.code).toBe('ERR_POP3_PROTOCOL')
    expect(error.message).toMatch(message)
    await server.journal.when(({ kind }) => kind === 'close')
    expect(server.journal.commands()).toEqual([])
  })

  it('with an answer behind it that nobody asked for ends the session before a word is said (P027)', async () => {
    await using server = await Pop3Server.start()
    server.faults.greeting = '+OK hi\r\n+OK logged in'
    const error = await failure(open(server))
    expect(error).toMatchObject({ code: 'ERR_POP3_PROTOCOL' })
    expect(error.message).toContain('"+OK logged in"')
    await server.journal.when(({ kind }) => kind === 'close')
    expect(server.journal.commands()).toEqual([])
  })

  it('that never ends is not waited for and not kept (P025)', async () => {
    await using server = await Pop3Server.start()
    server.faults.greeting = Buffer.alloc(10_000_000, 'x')
    expect(await failure(open(server))).toMatchObject({
      code: 'ERR_POP3_PROTOCOL',
      message: expect.stringContaining('over 8192 bytes'),
    })
  })

  it('that drips must be complete in time anyway (P025)', async () => {
    await using server = await Pop3Server.start()
    server.faults.greeting = `+OK ${'x'.repeat(4000)}`
    server.faults.pace = { chunkBytes: 1, pauseMs: 2 }
    expect(await failure(open(server, { timeoutMs: SHORT_MS }))).toMatchObject({
      code: 'ERR_TIMEOUT',
      message: expect.stringMatching(/sent no complete greeting within .*: is tls: implicit meant\?$/),
      retry: 'soon',
    })
  })

  it('that never comes is given up (P006)', async () => {
    await using server = await Pop3Server.start()
    server.faults.onCommand = () => 'stall'
    expect(await failure(open(server, { timeoutMs: SHORT_MS }))).toMatchObject({ code: 'ERR_TIMEOUT' })
  })

  it.each(['drop', 'reset'] as const)('that is a %s instead is a matter of now (P008)', async (action) => {
    await using server = await Pop3Server.start()
    server.faults.onCommand = () => action
    expect(await failure(open(server))).toMatchObject({ code: 'ERR_CONNECT', retry: 'soon' })
  })

  it('followed by a FIN at once ends in an error, not in a write after the end (P029)', async () => {
    await using server = await Pop3Server.start()
    server.faults.onCommand = () => ({ answer: '+OK hi', next: 'drop' })
    expect(await failure(open(server))).toMatchObject({ code: 'ERR_CONNECT' })
  })
})

describe('connecting', () => {
  it('to a port where nobody listens says so', async () => {
    const server = await Pop3Server.start()
    const { port } = server
    await server[Symbol.asyncDispose]()
    expect(await failure(open({ port }))).toMatchObject({
      code: 'ERR_CONNECT',
      message: `cannot connect to 127.0.0.1:${port}: connection refused: is the port right, is the server up? (ECONNREFUSED)`,
    })
  })

  it('tries all addresses of a name (P004)', async () => {
    await using server = await Pop3Server.start()
    await using session = await open(server, { host: 'localhost' })
    expect(session.greeting).toBe('POP3 server ready')
  })

  it('stops when it is told to, before and during', async () => {
    await using server = await Pop3Server.start()
    expect(await failure(open(server, {}, AbortSignal.abort()))).toMatchObject({ code: 'ERR_ABORTED' })
    const stop = new AbortController()
    server.faults.onCommand = () => 'stall'
    const opening = open(server, {}, stop.signal)
    await server.journal.when(
      ({ kind, session }) => kind === 'connect' && session === server.journal.of('connect').length,
    )
    stop.abort()
    expect(await failure(opening)).toMatchObject({ code: 'ERR_ABORTED' })
  })
})

describe('CAPA', () => {
  it('may be unknown to the server (P031)', async () => {
    await using server = await Pop3Server.start()
    server.capabilities = null
    server.mailbox('alice').add('Subject: a\n\na')
    await using session = await signedIn(server)
    expect(session.capabilities.names.size).toBe(0)
    expect(session.signedInWith).toBe('user')
    expect((await session.list()).length).toBe(1)
    // No second try of what is unknown: some servers count (P150).
    expect(server.journal.commands()).toEqual(['CAPA', 'USER alice', 'PASS secret', 'LIST', 'UIDL'])
  })

  it('that is answered with a code for "not now" ends the session (P146)', async () => {
    await using server = await Pop3Server.start()
    server.mailbox('alice')
    server.faults.onCommand = (verb, _args, { user }) =>
      verb === 'CAPA' && user !== '' ? { answer: '-ERR [SYS/TEMP] shutting down', next: 'drop' } : 'serve'
    await using session = await signedIn(server)
    expect(await failure(session.list())).toMatchObject({
      code: 'ERR_POP3_REPLY',
      message: 'the server refused CAPA: "[SYS/TEMP] shutting down"',
    })
  })

  it('whose answer does not end is given up, however fast it comes (P033)', async () => {
    await using server = await Pop3Server.start()
    server.faults.reply.set('CAPA', Buffer.from(`+OK\r\n${'XENDLESS\r\n'.repeat(300_000)}`))
    expect(await failure(open(server))).toMatchObject({
      code: 'ERR_POP3_PROTOCOL',
      message: expect.stringContaining('does not end'),
    })
  })

  it('whose answer stops before its end is given up (P033)', async () => {
    await using server = await Pop3Server.start()
    server.faults.reply.set('CAPA', '+OK\r\nTOP')
    expect(await failure(open(server, { timeoutMs: SHORT_MS }))).toMatchObject({
      code: 'ERR_TIMEOUT',
      message: expect.stringMatching(/no complete answer to CAPA in time \(waited \d+ ms, 5 bytes came\)/),
    })
  })

  it('that closes the connection says what was going on (P032)', async () => {
    await using server = await Pop3Server.start()
    server.faults.onCommand = (verb) => (verb === 'CAPA' ? 'drop' : 'serve')
    expect(await failure(open(server))).toMatchObject({
      code: 'ERR_CONNECT',
      message: 'the server closed the connection in the middle of CAPA: it may be busy, try again later',
    })
  })

  it('is asked again after sign-in, and the later answer counts (P036)', async () => {
    await using server = await Pop3Server.start()
    server.capabilities = { before: ['USER', 'X-BEFORE'], afterTls: [], afterLogin: ['UIDL', 'PIPELINING', 'EXPIRE 0'] }
    server.mailbox('alice')
    await using session = await signedIn(server)
    await session.list()
    expect([...session.capabilities.names]).toEqual(['UIDL', 'PIPELINING', 'EXPIRE'])
    expect(session.capabilities.expireDays).toBe(0)
  })

  it('that is refused after sign-in leaves what was known, but for PIPELINING (P036)', async () => {
    await using server = await Pop3Server.start()
    const mailbox = server.mailbox('alice')
    mailbox.add('Subject: a\n\na')
    mailbox.add('Subject: b\n\nb')
    server.faults.onCommand = (verb, _args, { user }) => (verb === 'CAPA' && user !== '' ? '-ERR not now' : 'serve')
    await using session = await signedIn(server)
    expect((await session.list()).length).toBe(2)
    expect([...session.capabilities.names]).toEqual(['TOP', 'UIDL', 'RESP-CODES', 'USER', 'SASL'])
    server.faults.pipelining = 'close'
    const replies = await Promise.all([session.noop(), session.noop(), session.remove(1)])
    expect(replies[2].status).toBe('ok')
  })
})

describe('a session', () => {
  it('that ends leaves nothing behind, and says no QUIT of its own accord', async () => {
    await using server = await Pop3Server.start()
    server.mailbox('alice')
    {
      await using session = await signedIn(server)
      expect(session.idle).toBe(true)
    }
    await server.journal.when(({ kind }) => kind === 'close')
    expect(server.journal.commands()).not.toContain('QUIT')
  })

  it('that ended rejects what is asked of it afterwards', async () => {
    await using server = await Pop3Server.start()
    const session = await open(server)
    await session[Symbol.asyncDispose]()
    await session[Symbol.asyncDispose]()
    expect(await failure(session.noop())).toMatchObject({ code: 'ERR_ABORTED' })
    expect(await failure(session.signIn('auto', alice))).toMatchObject({ code: 'ERR_ABORTED' })
  })

  it('says every line to the trace, secrets and bodies masked', async () => {
    await using server = await Pop3Server.start()
    server.mailbox('alice').add('Subject: private\n\nprivate')
    const lines: string[] = []
    const trace = (direction: string, text: string): number => lines.push(`${direction}: ${text}`)
    const session = await open(server, { trace })
    await session.signIn('login', alice)
    await session.list()
    await session.retrieve(1, { write: () => undefined })
    await session.quit()
    expect(lines.slice(0, 9)).toEqual([
      'S: +OK POP3 server ready',
      'C: CAPA',
      'S: +OK',
      'S: (59 bytes) .',
      'C: AUTH LOGIN',
      'S: + ****',
      'C: ****',
      'S: + ****',
      'C: ****',
    ])
    expect(lines.join('\n')).not.toMatch(/secret|c2VjcmV0|private/)
    expect(lines.slice(-4)).toEqual(['S: +OK 29 octets', 'S: (29 bytes) .', 'C: QUIT', 'S: +OK bye'])
  })
})

describe('bytes in one piece or in many', () => {
  it.each([1, 2, 3, 7])('make no difference: pieces of %d', async (split) => {
    await using server = await ScriptedServer.start(
      [
        [
          { send: '+OK hi' },
          { expect: 'CAPA' },
          { send: '+OK\r\nUIDL\r\n.' },
          { expect: 'USER alice' },
          { send: '+OK' },
          { expect: 'PASS secret' },
          { send: '+OK' },
          { expect: 'CAPA' },
          { send: '+OK\r\nUIDL\r\n.' },
          { expect: 'LIST' },
          { send: '+OK\r\n1 10\r\n.' },
          { expect: 'UIDL' },
          { send: '+OK\r\n1 a\r\n.' },
          { expect: 'QUIT' },
          { send: '+OK' },
        ],
      ],
      { split },
    )
    await using session = await signedIn(server)
    const listing = await session.list()
    expect(listing.slice(0, 2)).toMatchObject([{ number: 1, uidl: 'a', sizeBytes: 10 }])
    await session.quit()
    await server.done
  })
})
