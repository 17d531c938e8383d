// The daemon and accounts that a program prints: asked again and again, taken over without a reload, and no trouble of it stops mail.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { PASSWORD, Scene, until } from './scene.ts'

/** The program prints `rows`, each ten seconds. */
function panel(
  scene: Scene,
  top: object = {},
): { readonly print: (...names: string[]) => void; readonly fail: () => void } {
  const script = scene.path('script')
  const print = (...names: string[]): void => {
    const { host, port } = scene.server
    for (const name of names) scene.server.mailbox(name, PASSWORD)
    const keys = { host, port, tls: 'none', password: PASSWORD, deliver: 'inbox', poll: '1h' }
    const accounts = Object.fromEntries(names.map((name) => [name, { ...keys, user: name }]))
    writeFileSync(script, `cat <<'END'\n${JSON.stringify({ accounts })}\nEND\n`)
  }
  const fail = (): void => writeFileSync(script, 'echo away >&2; exit 1\n')
  scene.configure({ work: {} }, { accountsFrom: { command: ['/bin/sh', script], every: '10s' }, ...top })
  return { print, fail }
}

test('accounts come, go and change as the program prints them, are polled, and a failure of it is logged once', async () => {
  await using scene = await Scene.create()
  const { print, fail } = panel(scene)
  print('a')
  await scene.popfetch('--daemon')
  const names = async (): Promise<readonly string[]> =>
    (await scene.ask({ verb: 'status' }))?.accounts.map(({ account }) => account) ?? []
  expect(await names()).toEqual(['work', 'a'])
  scene.fill(1, 1, 'b')
  print('a', 'b')
  await until(async () => (await names()).includes('b'))
  await until(() => scene.letters().length === 1)
  fail()
  const troubles = () => scene.log().filter(({ msg }) => msg.includes('it ended with code 1: away'))
  await until(() => troubles().length === 1)
  expect(await names()).toEqual(['work', 'a', 'b'])
  // Another failure is nothing new; the next good answer is.
  print('b')
  await until(async () => !(await names()).includes('a'))
  expect(troubles()).toHaveLength(1)
  await until(() => scene.log().some(({ msg }) => msg === 'accountsFrom works again'))
  // Its row is in the configuration of the daemon, and plain `popfetch` polls by it.
  const { code } = await scene.popfetch('--json')
  expect(code).toBe(0)
})

test('a changed file is not taken over by the way: a person says when', async () => {
  await using scene = await Scene.create()
  const { print } = panel(scene)
  print('a')
  await scene.popfetch('--daemon')
  const names = async (): Promise<readonly string[]> =>
    (await scene.ask({ verb: 'status' }))?.accounts.map(({ account }) => account) ?? []
  scene.configure(
    { work: {}, home: {} },
    { accountsFrom: { command: ['/bin/sh', scene.path('script')], every: '10s' } },
  )
  print('a', 'b')
  await until(async () => (await names()).includes('b'))
  expect(await names()).toEqual(['work', 'a', 'b'])
  await scene.popfetch('reload')
  expect((await names()).toSorted()).toEqual(['a', 'b', 'home', 'work'])
})

test('that its answer is not taken shows in status, health and metrics until it is, is told once, from the daemon and from cron', async () => {
  await using scene = await Scene.create()
  const tell = scene.path('tell')
  writeFileSync(tell, `#!/bin/sh\necho "$POPFETCH_EVENT $POPFETCH_CODE" >> ${scene.path('told')}\n`, { mode: 0o700 })
  const told = (): readonly string[] => {
    const file = scene.path('told')
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []
  }
  const http = scene.path('page.socket')
  const { print, fail } = panel(scene, { daemon: { http }, notify: [{ run: [tell] }] })
  const asked = async (): Promise<unknown> => {
    const { stdout } = await scene.popfetch('status', '--json')
    const { accountsFrom, accounts } = JSON.parse(stdout) as { accountsFrom: unknown; accounts: unknown[] }
    return [accountsFrom, accounts.length]
  }
  const failed = {
    code: 'ERR_ACCOUNTS',
    message: expect.stringContaining('it ended with code 1: away') as string,
    retry: 'soon',
  }
  print('a')
  expect((await scene.popfetch()).code).toBe(0)
  fail()
  for (const _ of [1, 2]) expect((await scene.popfetch()).code).toBe(75)
  expect(told()).toEqual(['process ERR_ACCOUNTS'])
  expect(await asked()).toEqual([{ since: expect.any(String) as string, error: failed }, 2])
  expect((await scene.popfetch('status', '--check')).code).toBe(75)

  await scene.popfetch('--daemon')
  const page = async (path: string): Promise<string> => {
    const answer = Promise.withResolvers<Readable>()
    get({ socketPath: http, path }, answer.resolve).once('error', answer.reject)
    return await text(await answer.promise)
  }
  expect(await page('/healthz')).toBe('what the program of accountsFrom printed was not taken\n')
  expect(await page('/metrics')).toContain('popfetch_accounts_from_failing 1')
  expect(await page('/')).toContain('it ended with code 1: away')
  expect(told()).toEqual(['process ERR_ACCOUNTS'])
  print('a')
  await until(async () => (await page('/healthz')) === 'ok\n')
  await until(() => told().length === 2)
  expect(told()[1]).toMatch(/^recovery /)
  expect(await asked()).toEqual([null, 2])
  await until(async () => (await page('/metrics')).includes('popfetch_accounts_from_failing 0'))
})

test('where no program is asked any more, nothing is said of one', async () => {
  await using scene = await Scene.create()
  const { print, fail } = panel(scene)
  print('a')
  await scene.popfetch()
  fail()
  expect((await scene.popfetch()).code).toBe(75)
  scene.configure({ work: {} })
  expect((await scene.popfetch('status')).stdout).not.toContain('accountsFrom')
  expect((await scene.popfetch()).code).toBe(0)
  fail()
  scene.configure({ work: {} }, { accountsFrom: { command: ['/bin/sh', scene.path('script')] } })
  expect((await scene.popfetch('status')).stdout).not.toContain('accountsFrom')
})
