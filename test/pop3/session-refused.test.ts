// Sign-ins that are refused: which error, which pause, and that the session ends with the first.
import { describe, expect, it } from 'vitest'
import { Pop3Server } from '../support/pop3-server.ts'
import { alice, aliceInPlain, failure, open, signInCommands } from './sessions.ts'

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
    expect(await signInCommands(server)).toEqual([`AUTH PLAIN ${aliceInPlain}`])
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

  it.each([
    ['SASL SCRAM-SHA-256 PLAIN', 'AUTH SCRAM-SHA-256', '-ERR Unrecognized authentication type', 'plain'],
    ['SASL LOGIN', 'AUTH LOGIN', '-ERR no', 'user'],
    ['SASL PLAIN', 'AUTH PLAIN', '-ERR unsupported mechanism', 'user'],
  ])(
    'of a mechanism that the server lists and does not know leads to the next one: %s (P170)',
    async (listed, refused, answer, instead) => {
      await using server = await Pop3Server.start()
      server.mailbox('alice')
      server.capabilities!.before = [listed, 'USER']
      server.faults.onCommand = (verb, args) => (`${verb} ${args}`.startsWith(refused) ? answer : 'serve')
      await using session = await open(server)
      await session.signIn('auto', alice)
      expect(session.signedInWith).toBe(instead)
      expect([...session.capabilities.sasl]).not.toContain(refused.slice(5))
    },
  )

  it('that is about TLS says so, and not that the password is wrong (P170)', async () => {
    await using server = await Pop3Server.start()
    const answer = '-ERR [AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.'
    server.faults.reply.set('PASS', answer)
    await using session = await open(server)
    expect(await failure(session.signIn('user', alice))).toMatchObject({
      code: 'ERR_TLS',
      message: expect.stringContaining('set tls to starttls, or to implicit (port 995)'),
    })
  })

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
    const session = await open(server, { timeoutMs: 600 })
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
