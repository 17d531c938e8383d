// A mailbox at a real Dovecot that takes no passwords, only tokens, and asks a real authorization server about them. A person signs in
// once, by either flow; then popfetch fetches for as long as the sign-in lasts, and says once when it has ended.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AuthorizationServer, CLIENT_ID, MAIL_SERVER } from '../support/authorization-server.ts'
import { startDovecot, type Dovecot } from './dovecot.ts'
import { makeMessage, readMaildir } from './mail.ts'
import { only, openDesk, type Desk } from './popfetch.ts'
import { keptIn, signIn } from './popfetch-auth.ts'

const servers = new AsyncDisposableStack()
let provider: AuthorizationServer
let dovecot: Dovecot
beforeAll(async () => {
  // So short-lived that each poll renews: a token serves until a minute before its end.
  provider = servers.use(await AuthorizationServer.start({ accessSeconds: 61 }))
  const introspection = new URL('/token/introspection', provider.issuer)
  introspection.username = MAIL_SERVER.id
  introspection.password = MAIL_SERVER.secret
  const mechanisms = ['xoauth2', 'oauthbearer']
  dovecot = servers.use(await startDovecot({ mechanisms, tokens: { introspection: introspection.href } }))
})
afterAll(() => servers.disposeAsync())

function account(desk: Desk, user: string, auth: string): object {
  return {
    oauth: { company: { issuer: provider.issuer, clientId: CLIENT_ID, scopes: ['openid', 'email', 'mail'] } },
    accounts: {
      here: {
        host: 'localhost',
        port: dovecot.pop3sPort,
        ca: dovecot.certificate.caFile,
        user,
        token: { oauth: 'company' },
        auth,
        deliver: { type: 'maildir', path: desk.maildir },
      },
    },
  }
}

test.each([
  ['xoauth2', '--device'],
  ['oauthbearer', '--browser'],
])(
  'mail comes by %s after one sign-in (%s), and nobody is needed again until the sign-in is revoked',
  async (auth, way) => {
    await using desk = await openDesk()
    const user = `${auth}@example.org`
    await dovecot.seed(user, 3, makeMessage)
    await desk.configure(account(desk, user, auth))

    const before = await desk.run()
    expect(before.exitCode).toBe(77)
    expect(before.stderr).toMatch(/^popfetch: here: .*nobody has signed in yet: popfetch auth\n$/)

    const signedIn = await signIn(desk, user, [way])
    expect(signedIn).toMatchObject({ exitCode: 0 })
    expect(signedIn.said).toContain(`signed in: ${user} via company (here)`)
    expect(signedIn.said).not.toContain('warning')

    const first = await desk.run()
    expect(only(first)).toMatchObject({ outcome: 'ok', delivered: 3, error: null })
    expect((await readMaildir(desk.maildir)).size).toBe(3)

    // The token is still good, but each poll is so late that it has to be renewed.
    const asked = provider.tokenRequests
    await dovecot.seed(user, 1, () => makeMessage(7))
    expect(only(await desk.run())).toMatchObject({ outcome: 'ok', delivered: 1 })
    expect(provider.tokenRequests).toBeGreaterThanOrEqual(asked)

    const list = await desk.run('auth', '--list')
    const { signIns } = JSON.parse(list.stdout) as { signIns: readonly Record<string, unknown>[] }
    expect(signIns).toMatchObject([
      { client: 'company', user, accounts: ['here'], destinations: [], state: 'ok', error: null },
    ])

    const out = await desk.run('auth', '--sign-out', 'here')
    expect(out.exitCode).toBe(0)
    expect(provider.journal).toContain('POST /token/revocation')
    const after = await desk.run()
    expect(after.exitCode).toBe(77)
  },
)

test('a sign-in that is revoked elsewhere ends with one request, and a new one is noticed at once', async () => {
  await using desk = await openDesk()
  const user = 'revoked@example.org'
  await dovecot.seed(user, 1, makeMessage)
  await desk.configure(account(desk, user, 'auto'))
  expect(await signIn(desk, user, ['here'])).toMatchObject({ exitCode: 0 })
  expect(only(await desk.run())).toMatchObject({ outcome: 'ok', delivered: 1 })

  const refreshToken = (await keptIn(desk.directory)).get(user)?.refreshToken ?? ''
  const body = new URLSearchParams({ token: refreshToken, client_id: CLIENT_ID })
  expect((await fetch(`${provider.issuer}/token/revocation`, { method: 'POST', body })).status).toBe(200)

  const asked = provider.tokenRequests
  for (let polls = 0; polls < 4; polls++) {
    const ended = await desk.run()
    expect(ended.exitCode).toBe(77)
    // Told once.
    if (polls > 0) expect(ended.stderr).toBe('')
    else expect(ended.stderr).toMatch(/the provider has ended the sign-in \(invalid_grant/)
  }
  expect(provider.tokenRequests).toBe(asked + 1)
  expect(only(await desk.run())).toMatchObject({ outcome: 'paused' })

  expect(await signIn(desk, user)).toMatchObject({ exitCode: 0 })
  expect(only(await desk.run())).toMatchObject({ outcome: 'ok' })
})

test('a token for another program is printed alone, and one who signs in as somebody else is told', async () => {
  await using desk = await openDesk()
  const user = 'shared@example.org'
  await desk.configure(account(desk, user, 'auto'))
  const { exitCode, said } = await signIn(desk, 'bob@example.org')
  expect(exitCode).toBe(0)
  expect(said).toMatch(
    /warning: bob@example.org has signed in, and here signs in to the mail server as shared@example.org/,
  )
  const { stdout, stderr } = await desk.run('auth', '--token', 'here')
  expect(stdout).toMatch(/^[A-Za-z0-9._~+/-]+=*\n$/)
  expect(stderr).toBe('')
})
