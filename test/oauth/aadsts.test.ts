// Microsoft's numbers, each as it comes in an answer. One clear line with what it means and what to do, nothing guessed beside it, and
// a sign-in that ends only where the error says so.
import { describe, expect, test } from 'vitest'
import { AADSTS } from '../../src/oauth/aadsts.ts'
import { answering, type Answer, expectClear, refusal, thrown } from './answers.ts'
import { clientOf, DAY_MS, request, Scene, USER } from './scene.ts'

/** As Microsoft writes it. */
const description = (number: string): string =>
  `AADSTS${number}: What Microsoft says, with a name such as '01234567-89ab'. Trace ID: 1 Correlation ID: 2\r\nTimestamp: 2026-11-29 12:00:00Z`

/** A sign-in by Microsoft, and a provider in its place. */
async function microsoft(answer: Answer) {
  let requests = 0
  const server = await answering((response, asked) => {
    requests++
    answer(response, asked)
  })
  const endpoints = { authorization: null, token: `${server.origin}/token`, device: null, revocation: null }
  const scene = await Scene.make(clientOf('', { issuer: null, endpoints }))
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
  return {
    signIns,
    requests: () => requests,
    async [Symbol.asyncDispose]() {
      await scene[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

describe.each(['invalid_grant', 'invalid_client', 'invalid_request'])('with %s', (error) => {
  test.each([...AADSTS.words])('AADSTS%s is told in words', async (number, words) => {
    await using provider = await microsoft(refusal(error, description(number)))
    const failure = await thrown(provider.signIns.tokenFor(request()))
    expectClear(failure, 'ERR_AUTH', /AADSTS/)
    expect(failure.message).toContain(`(${error}, AADSTS${number}: ${words})`)
    expect(failure.message).not.toMatch(/likely|check clientId and clientSecret|Trace ID|Timestamp/)
    const { state } = await provider.signIns.state('company', USER)
    expect(state).toBe(error === 'invalid_request' ? 'ok' : 'ended')
    await thrown(provider.signIns.tokenFor(request()))
    expect(provider.requests()).toBe(state === 'ok' ? 2 : 1)
  })

  test.each([...AADSTS.transient])('AADSTS%s passes by itself', async (number) => {
    await using provider = await microsoft(refusal(error, description(number)))
    const failure = await thrown(provider.signIns.tokenFor(request()))
    expectClear(failure, 'ERR_CONNECT', /the provider cannot answer now .*: trying again later/)
    expect(await provider.signIns.state('company', USER)).toMatchObject({ state: 'ok' })
  })
})

test('a number that nobody knows is told as Microsoft says it', async () => {
  await using provider = await microsoft(refusal('invalid_grant', description('1234567')))
  const failure = await thrown(provider.signIns.tokenFor(request()))
  expectClear(failure, 'ERR_AUTH', /invalid_grant: AADSTS1234567: What Microsoft says.*likely: .*: popfetch auth/)
  expect(failure.message).not.toContain('Timestamp')
})

test('no number is in two places', () => {
  for (const number of AADSTS.transient) expect([...AADSTS.words.keys()]).not.toContain(number)
})
