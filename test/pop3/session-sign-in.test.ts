import { describe, expect, it } from 'vitest'
import { ExpiredToken } from '../../src/pop3/wire/reply-error.ts'
import { Pop3Server } from '../support/pop3-server.ts'
import { scram } from '../support/sasl-server.ts'
import { ScriptedServer, type Step } from '../support/scripted-server.ts'
import { alice, failure, open } from './sessions.ts'

const hello: readonly Step[] = [{ send: '+OK hi' }, { expect: 'CAPA' }, { send: '+OK\r\nSASL PLAIN LOGIN\r\n.' }]
const blob = Buffer.from('\0alice\0secret').toString('base64')

async function signInCommands(server: Pop3Server): Promise<readonly string[]> {
  await server.journal.when(({ kind }) => kind === 'close')
  return server.journal.commands().filter((line) => line !== 'CAPA')
}

describe('a sign-in', () => {
  it.each([
    ['plain', [`AUTH PLAIN ${blob}`]],
    ['login', ['AUTH LOGIN', 'YWxpY2U=', 'c2VjcmV0']],
    ['user', ['USER alice', 'PASS secret']],
  ] as const)('with %s says just what is needed', async (choice, commands) => {
    await using server = await Pop3Server.start()
    server.mailbox('alice')
    {
      await using session = await open(server)
      await session.signIn(choice, alice)
      expect(session.signedInWith).toBe(choice)
    }
    expect(await signInCommands(server)).toEqual(commands)
  })

  it.each([
    [['SASL LOGIN PLAIN'], 'plain'],
    [['SASL LOGIN'], 'login'],
    [['USER'], 'user'],
    [[], 'user'],
  ])('by itself takes the best of what is offered: %j', async (lines, chosen) => {
    await using server = await Pop3Server.start()
    server.mailbox('alice')
    server.capabilities = { before: [...lines], afterTls: [], afterLogin: [] }
    await using session = await open(server)
    await session.signIn('auto', alice)
    expect(session.signedInWith).toBe(chosen)
  })

  it.each(['plain', 'login', 'user'] as const)('with %s sends the password to the byte (P074)', async (choice) => {
    const password = ' p"a\\ %s ü '
    await using server = await Pop3Server.start()
    server.mailbox('al ice@example.org', password)
    await using session = await open(server)
    await session.signIn(choice, { user: 'al ice@example.org', password })
    expect(session.signedInWith).toBe(choice)
  })

  it.each(['scram-sha-256', 'scram-sha-1', 'cram-md5'] as const)('with %s keeps the password here', async (choice) => {
    await using server = await Pop3Server.start()
    server.mailbox('a=l,ice', 'pässwörd')
    server.capabilities!.before = ['SASL PLAIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256']
    {
      await using session = await open(server)
      await session.signIn(choice, { user: 'a=l,ice', password: 'pässwörd' })
      expect(session.signedInWith).toBe(choice)
    }
    const lines = await signInCommands(server)
    expect(lines.map((line) => Buffer.from(line, 'base64').toString()).join()).not.toContain('pässwörd')
    expect(server.journal.of('auth')).toContainEqual(
      expect.objectContaining({ kind: 'auth', text: `accepted ${choice.toUpperCase()}` }),
    )
  })

  it('with APOP says a digest of the greeting and the password', async () => {
    await using server = await Pop3Server.start()
    server.mailbox('alice')
    server.faults.greeting = '+OK ready <17.42@pop.example.net>'
    const lines: string[] = []
    {
      await using session = await open(server, { trace: (_, text) => lines.push(text) })
      await session.signIn('apop', alice)
      expect(session.signedInWith).toBe('apop')
    }
    expect(await signInCommands(server)).toEqual(['APOP alice 28f960b0c034db72264dc287009b10ad'])
    expect(lines).toContain('APOP alice ****')
  })

  it('with APOP says nothing when the greeting has no plain timestamp (P028)', async () => {
    await using server = await Pop3Server.start()
    server.faults.greeting = '+OK ready <a@b> <c@d>'
    const session = await open(server)
    expect(await failure(session.signIn('apop', alice))).toMatchObject({ code: 'ERR_MECHANISM', retry: 'never' })
    expect(await signInCommands(server)).toEqual([])
  })

  it.each([
    ['xoauth2', 'user=alice\x01auth=Bearer ya29.a0\x01\x01'],
    ['oauthbearer', 'n,a=alice,\x01host=127.0.0.1\x01port=PORT\x01auth=Bearer ya29.a0\x01\x01'],
  ] as const)('with %s takes two lines, since some servers misread one (P065)', async (choice, message) => {
    await using server = await Pop3Server.start()
    server.mailbox('alice', 'ya29.a0')
    server.faults.refuseInitialResponse = true
    server.capabilities!.before = ['SASL XOAUTH2 OAUTHBEARER']
    {
      await using session = await open(server)
      await session.signIn(choice, { user: 'alice', token: 'ya29.a0' })
      expect(session.signedInWith).toBe(choice)
    }
    const sent = Buffer.from(message.replace('PORT', String(server.port))).toString('base64')
    expect(await signInCommands(server)).toEqual([`AUTH ${choice.toUpperCase()}`, sent])
  })

  it('with PLAIN and a long password takes two lines, the first short enough for any server (P066)', async () => {
    // `AUTH PLAIN ` and CRLF leave 242 octets: 240 of base64 for 180 bytes, of which NUL, user and NUL take seven.
    for (const [length, lines] of [
      [173, 1],
      [174, 2],
      [5000, 2],
    ] as const) {
      await using server = await Pop3Server.start()
      const password = 'x'.repeat(length)
      server.mailbox('alice', password)
      {
        await using session = await open(server)
        await session.signIn('plain', { user: 'alice', password })
      }
      const commands = await signInCommands(server)
      expect(commands.length).toBe(lines)
      expect(commands[0]!.length + 2).toBeLessThanOrEqual(255)
      if (lines === 2) expect(commands[0]).toBe('AUTH PLAIN')
    }
  })

  it('with a password that no line can carry says nothing at all (P073)', async () => {
    await using server = await Pop3Server.start()
    server.mailbox('alice')
    const session = await open(server)
    const error = await failure(session.signIn('user', { user: 'alice', password: 'x\r\nDELE 1' }))
    expect(error).toMatchObject({ code: 'ERR_CONFIG', retry: 'never' })
    expect(await signInCommands(server)).toEqual([])
  })

  it('with a mechanism by name that is not listed while others are says nothing (P070)', async () => {
    await using server = await Pop3Server.start()
    server.capabilities!.before = ['SASL LOGIN']
    const session = await open(server)
    expect(await failure(session.signIn('plain', alice))).toMatchObject({ code: 'ERR_MECHANISM' })
    expect(session.botched).toMatchObject({ code: 'ERR_MECHANISM' })
    expect(await signInCommands(server)).toEqual([])
  })
})

describe('a continuation', () => {
  it.each(['+', '+ ', '+OK', '+OK go ahead', '+\t'])('may be written %j (P063, P064)', async (asks) => {
    await using server = await ScriptedServer.start([
      [
        ...hello,
        { expect: 'AUTH LOGIN' },
        { send: asks },
        { expect: 'YWxpY2U=' },
        { send: asks },
        { expect: 'c2VjcmV0' },
        { send: '+OK signed in' },
        { expect: 'NOOP' },
        { send: '+OK' },
        { ignore: true },
      ],
    ])
    {
      await using session = await open(server)
      await session.signIn('login', alice)
      await session.noop()
    }
    await server.done
  })

  it('of +OK to PLAIN without its message is no success: the message goes, and its answer counts (P063)', async () => {
    const password = 'x'.repeat(300)
    for (const [answer, code] of [
      ['+OK', null],
      ['-ERR [AUTH] no', 'ERR_AUTH'],
    ] as const) {
      await using server = await ScriptedServer.start([
        [
          ...hello,
          { expect: 'AUTH PLAIN' },
          { send: '+OK' },
          { expect: Buffer.from(`\0alice\0${password}`).toString('base64') },
          { send: answer },
          { ignore: true },
        ],
      ])
      {
        await using session = await open(server)
        const signIn = session.signIn('plain', { user: 'alice', password })
        if (code === null) await signIn
        else expect(await failure(signIn)).toMatchObject({ code })
      }
      await server.done
    }
  })

  it('that asks nothing although the message went with AUTH gets it once more (P065)', async () => {
    await using server = await ScriptedServer.start([
      [...hello, { expect: `AUTH PLAIN ${blob}` }, { send: '+ ' }, { expect: blob }, { send: '+OK' }, { ignore: true }],
    ])
    {
      await using session = await open(server)
      await session.signIn('plain', alice)
    }
    await server.done
  })

  it.each([
    ['runs LOGIN under its name (P069)', '+ VXNlcm5hbWU6'],
    ['is no base64 (P072)', '+ %%%'],
    ['is huge (P072)', `+ ${'A'.repeat(4100)}`],
  ])('to PLAIN that %s is cancelled, and the password stays with us (P068)', async (_what, challenge) => {
    const password = 'x'.repeat(300)
    await using server = await ScriptedServer.start([
      [
        ...hello,
        { expect: 'AUTH PLAIN' },
        { send: challenge },
        { expect: '*' },
        { send: '-ERR cancelled' },
        { ignore: true },
      ],
    ])
    const session = await open(server)
    expect(await failure(session.signIn('plain', { user: 'alice', password }))).toMatchObject({
      code: 'ERR_POP3_PROTOCOL',
      message: expect.stringMatching(/^sign-in broken off \(plain\): it answered with a challenge that /),
    })
    await server.done
  })

  it('without end is cancelled', async () => {
    await using server = await ScriptedServer.start([
      [
        ...hello,
        { expect: 'AUTH LOGIN' },
        { send: '+ ' },
        { expect: 'YWxpY2U=' },
        { send: '+ ' },
        { expect: 'c2VjcmV0' },
        { send: '+ ' },
        { expect: '*' },
        { send: '+OK' },
        { ignore: true },
      ],
    ])
    const session = await open(server)
    // Not even its +OK counts then: we had cancelled.
    expect(await failure(session.signIn('login', alice))).toMatchObject({ code: 'ERR_POP3_PROTOCOL' })
    await server.done
  })

  it('to PASS is no answer', async () => {
    await using server = await Pop3Server.start()
    server.faults.reply.set('PASS', '+ more')
    const session = await open(server)
    expect(await failure(session.signIn('user', alice))).toMatchObject({
      code: 'ERR_POP3_PROTOCOL',
      message: '"+ more" is no answer to PASS: not going on',
    })
  })
})

describe('a server that cannot prove that it knows the password', () => {
  it.each([
    ['asks for fewer iterations', { iterations: 1000 }, 'it wants 1000 iterations'],
    ['asks for more iterations than we spend', { iterations: 1_000_001 }, 'it wants 1000001 iterations'],
    ['does not take up our number', { nonce: () => 'another' }, 'not made from ours'],
    ['adds nothing to our number', { nonce: (ours: string) => ours }, 'not made from ours'],
    ['shows a proof of something else', { final: () => 'v=AAAA' }, 'did not prove'],
  ])('is left when it %s (P071)', async (_what, faults, why) => {
    await using server = await Pop3Server.start()
    server.mailbox('alice')
    server.mechanisms.set('SCRAM-SHA-256', scram('sha256', faults))
    server.capabilities!.before = ['SASL SCRAM-SHA-256 PLAIN']
    const session = await open(server)
    const error = await failure(session.signIn('auto', alice))
    expect(error).toMatchObject({ code: 'ERR_POP3_PROTOCOL', message: expect.stringContaining(why) })
    expect(session.signedInWith).toBeNull()
    expect((await signInCommands(server)).at(-1)).toBe('*')
  })

  it('is left when it says +OK without its proof (P071)', async () => {
    await using server = await Pop3Server.start()
    server.mailbox('alice')
    let lines = 0
    server.faults.onCommand = (verb) => (verb === '+' && ++lines === 1 ? '+OK welcome' : 'serve')
    server.capabilities!.before = ['SASL SCRAM-SHA-256']
    const session = await open(server)
    expect(await failure(session.signIn('auto', alice))).toMatchObject({
      code: 'ERR_POP3_PROTOCOL',
      message: expect.stringContaining('did not prove that it knows the password'),
    })
  })

  it('is left when it says +OK although it had told why not', async () => {
    await using server = await Pop3Server.start()
    server.mailbox('alice')
    server.mechanisms.set('SCRAM-SHA-256', scram('sha256', { final: () => 'e=other-error' }))
    server.capabilities!.before = ['SASL SCRAM-SHA-256']
    const session = await open(server)
    expect(await failure(session.signIn('auto', alice))).toMatchObject({
      code: 'ERR_POP3_PROTOCOL',
      message: expect.stringContaining('it says yes and no at once (other-error)'),
    })
  })

  it('is no wrong password to us; a wrong password is', async () => {
    await using server = await Pop3Server.start()
    server.mailbox('alice', 'another')
    server.capabilities!.before = ['SASL SCRAM-SHA-256']
    const session = await open(server)
    expect(await failure(session.signIn('auto', alice))).toMatchObject({ code: 'ERR_AUTH' })
  })
})

describe('a token', () => {
  const token = 'ya29.a0'

  it.each([
    ['xoauth2', ''],
    ['oauthbearer', 'AQ=='],
  ] as const)(
    'that is refused to %s is explained in a challenge, of which the status is told (P067)',
    async (choice, close) => {
      await using server = await Pop3Server.start()
      server.mailbox('alice', 'another')
      server.capabilities!.before = ['SASL XOAUTH2 OAUTHBEARER']
      const session = await open(server)
      expect(await failure(session.signIn(choice, { user: 'alice', token }))).toMatchObject({
        code: 'ERR_AUTH',
        message: expect.stringMatching(
          /^sign-in refused \(\w+\): "\[AUTH\] .*" \(status 401\): check user, and that the token/,
        ),
      })
      expect((await signInCommands(server)).at(-1)).toBe(close)
    },
  )

  it('that is too long for the server is no bad password (P066)', async () => {
    await using server = await Pop3Server.start()
    server.capabilities!.before = ['SASL XOAUTH2']
    server.faults.reply.set('+', '-ERR Line too long')
    const session = await open(server)
    expect(await failure(session.signIn('auto', { user: 'alice', token: 'x'.repeat(9000) }))).toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringContaining('a line of 12038 octets'),
    })
  })

  it('is shown neither in the trace nor in the error', async () => {
    await using server = await Pop3Server.start()
    server.capabilities!.before = ['SASL XOAUTH2']
    const lines: string[] = []
    const session = await open(server, { trace: (_, text) => lines.push(text) })
    const error = await failure(session.signIn('auto', { user: 'alice', token }))
    const shown = `${error.message}${lines.join('')}`
    expect(shown).not.toContain(token)
    expect(shown).not.toContain(Buffer.from(`user=alice\x01auth=Bearer ${token}\x01\x01`).toString('base64'))
  })

  it.each(['RETR', 'TOP', 'DELE', 'NOOP', 'QUIT'] as const)(
    'that runs out is told at %s, and ends the session (P077)',
    async (verb) => {
      await using server = await Pop3Server.start()
      server.mailbox('alice', token).add('Subject: x\r\n\r\nx\r\n')
      server.capabilities!.before = ['SASL XOAUTH2']
      server.faults.reply.set(verb, '-ERR AccessTokenExpired: session ended')
      const session = await open(server)
      await session.signIn('auto', { user: 'alice', token })
      const asked = {
        RETR: () => session.retrieve(1, { write: () => undefined }),
        TOP: () => session.header(1),
        DELE: () => session.remove(1),
        NOOP: () => session.noop(),
        QUIT: () => session.quit(),
      }
      const error = await failure(asked[verb]())
      expect(error).toBeInstanceOf(ExpiredToken)
      expect(error).toMatchObject({ code: 'ERR_POP3_REPLY', retry: 'soon' })
      expect(session.botched).toBe(error)
    },
  )

  it('that runs out is told at the listing, and in a goodbye (P077)', async () => {
    await using server = await Pop3Server.start()
    server.mailbox('alice', token)
    server.capabilities!.before = ['SASL XOAUTH2']
    server.faults.onCommand = (verb, _args, { id }) =>
      verb !== 'LIST'
        ? 'serve'
        : id === 1
          ? '-ERR AccessTokenExpired'
          : { answer: '+OK\r\n.\r\n-ERR Session expired', next: 'drop' }
    for (const _ of [1, 2]) {
      const session = await open(server)
      await session.signIn('auto', { user: 'alice', token })
      expect(await failure(session.list())).toBeInstanceOf(ExpiredToken)
      await session[Symbol.asyncDispose]()
    }
  })
})

describe('a refused sign-in', () => {
  it('to USER is the end of it: no PASS (P051)', async () => {
    await using server = await Pop3Server.start()
    server.faults.reply.set('USER', '-ERR [AUTH] USER command only available under a layer')
    const session = await open(server)
    expect(await failure(session.signIn('user', alice))).toMatchObject({ code: 'ERR_AUTH' })
    expect(await signInCommands(server)).toEqual(['USER alice'])
  })

  it.each([
    ['-ERR', 'ERR_AUTH', 0],
    ['-ERR [AUTH] no', 'ERR_AUTH', 0],
    ['-ERR [SYS/PERM] POP is not enabled', 'ERR_AUTH', 0],
    ['-ERR [SYS/TEMP] later', 'ERR_POP3_REPLY', 0],
    ['-ERR [IN-USE] locked', 'ERR_POP3_REPLY', 180_000],
    ['-ERR [LOGIN-DELAY] too soon', 'ERR_POP3_REPLY', 60_000],
    ['-ERR Too many open connections', 'ERR_POP3_REPLY', 900_000],
  ])('of %j is %s (P052, P054–P058)', async (answer, code, pauseMs) => {
    for (const [choice, verb] of [
      ['user', 'PASS'],
      ['plain', 'AUTH'],
      ['login', '+'],
    ] as const) {
      await using server = await Pop3Server.start()
      server.faults.reply.set(verb, answer)
      const session = await open(server)
      expect(await failure(session.signIn(choice, alice))).toMatchObject({ code, scope: 'account', pauseMs })
    }
  })

  it('ends the session: no second attempt, no other mechanism, no QUIT (P052)', async () => {
    await using server = await Pop3Server.start()
    server.mailbox('alice', 'another')
    const session = await open(server)
    const error = await failure(session.signIn('auto', alice))
    expect(error).toMatchObject({ code: 'ERR_AUTH', retry: 'later' })
    expect(session.botched).toBe(error)
    expect(session.signedInWith).toBeNull()
    expect(await failure(session.signIn('user', { user: 'alice', password: 'another' }))).toBe(error)
    expect(await failure(session.list())).toBe(error)
    expect(await signInCommands(server)).toEqual([`AUTH PLAIN ${blob}`])
  })

  it.each(['login', 'scram-sha-256', 'xoauth2'] as const)(
    'of AUTH alone says nothing about the password: %s',
    async (choice) => {
      await using server = await Pop3Server.start()
      server.capabilities!.before = []
      server.faults.reply.set('AUTH', '-ERR unknown command')
      const user = choice === 'scram-sha-256' ? 'u'.repeat(200) : 'alice'
      const session = await open(server)
      const credentials = choice === 'xoauth2' ? { user, token: 'x' } : { user, password: 'x' }
      expect(await failure(session.signIn(choice, credentials))).toMatchObject({ code: 'ERR_MECHANISM' })
    },
  )

  it('that sends us to another server is not followed (P079)', async () => {
    await using server = await Pop3Server.start()
    server.faults.reply.set('PASS', '-ERR [REFERRAL/pop://alice@evil.example/] Try there')
    const session = await open(server)
    expect(await failure(session.signIn('user', alice))).toMatchObject({
      code: 'ERR_CONFIG',
      retry: 'never',
      message: expect.stringContaining('the mailbox is on another server'),
    })
  })

  it.each([
    '-ERR [AUTH] Web login required: https://support.google.com/',
    '-ERR [WEBALERT https://x] no',
    '-ERR Lockdown in Sector 4',
  ])('that a person must deal with first waits an hour: %j (P060)', async (answer) => {
    await using server = await Pop3Server.start()
    server.faults.reply.set('PASS', answer)
    const session = await open(server)
    expect(await failure(session.signIn('user', alice))).toMatchObject({ code: 'ERR_AUTH', pauseMs: 3_600_000 })
  })

  it('of a long user name says that some servers take no such name (P076)', async () => {
    await using server = await Pop3Server.start()
    server.faults.reply.set('USER', '-ERR')
    const session = await open(server)
    const error = await failure(session.signIn('user', { user: 'u'.repeat(60), password: 'x' }))
    expect(error.message).toContain('longer than the 40 octets that some servers take')
  })

  it.each([
    'mailbox is locked',
    'Server busy',
    'please wait a moment',
    'Mailbox in use',
    'Service unavailable',
    'Too many connections',
    'Temporary failure',
    'try again later',
  ])('in these words is a matter of now: %j (P058)', async (words) => {
    await using server = await Pop3Server.start()
    server.faults.reply.set('PASS', `-ERR ${words}`)
    const session = await open(server)
    expect(await failure(session.signIn('user', alice))).toMatchObject({ code: 'ERR_POP3_REPLY' })
  })

  it.each(['drop', 'reset'] as const)('that is a %s is a matter of now (P062)', async (action) => {
    await using server = await Pop3Server.start()
    server.faults.onCommand = (verb) => (verb === 'PASS' ? action : 'serve')
    const session = await open(server)
    expect(await failure(session.signIn('user', alice))).toMatchObject({ code: 'ERR_CONNECT', retry: 'soon' })
  })

  it.each(['user', 'plain', 'login'] as const)('that never comes is given up: %s', async (choice) => {
    await using server = await Pop3Server.start()
    server.faults.onCommand = (verb) => (['PASS', 'AUTH', '+'].includes(verb) ? 'stall' : 'serve')
    const session = await open(server, { timeoutMs: 150 })
    expect(await failure(session.signIn(choice, alice))).toMatchObject({
      code: 'ERR_TIMEOUT',
      message: expect.stringMatching(choice === 'user' ? /answer to PASS in time/ : /answer to AUTH in time/),
    })
  })

  it('shows the password neither in the trace nor in the error', async () => {
    await using server = await Pop3Server.start()
    const lines: string[] = []
    const session = await open(server, { trace: (_direction, text) => lines.push(text) })
    const error = await failure(session.signIn('user', { user: 'alice', password: 'hunter2' }))
    expect(`${error.message}${lines.join('')}`).not.toContain('hunter2')
  })
})

describe('a sign-in that was accepted', () => {
  it('and is followed by a goodbye in the same packet has the server’s words in what comes next (P061, P146)', async () => {
    await using server = await Pop3Server.start()
    server.faults.onCommand = (verb) =>
      verb === 'PASS' ? { answer: '+OK Logged in.\r\n-ERR [SYS/TEMP] Internal error occurred', next: 'drop' } : 'serve'
    const session = await open(server)
    await session.signIn('user', alice)
    expect(await failure(session.list())).toMatchObject({
      code: 'ERR_POP3_REPLY',
      message: 'the server ended the session: "[SYS/TEMP] Internal error occurred": trying again later',
      retry: 'soon',
    })
  })

  it.each([
    ['LIST', '-ERR [SYS/TEMP] cannot open', 0],
    ['LIST', '-ERR Exceeded the login limit for a 15 minute period', 900_000],
    ['UIDL', '-ERR [IN-USE] locked', 180_000],
    ['UIDL', '-ERR Exceeded the login limit for a 15 minute period', 900_000],
  ])('may be taken back at %s: %j (P059, P061)', async (verb, answer, pauseMs) => {
    await using server = await Pop3Server.start()
    server.mailbox('alice')
    server.faults.reply.set(verb, answer)
    await using session = await open(server)
    await session.signIn('auto', alice)
    expect(await failure(session.list())).toMatchObject({
      code: 'ERR_POP3_REPLY',
      message: expect.stringContaining(`the server refused ${verb}: `),
      pauseMs,
    })
  })
})
