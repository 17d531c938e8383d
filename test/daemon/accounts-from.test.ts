// The daemon and accounts that a program prints: asked again and again, taken over without a reload, and no trouble of it stops mail.
import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { PASSWORD, Scene, until } from './scene.ts'

/** The program prints `rows`, each ten seconds. */
function panel(scene: Scene): { readonly print: (...names: string[]) => void; readonly fail: () => void } {
  const script = scene.path('script')
  const print = (...names: string[]): void => {
    const { host, port } = scene.server
    for (const name of names) scene.server.mailbox(name, PASSWORD)
    const keys = { host, port, tls: 'none', password: PASSWORD, deliver: 'inbox', poll: '1h' }
    const accounts = Object.fromEntries(names.map((name) => [name, { ...keys, user: name }]))
    writeFileSync(script, `cat <<'END'\n${JSON.stringify({ accounts })}\nEND\n`)
  }
  const fail = (): void => writeFileSync(script, 'echo away >&2; exit 1\n')
  scene.configure({ work: {} }, { accountsFrom: { command: ['/bin/sh', script], every: '10s' } })
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
