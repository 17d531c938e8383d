// Ends that are known beforehand: told ahead, and once.
import { chmod, readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { AuthorizationServer, CLIENT_SECRET } from '../support/authorization-server.ts'
import { certificates } from '../support/certificates.ts'
import { clientOf, DAY_MS, files, HOUR_MS, request, Scene, signedIn, USER } from './scene.ts'

describe('an end that is known', () => {
  test('is told two days ahead, once', async () => {
    await using all = await signedIn()
    const { scene, server } = all
    scene.aheadMs = DAY_MS
    server.faults.push({
      path: '/token',
      answer: (_asked, response) => {
        response.setHeader('content-type', 'application/json')
        const tokens = {
          access_token: 'new-token',
          refresh_token: 'new-refresh',
          token_type: 'Bearer',
          expires_in: 3600,
        }
        response.end(JSON.stringify({ ...tokens, refresh_token_expires_in: 604_799 }))
      },
    })
    await scene.signIns().tokenFor(request())
    expect(await scene.signIns().endings()).toEqual([])
    expect(await scene.signIns().state('company', USER)).toMatchObject({ state: 'ok' })
    scene.aheadMs += 5.5 * DAY_MS
    expect(await scene.signIns().state('company', USER)).toMatchObject({ state: 'ends-soon' })
    const [line] = await scene.signIns().endings()
    expect(line).toMatch(
      /^the sign-in of alice@example.org via company ends on \d{4}-\d\d-\d\d \d\d:\d\d \S+: popfetch auth$/,
    )
    expect(await scene.signIns().endings()).toEqual([])
  })

  /** The next renewal gets new tokens of an hour, and this end of the sign-in. */
  const announce = (server: AuthorizationServer, seconds: number): void => {
    const tokens = {
      access_token: `new-token-${seconds}`,
      refresh_token: 'new-refresh',
      token_type: 'Bearer',
      expires_in: 3600,
    }
    server.faults.push({
      path: '/token',
      answer: (_asked, response) => {
        response.setHeader('content-type', 'application/json')
        response.end(JSON.stringify({ ...tokens, refresh_token_expires_in: seconds }))
      },
    })
  }

  test('that is told again at each renewal, a second earlier or later, is one end', async () => {
    await using all = await signedIn()
    const { scene, server } = all
    let told = 0
    for (let hour = 1; hour <= 40; hour++) {
      scene.aheadMs = hour * HOUR_MS
      announce(server, (41 - hour) * 3600 + (hour % 3) - 1)
      await scene.signIns().tokenFor(request())
      told += (await scene.signIns().endings()).length
    }
    expect(told).toBe(1)
    expect(await scene.signIns().state('company', USER)).toMatchObject({ state: 'ends-soon' })
  })

  test('that each renewal puts off is none', async () => {
    await using all = await signedIn()
    const { scene, server } = all
    const told: string[] = []
    for (let hour = 1; hour <= 60; hour++) {
      scene.aheadMs = hour * HOUR_MS
      announce(server, 86_400)
      await scene.signIns().tokenFor(request())
      told.push(...(await scene.signIns().endings()))
    }
    // At the first nobody could know that another would follow.
    expect(told.length).toBeLessThanOrEqual(1)
    expect(await scene.signIns().state('company', USER)).toMatchObject({ state: 'ok' })
  })

  test('is told although the file of another sign-in is not to be believed', async () => {
    await using all = await signedIn()
    const { scene, server } = all
    const signIns = scene.signIns()
    const provider = await signIns.provider('company', null)
    const lasts = { lifetimeMs: 3_600_000, signInLifetimeMs: DAY_MS, person: null }
    await signIns.keep('company', 'bob@example.org', provider, { accessToken: 'one', refreshToken: 'two', ...lasts })
    for (const file of await files(scene.folder)) {
      if ((await readFile(file, 'utf8')).includes(USER)) await chmod(file, 0o644)
    }
    expect(await scene.signIns().endings()).toHaveLength(1)
    expect(await scene.signIns().kept()).toEqual([{ client: 'company', user: 'bob@example.org' }])
    expect(server.faults).toEqual([])
  })

  test('of a client certificate is told 14 days ahead, by what is in it', async () => {
    const { certificate, key } = certificates.expired
    const pair = () => Promise.resolve({ certificate, key })
    await using server = await AuthorizationServer.start({ certificate })
    await using scene = await Scene.make(
      clientOf(server.issuer, { flow: 'client-credentials', certificate: pair, scopes: ['mail'] }),
    )
    await scene.signIns().tokenFor(request())
    const [line] = await scene.signIns().endings()
    expect(line).toMatch(/^the client certificate of company ends on 202\d-\d\d-\d\d \d\d:\d\d \S+: make a new one/)
    expect(await scene.signIns().endings()).toEqual([])
  })

  test('of a client secret is told 14 days ahead', async () => {
    await using server = await AuthorizationServer.start({ secret: true })
    const client = clientOf(server.issuer, {
      flow: 'client-credentials',
      clientSecret: () => Promise.resolve(CLIENT_SECRET),
      scopes: ['mail'],
      secretEndsMs: Date.now() + 20 * DAY_MS,
    })
    await using scene = await Scene.make(client)
    await scene.signIns().tokenFor(request())
    expect(await scene.signIns().endings()).toEqual([])
    scene.aheadMs = 7 * DAY_MS
    expect(await scene.signIns().endings()).toHaveLength(1)
    expect(await scene.signIns().endings()).toEqual([])
  })
})
