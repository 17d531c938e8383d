import { describe, expect, it } from 'vitest'
import { Pop3Server } from '../support/pop3-server.ts'
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
      code: 'ERR_AUTH',
      message: expect.stringContaining('a challenge that does not belong to this mechanism'),
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
    expect(await failure(session.signIn('login', alice))).toMatchObject({ code: 'ERR_AUTH' })
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
  ])('of %j is %s (P052–P058)', async (answer, code, pauseMs) => {
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
