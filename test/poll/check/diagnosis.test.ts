import { describe, expect, test } from 'vitest'
import type { Account } from '../../../src/config/schema.ts'
import { type ErrorCode, PopfetchError } from '../../../src/errors.ts'
import { diagnose, type Evidence } from '../../../src/poll/check/diagnosis.ts'
import { Scene } from '../../config/scene.ts'

const nothing: Evidence = { session: null, endpoints: [], certificate: null, nowMs: 0, byApplication: false }

function failure(code: ErrorCode, text = 'no', errno: string | null = null): PopfetchError {
  const cause = errno === null ? undefined : Object.assign(new Error(errno), { code: errno })
  return new PopfetchError(code, text, { scope: 'account', retry: 'later', cause })
}

async function account(keys: string): Promise<Account> {
  await using scene = await Scene.create()
  const { accounts } = await scene.load(
    `accounts:\n  a: {deliver: "maildir:/mail", ${keys}}\noauth: {ms: {provider: microsoft, clientId: c}}\n`,
  )
  return accounts[0]!
}

async function advice(keys: string, error: PopfetchError, evidence: Partial<Evidence> = {}): Promise<string> {
  const given = diagnose(error, await account(keys), { ...nothing, ...evidence })
  return given.map(({ cause, next }) => `${cause} → ${next}`).join('\n')
}

const BOB = 'host: pop.example.net, user: bob, password: {env: P}'
const GMAIL = 'host: pop.gmail.com, user: bob@gmail.com, password: {env: P}'

describe('a refused password', () => {
  test('may be wrong, or another one is wanted, or the user is an address, or the mechanism does not fit', async () => {
    const lines = (await advice(BOB, failure('ERR_AUTH'))).split('\n')
    expect(lines).toEqual([
      expect.stringMatching(/^the password is wrong/),
      expect.stringMatching(/app password.*POP is disabled/),
      expect.stringMatching(/whole address as user → try user: bob@example\.net/),
      expect.stringMatching(/auth: plain/),
    ])
  })

  test('at which PLAIN was tried is not advised to try PLAIN (B7)', async () => {
    expect(await advice(BOB, failure('ERR_AUTH', 'sign-in refused (plain): "no"'))).not.toContain('auth: plain')
    expect(await advice(BOB, failure('ERR_AUTH', 'sign-in refused (scram-sha-256): "no"'))).toContain('auth: plain')
  })

  test.each([
    [GMAIL, /Gmail requires an app password .*popfetch auth.*\n.*Settings, Forwarding and POP\/IMAP: enable POP/s],
    [
      'host: outlook.office365.com, user: bob@example.com, password: {env: P}',
      /passwords are no longer accepted over POP3/,
    ],
    ['host: pop.gmx.net, user: bob@gmx.de, password: {env: P}', /POP3 und IMAP Zugriff erlauben/],
    ['host: pop3.web.de, user: bob, password: {env: P}', /WEB\.DE[^]*POP3 und IMAP Zugriff erlauben/],
    ['host: pop.mail.yahoo.com, user: b@yahoo.com, password: {env: P}', /Yahoo requires an app password/],
    ['host: mail.btinternet.com, user: b@btinternet.com, password: {env: P}', /^the password is wrong/],
    [
      'host: pop.laposte.net, user: bob@laposte.net, password: {env: P}',
      /La Poste expects .*before the @ .*user: bob$/,
    ],
    // A server of one's own that fetches for an address at Gmail is Gmail's by its address alone.
    ['host: relay.example.net, user: bob@gmail.com, password: {env: P}', /Gmail/],
  ])('is what the provider says it is: %s', async (keys, expected) => {
    expect(await advice(keys, failure('ERR_AUTH'))).toMatch(expected)
  })

  test('is none when a token was refused', async () => {
    const text = await advice('host: pop.gmail.com, user: bob@gmail.com, token: {env: T}', failure('ERR_AUTH'))
    expect(text).toMatch(/^the token has expired/)
    expect(text).not.toContain('password')
  })

  test.each(['localhost', '127.0.0.1', '"::1"'])('on %s makes up no address', async (host) => {
    expect(await advice(`host: ${host}, user: bob, password: {env: P}`, failure('ERR_AUTH'))).not.toContain('bob@')
  })
})

describe('a server that cannot be reached is told by what went wrong (B6), and by how far it came (B8)', () => {
  test.each([
    [BOB, failure('ERR_CONNECT', 'no', 'ENOTFOUND'), {}, /no host has the name pop\.example\.net → .*pop\.DOMAIN/],
    [BOB, failure('ERR_CONNECT', 'no', 'ECONNREFUSED'), {}, /nothing listens on this port: POP3 is disabled/],
    [BOB, failure('ERR_TIMEOUT'), {}, /firewall.*openssl s_client/],
    [`${BOB}, tls: none`, failure('ERR_TIMEOUT'), {}, /firewall.*telnet pop\.example\.net 110$/],
    [
      BOB,
      failure('ERR_CONNECT', 'no', 'EAI_AGAIN'),
      {},
      /name server does not answer.*no network.*getent hosts pop\.example\.net$/,
    ],
    [BOB, failure('ERR_CONNECT', 'no', 'ENETUNREACH'), {}, /no route from this machine/],
    [BOB, failure('ERR_CONNECT', 'no', 'EHOSTUNREACH'), {}, /no route from this machine/],
    [
      BOB,
      failure('ERR_TLS', 'it does not speak TLS on this port', 'ERR_SSL_WRONG_VERSION_NUMBER'),
      {},
      /^the server does not start with TLS on this port: it expects starttls, or is not a POP3 server → try tls: starttls/,
    ],
    [BOB, failure('ERR_TIMEOUT', 'the server sent no greeting within 20 s'), {}, /says nothing.*openssl s_client/],
    [
      `${BOB}, tls: none`,
      failure('ERR_TIMEOUT', 'the server sent no greeting within 20 s'),
      {},
      /^the server accepts the connection but says nothing.*telnet pop\.example\.net 110$/,
    ],
    [BOB, failure('ERR_CONNECT'), {}, /closes connections: too many at once/],
    [`${BOB}, port: 143`, failure('ERR_POP3_PROTOCOL'), {}, /port of an IMAP server/],
    [BOB, failure('ERR_POP3_PROTOCOL', 'this looks like an IMAP server'), {}, /port of an IMAP server/],
    [
      `${BOB}, tls: starttls`,
      failure('ERR_TLS', 'the server refused STLS'),
      {},
      /no TLS on this port → ask the provider/,
    ],
    [
      BOB,
      failure('ERR_TIMEOUT'),
      { endpoints: [{ port: 110, tls: 'starttls' }] },
      /a POP3 server answers on another port, or with a different TLS mode → set port: 110 and tls: starttls/,
    ],
    ['host: gmail.com, user: b@gmail.com, password: {env: P}', failure('ERR_TIMEOUT'), {}, /set host: pop\.gmail\.com/],
    ['host: pop.me.com, user: b@me.com, password: {env: P}', failure('ERR_CONNECT'), {}, /iCloud has only IMAP/],
    [
      `${BOB}, proxy: "socks5://p:1080"`,
      failure('ERR_CONNECT', 'the proxy socks5://p:1080 did not connect us'),
      {},
      /the proxy is the obstacle/,
    ],
  ] as const)('%s %s', async (keys, error, evidence, expected) => {
    expect(await advice(keys, error, evidence as Partial<Evidence>)).toMatch(expected)
  })

  test('in mid-session is no matter of ports, and the trace that is advised can be had (B9)', async () => {
    const session = { greeting: 'hi' }
    expect(await advice(BOB, failure('ERR_CONNECT'), { session })).toMatch(/in the middle of the session/)
    expect(await advice(BOB, failure('ERR_POP3_PROTOCOL'), { session })).toMatch(/--log-level trace/)
  })
})

describe('with a sign-in at a provider', () => {
  const OUTLOOK = 'host: outlook.office365.com, user: b@x.org, token: {oauth: ms}'
  const session = { greeting: 'hi' }
  test.each([
    ['renewing the sign-in of b@x.org via ms: ended', null, false, /the mail server was not asked.* → popfetch auth a/],
    [
      'sign-in refused (xoauth2): "User is authenticated but not connected."',
      session,
      false,
      /^POP is off for this mailbox/,
    ],
    ['sign-in refused (xoauth2): "Logon failure: unknown user name"', session, false, /another mailbox.*POP is off/s],
    [
      'sign-in refused (xoauth2): "Authentication failure: unknown user name"',
      session,
      true,
      /consented.*New-ServicePrincipal.*Add-MailboxPermission.*Set-CASMailbox/s,
    ],
  ] as const)('%s', async (message, at, byApplication, expected) => {
    expect(await advice(OUTLOOK, failure('ERR_AUTH', message), { session: at, byApplication })).toMatch(expected)
  })
})

describe('a server that is not to be disturbed', () => {
  test.each([
    [GMAIL, 'Too many simultaneous connections', /limit on sessions or sign-ins \(Gmail: .*locks POP/],
    [BOB, 'mailbox is locked', /another program has the mailbox open/],
    [BOB, '[IN-USE] x', /another program has the mailbox open/],
    [BOB, '[SYS/TEMP] later', /busy or under maintenance/],
  ])('%s %s', async (keys, text, expected) => {
    expect(await advice(keys, failure('ERR_POP3_REPLY', text))).toMatch(expected)
  })
})

test('a mechanism that is not there is left to auto', async () => {
  expect(await advice(`${BOB}, auth: scram-sha-256`, failure('ERR_MECHANISM'))).toMatch(/leave out auth/)
  expect(await advice('host: h.example, user: b, token: {env: T}', failure('ERR_MECHANISM'))).toMatch(
    /does not accept tokens/,
  )
})

test('never is a way round TLS advised', async () => {
  for (const tls of ['implicit', 'starttls']) {
    for (const errno of [
      'CERT_HAS_EXPIRED',
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'ECONNRESET',
      null,
    ]) {
      expect(await advice(`${BOB}, tls: ${tls}`, failure('ERR_TLS', 'no', errno))).not.toMatch(/tls: none|NODE_TLS/)
    }
  }
})

test('what says all by itself gets no advice', async () => {
  for (const code of ['ERR_CONFIG', 'ERR_LEDGER', 'ERR_BUG'] as const) expect(await advice(BOB, failure(code))).toBe('')
})
