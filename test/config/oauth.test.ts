// The clients of `oauth:`: what is taken, what does not go together, and what is shown. No secret is ever shown.
import { describe, expect, test } from 'vitest'
import { signedInBy } from '../../src/config/oauth/signed-in.ts'
import { signInsOf } from '../../src/config/oauth/sign-ins.ts'
import { asWritten } from '../../src/config/show.ts'
import { Scene } from './scene.ts'

const ACCOUNT = 'host: pop.example.net, user: a@example.net, token: { oauth: one }, deliver: "maildir:/mail"'
const file = (client: string, account = ACCOUNT): string =>
  `oauth:\n  one: { ${client} }\naccounts:\n  here: { ${account} }\n`

const GOOD = {
  Google: 'provider: google, clientId: 1.apps.googleusercontent.com, clientSecret: { env: SECRET }',
  Microsoft: 'provider: microsoft, clientId: 0123, tenant: consumers',
  'an issuer': 'issuer: "https://id.example.org", clientId: popfetch, scopes: [mail]',
  'endpoints of its own':
    'authorizationEndpoint: "https://id.example.org/a", tokenEndpoint: "https://id.example.org/t", clientId: p, scopes: [mail]',
  'a server on this machine': 'issuer: "http://127.0.0.1:8080", clientId: p, scopes: [mail]',
  'a shared mailbox with a secret':
    'provider: microsoft, tenant: example.org, clientId: p, flow: client-credentials, clientSecret: { env: S }, clientSecretExpires: 2027-03-31',
  'a shared mailbox with a certificate':
    'provider: microsoft, tenant: example.org, clientId: p, flow: client-credentials, clientCertificate: c.pem, clientKey: k.pem',
}

const BAD: readonly (readonly [string, string, RegExp])[] = [
  ['neither a provider nor an issuer', 'clientId: p', /oauth\.one.*a provider, an issuer or a tokenEndpoint/],
  ['an unknown provider', 'provider: googel, clientId: p', /oauth\.one\.provider.*one of google, microsoft/],
  [
    'a provider and an issuer',
    'provider: google, issuer: "https://x.example", clientId: p',
    /no such key beside provider/,
  ],
  ['no client', 'provider: google', /oauth\.one\.clientId/],
  ['an issuer over http', 'issuer: "http://id.example.org", clientId: p, scopes: [m]', /an https:\/\/ address/],
  [
    'an issuer with a password',
    'issuer: "https://u:hunter22@id.example.org", clientId: p, scopes: [m]',
    /an https:\/\/ address/,
  ],
  ['an issuer without scopes', 'issuer: "https://id.example.org", clientId: p', /scopes, for popfetch does not know/],
  ['a tenant of Google', 'provider: google, clientId: p, tenant: x', /but for provider: microsoft/],
  ['a tenant with a path', 'provider: microsoft, clientId: p, tenant: "../x"', /a tenant/],
  ['a certificate without a key', 'provider: microsoft, clientId: p, clientCertificate: c.pem', /a clientKey with it/],
  [
    'a certificate and a secret',
    'provider: microsoft, clientId: p, clientCertificate: c, clientKey: k, clientSecret: { env: S }',
    /no clientSecret beside it/,
  ],
  [
    'a date without a secret',
    'provider: google, clientId: p, clientSecretExpires: 2027-03-31',
    /a clientSecret with it/,
  ],
  [
    'a date that is none',
    'provider: google, clientId: p, clientSecret: {env: S}, clientSecretExpires: 2027-02-30',
    /a date such as/,
  ],
  ...['common', 'consumers', 'organizations'].map(
    (tenant) =>
      [
        `an application of the tenant ${tenant}`,
        `provider: microsoft, clientId: p, flow: client-credentials, clientSecret: {env: S}, tenant: ${tenant}`,
        /oauth\.one\.tenant.*the tenant of the organisation/,
      ] as const,
  ),
  [
    'an application without a tenant',
    'provider: microsoft, clientId: p, flow: client-credentials, clientSecret: {env: S}',
    /tenant/,
  ],
  [
    'an application without a secret',
    'provider: microsoft, clientId: p, flow: client-credentials, tenant: x.org',
    /a clientSecret or a clientCertificate/,
  ],
  [
    'an application at Google',
    'provider: google, clientId: p, flow: client-credentials, clientSecret: {env: S}',
    /gives no mail to client-credentials/,
  ],
  ['a misspelt key', 'provider: google, clientId: p, clientSecrets: hunter22', /did you mean clientSecret/],
  ['no scope', 'issuer: "https://id.example.org", clientId: p, scopes: []', /at least one scope/],
]

describe('a client', () => {
  test.each(Object.entries(GOOD))('is taken: %s', async (_what, client) => {
    await using scene = await Scene.create()
    const configuration = await scene.load(file(client))
    expect(signedInBy(configuration)).toEqual([
      { kind: 'account', name: 'here', client: 'one', user: 'a@example.net', use: 'pop' },
    ])
    expect(signInsOf(configuration, {})).toBe(signInsOf(configuration, {}))
  })

  test.each(BAD)('is refused with %s', async (_what, client, text) => {
    await using scene = await Scene.create()
    const error = await scene.load(file(client)).then(
      () => new Error('it was taken'),
      (thrown: Error) => thrown,
    )
    expect(error.message).toMatch(text)
    expect(error.message).not.toContain('hunter22')
  })

  test('shows no secret', async () => {
    await using scene = await Scene.create()
    const shown = JSON.stringify(
      asWritten(await scene.load(file('provider: google, clientId: p, clientSecret: hunter22'))),
    )
    expect(shown).toContain('"clientSecret":"********"')
    expect(shown).not.toContain('hunter22')
  })
})

describe('a token of a sign-in', () => {
  test.each([
    [
      'of a client that is not there',
      ACCOUNT.replace('one', 'ome'),
      /token: found the client "ome", expected a known client: did you mean one/,
    ],
    ['over a connection without TLS', `${ACCOUNT}, tls: none`, /a token goes without TLS only to this machine/],
  ])('%s is refused', async (_what, account, text) => {
    await using scene = await Scene.create()
    await expect(scene.load(file('provider: google, clientId: p', account))).rejects.toThrow(text)
  })

  test.each(['yandex', 'mailru'])('of %s is not for POP, as far as is known', async (provider) => {
    await using scene = await Scene.create()
    const client = `provider: ${provider}, clientId: p`
    await expect(scene.load(file(client))).rejects.toThrow(/gives no tokens for pop/)
    // Who names scopes knows more.
    await expect(scene.load(file(`${client}, scopes: [mail]`))).resolves.toBeDefined()
  })

  test('is asked for by a destination, too', async () => {
    await using scene = await Scene.create()
    const account = ACCOUNT.replace('"maildir:/mail"', 'out')
    const smtp = 'type: smtp, host: smtp.example.net, user: b@example.net, token: { oauth: one }, to: b@example.net'
    const configuration = await scene.load(
      `${file('provider: google, clientId: p', account)}destinations: { out: { ${smtp} } }\n`,
    )
    expect(signedInBy(configuration)).toMatchObject([
      { kind: 'account', use: 'pop' },
      { kind: 'destination', name: 'out', user: 'b@example.net', use: 'smtp' },
    ])
  })
})
