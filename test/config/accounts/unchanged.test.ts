// What stays the same object when a configuration is read again.
import { expect, test } from 'vitest'
import { withUnchanged } from '../../../src/config/accounts/unchanged.ts'
import { Scene } from '../scene.ts'

const text = (a: string, b: string, inbox: string): string => `accounts:
  a: { host: pop.example.org, user: a, password: ${a}, deliver: inbox }
  b: { host: pop.example.org, user: b, password: secret, deliver: old, ${b} }
destinations:
  inbox: { type: maildir, path: ${inbox} }
  old: { type: maildir, path: Old }
`

test('an account and a destination that say the same stay the objects that they were', async () => {
  await using scene = await Scene.create()
  const before = await scene.load(text('one', 'timeout: 40s', 'Mail'))
  const after = await withUnchanged(before, await scene.load(text('one', 'timeout: 50s', 'Other')))
  expect(after.accounts.map((account, at) => account === before.accounts[at])).toEqual([true, false])
  expect(after.accounts[1]?.timeoutMs).toBe(50_000)
  const kept = [...after.destinations].map(([name, each]) => each === before.destinations.get(name))
  expect(kept).toEqual([false, true])
  expect(after.destinations.get('inbox')).toMatchObject({ path: scene.path('Other') })
})

test('another password is another account, though both look alike', async () => {
  await using scene = await Scene.create()
  const before = await scene.load(text('one', 'enabled: true', 'Mail'))
  const after = await withUnchanged(before, await scene.load(text('two', 'enabled: true', 'Mail')))
  expect(after.accounts.map((account, at) => account === before.accounts[at])).toEqual([false, true])
})

test('one that is left alone now has changed, one that stays so has not; order and number are those of the new one', async () => {
  await using scene = await Scene.create()
  const before = await scene.load(text('one', 'enabled: true', 'Mail'))
  const left = await withUnchanged(before, await scene.load(text('one', 'enabled: false', 'Mail')))
  expect(left.accounts).toEqual([before.accounts[0]])
  expect(left.disabled.map(({ name, enabled }) => [name, enabled])).toEqual([['b', false]])
  const again = await withUnchanged(left, await scene.load(text('one', 'enabled: false', 'Mail')))
  expect(again.disabled[0]).toBe(left.disabled[0])
})
