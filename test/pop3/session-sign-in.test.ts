// Signing in: what goes over the wire with each mechanism, and what becomes of a sign-in that was accepted.
import { describe, expect, it } from 'vitest'
import { Pop3Server } from '../support/pop3-server.ts'
import { alice, aliceInPlain, failure, open, signInCommands } from './sessions.ts'

describe('a sign-in', () => {
  it.each([
    ['plain', [`AUTH PLAIN ${aliceInPlain}`]],
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
