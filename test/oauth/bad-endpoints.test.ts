// Each bad answer at each endpoint that a person's sign-in comes to: one clear line, nothing kept, nothing leaked.
import { readdir } from 'node:fs/promises'
import { get } from 'node:http'
import { describe, expect, test } from 'vitest'
import { PopfetchError } from '../../src/errors.ts'
import { signInByBrowser } from '../../src/oauth/flows/browser.ts'
import { signInByDevice } from '../../src/oauth/flows/device.ts'
import { type Answer, answering, expectClear, json, TABLE, thrown } from './answers.ts'
import { clientOf, Obedient, Scene, USER } from './scene.ts'

/** A provider that is well, but for one endpoint. */
function but(bad: string, answer: Answer): Answer {
  return (response, asked) => {
    const path = asked.url ?? ''
    if (path.startsWith(bad)) answer(response, asked)
    else if (path.startsWith('/device')) {
      const begun = { device_code: 'a-device-code-551', user_code: 'u', verification_uri: 'https://ok.example/' }
      json({ ...begun, expires_in: 60 })(response, asked)
    } else
      json({ access_token: 'good', refresh_token: 'better', token_type: 'Bearer', expires_in: 3600 })(response, asked)
  }
}

/** A client that knows its endpoints. What takes too long, takes too long at once; nothing else does on a busy machine. */
function sceneOf(origin: string, what: string): Promise<Scene> {
  const at = (path: string): string => `${origin}${path}`
  const endpoints = {
    authorization: at('/auth'),
    token: at('/token'),
    device: at('/device'),
    revocation: at('/revoke'),
  }
  const limitMs = /^(?:no answer|an answer without an end)$/.test(what) ? 500 : 20_000
  return Scene.make(clientOf('', { issuer: null, endpoints }), { limitMs })
}

/** Shows what to do to nobody; in the browser flow an answer comes at once. */
class Redirected extends Obedient {
  override show = (line: string): void => {
    this.lines.push(line)
    if (!line.startsWith('http') || !line.includes('response_type=code')) return
    const asked = new URL(line).searchParams
    const back = new URL(asked.get('redirect_uri') ?? '')
    back.search = new URLSearchParams({ code: 'a-code-8817', state: asked.get('state') ?? '' }).toString()
    get(back, (response) => response.resume()).on('error', () => {})
  }
}

const FLOWS = {
  'the device endpoint': { bad: '/device', signIn: signInByDevice },
  'the token endpoint, by device code': { bad: '/token', signIn: signInByDevice },
  'the token endpoint, by browser': { bad: '/token', signIn: signInByBrowser },
} as const

describe.each(Object.entries(FLOWS))('%s answers with', (_where, { bad, signIn }) => {
  test.each(Object.entries(TABLE))('%s', async (what, [answer]) => {
    await using server = await answering(but(bad, answer))
    await using scene = await sceneOf(server.origin, what)
    const provider = await scene.signIns().provider('company', null)
    const person = new Redirected(USER)
    const pause = (): Promise<void> => Promise.resolve()
    const error = await thrown(signIn({ provider, user: USER, person, pause }))
    expect(error).toBeInstanceOf(PopfetchError)
    if (!(error instanceof PopfetchError)) throw error
    expect(['ERR_PROVIDER', 'ERR_AUTH', 'ERR_CONNECT', 'ERR_TIMEOUT']).toContain(error.code)
    expectClear(error, error.code, /^signing in alice@example.org at company: \S/)
    expect(error.message).not.toMatch(/a-device-code|a-code-8817/)
    expect(await readdir(scene.folder)).toEqual([])
  })
})

describe('the revocation endpoint answers with', () => {
  test.each(Object.entries(TABLE))('%s', async (what, [answer]) => {
    await using server = await answering(but('/revoke', answer))
    await using scene = await sceneOf(server.origin, what)
    const provider = await scene.signIns().provider('company', null)
    const { signal } = new AbortController()
    const outcome = await provider.revoke('a-refresh-token-7719', signal).catch((error: unknown) => error)
    // A 200 is yes, whatever is in it (RFC 7009 section 2.2).
    if (outcome !== true) expect(outcome).toBeInstanceOf(Error)
    expect(String(outcome)).not.toContain('a-refresh-token-7719')
  })
})
