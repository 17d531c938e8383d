// Destinations that sign in with tokens of popfetch's own. A real Dovecot over IMAP and as a submission server, by each mechanism, with
// the same sign-in as the mailbox that is fetched. The server asks a real authorization server about every token.
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { AuthorizationServer, CLIENT_ID, MAIL_SERVER } from '../support/authorization-server.ts'
import { SmtpSink } from '../support/smtp-server.ts'
import { startDovecot } from './dovecot.ts'
import { afterField, damaged, makeMessage, messageId, readMaildir } from './mail.ts'
import { only, openDesk } from './popfetch.ts'
import { signIn } from './popfetch-auth.ts'

const USER = 'dora@example.org'

async function start(mechanism: 'xoauth2' | 'oauthbearer') {
  await using stack = new AsyncDisposableStack()
  const provider = stack.use(await AuthorizationServer.start())
  const introspection = new URL('/token/introspection', provider.issuer)
  introspection.username = MAIL_SERVER.id
  introspection.password = MAIL_SERVER.secret
  const sink = stack.use(await SmtpSink.start())
  const dovecot = stack.use(
    await startDovecot({
      mechanisms: ['plain', mechanism],
      tokens: { introspection: introspection.href },
      imap: true,
      submission: { relayPort: sink.port },
    }),
  )
  const desk = stack.use(await openDesk())
  const ending = stack.move()
  return { provider, sink, dovecot, desk, [Symbol.asyncDispose]: () => ending.disposeAsync() }
}

type Started = Awaited<ReturnType<typeof start>>

function configuration({ provider, dovecot }: Started, auth: string): object {
  const server = { host: 'localhost', ca: dovecot.certificate.caFile, user: USER, token: { oauth: 'company' } }
  const smtp = { type: 'smtp', ...server, to: 'away@example.org', from: 'null' }
  return {
    oauth: { company: { issuer: provider.issuer, clientId: CLIENT_ID, scopes: ['openid', 'email', 'mail'] } },
    destinations: {
      shelf: { type: 'imap', ...server, tls: 'implicit', port: dovecot.imapsPort, folder: 'Shelf' },
      starttls: { ...smtp, tls: 'starttls', port: dovecot.submissionPort },
      implicit: { ...smtp, tls: 'implicit', port: dovecot.submissionsPort, auth },
    },
    accounts: {
      here: { ...server, port: dovecot.pop3sPort, deliver: ['shelf', 'starttls', 'implicit'] },
    },
  }
}

describe.each(['xoauth2', 'oauthbearer'] as const)('with tokens by %s', (mechanism) => {
  test('mail goes into a folder and onward with one sign-in; a token that is refused is renewed once for all', async () => {
    await using started = await start(mechanism)
    const { provider, sink, dovecot, desk } = started
    await dovecot.seed(USER, 5, makeMessage)
    await desk.configure(configuration(started, mechanism))
    const before = await desk.run()
    expect(before.exitCode).toBe(77)
    expect(before.stderr).toContain('nobody has signed in yet: popfetch auth')

    expect(await signIn(desk, USER, ['shelf'])).toMatchObject({ exitCode: 0 })
    const requests = provider.tokenRequests
    expect(only(await desk.run())).toMatchObject({ outcome: 'ok', delivered: 5, error: null })
    expect(provider.tokenRequests).toBe(requests)
    const shelf = async (): Promise<Map<string, Buffer>> => {
      const messages = await readMaildir(join((await dovecot.mailbox(USER)).maildir, '.Shelf'))
      return new Map([...messages.values()].map((bytes) => [messageId(bytes), afterField(bytes)]))
    }
    expect(damaged(await shelf(), 5)).toEqual([])
    // Two destinations, for which Dovecot passes it on.
    expect(sink.messages).toHaveLength(10)

    await dovecot.seed(USER, 1, () => makeMessage(5))
    // The server takes the kept token no more, though it should serve for an hour yet.
    provider.faults.push({
      path: '/token/introspection',
      answer: (_asked, response) => void response.setHeader('content-type', 'application/json').end('{"active":false}'),
    })
    expect(only(await desk.run())).toMatchObject({ outcome: 'ok', delivered: 1, error: null })
    expect(provider.tokenRequests).toBe(requests + 1)
    expect(damaged(await shelf(), 6)).toEqual([])
    expect(sink.messages).toHaveLength(12)

    const log = await dovecot.log()
    const method = `Login: user=<${USER}>, method=${mechanism.toUpperCase()}`
    for (const service of ['pop3-login', 'imap-login', 'submission-login']) {
      expect(log).toContain(`${service}: Info: ${method}`)
    }
    expect(log).not.toMatch(/method=PLAIN/)
  })

  test('a destination whose sign-in ended is left alone, the others go on, and a new sign-in is noticed', async () => {
    await using started = await start(mechanism)
    const { provider, sink, dovecot, desk } = started
    await dovecot.seed(USER, 2, makeMessage)
    const { host, port } = { host: '127.0.0.1', port: dovecot.pop3Port }
    const written = configuration(started, mechanism) as { accounts: object }
    const here = { host, port, tls: 'none', user: USER, password: dovecot.password }
    await desk.configure({
      ...written,
      accounts: { here: { ...here, auth: 'user', deliver: ['starttls', { type: 'maildir', path: desk.maildir }] } },
    })
    const first = only(await desk.run())
    expect(first).toMatchObject({ outcome: 'failed' })
    expect((await readMaildir(desk.maildir)).size).toBe(2)
    expect(sink.messages).toEqual([])
    expect(provider.tokenRequests).toBe(0)

    // The account is meant, whose destination alone signs in.
    const { exitCode, said } = await signIn(desk, USER, ['here'])
    expect(said).toContain(`signed in: ${USER} via company (shelf, starttls, implicit)`)
    expect(exitCode).toBe(0)
    expect(only(await desk.run())).toMatchObject({ outcome: 'ok' })
    expect(sink.messages).toHaveLength(2)
  })
})
