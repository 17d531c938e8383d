// The address that a person opens, for each provider that is known; and how each end of a sign-in is told.
import { get } from 'node:http'
import { describe, expect, test } from 'vitest'
import { signInByBrowser } from '../../src/oauth/flows/browser.ts'
import { signInByDevice } from '../../src/oauth/flows/device.ts'
import { flowOf } from '../../src/oauth/flows/flow.ts'
import { SIGN_IN_PROVIDERS } from '../../src/sign-in-providers.ts'
import { answering, expectClear, json, refusal, thrown } from './answers.ts'
import { clientOf, Obedient, Scene, USER } from './scene.ts'

const known = (provider: string, changes = {}) =>
  clientOf('', { name: provider, provider, issuer: null, scopes: null, uses: ['imap', 'smtp'], ...changes })

describe.each(Object.keys(SIGN_IN_PROVIDERS))('%s', (name) => {
  test('is asked by https with PKCE, state and the scopes of all uses, and sends the browser back to this machine', async () => {
    await using scene = await Scene.make(known(name))
    const provider = await scene.signIns().provider(name, null)
    const { loopback, scopes, beside, parameters } = SIGN_IN_PROVIDERS[name]!
    const { address } = await provider.authorization(`http://${loopback}:5/`, USER)
    const url = new URL(address)
    expect(url.protocol).toBe('https:')
    expect(address).not.toContain('{')
    const asked = Object.fromEntries(url.searchParams)
    expect(asked).toMatchObject({
      response_type: 'code',
      code_challenge_method: 'S256',
      login_hint: USER,
      ...parameters,
    })
    expect(asked['code_challenge']).toMatch(/^[\w-]{43}$/)
    expect(asked['state']).toMatch(/^[\w-]{43}$/)
    const all = new Set([...scopes.imap, ...scopes.smtp, ...beside])
    expect(new Set(asked['scope']?.split(' '))).toEqual(all)
    expect([loopback, flowOf(provider.client, provider, null)]).toEqual([
      /microsoft|fastmail/.test(name) ? 'localhost' : '127.0.0.1',
      name === 'microsoft' ? 'device' : 'browser',
    ])
  })
})

test('Google is asked for a sign-in that lasts, and for consent each time; Microsoft by name', async () => {
  await using google = await Scene.make(known('google', { uses: ['pop', 'gmail'] }))
  const one = await (await google.signIns().provider('google', null)).authorization('http://127.0.0.1:5/', USER)
  const asked = new URL(one.address).searchParams
  expect([asked.get('access_type'), asked.get('prompt')]).toEqual(['offline', 'consent'])
  expect(asked.get('scope')).toMatch(/https:\/\/mail\.google\.com\/ .*gmail\.insert/)
  await using microsoft = await Scene.make(known('microsoft', { tenant: 'consumers', uses: ['pop'] }))
  const other = await (await microsoft.signIns().provider('microsoft', null)).authorization('http://localhost:5/', USER)
  expect(other.address).toMatch(/^https:\/\/login\.microsoftonline\.com\/consumers\/oauth2\/v2\.0\/authorize\?/)
  expect(new URL(other.address).searchParams.get('scope')?.split(' ')).toEqual(
    expect.arrayContaining(['offline_access', 'https://outlook.office.com/POP.AccessAsUser.All']),
  )
})

/** A provider with a device endpoint and an answer at its token endpoint. */
async function provider(answers: Parameters<typeof answering>[0]) {
  const server = await answering((response, asked) => {
    const begun = { device_code: 'd', user_code: 'u', verification_uri: 'https://ok.example/', expires_in: 600 }
    if (asked.url === '/device') json(begun)(response, asked)
    else answers(response, asked)
  })
  const at = (path: string): string => `${server.origin}${path}`
  const endpoints = { authorization: at('/auth'), token: at('/token'), device: at('/device'), revocation: null }
  const scene = await Scene.make(clientOf('', { issuer: null, endpoints }))
  return {
    provider: await scene.signIns().provider('company', null),
    async [Symbol.asyncDispose]() {
      await scene[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

test.each([
  ['expired_token', 'ERR_TIMEOUT', /nobody typed the code before it expired: start again/],
  ['access_denied', 'ERR_AUTH', /it was refused \(access_denied\)/],
  ['invalid_grant', 'ERR_AUTH', /the provider refuses it \(invalid_grant\): start again/],
  ['invalid_client', 'ERR_AUTH', /the provider refuses the client \(invalid_client\): check clientId and clientSecret/],
  ['unsupported_grant_type', 'ERR_AUTH', /check scopes, clientId/],
] as const)('a device code that ends with %s', async (named, code, text) => {
  await using all = await provider(refusal(named))
  const pause = (): Promise<void> => Promise.resolve()
  const failure = await thrown(signInByDevice({ provider: all.provider, user: USER, person: new Quiet(USER), pause }))
  expectClear(failure, code, text)
})

/** Does nothing of what is printed. */
class Quiet extends Obedient {
  override show = (line: string): void => void this.lines.push(line)
}

test.each([
  [{ error: 'access_denied' }, 'ERR_AUTH', /it was refused \(access_denied\)/],
  [
    { error: 'access_denied', error_description: 'AADSTS65004: x' },
    'ERR_AUTH',
    /AADSTS65004: the consent was declined/,
  ],
  [
    { error: 'invalid_scope', error_description: 'no\u001b[2J such\r\nscope' },
    'ERR_AUTH',
    /invalid_scope: no\\x1b\[2J such/,
  ],
  [{ error: 'server_error' }, 'ERR_CONNECT', /cannot answer now \(server_error\)/],
  [{ error: 'temporarily_unavailable' }, 'ERR_CONNECT', /cannot answer now/],
  [{ error: 'x'.repeat(5000) }, 'ERR_AUTH', /x{20,60}…/],
  [{ error: 'e', error_description: 'y'.repeat(9000) }, 'ERR_AUTH', /e: y{100,200}…/],
] as const)('the browser that comes back with %j', async (answer, code, text) => {
  await using all = await provider(json({}))
  const person = new Quiet(USER)
  const failure = thrown(signInByBrowser({ provider: all.provider, user: USER, person }))
  while (!person.lines.some((line) => line.startsWith('ssh'))) await new Promise((turn) => void setImmediate(turn))
  const address = new URL(person.lines.find((line) => line.startsWith('http')) ?? '')
  const back = new URL(address.searchParams.get('redirect_uri') ?? '')
  back.search = new URLSearchParams({ ...answer, state: address.searchParams.get('state') ?? '' }).toString()
  const page = await new Promise<string>((resolve) => {
    get(back, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
      response.on('end', () => resolve(body))
    })
  })
  expectClear(await failure, code, text)
  // The page has nothing of what came.
  expect(page).toContain('Not signed in')
  expect(page).not.toMatch(/AADSTS|x{20}|y{20}|scope/)
})
