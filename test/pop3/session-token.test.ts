// Sessions that are signed in with a token: how a refusal is told, and tokens that expire during the session.
import { describe, expect, it } from 'vitest'
import { ExpiredToken } from '../../src/pop3/wire/reply-error.ts'
import { Pop3Server } from '../support/pop3-server.ts'
import { failure, open, signInCommands } from './sessions.ts'

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
