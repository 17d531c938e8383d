// A provider that answers anything at all: one clear line, the right end, no request more than needed, nothing leaked, nothing kept.
import { readdir } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { resolveSecret, SecretText } from '../../src/config/values/secret.ts'
import { Http } from '../../src/oauth/http.ts'
import { signInByBrowser } from '../../src/oauth/flows/browser.ts'
import { signInByDevice } from '../../src/oauth/flows/device.ts'
import { FORMS, tracesIn } from '../security/forms.ts'
import { AuthorizationServer, Visitor } from '../support/authorization-server.ts'
import { type Answer, answering, expectClear, html, json, refusal, TABLE, thrown } from './answers.ts'
import { clientOf, DAY_MS, Obedient, request, Scene, USER } from './scene.ts'

describe('a renewal is answered with', () => {
  test.each(Object.entries(TABLE))('%s', async (_what, [answer, code, text]) => {
    await using server = await answering(answer)
    const endpoints = { authorization: null, token: `${server.origin}/token`, device: null, revocation: null }
    const client = clientOf('', { issuer: null, endpoints })
    await using scene = await Scene.make(client, { limitMs: 1000 })
    const signIns = scene.signIns()
    const granted = {
      accessToken: 'old',
      refreshToken: 'a-refresh-token-7719',
      lifetimeMs: 1,
      signInLifetimeMs: null,
      person: null,
    }
    await signIns.keep('company', USER, await signIns.provider('company', null), granted)
    scene.aheadMs = DAY_MS
    const error = await thrown(signIns.tokenFor(request()))
    expectClear(error, code, text)
    expect(error.retry === 'never').toBe(code === 'ERR_AUTH')
    // Only what the provider said in so many words ends a sign-in.
    const { state } = await signIns.state('company', USER)
    expect(state).toBe(/invalid_grant|invalid_client/.test(error.message) ? 'ended' : 'ok')
  })
})

/** What goes to a provider, or comes from it, in a renewal. */
const SECRETS = { 'the refresh token': 'Zq7-refresh-Kd93vLpX', 'the client secret': 'wT4~client.8rNbYcQ2' }

describe.each(Object.entries(SECRETS))('a provider that repeats %s', (_what, secret) => {
  test.each(Object.entries(FORMS))('in the form "%s" leaks nothing', async (_form, repeat) => {
    await using server = await answering(refusal('invalid_grant', repeat(secret)))
    const endpoints = { authorization: null, token: `${server.origin}/token`, device: null, revocation: null }
    const clientSecret = () => resolveSecret(new SecretText(SECRETS['the client secret']), CONTEXT)
    await using scene = await Scene.make(clientOf('', { issuer: null, endpoints, clientSecret }))
    const signIns = scene.signIns()
    const lasts = { lifetimeMs: 1, signInLifetimeMs: null, person: null }
    const granted = { accessToken: 'old', refreshToken: SECRETS['the refresh token'], ...lasts }
    await signIns.keep('company', USER, await signIns.provider('company', null), granted)
    scene.aheadMs = DAY_MS
    const error = await thrown(signIns.tokenFor(request()))
    expect(error).toMatchObject({ code: 'ERR_AUTH' })
    const { error: kept } = await signIns.state('company', USER)
    for (const text of [error instanceof Error ? error.message : '', kept ?? '']) {
      expect(text).not.toBe('')
      expect(tracesIn(text, secret)).toEqual([])
    }
  })
})

const CONTEXT = { env: {}, signal: new AbortController().signal, what: 'the client secret of company' }

describe('an issuer', () => {
  const metadata = (origin: string) => ({
    issuer: origin,
    authorization_endpoint: `${origin}/auth`,
    token_endpoint: `${origin}/token`,
    device_authorization_endpoint: `${origin}/device`,
  })
  const at =
    (change: (origin: string) => object | Answer): Answer =>
    (response, asked) => {
      const made = change(`http://${asked.headers.host}`)
      if (typeof made === 'function') made(response, asked)
      else json(made)(response, asked)
    }

  test.each<readonly [string, Answer, string, RegExp]>([
    [
      'another issuer',
      at((origin) => ({ ...metadata(origin), issuer: 'https://evil.example' })),
      'ERR_PROVIDER',
      /another issuer|cannot be/,
    ],
    [
      'a token endpoint over http',
      at((origin) => ({ ...metadata(origin), token_endpoint: 'http://evil.example/t' })),
      'ERR_PROVIDER',
      /not https/,
    ],
    [
      'a file: endpoint',
      at((origin) => ({ ...metadata(origin), token_endpoint: 'file:///etc/passwd' })),
      'ERR_PROVIDER',
      /not https/,
    ],
    ['no token endpoint', at((origin) => ({ issuer: origin })), 'ERR_PROVIDER', /no metadata/],
    ['HTML', html(200), 'ERR_PROVIDER', /instead of JSON/],
    ['a server that is broken', html(503), 'ERR_CONNECT', /busy or broken/],
  ])('with %s is told, and gets nothing', async (_what, answer, code, text) => {
    await using server = await answering(answer)
    await using scene = await Scene.make(clientOf(server.origin), { limitMs: 1000 })
    const error = await thrown(scene.signIns().provider('company', null))
    expectClear(error, code, text)
  })

  test.each(['http://id.example.org', 'https://user:secret@id.example.org', 'ftp://id.example.org', 'nonsense'])(
    '%s is not asked',
    async (issuer) => {
      await using scene = await Scene.make(clientOf(issuer))
      expectClear(
        await thrown(scene.signIns().provider('company', null)),
        'ERR_PROVIDER',
        /not one that can be used|not https/,
      )
    },
  )

  test.each<readonly [string, object, RegExp]>([
    ['a page over http', { verification_uri: 'http://evil.example/' }, /not https/],
    ['a script for an address', { verification_uri: 'javascript:alert(1)' }, /not https/],
    ['no code', { user_code: undefined }, /user_code/],
  ])('whose device flow names %s is told', async (_what, change, text) => {
    const begun = { device_code: 'd', user_code: 'u', verification_uri: 'https://ok.example/', expires_in: 60 }
    await using server = await answering(
      at((origin) => (response, asked) => {
        if (asked.method === 'GET') json(metadata(origin))(response, asked)
        else json({ ...begun, ...change })(response, asked)
      }),
    )
    await using scene = await Scene.make(clientOf(server.origin), { limitMs: 1000 })
    const provider = await scene.signIns().provider('company', null)
    const person = new Obedient(USER)
    expectClear(await thrown(signInByDevice({ provider, user: USER, person })), 'ERR_PROVIDER', text)
    expect(person.lines).toEqual([])
  })
})

describe('while a person signs in', () => {
  async function scene() {
    const server = await AuthorizationServer.start()
    const made = await Scene.make(clientOf(server.issuer))
    const provider = await made.signIns().provider('company', null)
    return {
      server,
      provider,
      folder: made.folder,
      async [Symbol.asyncDispose]() {
        await made[Symbol.asyncDispose]()
        await server[Symbol.asyncDispose]()
      },
    }
  }
  const addressOf = (person: Obedient): string => person.lines.find((line) => line.startsWith('http')) ?? ''
  const redirectOf = (address: string): string => new URL(address).searchParams.get('redirect_uri') ?? ''

  /** Prints only; the test visits. */
  class Silent extends Obedient {
    override show = (line: string): void => void this.lines.push(line)
  }

  test('the pace of the device flow is that of the provider', async () => {
    await using all = await scene()
    const pauses: number[] = []
    for (const error of ['authorization_pending', 'slow_down', 'authorization_pending', 'access_denied']) {
      all.server.faults.push({ path: '/token', answer: (asked, response) => refusal(error)(response, asked) })
    }
    const signingIn = { provider: all.provider, user: USER, person: new Silent(USER) }
    const pause = (ms: number): Promise<void> => Promise.resolve(void pauses.push(ms))
    const error = await thrown(signInByDevice({ ...signingIn, pause }))
    expectClear(error, 'ERR_AUTH', /signing in alice@example.org at company: it was refused \(access_denied\)/)
    expect(pauses).toEqual([5000, 5000, 10_000, 10_000])
    expect(await readdir(all.folder)).toEqual([])
  })

  test('a code that nobody types ends in time', async () => {
    await using all = await scene()
    const person = new Silent(USER)
    const pause = (): Promise<void> => Promise.resolve()
    expectClear(
      await thrown(signInByDevice({ provider: all.provider, user: USER, person, pause })),
      'ERR_TIMEOUT',
      /nobody typed the code/,
    )
  })

  test('a person who refuses in the browser is believed', async () => {
    await using all = await scene()
    const person = new Silent(USER)
    const signing = thrown(signInByBrowser({ provider: all.provider, user: USER, person }))
    await visited(person, (address) => new Visitor(USER).open(address, { refuse: true }))
    expectClear(await signing, 'ERR_AUTH', /it was refused \(access_denied/)
  })

  test('an answer with another state, another issuer or nothing in it is not taken, and the right one still is', async () => {
    await using all = await scene()
    const person = new Silent(USER)
    const signing = signInByBrowser({ provider: all.provider, user: USER, person })
    await visited(person, async (address) => {
      const redirect = redirectOf(address)
      expect(new URL(redirect).hostname).toBe('127.0.0.1')
      const { searchParams } = await new Visitor(USER).open(address, { until: redirect })
      const wrong = [
        { code: 'x' },
        { ...Object.fromEntries(searchParams), state: 'another' },
        { ...Object.fromEntries(searchParams), iss: 'https://evil.example' },
        { error: 'access_denied', state: 'another' },
      ]
      for (const parameters of wrong) {
        const page = await fetch(`${redirect}?${new URLSearchParams(parameters).toString()}`)
        expect(page.status).toBe(400)
        expect(await page.text()).toMatch(/Not signed in/)
      }
      const page = await fetch(`${redirect}?${searchParams.toString()}`)
      expect(page.status).toBe(200)
      expect(page.headers.get('content-security-policy')).toMatch(/default-src 'none'/)
      expect(await page.text()).toMatch(/You can close this window/)
    })
    expect((await signing).refreshToken).not.toBeNull()
  })

  test('the address may be pasted, also after a wrong one', async () => {
    await using all = await scene()
    const person = new Silent(USER)
    const lines = Promise.withResolvers<string>()
    let asked = 0
    const paste = async (): Promise<string> =>
      asked++ === 0 ? 'https://elsewhere.example/?code=1' : await lines.promise
    const signing = signInByBrowser({ provider: all.provider, user: USER, person: Object.assign(person, { paste }) })
    await visited(person, async (address) => {
      lines.resolve((await new Visitor(USER).open(address, { until: redirectOf(address) })).href)
    })
    expect((await signing).refreshToken).not.toBeNull()
    expect(person.lines.join('\n')).toMatch(/that does not work: it is not the address of this sign-in/)
  })

  test('where no browser opens, the address stands alone on its line, and so does the one for ssh', async () => {
    await using all = await scene()
    const stopped = new AbortController()
    const person = new Silent(USER, stopped.signal)
    const signing = thrown(signInByBrowser({ provider: all.provider, user: USER, person }))
    await visited(person, async (address) => {
      const { port } = new URL(redirectOf(address))
      expect(new URL(address).href).toBe(address)
      expect(person.lines.at(-1)).toMatch(new RegExp(`^ssh -N -L ${port}:127\\.0\\.0\\.1:${port} [^ ]+@[^ ]+$`))
      // Another name for this machine is not answered: a page elsewhere could use it.
      const { request: ask } = await import('node:http')
      const status = await new Promise<number | undefined>((resolve) => {
        ask(`http://127.0.0.1:${port}/?code=1`, { headers: { host: 'evil.example' } }, (response) => {
          response.resume()
          resolve(response.statusCode)
        }).end()
      })
      expect(status).toBe(404)
    })
    const reason = new Error('stopped by the person')
    stopped.abort(reason)
    expect(await signing).toBe(reason)
  })

  async function visited(person: Silent, visit: (address: string) => Promise<unknown>): Promise<void> {
    while (addressOf(person) === '' || !person.lines.some((line) => line.startsWith('ssh'))) {
      await new Promise((resolve) => void setImmediate(resolve))
    }
    await visit(addressOf(person))
  }
})

test('HTTPS_PROXY is obeyed, but for this machine', async () => {
  await using server = await answering(json({ ok: true }))
  const env = { HTTPS_PROXY: 'http://127.0.0.1:1', HTTP_PROXY: 'http://127.0.0.1:1' }
  const http = new Http({ env, nowMs: Date.now, limitMs: 5000 })
  expect((await http.fetch(`${server.origin}/x`, { method: 'GET', headers: {} })).status).toBe(200)
  const error = await thrown(http.fetch('https://id.example.org/x', { method: 'GET', headers: {} }))
  expectClear(error, 'ERR_CONNECT', /ECONNREFUSED|refused/)
})
