// One renewal at a time, whoever asks: callers of one process, and other processes beside them.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Store } from '../../src/oauth/store.ts'
import { answering, json } from './answers.ts'
import { clientOf, DAY_MS, files, kept, request, Scene, signedIn, USER } from './scene.ts'

const { signal } = new AbortController()
const SCRIPT = `
import { Store } from ${JSON.stringify(join(import.meta.dirname, '../../src/oauth/store.ts'))}
const [folder, user] = process.argv.slice(-2)
const lock = await new Store(folder, { env: {} }).lock('company', user, 1, new AbortController().signal)
process.stdout.write(lock === null ? 'busy' : 'free')
`

/** What another process finds. */
function elsewhere(folder: string): Promise<string> {
  const words = ['--input-type=module', '-e', SCRIPT, folder, USER]
  return new Promise((resolve, reject) => {
    execFile(process.execPath, words, (error, out) => (error === null ? resolve(out) : reject(error)))
  })
}

test('a lock is kept from other processes although a second caller of ours gave up waiting for it', async () => {
  await using all = await signedIn()
  const { folder } = all.scene
  {
    using lock = await new Store(folder, { env: {} }).lock('company', USER, 60_000, signal)
    expect(lock).not.toBeNull()
    for (let caller = 0; caller < 3; caller++)
      expect(await new Store(folder, { env: {} }).lock('company', USER, 1, signal)).toBeNull()
    expect(await elsewhere(folder)).toBe('busy')
  }
  expect(await elsewhere(folder)).toBe('free')
  for (const file of await files(folder)) expect((await stat(file)).mode & 0o777).toBe(0o600)
})

const HOLDER = `
import { Store } from ${JSON.stringify(join(import.meta.dirname, '../../src/oauth/store.ts'))}
const [folder, user] = process.argv.slice(-2)
// Its clock is a day behind, which is nothing to a lock.
const true_ = Date.now
Date.now = () => true_() - 86_400_000
globalThis.lock = await new Store(folder, { env: {} }).lock('company', user, 60_000, new AbortController().signal)
process.stdout.write('held')
setInterval(() => {}, 60_000)
`

/** Another process that has the lock. */
async function holder(folder: string) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', HOLDER, folder, USER], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = once(child, 'close')
  await once(child.stdout, 'data')
  return {
    send: (name: NodeJS.Signals) => child.kill(name),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await closed
    },
  }
}

describe('while another process has the lock and does not give it', () => {
  test.each([
    ['works on', null],
    ['was stopped', 'SIGSTOP'],
  ] as const)('because it %s, the limit ends each wait with a clear line, and nothing is asked', async (_why, stop) => {
    await using all = await signedIn()
    const { scene, requests, server } = all
    await using other = await holder(scene.folder)
    if (stop !== null) other.send(stop)
    scene.aheadMs = DAY_MS
    await using patient = await Scene.make(clientOf(server.issuer), { folder: scene.folder, lockLimitMs: 1 })
    patient.aheadMs = DAY_MS
    const signIns = patient.signIns()
    const before = await kept(scene.folder)
    const provider = await signIns.provider('company', null)
    const granted = { accessToken: 'a', refreshToken: 'b', lifetimeMs: 1, signInLifetimeMs: null, person: null }
    const waits = {
      'getting a token for': () => signIns.tokenFor(request()),
      'forgetting the sign-in of': () => signIns.forget('company', USER),
      'keeping the sign-in of': () => signIns.keep('company', USER, provider, granted),
      'keeping the sign-in of alice': () => signIns.prepare('company', USER),
    }
    for (const [doing, wait] of Object.entries(waits)) {
      await expect(wait()).rejects.toMatchObject({
        code: 'ERR_TIMEOUT',
        retry: 'soon',
        message: expect.stringMatching(
          new RegExp(`^${doing}.*: another popfetch has kept it locked: trying again later$`),
        ),
      })
    }
    // Who is signed in is told all the same.
    expect(await signIns.state('company', USER)).toMatchObject({ state: 'ok' })
    expect(await kept(scene.folder)).toBe(before)
    expect(requests()).toBe(0)
  })

  test('and dies, the next has it at once', async () => {
    await using all = await signedIn()
    const { scene, requests } = all
    scene.aheadMs = DAY_MS
    {
      await using _other = await holder(scene.folder)
    }
    await expect(scene.signIns().tokenFor(request())).resolves.toBeDefined()
    expect(requests()).toBe(1)
  })

  test('a poll that waits for it ends with its signal', async () => {
    await using all = await signedIn()
    const { scene, requests } = all
    scene.aheadMs = DAY_MS
    await using _other = await holder(scene.folder)
    const stop = new AbortController()
    const waiting = scene.signIns().tokenFor(request({ signal: stop.signal }))
    stop.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(requests()).toBe(0)
  })
})

test('a renewal that could not be kept does not take the place of one that another process was given meanwhile', async () => {
  let given = 0
  await using server = await answering((response, asked) =>
    json({ access_token: `access-${++given}`, refresh_token: `refresh-${given}`, token_type: 'Bearer' })(
      response,
      asked,
    ),
  )
  const endpoints = { authorization: null, token: `${server.origin}/token`, device: null, revocation: null }
  const client = clientOf('', { issuer: null, endpoints })
  let [isFull, isBroken] = [false, true]
  let spent = ''
  const step = (name: string): void => {
    const [file = ''] = readdirSync(join(scene.folder, 'oauth')).filter((one) => one.endsWith('.json'))
    if (name === 'reserved') spent = readFileSync(join(scene.folder, 'oauth', file), 'utf8')
    if (isFull && name === 'opened') throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
    isFull = isBroken && name === 'answered' ? true : isFull
  }
  await using scene = await Scene.make(client, { step })
  await using other = await Scene.make(client, { folder: scene.folder })
  const provider = await other.signIns().provider('company', null)
  const granted = { accessToken: 'old', refreshToken: 'oldest', lifetimeMs: 1, signInLifetimeMs: null, person: null }
  await other.signIns().keep('company', USER, provider, granted)
  const daemon = scene.signIns()
  await expect(daemon.tokenFor(request())).rejects.toMatchObject({ code: 'ERR_LEDGER' })
  isFull = false
  isBroken = false
  const { token } = await other.signIns().tokenFor(request())
  expect(token).toBe('access-2')
  expect(await daemon.tokenFor(request())).toMatchObject({ token })
  other.aheadMs = DAY_MS
  await other.signIns().tokenFor(request())
  expect(await kept(scene.folder)).toContain('refresh-3')
  scene.aheadMs = 2 * DAY_MS
  await daemon.tokenFor(request())
  expect(spent).toContain('refresh-3')
})
