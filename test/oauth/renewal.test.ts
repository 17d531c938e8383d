// Renewing: rotation, reuse detection, lost answers, kills, clocks. Against a real authorization server that ends a sign-in when an
// old refresh token comes again.
import { execFile } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { chmod, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { PopfetchError } from '../../src/errors.ts'
import { redact } from '../../src/redact.ts'
import { AuthorizationServer, CLIENT_SECRET } from '../support/authorization-server.ts'
import { clientOf, DAY_MS, files, HOUR_MS, kept, request, Scene, signedIn, USER } from './scene.ts'

const failure = (promise: Promise<unknown>): Promise<PopfetchError> =>
  promise.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: PopfetchError) => error,
  )

describe('a token', () => {
  test('that has ended is renewed once, and the new refresh token is the one that is kept', async () => {
    await using all = await signedIn()
    const { scene, granted, requests } = all
    scene.aheadMs = HOUR_MS - 30_000
    const { token, signIn } = await scene.signIns().tokenFor(request())
    expect(token).not.toBe(granted.accessToken)
    expect(await kept(scene.folder)).toContain(token)
    expect(await kept(scene.folder)).not.toContain(granted.refreshToken)
    expect(requests()).toBe(1)
    // The same for the next process, without a request.
    expect(await scene.signIns().tokenFor(request())).toEqual({ token, signIn })
    expect(requests()).toBe(1)
  })

  test('is renewed by one of many that ask at the same moment', async () => {
    await using all = await signedIn()
    const { scene, requests } = all
    scene.aheadMs = DAY_MS
    const tokens = await Promise.all(Array.from({ length: 8 }, () => scene.signIns().tokenFor(request())))
    expect(new Set(tokens.map(({ token }) => token)).size).toBe(1)
    expect(requests()).toBe(1)
  })

  test('is renewed by one of several processes', async () => {
    await using all = await signedIn()
    const { scene, server, requests } = all
    const script = join(import.meta.dirname, 'killed.ts')
    const ran = await Promise.all(
      Array.from({ length: 3 }, () => {
        const words = [script, scene.folder, server.issuer, 'never']
        return new Promise<Error | null>((resolve) => void execFile(process.execPath, words, (error) => resolve(error)))
      }),
    )
    expect(ran).toEqual([null, null, null])
    expect(requests()).toBe(1)
  })

  test('that a server refused is replaced, once for all who had it', async () => {
    await using all = await signedIn()
    const { scene, granted, requests } = all
    const refused = { refused: granted.accessToken }
    const { token } = await scene.signIns().tokenFor(request(refused))
    expect(token).not.toBe(granted.accessToken)
    expect(await scene.signIns().tokenFor(request(refused))).toMatchObject({ token })
    expect(requests()).toBe(1)
  })

  test('does not last because the clock was set back', async () => {
    await using all = await signedIn()
    const { scene, requests } = all
    scene.aheadMs = -10 * DAY_MS
    await scene.signIns().tokenFor(request())
    expect(requests()).toBe(1)
  })

  test('is not waited for after the signal, and nothing is asked', async () => {
    await using all = await signedIn()
    const { scene, requests } = all
    scene.aheadMs = DAY_MS
    const error = await failure(scene.signIns().tokenFor(request({ signal: AbortSignal.abort() })))
    expect(error).toMatchObject({ code: 'ERR_ABORTED', retry: 'soon' })
    expect(requests()).toBe(0)
  })

  test('for a use that was not asked for is not taken', async () => {
    await using all = await signedIn()
    const { scene, server, requests } = all
    const wider = clientOf(server.issuer, { scopes: ['openid', 'email', 'mail', 'send'] })
    const error = await failure(scene.signIns(wider).tokenFor(request()))
    expect(error).toMatchObject({ code: 'ERR_AUTH', retry: 'never' })
    expect(error.message).toMatch(/not for send: popfetch auth/)
    // So that `popfetch auth` alone signs in again.
    expect(await scene.signIns(wider).state('company', USER)).toMatchObject({ state: 'ended' })
    expect(requests()).toBe(0)
  })
})

describe('a sign-in', () => {
  test('is kept where nobody else can read it, and its secrets are masked', async () => {
    await using all = await signedIn()
    const { scene, granted } = all
    expect((await stat(join(scene.folder, 'oauth'))).mode & 0o777).toBe(0o700)
    for (const file of await files(scene.folder)) expect((await stat(file)).mode & 0o777).toBe(0o600)
    for (const secret of [granted.accessToken, granted.refreshToken ?? '']) {
      expect(redact(`said ${secret} and ${Buffer.from(secret).toString('base64')}`)).not.toContain(secret)
    }
  })

  test.each([
    ['a file that others can read', (file: string) => chmod(file, 0o644)],
    ['a file that others can write', (file: string) => chmod(file, 0o602)],
  ])('is not believed from %s', async (_what, spoil) => {
    await using all = await signedIn()
    const { scene, requests } = all
    const [file = ''] = (await files(scene.folder)).filter((name) => name.endsWith('.json'))
    await spoil(file)
    const error = await failure(scene.signIns().tokenFor(request()))
    expect(error).toMatchObject({ code: 'ERR_AUTH', retry: 'never' })
    expect(error.message).toMatch(/cannot be trusted.*chmod/)
    expect(requests()).toBe(0)
  })

  test('of another client or provider is not used', async () => {
    await using all = await signedIn()
    const { scene, server, requests } = all
    await using other = await AuthorizationServer.start()
    for (const client of [clientOf(server.issuer, { clientId: 'another' }), clientOf(other.issuer)]) {
      const error = await failure(scene.signIns(client).tokenFor(request()))
      expect(error.message).toMatch(/belongs to another client or provider: popfetch auth/)
    }
    expect(requests() + other.journal.length).toBe(0)
  })

  test('that nobody made is told with the command, without a request', async () => {
    await using server = await AuthorizationServer.start()
    await using scene = await Scene.make(clientOf(server.issuer))
    const error = await failure(scene.signIns().tokenFor(request()))
    expect(error).toMatchObject({ code: 'ERR_AUTH', retry: 'never' })
    expect(error.message).toBe(`getting a token for ${USER} via company: nobody has signed in yet: popfetch auth`)
    expect(server.journal).toEqual([])
  })

  test('that was revoked ends, is asked for no more, and a new one is noticed', async () => {
    await using all = await signedIn()
    const { scene, granted, requests } = all
    const before = await scene.signIns().mark('company', USER)
    const provider = await scene.signIns().provider('company', null)
    expect(await provider.revoke(granted.refreshToken ?? '', new AbortController().signal)).toBe(true)
    scene.aheadMs = DAY_MS
    const error = await failure(scene.signIns().tokenFor(request()))
    expect(error).toMatchObject({ code: 'ERR_AUTH', retry: 'never' })
    expect(error.message).toMatch(
      /the provider has ended the sign-in \(invalid_grant.*likely: .*: popfetch auth; the clock of this machine is 1440 minutes fast/,
    )
    expect(requests()).toBe(1)
    for (let again = 0; again < 3; again++) {
      expect((await failure(scene.signIns().tokenFor(request()))).message).toBe(error.message)
    }
    expect(requests()).toBe(1)
    expect(await scene.signIns().state('company', USER)).toMatchObject({ state: 'ended', error: error.message })
    expect(await scene.signIns().mark('company', USER)).toBeNull()
    await scene.signIn('browser')
    expect(await scene.signIns().mark('company', USER)).not.toBe(before)
    await expect(scene.signIns().tokenFor(request())).resolves.toBeDefined()
  })

  test('whose answer was lost on the way is asked for once more; where that ends it, the text says so', async () => {
    await using all = await signedIn()
    const { scene, server, requests } = all
    scene.aheadMs = DAY_MS
    server.faults.push({ path: '/token', afterwards: true, answer: (asked) => void asked.socket.destroy() })
    expect(await failure(scene.signIns().tokenFor(request()))).toMatchObject({ code: 'ERR_CONNECT', retry: 'soon' })
    const error = await failure(scene.signIns().tokenFor(request()))
    expect(error.code).toBe('ERR_AUTH')
    expect(error.message).toMatch(/a renewal was interrupted before/)
    expect(requests()).toBe(2)
  })

  test('whose request was lost on the way goes on', async () => {
    await using all = await signedIn()
    const { scene, server } = all
    scene.aheadMs = DAY_MS
    server.faults.push({ path: '/token', answer: (asked) => void asked.socket.destroy() })
    expect(await failure(scene.signIns().tokenFor(request()))).toMatchObject({ code: 'ERR_CONNECT', retry: 'soon' })
    await expect(scene.signIns().tokenFor(request())).resolves.toBeDefined()
  })

  test('finds room on the disk for its new token before the provider is asked for it', async () => {
    await using server = await AuthorizationServer.start()
    const kept: number[] = []
    const step = (name: string): void => {
      if (name !== 'answered') return
      const folder = join(scene.folder, 'oauth')
      const [room = ''] = readdirSync(folder).filter((file) => file.includes('.new-'))
      const { ino, size } = statSync(join(folder, room))
      kept.push(ino, size)
    }
    await using scene = await Scene.make(clientOf(server.issuer), { step })
    await scene.signIn()
    scene.aheadMs = DAY_MS
    await scene.signIns().tokenFor(request())
    const [file = ''] = (await files(scene.folder)).filter((name) => name.endsWith('.json'))
    expect(kept).toEqual([(await stat(file)).ino, 65_536])
    expect((await stat(file)).size).toBeLessThan(5000)
    expect((await files(scene.folder)).filter((name) => name.includes('.new-'))).toEqual([])
  })

  test('for which there is no room is not asked for, and goes on when there is', async () => {
    await using server = await AuthorizationServer.start()
    let full = false
    const step = (name: string): void => {
      if (full && name === 'reserved') throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
    }
    await using scene = await Scene.make(clientOf(server.issuer), { step })
    await scene.signIn()
    scene.aheadMs = DAY_MS
    const requests = server.tokenRequests
    full = true
    const error = await failure(scene.signIns().tokenFor(request()))
    expect(error).toMatchObject({ code: 'ERR_LEDGER', retry: 'soon' })
    expect(error.message).toMatch(/no space left \(ENOSPC\): nothing of it is used: make room there/)
    expect(server.tokenRequests).toBe(requests)
    full = false
    await expect(scene.signIns().tokenFor(request())).resolves.toBeDefined()
  })

  test('that fails is not tried again by those who waited for it', async () => {
    await using all = await signedIn()
    const { scene, server, requests } = all
    scene.aheadMs = DAY_MS
    const signIns = scene.signIns()
    for (let fault = 0; fault < 5; fault++)
      server.faults.push({ path: '/token', answer: (asked) => void asked.socket.destroy() })
    const failures = await Promise.all(Array.from({ length: 5 }, () => failure(signIns.tokenFor(request()))))
    expect(failures.map(({ code }) => code)).toEqual(Array.from({ length: 5 }, () => 'ERR_CONNECT'))
    expect(requests()).toBe(1)
    server.faults.length = 0
    await expect(signIns.tokenFor(request())).resolves.toBeDefined()
  })

  test('that cannot be kept is not used, and is kept as soon as that is possible', async () => {
    await using server = await AuthorizationServer.start()
    let full = false
    const step = (name: string): void => {
      if (full && name === 'written') throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
      if (name === 'answered') full = true
    }
    await using scene = await Scene.make(clientOf(server.issuer), { step })
    await scene.signIn()
    scene.aheadMs = DAY_MS
    const signIns = scene.signIns()
    expect(await failure(signIns.tokenFor(request()))).toMatchObject({ code: 'ERR_LEDGER', retry: 'soon' })
    full = false
    const before = server.tokenRequests
    const { token } = await signIns.tokenFor(request())
    expect(server.tokenRequests).toBe(before)
    expect(await kept(scene.folder)).toContain(token)
  })

  test('that is not to be believed can be forgotten anyway', async () => {
    await using all = await signedIn()
    const { scene } = all
    const [file = ''] = (await files(scene.folder)).filter((name) => name.endsWith('.json'))
    await chmod(file, 0o644)
    expect(await scene.signIns().forget('company', USER)).toEqual({ record: null })
    expect(await scene.signIns().state('company', USER)).toMatchObject({ state: 'none' })
  })

  test('is forgotten with sign-out, and nothing of it is left', async () => {
    await using all = await signedIn()
    const { scene, granted } = all
    expect((await scene.signIns().forget('company', USER))?.record?.refreshToken).toBe(granted.refreshToken)
    expect((await files(scene.folder)).filter((name) => !name.endsWith('.lock'))).toEqual([])
    expect(await scene.signIns().forget('company', USER)).toBeNull()
  })
})

describe('client credentials', () => {
  test('need nobody, and are asked for when the token has ended', async () => {
    await using server = await AuthorizationServer.start({ secret: true })
    const client = clientOf(server.issuer, {
      flow: 'client-credentials',
      clientSecret: () => Promise.resolve(CLIENT_SECRET),
      scopes: ['mail'],
    })
    await using scene = await Scene.make(client)
    const first = await scene.signIns().tokenFor(request())
    expect(await scene.signIns().tokenFor(request())).toEqual(first)
    expect(server.tokenRequests).toBe(1)
    scene.aheadMs = DAY_MS
    const second = await scene.signIns().tokenFor(request())
    expect(second.token).not.toBe(first.token)
    // Still the same sign-in: no changed secret.
    expect(second.signIn).toBe(first.signIn)
  })

  test('with a wrong secret are refused once, and asked again only with another one', async () => {
    await using server = await AuthorizationServer.start({ secret: true })
    let secret = 'a-wrong-secret-4417'
    const client = clientOf(server.issuer, {
      flow: 'client-credentials',
      clientSecret: () => Promise.resolve(secret),
      scopes: ['mail'],
    })
    await using scene = await Scene.make(client)
    const error = await failure(scene.signIns().tokenFor(request()))
    expect(error).toMatchObject({ code: 'ERR_AUTH', retry: 'never' })
    expect(error.message).toMatch(/refuses the client \(invalid_client/)
    expect(error.message).not.toContain(secret)
    await failure(scene.signIns().tokenFor(request()))
    expect(server.tokenRequests).toBe(1)
    secret = CLIENT_SECRET
    await expect(scene.signIns().tokenFor(request())).resolves.toBeDefined()
    expect(server.tokenRequests).toBe(2)
  })
})

/** The steps of a renewal, in their order, and what follows when the process is killed at one of them. */
const WRITING = ['opened', 'written', 'synced', 'renamed', 'durable']
const STEPS = ['reserved', ...WRITING, 'noted', 'answered', ...WRITING]
/** The provider has answered, and what it gave is not on the disk. From "written" on, the next with the lock gives it its name. */
const isLost = (at: number): boolean => at >= STEPS.indexOf('answered') && at < STEPS.lastIndexOf('written')

describe('killed with SIGKILL', () => {
  test.each(STEPS.map((name, at) => [name, at] as const))(
    'at "%s" (step %i), the next poll goes on',
    async (name, at) => {
      await using all = await signedIn()
      const { scene, server } = all
      const script = join(import.meta.dirname, 'killed.ts')
      const { stdout, signal } = await new Promise<{ stdout: string; signal: NodeJS.Signals | undefined }>(
        (resolve) => {
          const words = [script, scene.folder, server.issuer, String(at)]
          execFile(process.execPath, words, (error, out) =>
            resolve({ stdout: out, signal: error?.signal ?? undefined }),
          )
        },
      )
      expect(signal).toBe('SIGKILL')
      expect(stdout.trim().split('\n')).toEqual(STEPS.slice(0, at + 1))
      scene.aheadMs = 2 * DAY_MS
      const next = scene.signIns().tokenFor(request())
      // What this provider cannot give twice, a person has to: then it is said why.
      if (isLost(at))
        expect((await failure(next)).message, name).toMatch(/a renewal was interrupted before.*popfetch auth/)
      else await expect(next, name).resolves.toBeDefined()
      const left = (await files(scene.folder)).filter((file) => file.includes('.new-'))
      expect(left).toEqual([])
    },
  )
})

test('a sign-in lasts for a week, with cron and a daemon at once, and refused tokens in between', async () => {
  await using all = await signedIn()
  const { scene, requests } = all
  const daemon = scene.signIns()
  const hours = 24 * 7
  let last = ''
  for (let hour = 1; hour <= hours; hour++) {
    scene.aheadMs = hour * HOUR_MS + (hour % 7) * 60_000
    const refused = hour % 50 === 0 ? last : null
    const [a, b] = await Promise.all([
      daemon.tokenFor(request({ refused })),
      scene.signIns().tokenFor(request({ refused })),
    ])
    expect(a.token).toBe(b.token)
    last = a.token
  }
  expect(requests()).toBeGreaterThan(hours / 2)
  expect(requests()).toBeLessThanOrEqual(hours + 1)
  await symlink('nowhere', join(scene.folder, 'oauth', 'stray'))
  expect(await daemon.state('company', USER)).toMatchObject({ state: 'ok' })
})
